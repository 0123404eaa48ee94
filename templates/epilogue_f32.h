/* What is done to a tile of results while it is hot: its parts are summed, then a function of each value and of operands that broadcast to the
 * whole result.
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

/* A tile of sums [parts][rows][ld], the parts `stride` apart, which are added up; `add`: y holds something that is added, too. sums may be y. */
typedef struct tile_f32 {
    const float *sums;
    int ld, parts;
    ptrdiff_t stride;
    int add;
} tile_f32;

typedef void epilogue_f32(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands);
typedef vf tile_value_f32(vf y, const operand_f32 *operands, size_t row, int column, int count);

TEMPLATE vf operand_load(const operand_f32 *operand, size_t row, int column, int count)
{
    const float *p = operand->data + row * operand->row_stride + (ptrdiff_t)column * operand->column_stride;
    if (operand->column_stride == 1) return vf_load_part(p, count);
    if (operand->column_stride == 0) return vf_splat(*p);
    return vf_gather(p, operand->column_stride, count);
}

/* `count` lanes from column c of row r on: the parts' sum. */
TEMPLATE vf tile_sum_f32(const tile_f32 *tile, const float *y, int r, int c, int count)
{
    const float *p = tile->sums + (ptrdiff_t)r * tile->ld + c;
    vf sum = vf_load_part(p, count);
    for (int i = 1; i < tile->parts; i++) sum += vf_load_part(p + i * tile->stride, count);
    return tile->add ? sum + vf_load_part(y + c, count) : sum;
}

/* y = value(sum, …) on each vector of the tile. */
TEMPLATE void tile_map_f32(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands,
                           tile_value_f32 *value)
{
    for (int r = 0; r < rows; r++) {
        float *p = y + (ptrdiff_t)r * ldy;
        int c = 0;
        for (; c + LANES <= columns; c += LANES)
            vf_store(p + c, value(tile_sum_f32(tile, p, r, c, LANES), operands, row + (size_t)r, column + c, LANES));
        const int count = columns - c;
        if (count > 0) vf_store_part(p + c, value(tile_sum_f32(tile, p, r, c, count), operands, row + (size_t)r, column + c, count), count);
    }
}

TEMPLATE vf tile_identity_f32(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    (void)operands, (void)row, (void)column, (void)count;
    return y;
}

/* The sums as they are. */
TEMPLATE void tile_as_is_f32(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    if (tile->sums == y && tile->parts == 1) return;
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, tile_identity_f32);
}

#endif
