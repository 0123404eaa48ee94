/* The portable matrix kernel over all small shapes and remainders, and the choice of a kernel made for the shape. */
#include "level_test.h"

#include "gemm_f32.h"
#include "gemm_f32_reference.h"

static void check(int m, int n, int k, int gap, int add)
{
    const int lda = m + gap, ldb = k + gap, ldc = m + 2 * gap;
    const size_t a_size = k ? (size_t)(k - 1) * (size_t)lda + (size_t)m : 0, b_size = k ? (size_t)(n - 1) * (size_t)ldb + (size_t)k : 0;
    floats a = floats_random(a_size, -1, 1), b = floats_random(b_size, -1, 1), c = floats_new((size_t)(n - 1) * (size_t)ldc + (size_t)m);
    for (int r = 0; add && r < n; r++)
        for (int i = 0; i < m; i++) c.data[r * ldc + i] = (float)(r - i);
    gemm_f32(NULL, a.data, b.data, c.data, m, n, k, lda, ldb, ldc, add);
    for (int r = 0; r < n; r++)
        for (int i = 0; i < ldc && (r < n - 1 || i < m); i++) {
            if (i >= m) {
                assert_true(c.data[r * ldc + i] == GUARD_VALUE);
                continue;
            }
            double bound;
            const double expected = gemm_f32_reference(a.data, b.data, k, lda, ldb, r, i, add ? r - i : 0, &bound);
            assert_near((double)c.data[r * ldc + i], expected, 6.1e-8 * bound * (2 + (k < 20 ? k : 20)));
        }
    floats_free(a);
    floats_free(b);
    floats_free(c);
}

static void test_small_shapes(void **state)
{
    (void)state;
    for (int m = 1; m <= 2 * LANES * GEMM_VECTORS + 3; m += m < 20 ? 1 : 5)
        for (int n = 1; n <= 2 * GEMM_ROWS + 2; n++)
            for (int k = 0; k < 4; k++) check(m, n, k, (m + n) % 3, (m ^ n) & 1);
}

static void test_real_shapes(void **state)
{
    (void)state;
    check(64, 25, 768, 0, 0);
    check(32, 29, 64, 5, 1);
    check(40, 24, 197, 0, 0);
    check(224, 25, 64, 0, 0);
    check(1000, 1, 768, 0, 0);
    check(7, 197, 3072, 0, 1);
}

static void constant_code(const float *a, const float *b, float *c, ...)
{
    *c = *a + *b;
}

static void test_code_is_called(void **state)
{
    (void)state;
    const float a = 2, b = 3;
    float c = 0;
    gemm_f32(constant_code, &a, &b, &c, 1, 1, 1, 1, 1, 1, 0);
    assert_true(c == 5);
    gemm_f32(NULL, &a, &b, &c, 1, 1, 1, 1, 1, 1, 1);
    assert_true(c == 11);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_small_shapes), cmocka_unit_test(test_real_shapes),
                                        cmocka_unit_test(test_code_is_called) };
    return RUN_AT_LEVEL(tests);
}
