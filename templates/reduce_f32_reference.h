/* The reduction of n values `stride` apart in long double, for tests. */
#ifndef VITCC_TEMPLATES_REDUCE_F32_REFERENCE_H
#define VITCC_TEMPLATES_REDUCE_F32_REFERENCE_H

#include "reduce_f32.h"

static inline double reduce_f32_reference(reduce_kind kind, const float *x, size_t n, size_t stride)
{
    long double sum = 0, product = 1, squares = 0, absolute = 0, top = -INFINITY, bottom = INFINITY;
    for (size_t i = 0; i < n; i++) {
        const long double v = (long double)x[i * stride];
        sum += v, product *= v, squares += v * v, absolute += fabsl(v);
        if (v > top || v != v) top = v;
        if (v < bottom || v != v) bottom = v;
    }
    switch (kind) {
    case REDUCE_SUM: return (double)sum;
    case REDUCE_MEAN: return (double)(sum / (long double)n);
    case REDUCE_MAX: return (double)top;
    case REDUCE_MIN: return (double)bottom;
    case REDUCE_PROD: return (double)product;
    case REDUCE_SUMSQ: return (double)squares;
    case REDUCE_L1: return (double)absolute;
    default: return (double)sqrtl(squares);
    }
}

#endif
