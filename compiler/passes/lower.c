/* lower_types: products that no matrix kernel takes become general operators. Kernels are of f32, and what an epilogue reads and gives is f32, too;
 * its operands follow the rows of the result, repeat for outer ones, or are one row for all. */
#include "lower.h"
#include "match.h"

/* ---- what an epilogue can do ---- */

static bool is_f32_expr(const expr *e)
{
    for (int i = 0; e && i < e->count; i++)
        if (e->item[i].elem != ELEM_F32 && e->item[i].elem != ELEM_BOOL) return false;
    return true;
}

static dim operand_dim(const ir_type *x, const ir_type *out, int axis)
{
    const int own = axis - (out->rank - x->rank);
    return own >= 0 ? x->dim[own] : dim_of(1);
}

/* Does x, broadcast to out, follow its rows? *outside: the outermost axis along which it does not repeat; -1: it repeats along none, or all. */
static bool follows_rows(const ir_type *x, const ir_type *out, int *outside)
{
    bool repeats = false;
    int first = -1;
    *outside = -1;
    for (int i = 0; i < out->rank - 1; i++) {
        const dim size = operand_dim(x, out, i);
        if (dim_is_one(out->dim[i])) continue;
        if (dim_is_one(size)) {
            if (first >= 0) return false;   /* it repeats in the middle */
            repeats = true;
        } else if (first < 0) first = i;
    }
    if (repeats) *outside = first;
    return true;
}

static bool epilogue_runs(const ir_node *n, int extras)
{
    const ir_type *out = &n->output[0]->type;
    int common = -1;
    if (out->elem != ELEM_F32 || !is_f32_expr(ir_expr(n, KEY_EPILOGUE))) return false;
    for (int i = extras; i < n->inputs; i++) {
        int outside;
        if (n->input[i]->type.elem != ELEM_F32 || !follows_rows(&n->input[i]->type, out, &outside)) return false;
        if (outside >= 0 && common >= 0 && outside != common) return false;
        if (outside >= 0) common = outside;
    }
    return true;
}

/* ---- taking products apart ---- */

/* expr(sum + bias, extras…); either may be absent. sum itself if both are. */
static ir_value *finish(ir_node *n, ir_value *sum, ir_value *bias, const expr *e, ir_value *const *extra, int extras, pass_context *c)
{
    if (!sum || (!bias && !e)) return sum;
    arena *a = n->graph->arena;
    expr_builder b = expr_begin(a);
    ir_node *map = ir_begin(n->graph, IR_MAP);
    int *place = arena_array(a, (size_t)extras + 1, sizeof *place), inputs = 1;
    ir_input(map, sum);
    place[0] = expr_input(&b, 0, sum->type.elem);
    if (bias) {
        ir_input(map, bias);
        place[0] = expr_apply(&b, EXPR_ADD, place[0], expr_input(&b, inputs++, bias->type.elem), -1);
    }
    for (int i = 0; e && i < extras; i++) {
        ir_input(map, extra[i]);
        place[i + 1] = expr_input(&b, inputs++, extra[i]->type.elem);
    }
    ir_set_expr(map, KEY_EXPR, expr_end(&b, e ? expr_inline(&b, e, place) : place[0]));
    return ir_end(map, n, c->diag);
}

/* x [..., K] · w [K, N] */
static ir_value *product(ir_node *n, ir_value *x, ir_value *w, pass_context *c)
{
    const bool vector = x && x->type.rank == 1;
    const dim columns = w->type.dim[1], row[] = { dim_of(1), x ? x->type.dim[0] : columns };
    if (vector) x = match_reshape(c, x, row, 2, n);
    if (!x) return NULL;
    ir_node *m = ir_begin(n->graph, IR_MATMUL);
    ir_input(m, x);
    ir_input(m, w);
    ir_value *y = ir_end(m, n, c->diag);
    return y && vector ? match_reshape(c, y, &columns, 1, n) : y;
}

static bool replace(ir_node *n, ir_value *by)
{
    if (!by) return false;
    ir_replace(n->output[0], by);
    ir_remove(n);
    return true;
}

/* The product stays; its epilogue becomes a map. */
static bool split_epilogue(ir_node *n, int extras, pass_context *c)
{
    ir_node *bare = ir_begin(n->graph, n->op);
    for (int i = 0; i < n->inputs && i < extras; i++) ir_input(bare, n->input[i]);
    if (n->op == IR_MLP) ir_set_expr(bare, KEY_EXPR, ir_expr(n, KEY_EXPR));
    match_copy_window(bare, n);
    ir_value *sum = ir_end(bare, n, c->diag);
    return replace(n, finish(n, sum, NULL, ir_expr(n, KEY_EPILOGUE), n->input + extras, n->inputs - extras, c));
}

static bool lower_linear(ir_node *n, pass_context *c)
{
    ir_value *sum = product(n, n->input[0], n->input[1], c);
    return replace(n, finish(n, sum, n->inputs > 2 ? n->input[2] : NULL, ir_expr(n, KEY_EPILOGUE), n->input + 3, n->inputs - 3, c));
}

/* One half of the last axis. */
static ir_value *half(ir_node *n, ir_value *x, int which, pass_context *c)
{
    move m;
    ir_type to;
    dim width;
    int64_t size;
    const int axis = x->type.rank - 1;
    if (!dim_div_exact(x->type.dim[axis], dim_of(2), &width) || !dim_is_constant(width, &size)) return NULL;
    return move_slice(&x->type, axis, which * size, 1, width, &m, &to) ? match_move(c, x, &m, &to, n) : NULL;
}

static bool lower_mlp(ir_node *n, pass_context *c)
{
    const expr *activation = ir_expr(n, KEY_EXPR);
    ir_value *up = product(n, n->input[0], n->input[1], c), *hidden;
    if (!up) return false;
    if (expr_inputs(activation) > 1) {
        up = finish(n, up, n->input[2], NULL, NULL, 0, c);
        ir_value *gate = up ? half(n, up, 1, c) : NULL;
        hidden = gate ? finish(n, half(n, up, 0, c), NULL, activation, &gate, 1, c) : NULL;
    } else hidden = finish(n, up, n->input[2], activation, NULL, 0, c);
    ir_value *sum = hidden ? product(n, hidden, n->input[3], c) : NULL;
    return replace(n, finish(n, sum, n->input[4], ir_expr(n, KEY_EPILOGUE), n->input + 5, n->inputs - 5, c));
}

static bool is_empty(const ir_value *v)
{
    int64_t size;
    for (int i = 0; i < v->type.rank; i++)
        if (dim_is_constant(v->type.dim[i], &size) && size == 0) return true;
    return false;
}

/* A product over no features, and an attention to no keys, have no kernels. */
static bool sums_nothing(const ir_node *n)
{
    if (n->op == IR_LINEAR) return is_empty(n->input[0]) || is_empty(n->input[1]);
    if (n->op == IR_MLP) return is_empty(n->input[0]) || is_empty(n->input[1]) || is_empty(n->input[3]);
    return is_empty(n->input[0]) || is_empty(n->input[1]) || is_empty(n->input[2]);
}

static bool lower_node(ir_node *n, pass_context *c)
{
    if (ir_is_constant(n->output[0])) return true;
    const bool f32 = n->inputs > 0 && n->input[0] && n->input[0]->type.elem == ELEM_F32;
    switch (n->op) {
    case IR_LINEAR:
        if (!f32 || sums_nothing(n)) return lower_linear(n, c);
        return epilogue_runs(n, 3) || split_epilogue(n, 3, c);
    case IR_MLP:
        if (!f32 || sums_nothing(n) || !is_f32_expr(ir_expr(n, KEY_EXPR))) return lower_mlp(n, c);
        return epilogue_runs(n, 5) || split_epilogue(n, 5, c);
    case IR_CONV_LAST: return epilogue_runs(n, 3) || split_epilogue(n, 3, c);
    case IR_ATTENTION: return (f32 && !sums_nothing(n)) || lower_attention(n, c);
    default: return true;
    }
}

static bool lower_graph(ir_graph *g, pass_context *c)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!lower_node(n, c)) return false;
    }
    match_sweep_moves(g);
    return true;
}

bool lower_types(ir_graph *g, pass_context *c)
{
    for (int i = 0; i < g->functions; i++)
        if (!lower_graph(g->function[i], c)) return false;
    return lower_graph(g, c);
}
