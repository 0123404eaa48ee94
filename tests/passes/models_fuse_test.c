/* Every committed model: all attentions, MLPs, norms and GELUs are fused, no convolution is left, and the results stay within
 * rounding of the constants. */
#include "pass_test.h"

#include <dirent.h>
#include <stdio.h>

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

/* "N,3,32,32" with the sizes of the image stored beside the model; NULL: none is stored. */
static const char *shape_of_image(arena *a, const char *path)
{
    char head[256] = "";
    long size[4];
    const char *folder = arena_strndup(a, path, strlen(path) - strlen("model.onnx"));
    FILE *f = fopen(arena_printf(a, "%sinput_pixel_values.npy", folder), "rb");
    if (!f) return NULL;
    size_t n = fread(head, 1, sizeof head - 1, f);
    fclose(f);
    for (size_t i = 0; i < n; i++)
        if (head[i] == '(') return sscanf(head + i, "(%ld, %ld, %ld, %ld)", &size[0], &size[1], &size[2], &size[3]) == 4
                                       ? arena_printf(a, "N,%ld,%ld,%ld", size[1], size[2], size[3]) : NULL;
    return NULL;
}

/* Only these leave height and width open. */
static bool has_open_sizes(const char *path)
{
    return strstr(path, "-optimum/") != NULL;
}

static void check_model(const char *path)
{
    static const char *const names[] = {"fold_const", "simplify", "merge_dup", "dce", "fuse_norm", "fuse_gelu", "fuse_attention", "fuse_mlp"};
    arena *a = arena_new();
    pass_test *t = arena_alloc(a, sizeof *t);
    *t = (pass_test){.arena = a, .diag = diag_new(a, path)};
    const char *shape = has_open_sizes(path) ? shape_of_image(a, path) : NULL;
    frontend_options options = {.shape = &shape, .shapes = shape != NULL};
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
