/* The committed models: their frames are as small as the schedule allows, their blocks take one phase, and planning takes no time to speak of. */
#include <dirent.h>
#include <stdio.h>
#include <time.h>

#include "frontend/frontend.h"
#include "plan_test.h"
#include "passes/vit_text.h"

/* Loads, runs all passes and plans; false: the file needs --shape. */
static bool plan_model(const char *path, plan_test *t)
{
    arena *a = arena_new();
    *t = (plan_test){ .arena = a, .diag = diag_new(a, path) };
    const frontend_options options = { 0 };
    frontend_model model = { 0 };
    pass_report report = { 0 };
    pass_context c = { a, t->diag, &report };
    const status s = frontend_load(a, path, &options, &model, t->diag);
    if (s == STATUS_OK) {
        t->graph = model.graph;
        for (int i = 0; i < passes_count; i++) assert_true(passes[i].run(t->graph, &c));
        t->plan = plan_make(a, t->graph, &(plan_options){ 0 }, t->diag);
        if (!t->plan) diag_print(t->diag, stderr);
        assert_non_null(t->plan);
    } else {
        assert_int_equal(s, STATUS_SHAPE_UNKNOWN);
    }
    frontend_close(&model);
    return s == STATUS_OK;
}

static void check_model(const char *path)
{
    plan_test t;
    if (plan_model(path, &t)) {
        const plan *p = t.plan;
        if (p->frame_bytes != p->frame_bound || p->scratch_bytes != p->scratch_bound)
            fail_msg("%s: frame %lld, bound %lld; scratch %lld, bound %lld", path,
                     (long long)p->frame_bytes, (long long)p->frame_bound, (long long)p->scratch_bytes, (long long)p->scratch_bound);
        for (int f = 0; f < p->functions; f++) assert_in_range(p->function[f].items, 1, 2);
    }
    plan_test_free(&t);
}

static void frames_of_the_models_are_the_least(void **state)
{
    (void)state;
    DIR *folder = opendir(MODELS_DIR "/small");
    int models = 0;
    for (const struct dirent *e; folder && (e = readdir(folder)); models++) {
        char path[1024];
        snprintf(path, sizeof path, MODELS_DIR "/small/%s/model.onnx", e->d_name);
        FILE *there = fopen(path, "rb");
        if (!there) continue;
        fclose(there);
        check_model(path);
    }
    if (folder) closedir(folder);
    assert_true(models > 10);
    check_model(MODELS_DIR "/digits/digits.onnx");
}

static double planning(const char *text, const char *names)
{
    struct timespec from, to;
    plan_test t = plan_test_fine(text, names);
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_non_null(plan_make(t.arena, t.graph, &(plan_options){ 0 }, t.diag));
    clock_gettime(CLOCK_MONOTONIC, &to);
    plan_test_free(&t);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

/* Twenty-four blocks, rolled up or not: 50 ms are too long; ten times as long is refused, lest a busy machine fail the test. */
static void planning_is_quick(void **state)
{
    (void)state;
    arena *a = arena_new();
    const char *text = vit_text(a, 24, "  return \"y\" %x24\n}\n");
    const double flat = planning(text, "transpose_keys"), rolled = planning(text, "transpose_keys roll");
    print_message("24 blocks are planned in %.1f ms, rolled up in %.1f ms\n", 1e3 * flat, 1e3 * rolled);
    assert_true(flat < 0.5 && rolled < 0.5);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(frames_of_the_models_are_the_least), cmocka_unit_test(planning_is_quick) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
