/* What no image of the batch has a part in comes first, once a run, in memory of its own; functions are called on one side only. */
#include "plan_test.h"

static plan_space space(const plan_test *t, ir_op op, int index)
{
    return plan_test_value(t, op, index)->space;
}

static void what_has_no_image_comes_first(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("symbols N 1..64\ngraph g(%x: f32[N,6,8], %t: f32[3,8]) {\n"
                                 "  %n: f32[N,6,8] = norm(%x) {kind = rms, axis = 2, epsilon = 1e-06}\n"
                                 "  %s: f32[3,8] = softmax(%t) {axis = 1}\n"
                                 "  %k: f32[8,3] = move(%s) {move = [8@1, 3@0]}\n"
                                 "  %y: f32[N,6,3] = matmul(%n, %k)\n"
                                 "  return \"y\" %y, \"s\" %s\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "softmax | move | norm | matmul");
    assert_int_equal(t.plan->prelude, 2);
    assert_int_equal(space(&t, IR_SOFTMAX, 0), SPACE_SHARED);
    assert_int_equal(space(&t, IR_MOVE, 0), SPACE_SHARED);
    assert_int_equal(space(&t, IR_MATMUL, 0), SPACE_FRAME);
    assert_int_equal(t.plan->shared_bytes, 2 * 2 * PLAN_ALIGN);   /* both: outputs and what the images read stay */
    assert_int_equal(t.plan->shared_bytes, t.plan->shared_bound);
    plan_test_free(&t);
}

/* All is of one image, or of all that there are. */
static void without_a_batch_there_is_no_prelude(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[2,6,8], %t: f32[8]) {\n"
                                 "  %s: f32[8] = softmax(%t) {axis = 0}\n"
                                 "  %y: f32[2,6,8] = map(%x, %s) {expr = add(in0, in1)}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_int_equal(t.plan->prelude, 0);
    assert_int_equal(t.plan->shared_bytes, 0);
    plan_test_free(&t);
}

/* The images would write over what they share. */
static void a_part_that_is_shared_is_copied_into_an_image_s_concatenation(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("symbols N 1..64\ngraph g(%x: f32[N,6,8], %t: f32[1,2,8]) {\n"
                                 "  %a: f32[1,2,8] = map(%t) {expr = neg(in0)}\n"
                                 "  %r: f32[N,2,8] = move(%a) {move = [N@_, 2@1, 8@2]}\n"
                                 "  %b: f32[N,6,8] = map(%x) {expr = relu(in0)}\n"
                                 "  %c: f32[N,8,8] = concat(%r, %b) {axis = 1}\n"
                                 "  return \"c\" %c\n}\n", "");
    const plan_value *a = plan_test_value(&t, IR_MAP, 0), *b = plan_test_value(&t, IR_MAP, 1), *c = plan_test_value(&t, IR_CONCAT, 0);
    assert_int_equal(t.plan->prelude, 1);
    assert_true(a->base == a && a->space == SPACE_SHARED && b->base == c && !c->assembled);
    plan_test_free(&t);
}

static const char block[] = "  function f(%x: f32[6,8]) {\n    %a: f32[6,8] = softmax(%x) {axis = 0}\n    %b: f32[6,8] = softmax(%a) {axis = 1}\n    return %b\n  }\n";

static plan_test called(const char *body)
{
    char text[2048];
    snprintf(text, sizeof text, "symbols N 1..64\n%s%s", block, body);
    return plan_test_fine(text, "");
}

static void functions_are_called_on_one_side(void **state)
{
    (void)state;
    plan_test t = called("graph g(%x: f32[N,6,8], %t: f32[6,8]) {\n"
                         "  %u: f32[6,8] = call(%t) {function = f}\n  %v: f32[6,8] = call(%u) {function = f}\n"
                         "  %y: f32[N,6,8] = map(%x, %v) {expr = add(in0, in1)}\n  return \"y\" %y\n}\n");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "call | call | map");
    assert_int_equal(t.plan->prelude, 2);
    assert_true(t.plan->function[0].shared);
    for (int i = 0; i < t.plan->function[0].values; i++) {
        const plan_value *x = &t.plan->function[0].value[i];
        if (x->value && x->base == x && x->value->def) assert_true(x->argument_result || x->space == SPACE_SHARED || x->space == SPACE_SCRATCH);
    }
    assert_int_equal(t.plan->frame_bytes, 6 * 8 * 4);
    plan_test_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_image_comes_first), cmocka_unit_test(without_a_batch_there_is_no_prelude),
        cmocka_unit_test(a_part_that_is_shared_is_copied_into_an_image_s_concatenation), cmocka_unit_test(functions_are_called_on_one_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
