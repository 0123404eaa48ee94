/* Reductions of every kind over outer, axis and inner sizes; accuracy of long sums; NaN. */
#include "level_test.h"

#include "reduce_f32.h"
#include "reduce_f32_reference.h"

static void check(reduce_kind kind, size_t outer, size_t axis, size_t inner)
{
    floats x = floats_random(outer * axis * inner, -1.5f, 2), y = floats_new(outer * inner);
    reduce_f32(kind, x.data, y.data, outer, axis, inner);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            const double expected = reduce_f32_reference(kind, x.data + o * axis * inner + i, axis, inner);
            assert_near((double)y.data[o * inner + i], expected, 6.1e-8 * fabs(expected) + 1e-14);
        }
    floats_free(x), floats_free(y);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int kind = REDUCE_SUM; kind <= REDUCE_L2; kind++) {
        for (size_t axis = 1; axis < 12; axis++)
            for (size_t inner = 1; inner < 40; inner += 6) check((reduce_kind)kind, 3, axis, inner);
        check((reduce_kind)kind, 1, 197, 768);
        check((reduce_kind)kind, 2, 100000, 1);
    }
}

static void test_nan_and_empty(void **state)
{
    (void)state;
    for (int at = 0; at < 9; at++) {
        float x[9], y;
        for (int i = 0; i < 9; i++) x[i] = i == at ? NAN : (float)i;
        for (int kind = REDUCE_SUM; kind <= REDUCE_L2; kind++) {
            reduce_f32((reduce_kind)kind, x, &y, 1, 9, 1);
            assert_true(isnan(y));
        }
    }
    float y[2];
    reduce_f32(REDUCE_SUM, y, y, 1, 0, 1);
    assert_true(y[0] == 0);
    reduce_f32(REDUCE_PROD, y, y, 1, 0, 2);
    assert_true(y[0] == 1 && y[1] == 1);
    reduce_f32(REDUCE_MEAN, y, y, 1, 0, 1);
    assert_true(isnan(y[0]));
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_nan_and_empty) };
    return RUN_AT_LEVEL(tests);
}
