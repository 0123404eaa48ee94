/* Graphs that treat every image by itself are planned for one image; those that mix images are refused with E311. */
#include <stdio.h>

#include "plan_test.h"

static const char *graph(char *to, size_t size, const char *body, const char *result)
{
    snprintf(to, size, "symbols N 1..64\ngraph g(%%x: f32[N,6,8]) {\n%s  return \"y\" %%%s\n}\n", body, result);
    return to;
}

static void accepted(const char *body, const char *result, int64_t elements)
{
    char text[2048];
    plan_test t = plan_test_fine(graph(text, sizeof text, body, result), "");
    assert_int_equal(t.plan->batch_symbol, 0);
    assert_int_equal(plan_value_of(&t.plan->main, t.graph->result[0].value)->elements, elements);
    plan_test_free(&t);
}

static void refused(const char *body, const char *result, const char *word)
{
    char text[2048];
    plan_test_refused(graph(text, sizeof text, body, result), STATUS_MIXED_BATCH, word);
}

static void operators_of_one_image_are_accepted(void **state)
{
    (void)state;
    accepted("  %y: f32[N,6,8] = norm(%x) {kind = layer, axis = 2, epsilon = 1e-06}\n", "y", 48);
    accepted("  %y: f32[N,3,2,8] = moments(%x) {count = 3}\n", "y", 48);
    accepted("  %m: f32[N,3,2,8] = moments(%x) {count = 3}\n  %y: f32[N,2,1,8] = join_moments(%m) {epsilon = 1e-06, group = 4}\n", "y", 16);
    accepted("  %y: f32[N,48] = move(%x) {move = [N@0, 6@1, 8@2]}\n", "y", 48);
    accepted("  %y: f32[N,8,6] = move(%x) {move = [N@0, 8@2, 6@1]}\n", "y", 48);
    accepted("  %y: f32[N,1,8] = move(%x) {move = [N@0, 8@2]}\n", "y", 8);
    accepted("  %y: f32[N,8] = reduce(%x) {kind = mean, axes = [1], keep = 0}\n", "y", 8);
    accepted("  %i: i64[2] = const {bytes = [0, 5]}\n  %y: f32[N,2,8] = gather(%x, %i) {axis = 1}\n", "y", 16);
    accepted("  %y: f32[N,8,9] = pad(%x) {pads = [0, 1, 0, 0, 1, 1]}\n", "y", 72);
    accepted("  %o: f32[] = const {bytes = [1]}\n  %c: f32[6,N] = move(%o) {move = [6*N@_]}\n  %t: f32[6,N] = move(%x) {move = [6@1, N@0]}\n"
             "  %s: f32[6,N] = map(%c, %t) {expr = add(in0, in1)}\n  %y: f32[N,6] = move(%s) {move = [N@1, 6@0]}\n", "y", 6);
    accepted("  %b: f32[N,6,5] = move(%x) {move = [N@0, 6@1, 5@2]}\n  %s: f32[N,2,6] = move(%x) {move = [N@0, 2@2, 6@1]}\n"
             "  %o: i64[N,2,6] = topk(%s) {kind = largest, count = 6}\n"
             "  %y: i64[N,2,3] = suppress(%b, %s, %o) {count = 3, limit = 0.5}\n", "y", 6);
    accepted("  %y: f32[N,12,8] = concat(%x, %x) {axis = 1}\n", "y", 96);
    accepted("  %y: f32[N,6,8] = softmax(%x) {axis = 1}\n", "y", 48);
    accepted("  %t: f32[N,8,6] = move(%x) {move = [N@0, 8@2, 6@1]}\n  %y: f32[N,6,6] = matmul(%x, %t)\n", "y", 36);
    accepted("  %w: f32[8,3] = const {bytes = noise 1 1}\n  %f: f32[N,8] = move(%x) {move = [N@0, 8@2]}\n  %y: f32[N,3] = matmul(%f, %w)\n", "y", 3);
}

static void the_class_token_is_expanded(void **state)
{
    (void)state;
    accepted("  %t: f32[1,1,8] = const {bytes = noise 1 1}\n"
             "  %c: f32[N,1,8] = move(%t) {move = [N@_, 8@2]}\n"
             "  %y: f32[N,7,8] = concat(%c, %x) {axis = 1}\n", "y", 56);
}

/* Exporters before scaled dot products were operators merge images and heads into one axis: [N, 6, 2, 4] to [2 N, 6, 4] and back. */
static void merged_images_and_heads_are_accepted(void **state)
{
    (void)state;
    accepted("  %h: f32[2*N,6,4] = move(%x) {move = [N@0, 2@2*4, 6@1, 4@2]}\n"
             "  %t: f32[2*N,4,6] = move(%h) {move = [2*N@0, 4@2, 6@1]}\n"
             "  %s: f32[2*N,6,6] = matmul(%h, %t)\n"
             "  %p: f32[2*N,6,6] = softmax(%s) {axis = 2}\n"
             "  %o: f32[2*N,6,4] = matmul(%p, %h)\n"
             "  %y: f32[N,6,8] = move(%o) {move = [N@0*2, 6@1, 2@0, 4@2]}\n", "y", 48);
}

/* Attention of torch.nn has rows outside images, [6, N, 8], and its last layer reads both as one axis, [6 N, 8]. */
static void rows_outside_images_are_accepted(void **state)
{
    (void)state;
    accepted("  %t: f32[6,N,8] = move(%x) {move = [6@1, N@0, 8@2]}\n  %f: f32[6*N,8] = move(%t) {move = [6@0, N@1, 8@2]}\n"
             "  %w: f32[8,8] = const {bytes = noise 1 1}\n  %l: f32[6*N,8] = linear(%f, %w)\n"
             "  %b: f32[6,N,8] = move(%l) {move = [6*N@0, 8@1]}\n  %y: f32[N,6,8] = move(%b) {move = [N@1, 6@0, 8@2]}\n", "y", 48);
    accepted("  %t: f32[6,N,8] = move(%x) {move = [6@1, N@0, 8@2]}\n  %h: f32[6,2*N,4] = move(%t) {move = [6@0, N@1, 8@2]}\n"
             "  %f: f32[12*N,4] = move(%h) {move = [6@0, 2*N@1, 4@2]}\n  %e: f32[12*N,4] = map(%f) {expr = neg(in0)}\n"
             "  %b: f32[6,N,8] = move(%e) {move = [12*N@0, 4@1]}\n  %y: f32[N,6,8] = move(%b) {move = [N@1, 6@0, 8@2]}\n", "y", 48);
}

/* Two views in one batch, one behind the other: each of them is a part above the images. */
static void batches_behind_one_another_are_accepted(void **state)
{
    (void)state;
    accepted("  %n: f32[N,6,8] = map(%x) {expr = neg(in0)}\n  %c: f32[2*N,6,8] = concat(%x, %n) {axis = 0}\n  %s: f32[2*N,6,8] = softmax(%c) {axis = 2}\n"
             "  %p: f32[2,N,6,8] = move(%s) {move = [2*N@0, 6@1, 8@2]}\n  %y: f32[N,6,8] = move(%p) {move = [N@1, 6@2, 8@3] +[1, 0, 0, 0]}\n", "y", 48);
    accepted("  %t: f32[6,N,8] = move(%x) {move = [6@1, N@0, 8@2]}\n  %f: f32[6*N,8] = move(%t) {move = [6@0, N@1, 8@2]}\n"
             "  %l: f32[N,8] = move(%x) {move = [N@0, 8@2]}\n  %c: f32[7*N,8] = concat(%f, %l) {axis = 0}\n  %s: f32[7*N,8] = softmax(%c) {axis = 1}\n"
             "  %y: f32[7,N,8] = move(%s) {move = [7*N@0, 8@1]}\n", "y", 56);
    refused("  %c: f32[2*N,6,8] = concat(%x, %x) {axis = 0}\n  %y: f32[N,2,6,8] = move(%c) {move = [2*N@0, 6@1, 8@2]}\n", "y", "cuts through images");
}

static void a_head_of_merged_images_and_heads_is_accepted(void **state)
{
    (void)state;
    accepted("  %h: f32[2*N,6,4] = move(%x) {move = [N@0, 2@2*4, 6@1, 4@2]}\n"
             "  %y: f32[N,6,4] = move(%h) {move = [N@0*2, 6@1, 4@2] +[1, 0, 0]}\n", "y", 24);
}

/* Heads outside images: each image's elements lie apart, yet no operator mixes them, and the way back brings them together. */
static void heads_outside_images_are_accepted(void **state)
{
    (void)state;
    accepted("  %h: f32[2,N,6,4] = move(%x) {move = [2@2*4, N@0, 6@1, 4@2]}\n"
             "  %b: f32[2,N,6,4] = map(%h) {expr = neg(in0)}\n"
             "  %y: f32[N,6,8] = move(%b) {move = [N@1, 6@2, 2@0, 4@3]}\n", "y", 48);
}

static void what_works_along_the_batch_is_refused(void **state)
{
    (void)state;
    refused("  %y: f32[1,6,8] = reduce(%x) {kind = mean, axes = [0], keep = 1}\n", "y", "along the batch");
    refused("  %y: f32[N,6,8] = softmax(%x) {axis = 0}\n", "y", "along the batch");
    refused("  %y: f32[N,6,8] = norm(%x) {kind = layer, axis = 0, epsilon = 1e-06}\n", "y", "");
    refused("  %t: f32[6,N,8] = move(%x) {move = [6@1, N@0, 8@2]}\n  %m: f32[6,1,2,8] = moments(%t) {count = 1}\n"
            "  %y: f32[6,2,1,8] = join_moments(%m) {epsilon = 1e-06, group = 1}\n", "y", "");
    refused("  %o: f32[1,6,8] = const {bytes = noise 1 1}\n  %y: f32[N+1,6,8] = concat(%x, %o) {axis = 0}\n", "y", "along the batch");
    refused("  %f: f32[6*N,8] = move(%x) {move = [N@0, 6@1, 8@2]}\n  %l: f32[N,8] = move(%x) {move = [N@0, 8@2]}\n"
            "  %y: f32[7*N,8] = concat(%f, %l) {axis = 0}\n", "y", "along the batch");
    refused("  %f: f32[6*N,8] = move(%x) {move = [N@0, 6@1, 8@2]}\n  %y: f32[12*N,8] = concat(%f, %f) {axis = 0}\n", "y", "along the batch");
    refused("  %y: f32[N+1,6,8] = pad(%x) {pads = [1, 0, 0, 0, 0, 0]}\n", "y", "along the batch");
}

static void what_picks_images_is_refused(void **state)
{
    (void)state;
    refused("  %y: f32[1,6,8] = move(%x) {move = [6@1, 8@2]}\n", "y", "picks images");
    refused("  %i: i64[1] = const {bytes = [0]}\n  %y: f32[1,6,8] = gather(%x, %i) {axis = 0}\n", "y", "picks images");
    refused("  %h: f32[2*N,6,4] = move(%x) {move = [N@0, 2@2*4, 6@1, 4@2]}\n"
            "  %y: f32[6,4] = move(%h) {move = [6@1, 4@2] +[1, 0, 0]}\n", "y", "picks images");
    refused("  %i: i64[1] = const {bytes = [0]}\n  %y: f32[1,6,8] = pick(%x, %i)\n", "y", "along the batch");
    refused("  %u: f32[1,6,8] = const {bytes = noise 1 1}\n  %i: i64[1] = const {bytes = [0]}\n"
            "  %y: f32[N,6,8] = scatter(%x, %i, %u) {kind = none}\n", "y", "along the batch");
    refused("  %a: f32[2*N,6,4] = move(%x) {move = [N@0, 2@2*4, 6@1, 4@2]}\n  %b: f32[2*N,6,4] = move(%x) {move = [2@2*4, N@0, 6@1, 4@2]}\n"
            "  %i: i64[2*N,6,4] = map(%b) {expr = convert(in0):i64}\n  %y: f32[2*N,6,4] = pick(%a, %i)\n", "y", "different axes");
}

/* [6 N, 8] as [N, 6, 8], though the rows lie outside the images, and the other way round. */
static void what_cuts_through_images_is_refused(void **state)
{
    (void)state;
    refused("  %t: f32[6,N,8] = move(%x) {move = [6@1, N@0, 8@2]}\n  %f: f32[6*N,8] = move(%t) {move = [6@0, N@1, 8@2]}\n"
            "  %e: f32[6*N,8] = map(%f) {expr = neg(in0)}\n  %y: f32[N,6,8] = move(%e) {move = [6*N@0, 8@1]}\n", "y", "cuts through images");
    refused("  %f: f32[6*N,8] = move(%x) {move = [N@0, 6@1, 8@2]}\n  %e: f32[6*N,8] = map(%f) {expr = neg(in0)}\n"
            "  %b: f32[6,N,8] = move(%e) {move = [6*N@0, 8@1]}\n  %y: f32[N,6,8] = move(%b) {move = [N@1, 6@0, 8@2]}\n", "y", "cuts through images");
    refused("  %t: f32[6,N,8] = move(%x) {move = [6@1, N@0, 8@2]}\n  %f: f32[6*N,8] = move(%t) {move = [6@0, N@1, 8@2]}\n"
            "  %y: f32[N,8] = move(%f) {move = [N@0, 8@1] +[1, 0]}\n", "y", "picks images");
}

/* Images meet where one batch stands in a row and another in a column, even though for one image both have one element. */
static void images_against_images_are_refused(void **state)
{
    (void)state;
    refused("  %f: f32[N,8] = move(%x) {move = [N@0, 8@2]}\n"
            "  %t: f32[8,N] = move(%f) {move = [8@1, N@0]}\n"
            "  %y: f32[N,N] = matmul(%f, %t)\n", "y", "different axes");
    refused("  %a: f32[2*N,6,4] = move(%x) {move = [N@0, 2@2*4, 6@1, 4@2]}\n  %b: f32[2*N,6,4] = move(%x) {move = [2@2*4, N@0, 6@1, 4@2]}\n"
            "  %y: f32[2*N,6,4] = map(%a, %b) {expr = add(in0, in1)}\n", "y", "different axes");
    refused("  %c: f32[N,1] = move(%x) {move = [N@0]}\n"
            "  %r: f32[1,N] = move(%x) {move = [N@0]}\n"
            "  %y: f32[N,N] = map(%c, %r) {expr = add(in0, in1)}\n", "y", "different axes");
}

static void started(const char *input, int elements, plan_space space)
{
    char text[512];
    snprintf(text, sizeof text, "symbols N 1..64\ngraph g(%%x: f32[%s]) {\n  %%y: f32[%s] = map(%%x) {expr = neg(in0)}\n  return \"y\" %%y\n}\n", input, input);
    plan_test t = plan_test_fine(text, "");
    const plan_value *x = plan_value_of(&t.plan->main, t.graph->parameter[0].value);
    assert_int_equal(x->space, space);
    assert_int_equal(x->elements, elements);
    assert_true(t.plan->frame_bytes >= (space == SPACE_FRAME ? 4 : 0) * elements);
    plan_test_free(&t);
}

/* Images that lie in between one another are gathered into the frame; a batch behind one place is not. */
static void an_input_s_batch_may_be_any_axis(void **state)
{
    (void)state;
    started("N,6,8", 48, SPACE_ARGUMENT);
    started("1,N,8", 8, SPACE_ARGUMENT);
    started("2*N,8", 16, SPACE_ARGUMENT);
    started("6,N,8", 48, SPACE_FRAME);
    started("6,8,N", 48, SPACE_FRAME);
    started("6,2*N,8", 96, SPACE_FRAME);
}

/* x stays until its last reader, which is the caller; z is never read. */
static void gathered_inputs_live_as_long_as_they_are_read(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("symbols N 1..64\ngraph g(%x: f32[6,N,8], %z: f32[6,N,8], %w: f32[6,N,8]) {\n"
                                 "  %a: f32[6,N,8] = softmax(%x) {axis = 0}\n  %b: f32[6,N,8] = softmax(%a) {axis = 0}\n"
                                 "  %y: f32[6,N,8] = map(%b, %w) {expr = add(in0, in1)}\n  return \"y\" %y, \"x\" %x\n}\n", "");
    const plan_scope *s = &t.plan->main;
    const plan_value *x = plan_value_of(s, t.graph->parameter[0].value), *w = plan_value_of(s, t.graph->parameter[2].value);
    assert_true(x->address != w->address);
    assert_int_equal(w->last.item, s->items - 1);
    assert_int_equal(x->last.item, s->items);
    plan_test_free(&t);
    t = plan_test_fine("symbols N 1..64\ngraph g(%x: f32[6,N]) {\n  return \"x\" %x\n}\n", "");
    assert_int_equal(t.plan->main.items, 0);
    assert_true(t.plan->frame_bytes >= 6 * 4);
    plan_test_free(&t);
}

static void returned(const char *type, const char *move, int places, bool interleaved)
{
    char text[512];
    snprintf(text, sizeof text, "symbols N 1..64\ngraph g(%%x: f32[N,6,8]) {\n  %%y: f32[%s] = move(%%x) {move = [%s]}\n  return \"y\" %%y\n}\n", type, move);
    plan_test t = plan_test_fine(text, "");
    const plan_value *y = plan_value_of(&t.plan->main, t.graph->result[0].value);
    assert_int_equal(plan_image_places(t.plan, y), places);
    assert_true(plan_is_interleaved(t.plan, y) == interleaved);
    plan_test_free(&t);
}

/* In an axis with rows outside the images, too. */
static void an_output_s_batch_may_be_anywhere(void **state)
{
    (void)state;
    returned("N,6,8", "N@0, 6@1, 8@2", 1, false);
    returned("6*N,8", "N@0, 6@1, 8@2", 6, false);
    returned("1,N,48", "N@0, 6@1, 8@2", 1, false);
    returned("6,N,8", "6@1, N@0, 8@2", 1, true);
    returned("6*N,8", "6@1, N@0, 8@2", 1, true);
    returned("48*N", "6@1, N@0, 8@2", 8, true);
    returned("3,2*N,8", "3@1*2, N@0, 2@1, 8@2", 2, true);
}

static void a_batch_twice_or_with_more_is_refused(void **state)
{
    (void)state;
    plan_test_refused("symbols N 1..64\n"
                      "graph g(%x: f32[N,N]) {\n"
                      "  %y: f32[N,N] = map(%x) {expr = neg(in0)}\n"
                      "  return \"y\" %y\n}\n", STATUS_MIXED_BATCH, "in two axes");
    plan_test_refused("symbols N 1..64\n"
                      "graph g(%x: f32[6,N+1]) {\n"
                      "  %y: f32[6,N+1] = map(%x) {expr = neg(in0)}\n"
                      "  return \"y\" %y\n}\n", STATUS_MIXED_BATCH, "more than the batch in axis 1");
    plan_test_refused("symbols N 1..64, M 1..64\n"
                      "graph g(%x: f32[N,M]) {\n"
                      "  %y: f32[N,M] = map(%x) {expr = neg(in0)}\n"
                      "  return \"y\" %y\n}\n", STATUS_MIXED_BATCH, "a second one");
}

static void calls_are_looked_into(void **state)
{
    (void)state;
    const char *text = "symbols N 1..64\n"
                       "function f(%%x: f32[N,6,8]) {\n"
                       "  %%y: f32[%s,6,8] = reduce(%%x) {kind = mean, axes = [%d], keep = 1}\n"
                       "  return \"y\" %%y\n}\n"
                       "graph g(%%x: f32[N,6,8]) {\n  %%y: f32[%s,6,8] = call(%%x) {function = f}\n  return \"y\" %%y\n}\n";
    char line[512];
    snprintf(line, sizeof line, text, "1", 0, "1");
    plan_test_refused(line, STATUS_MIXED_BATCH, "along the batch");
}

static void a_fixed_batch_may_mix(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[3,6,8]) {\n"
                                 "  %y: f32[1,6,8] = reduce(%x) {kind = mean, axes = [0], keep = 1}\n"
                                 "  return \"y\" %y\n}\n", "");
    assert_int_equal(t.plan->batch_symbol, -1);
    plan_test_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_of_one_image_are_accepted), cmocka_unit_test(the_class_token_is_expanded),
        cmocka_unit_test(merged_images_and_heads_are_accepted), cmocka_unit_test(batches_behind_one_another_are_accepted),
        cmocka_unit_test(a_head_of_merged_images_and_heads_is_accepted),
        cmocka_unit_test(heads_outside_images_are_accepted), cmocka_unit_test(rows_outside_images_are_accepted),
        cmocka_unit_test(what_cuts_through_images_is_refused), cmocka_unit_test(what_works_along_the_batch_is_refused),
        cmocka_unit_test(what_picks_images_is_refused), cmocka_unit_test(images_against_images_are_refused),
        cmocka_unit_test(an_input_s_batch_may_be_any_axis), cmocka_unit_test(gathered_inputs_live_as_long_as_they_are_read),
        cmocka_unit_test(an_output_s_batch_may_be_anywhere), cmocka_unit_test(a_batch_twice_or_with_more_is_refused), cmocka_unit_test(calls_are_looked_into), cmocka_unit_test(a_fixed_batch_may_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
