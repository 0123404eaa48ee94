/* Expressions: sharing, inlining, types, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/expr.h"

static arena *memory;
static const elem floats[4] = {ELEM_F32, ELEM_F32, ELEM_F32, ELEM_F32};

static int set_up(void **unused)
{
    (void)unused;
    memory = arena_new();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    arena_free(memory);
    return 0;
}

static const expr *read_as(const char *text, const elem *input, int inputs)
{
    const char *end, *error = NULL;
    const expr *e = expr_parse(memory, text, &end, input, inputs, &error);
    if (!e) fail_msg("%s: %s", text, error);
    assert_int_equal(*end, 0);
    return e;
}

static void equal_items_are_shared(void **unused)
{
    (void)unused;
    expr_builder b = expr_begin(memory);
    int x = expr_input(&b, 0, ELEM_F32), two = expr_constant(&b, ELEM_F32, 2, 0);
    assert_int_equal(expr_input(&b, 0, ELEM_F32), x);
    assert_int_not_equal(expr_input(&b, 0, ELEM_F64), x);
    assert_int_equal(expr_constant(&b, ELEM_F32, 2, 5), two);
    assert_int_not_equal(expr_constant(&b, ELEM_F32, -0.0, 0), expr_constant(&b, ELEM_F32, 0.0, 0));
    assert_int_equal(expr_constant(&b, ELEM_F32, NAN, 0), expr_constant(&b, ELEM_F32, -NAN, 0));
    int product = expr_apply(&b, EXPR_MUL, x, two, -1);
    assert_int_equal(expr_apply(&b, EXPR_MUL, x, two, -1), product);
    assert_int_not_equal(expr_apply(&b, EXPR_MUL, two, x, -1), product);
    expr *e = expr_end(&b, product);
    assert_int_equal(e->count, 3);                             /* what the result does not need is gone */
    assert_string_equal(expr_text(memory, e), "mul(in0, 2)");
    assert_int_equal(expr_inputs(e), 1);
    assert_true(expr_equal(e, read_as("mul(in0, 2)", floats, 1)));
    assert_false(expr_equal(e, read_as("mul(2, in0)", floats, 1)));
}

static void constants_are_rounded(void **unused)
{
    (void)unused;
    expr_builder b = expr_begin(memory);
    assert_true(b.item == NULL);
    int x = expr_constant(&b, ELEM_F32, 0.1, 0);
    assert_true(b.item[x].number == (double)0.1f);
    x = expr_constant(&b, ELEM_BF16, 1.00390625 + 1e-6, 0);
    assert_true(b.item[x].number == 1.0078125);
    x = expr_constant(&b, ELEM_F16, 65520, 0);
    assert_true(isinf(b.item[x].number));
    x = expr_constant(&b, ELEM_BOOL, 0, 7);
    assert_int_equal(b.item[x].integer, 1);
    x = expr_constant(&b, ELEM_F64, 0.1, 0);
    assert_true(b.item[x].number == 0.1);
}

static void inlining(void **unused)
{
    (void)unused;
    const expr *gelu = read_as("mul(gelu(in0), in1)", floats, 2);
    expr_builder b = expr_begin(memory);
    int x = expr_input(&b, 3, ELEM_F32), half = expr_constant(&b, ELEM_F32, 0.5, 0);
    int input[2] = {expr_apply(&b, EXPR_ADD, x, half, -1), x};
    const expr *e = expr_end(&b, expr_inline(&b, gelu, input));
    assert_string_equal(expr_text(memory, e), "mul(gelu(add(in3, 0.5)), in3)");
    assert_int_equal(expr_inputs(e), 4);
    assert_null(expr_check(e, floats, 4));
    assert_non_null(expr_check(e, floats, 3));
}

static void text_is_read_back(void **unused)
{
    (void)unused;
    static const elem inputs[] = {ELEM_F32, ELEM_F64, ELEM_I64, ELEM_BOOL, ELEM_F16, ELEM_U64};
    const char *forms[] = {
        "in0", "add(in0, mul(in0, 0.5))", "swish(in0, 1.702)", "select(in3, in0, -inf)", "add(in2, 3:i64)", "sub(in1, 0.1:f64)", "nan", "-0",
        "mul(in4, 0.1:f16)", "and(in3, 1:bool)", "convert(in0):i64", "convert(convert(in2))", "lt(in2, -9223372036854775808:i64)",
        "add(in5, 18446744073709551615:u64)", "1.1754944e-38", "3.4028235e+38", "0.044715", "select(isnan(in0), 0, in0)", "not(eq(in3, in3))",
        "erf(div(in0, 1.4142135))", "1e-45", "convert(in4):bf16", "inf:f64", "pow(in0, 3)",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const expr *e = read_as(forms[i], inputs, 6);
        assert_string_equal(expr_text(memory, e), forms[i]);
        assert_true(expr_equal(e, read_as(expr_text(memory, e), inputs, 6)));
        assert_null(expr_check(e, inputs, 6));
    }
    const expr *e = read_as("  add( in0 ,0.50 )", inputs, 1);
    assert_string_equal(expr_text(memory, e), "add(in0, 0.5)");
}

static void what_is_none_is_refused(void **unused)
{
    (void)unused;
    static const elem inputs[] = {ELEM_F32, ELEM_F64, ELEM_I64, ELEM_BOOL};
    const char *bad[] = {
        "", "add", "add(in0)", "add(in0, in0", "add(in0, in1)", "in4", "in", "foo(in0)", "add(in0, 1:i64)", "sqrt(in2)", "not(in0)", "and(in0, in0)",
        "select(in0, in0, in0)", "select(in3, in0, in1)", "300:u8", "-1:u64", "2:bool", "1.5:i64", "1:f33", "convert(in0):x", "swish(in0, in0)",
        "add(in3, in3)", "const(in0)", "in()", "t0", "let t1 = in0; t1", "let t0 = in0 t0", "0x10", "neg(in3)", "1e", "99999999999999999999:i64",
        "isnan(in2)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *end = NULL, *error = NULL;
        const expr *e = expr_parse(memory, bad[i], &end, inputs, 4, &error);
        if (e && *end == 0) fail_msg("%s is accepted", bad[i]);
        assert_true(e || error);
    }
}

/* A tree as deep or as long as these is written with names; and nobody can make the reader run out of stack. */
static void depth_is_bounded(void **unused)
{
    (void)unused;
    expr_builder b = expr_begin(memory);
    int x = expr_input(&b, 0, ELEM_F32);
    for (int i = 0; i < 40; i++) x = expr_apply(&b, EXPR_MUL, x, x, -1);      /* 2^40 leaves */
    const expr *squares = expr_end(&b, x);
    b = expr_begin(memory);
    x = expr_input(&b, 0, ELEM_F32);
    for (int i = 0; i < 3000; i++) x = expr_apply(&b, i % 2 ? EXPR_EXP : EXPR_NEG, x, -1, -1);
    const expr *deep = expr_end(&b, x);
    assert_int_equal(squares->count, 41);
    assert_int_equal(deep->count, 3001);
    const expr *each[] = {squares, deep};
    for (int i = 0; i < 2; i++) {
        const char *text = expr_text(memory, each[i]);
        assert_true(strlen(text) < 100000);
        const expr *again = read_as(text, floats, 1);
        assert_true(expr_equal(each[i], again));
        assert_string_equal(expr_text(memory, again), text);
    }
    assert_memory_equal(expr_text(memory, squares), "let t0 = mul(in0, in0); let t1 = mul(t0, t0); ", 46);
    char *nested = arena_alloc(memory, 400001);
    for (int i = 0; i < 100000; i++) memcpy(nested + 4 * i, "neg(", 4);
    const char *end, *error = NULL;
    assert_null(expr_parse(memory, nested, &end, floats, 1, &error));
    assert_string_equal(error, "the expression is nested too deeply");
}

static void check_finds_what_is_wrong(void **unused)
{
    (void)unused;
    const expr *fine = read_as("add(in0, 0.5)", floats, 1);
    expr_item item[3];
    memcpy(item, fine->item, sizeof item);
    expr e = {3, item};
    assert_null(expr_check(&e, floats, 1));
    item[2].arg[1] = 2;
    assert_non_null(expr_check(&e, floats, 1));
    item[2].arg[1] = 1;
    item[2].elem = ELEM_F64;
    assert_non_null(expr_check(&e, floats, 1));
    item[2].elem = ELEM_F32;
    item[1].number = 0.1;                                      /* no float32 */
    assert_non_null(expr_check(&e, floats, 1));
    item[1].number = 0.5;
    item[0].index = -1;
    assert_non_null(expr_check(&e, floats, 1));
    e.count = 0;
    assert_non_null(expr_check(&e, floats, 1));
}

static void tables(void **unused)
{
    (void)unused;
    for (int i = 0; i < EXPR_OP_COUNT; i++) assert_int_equal(expr_op_from_name(expr_op_name((expr_op)i)), i);
    assert_int_equal(expr_op_from_name("softmax"), -1);
    assert_int_equal(expr_arity(EXPR_SELECT), 3);
    for (int i = ELEM_NONE + 1; i < ELEM_COUNT; i++) assert_int_equal(elem_from_name(elem_name((elem)i)), i);
    assert_int_equal(elem_from_name("none"), ELEM_NONE);
    assert_int_equal(elem_from_onnx(1), ELEM_F32);
    assert_int_equal(elem_from_onnx(0), ELEM_NONE);
    assert_int_equal(elem_from_onnx(8), ELEM_NONE);
    assert_int_equal(elem_size(ELEM_BF16), 2);
    assert_true(elem_is_float(ELEM_BF16) && elem_is_signed(ELEM_I8) && elem_is_integer(ELEM_U8) && !elem_is_signed(ELEM_U8));
    assert_true(!elem_is_integer(ELEM_BOOL) && !elem_is_float(ELEM_BOOL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_items_are_shared), cmocka_unit_test(constants_are_rounded), cmocka_unit_test(inlining),
        cmocka_unit_test(text_is_read_back), cmocka_unit_test(what_is_none_is_refused), cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(check_finds_what_is_wrong), cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
