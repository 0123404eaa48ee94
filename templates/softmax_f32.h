/* Softmax along contiguous rows, or along any axis.
 * Shapes: x, y [rows][n], rows ldx and ldy apart; softmax_axis_f32: [outer][axis][inner]. y may be x.
 * Requires: n, axis >= 1.
 * Numerics: the largest is subtracted first, which rounds: relative error 6e-7 + 7e-8 |log y|; shares below e^-87 of the largest are 0. A row with a
 *         NaN, or all of -infinity, becomes NaN. */
#ifndef VITCC_TEMPLATES_SOFTMAX_F32_H
#define VITCC_TEMPLATES_SOFTMAX_F32_H

#include "math_f32.h"

/* The largest of n values; NaN are passed over or returned. */
TEMPLATE float row_largest_f32(const float *x, int n)
{
    vf top = vf_splat(-INFINITY);
    int i = 0;
    for (; i + LANES <= n; i += LANES) top = vf_larger(vf_load(x + i), top);
    if (i < n) top = vf_larger(vf_select(vi_first(n - i), vf_load_part(x + i, n - i), top), top);
    return vf_largest(top);
}

/* y = e^((x - top) scale); returns the sum. Where x is top the result is 1, unless it is NaN or infinite. */
TEMPLATE float row_exp_f32(const float *x, float *y, int n, float top, float scale)
{
    vf sum = vf_splat(0);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf e = vf_exp_below(vf_load(x + i) - top, scale);
        vf_store(y + i, e);
        sum += e;
    }
    if (i < n) {
        const vf e = vf_keep(vi_first(n - i), vf_exp_below(vf_load_part(x + i, n - i) - top, scale));
        vf_store_part(y + i, e, n - i);
        sum += e;
    }
    return vf_sum(sum);
}

TEMPLATE void row_scale_f32(const float *x, float *y, int n, float factor)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(y + i, vf_load(x + i) * factor);
    if (i < n) vf_store_part(y + i, vf_load_part(x + i, n - i) * factor, n - i);
}

TEMPLATE void softmax_f32(const float *x, int ldx, float *y, int ldy, int rows, int n)
{
    for (int r = 0; r < rows; r++, x += ldx, y += ldy) row_scale_f32(y, y, n, 1 / row_exp_f32(x, y, n, row_largest_f32(x, n), 1));
}

/* The softmax of `count` neighbouring columns, their values `inner` apart. */
TEMPLATE void softmax_columns_f32(const float *x, float *y, int axis, size_t inner, int count)
{
    vf top = vf_splat(-INFINITY), sum = vf_splat(0);
    for (int a = 0; a < axis; a++) top = vf_larger(vf_load_part(x + (size_t)a * inner, count), top);
    for (int a = 0; a < axis; a++) {
        const vf e = vf_exp_below(vf_load_part(x + (size_t)a * inner, count) - top, 1);
        vf_store_part(y + (size_t)a * inner, e, count);
        sum += e;
    }
    const vf factor = 1.f / sum;
    for (int a = 0; a < axis; a++) vf_store_part(y + (size_t)a * inner, vf_load_part(y + (size_t)a * inner, count) * factor, count);
}

TEMPLATE void softmax_axis_f32(const float *x, float *y, size_t outer, int axis, size_t inner)
{
    for (size_t o = 0; o < outer; o++, x += (size_t)axis * inner, y += (size_t)axis * inner) {
        if (inner == 1) {
            softmax_f32(x, axis, y, axis, 1, axis);
            continue;
        }
        const size_t whole = inner / LANES * LANES;
        for (size_t i = 0; i < whole; i += LANES) softmax_columns_f32(x + i, y + i, axis, inner, LANES);
        if (whole < inner) softmax_columns_f32(x + whole, y + whole, axis, inner, (int)(inner - whole));
    }
}

#endif
