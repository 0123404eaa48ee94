/* Moves of pass `lengths`. A digit that is a length and more runs through its capacity. Where it steps along a source of the same length nothing else
 * changes: both end at the same place. Along a constant axis, or from a length to constant places, the axis is gathered by numbers that follow the slack. */
#include "lengths.h"

/* Does digit i run through axis `axis` of t? One that repeats an element may run through neighbouring axes, too: *times as many places. */
static bool runs_through(const move *m, int i, const ir_type *t, int axis, int64_t *times)
{
    dim below = dim_of(1), want = dim_of(1), quotient;
    int64_t few, many;
    for (int k = i + 1; k < m->digits; k++)
        if (!dim_mul(below, m->digit[k].extent, &below)) return false;
    for (int k = axis + 1; k < t->rank; k++)
        if (!dim_mul(want, t->dim[k], &want)) return false;
    if (!dim_div_exact(m->digit[i].extent, t->dim[axis], &quotient) || !dim_is_constant(quotient, times)) return false;
    if (m->digit[i].axis >= 0) return *times == 1 && dim_equal(below, want);
    return dim_is_constant(below, &few) && dim_is_constant(want, &many) && few && many && many % few == 0 && *times * few % many == 0;
}

/* The digit that steps along an axis of the source: -1: none, -2: several. */
static int digit_of(const move *m, int axis)
{
    int found = -1;
    for (int i = 0; i < m->digits; i++)
        if (m->digit[i].axis == axis) found = found == -1 ? i : -2;
    return found;
}

/* The numbers along an axis of x: offset + step * place, of `size` places, which count from the slack where `from_slack`, and all the numbers do where
 * `to_slack`. */
static ir_value *numbers(lengths *l, ir_node *n, int64_t size, int64_t offset, int64_t step, int symbol, bool from_slack, bool to_slack)
{
    ir_value *both[] = { lengths_places(l, size, 0, n), l->slack[symbol] };
    expr_builder b = expr_begin(l->c->arena);
    const int slack = expr_input(&b, 1, ELEM_I64);
    int place = expr_input(&b, 0, ELEM_I64);
    if (from_slack) place = expr_apply(&b, EXPR_MAX, expr_apply(&b, EXPR_SUB, place, slack, -1), expr_constant(&b, ELEM_I64, 0, 0), -1);
    place = expr_apply(&b, EXPR_ADD, expr_apply(&b, EXPR_MUL, place, expr_constant(&b, ELEM_I64, 0, step), -1), expr_constant(&b, ELEM_I64, 0, offset), -1);
    if (to_slack) place = expr_apply(&b, EXPR_ADD, place, slack, -1);
    return lengths_map(l, both, 2, expr_end(&b, place), n);
}

/* x with the axis gathered; m then takes it from its start on. */
static ir_value *gathered(lengths *l, ir_node *n, ir_value *x, move *m, int axis, int digit, int symbol, bool from_slack, bool to_slack)
{
    int64_t size = 1;
    if (digit >= 0 && !dim_is_constant(m->digit[digit].extent, &size)) return NULL;
    ir_value *index = numbers(l, n, size, m->offset[axis], digit >= 0 ? m->digit[digit].step : 0, symbol, from_slack, to_slack);
    if (!index) return NULL;
    ir_node *g = ir_begin(l->graph, IR_GATHER);
    ir_input(g, x);
    ir_input(g, index);
    ir_set_int(g, KEY_AXIS, axis);
    ir_value *v = ir_end(g, n, l->c->diag);
    m->offset[axis] = 0;
    if (digit >= 0) m->digit[digit].step = 1;
    return v;
}

ir_value *lengths_move(lengths *l, ir_node *n, bool *zero)
{
    const lengths_value *source = lengths_of(l, n, 0);
    const ir_type *to = &n->output[0]->type;
    ir_value *x = lengths_input(l, n, 0);
    move m = *ir_move(n);
    ir_type type;
    int axis, symbol = source ? source->symbol : 0, length = -1;
    int64_t times = 1;
    if (!lengths_axis(l->graph, to, &axis, &symbol) || !lengths_capacity(l, to, &type))
        return lengths_refuse(l, n, -1, "makes a size that is no length and more"), NULL;
    for (int i = 0; i < m.digits; i++) {
        int followed;
        if (!lengths_mentioned(l->graph, m.digit[i].extent, &followed)) continue;
        if (length >= 0 || axis < 0 || !runs_through(&m, i, to, axis, &times)) return lengths_refuse(l, n, 0, "splits a length"), NULL;
        length = i;
    }
    if (axis >= 0 && length < 0) return lengths_refuse(l, n, 0, "splits a length"), NULL;
    if (source && axis >= 0 && source->symbol != symbol) return lengths_refuse(l, n, 0, "makes one length of another"), NULL;
    const int along = length >= 0 ? m.digit[length].axis : -1;
    if (length >= 0 && !dim_mul(type.dim[axis], dim_of(times), &m.digit[length].extent)) return NULL;
    if (along >= 0 && (digit_of(&m, along) == -2 || m.wrap[along])) return lengths_refuse(l, n, 0, "joins a length"), NULL;
    *zero = source && source->zero && source->axis == along;
    if (along >= 0 && source && source->axis == along) {
        if (m.digit[length].step != 1) return lengths_refuse(l, n, 0, "steps over a length"), NULL;
    } else {
        if (along >= 0) x = gathered(l, n, x, &m, along, length, symbol, true, false);
        if (x && source) {
            const int digit = digit_of(&m, source->axis);
            if (digit == -2 || m.wrap[source->axis]) return lengths_refuse(l, n, 0, "joins a length"), NULL;
            x = gathered(l, n, x, &m, source->axis, digit, source->symbol, false, true);
        }
    }
    if (!x) return NULL;
    move_normalise(&x->type, &m);
    return ir_move_of(l->graph, x, &m, &type, n, l->c->diag);
}
