/* Products of rows that lie in pieces, with packed weights: a row's inputs are runs of elements side by side, each run anywhere.
 * Shapes: sums [rows][width] (+)= for each row r the sum over runs q and elements i of at[q * apart + r][first + i] * w[q * count + i][width], with q
 *         from 0 to runs - 1 and i from 0 to count - 1.
 * Requires: rows, runs, count, width >= 1; sums overlaps nothing that is read.
 * Numerics: float sums in order of run and element, with FMA where the level has it. `add`: that sum is added to sums, rounded once more.
 * While it multiplies, the weights behind its own are fetched into the second-level cache, evenly over the time: they are those of the next call. Of
 * so few rows that each weight is read once, those a kilobyte ahead. */
#ifndef VITCC_TEMPLATES_INDIRECT_F32_H
#define VITCC_TEMPLATES_INDIRECT_F32_H

#include "fetch.h"
#include "vec_f32.h"

/* Before the innermost loop: unrolled, gcc keeps some of the sums in memory. */
#if defined(__clang__)
#define INDIRECT_LOOP
#else
#define INDIRECT_LOOP _Pragma("GCC unroll 1")
#endif

enum {
    INDIRECT_ROWS = LANES == 16 ? 8 : 6,    /* rows of sums held in registers */
    INDIRECT_VECTORS = 2,                   /* vectors of a row held in registers */
    INDIRECT_STRETCH = 8,                   /* elements between two fetches */
    INDIRECT_NEAR = 1024                    /* bytes ahead that are fetched where each weight is read once */
};

typedef struct indirect_runs {
    const float *const *at;                 /* [runs][apart] */
    ptrdiff_t apart;
    int runs, first, count;
} indirect_runs;

/* sum += element i of each row, times w. */
TEMPLATE void indirect_element_f32(const float *w, const float *const *p, ptrdiff_t i, vf sum[INDIRECT_ROWS][INDIRECT_VECTORS], int rows, int vectors,
                                   int lanes)
{
    vf factor[INDIRECT_VECTORS];
    UNROLL
    for (int v = 0; v < INDIRECT_VECTORS; v++)
        if (v < vectors) factor[v] = vf_load_part(w + v * LANES, v < vectors - 1 ? LANES : lanes);
    UNROLL
    for (int r = 0; r < INDIRECT_ROWS; r++) {
        if (r >= rows) continue;
        const vf one = vf_splat(p[r][i]);
        UNROLL
        for (int v = 0; v < INDIRECT_VECTORS; v++)
            if (v < vectors) sum[r][v] = vf_fma(one, factor[v], sum[r][v]);
    }
}

/* `rows` x `vectors` (constants) of the sums, of the last vector `lanes` lanes; what lies at `ahead` is fetched, `pace` bytes a stretch. */
TEMPLATE void indirect_block_f32(const float *w, int width, const indirect_runs *x, int row, float *sums, int add, int rows, int vectors, int lanes,
                                 uintptr_t ahead, size_t pace)
{
    vf sum[INDIRECT_ROWS][INDIRECT_VECTORS];
    UNROLL
    for (int r = 0; r < INDIRECT_ROWS; r++) {
        UNROLL
        for (int v = 0; v < INDIRECT_VECTORS; v++) sum[r][v] = vf_splat(0);
    }
    const float *const *at = x->at + row;
    for (int q = 0; q < x->runs; q++, at += x->apart) {
        const float *p[INDIRECT_ROWS];
        UNROLL
        for (int r = 0; r < INDIRECT_ROWS; r++) p[r] = at[r < rows ? r : 0] + x->first;
        ptrdiff_t i = 0;
        for (; i + INDIRECT_STRETCH <= x->count; ahead += pace) {
            for (size_t b = 0; b < pace; b += FETCH_LINE) __builtin_prefetch((const void *)(ahead + b), 0, 2);
            INDIRECT_LOOP
            for (const ptrdiff_t end = i + INDIRECT_STRETCH; i < end; i++, w += width) indirect_element_f32(w, p, i, sum, rows, vectors, lanes);
        }
        for (; i < x->count; i++, w += width) indirect_element_f32(w, p, i, sum, rows, vectors, lanes);
    }
    UNROLL
    for (int r = 0; r < INDIRECT_ROWS; r++) {
        UNROLL
        for (int v = 0; v < INDIRECT_VECTORS; v++) {
            if (r >= rows || v >= vectors) continue;
            const int count = v < vectors - 1 ? LANES : lanes;
            float *to = sums + (ptrdiff_t)r * width + v * LANES;
            vf_store_part(to, add ? sum[r][v] + vf_load_part(to, count) : sum[r][v], count);
        }
    }
}

/* `vectors` (a constant) vectors of features of at most INDIRECT_ROWS rows. */
TEMPLATE void indirect_rows_f32(const float *w, int width, const indirect_runs *x, int row, float *sums, int add, int rows, int vectors, int lanes,
                                uintptr_t ahead, size_t pace)
{
    switch (rows) {
    case 1: indirect_block_f32(w, width, x, row, sums, add, 1, vectors, lanes, ahead, pace); break;
    case 2: indirect_block_f32(w, width, x, row, sums, add, 2, vectors, lanes, ahead, pace); break;
    case 3: indirect_block_f32(w, width, x, row, sums, add, 3, vectors, lanes, ahead, pace); break;
    case 4: indirect_block_f32(w, width, x, row, sums, add, 4, vectors, lanes, ahead, pace); break;
    case 5: indirect_block_f32(w, width, x, row, sums, add, 5, vectors, lanes, ahead, pace); break;
    case 6: indirect_block_f32(w, width, x, row, sums, add, 6, vectors, lanes, ahead, pace); break;
    case 7: indirect_block_f32(w, width, x, row, sums, add, INDIRECT_ROWS > 6 ? 7 : 6, vectors, lanes, ahead, pace); break;
    default: indirect_block_f32(w, width, x, row, sums, add, INDIRECT_ROWS, vectors, lanes, ahead, pace);
    }
}

/* All rows: blocks of at most INDIRECT_ROWS, heights differing by at most one. Not inlined: one copy serves all instances. */
static __attribute__((noinline, unused)) void indirect_f32(const float *w, int width, const indirect_runs *x, int rows, float *sums, int add)
{
    const int blocks = (rows + INDIRECT_ROWS - 1) / INDIRECT_ROWS, step = INDIRECT_VECTORS * LANES, fetches = x->runs * (x->count / INDIRECT_STRETCH);
    const size_t bytes = (size_t)x->runs * (size_t)x->count * (size_t)width * sizeof *w, turns = (size_t)(blocks * ((width + step - 1) / step) * fetches);
    const size_t even = turns ? (bytes + turns - 1) / turns : 0, pace = blocks == 1 || even < 2 * FETCH_LINE ? even : 2 * FETCH_LINE;
    uintptr_t ahead = (uintptr_t)w + (blocks == 1 ? INDIRECT_NEAR : bytes);
    for (int c = 0; c < width; c += step)
        for (int i = 0, r = 0; i < blocks; i++) {
            const int height = rows / blocks + (i < rows % blocks), left = width - c;
            float *const to = sums + (ptrdiff_t)r * width + c;
            if (left >= step) indirect_rows_f32(w + c, width, x, r, to, add, height, 2, LANES, ahead, pace);
            else if (left > LANES) indirect_rows_f32(w + c, width, x, r, to, add, height, 2, left - LANES, ahead, pace);
            else indirect_rows_f32(w + c, width, x, r, to, add, height, 1, left, ahead, pace);
            ahead += (size_t)fetches * pace;
            r += height;
        }
}

#endif
