/* Convolution of each channel by itself, channels last: lanes are channels, and neighbouring pixels share the weights in registers.
 * Shapes: x [N][height][width][channels], w [kernel0][kernel1][channels], b [channels] or NULL; rows first_row to first_row + rows - 1 of
 *         [N out0 out1][channels] are written, from y on.
 * Requires: y overlaps nothing that is read; groups = channels.
 * Numerics: float sums in order of kernel position, the bias first; positions outside the image are left out. */
#ifndef VITCC_TEMPLATES_DEPTHWISE_F32_H
#define VITCC_TEMPLATES_DEPTHWISE_F32_H

#include "vec_f32.h"
#include "windows.h"

enum { DEPTHWISE_PIXELS = LANES == 16 ? 6 : 4, DEPTHWISE_VECTORS = 2 };

/* Kernel positions low to high - 1 along axis a that output o reads inside the image. */
TEMPLATE void depthwise_range(const windows_shape *s, int a, int o, int *low, int *high)
{
    const int start = o * s->stride[a] - s->pad[a], room = s->size[a] - 1 - start;
    *low = start >= 0 ? 0 : (-start + s->dilation[a] - 1) / s->dilation[a];
    *high = room < 0 ? 0 : room / s->dilation[a] + 1;
    if (*high > s->kernel[a]) *high = s->kernel[a];
}

/* `pixels` outputs side by side (a constant), `vectors` (a constant) of channels from c on, of the last `count` lanes; all read kernel positions
 * [top, bottom) x [left, right). x: where the first output's window starts, which may be outside the image. */
TEMPLATE void depthwise_block_f32(const windows_shape *s, const float *x, const float *w, const float *b, float *y, int top, int bottom, int left,
                                  int right, int pixels, int vectors, int count)
{
    const ptrdiff_t channels = s->channels, step = channels * s->stride[1], line = channels * s->size[1];
    vf sum[DEPTHWISE_PIXELS][DEPTHWISE_VECTORS];
    UNROLL
    for (int p = 0; p < DEPTHWISE_PIXELS; p++) {
        UNROLL
        for (int v = 0; v < DEPTHWISE_VECTORS; v++)
            if (p < pixels && v < vectors) sum[p][v] = b ? vf_load_part(b + v * LANES, v < vectors - 1 ? LANES : count) : vf_splat(0);
    }
    for (int ky = top; ky < bottom; ky++)
        for (int kx = left; kx < right; kx++) {
            const float *weight = w + ((ptrdiff_t)ky * s->kernel[1] + kx) * channels;
            const float *from = x + (ptrdiff_t)ky * s->dilation[0] * line + (ptrdiff_t)kx * s->dilation[1] * channels;
            UNROLL
            for (int v = 0; v < DEPTHWISE_VECTORS; v++) {
                if (v >= vectors) continue;
                const int lanes = v < vectors - 1 ? LANES : count;
                const vf factor = vf_load_part(weight + v * LANES, lanes);
                UNROLL
                for (int p = 0; p < DEPTHWISE_PIXELS; p++)
                    if (p < pixels) sum[p][v] = vf_fma(factor, vf_load_part(from + p * step + v * LANES, lanes), sum[p][v]);
            }
        }
    UNROLL
    for (int p = 0; p < DEPTHWISE_PIXELS; p++) {
        UNROLL
        for (int v = 0; v < DEPTHWISE_VECTORS; v++)
            if (p < pixels && v < vectors) vf_store_part(y + p * channels + v * LANES, sum[p][v], v < vectors - 1 ? LANES : count);
    }
}

/* All channels of `pixels` (a constant) outputs. */
TEMPLATE void depthwise_pixels_f32(const windows_shape *s, const float *x, const float *w, const float *b, float *y, int top, int bottom, int left,
                                   int right, int pixels)
{
    int c = 0;
    for (; c + DEPTHWISE_VECTORS * LANES <= s->channels; c += DEPTHWISE_VECTORS * LANES)
        depthwise_block_f32(s, x + c, w + c, b ? b + c : NULL, y + c, top, bottom, left, right, pixels, DEPTHWISE_VECTORS, LANES);
    for (; c + LANES <= s->channels; c += LANES)
        depthwise_block_f32(s, x + c, w + c, b ? b + c : NULL, y + c, top, bottom, left, right, pixels, 1, LANES);
    if (c < s->channels)
        depthwise_block_f32(s, x + c, w + c, b ? b + c : NULL, y + c, top, bottom, left, right, pixels, 1, s->channels - c);
}

/* Outputs ox to end - 1 of one line: several at a time where their windows lie inside the image. */
TEMPLATE void depthwise_line_f32(const windows_shape *s, const float *image, const float *w, const float *b, float *y, int oy, int ox, int end)
{
    int top, bottom;
    depthwise_range(s, 0, oy, &top, &bottom);
    const float *line = image + ((ptrdiff_t)oy * s->stride[0] - s->pad[0]) * s->size[1] * s->channels;
    while (ox < end) {
        int left, right, last_left = 1, last_right = 0;
        depthwise_range(s, 1, ox, &left, &right);
        const float *x = line + ((ptrdiff_t)ox * s->stride[1] - s->pad[1]) * s->channels;
        if (ox + DEPTHWISE_PIXELS <= end) depthwise_range(s, 1, ox + DEPTHWISE_PIXELS - 1, &last_left, &last_right);
        const int several = left == last_left && right == last_right;
        if (several) depthwise_pixels_f32(s, x, w, b, y, top, bottom, left, right, DEPTHWISE_PIXELS);
        else depthwise_pixels_f32(s, x, w, b, y, top, bottom, left, right, 1);
        ox += several ? DEPTHWISE_PIXELS : 1;
        y += (ptrdiff_t)(several ? DEPTHWISE_PIXELS : 1) * s->channels;
    }
}

TEMPLATE void depthwise_f32(const windows_shape *s, const float *x, const float *w, const float *b, float *y, size_t first_row, size_t rows)
{
    const size_t width = (size_t)s->out[1], pixels = (size_t)s->out[0] * width, image = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->channels;
    for (size_t row = first_row; row < first_row + rows;) {
        const size_t pixel = row % pixels, column = pixel % width, left = first_row + rows - row, count = width - column < left ? width - column : left;
        depthwise_line_f32(s, x + row / pixels * image, w, b, y + (row - first_row) * (size_t)s->channels, (int)(pixel / width), (int)column,
                           (int)(column + count));
        row += count;
    }
}

#endif
