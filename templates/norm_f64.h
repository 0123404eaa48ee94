/* Layer and root-mean-square normalisation of rows of doubles.
 * Shapes: x [rows][ldx], y [rows][n]; gamma, beta [n], NULL: ones, zeros. y may be x, if ldx is n.
 * Requires: n >= 1. */
#ifndef VITCC_TEMPLATES_NORM_F64_H
#define VITCC_TEMPLATES_NORM_F64_H

#include "level.h"

/* centred: a layer norm; without, the root mean square. */
TEMPLATE void norm_f64(const double *x, size_t ldx, double *y, size_t rows, size_t n, bool centred, const double *gamma, const double *beta,
                       double epsilon)
{
    for (size_t r = 0; r < rows; r++, x += ldx, y += n) {
        double mean = 0, squares = 0;
        for (size_t i = 0; centred && i < n; i++) mean += x[i];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
        const double scale = sqrt(squares / (double)n + epsilon);
        for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) / scale * (gamma ? gamma[i] : 1) + (beta ? beta[i] : 0);
    }
}

#endif
