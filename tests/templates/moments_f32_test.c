/* Moments of channels, joined by groups: odd widths and groups, large means, constants, NaN. */
#include <math.h>

#include "level_test.h"

#include "moments_f32.h"

/* Mean and variance of group g in double; factor: of channel c. */
static void reference(const floats *x, int places, int channels, int groups, int c, double *mean, double *variance)
{
    const int width = channels / groups, first = c / width * width;
    const double all = (double)places * width;
    *mean = *variance = 0;
    for (int p = 0; p < places; p++)
        for (int j = first; j < first + width; j++) *mean += (double)x->data[p * channels + j] / all;
    for (int p = 0; p < places; p++)
        for (int j = first; j < first + width; j++) {
            const double apart = (double)x->data[p * channels + j] - *mean;
            *variance += apart * apart / all;
        }
}

static void check(int runs, int each, int channels, int groups, float low, float high, double tolerance)
{
    const int places = runs * each;
    floats x = floats_random((size_t)places * (size_t)channels, low, high), gamma = floats_random((size_t)channels, .5f, 1.5f);
    floats moments = floats_new((size_t)runs * 2 * (size_t)channels), y = floats_new(2 * (size_t)channels);
    const int half = runs / 2;   /* in two panels */
    moments_f32(x.data, moments.data, half, each, channels);
    moments_f32(x.data + half * each * channels, moments.data + half * 2 * channels, runs - half, each, channels);
    for (int with = 0; with < 2; with++) {
        join_moments_f32(moments.data, with ? gamma.data : NULL, y.data, 1, runs, channels, groups, 1e-6f);
        for (int c = 0; c < channels; c++) {
            double mean, variance;
            reference(&x, places, channels, groups, c, &mean, &variance);
            const double scale = (with ? (double)gamma.data[c] : 1) / sqrt(variance + 1e-6);
            assert_near((double)y.data[c], mean, 1e-7 * fabs(mean) + tolerance * sqrt(variance));
            assert_near((double)y.data[channels + c], scale, tolerance * fabs(scale));
        }
    }
    floats_free(x), floats_free(gamma), floats_free(moments), floats_free(y);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int channels = 1; channels < 140; channels += channels < 40 ? 1 : 13)
        for (int groups = 1; groups <= channels; groups++)
            if (channels % groups == 0) check(channels % 5 + 1, channels % 7 + 2, channels, groups, -1, 2, 1e-6);
    check(28, 112, 64, 32, -1, 1, 1e-6);
    check(64, 196, 32, 32, 0, 3, 1e-6);
}

/* A mean a thousand deviations from zero costs no more than the inputs' own rounding. */
static void test_large_mean(void **state)
{
    (void)state;
    check(7, 30, 48, 3, 1000, 1002, 1e-5);
    check(1, 500, 17, 1, -4097, -4095, 4e-5);
}

/* A first value far from all others. */
static void test_outlier(void **state)
{
    (void)state;
    float x[400], moments[2];
    for (int i = 0; i < 400; i++) x[i] = i ? 1 : 1e6f;
    moments_f32(x, moments, 1, 400, 1);
    assert_near((double)moments[0], 1 + (1e6 - 1) / 400, 1e-2);
    assert_near((double)moments[1], (1e6 - 1) * (1e6 - 1) * 399 / 400 / 400, 1e-4 * 1e12 / 400);
}

/* One value, equal values, and a NaN, which is in its channel only until groups are joined. */
static void test_constant_and_nan(void **state)
{
    (void)state;
    float x[2][4] = { { 7, 7, 7, 7 }, { 7, 7, 7, 7 } }, moments[2][4], y[2][4];
    moments_f32(x[0], moments[0], 1, 2, 4);
    for (int c = 0; c < 4; c++) assert_true(moments[0][c] == 7 && moments[1][c] == 0);
    moments_f32(x[0], moments[0], 1, 1, 4);
    for (int c = 0; c < 4; c++) assert_true(moments[0][c] == 7 && moments[1][c] == 0);
    x[1][1] = NAN;
    moments_f32(x[0], moments[0], 1, 2, 4);
    for (int c = 0; c < 4; c++) assert_true(isnan(moments[0][c]) == (c == 1) && isnan(moments[1][c]) == (c == 1));
    join_moments_f32(moments[0], NULL, y[0], 1, 1, 4, 2, 1e-6f);
    for (int c = 0; c < 4; c++) assert_true(isnan(y[0][c]) == (c < 2) && isnan(y[1][c]) == (c < 2));
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_large_mean), cmocka_unit_test(test_outlier),
                                        cmocka_unit_test(test_constant_and_nan) };
    return RUN_AT_LEVEL(tests);
}
