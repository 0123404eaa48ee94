/* Probabilities blended with constant ones before they meet the values, as ConViT's gated positional attention does (d'Ascoli et al. 2021, eq. 8):
 * (a p + c) v = a (p v) + c v.
 * Requires: p is a softmax over the last axis that nothing else reads; a and c are constants, a the same for all keys; they may be divided by their sum
 *   over the keys, which is a + the sum of c, since the p of a row sum to one; then comes a product whose left side they are.
 * Leaves: the product of p and v, which fuse_attention finds, times a, and a product with constants, added. */
#include "fuse_attention.h"

#include <string.h>

#include "rebuild.h"

typedef struct blend {
    pass_context *context;
    ir_node *end;              /* the product with the values; what is built stands before it */
    ir_value *v;               /* a p + c, so far */
    ir_value *a, *c;           /* NULL: 1, 0 */
} blend;

static ir_value *folded(const blend *b, expr_op op, ir_value *x, ir_value *y)
{
    if (!x || !y) return NULL;
    return rebuild_folded(ir_map2(b->end->graph, op, x, y, b->end, b->context->diag), b->end, b->context);
}

static bool has_last_axis(const ir_value *x, dim size)
{
    return x->type.rank && dim_equal(x->type.dim[x->type.rank - 1], size);
}

static bool is_for_all_keys(const ir_value *x)
{
    return !x->type.rank || has_last_axis(x, dim_of(1));
}

/* The sum of v over its last axis, as [.., 1], if s is that and `reader` alone reads it: the reduction. */
static ir_node *row_sum(ir_value *s, const ir_value *v, const ir_node *reader)
{
    ir_node *move = ir_producer(s, IR_MOVE);
    if (s->uses != 1 || s->user[0] != reader || ir_is_result(s) || !has_last_axis(s, dim_of(1))) return NULL;
    if (move && !move_is_reshape(&move->input[0]->type, ir_move(move))) return NULL;
    ir_value *sum = move ? move->input[0] : s;
    ir_node *n = ir_producer(sum, IR_REDUCE);
    if (!n || n->input[0] != v || sum->uses != 1 || ir_is_result(sum) || strcmp(ir_name(n, KEY_KIND, ""), "sum")) return NULL;
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    return axes->list.count == 1 && axes->list.item[0] == v->type.rank - 1 ? n : NULL;
}

/* The one map that reads v, apart from the sum of v that it divides by. */
static ir_node *only_map(ir_value *v)
{
    ir_node *map = NULL;
    for (int i = 0; i < v->uses; i++) {
        if (v->user[i]->op == IR_REDUCE) continue;
        if (map) return NULL;
        map = v->user[i];
    }
    return map && map->op == IR_MAP && !ir_is_result(v) ? map : NULL;
}

/* Takes one map into a and c. */
static bool step(blend *b, const ir_node *map)
{
    expr_op op;
    match_operand o[3];
    if (!match_map(map->output[0], &op, o) || expr_arity(op) != 2 || !ir_type_equal(&b->v->type, &map->output[0]->type)) return false;
    const int other = o[0].value == b->v;
    ir_value *k = o[other].value;
    if (!k || o[!other].value != b->v) return false;
    if (op == EXPR_DIV && other && b->a && b->c && b->v->uses == 2 && row_sum(k, b->v, map)) {
        ir_node *n = ir_begin(b->end->graph, IR_REDUCE);
        ir_input(n, b->c);
        ir_set_ints(n, KEY_AXES, (const int64_t[]){ b->c->type.rank - 1 }, 1);
        ir_set_int(n, KEY_KEEP, 1);
        ir_set_name(n, KEY_KIND, "sum");
        ir_value *sum = folded(b, EXPR_ADD, b->a, rebuild_folded(ir_end(n, b->end, b->context->diag), b->end, b->context));
        b->a = folded(b, EXPR_DIV, b->a, sum);
        b->c = folded(b, EXPR_DIV, b->c, sum);
        return b->a && b->c;
    }
    if (!ir_is_constant(k) || b->v->uses != 1) return false;
    if (op == EXPR_MUL && is_for_all_keys(k)) {
        b->a = b->a ? folded(b, EXPR_MUL, b->a, k) : k;
        if (b->c) b->c = folded(b, EXPR_MUL, b->c, k);
        return b->a != NULL;
    }
    if (op != EXPR_ADD || !has_last_axis(k, b->v->type.dim[b->v->type.rank - 1])) return false;
    b->c = b->c ? folded(b, EXPR_ADD, b->c, k) : k;
    return b->c != NULL;
}

static ir_value *product(const blend *b, ir_value *x)
{
    ir_node *n = ir_begin(b->end->graph, IR_MATMUL);
    ir_input(n, x);
    ir_input(n, b->end->input[1]);
    ir_value *y = ir_end(n, b->end, b->context->diag);
    if (y) ir_copy_origins(n, b->end);
    return y;
}

/* The product at the end of the chain of maps; NULL: there is none. */
static ir_node *end_of(ir_value *p)
{
    ir_value *v = p;
    for (ir_node *map; (map = only_map(v)) != NULL;) v = map->output[0];
    ir_node *n = v != p && v->uses == 1 && !ir_is_result(v) ? v->user[0] : NULL;
    return n && n->op == IR_MATMUL && n->input[0] == v && n->input[1] != v ? n : NULL;
}

bool fuse_blend(ir_node *softmax, pass_context *c)
{
    ir_value *p = softmax->output[0];
    blend b = { .context = c, .v = p, .end = end_of(p) };
    if (!b.end || ir_int(softmax, KEY_AXIS, 0) != p->type.rank - 1) return true;
    while (b.v != b.end->input[0]) {
        const ir_node *map = only_map(b.v);
        if (!step(&b, map)) return diag_errors(c->diag) == 0;
        b.v = map->output[0];
    }
    if (!b.c) return true;
    ir_value *y = product(&b, p), *constant = product(&b, b.c);
    if (y && b.a) y = ir_map2(b.end->graph, EXPR_MUL, y, b.a, b.end, c->diag);
    if (y && constant) y = ir_map2(b.end->graph, EXPR_ADD, y, constant, b.end, c->diag);
    if (!y || !constant) return false;
    if (!ir_type_equal(&y->type, &b.end->output[0]->type)) return true;
    ir_copy_origins(y->def, b.end);
    match_replace(b.end->output[0], y);
    return true;
}
