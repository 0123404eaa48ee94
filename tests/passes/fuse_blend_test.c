/* Probabilities that are blended with constant ones: two products, the first of them an attention; what is no such blend stays one product. */
#include "pass_test.h"

#include <stdio.h>

/* q, k, v: [2, 2, 6, 8]; `body` makes %y of the probabilities %p. */
static const char *text(char to[4096], const char *body)
{
    snprintf(to, 4096, "graph g(%%q: f32[2,2,6,8], %%k: f32[2,2,6,8], %%v: f32[2,2,6,8], %%u: f32[2,2,6,6]) {\n"
                       "  %%t: f32[2,2,8,6] = move(%%k) {move = [2@0, 2@1, 8@3, 6@2]}\n"
                       "  %%s: f32[2,2,6,6] = matmul(%%q, %%t)\n"
                       "  %%p: f32[2,2,6,6] = softmax(%%s) {axis = 3}\n"
                       "  %%g: f32[1,2,1,1] = const {bytes = [0.25, 0.75]}\n"
                       "  %%c: f32[1,2,6,6] = const {bytes = noise 3 1}\n"
                       "  %%h: f32[6] = const {bytes = noise 4 1}\n"
                       "%s  return \"y\" %%y\n}\n", body);
    return to;
}

/* Attentions, and products apart from them. What becomes constant is rounded to f32. */
static void leaves(const char *body, int attentions, int products)
{
    char whole[4096];
    pass_test *t = pass_test_within(text(whole, body), "fold_const simplify fuse_attention dce", 1e-6);
    assert_int_equal(pass_test_count(t, IR_ATTENTION), attentions);
    assert_int_equal(pass_test_count(t, IR_MATMUL), products);
    pass_test_free(t);
}

#define GATED "  %a: f32[2,2,6,6] = map(%g, %p) {expr = mul(in0, in1)}\n"
#define BLENDED GATED "  %b: f32[2,2,6,6] = map(%a, %c) {expr = add(in0, in1)}\n"
#define PRODUCT(x) "  %y: f32[2,2,6,8] = matmul(" x ", %v)\n"

static void blends_are_parted(void **state)
{
    (void)state;
    leaves(BLENDED PRODUCT("%b"), 1, 1);
    leaves("  %b: f32[2,2,6,6] = map(%c, %p) {expr = add(in0, in1)}\n" PRODUCT("%b"), 1, 1);
    leaves(BLENDED "  %d: f32[2,2,6,6] = map(%b, %g) {expr = mul(in0, in1)}\n" PRODUCT("%d"), 1, 1);
    leaves(BLENDED "  %d: f32[2,2,6,6] = map(%b, %h) {expr = add(in0, in1)}\n" PRODUCT("%d"), 1, 1);
}

static void the_sum_that_divides_them_is_a_constant(void **state)
{
    (void)state;
    leaves(BLENDED "  %e: f32[2,2,6] = reduce(%b) {axes = [3], keep = 0, kind = sum}\n  %f: f32[2,2,6,1] = move(%e) {move = [2@0, 2@1, 6@2]}\n"
           "  %d: f32[2,2,6,6] = map(%b, %f) {expr = div(in0, in1)}\n" PRODUCT("%d"), 1, 1);
    leaves(BLENDED "  %f: f32[2,2,6,1] = reduce(%b) {axes = [3], keep = 1, kind = sum}\n"
           "  %d: f32[2,2,6,6] = map(%b, %f) {expr = div(in0, in1)}\n" PRODUCT("%d"), 1, 1);
}

static void what_is_no_blend_stays(void **state)
{
    (void)state;
    const char *const bodies[] = {
        /* other probabilities are no constant */
        "  %b: f32[2,2,6,6] = map(%p, %u) {expr = add(in0, in1)}\n" PRODUCT("%b"),
        /* the factor differs by key */
        "  %a: f32[2,2,6,6] = map(%p, %h) {expr = mul(in0, in1)}\n  %b: f32[2,2,6,6] = map(%a, %c) {expr = add(in0, in1)}\n" PRODUCT("%b"),
        /* one number added to all keys is not written out */
        "  %b: f32[2,2,6,6] = map(%p, %g) {expr = add(in0, in1)}\n" PRODUCT("%b"),
        /* another function */
        BLENDED "  %d: f32[2,2,6,6] = map(%b) {expr = exp(in0)}\n" PRODUCT("%d"),
        /* the sum is over queries; or a mean; or of something else; or divided by the blend */
        BLENDED "  %f: f32[2,2,1,6] = reduce(%b) {axes = [2], keep = 1, kind = sum}\n  %d: f32[2,2,6,6] = map(%b, %f) {expr = div(in0, in1)}\n" PRODUCT("%d"),
        BLENDED "  %f: f32[2,2,6,1] = reduce(%b) {axes = [3], keep = 1, kind = mean}\n  %d: f32[2,2,6,6] = map(%b, %f) {expr = div(in0, in1)}\n" PRODUCT("%d"),
        BLENDED "  %f: f32[2,2,6,1] = reduce(%u) {axes = [3], keep = 1, kind = sum}\n  %d: f32[2,2,6,6] = map(%b, %f) {expr = div(in0, in1)}\n" PRODUCT("%d"),
        BLENDED "  %f: f32[2,2,6,1] = reduce(%b) {axes = [3], keep = 1, kind = sum}\n  %d: f32[2,2,6,6] = map(%f, %b) {expr = div(in0, in1)}\n" PRODUCT("%d"),
        /* the blend is the right side */
        BLENDED "  %w: f32[2,2,8,6] = move(%v) {move = [2@0, 2@1, 8@3, 6@2]}\n  %y: f32[2,2,8,6] = matmul(%w, %b)\n",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) leaves(bodies[i], 0, 2);
}

/* What others read is made as it was. */
static void what_others_read_stays(void **state)
{
    (void)state;
    leaves(BLENDED "  %o: f32[2,2,6,8] = matmul(%b, %v)\n  %n: f32[2,2,6] = reduce(%b) {axes = [3], keep = 0, kind = max}\n"
           "  %m: f32[2,2,6,1] = move(%n) {move = [2@0, 2@1, 6@2]}\n  %y: f32[2,2,6,8] = map(%o, %m) {expr = add(in0, in1)}\n", 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blends_are_parted), cmocka_unit_test(the_sum_that_divides_them_is_a_constant), cmocka_unit_test(what_is_no_blend_stays),
        cmocka_unit_test(what_others_read_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
