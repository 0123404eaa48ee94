/* Requires: convolutions over two axes in f32 with constant weights.
 * Leaves: each as a conv_last, or a linear where its windows are single elements side by side, between transpositions; and what stands behind such a
 *   transposition (maps, group norms, pads, concatenations, reductions, resamplings, moves) done with channels last too, so that only transpositions at
 *   the borders remain. */
#include "channels_last.h"

enum { RANK = CHANNELS_RANK, MANY = 1 << 24 };

const int channels_to_last[RANK] = {0, 2, 3, 1}, channels_to_first[RANK] = {0, 3, 1, 2};

/* The axis of [N, H, W, C] that axis i of [N, C, H, W] becomes. */
static int last_axis(int64_t i)
{
    return i == 0 ? 0 : i == 1 ? 3 : (int)i - 1;
}

/* ---- convolutions ---- */

typedef struct window { int64_t kernel[2], pads[4], strides[2], dilations[2], group, channels, features; } window;

static bool read_window(const ir_node *n, window *w)
{
    const ir_type *x = &n->input[0]->type, *weight = &n->input[1]->type, *out = &n->output[0]->type;
    int64_t each;
    if (x->elem != ELEM_F32 || x->rank != RANK || !ir_is_constant(n->input[1]) || (n->inputs > 2 && n->input[2] && !ir_is_constant(n->input[2])))
        return false;
    w->group = ir_int(n, KEY_GROUP, 1);
    if (!dim_is_constant(weight->dim[0], &w->features) || !dim_is_constant(weight->dim[1], &each)) return false;
    w->channels = each * w->group;
    for (int i = 0; i < 2; i++) {
        int64_t size, result;
        if (!dim_is_constant(weight->dim[2 + i], &w->kernel[i]) || !dim_is_constant(x->dim[2 + i], &size) || !dim_is_constant(out->dim[2 + i], &result))
            return false;
        w->strides[i] = ir_find(n, KEY_STRIDES)->list.item[i];
        w->dilations[i] = ir_find(n, KEY_DILATIONS)->list.item[i];
        w->pads[i] = ir_find(n, KEY_PADS)->list.item[i];
        w->pads[2 + i] = ir_find(n, KEY_PADS)->list.item[2 + i];
        const int64_t reach = w->kernel[i] * w->dilations[i];
        if (size < 1 || result < 1 || size > MANY || w->pads[i] > MANY || w->pads[2 + i] > MANY || w->strides[i] > MANY || reach > MANY) return false;
    }
    if (w->channels < 1 || w->features < 1 || w->channels > MANY || w->features > MANY || w->kernel[0] * w->kernel[1] * each > MANY) return false;
    return w->group == 1 || each > 1 || w->features == w->channels;
}

static bool takes_elements(const window *w)
{
    bool plain = w->group == 1;
    for (int i = 0; i < 2; i++) plain &= w->kernel[i] == 1 && w->strides[i] == 1 && !w->pads[i] && !w->pads[2 + i];
    return plain;
}

/* [M, C/g, kh, kw] as [kh kw C/g, M]. */
static ir_value *as_matrix(ir_node *n, pass_context *c)
{
    ir_value *w = match_transpose(c, n->input[1], (int[]){2, 3, 1, 0}, n);
    dim rows;
    if (!dim_product(n->input[1]->type.dim + 1, RANK - 1, &rows)) return NULL;
    return match_reshape(c, w, (dim[]){rows, n->input[1]->type.dim[0]}, 2, n);
}

/* The convolution's result with channels first. NULL: reported. */
static ir_value *convolve(ir_node *n, const window *w, pass_context *c)
{
    ir_value *x = match_transpose(c, n->input[0], channels_to_last, n), *weights = as_matrix(n, c);
    if (!x || !weights) return NULL;
    const bool linear = takes_elements(w);
    ir_node *node = ir_begin(n->graph, linear ? IR_LINEAR : IR_CONV_LAST);
    ir_input(node, x);
    ir_input(node, weights);
    if (n->inputs > 2 && n->input[2]) ir_input(node, n->input[2]);
    if (!linear) {
        ir_set_ints(node, KEY_KERNEL, w->kernel, 2);
        ir_set_ints(node, KEY_PADS, w->pads, 4);
        ir_set_ints(node, KEY_STRIDES, w->strides, 2);
        ir_set_ints(node, KEY_DILATIONS, w->dilations, 2);
        ir_set_int(node, KEY_GROUP, w->group);
    }
    ir_value *v = ir_end(node, n, c->diag);
    if (!v) return NULL;
    ir_copy_origins(node, n);
    return match_transpose(c, v, channels_to_first, n);
}

/* ---- what stands behind transpositions ---- */

void channels_compose(const ir_value **v, move *m)
{
    move both;
    for (const ir_node *n; (n = ir_producer(*v, IR_MOVE)) != NULL; *v = n->input[0]) {
        if (!move_compose(&n->input[0]->type, ir_move(n), &(*v)->type, m, &both)) return;
        *m = both;
    }
}

/* Does m read elements of one row of `from` side by side? */
static bool is_along_rows(const ir_type *from, const move *m, int64_t *run)
{
    const int last = from->rank - 1;
    const move_digit *inner = m->digits ? &m->digit[m->digits - 1] : NULL;
    return inner && last >= 0 && inner->axis == last && inner->step == 1 && !m->wrap[last] && dim_is_constant(inner->extent, run);
}

bool channels_is_turned(const ir_value *v)
{
    move turn;
    ir_type to;
    int64_t run, whole, own;
    const ir_value *source = v, *same = v;
    const ir_node *n = ir_producer(v, IR_MOVE);
    if (!n || v->type.rank != RANK || ir_is_constant(v) || !dim_is_constant(v->type.dim[1], &whole) || whole < 2) return false;
    if (!move_transpose(&v->type, channels_to_last, &turn, &to)) return false;
    move_normalise(&v->type, &turn);
    channels_compose(&source, &turn);
    if (source == v || !is_along_rows(&source->type, &turn, &run) || run % whole) return false;
    move as_it_is = *ir_move(n);
    same = n->input[0];
    channels_compose(&same, &as_it_is);
    return move_is_reshape(&source->type, &turn) || !is_along_rows(&same->type, &as_it_is, &own);
}

/* v, broadcast to four axes, with channels last. */
static ir_value *turned(ir_value *v, ir_node *before, pass_context *c)
{
    dim shape[RANK];
    const int missing = RANK - v->type.rank;
    if (v->type.rank == 0) return v;
    for (int i = 0; i < RANK; i++) shape[i] = i < missing ? dim_of(1) : v->type.dim[i - missing];
    if (missing && !(v = match_reshape(c, v, shape, RANK, before))) return NULL;
    return match_transpose(c, v, channels_to_last, before);
}

static ir_node *begin_turned(ir_node *n, pass_context *c)
{
    ir_node *node = ir_begin(n->graph, n->op);
    for (int i = 0; i < n->inputs; i++) {
        ir_value *v = n->input[i] ? turned(n->input[i], n, c) : NULL;
        if (n->input[i] && !v) return NULL;
        ir_input(node, v);
    }
    return node;
}

static bool finish_turned(ir_node *n, ir_node *node, pass_context *c, bool *changed)
{
    ir_value *v = node ? ir_end(node, n, c->diag) : NULL;
    if (!v) return false;
    ir_copy_origins(node, n);
    if (v->type.rank == RANK) v = match_transpose(c, v, channels_to_first, n);
    if (!v) return false;
    match_replace(n->output[0], v);
    return *changed = true;
}

static bool turn_map(ir_node *n, pass_context *c, bool *changed)
{
    ir_node *node = begin_turned(n, c);
    if (node) ir_set_expr(node, KEY_EXPR, ir_expr(n, KEY_EXPR));
    return finish_turned(n, node, c, changed);
}

static bool turn_concat(ir_node *n, pass_context *c, bool *changed)
{
    ir_node *node = begin_turned(n, c);
    if (node) ir_set_int(node, KEY_AXIS, last_axis(ir_int(n, KEY_AXIS, 0)));
    return finish_turned(n, node, c, changed);
}

static bool turn_pad(ir_node *n, pass_context *c, bool *changed)
{
    ir_node *node = begin_turned(n, c);
    int64_t pads[2 * RANK];
    for (int i = 0; i < 2 * RANK; i++) pads[i / RANK * RANK + last_axis(i % RANK)] = ir_find(n, KEY_PADS)->list.item[i];
    if (node) ir_set_ints(node, KEY_PADS, pads, 2 * RANK);
    return finish_turned(n, node, c, changed);
}

/* Axes that are kept, or whose loss leaves the others in order. */
static bool turn_reduce(ir_node *n, pass_context *c, bool *changed)
{
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    bool gone[RANK] = {false};
    int64_t to[RANK];
    int count = 0;
    for (int i = 0; i < axes->list.count; i++) gone[last_axis(axes->list.item[i])] = true;
    if (!ir_int(n, KEY_KEEP, 1) && !gone[3] && !(gone[1] && gone[2])) return true;
    for (int i = 0; i < RANK; i++)
        if (gone[i]) to[count++] = i;
    ir_node *node = begin_turned(n, c);
    if (node) {
        ir_set_name(node, KEY_KIND, ir_name(n, KEY_KIND, "sum"));
        ir_set_ints(node, KEY_AXES, to, count);
        ir_set_int(node, KEY_KEEP, ir_int(n, KEY_KEEP, 1));
    }
    return finish_turned(n, node, c, changed);
}

static bool turn_resample(ir_node *n, pass_context *c, bool *changed)
{
    ir_value *x = turned(n->input[0], n, c);
    if (!x) return false;
    ir_node *node = ir_begin(n->graph, n->op);
    ir_input(node, x);
    for (int i = 1; i < n->inputs; i++) ir_input(node, n->input[i]);
    ir_set_int(node, KEY_AXIS, last_axis(ir_int(n, KEY_AXIS, 0)));
    ir_set_name(node, KEY_KIND, ir_name(n, KEY_KIND, "sum"));
    return finish_turned(n, node, c, changed);
}

static bool turn(ir_node *n, pass_context *c, bool *changed)
{
    bool any = false;
    if (n->outputs != 1 || n->inputs > MATCH_INPUTS || ir_is_constant(n->output[0])) return true;
    if (n->op == IR_NORM || n->op == IR_MAP) {
        bool norm = false;
        if (!channels_turn_norm(n, c, &norm)) return false;
        if (norm) return *changed = true;
    }
    for (int i = 0; i < n->inputs; i++) any |= n->input[i] && channels_is_turned(n->input[i]);
    if (!any) return true;
    switch (n->op) {
    case IR_MAP: return n->output[0]->type.rank != RANK || turn_map(n, c, changed);
    case IR_CONCAT: return turn_concat(n, c, changed);
    case IR_PAD: return turn_pad(n, c, changed);
    case IR_RESAMPLE: return n->input[0]->type.rank != RANK || turn_resample(n, c, changed);
    case IR_REDUCE: return turn_reduce(n, c, changed);
    default: return true;
    }
}

bool pass_channels_last(ir_graph *g, pass_context *c)
{
    bool changed = false;
    for (ir_node *n = g->first, *next; n; n = next) {
        window w;
        next = n->next;
        if (n->op != IR_CONV) {
            if (!turn(n, c, &changed)) return false;
            continue;
        }
        if (ir_is_constant(n->output[0]) || !read_window(n, &w)) continue;
        ir_value *v = convolve(n, &w, c);
        if (!v) return false;
        match_replace(n->output[0], v);
        changed = true;
    }
    match_sweep_moves(g);
    return !changed || pass_simplify(g, c);
}
