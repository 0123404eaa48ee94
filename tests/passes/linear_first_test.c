/* Linear layers before interpolations: what is passed through, what becomes one layer, and what must stay. */
#include "pass_test.h"

#define PLACES "  %i: i64[8,2] = const {bytes = [0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1]}\n" \
               "  %s: f32[8,2] = const {bytes = [1, 0, 0.75, 0.25, 0.5, 0.5, 0.25, 0.75, 0.5, 0.5, 1, 0, 0.5, 0.25, 0, 1]}\n"
#define WEIGHTS "  %w: f32[32,4] = const {bytes = noise 1 1}\n  %c: f32[4] = const {bytes = noise 2 1}\n"

/* A concatenation of an interpolated image and one of all rows: a layer of each, the first of the small image. */
static void test_concatenation(void **state)
{
    (void)state;
    pass_test_check("graph t(%a \"a\": f32[1,8,8,8], %b \"b\": f32[1,2,2,24]) {\n" PLACES WEIGHTS
                    "  %p: f32[1,2,8,24] = resample(%b, %i, %s) {axis = 2, kind = sum}\n"
                    "  %q: f32[1,8,8,24] = resample(%p, %i, %s) {axis = 1, kind = sum}\n"
                    "  %x: f32[1,8,8,32] = concat(%q, %a) {axis = 3}\n"
                    "  %y: f32[1,8,8,4] = linear(%x, %w, %c)\n"
                    "  return \"y\" %y\n}\n", "linear_first dce",
                    "graph t(%a \"a\": f32[1,8,8,8], %b \"b\": f32[1,2,2,24]) {\n" PLACES WEIGHTS
                    "  %u: f32[24,4] = move(%w) {move = [24@0, 4@1]}\n"
                    "  %r: f32[1,2,2,4] = linear(%b, %u)\n"
                    "  %p: f32[1,2,8,4] = resample(%r, %i, %s) {axis = 2, kind = sum}\n"
                    "  %q: f32[1,8,8,4] = resample(%p, %i, %s) {axis = 1, kind = sum}\n"
                    "  %v: f32[8,4] = move(%w) {move = [8@0, 4@1] +[24, 0]}\n"
                    "  %l: f32[1,8,8,4] = linear(%a, %v, %c)\n"
                    "  %y: f32[1,8,8,4] = map(%q, %l) {expr = add(in0, in1)}\n"
                    "  return \"y\" %y\n}\n");
}

/* The layer of a layer, each row's reshaped in between: one, with the product of both weights. */
static void test_layers_become_one(void **state)
{
    (void)state;
    pass_test *t = pass_test_within("graph t(%a \"a\": f32[1,64,6], %b \"b\": f32[1,4,6]) {\n" PLACES WEIGHTS
                     "  %m: f32[6,24] = const {bytes = noise 3 1}\n  %n: f32[24] = const {bytes = noise 4 1}\n  %o: f32[6,8] = const {bytes = noise 5 1}\n"
                     "  %d: f32[1,4,24] = linear(%b, %m, %n)\n"
                     "  %e: f32[1,2,2,24] = move(%d) {move = [4@1, 24@2]}\n"
                     "  %p: f32[1,2,8,24] = resample(%e, %i, %s) {axis = 2, kind = sum}\n"
                     "  %q: f32[1,8,8,24] = resample(%p, %i, %s) {axis = 1, kind = sum}\n"
                     "  %f: f32[1,64,8] = linear(%a, %o)\n"
                     "  %h: f32[1,8,8,8] = move(%f) {move = [64@1, 8@2]}\n"
                     "  %x: f32[1,8,8,32] = concat(%q, %h) {axis = 3}\n"
                     "  %y: f32[1,8,8,4] = linear(%x, %w, %c)\n"
                     "  return \"y\" %y\n}\n", "linear_first fold_const dce", 1e-6);
    int layers = 0;
    for (const ir_node *n = t->g->first; n; n = n->next) layers += n->op == IR_LINEAR && !ir_is_constant(n->output[0]);
    assert_int_equal(layers, 2);
    pass_test_free(t);
}

/* Interpolated rows alone. */
static void test_without_a_concatenation(void **state)
{
    (void)state;
    pass_test_check("graph t(%b \"b\": f32[1,2,32]) {\n" PLACES
                    "  %w: f32[32,4] = const {bytes = noise 1 1}\n"
                    "  %p: f32[1,8,32] = resample(%b, %i, %s) {axis = 1, kind = sum}\n"
                    "  %y: f32[1,8,4] = linear(%p, %w)\n  return \"y\" %y\n}\n", "linear_first dce",
                    "graph t(%b \"b\": f32[1,2,32]) {\n" PLACES
                    "  %w: f32[32,4] = const {bytes = noise 1 1}\n"
                    "  %r: f32[1,2,4] = linear(%b, %w)\n"
                    "  %y: f32[1,8,4] = resample(%r, %i, %s) {axis = 1, kind = sum}\n  return \"y\" %y\n}\n");
}

/* The layer of eight rows stays where it is: the largest is taken; along the columns; others read the interpolated rows, or the concatenation; a bias
 * with no part of all rows; an epilogue; weights of the run. */
static void test_left_apart(void **state)
{
    (void)state;
    static const char *const text[] = {
        "  %p: f32[1,8,32] = resample(%b, %i) {axis = 1, kind = max}\n  %y: f32[1,8,4] = linear(%p, %w)\n  return \"y\" %y\n}\n",
        "  %p: f32[1,2,8] = resample(%b, %i, %s) {axis = 2, kind = sum}\n  %y: f32[1,2,4] = linear(%p, %t)\n  return \"y\" %y\n}\n",
        "  %p: f32[1,8,32] = resample(%b, %i, %s) {axis = 1, kind = sum}\n  %y: f32[1,8,4] = linear(%p, %w)\n  return \"y\" %y, \"z\" %p\n}\n",
        "  %p: f32[1,8,32] = resample(%b, %i, %s) {axis = 1, kind = sum}\n  %y: f32[1,8,4] = linear(%p, %w, %c)\n  return \"y\" %y\n}\n",
        "  %p: f32[1,8,32] = resample(%b, %i, %s) {axis = 1, kind = sum}\n  %y: f32[1,8,4] = linear(%p, %w) {epilogue = relu(in0)}\n  return \"y\" %y\n}\n",
        "  %p: f32[1,8,32] = resample(%b, %i, %s) {axis = 1, kind = sum}\n  %y: f32[1,8,4] = linear(%p, %k)\n  return \"y\" %y\n}\n",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        arena *a = arena_new();
        const char *whole = arena_printf(a, "graph t(%%b \"b\": f32[1,2,32], %%k \"k\": f32[32,4]) {\n%s  %%t: f32[8,4] = const {bytes = noise 3 1}\n%s",
                                         PLACES WEIGHTS, text[i]);
        pass_test *t = pass_test_new(whole, "linear_first dce");
        const ir_node *last = t->g->last;
        while (last->op != IR_LINEAR) last = last->previous;
        assert_true(last->output[0] == t->g->result[0].value);
        pass_test_free(t);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_concatenation), cmocka_unit_test(test_layers_become_one),
                                       cmocka_unit_test(test_without_a_concatenation), cmocka_unit_test(test_left_apart) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
