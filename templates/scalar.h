/* The operators of expressions (compiler/ir/exprs.def) on single values: sf_<name> on floats, held as double; si_<name> on integers and truth
 * values, held as int64_t, not yet wrapped to their type; su_<name> where unsigned 64-bit integers differ. As compiler/ir/eval_scalar.c has them.
 * What ONNX leaves open: x / 0 and x mod 0 are 0 for integers, min and max of a NaN are NaN, an integer power that is no integer is 0. */
#ifndef VITCC_TEMPLATES_SCALAR_H
#define VITCC_TEMPLATES_SCALAR_H

#include "level.h"

/* ---- floats ---- */

TEMPLATE double sf_neg(double x) { return -x; }
TEMPLATE double sf_abs(double x) { return fabs(x); }
TEMPLATE double sf_sqrt(double x) { return sqrt(x); }
TEMPLATE double sf_reciprocal(double x) { return 1 / x; }
TEMPLATE double sf_exp(double x) { return exp(x); }
TEMPLATE double sf_log(double x) { return log(x); }
TEMPLATE double sf_sin(double x) { return sin(x); }
TEMPLATE double sf_cos(double x) { return cos(x); }
TEMPLATE double sf_tanh(double x) { return tanh(x); }
TEMPLATE double sf_erf(double x) { return erf(x); }
TEMPLATE double sf_floor(double x) { return floor(x); }
TEMPLATE double sf_ceil(double x) { return ceil(x); }
TEMPLATE double sf_round(double x) { return rint(x); }
TEMPLATE double sf_sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
TEMPLATE double sf_relu(double x) { return x < 0 ? 0 : x; }
TEMPLATE double sf_add(double x, double y) { return x + y; }
TEMPLATE double sf_sub(double x, double y) { return x - y; }
TEMPLATE double sf_mul(double x, double y) { return x * y; }
TEMPLATE double sf_div(double x, double y) { return x / y; }
TEMPLATE double sf_fmod(double x, double y) { return fmod(x, y); }
TEMPLATE double sf_pow(double x, double y) { return pow(x, y); }
TEMPLATE double sf_min(double x, double y) { return x != x || x < y ? x : y; }
TEMPLATE double sf_max(double x, double y) { return x != x || x > y ? x : y; }
TEMPLATE int64_t sf_isnan(double x) { return x != x; }
TEMPLATE int64_t sf_isinf(double x) { return isinf(x) != 0; }
TEMPLATE int64_t sf_eq(double x, double y) { return x == y; }
TEMPLATE int64_t sf_lt(double x, double y) { return x < y; }
TEMPLATE int64_t sf_le(double x, double y) { return x <= y; }

TEMPLATE double sf_sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* erfc: 1 + erf loses the left tail. */
TEMPLATE double sf_gelu(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }

/* (1 + tanh u) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
TEMPLATE double sf_gelu_tanh(double x) { return x * sf_sigmoid(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)); }
TEMPLATE double sf_swish(double x, double y) { return x * sf_sigmoid(y * x); }

TEMPLATE double sf_mod(double x, double y)
{
    const double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* ---- integers ---- */

TEMPLATE int64_t si_neg(int64_t x) { return (int64_t)(0 - (uint64_t)x); }
TEMPLATE int64_t si_abs(int64_t x) { return x < 0 ? si_neg(x) : x; }
TEMPLATE int64_t si_sign(int64_t x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
TEMPLATE int64_t si_relu(int64_t x) { return x < 0 ? 0 : x; }
TEMPLATE int64_t si_not(int64_t x) { return x == 0; }
TEMPLATE int64_t si_add(int64_t x, int64_t y) { return (int64_t)((uint64_t)x + (uint64_t)y); }
TEMPLATE int64_t si_sub(int64_t x, int64_t y) { return (int64_t)((uint64_t)x - (uint64_t)y); }
TEMPLATE int64_t si_mul(int64_t x, int64_t y) { return (int64_t)((uint64_t)x * (uint64_t)y); }
TEMPLATE int64_t si_div(int64_t x, int64_t y) { return y == 0 ? 0 : y == -1 ? si_neg(x) : x / y; }
TEMPLATE int64_t si_fmod(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }
TEMPLATE int64_t si_min(int64_t x, int64_t y) { return y < x ? y : x; }
TEMPLATE int64_t si_max(int64_t x, int64_t y) { return x < y ? y : x; }
TEMPLATE int64_t si_and(int64_t x, int64_t y) { return x & y; }
TEMPLATE int64_t si_or(int64_t x, int64_t y) { return x | y; }
TEMPLATE int64_t si_xor(int64_t x, int64_t y) { return x ^ y; }
TEMPLATE int64_t si_eq(int64_t x, int64_t y) { return x == y; }
TEMPLATE int64_t si_lt(int64_t x, int64_t y) { return x < y; }
TEMPLATE int64_t si_le(int64_t x, int64_t y) { return x <= y; }

TEMPLATE int64_t si_mod(int64_t x, int64_t y)
{
    const int64_t r = si_fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

TEMPLATE int64_t su_pow(int64_t x, int64_t y)
{
    int64_t r = 1;
    for (uint64_t e = (uint64_t)y; e != 0; e >>= 1) {
        if (e & 1) r = si_mul(r, x);
        x = si_mul(x, x);
    }
    return r;
}

TEMPLATE int64_t si_pow(int64_t x, int64_t y)
{
    if (y < 0) return x == 1 || (x == -1 && y % 2 == 0) ? 1 : x == -1 ? -1 : 0;
    return su_pow(x, y);
}

TEMPLATE int64_t su_abs(int64_t x) { return x; }
TEMPLATE int64_t su_sign(int64_t x) { return x != 0; }
TEMPLATE int64_t su_relu(int64_t x) { return x; }
TEMPLATE int64_t su_div(int64_t x, int64_t y) { return y == 0 ? 0 : (int64_t)((uint64_t)x / (uint64_t)y); }
TEMPLATE int64_t su_fmod(int64_t x, int64_t y) { return y == 0 ? 0 : (int64_t)((uint64_t)x % (uint64_t)y); }
TEMPLATE int64_t su_mod(int64_t x, int64_t y) { return su_fmod(x, y); }
TEMPLATE int64_t su_lt(int64_t x, int64_t y) { return (uint64_t)x < (uint64_t)y; }
TEMPLATE int64_t su_le(int64_t x, int64_t y) { return (uint64_t)x <= (uint64_t)y; }
TEMPLATE int64_t su_min(int64_t x, int64_t y) { return su_lt(y, x) ? y : x; }
TEMPLATE int64_t su_max(int64_t x, int64_t y) { return su_lt(x, y) ? y : x; }

#endif
