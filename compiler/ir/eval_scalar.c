/* The operators of expressions on a block of elements. Floats are computed in double: rounded once more to float, + - * / and sqrt are exact.
 * What ONNX leaves open: integers wrap, x / 0 and x mod 0 are 0 for them, min and max of a NaN are NaN, an integer power that is no integer is 0. */
#include "eval_private.h"

#include <math.h>

static double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double floor_mod(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static double gelu_tanh(double x)
{
    return x * sigmoid(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x));     /* (1 + tanh u) / 2 = sigmoid(2u); sqrt(2/pi) */
}

#define EACH(value) for (int i = 0; i < n; i++) r[i] = (value); break

void eval_float_op(expr_op op, const double *const *arg, double *r, int n)
{
    const double *x = arg[0], *y = arg[1];
    switch (op) {
    case EXPR_NEG: EACH(-x[i]);
    case EXPR_ABS: EACH(fabs(x[i]));
    case EXPR_SQRT: EACH(sqrt(x[i]));
    case EXPR_RECIPROCAL: EACH(1 / x[i]);
    case EXPR_EXP: EACH(exp(x[i]));
    case EXPR_LOG: EACH(log(x[i]));
    case EXPR_SIN: EACH(sin(x[i]));
    case EXPR_COS: EACH(cos(x[i]));
    case EXPR_TANH: EACH(tanh(x[i]));
    case EXPR_SIGMOID: EACH(sigmoid(x[i]));
    case EXPR_ERF: EACH(erf(x[i]));
    case EXPR_FLOOR: EACH(floor(x[i]));
    case EXPR_CEIL: EACH(ceil(x[i]));
    case EXPR_ROUND: EACH(rint(x[i]));
    case EXPR_SIGN: EACH(x[i] > 0 ? 1 : x[i] < 0 ? -1 : x[i]);
    case EXPR_RELU: EACH(x[i] < 0 ? 0 : x[i]);
    case EXPR_GELU: EACH(0.5 * x[i] * erfc(-x[i] * 0.70710678118654752440));        /* erfc: 1 + erf loses the left tail */
    case EXPR_GELU_TANH: EACH(gelu_tanh(x[i]));
    case EXPR_SWISH: EACH(x[i] * sigmoid(y[i] * x[i]));
    case EXPR_ADD: EACH(x[i] + y[i]);
    case EXPR_SUB: EACH(x[i] - y[i]);
    case EXPR_MUL: EACH(x[i] * y[i]);
    case EXPR_DIV: EACH(x[i] / y[i]);
    case EXPR_MOD: EACH(floor_mod(x[i], y[i]));
    case EXPR_FMOD: EACH(fmod(x[i], y[i]));
    case EXPR_POW: EACH(pow(x[i], y[i]));
    case EXPR_MIN: EACH(isnan(x[i]) || x[i] < y[i] ? x[i] : y[i]);
    case EXPR_MAX: EACH(isnan(x[i]) || x[i] > y[i] ? x[i] : y[i]);
    default: EACH((double)NAN);
    }
}

void eval_float_test(expr_op op, const double *const *arg, int64_t *r, int n)
{
    const double *x = arg[0], *y = arg[1];
    switch (op) {
    case EXPR_ISNAN: EACH(isnan(x[i]) != 0);
    case EXPR_ISINF: EACH(isinf(x[i]) != 0);
    case EXPR_EQUAL: EACH(x[i] == y[i]);
    case EXPR_LESS: EACH(x[i] < y[i]);
    case EXPR_LESS_EQUAL: EACH(x[i] <= y[i]);
    default: EACH(x[i] == 0);                               /* not */
    }
}

/* The bits of a + b and so on modulo 2^64, which wrapping narrows to any width. */
static int64_t wrap_add(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x + (uint64_t)y);
}

static int64_t wrap_sub(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x - (uint64_t)y);
}

static int64_t wrap_mul(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x * (uint64_t)y);
}

static bool less(int64_t x, int64_t y, bool is_u64)
{
    return is_u64 ? (uint64_t)x < (uint64_t)y : x < y;
}

static int64_t divide(int64_t x, int64_t y, bool is_u64)
{
    if (y == 0) return 0;
    if (is_u64) return (int64_t)((uint64_t)x / (uint64_t)y);
    return y == -1 ? wrap_sub(0, x) : x / y;
}

static int64_t remainder_of(int64_t x, int64_t y, bool is_u64)
{
    if (y == 0) return 0;
    if (is_u64) return (int64_t)((uint64_t)x % (uint64_t)y);
    return y == -1 ? 0 : x % y;
}

static int64_t floor_remainder(int64_t x, int64_t y, bool is_u64)
{
    int64_t r = remainder_of(x, y, is_u64);
    return !is_u64 && r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static int64_t power(int64_t x, int64_t y, bool is_u64)
{
    if (!is_u64 && y < 0) return x == 1 || (x == -1 && y % 2 == 0) ? 1 : x == -1 ? -1 : 0;
    int64_t r = 1;
    for (uint64_t e = (uint64_t)y; e != 0; e >>= 1) {
        if (e & 1) r = wrap_mul(r, x);
        x = wrap_mul(x, x);
    }
    return r;
}

void eval_integer_op(expr_op op, bool is_u64, const int64_t *const *arg, int64_t *r, int n)
{
    const int64_t *x = arg[0], *y = arg[1];
    switch (op) {
    case EXPR_NEG: EACH(wrap_sub(0, x[i]));
    case EXPR_ABS: EACH(!is_u64 && x[i] < 0 ? wrap_sub(0, x[i]) : x[i]);
    case EXPR_SQRT: EACH(eval_saturate(is_u64 ? ELEM_U64 : ELEM_I64, sqrt(eval_widen(x[i], is_u64))));
    case EXPR_RECIPROCAL: EACH(divide(1, x[i], is_u64));
    case EXPR_FLOOR: case EXPR_CEIL: case EXPR_ROUND: EACH(x[i]);
    case EXPR_SIGN: EACH(x[i] == 0 ? 0 : !is_u64 && x[i] < 0 ? -1 : 1);
    case EXPR_RELU: EACH(!is_u64 && x[i] < 0 ? 0 : x[i]);
    case EXPR_NOT: EACH(x[i] == 0);
    case EXPR_ADD: EACH(wrap_add(x[i], y[i]));
    case EXPR_SUB: EACH(wrap_sub(x[i], y[i]));
    case EXPR_MUL: EACH(wrap_mul(x[i], y[i]));
    case EXPR_DIV: EACH(divide(x[i], y[i], is_u64));
    case EXPR_MOD: EACH(floor_remainder(x[i], y[i], is_u64));
    case EXPR_FMOD: EACH(remainder_of(x[i], y[i], is_u64));
    case EXPR_POW: EACH(power(x[i], y[i], is_u64));
    case EXPR_MIN: EACH(less(y[i], x[i], is_u64) ? y[i] : x[i]);
    case EXPR_MAX: EACH(less(x[i], y[i], is_u64) ? y[i] : x[i]);
    case EXPR_AND: EACH(x[i] & y[i]);
    case EXPR_OR: EACH(x[i] | y[i]);
    case EXPR_XOR: EACH(x[i] ^ y[i]);
    case EXPR_EQUAL: EACH(x[i] == y[i]);
    case EXPR_LESS: EACH(less(x[i], y[i], is_u64));
    case EXPR_LESS_EQUAL: EACH(!less(y[i], x[i], is_u64));
    default: EACH(0);                                       /* defined on floats only; isnan, isinf: false */
    }
}
