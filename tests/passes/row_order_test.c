/* row_order: residual blocks over windows of a 4 x 4 image, whole and shifted; chains of moves of rows; and sums that stay. */
#include "pass_test.h"

#define HEAD "symbols N 1..64\ngraph t(%%x \"x\": f32[N,16,3]) {\n  %%w: f32[3,3] = const {bytes = noise 1 0.5}\n"
#define NORM "{kind = layer, axis = 2, epsilon = 1e-05}"

static const char *const into = "[N@0, 2@1*8, 2@1*2, 2@1*4, 2@1, 3@2]", *const back = "[N@0*4, 2@0*2, 2@1*2, 2@0, 2@1, 3@2]";

/* s = x + M linear(windows of norm(x)), as names with this suffix. */
static const char *block(arena *a, const char *x, const char *s, const char *windows)
{
    return arena_printf(a, "  %%n%s: f32[N,16,3] = norm(%%%s) " NORM "\n"
                           "%s"
                           "  %%l%s: f32[4*N,4,3] = linear(%%p%s, %%w)\n"
                           "  %%m%s: f32[N,16,3] = move(%%l%s) {move = %s}\n"
                           "  %%%s: f32[N,16,3] = map(%%%s, %%m%s) {expr = add(in0, in1)}\n", s, x, windows, s, s, s, s, back, s, x, s);
}

static const char *plain(arena *a, const char *s)
{
    return arena_printf(a, "  %%p%s: f32[4*N,4,3] = move(%%n%s) {move = %s}\n", s, s, into);
}

static int count_kind(const pass_test *t, ir_op op, bool reshapes)
{
    int count = 0;
    for (const ir_node *n = t->g->first; n; n = n->next)
        count += n->op == op && !ir_is_constant(n->output[0]) &&
                 (op != IR_MOVE || move_is_reshape(&n->input[0]->type, ir_move(n)) == reshapes);
    return count;
}

/* Two blocks over the same windows, an MLP between: the image is taken apart once and put together once. */
static void test_same_windows(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *text = arena_printf(a, HEAD "%s"
                                       "  %%u: f32[3,6] = const {bytes = noise 2 0.5}\n  %%d: f32[6,3] = const {bytes = noise 3 0.5}\n"
                                       "  %%k: f32[N,16,3] = norm(%%s) " NORM "\n"
                                       "  %%z: f32[N,16,3] = mlp(%%k, %%u, _, %%d, _, %%s) {expr = gelu(in0), epilogue = add(in0, in1)}\n%s"
                                       "  %%y: f32[N,16,3] = map(%%t) {expr = exp(in0)}\n  return \"y\" %%y\n}\n",
                                    block(a, "x", "s", plain(a, "s")), block(a, "z", "t", plain(a, "t")));
    pass_test *t = pass_test_new(text, "row_order");
    assert_int_equal(count_kind(t, IR_MOVE, false), 2);
    assert_int_equal(count_kind(t, IR_GATHER, false), 0);
    assert_int_equal(count_kind(t, IR_MAP, false), 0);      /* sums and the last map are epilogues */
    pass_test_free(t);
    arena_free(a);
}

/* The second block's windows are shifted by one: from one order to the other at once, for the norm and the sum alike, and a chain in the end. */
static void test_shifted_windows(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *shift = arena_printf(a, "  %%it: f32[N,4,4,3] = move(%%nt) {move = [N@0, 16@1, 3@2]}\n"
                                        "  %%rt: f32[N,4,4,3] = move(%%it) {move = [N@0, 4@1, 4@2, 3@3] +[0, 1, 1, 0] %%[0, 4, 4, 0]}\n"
                                        "  %%pt: f32[4*N,4,3] = move(%%rt) {move = [N@0, 2@1*2, 2@2*2, 2@1, 2@2, 3@3]}\n");
    const char *tail = arena_printf(a, "  %%l: f32[4*N,4,3] = linear(%%pt, %%w)\n"
                                       "  %%b: f32[N,4,4,3] = move(%%l) {move = [N@0*4, 2@0*2, 2@1*2, 2@0, 2@1, 3@2]}\n"
                                       "  %%c: f32[N,4,4,3] = move(%%b) {move = [N@0, 4@1, 4@2, 3@3] +[0, 3, 3, 0] %%[0, 4, 4, 0]}\n"
                                       "  %%m: f32[N,16,3] = move(%%c) {move = [N@0, 4@1, 4@2, 3@3]}\n"
                                       "  %%z: f32[N,16,3] = map(%%s, %%m) {expr = add(in0, in1)}\n"
                                       "  %%y: f32[N,48] = move(%%z) {move = [N@0, 16@1, 3@2]}\n  return \"y\" %%y\n}\n");
    const char *text = arena_printf(a, HEAD "%s  %%nt: f32[N,16,3] = norm(%%s) " NORM "\n%s%s", block(a, "x", "s", plain(a, "s")), shift, tail);
    pass_test *t = pass_test_new(text, "row_order");
    assert_int_equal(count_kind(t, IR_MOVE, false), 1);
    assert_int_equal(count_kind(t, IR_GATHER, false), 2);
    assert_int_equal(count_kind(t, IR_MAP, false), 0);
    pass_test_free(t);
    arena_free(a);
}

/* A norm behind the windows, before the sum (Swin v2): it stays in their order as well, and the image is taken apart once, for the linear and the sum. */
static void test_norm_behind(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *text = arena_printf(a, HEAD "  %%p: f32[4*N,4,3] = move(%%x) {move = %s}\n  %%l: f32[4*N,4,3] = linear(%%p, %%w)\n"
                                       "  %%m: f32[N,16,3] = move(%%l) {move = %s}\n  %%n: f32[N,16,3] = norm(%%m) " NORM "\n"
                                       "  %%s: f32[N,16,3] = map(%%x, %%n) {expr = add(in0, in1)}\n"
                                       "  %%q: f32[4*N,4,3] = move(%%s) {move = %s}\n  %%y: f32[4*N,4,3] = linear(%%q, %%w)\n  return \"y\" %%y\n}\n",
                                    into, back, into);
    pass_test *t = pass_test_new(text, "row_order merge_dup");
    assert_int_equal(count_kind(t, IR_MOVE, false), 1);
    assert_int_equal(count_kind(t, IR_GATHER, false), 0);
    pass_test_free(t);
    arena_free(a);
}

/* A norm of x that stands behind the sum, and takes the same rows: the sum cannot share what is made there. */
static void test_norm_behind_the_sum(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *text = arena_printf(a, HEAD "  %%p: f32[4*N,4,3] = move(%%x) {move = %s}\n  %%l: f32[4*N,4,3] = linear(%%p, %%w)\n"
                                       "  %%m: f32[N,16,3] = move(%%l) {move = %s}\n"
                                       "  %%y: f32[N,16,3] = map(%%x, %%m) {expr = add(in0, in1)}\n"
                                       "  %%n: f32[N,16,3] = norm(%%x) " NORM "\n  %%z: f32[4*N,4,3] = move(%%n) {move = %s}\n"
                                       "  return \"y\" %%y, \"z\" %%z\n}\n", into, back, into);
    pass_test *t = pass_test_new(text, "row_order");
    assert_int_equal(count_kind(t, IR_NORM, false), 1);
    pass_test_free(t);
    arena_free(a);
}

/* What others read too, rows that are left out, and images that mix: the sum stays where it was. */
static void test_others(void **state)
{
    (void)state;
    static const char *const text[] = {
        "  %l: f32[4*N,4,3] = linear(%p, %w)\n  %m: f32[N,16,3] = move(%l) {move = [N@0*4, 2@0*2, 2@1*2, 2@0, 2@1, 3@2]}\n"
        "  %y: f32[N,16,3] = map(%x, %m) {expr = add(in0, in1)}\n  return \"y\" %y, \"m\" %m\n",
        "  %l: f32[4*N,4,3] = linear(%p, %w)\n  %m: f32[N,16,3] = move(%l) {move = [N@0*4, 2@0*2, 2@1*2, 2@0, 2@_, 3@2]}\n"
        "  %y: f32[N,16,3] = map(%x, %m) {expr = add(in0, in1)}\n  return \"y\" %y\n",
        "  %l: f32[4*N,4,3] = linear(%p, %w)\n  %m: f32[N,16,3] = move(%l) {move = [N@0*4, 2@0*2, 2@1*2, 2@0, 2@1, 3@2]}\n"
        "  %y: f32[N,16,3] = map(%x, %m) {expr = mul(in0, in1)}\n  return \"y\" %y\n",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        arena *a = arena_new();
        pass_test *t = pass_test_new(arena_printf(a, HEAD "  %%n: f32[N,16,3] = norm(%%x) " NORM "\n"
                                                          "  %%p: f32[4*N,4,3] = move(%%n) {move = %s}\n%s}\n",
                                                  into, text[i]), "row_order");
        assert_int_equal(count_kind(t, IR_MOVE, false), 2);
        assert_int_equal(count_kind(t, IR_GATHER, false), 0);
        assert_int_equal(count_kind(t, IR_MAP, false), 1);
        pass_test_free(t);
        arena_free(a);
    }
}

/* Heads put side by side, [N, heads, rows, width] as [N, rows, heads width]: several of their rows make one of the sum's, which stays. */
static void test_heads(void **state)
{
    (void)state;
    pass_test *t = pass_test_new("symbols N 1..64\ngraph t(%x \"x\": f32[N,4,6], %h \"h\": f32[N,2,4,3]) {\n"
                                 "  %e: f32[N,2,4,3] = map(%h) {expr = exp(in0)}\n  %m: f32[N,4,6] = move(%e) {move = [N@0, 4@2, 2@1, 3@3]}\n"
                                 "  %s: f32[N,4,6] = map(%x, %m) {expr = add(in0, in1)}\n  %y: f32[N,4,6] = norm(%s) " NORM "\n"
                                 "  return \"y\" %y\n}\n", "row_order");
    assert_int_equal(count_kind(t, IR_MOVE, false), 1);
    assert_int_equal(count_kind(t, IR_GATHER, false), 0);
    assert_int_equal(count_kind(t, IR_MAP, false), 2);
    pass_test_free(t);
}

/* Two moves that do not compose become one gather, and put back what the first took apart: nothing. A transposition takes no whole rows. */
static void test_chains(void **state)
{
    (void)state;
    pass_test *t = pass_test_new("graph t(%x \"x\": f32[1,16,3]) {\n"
                                 "  %a: f32[4,4,3] = move(%x) {move = [2@1*8, 2@1*2, 2@1*4, 2@1, 3@2]}\n"
                                 "  %b: f32[3,4,3] = move(%a) {move = [3@0, 4@1, 3@2] +[1, 1, 0] %[0, 4, 0]}\n"
                                 "  %y: f32[3,4,3] = map(%b) {expr = exp(in0)}\n  return \"y\" %y\n}\n", "row_order");
    assert_int_equal(count_kind(t, IR_GATHER, false), 1);
    assert_int_equal(count_kind(t, IR_MOVE, false), 0);
    pass_test_free(t);
    t = pass_test_new("graph t(%x \"x\": f32[1,16,3]) {\n"
                      "  %e: f32[1,16,3] = map(%x) {expr = neg(in0)}\n"
                      "  %a: f32[4,4,3] = move(%e) {move = [2@1*8, 2@1*2, 2@1*4, 2@1, 3@2]}\n"
                      "  %b: f32[1,4,4,3] = move(%a) {move = [2@0*2, 2@1*2, 2@0, 2@1, 3@2]}\n"
                      "  %y: f32[1,4,4,3] = map(%b) {expr = exp(in0)}\n  return \"y\" %y\n}\n", "row_order");
    assert_int_equal(count_kind(t, IR_GATHER, false), 0);
    assert_int_equal(count_kind(t, IR_MOVE, false), 0);
    assert_int_equal(count_kind(t, IR_MOVE, true), 1);
    pass_test_free(t);
    static const char turned[] = "graph t(%x \"x\": f32[1,16,3]) {\n"
                                 "  %a: f32[1,3,16] = move(%x) {move = [3@2, 16@1]}\n"
                                 "  %b: f32[1,3,16] = move(%a) {move = [3@1, 16@2] +[0, 1, 3] %[0, 3, 16]}\n"
                                 "  %y: f32[1,3,16] = map(%b) {expr = exp(in0)}\n  return \"y\" %y\n}\n";
    pass_test_check(turned, "row_order", turned);
}

/* x in the order of y is there already: the queries of an attention, by tokens, to whose result they are added by heads. */
static void test_rows_taken_already(void **state)
{
    (void)state;
    pass_test_check("symbols N 1..64\ngraph t(%x \"x\": f32[N,2,8,3]) {\n"
                    "  %q: f32[N,8,2,3] = move(%x) {move = [N@0, 8@2, 2@1, 3@3]}\n"
                    "  %a: f32[N,8,2,3] = softmax(%q) {axis = 1}\n"
                    "  %m: f32[N,2,8,3] = move(%a) {move = [N@0, 2@2, 8@1, 3@3]}\n"
                    "  %s: f32[N,2,8,3] = map(%x, %m) {expr = add(in0, in1)}\n"
                    "  %z: f32[N,8,6] = move(%s) {move = [N@0, 8@2, 2@1, 3@3]}\n"
                    "  return \"z\" %z\n}\n", "row_order",
                    "symbols N 1..64\ngraph t(%x \"x\": f32[N,2,8,3]) {\n"
                    "  %q: f32[N,8,2,3] = move(%x) {move = [N@0, 8@2, 2@1, 3@3]}\n"
                    "  %a: f32[N,8,2,3] = softmax(%q) {axis = 1}\n"
                    "  %s: f32[N,8,2,3] = map(%q, %a) {expr = add(in0, in1)}\n"
                    "  %z: f32[N,8,6] = move(%s) {move = [N@0, 8@1, 2@2, 3@3]}\n"
                    "  return \"z\" %z\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_taken_already),
        cmocka_unit_test(test_same_windows), cmocka_unit_test(test_shifted_windows), cmocka_unit_test(test_norm_behind),
        cmocka_unit_test(test_norm_behind_the_sum), cmocka_unit_test(test_others), cmocka_unit_test(test_heads), cmocka_unit_test(test_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
