/* fuse_mlp: up, activation, down, plain and gated; epilogues of linears and mlps; and what must stay. */
#include "pass_test.h"

#define HEAD                                                                          \
    "graph t(%x \"x\": f32[2,3,4], %z \"z\": f32[2,3,4]) {\n"                         \
    "  %w1: f32[4,8] = const {bytes = noise 1 0.5}\n"                                 \
    "  %b1: f32[8] = const {bytes = noise 2 0.5}\n"                                   \
    "  %w2: f32[8,4] = const {bytes = noise 3 0.5}\n"                                 \
    "  %b2: f32[4] = const {bytes = noise 4 0.5}\n"
#define UP "  %u: f32[2,3,8] = linear(%x, %w1, %b1)\n"
#define GELU "  %a: f32[2,3,8] = map(%u) {expr = gelu(in0)}\n"
#define DOWN "  %d: f32[2,3,4] = linear(%a, %w2, %b2)\n"

static void test_plain(void **state)
{
    (void)state;
    pass_test *t = pass_test_new(HEAD UP GELU DOWN "  return \"y\" %d\n}\n", "fuse_mlp dce");
    pass_test_expect(t, HEAD "  %d: f32[2,3,4] = mlp(%x, %w1, %b1, %w2, %b2) {expr = gelu(in0)}\n  return \"y\" %d\n}\n");
    assert_int_equal(t->report.found[FUSION_MLP], 1);
    assert_int_equal(t->report.fused[FUSION_MLP], 1);
    assert_int_equal(t->report.misses, 0);
    pass_test_free(t);
}

static void test_without_biases(void **state)
{
    (void)state;
    pass_test_check(HEAD "  %u: f32[2,3,8] = linear(%x, %w1, _)\n"
                    "  %r: f32[2,3,8] = map(%u) {expr = relu(in0)}\n"
                    "  %a: f32[2,3,8] = map(%r, %r) {expr = mul(in0, in1)}\n"
                    "  %d: f32[2,3,4] = linear(%a, %w2, _)\n"
                    "  return \"y\" %d\n}\n", "fuse_mlp dce",
                    "graph t(%x \"x\": f32[2,3,4], %z \"z\": f32[2,3,4]) {\n"
                    "  %w1: f32[4,8] = const {bytes = noise 1 0.5}\n"
                    "  %w2: f32[8,4] = const {bytes = noise 3 0.5}\n"
                    "  %d: f32[2,3,4] = mlp(%x, %w1, _, %w2, _) {expr = mul(relu(in0), relu(in0))}\n"
                    "  return \"y\" %d\n}\n");
}

static void test_residual(void **state)
{
    (void)state;
    static const char *const sum[] = {"map(%d, %z) {expr = add(in0, in1)}", "map(%z, %d) {expr = add(in0, in1)}"};
    static const char *const expr[] = {"add(in0, in1)", "add(in1, in0)"};
    for (int i = 0; i < 2; i++) {
        arena *a = arena_new();
        pass_test *t = pass_test_new(arena_printf(a, "%s  %%y: f32[2,3,4] = %s\n  return \"y\" %%y\n}\n", HEAD UP GELU DOWN, sum[i]), "fuse_mlp dce");
        pass_test_expect(t, arena_printf(a, "%s  %%d: f32[2,3,4] = mlp(%%x, %%w1, %%b1, %%w2, %%b2, %%z) {expr = gelu(in0), epilogue = %s}\n"
                                            "  return \"y\" %%d\n}\n", HEAD, expr[i]));
        pass_test_free(t);
        arena_free(a);
    }
}

/* One linear's columns are the gate and what it gates, either first. */
static void test_gated_halves(void **state)
{
    (void)state;
#define GATED(halves, product)                                                        \
    "graph t(%x \"x\": f32[2,3,4]) {\n"                                               \
    "  %w1: f32[4,16] = const {bytes = noise 1 0.5}\n"                                \
    "  %b1: f32[16] = const {bytes = noise 2 0.5}\n"                                  \
    "  %w2: f32[8,4] = const {bytes = noise 3 0.5}\n" halves product
#define HALVES                                                                        \
    "  %u: f32[2,3,16] = linear(%x, %w1, %b1)\n"                                      \
    "  %p: f32[2,3,8] = move(%u) {move = [2@0, 3@1, 8@2]}\n"                          \
    "  %q: f32[2,3,8] = move(%u) {move = [2@0, 3@1, 8@2] +[0, 0, 8]}\n"
#define GATE_RETURN "  %d: f32[2,3,4] = linear(%h, %w2, _)\n  return \"y\" %d\n}\n"
    pass_test_check(GATED(HALVES, "  %s: f32[2,3,8] = map(%p) {expr = swish(in0, 1)}\n"
                                  "  %h: f32[2,3,8] = map(%s, %q) {expr = mul(in0, in1)}\n" GATE_RETURN), "fuse_mlp dce",
                    GATED("", "  %d: f32[2,3,4] = mlp(%x, %w1, %b1, %w2, _) {expr = mul(swish(in0, 1), in1)}\n"
                              "  return \"y\" %d\n}\n"));
    pass_test_check(GATED(HALVES, "  %s: f32[2,3,8] = map(%q) {expr = swish(in0, 1)}\n"
                                  "  %h: f32[2,3,8] = map(%s, %p) {expr = mul(in0, in1)}\n" GATE_RETURN), "fuse_mlp dce",
                    GATED("", "  %d: f32[2,3,4] = mlp(%x, %w1, %b1, %w2, _) {expr = mul(swish(in1, 1), in0)}\n"
                              "  return \"y\" %d\n}\n"));
}

static void test_gated_linears(void **state)
{
    (void)state;
    pass_test *t = pass_test_new(HEAD UP "  %wg: f32[4,8] = const {bytes = noise 5 0.5}\n  %bg: f32[8] = const {bytes = noise 6 0.5}\n"
                                 "  %v: f32[2,3,8] = linear(%x, %wg, %bg)\n"
                                 "  %s: f32[2,3,8] = map(%u) {expr = swish(in0, 1)}\n"
                                 "  %a: f32[2,3,8] = map(%v, %s) {expr = mul(in0, in1)}\n" DOWN "  return \"y\" %d\n}\n", "fuse_mlp dce");
    const ir_node *n = pass_test_find(t, IR_MLP);
    assert_int_equal(pass_test_count(t, IR_LINEAR), 0);
    assert_int_equal(pass_test_count(t, IR_CONCAT), 2);
    assert_int_equal(expr_inputs(ir_expr(n, KEY_EXPR)), 2);
    pass_test_free(t);
}

/* A batch norm between the linear and the activation: its factors and terms by column are in the weights and the bias. */
static void test_absorbs_affine_maps(void **state)
{
    (void)state;
    static const struct { const char *up, *first, *second; bool biased; } cases[] = {
        {"%b1", "map(%u, %r) {expr = mul(in0, in1)}", "map(%s, %r) {expr = add(in0, in1)}", true},
        {"_", "map(%r, %u) {expr = mul(in0, in1)}", "map(%r, %s) {expr = add(in0, in1)}", true},
        {"_", "map(%u, %r) {expr = div(in0, in1)}", "map(%s, %r) {expr = sub(in0, in1)}", true},
        {"%b1", "map(%u, %r) {expr = div(in0, in1)}", "map(%s, %r) {expr = mul(in0, in1)}", true},
        {"_", "map(%u, %r) {expr = div(in0, in1)}", "map(%s, %r) {expr = mul(in0, in1)}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena *a = arena_new();
        pass_test *t = pass_test_within(arena_printf(a, "%s  %%u: f32[2,3,8] = linear(%%x, %%w1, %s)\n"
                                                        "  %%r: f32[1,8] = const {bytes = [1, -2, 3, 0.5, -0.25, 1.5, 2, -3]}\n"
                                                        "  %%s: f32[2,3,8] = %s\n  %%n: f32[2,3,8] = %s\n"
                                                        "  %%a: f32[2,3,8] = map(%%n) {expr = relu(in0)}\n%s  return \"y\" %%d, \"b\" %%b1\n}\n",
                                                     HEAD, cases[i].up, cases[i].first, cases[i].second, DOWN), "fuse_mlp dce", 1e-6);
        assert_int_equal(t->report.fused[FUSION_MLP], 1);
        assert_int_equal(t->report.misses, 0);
        assert_int_equal(pass_test_count(t, IR_MAP), 0);
        assert_int_equal(pass_test_find(t, IR_MLP)->input[2] != NULL, cases[i].biased);
        pass_test_free(t);
        arena_free(a);
    }
}

/* ---- what stays ---- */

static void test_near_misses(void **state)
{
    (void)state;
    static const struct { const char *text, *reason; } misses[] = {
        {HEAD UP GELU DOWN "  return \"y\" %d, \"a\" %a\n}\n", "the hidden values are read elsewhere"},
        {HEAD UP GELU DOWN "  return \"y\" %d, \"u\" %u\n}\n", "the hidden values are read elsewhere"},
        {HEAD UP "  %r: f32[2,3,8] = map(%u) {expr = exp(in0)}\n"
                 "  %a: f32[2,3,8] = map(%r) {expr = relu(in0)}\n" DOWN "  return \"y\" %d, \"r\" %r\n}\n", "the hidden values are read elsewhere"},
        {HEAD UP "  %c: f32[2,3,8] = map(%u) {expr = relu(in0)}\n"
                 "  %a: f32[2,3,8] = map(%c, %b1) {expr = mul(in0, in1)}\n" DOWN "  return \"y\" %d\n}\n", "the activation has operands that are no scalars"},
        {HEAD UP "  %c: f32[2,3,8] = map(%b1, %u) {expr = div(in0, in1)}\n"
                 "  %a: f32[2,3,8] = map(%c) {expr = relu(in0)}\n" DOWN "  return \"y\" %d\n}\n", "the activation has operands that are no scalars"},
        {HEAD UP "  %c: f32[2,3,8] = map(%u, %b1) {expr = add(in0, in1)}\n"
                 "  %a: f32[2,3,8] = map(%c) {expr = relu(in0)}\n" DOWN "  return \"y\" %d, \"u\" %u\n}\n", "the activation has operands that are no scalars"},
        {HEAD UP GELU DOWN "  %s: f32[2,3,1] = reduce(%a) {kind = sum, axes = [2], keep = 1}\n  return \"y\" %d, \"s\" %s\n}\n",
         "the hidden values are read elsewhere"},
        {HEAD "  %w: f32[4,18] = const {bytes = noise 5 0.5}\n  %u: f32[2,3,18] = linear(%x, %w, _)\n"
              "  %p: f32[2,3,8] = move(%u) {move = [2@0, 3@1, 8@2]}\n  %q: f32[2,3,8] = move(%u) {move = [2@0, 3@1, 8@2] +[0, 0, 9]}\n"
              "  %a: f32[2,3,8] = map(%p, %q) {expr = mul(relu(in0), in1)}\n" DOWN "  return \"y\" %d, \"w\" %w1, \"b\" %b1\n}\n",
         "what is activated is not two linears or the halves of one"},
    };
    for (size_t i = 0; i < sizeof misses / sizeof *misses; i++) {
        pass_test *t = pass_test_new(misses[i].text, "fuse_mlp");
        assert_int_equal(pass_test_count(t, IR_MLP), 0);
        assert_int_equal(t->report.found[FUSION_MLP], 1);
        assert_int_equal(t->report.fused[FUSION_MLP], 0);
        assert_int_equal(t->report.misses, 1);
        assert_string_equal(t->report.miss[0].reason, misses[i].reason);
        pass_test_free(t);
    }
}

/* The down projection of something that no linear made, and two linears with nothing between: no mlp is meant. */
static void test_not_meant(void **state)
{
    (void)state;
    static const char *const text[] = {
        HEAD "  %n: f32[2,3,4] = norm(%x) {kind = layer, axis = 2, epsilon = 1e-06}\n  %g: f32[2,3,4] = map(%n) {expr = gelu(in0)}\n"
             "  %d: f32[2,3,8] = linear(%g, %w1, _)\n  return \"y\" %d, \"a\" %b1, \"b\" %w2, \"c\" %b2\n}\n",
        HEAD UP "  %n: f32[2,3,1] = reduce(%u) {kind = l2, axes = [2], keep = 1}\n  %a: f32[2,3,8] = map(%u, %n) {expr = div(in0, max(in1, 1e-12))}\n"
             DOWN "  return \"y\" %d\n}\n",      /* a row divided by its length is no gated mlp */
        HEAD UP "  %d: f32[2,3,4] = linear(%u, %w2, %b2)\n  return \"y\" %d\n}\n",
        HEAD UP "  %a: f32[2,3,8] = map(%u, %b1) {expr = mul(in0, in1)}\n" DOWN "  return \"y\" %d\n}\n",      /* a scale is no activation */
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        pass_test *t = pass_test_new(text[i], "fuse_mlp");
        pass_test_expect(t, text[i]);
        assert_int_equal(t->report.found[FUSION_MLP], 0);
        assert_int_equal(t->report.misses, 0);
        pass_test_free(t);
    }
}

/* Features that two products read, and a gate of another value: activations are epilogues, and no mlp is meant. */
static void test_shared_trunk(void **state)
{
    (void)state;
    static const char *const text[] = {
        HEAD UP "  %v: f32[2,3,8] = linear(%z, %w1, %b1)\n  %a: f32[2,3,8] = map(%u, %v) {expr = mul(in0, in1)}\n"
             DOWN "  return \"y\" %d\n}\n",      /* a gate of another value */
        HEAD UP GELU DOWN "  %w3: f32[8,5] = const {bytes = noise 5 0.5}\n  %h: f32[2,3,5] = linear(%a, %w3, _)\n"
             "  return \"y\" %d, \"h\" %h\n}\n",      /* two heads on one trunk */
        HEAD UP GELU DOWN "  %r: f32[2,2,8] = move(%a) {move = [2@0, 2@1, 8@2]}\n  %w3: f32[8,5] = const {bytes = noise 5 0.5}\n"
             "  %h: f32[2,2,5] = linear(%r, %w3, _)\n  return \"y\" %d, \"h\" %h\n}\n",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        pass_test *t = pass_test_new(text[i], "fuse_mlp");
        assert_int_equal(pass_test_count(t, IR_MLP), 0);
        assert_true(pass_test_count(t, IR_LINEAR) >= 3);
        assert_int_equal(t->report.found[FUSION_MLP], 0);
        assert_int_equal(t->report.misses, 0);
        pass_test_free(t);
    }
}

/* ---- epilogues ---- */

static void check_epilogue(const char *map, const char *inputs, const char *epilogue)
{
    arena *a = arena_new();
    const char *head = "graph t(%x \"x\": f32[2,3,4], %z \"z\": f32[2,3,4]) {\n"
                       "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n"
                       "  %c: f32[1,3,4] = const {bytes = noise 2 0.5}\n";
    pass_test *t = pass_test_new(arena_printf(a, "%s  %%l: f32[2,3,4] = linear(%%x, %%w, _)\n"
                                                 "  %%y: f32[2,3,4] = %s\n"
                                                 "  return \"y\" %%y, \"c\" %%c\n}\n", head, map), "fuse_mlp dce");
    pass_test_expect(t, arena_printf(a, "%s  %%y: f32[2,3,4] = linear(%%x, %%w, _%s) {epilogue = %s}\n"
                                        "  return \"y\" %%y, \"c\" %%c\n}\n", head, inputs, epilogue));
    pass_test_free(t);
    arena_free(a);
}

static void test_epilogues(void **state)
{
    (void)state;
    check_epilogue("map(%l) {expr = tanh(in0)}", "", "tanh(in0)");
    check_epilogue("map(%l, %z) {expr = add(in0, in1)}", ", %z", "add(in0, in1)");
    check_epilogue("map(%z, %l) {expr = sub(in0, in1)}", ", %z", "sub(in1, in0)");
    check_epilogue("map(%l, %c) {expr = add(in0, in1)}", ", %c", "add(in0, in1)");
    check_epilogue("map(%l, %l) {expr = mul(in0, in1)}", "", "mul(in0, in0)");
}

/* A chain of readers becomes one epilogue; the later of two linears takes the sum. */
static void test_epilogue_chain(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,3,4], %z \"z\": f32[2,3,4]) {\n"
                    "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n"
                    "  %1: f32[2,3,4] = linear(%x, %w, _)\n"
                    "  %2: f32[2,3,4] = linear(%z, %w, _)\n"
                    "  %3: f32[2,3,4] = map(%1, %2) {expr = add(in0, in1)}\n"
                    "  %4: f32[2,3,4] = map(%3, %z) {expr = add(in0, in1)}\n"
                    "  %5: f32[2,3,4] = map(%4) {expr = mul(in0, 0.5)}\n"
                    "  return \"y\" %5\n}\n", "fuse_mlp dce",
                    "graph t(%x \"x\": f32[2,3,4], %z \"z\": f32[2,3,4]) {\n"
                    "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n"
                    "  %1: f32[2,3,4] = linear(%x, %w, _)\n"
                    "  %2: f32[2,3,4] = linear(%z, %w, _, %1, %z) {epilogue = mul(add(add(in1, in0), in2), 0.5)}\n"
                    "  return \"y\" %2\n}\n");
}

static void test_no_epilogue(void **state)
{
    (void)state;
#define SQUARE "graph t(%x \"x\": f32[2,3,4], %z \"z\": f32[2,1,4]) {\n" \
               "  %w: f32[4,4] = const {bytes = noise 1 0.5}\n" \
               "  %c: f32[4] = const {bytes = noise 2 0.5}\n" \
               "  %l: f32[2,3,4] = linear(%x, %w, _)\n"
    static const char *const text[] = {
        SQUARE "  %y: f32[2,3,4] = map(%l) {expr = tanh(in0)}\n  return \"y\" %y, \"l\" %l, \"c\" %c\n}\n",                     /* a result */
        SQUARE "  %y: f32[2,3,4] = map(%l) {expr = tanh(in0)}\n  %e: f32[2,3,4] = softmax(%l) {axis = 2}\n  return \"y\" %y, \"e\" %e, \"c\" %c\n}\n",
        SQUARE "  %y: f32[2,3,4] = map(%l, %c) {expr = mul(in0, in1)}\n"
               "  return \"y\" %y\n}\n",   /* layer scale: algebra's */
        SQUARE "  %y: f32[2,3,4] = map(%l, %z) {expr = add(in0, in1)}\n  return \"y\" %y, \"c\" %c\n}\n",                       /* broadcasts */
        SQUARE "  %y: i32[2,3,4] = map(%l) {expr = convert(in0):i32}\n  return \"y\" %y, \"c\" %c\n}\n",                            /* another type */
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) pass_test_check(text[i], "fuse_mlp", text[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_without_biases), cmocka_unit_test(test_residual), cmocka_unit_test(test_gated_halves),
        cmocka_unit_test(test_gated_linears), cmocka_unit_test(test_absorbs_affine_maps),
        cmocka_unit_test(test_near_misses), cmocka_unit_test(test_not_meant), cmocka_unit_test(test_shared_trunk), cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_epilogue_chain), cmocka_unit_test(test_no_epilogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
