/* map: every operator of expressions on hand-computed values, every type, broadcasting, conversions. */
#include "eval_fixture.h"

static ir_value *map_text(fixture *f, const char *text, int inputs, ir_value *const *input)
{
    elem type[OPERANDS_MAX] = {ELEM_NONE};
    const char *end, *error = NULL;
    for (int i = 0; i < inputs; i++) type[i] = input[i]->type.elem;
    const expr *e = expr_parse(f->arena, text, &end, type, inputs, &error);
    if (!e) fail_msg("%s: %s", text, error);
    ir_node *n = ir_begin(f->g, IR_MAP);
    for (int i = 0; i < inputs; i++) ir_input(n, input[i]);
    ir_set_expr(n, KEY_EXPR, e);
    return add(n, f);
}

enum { LANES = 4 };

/* One operator on four elements of up to three operands. */
typedef struct sample {
    const char *text;
    elem type;
    double operand[3][LANES];
    elem result;
    double expected[LANES];
} sample;

static void check_samples(const sample *s, int count)
{
    for (int i = 0; i < count; i++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            fixture *f = fixture_new(variant);
            ir_value *in[3];
            int inputs = strstr(s[i].text, "in2") ? 3 : strstr(s[i].text, "in1") ? 2 : 1;
            for (int k = 0; k < inputs; k++) in[k] = operand(f, s[i].type, SHAPE(LANES), s[i].operand[k]);
            expect(f, map_text(f, s[i].text, inputs, in), s[i].result, SHAPE(LANES), s[i].expected);
        }
    }
}

static void float_operators(void **unused)
{
    (void)unused;
    const double inf = (double)INFINITY, nan_ = (double)NAN;
    const sample s[] = {
        {"neg(in0)", ELEM_F32, {{1, -2, inf, nan_}}, ELEM_F32, {-1, 2, -inf, nan_}},
        {"abs(in0)", ELEM_F32, {{1, -2, -inf, nan_}}, ELEM_F32, {1, 2, inf, nan_}},
        {"sqrt(in0)", ELEM_F32, {{4, 2.25, -1, inf}}, ELEM_F32, {2, 1.5, nan_, inf}},
        {"reciprocal(in0)", ELEM_F32, {{4, -0.5, 0, inf}}, ELEM_F32, {0.25, -2, inf, 0}},
        {"exp(in0)", ELEM_F32, {{0, 1, -inf, 1000}}, ELEM_F32, {1, 2.718281828459045, 0, inf}},
        {"log(in0)", ELEM_F32, {{1, 10, 0, -1}}, ELEM_F32, {0, 2.302585092994046, -inf, nan_}},
        {"sin(in0)", ELEM_F32, {{0, 1, -1, inf}}, ELEM_F32, {0, 0.8414709848078965, -0.8414709848078965, nan_}},
        {"cos(in0)", ELEM_F32, {{0, 1, -1, inf}}, ELEM_F32, {1, 0.5403023058681398, 0.5403023058681398, nan_}},
        {"tanh(in0)", ELEM_F32, {{0, 1, -inf, nan_}}, ELEM_F32, {0, 0.7615941559557649, -1, nan_}},
        {"sigmoid(in0)", ELEM_F32, {{0, 1, -1, -1000}}, ELEM_F32, {0.5, 0.7310585786300049, 0.2689414213699951, 0}},
        {"erf(in0)", ELEM_F32, {{0, 0.5, -1, inf}}, ELEM_F32, {0, 0.5204998778130465, -0.8427007929497149, 1}},
        {"floor(in0)", ELEM_F32, {{1.5, -1.5, 2, -0.25}}, ELEM_F32, {1, -2, 2, -1}},
        {"ceil(in0)", ELEM_F32, {{1.5, -1.5, 2, 0.25}}, ELEM_F32, {2, -1, 2, 1}},
        {"round(in0)", ELEM_F32, {{0.5, 1.5, 2.5, -2.5}}, ELEM_F32, {0, 2, 2, -2}},
        {"sign(in0)", ELEM_F32, {{-3, 0, inf, nan_}}, ELEM_F32, {-1, 0, 1, nan_}},
        {"relu(in0)", ELEM_F32, {{-3, 0, 2.5, nan_}}, ELEM_F32, {0, 0, 2.5, nan_}},
        {"gelu(in0)", ELEM_F64, {{0, 1, -1, -5}}, ELEM_F64, {0, 0.8413447460685429, -0.15865525393145707, -1.43325785939597e-06}},
        {"add(in0, in1)", ELEM_F32, {{1, 2, inf, nan_}, {0.5, -2, -inf, 1}}, ELEM_F32, {1.5, 0, nan_, nan_}},
        {"sub(in0, in1)", ELEM_F32, {{1, 2, inf, 0}, {0.5, -2, inf, 1}}, ELEM_F32, {0.5, 4, nan_, -1}},
        {"mul(in0, in1)", ELEM_F32, {{3, 2, inf, 1e30}, {0.5, -2, 0, -inf}}, ELEM_F32, {1.5, -4, nan_, -inf}},
        {"div(in0, in1)", ELEM_F32, {{3, 1, 0, -1}, {2, 3, 0, 0}}, ELEM_F32, {1.5, 1.0 / 3, nan_, -inf}},
        {"mod(in0, in1)", ELEM_F32, {{5.5, -5.5, 5.5, -5.5}, {2, 2, -2, -2}}, ELEM_F32, {1.5, 0.5, -0.5, -1.5}},
        {"fmod(in0, in1)", ELEM_F32, {{5.5, -5.5, 5.5, -5.5}, {2, 2, -2, -2}}, ELEM_F32, {1.5, -1.5, 1.5, -1.5}},
        {"pow(in0, in1)", ELEM_F32, {{2, 9, 0, -1}, {10, 0.5, 0, 0.5}}, ELEM_F32, {1024, 3, 1, nan_}},
        {"min(in0, in1)", ELEM_F32, {{1, 2, nan_, 1}, {2, 1, 1, nan_}}, ELEM_F32, {1, 1, nan_, nan_}},
        {"max(in0, in1)", ELEM_F32, {{1, 2, nan_, 1}, {2, 1, 1, nan_}}, ELEM_F32, {2, 2, nan_, nan_}},
        {"isnan(in0)", ELEM_F32, {{1, inf, nan_, 0}}, ELEM_BOOL, {0, 0, 1, 0}},
        {"isinf(in0)", ELEM_F32, {{1, inf, nan_, -inf}}, ELEM_BOOL, {0, 1, 0, 1}},
        {"eq(in0, in1)", ELEM_F32, {{1, 2, nan_, 0}, {1, 3, nan_, 0}}, ELEM_BOOL, {1, 0, 0, 1}},
        {"lt(in0, in1)", ELEM_F32, {{1, 2, nan_, 0}, {1, 3, 1, -1}}, ELEM_BOOL, {0, 1, 0, 0}},
        {"le(in0, in1)", ELEM_F32, {{1, 2, nan_, 0}, {1, 3, 1, -1}}, ELEM_BOOL, {1, 1, 0, 0}},
        {"select(lt(in0, in1), in2, in0)", ELEM_F32, {{1, 2, 3, 4}, {2, 2, 4, 4}, {9, 9, 9, 9}}, ELEM_F32, {9, 2, 9, 4}},
    };
    check_samples(s, COUNT(s));
}

/* Against the formulas as they are usually written. */
static void smooth_activations(void **unused)
{
    (void)unused;
    sample gelu = {"gelu_tanh(in0)", ELEM_F32, {{0, 1, -1, 3}}, ELEM_F32, {0}};
    sample swish = {"swish(in0, 1.702)", ELEM_F32, {{0, 1, -1, 100}}, ELEM_F32, {0}};
    for (int i = 0; i < LANES; i++) {
        double x = gelu.operand[0][i], y = swish.operand[0][i];
        gelu.expected[i] = x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))) / 2;
        swish.expected[i] = y / (1 + exp(-(double)1.702f * y));
    }
    check_samples(&gelu, 1);
    check_samples(&swish, 1);
}

static void integer_operators(void **unused)
{
    (void)unused;
    const sample s[] = {
        {"neg(in0)", ELEM_I8, {{1, -1, -128, 0}}, ELEM_I8, {-1, 1, -128, 0}},
        {"neg(in0)", ELEM_U8, {{1, 255, 0, 128}}, ELEM_U8, {255, 1, 0, 128}},
        {"abs(in0)", ELEM_I16, {{-5, 5, -32768, 0}}, ELEM_I16, {5, 5, -32768, 0}},
        {"sign(in0)", ELEM_I32, {{-5, 5, 0, 1}}, ELEM_I32, {-1, 1, 0, 1}},
        {"relu(in0)", ELEM_I32, {{-5, 5, 0, 1}}, ELEM_I32, {0, 5, 0, 1}},
        {"add(in0, in1)", ELEM_I8, {{127, -128, 1, 100}, {1, -1, 2, 100}}, ELEM_I8, {-128, 127, 3, -56}},
        {"add(in0, in1)", ELEM_I32, {{2147483647, -2147483648.0, 1, 0}, {1, -1, 2, 0}}, ELEM_I32, {-2147483648.0, 2147483647, 3, 0}},
        {"sub(in0, in1)", ELEM_U16, {{0, 1, 65535, 5}, {1, 1, 1, 7}}, ELEM_U16, {65535, 0, 65534, 65534}},
        {"mul(in0, in1)", ELEM_U32, {{65536, 3, 4294967295.0, 0}, {65536, 5, 2, 9}}, ELEM_U32, {0, 15, 4294967294.0, 0}},
        {"div(in0, in1)", ELEM_I32, {{7, -7, 7, 5}, {2, 2, -2, 0}}, ELEM_I32, {3, -3, -3, 0}},
        {"div(in0, in1)", ELEM_I8, {{-128, 1, 1, 1}, {-1, 1, 1, 1}}, ELEM_I8, {-128, 1, 1, 1}},
        {"mod(in0, in1)", ELEM_I64, {{7, -7, 7, -7}, {3, 3, -3, 0}}, ELEM_I64, {1, 2, -2, 0}},
        {"fmod(in0, in1)", ELEM_I64, {{7, -7, 7, -7}, {3, 3, -3, -1}}, ELEM_I64, {1, -1, 1, 0}},
        {"pow(in0, in1)", ELEM_I32, {{3, 2, -1, 2}, {4, 31, -3, -1}}, ELEM_I32, {81, -2147483648.0, -1, 0}},
        {"min(in0, in1)", ELEM_I8, {{1, -2, 3, 4}, {2, -3, 3, -4}}, ELEM_I8, {1, -3, 3, -4}},
        {"max(in0, in1)", ELEM_U8, {{1, 200, 3, 4}, {2, 100, 3, 5}}, ELEM_U8, {2, 200, 3, 5}},
        {"and(in0, in1)", ELEM_BOOL, {{0, 0, 1, 1}, {0, 1, 0, 1}}, ELEM_BOOL, {0, 0, 0, 1}},
        {"or(in0, in1)", ELEM_BOOL, {{0, 0, 1, 1}, {0, 1, 0, 1}}, ELEM_BOOL, {0, 1, 1, 1}},
        {"xor(in0, in1)", ELEM_BOOL, {{0, 0, 1, 1}, {0, 1, 0, 1}}, ELEM_BOOL, {0, 1, 1, 0}},
        {"not(in0)", ELEM_BOOL, {{0, 1, 0, 1}}, ELEM_BOOL, {1, 0, 1, 0}},
        {"eq(in0, in1)", ELEM_I64, {{1, 2, 3, 4}, {1, 3, 3, 5}}, ELEM_BOOL, {1, 0, 1, 0}},
        {"lt(in0, in1)", ELEM_I64, {{1, 2, 3, -4}, {1, 3, 2, 5}}, ELEM_BOOL, {0, 1, 0, 1}},
        {"le(in0, in1)", ELEM_U8, {{1, 2, 3, 255}, {1, 3, 2, 5}}, ELEM_BOOL, {1, 1, 0, 0}},
        {"select(le(in0, in1), in0, in2)", ELEM_I64, {{1, 2, 3, 4}, {2, 2, 2, 2}, {9, 9, 9, 9}}, ELEM_I64, {1, 2, 9, 9}},
    };
    check_samples(s, COUNT(s));
}

/* What double cannot hold: the ends of i64 and u64. */
static void widest_integers(void **unused)
{
    (void)unused;
    static const struct { const char *text; elem type; uint64_t x, y, expected; elem result; } s[] = {
        {"div(in0, in1)", ELEM_I64, (uint64_t)INT64_MIN, (uint64_t)-1, (uint64_t)INT64_MIN, ELEM_I64},
        {"mod(in0, in1)", ELEM_I64, (uint64_t)INT64_MIN, (uint64_t)-1, 0, ELEM_I64},
        {"fmod(in0, in1)", ELEM_I64, (uint64_t)INT64_MIN, (uint64_t)-1, 0, ELEM_I64},
        {"add(in0, in1)", ELEM_I64, INT64_MAX, 1, (uint64_t)INT64_MIN, ELEM_I64},
        {"mul(in0, in1)", ELEM_I64, INT64_MAX, 3, INT64_MAX - 2, ELEM_I64},
        {"div(in0, in1)", ELEM_U64, UINT64_MAX, 2, INT64_MAX, ELEM_U64},
        {"mod(in0, in1)", ELEM_U64, UINT64_MAX, 10, 5, ELEM_U64},
        {"min(in0, in1)", ELEM_U64, UINT64_MAX, 2, 2, ELEM_U64},
        {"max(in0, in1)", ELEM_U64, UINT64_MAX, 2, UINT64_MAX, ELEM_U64},
        {"lt(in0, in1)", ELEM_U64, 2, UINT64_MAX, 1, ELEM_BOOL},
        {"lt(in0, in1)", ELEM_I64, 2, UINT64_MAX, 0, ELEM_BOOL},
    };
    for (int i = 0; i < COUNT(s); i++) {
        for (int mode = EVAL_TYPED; mode <= EVAL_DOUBLE; mode++) {
            fixture *f = fixture_new(0);
            ir_type t = type_of(s[i].type, SCALAR);
            ir_value *in[2] = {ir_constant(f->g, t, &s[i].x, 8, NULL), ir_constant(f->g, t, &s[i].y, 8, NULL)};
            eval_tensor out;
            f->mode = (eval_mode)mode;
            ir_add_result(f->g, "y", map_text(f, s[i].text, 2, in));
            run(f, &out);
            assert_int_equal(out.elem, s[i].result);
            assert_true((uint64_t)eval_integer(f->mode, &out, 0) == s[i].expected);
            eval_free(&out);
            fixture_free(f);
        }
    }
}

static void all_types(void **unused)
{
    (void)unused;
    for (elem e = ELEM_F32; e < ELEM_BOOL; e++) {
        sample s = {"add(mul(in0, in0), in1)", e, {{1, 2, 3, 4}, {5, 4, 0, 1}}, e, {6, 8, 9, 17}};
        check_samples(&s, 1);
    }
}

/* Each float result is rounded to its type, not just the last; in double none is. */
static void rounds_every_step(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_value *in[2] = {operand(f, ELEM_BF16, SHAPE(1), NUMBERS(1)), operand(f, ELEM_BF16, SHAPE(1), NUMBERS(0x1p-9))};
        expect(f, map_text(f, "sub(add(in0, in1), in0)", 2, in), ELEM_BF16, SHAPE(1), NUMBERS(variant < 2 ? 0 : 0x1p-9));
    }
}

static ir_value *convert(fixture *f, ir_value *x, elem to)
{
    expr_builder b = expr_begin(f->arena);
    int in = expr_input(&b, 0, x->type.elem);
    ir_node *n = ir_begin(f->g, IR_MAP);
    ir_input(n, x);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_convert(&b, to, in)));
    return add(n, f);
}

static void conversions(void **unused)
{
    (void)unused;
    const double inf = (double)INFINITY, nan_ = (double)NAN;
    const struct { elem from, to; double x[LANES], expected[LANES]; } s[] = {
        {ELEM_F32, ELEM_I32, {1.75, -1.75, nan_, 3e9}, {1, -1, 0, 2147483647}},
        {ELEM_F32, ELEM_I8, {127.5, -128.5, inf, -inf}, {127, -128, 127, -128}},
        {ELEM_F32, ELEM_U8, {255.5, -1, 300, 0.5}, {255, 0, 255, 0}},
        {ELEM_F64, ELEM_U32, {4294967295.0, -1, 1e10, 7.9}, {4294967295.0, 0, 4294967295.0, 7}},
        {ELEM_F32, ELEM_BOOL, {0, 0.25, nan_, -2}, {0, 1, 1, 1}},
        {ELEM_BOOL, ELEM_F32, {0, 1, 1, 0}, {0, 1, 1, 0}},
        {ELEM_I64, ELEM_I8, {300, -129, 5, -1}, {44, 127, 5, -1}},
        {ELEM_I32, ELEM_U8, {-1, 256, 255, 3}, {255, 0, 255, 3}},
        {ELEM_I64, ELEM_BOOL, {256, 0, -1, 1}, {1, 0, 1, 1}},
        {ELEM_U8, ELEM_I64, {255, 0, 1, 128}, {255, 0, 1, 128}},
        {ELEM_I32, ELEM_F64, {-7, 2147483647, 0, 1}, {-7, 2147483647, 0, 1}},
    };
    for (int i = 0; i < COUNT(s); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            fixture *f = fixture_new(variant);
            ir_value *x = operand(f, s[i].from, SHAPE(LANES), s[i].x);
            expect(f, convert(f, x, s[i].to), s[i].to, SHAPE(LANES), s[i].expected);
        }
    }
    fixture *f = fixture_new(0);
    expect(f, convert(f, operand(f, ELEM_F32, SHAPE(2), NUMBERS(65520, 65519)), ELEM_F16), ELEM_F16, SHAPE(2), NUMBERS(inf, 65504));
    f = fixture_new(0);                                     /* i64 to bf16 in one rounding: 2^60 + 2^52 is a tie, the 1 below decides */
    int64_t big = (INT64_C(1) << 60) + (INT64_C(1) << 52) + 1;
    expect(f, convert(f, ir_constant(f->g, type_of(ELEM_I64, SCALAR), &big, 8, NULL), ELEM_BF16), ELEM_BF16, SCALAR, NUMBERS(0x1.02p60));
}

/* [2,1,300] + [5,1] * scalar: blocks cross rows. */
static void broadcasting(void **unused)
{
    (void)unused;
    enum { A = 2, B = 5, C = 300 };
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        double *x = random_numbers(f, A * C), *y = random_numbers(f, B), expected[A * B * C];
        for (int a = 0; a < A; a++) {
            for (int b = 0; b < B; b++) {
                for (int c = 0; c < C; c++) expected[(a * B + b) * C + c] = x[a * C + c] + y[b] * 3;
            }
        }
        ir_value *in[3] = {operand(f, ELEM_F32, SHAPE(A, 1, C), x), operand(f, ELEM_F32, SHAPE(B, 1), y), operand(f, ELEM_F32, SCALAR, NUMBERS(3))};
        expect(f, map_text(f, "add(in0, mul(in1, in2))", 3, in), ELEM_F32, SHAPE(A, B, C), expected);
    }
}

static void small_rows(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_value *in[2] = {operand(f, ELEM_I32, SHAPE(3, 1, 2), NUMBERS(1, 2, 3, 4, 5, 6)), operand(f, ELEM_I32, SHAPE(2, 1), NUMBERS(10, 20))};
        expect(f, map_text(f, "add(in0, in1)", 2, in), ELEM_I32, SHAPE(3, 2, 2), NUMBERS(11, 12, 21, 22, 13, 14, 23, 24, 15, 16, 25, 26));
        f = fixture_new(variant);
        in[0] = operand(f, ELEM_F32, SHAPE(0, 3), NULL);
        in[1] = operand(f, ELEM_F32, SHAPE(3), NUMBERS(1, 2, 3));
        expect(f, map_text(f, "add(in0, in1)", 2, in), ELEM_F32, SHAPE(0, 3), NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_operators), cmocka_unit_test(smooth_activations), cmocka_unit_test(integer_operators),
        cmocka_unit_test(widest_integers), cmocka_unit_test(all_types), cmocka_unit_test(rounds_every_step),
        cmocka_unit_test(conversions), cmocka_unit_test(broadcasting), cmocka_unit_test(small_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
