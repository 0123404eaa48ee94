/* Writes slices by place into a copy, each row with places of its own, as ONNX's Scatters do.
 * Shapes: x, y [outer][axis][inner], places [outer][count], updates [outer][count][inner].
 * Requires: y overlaps nothing that is read.
 * Numerics: updates of one place are taken in order, each result rounded to the element's type; integers wrap.
 * Errors: a place outside of 0..axis-1 is passed over. */
#ifndef VITCC_TEMPLATES_SCATTER_H
#define VITCC_TEMPLATES_SCATTER_H

#include "element.h"
#include "scalar.h"

typedef enum scatter_kind { SCATTER_NONE, SCATTER_ADD, SCATTER_MUL, SCATTER_MAX, SCATTER_MIN } scatter_kind;

TEMPLATE double scatter_float(scatter_kind kind, double x, double update)
{
    switch (kind) {
    case SCATTER_ADD: return x + update;
    case SCATTER_MUL: return x * update;
    case SCATTER_MAX: return sf_max(x, update);
    default: return sf_min(x, update);
    }
}

TEMPLATE int64_t scatter_integer(scatter_kind kind, bool is_u64, int64_t x, int64_t update)
{
    switch (kind) {
    case SCATTER_ADD: return si_add(x, update);
    case SCATTER_MUL: return si_mul(x, update);
    case SCATTER_MAX: return is_u64 ? su_max(x, update) : si_max(x, update);
    default: return is_u64 ? su_min(x, update) : si_min(x, update);
    }
}

TEMPLATE void scatter_slices(scatter_kind kind, element e, const void *x, const void *places, const void *updates, void *y, size_t outer, size_t axis,
                             size_t count, size_t inner)
{
    const size_t size = element_size(e), slice = inner * size;
    const unsigned char *from = updates;
    unsigned char *row = y;
    if (outer * axis * slice > 0) memcpy(y, x, outer * axis * slice);
    for (size_t o = 0; o < outer; o++, row += axis * slice) {
        for (size_t i = 0; i < count; i++, from += slice) {
            const int64_t place = element_integer(ELEMENT_I64, places, (ptrdiff_t)(o * count + i));
            if (place < 0 || (uint64_t)place >= axis) continue;
            unsigned char *const to = row + (size_t)place * slice;
            if (kind == SCATTER_NONE) memcpy(to, from, slice);
            for (ptrdiff_t j = 0; kind != SCATTER_NONE && j < (ptrdiff_t)inner; j++) {
                if (element_is_float(e)) element_set_float(e, to, j, scatter_float(kind, element_float(e, to, j), element_float(e, from, j)));
                else element_set_integer(e, to, j, scatter_integer(kind, e == ELEMENT_U64, element_integer(e, to, j), element_integer(e, from, j)));
            }
        }
    }
}

#endif
