/* Maps, reductions and products of any element types against the definition; those of doubles against the references of floats. */
#include "level_test.h"

#include "conv_f32_reference.h"
#include "conv_f64.h"
#include "map_any.h"
#include "matmul_any.h"
#include "norm_f32_reference.h"
#include "norm_f64.h"
#include "reduce_any.h"
#include "softmax_f32_reference.h"
#include "softmax_f64.h"

static int below(int n)
{
    return (int)test_random(0, (float)n - .01f);
}

/* ---- maps: u8 of i16 * f64 + bool, whose last axes step by 1, 1 and 0 ---- */

static void mixed(const void *const *in, const ptrdiff_t *at, ptrdiff_t i, void *out, ptrdiff_t to)
{
    const int64_t factor = element_integer(ELEMENT_I16, in[0], at[0] + i);
    const double product = element_widen(ELEMENT_F64, factor, false) * element_float(ELEMENT_F64, in[1], at[1] + i);
    element_set_integer(ELEMENT_U8, out, to, si_add(element_saturate(ELEMENT_I64, product), element_integer(ELEMENT_BOOL, in[2], at[2])));
}

static void check_map(int rank, ptrdiff_t first, ptrdiff_t last, const ptrdiff_t *extent)
{
    enum { MOST = 6 * 6 * 6 * 6 };
    static int16_t a[MOST];
    static double b[MOST];
    static uint8_t c[MOST], out[MOST];
    static ptrdiff_t stride[3][MAP_ANY_RANK];
    const void *const in[] = { a, b, c };
    map_any_shape s = { .rank = rank, .inputs = 3, .stride = (const ptrdiff_t (*)[MAP_ANY_RANK])stride };
    ptrdiff_t total = 1, size[3] = { 1, 1, 1 }, at[3];
    for (int k = rank - 1; k >= 0; k--) {
        s.extent[k] = extent[k];
        total *= extent[k];
        for (int i = 0; i < 3; i++) {
            const bool repeats = k == rank - 1 ? i == 2 : below(3) == 0;
            stride[i][k] = repeats ? 0 : size[i];
            if (!repeats) size[i] *= extent[k];
        }
    }
    for (int i = 0; i < MOST; i++) a[i] = (int16_t)(below(200) - 100), b[i] = (double)test_random(-3, 3), c[i] = (uint8_t)below(3), out[i] = 77;
    map_any(&s, in, at, out, first, last, mixed);
    for (ptrdiff_t n = 0; n < total; n++) {
        ptrdiff_t from[3] = { 0 }, rest = n;
        for (int k = rank - 1; k >= 0; k--) {
            for (int i = 0; i < 3; i++) from[i] += rest % extent[k] * stride[i][k];
            rest /= extent[k];
        }
        const ptrdiff_t row = total / extent[0];
        const uint8_t expected = (uint8_t)((int64_t)(a[from[0]] * b[from[1]]) + (c[from[2]] != 0));
        assert_int_equal(out[n], n / row < first || n / row >= last ? 77 : expected);
    }
}

static void test_map(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        const int rank = 1 + below(4);
        ptrdiff_t extent[MAP_ANY_RANK];
        for (int k = 0; k < rank; k++) extent[k] = 1 + below(6);
        const ptrdiff_t first = below((int)extent[0] + 1);
        check_map(rank, 0, extent[0], extent);
        check_map(rank, first, first + below((int)(extent[0] - first) + 1), extent);
    }
}

/* ---- reductions of [A][B][C] over any axes ---- */

enum { A = 3, B = 4, C = 5 };

static reduce_any_shape reduce_shape(int mask)
{
    static const ptrdiff_t extent[] = { A, B, C }, stride[] = { B * C, C, 1 };
    reduce_any_shape s = { 0 };
    for (int k = 0; k < 3; k++) {
        if (mask >> k & 1) s.reduced_extent[s.reduced] = extent[k], s.reduced_stride[s.reduced++] = stride[k];
        else s.kept_extent[s.kept] = extent[k], s.kept_stride[s.kept++] = stride[k];
    }
    return s;
}

/* Index in the result of the reduction of element (i, j, k). */
static int kept_index(int mask, int i, int j, int k)
{
    int at = 0;
    if (!(mask & 1)) at = i;
    if (!(mask & 2)) at = at * B + j;
    return mask & 4 ? at : at * C + k;
}

static double fold(reduce_kind kind, double so_far, double x)
{
    if (kind == REDUCE_PROD) return so_far * x;
    if (kind == REDUCE_MAX) return fmax(so_far, x);
    if (kind == REDUCE_MIN) return fmin(so_far, x);
    return so_far + (kind == REDUCE_SUMSQ || kind == REDUCE_L2 ? x * x : kind == REDUCE_L1 ? fabs(x) : x);
}

static void check_reduce(reduce_kind kind, int mask)
{
    double x[A * B * C], expected[A * B * C], y[A * B * C];
    int64_t integer[A * B * C], sum[A * B * C];
    const reduce_any_shape s = reduce_shape(mask);
    const int count = (mask & 1 ? A : 1) * (mask & 2 ? B : 1) * (mask & 4 ? C : 1), results = A * B * C / count;
    for (int i = 0; i < A * B * C; i++) x[i] = (double)(integer[i] = below(7) - 3);
    for (int i = 0; i < results; i++) expected[i] = kind == REDUCE_PROD ? 1 : kind == REDUCE_MAX ? -HUGE_VAL : kind == REDUCE_MIN ? HUGE_VAL : 0;
    for (int i = 0; i < A * B * C; i++) {
        const int at = kept_index(mask, i / (B * C), i / C % B, i % C);
        expected[at] = fold(kind, expected[at], x[i]);
    }
    reduce_any(kind, ELEMENT_F64, &s, x, y);
    reduce_any(kind, ELEMENT_I64, &s, integer, sum);
    for (int i = 0; i < results; i++) {
        const double whole = kind == REDUCE_MEAN ? expected[i] / count : kind == REDUCE_L2 ? sqrt(expected[i]) : expected[i];
        assert_near(y[i], whole, 1e-15 * fabs(whole));
        assert_int_equal(sum[i], (int64_t)whole);
    }
}

static void test_reduce(void **state)
{
    (void)state;
    for (int kind = REDUCE_SUM; kind <= REDUCE_L2; kind++)
        for (int mask = 0; mask < 8; mask++) check_reduce((reduce_kind)kind, mask);
    const uint64_t large[] = { UINT64_MAX, 1, UINT64_C(1) << 63 };
    const int8_t narrow[] = { 100, 100, -128 };
    const reduce_any_shape s = { .reduced = 1, .reduced_extent = { 3 }, .reduced_stride = { 1 } }, none = { .reduced = 1, .reduced_extent = { 0 } };
    uint64_t most;
    int8_t sum;
    float mean;
    reduce_any(REDUCE_MAX, ELEMENT_U64, &s, large, &most);
    assert_true(most == UINT64_MAX);
    reduce_any(REDUCE_MIN, ELEMENT_U64, &s, large, &most);
    assert_true(most == 1);
    reduce_any(REDUCE_SUM, ELEMENT_I8, &s, narrow, &sum);
    assert_int_equal(sum, 72);
    reduce_any(REDUCE_MAX, ELEMENT_I8, &none, narrow, &sum);
    assert_int_equal(sum, INT8_MIN);
    reduce_any(REDUCE_MEAN, ELEMENT_F32, &none, narrow, &mean);
    assert_true(mean != mean);
}

/* ---- products ---- */

static void test_matmul(void **state)
{
    (void)state;
    enum { BATCH = 2, M = 3, N = 21, K = 6 };
    const matmul_shape s = { .m = M, .n = N, .k = K, .rank = 1, .extent = { BATCH }, .a_stride = { M * K }, .b_stride = { 0 } };
    int16_t a[BATCH * M * K], b[K * N], c[BATCH * M * N];
    double x[BATCH * M * K], y[K * N], z[BATCH * M * N];
    for (int i = 0; i < BATCH * M * K; i++) x[i] = a[i] = (int16_t)(below(600) - 300);
    for (int i = 0; i < K * N; i++) y[i] = b[i] = (int16_t)(below(600) - 300);
    matmul_any(ELEMENT_I16, &s, a, b, c, 0, BATCH);
    matmul_any(ELEMENT_F64, &s, x, y, z, 0, BATCH);
    for (int i = 0; i < BATCH * M * N; i++) {
        int64_t sum = 0;
        for (int p = 0; p < K; p++) sum += a[i / N * K + p] * b[p * N + i % N];
        assert_true(z[i] == (double)sum);
        assert_int_equal(c[i], (int16_t)sum);
    }
}

/* ---- doubles ---- */

static double *widened(floats f)
{
    double *x = malloc(f.n * sizeof *x);
    for (size_t i = 0; i < f.n; i++) x[i] = (double)f.data[i];
    return x;
}

static void test_rows_of_doubles(void **state)
{
    (void)state;
    enum { ROWS = 4, SIZE = 37 };
    floats x = floats_random(ROWS * SIZE, -3, 9), gamma = floats_random(SIZE, -1, 1), beta = floats_random(SIZE, -1, 1);
    double *const wide = widened(x), *const g = widened(gamma), *const b = widened(beta), y[ROWS * SIZE], expected[SIZE];
    norm_f64(wide, SIZE, y, ROWS, SIZE, true, g, b, 1e-6);
    for (int r = 0; r < ROWS; r++) {
        layer_norm_f32_reference(x.data + r * SIZE, expected, SIZE, gamma.data, beta.data, 1e-6);
        for (int i = 0; i < SIZE; i++) assert_near(y[r * SIZE + i], expected[i], 1e-13);
    }
    norm_f64(wide, SIZE, y, ROWS, SIZE, false, g, NULL, 1e-6);
    for (int r = 0; r < ROWS; r++) {
        rms_norm_f32_reference(x.data + r * SIZE, expected, SIZE, gamma.data, 1e-6);
        for (int i = 0; i < SIZE; i++) assert_near(y[r * SIZE + i], expected[i], 1e-13);
    }
    softmax_f64(wide, y, 1, ROWS, SIZE);   /* along the rows */
    double shares[ROWS * SIZE];
    for (int i = 0; i < SIZE; i++) softmax_f32_reference(x.data + i, shares + i, ROWS, SIZE);
    for (int i = 0; i < ROWS * SIZE; i++) assert_near(y[i], shares[i], 1e-15);
    free(wide), free(g), free(b);
    floats_free(x), floats_free(gamma), floats_free(beta);
}

static void test_convolution_of_doubles(void **state)
{
    (void)state;
    const conv_shape s = { .channels = 4, .outputs = 6, .groups = 2, .size = { 1, 7, 8 }, .kernel = { 1, 3, 2 }, .out = { 1, 4, 7 },
                           .stride = { 1, 2, 1 }, .pad = { 0, 1, 1 }, .dilation = { 1, 1, 2 } };
    floats x = floats_random(2 * 4 * 56, -1, 1), w = floats_random(6 * 2 * 6, -1, 1), b = floats_random(6, -1, 1);
    double *const wide = widened(x), *const weights = widened(w), *const bias = widened(b), y[2 * 6 * 28];
    conv_f64(&s, wide, weights, bias, y, 0, 12);
    for (int i = 0; i < 2 * 6 * 28; i++) {
        const double expected = conv_f32_reference(&s, x.data, w.data, b.data, i / (6 * 28), i / 28 % 6, 0, i / 7 % 4, i % 7);
        assert_near(y[i], expected, 1e-14);
    }
    free(wide), free(weights), free(bias);
    floats_free(x), floats_free(w), floats_free(b);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map), cmocka_unit_test(test_reduce), cmocka_unit_test(test_matmul), cmocka_unit_test(test_rows_of_doubles),
        cmocka_unit_test(test_convolution_of_doubles),
    };
    return RUN_AT_LEVEL(tests);
}
