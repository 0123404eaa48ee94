/* Softmax along rows and along other axes; extreme values, NaN. */
#include "level_test.h"

#include "softmax_f32.h"
#include "softmax_f32_reference.h"

/* The difference to the largest is rounded before the exponential. */
static void assert_share(float got, double expected)
{
    assert_near((double)got, expected, expected > 0 ? expected * (6e-7 - 7e-8 * log(expected)) + 1e-37 : 1e-37);
}

static void check_rows(int rows, int n, float spread, int in_place)
{
    const int ldx = n + 2, ldy = in_place ? ldx : n + 1;
    floats x = floats_random((size_t)(rows - 1) * (size_t)ldx + (size_t)n, -spread, spread);
    floats y = in_place ? x : floats_new((size_t)(rows - 1) * (size_t)ldy + (size_t)n);
    double *expected = malloc((size_t)rows * (size_t)n * sizeof *expected);
    for (int r = 0; r < rows; r++) softmax_f32_reference(x.data + r * ldx, expected + r * n, n, 1);
    softmax_f32(x.data, ldx, y.data, ldy, rows, n);
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < n; i++) assert_share(y.data[r * ldy + i], expected[r * n + i]);
        for (int i = n; !in_place && i < ldy && r < rows - 1; i++) assert_true(y.data[r * ldy + i] == GUARD_VALUE);
    }
    free(expected);
    floats_free(x);
    if (!in_place) floats_free(y);
}

static void test_rows(void **state)
{
    (void)state;
    for (int n = 1; n < 150; n++) check_rows(3, n, n % 3 ? 4 : 60, n & 1);
    check_rows(4, 1000, 10, 0);
}

static void test_axes(void **state)
{
    (void)state;
    for (size_t inner = 1; inner < 40; inner += 3)
        for (int axis = 1; axis < 20; axis += 6) {
            const size_t outer = 3, n = outer * (size_t)axis * inner;
            floats x = floats_random(n, -5, 5), y = floats_new(n);
            double *expected = malloc(n * sizeof *expected);
            for (size_t o = 0; o < outer; o++)
                for (size_t i = 0; i < inner; i++) {
                    const size_t at = o * (size_t)axis * inner + i;
                    softmax_f32_reference(x.data + at, expected + at, axis, inner);
                }
            softmax_axis_f32(x.data, y.data, outer, axis, inner);
            for (size_t i = 0; i < n; i++) assert_share(y.data[i], expected[i]);
            free(expected);
            floats_free(x), floats_free(y);
        }
}

static void test_extremes(void **state)
{
    (void)state;
    float x[37], y[37];
    for (int at = 0; at < 37; at += 6) {
        for (int i = 0; i < 37; i++) x[i] = -INFINITY;
        x[at] = -3e38f;
        softmax_f32(x, 37, y, 37, 1, 37);
        for (int i = 0; i < 37; i++) assert_true(y[i] == (i == at ? 1 : 0));
        x[at] = NAN;
        softmax_f32(x, 37, y, 37, 1, 37);
        for (int i = 0; i < 37; i++) assert_true(isnan(y[i]));
        for (int i = 0; i < 37; i++) x[i] = i == at ? NAN : 3e38f;
        softmax_f32(x, 37, y, 37, 1, 37);
        for (int i = 0; i < 37; i++) assert_true(isnan(y[i]));
    }
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_axes), cmocka_unit_test(test_extremes) };
    return RUN_AT_LEVEL(tests);
}
