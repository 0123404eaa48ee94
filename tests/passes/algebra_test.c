/* algebra: scales, norms and tables go into weights with equal results, and stay where a line of their requirements is not met. */
#include "algebra_test.h"

/* ---- norm ---- */

#define NORM_HEAD                                                                       \
    "symbols N 1..64\n"                                                                 \
    "graph t(%x: f32[N,5,8], %z: f32[N,5,6]) {\n"                                       \
    "  %g: f32[8] = const {bytes = noise 1 1}\n"                                        \
    "  %h: f32[8] = const {bytes = noise 2 1}\n"                                        \
    "  %w: f32[8,6] = const {bytes = noise 3 1}\n"                                      \
    "  %b: f32[6] = const {bytes = noise 4 1}\n"
#define NORM_LAYER "  %n: f32[N,5,8] = norm(%x, %g, %h) {kind = layer, axis = 2, epsilon = 1e-05}\n"

static int norm_inputs(const char *text)
{
    pass_test *t = run(text);
    int inputs = pass_test_find(t, IR_NORM)->inputs;
    pass_test_free(t);
    return inputs;
}

static void norm_into_linears(void **state)
{
    (void)state;
    pass_test *t = run(NORM_HEAD NORM_LAYER
                       "  %y: f32[N,5,6] = linear(%n, %w, %b)\n"
                       "  %v: f32[N,5,6] = linear(%n, %w)\n"
                       "  return \"y\" %y, \"v\" %v\n}\n");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 1);
    const ir_node *y = ir_producer(t->g->result[0].value, IR_LINEAR), *v = ir_producer(t->g->result[1].value, IR_LINEAR);
    assert_true(ir_is_const(y->input[2]) && ir_is_const(v->input[2]));
    pass_test *plain = run(NORM_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b)\n  %g2: f32[8] = map(%g) {expr = in0}\n"
            "  return \"y\" %y, \"g\" %g2\n}\n");
    const ir_value *gamma = plain->g->result[1].value, *w = ir_producer(plain->g->result[0].value, IR_LINEAR)->input[1];
    for (int k = 0; k < 8; k++)
        assert_near(number_at(y->input[1], k * 6 + 1), number_at(gamma, k) * number_at(w, k * 6 + 1), 1e-7);
    pass_test_free(plain);
    pass_test_free(t);
}

static void norm_into_mlp_through_rows(void **state)
{
    (void)state;
    pass_test *t = run("symbols N 1..64\n"
                       "graph t(%x: f32[N,5,8]) {\n"
                       "  %g: f32[8] = const {bytes = noise 1 1}\n"
                       "  %u: f32[8,16] = const {bytes = noise 2 1}\n"
                       "  %d: f32[16,8] = const {bytes = noise 3 1}\n"
                       "  %n: f32[N,5,8] = norm(%x, %g) {kind = rms, axis = 2, epsilon = 1e-05}\n"
                       "  %r: f32[N,8] = move(%n) {move = [N@0, 8@2] +[0, 3, 0]}\n"
                       "  %m: f32[N,8] = mlp(%r, %u, _, %d, _) {expr = gelu(in0)}\n"
                       "  %l: f32[N,5,16] = linear(%n, %u)\n"
                       "  return \"m\" %m, \"l\" %l\n}\n");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 1);
    assert_false(has_input(pass_test_find(t, IR_MLP), 2));
    pass_test_free(t);
}

static void norm_near_misses(void **state)
{
    (void)state;
    /* a result of the graph */
    assert_int_equal(norm_inputs(NORM_HEAD NORM_LAYER "  %y: f32[N,5,6] = linear(%n, %w, %b)\n  return \"y\" %y, \"n\" %n\n}\n"), 3);
    /* read by another operator */
    assert_int_equal(norm_inputs(NORM_HEAD NORM_LAYER "  %y: f32[N,5,6] = linear(%n, %w, %b)\n  %s: f32[N,5,8] = map(%n) {expr = neg(in0)}\n"
                                 "  return \"y\" %y, \"s\" %s\n}\n"), 3);
    /* read as x and as a residual */
    assert_int_equal(norm_inputs(NORM_HEAD "  %q: f32[8,8] = const {bytes = noise 5 1}\n" NORM_LAYER
                                 "  %y: f32[N,5,8] = linear(%n, %q, %h, %n) {epilogue = add(in0, in1)}\n  return \"y\" %y\n}\n"), 3);
    /* along another axis than the last alone */
    assert_int_equal(norm_inputs(NORM_HEAD "  %g2: f32[5,8] = const {bytes = noise 5 1}\n"
                                 "  %n: f32[N,5,8] = norm(%x, %g2) {kind = layer, axis = 1, epsilon = 1e-05}\n"
                                 "  %y: f32[N,5,6] = linear(%n, %w, %b)\n  return \"y\" %y\n}\n"), 2);
    /* a move that mixes features */
    assert_int_equal(norm_inputs(NORM_HEAD NORM_LAYER "  %m: f32[N,5,8] = move(%n) {move = [N@0, 5@1, 4@2, 2@2*4]}\n"
                                 "  %y: f32[N,5,6] = linear(%m, %w, %b)\n  return \"y\" %y\n}\n"), 3);
    /* weights that are no constant */
    assert_int_equal(norm_inputs("graph t(%x: f32[5,8], %w: f32[8,6]) {\n  %g: f32[8] = const {bytes = noise 1 1}\n"
                                 "  %n: f32[5,8] = norm(%x, %g) {kind = layer, axis = 1, epsilon = 1e-05}\n"
                                 "  %y: f32[5,6] = linear(%n, %w)\n  return \"y\" %y\n}\n"), 2);
    /* gamma that is no constant */
    assert_int_equal(norm_inputs("graph t(%x: f32[5,8], %g: f32[8]) {\n  %w: f32[8,6] = const {bytes = noise 1 1}\n"
                                 "  %n: f32[5,8] = norm(%x, %g) {kind = layer, axis = 1, epsilon = 1e-05}\n"
                                 "  %y: f32[5,6] = linear(%n, %w)\n  return \"y\" %y\n}\n"), 2);
}

/* ---- scale ---- */

#define SCALE_HEAD                                                                      \
    "symbols N 1..64\n"                                                                 \
    "graph t(%x: f32[N,5,8], %r: f32[N,5,6]) {\n"                                       \
    "  %w: f32[8,6] = const {bytes = noise 3 1}\n"                                      \
    "  %b: f32[6] = const {bytes = noise 4 1}\n"                                        \
    "  %s: f32[1,1,6] = const {bytes = noise 5 1}\n"

static void scale_in_epilogue(void **state)
{
    (void)state;
    pass_test *t = run(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s, %r) {epilogue = add(mul(in0, in1), in2)}\n  return \"y\" %y\n}\n");
    const ir_node *n = ir_producer(t->g->result[0].value, IR_LINEAR);
    assert_int_equal(n->inputs, 4);
    assert_string_equal(expr_text(t->arena, ir_expr(n, KEY_EPILOGUE)), "add(in0, in1)");
    assert_ptr_equal(n->input[3], t->g->parameter[1].value);
    pass_test_free(t);
}

static void scale_alone_leaves_no_epilogue(void **state)
{
    (void)state;
    pass_test *t = run(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, _, %s) {epilogue = div(in0, in1)}\n  return \"y\" %y\n}\n");
    const ir_node *n = ir_producer(t->g->result[0].value, IR_LINEAR);
    assert_int_equal(n->inputs, 2);
    assert_null(ir_find(n, KEY_EPILOGUE));
    pass_test_free(t);
}

static void scale_in_map_behind_mlp(void **state)
{
    (void)state;
    pass_test *t = run("symbols N 1..64\n"
                       "graph t(%x: f32[N,5,8]) {\n"
                       "  %u: f32[8,16] = const {bytes = noise 2 1}\n"
                       "  %c: f32[16] = const {bytes = noise 3 1}\n"
                       "  %d: f32[16,8] = const {bytes = noise 4 1}\n"
                       "  %b: f32[8] = const {bytes = noise 5 1}\n"
                       "  %m: f32[N,5,8] = mlp(%x, %u, %c, %d, %b) {expr = gelu(in0)}\n"
                       "  %s: f32[8] = const {bytes = noise 6 1}\n"
                       "  %l: f32[N,5,8] = map(%m, %s) {expr = mul(in0, in1)}\n"
                       "  %y: f32[N,5,8] = map(%l, %x) {expr = add(in0, in1)}\n"
                       "  return \"y\" %y\n}\n");
    assert_int_equal(pass_test_count(t, IR_MAP), 0);     /* the residual is an epilogue */
    const ir_node *n = ir_producer(t->g->result[0].value, IR_MLP);
    assert_non_null(n);
    assert_string_equal(expr_text(t->arena, ir_expr(n, KEY_EPILOGUE)), "add(in0, in1)");
    assert_true(ir_is_const(n->input[4]));
    pass_test_free(t);
}

static void scale_by_number(void **state)
{
    (void)state;
    pass_test *t = run(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b) {epilogue = gelu(mul(in0, 0.5))}\n  return \"y\" %y\n}\n");
    const ir_node *n = ir_producer(t->g->result[0].value, IR_LINEAR);
    assert_string_equal(expr_text(t->arena, ir_expr(n, KEY_EPILOGUE)), "gelu(in0)");
    pass_test_free(t);
}

static void scale_keeps(const char *text, const char *epilogue)
{
    pass_test *t = run(text);
    const ir_node *n = pass_test_find(t, IR_LINEAR);
    if (epilogue) assert_string_equal(expr_text(t->arena, ir_expr(n, KEY_EPILOGUE)), epilogue);
    assert_true(ir_is_const(n->input[1]));
    pass_test_free(t);
}

static void scale_near_misses(void **state)
{
    (void)state;
    /* the result stands twice */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s) {epilogue = add(mul(in0, in1), in0)}\n"
            "  return \"y\" %y\n}\n", "add(mul(in0, in1), in0)");
    /* something between */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s) {epilogue = mul(gelu(in0), in1)}\n"
            "  return \"y\" %y\n}\n", "mul(gelu(in0), in1)");
    /* the factor is no constant */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %r) {epilogue = mul(in0, in1)}\n  return \"y\" %y\n}\n", "mul(in0, in1)");
    /* a factor for each row */
    scale_keeps(SCALE_HEAD "  %f: f32[5,1] = const {bytes = noise 6 1}\n"
                "  %y: f32[N,5,6] = linear(%x, %w, %b, %f) {epilogue = mul(in0, in1)}\n  return \"y\" %y\n}\n", "mul(in0, in1)");
    /* divided by the result */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s) {epilogue = div(in1, in0)}\n  return \"y\" %y\n}\n", "div(in1, in0)");
    /* read elsewhere */
    scale_keeps(SCALE_HEAD "  %l: f32[N,5,6] = linear(%x, %w, %b)\n  %y: f32[N,5,6] = map(%l, %s) {expr = mul(in0, in1)}\n"
            "  return \"y\" %y, \"l\" %l\n}\n", NULL);
    /* weights that are no constant */
    pass_test *t = run("graph t(%x: f32[5,8], %w: f32[8,6]) {\n  %s: f32[6] = const {bytes = noise 1 1}\n"
                       "  %y: f32[5,6] = linear(%x, %w, _, %s) {epilogue = mul(in0, in1)}\n  return \"y\" %y\n}\n");
    assert_non_null(ir_find(pass_test_find(t, IR_LINEAR), KEY_EPILOGUE));
    pass_test_free(t);
}

/* ---- table ---- */

#define RETURN "  return \"y\" %y\n}\n"

#define TABLE_HEAD                                                                      \
    "symbols N 1..64\n"                                                                 \
    "graph t(%x: f32[N,4,8], %z: f32[N,1,6], %d: f32[1,5,6]) {\n"                       \
    "  %w: f32[8,6] = const {bytes = noise 1 1}\n"                                      \
    "  %b: f32[6] = const {bytes = noise 2 1}\n"                                        \
    "  %pos: f32[1,5,6] = const {bytes = noise 3 1}\n"                                  \
    "  %token: f32[1,1,6] = const {bytes = noise 4 1}\n"                                \
    "  %cls: f32[N,1,6] = move(%token) {move = [N@_, 6@2]}\n"
#define PATCHES "  %l: f32[N,4,6] = linear(%x, %w, %b)\n"
#define CONCAT "  %c: f32[N,5,6] = concat(%cls, %l) {axis = 1}\n"
#define ADD "  %y: f32[N,5,6] = map(%c, %pos) {expr = add(in0, in1)}\n"

static void table_into_patches(void **state)
{
    (void)state;
    pass_test *t = run(TABLE_HEAD PATCHES CONCAT ADD RETURN);
    const ir_node *concat = ir_producer(t->g->result[0].value, IR_CONCAT), *l = ir_producer(concat->input[1], IR_LINEAR);
    assert_non_null(ir_producer(concat->input[0], IR_MOVE));
    assert_int_equal(l->inputs, 4);
    assert_false(has_input(l, 2));
    assert_string_equal(expr_text(t->arena, ir_expr(l, KEY_EPILOGUE)), "add(in0, in1)");
    assert_int_equal(pass_test_count(t, IR_MAP), 0);     /* all small enough to fold */
    pass_test_free(t);
}

static void table_with_two_tokens_and_fixed_batch(void **state)
{
    (void)state;
    pass_test *t = run("graph t(%x: f32[2,3,8], %s: f32[2,3,6]) {\n  %w: f32[8,6] = const {bytes = noise 1 1}\n"
            "  %b: f32[6] = const {bytes = noise 2 1}\n"
                       "  %pos: f32[5,6] = const {bytes = noise 3 1}\n  %cls: f32[2,1,6] = const {bytes = noise 4 1}\n"
                       "  %dist: f32[2,1,6] = const {bytes = noise 5 1}\n  %l: f32[2,3,6] = linear(%x, %w, %b, %s) {epilogue = mul(in0, in1)}\n"
                       "  %c: f32[2,5,6] = concat(%cls, %dist, %l) {axis = 1}\n  %y: f32[2,5,6] = map(%pos, %c) {expr = add(in0, in1)}\n" RETURN);
    const ir_node *concat = ir_producer(t->g->result[0].value, IR_CONCAT), *l = ir_producer(concat->input[2], IR_LINEAR);
    assert_true(ir_is_const(concat->input[0]) && ir_is_const(concat->input[1]));
    assert_true(has_input(l, 2));
    assert_string_equal(expr_text(t->arena, ir_expr(l, KEY_EPILOGUE)), "add(mul(in0, in1), in2)");
    pass_test_free(t);
}

static void expect_no_table(const char *text)
{
    pass_test *t = run(text);
    assert_non_null(ir_producer(t->g->result[0].value, IR_MAP));
    pass_test_free(t);
}

static void table_near_misses(void **state)
{
    (void)state;
    /* not added */
    expect_no_table(TABLE_HEAD PATCHES CONCAT "  %y: f32[N,5,6] = map(%c, %pos) {expr = mul(in0, in1)}\n" RETURN);
    /* no constant */
    expect_no_table(TABLE_HEAD PATCHES CONCAT "  %y: f32[N,5,6] = map(%c, %d) {expr = add(in0, in1)}\n" RETURN);
    /* the concat is read elsewhere */
    expect_no_table(TABLE_HEAD PATCHES CONCAT ADD "  return \"y\" %y, \"c\" %c\n}\n");
    /* the patches are read elsewhere */
    expect_no_table(TABLE_HEAD PATCHES CONCAT ADD "  return \"y\" %y, \"l\" %l\n}\n");
    /* a part that is neither constant nor a linear */
    expect_no_table(TABLE_HEAD PATCHES "  %c: f32[N,5,6] = concat(%z, %l) {axis = 1}\n" ADD RETURN);
    /* one row for all */
    expect_no_table(TABLE_HEAD PATCHES CONCAT "  %y: f32[N,5,6] = map(%c, %token) {expr = add(in0, in1)}\n" RETURN);
    /* a concat of features */
    expect_no_table("graph t(%x: f32[4,8]) {\n  %w: f32[8,6] = const {bytes = noise 1 1}\n  %pos: f32[4,7] = const {bytes = noise 3 1}\n"
                    "  %k: f32[4,1] = const {bytes = noise 4 1}\n  %l: f32[4,6] = linear(%x, %w)\n  %c: f32[4,7] = concat(%k, %l) {axis = 1}\n"
                    "  %y: f32[4,7] = map(%c, %pos) {expr = add(in0, in1)}\n" RETURN);
    /* a table of its own for each image */
    expect_no_table("graph t(%x: f32[2,4,8]) {\n  %w: f32[8,6] = const {bytes = noise 1 1}\n  %pos: f32[2,5,6] = const {bytes = noise 3 1}\n"
                    "  %k: f32[2,1,6] = const {bytes = noise 4 1}\n  %l: f32[2,4,6] = linear(%x, %w)\n  %c: f32[2,5,6] = concat(%k, %l) {axis = 1}\n"
                    "  %y: f32[2,5,6] = map(%c, %pos) {expr = add(in0, in1)}\n" RETURN);
}

/* ---- convolutions ---- */

/* A frozen batch norm behind a convolution: its factors and terms are in the weights and the bias, and what follows is the epilogue. */
static void batch_norm_into_convolution(void **state)
{
    (void)state;
    static const struct { const char *also; int maps; } cases[] = { { "", 0 }, { ", \"c\" %c", 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena *a = arena_new();
        pass_test *t = run(arena_printf(a, "symbols N 1..64\ngraph t(%%x: f32[N,4,5,3], %%r: f32[N,4,5,6]) {\n"
                                           "  %%w: f32[27,6] = const {bytes = noise 1 1}\n  %%g: f32[6] = const {bytes = noise 2 1}\n"
                                           "  %%h: f32[1,1,1,6] = const {bytes = noise 3 1}\n"
                                           "  %%c: f32[N,4,5,6] = conv_last(%%x, %%w) {kernel = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1], group = 1}\n"
                                           "  %%m: f32[N,4,5,6] = map(%%c, %%g) {expr = mul(in0, in1)}\n  %%a: f32[N,4,5,6] = map(%%m, %%h) {expr = add(in0, in1)}\n"
                                           "  %%s: f32[N,4,5,6] = map(%%a, %%r) {expr = add(in0, in1)}\n  %%y: f32[N,4,5,6] = map(%%s) {expr = relu(in0)}\n"
                                           "  return \"y\" %%y%s\n}\n", cases[i].also));
        const ir_node *conv = pass_test_find(t, IR_CONV_LAST);
        assert_int_equal(pass_test_count(t, IR_MAP) > 0, cases[i].maps);
        assert_int_equal(has_input(conv, 2), !cases[i].maps);
        assert_int_equal(ir_find(conv, KEY_EPILOGUE) != NULL, !cases[i].maps);
        pass_test_free(t);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_into_linears),
        cmocka_unit_test(norm_into_mlp_through_rows),
        cmocka_unit_test(norm_near_misses),
        cmocka_unit_test(scale_in_epilogue),
        cmocka_unit_test(scale_alone_leaves_no_epilogue),
        cmocka_unit_test(scale_in_map_behind_mlp),
        cmocka_unit_test(scale_by_number),
        cmocka_unit_test(scale_near_misses),
        cmocka_unit_test(table_into_patches),
        cmocka_unit_test(table_with_two_tokens_and_fixed_batch),
        cmocka_unit_test(table_near_misses), cmocka_unit_test(batch_norm_into_convolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
