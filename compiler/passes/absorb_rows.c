/* Requires: a linear without epilogue and with constant weights, read only by a map that multiplies or divides it by a constant row, adds one or
 * takes one away: a batch norm behind it. Leaves: the row in the weights and the bias; so for each such map behind it. Exact in real arithmetic. */
#include "algebra.h"

/* The row that map combines with x, and how; NULL: it is no such map. */
static ir_value *row_of(const ir_node *map, const ir_value *x, expr_op *op)
{
    match_operand o[3];
    int64_t columns;
    const ir_type *t = &x->type;
    if (!match_map(map->output[0], op, o) || (*op != EXPR_MUL && *op != EXPR_DIV && *op != EXPR_ADD && *op != EXPR_SUB)) return NULL;
    const int k = o[0].value != x;
    ir_value *row = o[1 - k].value;
    if (o[k].value != x || !row || (k == 1 && (*op == EXPR_DIV || *op == EXPR_SUB))) return NULL;
    if (!ir_is_constant(row) || row->type.elem != t->elem || !ir_type_equal(t, &map->output[0]->type)) return NULL;
    return dim_is_constant(t->dim[t->rank - 1], &columns) && algebra_is_row(row, columns) ? row : NULL;
}

static ir_value *combined(expr_op op, ir_value *v, ir_value *row, ir_node *before, pass_context *c)
{
    return rebuild_folded(ir_map2(before->graph, op, v, row, before, c->diag), before, c);
}

/* The linear with the row in it, before map. NULL: an error was reported. */
static ir_node *with_row(const ir_node *linear, ir_node *map, expr_op op, ir_value *row, pass_context *c)
{
    ir_value *w = linear->input[1], *b = algebra_input(linear, 2);
    row = match_reshape(c, row, &row->type.dim[row->type.rank - 1], 1, map);
    if (!row) return NULL;
    if (op == EXPR_MUL || op == EXPR_DIV) {
        if (!(w = combined(op, w, row, map, c)) || (b && !(b = combined(op, b, row, map, c)))) return NULL;
    } else if (b) {
        if (!(b = combined(op, b, row, map, c))) return NULL;
    } else if (!(b = op == EXPR_ADD ? row : rebuild_folded(ir_map1(map->graph, EXPR_NEG, row, map, c->diag), map, c))) {
        return NULL;
    }
    ir_node *n = ir_begin(map->graph, IR_LINEAR);
    ir_input(n, linear->input[0]);
    ir_input(n, w);
    if (b) ir_input(n, b);
    if (ir_find(linear, KEY_ELEM)) ir_set_name(n, KEY_ELEM, ir_name(linear, KEY_ELEM, ""));
    if (!ir_end(n, map, c->diag)) return NULL;
    ir_copy_origins(n, linear);
    ir_copy_origins(n, map);
    return n;
}

bool absorb_rows(ir_node *linear, pass_context *c, bool *changed)
{
    while (linear->op == IR_LINEAR && !ir_find(linear, KEY_EPILOGUE) && linear->inputs <= 3) {
        const ir_value *v = linear->output[0], *w = linear->input[1], *b = algebra_input(linear, 2);
        ir_node *map = v->uses == 1 ? v->user[0] : NULL;
        expr_op op;
        if (!map || map->op != IR_MAP || ir_is_result(v) || !ir_is_constant(w) || w->type.elem != v->type.elem || (b && !ir_is_constant(b))) break;
        ir_value *row = row_of(map, v, &op);
        if (!row) break;
        linear = with_row(linear, map, op, row, c);
        if (!linear) return false;
        match_replace(map->output[0], linear->output[0]);
        *changed = true;
    }
    return true;
}
