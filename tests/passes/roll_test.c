/* roll: equal blocks become calls of one function, whose inlining restores the graph. */
#include "vit_text.h"

static pass_test *vit(int blocks, const char *tail)
{
    arena *a = arena_new();
    pass_test *t = pass_test_new(vit_text(a, blocks, tail), "roll");
    arena_free(a);
    return t;
}

static int nodes_of(const ir_graph *g, ir_op op)
{
    int count = 0;
    for (const ir_node *n = g->first; n; n = n->next) count += n->op == op;
    return count;
}

/* Inlining all calls leaves the operators of `text`, the same results, and what rolls into the same graph again. */
static void expect_restored(pass_test *t, const char *text)
{
    pass_test plain = {.arena = t->arena, .diag = t->diag}, other = plain;
    plain.g = pass_test_parse(&plain, text);
    other.g = ir_clone(t->g, t->arena);
    for (ir_node *n = other.g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == IR_CALL) assert_true(ir_inline_call(n, t->diag));
    }
    ir_sweep(other.g);
    assert_true(ir_verify(other.g, t->diag));
    assert_int_equal(other.g->functions, 0);
    for (int op = 0; op < IR_OP_COUNT; op++) assert_int_equal(nodes_of(other.g, (ir_op)op), nodes_of(plain.g, (ir_op)op));
    pass_test_same(t, plain.g, other.g, 1e-12);
    pass_test_run(&other, "roll");
    assert_string_equal(pass_test_canonical(t->arena, other.g), pass_test_canonical(t->arena, t->g));
}

#define RETURN_LAST "  %z: f32[N,6,8] = norm(%x5) {kind = rms, axis = 2, epsilon = 1e-06}\n  return \"z\" %z\n}\n"

static void blocks_start_at_their_attention(void **state)
{
    (void)state;
    pass_test *t = vit(5, RETURN_LAST);
    assert_int_equal(t->report.functions, 1);
    assert_int_equal(t->report.rolled, 4);
    assert_int_equal(t->g->functions, 1);
    assert_string_equal(t->g->function[0]->name, "encoder_block");
    const ir_graph *f = t->g->function[0];
    assert_int_equal(f->first->op, IR_ATTENTION);
    assert_int_equal(nodes_of(f, IR_LINEAR), 4);
    assert_int_equal(nodes_of(f, IR_MLP), 1);
    assert_int_equal(nodes_of(f, IR_NORM), 2);
    assert_int_equal(nodes_of(f, IR_CONST), 0);
    assert_int_equal(pass_test_count(t, IR_CALL), 4);
    /* the first block's norm and queries, keys, values; the last block's rest */
    assert_int_equal(pass_test_count(t, IR_NORM), 3);
    assert_int_equal(pass_test_count(t, IR_ATTENTION), 1);
    assert_int_equal(pass_test_count(t, IR_MLP), 1);
    /* queries, keys, values and the residual stream, then constants; the same come out */
    for (int i = 0; i < f->parameters; i++) assert_int_equal(f->parameter[i].value->type.rank > 2, i < 4);
    assert_int_equal(f->parameters, 4 + 5 + 1 + 6);
    assert_int_equal(f->results, 4);
    /* both blocks' origins */
    assert_int_equal(pass_test_find(t, IR_CALL)->origins, 2);
    assert_int_equal(f->first->origins, 4);
    arena *a = arena_new();
    expect_restored(t, vit_text(a, 5, RETURN_LAST));
    arena_free(a);
    pass_test_free(t);
}

/* Steps of a decoder: what makes a query's keys, and reads the cache for them, is in its attention's block. */
static void keys_of_one_query_are_in_its_block(void **state)
{
    (void)state;
    enum { BLOCKS = 5 };
    arena *a = arena_new();
    strbuf text = strbuf_in(a);
    strbuf_add(&text, "graph t(%x0: f32[1,1,8]");
    for (int i = 0; i < BLOCKS; i++) strbuf_printf(&text, ", %%p%d: f32[1,4,8]", i);
    strbuf_add(&text, ") {\n");
    for (int i = 0; i < BLOCKS; i++) {
        for (int k = 0; k < 3; k++) strbuf_printf(&text, "  %%w%d%d: f32[8,8] = const {bytes = noise %d 1}\n", i, k, 3 * i + k + 1);
        strbuf_printf(&text, "  %%q%d: f32[1,1,8] = linear(%%x%d, %%w%d0)\n  %%r%d: f32[1,1,2,4] = move(%%q%d) {move = [8@2]}\n", i, i, i, i, i);
        strbuf_printf(&text, "  %%n%d: f32[1,1,8] = linear(%%x%d, %%w%d1)\n  %%c%d: f32[1,5,8] = concat(%%p%d, %%n%d) {axis = 1}\n", i, i, i, i, i, i);
        strbuf_printf(&text, "  %%k%d: f32[1,5,2,4] = move(%%c%d) {move = [5@1, 8@2]}\n", i, i);
        strbuf_printf(&text, "  %%a%d: f32[1,1,2,4] = attention(%%r%d, %%k%d, %%k%d) {scale = 0.5}\n", i, i, i, i);
        strbuf_printf(&text, "  %%b%d: f32[1,1,8] = move(%%a%d) {move = [2@2, 4@3]}\n", i, i);
        strbuf_printf(&text, "  %%x%d: f32[1,1,8] = linear(%%b%d, %%w%d2, _, %%x%d) {epilogue = add(in0, in1)}\n", i + 1, i, i, i);
    }
    strbuf_printf(&text, "  return \"y\" %%x%d\n}\n", BLOCKS);
    pass_test *t = pass_test_new(text.text, "roll");
    const ir_graph *f = t->g->function[0];
    assert_in_range(t->report.rolled, BLOCKS - 1, BLOCKS);
    assert_int_equal(f->results, 1);
    assert_int_equal(nodes_of(f, IR_ATTENTION), 1);
    assert_int_equal(nodes_of(f, IR_CONCAT), 1);
    expect_restored(t, text.text);
    pass_test_free(t);
    arena_free(a);
}

static void file_order_has_no_part(void **state)
{
    (void)state;
    /* the second attention's keys are made before its queries */
    const char *text =
        "symbols N 1..64\n"
        "graph t(%x: f32[N,4,8]) {\n"
        "  %u1: f32[8,8] = const {bytes = noise 1 1}\n  %d1: f32[8,8] = const {bytes = noise 2 1}\n"
        "  %u2: f32[8,8] = const {bytes = noise 3 1}\n  %d2: f32[8,8] = const {bytes = noise 4 1}\n"
        "  %u3: f32[8,8] = const {bytes = noise 5 1}\n  %d3: f32[8,8] = const {bytes = noise 6 1}\n"
        "  %a1: f32[N,4,8] = linear(%x, %u1)\n  %b1: f32[N,4,8] = linear(%x, %d1)\n  %x1: f32[N,4,8] = map(%a1, %b1) {expr = mul(in0, in1)}\n"
        "  %b2: f32[N,4,8] = linear(%x1, %d2)\n  %a2: f32[N,4,8] = linear(%x1, %u2)\n  %x2: f32[N,4,8] = map(%a2, %b2) {expr = mul(in0, in1)}\n"
        "  %a3: f32[N,4,8] = linear(%x2, %u3)\n  %b3: f32[N,4,8] = linear(%x2, %d3)\n  %x3: f32[N,4,8] = map(%a3, %b3) {expr = mul(in0, in1)}\n"
        "  return \"y\" %x3\n}\n";
    pass_test *t = pass_test_new(text, "roll");
    assert_int_equal(t->report.rolled, 3);
    assert_string_equal(t->g->function[0]->name, "block");
    assert_int_equal(t->g->function[0]->parameters, 3);
    assert_int_equal(t->g->function[0]->results, 1);
    expect_restored(t, text);
    pass_test_free(t);
}

static void taps_are_results(void **state)
{
    (void)state;
    pass_test *t = vit(4, "  return \"z\" %x4, \"h2\" %x2, \"y1\" %y1, \"h0\" %x0\n}\n");
    const ir_graph *f = t->g->function[0];
    assert_int_equal(t->report.rolled, 3);
    assert_int_equal(f->results, 5);          /* y of the first call alone is read, but all blocks have it */
    assert_int_equal(nodes_of(f, IR_ATTENTION), 1);
    const ir_node *call = pass_test_find(t, IR_CALL);
    int read = 0;
    for (int i = 0; i < call->outputs; i++) read += call->output[i]->uses > 0 || ir_is_result(call->output[i]);
    assert_int_equal(read, 4);
    pass_test_free(t);
}

static void narrowed_block_stays_outside(void **state)
{
    (void)state;
    arena *a = arena_new();
    pass_test *t = pass_test_new(vit_text(a, 4, "  %y: f32[N,8] = move(%x4) {move = [N@0, 8@2]}\n  return \"y\" %y\n}\n"), "narrow roll");
    assert_int_equal(t->report.rolled, 2);
    assert_int_equal(pass_test_count(t, IR_ATTENTION), 2);
    pass_test_free(t);
    arena_free(a);
}

/* A chain of maps and linears; block i multiplies by what `factor` names. */
static const char *chain(arena *a, const char *const *line, int lines)
{
    strbuf b = strbuf_in(a);
    strbuf_add(&b, "graph t(%x0: f32[4,8], %p: f32[4,8], %q: f32[4,8]) {\n");
    for (int i = 0; i < 8; i++) strbuf_printf(&b, "  %%w%d: f32[8,8] = const {bytes = noise %d 0.5}\n", i, i + 1);
    for (int i = 0; i < lines; i++) strbuf_add(&b, line[i]);
    return b.text;
}

static void period_of_two_blocks(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *const line[] = {
        "  %a: f32[4,8] = linear(%x0, %w0) {epilogue = tanh(in0)}\n  %b: f32[4,8] = linear(%a, %w1) {epilogue = gelu(in0)}\n",
        "  %c: f32[4,8] = linear(%b, %w2) {epilogue = tanh(in0)}\n  %d: f32[4,8] = linear(%c, %w3) {epilogue = gelu(in0)}\n",
        "  %e: f32[4,8] = linear(%d, %w4) {epilogue = tanh(in0)}\n  %f: f32[4,8] = linear(%e, %w5) {epilogue = gelu(in0)}\n  return \"f\" %f\n}\n",
    };
    pass_test *t = pass_test_new(chain(a, line, 3), "roll");
    assert_int_equal(t->report.rolled, 3);
    assert_int_equal(nodes_of(t->g->function[0], IR_LINEAR), 2);
    pass_test_free(t);
    arena_free(a);
}

static void two_runs_two_functions(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *const line[] = {
        "  %a: f32[4,8] = linear(%x0, %w0) {epilogue = tanh(in0)}\n  %b: f32[4,8] = linear(%a, %w1)\n",
        "  %c: f32[4,8] = linear(%b, %w2) {epilogue = tanh(in0)}\n  %d: f32[4,8] = linear(%c, %w3)\n  %s: f32[4,8] = softmax(%d) {axis = 1}\n",
        "  %e: f32[4,8] = linear(%s, %w4) {epilogue = gelu(in0)}\n  %f: f32[4,8] = linear(%e, %w5, _, %p) {epilogue = add(in0, in1)}\n",
        "  %g: f32[4,8] = linear(%f, %w4) {epilogue = gelu(in0)}\n  %h: f32[4,8] = linear(%g, %w6, _, %p) {epilogue = add(in0, in1)}\n",
        "  return \"h\" %h\n}\n",
    };
    pass_test *t = pass_test_new(chain(a, line, 5), "roll");
    assert_int_equal(t->g->functions, 2);
    assert_string_equal(t->g->function[0]->name, "block");
    assert_string_equal(t->g->function[1]->name, "block_2");
    assert_int_equal(pass_test_count(t, IR_CALL), 4);
    pass_test_free(t);
    arena_free(a);
}

static void expect_not_rolled(const char *const *line, int lines)
{
    arena *a = arena_new();
    pass_test *t = pass_test_new(chain(a, line, lines), "roll");
    assert_int_equal(t->report.rolled, 0);
    assert_int_equal(t->g->functions, 0);
    pass_test_free(t);
    arena_free(a);
}

static void near_misses(void **state)
{
    (void)state;
    /* another attribute */
    expect_not_rolled((const char *const[]){
        "  %a: f32[4,8] = linear(%x0, %w0) {epilogue = mul(in0, 0.5)}\n  %b: f32[4,8] = linear(%a, %w1)\n",
        "  %c: f32[4,8] = linear(%b, %w2) {epilogue = mul(in0, 0.25)}\n  %d: f32[4,8] = linear(%c, %w3)\n  return \"d\" %d\n}\n"}, 2);
    /* other shapes */
    expect_not_rolled((const char *const[]){
        "  %n: f32[8,4] = const {bytes = noise 9 1}\n  %m: f32[4,8] = const {bytes = noise 10 1}\n",
        "  %a: f32[4,8] = linear(%x0, %w0) {epilogue = tanh(in0)}\n  %b: f32[4,8] = linear(%a, %w1)\n",
        "  %c: f32[4,4] = linear(%b, %n) {epilogue = tanh(in0)}\n  %d: f32[4,8] = linear(%c, %m)\n  return \"d\" %d\n}\n"}, 3);
    /* no bias in one */
    expect_not_rolled((const char *const[]){
        "  %k: f32[8] = const {bytes = noise 9 1}\n  %a: f32[4,8] = linear(%x0, %w0, %k) {epilogue = tanh(in0)}\n  %b: f32[4,8] = linear(%a, %w1)\n",
        "  %c: f32[4,8] = linear(%b, %w2) {epilogue = tanh(in0)}\n  %d: f32[4,8] = linear(%c, %w3)\n  return \"d\" %d\n}\n"}, 2);
    /* wired otherwise: the residual is the block's own value, or the block before's */
    expect_not_rolled((const char *const[]){
        "  %a: f32[4,8] = linear(%x0, %w0) {epilogue = tanh(in0)}\n  %b: f32[4,8] = linear(%a, %w1, _, %a) {epilogue = add(in0, in1)}\n",
        "  %c: f32[4,8] = linear(%b, %w2) {epilogue = tanh(in0)}\n  %d: f32[4,8] = linear(%c, %w3, _, %b) {epilogue = add(in0, in1)}\n"
        "  return \"d\" %d\n}\n"}, 2);
    /* one product a block */
    expect_not_rolled((const char *const[]){
        "  %a: f32[4,8] = linear(%x0, %w0)\n  %b: f32[4,8] = softmax(%a) {axis = 1}\n",
        "  %c: f32[4,8] = linear(%b, %w2)\n  %d: f32[4,8] = softmax(%c) {axis = 1}\n  return \"d\" %d\n}\n"}, 2);
    /* side by side, not one after another */
    expect_not_rolled((const char *const[]){
        "  %a: f32[4,8] = linear(%x0, %w0) {epilogue = tanh(in0)}\n  %b: f32[4,8] = linear(%a, %w1)\n",
        "  %c: f32[4,8] = linear(%p, %w2) {epilogue = tanh(in0)}\n  %d: f32[4,8] = linear(%c, %w3)\n  return \"b\" %b, \"d\" %d\n}\n"}, 2);
}

static void parameters_of_their_own(void **state)
{
    (void)state;
    /* what every block reads stays one parameter; what each reads of its own, two parameters of the graph, is another */
    arena *a = arena_new();
    const char *const line[] = {
        "  %a: f32[4,8] = linear(%x0, %w0, _, %p) {epilogue = mul(in0, in1)}\n  %b: f32[4,8] = linear(%a, %w1, _, %p) {epilogue = add(in0, in1)}\n",
        "  %c: f32[4,8] = linear(%b, %w0, _, %q) {epilogue = mul(in0, in1)}\n  %d: f32[4,8] = linear(%c, %w2, _, %p) {epilogue = add(in0, in1)}\n"
        "  return \"d\" %d\n}\n",
    };
    pass_test *t = pass_test_new(chain(a, line, 2), "roll");
    assert_int_equal(t->report.rolled, 2);
    assert_int_equal(t->g->function[0]->parameters, 5);
    pass_test_free(t);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_start_at_their_attention),
        cmocka_unit_test(keys_of_one_query_are_in_its_block),
        cmocka_unit_test(file_order_has_no_part),
        cmocka_unit_test(taps_are_results),
        cmocka_unit_test(narrowed_block_stays_outside),
        cmocka_unit_test(period_of_two_blocks),
        cmocka_unit_test(two_runs_two_functions),
        cmocka_unit_test(near_misses),
        cmocka_unit_test(parameters_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
