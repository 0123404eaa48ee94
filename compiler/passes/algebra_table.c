/* concat(class token, patches W + b) + positions: the class token's row of the table is added to it beforehand, the other rows and the patch bias
 * become one table, which the patches' linear adds as it writes.
 * Requires: a map that adds a constant to a concat, which nothing else reads, along any axis but the last; all parts are constants (expanded over the
 *   batch or not) but for linears that nothing else reads; the table has as many rows as the concat and one table serves all images; all is of one
 *   type.
 * Leaves: the concat last, its parts done. */
#include "algebra.h"

enum { PARTS = 16 };

typedef struct table {
    ir_node *add, *concat;
    ir_value *value;               /* the constant */
    int axis, table_axis;          /* the concat's axis, in its result and in the table */
} table;

/* The sum's constant operand; NULL: n is no such sum. */
static bool find_sum(ir_node *n, table *t)
{
    expr_op op;
    match_operand o[3];
    if (n->op != IR_MAP || !match_map(n->output[0], &op, o) || op != EXPR_ADD || !o[0].value || !o[1].value) return false;
    int k = ir_is_constant(o[0].value);
    const ir_value *sum = o[k].value;
    *t = (table){.add = n, .concat = ir_producer(sum, IR_CONCAT), .value = o[1 - k].value};
    return t->concat && ir_only_use(sum, n) && ir_is_constant(t->value) && ir_type_equal(&sum->type, &n->output[0]->type);
}

static bool table_fits(table *t)
{
    const ir_type *sum = &t->add->output[0]->type, *rows = &t->value->type;
    t->axis = (int)ir_int(t->concat, KEY_AXIS, 0);
    t->table_axis = t->axis - (sum->rank - rows->rank);
    if (t->axis == sum->rank - 1 || t->table_axis < 0 || rows->elem != sum->elem) return false;
    if (!ir_dims_constant(rows, NULL, NULL) || !dim_equal(rows->dim[t->table_axis], sum->dim[t->axis])) return false;
    for (int i = 0; i < t->table_axis; i++)
        if (!dim_equal(rows->dim[i], dim_of(1))) return false;
    return true;
}

/* The same constant row or rows for every image: a move that repeats them along the first axis. */
static bool repeats(const ir_value *part)
{
    const ir_node *n = ir_producer(part, IR_MOVE);
    return n && ir_is_constant(n->input[0]) && part->type.rank > 1 && ir_move(n)->digits > 0 && ir_move(n)->digit[0].axis < 0 &&
           dim_equal(ir_move(n)->digit[0].extent, part->type.dim[0]);
}

/* A constant of its own shape, whatever the batch. */
static bool is_fixed(const ir_value *part)
{
    return ir_is_constant(part) && ir_dims_constant(&part->type, NULL, NULL);
}

static bool parts_fit(const table *t)
{
    int linears = 0;
    if (t->concat->inputs > PARTS) return false;
    for (int i = 0; i < t->concat->inputs; i++) {
        const ir_value *part = t->concat->input[i];
        if (!dim_is_constant(part->type.dim[t->axis], NULL)) return false;
        if (is_fixed(part) || (repeats(part) && t->axis > 0)) continue;
        const ir_node *linear = ir_producer(part, IR_LINEAR);
        if (!linear || linear->inputs > PARTS || !ir_only_use(part, t->concat)) return false;
        linears++;
    }
    return linears > 0;
}

static ir_value *add_rows(table *t, ir_value *x, ir_value *rows, pass_context *c)
{
    ir_value *sum = ir_map2(t->add->graph, EXPR_ADD, x, rows, t->add, c->diag);
    if (sum) ir_copy_origins(sum->def, t->add);
    return rebuild_folded(sum, t->add, c);
}

/* The rows once, plus the table's, and then again for every image. */
static ir_value *add_to_repeated(table *t, ir_value *part, ir_value *rows, pass_context *c)
{
    const ir_node *n = part->def;
    move once = *ir_move(n);
    ir_type type = part->type;
    once.digits--;
    for (int i = 0; i < once.digits; i++) once.digit[i] = once.digit[i + 1];
    type.dim[0] = dim_of(1);
    ir_value *x = match_move(c, n->input[0], &once, &type, t->add);
    if (!x || !(x = add_rows(t, x, rows, c)) || !(x = match_expand(c, x, part->type.dim, part->type.rank, t->add))) return NULL;
    ir_copy_origins(x->def, n);
    return x;
}

static ir_value *add_to_linear(table *t, ir_value *part, ir_value *rows, pass_context *c)
{
    ir_node *old = part->def, *n = ir_begin(old->graph, IR_LINEAR);
    const expr *epilogue = ir_expr(old, KEY_EPILOGUE);
    ir_value *bias = algebra_input(old, 2);
    if (bias && ir_is_constant(bias) && !epilogue) {
        if (!(rows = add_rows(t, rows, bias, c))) return NULL;
        bias = NULL;
    }
    ir_input(n, old->input[0]);
    ir_input(n, old->input[1]);
    ir_input(n, bias);
    for (int i = 3; i < old->inputs; i++) ir_input(n, old->input[i]);
    ir_input(n, rows);
    expr_builder b = expr_begin(old->graph->arena);
    elem e = part->type.elem;
    int extras = old->inputs > 3 ? old->inputs - 3 : 0, input[PARTS];
    for (int i = 0; i <= extras; i++) input[i] = expr_input(&b, i, i == 0 ? e : old->input[2 + i]->type.elem);
    int x = epilogue ? expr_inline(&b, epilogue, input) : input[0];
    ir_set_expr(n, KEY_EPILOGUE, expr_end(&b, expr_apply(&b, EXPR_ADD, x, expr_input(&b, extras + 1, e), -1)));
    const ir_attribute *accumulation = ir_find(old, KEY_ELEM);
    if (accumulation) ir_set_name(n, KEY_ELEM, accumulation->name);
    ir_copy_origins(n, old);
    ir_copy_origins(n, t->add);
    return ir_end(n, t->add, c->diag);
}

static bool move_table(table *t, pass_context *c)
{
    int64_t first = 0, count = 0;
    ir_node *joined = rebuild_begin(t->add->graph, t->concat);
    for (int i = 0; i < t->concat->inputs; i++, first += count) {
        ir_value *part = t->concat->input[i];
        move m;
        ir_type to;
        (void)dim_is_constant(part->type.dim[t->axis], &count);
        if (!move_slice(&t->value->type, t->table_axis, first, 1, dim_of(count), &m, &to)) return false;
        ir_value *rows = match_move(c, t->value, &m, &to, t->add);
        if (!rows) return false;
        if (is_fixed(part)) part = add_rows(t, part, rows, c);
        else if (repeats(part)) part = add_to_repeated(t, part, rows, c);
        else part = add_to_linear(t, part, rows, c);
        if (!part) return false;
        ir_input(joined, part);
    }
    ir_copy_origins(joined, t->add);
    ir_value *sum = ir_end(joined, t->add, c->diag);
    if (!sum) return false;
    sum->name = t->add->output[0]->name;
    match_replace(t->add->output[0], sum);
    return true;
}

bool algebra_table(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **map = match_list(c->arena, g, IR_MAP, &count);
    for (int i = 0; i < count; i++) {
        table t;
        if (!match_dead(map[i]) && find_sum(map[i], &t) && table_fits(&t) && parts_fit(&t) && !move_table(&t, c)) return false;
    }
    return true;
}
