/* Softmax of n values `stride` apart in double precision, for tests. */
#ifndef VITCC_TEMPLATES_SOFTMAX_F32_REFERENCE_H
#define VITCC_TEMPLATES_SOFTMAX_F32_REFERENCE_H

#include <math.h>
#include <stddef.h>

static inline void softmax_f32_reference(const float *x, double *y, int n, size_t stride)
{
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) top = (double)x[(size_t)i * stride] > top ? (double)x[(size_t)i * stride] : top;
    for (int i = 0; i < n; i++) sum += exp((double)x[(size_t)i * stride] - top);
    for (int i = 0; i < n; i++) y[(size_t)i * stride] = exp((double)x[(size_t)i * stride] - top) / sum;
}

#endif
