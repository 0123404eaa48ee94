/* One element of an interpolation or pool along an axis in double precision, by the definition, for tests. */
#ifndef VITCC_TEMPLATES_RESAMPLE_F32_REFERENCE_H
#define VITCC_TEMPLATES_RESAMPLE_F32_REFERENCE_H

#include "resample_f32.h"

static inline double resample_f32_reference(const float *x, const int64_t *index, const float *weight, int taps, size_t in, size_t out, size_t inner,
                                            size_t element)
{
    const size_t i = element % inner, o = element / inner % out, outer = element / inner / out;
    double sum = weight ? 0 : -HUGE_VAL;
    for (size_t t = 0; t < (size_t)taps; t++) {
        const double next = (double)x[(outer * in + (size_t)index[o * (size_t)taps + t]) * inner + i];
        if (weight) sum += (double)weight[o * (size_t)taps + t] * next;
        else sum = isnan(sum) || sum > next ? sum : next;
    }
    return sum;
}

#endif
