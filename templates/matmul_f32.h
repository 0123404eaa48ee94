/* A batch of matrix products whose batch axes broadcast.
 * Shapes: c [batch…][m][n] = a [batch…][m][k] · b [batch…][k][n], matrices contiguous; batch strides in floats, 0 broadcasts.
 *         Products first to last - 1 of the batch, in row-major order of its axes, are computed; pointers are at product 0.
 * Requires: batch rank 0 to MATMUL_RANK; c overlaps neither a nor b. code: a kernel with its shape's m = n, n = m, k, lda = n, ldb = k, ldc = n, or
 *         NULL.
 * Numerics: as gemm_f32; k = 0 gives zeros. */
#ifndef VITCC_TEMPLATES_MATMUL_F32_H
#define VITCC_TEMPLATES_MATMUL_F32_H

#include "gemm_f32.h"

enum { MATMUL_RANK = 6 };

typedef struct matmul_shape {
    int m, n, k;
    int rank;
    size_t extent[MATMUL_RANK], a_stride[MATMUL_RANK], b_stride[MATMUL_RANK];
} matmul_shape;

TEMPLATE void matmul_f32(const matmul_shape *s, gemm_code *code, const float *a, const float *b, float *c, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        size_t rest = i, at_a = 0, at_b = 0;
        for (int d = s->rank - 1; d >= 0; d--) {
            const size_t index = rest % s->extent[d];
            rest /= s->extent[d];
            at_a += index * s->a_stride[d];
            at_b += index * s->b_stride[d];
        }
        gemm_f32(code, b + at_b, a + at_a, c + i * (size_t)s->m * (size_t)s->n, s->n, s->m, s->k, s->n, s->k, s->n, 0);
    }
}

#endif
