/* Rebuilds nodes for the rows that live; see narrow.h. */
#include "match.h"
#include "narrow.h"
#include "rebuild.h"

static const live *live_of(const narrow *s, const ir_value *v)
{
    static const live all = {.kind = LIVE_ALL};
    return v->id < s->ids && s->now[v->id] ? &s->live[v->id] : &all;
}

/* Where v's rows can be had now. */
static ir_value *current(const narrow *s, ir_value *v)
{
    return live_of(s, v)->kind == LIVE_SOME ? s->now[v->id] : v;
}

/* The place of v's row in current(v); -1: it is gone. */
static int64_t place_of(const narrow *s, const ir_value *v, int64_t row)
{
    const live *l = live_of(s, v);
    if (l->kind == LIVE_ALL) return row;
    for (int i = 0; i < l->count; i++)
        if (l->index[i] == row) return i;
    return -1;
}

/* first + i * step for all i. */
static bool is_progression(const int64_t *place, int count, int64_t *step)
{
    *step = count > 1 ? place[1] - place[0] : 1;
    for (int i = 2; i < count; i++)
        if (place[i] - place[i - 1] != *step) return false;
    return true;
}

static ir_value *gather_of(ir_graph *g, ir_value *x, int axis, ir_value *indices, const ir_node *like, ir_node *before, diag *d)
{
    ir_node *n = ir_begin(g, IR_GATHER);
    ir_input(n, x);
    ir_input(n, indices);
    ir_set_int(n, KEY_AXIS, axis);
    ir_copy_origins(n, like);
    return ir_end(n, before, d);
}

/* These rows of v, in a value of their own. */
static ir_value *select_rows(narrow *s, ir_value *v, const live *rows, ir_node *before)
{
    for (const narrow_selection *k = s->selections; k; k = k->next)
        if (k->value == v && narrow_same(&k->rows, rows)) return k->selected;
    diag *d = s->context->diag;
    ir_value *x = current(s, v), *selected = NULL;
    int64_t *place = arena_array(s->graph->arena, (size_t)rows->count, sizeof *place), step;
    for (int i = 0; i < rows->count; i++) place[i] = place_of(s, v, rows->index[i]);
    move m;
    ir_type to;
    if (is_progression(place, rows->count, &step) && move_slice(&x->type, rows->axis, place[0], step, dim_of(rows->count), &m, &to)) {
        selected = ir_move_of(s->graph, x, &m, &to, before, d);
        if (selected) ir_copy_origins(selected->def, before);
    } else {
        selected = gather_of(s->graph, x, rows->axis, ir_constant_ints(s->graph, place, rows->count, before), before, before, d);
    }
    narrow_selection *k = arena_alloc(s->context->arena, sizeof *k);
    *k = (narrow_selection){v, *rows, selected, s->selections};
    s->selections = k;
    return selected;
}

static ir_value *take(narrow *s, ir_value *v, const live *rows, ir_node *before)
{
    if (rows->kind != LIVE_SOME) return v;
    return narrow_same(live_of(s, v), rows) ? s->now[v->id] : select_rows(s, v, rows, before);
}

/* ---- moves and gathers ---- */

static ir_value *narrow_move(narrow *s, ir_node *n, const live *out)
{
    const move *old = ir_move(n);
    narrow_path p = narrow_path_of(s, n, out);
    ir_value *x = n->input[0];
    ir_type to = n->output[0]->type;
    move m = *old;
    if (out->kind == LIVE_SOME) {
        to.dim[out->axis] = dim_of(out->count);
        if (p.digit >= 0) m.digit[p.digit].extent = dim_of(out->count);
    }
    if (p.axis >= 0) {
        int64_t *place = arena_array(s->context->arena, (size_t)p.count, sizeof *place), step;
        live rows = narrow_demand(s, n, 0, out);
        for (int i = 0; i < p.count; i++) place[i] = place_of(s, x, p.row[i]);
        if (is_progression(place, p.count, &step)) {
            x = current(s, x);
        } else {   /* rows along one digit rise or fall: once selected they do so by one */
            x = take(s, x, &rows, n);
            step = p.row[0] < p.row[p.count - 1] ? 1 : -1;
            place[0] = step > 0 ? 0 : p.count - 1;
        }
        if (!x) return NULL;
        m.offset[p.axis] = place[0];
        if (p.digit >= 0) m.digit[p.digit].step = step;
    }
    move_normalise(&x->type, &m);
    return ir_move_of(s->graph, x, &m, &to, n, s->context->diag);
}

static ir_value *narrow_gather(narrow *s, ir_node *n, const live *out)
{
    int64_t *index;
    int axis = (int)ir_int(n, KEY_AXIS, 0), count = narrow_indices(s, n, out, &index);
    diag *d = s->context->diag;
    if (count < 0) {   /* rows of another axis */
        live rows = narrow_demand(s, n, 0, out);
        ir_value *x = take(s, n->input[0], &rows, n);
        return x ? gather_of(s->graph, x, axis, n->input[1], n, n, d) : NULL;
    }
    const ir_value *old = n->input[1];
    int64_t *place = arena_array(s->graph->arena, (size_t)count, sizeof *place);
    for (int i = 0; i < count; i++) place[i] = place_of(s, n->input[0], index[i]);
    ir_type type = {.elem = ELEM_I64, .rank = old->type.rank};
    for (int i = 0; i < type.rank; i++) type.dim[i] = old->type.dim[i];
    if (out->kind == LIVE_SOME) type.dim[0] = dim_of(count);
    ir_value *indices = ir_constant(s->graph, type, place, (size_t)count * sizeof *place, n);
    return indices ? gather_of(s->graph, current(s, n->input[0]), axis, indices, n, n, d) : NULL;
}

/* ---- operators ---- */

static ir_value *narrow_concat(narrow *s, ir_node *n, const live *out)
{
    ir_node *copy = rebuild_begin(s->graph, n);
    for (int i = 0; i < n->inputs; i++) {
        live rows = narrow_demand(s, n, i, out);
        if (rows.kind == LIVE_NONE) continue;
        ir_value *x = take(s, n->input[i], &rows, n);
        if (!x) return NULL;
        ir_input(copy, x);
    }
    return copy->inputs == 1 ? copy->input[0] : ir_end(copy, n, s->context->diag);
}

/* Rows of padding alone: the value that it has, repeated. */
static ir_value *padding_of(narrow *s, ir_node *n, const ir_type *to)
{
    static const int64_t zero = 0;
    const elem e = to->elem;
    ir_value *value = n->inputs > 1 ? n->input[1] : NULL;
    if (!value) value = ir_constant(s->graph, (ir_type){.elem = e}, &zero, elem_size(e), n);
    return match_expand(s->context, value, to->dim, to->rank, n);
}

static ir_value *narrow_pad(narrow *s, ir_node *n, const live *out)
{
    const ir_attribute *pads = ir_find(n, KEY_PADS);
    const int rank = n->input[0]->type.rank;
    const live rows = narrow_demand(s, n, 0, out);
    ir_type to = n->output[0]->type;
    int64_t around[2 * IR_RANK_MAX], size = 0;
    to.dim[out->axis] = dim_of(out->count);
    if (rows.kind == LIVE_NONE) return padding_of(s, n, &to);
    ir_value *x = take(s, n->input[0], &rows, n);
    if (!x || !dim_is_constant(n->input[0]->type.dim[out->axis], &size)) return NULL;
    for (int i = 0; i < 2 * rank; i++) around[i] = pads->list.item[i];
    const int64_t first = around[out->axis];
    around[out->axis] = around[rank + out->axis] = 0;
    for (int k = 0; k < out->count; k++)
        if (out->index[k] < first) around[out->axis]++;
        else if (out->index[k] >= first + size) around[rank + out->axis]++;
    bool any = false;
    for (int i = 0; i < 2 * rank; i++) any |= around[i] != 0;
    if (!any) return x;
    ir_node *copy = rebuild_begin(s->graph, n);
    ir_input(copy, x);
    for (int i = 1; i < n->inputs; i++) ir_input(copy, n->input[i]);
    ir_set_ints(copy, KEY_PADS, around, 2 * rank);
    return ir_end(copy, n, s->context->diag);
}

/* Input i of an attention is a mask that adds nothing to the rows that are left. */
static bool adds_nothing(const ir_node *n, int i, const ir_value *x)
{
    double splat;
    return n->op == IR_ATTENTION && i == 3 && elem_is_float(x->type.elem) && match_splat(x, &splat) && splat == 0;
}

static ir_value *narrow_operator(narrow *s, ir_node *n, const live *out)
{
    ir_node *copy = rebuild_begin(s->graph, n);
    for (int i = 0; i < n->inputs; i++) {
        ir_value *x = n->input[i];
        if (x) {
            live rows = narrow_demand(s, n, i, out);
            if (!(x = take(s, x, &rows, n))) return NULL;
        }
        if (!x || !adds_nothing(n, i, x)) ir_input(copy, x);
        else if (i + 1 < n->inputs) ir_input(copy, NULL);
    }
    ir_value *v = ir_end(copy, n, s->context->diag);
    if (v) s->context->report->narrowed++;
    return v;
}

bool narrow_rebuild(narrow *s, ir_node *n)
{
    if (n->outputs == 0 || n->output[0]->id >= s->ids) return true;
    ir_value *old = n->output[0];
    const live *out = &s->live[old->id];
    bool input_narrowed = n->inputs > 0 && n->input[0] && live_of(s, n->input[0])->kind == LIVE_SOME;
    if (out->kind == LIVE_NONE || (out->kind == LIVE_ALL && !input_narrowed)) return true;
    ir_value *v;
    if (n->op == IR_MOVE) v = narrow_move(s, n, out);
    else if (n->op == IR_GATHER) v = narrow_gather(s, n, out);
    else if (out->kind == LIVE_ALL) return true;
    else if (n->op == IR_CONCAT) v = narrow_concat(s, n, out);
    else if (n->op == IR_PAD) v = narrow_pad(s, n, out);
    else v = narrow_operator(s, n, out);
    if (!v) return false;
    if (v->def && n->op != IR_CONCAT) ir_copy_origins(v->def, n);
    if (out->kind == LIVE_SOME) {
        s->now[old->id] = v;
    } else {
        v->name = old->name;
        ir_replace(old, v);
    }
    return true;
}
