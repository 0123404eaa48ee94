/* Interpolation and pooling along an axis: any places and weights, NaN among what is pooled, runs that end within a vector, any rows, the last axis. */
#include "level_test.h"

#include "resample_f32_reference.h"

enum { TAPS = 4, MOST = 12 };

static size_t between(int low, int high)
{
    return (size_t)(low + (int)test_random(0, (float)(high - low) + .99f));
}

static void check(bool last, bool largest)
{
    const size_t outer = between(1, 3), in = between(1, MOST), out = between(1, MOST), width = last ? out : between(1, 40), each = last ? 1 : between(1, 3);
    const size_t inner = last ? 1 : width * each, all = outer * out * inner / width, first = between(0, (int)all - 1), rows = between(1, (int)(all - first));
    const int taps = (int)between(1, TAPS);
    int64_t index[MOST * TAPS];
    floats x = floats_random(outer * in * inner, -1, 1), weight = floats_random(out * (size_t)taps, -1, 1), y = floats_new(rows * width);
    for (size_t i = 0; i < out * (size_t)taps; i++) index[i] = (int64_t)between(0, (int)in - 1);
    if (largest) x.data[between(0, (int)(outer * in * inner) - 1)] = NAN;
    const float *const factor = largest ? NULL : weight.data;
    if (last) resample_last_f32(x.data, index, factor, y.data, taps, in, out, first, rows);
    else resample_f32(x.data, index, factor, y.data, taps, in, out, inner, width, first, rows);
    for (size_t i = 0; i < rows * width; i++)
        assert_near((double)y.data[i], resample_f32_reference(x.data, index, factor, taps, in, out, inner, first * width + i), 1e-6);
    floats_free(x), floats_free(weight), floats_free(y);
}

static void test_resample(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) check(i % 3 == 0, i % 2 == 0);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_resample) };
    return RUN_AT_LEVEL(tests);
}
