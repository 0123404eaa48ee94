/* The parts of algebra: each rewrites a graph by one identity of real arithmetic, which only weights pay for. False: an error was reported. */
#ifndef VITCC_PASSES_ALGEBRA_H
#define VITCC_PASSES_ALGEBRA_H

#include "match.h"
#include "rebuild.h"

bool algebra_scale(ir_graph *g, pass_context *c);       /* constant factors of a linear's or mlp's result into its weights */
bool algebra_norm(ir_graph *g, pass_context *c);        /* gamma and beta of a norm into the linears that read it */
bool algebra_attention(ir_graph *g, pass_context *c);   /* the key bias goes, the value bias into the output projection */
bool algebra_pixels(ir_graph *g, pass_context *c);      /* mean and std of raw pixels into the patch embedding */
bool algebra_table(ir_graph *g, pass_context *c);       /* class token, position table and patch bias into one table */

/* Where a linear or mlp node has its weights [K, n] and bias [n]; the extras of its epilogue start at `extras`. */
typedef struct algebra_slots { int weight, bias, extras; } algebra_slots;
algebra_slots algebra_in(const ir_node *n);             /* of the product that reads x */
algebra_slots algebra_out(const ir_node *n);            /* of the product that makes the result */
ir_value *algebra_input(const ir_node *n, int i);       /* NULL: absent */
/* Sets input i of a linear or mlp to v (NULL: absent), at v's definition or later in the graph; the node may be replaced by a new one, which is
 * returned. */
ir_node *algebra_set_input(ir_node *n, int i, ir_value *v, diag *d);
/* How often n reads v. */
int algebra_reads(const ir_node *n, const ir_value *v);
/* A constant of n elements, all along its last axis. */
bool algebra_is_row(const ir_value *v, int64_t n);
/* b + row W of the linear or mlp n: its bias once `row`, of K elements in any shape, is no longer added to x. Built before n. */
ir_value *algebra_shifted(ir_node *n, ir_value *row, pass_context *c);

#endif
