/* The windows of a convolution with channels last, as rows of a matrix; and the convolution itself, as a linear layer on those rows.
 * Shapes: x [N][height][width][channels], row r of the result: pixel r % (out0 out1) of image r / (out0 out1); a row of windows: [kernel0][kernel1]
 *         [channels of the group], of which `chunk` elements are made at a time, in columns [rows][apart]. w as linear_f32 has it, k = the whole
 *         row, n outputs, each group's n / groups side by side; y [rows][n].
 * Requires: k a multiple of chunk; apart >= chunk; n / groups a multiple of bn where groups > 1; code as linear_f32's for chunk inputs, part at a
 *         time. columns overlaps nothing else.
 * Numerics: as linear_f32, the chunks' sums added up. Windows read zeros outside the image. */
#ifndef VITCC_TEMPLATES_CONV_LAST_F32_H
#define VITCC_TEMPLATES_CONV_LAST_F32_H

#include "linear_f32.h"

typedef struct windows_shape {
    int channels, groups;
    int size[2], kernel[2], out[2], stride[2], pad[2], dilation[2];   /* pad: in front */
} windows_shape;

/* count floats; runs are too short for a call. */
TEMPLATE void windows_copy_f32(const float *from, int count, float *to)
{
    int i = 0;
    for (; i + LANES <= count; i += LANES) vf_store(to + i, vf_load(from + i));
    if (i < count) vf_store_part(to + i, vf_load_part(from + i, count - i), count - i);
}

/* to[i] = element first + i of `taps` neighbouring places from column ix on, `channels` of each; source: the group's first channel in column 0.
 * Places outside the image's columns are zeros. */
TEMPLATE void windows_run_f32(const windows_shape *s, const float *source, int ix, int channels, int first, int count, float *to)
{
    const int low = ix < 0 ? -ix * channels : 0, high = (s->size[1] - ix) * channels;
    int from = first > low ? first : low, end = first + count < high ? first + count : high;
    if (end <= from) from = end = first + count;
    for (int i = first; i < from; i++) *to++ = 0;
    if (from < end) windows_copy_f32(source + (ptrdiff_t)ix * s->channels + from, end - from, to);
    to += end - from;
    for (int i = end; i < first + count; i++) *to++ = 0;
}

/* Elements first to first + count - 1 of the window of one pixel. */
TEMPLATE void window_f32(const windows_shape *s, const float *image, int oy, int ox, int group, int first, int count, float *to)
{
    const int channels = s->channels / s->groups, whole = s->dilation[1] == 1 && s->groups == 1;
    const int taps = whole ? s->kernel[1] : 1, run = taps * channels, runs = s->kernel[1] / taps;
    for (int at = first; at < first + count;) {
        const int index = at / run, begin = at % run, left = first + count - at, length = run - begin < left ? run - begin : left;
        const int iy = oy * s->stride[0] - s->pad[0] + index / runs * s->dilation[0], ix = ox * s->stride[1] - s->pad[1] + index % runs * s->dilation[1];
        if (iy >= 0 && iy < s->size[0])
            windows_run_f32(s, image + ((ptrdiff_t)iy * s->size[1]) * s->channels + (ptrdiff_t)group * channels, ix, channels, begin, length, to);
        else memset(to, 0, (size_t)length * sizeof *to);
        to += length;
        at += length;
    }
}

TEMPLATE void windows_f32(const windows_shape *s, const float *x, size_t first_row, int rows, int group, int first, int count, int apart,
                          float *columns)
{
    const size_t width = (size_t)s->out[1], pixels = (size_t)s->out[0] * width, image = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->channels;
    for (int r = 0; r < rows; r++) {
        const size_t row = first_row + (size_t)r, pixel = row % pixels;
        window_f32(s, x + row / pixels * image, (int)(pixel / width), (int)(pixel % width), group, first, count, columns + (ptrdiff_t)r * apart);
    }
}

TEMPLATE void conv_last_f32(gemm_code *const *code, const windows_shape *s, const float *x, const float *w, float *columns, float *y, size_t first_row,
                            int rows, int n, int k, int chunk, int apart, int part, int bn, int tile, int low, epilogue_f32 *epilogue,
                            const void *operands)
{
    const int each = n / s->groups, direct = chunk == k && k <= part;
    for (int group = 0; group < s->groups; group++)
        for (int first = 0; first < k; first += chunk) {
            windows_f32(s, x, first_row, rows, group, first, chunk, apart, columns);
            for (int c = group * each; c < (group + 1) * each; c += bn) {
                const int width = n - c < bn ? n - c : bn;
                linear_block_f32(code, columns, apart, w + (ptrdiff_t)c * k + (ptrdiff_t)first * width, y + c, n, rows, 0, chunk, part, width, width != bn,
                                 tile, low, direct, first > 0, c, first + chunk == k ? epilogue : tile_as_is_f32, operands);
            }
        }
}

#endif
