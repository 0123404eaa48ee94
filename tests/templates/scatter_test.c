/* Slices written by place: each kind of float and integer against hand-made results; places outside are passed over. */
#include "level_test.h"

#include "scatter.h"

enum { OUTER = 2, AXIS = 3, COUNT = 4, INNER = 2 };

static const int64_t places[OUTER][COUNT] = { { 1, 1, 0, 3 }, { -1, 2, 2, 2 } };

static void test_plain(void **state)
{
    (void)state;
    const float x[OUTER][AXIS][INNER] = { { { 1, 2 }, { 3, 4 }, { 5, 6 } }, { { 7, 8 }, { 9, 10 }, { 11, 12 } } };
    const float updates[OUTER][COUNT][INNER] = { { { 20, 21 }, { 22, 23 }, { -0.0f, NAN }, { 99, 99 } },
                                                 { { 99, 99 }, { 24, 25 }, { 26, 27 }, { 28, 29 } } };
    const float want[OUTER][AXIS][INNER] = { { { -0.0f, NAN }, { 22, 23 }, { 5, 6 } }, { { 7, 8 }, { 9, 10 }, { 28, 29 } } };
    float y[OUTER][AXIS][INNER];
    scatter_slices(SCATTER_NONE, ELEMENT_F32, x, places, updates, y, OUTER, AXIS, COUNT, INNER);
    assert_memory_equal(y, want, sizeof want);
}

static void check_floats(scatter_kind kind, float one, float two)
{
    const float x[AXIS] = { -0.0f, 3, NAN }, updates[COUNT] = { 5, -2, 7, 9 };
    const int64_t twice[COUNT] = { 1, 1, 2, 5 };
    float y[AXIS];
    scatter_slices(kind, ELEMENT_F32, x, twice, updates, y, 1, AXIS, COUNT, 1);
    assert_true(signbit(y[0]) && y[0] == 0);
    assert_true(y[1] == one);
    assert_true(kind == SCATTER_NONE ? y[2] == two : y[2] != y[2]);
}

static void test_floats(void **state)
{
    (void)state;
    check_floats(SCATTER_NONE, -2, 7);
    check_floats(SCATTER_ADD, 6, 0);
    check_floats(SCATTER_MUL, -30, 0);
    check_floats(SCATTER_MAX, 5, 0);
    check_floats(SCATTER_MIN, -2, 0);
}

static void test_integers(void **state)
{
    (void)state;
    const uint64_t x[2] = { UINT64_MAX, 1 }, update[2] = { 2, UINT64_MAX };
    const uint8_t small[2] = { 250, 3 }, more[2] = { 10, 100 };
    const int64_t both[2] = { 0, 1 };
    uint64_t y[2];
    uint8_t z[2];
    scatter_slices(SCATTER_MAX, ELEMENT_U64, x, both, update, y, 1, 2, 2, 1);
    assert_true(y[0] == UINT64_MAX && y[1] == UINT64_MAX);
    scatter_slices(SCATTER_MIN, ELEMENT_U64, x, both, update, y, 1, 2, 2, 1);
    assert_true(y[0] == 2 && y[1] == 1);
    scatter_slices(SCATTER_ADD, ELEMENT_U8, small, both, more, z, 1, 2, 2, 1);
    assert_true(z[0] == 4 && z[1] == 103);
    scatter_slices(SCATTER_MUL, ELEMENT_U8, small, both, more, z, 1, 2, 2, 1);
    assert_true(z[0] == (uint8_t)2500 && z[1] == 44);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_plain), cmocka_unit_test(test_floats), cmocka_unit_test(test_integers) };
    return RUN_AT_LEVEL(tests);
}
