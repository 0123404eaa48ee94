/* Copies of rows at strides, the parts of a concatenation, and padding with one value.
 * Shapes: copy_rows: `rows` runs of `bytes`, strides apart in bytes; pad_elements: x of `extent`, row-major, into y with before[a] and after[a]
 *         elements added on axis a.
 * Requires: nothing overlaps; rank 1 to PAD_RANK; size 1, 2, 4 or 8. */
#ifndef VITCC_TEMPLATES_CONCAT_H
#define VITCC_TEMPLATES_CONCAT_H

#include "level.h"

enum { PAD_RANK = 8 };

TEMPLATE void copy_rows(const void *x, size_t x_stride, void *y, size_t y_stride, size_t rows, size_t bytes)
{
    const unsigned char *from = x;
    unsigned char *to = y;
    for (size_t r = 0; r < rows; r++) memcpy(to + r * y_stride, from + r * x_stride, bytes);
}

typedef struct pad_shape {
    int rank;
    size_t extent[PAD_RANK], before[PAD_RANK], after[PAD_RANK];   /* extent: of x */
} pad_shape;

/* value: the element that fills; NULL: zero bytes. */
TEMPLATE void pad_elements(const pad_shape *s, size_t size, const void *x, void *y, const void *value)
{
    size_t total = 1, rows = 1, stride[PAD_RANK] = { 0 };
    for (int a = s->rank - 1; a >= 0; a--) {
        stride[a] = total;
        total *= s->before[a] + s->extent[a] + s->after[a];
        if (a < s->rank - 1) rows *= s->extent[a];
    }
    unsigned char *to = y;
    const unsigned char *from = x;
    if (value) for (size_t i = 0; i < total; i++) memcpy(to + i * size, value, size);
    else memset(to, 0, total * size);
    const size_t bytes = s->extent[s->rank - 1] * size;
    for (size_t r = 0; r < rows; r++, from += bytes) {
        size_t at = s->before[s->rank - 1], rest = r;
        for (int a = s->rank - 2; a >= 0; a--) {
            at += (rest % s->extent[a] + s->before[a]) * stride[a];
            rest /= s->extent[a];
        }
        memcpy(to + at * size, from, bytes);
    }
}

#endif
