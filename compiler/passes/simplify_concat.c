/* Part of simplify: a concatenation of pieces of one value as one move: a roll, put together from two slices, or neighbouring pixels side by side,
 * as merging patches does. What is taken from one part of a concatenation only is taken from that part. A concatenation of moves that is moved is
 * one of moves. */
#include "digits.h"
#include "match.h"

#include <string.h>

enum { PARTS_MAX = 64, STEPS_MAX = 6 };

/* The pieces of one source. */
typedef struct pieces {
    ir_value *source;
    int count;
    move part[PARTS_MAX];
} pieces;

static bool whole(const ir_value *v, move *m)
{
    ir_type same;
    return move_reshape(&v->type, v->type.dim, v->type.rank, m, &same);
}

/* Walks up `steps` moves from v, composing them: where v is taken from, and how. False: so many moves are not one. */
static bool walk_up(ir_value *v, int steps, ir_value **source, move *m)
{
    if (!whole(v, m)) return false;
    for (*source = v; steps > 0; steps--) {
        const ir_node *n = ir_producer(*source, IR_MOVE);
        move both;
        if (!n || !move_compose(&n->input[0]->type, ir_move(n), &(*source)->type, m, &both)) return false;
        *source = n->input[0];
        *m = both;
    }
    return true;
}

static bool find_from(ir_value *v, const ir_value *source, move *m)
{
    ir_value *from;
    for (int steps = 0; steps <= STEPS_MAX && walk_up(v, steps, &from, m); steps++)
        if (from == source) return true;
    return false;
}

/* The nearest value of which all inputs of the concatenation are moves. */
static bool find_pieces(const ir_node *n, pieces *p)
{
    p->count = n->inputs;
    if (n->inputs < 2 || n->inputs > PARTS_MAX) return false;
    for (int steps = 0; steps <= STEPS_MAX && walk_up(n->input[0], steps, &p->source, &p->part[0]); steps++) {
        int i = 1;
        while (i < n->inputs && find_from(n->input[i], p->source, &p->part[i])) i++;
        if (i == n->inputs) return true;
    }
    return false;
}

/* ---- slices that follow one another, perhaps round the end ---- */

static bool is_slice(const pieces *p, int i, int axis, dim count)
{
    move expected;
    ir_type to;
    if (axis >= p->source->type.rank) return false;
    return move_slice(&p->source->type, axis, p->part[i].offset[axis], 1, count, &expected, &to) && move_equal(&expected, &p->part[i]);
}

/* The whole axis, from some element on to the end, then from the first. */
static bool as_roll(const ir_node *n, const pieces *p, int axis, move *m)
{
    const ir_type *from = &p->source->type;
    int64_t size = 0, at = p->part[0].offset[axis < p->part[0].rank ? axis : 0];
    const int64_t first = at;
    ir_type to;
    if (!ir_type_equal(from, &n->output[0]->type) || !dim_is_constant(from->dim[axis], &size)) return false;
    for (int i = 0; i < p->count; i++) {
        int64_t count;
        const dim part = n->input[i]->type.dim[axis];
        if (!dim_is_constant(part, &count) || p->part[i].offset[axis] != at || !is_slice(p, i, axis, part)) return false;
        at = (at + count) % size;
    }
    return at == first && move_roll(from, axis, first, m, &to);
}

/* ---- the same piece again and again, each time some way further ---- */

/* Cuts digit i of m so that the digits before the cut run over `before` elements; *cut: the first digit behind. */
static bool cut_digits(move *m, const ir_type *t, int axis, int *cut)
{
    int64_t wanted = 1, below = 1, size;
    for (int i = axis; i < t->rank; i++) {
        if (!dim_is_constant(t->dim[i], &size)) return false;
        wanted *= size;
    }
    int i = m->digits;
    while (i > 0 && below < wanted) {
        if (!dim_is_constant(m->digit[i - 1].extent, &size)) return false;
        if (below * size > wanted) break;
        below *= size;
        i--;
    }
    if (below < wanted) {                       /* the digit runs over axes on both sides */
        const int64_t inside = wanted / below;
        if (wanted % below || size % inside || m->digits == MOVE_DIGITS_MAX) return false;
        move_digit *const d = &m->digit[i - 1];
        memmove(d + 1, d, (size_t)(m->digits - (i - 1)) * sizeof *d);
        m->digits++;
        d[0].extent = dim_of(size / inside);
        d[0].step *= inside;
        d[1].extent = dim_of(inside);
    }
    *cut = i;
    return true;
}

/* From piece i to piece j it is `step` along one axis, *axis. */
static bool distance(const pieces *p, int i, int j, int *axis, int64_t *step)
{
    *axis = -1;
    for (int a = 0; a < p->part[i].rank; a++) {
        const int64_t d = p->part[j].offset[a] - p->part[i].offset[a];
        if (!d) continue;
        if (*axis >= 0) return false;
        *axis = a;
        *step = d;
    }
    return *axis >= 0;
}

/* Digits that count through the pieces: those `stride` apart first, the fastest at the end of d. */
static int count_digits(const pieces *p, move_digit *d)
{
    int digits = 0;
    for (int stride = 1; stride < p->count;) {
        int axis, extent = 1;
        int64_t step = 0;
        if (!distance(p, 0, stride, &axis, &step) || digits == MOVE_DIGITS_MAX) return -1;
        for (int i = stride; i < p->count; i += stride, extent++) {
            int along;
            int64_t way = 0;
            if (!distance(p, i - stride, i, &along, &way) || along != axis || way != step) break;
        }
        if (extent < 2 || p->count % (stride * extent)) return -1;
        for (int i = 0; i < p->count; i++) {    /* all groups step alike */
            const int within = i / stride % extent;
            for (int a = 0; a < p->part[0].rank; a++)
                if (p->part[i].offset[a] != p->part[i - within * stride].offset[a] + (a == axis ? within * step : 0)) return -1;
        }
        memmove(d + 1, d, (size_t)digits * sizeof *d);
        d[0] = (move_digit){ dim_of(extent), axis, step };
        digits++;
        stride *= extent;
    }
    return digits;
}

static bool alike(const move *a, const move *b)
{
    move other = *b;
    memcpy(other.offset, a->offset, sizeof other.offset);
    return move_equal(a, &other);
}

static bool as_repetition(const ir_node *n, const pieces *p, int axis, move *m)
{
    move_digit more[MOVE_DIGITS_MAX];
    int cut;
    for (int i = 1; i < p->count; i++)
        if (!ir_type_equal(&n->input[0]->type, &n->input[i]->type) || !alike(&p->part[0], &p->part[i])) return false;
    const int digits = count_digits(p, more);
    *m = p->part[0];
    if (digits < 0 || !cut_digits(m, &n->input[0]->type, axis, &cut) || m->digits + digits > MOVE_DIGITS_MAX) return false;
    memmove(&m->digit[cut + digits], &m->digit[cut], (size_t)(m->digits - cut) * sizeof *more);
    memcpy(&m->digit[cut], more, (size_t)digits * sizeof *more);
    m->digits += digits;
    return true;
}

static bool make_move(ir_node *n, pass_context *c, bool *changed)
{
    pieces p;
    move m;
    const int axis = (int)ir_int(n, KEY_AXIS, 0);
    if (ir_is_constant(n->output[0]) || !find_pieces(n, &p) || p.source->type.rank < 1) return true;
    if (!as_roll(n, &p, axis, &m) && !as_repetition(n, &p, axis, &m)) return true;
    move_normalise(&p.source->type, &m);
    ir_value *v = ir_move_of(n->graph, p.source, &m, &n->output[0]->type, n, c->diag);
    if (!v) return false;
    for (int i = 0; i < n->inputs; i++) ir_copy_origins(v->def, n->input[i]->def ? n->input[i]->def : n);
    match_replace(n->output[0], v);
    return *changed = true;
}

/* ---- one part is enough ---- */

static bool take_part(ir_node *n, pass_context *c, bool *changed)
{
    const ir_node *concat = ir_producer(n->input[0], IR_CONCAT);
    const int axis = concat ? (int)ir_int(concat, KEY_AXIS, 0) : 0;
    int64_t low, high, start = 0, size;
    if (!concat || !move_range(ir_move(n), axis, NULL, &low, &high)) return true;
    for (int i = 0; i < concat->inputs && dim_is_constant(concat->input[i]->type.dim[axis], &size); i++, start += size) {
        if (low < start || high >= start + size) continue;
        move m = *ir_move(n);
        m.offset[axis] -= start;
        ir_value *v = match_move(c, concat->input[i], &m, &n->output[0]->type, n);
        if (!v) return false;
        if (v->def) ir_copy_origins(v->def, n);
        match_replace(n->output[0], v);
        return *changed = true;
    }
    return true;
}

/* ---- moved parts instead of a moved whole ---- */

enum { NESTED_MAX = 4 };

/* Axis `axis` of what m moves is axis *to_axis of the result, by digit *digit. */
static bool keeps_axis(const ir_type *from, const move *m, const ir_type *to, int axis, int *digit, int *to_axis)
{
    int low, high, found = 0;
    for (int k = 0; k < m->digits; k++)
        if (m->digit[k].axis == axis) {
            *digit = k;
            found++;
        }
    if (found != 1 || m->digit[*digit].step != 1 || m->offset[axis] || m->wrap[axis] || !dim_equal(m->digit[*digit].extent, from->dim[axis])) return false;
    for (*to_axis = 0; *to_axis < to->rank; ++*to_axis)
        if (digits_of_axes(to, m, *to_axis, *to_axis + 1, &low, &high) && low == *digit && high == low + 1) return true;
    return false;
}

/* How many elements side by side m takes at once. */
static int64_t run_of(const ir_type *from, const move *m)
{
    int64_t run;
    const move_digit *last = m->digits ? &m->digit[m->digits - 1] : NULL;
    const bool along = last && last->axis == from->rank - 1 && last->step == 1;
    return along && dim_is_constant(last->extent, &run) ? run : 1;
}

/* Is what makes v, and m behind it, one move, which takes runs no shorter? */
static bool joins(const ir_node *inner, const ir_value *v, const move *m)
{
    move both;
    if (!inner || !move_compose(&inner->input[0]->type, ir_move(inner), &v->type, m, &both)) return false;
    return run_of(&inner->input[0]->type, &both) >= run_of(&inner->input[0]->type, ir_move(inner));
}

/* v, moved as m says, without a move that is not there yet; NULL: that cannot be, or with `dry`, v itself: it can. */
static ir_value *with_move(ir_value *v, const move *m, const ir_type *to, int depth, bool dry, ir_node *before, pass_context *c)
{
    int digit = 0, to_axis = 0;
    const ir_node *concat = ir_producer(v, IR_CONCAT);
    if (ir_is_constant(v) || joins(ir_producer(v, IR_MOVE), v, m)) return dry ? v : match_move(c, v, m, to, before);
    if (!concat || depth == 0 || v->uses != 1 || ir_is_result(v)) return NULL;
    const int axis = (int)ir_int(concat, KEY_AXIS, 0);
    if (!keeps_axis(&v->type, m, to, axis, &digit, &to_axis)) return NULL;
    ir_node *joined = dry ? NULL : ir_begin(before->graph, IR_CONCAT);
    for (int i = 0; i < concat->inputs; i++) {
        move part = *m;
        ir_type part_to = *to;
        part.digit[digit].extent = part_to.dim[to_axis] = concat->input[i]->type.dim[axis];
        ir_value *moved = with_move(concat->input[i], &part, &part_to, depth - 1, dry, before, c);
        if (!moved) return NULL;
        if (joined) ir_input(joined, moved);
    }
    if (!joined) return v;
    ir_set_int(joined, KEY_AXIS, to_axis);
    ir_copy_origins(joined, concat);
    return ir_end(joined, before, c->diag);
}

/* A move of a concatenation of moves, which nothing else reads, is a concatenation of moves. */
static bool move_parts(ir_node *n, pass_context *c, bool *changed)
{
    ir_value *old = n->output[0], *x = n->input[0];
    if (!ir_producer(x, IR_CONCAT) || ir_is_constant(old)) return true;
    if (!with_move(x, ir_move(n), &old->type, NESTED_MAX, true, n, c)) return true;
    ir_value *v = with_move(x, ir_move(n), &old->type, NESTED_MAX, false, n, c);
    if (!v) return false;
    ir_copy_origins(v->def, n);
    match_replace(old, v);
    return *changed = true;
}

bool simplify_concats(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == IR_CONCAT && !match_dead(n) && !make_move(n, c, changed)) return false;
        if (n->op == IR_MOVE && !match_dead(n) && !take_part(n, c, changed)) return false;
        if (n->op == IR_MOVE && !match_dead(n) && !move_parts(n, c, changed)) return false;
    }
    return true;
}
