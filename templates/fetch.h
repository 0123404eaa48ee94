/* Fetching what is needed later while something else is computed. */
#ifndef VITCC_TEMPLATES_FETCH_H
#define VITCC_TEMPLATES_FETCH_H

#include <stddef.h>

#include "level.h"

enum { FETCH_LINE = 64 };   /* bytes of a cache line */

/* The lines from `ahead` on, into the second-level cache. Returns what lies behind them. */
TEMPLATE const float *fetch_lines_f32(const float *ahead, int lines)
{
    for (int i = 0; i < lines; i++) __builtin_prefetch(ahead + (ptrdiff_t)i * (FETCH_LINE / 4), 0, 2);
    return ahead + (ptrdiff_t)lines * (FETCH_LINE / 4);
}

/* Of `floats` floats the lines that each of `calls` has to fetch. */
TEMPLATE int fetch_share(ptrdiff_t floats, int calls)
{
    return calls ? (int)((floats * 4 / FETCH_LINE + calls - 1) / calls) : 0;
}

/* A tile of the result, which will be written. */
TEMPLATE void fetch_tile_f32(const float *y, int ldy, int height, int width)
{
    for (int i = 0; i < height; i++)
        for (int c = 0; c < width; c += FETCH_LINE / 4) __builtin_prefetch(y + (ptrdiff_t)i * ldy + c, 1, 3);
}

#endif
