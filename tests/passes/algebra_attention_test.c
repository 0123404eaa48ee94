/* algebra: biases of keys and values go with equal results, and stay where a line of their requirements is not met. */
#include "algebra_test.h"

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
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN "  %y: f32[N,5,8] = linear(%j, %wo, _, %x) {epilogue = add(in0, in1)}\n" RETURN, false,
                  false);
    /* any mask, where an empty row is NaN */
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %mask) {scale = 0.5}\n" JOIN PROJECT RETURN, false, false);
    /* a row of which one key is masked, and causal: none is empty */
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %c: f32[5] = const {bytes = [0, -inf, 1, 2, -1]}\n"
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %c) {scale = 0.5, empty = zero}\n" JOIN PROJECT RETURN, false, false);
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5, causal = 1, empty = zero}\n" JOIN PROJECT
                  RETURN, false, false);
    /* keys transposed */
    expect_biases(ATTENTION_HEAD "  %lk: f32[N,5,6] = linear(%x, %wk, %bk)\n  %k: f32[N,2,3,5] = move(%lk) {move = [N@0, 6@2, 5@1]}\n" VALUES
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5, transposed = 1}\n" JOIN PROJECT RETURN, false, false);
}

static void one_head_needs_no_move(void **state)
{
    (void)state;
    expect_biases("symbols N 1..64\ngraph t(%x: f32[N,5,8]) {\n"
                  "  %wq: f32[8,6] = const {bytes = noise 1 1}\n"
                  "  %wo: f32[6,8] = const {bytes = noise 2 1}\n"
                  "  %b: f32[6] = const {bytes = noise 3 1}\n"
                  "  %lq: f32[N,5,6] = linear(%x, %wq, %b)\n  %q: f32[N,5,1,6] = move(%lq) {move = [N@0, 5@1, 6@2]}\n"
                  "  %lk: f32[N,5,6] = linear(%x, %wq, %b)\n  %k: f32[N,5,1,6] = move(%lk) {move = [N@0, 5@1, 6@2]}\n"
                  "  %lv: f32[N,5,6] = linear(%x, %wq, %b)\n  %v: f32[N,5,1,6] = move(%lv) {move = [N@0, 5@1, 6@2]}\n"
                  "  %a: f32[N,5,1,6] = attention(%q, %k, %v) {scale = 0.5}\n  %y: f32[N,5,1,8] = linear(%a, %wo)\n" RETURN, false, false);
}

static void value_bias_by_head(void **state)
{
    (void)state;
    pass_test *t = run(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT RETURN);
    pass_test *plain = run(ATTENTION_HEAD "  %y: f32[N,5,8] = linear(%p, %wo, %bo)\n  %z: f32[N,5,6] = linear(%x, %wv, %bv)\n"
            "  return \"y\" %y, \"z\" %z\n}\n");
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
    expect_biases(ATTENTION_HEAD "  %lk: f32[N,5,6] = linear(%x, %wk, %bk) {epilogue = tanh(in0)}\n"
            "  %k: f32[N,5,2,3] = move(%lk) {move = [N@0, 5@1, 6@2]}\n"
                  VALUES ATTENTION JOIN PROJECT RETURN, true, false);
    /* keys are the values too */
    expect_biases(ATTENTION_HEAD KEYS "  %a: f32[N,5,4,3] = attention(%q, %k, %k) {scale = 0.5}\n" JOIN PROJECT RETURN, true, true);
    /* a move by which tokens become features: N is 2 */
    pass_test *t = run("graph t(%x: f32[1,4,6], %q: f32[1,6,1,4]) {\n  %w: f32[6,6] = const {bytes = noise 1 1}\n"
            "  %b: f32[6] = const {bytes = noise 2 1}\n"
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
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION "  %j: f32[N,5,12] = move(%a) {move = [N@0, 5@1, 4@2, 3@3]}\n"
            "  return \"j\" %j\n}\n", false, true);
    /* the attention's result is read elsewhere */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"a\" %a\n}\n", false, true);
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION JOIN PROJECT "  return \"y\" %y, \"j\" %j\n}\n", false, true);
    /* the heads are not side by side */
    expect_biases(ATTENTION_HEAD KEYS VALUES ATTENTION "  %j: f32[N,5,12] = move(%a) {move = [N@0, 5@1, 3@3, 4@2]}\n" PROJECT RETURN, false, true);
    /* a row may be empty and then is zero: a mask not known, one with an empty row, fewer keys than causal queries */
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %mask) {scale = 0.5, empty = zero}\n" JOIN PROJECT RETURN,
                  false, true);
    expect_biases(ATTENTION_HEAD KEYS VALUES "  %c: f32[5,1] = const {bytes = [0, 0, -inf, 0, 0]}\n"
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v, %c) {scale = 0.5, empty = zero}\n" JOIN PROJECT RETURN, false, true);
    expect_biases(ATTENTION_HEAD "  %s: f32[N,3,8] = move(%x) {move = [N@0, 3@1, 8@2]}\n"
                  "  %lk: f32[N,3,6] = linear(%s, %wk, %bk)\n  %k: f32[N,3,2,3] = move(%lk) {move = [N@0, 3@1, 6@2]}\n"
                  "  %lv: f32[N,3,6] = linear(%s, %wv, %bv)\n  %v: f32[N,3,2,3] = move(%lv) {move = [N@0, 3@1, 6@2]}\n"
                  "  %a: f32[N,5,4,3] = attention(%q, %k, %v) {scale = 0.5, causal = 1, empty = zero}\n" JOIN PROJECT RETURN, false, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biases_of_keys_and_values_go),
        cmocka_unit_test(one_head_needs_no_move),
        cmocka_unit_test(value_bias_by_head),
        cmocka_unit_test(key_near_misses),
        cmocka_unit_test(value_near_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
