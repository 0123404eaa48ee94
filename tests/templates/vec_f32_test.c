/* Loads and stores in part touch what they should and nothing else; sums and selections over lanes. */
#include "level_test.h"

#include "vec_f32.h"

static void test_parts(void **state)
{
    (void)state;
    for (int count = 0; count <= LANES; count++) {
        floats in = floats_random((size_t)count, -1, 1), out = floats_new((size_t)count);
        const vf x = vf_load_part(in.data, count);
        for (int i = 0; i < LANES; i++) assert_true(x[i] == (i < count ? in.data[i] : 0));
        vf_store_part(out.data, x + 1.f, count);
        for (int i = 0; i < count; i++) assert_true(out.data[i] == in.data[i] + 1.f);
        const vi first = vi_first(count);
        for (int i = 0; i < LANES; i++) assert_int_equal(first[i], i < count ? -1 : 0);
        floats_free(in);
        floats_free(out);
    }
    float wide[2 * LANES];
    for (int i = 0; i < 2 * LANES; i++) wide[i] = GUARD_VALUE;
    vf_store_part(wide, vf_splat(1), LANES - 1);
    assert_true(wide[LANES - 2] == 1 && wide[LANES - 1] == GUARD_VALUE && wide[LANES] == GUARD_VALUE);
}

static void test_gather(void **state)
{
    (void)state;
    float x[LANES * 3];
    for (int i = 0; i < LANES * 3; i++) x[i] = (float)i;
    const vf r = vf_gather(x, 3, LANES - 1), back = vf_gather(x + LANES, -1, 2);
    for (int i = 0; i < LANES; i++) assert_true(r[i] == (i < LANES - 1 ? (float)(3 * i) : 0));
    assert_true(back[0] == LANES && back[1] == LANES - 1 && back[2] == 0);
}

static void test_over_lanes(void **state)
{
    (void)state;
    vf x = vf_splat(0);
    for (int i = 0; i < LANES; i++) x[i] = (float)(i * i - 3);
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += x[i];
    assert_true(vf_sum(x) == sum);
    assert_true(vf_largest(x) == (float)((LANES - 1) * (LANES - 1) - 3) && vf_largest(-x) == 3);
    assert_true(vf_nearest(vf_splat(2.5f))[0] == 2 && vf_nearest(vf_splat(-3.5f))[0] == -4 && vf_nearest(vf_splat(-.4f))[0] == 0);
    assert_int_equal(vi_of_integral(vf_splat(-7))[LANES - 1], -7);
    assert_int_equal(vi_lanes()[LANES - 1], LANES - 1);
    assert_true(vf_keep(vi_first(1), vf_splat(5))[0] == 5 && vf_keep(vi_first(1), vf_splat(5))[1] == 0);
    assert_true(vf_larger(vf_splat(NAN), vf_splat(1))[0] == 1 && isnan(vf_smaller(vf_splat(1), vf_splat(NAN))[0]));
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parts), cmocka_unit_test(test_gather), cmocka_unit_test(test_over_lanes) };
    return RUN_AT_LEVEL(tests);
}
