/* simplify: text in, text out, with near misses beside matches. */
#include "pass_test.h"

#define X "%x \"x\": f32[2,3,4]"

/* ---- identities ---- */

static void test_identities(void **state)
{
    (void)state;
    static const char *const identity[] = {
        "map(%x, %zero) {expr = add(in0, in1)}", "map(%zero, %x) {expr = add(in0, in1)}", "map(%x, %zero) {expr = sub(in0, in1)}",
        "map(%x) {expr = mul(in0, 1)}", "map(%x) {expr = div(in0, 1)}", "map(%x) {expr = in0}", "map(%x) {expr = pow(in0, 1)}",
        "map(%true, %x, %z) {expr = select(in0, in1, in2)}", "pad(%x) {pads = [0, 0, 0, 0, 0, 0]}", "concat(%x) {axis = 1}",
        "move(%x) {move = [2@0, 3@1, 4@2]}",
    };
    for (size_t i = 0; i < sizeof identity / sizeof *identity; i++) {
        arena *a = arena_new();
        const char *text = arena_printf(a, "graph t(%%x \"x\": f32[2,3,4], %%z \"z\": f32[2,3,4]) {\n"
                                           "  %%zero: f32[1,4] = const {bytes = splat 0}\n"
                                           "  %%true: bool[1] = const {bytes = [1]}\n"
                                           "  %%a: f32[2,3,4] = %s\n"
                                           "  %%y: f32[2,3,4] = map(%%a) {expr = exp(in0)}\n"
                                           "  return \"y\" %%y\n}\n", identity[i]);
        pass_test_check(text, "simplify dce",
                        "graph t(" X ", %z \"z\": f32[2,3,4]) {\n  %y: f32[2,3,4] = map(%x) {expr = exp(in0)}\n  return \"y\" %y\n}\n");
        arena_free(a);
    }
}

static void test_not_identities(void **state)
{
    (void)state;
    static const char *const other[] = {
        "map(%zero, %x) {expr = sub(in0, in1)}",               /* -x */
        "map(%x, %tiny) {expr = add(in0, in1)}",
        "map(%x, %wide) {expr = add(in0, in1)}",               /* an element is not zero */
        "map(%one, %x) {expr = div(in0, in1)}",
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        arena *a = arena_new();
        const char *text = arena_printf(a, "graph t(%%x \"x\": f32[2,3,4]) {\n"
                                           "  %%zero: f32[] = const {bytes = [0]}\n"
                                           "  %%one: f32[] = const {bytes = [1]}\n"
                                           "  %%tiny: f32[] = const {bytes = [1e-30]}\n"
                                           "  %%wide: f32[4] = const {bytes = [0, 0, 0, 0.5]}\n"
                                           "  %%y: f32[2,3,4] = %s\n"
                                           "  return \"y\" %%y, \"a\" %%zero, \"b\" %%one, \"c\" %%tiny, \"d\" %%wide\n}\n", other[i]);
        pass_test_check(text, "simplify", text);
        arena_free(a);
    }
}

/* Adding zeros of another shape broadcasts: it is no identity, but what it broadcasts to stays the same function. */
static void test_broadcasting_zero(void **state)
{
    (void)state;
    static const char text[] = "graph t(%x \"x\": f32[3]) {\n"
                               "  %zero: f32[2,3] = const {bytes = splat 0}\n"
                               "  %y: f32[2,3] = map(%x, %zero) {expr = add(in0, in1)}\n"
                               "  return \"y\" %y\n}\n";
    pass_test_check(text, "simplify", text);
}

/* The mask of a dynamic batch: where(expand(true), 0, -3.4e38). */
static void test_mask_of_zeros(void **state)
{
    (void)state;
    pass_test_check("symbols N 1..16\n"
                    "graph t(%x \"x\": f32[N,2,3,3]) {\n"
                    "  %true: bool[] = const {bytes = [1]}\n"
                    "  %a: bool[N,1,3,3] = move(%true) {move = [N@_, 9@_]}\n"
                    "  %b: f32[N,1,3,3] = map(%a) {expr = select(in0, 0, -3.4028235e+38)}\n"
                    "  %y: f32[N,2,3,3] = map(%x, %b) {expr = add(in0, in1)}\n"
                    "  %z: f32[N,2,3,3] = softmax(%y) {axis = 3}\n"
                    "  return \"z\" %z\n}\n",
                    "simplify dce",
                    "symbols N 1..16\n"
                    "graph t(%x \"x\": f32[N,2,3,3]) {\n"
                    "  %z: f32[N,2,3,3] = softmax(%x) {axis = 3}\n"
                    "  return \"z\" %z\n}\n");
}

static void test_casts(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[3]) {\n"
                    "  %a: f64[3] = map(%x) {expr = convert(in0):f64}\n"
                    "  %b: f32[3] = map(%a) {expr = convert(in0)}\n"
                    "  %c: i32[3] = map(%b) {expr = convert(in0):i32}\n"
                    "  %y: f32[3] = map(%c) {expr = convert(in0)}\n"
                    "  return \"y\" %y\n}\n",
                    "simplify dce",
                    "graph t(%x \"x\": f32[3]) {\n"
                    "  %c: i32[3] = map(%x) {expr = convert(in0):i32}\n"
                    "  %y: f32[3] = map(%c) {expr = convert(in0)}\n"
                    "  return \"y\" %y\n}\n");
}

/* Whole numbers compared with one that their own type has; and such as must stay converted: one that it has not, other conversions, a broadcast. */
static void test_comparisons(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": i32[3], %z \"z\": i8[3]) {\n"
                    "  %a: i64[3] = map(%x) {expr = convert(in0):i64}\n"
                    "  %b: i32[3] = map(%z) {expr = convert(in0):i32}\n"
                    "  %one: i64[] = const {bytes = [1]}\n"
                    "  %ones: i64[3] = const {bytes = splat 1}\n"
                    "  %p: bool[3] = map(%a, %one) {expr = eq(in0, in1)}\n"
                    "  %q: bool[3] = map(%ones, %a) {expr = lt(in0, in1)}\n"
                    "  %r: bool[3] = map(%b) {expr = le(in0, -128:i32)}\n"
                    "  return \"p\" %p, \"q\" %q, \"r\" %r\n}\n",
                    "simplify merge_dup dce",
                    "graph t(%x \"x\": i32[3], %z \"z\": i8[3]) {\n"
                    "  %one: i32[] = const {bytes = [1]}\n"
                    "  %p: bool[3] = map(%x, %one) {expr = eq(in0, in1)}\n"
                    "  %q: bool[3] = map(%one, %x) {expr = lt(in0, in1)}\n"
                    "  %least: i8[] = const {bytes = [-128]}\n"
                    "  %r: bool[3] = map(%z, %least) {expr = le(in0, in1)}\n"
                    "  return \"p\" %p, \"q\" %q, \"r\" %r\n}\n");
    static const char *const stay[][3] = {
        { "i8[3]", "i64", "128" }, { "i8[3]", "i64", "-129" }, { "i64[3]", "i8", "1" }, { "u8[3]", "i64", "1" }, { "bool[3]", "i64", "1" }, { "i32[1]", "i64", "1" },
    };
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        arena *a = arena_new();
        const char *text = arena_printf(a, "graph t(%%x \"x\": %s) {\n"
                                           "  %%a: %s[%c] = map(%%x) {expr = convert(in0):%s}\n"
                                           "  %%b: %s[3] = const {bytes = splat %s}\n"
                                           "  %%y: bool[3] = map(%%a, %%b) {expr = eq(in0, in1)}\n"
                                           "  return \"y\" %%y\n}\n", stay[i][0], stay[i][1], stay[i][0][strlen(stay[i][0]) - 2], stay[i][1], stay[i][1], stay[i][2]);
        pass_test_check(text, "simplify", text);
        arena_free(a);
    }
}

/* ---- moves ---- */

static void test_moves_compose(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,3,8]) {\n"
                    "  %a: f32[2,3,2,4] = move(%x) {move = [2@0, 3@1, 8@2]}\n"
                    "  %b: f32[2,2,3,4] = move(%a) {move = [2@0, 2@2, 3@1, 4@3]}\n"
                    "  %c: f32[4,3,4] = move(%b) {move = [2@0, 2@1, 3@2, 4@3]}\n"
                    "  return \"b\" %b, \"c\" %c\n}\n",
                    "simplify dce",
                    "graph t(%x \"x\": f32[2,3,8]) {\n"
                    "  %b: f32[2,2,3,4] = move(%x) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"
                    "  %c: f32[4,3,4] = move(%x) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"
                    "  return \"b\" %b, \"c\" %c\n}\n");
}

/* Heads split and joined again: nothing is left. */
static void test_moves_cancel(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,3,8]) {\n"
                    "  %a: f32[2,2,3,4] = move(%x) {move = [2@0, 2@2*4, 3@1, 4@2]}\n"
                    "  %b: f32[2,3,8] = move(%a) {move = [2@0, 3@2, 2@1, 4@3]}\n"
                    "  %y: f32[2,3,8] = map(%b) {expr = exp(in0)}\n"
                    "  return \"y\" %y\n}\n",
                    "simplify dce",
                    "graph t(%x \"x\": f32[2,3,8]) {\n  %y: f32[2,3,8] = map(%x) {expr = exp(in0)}\n  return \"y\" %y\n}\n");
}

static void test_expand_in_front_of_map(void **state)
{
    (void)state;
    pass_test_check("graph t(" X ", %z \"z\": f32[1,4]) {\n"
                    "  %a: f32[2,3,4] = move(%z) {move = [6@_, 4@1]}\n"
                    "  %y: f32[2,3,4] = map(%x, %a) {expr = add(in0, in1)}\n"
                    "  return \"y\" %y\n}\n",
                    "simplify dce",
                    "graph t(" X ", %z \"z\": f32[1,4]) {\n"
                    "  %y: f32[2,3,4] = map(%x, %z) {expr = add(in0, in1)}\n"
                    "  return \"y\" %y\n}\n");
    static const char needed[] = "graph t(%z \"z\": f32[1,4]) {\n"      /* nothing else broadcasts */
                                 "  %a: f32[3,4] = move(%z) {move = [3@_, 4@1]}\n"
                                 "  %y: f32[3,4] = map(%a) {expr = exp(in0)}\n"
                                 "  return \"y\" %y\n}\n";
    pass_test_check(needed, "simplify", needed);
}

/* A linear over flattened rows between two reshapes, its bias behind them. */
static void test_flat_linear(void **state)
{
    (void)state;
    pass_test_check("graph t(" X ") {\n"
                    "  %w: f32[4,5] = const {bytes = noise 1 0.5}\n"
                    "  %c: f32[5] = const {bytes = noise 2 0.5}\n"
                    "  %a: f32[6,4] = move(%x) {move = [2@0, 3@1, 4@2]}\n"
                    "  %l: f32[6,5] = linear(%a, %w, _)\n"
                    "  %b: f32[2,3,5] = move(%l) {move = [6@0, 5@1]}\n"
                    "  %y: f32[2,3,5] = map(%c, %b) {expr = add(in0, in1)}\n"
                    "  return \"y\" %y\n}\n",
                    "simplify dce",
                    "graph t(" X ") {\n"
                    "  %w: f32[4,5] = const {bytes = noise 1 0.5}\n"
                    "  %c: f32[5] = const {bytes = noise 2 0.5}\n"
                    "  %y: f32[2,3,5] = linear(%x, %w, %c)\n"
                    "  return \"y\" %y\n}\n");
}

/* ---- biases ---- */

#define LINEAR "graph t(" X ") {\n  %w: f32[4,6] = const {bytes = noise 1 0.5}\n"

static void test_bias(void **state)
{
    (void)state;
    pass_test_check(LINEAR "  %l: f32[2,3,6] = linear(%x, %w, _)\n"
                    "  %b: f32[1,1,6] = const {bytes = [1, 2, 3, 4, 5, 6]}\n"
                    "  %y: f32[2,3,6] = map(%l, %b) {expr = add(in0, in1)}\n"
                    "  return \"y\" %y\n}\n",
                    "simplify fold_const dce",
                    LINEAR "  %b: f32[6] = const {bytes = [1, 2, 3, 4, 5, 6]}\n"
                    "  %y: f32[2,3,6] = linear(%x, %w, %b)\n"
                    "  return \"y\" %y\n}\n");
    pass_test_check(LINEAR "  %l: f32[2,3,6] = linear(%x, %w, _)\n"        /* behind the head split */
                    "  %h: f32[2,3,2,3] = move(%l) {move = [2@0, 3@1, 6@2]}\n"
                    "  %b: f32[2,3] = const {bytes = [1, 2, 3, 4, 5, 6]}\n"
                    "  %y: f32[2,3,2,3] = map(%h, %b) {expr = add(in0, in1)}\n"
                    "  return \"y\" %y\n}\n",
                    "simplify fold_const dce",
                    LINEAR "  %b: f32[6] = const {bytes = [1, 2, 3, 4, 5, 6]}\n"
                    "  %l: f32[2,3,6] = linear(%x, %w, %b)\n"
                    "  %y: f32[2,3,2,3] = move(%l) {move = [2@0, 3@1, 6@2]}\n"
                    "  return \"y\" %y\n}\n");
}

static void test_no_bias(void **state)
{
    (void)state;
    static const char table[] = LINEAR "  %l: f32[2,3,6] = linear(%x, %w, _)\n"                    /* differs from row to row */
                                "  %b: f32[3,6] = const {bytes = noise 3 0.5}\n"
                                "  %y: f32[2,3,6] = map(%l, %b) {expr = add(in0, in1)}\n"
                                "  return \"y\" %y\n}\n";
    pass_test_check(table, "simplify", table);
    static const char read_twice[] = LINEAR "  %l: f32[2,3,6] = linear(%x, %w, _)\n"
                                     "  %b: f32[6] = const {bytes = noise 3 0.5}\n"
                                     "  %y: f32[2,3,6] = map(%l, %b) {expr = add(in0, in1)}\n"
                                     "  return \"y\" %y, \"l\" %l\n}\n";
    pass_test_check(read_twice, "simplify", read_twice);
    static const char computed[] = "graph t(" X ", %b \"b\": f32[6]) {\n  %w: f32[4,6] = const {bytes = noise 1 0.5}\n"
                                   "  %l: f32[2,3,6] = linear(%x, %w, _)\n"
                                   "  %y: f32[2,3,6] = map(%l, %b) {expr = add(in0, in1)}\n"
                                   "  return \"y\" %y\n}\n";
    pass_test_check(computed, "simplify", computed);
}

/* ---- NaN guards ---- */

static const char *guarded(arena *a, const char *mask, const char *scores)
{
    return arena_printf(a, "graph t(%%q \"q\": f32[2,3,4], %%k \"k\": f32[2,4,3], %%m \"m\": f32[2,3,3]) {\n"
                           "  %%s: f32[2,3,3] = matmul(%%q, %%k)\n"
                           "  %%c: f32[3,3] = const {bytes = %s}\n"
                           "  %%t: f32[2,3,3] = %s\n"
                           "  %%p: f32[2,3,3] = softmax(%%t) {axis = 2}\n"
                           "  %%i: bool[2,3,3] = map(%%p) {expr = isnan(in0)}\n"
                           "  %%g: f32[2,3,3] = map(%%i, %%p) {expr = select(in0, 0, in1)}\n"
                           "  return \"y\" %%g, \"c\" %%c\n}\n", mask, scores);
}

static void test_guard(void **state)
{
    (void)state;
    arena *a = arena_new();
    static const struct { const char *mask, *scores; bool goes; } cases[] = {
        {"noise 1 0.5", "map(%s) {expr = mul(in0, 0.125)}", true},
        {"noise 1 0.5", "map(%s, %c) {expr = add(in0, in1)}", true},
        {"[0, -inf, -inf, 0, 0, -inf, 0, 0, 0]", "map(%s, %c) {expr = add(in0, in1)}", true},                       /* causal: each row keeps a key */
        {"[0, -3.4028235e+38, 0, 0, 0, 0, -3.4028235e+38, -3.4028235e+38, -3.4028235e+38]", "map(%s, %c) {expr = add(in0, in1)}", true},
        {"[0, -inf, -inf, -inf, -inf, -inf, 0, 0, 0]", "map(%s, %c) {expr = add(in0, in1)}", false},                 /* a row is empty */
        {"[0, nan, 0, 0, 0, 0, 0, 0, 0]", "map(%s, %c) {expr = add(in0, in1)}", false},
        {"noise 1 0.5", "map(%s, %m) {expr = add(in0, in1)}", false},                                                /* the mask is computed */
        {"noise 1 0.5", "map(%s) {expr = exp(in0)}", false},
        {"noise 1 0.5", "map(%s) {expr = mul(in0, 1e+30)}", false},
        {"noise 1 0.5", "map(%s) {expr = div(1, in0)}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pass_test *t = pass_test_new(guarded(a, cases[i].mask, cases[i].scores), "simplify");
        const ir_node *softmax = pass_test_find(t, IR_SOFTMAX);
        if (ir_is_result(softmax->output[0]) != cases[i].goes) fail_msg("case %zu", i);
        pass_test_free(t);
    }
    arena_free(a);
}

/* ---- patch convolutions ---- */

static const char *convolution(arena *a, const char *image, const char *attributes, const char *out, const char *tail)
{
    return arena_printf(a, "graph t(%%x \"x\": f32[%s]) {\n"
                           "  %%w: f32[5,3,2,2] = const {bytes = noise 1 0.5}\n"
                           "  %%b: f32[5] = const {bytes = noise 2 0.5}\n"
                           "  %%c: f32[%s] = conv(%%x, %%w, %%b) {%s}\n"
                           "%s}\n", image, out, attributes, tail);
}

static void test_patches(void **state)
{
    (void)state;
    arena *a = arena_new();
    static const char tokens[] = "  %y: f32[2,6,5] = move(%c) {move = [2@0, 2@2, 3@3, 5@1]}\n  return \"y\" %y\n";
    pass_test *t = pass_test_new(convolution(a, "2,3,4,6", "pads = [0, 0, 0, 0], strides = [2, 2], dilations = [1, 1], group = 1", "2,5,2,3", tokens),
                                 "simplify dce");
    pass_test_expect(t, "graph t(%x \"x\": f32[2,3,4,6]) {\n"
                        "  %w: f32[5,3,2,2] = const {bytes = noise 1 0.5}\n"
                        "  %b: f32[5] = const {bytes = noise 2 0.5}\n"
                        "  %p: f32[2,6,12] = move(%x) {move = [2@0, 2@2*2, 3@3*2, 3@1, 2@2, 2@3]}\n"
                        "  %k: f32[12,5] = move(%w) {move = [3@1, 2@2, 2@3, 5@0]}\n"
                        "  %y: f32[2,6,5] = linear(%p, %k, %b)\n"
                        "  return \"y\" %y\n}\n");
    pass_test_free(t);
    /* A column of pixels that no window reaches; the image transposed only. */
    static const char rows_last[] = "  %y: f32[2,2,3,5] = move(%c) {move = [2@0, 2@2, 3@3, 5@1]}\n  return \"y\" %y\n";
    t = pass_test_new(convolution(a, "2,3,4,7", "pads = [0, 0, 0, 0], strides = [2, 2], dilations = [1, 1], group = 1", "2,5,2,3", rows_last),
                      "simplify dce");
    assert_int_equal(pass_test_count(t, IR_CONV), 0);
    assert_int_equal(pass_test_count(t, IR_LINEAR), 1);
    pass_test_free(t);
    arena_free(a);
}

/* Zeros in front of a convolution are its pads; other numbers, channels of zeros and windows in zeros alone stay a pad. */
static void test_zeros_around(void **state)
{
    (void)state;
#define PADDED(more, pad, result, pads)                                                       \
    "graph t(%x \"x\": f32[2,3,4,6]) {\n"                                                      \
    "  %w: f32[5,3,3,3] = const {bytes = noise 1 0.5}\n" more                                 \
    pad "  %y: f32[" result "] = conv(%p, %w) {" pads ", strides = [2, 2], dilations = [1, 1], group = 1}\n  return \"y\" %y\n}\n"
    pass_test_check(PADDED("", "  %p: f32[2,3,5,8] = pad(%x) {pads = [0, 0, 0, 1, 0, 0, 1, 1]}\n", "2,5,2,4", "pads = [1, 0, 0, 1]"), "simplify dce",
                    "graph t(%x \"x\": f32[2,3,4,6]) {\n  %w: f32[5,3,3,3] = const {bytes = noise 1 0.5}\n"
                    "  %y: f32[2,5,2,4] = conv(%x, %w) {pads = [1, 1, 1, 2], strides = [2, 2], dilations = [1, 1], group = 1}\n"
                    "  return \"y\" %y\n}\n");
    static const char *const stay[] = {
        PADDED("  %c: f32[] = const {bytes = [1]}\n", "  %p: f32[2,3,5,8] = pad(%x, %c) {pads = [0, 0, 0, 1, 0, 0, 1, 1]}\n", "2,5,2,4",
               "pads = [1, 0, 0, 1]"),
        PADDED("", "  %p: f32[3,3,5,8] = pad(%x) {pads = [1, 0, 0, 1, 0, 0, 1, 1]}\n", "3,5,2,4", "pads = [1, 0, 0, 1]"),
        PADDED("", "  %p: f32[2,3,6,8] = pad(%x) {pads = [0, 0, 2, 1, 0, 0, 0, 1]}\n", "2,5,3,4", "pads = [1, 0, 0, 1]"),
    };
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) pass_test_check(stay[i], "simplify dce", stay[i]);
}

/* The least number around what a maximum is taken of is left out of it; other numbers, sums and maxima of padding alone stay. */
static void test_least_around(void **state)
{
    (void)state;
#define POOL(fill, pads, indices, kind)                                                       \
    "graph t(%x \"x\": f32[2,4,5]) {\n  %c: f32[] = const {bytes = [" fill "]}\n"               \
    "  %i: i64[3,2] = const {bytes = [" indices "]}\n"                                          \
    "  %p: f32[2,6,7] = pad(%x, %c) {pads = [" pads "]}\n"                                      \
    "  %y: f32[2,3,7] = resample(%p, %i) {axis = 1, kind = " kind "}\n  return \"y\" %y\n}\n"
    pass_test_check(POOL("-inf", "0, 1, 1, 0, 1, 1", "0, 1, 2, 3, 4, 5", "max"), "simplify dce",
                    "graph t(%x \"x\": f32[2,4,5]) {\n  %c: f32[] = const {bytes = [-inf]}\n"
                    "  %i: i64[3,2] = const {bytes = [0, 0, 1, 2, 3, 3]}\n"
                    "  %m: f32[2,3,5] = resample(%x, %i) {axis = 1, kind = max}\n"
                    "  %y: f32[2,3,7] = pad(%m, %c) {pads = [0, 0, 1, 0, 0, 1]}\n  return \"y\" %y\n}\n");
    static const char *const stay[] = {
        POOL("0", "0, 1, 1, 0, 1, 1", "0, 1, 2, 3, 4, 5", "max"),
        POOL("-inf", "0, 2, 1, 0, 0, 1", "0, 1, 2, 3, 4, 5", "max"),
    };
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) pass_test_check(stay[i], "simplify dce", stay[i]);
#undef POOL
}

static void test_other_convolutions(void **state)
{
    (void)state;
    arena *a = arena_new();
#define PLAIN "pads = [0, 0, 0, 0], strides = [2, 2], dilations = [1, 1], group = 1"
#define TOKENS(type, move) "  %y: f32[" type "] = move(%c) {move = [" move "]}\n  return \"y\" %y\n"
    static const char *const text[][4] = {
        {"2,3,4,6", "pads = [0, 0, 0, 0], strides = [2, 1], dilations = [1, 1], group = 1", "2,5,2,5", TOKENS("2,10,5", "2@0, 2@2, 5@3, 5@1")},
        {"2,3,4,6", "pads = [1, 1, 1, 1], strides = [2, 2], dilations = [1, 1], group = 1", "2,5,3,4", TOKENS("2,12,5", "2@0, 3@2, 4@3, 5@1")},
        {"2,3,4,6", "pads = [0, 0, 0, 0], strides = [2, 2], dilations = [2, 2], group = 1", "2,5,1,2", TOKENS("2,2,5", "2@0, 2@3, 5@1")},
        {"2,15,4,6", "pads = [0, 0, 0, 0], strides = [2, 2], dilations = [1, 1], group = 5", "2,5,2,3", TOKENS("2,6,5", "2@0, 2@2, 3@3, 5@1")},
        {"2,3,4,6", PLAIN, "2,5,2,3", "  %y: f32[2,5,2,3] = map(%c) {expr = exp(in0)}\n  return \"y\" %y\n"},      /* read by no move */
        {"2,3,4,6", PLAIN, "2,5,2,3", "  return \"y\" %c\n"},
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        const char *in = convolution(a, text[i][0], text[i][1], text[i][2], text[i][3]);
        pass_test_check(in, "simplify", in);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities), cmocka_unit_test(test_not_identities), cmocka_unit_test(test_broadcasting_zero),
        cmocka_unit_test(test_mask_of_zeros), cmocka_unit_test(test_casts), cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_moves_compose), cmocka_unit_test(test_moves_cancel), cmocka_unit_test(test_expand_in_front_of_map),
        cmocka_unit_test(test_flat_linear), cmocka_unit_test(test_bias), cmocka_unit_test(test_no_bias), cmocka_unit_test(test_guard),
        cmocka_unit_test(test_patches), cmocka_unit_test(test_zeros_around), cmocka_unit_test(test_least_around), cmocka_unit_test(test_other_convolutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
