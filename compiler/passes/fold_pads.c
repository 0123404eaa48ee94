/* Part of simplify: zeros put around an image that a convolution reads are pads of its own; the least number around what a maximum is taken of is left
 * out of it. */
#include <math.h>
#include <stdlib.h>

#include "match.h"
#include "rebuild.h"

enum { PLACES = 1 << 16 };

/* Does n put this number around its input? */
static bool fills_with(const ir_node *n, double number)
{
    double fill = 0;
    return (n->inputs < 2 || !n->input[1] || ir_scalar(n->input[1], &fill)) && fill == number;
}

/* ---- convolutions ---- */

/* Pads with zeros along spatial axes only: begins and ends of all axes; NULL: n is no such. */
static const int64_t *zeros_around(const ir_node *n)
{
    const int rank = n ? n->output[0]->type.rank : 0;
    if (!n || !fills_with(n, 0)) return NULL;
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item;
    for (int a = 0; a < 2; a++)
        if (pads[a] || pads[a + rank]) return NULL;
    return pads;
}

/* All pads of the convolution; false: a window would lie in zeros alone, which some kernels have no way for. */
static bool joined(const ir_node *conv, const int64_t *around, int64_t *pads)
{
    const ir_type *w = &conv->input[1]->type;
    const int spatial = w->rank - 2;
    const int64_t *own = ir_find(conv, KEY_PADS)->list.item, *dilation = ir_find(conv, KEY_DILATIONS)->list.item;
    for (int i = 0; i < spatial; i++) {
        int64_t taps;
        if (!dim_is_constant(w->dim[2 + i], &taps)) return false;
        pads[i] = own[i] + around[2 + i];
        pads[i + spatial] = own[i + spatial] + around[2 + i + w->rank];
        if (pads[i] > dilation[i] * (taps - 1) || pads[i + spatial] > dilation[i] * (taps - 1)) return false;
    }
    return true;
}

static bool fold_zeros(ir_node *n, pass_context *c, bool *changed)
{
    int64_t pads[2 * IR_RANK_MAX];
    ir_node *pad = ir_producer(n->input[0], IR_PAD);
    const int64_t *around = zeros_around(pad);
    if (!around || !joined(n, around, pads)) return true;
    ir_node *conv = rebuild_begin(n->graph, n);
    ir_input(conv, pad->input[0]);
    for (int i = 1; i < n->inputs; i++) ir_input(conv, n->input[i]);
    ir_set_ints(conv, KEY_PADS, pads, 2 * (n->input[1]->type.rank - 2));
    ir_copy_origins(conv, pad);
    ir_value *v = ir_end(conv, n, c->diag);
    if (!v) return false;
    match_replace(n->output[0], v);
    return *changed = true;
}

/* ---- maxima ---- */

/* The places [rows, taps] without those that lie before or behind the source's `size` elements; in their stead another of the row. False: a row has none. */
static bool keep_inside(int64_t *place, int64_t rows, int64_t taps, int64_t before, int64_t size)
{
    for (int64_t r = 0; r < rows; r++) {
        int64_t *row = place + r * taps, inside = -1;
        for (int64_t t = 0; t < taps; t++) {
            row[t] -= before;
            if (row[t] >= 0 && row[t] < size) inside = row[t];
        }
        if (inside < 0) return false;
        for (int64_t t = 0; t < taps; t++)
            if (row[t] < 0 || row[t] >= size) row[t] = inside;
    }
    return true;
}

/* n's indices in what pad pads. NULL: they cannot be. */
static ir_value *places_inside(const ir_node *n, const ir_node *pad, ir_node *before)
{
    const int axis = (int)ir_int(n, KEY_AXIS, 0), rank = pad->output[0]->type.rank;
    const int64_t *pads = ir_find(pad, KEY_PADS)->list.item;
    const ir_type *type = &n->input[1]->type;
    int64_t size, taps, count;
    if ((!pads[axis] && !pads[axis + rank]) || !dim_is_constant(pad->input[0]->type.dim[axis], &size) || !dim_is_constant(type->dim[1], &taps)) return NULL;
    double *number = match_numbers(n->input[1], PLACES, &count);
    if (!number) return NULL;
    int64_t *place = arena_array(n->graph->arena, (size_t)count + 1, sizeof *place);
    for (int64_t i = 0; i < count; i++) place[i] = (int64_t)number[i];
    free(number);
    if (!taps || !keep_inside(place, count / taps, taps, pads[axis], size)) return NULL;
    return ir_constant(n->graph, *type, place, (size_t)count * sizeof *place, before);
}

/* The pads along other axes than this one, around v. */
static ir_value *other_pads(const ir_node *pad, int axis, ir_value *v, ir_node *before, pass_context *c)
{
    const int rank = pad->output[0]->type.rank;
    const int64_t *own = ir_find(pad, KEY_PADS)->list.item;
    int64_t pads[2 * IR_RANK_MAX], any = 0;
    for (int i = 0; i < 2 * rank; i++) any |= pads[i] = i % rank == axis ? 0 : own[i];
    if (!any) return v;
    ir_node *node = rebuild_begin(before->graph, pad);
    ir_input(node, v);
    for (int i = 1; i < pad->inputs; i++) ir_input(node, pad->input[i]);
    ir_set_ints(node, KEY_PADS, pads, 2 * rank);
    return ir_end(node, before, c->diag);
}

static bool fold_maximum(ir_node *n, pass_context *c, bool *changed)
{
    ir_node *pad = ir_is_name(n, KEY_KIND, "max") ? ir_producer(n->input[0], IR_PAD) : NULL;
    ir_value *places = pad && fills_with(pad, -HUGE_VAL) ? places_inside(n, pad, n) : NULL;
    if (!places) return true;
    ir_node *maximum = rebuild_begin(n->graph, n);
    ir_input(maximum, pad->input[0]);
    ir_input(maximum, places);
    ir_copy_origins(maximum, pad);
    ir_value *v = ir_end(maximum, n, c->diag);
    v = v ? other_pads(pad, (int)ir_int(n, KEY_AXIS, 0), v, n, c) : NULL;
    if (!v) return false;
    match_replace(n->output[0], v);
    return *changed = true;
}

bool fold_pads(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == IR_CONV ? !fold_zeros(n, c, changed) : n->op == IR_RESAMPLE && !fold_maximum(n, c, changed)) return false;
    }
    return true;
}
