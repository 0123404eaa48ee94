/* A linear layer on packed weights, tile by tile, each tile finished by an epilogue while it is hot.
 * Shapes: y [rows][ldy] = epilogue(x [rows][ldx] · W), W: k inputs, n outputs, in blocks of bn outputs: block j at w + j bn k, laid out [k][width],
 *         width = bn, or what is left in the last block.
 * Requires: rows >= 0; cut.tile, bn, part >= 1; part a multiple of cut.step. code: NULL, or for each height that occurs [height - cut.low][0: whole
 *         block, 1: the last, narrower one][0: `part` inputs, 1: what is left of them], or with steps [height - cut.low][whole block or not]
 *         [1: adding to the sums][0: cut.step inputs, 1: what is left], NULL where there is no kernel; kernels write rows ldy apart if part >= k,
 *         else a block's width apart. y overlaps neither x nor w. first_row: the row of y's first in the whole result, for the epilogue.
 * Numerics: sums of `part` products in order, as gemm_f32; then the sum of those. With parts of 256 the error is about half of one long sum's. */
#ifndef VITCC_TEMPLATES_LINEAR_F32_H
#define VITCC_TEMPLATES_LINEAR_F32_H

#include "epilogue_f32.h"
#include "fetch.h"
#include "gemm_f32.h"
#include "row_f32.h"

/* How rows and inputs are cut. */
typedef struct linear_cut {
    int tile;   /* rows at a time, at most */
    int low;    /* the least rows for which there are kernels */
    int step;   /* inputs of a kernel's call: between two calls some of the weights to come are fetched into the second-level cache, all of a block's
                   over the time that a block takes; 0: a whole part, nothing is fetched */
    int few;    /* so many rows or fewer cost what their weights cost from memory: they run on indirect_f32, which fetches while it multiplies */
} linear_cut;

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
    const int parts = (k + part - 1) / part, whole = rows == 1 && width == ROW_WIDTH ? k / part : 0;
    const float *at[few];
    float sums[few * width];
    const tile_f32 done = { sums, width, 1, 0, add };
    for (int i = 0; i < rows; i++) at[i] = x + (ptrdiff_t)i * ldx;
    if (whole) row_f32(block, x, sums, whole, part);
    for (int p = whole; p < parts; p++) {
        const int first = p * part, count = k - first < part ? k - first : part;
        const indirect_runs runs = { at, rows, 1, first, count };
        indirect_f32(block + (ptrdiff_t)first * width, width, &runs, rows, sums, p > 0);
    }
    epilogue(&done, y, ldy, rows, width, first_row, column, operands);
}

/* The outputs of one block, [k][width], the first of which is y's `column`. rest: 1: it is the last, narrower one. direct: kernels write y itself.
 * ahead: the weights that are multiplied next. */
TEMPLATE void linear_block_f32(gemm_code *const *code, const float *x, int ldx, const float *block, float *y, int ldy, int rows, size_t first_row,
                               int k, int part, int width, int rest, linear_cut cut, int direct, int add, int column, const float *ahead,
                               epilogue_f32 *epilogue, const void *operands)
{
    if (cut.few && rows <= cut.few) {
        linear_few_f32(x, ldx, block, y, ldy, rows, first_row, k, part, width, cut.few, add, column, epilogue, operands);
        return;
    }
    const int tiles = tile_count(rows, cut.tile), parts = (k + part - 1) / part, step = cut.step ? cut.step : part, ways = cut.step ? 2 : 1;
    const int calls = tiles * ((k + step - 1) / step), lines = cut.step ? fetch_share((ptrdiff_t)k * width, calls) : 0;
    float sums[direct ? 1 : parts * cut.tile * width];
    for (int i = 0, r = 0; i < tiles; i++) {
        const int height = tile_height(rows, tiles, i);
        float *const out = y + (ptrdiff_t)r * ldy;
        const tile_f32 done = { direct ? out : sums, direct ? ldy : width, parts, (ptrdiff_t)height * width, add };
        if (cut.step) fetch_tile_f32(out, ldy, height, width);
        for (int p = 0; p < parts; p++) {
            const int first = p * part, count = k - first < part ? k - first : part;
            for (int s = 0; s < count; s += step) {
                const int depth = count - s < step ? count - s : step;
                const int kind = (((height - cut.low) * 2 + rest) * ways + (s > 0)) * 2 + (depth < step);
                ahead = fetch_lines_f32(ahead, lines);
                gemm_f32(code ? code[kind] : NULL, block + (ptrdiff_t)(first + s) * width, x + (ptrdiff_t)r * ldx + first + s,
                         direct ? out : sums + p * done.stride, width, height, depth, width, ldx, done.ld, s > 0);
            }
        }
        epilogue(&done, out, ldy, height, width, first_row + (size_t)r, column, operands);
        r += height;
    }
}

/* Blocks first to first + blocks - 1 of the outputs. */
TEMPLATE void linear_columns_f32(gemm_code *const *code, const float *x, int ldx, const float *w, float *y, int ldy, int rows, size_t first_row,
                                 int first, int blocks, int n, int k, int part, int bn, linear_cut cut, epilogue_f32 *epilogue, const void *operands)
{
    for (int column = first * bn; column < (first + blocks) * bn; column += bn) {
        const int width = n - column < bn ? n - column : bn;
        const float *const block = w + (ptrdiff_t)column * k;
        linear_block_f32(code, x, ldx, block, y + column, ldy, rows, first_row, k, part, width, width != bn, cut, k <= part, 0, column,
                         block + (ptrdiff_t)width * k, epilogue, operands);
    }
}

TEMPLATE void linear_f32(gemm_code *const *code, const float *x, int ldx, const float *w, float *y, int ldy, int rows, size_t first_row, int n,
                         int k, int part, int bn, linear_cut cut, epilogue_f32 *epilogue, const void *operands)
{
    linear_columns_f32(code, x, ldx, w, y, ldy, rows, first_row, 0, (n + bn - 1) / bn, n, k, part, bn, cut, epilogue, operands);
}

#endif
