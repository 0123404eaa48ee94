/* Batches of matrix products whose batch axes broadcast, in ranges. */
#include "level_test.h"

#include "gemm_f32_reference.h"
#include "matmul_f32.h"

static void check(const matmul_shape *s, size_t a_size, size_t b_size, size_t batch, size_t first, size_t last)
{
    const size_t each = (size_t)s->m * (size_t)s->n;
    floats a = floats_random(a_size, -1, 1), b = floats_random(b_size, -1, 1), c = floats_new(batch * each);
    matmul_f32(s, NULL, a.data, b.data, c.data, first, last);
    for (size_t i = 0; i < batch; i++) {
        size_t rest = i, at_a = 0, at_b = 0;
        for (int d = s->rank - 1; d >= 0; d--) {
            at_a += rest % s->extent[d] * s->a_stride[d];
            at_b += rest % s->extent[d] * s->b_stride[d];
            rest /= s->extent[d];
        }
        for (int r = 0; r < s->m; r++)
            for (int j = 0; j < s->n; j++) {
                const float got = c.data[i * each + (size_t)(r * s->n + j)];
                double bound;
                const double expected = gemm_f32_reference(b.data + at_b, a.data + at_a, s->k, s->n, s->k, r, j, 0, &bound);
                if (i < first || i >= last) assert_true(got == GUARD_VALUE);
                else assert_near((double)got, expected, 1e-6 * bound);
            }
    }
    floats_free(a), floats_free(b), floats_free(c);
}

static void test_batches(void **state)
{
    (void)state;
    const matmul_shape one = { .m = 13, .n = 35, .k = 9 };
    check(&one, 13 * 9, 9 * 35, 1, 0, 1);
    const matmul_shape same = { .m = 5, .n = 17, .k = 6, .rank = 2, .extent = { 2, 3 }, .a_stride = { 90, 30 }, .b_stride = { 306, 102 } };
    check(&same, 180, 612, 6, 1, 5);
    const matmul_shape broadcast = { .m = 4, .n = 33, .k = 7, .rank = 2, .extent = { 3, 2 }, .a_stride = { 28, 0 }, .b_stride = { 0, 231 } };
    check(&broadcast, 84, 462, 6, 0, 6);
    const matmul_shape empty = { .m = 4, .n = 5, .k = 0, .rank = 1, .extent = { 2 } };
    check(&empty, 1, 1, 2, 0, 2);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_batches) };
    return RUN_AT_LEVEL(tests);
}
