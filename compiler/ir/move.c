/* One-step moves: reshape, transpose, slice, expand and roll, with their bounds; equality. */
#include "move.h"

#include <string.h>

#include "../base/checked.h"
#include "move_private.h"

/* ---- products ---- */

/* A product of dimensions as a number times forms whose coefficients have no common factor. */
struct product {
    int64_t number;
    int forms;
    dim form[MOVE_DIGITS_MAX];
};

static int64_t common_factor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

static bool multiply(struct product *p, dim d)
{
    int64_t number;
    if (dim_is_constant(d, &number)) return checked_mul(p->number, number, &p->number);
    int64_t factor = d.constant;
    for (int i = 0; i < DIM_TERMS; i++) {
        if (d.term[i].coefficient == INT64_MIN || factor == INT64_MIN) return false;
        factor = common_factor(factor, d.term[i].coefficient);
    }
    if (p->forms == MOVE_DIGITS_MAX || !dim_div_exact(d, dim_of(factor), &d)) return false;
    p->form[p->forms++] = d;
    return checked_mul(p->number, factor, &p->number);
}

bool move_same_elements(const dim *a, int a_count, const dim *b, int b_count)
{
    struct product x = {.number = 1}, y = {.number = 1};
    bool zero_x = false, zero_y = false;
    for (int i = 0; i < a_count; i++) zero_x |= dim_is(a[i], 0);
    for (int i = 0; i < b_count; i++) zero_y |= dim_is(b[i], 0);
    if (zero_x || zero_y) return zero_x && zero_y;
    for (int i = 0; i < a_count; i++)
        if (!multiply(&x, a[i])) return false;
    for (int i = 0; i < b_count; i++)
        if (!multiply(&y, b[i])) return false;
    if (x.number != y.number || x.forms != y.forms) return false;
    for (int i = 0; i < x.forms; i++) {
        int j = 0;
        while (j < y.forms && !dim_equal(x.form[i], y.form[j])) j++;
        if (j == y.forms) return false;
        y.form[j] = y.form[--y.forms];
    }
    return true;
}

/* ---- bounds without the symbols' own: every symbol may be any number from 1 ---- */

static bool not_negative(dim d)
{
    int64_t least = d.constant;
    for (int i = 0; i < DIM_TERMS; i++)
        if (d.term[i].coefficient < 0 || !checked_add(least, d.term[i].coefficient, &least)) return false;
    return least >= 0;
}

/* ---- the moves ---- */

static move start_of(const ir_type *from)
{
    move m;
    memset(&m, 0, sizeof m);
    m.rank = from->rank;
    return m;
}

/* One digit an axis of the source, in order. */
static void whole(const ir_type *from, move *m)
{
    *m = start_of(from);
    for (int i = 0; i < from->rank; i++) m->digit[m->digits++] = (move_digit){from->dim[i], i, 1};
}

bool move_reshape(const ir_type *from, const dim *shape, int rank, move *m, ir_type *to)
{
    if (rank < 0 || rank > IR_RANK_MAX) return false;
    for (int i = 0; i < rank; i++)
        if (!not_negative(shape[i])) return false;
    if (!move_same_elements(from->dim, from->rank, shape, rank)) return false;
    ir_type result = {.elem = from->elem, .rank = rank};
    for (int i = 0; i < rank; i++) result.dim[i] = shape[i];
    whole(from, m);
    move_normalise(from, m);
    *to = result;
    return true;
}

bool move_transpose(const ir_type *from, const int *permutation, move *m, ir_type *to)
{
    unsigned seen = 0;
    ir_type result = {.elem = from->elem, .rank = from->rank};
    *m = start_of(from);
    for (int i = 0; i < from->rank; i++) {
        int axis = permutation[i];
        if (axis < 0 || axis >= from->rank || seen >> axis & 1) return false;
        seen |= 1u << axis;
        result.dim[i] = from->dim[axis];
        m->digit[m->digits++] = (move_digit){from->dim[axis], axis, 1};
    }
    move_normalise(from, m);
    *to = result;
    return true;
}

/* Whether first + (count - 1) * step lies in [0, size). */
static bool last_fits(dim size, int64_t first, int64_t step, dim count)
{
    dim last;
    if (!dim_sub(count, dim_of(1), &last) || !dim_mul(last, dim_of(step), &last) || !dim_add(last, dim_of(first), &last)) return false;
    dim room;
    if (!dim_sub(size, last, &room) || !dim_sub(room, dim_of(1), &room)) return false;
    return not_negative(last) && not_negative(room);
}

bool move_slice(const ir_type *from, int axis, int64_t start, int64_t step, dim count, move *m, ir_type *to)
{
    if (axis < 0 || axis >= from->rank || step == 0 || !not_negative(count)) return false;
    dim size = from->dim[axis];
    if (!dim_is(count, 0)) {
        dim room;
        if (start < 0 || !dim_sub(size, dim_of(start), &room) || !dim_sub(room, dim_of(1), &room) || !not_negative(room)) return false;
        if (!last_fits(size, start, step, count)) return false;
    }
    ir_type result = *from;
    result.dim[axis] = count;
    whole(from, m);
    m->digit[axis].extent = count;
    m->digit[axis].step = step;
    m->offset[axis] = start;
    move_normalise(from, m);
    *to = result;
    return true;
}

bool move_expand(const ir_type *from, const dim *shape, int rank, move *m, ir_type *to)
{
    if (rank < 0 || rank > IR_RANK_MAX) return false;
    ir_type result = {.elem = from->elem, .rank = rank > from->rank ? rank : from->rank};
    *m = start_of(from);
    for (int i = 0; i < result.rank; i++) {
        int axis = i - (result.rank - from->rank), asked = i - (result.rank - rank);
        dim have = axis >= 0 ? from->dim[axis] : dim_of(1), want = asked >= 0 ? shape[asked] : dim_of(1);
        if (!not_negative(want)) return false;
        if (dim_is(want, 1)) want = have;
        bool stays = dim_equal(have, want);
        if (!stays && !dim_is(have, 1)) return false;
        result.dim[i] = want;
        m->digit[m->digits++] = (move_digit){want, stays && axis >= 0 ? axis : -1, stays && axis >= 0};
    }
    move_normalise(from, m);
    *to = result;
    return true;
}

bool move_roll(const ir_type *from, int axis, int64_t shift, move *m, ir_type *to)
{
    if (axis < 0 || axis >= from->rank) return false;
    whole(from, m);
    int64_t size;
    if (dim_is_constant(from->dim[axis], &size)) {
        if (size > 0) {
            m->offset[axis] = (shift % size + size) % size;
            m->wrap[axis] = size;
        }
    } else if (shift != 0) {
        return false;
    }
    move_normalise(from, m);
    *to = *from;
    return true;
}

bool move_equal(const move *a, const move *b)
{
    if (!a || !b) return a == b;
    if (a->digits != b->digits || a->rank != b->rank) return false;
    for (int i = 0; i < a->digits; i++) {
        const move_digit *x = &a->digit[i], *y = &b->digit[i];
        if (!dim_equal(x->extent, y->extent) || x->axis != y->axis || x->step != y->step) return false;
    }
    for (int i = 0; i < a->rank; i++)
        if (a->offset[i] != b->offset[i] || a->wrap[i] != b->wrap[i]) return false;
    return true;
}
