/* A linear whose columns are dealt out to several readers, of which one takes few rows (the last block's queries), becomes one linear a reader.
 * Requires: no epilogue; constant weights; every reader is a move that takes a range of columns, in order, of all or some rows; ranges are equal or
 *   apart. */
#include "narrow.h"
#include "rebuild.h"

enum { READERS = 8 };

typedef struct range { int64_t first, count; } range;

/* The range of columns that the move takes. */
static bool columns_of(const ir_node *n, range *r)
{
    const move *m = ir_move(n);
    int last = n->input[0]->type.rank - 1, digits = 0;
    r->first = m->offset[last];
    r->count = 1;
    for (int i = 0; i < m->digits; i++) {
        if (m->digit[i].axis != last) continue;
        if (digits++ > 0 || m->digit[i].step != 1 || !dim_is_constant(m->digit[i].extent, &r->count)) return false;
    }
    return !m->wrap[last];
}

static bool takes_few_rows(const narrow *s, const ir_node *n)
{
    const live *out = &s->live[n->output[0]->id];
    live rows = narrow_demand(s, n, 0, out);
    int64_t size;
    return out->kind == LIVE_SOME && rows.kind == LIVE_SOME && dim_is_constant(n->input[0]->type.dim[rows.axis], &size) && rows.count * 2 <= size;
}

/* The readers' ranges, and whether it is worth it. */
static bool find_ranges(const narrow *s, const ir_node *linear, range *r)
{
    const ir_value *v = linear->output[0];
    bool few = false;
    int different = 0;
    if (ir_is_result(v) || v->uses > READERS || ir_find(linear, KEY_EPILOGUE) || linear->inputs > 3 || !ir_is_constant(linear->input[1]))
        return false;
    if (linear->inputs > 2 && linear->input[2] && !ir_is_constant(linear->input[2])) return false;
    for (int i = 0; i < v->uses; i++) {
        const ir_node *n = v->user[i];
        if (n->op != IR_MOVE || s->live[n->output[0]->id].kind == LIVE_NONE || !columns_of(n, &r[i])) return false;
        few |= takes_few_rows(s, n);
        for (int k = 0; k < i; k++) {
            bool same = r[k].first == r[i].first && r[k].count == r[i].count;
            if (!same && r[k].first < r[i].first + r[i].count && r[i].first < r[k].first + r[k].count) return false;
            different += !same;
        }
    }
    return few && different > 0;
}

static ir_value *slice(narrow *s, ir_value *v, int axis, const range *r, ir_node *before)
{
    move m;
    ir_type to;
    if (!move_slice(&v->type, axis, r->first, 1, dim_of(r->count), &m, &to)) return NULL;
    ir_value *part = ir_move_of(s->graph, v, &m, &to, before, s->context->diag);
    if (part && v->def) ir_copy_origins(part->def, v->def);
    return rebuild_folded(part, before, s->context);
}

static ir_value *linear_of(narrow *s, ir_node *linear, const range *r)
{
    ir_value *w = slice(s, linear->input[1], 1, r, linear), *b = linear->inputs > 2 ? linear->input[2] : NULL;
    if (!w || (b && !(b = slice(s, b, 0, r, linear)))) return NULL;
    ir_node *n = rebuild_begin(s->graph, linear);
    ir_input(n, linear->input[0]);
    ir_input(n, w);
    if (b) ir_input(n, b);
    return ir_end(n, linear, s->context->diag);
}

static bool split(narrow *s, ir_node *linear, const range *r)
{
    ir_value *v = linear->output[0], *part[READERS];
    ir_node *reader[READERS];
    int readers = v->uses, last = v->type.rank - 1;
    for (int i = 0; i < readers; i++) reader[i] = v->user[i];
    for (int i = 0; i < readers; i++) {
        part[i] = NULL;
        for (int k = 0; k < i && !part[i]; k++)
            if (r[k].first == r[i].first && r[k].count == r[i].count) part[i] = part[k];
        if (!part[i] && !(part[i] = linear_of(s, linear, &r[i]))) return false;
        move m = *ir_move(reader[i]);
        m.offset[last] = 0;
        ir_value *taken = ir_move_of(s->graph, part[i], &m, &reader[i]->output[0]->type, reader[i], s->context->diag);
        if (!taken) return false;
        ir_copy_origins(taken->def, reader[i]);
        taken->name = reader[i]->output[0]->name;
        ir_replace(reader[i]->output[0], taken);
        ir_remove(reader[i]);
    }
    ir_remove(linear);
    return true;
}

bool narrow_split(narrow *s, bool *changed)
{
    for (ir_node *n = s->graph->first, *next; n; n = next) {
        range r[READERS];
        next = n->next;
        if (n->op != IR_LINEAR || n->output[0]->id >= s->ids || s->live[n->output[0]->id].kind != LIVE_ALL || !find_ranges(s, n, r)) continue;
        *changed = true;
        while (next && next->op == IR_MOVE && next->input[0] == n->output[0]) next = next->next;   /* these are replaced */
        if (!split(s, n, r)) return false;
    }
    return true;
}
