/* What the fusing passes share: walking up through element-wise nodes and moves, testing what a cone of them computes, and putting new nodes in their
 * place. */
#ifndef VITCC_PASSES_MATCH_H
#define VITCC_PASSES_MATCH_H

#include "passes.h"

enum { MATCH_NODES = 32, MATCH_INPUTS = 12, MATCH_ITEMS = 96 };

/* ---- single nodes ---- */

/* One operand of a map with a single operator: a number, or an input (then `number` is NaN unless the input is a scalar constant). */
typedef struct match_operand {
    ir_value *value;          /* NULL: a number of the expression itself */
    bool scalar;
    double number;
} match_operand;

/* v's node, if it is a map of exactly one operator over inputs and numbers: the operator, and its operands. */
ir_node *match_map(const ir_value *v, expr_op *op, match_operand operand[3]);
/* A value all of whose elements equal one number: a constant of any size, an expand or other move of one, a map over such. */
bool match_splat(const ir_value *v, double *number);
/* A constant of a float type whose elements are in a plain array: malloc'ed; NULL: it is none, or `limit` is exceeded. */
double *match_numbers(const ir_value *v, int64_t limit, int64_t *count);
/* The dimensions from `axis` on equal those of `t` from its axis on, all before are 1. */
bool match_trailing(const ir_type *part, const ir_type *t, int axis);
bool match_is_row(const ir_type *t);                     /* one row for all rows, or one number for all elements */
/* The product of t's first `axes` dimensions at one image. */
int64_t match_size(const ir_graph *g, const ir_type *t, int axes, arena *a);
bool match_dead(const ir_node *n);                       /* no output is read or a result, or match_drop removed it */
bool match_before(const ir_node *a, const ir_node *b);   /* by `mark`, after match_number_nodes */
void match_number_nodes(ir_graph *g);
/* All nodes with this operator, in order, in *count. */
ir_node **match_list(arena *a, const ir_graph *g, ir_op op, int *count);

/* ---- cones of element-wise nodes ---- */

/* What the map nodes between leaves and a root compute, as one expression: inputs are the leaves, then the constants that are no scalars. */
typedef struct match_cone {
    const expr *expr;
    int constants, nodes;
    ir_value *constant[MATCH_INPUTS];
    ir_node *node[MATCH_NODES];       /* the maps covered */
} match_cone;

/* False: the cone ends in a value that is neither leaf nor constant, or it is too large. Built in `a`. */
bool match_compose(arena *a, ir_value *root, ir_value *const *leaf, int leaves, match_cone *cone);
/* The expression at one point, in double; NaN for operators that are not of floats. */
double match_evaluate(const expr *e, const double *input);
/* No value inside the cone, and no leaf of `leaf`, is read from outside or is a result; the root may be. */
bool match_closed(const match_cone *cone, const ir_value *root, ir_value *const *leaf, int leaves);
bool match_uses(const expr *e, expr_op op);
/* The map that replaces NaN of p by zero, select(isnan(p), 0, p), if one reads p: its output. NULL: none. */
ir_value *match_nan_guard(arena *a, ir_value *p, match_cone *cone);

/* ---- building ---- */

/* A move of x, composed with the moves that made x where one move can say both; x's own source where nothing is left to move. NULL: reported. The
 * moves composed stay, for match_sweep_moves. */
ir_value *match_move(pass_context *c, ir_value *x, const move *m, const ir_type *to, ir_node *before);
ir_value *match_reshape(pass_context *c, ir_value *x, const dim *shape, int rank, ir_node *before);
ir_value *match_transpose(pass_context *c, ir_value *x, const int *permutation, ir_node *before);
/* Numpy broadcasting to the shape; x itself where it has it. */
ir_value *match_expand(pass_context *c, ir_value *x, const dim *shape, int rank, ir_node *before);
/* Puts `by` in old's place in all readers and results, and removes what nothing reads any more: old's node and the nodes above it that only it
 * read. */
void match_replace(ir_value *old, ir_value *by);
/* Removes n and what only it read, if nothing reads n. */
void match_drop(ir_node *n);
/* Removes moves that nothing reads: the steps that were composed into others. */
void match_sweep_moves(ir_graph *g);
void match_cover(ir_node *n, const match_cone *cone);    /* origins of all of the cone's nodes */

/* ---- parts of passes that others run again ---- */

bool pass_simplify(ir_graph *g, pass_context *c);
bool simplify_maps(ir_graph *g, pass_context *c, bool *changed);
bool simplify_concats(ir_graph *g, pass_context *c, bool *changed);
bool simplify_moves(ir_graph *g, pass_context *c, bool *changed);
bool simplify_reductions(ir_graph *g, pass_context *c, bool *changed);
bool patchify(ir_graph *g, pass_context *c, bool *changed);
bool fold_pads(ir_graph *g, pass_context *c, bool *changed);
/* The linear or convolution with channels last with factors and terms by column behind it in its weights and bias, perhaps a new node; NULL: an error
 * was reported. */
ir_node *absorb_affine(ir_node *product, pass_context *c);
/* The window of a conv_last, its pads, strides, dilations and groups; nothing of other nodes. */
void match_copy_window(ir_node *to, const ir_node *from);
/* Element-wise readers of linear, mlp and conv_last nodes become their epilogues. */
bool fuse_epilogues(ir_graph *g, pass_context *c);

#endif
