/* A linear layer on packed weights, tile by tile, each tile finished by an epilogue while it is hot.
 * Shapes: y [rows][ldy] = epilogue(x [rows][ldx] · W), W: k inputs, n outputs, in blocks of bn outputs: block j at w + j bn k, laid out [k][width],
 *         width = bn, or what is left in the last block.
 * Requires: rows >= 0; cut.tile, cut.few, bn, part >= 1; cut.share >= cut.tile; part a multiple of cut.step. code: NULL, or for each height that occurs
 *         [height - cut.low][0: whole block, 1: the last, narrower one][0: `part` inputs, 1: what is left of them], or with steps [height - cut.low]
 *         [whole block or not][1: adding to the sums][0: cut.step inputs, 1: what is left], NULL where there is no kernel; kernels write rows ldy
 *         apart if part >= k, else a block's width apart. y overlaps neither x nor w. first_row: the row of y's first in the whole result, for the
 *         epilogue.
 * Numerics: sums of `part` products in order, as gemm_f32; then the sum of those. With parts of 256 the error is about half of one long sum's. */
#ifndef VITCC_TEMPLATES_LINEAR_F32_H
#define VITCC_TEMPLATES_LINEAR_F32_H

#include "epilogue_f32.h"
#include "fetch.h"
#include "gemm_f32.h"
#include "row_f32.h"

/* How rows and inputs are cut. */
typedef struct linear_cut {
    int tile;    /* rows at a time, at most */
    int low;     /* the least rows for which there are kernels */
    int step;    /* inputs of a kernel's call: before each, some of the weights to come are fetched into the second-level cache; 0: a whole part, and
                    nothing is fetched */
    int share;   /* of so many rows or fewer all tiles are multiplied with a step's weights before the next step's are read: such rows wait for weights.
                    More rows are multiplied tile by tile with a block's */
    int few;     /* in place of `tile`, of at most `share` rows */
    int row;     /* 1: a single row runs on row_f32 */
    int apart;   /* 0: a row's inputs lie side by side. Otherwise those of a step do, and input i, the first of its step, is i apart floats behind the
                    row's first: with as many as there are rows, a step's inputs of all rows lie together */
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

/* Rows a kernel's call, at most. */
TEMPLATE int linear_tile(int rows, linear_cut cut)
{
    return rows > cut.share ? cut.tile : cut.few;
}

/* Lines of weights that are fetched before each call. Rows that are one share read each weight once, and fetch those of the next step meanwhile;
 * otherwise a block's are read again and again, and the next block's are fetched over all of that time. */
TEMPLATE int linear_fetch_lines(int rows, int k, int width, linear_cut cut)
{
    const int tiles = tile_count(rows, linear_tile(rows, cut));
    if (!cut.step) return 0;
    if (rows <= cut.share) return fetch_share((ptrdiff_t)cut.step * width, tiles);
    return fetch_share((ptrdiff_t)k * width, tiles * ((k + cut.step - 1) / cut.step));
}

/* A single row's outputs of one block of ROW_WIDTH. */
TEMPLATE void linear_row_f32(const float *x, const float *block, float *y, size_t row, int k, int part, int add, int column, epilogue_f32 *epilogue,
                             const void *operands)
{
    float sums[ROW_WIDTH];
    const tile_f32 done = { sums, ROW_WIDTH, 1, 0, add };
    row_f32(block, x, sums, k, part);
    epilogue(&done, y, ROW_WIDTH, 1, ROW_WIDTH, row, column, operands);
}

/* The outputs of one block, [k][width], the first of which is y's `column`. rest: 1: it is the last, narrower one. direct: kernels write y itself.
 * next: the weights that are multiplied after it. */
TEMPLATE void linear_block_f32(gemm_code *const *code, const float *x, int ldx, const float *block, float *y, int ldy, int rows, size_t first_row,
                               int k, int part, int width, int rest, linear_cut cut, int direct, int add, int column, const float *next,
                               epilogue_f32 *epilogue, const void *operands)
{
    if (cut.row && rows == 1 && width == ROW_WIDTH) {
        linear_row_f32(x, block, y, first_row, k, part, add, column, epilogue, operands);
        return;
    }
    const int shares = rows > cut.share ? tile_count(rows, cut.tile) : rows > 0, parts = (k + part - 1) / part;
    const int step = cut.step ? cut.step : part, ways = cut.step ? 2 : 1;
    const int ld = direct ? ldy : width, lines = linear_fetch_lines(rows, k, width, cut);
    const float *ahead = next;
    float sums[direct ? 1 : parts * cut.share * width];
    for (int i = 0, r = 0, share; i < shares; i++, r += share) {
        share = tile_height(rows, shares, i);
        const int tiles = tile_count(share, linear_tile(rows, cut));
        float *const out = y + (ptrdiff_t)r * ldy;
        const tile_f32 done = { direct ? out : sums, ld, parts, (ptrdiff_t)share * width, add };
        if (cut.step) fetch_tile_f32(out, ldy, share, width);
        for (int f = 0, depth; f < k; f += depth) {
            const int p = f / part, s = f % part, left = k - f < part - s ? k - f : part - s;
            depth = left < step ? left : step;
            if (shares == 1 && f + depth < k) ahead = block + (ptrdiff_t)(f + depth) * width;
            else if (shares == 1) ahead = next;
            for (int t = 0, q = 0, height; t < tiles; t++, q += height) {
                height = tile_height(share, tiles, t);
                const int kind = (((height - cut.low) * 2 + rest) * ways + (s > 0)) * 2 + (depth < step);
                ahead = fetch_lines_f32(ahead, lines);
                gemm_f32(code ? code[kind] : NULL, block + (ptrdiff_t)f * width, x + (ptrdiff_t)(r + q) * ldx + (ptrdiff_t)f * (cut.apart ? cut.apart : 1),
                         (direct ? out : sums + p * done.stride) + (ptrdiff_t)q * ld, width, height, depth, width, ldx, ld, s > 0);
            }
        }
        epilogue(&done, out, ldy, share, width, first_row + (size_t)r, column, operands);
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
