/* The evaluator's driver: half precision, symbols, calls, constants, traces, errors. */
#include "eval_fixture.h"

/* ---- half precision ---- */

static void half_round_trips(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t bits = (uint16_t)i;
        double h = (double)eval_from_f16(bits), b = (double)eval_from_bf16(bits);
        if (isnan(h)) assert_true(isnan(eval_from_f16(eval_to_f16(h))));
        else assert_int_equal(eval_to_f16(h), bits);
        if (isnan(b)) assert_true(isnan(eval_from_bf16(eval_to_bf16(b))));
        else assert_int_equal(eval_to_bf16(b), bits);
    }
}

/* Midway between neighbours goes to the even one, a little above or below to the nearer. */
static void half_rounds_to_even(void **unused)
{
    (void)unused;
    for (uint16_t i = 0; i < 0x7bff; i++) {
        double low = (double)eval_from_f16(i), high = (double)eval_from_f16((uint16_t)(i + 1)), middle = (low + high) / 2;
        assert_int_equal(eval_to_f16(middle), i % 2 == 0 ? i : i + 1);
        assert_int_equal(eval_to_f16(nextafter(middle, 0)), i);
        assert_int_equal(eval_to_f16(nextafter(middle, 1e9)), i + 1);
        assert_int_equal(eval_to_f16(-middle), 0x8000 | (i % 2 == 0 ? i : i + 1));
    }
    for (uint16_t i = 0; i < 0x7f7f; i++) {
        double low = (double)eval_from_bf16(i), high = (double)eval_from_bf16((uint16_t)(i + 1)), middle = (low + high) / 2;
        assert_int_equal(eval_to_bf16(middle), i % 2 == 0 ? i : i + 1);
        assert_int_equal(eval_to_bf16(nextafter(middle, 0)), i);
        assert_int_equal(eval_to_bf16(nextafter(middle, 1e39)), i + 1);
    }
}

static void half_known_values(void **unused)
{
    (void)unused;
    typedef struct half { double x; uint16_t bits; } half;
    static const half f16[] = {{1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {65519.999, 0x7bff}, {65520, 0x7c00}, {1e300, 0x7c00},
        {0x1p-24, 1}, {0x1p-25, 0}, {0x1.8p-25, 1}, {0x1p-14, 0x400}, {1.0 / 3, 0x3555}, {0.0, 0}, {-0.0, 0x8000}, {5e-324, 0}};
    static const half bf16[] = {{1, 0x3f80}, {-2, 0xc000}, {3.140625, 0x4049}, {3.39e38, 0x7f7f}, {3.4e38, 0x7f80}, {0x1p-133, 1},
        {0x1p-134, 0}, {1 + 0x1p-8, 0x3f80}, {1 + 0x1p-8 + 0x1p-40, 0x3f81}};
    for (int i = 0; i < COUNT(f16); i++) assert_int_equal(eval_to_f16(f16[i].x), f16[i].bits);
    for (int i = 0; i < COUNT(bf16); i++) assert_int_equal(eval_to_bf16(bf16[i].x), bf16[i].bits);
}

/* ---- graphs ---- */

static ir_value *sum_of(fixture *f, ir_graph *g, ir_value *x, ir_value *y)
{
    ir_value *v = ir_map2(g, EXPR_ADD, x, y, NULL, f->diag);
    assert_non_null(v);
    return v;
}

static dim times(int64_t factor, dim d)
{
    dim r;
    assert_true(dim_mul(dim_of(factor), d, &r));
    return r;
}

/* x [2N, 3] and y [N, M]; both symbols only appear here. */
static fixture *symbolic(int64_t rows, int64_t batch, int64_t width)
{
    fixture *f = fixture_new(1);
    dim n = dim_symbol_of(dim_declare(f->arena, &f->symbols, "N", 1, 8)), m = dim_symbol_of(dim_declare(f->arena, &f->symbols, "M", 1, 100));
    ir_value *x = ir_add_parameter(f->g, "x", (ir_type){.elem = ELEM_F32, .rank = 2, .dim = {times(2, n), dim_of(3)}});
    ir_value *y = ir_add_parameter(f->g, "y", (ir_type){.elem = ELEM_F32, .rank = 2, .dim = {n, m}});
    double *number = random_numbers(f, 1000);
    f->input[0] = tensor_of(f, ELEM_F32, ELEM_F32, SHAPE(rows, 3), number);
    f->input[1] = tensor_of(f, ELEM_F32, ELEM_F32, SHAPE(batch, width), number);
    ir_add_result(f->g, "a", sum_of(f, f->g, x, x));
    ir_add_result(f->g, "b", sum_of(f, f->g, y, y));
    return f;
}

static void symbols_bind(void **unused)
{
    (void)unused;
    for (int64_t n = 1; n <= 3; n++) {
        fixture *f = symbolic(2 * n, n, 5 + n);
        eval_tensor out[2];
        run(f, out);
        assert_int_equal(out[0].shape[0], 2 * n);
        assert_int_equal(out[1].shape[0], n);
        assert_int_equal(out[1].shape[1], 5 + n);
        for (int64_t i = 0; i < out[1].elements; i++)
            assert_true(eval_number(EVAL_TYPED, &out[1], i) == 2 * eval_number(EVAL_TYPED, &f->input[1], i));
        eval_free(&out[0]);
        eval_free(&out[1]);
        fixture_free(f);
    }
}

static void symbols_contradict(void **unused)
{
    (void)unused;
    static const struct { int64_t rows, batch; const char *told; } s[] = {
        {4, 3, "input 'y' axis 0"}, {3, 1, "input 'x' axis 0"}, {20, 10, "N is 10"},
    };
    for (int i = 0; i < COUNT(s); i++) {
        fixture *f = symbolic(s[i].rows, s[i].batch, 2);
        eval_tensor out[2];
        assert_int_equal(eval_run(f->g, f->mode, f->input, out, NULL, NULL, f->diag), STATUS_SHAPE);
        assert_non_null(strstr(diag_line(f->diag, 0), "E305"));
        assert_non_null(strstr(diag_line(f->diag, 0), s[i].told));
        assert_null(out[0].data);
        fixture_free(f);
    }
    fixture *f = symbolic(2, 1, 2);
    eval_tensor out[2];
    f->input[0].elem = ELEM_I32;
    assert_int_equal(eval_run(f->g, f->mode, f->input, out, NULL, NULL, f->diag), STATUS_TYPE);
    fixture_free(f);
}

/* A function x, w → x + w, x; called twice, its second result a parameter handed through. */
static ir_graph *function_of(fixture *f)
{
    ir_graph *g = ir_graph_new(f->arena, "block", &f->symbols);
    ir_type t = type_of(ELEM_F32, SHAPE(2));
    ir_value *x = ir_add_parameter(g, "x", t), *w = ir_add_parameter(g, "w", t);
    ir_add_result(g, "y", sum_of(f, g, x, w));
    ir_add_result(g, "same", x);
    ir_graph **function = arena_grow(f->arena, f->g->function, (size_t)f->g->functions, sizeof *function);
    f->g->function = function;
    function[f->g->functions++] = g;
    return g;
}

static void calls(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_graph *g = function_of(f);
        ir_value *x = operand(f, ELEM_F32, SHAPE(2), NUMBERS(1, 2)), *w = operand(f, ELEM_F32, SHAPE(2), NUMBERS(10, 20));
        ir_node *n = NULL;
        for (int i = 0; i < 2; i++) {
            n = ir_begin(f->g, IR_CALL);
            ir_input(n, x);
            ir_input(n, w);
            ir_set_function(n, g);
            x = add(n, f);
        }
        ir_add_result(f->g, "a", x);
        ir_add_result(f->g, "b", n->output[1]);
        ir_add_result(f->g, "c", w);
        ir_add_result(f->g, "d", x);
        eval_tensor out[4];
        run(f, out);
        const double *expected[4] = {NUMBERS(21, 42), NUMBERS(11, 22), NUMBERS(10, 20), NUMBERS(21, 42)};
        for (int i = 0; i < 4; i++) {
            check_tensor(f, &out[i], ELEM_F32, SHAPE(2), expected[i]);
            eval_free(&out[i]);
        }
        fixture_free(f);
    }
}

/* A constant behind a transposition and a sum, beside what does not belong to it. */
static void constants(void **unused)
{
    (void)unused;
    fixture *f = fixture_new(0);
    ir_value *w = constant(f, ELEM_BF16, SHAPE(2, 2), NUMBERS(1, 2, 3, 4)), *x = parameter(f, ELEM_BF16, SHAPE(2, 2), NUMBERS(0, 0, 0, 0));
    move m;
    ir_type to;
    assert_true(move_transpose(&w->type, (const int[]){1, 0}, &m, &to));
    ir_value *turned = ir_move_of(f->g, w, &m, &to, NULL, f->diag), *other = sum_of(f, f->g, x, w), *v = sum_of(f, f->g, turned, w);
    assert_non_null(other);
    assert_true(ir_is_constant(v));
    assert_false(ir_is_constant(other));
    eval_tensor out;
    assert_int_equal(eval_constant(v, &out, f->diag), STATUS_OK);
    check_tensor(f, &out, ELEM_BF16, SHAPE(2, 2), NUMBERS(2, 5, 5, 8));
    eval_free(&out);
    assert_int_equal(eval_constant(w, &out, f->diag), STATUS_OK);
    check_tensor(f, &out, ELEM_BF16, SHAPE(2, 2), NUMBERS(1, 2, 3, 4));
    eval_free(&out);
    assert_int_equal(eval_node(turned->def, &out, f->diag), STATUS_OK);
    check_tensor(f, &out, ELEM_BF16, SHAPE(2, 2), NUMBERS(1, 3, 2, 4));
    eval_free(&out);
    assert_int_equal(eval_node(v->def, &out, NULL), STATUS_VERIFY);      /* its inputs are not const nodes */
    assert_int_equal(eval_constant(other, &out, NULL), STATUS_VERIFY);
    assert_null(out.data);
    fixture_free(f);
}

/* Read in pieces of every size, a constant is what it is as a whole: a const, a map over constants, and what is neither. */
static void constants_in_pieces(void **unused)
{
    (void)unused;
    fixture *f = fixture_new(0);
    ir_value *w = constant(f, ELEM_F32, SHAPE(3, 2), NUMBERS(1, 2, 3, 4, 5, 6)), *row = constant(f, ELEM_F32, SHAPE(3, 1), NUMBERS(10, 20, 30));
    move m;
    ir_type to;
    assert_true(move_transpose(&w->type, (const int[]){1, 0}, &m, &to));
    ir_value *const values[] = {w, sum_of(f, f->g, w, row), ir_move_of(f->g, w, &m, &to, NULL, f->diag)};
    static const double wanted[3][6] = {{1, 2, 3, 4, 5, 6}, {11, 12, 23, 24, 35, 36}, {1, 3, 5, 2, 4, 6}};
    for (int k = 0; k < 3; k++) {
        eval_reader r;
        assert_int_equal(eval_reader_open(&r, values[k], NULL, f->diag), STATUS_OK);
        assert_int_equal(r.value.elements, 6);
        for (int64_t size = 1; size <= 6; size++)
            for (int64_t first = 0; first + size <= 6; first++) {
                float room[6];
                const void *from;
                assert_int_equal(eval_reader_read(&r, first, size, room, &from), STATUS_OK);
                memmove(room, from, (size_t)size * sizeof *room);      /* it may be unaligned where it lies */
                for (int64_t i = 0; i < size; i++) assert_true(room[i] == (float)wanted[k][first + i]);
            }
        eval_reader_close(&r);
    }
    eval_reader r;
    ir_value *x = parameter(f, ELEM_F32, SHAPE(2), NUMBERS(0, 0));
    assert_int_equal(eval_reader_open(&r, x, NULL, NULL), STATUS_VERIFY);
    eval_reader_close(&r);
    fixture_free(f);
}

/* A constant that is repeated N times has no value before N is known. */
static void constant_of_unknown_shape(void **unused)
{
    (void)unused;
    fixture *f = fixture_new(0);
    dim shape[2] = {dim_symbol_of(dim_declare(f->arena, &f->symbols, "N", 1, 8)), dim_of(2)};
    ir_value *w = constant(f, ELEM_F32, SHAPE(1, 2), NUMBERS(1, 2));
    move m;
    ir_type to;
    eval_tensor out;
    assert_true(move_expand(&w->type, shape, 2, &m, &to));
    ir_value *v = ir_move_of(f->g, w, &m, &to, NULL, f->diag);
    assert_non_null(v);
    assert_int_equal(eval_constant(v, &out, f->diag), STATUS_SHAPE_UNKNOWN);
    assert_null(out.data);
    fixture_free(f);
}

typedef struct seen { int nodes; double first[8]; } seen;

static void watch(void *context, const ir_node *n, const eval_tensor *outputs)
{
    seen *s = context;
    assert_true(s->nodes < 8);
    assert_int_equal(outputs[0].elem, n->output[0]->type.elem);
    s->first[s->nodes++] = eval_number(EVAL_DOUBLE, &outputs[0], 0);
}

/* Each node in order, constants too, in the mode's storage; what no result needs is not run. */
static void traces(void **unused)
{
    (void)unused;
    fixture *f = fixture_new(3);
    ir_value *x = parameter(f, ELEM_F32, SHAPE(1), NUMBERS(0.5)), *w = constant(f, ELEM_F32, SHAPE(1), NUMBERS(2));
    ir_value *a = sum_of(f, f->g, x, w), *dead = sum_of(f, f->g, w, w), *b = sum_of(f, f->g, a, w);
    assert_non_null(dead);
    ir_add_result(f->g, "y", b);
    eval_tensor out;
    seen s = {0};
    assert_int_equal(eval_run(f->g, f->mode, f->input, &out, watch, &s, f->diag), STATUS_OK);
    assert_int_equal(s.nodes, 3);
    assert_true(s.first[0] == 2 && s.first[1] == 2.5 && s.first[2] == 4.5);
    eval_free(&out);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_round_trips), cmocka_unit_test(half_rounds_to_even), cmocka_unit_test(half_known_values),
        cmocka_unit_test(symbols_bind), cmocka_unit_test(symbols_contradict), cmocka_unit_test(calls), cmocka_unit_test(constants),
        cmocka_unit_test(constants_in_pieces), cmocka_unit_test(constant_of_unknown_shape), cmocka_unit_test(traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
