/* Reductions along one axis.
 * Shapes: x [outer][axis][inner] → y [outer][inner]. Neighbouring axes reduced together are one axis.
 * Requires: y does not overlap x. axis 0 gives 0 for sums, 1 for prod, NaN for mean, -infinity for max, infinity for min.
 * Numerics: sums and products are held in double; max and min are NaN where any value is. */
#ifndef VITCC_TEMPLATES_REDUCE_F32_H
#define VITCC_TEMPLATES_REDUCE_F32_H

#include "level.h"

typedef enum reduce_kind { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_SUMSQ, REDUCE_L1, REDUCE_L2 } reduce_kind;

TEMPLATE double reduce_start(reduce_kind kind)
{
    return kind == REDUCE_PROD ? 1 : kind == REDUCE_MAX ? -INFINITY : kind == REDUCE_MIN ? INFINITY : 0;
}

TEMPLATE double reduce_step(reduce_kind kind, double so_far, double x)
{
    switch (kind) {
    case REDUCE_PROD: return so_far * x;
    case REDUCE_MAX: return x > so_far || x != x ? x : so_far;
    case REDUCE_MIN: return x < so_far || x != x ? x : so_far;
    case REDUCE_SUMSQ: case REDUCE_L2: return so_far + x * x;
    case REDUCE_L1: return so_far + fabs(x);
    default: return so_far + x;
    }
}

TEMPLATE float reduce_end(reduce_kind kind, double total, size_t axis)
{
    return (float)(kind == REDUCE_MEAN ? total / (double)axis : kind == REDUCE_L2 ? sqrt(total) : total);
}

enum { REDUCE_COLUMNS = 16 };   /* columns reduced side by side */

TEMPLATE void reduce_columns_f32(reduce_kind kind, const float *x, float *y, size_t axis, size_t inner, size_t columns)
{
    double total[REDUCE_COLUMNS];
    for (size_t c = 0; c < columns; c++) total[c] = reduce_start(kind);
    for (size_t a = 0; a < axis; a++)
        for (size_t c = 0; c < columns; c++) total[c] = reduce_step(kind, total[c], (double)x[a * inner + c]);
    for (size_t c = 0; c < columns; c++) y[c] = reduce_end(kind, total[c], axis);
}

/* A contiguous row: four totals side by side. */
TEMPLATE float reduce_row_f32(reduce_kind kind, const float *x, size_t axis)
{
    double total[4];
    for (int j = 0; j < 4; j++) total[j] = reduce_start(kind);
    const size_t whole = axis / 4 * 4;
    for (size_t i = 0; i < whole; i += 4)
        for (size_t j = 0; j < 4; j++) total[j] = reduce_step(kind, total[j], (double)x[i + j]);
    for (size_t i = whole; i < axis; i++) total[0] = reduce_step(kind, total[0], (double)x[i]);
    const reduce_kind join = kind == REDUCE_PROD || kind == REDUCE_MAX || kind == REDUCE_MIN ? kind : REDUCE_SUM;
    return reduce_end(kind, reduce_step(join, reduce_step(join, total[0], total[1]), reduce_step(join, total[2], total[3])), axis);
}

TEMPLATE void reduce_f32(reduce_kind kind, const float *x, float *y, size_t outer, size_t axis, size_t inner)
{
    for (size_t o = 0; o < outer; o++, x += axis * inner, y += inner) {
        if (inner == 1) {
            y[0] = reduce_row_f32(kind, x, axis);
            continue;
        }
        const size_t whole = inner / REDUCE_COLUMNS * REDUCE_COLUMNS;
        for (size_t i = 0; i < whole; i += REDUCE_COLUMNS) reduce_columns_f32(kind, x + i, y + i, axis, inner, REDUCE_COLUMNS);
        if (whole < inner) reduce_columns_f32(kind, x + whole, y + whole, axis, inner, inner - whole);
    }
}

#endif
