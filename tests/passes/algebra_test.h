/* What the tests of algebra share. */
#ifndef VITCC_TESTS_ALGEBRA_TEST_H
#define VITCC_TESTS_ALGEBRA_TEST_H

#include "pass_test.h"

/* New biases are rounded to f32 once. */
#define TOLERANCE 2e-5

static inline void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

static inline pass_test *run(const char *text)
{
    return pass_test_within(text, "algebra", TOLERANCE);
}

static inline bool has_input(const ir_node *n, int i)
{
    return i < n->inputs && n->input[i] != NULL;
}

static inline double number_at(const ir_value *v, int64_t i)
{
    eval_tensor x;
    assert_true(v && ir_is_constant(v));
    assert_int_equal(eval_constant(v, &x, NULL), STATUS_OK);
    assert_in_range(i, 0, x.elements - 1);
    double number = eval_number(EVAL_TYPED, &x, i);
    eval_free(&x);
    return number;
}

#endif
