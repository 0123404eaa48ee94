/* Picks slices along an axis by index, as numpy.take does.
 * Shapes: x [outer][axis][inner], indices [count], y [outer][count][inner]; bytes: of one inner slice.
 * Requires: axis >= 1; y overlaps nothing that is read.
 * Errors: a negative index counts from the end; one out of range takes the nearest there is, so that no input makes the program read elsewhere. */
#ifndef VITCC_TEMPLATES_GATHER_H
#define VITCC_TEMPLATES_GATHER_H

#include "level.h"

TEMPLATE size_t gather_index(int64_t index, size_t axis)
{
    const int64_t n = (int64_t)axis;
    if (index < 0) index += n;
    return (size_t)(index < 0 ? 0 : index >= n ? n - 1 : index);
}

/* index_size: 4 or 8 bytes, signed. */
TEMPLATE void gather_slices(const void *x, const void *indices, size_t index_size, void *y, size_t outer, size_t axis, size_t count, size_t bytes)
{
    const unsigned char *from = x, *index = indices;
    unsigned char *to = y;
    for (size_t o = 0; o < outer; o++, from += axis * bytes) {
        for (size_t i = 0; i < count; i++, to += bytes) {
            int64_t wide = 0;
            int32_t narrow = 0;
            if (index_size == 8) memcpy(&wide, index + i * 8, 8);
            else memcpy(&narrow, index + i * 4, 4);
            memcpy(to, from + gather_index(index_size == 8 ? wide : narrow, axis) * bytes, bytes);
        }
    }
}

#endif
