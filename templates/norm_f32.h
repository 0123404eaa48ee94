/* Layer and root-mean-square normalisation of rows.
 * Shapes: x [rows][ldx], y [rows][ldy], n values of each row; gamma, beta [n], NULL: ones, zeros. y may be x.
 * Requires: n >= 1.
 * Numerics: the mean first, then the squares of what deviates from it, corrected by the sum of the deviations, which rounding keeps from 0: rows
 *         with a large mean lose nothing. Partial sums: four vectors, then halves.
 * Source: Ba, Kiros, Hinton, "Layer Normalization", 2016; Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019;
 *         Chan, Golub, LeVeque, 1983. */
#ifndef VITCC_TEMPLATES_NORM_F32_H
#define VITCC_TEMPLATES_NORM_F32_H

#include "math_f32.h"

/* Sum of x - shift and of (x - shift)²; the lanes past n count nothing. */
TEMPLATE void norm_sums_f32(const float *x, int n, float shift, float *sum, float *squares)
{
    vf s[4] = { { 0 } }, q[4] = { { 0 } };
    const vf centre = vf_splat(shift);
    int i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        UNROLL
        for (int j = 0; j < 4; j++) {
            const vf d = vf_load(x + i + j * LANES) - centre;
            s[j] += d;
            q[j] = vf_fma(d, d, q[j]);
        }
    }
    for (; i < n; i += LANES) {
        const vf d = vf_keep(vi_first(n - i), vf_load_part(x + i, n - i) - centre);
        s[0] += d;
        q[0] = vf_fma(d, d, q[0]);
    }
    *sum = vf_sum((s[0] + s[1]) + (s[2] + s[3]));
    *squares = vf_sum((q[0] + q[1]) + (q[2] + q[3]));
}

/* y = ((x - mean) - rest) * scale * gamma + beta of `count` values from i on. */
TEMPLATE void norm_vector_f32(const float *x, float *y, int i, int count, const float *gamma, const float *beta, vf mean, vf rest, vf scale)
{
    vf v = ((vf_load_part(x + i, count) - mean) - rest) * scale;
    if (gamma && beta) v = vf_fma(v, vf_load_part(gamma + i, count), vf_load_part(beta + i, count));
    else if (gamma) v = v * vf_load_part(gamma + i, count);
    else if (beta) v = v + vf_load_part(beta + i, count);
    vf_store_part(y + i, v, count);
}

TEMPLATE void layer_norm_f32(const float *x, int ldx, float *y, int ldy, int rows, int n, const float *gamma, const float *beta, float epsilon)
{
    for (int r = 0; r < rows; r++, x += ldx, y += ldy) {
        float sum, squares;
        norm_sums_f32(x, n, 0, &sum, &squares);
        const float mean = sum / (float)n;
        norm_sums_f32(x, n, mean, &sum, &squares);
        const float rest = sum / (float)n;
        const float variance = squares / (float)n - rest * rest;
        const vf scale = vf_splat(1 / sqrtf((variance < 0 ? 0 : variance) + epsilon));
        int i = 0;
        for (; i + LANES <= n; i += LANES) norm_vector_f32(x, y, i, LANES, gamma, beta, vf_splat(mean), vf_splat(rest), scale);
        if (i < n) norm_vector_f32(x, y, i, n - i, gamma, beta, vf_splat(mean), vf_splat(rest), scale);
    }
}

TEMPLATE void rms_norm_f32(const float *x, int ldx, float *y, int ldy, int rows, int n, const float *gamma, float epsilon)
{
    for (int r = 0; r < rows; r++, x += ldx, y += ldy) {
        float sum, squares;
        norm_sums_f32(x, n, 0, &sum, &squares);
        const vf zero = vf_splat(0), scale = vf_splat(1 / sqrtf(squares / (float)n + epsilon));
        int i = 0;
        for (; i + LANES <= n; i += LANES) norm_vector_f32(x, y, i, LANES, gamma, NULL, zero, zero, scale);
        if (i < n) norm_vector_f32(x, y, i, n - i, gamma, NULL, zero, zero, scale);
    }
}

#endif
