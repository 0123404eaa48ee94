/* Convolution with channels last of so few rows that its weights are read once: the image is multiplied where it lies, while the next weights are
 * fetched.
 * Shapes: x, rows: windows.h, all of them; w: k = kernel0 kernel1 channels inputs, n outputs, in blocks of bn: block j at w + j bn k, laid out [k][width],
 *         width = bn, or what is left in the last block; y [rows][n]. Outputs column to column + columns - 1 are made.
 * Requires: groups 1; column, columns: multiples of bn, the end may lie behind n. scratch, in whole lines of 16 floats: rows bn, channels, a pointer for
 *         each place of each row; it overlaps nothing else.
 * Numerics: sums of at most `part` products in order of kernel position and channel, or of one place, whichever is more even; then the sum of those.
 *         Windows read zeros outside the image. */
#ifndef VITCC_TEMPLATES_CONV_FEW_F32_H
#define VITCC_TEMPLATES_CONV_FEW_F32_H

#include "epilogue_f32.h"
#include "indirect_f32.h"
#include "windows.h"

/* at [places][rows]: where each place of each row's window lies. */
TEMPLATE void conv_few_places_f32(const windows_shape *s, const float *x, const float *zeros, int rows, const float **at)
{
    const int pixels = s->out[0] * s->out[1];
    for (int p = 0; p < s->kernel[0] * s->kernel[1]; p++)
        for (int r = 0; r < rows; r++) {
            const int iy = r % pixels / s->out[1] * s->stride[0] - s->pad[0] + p / s->kernel[1] * s->dilation[0];
            const int ix = r % s->out[1] * s->stride[1] - s->pad[1] + p % s->kernel[1] * s->dilation[1];
            const int inside = iy >= 0 && iy < s->size[0] && ix >= 0 && ix < s->size[1];
            *at++ = inside ? x + (((ptrdiff_t)(r / pixels) * s->size[0] + iy) * s->size[1] + ix) * s->channels : zeros;
        }
}

/* sums [rows][width] = the products of all places with block w [k][width]. */
TEMPLATE void conv_few_product_f32(const float *w, int width, const float *const *at, int rows, int places, int channels, int part, float *sums)
{
    const int pieces = (channels + part - 1) / part, most = channels < part ? part / channels : 1;
    const int shares = (places + most - 1) / most, each = (places + shares - 1) / shares;
    for (int p = 0, add = 0; p < places; p += each)
        for (int i = 0; i < pieces; i++, add = 1) {
            const int first = channels * i / pieces, count = channels * (i + 1) / pieces - first, left = places - p < each ? places - p : each;
            const indirect_runs x = { at + (ptrdiff_t)p * rows, rows, left, first, count };
            indirect_f32(w, width, &x, rows, sums, add);
            w += (ptrdiff_t)left * count * width;
        }
}

TEMPLATE void conv_few_f32(const windows_shape *s, const float *x, const float *w, float *scratch, float *y, int rows, int column, int columns, int n,
                           int part, int bn, epilogue_f32 *epilogue, const void *operands)
{
    const int places = s->kernel[0] * s->kernel[1], k = places * s->channels, end = column + columns < n ? column + columns : n;
    float *const sums = scratch, *const zeros = sums + windows_line((ptrdiff_t)rows * bn);
    const float **const at = (const float **)(void *)(zeros + windows_line(s->channels));
    memset(zeros, 0, (size_t)s->channels * sizeof *zeros);
    conv_few_places_f32(s, x, zeros, rows, at);
    for (int c = column; c < end; c += bn) {
        const int width = n - c < bn ? n - c : bn;
        const tile_f32 done = { sums, width, 1, 0, 0 };
        conv_few_product_f32(w + (ptrdiff_t)c * k, width, at, rows, places, s->channels, part, sums);
        epilogue(&done, y + c, n, rows, width, 0, c, operands);
    }
}

#endif
