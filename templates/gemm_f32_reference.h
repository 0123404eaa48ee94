/* The product of gemm_f32 in double precision, for tests. bound: the sum of the absolute values of what is added, to scale a tolerance. */
#ifndef VITCC_TEMPLATES_GEMM_F32_REFERENCE_H
#define VITCC_TEMPLATES_GEMM_F32_REFERENCE_H

#include <math.h>
#include <stddef.h>

/* start: what the sum starts from. Element (row, feature). */
static inline double gemm_f32_reference(const float *a, const float *b, int k, int lda, int ldb, int row, int feature, double start, double *bound)
{
    double sum = start;
    *bound = fabs(start);
    for (int i = 0; i < k; i++) {
        const double term = (double)b[(ptrdiff_t)row * ldb + i] * (double)a[(ptrdiff_t)i * lda + feature];
        sum += term;
        *bound += fabs(term);
    }
    return sum;
}

#endif
