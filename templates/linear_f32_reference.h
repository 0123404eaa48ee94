/* The product of linear_f32, before its epilogue, in double precision, for tests. */
#ifndef VITCC_TEMPLATES_LINEAR_F32_REFERENCE_H
#define VITCC_TEMPLATES_LINEAR_F32_REFERENCE_H

#include "gemm_f32_reference.h"

/* Element (row, feature) of start + x · W, W packed in blocks of bn features. */
static inline double linear_f32_reference(const float *x, int ldx, const float *w, int n, int k, int bn, int row, int feature, double start,
                                          double *bound)
{
    const int column = feature / bn * bn, width = n - column < bn ? n - column : bn;
    return gemm_f32_reference(w + (ptrdiff_t)column * k, x, k, width, ldx, row, feature - column, start, bound);
}

#endif
