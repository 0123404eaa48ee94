/* algebra_pixels: mean and std of raw pixels go into the patch embedding with equal results, and stay where a line of its requirements is not met. */
#include "algebra_test.h"

/* A picture of 4 x 4 pixels of 3 channels, patches of 2 x 2: x [N,4,12]. */
#define HEAD                                                                                            \
    "symbols N 1..64\n"                                                                                 \
    "graph t(%p: u8[N,4,4,3]) {\n"                                                                      \
    "  %r: u8[N,4,12] = move(%p) {move = [N@0, 4@1, 4@2, 3@3]}\n"                                       \
    "  %w: f32[12,5] = const {bytes = noise 3 1}\n"                                                     \
    "  %b: f32[5] = const {bytes = noise 4 1}\n"                                                        \
    "  %s: f64[12] = const {bytes = [0.5, 0.25, 2, 0.5, 0.25, 2, 0.5, 0.25, 2, 0.5, 0.25, 2]}\n"        \
    "  %m: f64[12] = const {bytes = [-50.5, -25.25, -202, -50.5, -25.25, -202, -50.5, -25.25, -202, -50.5, -25.25, -202]}\n"
#define MAP "  %y: f32[N,4,12] = map(%r, %s, %m) {expr = convert(add(mul(convert(in0):f64, in1), in2)):f32}\n"
#define PATCHES "  %x: f32[N,4,12] = move(%y) {move = [N@0, 2@1*2, 2@2*6, 3@2, 2@1, 2@2*3]}\n"
#define LINEAR "  %l: f32[N,4,5] = linear(%x, %w, %b)\n"
#define RETURN "  return \"l\" %l\n}\n"

static pass_test *ran(const char *text)
{
    return pass_test_within(text, "algebra", 1e-3);   /* of values up to some hundreds */
}

static void mean_and_std_go_into_weights(void **state)
{
    (void)state;
    pass_test *t = ran(HEAD MAP PATCHES LINEAR RETURN);
    const ir_node *map = pass_test_find(t, IR_MAP), *linear = pass_test_find(t, IR_LINEAR);
    assert_string_equal(expr_text(t->arena, ir_expr(map, KEY_EXPR)), "sub(convert(in0), 101)");
    assert_int_equal(map->inputs, 1);
    pass_test *plain = run(HEAD "  %q: f32[12,5] = map(%w) {expr = in0}\n  %c: f32[5] = map(%b) {expr = in0}\n  return \"q\" %q, \"c\" %c\n}\n");
    const ir_value *w = plain->g->result[0].value, *b = plain->g->result[1].value;
    static const double scale[] = { 0.5, 0.25, 2 };
    for (int i = 0; i < 12; i++) {   /* in memory: row, pixel, channel; in the file: channel, row, pixel */
        const int channel = i % 3, place = i / 3;
        assert_near(number_at(linear->input[1], i * 5 + 2), scale[channel] * number_at(w, (channel * 4 + place) * 5 + 2), 1e-7);
    }
    for (int i = 0; i < 5; i++) assert_near(number_at(linear->input[2], i), number_at(b, i), 1e-7);   /* the mean is 101 everywhere */
    pass_test_free(plain);
    pass_test_free(t);
}

static void rest_of_the_mean_goes_into_the_bias(void **state)
{
    (void)state;
    pass_test *t = ran(HEAD "  %o: f64[12] = const {bytes = [-1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3]}\n"
                       "  %y: f32[N,4,12] = map(%r, %s, %o) {expr = convert(add(mul(convert(in0):f64, in1), in2)):f32}\n" PATCHES
                       "  %l: f32[N,4,5] = linear(%x, %w)\n" RETURN);
    const ir_node *linear = pass_test_find(t, IR_LINEAR);
    assert_string_equal(expr_text(t->arena, ir_expr(pass_test_find(t, IR_MAP), KEY_EXPR)), "sub(convert(in0), 4)");
    assert_true(has_input(linear, 2) && ir_is_const(linear->input[2]));
    pass_test_free(t);
}

static void stays(const char *text)
{
    pass_test *t = ran(text);
    int conversions = 0;
    for (const ir_node *n = t->g->first; n; n = n->next) conversions += n->op == IR_MAP && n->inputs == 3;
    if (conversions != 1) fail_msg("folded: %s", text);
    pass_test_free(t);
}

static void near_misses(void **state)
{
    (void)state;
    /* the normalised picture is a result, or read twice */
    stays(HEAD MAP PATCHES LINEAR "  return \"l\" %l, \"y\" %y\n}\n");
    stays(HEAD MAP PATCHES LINEAR "  %z: f32[N,12,4] = move(%y) {move = [N@0, 12@2, 4@1]}\n  return \"l\" %l, \"z\" %z\n}\n");
    /* the patches are */
    stays(HEAD MAP PATCHES LINEAR "  return \"l\" %l, \"x\" %x\n}\n");
    stays(HEAD MAP PATCHES LINEAR "  %k: f32[N,4,5] = linear(%x, %w)\n  return \"l\" %l, \"k\" %k\n}\n");
    /* padded between */
    stays(HEAD MAP "  %a: f32[N,6,12] = pad(%y) {pads = [0, 1, 0, 0, 1, 0]}\n  %x: f32[N,6,12] = move(%a) {move = [N@0, 6@1, 4@2*3, 3@2]}\n"
          "  %l: f32[N,6,5] = linear(%x, %w, %b)\n" RETURN);
    /* a column of several channels */
    stays(HEAD MAP "  %x: f32[N,12,4] = move(%y) {move = [N@0, 12@2, 4@1]}\n  %v: f32[4,5] = const {bytes = noise 5 1}\n"
          "  %l: f32[N,12,5] = linear(%x, %v, %b)\n" RETURN);
    /* weights that are no constant */
    stays("symbols N 1..64\ngraph t(%p: u8[N,4,4,3], %w: f32[12,5]) {\n  %r: u8[N,4,12] = move(%p) {move = [N@0, 4@1, 4@2, 3@3]}\n"
          "  %s: f64[12] = const {bytes = noise 1 1}\n  %m: f64[12] = const {bytes = noise 2 1}\n" MAP PATCHES "  %l: f32[N,4,5] = linear(%x, %w)\n" RETURN);
    /* scale is one number, not a row */
    stays(HEAD "  %o: f64[1] = const {bytes = [0.5]}\n"
          "  %y: f32[N,4,12] = map(%r, %o, %m) {expr = convert(add(mul(convert(in0):f64, in1), in2)):f32}\n" PATCHES LINEAR RETURN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_std_go_into_weights),
        cmocka_unit_test(rest_of_the_mean_goes_into_the_bias),
        cmocka_unit_test(near_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
