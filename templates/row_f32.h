/* One row times a block of packed weights. Each weight is read once, and reading them from memory is all that takes time: the sum's parts, which lie one
 * behind the other, are read side by side, so that more lines are on their way at any moment; where a part ends, the next block's are fetched.
 * Shapes: sums [ROW_WIDTH] = the sums over each part of x[part] w[part][ROW_WIDTH], added up; x [k], the last part is what is left.
 * Requires: k, part >= 1; sums overlaps nothing that is read.
 * Numerics: as linear_f32: each part summed in order, with FMA where the level has it, then the parts in order. */
#ifndef VITCC_TEMPLATES_ROW_F32_H
#define VITCC_TEMPLATES_ROW_F32_H

#include "fetch.h"
#include "vec_f32.h"

/* Before the loop over inputs: unrolled, gcc keeps some of the sums in memory. */
#if defined(__clang__)
#define ROW_LOOP
#else
#define ROW_LOOP _Pragma("GCC unroll 1")
#endif

enum {
    ROW_WIDTH = 32,                                              /* features */
    ROW_VECTORS = ROW_WIDTH / LANES,
    ROW_STREAMS = LANES == 16 ? 4 : LANES == 8 ? 3 : 1,          /* parts read side by side, whose sums are held in registers */
    ROW_AHEAD = 6                                                /* inputs from those in use to those that are fetched */
};

/* sums (+)= `streams` (a constant) parts. */
TEMPLATE void row_streams_f32(const float *w, const float *x, float *sums, int part, int streams, int add)
{
    const uintptr_t block = (uintptr_t)ROW_WIDTH * 4, next = (uintptr_t)(streams - 1) * (uintptr_t)part * block;
    vf sum[ROW_STREAMS][ROW_VECTORS];
    UNROLL
    for (int s = 0; s < ROW_STREAMS; s++) {
        UNROLL
        for (int v = 0; v < ROW_VECTORS; v++) sum[s][v] = vf_splat(0);
    }
    ROW_LOOP
    for (int i = 0; i < part; i++) {
        const uintptr_t ahead = ROW_AHEAD * block + (i < part - ROW_AHEAD ? 0 : next);
        UNROLL
        for (int s = 0; s < ROW_STREAMS; s++) {
            if (s >= streams) continue;
            const float *const at = w + ((ptrdiff_t)s * part + i) * ROW_WIDTH;
            UNROLL
            for (uintptr_t b = 0; b < block; b += FETCH_LINE) __builtin_prefetch((const void *)((uintptr_t)at + ahead + b), 0, 2);
            const vf one = vf_splat(x[s * part + i]);
            UNROLL
            for (int v = 0; v < ROW_VECTORS; v++) sum[s][v] = vf_fma(one, vf_load(at + v * LANES), sum[s][v]);
        }
    }
    UNROLL
    for (int v = 0; v < ROW_VECTORS; v++) {
        vf all = add ? sum[0][v] + vf_load(sums + v * LANES) : sum[0][v];
        UNROLL
        for (int s = 1; s < ROW_STREAMS; s++)
            if (s < streams) all = sum[s][v] + all;
        vf_store(sums + v * LANES, all);
    }
}

/* Not inlined: one copy serves all instances. */
static __attribute__((noinline, unused)) void row_f32(const float *w, const float *x, float *sums, int k, int part)
{
    const int parts = k / part, turns = (parts + ROW_STREAMS - 1) / ROW_STREAMS, rest = k % part;
    for (int i = 0, p = 0; i < turns; i++) {
        const int streams = parts / turns + (i < parts % turns);
        const float *const from = w + (ptrdiff_t)p * part * ROW_WIDTH, *const factors = x + p * part;
        switch (streams) {
        case 1: row_streams_f32(from, factors, sums, part, 1, p > 0); break;
        case 2: row_streams_f32(from, factors, sums, part, 2, p > 0); break;
        case 3: row_streams_f32(from, factors, sums, part, 3, p > 0); break;
        default: row_streams_f32(from, factors, sums, part, ROW_STREAMS, p > 0);
        }
        p += streams;
    }
    if (rest) row_streams_f32(w + (ptrdiff_t)(k - rest) * ROW_WIDTH, x + k - rest, sums, rest, 1, parts > 0);
}

#endif
