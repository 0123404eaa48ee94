/* fuse_norm: every spelling of layer and RMS norms in every order of operands; and what must stay. */
#include "chain.h"

typedef struct spelling { const char *chain, *kind; int inputs; double epsilon; } spelling;

/* Mean, variance and its root, as most exporters write them. */
#define CENTRED "A=mean(x); d=sub(x,A); "
#define ROOT "B=mean(s); C=add(B,1e-05); D=sqrt(C); "

static const spelling spellings[] = {
    {CENTRED "s=pow(d,2); " ROOT "n=div(d,D); m=mul(n,g); y=add(m,h)", "layer", 3, 1e-5},
    {CENTRED "s=mul(d,d); " ROOT "E=reciprocal(D); n=mul(d,E); m=mul(n,g); y=add(m,h)", "layer", 3, 1e-5},
    {CENTRED "s=mul(d,d); " ROOT "E=div(1,D); n=mul(d,E); m=mul(n,g); y=add(m,h)", "layer", 3, 1e-5},
    {CENTRED "s=mul(d,d); B=mean(s); C=add(B,1e-12); E=pow(C,-0.5); n=mul(d,E); y=mul(n,g)", "layer", 2, 1e-12},
    {CENTRED "s=pow(d,2); " ROOT "y=div(d,D)", "layer", 1, 1e-5},
    {CENTRED "s=pow(d,2); " ROOT "n=div(d,D); y=add(n,h)", "layer", 3, 1e-5},
    {"A=mean(x); N=neg(A); d=add(x,N); s=mul(d,d); B=mean(s); C=add(B,0.001); D=sqrt(C); E=reciprocal(D); p=mul(E,g); q=mul(x,p); "
     "r=mul(N,p); t=add(r,h); y=add(q,t)", "layer", 3, 1e-3},   /* Keras */
    {"A=mean(x); s=mul(x,x); Q=mean(s); P=mul(A,A); V=sub(Q,P); C=add(V,1e-05); D=sqrt(C); d=sub(x,A); n=div(d,D); m=mul(n,g); y=add(m,h)",
     "layer", 3, 1e-5},
    {"S=sum(x); A=div(S,8); d=sub(x,A); s=mul(d,d); U=sum(s); B=mul(U,0.125); C=add(B,1e-05); D=sqrt(C); n=div(d,D); y=mul(n,g)", "layer", 2, 1e-5},
    {"s=pow(x,2); " ROOT "E=reciprocal(D); n=mul(x,E); y=mul(n,g)", "rms", 2, 1e-5},
    {"s=mul(x,x); " ROOT "E=div(1,D); n=mul(x,E); y=mul(g,n)", "rms", 2, 1e-5},
    {"s=mul(x,x); " ROOT "y=div(x,D)", "rms", 1, 1e-5},
    {"s=mul(x,x); " ROOT "w=div(g,D); y=mul(x,w)", "rms", 2, 1e-5},                                /* the weight first */
    {"U=meansq(x); B=mul(U,0.125); C=add(B,1e-06); D=sqrt(C); n=div(x,D); y=mul(n,g)", "rms", 2, 1e-6},
};

static void check_order(arena *a, const spelling *s, unsigned order)
{
    pass_test *t = pass_test_new(chain_text(a, s->chain, "y", order, order % 3 == 0), "fuse_norm dce");
    const ir_node *n = pass_test_find(t, IR_NORM);
    assert_int_equal(pass_test_count(t, IR_MAP), 0);
    assert_int_equal(pass_test_count(t, IR_REDUCE), 0);
    assert_string_equal(ir_name(n, KEY_KIND, ""), s->kind);
    assert_int_equal(ir_int(n, KEY_AXIS, -1), 2);
    assert_int_equal(n->inputs, s->inputs);
    assert_true(fabs(ir_number(n, KEY_EPSILON, 0) - s->epsilon) < 1e-6 * s->epsilon);
    assert_int_equal(t->report.found[FUSION_NORM], 1);
    assert_int_equal(t->report.fused[FUSION_NORM], 1);
    assert_int_equal(t->report.misses, 0);
    pass_test_free(t);
}

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        arena *a = arena_new();
        for (unsigned order = 0; order < chain_orders(spellings[i].chain); order++) check_order(a, &spellings[i], order);
        arena_free(a);
    }
}

typedef struct near_miss { const char *chain; int found; } near_miss;

static void test_near_misses(void **state)
{
    (void)state;
    static const near_miss misses[] = {
        {CENTRED "s=pow(d,3); " ROOT "n=div(d,D); y=mul(n,g)", 1},                                         /* no square */
        {CENTRED "s=mul(d,x); " ROOT "n=div(d,D); y=mul(n,g)", 1},
        {"A=mean(z); d=sub(x,A); s=mul(d,d); " ROOT "n=div(x,D); y=mul(n,g)", 1},                          /* another value's mean */
        {CENTRED "s=mul(d,d); B=mean(s); C=sqrt(B); D=add(C,1e-05); n=div(d,D); y=mul(n,g)", 1},           /* epsilon outside the root */
        {CENTRED "s=mul(d,d); B=mean(s); C=max(B,1e-05); D=sqrt(C); n=div(d,D); y=mul(n,g)", 1},
        {CENTRED "s=mul(d,d); " ROOT "n=div(z,D); y=mul(n,g)", 1},                                         /* another value divided */
        {CENTRED "s=mul(d,d); " ROOT "n=mul(d,D); y=mul(n,g)", 1},                                         /* times the deviation */
        {CENTRED "s=mul(d,d); B=sum(s); C=add(B,1e-05); D=sqrt(C); n=mul(d,D); y=mul(n,g)", 0},
        {"U=meansq(x); D=sqrt(U); E=max(D,1e-12); y=div(x,E)", 0},                                         /* normalisation to length one */
        {"A=mean(x); y=sub(x,A)", 0},
    };
    arena *a = arena_new();
    for (size_t i = 0; i < sizeof misses / sizeof *misses; i++) {
        const char *text = chain_text(a, misses[i].chain, "y", 0, false);
        pass_test *t = pass_test_new(text, "fuse_norm");
        pass_test_expect(t, text);
        assert_int_equal(t->report.found[FUSION_NORM], misses[i].found);
        assert_int_equal(t->report.fused[FUSION_NORM], 0);
        assert_int_equal(t->report.misses, misses[i].found);
        pass_test_free(t);
    }
    arena_free(a);
}

/* A value between that others read ends the norm there: gamma and beta stay behind it. */
static void test_inner_reader(void **state)
{
    (void)state;
    arena *a = arena_new();
    pass_test *t = pass_test_new(chain_text(a, CENTRED "s=mul(d,d); " ROOT "n=div(d,D); m=mul(n,g); y=add(m,h)", "yn", 0, false), "fuse_norm dce");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 1);
    assert_int_equal(pass_test_count(t, IR_MAP), 2);
    pass_test_free(t);
    t = pass_test_new(chain_text(a, CENTRED "s=mul(d,d); " ROOT "n=div(d,D); m=mul(n,g); y=add(m,h)", "ym", 0, false), "fuse_norm dce");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 2);
    assert_int_equal(pass_test_count(t, IR_MAP), 1);
    pass_test_free(t);
    arena_free(a);
}

/* A residual sum behind is no beta; a third constant is a layer scale. */
static void test_what_follows(void **state)
{
    (void)state;
    arena *a = arena_new();
    pass_test *t = pass_test_new(chain_text(a, CENTRED "s=mul(d,d); " ROOT "n=div(d,D); m=mul(n,g); y=add(m,z)", "y", 0, false), "fuse_norm dce");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 2);
    pass_test_free(t);
    t = pass_test_new(chain_text(a, CENTRED "s=mul(d,d); " ROOT "n=div(d,D); m=mul(n,g); b=add(m,h); y=mul(b,k)", "y", 0, false), "fuse_norm dce");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 3);
    assert_int_equal(pass_test_count(t, IR_MAP), 1);
    pass_test_free(t);
    arena_free(a);
}

/* Less the mean of another value, it is the RMS norm of that difference. */
static void test_another_mean(void **state)
{
    (void)state;
    arena *a = arena_new();
    pass_test *t = pass_test_new(chain_text(a, "A=mean(z); d=sub(x,A); s=mul(d,d); " ROOT "n=div(d,D); y=mul(n,g)", "y", 0, false), "fuse_norm dce");
    assert_true(ir_is_name(pass_test_find(t, IR_NORM), KEY_KIND, "rms"));
    assert_int_equal(pass_test_count(t, IR_REDUCE), 1);
    pass_test_free(t);
    arena_free(a);
}

#define OVER(axes, mean)                                                                  \
    "graph w(%x \"x\": f32[2,3,4,8]) {\n"                                                  \
    "  %1: " mean " = reduce(%x) {kind = mean, axes = [" axes "], keep = 1}\n"             \
    "  %2: f32[2,3,4,8] = map(%x, %1) {expr = sub(in0, in1)}\n"                            \
    "  %3: f32[2,3,4,8] = map(%2, %2) {expr = mul(in0, in1)}\n"                            \
    "  %4: " mean " = reduce(%3) {kind = mean, axes = [" axes "], keep = 1}\n"             \
    "  %5: " mean " = map(%4) {expr = add(in0, 1e-05)}\n"                                  \
    "  %6: " mean " = map(%5) {expr = sqrt(in0)}\n"                                        \
    "  %7: f32[2,3,4,8] = map(%2, %6) {expr = div(in0, in1)}\n"

static const char wrong_axis[] = OVER("1, 3", "f32[2,1,4,1]") "  return \"y\" %7\n}\n";

/* Over the channels of an image: a norm of the last axis between transpositions, with gamma and beta that are so many. */
static void test_channels_first(void **state)
{
    (void)state;
    static const char *const tail[] = {"  return \"y\" %7\n}\n",
        "  %g: f32[3,1,1] = const {bytes = [1.5, -2, 0.25]}\n  %b: f32[1,3,1,1] = const {bytes = [3, 1, -2]}\n"
        "  %8: f32[2,3,4,8] = map(%g, %7) {expr = mul(in0, in1)}\n  %9: f32[2,3,4,8] = map(%8, %b) {expr = add(in0, in1)}\n  return \"y\" %9\n}\n"};
    static const char *const text[] = {OVER("1", "f32[2,1,4,8]"), OVER("1, 2", "f32[2,1,1,8]")};
    arena *a = arena_new();
    for (int i = 0; i < 3; i++) {
        pass_test *t = pass_test_new(arena_printf(a, "%s%s", text[i / 2], tail[i % 2]), "fuse_norm dce");
        const ir_node *n = pass_test_find(t, IR_NORM);
        assert_int_equal(t->report.fused[FUSION_NORM], 1);
        assert_int_equal(pass_test_count(t, IR_MAP) + pass_test_count(t, IR_REDUCE), 0);
        assert_int_equal(pass_test_count(t, IR_MOVE), i % 2 ? 4 : 2);   /* of gamma and beta too */
        assert_int_equal(ir_int(n, KEY_AXIS, 0), i / 2 ? 2 : 3);
        assert_int_equal(n->inputs, i % 2 ? 3 : 1);
        pass_test_free(t);
    }
    /* a factor for each row is no gamma */
    pass_test *t = pass_test_new(OVER("1", "f32[2,1,4,8]") "  %g: f32[8] = const {bytes = [1, 2, 3, 4, 5, 6, 7, 8]}\n"
                                 "  %8: f32[2,3,4,8] = map(%g, %7) {expr = mul(in0, in1)}\n  return \"y\" %8\n}\n", "fuse_norm dce");
    assert_int_equal(pass_test_find(t, IR_NORM)->inputs, 1);
    assert_int_equal(pass_test_count(t, IR_MAP), 1);
    pass_test_free(t);
    arena_free(a);
}

static void test_wrong_axis(void **state)
{
    (void)state;
    pass_test *t = pass_test_new(wrong_axis, "fuse_norm");
    pass_test_expect(t, wrong_axis);
    assert_int_equal(t->report.found[FUSION_NORM], 1);
    assert_int_equal(t->report.misses, 1);
    assert_string_equal(t->report.miss[0].reason, "its mean is over axes that are no neighbours");
    pass_test_free(t);
}

/* Axes dropped by the reduction and put back by a reshape; two axes normalised at once, gamma over both. */
static void test_two_axes(void **state)
{
    (void)state;
    pass_test_check(
        "graph w(%x \"x\": f32[2,3,4]) {\n"
        "  %g: f32[1,3,4] = const {bytes = noise 5 0.5}\n"
        "  %1: f32[2] = reduce(%x) {kind = mean, axes = [1, 2], keep = 0}\n"
        "  %2: f32[2,1,1] = move(%1) {move = [2@0]}\n"
        "  %3: f32[2,3,4] = map(%x, %2) {expr = sub(in0, in1)}\n"
        "  %4: f32[2,3,4] = map(%3, %3) {expr = mul(in0, in1)}\n"
        "  %5: f32[2,1,1] = reduce(%4) {kind = mean, axes = [1, 2], keep = 1}\n"
        "  %6: f32[2,1,1] = map(%5) {expr = add(in0, 0.25)}\n"
        "  %7: f32[2,1,1] = map(%6) {expr = sqrt(in0)}\n"
        "  %8: f32[2,3,4] = map(%3, %7) {expr = div(in0, in1)}\n"
        "  %9: f32[2,3,4] = map(%8, %g) {expr = mul(in0, in1)}\n"
        "  return \"y\" %9\n"
        "}\n",
        "fuse_norm dce",
        "graph w(%x \"x\": f32[2,3,4]) {\n"
        "  %g: f32[1,3,4] = const {bytes = noise 5 0.5}\n"
        "  %h: f32[3,4] = move(%g) {move = [3@1, 4@2]}\n"
        "  %9: f32[2,3,4] = norm(%x, %h) {kind = layer, axis = 1, epsilon = 0.25}\n"
        "  return \"y\" %9\n"
        "}\n");
}

/* Of one head: the heads' split is a reshape, behind which simplify puts maps, or (of batch 1) axes in front that maps add by themselves. All readers
 * of x keep reading it in one shape. */
#define ONE_HEAD(batch, digits)                                                        \
    "graph w(%x \"x\": f32[" batch ",3,4]) {\n"                                       \
    "  %g: f32[4] = const {bytes = noise 5 0.5}\n"                                     \
    "  %1: f32[" batch ",1,3,4] = move(%x) {move = [" digits "]}\n"

static void test_behind_a_reshape(void **state)
{
    (void)state;
#define NORM(batch)                                                                    \
    "  %2: f32[" batch ",1,3,4] = map(%1) {expr = pow(in0, 2)}\n"                      \
    "  %3: f32[" batch ",1,3,1] = reduce(%2) {kind = mean, axes = [3], keep = 1}\n"    \
    "  %4: f32[" batch ",1,3,1] = map(%3) {expr = add(in0, 0.25)}\n"                   \
    "  %5: f32[" batch ",1,3,1] = map(%4) {expr = sqrt(in0)}\n"                        \
    "  %6: f32[" batch ",1,3,4] = map(%1, %5) {expr = div(in0, in1)}\n"                \
    "  %7: f32[" batch ",1,3,4] = map(%g, %6) {expr = mul(in0, in1)}\n"                \
    "  return \"y\" %7\n}\n"
#define NORMED(batch)                                                                  \
    "  %7: f32[" batch ",1,3,4] = norm(%1, %g) {kind = rms, axis = 3, epsilon = 0.25}\n" \
    "  return \"y\" %7\n}\n"
    pass_test_check(ONE_HEAD("2", "2@0, 3@1, 4@2") NORM("2"), "simplify fuse_norm dce", ONE_HEAD("2", "2@0, 3@1, 4@2") NORMED("2"));
    pass_test_check(ONE_HEAD("1", "3@1, 4@2") NORM("1"), "simplify fuse_norm dce", ONE_HEAD("1", "3@1, 4@2") NORMED("1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings), cmocka_unit_test(test_near_misses), cmocka_unit_test(test_inner_reader),
        cmocka_unit_test(test_what_follows), cmocka_unit_test(test_another_mean), cmocka_unit_test(test_channels_first),
        cmocka_unit_test(test_wrong_axis), cmocka_unit_test(test_two_axes),
        cmocka_unit_test(test_behind_a_reshape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
