/* fold_const, merge_dup and dce: text in, text out, with near misses beside matches. */
#include "pass_test.h"

#define X "%x \"x\": f32[2,3,4]"

/* ---- fold_const ---- */

static void test_fold(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[3]) {\n"
                    "  %a: f32[3] = const {bytes = [1, 2, 3]}\n"
                    "  %b: f32[] = const {bytes = [0.5]}\n"
                    "  %c: f32[3] = map(%a, %b) {expr = mul(in0, in1)}\n"
                    "  %d: f32[] = reduce(%c) {kind = sum, axes = [0], keep = 0}\n"
                    "  %y: f32[3] = map(%x, %c, %d) {expr = add(mul(in0, in1), in2)}\n"
                    "  return \"y\" %y\n}\n",
                    "fold_const",
                    "graph t(%x \"x\": f32[3]) {\n"
                    "  %c: f32[3] = const {bytes = [0.5, 1, 1.5]}\n"
                    "  %d: f32[] = const {bytes = [3]}\n"
                    "  %y: f32[3] = map(%x, %c, %d) {expr = add(mul(in0, in1), in2)}\n"
                    "  return \"y\" %y\n}\n");
}

/* 300 * 300 elements are too many: the product stays a recipe. */
static void test_fold_size(void **state)
{
    (void)state;
    static const char text[] = "graph t(%x \"x\": f32[2,300]) {\n"
                               "  %a: f32[300,300] = const {bytes = noise 1 0.5}\n"
                               "  %b: f32[300,300] = map(%a) {expr = mul(in0, 0.5)}\n"
                               "  %y: f32[2,300] = linear(%x, %b, _)\n"
                               "  return \"y\" %y\n}\n";
    pass_test_check(text, "fold_const", text);
}

/* ---- merge_dup ---- */

static void test_merge(void **state)
{
    (void)state;
    pass_test_check("graph t(" X ") {\n"
                    "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n"
                    "  %v: f32[4,4] = const {bytes = noise 1 0.5}\n"
                    "  %u: f32[4,4] = const {bytes = noise 2 0.5}\n"
                    "  %a: f32[2,3,4] = linear(%x, %w, _)\n"
                    "  %b: f32[2,3,4] = linear(%x, %v, _)\n"
                    "  %c: f32[2,3,4] = linear(%x, %u, _)\n"
                    "  %d: f32[2,3,4] = softmax(%a) {axis = 2}\n"
                    "  %e: f32[2,3,4] = softmax(%b) {axis = 1}\n"
                    "  return \"b\" %b, \"c\" %c, \"d\" %d, \"e\" %e\n}\n",
                    "merge_dup",
                    "graph t(" X ") {\n"
                    "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n"
                    "  %u: f32[4,4] = const {bytes = noise 2 0.5}\n"
                    "  %a: f32[2,3,4] = linear(%x, %w, _)\n"
                    "  %c: f32[2,3,4] = linear(%x, %u, _)\n"
                    "  %d: f32[2,3,4] = softmax(%a) {axis = 2}\n"
                    "  %e: f32[2,3,4] = softmax(%a) {axis = 1}\n"
                    "  return \"b\" %a, \"c\" %c, \"d\" %d, \"e\" %e\n}\n");
}

/* The same bytes as another type, or in another shape, are another constant. */
static void test_merge_types(void **state)
{
    (void)state;
    static const char text[] = "graph t(" X ") {\n"
                               "  %a: f32[2] = const {bytes = [0, 0]}\n"
                               "  %b: i32[2] = const {bytes = [0, 0]}\n"
                               "  %c: f32[1,2] = const {bytes = [0, 0]}\n"
                               "  %d: f32[2,3,4] = map(%x) {expr = mul(in0, 2)}\n"
                               "  %e: f32[2,3,4] = map(%x) {expr = mul(in0, 3)}\n"
                               "  return \"a\" %a, \"b\" %b, \"c\" %c, \"d\" %d, \"e\" %e\n}\n";
    pass_test_check(text, "merge_dup", text);
}

/* Constants that are told apart by one element, wherever it is. */
static void test_merge_near(void **state)
{
    (void)state;
    enum { SIZE = 200 };
    arena *a = arena_new();
    for (int at = 0; at < SIZE; at++) {
        strbuf text = strbuf_in(a);
        strbuf_add(&text, "graph t(" X ") {\n  %a: f32[200] = const {bytes = splat 0}\n  %b: f32[200] = const {bytes = [");
        for (int i = 0; i < SIZE; i++) strbuf_printf(&text, "%s%d", i ? ", " : "", i == at);
        strbuf_add(&text, "]}\n  return \"a\" %a, \"b\" %b\n}\n");
        pass_test *t = pass_test_new(text.text, "merge_dup");
        assert_ptr_not_equal(t->g->result[0].value, t->g->result[1].value);
        pass_test_free(t);
    }
    arena_free(a);
}

/* ---- dce ---- */

static void test_dce(void **state)
{
    (void)state;
    pass_test *t = pass_test_new("graph t(" X ") {\n"
                                 "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n"
                                 "  %a: f32[2,3,4] = linear(%x, %w, _)   # 3 'unread/MatMul'\n"
                                 "  %b: f32[2,3,4] = map(%a) {expr = exp(in0)}   # 4 'unread/Exp'\n"
                                 "  %y: f32[2,3,4] = map(%x) {expr = exp(in0)}   # 5 'Exp'\n"
                                 "  return \"y\" %y\n}\n", "dce");
    pass_test_expect(t, "graph t(" X ") {\n  %y: f32[2,3,4] = map(%x) {expr = exp(in0)}\n  return \"y\" %y\n}\n");
    assert_int_equal(t->report.notes, 2);
    assert_string_equal(t->report.note[0], "no output needs 2 nodes: node 3 'unread/MatMul', node 4 'unread/Exp'");
    assert_string_equal(t->report.note[1], "no output needs 1 constant");
    pass_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold), cmocka_unit_test(test_fold_size), cmocka_unit_test(test_merge), cmocka_unit_test(test_merge_types),
        cmocka_unit_test(test_merge_near), cmocka_unit_test(test_dce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
