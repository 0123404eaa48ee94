/* algebra: each rewrite gives equal results, and stays away where a line of its requirements is not met. */
#include "pass_test.h"

/* New biases are rounded to f32 once. */
#define TOLERANCE 2e-5

static void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

static pass_test *run(const char *text)
{
    return pass_test_within(text, "algebra", TOLERANCE);
}

static bool has_input(const ir_node *n, int i)
{
    return i < n->inputs && n->input[i] != NULL;
}

static double number_at(const ir_value *v, int64_t i)
{
    eval_tensor x;
    assert_true(v && ir_is_constant(v));
    assert_int_equal(eval_constant(v, &x, NULL), STATUS_OK);
    assert_in_range(i, 0, x.elements - 1);
    double number = eval_number(EVAL_TYPED, &x, i);
    eval_free(&x);
    return number;
}

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
    pass_test *plain = run(NORM_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b)\n  %g2: f32[8] = map(%g) {expr = in0}\n  return \"y\" %y, \"g\" %g2\n}\n");
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
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s) {epilogue = add(mul(in0, in1), in0)}\n  return \"y\" %y\n}\n", "add(mul(in0, in1), in0)");
    /* something between */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s) {epilogue = mul(gelu(in0), in1)}\n  return \"y\" %y\n}\n", "mul(gelu(in0), in1)");
    /* the factor is no constant */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %r) {epilogue = mul(in0, in1)}\n  return \"y\" %y\n}\n", "mul(in0, in1)");
    /* a factor for each row */
    scale_keeps(SCALE_HEAD "  %f: f32[5,1] = const {bytes = noise 6 1}\n"
                "  %y: f32[N,5,6] = linear(%x, %w, %b, %f) {epilogue = mul(in0, in1)}\n  return \"y\" %y\n}\n", "mul(in0, in1)");
    /* divided by the result */
    scale_keeps(SCALE_HEAD "  %y: f32[N,5,6] = linear(%x, %w, %b, %s) {epilogue = div(in1, in0)}\n  return \"y\" %y\n}\n", "div(in1, in0)");
    /* read elsewhere */
    scale_keeps(SCALE_HEAD "  %l: f32[N,5,6] = linear(%x, %w, %b)\n  %y: f32[N,5,6] = map(%l, %s) {expr = mul(in0, in1)}\n  return \"y\" %y, \"l\" %l\n}\n", NULL);
    /* weights that are no constant */
    pass_test *t = run("graph t(%x: f32[5,8], %w: f32[8,6]) {\n  %s: f32[6] = const {bytes = noise 1 1}\n"
                       "  %y: f32[5,6] = linear(%x, %w, _, %s) {epilogue = mul(in0, in1)}\n  return \"y\" %y\n}\n");
    assert_non_null(ir_find(pass_test_find(t, IR_LINEAR), KEY_EPILOGUE));
    pass_test_free(t);
}

/* ---- attention ---- */

/* Two groups of keys for four heads of three. */
#define ATTENTION_HEAD                                                                  \
    "symbols N 1..64\n"                                                                 \
    "graph t(%x: f32[N,5,8], %e: f32[N,5,6], %p: f32[N,5,12], %mask: f32[5,5]) {\n"     \
    "  %wq: f32[8,12] = const {bytes = noise 1 1}\n"                                    \
    "  %wk: f32[8,6] = const {bytes = noise 2 1}\n"                                     \
    "  %wv: f32[8,6] = const {bytes = noise 3 1}\n"                                     \
    "  %wo: f32[12,8] = const {bytes = noise 4 1}\n"                                    \
    "  %bq: f32[12] = const {bytes = noise 5 1}\n"                                      \
    "  %bk: f32[6] = const {bytes = noise 6 1}\n"                                       \
    "  %bv: f32[6] = const {bytes = noise 7 1}\n"                                       \
    "  %bo: f32[8] = const {bytes = noise 8 1}\n"                                       \
    "  %lq: f32[N,5,12] = linear(%x, %wq, %bq)\n"                                       \
    "  %q: f32[N,5,4,3] = move(%lq) {move = [N@0, 5@1, 12@2]}\n"
#define KEYS "  %lk: f32[N,5,6] = linear(%x, %wk, %bk)\n  %k: f32[N,5,2,3] = move(%lk) {move = [N@0, 5@1, 6@2]}\n"
#define VALUES "  %lv: f32[N,5,6] = linear(%x, %wv, %bv)\n  %v: f32[N,5,2,3] = move(%lv) {move = [N@0, 5@1, 6@2]}\n"
#define ATTENTION "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5}\n"
#define JOIN "  %j: f32[N,5,12] = move(%a) {move = [N@0, 5@1, 4@2, 3@3]}\n"
#define PROJECT "  %y: f32[N,5,8] = linear(%j, %wo, %bo)\n"
#define RETURN "  return \"y\" %y\n}\n"

/* Whether the linear behind input i of the attention kept its bias. */
static bool keeps_bias(const pass_test *t, int i)
{
    const ir_node *deal = ir_producer(pass_test_find(t, IR_ATTENTION)->input[i], IR_MOVE);
    assert_non_null(deal);
    return has_input(ir_producer(deal->input[0], IR_LINEAR), 2);
}

static void expect_biases(const char *text, bool key, bool value)
{
    pass_test *t = run(text);
    assert_true(keeps_bias(t, 0));
    assert_int_equal(keeps_bias(t, 1), key);
    assert_int_equal(keeps_bias(t, 2), value);
    pass_test_free(t);
}

static void biases_of_keys_and_values_go(void **state)
{
    (void)state;
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT RETURN, false, false);
    /* the projection has no bias yet, and an epilogue */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN "  %y: f32[N,5,8] = linear(%j, %wo, _, %x) {epilogue = add(in0, in1)}\n" RETURN, false, false);
    /* any mask, where an empty row is NaN */
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %mask) {scale = 0.5}\n" JOIN PROJECT RETURN, false, false);
    /* a row of which one key is masked, and causal: none is empty */
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %c: f32[5] = const {bytes = [0, -inf, 1, 2, -1]}\n"
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %c) {scale = 0.5, empty = zero}\n" JOIN PROJECT RETURN, false, false);
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5, causal = 1, empty = zero}\n" JOIN PROJECT RETURN, false, false);
    /* keys transposed */
    expect_biases(ATTENTION_HEAD "  %lk: f32[N,5,6] = linear(%x, %wk, %bk)\n  %k: f32[N,2,3,5] = move(%lk) {move = [N@0, 6@2, 5@1]}\n" VALUES
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5, transposed = 1}\n" JOIN PROJECT RETURN, false, false);
}

static void value_bias_by_head(void **state)
{
    (void)state;
    pass_test *t = run(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT RETURN);
    pass_test *plain = run(ATTENTION_HEAD "  %y: f32[N,5,8] = linear(%p, %wo, %bo)\n  %z: f32[N,5,6] = linear(%x, %wv, %bv)\n  return \"y\" %y, \"z\" %z\n}\n");
    const ir_node *y = ir_producer(t->g->result[0].value, IR_LINEAR);
    const ir_node *out = ir_producer(plain->g->result[0].value, IR_LINEAR), *v = ir_producer(plain->g->result[1].value, IR_LINEAR);
    double expected = number_at(out->input[2], 2);
    for (int h = 0; h < 4; h++)
        for (int e = 0; e < 3; e++) expected += number_at(v->input[2], h / 2 * 3 + e) * number_at(out->input[1], (h * 3 + e) * 8 + 2);
    assert_near(number_at(y->input[2], 2), expected, 1e-5);
    pass_test_free(plain);
    pass_test_free(t);
}

static void key_near_misses(void **state)
{
    (void)state;
    /* the keys' linear, or their move, is read elsewhere */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"k\" %lk\n}\n", true, false);
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"k\" %k\n}\n", true, false);
    /* an epilogue */
    expect_biases(ATTENTION_HEAD "  %lk: f32[N,5,6] = linear(%x, %wk, %bk) {epilogue = tanh(in0)}\n  %k: f32[N,5,2,3] = move(%lk) {move = [N@0, 5@1, 6@2]}\n"
                  VALUES ATTENTION JOIN PROJECT RETURN, true, false);
    /* keys are the values too */
    expect_biases(ATTENTION_HEAD KEYS "  %a: f32[N,5,4,3] = attention(%q, %k, %k) {scale = 0.5}\n" JOIN PROJECT RETURN, true, true);
    /* a move by which tokens become features: N is 2 */
    pass_test *t = run("graph t(%x: f32[1,4,6], %q: f32[1,6,1,4]) {\n  %w: f32[6,6] = const {bytes = noise 1 1}\n  %b: f32[6] = const {bytes = noise 2 1}\n"
                       "  %l: f32[1,4,6] = linear(%x, %w, %b)\n  %k: f32[1,6,1,4] = move(%l) {move = [6@2, 4@1]}\n"
                       "  %a: f32[1,6,1,4] = attention(%q, %k, %q) {scale = 1}\n  return \"a\" %a\n}\n");
    assert_true(keeps_bias(t, 1));
    pass_test_free(t);
}

static void value_near_misses(void **state)
{
    (void)state;
    /* the values are read elsewhere */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"v\" %lv\n}\n", false, true);
    /* an epilogue */
    expect_biases(ATTENTION_HEAD KEYS "  %lv: f32[N,5,6] = linear(%x, %wv, %bv, %e) {epilogue = mul(in0, in1)}\n"
                  "  %v: f32[N,5,2,3] = move(%lv) {move = [N@0, 5@1, 6@2]}\n" ATTENTION JOIN PROJECT RETURN, false, true);
    /* no linear follows */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION "  %j: f32[N,5,12] = move(%a) {move = [N@0, 5@1, 4@2, 3@3]}\n  return \"j\" %j\n}\n", false, true);
    /* the attention's result is read elsewhere */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"a\" %a\n}\n", false, true);
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"j\" %j\n}\n", false, true);
    /* the heads are not side by side */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION "  %j: f32[N,5,12] = move(%a) {move = [N@0, 5@1, 3@3, 4@2]}\n" PROJECT RETURN, false, true);
    /* a row may be empty and then is zero: a mask not known, one with an empty row, fewer keys than causal queries */
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %mask) {scale = 0.5, empty = zero}\n" JOIN PROJECT RETURN, false, true);
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %c: f32[5,1] = const {bytes = [0, 0, -inf, 0, 0]}\n"
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %c) {scale = 0.5, empty = zero}\n" JOIN PROJECT RETURN, false, true);
    expect_biases(ATTENTION_HEAD "  %s: f32[N,3,8] = move(%x) {move = [N@0, 3@1, 8@2]}\n"
                  "  %lk: f32[N,3,6] = linear(%s, %wk, %bk)\n  %k: f32[N,3,2,3] = move(%lk) {move = [N@0, 3@1, 6@2]}\n"
                  "  %lv: f32[N,3,6] = linear(%s, %wv, %bv)\n  %v: f32[N,3,2,3] = move(%lv) {move = [N@0, 3@1, 6@2]}\n"
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5, causal = 1, empty = zero}\n" JOIN PROJECT RETURN, false, true);
}

/* ---- table ---- */

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
    pass_test *t = run("graph t(%x: f32[2,3,8], %s: f32[2,3,6]) {\n  %w: f32[8,6] = const {bytes = noise 1 1}\n  %b: f32[6] = const {bytes = noise 2 1}\n"
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
        cmocka_unit_test(biases_of_keys_and_values_go),
        cmocka_unit_test(value_bias_by_head),
        cmocka_unit_test(key_near_misses),
        cmocka_unit_test(value_near_misses),
        cmocka_unit_test(table_into_patches),
        cmocka_unit_test(table_with_two_tokens_and_fixed_batch),
        cmocka_unit_test(table_near_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
