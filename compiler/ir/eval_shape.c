/* move, pad, concat and gather: elements go elsewhere unchanged. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

/* n elements, `stride` apart in the source, to the destination one after the other. */
static void copy_strided(char *to, const char *from, int64_t stride, int64_t n, size_t size)
{
    ptrdiff_t step = (ptrdiff_t)stride * (ptrdiff_t)size;
    if (stride == 1) memcpy(to, from, (size_t)n * size);
    else if (size == 4) for (int64_t i = 0; i < n; i++) memcpy(to + i * 4, from + i * step, 4);
    else if (size == 8) for (int64_t i = 0; i < n; i++) memcpy(to + i * 8, from + i * step, 8);
    else for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * size, from + i * step, size);
}

/* v's elements [start, start + n) into out from `at`, whatever the storage of either. */
static void copy_range(eval_value *out, int64_t at, const eval_value *v, int64_t start, int64_t n)
{
    size_t size = elem_size(out->stored);
    if (v->stored == out->stored) {
        if (n > 0) memcpy((char *)out->owned + (size_t)at * size, (const char *)v->data + (size_t)start * size, (size_t)n * size);
        return;
    }
    double block[256];
    for (int64_t i = 0, step; i < n; i += step) {
        step = n - i < 256 ? n - i : 256;
        eval_load_floats(v->stored, v->data, start + i, 1, step, block);
        eval_store_floats(out->stored, out->owned, at + i, step, block);
    }
}

/* ---- move ---- */

/* A move with its symbols replaced. */
typedef struct walk {
    const move *m;
    int64_t extent[MOVE_DIGITS_MAX], pitch[IR_RANK_MAX];      /* pitch: the source's strides */
} walk;

/* Every coordinate that the move can reach lies in the source. */
static bool stays_inside(const walk *w, const eval_value *x)
{
    for (int a = 0; a < x->rank; a++) {
        int64_t low = w->m->offset[a], high = low;
        for (int i = 0; i < w->m->digits; i++) {
            int64_t reach;
            if (w->m->digit[i].axis != a) continue;
            if (!checked_mul(w->m->digit[i].step, w->extent[i] - 1, &reach)) return false;
            if (!checked_add(reach < 0 ? low : high, reach, reach < 0 ? &low : &high)) return false;
        }
        if (w->m->wrap[a] > 0 ? w->m->wrap[a] > x->shape[a] : low < 0 || high >= x->shape[a]) return false;
    }
    return true;
}

static status measure_move(const eval_context *c, const ir_node *n, const eval_value *x, const eval_value *out, walk *w)
{
    const move *m = w->m = ir_move(n);
    int64_t elements = 1, pitch = 1;
    if (!m || m->rank != x->rank) return eval_fail(c, n, 0, STATUS_SHAPE, "the move is of another rank");
    for (int i = 0; i < m->digits; i++) {
        status s = eval_dim(c, n, m->digit[i].extent, &w->extent[i]);
        if (s != STATUS_OK) return s;
        bool fits = m->digit[i].axis < x->rank && checked_mul(elements, w->extent[i], &elements);
        if (!fits) return eval_fail(c, n, 0, STATUS_SHAPE, "the move does not fit");
    }
    for (int a = x->rank - 1; a >= 0; a--) {
        w->pitch[a] = pitch;
        pitch *= x->shape[a];
    }
    if (elements != out->elements) return eval_fail(c, n, 0, STATUS_SHAPE, "the move yields %lld elements", (long long)elements);
    if (elements > 0 && !stays_inside(w, x)) return eval_fail(c, n, 0, STATUS_SHAPE, "the move leaves its source");
    return STATUS_OK;
}

static int64_t wrapped(int64_t coordinate, int64_t wrap)
{
    if (wrap <= 0) return coordinate;
    int64_t r = coordinate % wrap;
    return r < 0 ? r + wrap : r;
}

/* Source index for the digits' values `at`. */
static int64_t source_of(const walk *w, const int64_t *at)
{
    int64_t coordinate[IR_RANK_MAX], index = 0;
    for (int a = 0; a < w->m->rank; a++) coordinate[a] = w->m->offset[a];
    for (int i = 0; i < w->m->digits; i++) {
        if (w->m->digit[i].axis >= 0) coordinate[w->m->digit[i].axis] += at[i] * w->m->digit[i].step;
    }
    for (int a = 0; a < w->m->rank; a++) index += wrapped(coordinate[a], w->m->wrap[a]) * w->pitch[a];
    return index;
}

/* The last digit's elements, the others at `at`. */
static void copy_run(const walk *w, int64_t *at, char *to, const char *from, size_t size)
{
    int last = w->m->digits - 1, axis = w->m->digit[last].axis;
    int64_t step = w->m->digit[last].step, n = w->extent[last];
    at[last] = 0;
    if (axis < 0 || w->m->wrap[axis] == 0) {
        int64_t stride = axis < 0 ? 0 : step * w->pitch[axis];
        copy_strided(to, from + (ptrdiff_t)source_of(w, at) * (ptrdiff_t)size, stride, n, size);
        return;
    }
    for (; at[last] < n; at[last]++) memcpy(to + (size_t)at[last] * size, from + (ptrdiff_t)source_of(w, at) * (ptrdiff_t)size, size);
    at[last] = 0;
}

status eval_move(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    walk w;
    status s = measure_move(c, n, in[0], out, &w);
    if (s != STATUS_OK) return s;
    size_t size = elem_size(out->stored);
    int64_t at[MOVE_DIGITS_MAX] = {0};
    int last = w.m->digits - 1;
    if (last < 0) {
        memcpy(out->owned, (const char *)in[0]->data + (ptrdiff_t)source_of(&w, at) * (ptrdiff_t)size, size);
        return STATUS_OK;
    }
    for (int64_t done = 0; done < out->elements; done += w.extent[last]) {
        copy_run(&w, at, (char *)out->owned + (size_t)done * size, in[0]->data, size);
        for (int i = last - 1; i >= 0 && ++at[i] == w.extent[i]; i--) at[i] = 0;
    }
    return STATUS_OK;
}

/* ---- pad ---- */

static void fill(const eval_value *value, eval_value *out)
{
    size_t size = elem_size(out->stored);
    double number = 0;
    int64_t integer = 0;
    char *p = out->owned;
    if (out->elements == 0) return;
    if (elem_is_float(out->elem)) {
        if (value) eval_load_floats(value->stored, value->data, 0, 1, 1, &number);
        eval_store_floats(out->stored, p, 0, 1, &number);
    } else {
        if (value) eval_load_integers(value->stored, value->data, 0, 1, 1, &integer);
        eval_store_integers(out->stored, p, 0, 1, &integer);
    }
    for (int64_t i = 1; i < out->elements; i++) memcpy(p + (size_t)i * size, p, size);
}

status eval_pad(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0], *value = n->inputs > 1 ? in[1] : NULL;
    const ir_attribute *pads = ir_find(n, KEY_PADS);
    if (!pads || pads->list.count != 2 * x->rank || out->rank != x->rank) return eval_fail(c, n, 0, STATUS_SHAPE, "pads are not two an axis");
    if (value && value->elements < 1) return eval_fail(c, n, 1, STATUS_SHAPE, "it has no element");
    for (int i = 0; i < x->rank; i++) {
        int64_t begin = pads->list.item[i], end = pads->list.item[i + x->rank], size;
        if (begin < 0 || end < 0) return eval_fail(c, n, -1, STATUS_ATTRIBUTE, "pads are not negative");
        bool fits = checked_add(begin, end, &size) && checked_add(size, x->shape[i], &size) && size == out->shape[i];
        if (!fits) return eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
    }
    fill(value, out);
    int64_t row = x->rank > 0 ? x->shape[x->rank - 1] : 1;
    for (int64_t from = 0; from < x->elements; from += row) {
        int64_t to = 0, step = 1, rest = from;
        for (int i = x->rank - 1; i >= 0; i--) {
            to += (rest % x->shape[i] + pads->list.item[i]) * step;
            rest /= x->shape[i];
            step *= out->shape[i];
        }
        copy_range(out, to, x, from, row);
    }
    return STATUS_OK;
}

/* ---- concat and gather ---- */

static bool equal_but(const eval_value *a, const eval_value *b, int axis)
{
    for (int i = 0; i < a->rank && i < b->rank; i++) {
        if (i != axis && a->shape[i] != b->shape[i]) return false;
    }
    return a->rank == b->rank;
}

status eval_concat(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    int64_t axis = ir_int(n, KEY_AXIS, 0), at = 0;
    if (axis < 0 || axis >= out->rank) return eval_fail(c, n, 0, STATUS_SHAPE, "there is no axis %lld", (long long)axis);
    int64_t outer = eval_product_of(out->shape, 0, (int)axis), inner = eval_product_of(out->shape, (int)axis + 1, out->rank);
    int64_t row = out->shape[axis] * inner;
    for (int i = 0; i < n->inputs; i++) {
        bool fits = in[i]->elem == out->elem && equal_but(in[i], out, (int)axis) && in[i]->shape[axis] * inner <= row - at;
        if (!fits) return eval_fail(c, n, i, STATUS_SHAPE, "it does not fit the output");
        int64_t part = in[i]->shape[axis] * inner;
        for (int64_t j = 0; j < outer; j++) copy_range(out, j * row + at, in[i], j * part, part);
        at += part;
    }
    if (at != row) return eval_fail(c, n, -1, STATUS_SHAPE, "the inputs do not fill the output");
    return STATUS_OK;
}

status eval_gather(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0], *indices = in[1];
    int64_t axis = ir_int(n, KEY_AXIS, 0);
    if (axis < 0 || axis >= x->rank) return eval_fail(c, n, 0, STATUS_SHAPE, "there is no axis %lld", (long long)axis);
    int64_t size = x->shape[axis], outer = eval_product_of(x->shape, 0, (int)axis), inner = eval_product_of(x->shape, (int)axis + 1, x->rank);
    if (out->elements != outer * indices->elements * inner) return eval_fail(c, n, 1, STATUS_SHAPE, "the output is of another shape");
    for (int64_t j = 0; j < indices->elements; j++) {
        int64_t index;
        eval_load_integers(indices->stored, indices->data, j, 1, 1, &index);
        if (index < -size || index >= size)
            return eval_fail(c, n, 1, STATUS_SHAPE, "index %lld is outside of %lld", (long long)index, (long long)size);
        if (index < 0) index += size;
        for (int64_t i = 0; i < outer; i++) copy_range(out, (i * indices->elements + j) * inner, x, (i * size + index) * inner, inner);
    }
    return STATUS_OK;
}
