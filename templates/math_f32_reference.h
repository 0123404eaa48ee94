/* The element-wise functions in double precision, for tests. */
#ifndef VITCC_TEMPLATES_MATH_F32_REFERENCE_H
#define VITCC_TEMPLATES_MATH_F32_REFERENCE_H

#include <math.h>

static inline double sigmoid_reference(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static inline double gelu_reference(double x) { return x == -INFINITY ? 0 : .5 * x * erfc(-x / sqrt(2)); }
static inline double swish_reference(double a, double b) { return a * sigmoid_reference(b * a); }
static inline double gelu_tanh_reference(double x) { return x * sigmoid_reference(2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)); }
static inline double sign_reference(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static inline double relu_reference(double x) { return x < 0 ? 0 : x; }
static inline double max_reference(double a, double b) { return a != a ? a : b != b ? b : a > b ? a : b; }
static inline double min_reference(double a, double b) { return a != a ? a : b != b ? b : a < b ? a : b; }
static inline double mod_reference(double a, double b)
{
    const double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

#endif
