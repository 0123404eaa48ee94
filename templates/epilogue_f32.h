/* What is done to a tile of results while it is hot: a function of each value and of operands that broadcast to the whole result.
 * Shapes: y [rows][ldy], `columns` of each row; its first value is at (row, column) of the whole result. operands: as many as `value` reads.
 * Requires: a value function that keeps count (1 to LANES) valid lanes valid; lanes behind hold zeros or anything. */
#ifndef VITCC_TEMPLATES_EPILOGUE_F32_H
#define VITCC_TEMPLATES_EPILOGUE_F32_H

#include "math_f32.h"

/* An array read at data[row * row_stride + column * column_stride]; stride 0 broadcasts. */
typedef struct operand_f32 {
    const float *data;
    size_t row_stride;
    int column_stride;
} operand_f32;

typedef void epilogue_f32(float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands);
typedef vf tile_value_f32(vf y, const operand_f32 *operands, size_t row, int column, int count);

TEMPLATE vf operand_load(const operand_f32 *operand, size_t row, int column, int count)
{
    const float *p = operand->data + row * operand->row_stride + (ptrdiff_t)column * operand->column_stride;
    if (operand->column_stride == 1) return vf_load_part(p, count);
    if (operand->column_stride == 0) return vf_splat(*p);
    return vf_gather(p, operand->column_stride, count);
}

/* y = value(y, …) on each vector of the tile. */
TEMPLATE void tile_map_f32(float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands, tile_value_f32 *value)
{
    for (int r = 0; r < rows; r++) {
        float *p = y + (ptrdiff_t)r * ldy;
        int c = 0;
        for (; c + LANES <= columns; c += LANES) vf_store(p + c, value(vf_load(p + c), operands, row + (size_t)r, column + c, LANES));
        if (c < columns) vf_store_part(p + c, value(vf_load_part(p + c, columns - c), operands, row + (size_t)r, column + c, columns - c), columns - c);
    }
}

/* Leaves the tile as it is. */
TEMPLATE void tile_as_is_f32(float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    (void)y, (void)ldy, (void)rows, (void)columns, (void)row, (void)column, (void)operands;
}

#endif
