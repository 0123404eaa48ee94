/* A linear layer on packed weights, tile by tile, each tile finished by an epilogue while it is hot.
 * Shapes: y [rows][ldy] = epilogue(x [rows][ldx] · W), W: k inputs, n outputs, in blocks of bn outputs: block j at w + j bn k, laid out [k][width],
 *         width = bn, or what is left in the last block.
 * Requires: rows >= 0; tile, bn, part >= 1; code: NULL, or [height - low][0: whole block, 1: the last, narrower one][0: `part` inputs, 1: what is
 *         left of them] for each height that occurs, NULL where there is no kernel; kernels write rows ldy apart if part >= k, else a block's width
 *         apart. y overlaps neither x nor w. first_row: the row of y's first in the whole result, for the epilogue.
 *         few: so many rows or fewer cost what their weights cost from memory: they are multiplied by indirect_f32, which fetches the next meanwhile.
 * Numerics: sums of `part` products in order, as gemm_f32; then the sum of those. With parts of 256 the error is about half of one long sum's. */
#ifndef VITCC_TEMPLATES_LINEAR_F32_H
#define VITCC_TEMPLATES_LINEAR_F32_H

#include "epilogue_f32.h"
#include "gemm_f32.h"
#include "indirect_f32.h"

/* How many tiles of at most `tile` rows; tile i has rows / tiles of them, one more if i < rows % tiles. */
TEMPLATE int tile_count(int rows, int tile)
{
    return (rows + tile - 1) / tile;
}

TEMPLATE int tile_height(int rows, int tiles, int i)
{
    return rows / tiles + (i < rows % tiles);
}

/* The outputs of one block, [k][width], of at most `few` rows. */
TEMPLATE void linear_few_f32(const float *x, int ldx, const float *block, float *y, int ldy, int rows, size_t first_row, int k, int part, int width,
                             int few, int add, int column, epilogue_f32 *epilogue, const void *operands)
{
    const int parts = (k + part - 1) / part;
    const float *at[few];
    float sums[few * width];
    const tile_f32 done = { sums, width, 1, 0, add };
    for (int i = 0; i < rows; i++) at[i] = x + (ptrdiff_t)i * ldx;
    for (int p = 0; p < parts; p++) {
        const int first = p * part, count = k - first < part ? k - first : part;
        const indirect_runs runs = { at, rows, 1, first, count };
        indirect_f32(block + (ptrdiff_t)first * width, width, &runs, rows, sums, p > 0);
    }
    epilogue(&done, y, ldy, rows, width, first_row, column, operands);
}

/* The outputs of one block, [k][width], the first of which is y's `column`. rest: 1: it is the last, narrower one. direct: kernels write y itself. */
TEMPLATE void linear_block_f32(gemm_code *const *code, const float *x, int ldx, const float *block, float *y, int ldy, int rows, size_t first_row,
                               int k, int part, int width, int rest, int tile, int low, int few, int direct, int add, int column,
                               epilogue_f32 *epilogue, const void *operands)
{
    if (few && rows <= few) {
        linear_few_f32(x, ldx, block, y, ldy, rows, first_row, k, part, width, few, add, column, epilogue, operands);
        return;
    }
    const int tiles = tile_count(rows, tile), parts = (k + part - 1) / part;
    float sums[direct ? 1 : parts * tile * width];
    for (int i = 0, r = 0; i < tiles; i++) {
        const int height = tile_height(rows, tiles, i);
        float *const out = y + (ptrdiff_t)r * ldy;
        const tile_f32 done = { direct ? out : sums, direct ? ldy : width, parts, (ptrdiff_t)height * width, add };
        for (int p = 0; p < parts; p++) {
            const int first = p * part, count = k - first < part ? k - first : part;
            gemm_code *const kernel = code ? code[((height - low) * 2 + rest) * 2 + (count < part)] : NULL;
            gemm_f32(kernel, block + (ptrdiff_t)first * width, x + (ptrdiff_t)r * ldx + first, direct ? out : sums + p * done.stride, width, height,
                     count, width, ldx, done.ld, 0);
        }
        epilogue(&done, out, ldy, height, width, first_row + (size_t)r, column, operands);
        r += height;
    }
}

/* Blocks first to first + blocks - 1 of the outputs. */
TEMPLATE void linear_columns_f32(gemm_code *const *code, const float *x, int ldx, const float *w, float *y, int ldy, int rows, size_t first_row,
                                 int first, int blocks, int n, int k, int part, int bn, int tile, int low, int few, epilogue_f32 *epilogue,
                                 const void *operands)
{
    for (int column = first * bn; column < (first + blocks) * bn; column += bn) {
        const int width = n - column < bn ? n - column : bn;
        linear_block_f32(code, x, ldx, w + (ptrdiff_t)column * k, y + column, ldy, rows, first_row, k, part, width, width != bn, tile, low, few,
                         k <= part, 0, column, epilogue, operands);
    }
}

TEMPLATE void linear_f32(gemm_code *const *code, const float *x, int ldx, const float *w, float *y, int ldy, int rows, size_t first_row, int n,
                         int k, int part, int bn, int tile, int low, int few, epilogue_f32 *epilogue, const void *operands)
{
    linear_columns_f32(code, x, ldx, w, y, ldy, rows, first_row, 0, (n + bn - 1) / bn, n, k, part, bn, tile, low, few, epilogue, operands);
}

#endif
