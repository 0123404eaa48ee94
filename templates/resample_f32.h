/* Interpolation or pooling along one axis: each place of the result is a weighted sum, or the largest, of a few places of the source.
 * Shapes: x [outer][in][inner], index [out][taps], weight the same, NULL: the largest is taken, y [outer][out][inner]; rows of y are runs of `width` of its elements, width a divisor of
 *         inner, or out where inner is 1; rows first to first + rows - 1 are written, from y on.
 * Requires: 0 <= index < in; taps >= 1; y overlaps nothing that is read.
 * Numerics: float sums in order of the taps, with FMA where the level has it. */
#ifndef VITCC_TEMPLATES_RESAMPLE_F32_H
#define VITCC_TEMPLATES_RESAMPLE_F32_H

#include "math_f32.h"

/* `count` lanes of one place. */
TEMPLATE vf resample_vector_f32(const float *x, const int64_t *index, const float *weight, int taps, size_t inner, int count)
{
    vf result = vf_load_part(x + (size_t)index[0] * inner, count);
    if (weight) result *= vf_splat(weight[0]);
    for (int t = 1; t < taps; t++) {
        const vf next = vf_load_part(x + (size_t)index[t] * inner, count);
        result = weight ? vf_fma(vf_splat(weight[t]), next, result) : vf_max(result, next);
    }
    return result;
}

/* `count` elements of one place. */
TEMPLATE void resample_run_f32(const float *x, const int64_t *index, const float *weight, float *y, int taps, size_t inner, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) vf_store(y + i, resample_vector_f32(x + i, index, weight, taps, inner, LANES));
    if (i < count) vf_store_part(y + i, resample_vector_f32(x + i, index, weight, taps, inner, (int)(count - i)), (int)(count - i));
}

/* Tap t of `count` neighbouring places of the last axis. */
TEMPLATE vf resample_tap_f32(const float *from, const int64_t *index, const float *weight, int taps, int t, int count, vf *factor)
{
    float value[LANES] = { 0 }, by[LANES] = { 0 };
    for (int i = 0; i < count; i++) value[i] = from[index[i * taps + t]];
    for (int i = 0; weight && i < count; i++) by[i] = weight[i * taps + t];
    *factor = vf_load(by);
    return vf_load(value);
}

/* `count` neighbouring places of the last axis. */
TEMPLATE void resample_places_f32(const float *from, const int64_t *index, const float *weight, float *y, int taps, int count)
{
    vf factor, result = resample_tap_f32(from, index, weight, taps, 0, count, &factor);
    if (weight) result *= factor;
    for (int t = 1; t < taps; t++) {
        const vf next = resample_tap_f32(from, index, weight, taps, t, count, &factor);
        result = weight ? vf_fma(factor, next, result) : vf_max(result, next);
    }
    vf_store_part(y, result, count);
}

/* Along the last axis: elements are picked one by one, then computed together. */
TEMPLATE void resample_last_f32(const float *x, const int64_t *index, const float *weight, float *y, int taps, size_t in, size_t out, size_t first,
                                size_t rows)
{
    for (size_t r = 0; r < rows; r++, y += out) {
        const float *from = x + (first + r) * in;
        size_t o = 0;
        for (; o + LANES <= out; o += LANES)
            resample_places_f32(from, index + o * (size_t)taps, weight ? weight + o * (size_t)taps : NULL, y + o, taps, LANES);
        if (o < out) resample_places_f32(from, index + o * (size_t)taps, weight ? weight + o * (size_t)taps : NULL, y + o, taps, (int)(out - o));
    }
}

TEMPLATE void resample_f32(const float *x, const int64_t *index, const float *weight, float *y, int taps, size_t in, size_t out, size_t inner,
                           size_t width, size_t first, size_t rows)
{
    const size_t each = inner / width;   /* rows of one place */
    for (size_t r = first; r < first + rows;) {
        const size_t place = r / each, o = place % out, at = r % each, left = first + rows - r, count = each - at < left ? each - at : left;
        resample_run_f32(x + place / out * in * inner + at * width, index + o * (size_t)taps, weight ? weight + o * (size_t)taps : NULL, y, taps, inner,
                         count * width);
        y += count * width;
        r += count;
    }
}

#endif
