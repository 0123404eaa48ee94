/* The normal form of moves: no digit of extent 1 or step 0 on an axis, no two neighbours that step as one, no wrap that never happens; and its
 * check. */
#include "move_private.h"

#include <string.h>

#include "../base/checked.h"

__extension__ typedef __int128 wide;

enum { AMBIGUOUS_MAX = 6 };

bool wide_add(wide_move *m, dim extent, int axis, int64_t step)
{
    if (dim_is(extent, 1)) return true;
    if (m->digits == DIGITS_WIDE) return false;
    m->digit[m->digits++] = axis < 0 || step == 0 ? (move_digit){extent, -1, 0} : (move_digit){extent, axis, step};
    return true;
}

/* The least and largest offset + sum of digits on an axis; false: an extent is symbolic. */
static bool range_of(const wide_move *m, int axis, wide *least, wide *most)
{
    *least = *most = m->offset[axis];
    for (int i = 0; i < m->digits; i++) {
        int64_t extent;
        if (m->digit[i].axis != axis) continue;
        if (!dim_is_constant(m->digit[i].extent, &extent)) return false;
        wide reach = (wide)m->digit[i].step * (extent - 1);
        *(reach < 0 ? least : most) += reach;
    }
    return true;
}

static int64_t modulo(int64_t x, int64_t size)
{
    int64_t rest = x % size;
    return rest < 0 ? rest + size : rest;
}

/* Drops an axis' wrap where all its coordinates lie in one period; true: dropped. */
static bool drop_wrap(wide_move *m, int axis)
{
    wide least, most;
    int64_t size = m->wrap[axis];
    if (!range_of(m, axis, &least, &most)) return false;
    wide period = least >= 0 ? least / size : -((size - 1 - least) / size);
    if (most - period * size >= size) return false;
    m->offset[axis] = (int64_t)(m->offset[axis] - period * size);
    m->wrap[axis] = 0;
    return true;
}

/* Steps that differ by the size are the same step: tries both signs of each until no wrap is left, else takes the smaller ones. */
static void reduce_wrap(wide_move *m, int axis)
{
    int64_t size = m->wrap[axis];
    int index[AMBIGUOUS_MAX], count = 0;
    if (drop_wrap(m, axis)) return;
    m->offset[axis] = modulo(m->offset[axis], size);
    for (int i = 0; i < m->digits; i++) {
        if (m->digit[i].axis != axis) continue;
        int64_t step = modulo(m->digit[i].step, size);
        m->digit[i].step = step > size / 2 ? step - size : step;
        if (step == 0) m->digit[i].axis = -1;
        else if (count < AMBIGUOUS_MAX) index[count++] = i;
    }
    for (unsigned choice = 0; choice < 1u << count; choice++) {
        wide_move other = *m;
        for (int k = 0; k < count; k++) {
            int64_t *step = &other.digit[index[k]].step;
            if (choice >> k & 1) *step += *step > 0 ? -size : size;
        }
        if (!drop_wrap(&other, axis)) continue;
        *m = other;
        return;
    }
}

/* Whether digit `high`, directly above `low`, continues it. */
static bool steps_as_one(const wide_move *m, const move_digit *high, const move_digit *low)
{
    if (high->axis != low->axis) return false;
    if (low->axis < 0) return true;
    int64_t extent, reach;
    if (!dim_is_constant(low->extent, &extent) || !checked_mul(low->step, extent, &reach)) return false;
    int64_t size = m->wrap[low->axis];
    return reach == high->step || (size > 0 && modulo(reach, size) == modulo(high->step, size));
}

static void merge_digits(wide_move *m)
{
    int count = 0;
    for (int i = 0; i < m->digits; i++) {
        move_digit d = m->digit[i];
        if (dim_is(d.extent, 1)) continue;
        if (d.axis < 0 || d.step == 0) d = (move_digit){d.extent, -1, 0};
        dim extent;
        while (count > 0 && steps_as_one(m, &m->digit[count - 1], &d) && dim_mul(m->digit[count - 1].extent, d.extent, &extent)) {
            d.extent = extent;
            count--;
        }
        m->digit[count++] = d;
    }
    m->digits = count;
}

void wide_normalise(const ir_type *source, wide_move *m)
{
    for (int i = 0; i < m->digits; i++) {
        if (!dim_is(m->digit[i].extent, 0)) continue;
        *m = (wide_move){.digits = 1, .rank = m->rank, .digit[0] = {dim_of(0), -1, 0}};     /* nothing is read */
        return;
    }
    for (int axis = 0; axis < m->rank; axis++) {
        if (dim_is(source->dim[axis], 1)) {
            m->offset[axis] = m->wrap[axis] = 0;
            for (int i = 0; i < m->digits; i++)
                if (m->digit[i].axis == axis) m->digit[i].axis = -1;
        }
    }
    merge_digits(m);
    bool wraps = false;
    for (int axis = 0; axis < m->rank; axis++) {
        if (m->wrap[axis] <= 0) continue;
        reduce_wrap(m, axis);
        wraps = true;
    }
    if (wraps) merge_digits(m);
}

bool wide_finish(const ir_type *source, wide_move *m, move *out)
{
    wide_normalise(source, m);
    if (m->digits > MOVE_DIGITS_MAX) return false;
    memset(out, 0, sizeof *out);
    out->digits = m->digits;
    out->rank = m->rank;
    for (int i = 0; i < m->digits; i++) out->digit[i] = m->digit[i];
    for (int i = 0; i < m->rank; i++) {
        out->offset[i] = m->offset[i];
        out->wrap[i] = m->wrap[i];
    }
    return true;
}

static wide_move widen(const move *m)
{
    wide_move w = {.digits = m->digits, .rank = m->rank};
    for (int i = 0; i < m->digits; i++) w.digit[i] = m->digit[i];
    for (int i = 0; i < m->rank; i++) {
        w.offset[i] = m->offset[i];
        w.wrap[i] = m->wrap[i];
    }
    return w;
}

void move_normalise(const ir_type *source, move *m)
{
    wide_move w = widen(m);
    wide_finish(source, &w, m);
}

bool move_is_reshape(const ir_type *source, const move *m)
{
    wide_move all = {.rank = source->rank};
    move identity, given = *m;
    for (int i = 0; i < source->rank; i++) wide_add(&all, source->dim[i], i, 1);
    wide_finish(source, &all, &identity);
    move_normalise(source, &given);
    return move_equal(&identity, &given);
}

/* ---- the check ---- */

/* first + sum of the digits' steps on an axis, at the digits' ends that lie in direction `sign`. */
static bool end_of(const move *m, int axis, int sign, dim *end)
{
    *end = dim_of(m->offset[axis]);
    for (int i = 0; i < m->digits; i++) {
        const move_digit *d = &m->digit[i];
        dim reach;
        if (d->axis != axis || (d->step < 0) != (sign < 0)) continue;
        if (!dim_sub(d->extent, dim_of(1), &reach) || !dim_mul(reach, dim_of(d->step), &reach) || !dim_add(*end, reach, end)) return false;
    }
    return true;
}

static const char *check_axis(const dim_symbols *s, const ir_type *source, const move *m, int axis)
{
    dim least, most;
    if (m->wrap[axis] != 0) return dim_is(source->dim[axis], m->wrap[axis]) ? NULL : "a wrap is not its axis' size";
    if (!end_of(m, axis, -1, &least) || !end_of(m, axis, 1, &most)) return "its coordinates are not affine";
    int low = dim_compare(s, least, dim_of(-1)), high = dim_compare(s, most, source->dim[axis]);
    return low == 1 && high == -1 ? NULL : "it reads outside its source";
}

const char *move_check(const dim_symbols *s, const ir_type *source, const move *m, const ir_type *to)
{
    if (m->rank != source->rank || m->digits < 0 || m->digits > MOVE_DIGITS_MAX) return "its rank is not its source's";
    dim extent[MOVE_DIGITS_MAX];
    bool empty = false;
    for (int i = 0; i < m->digits; i++) {
        extent[i] = m->digit[i].extent;
        empty |= dim_is(extent[i], 0);
        if (m->digit[i].axis < -1 || m->digit[i].axis >= m->rank) return "a digit's axis is not there";
        if (dim_compare(s, extent[i], dim_of(-1)) != 1) return "a digit's extent may be negative";
    }
    if (!move_same_elements(extent, m->digits, to->dim, to->rank)) return "its elements are not as many as its result's";
    for (int i = 0; i < m->rank && !empty; i++) {
        const char *error = m->wrap[i] < 0 ? "a wrap is negative" : check_axis(s, source, m, i);
        if (error) return error;
    }
    move normal = *m;
    move_normalise(source, &normal);
    return move_equal(&normal, m) ? NULL : "it is not in normal form";
}
