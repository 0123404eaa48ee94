/* Output types of element-wise maps and of the operators that multiply: linear, mlp, matmul, attention, conv, conv_last. */
#include <string.h>

#include "../base/checked.h"
#include "infer_private.h"

static elem *input_elems(const ir_node *n, int first, elem start, int *count)
{
    int extras = n->inputs > first ? n->inputs - first : 0, at = 0;
    elem *e = arena_array(n->graph->arena, (size_t)extras + 1, sizeof *e);
    if (start != ELEM_NONE) e[at++] = start;
    for (int i = first; i < n->inputs; i++) e[at++] = n->input[i]->type.elem;
    *count = at;
    return e;
}

bool infer_map(ir_node *n, diag *d, ir_type *out)
{
    int count;
    const elem *input = input_elems(n, 0, ELEM_NONE, &count);
    if (!infer_expr(n, d, KEY_EXPR, input, count)) return false;
    const expr *e = ir_expr(n, KEY_EXPR);
    ir_type t = {.elem = e->item[e->count - 1].elem};
    for (int i = 0; i < n->inputs; i++)
        if (!infer_broadcast(n, d, i, infer_type(n, i), &t)) return false;
    *out = t;
    return true;
}

/* The inputs from `first` on broadcast to the result, and the epilogue takes them. */
static bool finish_epilogue(const ir_node *n, diag *d, int first, ir_type *out)
{
    for (int i = first; i < n->inputs; i++) {
        ir_type to = *out;
        if (!infer_broadcasts_to(n, d, i, &to)) return false;
    }
    const expr *e = ir_expr(n, KEY_EPILOGUE);
    if (!e) return n->inputs <= first || infer_fail(n, d, first, STATUS_ARITY, "there is no epilogue that reads it");
    int count;
    const elem *input = input_elems(n, first, out->elem, &count);
    if (!infer_expr(n, d, KEY_EPILOGUE, input, count)) return false;
    out->elem = e->item[e->count - 1].elem;
    return true;
}

/* x [..., K] by w [K, N] with b [N], or none. */
static bool infer_product(const ir_node *n, diag *d, const ir_type *x, int weights, int bias, ir_type *out)
{
    const ir_type *w = infer_type(n, weights), *b = infer_type(n, bias);
    if (x->rank < 1) return infer_fail(n, d, 0, STATUS_SHAPE, "it has no axes");
    if (w->rank != 2) return infer_fail(n, d, weights, STATUS_SHAPE, "weights have two axes");
    if (x->elem == ELEM_BOOL || w->elem != x->elem) return infer_fail(n, d, weights, STATUS_TYPE, "the weights' type is not the input's");
    if (!infer_same(n, d, weights, w->dim[0], x->dim[x->rank - 1], "weights and input do not fit")) return false;
    if (b && b->elem != x->elem) return infer_fail(n, d, bias, STATUS_TYPE, "the bias' type is not the input's");
    if (b && b->rank != 1) return infer_fail(n, d, bias, STATUS_SHAPE, "a bias has one axis");
    if (b && !infer_same(n, d, bias, b->dim[0], w->dim[1], "bias and weights do not fit")) return false;
    *out = *x;
    out->dim[x->rank - 1] = w->dim[1];
    return true;
}

bool infer_linear(ir_node *n, diag *d, ir_type *out)
{
    return infer_product(n, d, infer_type(n, 0), 1, 2, out) && finish_epilogue(n, d, 3, out);
}

bool infer_mlp(ir_node *n, diag *d, ir_type *out)
{
    ir_type hidden;
    if (!infer_product(n, d, infer_type(n, 0), 1, 2, &hidden)) return false;
    const expr *e = ir_expr(n, KEY_EXPR);
    elem input[2] = {hidden.elem, hidden.elem};
    if (!infer_expr(n, d, KEY_EXPR, input, 2)) return false;
    if (e->item[e->count - 1].elem != hidden.elem) return infer_fail(n, d, -1, STATUS_TYPE, "its activation changes the type");
    dim *width = &hidden.dim[hidden.rank - 1];
    if (expr_inputs(e) > 1 && !dim_div_exact(*width, dim_of(2), width))
        return infer_fail(n, d, 1, STATUS_SHAPE, "a gated one has an even hidden width");
    return infer_product(n, d, &hidden, 3, 4, out) && finish_epilogue(n, d, 5, out);
}

bool infer_matmul(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *a = infer_type(n, 0), *b = infer_type(n, 1);
    if (a->rank < 2 || b->rank < 2) return infer_fail(n, d, a->rank < 2 ? 0 : 1, STATUS_SHAPE, "it has less than two axes");
    if (a->elem != b->elem || a->elem == ELEM_BOOL) return infer_fail(n, d, 1, STATUS_TYPE, "its type is not the first input's");
    if (!infer_same(n, d, 1, b->dim[b->rank - 2], a->dim[a->rank - 1], "inner sizes differ")) return false;
    ir_type batch = *a, other = *b;
    batch.rank -= 2;
    other.rank -= 2;
    if (!infer_broadcast(n, d, 1, &other, &batch)) return false;
    batch.dim[batch.rank++] = a->dim[a->rank - 2];
    batch.dim[batch.rank++] = b->dim[b->rank - 1];
    *out = batch;
    return true;
}

static bool check_mask(const ir_node *n, diag *d, const ir_type *scores)
{
    const ir_type *mask = infer_type(n, 3);
    if (!mask) return true;
    if (mask->elem != ELEM_BOOL && mask->elem != scores->elem) return infer_fail(n, d, 3, STATUS_TYPE, "a mask is bool or of the queries' type");
    return infer_broadcasts_to(n, d, 3, scores);
}

/* What is added by rows and columns of the grid of keys. */
static bool check_grid(const ir_node *n, diag *d, const ir_type *scores)
{
    const ir_type *rows = infer_type(n, 4), *columns = infer_type(n, 5);
    if (!rows && !columns) return true;
    if (!rows || !columns) return infer_fail(n, d, rows ? 5 : 4, STATUS_ARITY, "what is added by rows and by columns come together");
    const ir_type *const part[] = {rows, columns};
    for (int i = 0; i < 2; i++) {
        bool fits = part[i]->rank == 4 && part[i]->elem == scores->elem;
        for (int k = 0; k < 3 && fits; k++) fits = dim_equal(part[i]->dim[k], scores->dim[k]);
        if (!fits) return infer_fail(n, d, 4 + i, STATUS_SHAPE, "it is not of batch, heads and queries");
    }
    dim keys;
    if (!dim_mul(rows->dim[3], columns->dim[3], &keys)) return infer_fail(n, d, 4, STATUS_SHAPE, "sizes overflow");
    return infer_same(n, d, 4, keys, scores->dim[3], "rows and columns do not make up the keys");
}

/* Heads and sizes of q [B,Tq,H,d], k [B,Tk,G,d] or [B,G,d,T], v [B,Tk,G,e]. */
static bool check_heads(const ir_node *n, diag *d, const ir_type *q, const ir_type *k, const ir_type *v)
{
    bool transposed = ir_int(n, KEY_TRANSPOSED, 0) != 0;
    dim heads = k->dim[transposed ? 1 : 2], size = k->dim[transposed ? 2 : 3], keys = k->dim[transposed ? 3 : 1], groups;
    if (!infer_same(n, d, 1, k->dim[0], q->dim[0], "batches differ") || !infer_same(n, d, 2, v->dim[0], q->dim[0], "batches differ")) return false;
    if (!infer_same(n, d, 1, size, q->dim[3], "head sizes differ") || !infer_same(n, d, 2, v->dim[2], heads, "numbers of heads differ")) return false;
    if (!dim_div_exact(q->dim[2], heads, &groups)) return infer_fail(n, d, 1, STATUS_SHAPE, "the queries' heads are no multiple of the keys'");
    if (!transposed) return infer_same(n, d, 2, v->dim[1], keys, "keys and values are not as many");
    int order = dim_compare(n->graph->symbols, keys, v->dim[1]);
    return order == 0 || order == 1 || infer_fail(n, d, 1, STATUS_SHAPE, "there are fewer keys than values");
}

bool infer_attention(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *q = infer_type(n, 0), *k = infer_type(n, 1), *v = infer_type(n, 2);
    for (int i = 0; i < 3; i++) {
        const ir_type *t = infer_type(n, i);
        if (t->rank != 4) return infer_fail(n, d, i, STATUS_SHAPE, "it has not four axes");
        if (!elem_is_float(t->elem) || t->elem != q->elem) return infer_fail(n, d, i, STATUS_TYPE, "queries, keys and values are floats of one type");
    }
    const char *empty = ir_name(n, KEY_EMPTY, "nan");
    if (strcmp(empty, "nan") != 0 && strcmp(empty, "zero") != 0) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "an empty row gives nan or zero");
    ir_type scores = {.elem = q->elem, .rank = 4, .dim = {q->dim[0], q->dim[2], q->dim[1], v->dim[1]}};
    if (!check_heads(n, d, q, k, v) || !check_mask(n, d, &scores) || !check_grid(n, d, &scores)) return false;
    *out = (ir_type){.elem = q->elem, .rank = 4, .dim = {q->dim[0], q->dim[1], q->dim[2], v->dim[3]}};
    if (n->outputs > 1) n->output[1]->type = scores;
    return true;
}

/* The size of one spatial axis: (size + pads - dilation * (kernel - 1) - 1) / stride + 1, rounded down. */
static bool convolve(const ir_node *n, diag *d, int axis, int spatial, dim size, dim kernel, dim *out)
{
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item;
    int64_t stride = ir_find(n, KEY_STRIDES)->list.item[axis], dilation = ir_find(n, KEY_DILATIONS)->list.item[axis], taps, reach, known;
    if (!dim_is_constant(kernel, &taps)) return infer_fail(n, d, 1, STATUS_SHAPE_UNKNOWN, "the kernel's size is not known");
    if (stride < 1 || dilation < 1 || taps < 1 || pads[axis] < 0 || pads[axis + spatial] < 0)
        return infer_fail(n, d, 1, STATUS_ATTRIBUTE, "a stride, dilation, pad or the kernel's size is out of range");
    dim room;
    if (!checked_mul(dilation, taps - 1, &reach) || !checked_add(reach, 1, &reach) || !dim_add(size, dim_of(pads[axis]), &room) ||
        !dim_add(room, dim_of(pads[axis + spatial]), &room) || !dim_sub(room, dim_of(reach), &room))
        return infer_fail(n, d, 0, STATUS_SHAPE, "sizes overflow");
    int order = dim_compare(n->graph->symbols, room, dim_of(-1));
    if (order != 1) return infer_fail(n, d, 0, order == DIM_UNDECIDED ? STATUS_SHAPE_UNKNOWN : STATUS_SHAPE, "the kernel is larger than the input");
    if (dim_is_constant(room, &known)) *out = dim_of(known / stride + 1);
    else if (!dim_div_exact(room, dim_of(stride), &room) || !dim_add(room, dim_of(1), out))
        return infer_fail(n, d, 0, STATUS_SHAPE_UNKNOWN, "the result's size is not affine");
    return true;
}

static bool check_window(const ir_node *n, diag *d, int spatial)
{
    if (ir_find(n, KEY_PADS)->list.count == 2 * spatial && ir_find(n, KEY_STRIDES)->list.count == spatial &&
        ir_find(n, KEY_DILATIONS)->list.count == spatial)
        return true;
    return infer_fail(n, d, 0, STATUS_ATTRIBUTE, "pads, strides or dilations do not fit the rank");
}

bool infer_conv_last(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *w = infer_type(n, 1), *b = infer_type(n, 2);
    const ir_attribute *kernel = ir_find(n, KEY_KERNEL);
    const int64_t group = ir_int(n, KEY_GROUP, 1);
    const int spatial = x->rank - 2;
    if (spatial < 1 || w->rank != 2) return infer_fail(n, d, 1, STATUS_SHAPE, "input and weights have not the axes of a convolution");
    if (!elem_is_float(x->elem) || w->elem != x->elem || (b && b->elem != x->elem))
        return infer_fail(n, d, 1, STATUS_TYPE, "input, weights and bias are floats of one type");
    if (!check_window(n, d, spatial)) return false;
    if (kernel->list.count != spatial) return infer_fail(n, d, 0, STATUS_ATTRIBUTE, "the kernel does not fit the rank");
    dim summed = x->dim[x->rank - 1], rows, each;
    bool fits = group >= 1 && dim_mul(w->dim[0], dim_of(group), &rows) && dim_div_exact(w->dim[1], dim_of(group), &each) &&
                dim_div_exact(summed, dim_of(group), &each);
    ir_type result = *x;
    result.dim[x->rank - 1] = w->dim[1];
    for (int i = 0; i < spatial && fits; i++) {
        if (!convolve(n, d, i, spatial, x->dim[i + 1], dim_of(kernel->list.item[i]), &result.dim[i + 1])) return false;
        fits = dim_mul(summed, dim_of(kernel->list.item[i]), &summed);
    }
    if (!fits) return infer_fail(n, d, 1, STATUS_SHAPE, "groups do not divide the channels");
    if (!infer_same(n, d, 1, rows, summed, "weights and windows do not fit")) return false;
    if (b && b->rank != 1) return infer_fail(n, d, 2, STATUS_SHAPE, "a bias has one axis");
    if (b && !infer_same(n, d, 2, b->dim[0], w->dim[1], "bias and weights do not fit")) return false;
    *out = result;
    return finish_epilogue(n, d, 3, out);
}

bool infer_conv(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *w = infer_type(n, 1), *b = infer_type(n, 2);
    int64_t group = ir_int(n, KEY_GROUP, 1);
    int spatial = x->rank - 2;
    if (spatial < 1 || w->rank != x->rank) return infer_fail(n, d, 1, STATUS_SHAPE, "input and weights have not the axes of a convolution");
    if (!elem_is_float(x->elem) || w->elem != x->elem || (b && b->elem != x->elem))
        return infer_fail(n, d, 1, STATUS_TYPE, "input, weights and bias are floats of one type");
    if (!check_window(n, d, spatial)) return false;
    dim channels, each;
    if (group < 1 || !dim_mul(w->dim[1], dim_of(group), &channels) || !dim_div_exact(w->dim[0], dim_of(group), &each))
        return infer_fail(n, d, 1, STATUS_SHAPE, "groups do not divide the channels");
    if (!infer_same(n, d, 1, channels, x->dim[1], "channels differ")) return false;
    if (b && b->rank != 1) return infer_fail(n, d, 2, STATUS_SHAPE, "a bias has one axis");
    if (b && !infer_same(n, d, 2, b->dim[0], w->dim[0], "bias and weights do not fit")) return false;
    ir_type result = *x;
    result.dim[1] = w->dim[0];
    for (int i = 0; i < spatial; i++)
        if (!convolve(n, d, i, spatial, x->dim[i + 2], w->dim[i + 2], &result.dim[i + 2])) return false;
    *out = result;
    return true;
}
