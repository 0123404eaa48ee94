/* Layer and RMS normalisation: odd widths, in place, large means, rows apart. */
#include "level_test.h"

#include "norm_f32.h"
#include "norm_f32_reference.h"

static void check(int rows, int n, float centre, float spread, int with, int in_place, double tolerance)
{
    const int ldx = n + 3, ldy = in_place ? ldx : n + 1;
    floats x = floats_random((size_t)(rows - 1) * (size_t)ldx + (size_t)n, centre - spread, centre + spread);
    floats y = in_place ? x : floats_new((size_t)(rows - 1) * (size_t)ldy + (size_t)n);
    floats gamma = floats_random((size_t)n, .5f, 1.5f), beta = floats_random((size_t)n, -1, 1);
    const float *g = with & 1 ? gamma.data : NULL, *b = with & 2 ? beta.data : NULL;
    double *expected = malloc((size_t)rows * (size_t)n * sizeof *expected);
    for (int rms = 0; rms < 2; rms++) {
        for (int r = 0; r < rows; r++) {
            if (rms) rms_norm_f32_reference(x.data + r * ldx, expected + r * n, n, g, 1e-6);
            else layer_norm_f32_reference(x.data + r * ldx, expected + r * n, n, g, b, 1e-6);
        }
        if (rms) rms_norm_f32(x.data, ldx, y.data, ldy, rows, n, g, 1e-6f);
        else layer_norm_f32(x.data, ldx, y.data, ldy, rows, n, g, b, 1e-6f);
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < n; i++) assert_near((double)y.data[r * ldy + i], expected[r * n + i], tolerance);
            for (int i = n; !in_place && i < ldy && r < rows - 1; i++) assert_true(y.data[r * ldy + i] == GUARD_VALUE);
        }
    }
    free(expected);
    floats_free(x), floats_free(gamma), floats_free(beta);
    if (!in_place) floats_free(y);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int n = 1; n < 200; n += n < 70 ? 1 : 17)
        for (int with = 0; with < 4; with++) check(3, n, .3f, 1, with, n & 1, 2e-6);
    check(5, 768, 0, 2, 3, 1, 2e-6);
    check(5, 1024, 5, 2, 3, 0, 3e-6);
}

/* A mean a thousand deviations from zero costs no more than the inputs' own rounding. */
static void test_large_mean(void **state)
{
    (void)state;
    check(2, 768, 1000, 1, 3, 0, 3e-6);
    check(2, 769, -4096, 1, 0, 0, 3e-6);
}

static void test_constant_and_nan(void **state)
{
    (void)state;
    float x[40], y[40];
    for (int i = 0; i < 40; i++) x[i] = 7;
    layer_norm_f32(x, 40, y, 40, 1, 40, NULL, NULL, 1e-6f);
    for (int i = 0; i < 40; i++) assert_true(y[i] == 0);
    x[39] = NAN;
    layer_norm_f32(x, 40, y, 40, 1, 40, NULL, NULL, 1e-6f);
    for (int i = 0; i < 40; i++) assert_true(isnan(y[i]));
    rms_norm_f32(x, 40, y, 40, 1, 40, NULL, 1e-6f);
    for (int i = 0; i < 40; i++) assert_true(isnan(y[i]));
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_large_mean), cmocka_unit_test(test_constant_and_nan) };
    return RUN_AT_LEVEL(tests);
}
