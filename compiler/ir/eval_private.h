/* What the evaluator's files share: values during a run, storage of elements, broadcast operands, expressions and blocked products. */
#ifndef VITCC_IR_EVAL_PRIVATE_H
#define VITCC_IR_EVAL_PRIVATE_H

#include "../base/checked.h"
#include "eval.h"

/* A dense row-major value. Constants stay as they lie in their file: `stored` says how, and `data` may be unaligned. */
typedef struct eval_value {
    elem elem, stored;         /* declared; F64 in place of any float in EVAL_DOUBLE */
    int rank;
    int64_t shape[IR_RANK_MAX];
    int64_t elements;
    const void *data;
    void *owned;               /* the same bytes, writable and malloc'ed; NULL: borrowed */
} eval_value;

typedef struct eval_context {
    eval_mode mode;
    const int64_t *symbol;     /* their values; NULL: not known, only constant dimensions can be evaluated */
    diag *diag;                /* NULL: errors are not told */
    eval_trace *trace;
    void *trace_context;
    int depth;                 /* of calls */
} eval_context;

/* One operator: in[i] is NULL for an absent input; out[i] comes with type, shape and room, its elements not yet written. */
typedef status eval_operator(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out);
eval_operator eval_map, eval_linear, eval_mlp, eval_matmul, eval_attention, eval_norm, eval_moments, eval_join_moments, eval_softmax, eval_reduce, eval_move, eval_pad, eval_concat,
    eval_gather, eval_resample, eval_topk, eval_pick, eval_scatter, eval_suppress, eval_conv, eval_conv_last, eval_length, eval_capacity;

/* ---- eval.c ---- */

/* A graph, or part of one, while it runs. Both arrays by value id. */
typedef struct eval_frame {
    const ir_graph *graph;
    eval_value *value;
    int *readers;              /* nodes and results that still have to read it; 0: not needed */
} eval_frame;

status eval_frame_open(const eval_context *c, const ir_graph *g, eval_frame *f);
void eval_frame_close(eval_frame *f);
/* Runs what f->readers says is needed, and what that rests on, from the first node to `last` (NULL: nothing). */
status eval_run_nodes(const eval_context *c, eval_frame *f, const ir_node *last);
/* The bytes of const v, as they lie. */
status eval_view(const eval_context *c, const ir_value *v, eval_value *to);

/* eval_conv.c: rows [count, taps C / groups] of the windows of group `group` that rows first to first + count - 1 of n's output read; x [N, …, C]. */
void eval_windows(const ir_node *n, const eval_value *x, const eval_value *out, int64_t group, int64_t first, int64_t count, double *row);

/* ---- eval_value.c ---- */

/* Reports at node n (NULL: the graph as a whole), input -1: none. Returns code. */
status eval_fail(const eval_context *c, const ir_node *n, int input, status code, const char *format, ...) __attribute__((format(printf, 5, 6)));
status eval_out_of_memory(const eval_context *c, const ir_node *n);
/* The value of a dimension; E306 where it rests on a symbol without one. Never negative. */
status eval_dim(const eval_context *c, const ir_node *n, dim d, int64_t *value);
/* Sets type and shape of *v, and `stored` by the mode. */
status eval_describe(const eval_context *c, const ir_node *n, const ir_type *type, eval_value *v);
/* count * size bytes for free(), aligned to 64; NULL: no memory, or overflow. */
void *eval_allocate(int64_t count, size_t size);
status eval_room(const eval_context *c, const ir_node *n, eval_value *v);
void eval_release(eval_value *v);
/* A copy of v's elements as `stored`, in *to, which owns them. */
status eval_copy(const eval_context *c, const ir_node *n, const eval_value *v, elem stored, eval_value *to);
int64_t eval_product_of(const int64_t *shape, int from, int to);      /* of shape[from..to) */
bool eval_shape_is(const eval_value *v, int rank, const int64_t *shape);

/* ---- eval_symbols.c ---- */

/* value [symbols], which is c->symbol, from the inputs' shapes; then checks types and shapes of all inputs. E302, E305 name the input. */
status eval_bind(const eval_context *c, const ir_graph *g, const eval_tensor *input, int64_t *value);

/* ---- eval_store.c: elements as double or int64 (u64: the same bits) ---- */

elem eval_stored(eval_mode mode, elem e);
void eval_load_floats(elem stored, const void *data, int64_t start, int64_t stride, int64_t n, double *out);
void eval_load_integers(elem stored, const void *data, int64_t start, int64_t stride, int64_t n, int64_t *out);
void eval_store_floats(elem stored, void *data, int64_t start, int64_t n, const double *in);         /* rounds; integers: towards zero, saturated */
void eval_store_integers(elem stored, void *data, int64_t start, int64_t n, const int64_t *in);      /* wraps; floats: rounds */
int64_t eval_wrap(elem e, int64_t x);              /* to the width of e; bool: x != 0 */
int64_t eval_saturate(elem e, double x);           /* ONNX Cast of a float: towards zero, NaN gives 0, what does not fit the nearest */
double eval_widen(int64_t x, bool is_u64);         /* a double that rounds to any narrower float as x itself does */
void eval_round(elem e, double *x, int64_t n);     /* to a float type */

/* ---- eval_expr.c ---- */

/* An input of an expression: where element i of the result (row-major) finds its element. Axes are merged as far as strides allow. */
typedef struct eval_operand {
    elem stored;
    const void *data;
    int64_t base;                                  /* index of the result that reads element 0 */
    int rank;
    int64_t extent[IR_RANK_MAX], stride[IR_RANK_MAX];
} eval_operand;

/* rows x columns elements, `pitch` from row to row. */
eval_operand eval_operand_rows(elem stored, const void *data, int64_t base, int64_t rows, int64_t columns, int64_t pitch);
/* numpy broadcasting of v to a shape; false: it does not. */
bool eval_operand_broadcast(const eval_value *v, int rank, const int64_t *shape, eval_operand *o);
void eval_operand_load_floats(const eval_operand *o, int64_t first, int64_t n, double *out);
void eval_operand_load_integers(const eval_operand *o, int64_t first, int64_t n, int64_t *out);

/* data[i] = e(inputs at i) for i in [first, first + count), stored as `stored`; data[0] belongs to index `first`. */
status eval_apply(const eval_context *c, const ir_node *n, const expr *e, int inputs, const eval_operand *input, int64_t first, int64_t count,
                  elem stored, void *data);

/* ---- eval_scalar.c: one operator of an expression on n elements ---- */

void eval_float_op(expr_op op, const double *const *arg, double *r, int n);
void eval_float_test(expr_op op, const double *const *arg, int64_t *r, int n);                  /* floats to bool */
void eval_integer_op(expr_op op, bool is_u64, const int64_t *const *arg, int64_t *r, int n);    /* not yet wrapped */

/* ---- eval_product.c ---- */

/* Element (i, j) at start + i * row + j * column. */
typedef struct eval_matrix {
    elem stored;
    const void *data;
    int64_t start, row, column;
} eval_matrix;

/* sum [m, n] = a [m, k] · b [k, n]: double where `stored` is F64, int64 modulo 2^64 where it is I64. */
status eval_product(const eval_context *c, const ir_node *node, int64_t m, int64_t n, int64_t k, const eval_matrix *a, const eval_matrix *b,
                    elem stored, void *sum);
/* How many of a matrix's rows to compute at a time, so that their sums take about 16 MB. */
int64_t eval_rows_at_once(int64_t rows, int64_t columns);

#endif
