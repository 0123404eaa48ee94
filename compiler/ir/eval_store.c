/* How elements are stored: conversion of every type from and to double and int64, half precision by bits. */
#include "eval_private.h"

#include <math.h>
#include <string.h>

elem eval_stored(eval_mode mode, elem e)
{
    return mode == EVAL_DOUBLE && elem_is_float(e) ? ELEM_F64 : e;
}

size_t eval_size(eval_mode mode, elem e)
{
    return elem_size(eval_stored(mode, e));
}

float eval_from_bf16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return x;
}

float eval_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, magnitude = bits & 0x7fffu, wide;
    if (magnitude >= 0x7c00u) wide = 0x7f800000u | (magnitude & 0x3ffu) << 13;
    else if (magnitude >= 0x400u) wide = (magnitude << 13) + ((127u - 15u) << 23);
    else {                                                  /* subnormal: a multiple of 2^-24 */
        float x = (float)magnitude * 0x1p-24f;
        memcpy(&wide, &x, sizeof wide);
    }
    wide |= sign;
    float x;
    memcpy(&x, &wide, sizeof x);
    return x;
}

/* Rounds to a sign, `exponent` bits and `fraction` bits (together below 16), half to even, directly from double: rounding twice would be wrong. */
static uint16_t to_small(double x, int exponent, int fraction)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t sign = (uint16_t)((bits >> 63) << (exponent + fraction));
    uint64_t magnitude = bits & INT64_MAX, infinity = ((UINT64_C(1) << exponent) - 1) << fraction;
    if (magnitude > UINT64_C(0x7ff) << 52) return (uint16_t)(sign | infinity | UINT64_C(1) << (fraction - 1));
    int bias = (1 << (exponent - 1)) - 1, power = (int)(magnitude >> 52) - 1023, shift = 52 - fraction;
    if (power > bias) return (uint16_t)(sign | infinity);
    uint64_t scaled;
    if (power >= 1 - bias) scaled = magnitude - ((uint64_t)(1023 - bias) << 52);
    else {
        scaled = (magnitude & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
        shift += 1 - bias - power;
        if (shift > 54) return sign;
    }
    uint64_t result = scaled >> shift, rest = scaled & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    if (rest > half || (rest == half && (result & 1))) result++;      /* a carry runs into the exponent, up to infinity */
    return (uint16_t)(sign | result);
}

uint16_t eval_to_f16(double x)
{
    return to_small(x, 5, 10);
}

uint16_t eval_to_bf16(double x)
{
    return to_small(x, 8, 7);
}

int64_t eval_wrap(elem e, int64_t x)
{
    switch (e) {
    case ELEM_I8: return (int8_t)x;
    case ELEM_I16: return (int16_t)x;
    case ELEM_I32: return (int32_t)x;
    case ELEM_U8: return (uint8_t)x;
    case ELEM_U16: return (uint16_t)x;
    case ELEM_U32: return (uint32_t)x;
    case ELEM_BOOL: return x != 0;
    default: return x;
    }
}

int64_t eval_saturate(elem e, double x)
{
    if (e == ELEM_BOOL) return x != 0;                      /* NaN too is not zero */
    if (isnan(x)) return 0;
    if (e == ELEM_U64) return x <= 0 ? 0 : x >= 0x1p64 ? -1 : (int64_t)(uint64_t)x;
    int bits = (int)elem_size(e) * 8;
    double least = elem_is_signed(e) ? -ldexp(1, bits - 1) : 0, limit = ldexp(1, elem_is_signed(e) ? bits - 1 : bits);
    if (x >= limit) return elem_is_signed(e) && bits == 64 ? INT64_MAX : (int64_t)(limit - 1);
    return x <= least ? (int64_t)least : (int64_t)x;
}

double eval_widen(int64_t x, bool is_u64)
{
    uint64_t magnitude = !is_u64 && x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    double r = (double)magnitude;
    if (magnitude >> 53) r = (double)((magnitude >> 12) | ((magnitude & 0xfff) != 0)) * 0x1p12;     /* the last bit tells that something was below it */
    return !is_u64 && x < 0 ? -r : r;
}

void eval_round(elem e, double *x, int64_t n)
{
    switch (e) {
    case ELEM_F32: for (int64_t i = 0; i < n; i++) x[i] = (double)(float)x[i]; break;
    case ELEM_F16: for (int64_t i = 0; i < n; i++) x[i] = (double)eval_from_f16(eval_to_f16(x[i])); break;
    case ELEM_BF16: for (int64_t i = 0; i < n; i++) x[i] = (double)eval_from_bf16(eval_to_bf16(x[i])); break;
    default: break;
    }
}

/* Unaligned loads. Dense ones and those of one element apart, so that they are vectorised. */
#define LOAD(TYPE, VALUE) do { \
        const char *p = (const char *)data + (ptrdiff_t)start * (ptrdiff_t)sizeof(TYPE); \
        ptrdiff_t step = (ptrdiff_t)stride * (ptrdiff_t)sizeof(TYPE); \
        TYPE x; \
        if (stride == 1) for (int64_t i = 0; i < n; i++) memcpy(&x, p + (size_t)i * sizeof x, sizeof x), out[i] = (VALUE); \
        else if (stride == 0 && n > 0) for (int64_t i = (memcpy(&x, p, sizeof x), 0); i < n; i++) out[i] = (VALUE); \
        else for (int64_t i = 0; i < n; i++) memcpy(&x, p + (ptrdiff_t)i * step, sizeof x), out[i] = (VALUE); \
    } while (0)

void eval_load_floats(elem stored, const void *data, int64_t start, int64_t stride, int64_t n, double *out)
{
    switch (stored) {
    case ELEM_F32: LOAD(float, (double)x); break;
    case ELEM_F64: LOAD(double, x); break;
    case ELEM_F16: LOAD(uint16_t, (double)eval_from_f16(x)); break;
    case ELEM_BF16: LOAD(uint16_t, (double)eval_from_bf16(x)); break;
    case ELEM_I8: LOAD(int8_t, (double)x); break;
    case ELEM_I16: LOAD(int16_t, (double)x); break;
    case ELEM_I32: LOAD(int32_t, (double)x); break;
    case ELEM_I64: LOAD(int64_t, (double)x); break;
    case ELEM_U8: case ELEM_BOOL: LOAD(uint8_t, (double)x); break;
    case ELEM_U16: LOAD(uint16_t, (double)x); break;
    case ELEM_U32: LOAD(uint32_t, (double)x); break;
    case ELEM_U64: LOAD(uint64_t, (double)x); break;
    default: break;
    }
}

void eval_load_integers(elem stored, const void *data, int64_t start, int64_t stride, int64_t n, int64_t *out)
{
    switch (stored) {
    case ELEM_F32: LOAD(float, eval_saturate(ELEM_I64, (double)x)); break;
    case ELEM_F64: LOAD(double, eval_saturate(ELEM_I64, x)); break;
    case ELEM_F16: LOAD(uint16_t, eval_saturate(ELEM_I64, (double)eval_from_f16(x))); break;
    case ELEM_BF16: LOAD(uint16_t, eval_saturate(ELEM_I64, (double)eval_from_bf16(x))); break;
    case ELEM_I8: LOAD(int8_t, x); break;
    case ELEM_I16: LOAD(int16_t, x); break;
    case ELEM_I32: LOAD(int32_t, x); break;
    case ELEM_I64: LOAD(int64_t, x); break;
    case ELEM_U8: LOAD(uint8_t, x); break;
    case ELEM_U16: LOAD(uint16_t, x); break;
    case ELEM_U32: LOAD(uint32_t, x); break;
    case ELEM_U64: LOAD(uint64_t, (int64_t)x); break;
    case ELEM_BOOL: LOAD(uint8_t, x != 0); break;
    default: break;
    }
}

/* What the evaluator writes is its own memory, aligned. */
#define STORE(TYPE, VALUE) do { \
        TYPE *p = (TYPE *)data + start; \
        for (int64_t i = 0; i < n; i++) p[i] = (VALUE); \
    } while (0)

void eval_store_floats(elem stored, void *data, int64_t start, int64_t n, const double *in)
{
    switch (stored) {
    case ELEM_F32: STORE(float, (float)in[i]); break;
    case ELEM_F64: STORE(double, in[i]); break;
    case ELEM_F16: STORE(uint16_t, eval_to_f16(in[i])); break;
    case ELEM_BF16: STORE(uint16_t, eval_to_bf16(in[i])); break;
    default:
        for (int64_t i = 0; i < n; i++) {
            int64_t x = eval_saturate(stored, in[i]);
            eval_store_integers(stored, data, start + i, 1, &x);
        }
    }
}

void eval_store_integers(elem stored, void *data, int64_t start, int64_t n, const int64_t *in)
{
    switch (stored) {
    case ELEM_F32: STORE(float, (float)in[i]); break;
    case ELEM_F64: STORE(double, (double)in[i]); break;
    case ELEM_F16: STORE(uint16_t, eval_to_f16(eval_widen(in[i], false))); break;
    case ELEM_BF16: STORE(uint16_t, eval_to_bf16(eval_widen(in[i], false))); break;
    case ELEM_I8: STORE(int8_t, (int8_t)in[i]); break;
    case ELEM_I16: STORE(int16_t, (int16_t)in[i]); break;
    case ELEM_I32: STORE(int32_t, (int32_t)in[i]); break;
    case ELEM_I64: STORE(int64_t, in[i]); break;
    case ELEM_U8: STORE(uint8_t, (uint8_t)in[i]); break;
    case ELEM_U16: STORE(uint16_t, (uint16_t)in[i]); break;
    case ELEM_U32: STORE(uint32_t, (uint32_t)in[i]); break;
    case ELEM_U64: STORE(uint64_t, (uint64_t)in[i]); break;
    case ELEM_BOOL: STORE(uint8_t, in[i] != 0); break;
    default: break;
    }
}

double eval_number(eval_mode mode, const eval_tensor *t, int64_t i)
{
    double x = 0;
    eval_load_floats(eval_stored(mode, t->elem), t->data, i, 1, 1, &x);
    return x;
}

int64_t eval_integer(eval_mode mode, const eval_tensor *t, int64_t i)
{
    int64_t x = 0;
    eval_load_integers(eval_stored(mode, t->elem), t->data, i, 1, 1, &x);
    return x;
}
