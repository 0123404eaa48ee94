/* What stands around the passes: half precision becomes single; products of other types, and epilogues that no kernel can follow, become general
 * operators. The same results before and after, in double; and what has its kernel is left alone. */
#include "passes/lower.h"

#include "pass_test.h"

typedef bool rewrite(pass_test *t);

static bool lower(pass_test *t)
{
    pass_context c = { t->arena, t->diag, &t->report };
    return lower_types(t->g, &c);
}

static bool widen(pass_test *t)
{
    return widen_halves(t->g, t->diag);
}

/* The graph after the rewrite, whose results are the same. */
static pass_test *rewritten(const char *text, rewrite *run)
{
    arena *a = arena_new();
    pass_test *t = arena_alloc(a, sizeof *t);
    *t = (pass_test){ .arena = a, .diag = diag_new(a, "test.ir") };
    ir_graph *before = pass_test_parse(t, text);
    t->g = pass_test_parse(t, text);
    assert_true(run(t) && ir_verify(t->g, t->diag) && diag_errors(t->diag) == 0);
    pass_test_same(t, before, t->g, 1e-12);
    return t;
}

static int count(const ir_graph *g, ir_op op)
{
    int n = 0;
    for (int i = 0; i < g->functions; i++) n += count(g->function[i], op);
    for (const ir_node *k = g->first; k; k = k->next) n += k->op == op;
    return n;
}

/* text with every @ replaced by the type's name; this many of the operators that need kernels are left. */
static void check_left(const char *text, const char *type, int linear, int mlp, int attention)
{
    char whole[4096] = "symbols N 1..8\n";
    size_t n = strlen(whole);
    for (; *text; text++) n += (size_t)snprintf(whole + n, sizeof whole - n, "%.*s", *text == '@' ? 8 : 1, *text == '@' ? type : text);
    assert_true(n < sizeof whole);
    pass_test *t = rewritten(whole, lower);
    assert_int_equal(count(t->g, IR_LINEAR), linear);
    assert_int_equal(count(t->g, IR_MLP), mlp);
    assert_int_equal(count(t->g, IR_ATTENTION), attention);
    pass_test_free(t);
}

/* ---- products ---- */

static void test_products(void **state)
{
    (void)state;
    static const char *const types[] = { "f64", "i32", "u8" };
    for (int i = 0; i < 3; i++)
        check_left("graph g(%x: @[N,3,4], %w: @[4,6], %b: @[6], %e: @[3,6], %v: @[4]) {\n"
                   "  %y: @[N,3,6] = linear(%x, %w, %b, %e) {epilogue = mul(in0, in1)}\n"
                   "  %z: @[6] = linear(%v, %w)\n  return \"y\" %y, \"z\" %z\n}\n", types[i], 0, 0, 0);
    check_left("graph g(%x: @[N,4], %w: @[4,6], %b: @[6], %u: @[6,2], %c: @[2]) {\n"
               "  %y: @[N,2] = mlp(%x, %w, %b, %u, %c) {expr = gelu(in0), epilogue = relu(in0)}\n  return \"y\" %y\n}\n", "f64", 0, 0, 0);
    check_left("graph g(%x: @[N,4], %w: @[4,6], %b: @[6], %u: @[3,2], %e: @[N,2]) {\n"
               "  %y: @[N,2] = mlp(%x, %w, %b, %u, _, %e) {expr = mul(sigmoid(in0), in1), epilogue = add(in0, in1)}\n"
               "  return \"y\" %y\n}\n", "f64", 0, 0, 0);
}

/* Without inputs, hidden features or results. */
static void test_empty_products(void **state)
{
    (void)state;
    check_left("graph g(%x: f32[3,0], %w: f32[0,6], %b: f32[6]) {\n  %y: f32[3,6] = linear(%x, %w, %b)\n  return \"y\" %y\n}\n", "", 0, 0, 0);
    check_left("graph g(%x: f32[3,4], %w: f32[4,0], %u: f32[0,2], %c: f32[2]) {\n  %y: f32[3,2] = mlp(%x, %w, _, %u, %c) {expr = gelu(in0)}\n"
               "  return \"y\" %y\n}\n", "", 0, 0, 0);
}

#define LINEAR(extras, type, epilogue)                                                                                                               \
    "graph g(%x: f32[N,3,4,8], %w: f32[8,6], %rows: f32[4,6], %slabs: f32[3,4,1], %middle: f32[N,1,4,6], %one: f32[1,6], %flags: bool[6]) {\n"       \
    "  %y: " type "[N,3,4,6] = linear(%x, %w, _" extras ") {epilogue = " epilogue "}\n  return \"y\" %y\n}\n"

static void test_epilogues(void **state)
{
    (void)state;
    static const char *const left_alone[] = {
        LINEAR(", %rows", "f32", "add(in0, in1)"), LINEAR(", %slabs", "f32", "add(in0, in1)"),
        LINEAR(", %one, %rows", "f32", "add(mul(in0, in1), in2)"),
        LINEAR("", "f32", "select(isnan(in0), 0, in0)"),
    };
    for (size_t i = 0; i < sizeof left_alone / sizeof *left_alone; i++) {
        char text[1024];
        snprintf(text, sizeof text, "symbols N 1..8\n%s", left_alone[i]);
        pass_test *t = rewritten(text, lower);
        pass_test_expect(t, text);
        pass_test_free(t);
    }
    static const char *const split[] = {
        LINEAR(", %middle", "f32", "add(in0, in1)"), LINEAR(", %rows, %slabs", "f32", "add(mul(in0, in1), in2)"),
        LINEAR(", %flags", "f32", "select(in1, in0, 0)"), LINEAR("", "i64", "convert(mul(in0, 8)):i64"), LINEAR("", "bool", "lt(0, in0)"),
    };
    for (size_t i = 0; i < sizeof split / sizeof *split; i++) {
        char text[1024];
        snprintf(text, sizeof text, "symbols N 1..8\n%s", split[i]);
        pass_test *t = rewritten(text, lower);
        assert_int_equal(count(t->g, IR_LINEAR), 1);
        assert_int_equal(count(t->g, IR_MAP), 1);
        for (const ir_node *n = t->g->first; n; n = n->next) assert_true(n->op != IR_LINEAR || (n->inputs == 2 || !n->input[2]));
        pass_test_free(t);
    }
}

/* ---- attention ---- */

#define ATTENTION(keys, mask, attributes)                                                                                                            \
    "graph g(%q: @[N,3,4,6], %k: @" keys ", %v: @[N,5,2,7], %m: bool[N,1,3,5], %a: @[4,1,5]) {\n"                                                    \
    "  %y: @[N,3,4,7], %p: @[N,4,3,5] = attention(%q, %k, %v" mask ") {scale = 0.5" attributes "}\n  return \"y\" %y, \"p\" %p\n}\n"

static void test_attention(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ATTENTION("[N,5,2,6]", "", ""), ATTENTION("[N,5,2,6]", ", %m", ", empty = zero"), ATTENTION("[N,5,2,6]", ", %m", ""),
        ATTENTION("[N,5,2,6]", ", %a", ", causal = 1"), ATTENTION("[N,2,6,8]", "", ", transposed = 1"),
        ATTENTION("[N,2,6,5]", ", %a", ", causal = 1, transposed = 1, empty = zero"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_left(texts[i], "f64", 0, 0, 0);
        check_left(texts[i], "f32", 0, 0, 1);
    }
}

/* ---- half precision ---- */

static void test_halves(void **state)
{
    (void)state;
    pass_test *t = rewritten("graph g(%x \"x\": f16[2,4], %i \"i\": i64[2], %t \"t\": bf16[4]) {\n"
                             "  %w: f16[4,6] = const {bytes = noise 1 0.5}\n"
                             "  %y: f16[2,6] = linear(%x, %w, _) {epilogue = relu(mul(in0, 0.5:f16))}\n"
                             "  %z: f32[2,6] = map(%y) {expr = convert(in0):f32}\n"
                             "  %g: bf16[2] = gather(%t, %i) {axis = 0}\n"
                             "  return \"x\" %x, \"y\" %y, \"z\" %z, \"g\" %g\n}\n", widen);
    pass_test_expect(t, "graph g(%x \"x\": f16[2,4], %i \"i\": i64[2], %t \"t\": bf16[4]) {\n"
                        "  %a: f32[2,4] = map(%x) {expr = convert(in0):f32}\n"
                        "  %b: f32[4] = map(%t) {expr = convert(in0):f32}\n"
                        "  %w: f16[4,6] = const {bytes = noise 1 0.5}\n"
                        "  %c: f32[4,6] = map(%w) {expr = convert(in0):f32}\n"
                        "  %y: f32[2,6] = linear(%a, %c, _) {epilogue = relu(mul(in0, 0.5))}\n"
                        "  %z: f32[2,6] = map(%y) {expr = in0}\n"
                        "  %g: f32[2] = gather(%b, %i) {axis = 0}\n"
                        "  %d: f16[2,6] = map(%y) {expr = convert(in0):f16}\n"
                        "  %e: bf16[2] = map(%g) {expr = convert(in0):bf16}\n"
                        "  return \"x\" %x, \"y\" %d, \"z\" %z, \"g\" %e\n}\n");
    pass_test_free(t);
}

static void test_no_halves(void **state)
{
    (void)state;
    static const char text[] = "graph g(%x \"x\": f64[2,4]) {\n  %y: f64[2,4] = map(%x) {expr = neg(in0)}\n  return \"y\" %y\n}\n";
    pass_test *t = rewritten(text, widen);
    pass_test_expect(t, text);
    pass_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_empty_products), cmocka_unit_test(test_epilogues), cmocka_unit_test(test_attention),
        cmocka_unit_test(test_halves), cmocka_unit_test(test_no_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
