/* Attention as products, maps and a softmax: of doubles, for which there is no kernel. */
#include "lower.h"
#include "match.h"

#include <math.h>

/* [B, T, G, x] or, of keys, [B, G, d, T] to as many heads as the queries have, each group repeated. x has its heads at axis 1. */
static ir_value *repeat_groups(ir_value *x, dim heads, ir_node *n, pass_context *c)
{
    dim each;
    if (!x || dim_equal(x->type.dim[1], heads) || !dim_div_exact(heads, x->type.dim[1], &each)) return x;
    const dim *s = x->type.dim, apart[] = { s[0], s[1], dim_of(1), s[2], s[3] }, wide[] = { s[0], s[1], each, s[2], s[3] };
    const dim whole[] = { s[0], heads, s[2], s[3] };
    x = match_reshape(c, x, apart, 5, n);
    if (x) x = match_expand(c, x, wide, 5, n);
    return x ? match_reshape(c, x, whole, 4, n) : NULL;
}

/* Keys as [B, H, d, Tk]. */
static ir_value *keys_of(ir_node *n, pass_context *c)
{
    static const int order[] = { 0, 2, 3, 1 };
    ir_value *k = n->input[1];
    const dim keys = n->input[2]->type.dim[1];
    if (!ir_int(n, KEY_TRANSPOSED, 0)) k = match_transpose(c, k, order, n);
    else if (!dim_equal(k->type.dim[3], keys)) {
        move m;
        ir_type to;
        k = move_slice(&k->type, 3, 0, 1, keys, &m, &to) ? match_move(c, k, &m, &to, n) : NULL;
    }
    return repeat_groups(k, n->input[0]->type.dim[2], n, c);
}

/* Which keys a query sees, bool [Tq, Tk]; NULL: reported. */
static ir_value *causal_mask(ir_node *n, pass_context *c)
{
    int64_t queries, keys;
    const dim rows = n->input[0]->type.dim[1], columns = n->input[2]->type.dim[1];
    if (!dim_is_constant(rows, &queries) || !dim_is_constant(columns, &keys)) {
        const diag_place place = { .node = ir_describe(n), .input = -1 };
        diag_error(c->diag, STATUS_CODEGEN, &place, "a causal attention of doubles over a number of tokens that is not known");
        return NULL;
    }
    unsigned char *sees = arena_array(n->graph->arena, (size_t)(queries * keys) + 1, 1);
    for (int64_t i = 0; i < queries; i++)
        for (int64_t j = 0; j < keys; j++) sees[i * keys + j] = j <= i + keys - queries;
    return ir_constant(n->graph, (ir_type){ .elem = ELEM_BOOL, .rank = 2, .dim = { rows, columns } }, sees, (size_t)(queries * keys), n);
}

/* scores * scale, masked. */
static ir_value *masked(ir_node *n, ir_value *scores, pass_context *c)
{
    const elem e = scores->type.elem;
    ir_value *mask = n->inputs > 3 ? n->input[3] : NULL, *causal = NULL;
    if (ir_int(n, KEY_CAUSAL, 0) && !(causal = causal_mask(n, c))) return NULL;
    expr_builder b = expr_begin(n->graph->arena);
    ir_node *map = ir_begin(n->graph, IR_MAP);
    ir_input(map, scores);
    int s = expr_apply(&b, EXPR_MUL, expr_input(&b, 0, e), expr_constant(&b, e, ir_number(n, KEY_SCALE, 1), 0), -1), inputs = 1;
    ir_value *const mask_of[] = { mask, causal };
    for (int i = 0; i < 2; i++) {
        if (!mask_of[i]) continue;
        const int in = expr_input(&b, inputs++, mask_of[i]->type.elem);
        ir_input(map, mask_of[i]);
        if (mask_of[i]->type.elem != ELEM_BOOL) s = expr_apply(&b, EXPR_ADD, s, in, -1);
        else s = expr_apply(&b, EXPR_SELECT, in, s, expr_constant(&b, e, (double)-INFINITY, 0));
    }
    ir_set_expr(map, KEY_EXPR, expr_end(&b, s));
    return ir_end(map, n, c->diag);
}

/* p, but 0 where a row of s is -inf throughout. */
static ir_value *empty_rows_zero(ir_node *n, ir_value *s, ir_value *p, pass_context *c)
{
    const elem e = p->type.elem;
    ir_node *most = ir_begin(n->graph, IR_REDUCE), *map = ir_begin(n->graph, IR_MAP);
    ir_input(most, s);
    ir_set_name(most, KEY_KIND, "max");
    ir_set_ints(most, KEY_AXES, (const int64_t[]){ 3 }, 1);
    ir_set_int(most, KEY_KEEP, 1);
    ir_value *largest = ir_end(most, n, c->diag);
    if (!largest) return NULL;
    expr_builder b = expr_begin(n->graph->arena);
    const int empty = expr_apply(&b, EXPR_EQUAL, expr_input(&b, 1, e), expr_constant(&b, e, (double)-INFINITY, 0), -1);
    ir_input(map, p);
    ir_input(map, largest);
    ir_set_expr(map, KEY_EXPR, expr_end(&b, expr_apply(&b, EXPR_SELECT, empty, expr_constant(&b, e, 0, 0), expr_input(&b, 0, e))));
    return ir_end(map, n, c->diag);
}

static ir_value *product(ir_node *n, ir_value *a, ir_value *b, pass_context *c)
{
    if (!a || !b) return NULL;
    ir_node *m = ir_begin(n->graph, IR_MATMUL);
    ir_input(m, a);
    ir_input(m, b);
    return ir_end(m, n, c->diag);
}

static ir_value *softmax(ir_node *n, ir_value *s, pass_context *c)
{
    if (!s) return NULL;
    ir_node *m = ir_begin(n->graph, IR_SOFTMAX);
    ir_input(m, s);
    ir_set_int(m, KEY_AXIS, 3);
    return ir_end(m, n, c->diag);
}

bool lower_attention(ir_node *n, pass_context *c)
{
    static const int heads_first[] = { 0, 2, 1, 3 };
    ir_value *q = match_transpose(c, n->input[0], heads_first, n), *v = match_transpose(c, n->input[2], heads_first, n);
    v = repeat_groups(v, n->input[0]->type.dim[2], n, c);
    ir_value *s = product(n, q, keys_of(n, c), c);
    if (s) s = masked(n, s, c);
    ir_value *p = softmax(n, s, c);
    if (p && ir_is_name(n, KEY_EMPTY, "zero")) p = empty_rows_zero(n, s, p, c);
    ir_value *out = product(n, p, v, c);
    if (out) out = match_transpose(c, out, heads_first, n);
    if (!out) return false;
    ir_replace(n->output[0], out);
    if (n->outputs > 1) ir_replace(n->output[1], p);
    ir_remove(n);
    return true;
}
