/* One output of a convolution with channels last in double precision, by the definition, for tests. w [kernel0][kernel1][channels / groups][outputs]. */
#ifndef VITCC_TEMPLATES_CONV_LAST_F32_REFERENCE_H
#define VITCC_TEMPLATES_CONV_LAST_F32_REFERENCE_H

#include "conv_last_f32.h"

static inline double conv_last_f32_reference(const windows_shape *s, const float *x, const float *w, int outputs, int row, int output)
{
    const int each = s->channels / s->groups, channel = output / (outputs / s->groups) * each, pixels = s->out[0] * s->out[1];
    const int image = row / pixels, oy = row % pixels / s->out[1], ox = row % s->out[1];
    double sum = 0;
    for (int ky = 0; ky < s->kernel[0]; ky++)
        for (int kx = 0; kx < s->kernel[1]; kx++) {
            const int iy = oy * s->stride[0] - s->pad[0] + ky * s->dilation[0], ix = ox * s->stride[1] - s->pad[1] + kx * s->dilation[1];
            if (iy < 0 || iy >= s->size[0] || ix < 0 || ix >= s->size[1]) continue;
            for (int c = 0; c < each; c++) {
                const double weight = (double)w[((ky * s->kernel[1] + kx) * each + c) * outputs + output];
                sum += weight * (double)x[((image * s->size[0] + iy) * s->size[1] + ix) * s->channels + channel + c];
            }
        }
    return sum;
}

#endif
