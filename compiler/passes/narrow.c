/* Dead rows: what reads a few rows of a value (the class token) leaves the other rows of all that made it unread, as far up as operators work row by
 * row.
 * Requires: nothing. A value that is a result keeps its rows, as does one that is read in more than half of them: the union of what all readers take.
 * Leaves: operators that compute the rows that are read; selections where only part of a value goes on. */
#include "narrow.h"

#include <stdlib.h>
#include <string.h>

#include "../ir/eval.h"
#include "../ir/flop.h"
#include "digits.h"

enum { ROWS_MAX = 1 << 20 };

static const live all = {.kind = LIVE_ALL}, none = {.kind = LIVE_NONE};

bool narrow_same(const live *a, const live *b)
{
    return a->kind == b->kind && a->axis == b->axis && a->count == b->count &&
           (a->count == 0 || memcmp(a->index, b->index, (size_t)a->count * sizeof *a->index) == 0);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The rows of a value of type t as a set. */
static live rows_of(const narrow *s, const ir_type *t, int axis, const int64_t *row, int count)
{
    int64_t size;
    if (axis < 0 || axis >= t->rank || !dim_is_constant(t->dim[axis], &size)) return all;
    if (count == 0) return none;
    int64_t *index = arena_array(s->context->arena, (size_t)count, sizeof *index);
    memcpy(index, row, (size_t)count * sizeof *index);
    qsort(index, (size_t)count, sizeof *index, by_value);
    int unique = 0;
    for (int i = 0; i < count; i++) {
        if (index[i] < 0 || index[i] >= size) return all;
        if (unique == 0 || index[unique - 1] != index[i]) index[unique++] = index[i];
    }
    return unique == size ? all : (live){LIVE_SOME, axis, unique, index};
}

static live join(const narrow *s, const ir_type *t, const live *a, const live *b)
{
    if (a->kind == LIVE_NONE) return *b;
    if (b->kind == LIVE_NONE || narrow_same(a, b)) return *a;
    if (a->kind == LIVE_ALL || b->kind == LIVE_ALL || a->axis != b->axis) return all;
    int64_t *row = arena_array(s->context->arena, (size_t)(a->count + b->count), sizeof *row);
    memcpy(row, a->index, (size_t)a->count * sizeof *row);
    memcpy(row + a->count, b->index, (size_t)b->count * sizeof *row);
    return rows_of(s, t, a->axis, row, a->count + b->count);
}

/* Few rows are worth a narrower operator: at most half. */
static live if_few(const ir_type *t, live rows)
{
    int64_t size;
    if (rows.kind != LIVE_SOME) return rows;
    return dim_is_constant(t->dim[rows.axis], &size) && rows.count * 2 <= size ? rows : all;
}

/* ---- moves and gathers ---- */

/* The digit along source axis `axis`: -1 none, -2 several. */
static int digit_along(const move *m, int axis)
{
    int digit = -1;
    for (int i = 0; i < m->digits; i++)
        if (m->digit[i].axis == axis) digit = digit == -1 ? i : -2;
    return digit;
}

/* All rows that the move reads along `axis`: count 0 where it is not simple. */
static narrow_path whole_path(const narrow *s, const ir_node *n, int axis)
{
    const move *m = ir_move(n);
    narrow_path p = {.axis = -1, .digit = digit_along(m, axis)};
    int64_t size, extent = 1;
    if (p.digit == -2 || m->wrap[axis] || !dim_is_constant(n->input[0]->type.dim[axis], &size)) return p;
    if (p.digit >= 0 && !dim_is_constant(m->digit[p.digit].extent, &extent)) return p;
    if (extent * 2 > size || extent > ROWS_MAX) return p;
    p.axis = axis;
    p.count = (int)extent;
    p.row = arena_array(s->context->arena, (size_t)extent, sizeof *p.row);
    for (int i = 0; i < p.count; i++) p.row[i] = m->offset[axis] + (p.digit < 0 ? 0 : i * m->digit[p.digit].step);
    return p;
}

static narrow_path some_path(const narrow *s, const ir_node *n, const live *out)
{
    const move *m = ir_move(n);
    narrow_path p = {.axis = -1, .digit = -1};
    int low, high;
    if (!digits_of_axes(&n->output[0]->type, m, out->axis, out->axis + 1, &low, &high) || high - low != 1) return p;
    const move_digit *d = &m->digit[low];
    p.digit = low;
    if (d->axis < 0 || d->axis == m->rank - 1 || m->wrap[d->axis] || digit_along(m, d->axis) != low) return p;
    p.axis = d->axis;
    p.count = out->count;
    p.row = arena_array(s->context->arena, (size_t)out->count, sizeof *p.row);
    for (int i = 0; i < p.count; i++) p.row[i] = m->offset[p.axis] + out->index[i] * d->step;
    return p;
}

narrow_path narrow_path_of(const narrow *s, const ir_node *n, const live *out)
{
    narrow_path best = {.axis = -1, .digit = -1};
    int64_t best_size = 0, size;
    if (out->kind == LIVE_SOME) return some_path(s, n, out);
    for (int axis = 0; axis < n->input[0]->type.rank - 1; axis++) {   /* the last axis holds features, not rows */
        narrow_path p = whole_path(s, n, axis);
        if (p.axis < 0) continue;
        (void)dim_is_constant(n->input[0]->type.dim[axis], &size);
        if (best.axis >= 0 && p.count * best_size >= best.count * size) continue;
        best = p;
        best_size = size;
    }
    return best;
}

int narrow_indices(const narrow *s, const ir_node *n, const live *out, int64_t **index)
{
    int axis = (int)ir_int(n, KEY_AXIS, 0), count = 0;
    int64_t size;
    const ir_value *v = n->input[1];
    if (!ir_is_const(v) || !dim_is_constant(n->input[0]->type.dim[axis], &size)) return -1;
    if (out->kind == LIVE_SOME && (out->axis != axis || v->type.rank != 1)) return -1;
    eval_tensor t;
    if (eval_constant(v, &t, NULL) != STATUS_OK) return -1;
    int64_t rows = out->kind == LIVE_SOME ? out->count : t.elements;
    if (rows <= ROWS_MAX) {
        *index = arena_array(s->context->arena, (size_t)rows, sizeof **index);
        for (; count < rows; count++) {
            int64_t row = eval_integer(EVAL_TYPED, &t, out->kind == LIVE_SOME ? out->index[count] : count);
            (*index)[count] = row < 0 ? row + size : row;
        }
    }
    eval_free(&t);
    return count == rows ? count : -1;
}

static live gather_demand(const narrow *s, const ir_node *n, const live *out)
{
    int64_t *index;
    int axis = (int)ir_int(n, KEY_AXIS, 0), rank = n->input[1]->type.rank, count = narrow_indices(s, n, out, &index);
    if (count >= 0) return axis == n->input[0]->type.rank - 1 ? all : rows_of(s, &n->input[0]->type, axis, index, count);
    if (out->kind != LIVE_SOME || (out->axis >= axis && out->axis < axis + rank)) return all;
    return rows_of(s, &n->input[0]->type, out->axis < axis ? out->axis : out->axis - rank + 1, out->index, out->count);
}

/* ---- operators ---- */

/* Input i as it is broadcast to the result. */
static live broadcast_demand(const narrow *s, const ir_node *n, int i, const live *out)
{
    const ir_type *t = &n->input[i]->type;
    int axis = out->axis - (n->output[0]->type.rank - t->rank);
    if (axis < 0 || dim_equal(t->dim[axis], dim_of(1))) return all;
    return rows_of(s, t, axis, out->index, out->count);
}

static live attention_demand(const narrow *s, const ir_node *n, int i, const live *out)
{
    const ir_type *t = &n->input[i]->type;
    if (i == 0) return rows_of(s, t, 1, out->index, out->count);
    if (i != 3 || t->rank < 2 || dim_equal(t->dim[t->rank - 2], dim_of(1))) return all;
    return rows_of(s, t, t->rank - 2, out->index, out->count);
}

static live concat_demand(const narrow *s, const ir_node *n, int i, const live *out)
{
    int64_t first = 0, size = 0;
    int count = 0;
    const ir_type *t = &n->input[i]->type;
    if (ir_int(n, KEY_AXIS, 0) != out->axis) return rows_of(s, t, out->axis, out->index, out->count);
    for (int k = 0; k <= i; k++) {
        first += size;
        if (!dim_is_constant(n->input[k]->type.dim[out->axis], &size)) return all;
    }
    int64_t *row = arena_array(s->context->arena, (size_t)out->count, sizeof *row);
    for (int k = 0; k < out->count; k++)
        if (out->index[k] >= first && out->index[k] < first + size) row[count++] = out->index[k] - first;
    return rows_of(s, t, out->axis, row, count);
}

/* Rows between the padding of that axis. */
static live pad_demand(const narrow *s, const ir_node *n, const live *out)
{
    const ir_type *t = &n->input[0]->type;
    const int64_t first = ir_find(n, KEY_PADS)->list.item[out->axis];
    int64_t size;
    int count = 0;
    int64_t *row = arena_array(s->context->arena, (size_t)out->count, sizeof *row);
    if (!dim_is_constant(t->dim[out->axis], &size)) return all;
    for (int k = 0; k < out->count; k++)
        if (out->index[k] >= first && out->index[k] < first + size) row[count++] = out->index[k] - first;
    return rows_of(s, t, out->axis, row, count);
}

/* The axis of a reduce's input that `axis` of its result was. */
static int unreduced(const ir_node *n, int axis)
{
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    if (n->output[0]->type.rank == n->input[0]->type.rank) return axis;   /* kept, of size 1 */
    for (int i = 0; i < axes->list.count; i++)
        if (axes->list.item[i] <= axis) axis++;
    return axis;
}

live narrow_demand(const narrow *s, const ir_node *n, int i, const live *out)
{
    const ir_type *t = &n->input[i]->type;
    if (n->op == IR_MOVE) {
        narrow_path p = narrow_path_of(s, n, out);
        return p.axis < 0 ? all : rows_of(s, t, p.axis, p.row, p.count);
    }
    if (n->op == IR_GATHER) return i == 0 ? gather_demand(s, n, out) : all;
    if (out->kind != LIVE_SOME) return *out;
    switch (n->op) {
    case IR_MAP: return broadcast_demand(s, n, i, out);
    case IR_LINEAR: return i == 0 || i >= 3 ? broadcast_demand(s, n, i, out) : all;
    case IR_MLP: return i == 0 || i >= 5 ? broadcast_demand(s, n, i, out) : all;
    case IR_NORM:
    case IR_SOFTMAX: return i == 0 ? rows_of(s, t, out->axis, out->index, out->count) : all;
    case IR_REDUCE: return rows_of(s, t, unreduced(n, out->axis), out->index, out->count);
    case IR_MATMUL: return i == 0 ? rows_of(s, t, t->rank - 2, out->index, out->count) : all;
    case IR_ATTENTION: return attention_demand(s, n, i, out);
    case IR_CONCAT: return concat_demand(s, n, i, out);
    case IR_PAD: return i == 0 ? pad_demand(s, n, out) : all;
    default: return all;
    }
}

/* n can compute these rows of its result alone. */
static bool works_by_row(const narrow *s, const ir_node *n, const live *out)
{
    const ir_type *t = &n->output[0]->type;
    int64_t *index;
    int low, high;
    switch (n->op) {
    case IR_MAP:
    case IR_REDUCE:
    case IR_CONCAT: return true;
    case IR_PAD: return dim_is_constant(n->input[0]->type.dim[out->axis], NULL);
    case IR_LINEAR:
    case IR_MLP: return out->axis < t->rank - 1;
    case IR_NORM: return out->axis < ir_int(n, KEY_AXIS, t->rank - 1);
    case IR_SOFTMAX: return out->axis != ir_int(n, KEY_AXIS, t->rank - 1);
    case IR_MATMUL: return out->axis == t->rank - 2 && n->input[0]->type.rank >= 2 && n->input[1]->type.rank >= 2;
    case IR_ATTENTION:
        return out->axis == 1 && !ir_int(n, KEY_CAUSAL, 0) && (n->outputs == 1 || (n->output[1]->uses == 0 && !ir_is_result(n->output[1])));
    case IR_MOVE: return digits_of_axes(t, ir_move(n), out->axis, out->axis + 1, &low, &high) && high - low == 1 &&
                         (ir_move(n)->digit[low].axis < 0 || narrow_path_of(s, n, out).axis >= 0);
    case IR_GATHER: return narrow_indices(s, n, out, &index) >= 0 || out->axis < ir_int(n, KEY_AXIS, 0) ||
                           out->axis >= ir_int(n, KEY_AXIS, 0) + n->input[1]->type.rank;
    default: return false;
    }
}

/* Finds the live rows of all values, from the results up. */
static void find_live(narrow *s)
{
    ir_graph *g = s->graph;
    for (int i = 0; i < g->results; i++) s->live[g->result[i].value->id] = all;
    for (ir_node *n = g->last; n; n = n->previous) {
        live *out = n->outputs == 1 || n->op == IR_ATTENTION ? &s->live[n->output[0]->id] : NULL;
        if (n->op == IR_CONST) continue;
        if (out && out->kind == LIVE_SOME && (ir_is_constant(n->output[0]) || !works_by_row(s, n, out))) *out = all;
        bool read = false;
        for (int i = 0; i < n->outputs; i++) read |= s->live[n->output[i]->id].kind != LIVE_NONE;
        if (n->outputs > 1 && s->live[n->output[1]->id].kind != LIVE_NONE) out = NULL;
        for (int i = 0; read && i < n->inputs; i++) {
            if (!n->input[i]) continue;
            live *in = &s->live[n->input[i]->id];
            live demand = out ? narrow_demand(s, n, i, out) : all;
            *in = if_few(&n->input[i]->type, join(s, &n->input[i]->type, in, &demand));
        }
    }
}

/* Room for what is found about the values there are. */
static void begin(narrow *s)
{
    s->ids = s->graph->next_id;
    s->live = arena_array(s->context->arena, (size_t)s->ids, sizeof *s->live);
    s->now = arena_array(s->context->arena, (size_t)s->ids, sizeof(ir_value *));
    find_live(s);
}

bool pass_narrow(ir_graph *g, pass_context *c)
{
    narrow s = {.graph = g, .context = c};
    double before = ir_flop_of_graph(g);
    bool split = false;
    begin(&s);
    if (!narrow_split(&s, &split)) return false;
    if (split) begin(&s);
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op != IR_CONST && !narrow_rebuild(&s, n)) return false;
    }
    ir_sweep(g);
    c->report->total_flop = before;
    c->report->narrowed_flop = before - ir_flop_of_graph(g);
    return true;
}
