/* Single elements: half precision over all bit patterns and the points between them, saturation, wrapping, and the scalar operators where types
 * differ. */
#include "level_test.h"

#include "element.h"
#include "half.h"
#include "scalar.h"

/* Every number of a half type comes back; between two neighbours the nearer wins, in the middle the even one. */
static void check_half(element e, int exponent, int fraction)
{
    const uint32_t infinity = ((1u << exponent) - 1) << fraction;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        const uint16_t half = (uint16_t)bits;
        const double x = element_float(e, &half, 0);
        assert_near(half_to_double(half, exponent, fraction), x, 0);
        assert_int_equal(x != x, (bits & 0x7fff) > infinity);
        if (x != x) continue;
        uint16_t back = 0;
        element_set_float(e, &back, 0, x);
        assert_int_equal(back, bits);
        assert_int_equal(half_from_double(x, exponent, fraction), bits);
        if ((bits & 0x7fff) >= infinity) continue;
        const uint16_t next = (uint16_t)(bits + 1);
        /* behind the largest number stands what would be the next one, from where on all is infinite */
        const double above = (next & 0x7fff) == infinity ? (bits >> 15 ? -1.0 : 1.0) * ldexp(1, 1 << (exponent - 1)) : element_float(e, &next, 0);
        const double middle = x + (above - x) / 2, near = x + (above - x) * .4999, far = x + (above - x) * .5001;
        const uint16_t even = bits & 1 ? next : half;
        assert_int_equal(element_to_half(middle, exponent, fraction), even);
        assert_int_equal(element_to_half(near, exponent, fraction), half);
        assert_int_equal(element_to_half(far, exponent, fraction), next);
        assert_int_equal(half_from_double(middle, exponent, fraction), even);
        assert_int_equal(half_from_double(far, exponent, fraction), next);
    }
    assert_int_equal(element_to_half(1e300, exponent, fraction), infinity);
    assert_int_equal(element_to_half(-HUGE_VAL, exponent, fraction), 0x8000 | infinity);
    assert_true((element_to_half((double)NAN, exponent, fraction) & 0x7fff) > infinity);
}

static void test_halves(void **state)
{
    (void)state;
    check_half(ELEMENT_F16, 5, 10);
    check_half(ELEMENT_BF16, 8, 7);
}

static void test_saturation(void **state)
{
    (void)state;
    const struct { element e; int64_t least, most; } limits[] = {
        { ELEMENT_I8, INT8_MIN, INT8_MAX }, { ELEMENT_I16, INT16_MIN, INT16_MAX }, { ELEMENT_I32, INT32_MIN, INT32_MAX },
        { ELEMENT_I64, INT64_MIN, INT64_MAX },
        { ELEMENT_U8, 0, UINT8_MAX }, { ELEMENT_U16, 0, UINT16_MAX }, { ELEMENT_U32, 0, UINT32_MAX }, { ELEMENT_U64, 0, -1 },
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const element e = limits[i].e;
        assert_int_equal(element_saturate(e, 1e30), limits[i].most);
        assert_int_equal(element_saturate(e, HUGE_VAL), limits[i].most);
        assert_int_equal(element_saturate(e, -1e30), limits[i].least);
        assert_int_equal(element_saturate(e, (double)NAN), 0);
        assert_int_equal(element_saturate(e, 2.99), 2);
        assert_int_equal(element_saturate(e, -.99), 0);
        assert_int_equal(element_saturate(e, -2.99), limits[i].least ? -2 : 0);
    }
    assert_int_equal(element_saturate(ELEMENT_U64, 0x1p63), INT64_MIN);
    assert_int_equal(element_saturate(ELEMENT_BOOL, (double)NAN), 1);
    assert_int_equal(element_saturate(ELEMENT_BOOL, .25), 1);
}

/* What is stored is what is read: modulo the type's range. */
static void test_wrapping(void **state)
{
    (void)state;
    const int64_t numbers[] = { 0, 1, -1, 127, 128, 255, 256, 32768, 65535, INT32_MAX, INT64_C(1) << 31, INT64_C(1) << 32, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const int64_t x = numbers[i], expected[] = { (int8_t)x, (int16_t)x, (int32_t)x, x, (uint8_t)x, (uint16_t)x, (uint32_t)x, x, x != 0 };
        for (int e = ELEMENT_I8; e <= ELEMENT_BOOL; e++) {
            unsigned char bytes[24];
            memset(bytes, 0xaa, sizeof bytes);
            element_set_integer((element)e, bytes, 1, x);
            assert_int_equal(element_integer((element)e, bytes, 1), expected[e - ELEMENT_I8]);
            assert_int_equal(element_wrap((element)e, x), expected[e - ELEMENT_I8]);
            assert_int_equal(bytes[element_size((element)e) - 1], 0xaa);
            assert_int_equal(bytes[2 * element_size((element)e)], 0xaa);
        }
    }
    assert_true(element_widen(ELEMENT_F64, -1, true) == 0x1p64);
    assert_true(element_widen(ELEMENT_F32, (INT64_C(1) << 24) + 1, false) == 0x1p24);
    assert_true(element_round(ELEMENT_F32, 1 + 0x1p-30) == 1);
}

static void test_integer_operators(void **state)
{
    (void)state;
    assert_int_equal(si_div(-7, 2), -3);
    assert_int_equal(si_div(7, 0), 0);
    assert_int_equal(si_div(INT64_MIN, -1), INT64_MIN);
    assert_int_equal(si_mod(-7, 3), 2);
    assert_int_equal(si_mod(7, -3), -2);
    assert_int_equal(si_fmod(-7, 3), -1);
    assert_int_equal(si_fmod(INT64_MIN, -1), 0);
    assert_int_equal(si_pow(-3, 3), -27);
    assert_int_equal(si_pow(-1, -3), -1);
    assert_int_equal(si_pow(5, -1), 0);
    assert_int_equal(si_mul(INT64_MAX, 2), -2);
    assert_int_equal(su_div(-1, 2), INT64_MAX);
    assert_int_equal(su_mod(-1, 10), 5);
    assert_int_equal(su_min(-1, 1), 1);
    assert_int_equal(su_max(-1, 1), -1);
    assert_int_equal(su_lt(1, -1), 1);
    assert_int_equal(su_le(-1, 1), 0);
    assert_true(sf_mod(-7, 3) == 2 && sf_fmod(-7, 3) == -1);
    assert_true(isnan(sf_min((double)NAN, 1)) && isnan(sf_max(1, (double)NAN)));
    assert_near(sf_gelu(-9), -9 * 1.1285884059538406e-19, 1e-30);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves), cmocka_unit_test(test_saturation), cmocka_unit_test(test_wrapping), cmocka_unit_test(test_integer_operators),
    };
    return RUN_AT_LEVEL(tests);
}
