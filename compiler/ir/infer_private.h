/* What the files of type inference share. */
#ifndef VITCC_IR_INFER_PRIVATE_H
#define VITCC_IR_INFER_PRIVATE_H

#include "ir_private.h"

/* Reports at n's input (-1: n itself) and returns false. */
bool infer_fail(const ir_node *n, diag *d, int input, status code, const char *format, ...) __attribute__((format(printf, 5, 6)));
const ir_type *infer_type(const ir_node *n, int i);         /* of input i; NULL: absent */
/* E305 with both dimensions; E306 where they are equal for some values of the symbols only. */
bool infer_same(const ir_node *n, diag *d, int input, dim have, dim want, const char *what);
/* numpy broadcasting of x into *to, whose element type stays. */
bool infer_broadcast(const ir_node *n, diag *d, int input, const ir_type *x, ir_type *to);
/* x broadcasts to `to` as it is. */
bool infer_broadcasts_to(const ir_node *n, diag *d, int input, const ir_type *to);
bool infer_axis(const ir_node *n, diag *d, int rank, int *axis);            /* of KEY_AXIS */
bool infer_expr(const ir_node *n, diag *d, ir_key key, const elem *input, int inputs);

/* Each sets *out from n, whose inputs are as many as its operator takes and whose attributes are those it needs. */
typedef bool infer_operator(ir_node *n, diag *d, ir_type *out);
infer_operator infer_map, infer_linear, infer_mlp, infer_matmul, infer_attention, infer_conv, infer_conv_last, infer_topk, infer_pick, infer_scatter,
    infer_suppress;

#endif
