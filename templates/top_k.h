/* The places of the first elements of each row in order, as ONNX's TopK has it.
 * Shapes: x [outer][axis], y [outer][k].
 * Requires: 1 <= k <= axis; y overlaps nothing that is read.
 * Numerics: equal elements in the order of their places; a NaN is larger than any number.
 * Source: the places so far are a heap whose root is the last of them in order; what does not come before the root is passed over. */
#ifndef VITCC_TEMPLATES_TOP_K_H
#define VITCC_TEMPLATES_TOP_K_H

#include "element.h"

/* Whether the element at place a stands before that at place b. */
TEMPLATE bool top_k_before(element e, bool largest, const unsigned char *x, int64_t a, int64_t b)
{
    if (element_is_float(e)) {
        const double u = element_float(e, x, (ptrdiff_t)a), v = element_float(e, x, (ptrdiff_t)b);
        if (u < v || u > v) return (u > v) == largest;
        const bool only_u = u != u && v == v, only_v = u == u && v != v;
        return only_u || only_v ? only_u == largest : a < b;
    }
    const int64_t u = element_integer(e, x, (ptrdiff_t)a), v = element_integer(e, x, (ptrdiff_t)b);
    if (u == v) return a < b;
    return (e == ELEMENT_U64 ? (uint64_t)u > (uint64_t)v : u > v) == largest;
}

/* Puts `place` in at i of a heap of `count`, or below it. */
TEMPLATE void top_k_sink(element e, bool largest, const unsigned char *x, int64_t *heap, size_t count, size_t i, int64_t place)
{
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && top_k_before(e, largest, x, heap[child], heap[child + 1])) child++;
        if (!top_k_before(e, largest, x, place, heap[child])) break;
        heap[i] = heap[child];
    }
    heap[i] = place;
}

TEMPLATE void top_k_places(element e, bool largest, const void *x, int64_t *y, size_t outer, size_t axis, size_t k)
{
    const unsigned char *row = x;
    for (size_t o = 0; o < outer; o++, row += axis * element_size(e), y += k) {
        for (size_t i = 0; i < k; i++) y[i] = (int64_t)i;
        for (size_t i = k / 2; i-- > 0;) top_k_sink(e, largest, row, y, k, i, y[i]);
        for (size_t i = k; i < axis; i++)
            if (top_k_before(e, largest, row, (int64_t)i, y[0])) top_k_sink(e, largest, row, y, k, 0, (int64_t)i);
        for (size_t left = k; left-- > 1;) {   /* the root, last of those left, goes behind them */
            const int64_t last = y[0], place = y[left];
            top_k_sink(e, largest, row, y, left, 0, place);
            y[left] = last;
        }
    }
}

#endif
