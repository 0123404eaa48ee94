/* fuse_attention: scores that are put together again from their parts, to one of which something was added; and others. */
#include "fuse_attention_test.h"

/* ---- scores that are put together again ---- */

/* Row 0, column 0 below it, and the rest, of [2,2,3,5]. */
#define PARTS                                                                         \
    "  %row: f32[2,2,1,5] = move(%s) {move = [2@0, 2@1, 5@3]}\n"                      \
    "  %column: f32[2,2,2,1] = move(%s) {move = [2@0, 2@1, 2@2] +[0, 0, 1, 0]}\n"     \
    "  %rest: f32[2,2,2,4] = move(%s) {move = [2@0, 2@1, 2@2, 4@3] +[0, 0, 1, 1]}\n"  \
    "  %w: f32[2,1,2,4] = move(%m) {move = [2@0, 2@2, 4@3]}\n"
#define PUT_TOGETHER "  %low: f32[2,2,2,5] = concat(%column, %a) {axis = 3}\n  %t: f32[2,2,3,5] = concat(%row, %low) {axis = 2}\n"

/* Something added to one part, in its shape or another, once or twice; or to none. */
static void test_parts(void **state)
{
    (void)state;
    static const char *const added[] = {
        "  %a: f32[2,2,2,4] = map(%rest, %w) {expr = add(in0, in1)}\n",
        "  %a: f32[2,2,2,4] = map(%w, %rest) {expr = add(in0, in1)}\n",
        "  %g: f32[2,2,2,2,2] = move(%s) {move = [2@0, 2@1, 2@2, 4@3] +[0, 0, 1, 1]}\n  %h: f32[2,1,2,1,2] = move(%m) {move = [2@0, 2@2, 2@3]}\n"
        "  %i: f32[2,1,2,2,1] = move(%m) {move = [2@0, 2@2, 2@3] +[0, 0, 1, 2]}\n  %d: f32[2,2,2,2,2] = map(%g, %h) {expr = add(in0, in1)}\n"
        "  %e: f32[2,2,2,2,2] = map(%d, %i) {expr = add(in0, in1)}\n  %a: f32[2,2,2,4] = move(%e) {move = [2@0, 2@1, 2@2, 2@3, 2@4]}\n",
    };
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        arena *a = arena_new();
        pass_test *t = fused(arena_printf(a, "%s%s%s", INPUTS SPLIT SCORES PARTS, added[i], PUT_TOGETHER PLAIN_SOFTMAX JOIN RETURN));
        const ir_node *attention = pass_test_find(t, IR_ATTENTION);
        assert_int_equal(pass_test_count(t, IR_CONCAT), 0);
        assert_non_null(ir_producer(attention->input[3], IR_PAD));
        pass_test_free(t);
        arena_free(a);
    }
    pass_test *t = fused(INPUTS SPLIT SCORES PARTS "  %low: f32[2,2,2,5] = concat(%column, %rest) {axis = 3}\n"
                         "  %t: f32[2,2,3,5] = concat(%row, %low) {axis = 2}\n" PLAIN_SOFTMAX JOIN RETURN);
    assert_int_equal(pass_test_find(t, IR_ATTENTION)->inputs, 3);
    pass_test_free(t);
}

#define PARTS_REASON "the scores are put together from parts that are not one product's, or several of which have something added"

/* Two parts have something added; parts of another place, or another product's; a part is multiplied. */
static void test_other_parts(void **state)
{
    (void)state;
    static const char *const text[] = {
        INPUTS SPLIT SCORES PARTS "  %a: f32[2,2,2,4] = map(%rest, %w) {expr = add(in0, in1)}\n"
        "  %two: f32[2,2,2,1] = map(%column, %column) {expr = add(in0, in1)}\n"
        "  %low: f32[2,2,2,5] = concat(%two, %a) {axis = 3}\n  %t: f32[2,2,3,5] = concat(%row, %low) {axis = 2}\n" PLAIN_SOFTMAX JOIN RETURN,
        INPUTS SPLIT SCORES PARTS "  %a: f32[2,2,2,4] = map(%rest, %w) {expr = add(in0, in1)}\n"
        "  %low: f32[2,2,2,5] = concat(%column, %a) {axis = 3}\n  %t: f32[2,2,3,5] = concat(%low, %row) {axis = 2}\n" PLAIN_SOFTMAX JOIN RETURN,
        INPUTS SPLIT SCORES PARTS "  %x: f32[2,2,2,4] = move(%s) {move = [2@0, 2@1, 2@2, 4@3] +[0, 0, 0, 1]}\n"
        "  %a: f32[2,2,2,4] = map(%x, %w) {expr = add(in0, in1)}\n" PUT_TOGETHER PLAIN_SOFTMAX JOIN RETURN,
        INPUTS SPLIT SCORES PARTS "  %a: f32[2,2,2,4] = map(%rest, %w) {expr = mul(in0, in1)}\n" PUT_TOGETHER PLAIN_SOFTMAX JOIN RETURN,
        INPUTS SPLIT SCORES PARTS "  %more: f32[2,2,3,5] = matmul(%qh, %kt)\n"
        "  %x: f32[2,2,2,4] = move(%more) {move = [2@0, 2@1, 2@2, 4@3] +[0, 0, 1, 1]}\n"
        "  %a: f32[2,2,2,4] = map(%x, %w) {expr = add(in0, in1)}\n" PUT_TOGETHER PLAIN_SOFTMAX JOIN RETURN,
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        pass_test *t = pass_test_new(text[i], "fuse_attention");
        assert_int_equal(t->report.fused[FUSION_ATTENTION], 0);
        assert_int_equal(pass_test_count(t, IR_SOFTMAX), 1);
        assert_int_equal(t->report.misses, 1);
        assert_string_equal(t->report.miss[0].reason, PARTS_REASON);
        pass_test_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts), cmocka_unit_test(test_other_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
