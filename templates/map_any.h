/* An element-wise function of inputs of any types that broadcast to one result, element by element.
 * Shapes: the result is row-major, of `extent`; input k is read at sum over the axes of index[a] stride[k][a], in elements; stride 0 broadcasts. The
 *         outermost axis runs from first to last - 1; inputs and result are given at its index 0. at: room for an offset an input.
 *         value(in, at, i, out, to) makes element to of the result, whose input k lies at at[k] + i stride[k][rank - 1].
 * Requires: rank 1 to MAP_ANY_RANK; extents of the inner axes >= 1. The result may be an input whose elements are as large and lie alike. */
#ifndef VITCC_TEMPLATES_MAP_ANY_H
#define VITCC_TEMPLATES_MAP_ANY_H

#include "element.h"
#include "scalar.h"

enum { MAP_ANY_RANK = 8 };

typedef struct map_any_shape {
    int rank, inputs;
    ptrdiff_t extent[MAP_ANY_RANK];
    const ptrdiff_t (*stride)[MAP_ANY_RANK];
} map_any_shape;

typedef void map_any_value(const void *const *in, const ptrdiff_t *at, ptrdiff_t i, void *out, ptrdiff_t to);

TEMPLATE void map_any(const map_any_shape *s, const void *const *in, ptrdiff_t *at, void *out, ptrdiff_t first, ptrdiff_t last, map_any_value *value)
{
    const int inner = s->rank - 1;
    ptrdiff_t runs = inner ? last - first : 1, to = first;
    for (int a = 1; a <= inner; a++) to *= s->extent[a];
    for (int a = 1; a < inner; a++) runs *= s->extent[a];
    const ptrdiff_t count = inner ? s->extent[inner] : last - first;
    for (ptrdiff_t run = 0; run < runs; run++, to += count) {
        for (int k = 0; k < s->inputs; k++) at[k] = inner ? 0 : first * s->stride[k][0];
        ptrdiff_t rest = run;
        for (int a = inner - 1; a >= 0; a--) {
            const ptrdiff_t index = a ? rest % s->extent[a] : first + rest;
            if (a) rest /= s->extent[a];
            for (int k = 0; k < s->inputs; k++) at[k] += index * s->stride[k][a];
        }
        for (ptrdiff_t i = 0; i < count; i++) value(in, at, i, out, to + i);
    }
}

#endif
