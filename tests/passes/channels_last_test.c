/* Group and instance norms between convolutions: computed with channels last, with a factor by channel, or left where they are. */
#include "pass_test.h"

#define CONV "  %w: f32[6,3,3,3] = const {bytes = noise 1 1}\n" \
             "  %c: f32[N,6,4,5] = conv(%x, %w) {pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1], group = 1}\n"
#define HEAD "symbols N 1..64\ngraph t(%x \"x\": f32[N,3,4,5]) {\n" CONV
#define LAST "  %t: f32[N,4,5,3] = move(%x) {move = [N@0, 4@2, 5@3, 3@1]}\n  %u: f32[27,6] = move(%w) {move = [3@2, 3@3, 3@1, 6@0]}\n" \
             "  %c: f32[N,4,5,6] = conv_last(%t, %u) {kernel = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1], group = 1}\n"

/* Reshape, norm, reshape, times gamma, plus beta: nothing is transposed but the input and the output. */
static void test_group_norm(void **state)
{
    (void)state;
    pass_test_check(HEAD "  %g: f32[6,1,1] = const {bytes = noise 2 1}\n  %b: f32[6,1,1] = const {bytes = noise 3 1}\n"
                    "  %r: f32[N,2,60] = move(%c) {move = [N@0, 6@1, 4@2, 5@3]}\n"
                    "  %n: f32[N,2,60] = norm(%r) {axis = 2, kind = layer, epsilon = 1e-05}\n"
                    "  %s: f32[N,6,4,5] = move(%n) {move = [N@0, 2@1, 60@2]}\n"
                    "  %m: f32[N,6,4,5] = map(%s, %g) {expr = mul(in0, in1)}\n"
                    "  %a: f32[N,6,4,5] = map(%m, %b) {expr = add(in0, in1)}\n"
                    "  %y: f32[N,6,4,5] = map(%a) {expr = relu(in0)}\n  return \"y\" %y\n}\n", "channels_last dce join_maps",
                    "symbols N 1..64\ngraph t(%x \"x\": f32[N,3,4,5]) {\n"
                    "  %w: f32[6,3,3,3] = const {bytes = noise 1 1}\n" LAST
                    "  %g: f32[6,1,1] = const {bytes = noise 2 1}\n  %b: f32[6,1,1] = const {bytes = noise 3 1}\n"
                    "  %o: f32[N,4,2,6] = moments(%c) {count = 4}\n"
                    "  %v: f32[6] = move(%g) {move = [6@0]}\n"
                    "  %j: f32[N,2,1,6] = join_moments(%o, %v) {epsilon = 1e-05, group = 2}\n"
                    "  %p: f32[N,1,1,6] = move(%j) {move = [N@0, 6@3]}\n"
                    "  %q: f32[N,1,1,6] = move(%j) {move = [N@0, 6@3] +[0, 1, 0, 0]}\n"
                    "  %k: f32[1,1,1,6] = move(%b) {move = [6@0]}\n"
                    "  %a: f32[N,4,5,6] = map(%c, %p, %q, %k) {expr = relu(add(mul(sub(in0, in1), in2), in3))}\n"
                    "  %y: f32[N,6,4,5] = move(%a) {move = [N@0, 6@3, 4@1, 5@2]}\n  return \"y\" %y\n}\n");
}

static void expect_moments(const char *rest, int moments)
{
    arena *a = arena_new();
    pass_test_leaves(arena_printf(a, "%s%s  return \"y\" %%y\n}\n", HEAD, rest), "channels_last dce", IR_MOMENTS, moments);
    arena_free(a);
}

/* Of each channel by itself, of all together, without a factor, with one that another reads too. */
static void test_spellings(void **state)
{
    (void)state;
    expect_moments("  %y: f32[N,6,4,5] = norm(%c) {axis = 2, kind = layer, epsilon = 1e-05}\n", 1);
    expect_moments("  %y: f32[N,6,4,5] = norm(%c) {axis = 1, kind = layer, epsilon = 1e-05}\n", 1);
    expect_moments("  %r: f32[N,1,120] = move(%c) {move = [N@0, 6@1, 4@2, 5@3]}\n"
                   "  %n: f32[N,1,120] = norm(%r) {axis = 2, kind = layer, epsilon = 1e-05}\n"
                   "  %y: f32[N,6,4,5] = move(%n) {move = [N@0, 120@2]}\n", 1);
    expect_moments("  %g: f32[1,6,1,1] = const {bytes = noise 2 1}\n"
                   "  %n: f32[N,6,4,5] = norm(%c) {axis = 2, kind = layer, epsilon = 1e-05}\n"
                   "  %m: f32[N,6,4,5] = map(%n, %g) {expr = mul(in0, in1)}\n  %y: f32[N,6,4,5] = map(%m, %n) {expr = add(in0, in1)}\n", 1);
    expect_moments("  %g: f32[4,5] = const {bytes = noise 2 1}\n"
                   "  %n: f32[N,6,4,5] = norm(%c) {axis = 2, kind = layer, epsilon = 1e-05}\n"
                   "  %y: f32[N,6,4,5] = map(%n, %g) {expr = mul(in0, in1)}\n", 1);
}

/* Of a kind, axis or source that it is not; with factors of its own; of rows, as a layer norm. */
static void test_near_misses(void **state)
{
    (void)state;
    expect_moments("  %y: f32[N,6,4,5] = norm(%c) {axis = 2, kind = rms, epsilon = 1e-05}\n", 0);
    expect_moments("  %y: f32[N,6,4,5] = norm(%c) {axis = 3, kind = layer, epsilon = 1e-05}\n", 0);
    expect_moments("  %g: f32[4,5] = const {bytes = noise 2 1}\n  %y: f32[N,6,4,5] = norm(%c, %g) {axis = 2, kind = layer, epsilon = 1e-05}\n", 0);
    expect_moments("  %y: f32[N,3,4,5] = norm(%x) {axis = 2, kind = layer, epsilon = 1e-05}\n", 0);
    expect_moments("  %r: f32[N,4,30] = move(%c) {move = [N@0, 6@1, 4@2, 5@3]}\n"
                   "  %y: f32[N,4,30] = norm(%r) {axis = 2, kind = layer, epsilon = 1e-05}\n", 0);
    expect_moments("  %r: f32[N,20,6] = move(%c) {move = [N@0, 4@2, 5@3, 6@1]}\n"
                   "  %y: f32[N,20,6] = norm(%r) {axis = 2, kind = layer, epsilon = 1e-05}\n", 0);
    pass_test_leaves("graph t(%x \"x\": f32[3,3,4,5]) {\n  %w: f32[6,3,3,3] = const {bytes = noise 1 1}\n"
                     "  %c: f32[3,6,4,5] = conv(%x, %w) {pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1], group = 1}\n"
                     "  %y: f32[3,6,4,5] = norm(%c) {axis = 2, kind = layer, epsilon = 1e-05}\n  return \"y\" %y\n}\n", "channels_last dce", IR_MOMENTS, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_group_norm), cmocka_unit_test(test_spellings), cmocka_unit_test(test_near_misses) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
