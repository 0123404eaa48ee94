/* Element-wise functions against double precision: every 1009th float (a prime, so that all exponents and endings come up), all with
 * VITCC_MATH_STRIDE=1. */
#include "level_test.h"

#include "math_f32.h"
#include "math_f32_reference.h"

static vf swish_quick(vf x) { return vf_swish(x, vf_splat(1.702f)); }
static double swish_quick_reference(double x) { return swish_reference(x, (double)1.702f); }
static vf swish_silu(vf x) { return vf_swish(x, vf_splat(1)); }
static double swish_silu_reference(double x) { return swish_reference(x, 1); }
static double reciprocal_reference(double x) { return 1 / x; }
static double neg_reference(double x) { return -x; }

#define INLINED(name) static vf name##_call(vf x) { return vf_##name(x); }
INLINED(exp) INLINED(erf) INLINED(gelu) INLINED(gelu_tanh) INLINED(tanh) INLINED(sigmoid) INLINED(log) INLINED(sin) INLINED(cos) INLINED(sqrt)
INLINED(floor) INLINED(ceil) INLINED(round) INLINED(sign) INLINED(relu) INLINED(abs) INLINED(neg) INLINED(reciprocal)

static const struct function {
    const char *name;
    vf (*vector)(vf);
    double (*reference)(double);
    double ulps, absolute;   /* either is enough; absolute is times max(1, |x|) */
} functions[] = {
    { "exp", exp_call, exp, 2, 0 },
    { "erf", erf_call, erf, 2, 0 },
    { "gelu", gelu_call, gelu_reference, 4, 1e-7 },
    { "gelu_tanh", gelu_tanh_call, gelu_tanh_reference, 4, 1e-7 },
    { "tanh", tanh_call, tanh, 6.1, 0 },
    { "sigmoid", sigmoid_call, sigmoid_reference, 3, 0 },
    { "swish 1.702", swish_quick, swish_quick_reference, 4, 1e-7 },
    { "swish 1", swish_silu, swish_silu_reference, 4, 1e-7 },
    { "log", log_call, log, 1, 0 },
    { "sin", sin_call, sin, 1, 0 },
    { "cos", cos_call, cos, 1, 0 },
    { "sqrt", sqrt_call, sqrt, .5, 0 },
    { "floor", floor_call, floor, 0, 0 },
    { "ceil", ceil_call, ceil, 0, 0 },
    { "round", round_call, rint, 0, 0 },
    { "sign", sign_call, sign_reference, 0, 0 },
    { "relu", relu_call, relu_reference, 0, 0 },
    { "abs", abs_call, fabs, 0, 0 },
    { "neg", neg_call, neg_reference, 0, 0 },
    { "reciprocal", reciprocal_call, reciprocal_reference, .5, 0 },
};

/* The distance of floats around r. */
static double ulp_at(double r)
{
    int exponent;
    if (fabs(r) < (double)FLT_MIN) return ldexp(1, -149);
    frexp(r, &exponent);
    return ldexp(1, exponent - 24);
}

static void check(const struct function *f, float x, float got)
{
    const double expected = f->reference((double)x);
    if (expected != expected) {
        if (got == got) fail_msg("%s(%.9g) = %.9g, expected NaN", f->name, (double)x, (double)got);
        return;
    }
    const double difference = fabs((double)got - expected);
    const double scale = fabs((double)x) > 1 ? fabs((double)x) : 1;
    if ((float)expected == got || difference <= f->ulps * ulp_at(expected) || difference <= f->absolute * scale) return;
    if (isinf(got) && fabs(expected) > (double)FLT_MAX * (1 - 2e-7)) return;
    fail_msg("%s(%.9g) = %.9g, expected %.9g: %.2f ulp", f->name, (double)x, (double)got, expected, difference / ulp_at(expected));
}

static void test_all_floats(void **state)
{
    (void)state;
    const char *wanted = getenv("VITCC_MATH_STRIDE");
    const uint64_t stride = wanted && atoi(wanted) > 0 ? (uint64_t)atoi(wanted) : 1009;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (uint64_t i = 0; i < 1ull << 32; i += stride * LANES) {
            float x[LANES], y[LANES];
            for (uint64_t j = 0; j < LANES; j++) {
                const uint32_t bits = (uint32_t)(i + j * stride);
                memcpy(&x[j], &bits, sizeof bits);
            }
            vf_store(y, functions[f].vector(vf_load(x)));
            for (int j = 0; j < LANES; j++) check(&functions[f], x[j], y[j]);
        }
}

static const float special[] = { 0, -0.f, 1, -1, .5f, -2.5f, 3.5f, 1e-45f, -1e-40f, FLT_MIN, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN, 88.72f,
                                 88.73f, -87.34f, -103.97f, -104.1f, 12.9f, -12.9f, 5.5f, 1e30f, -1e30f };
enum { SPECIALS = sizeof special / sizeof *special };

static void test_special_values(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (size_t i = 0; i < SPECIALS; i++) check(&functions[f], special[i], functions[f].vector(vf_splat(special[i]))[LANES - 1]);
    assert_true(vf_exp(vf_splat(-INFINITY))[0] == 0 && vf_exp(vf_splat(INFINITY))[0] == INFINITY && vf_exp(vf_splat(0))[0] == 1);
    assert_true(vf_gelu(vf_splat(INFINITY))[0] == INFINITY && fabsf(vf_gelu(vf_splat(-1e30f))[0]) < 1e-30f);
    assert_true(vf_tanh(vf_splat(INFINITY))[0] == 1 && vf_tanh(vf_splat(-50))[0] == -1 && vf_erf(vf_splat(9))[0] == 1 && vf_erf(vf_splat(-9))[0] == -1);
    assert_true(signbit(vf_splat(-0.f)[0]) != 0);
}

static void test_two_operands(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECIALS; i++)
        for (size_t j = 0; j < SPECIALS; j++) {
            const float a = special[i], b = special[j];
            const vf x = vf_splat(a), y = vf_splat(b);
            const double p = (double)a, q = (double)b;
            assert_near((double)vf_max(x, y)[0], max_reference(p, q), 0);
            assert_near((double)vf_min(x, y)[0], min_reference(p, q), 0);
            assert_near((double)vf_add(x, y)[0], (double)(a + b), 0);
            assert_near((double)vf_sub(x, y)[0], (double)(a - b), 0);
            assert_near((double)vf_mul(x, y)[0], (double)(a * b), 0);
            assert_near((double)vf_div(x, y)[0], (double)(a / b), 0);
            assert_near((double)vf_pow(x, y)[0], (double)powf(a, b), 0);
            assert_near((double)vf_fmod(x, y)[0], fmod(p, q), 0);
            assert_near((double)vf_mod(x, y)[0], (double)(float)mod_reference(p, q), 0);
            assert_int_equal(vf_eq(x, y)[1], a == b ? -1 : 0);
            assert_int_equal(vf_lt(x, y)[1], a < b ? -1 : 0);
            assert_int_equal(vf_le(x, y)[1], a <= b ? -1 : 0);
            assert_int_equal(vf_xor(vf_isnan(x), vf_isinf(y))[1], (a != a) != (b == INFINITY || b == -INFINITY) ? -1 : 0);
            assert_int_equal(vf_and(vf_lt(x, y), vf_not(vf_isnan(x)))[0], a < b ? -1 : 0);
            assert_int_equal(vf_or(vf_isnan(x), vf_isnan(y))[0], a != a || b != b ? -1 : 0);
            assert_near((double)vf_select(vf_lt(x, y), x, y)[LANES - 1], a < b ? p : q, 0);
            assert_near((double)vf_of_bool(vf_le(x, y))[0], a <= b, 0);
            assert_int_equal(vf_to_bool(x)[0], a != 0 ? -1 : 0);
        }
}

/* The exponential of softmax: 2 ulp down to e^-87, then 0. */
static void test_exp_below(void **state)
{
    (void)state;
    const struct function f = { "exp_below", NULL, exp, 2, 0 };
    for (float x = 0; x > -87; x -= .00137f) {
        check(&f, x, vf_exp_below(vf_splat(x), 1)[0]);
        check(&f, x, vf_exp_below(vf_splat(x * 8), .125f)[0]);
    }
    for (float scale = .01f; scale <= 1; scale *= 10) {
        const float below = -87.5f / scale;
        assert_true(vf_exp_below(vf_splat(below), scale)[0] == 0 && vf_exp_below(vf_splat(-INFINITY), scale)[0] == 0 && vf_exp_below(vf_splat(0), scale)[0] == 1);
        assert_true(isnan(vf_exp_below(vf_splat(NAN), scale)[0]));
    }
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_floats), cmocka_unit_test(test_special_values),
                                        cmocka_unit_test(test_two_operands), cmocka_unit_test(test_exp_below) };
    return RUN_AT_LEVEL(tests);
}
