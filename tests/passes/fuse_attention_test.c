/* fuse_attention: every spelling of softmax(q k^T) v that exporters write; and what must stay, with the reason that is given. */
#include "fuse_attention_test.h"

static void check_scale(const char *text, double scale)
{
    pass_test *t = fused(text);
    double got = ir_number(pass_test_find(t, IR_ATTENTION), KEY_SCALE, 0);
    if (fabs(got - scale) > 1e-6 * fabs(scale)) fail_msg("the scale is %g, not %g", got, scale);
    assert_int_equal(pass_test_count(t, IR_MAP), 0);
    pass_test_free(t);
}

#define ARRANGED                                                                      \
    "  %1: f32[2,3,2,4] = move(%q) {move = [2@0, 3@1, 8@2]}\n"                        \
    "  %2: f32[2,5,2,4] = move(%k) {move = [2@0, 5@1, 8@2]}\n"                        \
    "  %3: f32[2,5,2,4] = move(%v) {move = [2@0, 5@1, 8@2]}\n"

/* Transposes by heads compose away: what is left are reshapes. */
static void test_plain(void **state)
{
    (void)state;
    pass_test_check(WHOLE("  %t: f32[2,2,3,5] = map(%s) {expr = mul(in0, 0.5)}\n" PLAIN_SOFTMAX), "fuse_attention dce",
                    INPUTS ARRANGED
                    "  %4: f32[2,3,2,4] = attention(%1, %2, %3) {scale = 0.5}\n"
                    "  %5: f32[2,3,8] = move(%4) {move = [2@0, 3@1, 2@2, 4@3]}\n"
                    "  return \"y\" %5\n}\n");
}

/* ---- scales ---- */

static void test_scales(void **state)
{
    (void)state;
    check_scale(INPUTS SPLIT SCORES "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n" JOIN RETURN, 1);
    check_scale(WHOLE("  %c: f32[] = const {bytes = [8]}\n  %t: f32[2,2,3,5] = map(%s, %c) {expr = div(in0, in1)}\n" PLAIN_SOFTMAX), 0.125);
    check_scale(WHOLE("  %c: f32[1,1,1] = const {bytes = [8]}\n  %t: f32[2,2,3,5] = map(%c, %s) {expr = mul(in0, in1)}\n" PLAIN_SOFTMAX), 8);
    check_scale(INPUTS SPLIT                                                                               /* halves on q and k */
                "  %qs: f32[2,2,3,4] = map(%qh) {expr = mul(in0, 0.5)}\n"
                "  %ks: f32[2,2,4,5] = map(%kt) {expr = mul(0.5, in0)}\n"
                "  %s: f32[2,2,3,5] = matmul(%qs, %ks)\n"
                "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n" JOIN RETURN, 0.25);
    check_scale(INPUTS                                                                                     /* in front of the head split */
                "  %qs: f32[2,3,8] = map(%q) {expr = div(in0, 4)}\n"
                "  %qh: f32[2,2,3,4] = move(%qs) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"
                "  %kt: f32[2,2,4,5] = move(%k) {move = [2@0, 8@2, 5@1]}\n"
                "  %vh: f32[2,2,5,4] = move(%v) {move = [2@0, 2@2*4, 5@1, 4@2]}\n" SCORES
                "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n" JOIN RETURN, 0.25);
}

/* One factor a head (cosine attention) goes to the queries. */
static void test_factor_of_heads(void **state)
{
    (void)state;
    pass_test *t = fused(WHOLE("  %c: f32[2,1,1] = const {bytes = [3, 5]}\n  %u: f32[2,2,3,5] = map(%s, %c) {expr = mul(in0, in1)}\n"
                               "  %t: f32[2,2,3,5] = map(%u, %m) {expr = add(in0, in1)}\n" PLAIN_SOFTMAX));
    assert_int_equal(pass_test_count(t, IR_MAP), 1);
    assert_int_equal(pass_test_find(t, IR_ATTENTION)->inputs, 4);
    pass_test_free(t);
}

/* ---- masks ---- */

static void check_mask(const char *text, elem type, int maps)
{
    pass_test *t = fused(text);
    const ir_node *n = pass_test_find(t, IR_ATTENTION);
    assert_int_equal(n->inputs, 4);
    assert_int_equal(n->input[3]->type.elem, type);
    assert_int_equal(pass_test_count(t, IR_MAP), maps);
    pass_test_free(t);
}

static void test_masks(void **state)
{
    (void)state;
    check_mask(WHOLE("  %t: f32[2,2,3,5] = map(%s, %m) {expr = add(in0, in1)}\n" PLAIN_SOFTMAX), ELEM_F32, 0);
    check_mask(WHOLE("  %u: f32[2,2,3,5] = map(%s) {expr = mul(in0, 0.5)}\n"
                     "  %t: f32[2,2,3,5] = map(%m, %u) {expr = add(in0, in1)}\n" PLAIN_SOFTMAX), ELEM_F32, 0);
    check_mask(WHOLE("  %u: f32[2,2,3,5] = map(%s, %m) {expr = add(in0, in1)}\n"
                     "  %t: f32[2,2,3,5] = map(%u) {expr = mul(in0, 0.5)}\n" PLAIN_SOFTMAX), ELEM_F32, 1);
    check_mask(WHOLE("  %t: f32[2,2,3,5] = map(%s, %m) {expr = sub(in0, in1)}\n" PLAIN_SOFTMAX), ELEM_F32, 1);
    check_mask(WHOLE("  %c: f32[2,3,5] = const {bytes = noise 3 1}\n"
                     "  %t: f32[2,2,3,5] = map(%s, %c) {expr = add(in0, in1)}\n" PLAIN_SOFTMAX), ELEM_F32, 0);
    check_mask(WHOLE("  %t: f32[2,2,3,5] = map(%b, %s) {expr = select(in0, in1, -inf)}\n" PLAIN_SOFTMAX), ELEM_BOOL, 0);
    check_mask(WHOLE("  %t: f32[2,2,3,5] = map(%b, %s) {expr = select(in0, -inf, in1)}\n" PLAIN_SOFTMAX), ELEM_BOOL, 1);
    /* All of a row at the lowest float is an even row, not an empty one: that stays an addition. */
    check_mask(WHOLE("  %t: f32[2,2,3,5] = map(%b, %s) {expr = select(in0, in1, -3.4028235e+38)}\n" PLAIN_SOFTMAX), ELEM_F32, 1);
    /* Two masks are added up. */
    check_mask(WHOLE("  %c: f32[2,3,5] = const {bytes = noise 3 1}\n  %u: f32[2,2,3,5] = map(%s, %c) {expr = add(in0, in1)}\n"
                     "  %t: f32[2,2,3,5] = map(%u, %m) {expr = add(in0, in1)}\n" PLAIN_SOFTMAX), ELEM_F32, 1);
}

/* What is the same for all keys cancels. */
static void test_shifts_cancel(void **state)
{
    (void)state;
    check_scale(WHOLE("  %r: f32[2,2,3,1] = reduce(%s) {kind = max, axes = [3], keep = 1}\n"
                      "  %t: f32[2,2,3,5] = map(%s, %r) {expr = sub(in0, in1)}\n" PLAIN_SOFTMAX), 1);
    check_scale(WHOLE("  %t: f32[2,2,3,5] = map(%s) {expr = add(in0, 3)}\n" PLAIN_SOFTMAX), 1);
}

/* A mask for windows, five axes between two reshapes: 2 * 2 windows of one head each. */
static void test_mask_between_reshapes(void **state)
{
    (void)state;
    pass_test *t = fused("graph t(%q \"q\": f32[4,2,3,4], %k \"k\": f32[4,2,4,3], %v \"v\": f32[4,2,3,4]) {\n"
                         "  %c: f32[1,2,1,3,3] = const {bytes = noise 3 1}\n"
                         "  %h: f32[1,2,3,3] = const {bytes = noise 4 1}\n"
                         "  %s: f32[4,2,3,3] = matmul(%q, %k)\n"
                         "  %u: f32[4,2,3,3] = map(%s, %h) {expr = add(in0, in1)}\n"
                         "  %w: f32[2,2,2,3,3] = move(%u) {move = [4@0, 2@1, 3@2, 3@3]}\n"
                         "  %x: f32[2,2,2,3,3] = map(%w, %c) {expr = add(in0, in1)}\n"
                         "  %z: f32[4,2,3,3] = move(%x) {move = [2@0, 2@1, 2@2, 3@3, 3@4]}\n"
                         "  %p: f32[4,2,3,3] = softmax(%z) {axis = 3}\n"
                         "  %o: f32[4,2,3,4] = matmul(%p, %v)\n"
                         "  return \"y\" %o\n}\n");
    assert_int_equal(pass_test_find(t, IR_ATTENTION)->inputs, 4);
    pass_test_free(t);
}

static void test_causal(void **state)
{
    (void)state;
#define CAUSAL(mask) "graph t(%q \"q\": f32[2,2,3,4], %k \"k\": f32[2,2,4,3], %v \"v\": f32[2,2,3,4]) {\n"                    \
                     "  %c: f32[1,1,3,3] = const {bytes = [" mask "]}\n"                                                     \
                     "  %s: f32[2,2,3,3] = matmul(%q, %k)\n  %t: f32[2,2,3,3] = map(%s, %c) {expr = add(in0, in1)}\n"         \
                     "  %p: f32[2,2,3,3] = softmax(%t) {axis = 3}\n  %o: f32[2,2,3,4] = matmul(%p, %v)\n  return \"y\" %o\n}\n"
    static const struct { const char *text; int causal; } cases[] = {
        {CAUSAL("0, -inf, -inf, 0, 0, -inf, 0, 0, 0"), 1},
        {CAUSAL("0, -3.4028235e+38, -3.4028235e+38, 0, 0, -3.4028235e+38, 0, 0, 0"), 1},
        {CAUSAL("0, -inf, -inf, 0, 0, -inf, 0, 0, -inf"), 0},
        {CAUSAL("0, -inf, -inf, 0, 0.5, -inf, 0, 0, 0"), 0},
        {CAUSAL("0, -inf, -inf, 0, 0, -100, 0, 0, 0"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pass_test *t = fused(cases[i].text);
        const ir_node *n = pass_test_find(t, IR_ATTENTION);
        assert_int_equal(ir_int(n, KEY_CAUSAL, 0), cases[i].causal);
        assert_int_equal(n->inputs, cases[i].causal ? 3 : 4);
        pass_test_free(t);
    }
}

/* The operator as opset 23 has it, with masks that do nothing or hide the future. */
static void test_attention_of_the_file(void **state)
{
    (void)state;
#define READY(inputs, attributes)                                                                                                             \
    "graph t(%q \"q\": f32[2,3,2,4], %k \"k\": f32[2,3,2,4], %v \"v\": f32[2,3,2,4]) {\n" inputs ") {" attributes "}\n  return \"y\" %y\n}\n"
#define CALL "  %y: f32[2,3,2,4] = attention(%q, %k, %v"
    static const struct { const char *in, *out; } cases[] = {
        {READY("  %m: f32[1,1,3,3] = const {bytes = splat 0}\n" CALL ", %m", "scale = 0.5"), READY(CALL, "scale = 0.5")},
        {READY("  %m: bool[3,3] = const {bytes = splat 1}\n" CALL ", %m", "scale = 0.5, empty = zero"), READY(CALL, "scale = 0.5, empty = zero")},
        {READY("  %m: bool[3,3] = const {bytes = [1, 0, 0, 1, 1, 0, 1, 1, 1]}\n" CALL ", %m", "scale = 0.5"), READY(CALL, "scale = 0.5, causal = 1")},
        {READY("  %m: bool[3,3] = const {bytes = [1, 0, 1, 1, 1, 0, 1, 1, 1]}\n" CALL ", %m", "scale = 0.5"),
         READY("  %m: bool[3,3] = const {bytes = [1, 0, 1, 1, 1, 0, 1, 1, 1]}\n" CALL ", %m", "scale = 0.5")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pass_test *t = pass_test_new(cases[i].in, "fuse_attention dce");
        pass_test_expect(t, cases[i].out);
        assert_int_equal(t->report.fused[FUSION_ATTENTION], 1);
        pass_test_free(t);
    }
}

/* ---- NaN guards ---- */

#define GUARD(from, to) "  %i: bool[2,2,3,5] = map(" from ") {expr = isnan(in0)}\n" \
                        "  " to ": f32[2,2,3,5] = map(%i, " from ") {expr = select(in0, 0, in1)}\n"

static void test_guard(void **state)
{
    (void)state;
    pass_test *t = fused(WHOLE("  %t: f32[2,2,3,5] = map(%s, %m) {expr = add(in0, in1)}\n"
                               "  %u: f32[2,2,3,5] = softmax(%t) {axis = 3}\n" GUARD("%u", "%p")));
    assert_true(ir_is_name(pass_test_find(t, IR_ATTENTION), KEY_EMPTY, "zero"));
    pass_test_free(t);
    /* The first row of all heads sees nothing: zero in both. */
    t = fused(WHOLE("  %c: bool[3,1] = const {bytes = [0, 1, 1]}\n  %t: f32[2,2,3,5] = map(%c, %s) {expr = select(in0, in1, -inf)}\n"
                    "  %u: f32[2,2,3,5] = softmax(%t) {axis = 3}\n" GUARD("%u", "%p")));
    assert_true(ir_is_name(pass_test_find(t, IR_ATTENTION), KEY_EMPTY, "zero"));
    pass_test_free(t);
    t = fused(WHOLE("  %c: bool[3,1] = const {bytes = [0, 1, 1]}\n  %t: f32[2,2,3,5] = map(%c, %s) {expr = select(in0, in1, -inf)}\n" PLAIN_SOFTMAX));
    assert_false(ir_is_name(pass_test_find(t, IR_ATTENTION), KEY_EMPTY, "zero"));
    pass_test_free(t);
}

/* ---- heads ---- */

/* Batch and heads in one axis, for q, k, v and the result; with the mask added in between in four axes, or none. */
static void test_merged_heads(void **state)
{
    (void)state;
#define MERGED(middle)                                                                                                     \
    INPUTS                                                                                                                 \
    "  %qh: f32[4,3,4] = move(%q) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"                                                       \
    "  %kt: f32[4,4,5] = move(%k) {move = [2@0, 8@2, 5@1]}\n"                                                              \
    "  %vh: f32[4,5,4] = move(%v) {move = [2@0, 2@2*4, 5@1, 4@2]}\n"                                                       \
    "  %s: f32[4,3,5] = matmul(%qh, %kt)\n" middle                                                                         \
    "  %o: f32[4,3,4] = matmul(%p, %vh)\n"                                                                                 \
    "  %y: f32[2,3,8] = move(%o) {move = [2@0*2, 3@1, 2@0, 4@2]}\n" RETURN
    static const char result[] = "  %5: f32[2,3,8] = move(%4) {move = [2@0, 3@1, 2@2, 4@3]}\n  return \"y\" %5\n}\n";
    arena *a = arena_new();
    pass_test *t = fused(MERGED("  %p: f32[4,3,5] = softmax(%s) {axis = 2}\n"));
    pass_test_expect(t, arena_printf(a, "%s%s%s", INPUTS ARRANGED, "  %4: f32[2,3,2,4] = attention(%1, %2, %3) {scale = 1}\n", result));
    pass_test_free(t);
    t = fused(MERGED("  %t: f32[2,2,3,5] = move(%s) {move = [4@0, 3@1, 5@2]}\n  %u: f32[2,2,3,5] = map(%t, %m) {expr = add(in0, in1)}\n"
                     "  %w: f32[4,3,5] = move(%u) {move = [2@0, 2@1, 3@2, 5@3]}\n  %p: f32[4,3,5] = softmax(%w) {axis = 2}\n"));
    pass_test_expect(t, arena_printf(a, "%s%s%s", INPUTS ARRANGED, "  %4: f32[2,3,2,4] = attention(%1, %2, %3, %m) {scale = 1}\n", result));
    pass_test_free(t);
    arena_free(a);
}

/* Keras: K times the transposed Q, softmax over axis 2, transposed behind; or transposed in front of a softmax over the last axis. */
static void test_keys_first(void **state)
{
    (void)state;
#define KEYS_FIRST(middle)                                                                                                 \
    INPUTS                                                                                                                 \
    "  %kh: f32[2,2,5,4] = move(%k) {move = [2@0, 2@2*4, 5@1, 4@2]}\n"                                                     \
    "  %qt: f32[2,2,4,3] = move(%q) {move = [2@0, 8@2, 3@1]}\n"                                                            \
    "  %vh: f32[2,2,5,4] = move(%v) {move = [2@0, 2@2*4, 5@1, 4@2]}\n"                                                     \
    "  %s: f32[2,2,5,3] = matmul(%kh, %qt)\n" middle JOIN RETURN
    check_scale(KEYS_FIRST("  %t: f32[2,2,5,3] = softmax(%s) {axis = 2}\n  %p: f32[2,2,3,5] = move(%t) {move = [2@0, 2@1, 3@3, 5@2]}\n"), 1);
    check_scale(KEYS_FIRST("  %t: f32[2,2,3,5] = move(%s) {move = [2@0, 2@1, 3@3, 5@2]}\n" PLAIN_SOFTMAX), 1);
}

/* Values [d, keys] times the transposed probabilities, as models write it that keep pixels last. */
static void test_values_first(void **state)
{
    (void)state;
    check_scale(INPUTS "  %qh: f32[2,2,3,4] = move(%q) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"
                       "  %kt: f32[2,2,4,5] = move(%k) {move = [2@0, 8@2, 5@1]}\n"
                       "  %vt: f32[2,2,4,5] = move(%v) {move = [2@0, 8@2, 5@1]}\n"
                       "  %s: f32[2,2,3,5] = matmul(%qh, %kt)\n"
                       "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n"
                       "  %pt: f32[2,2,5,3] = move(%p) {move = [2@0, 2@1, 5@3, 3@2]}\n"
                       "  %o: f32[2,2,4,3] = matmul(%vt, %pt)\n"
                       "  %y: f32[2,3,8] = move(%o) {move = [2@0, 3@3, 2@1, 4@2]}\n" RETURN,
                1);
}

/* One query for all images, a constant. */
static void test_constant_query(void **state)
{
    (void)state;
    pass_test *t = fused("symbols N 1..8\n"
                         "graph t(%k \"k\": f32[N,2,4,5], %v \"v\": f32[N,2,5,4]) {\n"
                         "  %q: f32[1,2,1,4] = const {bytes = noise 3 1}\n"
                         "  %s: f32[N,2,1,5] = matmul(%q, %k)\n"
                         "  %p: f32[N,2,1,5] = softmax(%s) {axis = 3}\n"
                         "  %o: f32[N,2,1,4] = matmul(%p, %v)\n"
                         "  return \"y\" %o\n}\n");
    assert_int_equal(pass_test_find(t, IR_ATTENTION)->input[0]->type.rank, 4);
    pass_test_free(t);
}

/* Heads outside the images: no attention has a number of heads that a run decides. */
static void test_heads_outside_images(void **state)
{
    (void)state;
    pass_test *t = fused("symbols N 1..8\n"
                         "graph t(%q \"q\": f32[2,N,3,4], %k \"k\": f32[2,N,4,5], %v \"v\": f32[2,N,5,4]) {\n"
                         "  %s: f32[2,N,3,5] = matmul(%q, %k)\n"
                         "  %p: f32[2,N,3,5] = softmax(%s) {axis = 3}\n"
                         "  %o: f32[2,N,3,4] = matmul(%p, %v)\n"
                         "  return \"y\" %o\n}\n");
    const ir_type *q = &pass_test_find(t, IR_ATTENTION)->input[0]->type;
    assert_true(dim_mentions(q->dim[0], 0) && dim_is_one(q->dim[2]));
    pass_test_free(t);
}

/* No batch, no heads: plain matrices. */
static void test_matrices(void **state)
{
    (void)state;
    pass_test *t = fused("graph t(%q \"q\": f32[3,4], %k \"k\": f32[4,5], %v \"v\": f32[5,6]) {\n"
                         "  %s: f32[3,5] = matmul(%q, %k)\n"
                         "  %p: f32[3,5] = softmax(%s) {axis = 1}\n"
                         "  %o: f32[3,6] = matmul(%p, %v)\n"
                         "  return \"y\" %o\n}\n");
    pass_test_free(t);
}

/* q, k and v as thirds of one linear's columns. */
static void test_packed(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,3,24]) {\n"
                    "  %qh: f32[2,2,3,4] = move(%x) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"
                    "  %kt: f32[2,2,4,3] = move(%x) {move = [2@0, 8@2, 3@1] +[0, 0, 8]}\n"
                    "  %vh: f32[2,2,3,4] = move(%x) {move = [2@0, 2@2*4, 3@1, 4@2] +[0, 0, 16]}\n"
                    "  %s: f32[2,2,3,3] = matmul(%qh, %kt)\n"
                    "  %p: f32[2,2,3,3] = softmax(%s) {axis = 3}\n"
                    "  %o: f32[2,2,3,4] = matmul(%p, %vh)\n"
                    "  %y: f32[2,3,8] = move(%o) {move = [2@0, 3@2, 2@1, 4@3]}\n" RETURN,
                    "fuse_attention dce",
                    "graph t(%x \"x\": f32[2,3,24]) {\n"
                    "  %1: f32[2,3,2,4] = move(%x) {move = [2@0, 3@1, 8@2]}\n"
                    "  %2: f32[2,3,2,4] = move(%x) {move = [2@0, 3@1, 8@2] +[0, 0, 8]}\n"
                    "  %3: f32[2,3,2,4] = move(%x) {move = [2@0, 3@1, 8@2] +[0, 0, 16]}\n"
                    "  %4: f32[2,3,2,4] = attention(%1, %2, %3) {scale = 1}\n"
                    "  %5: f32[2,3,8] = move(%4) {move = [2@0, 3@1, 2@2, 4@3]}\n"
                    "  return \"y\" %5\n}\n");
}

/* Keys and values repeated for two queries' heads each: attention's own. */
static void test_grouped_heads(void **state)
{
    (void)state;
#define GROUPED "graph t(%q \"q\": f32[2,3,16], %k \"k\": f32[2,5,8], %v \"v\": f32[2,5,8]) {\n"
    pass_test_check(GROUPED
                    "  %qh: f32[2,4,3,4] = move(%q) {move = [2@0, 4@2*4, 3@1, 4@2]}\n"
                    "  %kt: f32[2,4,4,5] = move(%k) {move = [2@0, 2@2*4, 2@_, 4@2, 5@1]}\n"
                    "  %vh: f32[2,4,5,4] = move(%v) {move = [2@0, 2@2*4, 2@_, 5@1, 4@2]}\n"
                    "  %s: f32[2,4,3,5] = matmul(%qh, %kt)\n"
                    "  %p: f32[2,4,3,5] = softmax(%s) {axis = 3}\n"
                    "  %o: f32[2,4,3,4] = matmul(%p, %vh)\n"
                    "  %y: f32[2,3,16] = move(%o) {move = [2@0, 3@2, 4@1, 4@3]}\n" RETURN,
                    "fuse_attention dce",
                    GROUPED
                    "  %1: f32[2,3,4,4] = move(%q) {move = [2@0, 3@1, 16@2]}\n"
                    "  %2: f32[2,5,2,4] = move(%k) {move = [2@0, 5@1, 8@2]}\n"
                    "  %3: f32[2,5,2,4] = move(%v) {move = [2@0, 5@1, 8@2]}\n"
                    "  %4: f32[2,3,4,4] = attention(%1, %2, %3) {scale = 1}\n"
                    "  %5: f32[2,3,16] = move(%4) {move = [2@0, 3@1, 4@2, 4@3]}\n"
                    "  return \"y\" %5\n}\n");
}

/* One query an image with batch and heads in one axis: heads and their size are one digit of its move. */
static void test_merged_heads_of_one_query(void **state)
{
    (void)state;
    pass_test *t = fused("graph t(%q \"q\": f32[2,1,8], %k \"k\": f32[2,5,8], %v \"v\": f32[2,5,8]) {\n"
                         "  %qh: f32[4,1,4] = move(%q) {move = [2@0, 8@2]}\n"
                         "  %kt: f32[4,4,5] = move(%k) {move = [2@0, 8@2, 5@1]}\n"
                         "  %vh: f32[4,5,4] = move(%v) {move = [2@0, 2@2*4, 5@1, 4@2]}\n"
                         "  %s: f32[4,1,5] = matmul(%qh, %kt)\n"
                         "  %p: f32[4,1,5] = softmax(%s) {axis = 2}\n"
                         "  %o: f32[4,1,4] = matmul(%p, %vh)\n"
                         "  return \"y\" %o\n}\n");
    const ir_type *q = &pass_test_find(t, IR_ATTENTION)->input[0]->type;
    static const int64_t shape[] = {2, 1, 2, 4};
    for (int i = 0; i < 4; i++) assert_true(dim_equal(q->dim[i], dim_of(shape[i])));
    pass_test_free(t);
}

/* ---- probabilities that others read ---- */

static void test_probabilities(void **state)
{
    (void)state;
    pass_test *t = fused(INPUTS SPLIT SCORES "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n" JOIN "  return \"y\" %y, \"p\" %p\n}\n");
    const ir_node *n = pass_test_find(t, IR_ATTENTION);
    assert_int_equal(n->outputs, 2);
    assert_ptr_equal(t->g->result[1].value, n->output[1]);
    pass_test_free(t);
    t = fused(INPUTS SPLIT SCORES "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n"
              "  %e: f32[2,2,3,5] = map(%p) {expr = exp(in0)}\n" JOIN "  return \"y\" %y, \"e\" %e\n}\n");
    assert_int_equal(pass_test_find(t, IR_ATTENTION)->outputs, 2);
    pass_test_free(t);
}

static void test_origins(void **state)
{
    (void)state;
    pass_test *t = fused(INPUTS SPLIT
                         "  %s: f32[2,2,3,5] = matmul(%qh, %kt)   # 1 'MatMul'\n"
                         "  %t: f32[2,2,3,5] = map(%s) {expr = mul(in0, 0.5)}   # 2 'Mul'\n"
                         "  %p: f32[2,2,3,5] = softmax(%t) {axis = 3}   # 3 'Softmax'\n"
                         "  %o: f32[2,2,3,4] = matmul(%p, %vh)   # 4 'MatMul_1'\n"
                         "  return \"y\" %o\n}\n");
    const ir_node *n = pass_test_find(t, IR_ATTENTION);
    static const char *const origin[] = {"1 'MatMul'", "2 'Mul'", "3 'Softmax'", "4 'MatMul_1'"};
    assert_int_equal(n->origins, 4);
    for (int i = 0; i < 4; i++) assert_string_equal(n->origin[i], origin[i]);
    pass_test_free(t);
}

/* ---- what stays ---- */

static void test_near_misses(void **state)
{
    (void)state;
    static const struct { const char *text, *reason; } misses[] = {
        {WHOLE("  %u: f32[2,2,3,5] = map(%s) {expr = tanh(in0)}\n"
               "  %t: f32[2,2,3,5] = map(%u) {expr = mul(in0, 30)}\n" PLAIN_SOFTMAX), "the scores are capped by tanh"},
        {WHOLE("  %c: f32[5] = const {bytes = noise 3 1}\n  %t: f32[2,2,3,5] = map(%s, %c) {expr = mul(in0, in1)}\n" PLAIN_SOFTMAX),
         "the scores are multiplied by what differs from key to key"},
        {WHOLE("  %t: f32[2,2,3,5] = map(%b, %s) {expr = select(in0, in1, -10000)}\n" PLAIN_SOFTMAX),
         "masked scores become a number that is not near the lowest float"},
        {WHOLE("  %p: f32[2,2,3,5] = softmax(%s) {axis = 1}\n"), "the softmax is over neither of the last two axes"},
        {WHOLE("  %p: f32[2,2,3,5] = softmax(%s) {axis = 2}\n"), "the softmax is not over the axis that the product with the values sums over"},
        {WHOLE("  %t: f32[2,2,3,5] = softmax(%s) {axis = 3}\n  %p: f32[2,2,3,5] = map(%t) {expr = mul(in0, in0)}\n"),
         "the probabilities are gated, blended with others or otherwise changed before they meet values"},
        {WHOLE("  %t: f32[2,2,3,5] = softmax(%s) {axis = 3}\n  %g: i64[3] = const {bytes = [2, 0, 1]}\n"
               "  %p: f32[2,2,3,5] = gather(%t, %g) {axis = 2}\n"),
         "the probabilities are no side of a product with values"},
        {WHOLE("  %t: f32[2,2,3,5] = map(%s, %m) {expr = add(in0, in1)}\n  %u: f32[2,2,3,5] = softmax(%t) {axis = 3}\n" GUARD("%u", "%p")
               "  %n: f32[2,2,3,5] = map(%u) {expr = exp(in0)}\n  %l: f32[2,2,3,5] = map(%n, %p) {expr = add(in0, in1)}\n"),
         "probabilities are read in front of their NaN guard too"},
        {"graph t(%q \"q\": f32[2,3,4], %k \"k\": f32[2,4,3], %v \"v\": f32[2,4,3]) {\n"
         "  %s: f32[2,3,3] = matmul(%q, %k)\n  %p: f32[2,3,3] = softmax(%s) {axis = 2}\n  %y: f32[2,4,3] = matmul(%v, %p)\n" RETURN,
         "the softmax is not over the axis that the product with the values sums over"},
        {"graph t(%s \"s\": f32[2,2,3,5], %vh \"v\": f32[2,2,5,4]) {\n"
         "  %p: f32[2,2,3,5] = softmax(%s) {axis = 3}\n" JOIN RETURN, "the scores are an input of the model"},
    };
    for (size_t i = 0; i < sizeof misses / sizeof *misses; i++) {
        pass_test *t = pass_test_new(misses[i].text, "fuse_attention");
        pass_test_expect(t, misses[i].text);
        assert_int_equal(t->report.found[FUSION_ATTENTION], 1);
        assert_int_equal(t->report.fused[FUSION_ATTENTION], 0);
        assert_int_equal(t->report.misses, 1);
        assert_string_equal(t->report.miss[0].reason, misses[i].reason);
        pass_test_free(t);
    }
}

/* A classifier's probabilities are no attention, and no near miss. */
static void test_classifier(void **state)
{
    (void)state;
    static const char text[] = "graph t(%x \"x\": f32[2,4]) {\n"
                               "  %w: f32[4,3] = const {bytes = noise 3 1}\n"
                               "  %l: f32[2,3] = linear(%x, %w, _)\n"
                               "  %y: f32[2,3] = softmax(%l) {axis = 1}\n" RETURN;
    pass_test *t = pass_test_new(text, "fuse_attention");
    pass_test_expect(t, text);
    assert_int_equal(t->report.found[FUSION_ATTENTION], 0);
    assert_int_equal(t->report.misses, 0);
    pass_test_free(t);
}

/* Neither are features weighed by a softmax of their own, with no product in front of it (CoaT's keys, VOLO's windows). */
static void test_weighed_features(void **state)
{
    (void)state;
    pass_test *t = pass_test_new("graph t(%x \"x\": f32[2,5,8], %v \"v\": f32[2,2,5,4]) {\n"
                                 "  %w: f32[8,8] = const {bytes = noise 1 0.5}\n"
                                 "  %l: f32[2,5,8] = linear(%x, %w, _)\n"
                                 "  %h: f32[2,2,4,5] = move(%l) {move = [2@0, 2@2*4, 4@2, 5@1]}\n"
                                 "  %p: f32[2,2,4,5] = softmax(%h) {axis = 3}\n"
                                 "  %y: f32[2,2,4,4] = matmul(%p, %v)\n"
                                 "  return \"y\" %y\n}\n", "fuse_attention");
    assert_int_equal(pass_test_count(t, IR_SOFTMAX), 1);
    assert_int_equal(t->report.found[FUSION_ATTENTION], 0);
    assert_int_equal(t->report.misses, 0);
    pass_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_scales), cmocka_unit_test(test_factor_of_heads), cmocka_unit_test(test_masks),
        cmocka_unit_test(test_shifts_cancel), cmocka_unit_test(test_mask_between_reshapes), cmocka_unit_test(test_causal),
        cmocka_unit_test(test_guard), cmocka_unit_test(test_attention_of_the_file), cmocka_unit_test(test_merged_heads),
        cmocka_unit_test(test_grouped_heads), cmocka_unit_test(test_merged_heads_of_one_query), cmocka_unit_test(test_keys_first),
        cmocka_unit_test(test_values_first),
        cmocka_unit_test(test_constant_query), cmocka_unit_test(test_heads_outside_images), cmocka_unit_test(test_matrices), cmocka_unit_test(test_packed), cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_origins), cmocka_unit_test(test_near_misses), cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_weighed_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
