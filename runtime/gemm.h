/* The shape of a small matrix product and the type of code that computes it. The weights' matrix comes first: features are contiguous.
 * Shapes: c[n][ldc] (+)= sum over k of b[n][ldb] * a[k][lda], with m features a row of a and c.
 * The signature is that of libxsmm's single-precision kernels. Such code reads no argument after the third; or, of a batch, three more: how many
 * products are summed, and where each one's a and b start, in bytes from those given, all as const unsigned long long *. */
#ifndef VITCC_RUNTIME_GEMM_H
#define VITCC_RUNTIME_GEMM_H

typedef void gemm_code(const float *a, const float *b, float *c, ...);

typedef struct gemm_shape {
    int m, n, k;          /* features, rows, inputs */
    int lda, ldb, ldc;    /* in floats */
    int add;              /* 1: c += the product; 0: c = the product, and c is not read */
    int batch;            /* 1: of a batch */
} gemm_shape;

#endif
