/* What the frontend's tests share: a folder of their own, loading of files built by hand, and looking at what comes out. Define _GNU_SOURCE first. */
#ifndef VITCC_TESTS_FRONTEND_FIXTURE_H
#define VITCC_TESTS_FRONTEND_FIXTURE_H

#include "onnx_bytes.h"

#include <glob.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/frontend.h"
#include "ir/eval.h"

typedef struct fixture {
    arena *arena;
    diag *diag;
    onnx_file *file;
    frontend_model model;
    char folder[64];
} fixture;

static inline int setup(void **state)
{
    arena *a = arena_new();
    fixture *f = arena_alloc(a, sizeof *f);
    *f = (fixture){ .arena = a, .diag = diag_new(a, "m.onnx"), .file = onnx_begin(a), .folder = "/tmp/vitcc-frontend-XXXXXX" };
    *state = f;
    return mkdtemp(f->folder) ? 0 : 1;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    glob_t found;
    if (!glob(arena_printf(f->arena, "%s/*", f->folder), 0, NULL, &found)) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (unlink(found.gl_pathv[i])) rmdir(found.gl_pathv[i]);
        globfree(&found);
    }
    rmdir(f->folder);
    frontend_close(&f->model);
    arena_free(f->arena);
    return 0;
}

/* ---- helpers ---- */

static inline const char *path_of(fixture *f, const char *name)
{
    return arena_printf(f->arena, "%s/%s", f->folder, name);
}

static inline void write_file(fixture *f, const char *name, const void *bytes, size_t n)
{
    FILE *to = fopen(path_of(f, name), "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, n, to), n);
    fclose(to);
}

static inline status load_bytes(fixture *f, const void *bytes, size_t n, const char *shape)
{
    const frontend_options options = { .shape = &shape, .shapes = shape ? 1 : 0 };
    frontend_close(&f->model);
    f->diag = diag_new(f->arena, "m.onnx");
    write_file(f, "m.onnx", bytes, n);
    const status s = frontend_load(f->arena, path_of(f, "m.onnx"), &options, &f->model, f->diag);
    assert_true((s == STATUS_OK) == (f->model.graph != NULL));
    if (f->model.graph) assert_true(ir_verify(f->model.graph, f->diag));
    return s;
}

static inline status load_with(fixture *f, const char *shape)
{
    const strbuf m = onnx_model(f->file);
    return load_bytes(f, m.text, m.length, shape);
}

static inline status load(fixture *f)
{
    return load_with(f, NULL);
}

static inline void restart(fixture *f)
{
    f->file = onnx_begin(f->arena);
}

/* Some diagnostic holds all of these words. */
static inline void assert_said(const fixture *f, const char *one, const char *two)
{
    for (int i = 0; diag_line(f->diag, i); i++)
        if (strstr(diag_line(f->diag, i), one) && strstr(diag_line(f->diag, i), two)) return;
    fail_msg("no line with '%s' and '%s'; the first: %s", one, two, diag_line(f->diag, 0) ? diag_line(f->diag, 0) : "none");
}

static inline const ir_value *result(const fixture *f, int i)
{
    assert_true(f->model.graph && i < f->model.graph->results);
    return f->model.graph->result[i].value;
}

static inline const char *result_type(const fixture *f, int i)
{
    return ir_type_text(f->arena, f->model.graph->symbols, &result(f, i)->type);
}

static inline int count_nodes(const fixture *f, ir_op op)
{
    int count = 0;
    for (const ir_node *n = f->model.graph->first; n; n = n->next) count += n->op == op;
    return count;
}

/* x [N,3] -> Relu -> y. */
static inline void small_model(fixture *f)
{
    onnx_input(f->file, "x", ONNX_F32, "N,3");
    onnx_node(f->file, "act", "Relu", "x", "y", NULL);
    onnx_output(f->file, "y");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
