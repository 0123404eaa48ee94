/* Pass lengths: what stands at its capacity after it, and what stays; results are equal at the length of the test. */
#include "pass_test.h"

#define SYMBOLS "symbols P 0..5 length\n"

/* Names of inputs and outputs keep their sizes; all between is constant, an axis of P and one more has six places. */
static void test_elements_come_last(void **state)
{
    (void)state;
    pass_test_check(SYMBOLS "graph t(%x \"x\": f32[2,P,3], %c \"c\": f32[2,1,3]) {\n"
                    "  %j: f32[2,P+1,3] = concat(%x, %c) {axis = 1}\n"
                    "  %y: f32[2,P+1,3] = map(%j) {expr = exp(in0)}\n"
                    "  return \"y\" %y\n}\n",
                    "lengths",
                    SYMBOLS "graph t(%x \"x\": f32[2,P,3], %c \"c\": f32[2,1,3]) {\n"
                    "  %n: i64[] = length() {symbol = 0}\n"
                    "  %e: f32[2,5,3] = extend(%x, %n) {axis = 1, symbol = 0}\n"
                    "  %j: f32[2,6,3] = concat(%e, %c) {axis = 1}\n"
                    "  %m: f32[2,6,3] = map(%j) {expr = exp(in0)}\n"
                    "  %y: f32[2,P+1,3] = shrink(%m, %n) {axis = 1, symbol = 0}\n"
                    "  return \"y\" %y\n}\n");
}

static const char sums[] = SYMBOLS "graph t(%x \"x\": f32[2,P,3]) {\n"
                           "  %y: f32[2,3] = reduce(%x) {kind = sum, axes = [1], keep = 0}\n"
                           "  %e: f32[2,P,3] = map(%x) {expr = exp(in0)}\n"
                           "  %z: f32[2,3] = reduce(%e) {kind = sum, axes = [1], keep = 0}\n"
                           "  return \"y\" %y, \"z\" %z\n}\n";

/* An input is zero before its elements; exp of it is not, and is cleared before it is summed. */
static void test_sums_take_zeros(void **state)
{
    (void)state;
    pass_test *t = pass_test_new(sums, "lengths");
    int selects = 0;
    for (const ir_node *n = t->g->first; n; n = n->next)
        for (int i = 0; n->op == IR_MAP && i < ir_expr(n, KEY_EXPR)->count; i++) selects += ir_expr(n, KEY_EXPR)->item[i].op == EXPR_SELECT;
    assert_int_equal(selects, 1);
    assert_int_equal(pass_test_count(t, IR_SHRINK), 0);
    pass_test_free(t);
}

/* Run again it changes nothing; the text with lengths is read back. */
static void test_again(void **state)
{
    (void)state;
    pass_test *once = pass_test_new(sums, "lengths");
    strbuf text = strbuf_in(once->arena);
    ir_print(once->g, &text);
    assert_non_null(strstr(text.text, "symbols P 0..5 length\n"));
    pass_test *twice = pass_test_new(sums, "lengths lengths");
    assert_string_equal(pass_test_canonical(once->arena, once->g), pass_test_canonical(twice->arena, twice->g));
    pass_test_free(twice);
    pass_test_free(once);
}

/* A batch is no length: nothing is done. */
static void test_a_batch_is_left_alone(void **state)
{
    (void)state;
    static const char text[] = "symbols N 1..5\n"
                               "graph t(%x \"x\": f32[N,2,3]) {\n"
                               "  %y: f32[2,3] = reduce(%x) {kind = sum, axes = [0], keep = 0}\n"
                               "  return \"y\" %y\n}\n";
    pass_test_check(text, "lengths", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_come_last),
        cmocka_unit_test(test_sums_take_zeros),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_a_batch_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
