/* What stands around the passes and is needed for correctness: before them half precision becomes single, behind them what the code generator has no kernels
 * for becomes general operators. */
#ifndef VITCC_PASSES_LOWER_H
#define VITCC_PASSES_LOWER_H

#include "passes.h"

/* False: an error was reported. */
bool widen_halves(ir_graph *g, diag *d);
bool lower_types(ir_graph *g, pass_context *c);
/* MLPs of at most `rows` rows an image and as many weights in each half become two linear layers, whose output features threads share. */
bool lower_few_rows(ir_graph *g, pass_context *c, int64_t rows, int64_t weights);

/* For lower.c: attention of doubles as products, maps and a softmax. */
bool lower_attention(ir_node *n, pass_context *c);

#endif
