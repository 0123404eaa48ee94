/* A linear layer on packed weights, tile by tile, each tile finished by an epilogue while it is hot.
 * Shapes: y [rows][ldy] = epilogue(x [rows][ldx] · W), W: k inputs, n outputs, in blocks of bn outputs: block j at w + j bn k, laid out [k][width],
 *         width = bn, or what is left in the last block.
 * Requires: rows >= 0; tile, bn >= 1; code: NULL, or [height - low][0: whole block, 1: the last, narrower one] for each height that occurs, NULL
 *         where there is no kernel. y overlaps neither x nor w. first_row: the row of y's first in the whole result, for the epilogue.
 * Numerics: as gemm_f32. add: y holds something (a residual) to which the product is added; code must add, too. */
#ifndef VITCC_TEMPLATES_LINEAR_F32_H
#define VITCC_TEMPLATES_LINEAR_F32_H

#include "epilogue_f32.h"
#include "gemm_f32.h"

/* How many tiles of at most `tile` rows; tile i has rows / tiles of them, one more if i < rows % tiles. */
TEMPLATE int tile_count(int rows, int tile)
{
    return (rows + tile - 1) / tile;
}

TEMPLATE int tile_height(int rows, int tiles, int i)
{
    return rows / tiles + (i < rows % tiles);
}

/* The outputs of one block, [k][width], the first of which is y's `column`. rest: 1: it is the last, narrower one. */
TEMPLATE void linear_block_f32(gemm_code *const *code, const float *x, int ldx, const float *block, float *y, int ldy, int rows, size_t first_row,
                               int k, int width, int rest, int tile, int low, int add, int column, epilogue_f32 *epilogue, const void *operands)
{
    const int tiles = tile_count(rows, tile);
    for (int i = 0, r = 0; i < tiles; i++) {
        const int height = tile_height(rows, tiles, i);
        float *out = y + (ptrdiff_t)r * ldy;
        gemm_f32(code ? code[(height - low) * 2 + rest] : NULL, block, x + (ptrdiff_t)r * ldx, out, width, height, k, width, ldx, ldy, add);
        epilogue(out, ldy, height, width, first_row + (size_t)r, column, operands);
        r += height;
    }
}

TEMPLATE void linear_f32(gemm_code *const *code, const float *x, int ldx, const float *w, float *y, int ldy, int rows, size_t first_row, int n,
                         int k, int bn, int tile, int low, int add, epilogue_f32 *epilogue, const void *operands)
{
    for (int column = 0; column < n; column += bn) {
        const int width = n - column < bn ? n - column : bn;
        linear_block_f32(code, x, ldx, w + (ptrdiff_t)column * k, y + column, ldy, rows, first_row, k, width, width != bn, tile, low, add, column,
                         epilogue, operands);
    }
}

#endif
