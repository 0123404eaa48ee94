/* Convolution with channels last: strides, padding wider than the kernel, dilation, groups, runs of one place, of a line and of the whole window, any rows; and channel by channel. */
#include "level_test.h"

#include "conv_last_f32_reference.h"
#include "depthwise_f32.h"

static int between(int low, int high)
{
    return low + (int)test_random(0, (float)(high - low) + .99f);
}

/* A random window over channels; false: it does not fit. */
static bool make_shape(windows_shape *s, int most)
{
    for (int a = 0; a < 2; a++) {
        s->size[a] = between(1, most);
        s->kernel[a] = between(1, 4);
        s->stride[a] = between(1, 3);
        s->dilation[a] = between(1, 3);
        s->pad[a] = between(0, 5);
        const int room = s->size[a] + s->pad[a] + between(0, 5) - (s->kernel[a] - 1) * s->dilation[a] - 1;
        if (room < 0) return false;
        s->out[a] = room / s->stride[a] + 1;
    }
    return true;
}

/* Some rows of two images' results. */
static void some_rows(const windows_shape *s, int *first, int *rows)
{
    const int all = 2 * s->out[0] * s->out[1];
    *first = between(0, all - 1);
    *rows = between(1, all - *first);
}

static floats image_of(const windows_shape *s)
{
    return floats_random((size_t)(2 * s->size[0] * s->size[1] * s->channels), -1, 1);
}

static void pack(const float *w, float *to, int k, int n, int block)
{
    for (int j = 0; j < n; j += block) {
        const int width = n - j < block ? n - j : block;
        for (int i = 0; i < k; i++) memcpy(to + j * k + i * width, w + i * n + j, (size_t)width * sizeof *to);
    }
}

/* Floats, as whole lines. */
static size_t lines(int count)
{
    return ((size_t)count + 15) / 16 * 16;
}

static void check_product(const windows_shape *s, int each, int taps, int part, int bn)
{
    const int all = s->kernel[0] * s->kernel[1], k = all * s->channels / s->groups, n = each * s->groups, run = taps * s->channels / s->groups;
    int first, rows;
    some_rows(s, &first, &rows);
    const int tile = between(1, rows + 3);
    floats x = image_of(s), w = floats_random((size_t)(k * n), -1, 1), packed = floats_new((size_t)(k * n)), y = floats_new((size_t)(rows * n));
    floats scratch = floats_new(lines(tile * bn) + lines(run) + (taps > 1 ? lines(tile * k) : 0) + lines(2 * tile * all / taps));
    pack(w.data, packed.data, k, n, bn);
    conv_last_f32(s, x.data, packed.data, scratch.data, y.data, (size_t)first, rows, n, taps, part, bn, tile, tile_as_is_f32, NULL);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n; j++)
            assert_near((double)y.data[r * n + j], conv_last_f32_reference(s, x.data, w.data, n, first + r, j), 3e-7 * (k + 1));
    floats_free(x), floats_free(w), floats_free(packed), floats_free(scratch), floats_free(y);
}

static void test_products(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) {
        windows_shape s = { .groups = i % 3 ? 1 : between(2, 3) };
        const int each = between(1, i % 5 ? 6 : 40), channels = between(1, 9), bn = s.groups > 1 ? each : between(1, i % 5 ? 7 : 40);
        s.channels = channels * s.groups;
        if (!make_shape(&s, 9)) continue;
        const bool lines_are_runs = s.groups == 1 && s.dilation[1] == 1 && i % 2;
        const int taps = i % 4 > 1 ? 1 : lines_are_runs ? s.kernel[1] : s.kernel[0] * s.kernel[1];
        check_product(&s, each, taps, between(1, 40), bn);
    }
}

static void test_depthwise(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        windows_shape s = { .channels = between(1, 70) };
        s.groups = s.channels;
        if (!make_shape(&s, 14)) continue;
        int first, rows;
        some_rows(&s, &first, &rows);
        floats x = image_of(&s), w = floats_random((size_t)(s.kernel[0] * s.kernel[1] * s.channels), -1, 1), b = floats_random((size_t)s.channels, -1, 1);
        floats y = floats_new((size_t)(rows * s.channels));
        depthwise_f32(&s, x.data, w.data, i & 1 ? b.data : NULL, y.data, (size_t)first, (size_t)rows);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < s.channels; c++)
                assert_near((double)y.data[r * s.channels + c],
                            conv_last_f32_reference(&s, x.data, w.data, s.channels, first + r, c) + (i & 1 ? (double)b.data[c] : 0), 6e-6);
        floats_free(x), floats_free(w), floats_free(b), floats_free(y);
    }
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_products), cmocka_unit_test(test_depthwise) };
    return RUN_AT_LEVEL(tests);
}
