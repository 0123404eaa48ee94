/* Normalisation of one row in double precision, for tests. */
#ifndef VITCC_TEMPLATES_NORM_F32_REFERENCE_H
#define VITCC_TEMPLATES_NORM_F32_REFERENCE_H

#include <math.h>
#include <stddef.h>

static inline double norm_scaled(double x, const float *gamma, const float *beta, int i)
{
    return x * (gamma ? (double)gamma[i] : 1) + (beta ? (double)beta[i] : 0);
}

static inline void layer_norm_f32_reference(const float *x, double *y, int n, const float *gamma, const float *beta, double epsilon)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < n; i++) mean += (double)x[i] / n;
    for (int i = 0; i < n; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
    for (int i = 0; i < n; i++) y[i] = norm_scaled(((double)x[i] - mean) / sqrt(variance + epsilon), gamma, beta, i);
}

static inline void rms_norm_f32_reference(const float *x, double *y, int n, const float *gamma, double epsilon)
{
    double square = 0;
    for (int i = 0; i < n; i++) square += (double)x[i] * (double)x[i] / n;
    for (int i = 0; i < n; i++) y[i] = norm_scaled((double)x[i] / sqrt(square + epsilon), gamma, NULL, i);
}

#endif
