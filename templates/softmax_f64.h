/* Softmax of doubles along any axis.
 * Shapes: x, y [outer][axis][inner]. y may be x.
 * Numerics: the largest is subtracted first. A NaN, or a row all of -infinity, gives NaN. */
#ifndef VITCC_TEMPLATES_SOFTMAX_F64_H
#define VITCC_TEMPLATES_SOFTMAX_F64_H

#include "level.h"

TEMPLATE void softmax_f64(const double *x, double *y, size_t outer, size_t axis, size_t inner)
{
    for (size_t i = 0; i < outer * inner; i++) {
        const size_t at = i / inner * axis * inner + i % inner;
        double largest = -HUGE_VAL, sum = 0;
        for (size_t j = 0; j < axis; j++) largest = x[at + j * inner] > largest ? x[at + j * inner] : largest;
        for (size_t j = 0; j < axis; j++) sum += y[at + j * inner] = exp(x[at + j * inner] - largest);
        for (size_t j = 0; j < axis; j++) y[at + j * inner] /= sum;
    }
}

#endif
