/* Element-wise functions on vectors of floats: vf_<name> for every operator of the expressions that the compiler prints (compiler/ir/exprs.def).
 * A truth value is a vi: 0 or -1 a lane.
 * Numerics: exp 2 ulp with denormals, erf 2 ulp, sigmoid 3 ulp, tanh 6 ulp; gelu, gelu_tanh and swish 4 ulp or 1e-7 max(1, |x|), over all floats;
 *         NaN in gives NaN out.
 * log, sin, cos, pow, fmod, and below AVX2 floor, ceil and round, are the C library's, lane by lane.
 * Source: exp reduces by Cody and Waite's split of ln 2 with the polynomial of the Cephes library; the normal tail and tanh are rational minimax
 *         fits. */
#ifndef VITCC_TEMPLATES_MATH_F32_H
#define VITCC_TEMPLATES_MATH_F32_H

#include "vec_f32.h"

#define VF_BY_LANE(x, expression)                                  \
    vf r;                                                          \
    for (int i = 0; i < LANES; i++) r[i] = (expression);           \
    return r

TEMPLATE vf vf_neg(vf x) { return -x; }
TEMPLATE vf vf_abs(vf x) { return (vf)((vi)x & vi_splat(0x7fffffff)); }
TEMPLATE vf vf_reciprocal(vf x) { return 1.f / x; }
TEMPLATE vf vf_add(vf a, vf b) { return a + b; }
TEMPLATE vf vf_sub(vf a, vf b) { return a - b; }
TEMPLATE vf vf_mul(vf a, vf b) { return a * b; }
TEMPLATE vf vf_div(vf a, vf b) { return a / b; }
TEMPLATE vi vf_eq(vf a, vf b) { return a == b; }
TEMPLATE vi vf_lt(vf a, vf b) { return a < b; }
TEMPLATE vi vf_le(vf a, vf b) { return a <= b; }
TEMPLATE vi vf_not(vi a) { return ~a; }
TEMPLATE vi vf_and(vi a, vi b) { return a & b; }
TEMPLATE vi vf_or(vi a, vi b) { return a | b; }
TEMPLATE vi vf_xor(vi a, vi b) { return a ^ b; }
TEMPLATE vi vf_isnan(vf x) { return x != x; }
TEMPLATE vi vf_isinf(vf x) { return vf_abs(x) == INFINITY; }
/* A truth value as 0 or 1, and back. */
TEMPLATE vf vf_of_bool(vi a) { return vf_keep(a, vf_splat(1)); }
TEMPLATE vi vf_to_bool(vf x) { return x != 0.f; }

/* NaN where either is. */
TEMPLATE vf vf_min(vf a, vf b) { return vf_select(a != a, a, vf_smaller(a, b)); }
TEMPLATE vf vf_max(vf a, vf b) { return vf_select(a != a, a, vf_larger(a, b)); }
TEMPLATE vf vf_relu(vf x) { return vf_larger(vf_splat(0), x); }
TEMPLATE vf vf_sign(vf x) { return vf_select(x > 0.f, vf_splat(1), vf_select(x < 0.f, vf_splat(-1), x)); }

#if VITCC_LEVEL == 5
TEMPLATE vf vf_floor(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, 1); }
TEMPLATE vf vf_ceil(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, 2); }
TEMPLATE vf vf_round(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, 0); }
#elif VITCC_LEVEL == 2
TEMPLATE vf vf_floor(vf x) { return (vf)_mm256_floor_ps((__m256)x); }
TEMPLATE vf vf_ceil(vf x) { return (vf)_mm256_ceil_ps((__m256)x); }
TEMPLATE vf vf_round(vf x) { return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
TEMPLATE vf vf_floor(vf x) { VF_BY_LANE(x, floorf(x[i])); }
TEMPLATE vf vf_ceil(vf x) { VF_BY_LANE(x, ceilf(x[i])); }
TEMPLATE vf vf_round(vf x) { VF_BY_LANE(x, rintf(x[i])); }
#endif

static inline vf vf_log(vf x) { VF_BY_LANE(x, logf(x[i])); }
static inline vf vf_sin(vf x) { VF_BY_LANE(x, sinf(x[i])); }
static inline vf vf_cos(vf x) { VF_BY_LANE(x, cosf(x[i])); }
static inline vf vf_pow(vf a, vf b) { VF_BY_LANE(a, powf(a[i], b[i])); }
static inline vf vf_fmod(vf a, vf b) { VF_BY_LANE(a, fmodf(a[i], b[i])); }

/* Sign of the divisor. */
static inline vf vf_mod(vf a, vf b)
{
    const vf r = vf_fmod(a, b);
    return vf_select((r != 0.f) & ((r < 0.f) ^ (b < 0.f)), r + b, r);
}

/* x * 2^n for integral n from -252 to 254. */
TEMPLATE vf vf_scale_by_power(vf x, vf n)
{
#if VITCC_LEVEL == 5
    return (vf)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
    const vi whole = vi_of_integral(n), half = whole >> 1;
    return x * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
#endif
}

/* e^f for |f| <= ln 2 / 2. */
TEMPLATE vf vf_exp_reduced(vf f)
{
    vf p = vf_splat(1.9875691500e-4f);
    p = vf_fma(p, f, vf_splat(1.3981999507e-3f));
    p = vf_fma(p, f, vf_splat(8.3334519073e-3f));
    p = vf_fma(p, f, vf_splat(4.1665795894e-2f));
    p = vf_fma(p, f, vf_splat(1.6666665459e-1f));
    p = vf_fma(p, f, vf_splat(5.0000001201e-1f));
    return vf_fma(p * f, f, f) + 1.f;
}

TEMPLATE vf vf_exp(vf x)
{
    x = vf_larger(vf_splat(-104), vf_smaller(vf_splat(89), x));   /* beyond: 0 and infinity all the same; NaN stays */
    const vf n = vf_nearest(x * 1.44269504f);
    const vf f = vf_fma(n, vf_splat(2.12194440e-4f), vf_fma(n, vf_splat(-0.693359375f), x));
    return vf_scale_by_power(vf_exp_reduced(f), n);
}

/* n + VF_EXPONENT, for integral n from -126 to 127, has n + 127 in its lowest bits: shifted by 23 they are those of 2^n. */
#define VF_EXPONENT (12582912.f + 127.f)

TEMPLATE vf vf_power_of_exponent(vf n_and_exponent)
{
    return (vf)((vi)n_and_exponent << 23);
}

/* e^x for -87 <= x <= 88: the result is a normal float. */
TEMPLATE vf vf_exp_normal(vf x)
{
    const vf rounded = vf_fma(x, vf_splat(1.44269504f), vf_splat(VF_EXPONENT)), n = rounded - VF_EXPONENT;
    const vf f = vf_fma(n, vf_splat(2.12194440e-4f), vf_fma(n, vf_splat(-0.693359375f), x));
    return vf_exp_reduced(f) * vf_power_of_exponent(rounded);
}

/* 2^f for |f| <= 1/2: the polynomial of degree 6 with the least relative error, 2e-9; with rounding 8e-8. */
TEMPLATE vf vf_exp2_reduced(vf f)
{
    vf p = vf_splat(1.535331976e-4f);
    p = vf_fma(p, f, vf_splat(1.339892624e-3f));
    p = vf_fma(p, f, vf_splat(9.618437849e-3f));
    p = vf_fma(p, f, vf_splat(5.550332367e-2f));
    p = vf_fma(p, f, vf_splat(2.402264774e-1f));
    p = vf_fma(p, f, vf_splat(6.931471825e-1f));
    return vf_fma(p, f, vf_splat(1));
}

/* 2^x for -126 <= x <= 127; relative error 8e-8. */
TEMPLATE vf vf_exp2_normal(vf x)
{
    const vf rounded = x + VF_EXPONENT;
    return vf_exp2_reduced(x - (rounded - VF_EXPONENT)) * vf_power_of_exponent(rounded);
}

/* e^(x scale) for x <= 0 and scale > 0, with 0 below e^-87: softmax needs no more. NaN stays. Where products are rounded before they are added, by
 * vf_exp_normal, whose two steps keep what this leaves exact. */
TEMPLATE vf vf_exp_below(vf x, float scale)
{
    const vf below = vf_larger(vf_splat(-87 / scale), x);
#if VITCC_LEVEL == 0 && defined(__SSE2__)
    const vf y = vf_exp_normal(below * scale);
#else
    const double factor = (double)scale * 1.4426950408889634;
    const vf high = vf_splat((float)factor), low = vf_splat((float)(factor - (double)(float)factor));
    const vf rounded = vf_fma(below, high, vf_splat(VF_EXPONENT)), f = vf_fma(below, low, vf_fma(below, high, VF_EXPONENT - rounded));
    const vf y = vf_exp2_reduced(f) * vf_power_of_exponent(rounded);
#endif
    return vf_keep(~(x < -87 / scale), y);
}

/* The upper tail of the normal distribution at a >= 0: e^(-a²/2) N(a) / D(a), all coefficients positive; absolute error 4e-8.
 * Beyond 12.9 that at 12.9, 1e-38: less than anyone sees, and no denormal to slow what follows. */
TEMPLATE vf vf_normal_tail(vf a)
{
    a = vf_smaller(vf_splat(12.9f), a);
    vf d = vf_splat(3.71700386e-4f);
    d = vf_fma(d, a, vf_splat(0.0832268819f));
    d = vf_fma(d, a, vf_splat(0.503346086f));
    d = vf_fma(d, a, vf_splat(1.1688745f));
    d = vf_fma(d, a, vf_splat(1));
    const vf n = vf_fma(vf_fma(vf_splat(0.0353680775f), a, vf_splat(0.185494423f)), a, vf_splat(.5f));
    return vf_exp2_normal(a * a * -0.721347520f) * n / d;
}

/* Near zero x + x P(x²); else one less twice a tail. */
TEMPLATE vf vf_erf(vf x)
{
    const vf a = vf_abs(x), t = x * x;
    vf p = vf_splat(7.80586706e-05f);
    p = vf_fma(p, t, vf_splat(-7.99762434e-4f));
    p = vf_fma(p, t, vf_splat(0.0051871459f));
    p = vf_fma(p, t, vf_splat(-0.0268533435f));
    p = vf_fma(p, t, vf_splat(0.112835787f));
    p = vf_fma(p, t, vf_splat(-0.37612626f));
    p = vf_fma(p, t, vf_splat(0.128379167f));
    const vf far = 1.f - 2.f * vf_normal_tail(a * 1.41421356f);
    return vf_select(a <= 1.f, vf_fma(p, x, x), (vf)((vi)far | ((vi)x & vi_splat(INT32_MIN))));
}

/* x (1 + erf(x / sqrt 2)) / 2 = max(x, 0) - |x| tail(|x|); the limit 0 at -infinity. */
TEMPLATE vf vf_gelu(vf x)
{
    const vf a = vf_smaller(vf_splat(12.9f), vf_abs(x));
    return vf_larger(vf_splat(0), x) - a * vf_normal_tail(a);
}

TEMPLATE vf vf_sigmoid(vf x)
{
    const vf e = vf_exp(-vf_abs(x));
    return vf_select(x < 0.f, e, vf_splat(1)) / (1.f + e);
}

/* a sigmoid(b a) */
TEMPLATE vf vf_swish(vf a, vf b)
{
    return a * vf_sigmoid(b * a);
}

/* x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x³) */
TEMPLATE vf vf_gelu_tanh(vf x)
{
    return x * vf_sigmoid(x * vf_fma(vf_splat(0.0713548163f), x * x, vf_splat(1.59576912f)));
}

/* x P(x²) / Q(x²), all coefficients positive; exactly ±1 from |x| = 9.1 on. */
TEMPLATE vf vf_tanh(vf x)
{
    const vf c = vf_larger(vf_splat(-9.1f), vf_smaller(vf_splat(9.1f), x)), t = c * c;
    vf p = vf_splat(1.3355861521041463e-08f), q = vf_splat(7.777071529865902e-07f);
    p = vf_fma(p, t, vf_splat(2.0610021691020905e-05f));
    q = vf_fma(q, t, vf_splat(0.0003285730956069564f));
    p = vf_fma(p, t, vf_splat(0.003495648142633261f));
    q = vf_fma(q, t, vf_splat(0.02587721334874755f));
    p = vf_fma(p, t, vf_splat(0.1338107707046093f));
    q = vf_fma(q, t, vf_splat(0.4671439269973974f));
    p = vf_fma(p, t, vf_splat(1));
    q = vf_fma(q, t, vf_splat(1));
    return vf_larger(vf_splat(-1), vf_smaller(vf_splat(1), c * p / q));
}

#undef VF_BY_LANE
#undef VF_EXPONENT

#endif
