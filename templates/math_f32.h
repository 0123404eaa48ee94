/* Element-wise functions on vectors of floats: vf_<name> for every operator of the expressions that the compiler prints (compiler/ir/exprs.def).
 * A truth value is a vi: 0 or -1 a lane.
 * Numerics: exp 2 ulp with denormals, erf 2 ulp, sigmoid 3 ulp, tanh 6.1 ulp; gelu, gelu_tanh and swish 4 ulp or 1e-7 max(1, |x|), over all floats;
 *         NaN in gives NaN out.
 * log, sin, cos, pow, fmod, and below AVX2 floor, ceil and round, are the C library's, lane by lane.
 * Source: exp reduces by Cody and Waite's split of ln 2 with the polynomial of the Cephes library; the normal tail and tanh are rational minimax
 *         fits, gelu with AVX-512 a piecewise one. */
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
#define VF_EXPONENT (VF_INTEGER + 127.f)

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

/* GELU: x (1 + erf(x / sqrt 2)) / 2 = max(x, 0) - |x| tail(|x|); the limit 0 at -infinity. */
#if VITCC_LEVEL == 5
/* Of each lane the element of a table of 32 that the lowest five bits of `index` name. */
TEMPLATE vf vf_of_table(const float *table, vf index)
{
    return (vf)_mm512_permutex2var_ps((__m512)vf_load(table), (__m512i)index, (__m512)vf_load(table + LANES));
}

/* -|x| tail(|x|) by polynomials of degree 4 in the distance from the nearest multiple of 3/16, with the least absolute error, 1e-8; 0 from 5.72 on, 3e-8.
 * At 0 it is exact, and so is its slope. */
TEMPLATE vf vf_gelu(vf x)
{
    static const float table[5][2 * LANES] = {
        { 0, -0.07980643f, -0.13268633f, -0.16137433f, -0.16997051f, -0.16336004f, -0.14658134f, -0.124261916f, -0.1002108f, -0.07720924f,
          -0.05699318f, -0.040383913f, -0.027505063f, -0.018024355f, -0.011372677f, -0.006912847f, -0.004049694f, -0.002287166f, -0.0012456398f,
          -0.0006543242f, -0.00033156484f, -0.0001620969f, -7.646405e-05f, -3.480595e-05f, -1.5289532e-05f, -6.48194e-06f, -2.652207e-06f,
          -1.0474167e-06f, -3.9926067e-07f, -1.4690329e-07f, -5.2174173e-08f, 0 },
        { -0.5f, -0.35213628f, -0.21438503f, -0.095318995f, -0.0007748288f, 0.06675564f, 0.10806644f, 0.12660272f, 0.12746926f, 0.11635033f,
          0.09857812f, 0.07850003f, 0.059189916f, 0.042458907f, 0.029068599f, 0.019036956f, 0.011945647f, 0.0071912385f, 0.004157177f, 0.002309533f,
          0.0012338003f, 0.0006341259f, 0.00031368455f, 0.00014939821f, 6.8526184e-05f, 3.0278356e-05f, 1.2890306e-05f, 5.28844e-06f, 2.0911898e-06f,
          7.971138e-07f, 2.9292787e-07f, 0 },
        { 0.39894283f, 0.3850999f, 0.34570867f, 0.28668863f, 0.21644267f, 0.14410232f, 0.07779888f, 0.023379536f, -0.016189395f, -0.040713392f,
          -0.052127056f, -0.05359106f, -0.048601452f, -0.040306274f, -0.03111471f, -0.022584578f, -0.015511505f, -0.0101234745f, -0.0062969765f,
          -0.0037411952f, -0.0021265831f, -0.0011579915f, -0.00060467457f, -0.00030303217f, -0.0001458478f, -6.745266e-05f, -2.9991063e-05f,
          -1.28248685e-05f, -5.2763344e-06f, -2.089103e-06f, -7.962486e-07f, 0 },
        { -2.4465564e-05f, -0.048449855f, -0.08948546f, -0.117354415f, -0.12914442f, -0.1251667f, -0.10850423f, -0.08394696f, -0.056693774f,
          -0.031210452f, -0.010510016f, 0.0040545287f, 0.012567445f, 0.016075907f, 0.016060034f, 0.013995308f, 0.011079596f, 0.00812673f,
          0.005584623f, 0.0036206052f, 0.002224889f, 0.0013002079f, 0.0007243601f, 0.00038542572f, 0.00019615641f, 9.559701e-05f, 4.465566e-05f,
          2.0009596e-05f, 8.606249e-06f, 3.5550368e-06f, 1.4110256e-06f, 0 },
        { -0.06620562f, -0.061196867f, -0.046941955f, -0.026727574f, -0.0047915247f, 0.014697302f, 0.028654728f, 0.035664342f, 0.03601458f,
          0.031275608f, 0.023634255f, 0.015234225f, 0.0077089365f, 0.001981706f, -0.0016942029f, -0.0035466673f, -0.004052008f, -0.0037274652f,
          -0.0030171678f, -0.0022243937f, -0.0015202473f, -0.00097314373f, -0.0005873028f, -0.0003356824f, -0.00018229971f, -9.429494e-05f,
          -4.654237e-05f, -2.195376e-05f, -9.908053e-06f, -4.282651e-06f, -1.7743411e-06f, 0 }
    };
    const vf a = vf_smaller(vf_splat(31 * .1875f), vf_abs(x)), rounded = vf_fma(a, vf_splat(1 / .1875f), vf_splat(VF_INTEGER));
    const vf t = vf_fma(rounded - VF_INTEGER, vf_splat(-.1875f), a);
    vf p = vf_of_table(table[4], rounded);
    UNROLL
    for (int i = 3; i >= 0; i--) p = vf_fma(p, t, vf_of_table(table[i], rounded));
    return vf_larger(vf_splat(0), x) + p;
}
#else
TEMPLATE vf vf_gelu(vf x)
{
    const vf a = vf_smaller(vf_splat(12.9f), vf_abs(x));
    return vf_larger(vf_splat(0), x) - a * vf_normal_tail(a);
}
#endif

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
