/* One output of a convolution in double precision, by the definition, for tests. */
#ifndef VITCC_TEMPLATES_CONV_F32_REFERENCE_H
#define VITCC_TEMPLATES_CONV_F32_REFERENCE_H

#include "conv_f32.h"

static inline double conv_f32_reference(const conv_shape *s, const float *x, const float *w, const float *b, int image, int m, int z, int y,
                                        int column)
{
    const int per_group = s->channels / s->groups, first = m / (s->outputs / s->groups) * per_group;
    double sum = b ? (double)b[m] : 0;
    for (int c = 0; c < per_group; c++)
        for (int kz = 0; kz < s->kernel[0]; kz++)
            for (int ky = 0; ky < s->kernel[1]; ky++)
                for (int kx = 0; kx < s->kernel[2]; kx++) {
                    const int iz = z * s->stride[0] - s->pad[0] + kz * s->dilation[0], iy = y * s->stride[1] - s->pad[1] + ky * s->dilation[1];
                    const int ix = column * s->stride[2] - s->pad[2] + kx * s->dilation[2];
                    if (iz < 0 || iz >= s->size[0] || iy < 0 || iy >= s->size[1] || ix < 0 || ix >= s->size[2]) continue;
                    const double weight = (double)w[(((m * per_group + c) * s->kernel[0] + kz) * s->kernel[1] + ky) * s->kernel[2] + kx];
                    sum += weight * (double)x[(((image * s->channels + first + c) * s->size[0] + iz) * s->size[1] + iy) * s->size[2] + ix];
                }
    return sum;
}

#endif
