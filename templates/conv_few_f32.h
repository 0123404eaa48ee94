/* Convolution with channels last of so few pixels that they wait for their weights: what the windows read is copied side by side, then multiplied as
 * the rows of a linear layer.
 * Shapes: x, rows: windows.h, all of them; w: k = kernel0 kernel1 channels inputs, n outputs, packed as linear_f32 has it; y [rows][n]. Blocks first to
 *         first + blocks - 1 of the outputs are made.
 * Requires: groups 1; as linear_f32, with kernels for rows a step apart (or a part, without steps). scratch: k inputs of all rows, in whole steps; it
 *         overlaps nothing else.
 * Numerics: as linear_f32, in order of kernel position and channel. Windows read zeros outside the image. */
#ifndef VITCC_TEMPLATES_CONV_FEW_F32_H
#define VITCC_TEMPLATES_CONV_FEW_F32_H

#include "linear_f32.h"
#include "windows.h"

/* The channels of one place of a row's window, zeros where source is NULL: inputs i on of row r of to [k / step][rows][step]. */
TEMPLATE void conv_few_place_f32(const float *source, int channels, int i, int r, int rows, int step, float *to)
{
    for (int c = 0, count; c < channels; c += count, i += count) {
        const int at = i % step;
        float *const out = to + (ptrdiff_t)(i - at) * rows + (ptrdiff_t)r * step + at;
        count = channels - c < step - at ? channels - c : step - at;
        if (source) memcpy(out, source + c, (size_t)count * sizeof *out);
        else memset(out, 0, (size_t)count * sizeof *out);
    }
}

TEMPLATE void conv_few_rows_f32(const windows_shape *s, const float *x, int rows, int step, float *to)
{
    const int pixels = s->out[0] * s->out[1];
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < s->kernel[0] * s->kernel[1]; p++) {
            const int iy = r % pixels / s->out[1] * s->stride[0] - s->pad[0] + p / s->kernel[1] * s->dilation[0];
            const int ix = r % s->out[1] * s->stride[1] - s->pad[1] + p % s->kernel[1] * s->dilation[1];
            const int inside = iy >= 0 && iy < s->size[0] && ix >= 0 && ix < s->size[1];
            const float *const place = inside ? x + (((ptrdiff_t)(r / pixels) * s->size[0] + iy) * s->size[1] + ix) * s->channels : NULL;
            conv_few_place_f32(place, s->channels, p * s->channels, r, rows, step, to);
        }
}

TEMPLATE void conv_few_f32(gemm_code *const *code, const windows_shape *s, const float *x, const float *w, float *scratch, float *y, int rows, int first,
                           int blocks, int n, int part, int bn, linear_cut cut, epilogue_f32 *epilogue, const void *operands)
{
    const int step = cut.step ? cut.step : part;
    conv_few_rows_f32(s, x, rows, step, scratch);
    cut.apart = rows;
    linear_columns_f32(code, scratch, step, w, y, n, rows, 0, first, blocks, n, s->kernel[0] * s->kernel[1] * s->channels, part, bn, cut, epilogue,
                       operands);
}

#endif
