/* Values whose size along an axis only a run knows, between the caller's memory and their capacity.
 * Shapes: compact [outer][length][bytes], whole [outer][capacity][bytes], its elements the last `length` of the axis.
 * Requires: 0 <= length <= capacity; rows from `row` on, outer ones; y overlaps nothing that is read. */
#ifndef VITCC_TEMPLATES_LENGTH_H
#define VITCC_TEMPLATES_LENGTH_H

#include "level.h"

/* What lies before the elements is cleared. */
TEMPLATE void extend_rows(const void *compact, void *whole, int64_t row, int64_t rows, int64_t length, int64_t capacity, size_t bytes)
{
    const size_t used = (size_t)length * bytes, all = (size_t)capacity * bytes;
    for (size_t r = (size_t)row; r < (size_t)(row + rows); r++) {
        memset((unsigned char *)whole + r * all, 0, all - used);
        if (used) memcpy((unsigned char *)whole + (r + 1) * all - used, (const unsigned char *)compact + r * used, used);
    }
}

TEMPLATE void shrink_rows(const void *whole, void *compact, int64_t row, int64_t rows, int64_t length, int64_t capacity, size_t bytes)
{
    const size_t used = (size_t)length * bytes, all = (size_t)capacity * bytes;
    for (size_t r = (size_t)row; r < (size_t)(row + rows) && used; r++)
        memcpy((unsigned char *)compact + r * used, (const unsigned char *)whole + (r + 1) * all - used, used);
}

#endif
