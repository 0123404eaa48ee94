/* The plain twin of mlp_f32.h, in double precision, on weights as the model has them: w1 [k][h], w2 [h][n]. */
#ifndef VITCC_TEMPLATES_MLP_F32_REFERENCE_H
#define VITCC_TEMPLATES_MLP_F32_REFERENCE_H

#include <math.h>
#include <stddef.h>

/* y = gelu(x w1 + b1) w2 + b2 of one row. hidden [h]. */
static inline void mlp_reference_row(const float *x, const float *w1, const float *b1, const float *w2, const float *b2, double *hidden, double *y,
                                     int k, int h, int n)
{
    for (int j = 0; j < h; j++) {
        double sum = b1[j];
        for (int i = 0; i < k; i++) sum += (double)x[i] * w1[(ptrdiff_t)i * h + j];
        hidden[j] = sum * (1 + erf(sum * sqrt(.5))) / 2;
    }
    for (int j = 0; j < n; j++) {
        y[j] = b2[j];
        for (int i = 0; i < h; i++) y[j] += hidden[i] * w2[(ptrdiff_t)i * n + j];
    }
}

#endif
