/* one_query: a decoder's step, whose heads become images of their own under every mask; and what stays as it is. */
#include "pass_test.h"

#define HEAD "symbols N 1..64\ngraph t(%q: f32[N,1,4,3], %k: f32[N,2,5,3], %v: f32[N,2,5,6], %rows: f32[N,5,2,3], %two: f32[N,2,4,3], "
#define MASKS "%one: f32[1,1,1,5], %own: bool[N,1,1,5], %heads: f32[4,1,5], %all: f32[N,4,1,5], %keys: f32[5]) {\n"
#define BY_HEADS "  %a: f32[N,5,2,3] = move(%k) {move = [N@0, 5@2, 2@1, 3@3]}\n  %b: f32[N,5,2,6] = move(%v) {move = [N@0, 5@2, 2@1, 6@3]}\n"
#define TAIL "  return \"y\" %y\n}\n"
#define STEP(mask, rest) HEAD MASKS BY_HEADS "  %y: f32[N,1,4,6] = attention(%q, %a, %b" mask ") {scale = 0.5" rest "}\n" TAIL

static bool heads_are_images(const pass_test *t)
{
    const ir_node *n = pass_test_find(t, IR_ATTENTION);
    for (int i = 1; i < 3; i++) {
        const ir_node *m = ir_producer(n->input[i], IR_MOVE);
        if (!m || m->input[0]->def || !move_is_reshape(&m->input[0]->type, ir_move(m))) return false;
    }
    return dim_is_one(n->input[2]->type.dim[2]);
}

static void check(const char *text, bool expected)
{
    pass_test *t = pass_test_new(text, "one_query");
    assert_int_equal(heads_are_images(t), expected);
    pass_test_free(t);
}

/* Queries, keys, values and the result are regrouped where they lie; two query heads read each group. */
static void test_caches_are_read_where_they_lie(void **state)
{
    (void)state;
    pass_test_check(STEP("", ", empty = zero"), "one_query",
                    HEAD MASKS "  %a: f32[2*N,5,1,3] = move(%k) {move = [N@0, 2@1, 5@2, 3@3]}\n"
                               "  %b: f32[2*N,5,1,6] = move(%v) {move = [N@0, 2@1, 5@2, 6@3]}\n"
                               "  %c: f32[2*N,1,2,3] = move(%q) {move = [N@0, 4@2, 3@3]}\n"
                               "  %d: f32[2*N,1,2,6] = attention(%c, %a, %b) {scale = 0.5, empty = zero}\n"
                               "  %y: f32[N,1,4,6] = move(%d) {move = [2*N@0, 2@2, 6@3]}\n" TAIL);
}

static void test_masks(void **state)
{
    (void)state;
    check(STEP(", %one", ""), true);
    check(STEP(", %own", ""), true);
    check(STEP(", %heads", ""), true);
    check(STEP(", %all", ""), true);
    check(STEP(", %keys", ""), true);
    check(STEP("", ", causal = 1"), true);
}

static void test_probabilities_keep_their_shape(void **state)
{
    (void)state;
    check(HEAD MASKS BY_HEADS "  %y: f32[N,1,4,6], %p: f32[N,4,1,5] = attention(%q, %a, %b, %own) {scale = 0.5}\n  return \"y\" %y, \"p\" %p\n}\n", true);
}

static void test_others_stay(void **state)
{
    (void)state;
    check(HEAD MASKS BY_HEADS "  %y: f32[N,2,4,6] = attention(%two, %a, %b) {scale = 0.5}\n" TAIL, false);    /* two queries */
    check(HEAD MASKS BY_HEADS "  %y: f32[N,1,4,6] = attention(%q, %rows, %b) {scale = 0.5}\n" TAIL, false);   /* keys lie by tokens */
    check(HEAD MASKS BY_HEADS "  %c: f32[N,5,2,3] = map(%a) {expr = neg(in0)}\n"
                              "  %y: f32[N,1,4,6] = attention(%q, %c, %b) {scale = 0.5}\n" TAIL, false);      /* another value's keys */
    pass_test_leaves("symbols N 1..64\ngraph t(%q: f32[N,1,4,3], %k: f32[N,1,5,3]) {\n"
                     "  %a: f32[N,5,1,3] = move(%k) {move = [N@0, 5@2, 3@3]}\n"
                     "  %y: f32[N,1,4,3] = attention(%q, %a, %a) {scale = 0.5}\n" TAIL, "one_query", IR_MOVE, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_caches_are_read_where_they_lie), cmocka_unit_test(test_masks),
                                       cmocka_unit_test(test_probabilities_keep_their_shape), cmocka_unit_test(test_others_stay) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
