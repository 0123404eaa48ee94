/* One move after another as one. The inner move's digits are cut at the axes of the value between; then each digit of the outer move, a step along
 * such an axis, is cut where it carries from one of those digits into the next. What carries elsewhere, or wraps within, takes two moves. */
#include "move_private.h"

#include <string.h>

#include "../base/checked.h"

/* A digit of the inner move within one axis of the value between. */
struct part {
    dim extent;
    int axis;                /* of the source; -1: none */
    int64_t step;
    int64_t start;           /* its value where all outer digits are 0 or, stepping down, at their ends */
    int64_t reach;           /* the largest sum of steps on it; -1: the whole of a symbolic extent */
    bool wraps;              /* its value wraps at its extent */
};

struct axis_parts {
    int count;
    struct part part[MOVE_DIGITS_MAX + IR_RANK_MAX];      /* the least significant first */
};

struct composing {
    const ir_type *source, *between;
    const move *inner, *outer;
    struct axis_parts axis[IR_RANK_MAX];
    wide_move out;
};

/* ---- cutting the inner digits at axes ---- */

static bool add_part(struct axis_parts *a, dim extent, int axis, int64_t step)
{
    if (a->count > 0) {                                    /* merges with the part below that it continues */
        struct part *low = &a->part[a->count - 1];
        int64_t size, reach;
        bool both_none = low->axis < 0 && axis < 0;
        bool continues = low->axis >= 0 && low->axis == axis && dim_is_constant(low->extent, &size) && checked_mul(size, low->step, &reach) &&
                         reach == step;
        if ((both_none || continues) && dim_mul(low->extent, extent, &low->extent)) return true;
    }
    if (a->count == MOVE_DIGITS_MAX + IR_RANK_MAX) return false;
    a->part[a->count++] = (struct part){.extent = extent, .axis = axis, .step = axis < 0 ? 0 : step};
    return true;
}

static bool cut_at_axes(struct composing *c)
{
    int next = c->inner->digits - 1;
    dim left = dim_of(1);                                   /* of the inner digit being cut */
    int axis = -1;
    int64_t step = 0;
    for (int a = c->between->rank - 1; a >= 0; a--) {
        dim room = c->between->dim[a];
        while (!dim_is(room, 1)) {
            if (dim_is(left, 1)) {
                if (next < 0) return false;
                const move_digit *d = &c->inner->digit[next--];
                left = d->extent;
                axis = d->axis;
                step = d->step;
                continue;
            }
            dim quotient;
            int64_t size;
            if (dim_div_exact(room, left, &quotient)) {
                if (!add_part(&c->axis[a], left, axis, step)) return false;
                room = quotient;
                left = dim_of(1);
            } else if (dim_div_exact(left, room, &quotient)) {
                if (!add_part(&c->axis[a], room, axis, step)) return false;
                if (axis >= 0 && (!dim_is_constant(room, &size) || !checked_mul(step, size, &step))) return false;
                left = quotient;
                room = dim_of(1);
            } else {
                return false;
            }
        }
    }
    return next < 0 && dim_is(left, 1);
}

/* ---- where each axis starts ---- */

/* Splits the axis' coordinate at the outer digits' start (those that step down: at their ends) into the parts. */
static bool start_parts(struct composing *c, int a)
{
    struct axis_parts *parts = &c->axis[a];
    int64_t start = c->outer->offset[a], extent, down;
    for (int i = 0; i < c->outer->digits; i++) {
        const move_digit *d = &c->outer->digit[i];
        if (d->axis != a || d->step > 0) continue;
        if (!dim_is_constant(d->extent, &extent) || !checked_mul(d->step, extent - 1, &down) || !checked_add(start, down, &start)) return false;
    }
    if (c->outer->wrap[a] > 0) start = (start % c->outer->wrap[a] + c->outer->wrap[a]) % c->outer->wrap[a];
    if (start < 0) return false;
    for (int k = 0; k < parts->count; k++) {
        struct part *p = &parts->part[k];
        bool top = k == parts->count - 1;
        if (top) {
            p->start = start;
            p->wraps = c->outer->wrap[a] > 0;
        } else if (dim_is_constant(p->extent, &extent)) {
            p->start = start % extent;
            start /= extent;
        } else if (start != 0) {
            return false;
        }
    }
    return parts->count > 0 || start == 0;
}

/* ---- cutting the outer digits ---- */

/* The part on which a step lands: *k, and the step there. */
static bool land(const struct axis_parts *parts, int64_t step, int *k, int64_t *factor)
{
    *k = 0;
    *factor = step;
    for (int64_t extent; *k + 1 < parts->count; ++*k) {
        if (!dim_is_constant(parts->part[*k].extent, &extent) || *factor % extent != 0) break;
        *factor /= extent;
    }
    return parts->count > 0;
}

/* Adds (extent - 1) * factor to the part's reach. False: it carries. */
static bool extend_reach(struct part *p, dim extent, int64_t factor, bool top)
{
    int64_t count, size, more;
    if (p->reach < 0) return false;
    if (!dim_is_constant(extent, &count)) {
        if (p->reach > 0 && !top) return false;
        p->reach = top ? p->reach : -1;
        return top || (factor == 1 && p->start == 0 && dim_equal(extent, p->extent));
    }
    if (!checked_mul(count - 1, factor, &more) || !checked_add(p->reach, more, &p->reach)) return false;
    if (top) return true;                                   /* within bounds, or it wraps there */
    int64_t last;
    return dim_is_constant(p->extent, &size) && checked_add(p->start, p->reach, &last) && last < size;
}

/* A digit of the result: one of the outer move's, or a piece of it. */
static bool add_piece(wide_move *m, const struct part *p, dim extent, int64_t factor, bool down)
{
    int64_t step;
    if (!checked_mul(p->step, down ? -factor : factor, &step)) return false;
    return wide_add(m, extent, p->axis, step);
}

static bool cut_digit(struct composing *c, const move_digit *d)
{
    struct axis_parts *parts = &c->axis[d->axis];
    bool down = d->step < 0;
    int64_t factor;
    int k;
    if (d->step == INT64_MIN || !land(parts, down ? -d->step : d->step, &k, &factor)) return false;
    struct { dim extent; int part; int64_t factor; } piece[MOVE_DIGITS_MAX + IR_RANK_MAX];
    int count = 0;
    for (dim left = d->extent; !dim_is(left, 1); k++, factor = 1) {
        struct part *p = &parts->part[k];
        bool top = k == parts->count - 1;
        int64_t size, extent;
        dim take = left, rest = dim_of(1);
        if (!top && !(factor == 1 && dim_equal(left, p->extent))) {
            bool constant = dim_is_constant(p->extent, &size), within = false;
            if (constant && dim_is_constant(left, &extent)) {
                int64_t reach;
                within = checked_mul(extent - 1, factor, &reach) && reach < size;
            }
            if (!within) {
                if (factor != 1 && (!constant || size % factor != 0)) return false;
                take = factor == 1 ? p->extent : dim_of(size / factor);
                if (dim_is(take, 1) || !dim_div_exact(left, take, &rest)) return false;
            }
        }
        if (!extend_reach(p, take, factor, top)) return false;
        piece[count].extent = take;
        piece[count].part = k;
        piece[count++].factor = factor;
        left = rest;
    }
    while (count-- > 0)
        if (!add_piece(&c->out, &parts->part[piece[count].part], piece[count].extent, piece[count].factor, down)) return false;
    return true;
}

/* ---- putting together ---- */

static bool add_offset(struct composing *c, int axis, int64_t step, int64_t value)
{
    int64_t more;
    return checked_mul(step, value, &more) && checked_add(c->out.offset[axis], more, &c->out.offset[axis]);
}

/* A part whose value wraps at its extent: only where the source's axis wraps with it. */
static bool wrap_part(struct composing *c, const struct part *p)
{
    int64_t extent, period;
    if (!dim_is_constant(p->extent, &extent)) return false;
    if (p->axis < 0) return true;
    int64_t inner = c->inner->wrap[p->axis];
    if (inner > 0) return checked_mul(p->step, extent, &period) && period % inner == 0;
    if ((p->step != 1 && p->step != -1) || !dim_is(c->source->dim[p->axis], extent)) return false;
    if (c->inner->offset[p->axis] != (p->step == 1 ? 0 : extent - 1)) return false;
    int users = 0;
    for (int a = 0; a < c->between->rank; a++)
        for (int k = 0; k < c->axis[a].count; k++) users += c->axis[a].part[k].axis == p->axis;
    if (users != 1) return false;
    c->out.wrap[p->axis] = extent;
    return true;
}

/* The parts at their starts, and their wraps. */
static bool place_offsets(struct composing *c)
{
    for (int a = 0; a < c->between->rank; a++) {
        for (int k = 0; k < c->axis[a].count; k++) {
            const struct part *p = &c->axis[a].part[k];
            if (p->axis >= 0 && !add_offset(c, p->axis, p->step, p->start)) return false;
            if (p->wraps && !wrap_part(c, p)) return false;
        }
    }
    return true;
}

/* A piece that steps down begins (extent - 1) steps above its part's start. */
static bool raise_piece(struct composing *c, const move_digit *piece)
{
    int64_t extent;
    return dim_is_constant(piece->extent, &extent) && add_offset(c, piece->axis, -piece->step, extent - 1);
}

bool move_compose(const ir_type *source, const move *inner, const ir_type *between, const move *outer_given, move *out)
{
    move outer = *outer_given;
    move_normalise(between, &outer);
    struct composing c = {.source = source, .between = between, .inner = inner, .outer = &outer};
    c.out.rank = inner->rank;
    for (int i = 0; i < inner->rank; i++) {
        c.out.offset[i] = inner->offset[i];
        c.out.wrap[i] = inner->wrap[i];
    }
    for (int i = 0; i < outer.digits; i++) {
        if (!dim_is(outer.digit[i].extent, 0)) continue;
        wide_add(&c.out, dim_of(0), -1, 0);
        return wide_finish(source, &c.out, out);
    }
    if (!cut_at_axes(&c)) return false;
    for (int a = 0; a < between->rank; a++)
        if (!start_parts(&c, a)) return false;
    for (int i = 0; i < outer.digits; i++) {
        const move_digit *d = &outer.digit[i];
        int first = c.out.digits;
        if (d->axis < 0 ? !wide_add(&c.out, d->extent, -1, 0) : !cut_digit(&c, d)) return false;
        for (int k = first; k < c.out.digits && d->axis >= 0 && d->step < 0; k++)
            if (c.out.digit[k].axis >= 0 && !raise_piece(&c, &c.out.digit[k])) return false;
    }
    return place_offsets(&c) && wide_finish(source, &c.out, out);
}
