/* Means and variances of channels that lie last, for norms of groups of them.
 * Numerics: the mean of a run first, then the squares of what deviates from it, corrected by the sum of the deviations, so that a large mean costs nothing; the
 *         same of runs. Groups are joined in double.
 * Source: Chan, Golub, LeVeque, "Algorithms for Computing the Sample Variance", 1983; Wu, He, "Group Normalization", 2018. */
#ifndef VITCC_TEMPLATES_MOMENTS_F32_H
#define VITCC_TEMPLATES_MOMENTS_F32_H

#include "vec_f32.h"

/* The mean and variance of n values, at y and y + apart: from a mean that is nearly theirs, the sum of what deviates from it and that of the squares; the
 * mean of variances within the values is added. */
TEMPLATE void moments_store_f32(vf mean, vf sum, vf squares, float n, vf within, float *y, ptrdiff_t apart, int count)
{
    const vf rest = sum / vf_splat(n), variance = squares / vf_splat(n) - rest * rest;
    vf_store_part(y, mean + rest, count);
    vf_store_part(y + apart, vf_larger(vf_splat(0), variance) + within, count);
}

/* `vectors` (1 to 4) vectors of channels, of `count` lanes each. */
TEMPLATE void moments_columns_f32(const float *x, float *y, int places, int channels, int vectors, int count)
{
    vf mean[4] = { { 0 } }, sum[4] = { { 0 } }, squares[4] = { { 0 } };
    for (int p = 0; p < places; p++) {
        UNROLL
        for (int j = 0; j < vectors; j++) mean[j] += vf_load_part(x + (ptrdiff_t)p * channels + j * LANES, count);
    }
    UNROLL
    for (int j = 0; j < vectors; j++) mean[j] = mean[j] / vf_splat((float)places);
    for (int p = 0; p < places; p++) {
        UNROLL
        for (int j = 0; j < vectors; j++) {
            const vf apart = vf_load_part(x + (ptrdiff_t)p * channels + j * LANES, count) - mean[j];
            sum[j] += apart;
            squares[j] = vf_fma(apart, apart, squares[j]);
        }
    }
    UNROLL
    for (int j = 0; j < vectors; j++) moments_store_f32(mean[j], sum[j], squares[j], (float)places, vf_splat(0), y + j * LANES, channels, count);
}

/* Shapes: x [rows][places][channels] → y [rows][2][channels]: mean, mean square of what deviates from it.
 * Requires: places, channels >= 1. */
TEMPLATE void moments_f32(const float *x, float *y, int rows, int places, int channels)
{
    for (int r = 0; r < rows; r++, x += (ptrdiff_t)places * channels, y += 2 * channels) {
        int c = 0;
        for (; c + 4 * LANES <= channels; c += 4 * LANES) moments_columns_f32(x + c, y + c, places, channels, 4, LANES);
        for (; c < channels; c += LANES) moments_columns_f32(x + c, y + c, places, channels, 1, channels - c < LANES ? channels - c : LANES);
    }
}

/* Each channel's moments over all runs, which are of equal length: x [runs][2][channels] → y [2][channels]. */
TEMPLATE void join_runs_f32(const float *x, float *y, int runs, int channels)
{
    for (int c = 0; c < channels; c += LANES) {
        const int count = channels - c < LANES ? channels - c : LANES;
        const ptrdiff_t next = 2 * channels;
        vf mean = { 0 }, sum = { 0 }, squares = { 0 }, within = { 0 };
        for (int t = 0; t < runs; t++) mean += vf_load_part(x + t * next + c, count);
        mean = mean / vf_splat((float)runs);
        for (int t = 0; t < runs; t++) {
            const vf apart = vf_load_part(x + t * next + c, count) - mean;
            sum += apart;
            squares = vf_fma(apart, apart, squares);
            within += vf_load_part(x + t * next + channels + c, count);
        }
        moments_store_f32(mean, sum, squares, (float)runs, within / vf_splat((float)runs), y + c, channels, count);
    }
}

/* The groups' means, and gamma (NULL: 1) over the root of their variances.
 * Shapes: x [images][runs][2][channels], gamma [channels] → y [images][2][channels].
 * Requires: groups divides channels. */
TEMPLATE void join_moments_f32(const float *x, const float *gamma, float *y, int images, int runs, int channels, int groups, float epsilon)
{
    const int width = channels / groups;
    for (int i = 0; i < images; i++, x += (ptrdiff_t)runs * 2 * channels, y += 2 * channels) {
        join_runs_f32(x, y, runs, channels);
        for (int c = 0; c < channels; c += width) {
            double mean = 0, variance = 0;
            for (int j = c; j < c + width; j++) mean += (double)y[j];
            mean /= width;
            for (int j = c; j < c + width; j++) variance += (double)y[channels + j] + ((double)y[j] - mean) * ((double)y[j] - mean);
            const double scale = 1 / sqrt(variance / width + (double)epsilon);
            for (int j = c; j < c + width; j++) {
                y[j] = (float)mean;
                y[channels + j] = (float)(gamma ? scale * (double)gamma[j] : scale);
            }
        }
    }
}

#endif
