/* Elements of every type, one at a time: floats as double, integers and truth values as int64_t, of u64 the same bits. What the compiler's evaluator
 * does, compiler/ir/eval_store.c, so that a value folded while compiling and one made at run time are the same.
 * Requires: an element type that is a constant at the call. Data need not be aligned; source and target of a value may share memory, whatever the
 *         types.
 * Numerics: floats become integers towards zero; what does not fit the nearest, NaN 0. Integers wrap. Half precision is rounded once, to even. */
#ifndef VITCC_TEMPLATES_ELEMENT_H
#define VITCC_TEMPLATES_ELEMENT_H

#include "level.h"

typedef enum element {
    ELEMENT_F32, ELEMENT_F64, ELEMENT_F16, ELEMENT_BF16, ELEMENT_I8, ELEMENT_I16, ELEMENT_I32, ELEMENT_I64, ELEMENT_U8, ELEMENT_U16, ELEMENT_U32,
    ELEMENT_U64, ELEMENT_BOOL
} element;

TEMPLATE bool element_is_float(element e)
{
    return e <= ELEMENT_BF16;
}

TEMPLATE size_t element_size(element e)
{
    switch (e) {
    case ELEMENT_F64: case ELEMENT_I64: case ELEMENT_U64: return 8;
    case ELEMENT_F32: case ELEMENT_I32: case ELEMENT_U32: return 4;
    case ELEMENT_F16: case ELEMENT_BF16: case ELEMENT_I16: case ELEMENT_U16: return 2;
    default: return 1;
    }
}

/* ---- half precision ---- */

static inline double element_from_f16(uint16_t bits)
{
    const double sign = bits >> 15 ? -1.0 : 1.0;
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return fraction ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24));
}

static inline double element_from_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return (double)x;
}

/* A sign, `exponent` bits and `fraction` bits, rounded to even directly from double: rounding twice would be wrong. */
static inline uint16_t element_to_half(double x, int exponent, int fraction)
{
    const int bias = (1 << (exponent - 1)) - 1, least = 1 - bias - fraction;   /* 2^least: the smallest number above 0 */
    const uint32_t sign = signbit(x) ? 1u << (exponent + fraction) : 0, infinity = ((1u << exponent) - 1) << fraction;
    if (x != x) return (uint16_t)(sign | infinity | 1u << (fraction - 1));
    int power;
    const double size = fabs(x);
    if (!(size < ldexp(1, bias + 1))) return (uint16_t)(sign | infinity);
    if (size == 0) return (uint16_t)sign;
    (void)frexp(size, &power);                                                 /* size is 2^(power - 1) to 2^power */
    const int unit = power - 1 - fraction < least ? least : power - 1 - fraction;
    const uint32_t digits = (uint32_t)rint(ldexp(size, -unit));
    return (uint16_t)(sign | (digits + ((uint32_t)(unit - least) << fraction)));   /* a carry runs into the exponent, up to infinity */
}

/* ---- one element ---- */

#define ELEMENT_LOAD(type, data, i) \
    type x;                         \
    memcpy(&x, (const unsigned char *)(data) + (i) * (ptrdiff_t)sizeof x, sizeof x)

#define ELEMENT_STORE(type, data, i, value)         \
    do {                                            \
        const type element_value = (type)(value);   \
        memcpy((unsigned char *)(data) + (i) * (ptrdiff_t)sizeof(type), &element_value, sizeof(type)); \
    } while (0)

/* Element i of a float type. */
TEMPLATE double element_float(element e, const void *data, ptrdiff_t i)
{
    if (e == ELEMENT_F64) {
        ELEMENT_LOAD(double, data, i);
        return x;
    }
    if (e == ELEMENT_F32) {
        ELEMENT_LOAD(float, data, i);
        return (double)x;
    }
    ELEMENT_LOAD(uint16_t, data, i);
    return e == ELEMENT_F16 ? element_from_f16(x) : element_from_bf16(x);
}

/* Element i of an integer type or bool. */
TEMPLATE int64_t element_integer(element e, const void *data, ptrdiff_t i)
{
    switch (e) {
    case ELEMENT_I8: { ELEMENT_LOAD(int8_t, data, i); return x; }
    case ELEMENT_I16: { ELEMENT_LOAD(int16_t, data, i); return x; }
    case ELEMENT_I32: { ELEMENT_LOAD(int32_t, data, i); return x; }
    case ELEMENT_U8: { ELEMENT_LOAD(uint8_t, data, i); return x; }
    case ELEMENT_U16: { ELEMENT_LOAD(uint16_t, data, i); return x; }
    case ELEMENT_U32: { ELEMENT_LOAD(uint32_t, data, i); return x; }
    case ELEMENT_BOOL: { ELEMENT_LOAD(uint8_t, data, i); return x != 0; }
    default: { ELEMENT_LOAD(int64_t, data, i); return x; }
    }
}

TEMPLATE void element_set_float(element e, void *data, ptrdiff_t i, double x)
{
    if (e == ELEMENT_F64) ELEMENT_STORE(double, data, i, x);
    else if (e == ELEMENT_F32) ELEMENT_STORE(float, data, i, x);
    else if (e == ELEMENT_F16) ELEMENT_STORE(uint16_t, data, i, element_to_half(x, 5, 10));
    else ELEMENT_STORE(uint16_t, data, i, element_to_half(x, 8, 7));
}

TEMPLATE void element_set_integer(element e, void *data, ptrdiff_t i, int64_t x)
{
    switch (element_size(e)) {
    case 1: ELEMENT_STORE(uint8_t, data, i, e == ELEMENT_BOOL ? x != 0 : x); break;
    case 2: ELEMENT_STORE(uint16_t, data, i, x); break;
    case 4: ELEMENT_STORE(uint32_t, data, i, x); break;
    default: ELEMENT_STORE(uint64_t, data, i, x);
    }
}

/* ---- conversions ---- */

/* x modulo the type's range; a truth value: 0 or 1. */
TEMPLATE int64_t element_wrap(element e, int64_t x)
{
    switch (e) {
    case ELEMENT_I8: return (int8_t)x;
    case ELEMENT_I16: return (int16_t)x;
    case ELEMENT_I32: return (int32_t)x;
    case ELEMENT_U8: return (uint8_t)x;
    case ELEMENT_U16: return (uint16_t)x;
    case ELEMENT_U32: return (uint32_t)x;
    case ELEMENT_BOOL: return x != 0;
    default: return x;
    }
}

/* A float as an integer of type e. */
TEMPLATE int64_t element_saturate(element e, double x)
{
    if (e == ELEMENT_BOOL) return x != 0;   /* NaN too is not zero */
    if (x != x) return 0;
    if (e == ELEMENT_U64) return x <= 0 ? 0 : x >= 0x1p64 ? -1 : (int64_t)(uint64_t)x;
    const bool is_signed = e >= ELEMENT_I8 && e <= ELEMENT_I64;
    const int bits = (int)element_size(e) * 8;
    const double limit = is_signed ? ldexp(1, bits - 1) : ldexp(1, bits), least = is_signed ? -limit : 0;
    if (x >= limit) return is_signed && bits == 64 ? INT64_MAX : (int64_t)(limit - 1);
    return x <= least ? (int64_t)least : (int64_t)x;
}

/* An integer as a float of type e, rounded once. */
TEMPLATE double element_widen(element e, int64_t x, bool is_u64)
{
    if (e == ELEMENT_F32) return is_u64 ? (double)(float)(uint64_t)x : (double)(float)x;
    return is_u64 ? (double)(uint64_t)x : (double)x;
}

/* Rounds to a float type. */
TEMPLATE double element_round(element e, double x)
{
    if (e == ELEMENT_F32) return (double)(float)x;
    if (e == ELEMENT_F16) return element_from_f16(element_to_half(x, 5, 10));
    return e == ELEMENT_BF16 ? element_from_bf16(element_to_half(x, 8, 7)) : x;
}

#endif
