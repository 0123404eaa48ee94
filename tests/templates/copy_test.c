/* Row copies, padding and gathering against the definitions; indices out of range stay inside. */
#include "level_test.h"

#include "concat.h"
#include "gather.h"

static void test_copy_rows(void **state)
{
    (void)state;
    floats a = floats_random(3 * 4, -1, 1), b = floats_random(3 * 5, -1, 1), y = floats_new(3 * 9);
    copy_rows(a.data, 16, y.data, 36, 3, 16);
    copy_rows(b.data, 20, y.data + 4, 36, 3, 20);
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < 9; i++) assert_true(y.data[r * 9 + i] == (i < 4 ? a.data[r * 4 + i] : b.data[r * 5 + i - 4]));
    floats_free(a), floats_free(b), floats_free(y);
}

static void test_pad(void **state)
{
    (void)state;
    const pad_shape s = { .rank = 3, .extent = { 2, 3, 4 }, .before = { 1, 0, 2 }, .after = { 0, 2, 1 } };
    floats x = floats_random(24, 1, 2), y = floats_new(3 * 5 * 7);
    const float fill = -7;
    for (int with = 0; with < 2; with++) {
        pad_elements(&s, sizeof(float), x.data, y.data, with ? &fill : NULL);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 5; j++)
                for (int k = 0; k < 7; k++) {
                    const int inside = i >= 1 && j < 3 && k >= 2 && k < 6;
                    assert_true(y.data[(i * 5 + j) * 7 + k] == (inside ? x.data[((i - 1) * 3 + j) * 4 + k - 2] : with ? fill : 0));
                }
    }
    floats_free(x), floats_free(y);
}

static void test_gather(void **state)
{
    (void)state;
    enum { OUTER = 2, AXIS = 5, INNER = 3, COUNT = 7 };
    const int64_t wide[COUNT] = { 0, 4, -1, -5, 2, 99, INT64_MIN };
    const int taken[COUNT] = { 0, 4, 4, 0, 2, 4, 0 };
    const element types[] = { ELEMENT_I8, ELEMENT_I16, ELEMENT_I32, ELEMENT_I64, ELEMENT_U8, ELEMENT_U16, ELEMENT_U32, ELEMENT_U64 };
    floats x = floats_random(OUTER * AXIS * INNER, -1, 1), y = floats_new(OUTER * COUNT * INNER);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const bool is_signed = types[t] <= ELEMENT_I64;
        int64_t index[COUNT];
        for (int i = 0; i < COUNT; i++) element_set_integer(types[t], index, i, i == COUNT - 1 && is_signed ? -99 : wide[i]);
        gather_slices(x.data, types[t], index, y.data, OUTER, AXIS, COUNT, INNER * sizeof(float));
        for (int o = 0; o < OUTER; o++)
            for (int i = 0; i < COUNT; i++) {
                /* what is negative is beyond the end for an unsigned type; the last is 0, but for 64 bits */
                const int unsigned_taken = wide[i] < 0 && (i < COUNT - 1 || types[t] == ELEMENT_U64) ? AXIS - 1 : taken[i];
                const int at = is_signed ? taken[i] : unsigned_taken;
                assert_memory_equal(y.data + (o * COUNT + i) * INNER, x.data + (o * AXIS + at) * INNER, INNER * sizeof(float));
            }
    }
    floats_free(x), floats_free(y);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_copy_rows), cmocka_unit_test(test_pad), cmocka_unit_test(test_gather) };
    return RUN_AT_LEVEL(tests);
}
