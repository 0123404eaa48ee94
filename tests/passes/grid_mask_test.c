/* grid_mask: relative positions by rows and by columns of the keys, in both spellings; and sums that are none. */
#include "pass_test.h"

#define HEAD "symbols N 1..64\ngraph t(%q: f32[N,6,2,4], %k: f32[N,6,2,4], %v: f32[N,6,2,4], %r: f32[N,2,6,2], %c: f32[N,2,6,3]) {\n"
#define TAIL "  return \"y\" %y\n}\n"

/* The sum in the grid's axes, then regrouped, as SAM's layers have it. */
static void test_sum_regrouped(void **state)
{
    (void)state;
    pass_test_check(HEAD "  %a: f32[N,2,6,2,1] = move(%r) {move = [N@0, 2@1, 6@2, 2@3]}\n"
                         "  %b: f32[N,2,6,1,3] = move(%c) {move = [N@0, 2@1, 6@2, 3@3]}\n"
                         "  %s: f32[N,2,6,2,3] = map(%a, %b) {expr = add(in0, in1)}\n"
                         "  %m: f32[N,2,6,6] = move(%s) {move = [N@0, 2@1, 6@2, 2@3, 3@4]}\n"
                         "  %y: f32[N,6,2,4] = attention(%q, %k, %v, %m) {scale = 0.5}\n" TAIL,
                    "grid_mask", HEAD "  %y: f32[N,6,2,4] = attention(%q, %k, %v, _, %r, %c) {scale = 0.5}\n" TAIL);
}

/* Each part repeated over the keys, the one by columns first. */
static void test_parts_expanded(void **state)
{
    (void)state;
    pass_test_check(HEAD "  %b: f32[N,2,6,6] = move(%c) {move = [N@0, 2@1, 6@2, 2@_, 3@3]}\n"
                         "  %a: f32[N,2,6,6] = move(%r) {move = [N@0, 2@1, 6@2, 2@3, 3@_]}\n"
                         "  %m: f32[N,2,6,6] = map(%b, %a) {expr = add(in0, in1)}\n"
                         "  %y: f32[N,6,2,4] = attention(%q, %k, %v, %m) {scale = 0.5}\n" TAIL,
                    "grid_mask", HEAD "  %y: f32[N,6,2,4] = attention(%q, %k, %v, _, %r, %c) {scale = 0.5}\n" TAIL);
}

/* A sum that others read; two parts by rows; a product; a mask that is one for all heads. */
static void test_others(void **state)
{
    (void)state;
    static const char *const other[] = {
        "  %a: f32[N,2,6,6] = move(%r) {move = [N@0, 2@1, 6@2, 2@3, 3@_]}\n"
        "  %b: f32[N,2,6,6] = move(%c) {move = [N@0, 2@1, 6@2, 2@_, 3@3]}\n"
        "  %m: f32[N,2,6,6] = map(%a, %b) {expr = add(in0, in1)}\n"
        "  %z: f32[N,6,2,4] = attention(%q, %k, %v, %m) {scale = 0.5}\n  %w: f32[N,2,6,6] = map(%m) {expr = exp(in0)}\n"
        "  %y: f32[N,6,2,4] = attention(%q, %k, %z, %w) {scale = 0.5}\n",
        "  %a: f32[N,2,6,6] = move(%r) {move = [N@0, 2@1, 6@2, 2@3, 3@_]}\n"
        "  %b: f32[N,2,6,6] = move(%c) {move = [N@0, 2@1, 6@2, 3@3, 2@_]}\n"
        "  %m: f32[N,2,6,6] = map(%a, %b) {expr = add(in0, in1)}\n"
        "  %y: f32[N,6,2,4] = attention(%q, %k, %v, %m) {scale = 0.5}\n",
        "  %a: f32[N,2,6,6] = move(%r) {move = [N@0, 2@1, 6@2, 2@3, 3@_]}\n"
        "  %b: f32[N,2,6,6] = move(%c) {move = [N@0, 2@1, 6@2, 2@_, 3@3]}\n"
        "  %m: f32[N,2,6,6] = map(%a, %b) {expr = mul(in0, in1)}\n"
        "  %y: f32[N,6,2,4] = attention(%q, %k, %v, %m) {scale = 0.5}\n",
        "  %a: f32[N,1,6,6] = move(%r) {move = [N@0, 6@2, 2@3, 3@_]}\n"
        "  %b: f32[N,1,6,6] = move(%c) {move = [N@0, 6@2, 2@_, 3@3]}\n"
        "  %m: f32[N,1,6,6] = map(%a, %b) {expr = add(in0, in1)}\n"
        "  %y: f32[N,6,2,4] = attention(%q, %k, %v, %m) {scale = 0.5}\n",
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        arena *a = arena_new();
        pass_test *t = pass_test_new(arena_printf(a, "%s%s%s", HEAD, other[i], TAIL), "grid_mask");
        for (const ir_node *n = t->g->first; n; n = n->next)
            if (n->op == IR_ATTENTION) assert_int_equal(n->inputs, 4);
        pass_test_free(t);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_regrouped), cmocka_unit_test(test_parts_expanded), cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
