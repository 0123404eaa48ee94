/* move, pad, concat, gather, resample, pick, scatter, norm, softmax and reduce on hand-computed values. */
#include "eval_fixture.h"

static const elem all[] = {ELEM_F32, ELEM_F64, ELEM_F16, ELEM_BF16, ELEM_I8, ELEM_I16, ELEM_I32, ELEM_I64, ELEM_U8, ELEM_U16, ELEM_U32, ELEM_U64};

static ir_value *iota(fixture *f, elem e, int rank, const int64_t *shape)
{
    int64_t n = elements_of(rank, shape);
    double *x = arena_array(f->arena, (size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (double)i;
    return operand(f, e, rank, shape, x);
}

static ir_value *moved(fixture *f, ir_value *x, const move *m, const ir_type *to)
{
    ir_value *v = ir_move_of(f->g, x, m, to, NULL, f->diag);
    if (!v) diag_print(f->diag, stderr);
    assert_non_null(v);
    return v;
}

static void move_transpose_all_types(void **unused)
{
    (void)unused;
    for (int i = 0; i < COUNT(all); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            fixture *f = fixture_new(variant);
            ir_value *x = iota(f, all[i], SHAPE(2, 3, 2));
            move m;
            ir_type to;
            assert_true(move_transpose(&x->type, (const int[]){2, 0, 1}, &m, &to));
            expect(f, moved(f, x, &m, &to), all[i], SHAPE(2, 2, 3), NUMBERS(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
        }
    }
}

static void move_kinds(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        move m;
        ir_type to;
        fixture *f = fixture_new(variant);
        ir_value *x = iota(f, ELEM_F32, SHAPE(2, 5));
        assert_true(move_slice(&x->type, 1, 4, -2, dim_of(3), &m, &to));
        expect(f, moved(f, x, &m, &to), ELEM_F32, SHAPE(2, 3), NUMBERS(4, 2, 0, 9, 7, 5));
        f = fixture_new(variant);
        x = iota(f, ELEM_F32, SHAPE(2, 5));
        assert_true(move_roll(&x->type, 1, 2, &m, &to));
        expect(f, moved(f, x, &m, &to), ELEM_F32, SHAPE(2, 5), NUMBERS(2, 3, 4, 0, 1, 7, 8, 9, 5, 6));
        f = fixture_new(variant);
        x = iota(f, ELEM_F32, SHAPE(2, 1));
        assert_true(move_expand(&x->type, (const dim[]){dim_of(2), dim_of(2), dim_of(3)}, 3, &m, &to));
        expect(f, moved(f, x, &m, &to), ELEM_F32, SHAPE(2, 2, 3), NUMBERS(0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1));
        f = fixture_new(variant);
        x = iota(f, ELEM_F32, SHAPE(2, 3));
        assert_true(move_reshape(&x->type, (const dim[]){dim_of(3), dim_of(2)}, 2, &m, &to));
        expect(f, moved(f, x, &m, &to), ELEM_F32, SHAPE(3, 2), NUMBERS(0, 1, 2, 3, 4, 5));
        f = fixture_new(variant);
        x = operand(f, ELEM_F32, SHAPE(1, 1), NUMBERS(7));
        assert_true(move_reshape(&x->type, NULL, 0, &m, &to));
        expect(f, moved(f, x, &m, &to), ELEM_F32, SCALAR, NUMBERS(7));
    }
}

/* Windows of 2x2 of a rolled 4x4 image: several digits an axis and a wrap. */
static void move_composed(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_value *x = iota(f, ELEM_I32, SHAPE(4, 4));
        move roll, split, turn, both;
        ir_type rolled, parts, to;
        assert_true(move_roll(&x->type, 0, 1, &roll, &rolled));
        assert_true(move_reshape(&rolled, (const dim[]){dim_of(2), dim_of(2), dim_of(2), dim_of(2)}, 4, &split, &parts));
        assert_true(move_transpose(&parts, (const int[]){0, 2, 1, 3}, &turn, &to));
        assert_true(move_compose(&rolled, &split, &parts, &turn, &both));
        assert_true(move_compose(&x->type, &roll, &rolled, &both, &both));
        expect(f, moved(f, x, &both, &to), ELEM_I32, SHAPE(2, 2, 2, 2), NUMBERS(4, 5, 8, 9, 6, 7, 10, 11, 12, 13, 0, 1, 14, 15, 2, 3));
    }
}

static void pad(void **unused)
{
    (void)unused;
    for (int i = 0; i < COUNT(all); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            fixture *f = fixture_new(variant);
            ir_node *n = ir_begin(f->g, IR_PAD);
            ir_input(n, operand(f, all[i], SHAPE(2, 2), NUMBERS(1, 2, 3, 4)));
            ir_input(n, operand(f, all[i], SCALAR, NUMBERS(9)));
            ir_set_ints(n, KEY_PADS, (const int64_t[]){1, 0, 0, 2}, 4);
            expect(f, add(n, f), all[i], SHAPE(3, 4), NUMBERS(9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9));
        }
    }
    fixture *f = fixture_new(0);
    ir_node *n = ir_begin(f->g, IR_PAD);
    ir_input(n, operand(f, ELEM_BOOL, SHAPE(1), NUMBERS(1)));
    ir_set_ints(n, KEY_PADS, (const int64_t[]){1, 1}, 2);
    expect(f, add(n, f), ELEM_BOOL, SHAPE(3), NUMBERS(0, 1, 0));
}

/* A constant beside a parameter: in double mode they are stored differently. */
static void concat(void **unused)
{
    (void)unused;
    for (int i = 0; i < COUNT(all); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            fixture *f = fixture_new(variant);
            ir_node *n = ir_begin(f->g, IR_CONCAT);
            ir_input(n, parameter(f, all[i], SHAPE(2, 1, 2), NUMBERS(1, 2, 3, 4)));
            ir_input(n, constant(f, all[i], SHAPE(2, 2, 2), NUMBERS(5, 6, 7, 8, 9, 10, 11, 12)));
            ir_set_int(n, KEY_AXIS, 1);
            expect(f, add(n, f), all[i], SHAPE(2, 3, 2), NUMBERS(1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12));
        }
    }
}

static ir_node *gather_node(fixture *f, int64_t axis, elem indices, const double *index)
{
    ir_node *n = ir_begin(f->g, IR_GATHER);
    ir_input(n, iota(f, ELEM_F32, SHAPE(2, 3, 2)));
    ir_input(n, operand(f, indices, SHAPE(2, 1), index));
    ir_set_int(n, KEY_AXIS, axis);
    return n;
}

static void gather(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        expect(f, add(gather_node(f, 1, ELEM_I64, NUMBERS(-1, 0)), f), ELEM_F32, SHAPE(2, 2, 1, 2), NUMBERS(4, 5, 0, 1, 10, 11, 6, 7));
        f = fixture_new(variant);
        expect(f, add(gather_node(f, 2, ELEM_I32, NUMBERS(1, 1)), f), ELEM_F32, SHAPE(2, 3, 2, 1), NUMBERS(1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11));
        f = fixture_new(variant);
        eval_tensor out;
        ir_add_result(f->g, "y", add(gather_node(f, 1, ELEM_I64, NUMBERS(3, 0)), f));
        assert_int_equal(eval_run(f->g, f->mode, f->input, &out, NULL, NULL, f->diag), STATUS_SHAPE);
        assert_null(out.data);
        assert_non_null(strstr(diag_line(f->diag, 0), "index 3"));
        fixture_free(f);
    }
}

static ir_node *resample_node(fixture *f, int64_t axis, const double *index)
{
    ir_node *n = ir_begin(f->g, IR_RESAMPLE);
    ir_input(n, iota(f, ELEM_F32, SHAPE(2, 3, 2)));
    ir_input(n, operand(f, ELEM_I64, SHAPE(2, 2), index));
    ir_input(n, operand(f, ELEM_F32, SHAPE(2, 2), NUMBERS(1, 0.5, 2, -1)));
    ir_set_int(n, KEY_AXIS, axis);
    ir_set_name(n, KEY_KIND, "sum");
    return n;
}

static ir_node *pool_node(fixture *f)
{
    ir_node *n = ir_begin(f->g, IR_RESAMPLE);
    ir_input(n, operand(f, ELEM_F32, SHAPE(2, 3), NUMBERS(1, 5, 2, -1, -5, NAN)));
    ir_input(n, operand(f, ELEM_I64, SHAPE(2, 2), NUMBERS(0, 1, 1, 2)));
    ir_set_int(n, KEY_AXIS, 1);
    ir_set_name(n, KEY_KIND, "max");
    return n;
}

static void resample(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        expect(f, add(resample_node(f, 1, NUMBERS(0, 2, 1, 1)), f), ELEM_F32, SHAPE(2, 2, 2), NUMBERS(2, 3.5, 2, 3, 11, 12.5, 8, 9));
        f = fixture_new(variant);
        expect(f, add(resample_node(f, 2, NUMBERS(0, 1, 1, 0)), f), ELEM_F32, SHAPE(2, 3, 2), NUMBERS(0.5, 2, 3.5, 4, 6.5, 6, 9.5, 8, 12.5, 10, 15.5, 12));
        f = fixture_new(variant);
        expect(f, add(pool_node(f), f), ELEM_F32, SHAPE(2, 2), NUMBERS(5, 5, -1, NAN));
        f = fixture_new(variant);
        eval_tensor out;
        ir_add_result(f->g, "y", add(resample_node(f, 1, NUMBERS(0, 1, 2, 3)), f));
        assert_int_equal(eval_run(f->g, f->mode, f->input, &out, NULL, NULL, f->diag), STATUS_SHAPE);
        assert_non_null(strstr(diag_line(f->diag, 0), "index 3"));
        fixture_free(f);
    }
}

/* ---- pick, scatter ---- */

static void pick(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_node *n = ir_begin(f->g, IR_PICK);
        ir_input(n, iota(f, ELEM_F32, SHAPE(2, 3, 2)));
        ir_input(n, operand(f, ELEM_I32, SHAPE(2, 2), NUMBERS(-1, 0, 1, 1)));
        expect(f, add(n, f), ELEM_F32, SHAPE(2, 2, 2), NUMBERS(4, 5, 0, 1, 8, 9, 8, 9));
    }
}

/* Two updates of one place, one of a place that is not there. */
static void scatter(void **unused)
{
    static const struct { const char *kind; double first, second; } kinds[] = {
        {"none", 7, -1}, {"add", 8, 4}, {"mul", 0, -10}, {"max", 7, 5}, {"min", 0, -1},
    };
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            for (int i = 0; i < 2; i++) {
                const elem e = i ? ELEM_F32 : ELEM_I64;
                fixture *f = fixture_new(variant);
                ir_node *n = ir_begin(f->g, IR_SCATTER);
                ir_input(n, iota(f, e, SHAPE(2, 3)));
                ir_input(n, operand(f, ELEM_I64, SHAPE(2, 3), NUMBERS(0, 0, 3, 2, -1, 2)));
                ir_input(n, operand(f, e, SHAPE(2, 3), NUMBERS(1, 7, 9, 2, 9, -1)));
                ir_set_name(n, KEY_KIND, kinds[k].kind);
                const double last = k == 1 ? 6 : kinds[k].second;
                expect(f, add(n, f), e, SHAPE(2, 3), NUMBERS(kinds[k].first, 1, 2, 3, 4, last));
            }
        }
    }
}

/* ---- norm, softmax, reduce ---- */

static ir_value *norm_of(fixture *f, elem e, const char *kind, const double *x, const double *gamma, const double *beta)
{
    ir_node *n = ir_begin(f->g, IR_NORM);
    ir_input(n, operand(f, e, SHAPE(2, 4), x));
    if (gamma || beta) ir_input(n, gamma ? operand(f, e, SHAPE(4), gamma) : NULL);
    if (beta) ir_input(n, operand(f, e, SHAPE(4), beta));
    ir_set_name(n, KEY_KIND, kind);
    ir_set_int(n, KEY_AXIS, 1);
    ir_set_number(n, KEY_EPSILON, 0.25);
    return add(n, f);
}

static void norm(void **unused)
{
    (void)unused;
    const double x[8] = {1, 2, 3, 4, -1, -1, -1, (double)NAN}, gamma[4] = {1, 2, 0.5, -1}, beta[4] = {0, 1, -1, 2}, nan_ = (double)NAN;
    double s = sqrt(1.25 + 0.25), r = sqrt(7.5 + 0.25);
    for (int variant = 0; variant < VARIANTS; variant++) {
        for (int i = 0; i < 4; i++) {
            fixture *f = fixture_new(variant);
            expect(f, norm_of(f, all[i], "layer", x, gamma, beta), all[i], SHAPE(2, 4),
                   NUMBERS(-1.5 / s, -0.5 / s * 2 + 1, 0.5 / s * 0.5 - 1, -1.5 / s + 2, nan_, nan_, nan_, nan_));
            f = fixture_new(variant);
            expect(f, norm_of(f, all[i], "rms", x, gamma, NULL), all[i], SHAPE(2, 4), NUMBERS(1 / r, 4 / r, 1.5 / r, -4 / r, nan_, nan_, nan_, nan_));
        }
        fixture *f = fixture_new(variant);
        expect(f, norm_of(f, ELEM_F32, "layer", x, NULL, NULL), ELEM_F32, SHAPE(2, 4),
               NUMBERS(-1.5 / s, -0.5 / s, 0.5 / s, 1.5 / s, nan_, nan_, nan_, nan_));
    }
}

/* Over the last two axes. */
static void norm_two_axes(void **unused)
{
    (void)unused;
    double s = sqrt(1.25 + 0.25);
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_node *n = ir_begin(f->g, IR_NORM);
        ir_input(n, operand(f, ELEM_F32, SHAPE(2, 2, 2), NUMBERS(1, 2, 3, 4, 5, 5, 5, 5)));
        ir_input(n, operand(f, ELEM_F32, SHAPE(2, 2), NUMBERS(2, 2, 4, 2)));
        ir_input(n, operand(f, ELEM_F32, SHAPE(2, 2), NUMBERS(0, 10, 0, 10)));
        ir_set_name(n, KEY_KIND, "layer");
        ir_set_int(n, KEY_AXIS, 1);
        ir_set_number(n, KEY_EPSILON, 0.25);
        expect(f, add(n, f), ELEM_F32, SHAPE(2, 2, 2), NUMBERS(-3 / s, -1 / s + 10, 2 / s, 3 / s + 10, 0, 10, 0, 10));
    }
}

/* Two images of two runs of two places, two channels; joined as one group and as two. */
static void moments(void **unused)
{
    (void)unused;
    const double x[16] = {1, 10, 3, 10, 5, 20, 5, 40, 0, 1, 0, 1, 0, (double)NAN, 0, 1};
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        ir_node *n = ir_begin(f->g, IR_MOMENTS);
        ir_input(n, operand(f, ELEM_F32, SHAPE(2, 2, 2, 2), x));
        ir_set_int(n, KEY_COUNT, 2);
        expect(f, add(n, f), ELEM_F32, SHAPE(2, 2, 2, 2), NUMBERS(2, 10, 1, 0, 5, 30, 0, 100, 0, 1, 0, 0, 0, (double)NAN, 0, (double)NAN));
    }
}

static ir_value *joined(fixture *f, int groups, const double *gamma)
{
    ir_node *n = ir_begin(f->g, IR_JOIN_MOMENTS);
    ir_input(n, operand(f, ELEM_F32, SHAPE(1, 2, 2, 2), NUMBERS(2, 10, 1, 0, 4, 20, 2, 8)));
    if (gamma) ir_input(n, operand(f, ELEM_F32, SHAPE(2), gamma));
    ir_set_number(n, KEY_EPSILON, 0.25);
    ir_set_int(n, KEY_GROUP, groups);
    return add(n, f);
}

static void join_moments(void **unused)
{
    (void)unused;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        expect(f, joined(f, 2, NUMBERS(3, -1)), ELEM_F32, SHAPE(1, 2, 1, 2), NUMBERS(3, 15, 3 / sqrt(2.5 + 0.25), -1 / sqrt(29.25)));
        f = fixture_new(variant);
        const double s = 1 / sqrt(2.75 + (49 + 25 + 1 + 121) / 4.0 + 0.25);
        expect(f, joined(f, 1, NULL), ELEM_F32, SHAPE(1, 2, 1, 2), NUMBERS(9, 9, s, s));
    }
}

static ir_value *softmax_of(fixture *f, elem e, int64_t axis, int rank, const int64_t *shape, const double *x)
{
    ir_node *n = ir_begin(f->g, IR_SOFTMAX);
    ir_input(n, operand(f, e, rank, shape, x));
    ir_set_int(n, KEY_AXIS, axis);
    return add(n, f);
}

static void softmax(void **unused)
{
    (void)unused;
    const double inf = (double)INFINITY, nan_ = (double)NAN, e1 = exp(1), e2 = exp(2);
    for (int variant = 0; variant < VARIANTS; variant++) {
        for (int i = 0; i < 4; i++) {
            fixture *f = fixture_new(variant);
            expect(f, softmax_of(f, all[i], 1, SHAPE(2, 3), NUMBERS(200, 201, 202, 0, -inf, 0)), all[i], SHAPE(2, 3),
                   NUMBERS(1 / (1 + e1 + e2), e1 / (1 + e1 + e2), e2 / (1 + e1 + e2), 0.5, 0, 0.5));
        }
        fixture *f = fixture_new(variant);
        expect(f, softmax_of(f, ELEM_F32, 0, SHAPE(2), NUMBERS(-3000, -3001)), ELEM_F32, SHAPE(2), NUMBERS(e1 / (1 + e1), 1 / (1 + e1)));
        f = fixture_new(variant);
        expect(f, softmax_of(f, ELEM_F32, 0, SHAPE(2, 3), NUMBERS(0, -inf, nan_, 1, -inf, 0)), ELEM_F32, SHAPE(2, 3),
               NUMBERS(1 / (1 + e1), nan_, nan_, e1 / (1 + e1), nan_, nan_));
    }
}

static ir_value *reduce_of(fixture *f, elem e, const char *kind, int axes, const int64_t *axis, bool keep, int rank, const int64_t *shape,
                           const double *x)
{
    ir_node *n = ir_begin(f->g, IR_REDUCE);
    ir_input(n, operand(f, e, rank, shape, x));
    ir_set_name(n, KEY_KIND, kind);
    ir_set_ints(n, KEY_AXES, axis, axes);
    ir_set_int(n, KEY_KEEP, keep);
    return add(n, f);
}

static void reduce_kinds(void **unused)
{
    (void)unused;
    const struct { const char *kind; double expected[2]; } s[] = {
        {"sum", {6, -3}}, {"mean", {2, -1}}, {"max", {3, 1}}, {"min", {1, -4}}, {"prod", {6, 0}},
        {"sumsq", {14, 17}}, {"l1", {6, 5}}, {"l2", {sqrt(14), sqrt(17)}},
    };
    const double x[6] = {1, 2, 3, -4, 0, 1};
    for (int i = 0; i < COUNT(s); i++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            for (int t = 0; t < 4; t++) {
                fixture *f = fixture_new(variant);
                expect(f, reduce_of(f, all[t], s[i].kind, SHAPE(1), false, SHAPE(2, 3), x), all[t], SHAPE(2), s[i].expected);
            }
            fixture *f = fixture_new(variant);
            double whole[2] = {floor(s[i].expected[0]), floor(s[i].expected[1])};
            expect(f, reduce_of(f, ELEM_I32, s[i].kind, SHAPE(1), true, SHAPE(2, 3), x), ELEM_I32, SHAPE(2, 1), whole);
        }
    }
}

static void reduce_axes(void **unused)
{
    (void)unused;
    double x[24];
    for (int i = 0; i < 24; i++) x[i] = i;
    for (int variant = 0; variant < VARIANTS; variant++) {
        fixture *f = fixture_new(variant);
        expect(f, reduce_of(f, ELEM_F32, "sum", SHAPE(0, 2), false, SHAPE(2, 3, 4), x), ELEM_F32, SHAPE(3), NUMBERS(60, 92, 124));
        f = fixture_new(variant);
        expect(f, reduce_of(f, ELEM_F32, "max", SHAPE(1), true, SHAPE(2, 3, 4), x), ELEM_F32, SHAPE(2, 1, 4), NUMBERS(8, 9, 10, 11, 20, 21, 22, 23));
        f = fixture_new(variant);
        expect(f, reduce_of(f, ELEM_F32, "mean", SHAPE(0, 1, 2), false, SHAPE(2, 3, 4), x), ELEM_F32, SCALAR, NUMBERS(11.5));
        f = fixture_new(variant);
        expect(f, reduce_of(f, ELEM_F32, "max", SHAPE(0), false, SHAPE(3), NUMBERS(1, (double)NAN, 2)), ELEM_F32, SCALAR, NUMBERS((double)NAN));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(move_transpose_all_types), cmocka_unit_test(move_kinds), cmocka_unit_test(move_composed), cmocka_unit_test(pad),
        cmocka_unit_test(concat), cmocka_unit_test(gather), cmocka_unit_test(resample), cmocka_unit_test(pick), cmocka_unit_test(scatter),
        cmocka_unit_test(norm), cmocka_unit_test(norm_two_axes), cmocka_unit_test(moments), cmocka_unit_test(join_moments), cmocka_unit_test(softmax),
        cmocka_unit_test(reduce_kinds), cmocka_unit_test(reduce_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
