/* Which steps stand in which phase, and what costs no step at all. */
#include <stdio.h>

#include "plan_cuts.h"
#include "passes/vit_text.h"

static void blocks_take_one_phase_each(void **state)
{
    (void)state;
    arena *a = arena_new();
    plan_test t = plan_test_fine(vit_text(a, 3, "  return \"y\" %x3\n}\n"), "");
    assert_string_equal(plan_test_words(&t, &t.plan->main),
                        "linear concat | norm linear linear linear | attention linear norm mlp norm linear linear linear | "
                        "attention linear norm mlp norm linear linear linear | attention linear norm mlp");
    check_panels(&t.plan->main, 50);
    check_heights(t.plan, &t.plan->main);
    assert_int_equal(t.plan->frame_bytes, t.plan->frame_bound);
    plan_test_free(&t);
    arena_free(a);
}

static void called_blocks_take_one_phase_each(void **state)
{
    (void)state;
    arena *a = arena_new();
    plan_test t = plan_test_fine(vit_text(a, 4, "  return \"y\" %x4\n}\n"), "dce transpose_keys roll");
    assert_int_equal(t.plan->functions, 1);
    const plan_scope *block = &t.plan->function[0];
    assert_string_equal(plan_test_words(&t, block), "attention linear norm mlp norm linear linear pad linear");
    check_panels(block, 50);
    check_panels(&t.plan->main, 50);
    assert_int_equal(t.plan->frame_bytes, t.plan->frame_bound);
    plan_test_free(&t);
    arena_free(a);
}

/* Queries, keys and values side by side in one linear: slices and reshapes are views, of 8 out of every 24 elements. */
static void packed_slices_cost_no_step(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("symbols N 1..64\ngraph g(%x: f32[N,6,8]) {\n"
                                 "  %w: f32[8,24] = const {bytes = noise 1 1}\n"
                                 "  %p: f32[N,6,24] = linear(%x, %w)\n"
                                 "  %a: f32[N,6,2,4] = move(%p) {move = [N@0, 6@1, 8@2]}\n"
                                 "  %b: f32[N,6,2,4] = move(%p) {move = [N@0, 6@1, 8@2] +[0, 0, 8]}\n"
                                 "  %c: f32[N,6,2,4] = move(%p) {move = [N@0, 6@1, 8@2] +[0, 0, 16]}\n"
                                 "  %y: f32[N,6,2,4] = attention(%a, %b, %c) {scale = 0.5}\n"
                                 "  return \"y\" %y\n}\n", "transpose_keys");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "linear pad | attention");
    const plan_value *linear = plan_test_value(&t, IR_LINEAR, 0), *q = plan_test_value(&t, IR_MOVE, 0), *v = plan_test_value(&t, IR_MOVE, 2);
    assert_true(q->view && q->base == linear && v->view && v->base == linear);
    assert_int_equal(q->offset, 0);
    assert_int_equal(v->offset, 16);
    assert_int_equal(v->row_elements, 8);
    assert_int_equal(v->row_stride, 24);
    const plan_tiles *tiles = t.plan->main.item[1].phase->step[0]->tiles;
    assert_int_equal(tiles[0].ldx, 24);
    assert_int_equal(t.plan->gemm[tiles[1].gemm].lda, 24);
    plan_test_free(&t);
}

/* The row of a token, once for each of four frames: there is only one in the storage. */
static void a_repeated_row_is_copied(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[1,6,8]) {\n"
                                 "  %a: f32[1,6,8] = map(%x) {expr = neg(in0)}\n"
                                 "  %r: f32[4,1,8] = move(%a) {move = [4@_, 8@2]}\n"
                                 "  %y: f32[4,1,8] = softmax(%r) {axis = 2}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_false(plan_test_value(&t, IR_MOVE, 0)->view);
    plan_test_free(&t);
}

static void parts_of_a_concatenation_are_made_in_place(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("symbols N 1..64\ngraph g(%x: f32[N,6,8]) {\n"
                                 "  %a: f32[N,6,8] = map(%x) {expr = neg(in0)}\n"
                                 "  %b: f32[N,6,8] = map(%x) {expr = relu(in0)}\n"
                                 "  %c: f32[N,12,8] = concat(%a, %b) {axis = 1}\n"
                                 "  %d: f32[N,12,8] = concat(%a, %a) {axis = 1}\n"
                                 "  return \"c\" %c, \"d\" %d\n}\n", "");
    const plan_value *a = plan_test_value(&t, IR_MAP, 0), *b = plan_test_value(&t, IR_MAP, 1), *c = plan_test_value(&t, IR_CONCAT, 0);
    const plan_value *d = plan_test_value(&t, IR_CONCAT, 1);
    assert_true(a->base == c && b->base == c && c->assembled);
    assert_int_equal(a->offset, 0);
    assert_int_equal(b->offset, 48);
    assert_true(d->base == d && !d->assembled);
    assert_string_equal(plan_test_words(&t, &t.plan->main), "map map | concat");   /* the second one; the first costs nothing */
    plan_test_free(&t);
}

/* What stands twice in a concatenation has one place only: it is copied. */
static void a_part_that_comes_twice_is_copied(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[1,6,8]) {\n"
                                 "  %a: f32[1,6,8] = map(%x) {expr = neg(in0)}\n"
                                 "  %c: f32[1,12,8] = concat(%a, %a) {axis = 1}\n"
                                 "  return \"c\" %c\n}\n", "");
    const plan_value *a = plan_test_value(&t, IR_MAP, 0);
    assert_true(a->base == a);
    assert_string_equal(plan_test_words(&t, &t.plan->main), "map | concat");
    plan_test_free(&t);
}

/* The axes before a concatenation's own are its rows. */
static void a_concatenation_within_rows_runs_by_panel(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[1,6,8], %w: f32[1,6,4]) {\n"
                                 "  %a: f32[1,6,8] = map(%x) {expr = neg(in0)}\n"
                                 "  %c: f32[1,6,12] = concat(%a, %w) {axis = 2}\n"
                                 "  %y: f32[1,6,12] = norm(%c) {kind = rms, axis = 2, epsilon = 1e-06}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "map concat norm");
    const plan_step *concat = t.plan->main.item[0].phase->step[1];
    assert_true(concat->rows == 6 && !concat->once && concat->aligned[0] && concat->aligned[1]);
    plan_test_free(&t);
}

/* A decoder's step: a head's part of the cache is put together, transposed and read in one panel. */
static void heads_of_one_query_take_one_phase(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%q: f32[1,1,12,8], %p: f32[1,12,9,8], %n: f32[1,12,1,8], %v: f32[1,12,10,8]) {\n"
                                 "  %c: f32[1,12,10,8] = concat(%p, %n) {axis = 2}\n"
                                 "  %a: f32[1,10,12,8] = move(%c) {move = [10@2, 12@1, 8@3]}\n"
                                 "  %b: f32[1,10,12,8] = move(%v) {move = [10@2, 12@1, 8@3]}\n"
                                 "  %y: f32[1,1,12,8] = attention(%q, %a, %b) {scale = 1}\n"
                                 "  return \"c\" %c, \"y\" %y\n}\n", "one_query transpose_keys");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "concat pad attention");
    assert_int_equal(t.plan->main.item[0].phase->rows, 12);
    plan_test_free(&t);
}

/* The transposition of keys and its padding are one step, by rows of what they read. */
static void keys_are_transposed_in_the_phase_that_makes_them(void **state)
{
    (void)state;
    arena *a = arena_new();
    plan_test t = plan_test_fine(vit_text(a, 1, "  return \"y\" %x1\n}\n"), "transpose_keys");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "linear concat | norm linear linear linear pad | attention linear norm mlp");
    const plan_step *pad = t.plan->main.item[1].phase->step[4];
    assert_true(pad->scattered && pad->aligned[0] && !pad->unit);
    assert_int_equal(pad->rows, 6);
    assert_int_equal(plan_value_of(&t.plan->main, pad->node->output[0])->shape[3], 32);
    plan_test_free(&t);
    arena_free(a);
}

/* Two images in one tensor: attention takes an image a panel, and rows of all else are those of both images. */
static void a_fixed_batch_is_more_rows(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[2,6,8], %t: f32[6,8]) {\n"
                                 "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                                 "  %l: f32[2,6,8] = linear(%x, %w)\n"
                                 "  %q: f32[2,6,2,4] = move(%l) {move = [2@0, 6@1, 8@2]}\n"
                                 "  %a: f32[2,6,2,4] = attention(%q, %q, %q) {scale = 0.5}\n"
                                 "  %j: f32[2,6,8] = move(%a) {move = [2@0, 6@1, 2@2, 4@3]}\n"
                                 "  %y: f32[2,6,8] = map(%j, %t) {expr = add(in0, in1)}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "linear | attention map");
    assert_int_equal(t.plan->main.item[0].phase->rows, 12);
    const plan_phase *f = t.plan->main.item[1].phase;
    assert_int_equal(f->rows, 2);
    assert_int_equal(f->panels, 2);
    assert_true(!f->step[0]->unit && f->step[0]->window == 6 && f->step[1]->unit);
    assert_int_equal(f->step[0]->tiles[0].cut.low, 6);
    plan_test_free(&t);
}

/* Windows [B, 6, 8] of B · 6 rows, attended to one by one, their keys transposed first. */
static const char *windows(arena *a, int count)
{
    return arena_printf(a, "graph g(%%x: f32[%d,8]) {\n"
                           "  %%w: f32[8,8] = const {bytes = noise 1 1}\n"
                           "  %%m: f32[%d,6,8] = move(%%x) {move = [%d@0, 6@0*%d, 8@1]}\n"
                           "  %%l: f32[%d,6,8] = linear(%%m, %%w)\n"
                           "  %%q: f32[%d,6,2,4] = move(%%l) {move = [%d@0, 6@1, 8@2]}\n"
                           "  %%t: f32[%d,2,4,6] = move(%%q) {move = [%d@0, 2@2, 4@3, 6@1]}\n"
                           "  %%k: f32[%d,2,4,32] = pad(%%t) {pads = [0, 0, 0, 0, 0, 0, 0, 26]}\n"
                           "  %%a: f32[%d,6,2,4] = attention(%%q, %%k, %%q) {scale = 0.5, transposed = 1}\n"
                           "  %%j: f32[%d,6,8] = move(%%a) {move = [%d@0, 6@1, 2@2, 4@3]}\n"
                           "  %%y: f32[%d,6,8] = linear(%%j, %%w)\n"
                           "  return \"y\" %%y\n}\n",
                        6 * count, count, count, count, count, count, count, count, count, count, count, count, count, count);
}

/* Many windows take one phase, some windows a panel, and nothing but the result is in the frame; a few do not share out well and take three. */
static void windows_take_one_phase(void **state)
{
    (void)state;
    static const struct { int count; const char *words; int rows, panels; } cases[] = {
        { 64, "move linear pad attention linear", 64, 2 },
        { 16, "move linear pad attention linear", 16, 1 },
        { 15, "move linear | pad attention | linear", 90, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena *a = arena_new();
        plan_test t = plan_test_fine(windows(a, cases[i].count), "");
        const plan_phase *f = t.plan->main.item[0].phase;
        assert_string_equal(plan_test_words(&t, &t.plan->main), cases[i].words);
        assert_int_equal(f->rows, cases[i].rows);
        assert_int_equal(f->panels, cases[i].panels);
        if (t.plan->main.items == 1) assert_int_equal(t.plan->frame_bytes, cases[i].count * 6 * 8 * 4);
        plan_test_free(&t);
        arena_free(a);
    }
}

/* A phase of one row makes all windows at once: what takes them one by one does not join it. */
static void windows_do_not_join_a_whole(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[2,6,8], %a: f32[2,1,1,6], %b: f32[6,6]) {\n"
                                 "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                                 "  %m: f32[2,1,6,6] = map(%a, %b) {expr = add(in0, in1)}\n"
                                 "  %l: f32[2,6,8] = linear(%x, %w)\n"
                                 "  %q: f32[2,6,2,4] = move(%l) {move = [2@0, 6@1, 8@2]}\n"
                                 "  %t: f32[2,2,4,6] = move(%q) {move = [2@0, 2@2, 4@3, 6@1]}\n"
                                 "  %k: f32[2,2,4,32] = pad(%t) {pads = [0, 0, 0, 0, 0, 0, 0, 26]}\n"
                                 "  %y: f32[2,6,2,4] = attention(%q, %k, %q, %m) {scale = 0.5, transposed = 1}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "map linear | pad attention");
    assert_int_equal(t.plan->main.item[0].phase->rows, 1);
    assert_int_equal(t.plan->main.item[1].phase->rows, 2);
    plan_test_free(&t);
}

/* What does not depend on the last phase joins the one before. */
static void a_step_may_join_the_phase_before(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[1,100,8], %z: f32[1,100,8]) {\n"
                                 "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                                 "  %a: f32[1,100,8] = linear(%x, %w)\n"
                                 "  %s: f32[1,1,8] = reduce(%a) {kind = sum, axes = [1], keep = 1}\n"
                                 "  %b: f32[1,100,8] = linear(%a, %w)\n"
                                 "  %y: f32[1,100,8] = map(%b, %s) {expr = add(in0, in1)}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "linear linear | reduce | map");
    plan_test_free(&t);
}

/* Moments are taken of a layer's rows while they are near, a run at a time; what they are joined to waits for all, and what reads that for it. */
static void moments_join_the_phase(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[1,30,40,8]) {\n"
                                 "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                                 "  %a: f32[1,30,40,8] = linear(%x, %w)\n"
                                 "  %m: f32[1,20,2,8] = moments(%a) {count = 20}\n"
                                 "  %j: f32[1,2,1,8] = join_moments(%m) {epsilon = 1e-05, group = 2}\n"
                                 "  %f: f32[1,1,1,8] = move(%j) {move = [8@3] +[0, 1, 0, 0]}\n"
                                 "  %b: f32[1,30,40,8] = map(%a, %f) {expr = mul(in0, in1)}\n"
                                 "  %y: f32[1,30,40,8] = linear(%b, %w)\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "linear moments | join_moments | map linear");
    const plan_phase *f = t.plan->main.item[0].phase;
    assert_int_equal(f->rows, 20);
    assert_int_equal(f->step[0]->rows, 1200);
    assert_int_equal(f->step[1]->window, 60);
    assert_int_equal(f->panel_rows, 3);   /* 180 of the layer's */
    check_panels(&t.plan->main, 200);
    plan_test_free(&t);
}

/* Operands that repeat in one way make slabs; those that repeat in two ways are read as a whole. */
static void broadcasting_decides_the_rows(void **state)
{
    (void)state;
    static const char *const text = "graph g(%%x: f32[3,4,5,8], %%a: f32[%s], %%b: f32[%s]) {\n"
                                    "  %%y: f32[3,4,5,8] = map(%%x, %%a, %%b) {expr = add(add(in0, in1), in2)}\n  return \"y\" %%y\n}\n";
    static const struct { const char *a, *b; int rows; bool unit, aligned; } cases[] = {
        { "8", "1", 60, false, false }, { "3,4,5,1", "8", 60, false, true }, { "5,8", "5,1", 12, true, false },
        { "4,5,8", "1,4,5,1", 3, true, false }, { "5,8", "4,5,8", 1, true, false }, { "3,1,1,8", "8", 1, true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line, text, cases[i].a, cases[i].b);
        plan_test t = plan_test_fine(line, "");
        const plan_step *s = t.plan->main.item[0].phase->step[0];
        assert_int_equal(s->rows, cases[i].rows);
        assert_int_equal(s->unit, cases[i].unit);
        assert_true(s->aligned[0]);
        assert_int_equal(s->aligned[1], cases[i].aligned);
        plan_test_free(&t);
    }
}

/* A step of many rows would run on one thread in a phase of one row; one of few rows is not worth a barrier. */
static void short_phases_do_not_take_long_steps(void **state)
{
    (void)state;
    static const struct { int rows; const char *words; } cases[] = { { 20, "reduce map" }, { 400, "reduce | map" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        const int n = cases[i].rows;
        snprintf(text, sizeof text, "graph g(%%x: f32[1,%d,8,2]) {\n  %%r: f32[1,%d,8,1] = reduce(%%x) {kind = mean, axes = [3], keep = 1}\n"
                                    "  %%y: f32[1,%d,8,1] = map(%%r) {expr = neg(in0)}\n  return \"y\" %%y\n}\n", n / 4, n / 4, n / 4);
        plan_test t = plan_test_fine(text, "");
        assert_string_equal(plan_test_words(&t, &t.plan->main), cases[i].words);
        plan_test_free(&t);
    }
}

/* A step after a phase that writes part of what it reads waits for the barrier, even if the first part was made long before. */
static void the_last_part_counts(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[1,6,8]) {\n"
                                 "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                                 "  %a: f32[1,6,8] = linear(%x, %w)\n"
                                 "  %s: f32[1,6,8] = softmax(%a) {axis = 1}\n"
                                 "  %b: f32[1,6,8] = map(%s) {expr = neg(in0)}\n"
                                 "  %c: f32[1,12,8] = concat(%a, %b) {axis = 1}\n"
                                 "  %y: f32[1,12,8] = softmax(%c) {axis = 2}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "linear | softmax map | softmax");
    plan_test_free(&t);
}

static void what_cannot_be_planned_is_refused(void **state)
{
    (void)state;
    const char *call = "graph g(%x: f32[2,8]) {\n  %y: f32[2,8] = call(%x) {function = f}\n  return \"y\" %y\n}\n";
    char text[1024];
    snprintf(text, sizeof text, "function f(%%x: f32[2,8]) {\n  return \"y\" %%x\n}\n%s", call);
    plan_test_refused(text, STATUS_CODEGEN, "result is a parameter");
    snprintf(text, sizeof text, "function h(%%x: f32[2,8]) {\n  %%y: f32[2,8] = map(%%x) {expr = neg(in0)}\n  return \"y\" %%y\n}\n"
                                "function f(%%x: f32[2,8]) {\n  %%y: f32[2,8] = call(%%x) {function = h}\n  return \"y\" %%y\n}\n%s", call);
    plan_test_refused(text, STATUS_CODEGEN, "calls another");
    plan_test_refused("function f(%x: f32[2,8]) {\n  %y: f32[2,8] = map(%x) {expr = neg(in0)}\n  return \"y\" %y, \"z\" %y\n}\n"
                      "graph g(%x: f32[2,8]) {\n"
                      "  %y: f32[2,8], %z: f32[2,8] = call(%x) {function = f}\n"
                      "  return \"y\" %y\n}\n", STATUS_CODEGEN, "twice");
    plan_test_refused("function f(%x: f32[8]) {\n  %y: f32[8] = map(%x) {expr = neg(in0)}\n  return \"y\" %y\n}\n"
                      "graph g(%x: f32[8]) {\n"
                      "  %c: f32[8] = const {bytes = noise 1 1}\n"
                      "  %y: f32[8] = call(%x) {function = f}\n"
                      "  %z: f32[8] = call(%c) {function = f}\n"
                      "  %s: f32[8] = map(%y, %z) {expr = add(in0, in1)}\n  return \"s\" %s\n}\n", STATUS_CODEGEN, "some calls only");
    plan_test_refused("graph g(%x: f32[2,6,8], %e: f32[2,1,8]) {\n  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                      "  %y: f32[2,6,8] = linear(%x, %w, _, %e) {epilogue = add(in0, in1)}\n  return \"y\" %y\n}\n", STATUS_CODEGEN, "in the middle");
    plan_test_refused("graph g(%x: f32[4611686018427387904,8]) {\n"
                      "  %y: f32[4611686018427387904,8] = map(%x) {expr = neg(in0)}\n"
                      "  return \"y\" %y\n}\n", STATUS_CODEGEN, "2^31");
}

/* Truth values take a byte, doubles eight. */
static void bytes_are_those_of_the_type(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f64[4,8]) {\n  %s: f64[8] = reduce(%x) {kind = sum, axes = [0], keep = 0}\n"
                                 "  %b: bool[4,8] = map(%x, %s) {expr = lt(in0, in1)}\n  return \"s\" %s, \"b\" %b\n}\n", "");
    assert_int_equal(plan_value_of(&t.plan->main, t.graph->result[0].value)->bytes, 64);
    assert_int_equal(plan_value_of(&t.plan->main, t.graph->result[1].value)->bytes, 32);
    assert_int_equal(t.plan->frame_bytes, 2 * PLAN_ALIGN);
    plan_test_free(&t);
}

/* What has no elements takes no step and no room; a sum over nothing does. */
static void nothing_takes_no_step(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[3,0]) {\n  %n: f32[3,0] = map(%x) {expr = neg(in0)}\n"
                                 "  %y: f32[3] = reduce(%n) {kind = sum, axes = [1], keep = 0}\n  return \"n\" %n, \"y\" %y\n}\n", "");
    assert_string_equal(plan_test_words(&t, &t.plan->main), "reduce");
    assert_in_range(t.plan->frame_bytes, 12, 64);
    plan_test_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_take_one_phase_each), cmocka_unit_test(called_blocks_take_one_phase_each),
        cmocka_unit_test(packed_slices_cost_no_step), cmocka_unit_test(a_repeated_row_is_copied),
        cmocka_unit_test(parts_of_a_concatenation_are_made_in_place), cmocka_unit_test(a_part_that_comes_twice_is_copied),
        cmocka_unit_test(a_concatenation_within_rows_runs_by_panel), cmocka_unit_test(heads_of_one_query_take_one_phase),
        cmocka_unit_test(keys_are_transposed_in_the_phase_that_makes_them), cmocka_unit_test(a_fixed_batch_is_more_rows),
        cmocka_unit_test(windows_take_one_phase), cmocka_unit_test(windows_do_not_join_a_whole),
        cmocka_unit_test(a_step_may_join_the_phase_before), cmocka_unit_test(moments_join_the_phase),
        cmocka_unit_test(broadcasting_decides_the_rows), cmocka_unit_test(short_phases_do_not_take_long_steps),
        cmocka_unit_test(the_last_part_counts), cmocka_unit_test(what_cannot_be_planned_is_refused),
        cmocka_unit_test(bytes_are_those_of_the_type), cmocka_unit_test(nothing_takes_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
