/* A norm's gamma and beta go into the products that read it: (x̂ gamma + beta) W + b = x̂ (diag(gamma) W) + (b + beta W).
 * Requires: the norm is along the last axis; gamma, beta, all weights and biases are constant and of one type; the norm's result is no result of the
 *   graph, and everything that reads it is a linear or mlp that reads it as x and nothing else, with nothing between but moves that keep the last
 *   axis whole.
 * Leaves: a norm without gamma and beta. */
#include "algebra.h"

enum { READERS = 64 };

typedef struct readers { int count; ir_node *node[READERS]; } readers;

/* The move takes whole rows: its last digit is the last axis from its first to its last element, and nothing else steps along it. */
static bool keeps_last_axis(const ir_type *from, const move *m, const ir_type *to)
{
    int last = from->rank - 1;
    if (last < 0 || to->rank == 0 || !dim_equal(to->dim[to->rank - 1], from->dim[last])) return false;
    if (m->wrap[last] || m->offset[last] != 0) return false;
    for (int i = 0; i < m->digits; i++) {
        const move_digit *d = &m->digit[i];
        bool is_last = i == m->digits - 1;
        if ((d->axis == last) != is_last) return false;
        if (is_last && (d->step != 1 || !dim_equal(d->extent, from->dim[last]))) return false;
    }
    return m->digits > 0;
}

static bool takes_row(const ir_value *v, int64_t length, elem e)
{
    return !v || (algebra_is_row(v, length) && v->type.elem == e);
}

static bool absorbs(const ir_node *n, const ir_value *x, elem e)
{
    if ((n->op != IR_LINEAR && n->op != IR_MLP) || n->input[0] != x || algebra_reads(n, x) != 1) return false;
    const ir_value *w = n->input[1], *b = algebra_input(n, 2);
    int64_t shape[IR_RANK_MAX];
    return ir_is_constant(w) && w->type.rank == 2 && w->type.elem == e && ir_dims_constant(&w->type, shape, NULL) && takes_row(b, shape[1], e);
}

/* All products that read x, through moves too; false: something else does. */
static bool collect(const ir_value *x, elem e, readers *r)
{
    if (ir_is_result(x) || x->uses == 0) return false;
    for (int i = 0; i < x->uses; i++) {
        ir_node *n = x->user[i];
        if (n->op == IR_MOVE) {
            if (!keeps_last_axis(&x->type, ir_move(n), &n->output[0]->type) || !collect(n->output[0], e, r)) return false;
            continue;
        }
        if (r->count == READERS || !absorbs(n, x, e)) return false;
        r->node[r->count++] = n;
    }
    return true;
}

static bool absorb(ir_node *n, ir_value *gamma, ir_value *beta, pass_context *c)
{
    ir_value *w = n->input[1], *b = NULL;
    if (beta && !(b = algebra_shifted(n, beta, c))) return false;
    if (gamma) {
        ir_value *column = match_reshape(c, gamma, (dim[]){w->type.dim[0], dim_of(1)}, 2, n);
        ir_value *product = column ? ir_map2(n->graph, EXPR_MUL, w, column, n, c->diag) : NULL;
        if (!(product = rebuild_folded(product, n, c))) return false;
        ir_copy_origins(product->def, n);
        ir_set_input(n, 1, product);
    }
    return !b || algebra_set_input(n, 2, b, c->diag);
}

static bool absorb_norm(ir_node *norm, pass_context *c)
{
    ir_value *x = norm->output[0], *gamma = algebra_input(norm, 1), *beta = algebra_input(norm, 2);
    int64_t length;
    int last = x->type.rank - 1;
    readers r = {0};
    if ((!gamma && !beta) || ir_int(norm, KEY_AXIS, last) != last || !dim_is_constant(x->type.dim[last], &length)) return true;
    if (!takes_row(gamma, length, x->type.elem) || !takes_row(beta, length, x->type.elem) || !collect(x, x->type.elem, &r)) return true;
    for (int i = 0; i < r.count; i++)
        if (!absorb(r.node[i], gamma, beta, c)) return false;
    return rebuild_with(norm, &norm->input[0], 1, c->diag);
}

bool algebra_norm(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **norm = match_list(c->arena, g, IR_NORM, &count);
    for (int i = 0; i < count; i++)
        if (!absorb_norm(norm[i], c)) return false;
    return true;
}
