/* A batch of matrix products of any element type, whose batch axes broadcast.
 * Shapes: as matmul_f32.h.
 * Numerics: floats are summed in double, in order of k; integers wrap at 64 bits, then to their type. k = 0 gives zeros. */
#ifndef VITCC_TEMPLATES_MATMUL_ANY_H
#define VITCC_TEMPLATES_MATMUL_ANY_H

#include "element.h"
#include "matmul_f32.h"
#include "scalar.h"

enum { MATMUL_ANY_COLUMNS = 16 };   /* summed side by side */

/* `columns` of row i of one product from column j on; a, b, c: elements at which its matrices start. */
TEMPLATE void matmul_any_part(element e, const matmul_shape *s, const void *a, const void *b, void *c, ptrdiff_t from_a, ptrdiff_t from_b,
                              ptrdiff_t to, int columns)
{
    double number[MATMUL_ANY_COLUMNS] = { 0 };
    int64_t integer[MATMUL_ANY_COLUMNS] = { 0 };
    for (int p = 0; p < s->k; p++) {
        const ptrdiff_t row = from_b + (ptrdiff_t)p * s->n;
        if (element_is_float(e)) {
            const double x = element_float(e, a, from_a + p);
            for (int j = 0; j < columns; j++) number[j] += x * element_float(e, b, row + j);
        } else {
            const int64_t x = element_integer(e, a, from_a + p);
            for (int j = 0; j < columns; j++) integer[j] = si_add(integer[j], si_mul(x, element_integer(e, b, row + j)));
        }
    }
    for (int j = 0; j < columns; j++) {
        if (element_is_float(e)) element_set_float(e, c, to + j, number[j]);
        else element_set_integer(e, c, to + j, integer[j]);
    }
}

TEMPLATE void matmul_any(element e, const matmul_shape *s, const void *a, const void *b, void *c, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        size_t rest = i;
        ptrdiff_t at_a = 0, at_b = 0;
        for (int d = s->rank - 1; d >= 0; d--) {
            const size_t index = rest % s->extent[d];
            rest /= s->extent[d];
            at_a += (ptrdiff_t)(index * s->a_stride[d]);
            at_b += (ptrdiff_t)(index * s->b_stride[d]);
        }
        for (int r = 0; r < s->m; r++) {
            const ptrdiff_t row = ((ptrdiff_t)i * s->m + r) * s->n;
            int j = 0;
            for (; j + MATMUL_ANY_COLUMNS <= s->n; j += MATMUL_ANY_COLUMNS)
                matmul_any_part(e, s, a, b, c, at_a + (ptrdiff_t)r * s->k, at_b + j, row + j, MATMUL_ANY_COLUMNS);
            if (j < s->n) matmul_any_part(e, s, a, b, c, at_a + (ptrdiff_t)r * s->k, at_b + j, row + j, s->n - j);
        }
    }
}

#endif
