/* The windows of a convolution over two axes with channels last, and copies of what they read.
 * Shapes: x [N][size0][size1][channels]; row r of the result: pixel r % (out0 out1) of image r / (out0 out1). */
#ifndef VITCC_TEMPLATES_WINDOWS_H
#define VITCC_TEMPLATES_WINDOWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "level.h"

typedef struct windows_shape {
    int channels, groups;
    int size[2], kernel[2], out[2], stride[2], pad[2], dilation[2];   /* pad: in front */
} windows_shape;

/* So many floats as whole cache lines. */
TEMPLATE ptrdiff_t windows_line(ptrdiff_t count)
{
    return (count + 15) / 16 * 16;
}

/* to[i] = element i of `count`, in neighbouring places from column ix on of the line of the image that starts at source. Places outside are zeros. */
TEMPLATE void windows_run_f32(const windows_shape *s, const float *source, int ix, int count, float *to)
{
    const int low = ix < 0 ? -ix * s->channels : 0, high = (s->size[1] - ix) * s->channels;
    const int from = low < count ? low : count, end = high < from ? from : high < count ? high : count;
    for (int i = 0; i < from; i++) to[i] = 0;
    for (int i = from; i < end; i++) to[i] = source[(ptrdiff_t)ix * s->channels + i];
    for (int i = end; i < count; i++) to[i] = 0;
}

/* The same of a line that may itself be outside. */
TEMPLATE void windows_line_run_f32(const windows_shape *s, const float *image, int iy, int ix, int count, float *to)
{
    if (iy >= 0 && iy < s->size[0]) windows_run_f32(s, image + ((ptrdiff_t)iy * s->size[1]) * s->channels, ix, count, to);
    else memset(to, 0, (size_t)count * sizeof *to);
}

#endif
