/* The evaluator: runs a graph on tensors. Two modes of one code: typed computes each element type as ONNX defines it (sums of products in double,
 * rounded once; every other float result rounded to its type), double holds every float as double and integers exactly: the oracle. */
#ifndef VITCC_IR_EVAL_H
#define VITCC_IR_EVAL_H

#include "ir.h"

typedef enum eval_mode { EVAL_TYPED, EVAL_DOUBLE } eval_mode;

/* A dense row-major tensor. In EVAL_DOUBLE floats of every type are stored as double, all else as in EVAL_TYPED. */
typedef struct eval_tensor {
    elem elem;                       /* the declared type, whatever the storage */
    int rank;
    int64_t shape[IR_RANK_MAX];
    int64_t elements;
    void *data;                      /* malloc'ed by the evaluator, or the caller's */
} eval_tensor;

/* Bytes of one stored element. */
size_t eval_size(eval_mode mode, elem e);
/* Reads or writes element i as double (floats, exact) or int64 (all else). */
double eval_number(eval_mode mode, const eval_tensor *t, int64_t i);
int64_t eval_integer(eval_mode mode, const eval_tensor *t, int64_t i);

/* Conversions of one float to storage and back, round to nearest even; overflow to infinity. */
float eval_from_f16(uint16_t bits);
uint16_t eval_to_f16(double x);
float eval_from_bf16(uint16_t bits);
uint16_t eval_to_bf16(double x);

/* Runs g. input[i] belongs to parameter i (stored for the mode); symbols are bound from the inputs' shapes, or E305. output[i] gets
 * result i: its data is malloc'ed, free it with eval_free. Values are freed after their last reader. `trace`, if not NULL, is called for each node's
 * outputs. */
typedef void eval_trace(void *context, const ir_node *n, const eval_tensor *outputs);
status eval_run(const ir_graph *g, eval_mode mode, const eval_tensor *input, eval_tensor *output, eval_trace *trace, void *context, diag *d);
void eval_free(eval_tensor *t);

/* The value of a constant recipe (ir_is_constant), typed. data is malloc'ed. */
status eval_constant(const ir_value *v, eval_tensor *out, diag *d);

/* The same, piece by piece: a const's bytes are read where they lie, a map's elements computed when they are asked for; all else is evaluated whole
 * on opening. */
typedef struct eval_reader {
    eval_tensor value;               /* what is read; data NULL */
    struct eval_reading *reading;
} eval_reader;

/* Symbols have these values; NULL: there are none. Close it whatever comes back. */
status eval_reader_open(eval_reader *r, const ir_value *v, const int64_t *symbol, diag *d);
/* *from = elements first to first + count - 1: in `room`, which has room for them, or where they lie, perhaps unaligned. */
status eval_reader_read(const eval_reader *r, int64_t first, int64_t count, void *room, const void **from);
/* All elements into `room`. */
status eval_reader_copy(const eval_reader *r, void *room);
void eval_reader_close(eval_reader *r);

/* Evaluates one node whose inputs are all const nodes, typed; outputs as above. */
status eval_node(const ir_node *n, eval_tensor *outputs, diag *d);

#endif
