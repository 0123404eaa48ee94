/* The first elements in order against sorting all; ties, infinities and NaN; picking by places of its own row. */
#include "level_test.h"

#include "gather.h"
#include "top_k.h"

enum { OUTER = 3, AXIS = 37 };

/* Whether a stands before b, by the definition. */
static bool first(double u, double v, int64_t a, int64_t b, bool largest)
{
    if (u != u || v != v) return (u != u && v != v) ? a < b : (u != u) == largest;
    return u == v ? a < b : (u > v) == largest;
}

/* Each place stands before the next; what is not there stands before none of them. */
static void check_order(const double *x, const int64_t *y, size_t k, bool largest)
{
    bool taken[AXIS] = { false };
    for (size_t i = 0; i < k; i++) {
        assert_true(y[i] >= 0 && y[i] < AXIS && !taken[y[i]]);
        taken[y[i]] = true;
        if (i) assert_true(first(x[y[i - 1]], x[y[i]], y[i - 1], y[i], largest));
    }
    for (int64_t i = 0; i < AXIS; i++)
        if (!taken[i]) assert_true(first(x[y[k - 1]], x[i], y[k - 1], i, largest));
}

static void test_order(void **state)
{
    (void)state;
    static const element types[] = { ELEMENT_F32, ELEMENT_F64, ELEMENT_I8, ELEMENT_I64, ELEMENT_U8, ELEMENT_U64 };
    floats noise = floats_random(OUTER * AXIS, -9, 9);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t k = 1; k <= AXIS; k += k < 4 ? 1 : 11)
            for (int largest = 0; largest < 2; largest++) {
                double x[OUTER][AXIS];
                unsigned char stored[OUTER * AXIS * 8];
                int64_t y[OUTER * AXIS];
                for (int i = 0; i < OUTER * AXIS; i++) {
                    double value = floor((double)noise.data[i]);   /* whole numbers: many are equal */
                    if (element_is_float(types[t]) && i % 9 == 4) value = i % 2 ? (double)NAN : i % 4 ? -(double)INFINITY : (double)INFINITY;
                    if (types[t] >= ELEMENT_U8) value += 9;
                    x[i / AXIS][i % AXIS] = value;
                    if (element_is_float(types[t])) element_set_float(types[t], stored, i, value);
                    else element_set_integer(types[t], stored, i, (int64_t)value);
                }
                top_k_places(types[t], largest != 0, stored, y, OUTER, AXIS, k);
                for (int o = 0; o < OUTER; o++) check_order(x[o], y + (size_t)o * k, k, largest != 0);
            }
    floats_free(noise);
}

static void test_large_unsigned(void **state)
{
    (void)state;
    const uint64_t x[3] = { 1, UINT64_MAX, UINT64_MAX / 2 };
    int64_t y[3];
    top_k_places(ELEMENT_U64, true, x, y, 1, 3, 3);
    assert_true(y[0] == 1 && y[1] == 2 && y[2] == 0);
}

static void test_pick(void **state)
{
    (void)state;
    const float x[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
    const int32_t index[2][4] = { { 2, 0, -1, 99 }, { 1, -3, -99, 0 } };
    const float want[2][4] = { { 3, 1, 3, 3 }, { 5, 4, 4, 4 } };
    float y[2][4];
    pick_slices(x, ELEMENT_I32, index, y, 2, 3, 4, sizeof(float));
    assert_memory_equal(y, want, sizeof want);
    const float pairs[2][2][2] = { { { 1, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, 8 } } };
    const float last_first[2][2][2] = { { { 3, 4 }, { 1, 2 } }, { { 5, 6 }, { 5, 6 } } };
    const int64_t which[2][2] = { { -1, 0 }, { 0, -2 } };
    float z[2][2][2];
    pick_slices(pairs, ELEMENT_I64, which, z, 2, 2, 2, 2 * sizeof(float));
    assert_memory_equal(z, last_first, sizeof z);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_large_unsigned), cmocka_unit_test(test_pick) };
    return RUN_AT_LEVEL(tests);
}
