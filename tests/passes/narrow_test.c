/* narrow: results stay equal, and only the rows that are read are computed. */
#include "ir/flop.h"
#include "vit_text.h"

static void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

/* "[2,1,8]", of v with N = 2. */
static const char *shape_of(const pass_test *t, const ir_value *v)
{
    strbuf b = strbuf_in(t->arena);
    for (int i = 0; i < v->type.rank; i++)
        strbuf_printf(&b, "%s%lld", i ? "," : "[", (long long)dim_evaluate(v->type.dim[i], (const int64_t[8]){2, 2, 2, 2, 2, 2, 2, 2}));
    strbuf_add(&b, "]");
    return b.text;
}

/* The last node with the operator. */
static const ir_node *last_of(const pass_test *t, ir_op op)
{
    const ir_node *found = NULL;
    for (const ir_node *n = t->g->first; n; n = n->next)
        if (n->op == op) found = n;
    assert_non_null(found);
    return found;
}

static pass_test *vit(int blocks, const char *tail)
{
    arena *a = arena_new();
    pass_test *t = pass_test_new(vit_text(a, blocks, tail), "narrow");
    arena_free(a);
    return t;
}

#define HEAD                                                                            \
    "  %wh: f32[8,3] = const {bytes = noise 7 1}\n"                                     \
    "  %nf: f32[N,6,8] = norm(%x2) {kind = layer, axis = 2, epsilon = 1e-06}\n"

static void class_token(void **state)
{
    (void)state;
    pass_test *t = vit(2, HEAD "  %c: f32[N,8] = move(%nf) {move = [N@0, 8@2]}\n  %y: f32[N,3] = linear(%c, %wh)\n  return \"y\" %y\n}\n");
    assert_string_equal(shape_of(t, last_of(t, IR_NORM)->output[0]), "[2,1,8]");
    assert_string_equal(shape_of(t, last_of(t, IR_MLP)->output[0]), "[2,1,8]");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_MLP)->output[0]), "[2,6,8]");
    const ir_node *attention = last_of(t, IR_ATTENTION);
    assert_string_equal(shape_of(t, attention->output[0]), "[2,1,2,4]");
    assert_string_equal(shape_of(t, attention->input[1]), "[2,6,2,4]");
    assert_string_equal(shape_of(t, ir_producer(attention->input[0], IR_MOVE)->input[0]), "[2,1,8]");
    /* final norm, the last block's q, attention, projection, norm, mlp */
    assert_int_equal(t->report.narrowed, 6);
    double saved = 5 * (2 * 64. + 2 * 6 * 16 + 2 * 64 + 2 * 256);
    assert_near(t->report.narrowed_flop, saved, 0);
    assert_near(t->report.total_flop, 5 * 2 * 64 + 2 * 6 * (4 * 2 * 64 + 2 * 6 * 16 + 2 * 256) + 2 * 24, 0);
    assert_near(ir_flop_of_graph(t->g), t->report.total_flop - saved, 0);
    pass_test_free(t);
}

static void gathered_class_token(void **state)
{
    (void)state;
    pass_test *t = vit(2, HEAD "  %i: i64[] = const {bytes = [-6]}\n  %c: f32[N,8] = gather(%nf, %i) {axis = 1}\n"
            "  %y: f32[N,3] = linear(%c, %wh)\n  return \"y\" %y\n}\n");
    assert_string_equal(shape_of(t, last_of(t, IR_MLP)->output[0]), "[2,1,8]");
    pass_test_free(t);
}

static void two_tokens_are_the_union(void **state)
{
    (void)state;
    const char *tail = HEAD "  %c: f32[N,8] = move(%nf) {move = [N@0, 8@2]}\n  %d: f32[N,8] = move(%nf) {move = [N@0, 8@2] +[0, 4, 0]}\n"
                            "  %s: f32[N,8] = map(%c, %d) {expr = add(in0, in1)}\n  %y: f32[N,3] = linear(%s, %wh)\n  return \"y\" %y, \"d\" %d\n}\n";
    pass_test *t = vit(2, tail);
    assert_string_equal(shape_of(t, last_of(t, IR_NORM)->output[0]), "[2,2,8]");
    assert_string_equal(shape_of(t, last_of(t, IR_MLP)->output[0]), "[2,2,8]");
    pass_test_free(t);
}

static void three_rows_at_odd_distances(void **state)
{
    (void)state;
    pass_test *t = vit(2, HEAD "  %i: i64[4] = const {bytes = [5, 0, 2, 0]}\n  %c: f32[N,4,8] = gather(%nf, %i) {axis = 1}\n"
                               "  %d: f32[N,2,8] = move(%nf) {move = [N@0, 2@1*-2, 8@2] +[0, 2, 0]}\n"
                               "  %y: f32[N,4,3] = linear(%c, %wh)\n  return \"y\" %y, \"d\" %d\n}\n");
    assert_string_equal(shape_of(t, last_of(t, IR_MLP)->output[0]), "[2,3,8]");
    assert_int_equal(pass_test_count(t, IR_GATHER), 3);   /* the reader's, and the rows of residual stream and queries: 0, 2, 5 are no progression */
    pass_test_free(t);
}

static void concat_is_split(void **state)
{
    (void)state;
    pass_test *t = vit(0, "  %s: f32[N,6,8] = map(%x0) {expr = tanh(in0)}\n  %c: f32[N,2,8] = move(%s) {move = [N@0, 2@1, 8@2] +[0, 1, 0]}\n"
            "  return \"c\" %c\n}\n");
    assert_int_equal(pass_test_count(t, IR_CONCAT), 0);
    assert_string_equal(shape_of(t, pass_test_find(t, IR_LINEAR)->output[0]), "[2,2,8]");
    pass_test_free(t);
    t = vit(0, "  %s: f32[N,6,8] = map(%x0) {expr = tanh(in0)}\n  %c: f32[N,2,8] = move(%s) {move = [N@0, 2@1, 8@2]}\n  return \"c\" %c\n}\n");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_CONCAT)->output[0]), "[2,2,8]");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_LINEAR)->output[0]), "[2,1,8]");
    pass_test_free(t);
}

static void operators_by_row(void **state)
{
    (void)state;
    pass_test *t = pass_test_new("symbols N 1..64\n"
        "graph t(%x: f32[N,6,8], %m: f32[6,6], %k: f32[N,6,2,4]) {\n"
        "  %row: f32[6,1] = const {bytes = noise 1 1}\n"
        "  %w: f32[8,8] = const {bytes = noise 2 1}\n"
        "  %a: f32[N,6,8] = map(%x, %row) {expr = mul(tanh(in0), in1)}\n"
        "  %b: f32[N,6,8] = softmax(%a) {axis = 2}\n"
        "  %c: f32[N,6,8] = matmul(%b, %w)\n"
        "  %q: f32[N,6,2,4] = move(%c) {move = [N@0, 6@1, 8@2]}\n"
        "  %t: f32[N,6,2,4] = attention(%q, %k, %k, %m) {scale = 0.5}\n"
        "  %s: f32[N,6,2] = reduce(%t) {kind = max, axes = [3], keep = 0}\n"
        "  %y: f32[N,2,2] = move(%s) {move = [N@0, 2@1*3, 2@2] +[0, 1, 0]}\n"
        "  return \"y\" %y\n}\n", "narrow");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_SOFTMAX)->output[0]), "[2,2,8]");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_MATMUL)->output[0]), "[2,2,8]");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_ATTENTION)->input[3]), "[2,6]");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_REDUCE)->output[0]), "[2,2,2]");
    assert_int_equal(t->report.narrowed, 5);
    pass_test_free(t);
}

#define PACKED_HEAD                                                                     \
    "symbols N 1..64\n"                                                                 \
    "graph t(%x: f32[N,6,8]) {\n"                                                       \
    "  %w: f32[8,24] = const {bytes = noise 2 1}\n"                                     \
    "  %b: f32[24] = const {bytes = noise 3 1}\n"                                       \
    "  %l: f32[N,6,24] = linear(%x, %w, %b)\n"                                          \
    "  %q: f32[N,6,2,4] = move(%l) {move = [N@0, 6@1, 8@2]}\n"
#define PACKED_TAIL                                                                     \
    "  %v: f32[N,6,2,4] = move(%l) {move = [N@0, 6@1, 8@2] +[0, 0, 16]}\n"              \
    "  %a: f32[N,6,2,4] = attention(%q, %k, %v) {scale = 0.5}\n"                        \
    "  %y: f32[N,8] = move(%a) {move = [N@0, 2@2, 4@3] +[0, 3, 0, 0]}\n"

static void packed_queries_are_split_off(void **state)
{
    (void)state;
    pass_test *t = pass_test_new(PACKED_HEAD "  %k: f32[N,6,2,4] = move(%l) {move = [N@0, 6@1, 8@2] +[0, 0, 8]}\n" PACKED_TAIL
                                 "  return \"y\" %y\n}\n", "narrow");
    const ir_node *attention = pass_test_find(t, IR_ATTENTION);
    for (int i = 0; i < 3; i++) {
        const ir_node *linear = ir_producer(ir_producer(attention->input[i], IR_MOVE)->input[0], IR_LINEAR);
        assert_string_equal(shape_of(t, linear->output[0]), i == 0 ? "[2,1,8]" : "[2,6,8]");
    }
    assert_near(t->report.narrowed_flop, 5 * (2 * 64 + 2 * 6 * 16), 0);
    pass_test_free(t);
    /* keys that share columns with the queries; a result */
    t = pass_test_new(PACKED_HEAD "  %k: f32[N,6,2,4] = move(%l) {move = [N@0, 6@1, 8@2] +[0, 0, 4]}\n" PACKED_TAIL "  return \"y\" %y\n}\n",
                      "narrow");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_LINEAR)->output[0]), "[2,6,24]");
    pass_test_free(t);
    t = pass_test_new(PACKED_HEAD "  %k: f32[N,6,2,4] = move(%l) {move = [N@0, 6@1, 8@2] +[0, 0, 8]}\n" PACKED_TAIL
                      "  return \"y\" %y, \"l\" %l\n}\n", "narrow");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_LINEAR)->output[0]), "[2,6,24]");
    pass_test_free(t);
}

/* The linear computes all its rows. */
static void expect_whole(const char *text)
{
    pass_test *t = pass_test_new(text, "narrow");
    assert_string_equal(shape_of(t, last_of(t, IR_LINEAR)->output[0]), "[2,6,8]");
    pass_test_free(t);
}

#define NEAR_HEAD                                                                       \
    "symbols N 1..64\n"                                                                 \
    "graph t(%x: f32[N,6,8]) {\n"                                                       \
    "  %w: f32[8,8] = const {bytes = noise 2 1}\n"                                      \
    "  %l: f32[N,6,8] = linear(%x, %w)\n"
#define FIRST_ROW "  %y: f32[N,8] = move(%s) {move = [N@0, 8@2]}\n  return \"y\" %y\n}\n"

static void near_misses(void **state)
{
    (void)state;
    /* a result keeps its rows */
    expect_whole(NEAR_HEAD "  %y: f32[N,8] = move(%l) {move = [N@0, 8@2]}\n  return \"y\" %y, \"l\" %l\n}\n");
    /* another reader takes all */
    expect_whole(NEAR_HEAD "  %y: f32[N,8] = move(%l) {move = [N@0, 8@2]}\n  %r: f32[N,8] = reduce(%l) {kind = mean, axes = [1], keep = 0}\n"
            "  return \"y\" %y, \"r\" %r\n}\n");
    /* readers that take more than half together */
    expect_whole(NEAR_HEAD "  %y: f32[N,2,8] = move(%l) {move = [N@0, 2@1, 8@2]}\n  %z: f32[N,2,8] = move(%l) {move = [N@0, 2@1, 8@2] +[0, 4, 0]}\n"
                           "  return \"y\" %y, \"z\" %z\n}\n");
    /* readers along different axes */
    expect_whole(NEAR_HEAD "  %y: f32[N,8] = move(%l) {move = [N@0, 8@2]}\n  %z: f32[N,6,2] = move(%l) {move = [N@0, 6@1, 2@2]}\n"
            "  return \"y\" %y, \"z\" %z\n}\n");
    /* operators that mix rows */
    expect_whole(NEAR_HEAD "  %s: f32[N,6,8] = softmax(%l) {axis = 1}\n" FIRST_ROW);
    expect_whole(NEAR_HEAD "  %s: f32[N,6,8] = norm(%l) {kind = layer, axis = 1, epsilon = 1e-06}\n" FIRST_ROW);
    /* rows that are dealt out over several axes, or wrap round */
    expect_whole(NEAR_HEAD "  %d: f32[N,3,2,8] = move(%l) {move = [N@0, 6@1, 8@2]}\n  %s: f32[N,3,2,8] = map(%d) {expr = tanh(in0)}\n"
                           "  %y: f32[N,2,8] = move(%s) {move = [N@0, 2@2, 8@3] +[0, 1, 0, 0]}\n  return \"y\" %y\n}\n");
    expect_whole(NEAR_HEAD "  %s: f32[N,6,8] = move(%l) {move = [N@0, 6@1, 8@2] +[0, 2, 0] %[0, 6, 0]}\n" FIRST_ROW);
    /* causal: which keys a query sees depends on its number */
    pass_test *t = pass_test_new("symbols N 1..64\ngraph t(%q: f32[N,6,2,4]) {\n"
            "  %a: f32[N,6,2,4] = attention(%q, %q, %q) {scale = 0.5, causal = 1}\n"
                                 "  %y: f32[N,2,4] = move(%a) {move = [N@0, 2@2, 4@3] +[0, 3, 0, 0]}\n  return \"y\" %y\n}\n", "narrow");
    assert_string_equal(shape_of(t, pass_test_find(t, IR_ATTENTION)->output[0]), "[2,6,2,4]");
    assert_int_equal(t->report.narrowed, 0);
    pass_test_free(t);
}

/* Rows of what is padded: of the padding alone, of both, of what is between. */
static void padding(void **state)
{
    (void)state;
    static const struct { const char *move, *pads, *rows; } of[] = {
        {"[N@0, 8@2]", NULL, NULL}, {"[N@0, 8@2] +[0, 9, 0]", NULL, NULL},
        {"[N@0, 8@2] +[0, 3, 0]", NULL, "[2,1,8]"}, {"[N@0, 3@1, 8@2]", "0, 2, 0, 0, 0, 0", "[2,1,8]"},
        {"[N@0, 4@1, 8@2] +[0, 6, 0]", "0, 0, 0, 0, 2, 0", "[2,2,8]"},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        arena *a = arena_new();
        const int rows = i < 3 ? 1 : i == 3 ? 3 : 4;
        pass_test *t = pass_test_new(arena_printf(a, "symbols N 1..64\ngraph t(%%x \"x\": f32[N,6,8]) {\n  %%two: f32[] = const {bytes = [2]}\n"
                                                     "  %%e: f32[N,6,8] = map(%%x) {expr = exp(in0)}\n"
                                                     "  %%p: f32[N,10,8] = pad(%%e, %%two) {pads = [0, 2, 0, 0, 2, 0]}\n"
                                                     "  %%c: f32[N,%d,8] = move(%%p) {move = %s}\n"
                                                     "  %%y: f32[N,%d,8] = map(%%c) {expr = neg(in0)}\n  return \"y\" %%y\n}\n", rows, of[i].move, rows), "narrow");
        assert_int_equal(pass_test_count(t, IR_PAD), of[i].pads != NULL);
        if (of[i].pads) {
            const ir_attribute *pads = ir_find(pass_test_find(t, IR_PAD), KEY_PADS);
            for (int k = 0; k < 6; k++) assert_int_equal(pads->list.item[k], of[i].pads[3 * k] - '0');
        }
        if (of[i].rows) assert_string_equal(shape_of(t, pass_test_find(t, IR_MAP)->output[0]), of[i].rows);
        else assert_int_equal(pass_test_count(t, IR_MAP), 1);
        pass_test_free(t);
        arena_free(a);
    }
}

/* A mask that has numbers for all rows but the first, which is all that is read; and one that has them for it too. */
static void mask_of_other_rows(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        arena *a = arena_new();
        pass_test *t = pass_test_new(arena_printf(a, "graph t(%%q \"q\": f32[2,6,2,4], %%k \"k\": f32[2,7,2,4], %%m \"m\": f32[2,2,5,6]) {\n"
                                                     "  %%e: f32[2,2,5,6] = map(%%m) {expr = exp(in0)}\n"
                                                     "  %%p: f32[2,2,6,7] = pad(%%e) {pads = [0, 0, %d, 1, 0, 0, %d, 0]}\n"
                                                     "  %%a: f32[2,6,2,4] = attention(%%q, %%k, %%k, %%p) {scale = 0.5}\n"
                                                     "  %%y: f32[2,2,4] = move(%%a) {move = [2@0, 2@2, 4@3]}\n  return \"y\" %%y\n}\n", !first, first), "narrow");
        assert_int_equal(pass_test_find(t, IR_ATTENTION)->inputs, first ? 4 : 3);
        assert_int_equal(pass_test_count(t, IR_MAP), first);
        assert_string_equal(shape_of(t, pass_test_find(t, IR_ATTENTION)->output[0]), "[2,1,2,4]");
        pass_test_free(t);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_token),
        cmocka_unit_test(gathered_class_token),
        cmocka_unit_test(two_tokens_are_the_union),
        cmocka_unit_test(three_rows_at_odd_distances),
        cmocka_unit_test(concat_is_split),
        cmocka_unit_test(operators_by_row),
        cmocka_unit_test(packed_queries_are_split_off),
        cmocka_unit_test(padding),
        cmocka_unit_test(mask_of_other_rows),
        cmocka_unit_test(near_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
