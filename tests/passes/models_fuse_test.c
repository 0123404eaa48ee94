/* Every committed model: all attentions, MLPs, norms and GELUs are fused, no convolution is left, and the results stay within rounding of the constants. */
#include "pass_test.h"

#include <dirent.h>

#include "frontend/frontend.h"

enum { MODELS = 512 };

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The paths models/small/<name>/model.onnx, sorted. */
static int list_models(arena *a, char **path)
{
    const char *folder = MODELS_DIR "/small";
    DIR *d = opendir(folder);
    int count = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL; ) {
        if (e->d_name[0] == '.' || count == MODELS) continue;
        path[count++] = arena_printf(a, "%s/%s/model.onnx", folder, e->d_name);
    }
    if (d) closedir(d);
    qsort(path, (size_t)count, sizeof *path, by_name);
    return count;
}

static double largest(const eval_tensor *t)
{
    double most = 0;
    for (int64_t i = 0; elem_is_float(t->elem) && i < t->elements; i++) most = fmax(most, fabs(eval_number(EVAL_DOUBLE, t, i)));
    return most;
}

static void check_results(pass_test *t, const ir_graph *before)
{
    eval_tensor a[PASS_TEST_PORTS], b[PASS_TEST_PORTS];
    pass_test_evaluate(t, before, a);
    pass_test_evaluate(t, t->g, b);
    for (int i = 0; i < before->results; i++) {
        pass_test_compare(&a[i], &b[i], 1e-7 * fmax(1, largest(&a[i])));
        eval_free(&a[i]);
        eval_free(&b[i]);
    }
}

static void check_model(const char *path)
{
    static const char *const names[] = {"fold_const", "simplify", "merge_dup", "dce", "fuse_norm", "fuse_gelu", "fuse_attention", "fuse_mlp"};
    arena *a = arena_new();
    pass_test *t = arena_alloc(a, sizeof *t);
    *t = (pass_test){.arena = a, .diag = diag_new(a, path)};
    frontend_options options = {0};
    frontend_model model;
    if (frontend_load(a, path, &options, &model, t->diag) != STATUS_OK) {
        diag_print(t->diag, stderr);
        fail_msg("%s is not read", path);
    }
    t->g = model.graph;
    ir_graph *before = ir_clone(t->g, a);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) pass_test_run(t, names[i]);
    for (int i = 0; i < t->report.misses; i++) print_error("%s: %s: %s\n", path, t->report.miss[i].node, t->report.miss[i].reason);
    for (int kind = 0; kind < FUSION_KINDS; kind++) {
        if (kind != FUSION_GELU && t->report.found[kind] == 0) fail_msg("%s: no %s is found", path, fusion_name((fusion_kind)kind));
        assert_int_equal(t->report.fused[kind], t->report.found[kind]);
    }
    assert_int_equal(pass_test_count(t, IR_CONV), 0);
    assert_int_equal(pass_test_count(t, IR_SOFTMAX), 0);
    assert_int_equal(pass_test_count(t, IR_REDUCE), 0);
    check_results(t, before);
    frontend_close(&model);
    arena_free(a);
}

static void test_models(void **state)
{
    (void)state;
    arena *a = arena_new();
    char **path = arena_array(a, MODELS, sizeof *path);
    int count = list_models(a, path);
    assert_in_range(count, 1, MODELS);
    for (int i = 0; i < count; i++) check_model(path[i]);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
