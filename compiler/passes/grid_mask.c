/* Where keys are a grid, and to the scores is added a part by rows of the grid and one by its columns (relative positions by height and width), the
 * attention is handed both parts, and their sum, as large as the scores, is never in memory.
 * Requires: the mask is a sum of two values, perhaps regrouped; one repeats along the grid's columns, the other along its rows; nothing else reads
 *   it.
 * Leaves: an attention of six inputs. Those that add constants keep them: these are one mask already. */
#include "match.h"

/* x, a part of the mask, as a move with all of the mask's elements; NULL: none says that. */
static const move *spread(pass_context *c, ir_value *x, const ir_type *sum, const ir_type *mask, ir_node *before, ir_value **source)
{
    ir_value *v = match_expand(c, x, sum->dim, sum->rank, before);
    v = match_reshape(c, v, mask->dim, mask->rank, before);
    const ir_node *n = v ? ir_producer(v, IR_MOVE) : NULL;
    if (!n) return NULL;
    *source = n->input[0];
    return ir_move(n);
}

/* Part x as [batch, heads, queries, rows] or (by columns) [batch, heads, queries, columns] of the grid; NULL: it is no such part. */
static ir_value *one_part(pass_context *c, ir_value *x, const ir_type *sum, ir_node *n, bool by_columns)
{
    const ir_type *mask = &n->input[3]->type;
    ir_value *source;
    const move *m = spread(c, x, sum, mask, n, &source);
    const int repeat = m ? m->digits - 1 - by_columns : -1;
    if (repeat < 1 || m->digit[repeat].axis >= 0) return NULL;
    dim size;
    if (!dim_div_exact(mask->dim[3], m->digit[repeat].extent, &size) || (by_columns && !dim_equal(size, m->digit[repeat + 1].extent))) return NULL;
    move part = *m;
    for (int i = repeat; i + 1 < part.digits; i++) part.digit[i] = part.digit[i + 1];
    part.digits--;
    ir_type to = *mask;
    to.dim[3] = size;
    return match_move(c, source, &part, &to, n);
}

/* The sum that the mask is, behind reshapes only. */
static ir_node *sum_of(const ir_node *n)
{
    ir_value *v = n->input[3];
    const ir_node *reader = n;
    expr_op op;
    match_operand o[3];
    while (ir_producer(v, IR_MOVE) && v->uses == 1 && !ir_is_result(v) && move_is_reshape(&v->def->input[0]->type, ir_move(v->def))) {
        reader = v->def;
        v = v->def->input[0];
    }
    ir_node *sum = v->uses == 1 && !ir_is_result(v) && v->user[0] == reader ? match_map(v, &op, o) : NULL;
    return sum && op == EXPR_ADD && sum->inputs == 2 && !ir_is_constant(sum->output[0]) ? sum : NULL;
}

static bool split(ir_node *n, pass_context *c)
{
    const ir_type *q = &n->input[0]->type, *mask = n->inputs == 4 && n->input[3] ? &n->input[3]->type : NULL;
    const dim scores[4] = { q->dim[0], q->dim[2], q->dim[1], n->input[2]->type.dim[1] };
    if (!mask || mask->rank != 4 || mask->elem != ELEM_F32) return true;
    for (int i = 0; i < 4; i++)
        if (!dim_equal(mask->dim[i], scores[i])) return true;
    ir_node *sum = sum_of(n);
    if (!sum) return true;
    const ir_type *whole = &sum->output[0]->type;
    for (int i = 0; i < 2; i++) {
        ir_value *rows = one_part(c, sum->input[i], whole, n, false), *columns = rows ? one_part(c, sum->input[1 - i], whole, n, true) : NULL;
        dim keys;
        if (!columns || !dim_mul(rows->type.dim[3], columns->type.dim[3], &keys) || !dim_equal(keys, mask->dim[3])) continue;
        ir_copy_origins(n, sum);
        ir_set_input(n, 3, NULL);
        ir_input(n, rows);
        ir_input(n, columns);
        return true;
    }
    return diag_errors(c->diag) == 0;
}

bool pass_grid_mask(ir_graph *g, pass_context *c)
{
    for (ir_node *n = g->first; n; n = n->next)
        if (n->op == IR_ATTENTION && !split(n, c)) return false;
    ir_sweep(g);
    return true;
}
