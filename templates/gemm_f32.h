/* A small matrix product with the weights' matrix first: by a kernel made for the shape, or by the portable one below.
 * Shapes: c[n][ldc] (+)= sum over k of b[n][ldb] a[k][lda]; m features contiguous in a and c.
 * Requires: lda, ldc >= m, ldb >= k, all in floats; c overlaps neither a nor b. Nothing outside the shapes is read or written.
 * Numerics: float sums in order of k, with FMA where the level has it. `add`: the sum starts from c. */
#ifndef VITCC_TEMPLATES_GEMM_F32_H
#define VITCC_TEMPLATES_GEMM_F32_H

#include "../runtime/gemm.h"
#include "vec_f32.h"

enum {
    GEMM_ROWS = 6,                            /* rows of c held in registers */
    GEMM_VECTORS = LANES == 16 ? 4 : 2,       /* vectors of a row held in registers: 12 sums of 16 registers, or 24 of 32 */
    GEMM_DEPTH = 768                          /* how much of k is done for all rows before the next */
};

/* rows x vectors (constants) of c; of the last vector `count` lanes. */
TEMPLATE void gemm_block_f32(const float *a, const float *b, float *c, int k, ptrdiff_t lda, ptrdiff_t ldb, ptrdiff_t ldc, int add, int rows,
                             int vectors, int count)
{
    vf sum[GEMM_ROWS][GEMM_VECTORS];
    UNROLL
    for (int r = 0; r < GEMM_ROWS; r++) {
        UNROLL
        for (int v = 0; v < GEMM_VECTORS; v++) {
            if (r >= rows || v >= vectors) continue;
            sum[r][v] = add ? vf_load_part(c + r * ldc + v * LANES, v < vectors - 1 ? LANES : count) : vf_splat(0);
        }
    }
    for (int i = 0; i < k; i++, a += lda, b++) {
        vf w[GEMM_VECTORS];
        UNROLL
        for (int v = 0; v < GEMM_VECTORS; v++)
            if (v < vectors) w[v] = vf_load_part(a + v * LANES, v < vectors - 1 ? LANES : count);
        UNROLL
        for (int r = 0; r < GEMM_ROWS; r++) {
            if (r >= rows) continue;
            const vf x = vf_splat(b[r * ldb]);
            UNROLL
            for (int v = 0; v < GEMM_VECTORS; v++)
                if (v < vectors) sum[r][v] = vf_fma(x, w[v], sum[r][v]);
        }
    }
    UNROLL
    for (int r = 0; r < GEMM_ROWS; r++) {
        UNROLL
        for (int v = 0; v < GEMM_VECTORS; v++)
            if (r < rows && v < vectors) vf_store_part(c + r * ldc + v * LANES, sum[r][v], v < vectors - 1 ? LANES : count);
    }
}

/* `vectors` (a constant) vectors of features of all n rows: blocks of at most GEMM_ROWS rows, heights differing by at most one. */
TEMPLATE void gemm_columns_f32(const float *a, const float *b, float *c, int n, int k, ptrdiff_t lda, ptrdiff_t ldb, ptrdiff_t ldc, int add,
                               int vectors, int count)
{
    const int blocks = (n + GEMM_ROWS - 1) / GEMM_ROWS;
    for (int i = 0, r = 0; i < blocks; i++) {
        const int rows = n / blocks + (i < n % blocks);
        const float *x = b + r * ldb;
        float *y = c + r * ldc;
        switch (rows) {
        case 1: gemm_block_f32(a, x, y, k, lda, ldb, ldc, add, 1, vectors, count); break;
        case 2: gemm_block_f32(a, x, y, k, lda, ldb, ldc, add, 2, vectors, count); break;
        case 3: gemm_block_f32(a, x, y, k, lda, ldb, ldc, add, 3, vectors, count); break;
        case 4: gemm_block_f32(a, x, y, k, lda, ldb, ldc, add, 4, vectors, count); break;
        case 5: gemm_block_f32(a, x, y, k, lda, ldb, ldc, add, 5, vectors, count); break;
        default: gemm_block_f32(a, x, y, k, lda, ldb, ldc, add, 6, vectors, count);
        }
        r += rows;
    }
}

/* A part of k that fits the caches: all features of all rows. */
static __attribute__((noinline, unused)) void gemm_part_f32(const float *a, const float *b, float *c, int m, int n, int k, int lda, int ldb, int ldc,
                                                            int add)
{
    int j = 0;
    for (; j + GEMM_VECTORS * LANES <= m; j += GEMM_VECTORS * LANES)
        gemm_columns_f32(a + j, b, c + j, n, k, lda, ldb, ldc, add, GEMM_VECTORS, LANES);
    for (; GEMM_VECTORS > 2 && j + 2 * LANES <= m; j += 2 * LANES) gemm_columns_f32(a + j, b, c + j, n, k, lda, ldb, ldc, add, 2, LANES);
    for (; j + LANES <= m; j += LANES) gemm_columns_f32(a + j, b, c + j, n, k, lda, ldb, ldc, add, 1, LANES);
    if (j < m) gemm_columns_f32(a + j, b, c + j, n, k, lda, ldb, ldc, add, 1, m - j);
}

/* Any shape. Neither this nor the part is inlined: one copy serves all instances. */
static __attribute__((noinline, unused)) void gemm_portable_f32(const float *a, const float *b, float *c, int m, int n, int k, int lda, int ldb,
                                                                int ldc, int add)
{
    int i = 0;
    do {
        const int depth = k - i < GEMM_DEPTH ? k - i : GEMM_DEPTH;
        gemm_part_f32(a + (ptrdiff_t)i * lda, b + i, c, m, n, depth, lda, ldb, ldc, add || i > 0);
        i += depth;
    } while (i < k);
}

/* code: a kernel of exactly this shape; NULL: there is none. */
TEMPLATE void gemm_f32(gemm_code *code, const float *a, const float *b, float *c, int m, int n, int k, int lda, int ldb, int ldc, int add)
{
    if (code) code(a, b, c);
    else gemm_portable_f32(a, b, c, m, n, k, lda, ldb, ldc, add);
}

/* c = the sum of `count` products of that shape, of the i-th of which a and b start a_offset[i] and b_offset[i] bytes behind those given.
 * Numerics: one float sum, product after product. */
TEMPLATE void gemm_batch_f32(gemm_code *code, const float *a, const float *b, float *c, int m, int n, int k, int lda, int ldb, int ldc,
                             unsigned long long count, const unsigned long long *a_offset, const unsigned long long *b_offset)
{
    if (code) code(a, b, c, &count, a_offset, b_offset);
    else
        for (unsigned long long i = 0; i < count; i++)
            gemm_portable_f32(a + a_offset[i] / sizeof *a, b + b_offset[i] / sizeof *b, c, m, n, k, lda, ldb, ldc, i > 0);
}

#endif
