/* Convolution in one to three spatial axes, computed directly: any strides, padding, dilation, groups.
 * Shapes: x [N][C][size…], w [M][C / groups][kernel…], b [M] or NULL, y [N][M][out…]; axes as depth, height, width, missing ones of size 1 in
 *         front. Planes first to last - 1 of the N M planes of y are written; pointers are at plane 0.
 * Requires: C and M multiples of groups; every out is what size, pads, kernel, stride and dilation give. y overlaps nothing that is read.
 * Numerics: float sums, in order of channel, then kernel position; the bias first. */
#ifndef VITCC_TEMPLATES_CONV_F32_H
#define VITCC_TEMPLATES_CONV_F32_H

#include "vec_f32.h"

typedef struct conv_shape {
    int channels, outputs, groups;                       /* C, M */
    int size[3], kernel[3], out[3], stride[3], pad[3], dilation[3];   /* pad: in front */
} conv_shape;

/* What makes plane p of y: the planes of x and kernels of w from the first on, `channels` of each. */
typedef struct conv_place {
    size_t output, channel, kernel, channels;            /* which of M, of N C, of M C / groups */
    size_t plane_in, plane_out, taps;                    /* elements of a plane of x, of y, of a kernel */
} conv_place;

TEMPLATE conv_place conv_place_of(const conv_shape *s, size_t p)
{
    const size_t channels = (size_t)(s->channels / s->groups), outputs = (size_t)s->outputs, output = p % outputs;
    const size_t group = output / (size_t)(s->outputs / s->groups);
    return (conv_place){ .output = output, .channel = p / outputs * (size_t)s->channels + group * channels, .kernel = output * channels,
                         .channels = channels, .plane_in = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->size[2],
                         .plane_out = (size_t)s->out[0] * (size_t)s->out[1] * (size_t)s->out[2],
                         .taps = (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)s->kernel[2] };
}

/* Outputs low to high - 1 along axis a read inside the input at kernel position k. */
TEMPLATE void conv_range(const conv_shape *s, int a, int k, int *low, int *high)
{
    const int shift = k * s->dilation[a] - s->pad[a];    /* input coordinate of output 0 */
    *low = shift >= 0 ? 0 : (-shift + s->stride[a] - 1) / s->stride[a];
    const int room = s->size[a] - 1 - shift;
    *high = room < 0 ? 0 : room / s->stride[a] + 1;
    if (*high > s->out[a]) *high = s->out[a];
}

/* y += weight x along one row of outputs. */
TEMPLATE void conv_row_f32(const float *x, int stride, float weight, float *y, int count)
{
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        vf_store(y + i, vf_fma(vf_splat(weight), stride == 1 ? vf_load(x + i) : vf_gather(x + (ptrdiff_t)i * stride, stride, LANES), vf_load(y + i)));
    for (; i < count; i++) y[i] += weight * x[(ptrdiff_t)i * stride];
}

/* y += one channel's plane times its kernel. */
TEMPLATE void conv_plane_f32(const conv_shape *s, const float *x, const float *w, float *y)
{
    for (int kz = 0, tap = 0; kz < s->kernel[0]; kz++)
        for (int ky = 0; ky < s->kernel[1]; ky++)
            for (int kx = 0; kx < s->kernel[2]; kx++, tap++) {
                int z0, z1, y0, y1, x0, x1;
                conv_range(s, 0, kz, &z0, &z1);
                conv_range(s, 1, ky, &y0, &y1);
                conv_range(s, 2, kx, &x0, &x1);
                for (int oz = z0; oz < z1; oz++)
                    for (int oy = y0; oy < y1; oy++) {
                        const ptrdiff_t iz = oz * s->stride[0] + kz * s->dilation[0] - s->pad[0];
                        const ptrdiff_t iy = oy * s->stride[1] + ky * s->dilation[1] - s->pad[1];
                        const ptrdiff_t ix = x0 * s->stride[2] + kx * s->dilation[2] - s->pad[2];
                        if (x0 < x1)
                            conv_row_f32(x + (iz * s->size[1] + iy) * s->size[2] + ix, s->stride[2], w[tap],
                                         y + ((ptrdiff_t)oz * s->out[1] + oy) * s->out[2] + x0, x1 - x0);
                    }
            }
}

TEMPLATE void conv_f32(const conv_shape *s, const float *x, const float *w, const float *b, float *y, size_t first, size_t last)
{
    for (size_t p = first; p < last; p++) {
        const conv_place at = conv_place_of(s, p);
        float *to = y + p * at.plane_out;
        for (size_t i = 0; i < at.plane_out; i++) to[i] = b ? b[at.output] : 0;
        for (size_t c = 0; c < at.channels; c++) conv_plane_f32(s, x + (at.channel + c) * at.plane_in, w + (at.kernel + c) * at.taps, to);
    }
}

#endif
