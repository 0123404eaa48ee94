/* Running the model in the evaluator: --validate compares outputs before and after each pass; `vitcc evaluate` runs .npy files. */
#ifndef VITCC_VALIDATE_H
#define VITCC_VALIDATE_H

#include "ir/ir.h"

typedef struct validation validation;

/* Runs g in double precision on seeded random input (N = 2), and keeps the outputs. NULL: it does not run; reported. */
validation *validate_begin(const ir_graph *g, diag *d);
/* Runs g again on the same input. STATUS_VALIDATE, and a report naming the pass, if an output moved by more than 1e-5 of its scale. */
status validate_after(validation *v, const ir_graph *g, const char *pass, diag *d);
void validate_end(validation *v);   /* NULL is fine */

/* input: "name=file.npy", or "file.npy" for the only input. Writes <output name>.npy into folder: f64 where the model has floats, unless typed. */
status validate_evaluate(const ir_graph *g, int inputs, const char *const *input, const char *folder, bool typed, diag *d);

/* numpy's descr of a type. */
const char *validate_numpy_type(elem e);

/* Writes input_<name>.npy and output_<name>.npy into folder: seeded random input of one image, and what the model gives in double precision, rounded
 * to its types.
 * The generated program's --selftest reads them. */
status validate_selftest(const ir_graph *g, const char *folder, diag *d);

#endif
