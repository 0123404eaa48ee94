/* Picks slices along an axis by index, as numpy.take does.
 * Shapes: x [outer][axis][inner], indices [count], y [outer][count][inner]; bytes: of one inner slice.
 * Requires: axis >= 1; y overlaps nothing that is read.
 * Errors: a negative index counts from the end; one out of range takes the nearest there is, so that no input makes the program read elsewhere. */
#ifndef VITCC_TEMPLATES_GATHER_H
#define VITCC_TEMPLATES_GATHER_H

#include "element.h"

TEMPLATE size_t gather_index(int64_t index, size_t axis)
{
    const int64_t n = (int64_t)axis;
    if (index < 0) index += n;
    return (size_t)(index < 0 ? 0 : index >= n ? n - 1 : index);
}

/* type: of the indices, an integer. */
TEMPLATE void gather_slices(const void *x, element type, const void *indices, void *y, size_t outer, size_t axis, size_t count, size_t bytes)
{
    const unsigned char *from = x;
    unsigned char *to = y;
    for (size_t o = 0; o < outer; o++, from += axis * bytes) {
        for (size_t i = 0; i < count; i++, to += bytes) {
            const int64_t index = element_integer(type, indices, (ptrdiff_t)i);
            const size_t at = type == ELEMENT_U64 && index < 0 ? axis - 1 : gather_index(index, axis);   /* unsigned and too large for 63 bits */
            memcpy(to, from + at * bytes, bytes);
        }
    }
}

/* The same row by row, each with indices of its own: x [outer][axis][inner], indices [outer][count], y [outer][count][inner]. */
TEMPLATE void pick_slices(const void *x, element type, const void *indices, void *y, size_t outer, size_t axis, size_t count, size_t bytes)
{
    const unsigned char *from = x, *places = indices;
    unsigned char *to = y;
    for (size_t o = 0; o < outer; o++, from += axis * bytes, places += count * element_size(type), to += count * bytes)
        gather_slices(from, type, places, to, 1, axis, count, bytes);
}

#endif
