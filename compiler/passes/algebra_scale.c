/* A constant factor of a product's result goes into the weights and the bias: (x W + b) c = x (W c) + b c, column by column (layer scale) or all by
 * one number.
 * Requires: the result stands once in its epilogue or in the one map that reads it, directly multiplied or divided; the factor is a constant, one
 *   number or a row of as many as there are columns; the weights are constant and of the factor's type.
 * Leaves: the product without the factor; a residual added behind it becomes an epilogue; convolutions without factors and terms by column behind them
 *   (absorb_affine). */
#include "algebra.h"

enum { ITEMS = 64 };

/* A factor found in an expression: `item` is the multiplication, `other` its constant operand. */
typedef struct factor {
    const expr *expr;
    int item, x, other;
    bool divides;
    ir_value *value;          /* NULL: a number of the expression */
} factor;

/* The input that the expression of a map (base 0), linear or mlp calls `index`; NULL for the result itself. */
static ir_value *operand(const ir_node *n, int base, int index)
{
    if (base == 0) return n->input[index];
    return index == 0 ? NULL : algebra_input(n, base + index - 1);
}

/* Finds the factor of input `index` in the expression of n, if its one reader is a multiplication by a constant. */
static bool find_factor(const ir_node *n, const expr *e, int base, int index, int64_t columns, factor *f)
{
    int x = -1, readers = 0, reader = -1;
    for (int i = 0; i < e->count; i++)
        if (e->item[i].op == EXPR_INPUT && e->item[i].index == index) x = i;
    for (int i = 0; i < e->count && x >= 0; i++)
        for (int k = 0; k < expr_arity(e->item[i].op); k++)
            if (e->item[i].arg[k] == x) readers++, reader = i;
    if (readers != 1) return false;
    const expr_item *product = &e->item[reader];
    if (product->op != EXPR_MUL && (product->op != EXPR_DIV || product->arg[0] != x)) return false;
    *f = (factor){.expr = e, .item = reader, .x = x, .other = product->arg[product->arg[0] == x], .divides = product->op == EXPR_DIV};
    const expr_item *other = &e->item[f->other];
    if (other->op == EXPR_CONSTANT) return true;
    if (other->op != EXPR_INPUT) return false;
    f->value = operand(n, base, other->index);
    int64_t elements;
    if (!f->value || !ir_is_constant(f->value) || !ir_dims_constant(&f->value->type, NULL, &elements)) return false;
    return elements == 1 || algebra_is_row(f->value, columns);
}

/* The expression without the factor; kept[i] tells which of the old inputs is the new input i. */
static const expr *without_factor(arena *a, const factor *f, int *kept, int *count)
{
    const expr *e = f->expr;
    bool needed[ITEMS] = {false};
    int result = e->count - 1, made[ITEMS], renamed[ITEMS], inputs = expr_inputs(e);
    if (result == f->item) result = f->x;
    needed[result] = true;
    for (int i = e->count - 1; i >= 0; i--)
        for (int k = 0; needed[i] && i != f->item && k < expr_arity(e->item[i].op); k++)
            needed[e->item[i].arg[k] == f->item ? f->x : e->item[i].arg[k]] = true;
    *count = 0;
    for (int index = 0; index < inputs; index++)
        for (int i = 0; i < e->count; i++) {
            if (!needed[i] || e->item[i].op != EXPR_INPUT || e->item[i].index != index) continue;
            renamed[index] = *count;
            kept[(*count)++] = index;
            break;
        }
    expr_builder b = expr_begin(a);
    for (int i = 0; i < e->count; i++) {
        const expr_item *item = &e->item[i];
        int arg[3] = {-1, -1, -1};
        if (i == f->item) made[i] = made[f->x];
        if (i == f->item || !needed[i]) continue;
        for (int k = 0; k < expr_arity(item->op); k++) arg[k] = made[item->arg[k]];
        if (item->op == EXPR_INPUT) made[i] = expr_input(&b, renamed[item->index], item->elem);
        else if (item->op == EXPR_CONSTANT) made[i] = expr_constant(&b, item->elem, item->number, item->integer);
        else if (item->op == EXPR_CONVERT) made[i] = expr_convert(&b, item->elem, arg[0]);
        else made[i] = expr_apply(&b, item->op, arg[0], arg[1], arg[2]);
    }
    return expr_end(&b, made[result]);
}

/* w c, or w / c; c as [n] or one number. */
static ir_value *scaled(ir_value *w, const factor *f, ir_node *before, pass_context *c)
{
    expr_builder b = expr_begin(before->graph->arena);
    int x = expr_input(&b, 0, w->type.elem);
    const expr_item *number = &f->expr->item[f->other];
    int y = f->value ? expr_input(&b, 1, w->type.elem) : expr_constant(&b, number->elem, number->number, number->integer);
    ir_node *n = ir_begin(before->graph, IR_MAP);
    ir_input(n, w);
    if (f->value) {
        const ir_type *t = &f->value->type;
        dim last = t->rank > 0 ? t->dim[t->rank - 1] : dim_of(1);
        ir_input(n, match_reshape(c, f->value, &last, 1, before));
        if (!n->input[1]) return NULL;
    }
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_apply(&b, f->divides ? EXPR_DIV : EXPR_MUL, x, y, -1)));
    if (w->def) ir_copy_origins(n, w->def);
    return rebuild_folded(ir_end(n, before, c->diag), before, c);
}

static bool scale_weights(ir_node *product, const factor *f, pass_context *c)
{
    algebra_slots at = algebra_out(product);
    ir_value *w = scaled(product->input[at.weight], f, product, c), *b = algebra_input(product, at.bias);
    if (w && b && !(b = scaled(b, f, product, c))) return false;
    if (!w) return false;
    ir_set_input(product, at.weight, w);
    return !b || algebra_set_input(product, at.bias, b, c->diag);
}

static bool weights_fit(const ir_node *product, const factor *f)
{
    algebra_slots at = algebra_out(product);
    const ir_value *w = product->input[at.weight], *b = algebra_input(product, at.bias);
    elem e = f->value ? f->value->type.elem : f->expr->item[f->other].elem;
    if (f->expr->count > ITEMS || expr_inputs(f->expr) > ITEMS) return false;
    return ir_is_constant(w) && w->type.elem == e && (!b || (ir_is_constant(b) && b->type.elem == e));
}

static bool scale_epilogue(ir_node *n, const factor *f, pass_context *c)
{
    ir_value *input[ITEMS + 5];
    int kept[ITEMS], count, base = algebra_out(n).extras, inputs;
    if (!scale_weights(n, f, c)) return false;
    const expr *e = without_factor(n->graph->arena, f, kept, &count);
    for (inputs = 0; inputs < base; inputs++) input[inputs] = algebra_input(n, inputs);
    for (int i = 1; i < count; i++) input[inputs++] = algebra_input(n, base + kept[i] - 1);
    if (e->count == 1) ir_remove_attribute(n, KEY_EPILOGUE);
    else ir_set_expr(n, KEY_EPILOGUE, e);
    if (e->count == 1 && n->op == IR_LINEAR && !input[2]) inputs = 2;
    return rebuild_with(n, input, inputs, c->diag);
}

static bool scale_map(ir_node *n, ir_node *product, const factor *f, pass_context *c)
{
    ir_value *input[ITEMS];
    int kept[ITEMS], count;
    ir_copy_origins(product, n);
    ir_move_before(product, n);   /* the factor may be defined after it */
    if (!scale_weights(product, f, c)) return false;
    const expr *e = without_factor(n->graph->arena, f, kept, &count);
    for (int i = 0; i < count; i++) input[i] = n->input[kept[i]];
    if (e->count > 1) {
        ir_set_expr(n, KEY_EXPR, e);
        return rebuild_with(n, input, count, c->diag);
    }
    ir_replace(n->output[0], input[0]);
    ir_remove(n);
    return true;
}

/* The product that makes v, if v is only for n. */
static ir_node *product_for(const ir_value *v, const ir_node *n)
{
    return v && v->def && (v->def->op == IR_LINEAR || v->def->op == IR_MLP) && ir_only_use(v, n) ? v->def : NULL;
}

static bool scale_node(ir_node *n, pass_context *c, bool *changed)
{
    factor f;
    int64_t columns;
    if (n->op == IR_LINEAR || n->op == IR_MLP) {
        const expr *e = ir_expr(n, KEY_EPILOGUE);
        const ir_type *w = &n->input[algebra_out(n).weight]->type;
        if (!e || !dim_is_constant(w->dim[w->rank - 1], &columns)) return true;
        *changed = find_factor(n, e, algebra_out(n).extras, 0, columns, &f) && weights_fit(n, &f);
        return !*changed || scale_epilogue(n, &f, c);
    }
    for (int i = 0; n->op == IR_MAP && i < n->inputs; i++) {
        const ir_value *v = n->input[i];
        ir_node *product = product_for(v, n);
        if (!product || ir_find(product, KEY_EPILOGUE) || !ir_type_equal(&v->type, &n->output[0]->type)) continue;
        if (!dim_is_constant(v->type.dim[v->type.rank - 1], &columns)) continue;
        if (!find_factor(n, ir_expr(n, KEY_EXPR), 0, i, columns, &f) || !weights_fit(product, &f)) continue;
        *changed = true;
        return scale_map(n, product, &f, c);
    }
    return true;
}

bool algebra_scale(ir_graph *g, pass_context *c)
{
    bool any = false, again = true;
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == IR_CONV_LAST && !absorb_affine(n, c)) return false;
        any |= n->op == IR_CONV_LAST;
    }
    while (again) {
        again = false;
        for (ir_node *n = g->first, *next; n; n = next) {
            bool changed = false;
            next = n->next;
            if (!scale_node(n, c, &changed)) return false;
            again |= changed;
        }
        any |= again;
    }
    return !any || fuse_epilogues(g, c);
}
