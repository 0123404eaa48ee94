/* Convolution of doubles in one to three spatial axes, computed directly.
 * Shapes, requirements: as conv_f32.h. */
#ifndef VITCC_TEMPLATES_CONV_F64_H
#define VITCC_TEMPLATES_CONV_F64_H

#include "conv_f32.h"

/* y += one channel's plane times its kernel. */
TEMPLATE void conv_plane_f64(const conv_shape *s, const double *x, const double *w, double *y)
{
    for (int kz = 0, tap = 0; kz < s->kernel[0]; kz++)
        for (int ky = 0; ky < s->kernel[1]; ky++)
            for (int kx = 0; kx < s->kernel[2]; kx++, tap++) {
                int low[3], high[3];
                conv_range(s, 0, kz, &low[0], &high[0]);
                conv_range(s, 1, ky, &low[1], &high[1]);
                conv_range(s, 2, kx, &low[2], &high[2]);
                for (int oz = low[0]; oz < high[0]; oz++)
                    for (int oy = low[1]; oy < high[1]; oy++)
                        for (int ox = low[2]; ox < high[2]; ox++) {
                            const ptrdiff_t iz = oz * s->stride[0] + kz * s->dilation[0] - s->pad[0];
                            const ptrdiff_t iy = oy * s->stride[1] + ky * s->dilation[1] - s->pad[1];
                            const ptrdiff_t ix = ox * s->stride[2] + kx * s->dilation[2] - s->pad[2];
                            y[((ptrdiff_t)oz * s->out[1] + oy) * s->out[2] + ox] += w[tap] * x[(iz * s->size[1] + iy) * s->size[2] + ix];
                        }
            }
}

TEMPLATE void conv_f64(const conv_shape *s, const double *x, const double *w, const double *b, double *y, size_t first, size_t last)
{
    for (size_t p = first; p < last; p++) {
        const conv_place at = conv_place_of(s, p);
        double *to = y + p * at.plane_out;
        for (size_t i = 0; i < at.plane_out; i++) to[i] = b ? b[at.output] : 0;
        for (size_t c = 0; c < at.channels; c++) conv_plane_f64(s, x + (at.channel + c) * at.plane_in, w + (at.kernel + c) * at.taps, to);
    }
}

#endif
