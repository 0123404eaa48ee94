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

TEMPLATE void linear_f32(gemm_code *const *code, const float *x, int ldx, const float *w, float *y, int ldy, int rows, size_t first_row, int n,
                         int k, int bn, int tile, int low, int add, epilogue_f32 *epilogue, const void *operands)
{
    const int tiles = tile_count(rows, tile);
    for (int column = 0; column < n; column += bn) {
        const int width = n - column < bn ? n - column : bn;
        const float *block = w + (ptrdiff_t)column * k;
        for (int i = 0, r = 0; i < tiles; i++) {
            const int height = tile_height(rows, tiles, i);
            float *out = y + (ptrdiff_t)r * ldy + column;
            gemm_code *const kernel = code ? code[(height - low) * 2 + (width != bn)] : NULL;
            gemm_f32(kernel, block, x + (ptrdiff_t)r * ldx, out, width, height, k, width, ldx, ldy, add);
            epilogue(out, ldy, height, width, first_row + (size_t)r, column, operands);
            r += height;
        }
    }
}

#endif
