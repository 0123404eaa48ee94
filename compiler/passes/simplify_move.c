/* Part of simplify: moves that do nothing, moves of moves, and reshapes that step behind what works row by row, where they meet others. */
#include "match.h"

/* ---- moves of moves ---- */

static bool compose_move(ir_node *n, pass_context *c, bool *changed)
{
    ir_value *x = n->input[0], *old = n->output[0];
    const ir_node *inner = ir_producer(x, IR_MOVE);
    bool nothing = ir_type_equal(&x->type, &old->type) && move_is_reshape(&x->type, ir_move(n));
    move both;
    if (!nothing && (!inner || !move_compose(&inner->input[0]->type, ir_move(inner), &x->type, ir_move(n), &both))) return true;
    ir_value *v = nothing ? x : match_move(c, x, ir_move(n), &old->type, n);
    if (!v) return false;
    if (v->def) ir_copy_origins(v->def, n);
    match_replace(old, v);
    return *changed = true;
}

/* ---- other nodes that only arrange ---- */

static bool pads_nothing(const ir_node *n)
{
    const ir_attribute *pads = ir_find(n, KEY_PADS);
    for (int i = 0; i < pads->list.count; i++)
        if (pads->list.item[i] != 0) return false;
    return true;
}

static void drop_arranging(ir_node *n, bool *changed)
{
    if (n->op == IR_PAD ? !pads_nothing(n) : n->inputs != 1) return;
    match_replace(n->output[0], n->input[0]);
    *changed = true;
}

/* ---- reshapes behind linears and maps ---- */

/* v's node, if it only regroups the axes before the last. */
static ir_node *regroups_rows(const ir_value *v)
{
    ir_node *n = ir_producer(v, IR_MOVE);
    if (!n) return NULL;
    const ir_type *from = &n->input[0]->type, *to = &v->type;
    if (from->rank < 2 || to->rank < 2 || !dim_equal(from->dim[from->rank - 1], to->dim[to->rank - 1])) return NULL;
    return move_is_reshape(from, ir_move(n)) && !ir_is_constant(v) ? n : NULL;
}

/* n once more, reading from[i] where it read input i; then a reshape to its old shape, in its place. */
static bool step_behind(ir_node *n, ir_value *const *from, pass_context *c, bool *changed)
{
    ir_value *old = n->output[0];
    ir_node *before = ir_begin(n->graph, n->op);
    for (int i = 0; i < n->inputs; i++) ir_input(before, from[i]);
    if (ir_expr(n, KEY_EXPR)) ir_set_expr(before, KEY_EXPR, ir_expr(n, KEY_EXPR));
    ir_value *v = ir_end(before, n, c->diag);
    if (!v) return false;
    ir_copy_origins(before, n);
    if (!(v = match_reshape(c, v, old->type.dim, old->type.rank, n))) return false;
    match_replace(old, v);
    return *changed = true;
}

/* A reduction over the last axes reads v: a norm, maybe, whose parts are to stay in one shape. */
static bool is_reduced(const ir_value *v)
{
    for (int i = 0; i < v->uses; i++) {
        const ir_node *n = v->user[i];
        const ir_attribute *axes = n->op == IR_REDUCE ? ir_find(n, KEY_AXES) : NULL;
        if (axes && axes->list.count > 0 && axes->list.item[axes->list.count - 1] == v->type.rank - 1) return true;
    }
    return false;
}

/* A map works row by row where all that it reads is regrouped alike, a scalar, or a row of the last axis. */
static bool sink_through_map(ir_node *n, pass_context *c, bool *changed)
{
    ir_value *from[MATCH_INPUTS];
    const ir_type *source = NULL;
    if (n->inputs > MATCH_INPUTS || is_reduced(n->output[0])) return true;
    for (int i = 0; i < n->inputs; i++) {
        const ir_node *reshape = regroups_rows(n->input[i]);
        from[i] = n->input[i];
        if (!reshape) {
            if (from[i]->type.rank > 1) return true;
            continue;
        }
        from[i] = reshape->input[0];
        if (!ir_type_equal(&n->input[i]->type, &n->output[0]->type) && n->input[i]->type.elem == n->output[0]->type.elem) return true;
        if (n->input[i]->type.rank != n->output[0]->type.rank) return true;
        if (source && !ir_type_equal(source, &from[i]->type)) return true;
        source = &from[i]->type;
    }
    return source ? step_behind(n, from, c, changed) : true;
}

/* A linear works row by row. Norms of the last axis do too, but have no need. */
static bool sink_through_linear(ir_node *n, pass_context *c, bool *changed)
{
    const ir_node *reshape = regroups_rows(n->input[0]);
    ir_value *from[3] = {reshape ? reshape->input[0] : NULL, n->input[1], n->inputs > 2 ? n->input[2] : NULL};
    return !reshape || n->inputs > 3 || ir_find(n, KEY_EPILOGUE) ? true : step_behind(n, from, c, changed);
}

bool simplify_moves(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (match_dead(n)) continue;
        if (n->op == IR_MOVE && !compose_move(n, c, changed)) return false;
        if (n->op == IR_PAD || n->op == IR_CONCAT) drop_arranging(n, changed);
        if (n->op == IR_LINEAR && !sink_through_linear(n, c, changed)) return false;
        if (n->op == IR_MAP && !sink_through_map(n, c, changed)) return false;
    }
    return true;
}
