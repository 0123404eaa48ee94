/* The committed models: each imports without an error, and evaluates to what the framework it came from computed. */
#define _GNU_SOURCE
#include "frontend_fixture.h"

/* An .npy file of format 1.0, f32 in C order; its shape also as "1,3,16,16". Data is malloc'ed. */
static bool read_npy(arena *a, const char *path, eval_tensor *t, const char **shape)
{
    FILE *from = fopen(path, "rb");
    unsigned char head[10];
    if (!from) return false;
    assert_int_equal(fread(head, 1, sizeof head, from), sizeof head);
    const size_t n = (size_t)head[8] | (size_t)head[9] << 8;
    char *text = arena_alloc(a, n + 1);
    assert_int_equal(fread(text, 1, n, from), n);
    assert_non_null(strstr(text, "'<f4'"));
    *t = (eval_tensor){ .elem = ELEM_F32, .elements = 1 };
    *shape = "";
    const char *at = strchr(text, '(') + 1;
    for (char *end; *at && *at != ')'; at = end + strspn(end, ", ")) {
        t->shape[t->rank] = strtoll(at, &end, 10);
        t->elements *= t->shape[t->rank++];
        *shape = arena_printf(a, "%s%s%.*s", *shape, **shape ? "," : "", (int)(end - at), at);
    }
    t->data = calloc((size_t)t->elements + 1, sizeof(float));
    assert_int_equal(fread(t->data, sizeof(float), (size_t)t->elements, from), t->elements);
    fclose(from);
    return true;
}

/* Both are free of NaN; errors are told relative to the largest value expected. */
static void assert_close(const char *model, const eval_tensor *got, const eval_tensor *wanted)
{
    const float *x = got->data, *y = wanted->data;
    double scale = 0, worst = 0;
    assert_int_equal(got->elem, ELEM_F32);
    assert_int_equal(got->rank, wanted->rank);
    for (int i = 0; i < got->rank; i++) assert_int_equal(got->shape[i], wanted->shape[i]);
    for (int64_t i = 0; i < wanted->elements; i++) {
        const double error = fabs((double)x[i] - (double)y[i]);
        scale = fmax(scale, fabs((double)y[i]));
        if (!(error <= worst)) worst = error;
    }
    if (!(worst <= 1e-5 * scale)) fail_msg("%s: off by %g of %g", model, worst, scale);
}

static void load_file(fixture *f, const char *path, const char *shape)
{
    const frontend_options options = { .shape = &shape, .shapes = shape ? 1 : 0 };
    frontend_close(&f->model);
    f->diag = diag_new(f->arena, path);
    if (frontend_load(f->arena, path, &options, &f->model, f->diag) != STATUS_OK) fail_msg("%s", diag_line(f->diag, 0));
    assert_true(ir_verify(f->model.graph, f->diag));
    assert_int_equal(diag_errors(f->diag), 0);
    for (int k = 0; k < f->model.operators; k++) assert_true(f->model.op[k].supported);
}

/* The exporter that leaves every axis open needs --shape, and says so. */
static bool is_open(fixture *f, const char *path)
{
    frontend_model m;
    diag *d = diag_new(f->arena, path);
    const status s = frontend_load(f->arena, path, NULL, &m, d);
    frontend_close(&m);
    if (s == STATUS_SHAPE_UNKNOWN) assert_non_null(strstr(diag_line(d, 0), "--shape"));
    return s == STATUS_SHAPE_UNKNOWN;
}

static void compare_model(fixture *f, const char *path)
{
    const char *folder = arena_strndup(f->arena, path, (size_t)(strrchr(path, '/') - path)), *shape, *unused;
    eval_tensor in, wanted, out[8];
    if (!read_npy(f->arena, arena_printf(f->arena, "%s/input_pixel_values.npy", folder), &in, &shape)) return;
    load_file(f, path, is_open(f, path) ? shape : NULL);
    const ir_graph *g = f->model.graph;
    assert_in_range(g->results, 1, 8);
    assert_int_equal(eval_run(g, EVAL_TYPED, &in, out, NULL, NULL, f->diag), STATUS_OK);
    for (int i = 0; i < g->results; i++) {
        assert_true(read_npy(f->arena, arena_printf(f->arena, "%s/output_%s.npy", folder, g->result[i].name), &wanted, &unused));
        assert_close(path, &out[i], &wanted);
        eval_free(&out[i]);
        free(wanted.data);
    }
    free(in.data);
}

static void small_models_compute_what_they_should(void **state)
{
    fixture *f = *state;
    glob_t found;
    if (glob(MODELS_DIR "/small/*/model.onnx", 0, NULL, &found)) skip();
    for (size_t i = 0; i < found.gl_pathc; i++) compare_model(f, found.gl_pathv[i]);
    globfree(&found);
}

static void the_default_model_imports(void **state)
{
    fixture *f = *state;
    const char *path = MODELS_DIR "/digits/digits.onnx";
    if (access(path, R_OK)) skip();
    load_file(f, path, NULL);
    assert_int_equal(f->model.graph->parameters, 1);
    assert_int_equal(f->model.graph->results, 1);
    assert_int_equal(result(f, 0)->type.elem, ELEM_F32);
    int64_t classes;
    assert_true(dim_is_constant(result(f, 0)->type.dim[1], &classes));
    assert_int_equal(classes, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(small_models_compute_what_they_should), TEST(the_default_model_imports) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
