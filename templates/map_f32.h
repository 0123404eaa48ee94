/* An element-wise function of several inputs that broadcast to one result.
 * Shapes: out and input i are read at sum over the axes of index[a] stride[a]; stride 0 broadcasts. The outermost axis runs from first to last - 1;
 *         all pointers are at its index 0.
 * Requires: rank 1 to MAP_RANK; extents of the inner axes >= 1; the result's last stride 1. The result may be an input that has its strides. */
#ifndef VITCC_TEMPLATES_MAP_F32_H
#define VITCC_TEMPLATES_MAP_F32_H

#include "math_f32.h"

enum { MAP_RANK = 8, MAP_INPUTS = 8 };

typedef struct map_shape {
    int rank, inputs;
    size_t extent[MAP_RANK];
    ptrdiff_t out_stride[MAP_RANK], stride[MAP_INPUTS][MAP_RANK];
} map_shape;

typedef vf map_value_f32(const vf *in);

/* `count` neighbouring values. */
TEMPLATE void map_vector_f32(const float *const *in, const ptrdiff_t *step, int inputs, float *out, size_t at, int count, map_value_f32 *value)
{
    vf x[MAP_INPUTS];
    UNROLL
    for (int i = 0; i < MAP_INPUTS; i++) {
        if (i >= inputs) continue;
        const float *p = in[i] + (ptrdiff_t)at * step[i];
        x[i] = step[i] == 1 ? vf_load_part(p, count) : step[i] == 0 ? vf_splat(*p) : vf_gather(p, step[i], count);
    }
    vf_store_part(out + at, value(x), count);
}

/* One run along the last axis. */
TEMPLATE void map_run_f32(const float *const *in, const ptrdiff_t *step, int inputs, float *out, size_t count, map_value_f32 *value)
{
    const size_t whole = count / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) map_vector_f32(in, step, inputs, out, i, LANES, value);
    if (whole < count) map_vector_f32(in, step, inputs, out, whole, (int)(count - whole), value);
}

TEMPLATE void map_f32(const map_shape *s, const float *const *in, float *out, size_t first, size_t last, map_value_f32 *value)
{
    const int inner = s->rank - 1;
    size_t index[MAP_RANK] = { 0 };
    ptrdiff_t step[MAP_INPUTS] = { 0 };
    for (int i = 0; i < s->inputs; i++) step[i] = s->stride[i][inner];
    index[0] = first;
    while (index[0] < last) {
        const float *from[MAP_INPUTS] = { 0 };
        ptrdiff_t to = 0;
        for (int a = 0; a <= inner; a++) to += (ptrdiff_t)index[a] * s->out_stride[a];
        for (int i = 0; i < s->inputs; i++) {
            from[i] = in[i];
            for (int a = 0; a <= inner; a++) from[i] += (ptrdiff_t)index[a] * s->stride[i][a];
        }
        map_run_f32(from, step, s->inputs, out + to, inner ? s->extent[inner] : last - first, value);
        if (!inner) return;
        int a = inner - 1;
        for (; a > 0; a--) {
            if (++index[a] < s->extent[a]) break;
            index[a] = 0;
        }
        if (a == 0) index[0]++;
    }
}

#endif
