/* Interpolation along one axis: each place of the result is a sum of a few places of the source, each with its weight.
 * Shapes: x [outer][in][inner], index and weight [out][taps], y [outer][out][inner]; rows of y are runs of `width` of its elements, width a divisor of
 *         inner, or out where inner is 1; rows first to first + rows - 1 are written, from y on.
 * Requires: 0 <= index < in; taps >= 1; y overlaps nothing that is read.
 * Numerics: float sums in order of the taps, with FMA where the level has it. */
#ifndef VITCC_TEMPLATES_RESAMPLE_F32_H
#define VITCC_TEMPLATES_RESAMPLE_F32_H

#include "vec_f32.h"

/* y[i] = the sum over the taps of weight * x[index * inner + i], count elements. */
TEMPLATE void resample_run_f32(const float *x, const int64_t *index, const float *weight, float *y, int taps, size_t inner, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vf sum = vf_splat(weight[0]) * vf_load(x + (size_t)index[0] * inner + i);
        for (int t = 1; t < taps; t++) sum = vf_fma(vf_splat(weight[t]), vf_load(x + (size_t)index[t] * inner + i), sum);
        vf_store(y + i, sum);
    }
    if (i == count) return;
    const int left = (int)(count - i);
    vf sum = vf_splat(weight[0]) * vf_load_part(x + (size_t)index[0] * inner + i, left);
    for (int t = 1; t < taps; t++) sum = vf_fma(vf_splat(weight[t]), vf_load_part(x + (size_t)index[t] * inner + i, left), sum);
    vf_store_part(y + i, sum, left);
}

/* Along the last axis: element by element. */
TEMPLATE void resample_last_f32(const float *x, const int64_t *index, const float *weight, float *y, int taps, size_t in, size_t out, size_t first,
                                size_t rows)
{
    for (size_t r = 0; r < rows; r++, y += out) {
        const float *from = x + (first + r) * in;
        for (size_t o = 0; o < out; o++) {
            float sum = weight[o * (size_t)taps] * from[index[o * (size_t)taps]];
            for (int t = 1; t < taps; t++) sum += weight[o * (size_t)taps + (size_t)t] * from[index[o * (size_t)taps + (size_t)t]];
            y[o] = sum;
        }
    }
}

TEMPLATE void resample_f32(const float *x, const int64_t *index, const float *weight, float *y, int taps, size_t in, size_t out, size_t inner,
                           size_t width, size_t first, size_t rows)
{
    const size_t each = inner / width;   /* rows of one place */
    for (size_t r = first; r < first + rows;) {
        const size_t place = r / each, o = place % out, at = r % each, left = first + rows - r, count = each - at < left ? each - at : left;
        resample_run_f32(x + place / out * in * inner + at * width, index + o * (size_t)taps, weight + o * (size_t)taps, y, taps, inner, count * width);
        y += count * width;
        r += count;
    }
}

#endif
