/* fuse_gelu: every spelling in every order of operands and both places of its numbers; and what must stay. */
#include "chain.h"

typedef struct spelling { const char *chain, *expr; } spelling;

static void check_all_orders(const spelling *s)
{
    arena *a = arena_new();
    for (unsigned order = 0; order < chain_orders(s->chain); order++) {
        bool constants = order % 3 == 0;     /* the numbers are nodes; in the others they are part of the expressions */
        pass_test *t = pass_test_within(chain_text(a, s->chain, "y", order, constants), "fuse_gelu dce", 1e-5);
        const ir_node *n = pass_test_find(t, IR_MAP);
        assert_int_equal(pass_test_count(t, IR_MAP), 1);
        assert_string_equal(expr_text(a, ir_expr(n, KEY_EXPR)), s->expr);
        assert_int_equal(t->report.found[FUSION_GELU], 1);
        assert_int_equal(t->report.fused[FUSION_GELU], 1);
        assert_int_equal(t->report.misses, 0);
        pass_test_free(t);
    }
    arena_free(a);
}

static void test_erf(void **state)
{
    (void)state;
    static const spelling spellings[] = {
        {"a=div(x,1.41421354); b=erf(a); c=add(b,1); d=mul(x,c); y=mul(d,0.5)", "gelu(in0)"},
        {"a=mul(x,0.70710677); b=erf(a); c=add(b,1); d=mul(c,0.5); y=mul(x,d)", "gelu(in0)"},
        {"m=mul(x,0.5); a=div(x,1.4142); b=erf(a); c=add(b,1); y=mul(m,c)", "gelu(in0)"},
        {"m=mul(x,0.5); n=neg(x); a=mul(n,0.70710677); b=erf(a); c=sub(1,b); y=mul(m,c)", "gelu(in0)"},
        {"a=div(x,1.41421354); b=erf(a); d=mul(x,b); c=add(x,d); y=div(c,2)", "gelu(in0)"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) check_all_orders(&spellings[i]);
}

static void test_tanh(void **state)
{
    (void)state;
    static const spelling spellings[] = {
        {"m=mul(x,0.5); p=pow(x,3); a=mul(p,0.044715); b=add(x,a); c=mul(b,0.7978846); d=tanh(c); e=add(d,1); y=mul(m,e)", "gelu_tanh(in0)"},
        {"p=mul(x,x); q=mul(p,x); a=mul(q,0.044715); b=add(x,a); c=mul(b,0.7978846); d=tanh(c); e=add(d,1); f=mul(x,e); y=mul(f,0.5)",
         "gelu_tanh(in0)"},
        {"m=mul(x,0.5); p=mul(x,0.7978846); q=mul(x,0.044715); a=mul(q,x); b=add(a,1); c=mul(p,b); d=tanh(c); e=add(d,1); y=mul(m,e)",
         "gelu_tanh(in0)"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) check_all_orders(&spellings[i]);
}

static void test_sigmoid(void **state)
{
    (void)state;
    static const spelling spellings[] = {
        {"a=mul(x,1.702); b=sigmoid(a); y=mul(x,b)", "swish(in0, 1.702)"},
        {"a=sigmoid(x); y=mul(x,a)", "swish(in0, 1)"},
        {"n=neg(x); e=exp(n); d=add(e,1); y=div(x,d)", "swish(in0, 1)"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) check_all_orders(&spellings[i]);
}

typedef struct near_miss { const char *chain, *results; int found; } near_miss;

static void test_near_misses(void **state)
{
    (void)state;
    static const near_miss misses[] = {
        {"a=div(x,1.41); b=erf(a); c=add(b,1); d=mul(x,c); y=mul(d,0.5)", "y", 1},                                         /* another constant */
        {"a=div(x,1.41421354); b=erf(a); c=add(b,1); d=mul(x,c); y=mul(d,0.51)", "y", 1},
        {"a=div(x,1.41421354); b=erf(a); c=add(b,2); d=mul(x,c); y=mul(d,0.5)", "y", 1},
        {"a=div(x,1.41421354); b=erf(a); c=sub(1,b); d=mul(x,c); y=mul(d,0.5)", "y", 1},                                   /* x (1 - erf) / 2 */
        {"a=div(x,1.41421354); b=erf(a); c=add(b,1); d=mul(z,c); y=mul(d,0.5)", "y", 1},                                   /* two values */
        {"a=div(x,1.41421354); b=erf(a); c=add(b,1); d=mul(x,c); y=mul(d,g)", "y", 1},                                     /* a vector */
        {"m=mul(x,0.5); p=pow(x,2); a=mul(p,0.044715); b=add(x,a); c=mul(b,0.7978846); d=tanh(c); e=add(d,1); y=mul(m,e)", "y", 1},
        {"m=mul(x,0.5); p=pow(x,3); a=mul(p,0.0447); b=add(x,a); c=mul(b,0.79); d=tanh(c); e=add(d,1); y=mul(m,e)", "y", 1},
        {"a=mul(x,1.702); b=sigmoid(a); y=mul(z,b)", "y", 0},                                                              /* a gate, no activation */
        {"a=add(x,1); b=sigmoid(a); y=mul(x,b)", "y", 1},
        {"y=tanh(x)", "y", 0},
        {"y=sigmoid(x)", "y", 0},
    };
    arena *a = arena_new();
    for (size_t i = 0; i < sizeof misses / sizeof *misses; i++) {
        const char *text = chain_text(a, misses[i].chain, misses[i].results, 0, true);
        pass_test *t = pass_test_new(text, "fuse_gelu");
        pass_test_expect(t, text);
        assert_int_equal(t->report.found[FUSION_GELU], misses[i].found);
        assert_int_equal(t->report.fused[FUSION_GELU], 0);
        assert_int_equal(t->report.misses, misses[i].found);
        pass_test_free(t);
    }
    arena_free(a);
}

/* What lies between may be read elsewhere: it stays for its reader. */
static void test_inner_result(void **state)
{
    (void)state;
    arena *a = arena_new();
    pass_test *t = pass_test_within(chain_text(a, "a=div(x,1.41421354); b=erf(a); c=add(b,1); d=mul(x,c); y=mul(d,0.5)", "yb", 0, false),
                                    "fuse_gelu dce", 1e-6);
    assert_int_equal(pass_test_count(t, IR_MAP), 3);
    assert_int_equal(t->report.fused[FUSION_GELU], 1);
    pass_test_free(t);
    arena_free(a);
}

/* x is what the activation was applied to, not what x was computed from. */
static void test_x_is_a_map(void **state)
{
    (void)state;
    arena *a = arena_new();
    pass_test *t = pass_test_within(chain_text(a, "u=add(x,z); s=sigmoid(u); y=mul(u,s)", "y", 0, false), "fuse_gelu dce", 1e-9);
    assert_int_equal(pass_test_count(t, IR_MAP), 2);
    assert_string_equal(expr_text(a, ir_expr(t->g->last, KEY_EXPR)), "swish(in0, 1)");
    pass_test_free(t);
    arena_free(a);
}

static void test_origins(void **state)
{
    (void)state;
    static const char text[] =
        "graph o(%x \"x\": f32[4]) {\n"
        "  %1: f32[4] = map(%x) {expr = sigmoid(in0)}   # 3 'act/Sigmoid'\n"
        "  %2: f32[4] = map(%x, %1) {expr = mul(in0, in1)}   # 4 'act/Mul'\n"
        "  return \"y\" %2\n"
        "}\n";
    pass_test *t = pass_test_new(text, "fuse_gelu");
    const ir_node *n = t->g->last;
    assert_int_equal(n->origins, 2);
    assert_string_equal(n->origin[0], "3 'act/Sigmoid'");
    assert_string_equal(n->origin[1], "4 'act/Mul'");
    pass_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_erf), cmocka_unit_test(test_tanh), cmocka_unit_test(test_sigmoid), cmocka_unit_test(test_near_misses),
        cmocka_unit_test(test_inner_result), cmocka_unit_test(test_x_is_a_map), cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
