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
    const size_t plane_in = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->size[2];
    const size_t plane_out = (size_t)s->out[0] * (size_t)s->out[1] * (size_t)s->out[2];
    const size_t taps = (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)s->kernel[2];
    const size_t per_group = (size_t)(s->channels / s->groups), outputs = (size_t)s->outputs, outputs_per_group = (size_t)(s->outputs / s->groups);
    for (size_t p = first; p < last; p++) {
        const size_t image = p / outputs, m = p % outputs, channel = m / outputs_per_group * per_group;
        double *to = y + p * plane_out;
        for (size_t i = 0; i < plane_out; i++) to[i] = b ? b[m] : 0;
        for (size_t c = 0; c < per_group; c++)
            conv_plane_f64(s, x + (image * (size_t)s->channels + channel + c) * plane_in, w + (m * per_group + c) * taps, to);
    }
}

#endif
