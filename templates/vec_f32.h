/* Vectors of LANES floats: loads and stores whole or in part, the few operations that need an instruction of the level, sums over lanes.
 * Arithmetic itself is C's: + - * / < == on vf and vi. */
#ifndef VITCC_TEMPLATES_VEC_F32_H
#define VITCC_TEMPLATES_VEC_F32_H

#include "level.h"

#if VITCC_LEVEL == 5
#define VEC(operation) _mm512_##operation
typedef __m512 vec_native;
#elif VITCC_LEVEL == 2
#define VEC(operation) _mm256_##operation
typedef __m256 vec_native;
#elif defined(__SSE2__)
#define VEC(operation) _mm_##operation
typedef __m128 vec_native;
#endif

/* Hides from the compiler where x comes from. */
#if defined(__SSE2__)
#define VEC_OPAQUE(x) __asm__("" : "+x"(x))
#elif defined(__aarch64__)
#define VEC_OPAQUE(x) __asm__("" : "+w"(x))
#else
#define VEC_OPAQUE(x) __asm__("" : "+m"(x))
#endif

TEMPLATE vf vf_splat(float x)
{
    return x - (vf){ 0 };   /* exact for -0 too; taken out by the compiler */
}

TEMPLATE vi vi_splat(int32_t x)
{
    return (vi){ 0 } + x;
}

/* 0, 1, 2, … */
TEMPLATE vi vi_lanes(void)
{
    vi r;
    UNROLL
    for (int i = 0; i < LANES; i++) r[i] = i;
    return r;
}

/* All ones in the first `count` lanes. */
TEMPLATE vi vi_first(int count)
{
    return vi_lanes() < vi_splat(count);
}

TEMPLATE vf vf_load(const float *p)
{
    vf r;
    memcpy(&r, p, sizeof r);
    return r;
}

TEMPLATE void vf_store(float *p, vf x)
{
    memcpy(p, &x, sizeof x);
}

/* The first `count` (0 to LANES; more is LANES) floats at p, zeros behind. Nothing past them is read. */
TEMPLATE vf vf_load_part(const float *p, int count)
{
    if (count >= LANES) return vf_load(p);
#if VITCC_LEVEL == 5
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#elif VITCC_LEVEL == 2
    return (vf)_mm256_maskload_ps(p, (__m256i)vi_first(count));
#else
    vf r = { 0 };
    for (int i = 0; i < LANES; i++)
        if (i < count) r[i] = p[i];
    return r;
#endif
}

/* Stores the first `count` lanes; nothing past them is written. */
TEMPLATE void vf_store_part(float *p, vf x, int count)
{
    if (count >= LANES) {
        vf_store(p, x);
        return;
    }
#if VITCC_LEVEL == 5
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)x);
#elif VITCC_LEVEL == 2
    _mm256_maskstore_ps(p, (__m256i)vi_first(count), (__m256)x);
#else
    for (int i = 0; i < LANES; i++)
        if (i < count) p[i] = x[i];
#endif
}

/* LANES floats `stride` apart, of which the first `count` are read. */
TEMPLATE vf vf_gather(const float *p, ptrdiff_t stride, int count)
{
    vf r = { 0 };
    for (int i = 0; i < LANES && i < count; i++) r[i] = p[i * stride];
    return r;
}

/* mask ? a : b, lane by lane. */
TEMPLATE vf vf_select(vi mask, vf a, vf b)
{
#if VITCC_LEVEL == 5
    return (vf)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)b, (__m512)a);
#elif VITCC_LEVEL == 2
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#else
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
#endif
}

/* x where the mask is set, 0 elsewhere. */
TEMPLATE vf vf_keep(vi mask, vf x)
{
    return (vf)(mask & (vi)x);
}

/* The larger of a and b; b where either is NaN. */
TEMPLATE vf vf_larger(vf a, vf b)
{
#if defined(VEC)
    return (vf)VEC(max_ps)((vec_native)a, (vec_native)b);
#else
    return vf_select(a > b, a, b);
#endif
}

/* The smaller of a and b; b where either is NaN. */
TEMPLATE vf vf_smaller(vf a, vf b)
{
#if defined(VEC)
    return (vf)VEC(min_ps)((vec_native)a, (vec_native)b);
#else
    return vf_select(a < b, a, b);
#endif
}

/* a * b + c; rounded once where the level has the instruction. */
TEMPLATE vf vf_fma(vf a, vf b, vf c)
{
#if VITCC_LEVEL >= 2
    return (vf)VEC(fmadd_ps)((vec_native)a, (vec_native)b, (vec_native)c);
#else
    return a * b + c;
#endif
}

TEMPLATE vf vf_sqrt(vf x)
{
#if defined(VEC)
    return (vf)VEC(sqrt_ps)((vec_native)x);
#else
    vf r;
    for (int i = 0; i < LANES; i++) r[i] = sqrtf(x[i]);
    return r;
#endif
}

/* 1.5 * 2^23: x + VF_INTEGER, of |x| < 2^22, is x rounded to an integer, half to even, with that integer in its lowest bits. */
#define VF_INTEGER 12582912.f

/* The nearest integer, half to even, of |x| < 2^22. */
TEMPLATE vf vf_nearest(vf x)
{
#if VITCC_LEVEL == 5
    return (vf)_mm512_roundscale_ps((__m512)x, 0);
#elif VITCC_LEVEL == 2
    return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    vf shifted = x + VF_INTEGER;
    VEC_OPAQUE(shifted);   /* the sum and the difference must not be taken together */
    return shifted - VF_INTEGER;
#endif
}

/* x as integers; |x| < 2^31, elsewhere any value. */
TEMPLATE vi vi_of_integral(vf x)
{
#if VITCC_LEVEL == 5
    return (vi)_mm512_cvtps_epi32((__m512)x);
#elif VITCC_LEVEL == 2
    return (vi)_mm256_cvtps_epi32((__m256)x);
#elif defined(__SSE2__)
    return (vi)_mm_cvtps_epi32((__m128)x);
#else
    vi r;
    for (int i = 0; i < LANES; i++) r[i] = fabsf(x[i]) < 2147483648.f ? (int32_t)x[i] : 0;
    return r;
#endif
}

/* The sum over all lanes, by halves. */
TEMPLATE float vf_sum(vf x)
{
#if VITCC_LEVEL == 5
    return _mm512_reduce_add_ps((__m512)x);
#elif VITCC_LEVEL == 2
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
#else
    float part[LANES];
    memcpy(part, &x, sizeof part);
    UNROLL
    for (int half = LANES / 2; half; half /= 2) {
        UNROLL
        for (int i = 0; i < half; i++) part[i] += part[i + half];
    }
    return part[0];
#endif
}

/* The largest lane; NaN lanes are passed over or returned. */
TEMPLATE float vf_largest(vf x)
{
#if VITCC_LEVEL == 5
    return _mm512_reduce_max_ps((__m512)x);
#elif VITCC_LEVEL == 2
    __m128 half = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
#else
    float top = x[0];
    UNROLL
    for (int i = 1; i < LANES; i++) top = x[i] > top ? x[i] : top;
    return top;
#endif
}

#endif
