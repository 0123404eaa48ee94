/* Factors and terms by column behind a linear (a folded batch norm) or a convolution with channels last (a frozen one) go into its weights and bias:
 * (x W + b) c + d = x (W c) + (b c + d).
 * Requires: the product has no epilogue and only that map reads it; c or d is a constant, a row of as many elements as there are columns; the weights
 *   and the bias are constant and of its type.
 * Leaves: the product without the map. */
#include "algebra.h"

/* The map that alone reads the product and multiplies it by or adds to it a row; NULL: there is none. */
static ir_node *affine_reader(const ir_node *product, expr_op *op, ir_value **row)
{
    ir_value *v = product->output[0];
    const ir_value *w = product->input[1], *b = algebra_input(product, 2);
    match_operand o[3];
    int64_t columns;
    if (ir_find(product, KEY_EPILOGUE) || product->inputs > 3 || v->uses != 1 || ir_is_result(v)) return NULL;
    ir_node *map = v->user[0];
    if (map->op != IR_MAP || !match_map(map->output[0], op, o) || expr_arity(*op) != 2) return NULL;
    const bool first = o[0].value == v, exchanged = *op == EXPR_MUL || *op == EXPR_ADD;
    if (!exchanged && !(first && (*op == EXPR_DIV || *op == EXPR_SUB))) return NULL;
    *row = o[first].value;
    if (!ir_type_equal(&v->type, &map->output[0]->type) || !dim_is_constant(w->type.dim[w->type.rank - 1], &columns)) return NULL;
    const bool constant = algebra_is_row(*row, columns) && ir_is_constant(w) && (!b || ir_is_constant(b));
    return constant && w->type.elem == (*row)->type.elem && (!b || b->type.elem == w->type.elem) ? map : NULL;
}

/* x op row, folded. */
static ir_value *with_row(expr_op op, ir_value *x, ir_value *row, ir_node *before, pass_context *c)
{
    ir_value *v = ir_map2(before->graph, op, x, row, before, c->diag);
    if (v && x->def) ir_copy_origins(v->def, x->def);
    return rebuild_folded(v, before, c);
}

ir_node *absorb_affine(ir_node *product, pass_context *c)
{
    expr_op op;
    ir_value *row;
    for (ir_node *map; (map = affine_reader(product, &op, &row)) != NULL;) {
        const ir_value *w = product->input[1];
        ir_value *b = algebra_input(product, 2);
        const bool scales = op == EXPR_MUL || op == EXPR_DIV;
        ir_copy_origins(product, map);
        ir_move_before(product, map);   /* the row may be defined after it */
        if (!(row = match_reshape(c, row, &w->type.dim[1], 1, product))) return NULL;
        if (scales) {
            ir_value *scaled = with_row(op, product->input[1], row, product, c);
            if (!scaled) return NULL;
            ir_set_input(product, 1, scaled);
        }
        if (b) b = with_row(op, b, row, product, c);
        else if (op == EXPR_SUB) b = rebuild_folded(ir_map1(product->graph, EXPR_NEG, row, product, c->diag), product, c);
        else if (!scales) b = row;
        if (!b && !(scales && !algebra_input(product, 2))) return NULL;
        if (b && !(product = algebra_set_input(product, 2, b, c->diag))) return NULL;
        match_replace(map->output[0], product->output[0]);
    }
    return product;
}
