/* Convolution: strides, padding wider than the kernel, dilation, groups, depthwise, one to three axes, ranges of planes. */
#include "level_test.h"

#include "conv_f32.h"
#include "conv_f32_reference.h"

static int between(int low, int high)
{
    return low + (int)test_random(0, (float)(high - low) + .99f);
}

/* Fills in the sizes of the result; false: the kernel does not fit. */
static bool set_out(conv_shape *s, const int *pad_behind)
{
    for (int a = 0; a < 3; a++) {
        const int room = s->size[a] + s->pad[a] + pad_behind[a] - (s->kernel[a] - 1) * s->dilation[a] - 1;
        if (room < 0) return false;
        s->out[a] = room / s->stride[a] + 1;
    }
    return true;
}

static void check(const conv_shape *s, int images, int with_bias)
{
    const size_t plane_in = (size_t)(s->size[0] * s->size[1] * s->size[2]), plane_out = (size_t)(s->out[0] * s->out[1] * s->out[2]);
    const size_t taps = (size_t)(s->kernel[0] * s->kernel[1] * s->kernel[2]) * (size_t)(s->channels / s->groups);
    const size_t planes = (size_t)(images * s->outputs);
    floats x = floats_random((size_t)(images * s->channels) * plane_in, -1, 1), w = floats_random((size_t)s->outputs * taps, -1, 1);
    floats b = floats_random((size_t)s->outputs, -1, 1);
    floats y = floats_new(planes * plane_out);
    const size_t first = planes > 2 ? 1 : 0;
    conv_f32(s, x.data, w.data, with_bias ? b.data : NULL, y.data, first, planes);
    for (size_t p = 0; p < planes; p++)
        for (size_t i = 0; i < plane_out; i++) {
            if (p < first) {
                assert_true(y.data[i] == GUARD_VALUE);
                continue;
            }
            const int z = (int)i / (s->out[1] * s->out[2]), row = (int)i / s->out[2] % s->out[1], column = (int)i % s->out[2];
            const double expected = conv_f32_reference(s, x.data, w.data, with_bias ? b.data : NULL, (int)p / s->outputs, (int)p % s->outputs, z,
                                                       row, column);
            assert_near((double)y.data[p * plane_out + i], expected, 3e-7 * (double)(taps + 1));
        }
    floats_free(x), floats_free(w), floats_free(b), floats_free(y);
}

static void test_random_shapes(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        const int groups = between(1, 3), axes = between(1, 3);
        conv_shape s = { .channels = groups * between(1, 3), .outputs = groups * between(1, 3), .groups = groups };
        int behind[3] = { 0 };
        for (int a = 0; a < 3; a++) {
            const int real = a >= 3 - axes;
            s.size[a] = real ? between(1, a == 2 ? 40 : 7) : 1;
            s.kernel[a] = real ? between(1, 4) : 1;
            s.stride[a] = real ? between(1, 3) : 1;
            s.dilation[a] = real ? between(1, 3) : 1;
            s.pad[a] = real ? between(0, 5) : 0;
            behind[a] = real ? between(0, 5) : 0;
        }
        if (set_out(&s, behind)) check(&s, between(1, 2), i & 1);
    }
}

static void test_patch_embedding(void **state)
{
    (void)state;
    const conv_shape s = { .channels = 3, .outputs = 8, .groups = 1, .size = { 1, 32, 48 }, .kernel = { 1, 16, 16 }, .out = { 1, 2, 3 },
                           .stride = { 1, 16, 16 }, .pad = { 0 }, .dilation = { 1, 1, 1 } };
    check(&s, 2, 1);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_patch_embedding) };
    return RUN_AT_LEVEL(tests);
}
