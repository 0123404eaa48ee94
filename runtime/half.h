/* Half precision to double and back: a sign, `exponent` bits and `fraction` bits, 16 in all; 5 and 10 are float16, 8 and 7 bfloat16. */
#ifndef VITCC_RUNTIME_HALF_H
#define VITCC_RUNTIME_HALF_H

#include <math.h>
#include <stdint.h>

static inline double half_to_double(uint16_t bits, int exponent, int fraction)
{
    const int power = bits >> fraction & ((1 << exponent) - 1), least = 2 - (1 << (exponent - 1)) - fraction;   /* 2^least: the smallest above 0 */
    const int digits = bits & ((1 << fraction) - 1);
    const double sign = bits >> 15 ? -1.0 : 1.0;
    if (power == (1 << exponent) - 1) return digits != 0 ? (double)NAN : sign * HUGE_VAL;
    return sign * (power == 0 ? ldexp(digits, least) : ldexp(digits + (1 << fraction), least + power - 1));
}

/* Rounds to even, overflows to infinity. */
static inline uint16_t half_from_double(double x, int exponent, int fraction)
{
    const int least = 2 - (1 << (exponent - 1)) - fraction;
    const uint32_t sign = signbit(x) ? 0x8000u : 0, infinity = ((1u << exponent) - 1) << fraction;
    const double size = fabs(x);
    int power;
    if (isnan(x)) return (uint16_t)(sign | infinity | 1u << (fraction - 1));
    if (size >= ldexp(1, 1 << (exponent - 1))) return (uint16_t)(sign | infinity);
    if (size == 0) return (uint16_t)sign;
    (void)frexp(size, &power);
    const int unit = power - 1 - fraction < least ? least : power - 1 - fraction;
    /* A carry runs into the exponent, up to infinity. */
    return (uint16_t)(sign | ((uint32_t)rint(ldexp(size, -unit)) + ((uint32_t)(unit - least) << fraction)));
}

#endif
