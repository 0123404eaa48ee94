/* Convolution with channels last: the image is multiplied where it lies, each window as runs of elements side by side.
 * Shapes: x [N][height][width][channels], row r of the result: pixel r % (out0 out1) of image r / (out0 out1); w: k = kernel0 kernel1 (channels of a
 *         group) inputs, n outputs, each group's n / groups side by side, in blocks of bn outputs: block j at w + j bn k, laid out [k][width], width
 *         = bn, or what is left in the last block; y [rows][n]. A run is `taps` neighbouring places of the window: one, a line of it, or all of it.
 *         Outputs column to column + columns - 1 are made, of all n: part of them only where groups are 1.
 * Requires: tile, part >= 1; column, columns: multiples of bn, the end may lie behind n; n / groups a multiple of bn where groups > 1; taps: 1, or kernel1 where dilation1 and groups are 1, or kernel0
 *         kernel1. scratch, in whole lines of 16 floats: tile bn and the length of a run, then tile k unless taps = 1, then a pointer for each run
 *         of each row of a tile; it overlaps nothing else.
 * Numerics: sums of at most `part` products in order of kernel position and channel, or of one run, whichever is more even; then the sum of those.
 *         Windows read zeros outside the image. */
#ifndef VITCC_TEMPLATES_CONV_LAST_F32_H
#define VITCC_TEMPLATES_CONV_LAST_F32_H

#include "epilogue_f32.h"
#include "indirect_f32.h"

typedef struct windows_shape {
    int channels, groups;
    int size[2], kernel[2], out[2], stride[2], pad[2], dilation[2];   /* pad: in front */
} windows_shape;

/* So many floats as whole cache lines. */
TEMPLATE ptrdiff_t windows_line(int count)
{
    return ((ptrdiff_t)count + 15) / 16 * 16;
}

/* to[i] = element i of `taps` neighbouring places from column ix on, `channels` of each; source: the group's first channel in column 0. Places
 * outside the image's columns are zeros. */
TEMPLATE void windows_run_f32(const windows_shape *s, const float *source, int ix, int channels, int count, float *to)
{
    const int low = ix < 0 ? -ix * channels : 0, high = (s->size[1] - ix) * channels;
    const int from = low < count ? low : count, end = high < from ? from : high < count ? high : count;
    for (int i = 0; i < from; i++) to[i] = 0;
    for (int i = from; i < end; i++) to[i] = source[(ptrdiff_t)ix * s->channels + i];
    for (int i = end; i < count; i++) to[i] = 0;
}

/* The whole window of one pixel. */
TEMPLATE void window_f32(const windows_shape *s, const float *image, int oy, int ox, int group, float *to)
{
    const int channels = s->channels / s->groups, whole = s->dilation[1] == 1 && s->groups == 1;
    const int taps = whole ? s->kernel[1] : 1, run = taps * channels, runs = s->kernel[1] / taps;
    for (int i = 0; i < s->kernel[0] * runs; i++, to += run) {
        const int iy = oy * s->stride[0] - s->pad[0] + i / runs * s->dilation[0], ix = ox * s->stride[1] - s->pad[1] + i % runs * s->dilation[1];
        if (iy >= 0 && iy < s->size[0])
            windows_run_f32(s, image + ((ptrdiff_t)iy * s->size[1]) * s->channels + (ptrdiff_t)group * channels, ix, channels, run, to);
        else memset(to, 0, (size_t)run * sizeof *to);
    }
}

/* Where the run from place (ky, kx) on lies for outputs ox to ox + count - 1 of line oy: in the image, or in copies [count][run], or it is zeros. */
TEMPLATE void windows_line_f32(const windows_shape *s, const float *image, const float *zeros, int oy, int ox, int ky, int kx, int taps, int group,
                               int count, float *copies, const float **at)
{
    const int channels = s->channels / s->groups, iy = oy * s->stride[0] - s->pad[0] + ky * s->dilation[0];
    const int first = ox * s->stride[1] - s->pad[1] + kx * s->dilation[1];
    const float *const line = image + ((ptrdiff_t)iy * s->size[1]) * s->channels + (ptrdiff_t)group * channels;
    if (iy < 0 || iy >= s->size[0]) {
        for (int i = 0; i < count; i++) at[i] = zeros;
        return;
    }
    for (int i = 0; i < count; i++) {
        const int ix = first + i * s->stride[1];
        if (ix >= 0 && ix + taps <= s->size[1]) at[i] = line + (ptrdiff_t)ix * s->channels;
        else if (ix + taps <= 0 || ix >= s->size[1]) at[i] = zeros;
        else {
            float *const to = copies + (ptrdiff_t)i * taps * channels;
            windows_run_f32(s, line, ix, channels, taps * channels, to);
            at[i] = to;
        }
    }
}

/* at [runs][rows]: where the runs of rows first_row to first_row + rows - 1 lie. copies: [runs][rows][run], unless taps = 1. */
TEMPLATE void windows_f32(const windows_shape *s, const float *x, const float *zeros, size_t first_row, int rows, int group, int taps, float *copies,
                          const float **at)
{
    const int channels = s->channels / s->groups, all = s->kernel[0] * s->kernel[1], runs = all / taps;
    const size_t width = (size_t)s->out[1], pixels = (size_t)s->out[0] * width, image = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->channels;
    for (int r = 0, count; r < rows; r += count) {
        const size_t row = first_row + (size_t)r, pixel = row % pixels, left = width - pixel % width;
        const float *const from = x + row / pixels * image;
        const int oy = (int)(pixel / width), ox = (int)(pixel % width);
        count = left < (size_t)(rows - r) ? (int)left : rows - r;
        if (taps > s->kernel[1] || (taps > 1 && (s->groups > 1 || s->dilation[1] > 1))) {
            for (int i = 0; i < count; i++) {
                float *const to = copies + (ptrdiff_t)(r + i) * all * channels;
                window_f32(s, from, oy, ox + i, group, to);
                at[r + i] = to;
            }
            continue;
        }
        for (int q = 0; q < runs; q++)
            windows_line_f32(s, from, zeros, oy, ox, q * taps / s->kernel[1], q * taps % s->kernel[1], taps, group, count,
                             taps > 1 ? copies + ((ptrdiff_t)q * rows + r) * taps * channels : copies, at + (ptrdiff_t)q * rows + r);
    }
}

/* sums [rows][width] = the products of all runs with block w [k][width]. */
TEMPLATE void windows_product_f32(const float *w, int width, const float *const *at, int rows, int runs, int run, int part, float *sums)
{
    const int pieces = (run + part - 1) / part, most = run < part ? part / run : 1, shares = (runs + most - 1) / most, each = (runs + shares - 1) / shares;
    for (int q = 0, add = 0; q < runs; q += each)
        for (int i = 0; i < pieces; i++, add = 1) {
            const int first = run * i / pieces, count = run * (i + 1) / pieces - first, left = runs - q < each ? runs - q : each;
            const indirect_runs x = { at + (ptrdiff_t)q * rows, rows, left, first, count };
            indirect_f32(w, width, &x, rows, sums, add);
            w += (ptrdiff_t)left * count * width;
        }
}

TEMPLATE void conv_last_f32(const windows_shape *s, const float *x, const float *w, float *scratch, float *y, size_t first_row, int rows, int column,
                            int columns, int n, int taps, int part, int bn, int tile, epilogue_f32 *epilogue, const void *operands)
{
    const int each = s->groups > 1 ? n / s->groups : column + columns < n ? columns : n - column, all = s->kernel[0] * s->kernel[1], runs = all / taps, run = taps * (s->channels / s->groups), k = runs * run;
    float *const sums = scratch, *const zeros = sums + windows_line(tile * bn), *const copies = zeros + windows_line(run);
    const float **const at = (const float **)(void *)(copies + (taps > 1 ? windows_line(tile * k) : 0));
    const int tiles = (rows + tile - 1) / tile;
    memset(zeros, 0, (size_t)run * sizeof *zeros);
    for (int i = 0; i < tiles * s->groups; i++) {
        const int group = i / tiles, r = (int)((int64_t)rows * (i % tiles) / tiles), height = (int)((int64_t)rows * (i % tiles + 1) / tiles) - r;
        windows_f32(s, x, zeros, first_row + (size_t)r, height, group, taps, copies, at);
        for (int c = column + group * each; c < column + (group + 1) * each; c += bn) {
            const int width = n - c < bn ? n - c : bn;
            const tile_f32 done = { sums, width, 1, 0, 0 };
            windows_product_f32(w + (ptrdiff_t)c * k, width, at, height, runs, run, part, sums);
            epilogue(&done, y + (ptrdiff_t)r * n + c, n, height, width, (size_t)r, c, operands);
        }
    }
}

#endif
