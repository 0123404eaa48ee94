/* Part of simplify: the reduction of a move that arranges all elements of x anew, and that nothing else reads, is a reduction of x, where each axis of x is
 * reduced wholly or not at all; what is left is moved, and is less. */
#include "digits.h"
#include "match.h"

/* For each digit of m, which makes `to`, whether it runs over reduced axes. False: one runs over others too. Axes of one element are as their neighbours. */
static bool split_digits(const ir_node *reduce, const ir_type *to, const move *m, bool *reduced)
{
    const ir_attribute *axes = ir_find(reduce, KEY_AXES);
    bool gone[IR_RANK_MAX] = { false };
    int low, high;
    for (int i = 0; i < axes->list.count; i++) gone[axes->list.item[i]] = true;
    for (int first = 0, end; first < to->rank; first = end) {
        for (end = first + 1; end < to->rank && (gone[end] == gone[first] || dim_is_one(to->dim[end])); end++) continue;
        if (!digits_of_axes(to, m, first, end, &low, &high)) return false;
        for (int k = low; k < high; k++) reduced[k] = gone[first];
    }
    return true;
}

/* The digits of m along the axis count through it once, in any order, and are reduced alike. */
static bool counts_through(const ir_type *from, const move *m, int axis, const bool *reduced, bool *gone)
{
    dim product = dim_of(1);
    int digits = 0;
    if (m->offset[axis] || m->wrap[axis]) return false;
    for (int k = 0; k < m->digits; k++) {
        if (m->digit[k].axis != axis) continue;
        if (digits++ && reduced[k] != *gone) return false;
        *gone = reduced[k];
    }
    for (int64_t next = 1; digits > 0; digits--) {
        int k = 0;
        while (k < m->digits && (m->digit[k].axis != axis || m->digit[k].step != next)) k++;
        if (k == m->digits || !dim_mul(product, m->digit[k].extent, &product)) return false;
        if (digits > 1 && !dim_is_constant(product, &next)) return false;
    }
    return dim_equal(product, from->dim[axis]);
}

/* What of m moves the reduction of its source, all axes of which are kept. */
static move kept_digits(const move *m, const bool *reduced)
{
    move kept = { .rank = m->rank };
    for (int k = 0; k < m->digits; k++)
        if (!reduced[k]) kept.digit[kept.digits++] = m->digit[k];
    return kept;
}

/* The axes of the move's source that n, which reads it, reduces; 0: they are no whole ones. */
static int reduced_axes(const ir_node *n, const ir_node *moved, bool *reduced, int64_t *axes)
{
    const ir_type *from = &moved->input[0]->type;
    const move *m = ir_move(moved);
    int count = 0;
    if (!split_digits(n, &n->input[0]->type, m, reduced)) return 0;
    for (int k = 0; k < m->digits; k++)
        if (m->digit[k].axis < 0) return 0;
    for (int axis = 0; axis < from->rank; axis++) {
        bool gone = false;
        if (!counts_through(from, m, axis, reduced, &gone)) return 0;
        if (gone) axes[count++] = axis;
    }
    return count;
}

static bool reduce_source(ir_node *n, pass_context *c, bool *changed)
{
    bool reduced[MOVE_DIGITS_MAX] = { false };
    int64_t axes[IR_RANK_MAX];
    ir_value *old = n->output[0];
    ir_node *moved = ir_producer(n->input[0], IR_MOVE);
    if (!moved || ir_is_constant(old) || !ir_only_use(n->input[0], n)) return true;
    const int count = reduced_axes(n, moved, reduced, axes);
    if (count == 0) return true;
    ir_node *whole = ir_begin(n->graph, IR_REDUCE);
    ir_input(whole, moved->input[0]);
    ir_set_name(whole, KEY_KIND, ir_name(n, KEY_KIND, "sum"));
    ir_set_ints(whole, KEY_AXES, axes, count);
    ir_set_int(whole, KEY_KEEP, 1);
    ir_value *v = ir_end(whole, n, c->diag);
    if (!v) return false;
    ir_copy_origins(whole, moved);
    ir_copy_origins(whole, n);
    const move kept = kept_digits(ir_move(moved), reduced);
    if (!(v = match_move(c, v, &kept, &old->type, n))) return false;
    match_replace(old, v);
    return *changed = true;
}

bool simplify_reductions(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == IR_REDUCE && !match_dead(n) && !reduce_source(n, c, changed)) return false;
    }
    return true;
}
