/* The frontend on broken, hostile and newer files: wire format, nesting, memory. */
#define _GNU_SOURCE
#include "frontend_fixture.h"

/* ---- files ---- */

static void reads_a_small_model(void **state)
{
    fixture *f = *state;
    small_model(f);
    assert_int_equal(load(f), STATUS_OK);
    const ir_graph *g = f->model.graph;
    assert_int_equal(g->parameters, 1);
    assert_string_equal(g->parameter[0].name, "x");
    assert_string_equal(g->result[0].name, "y");
    assert_string_equal(result_type(f, 0), "f32[N,3]");
    assert_string_equal(ir_describe(result(f, 0)->def), "node 0 'act'");
    assert_int_equal(f->model.opset, 20);
    assert_int_equal(f->model.ir_version, 9);
    assert_string_equal(f->model.producer, "by hand");
    assert_int_equal(f->model.operators, 1);
    assert_true(f->model.op[0].supported && f->model.op[0].nodes == 1);
}

static void refuses_what_is_no_model(void **state)
{
    fixture *f = *state;
    assert_int_equal(load_bytes(f, "", 0, NULL), STATUS_NOT_ONNX);
    assert_int_equal(load_bytes(f, "\x89PNG\r\n\x1a\n", 8, NULL), STATUS_NOT_ONNX);
    assert_int_equal(load_bytes(f, "{\"a\": 1}", 8, NULL), STATUS_NOT_ONNX);
    assert_int_equal(load_bytes(f, "\x08\x09", 2, NULL), STATUS_NOT_ONNX);   /* a version and no graph */
    assert_int_equal(frontend_load(f->arena, path_of(f, "absent.onnx"), NULL, &f->model, f->diag), STATUS_READ);
    assert_int_equal(frontend_load(f->arena, f->folder, NULL, &f->model, f->diag), STATUS_READ);
}

static void refuses_every_truncation(void **state)
{
    fixture *f = *state;
    small_model(f);
    const strbuf m = onnx_model(f->file);
    int truncated = 0;
    for (size_t n = 0; n < m.length; n++) {
        const status s = load_bytes(f, m.text, n, NULL);
        assert_int_not_equal(s, STATUS_OK);
        truncated += s == STATUS_TRUNCATED;
    }
    assert_in_range(truncated, m.length - 16, m.length);
}

/* Every byte replaced in several ways: any answer will do, but there must be one. */
static void survives_mutations(void **state)
{
    fixture *f = *state;
    small_model(f);
    onnx_floats(f->file, "w", DIMS(3, 2));
    onnx_node(f->file, "", "MatMul", "y,w", "z", NULL);
    onnx_output(f->file, "z");
    const strbuf m = onnx_model(f->file);
    for (size_t i = 0; i < m.length; i++) {
        static const unsigned char flips[] = { 0x01, 0x80, 0xff, 0x08 };
        for (size_t k = 0; k < sizeof flips; k++) {
            m.text[i] = (char)((unsigned char)m.text[i] ^ flips[k]);
            const status s = load_bytes(f, m.text, m.length, NULL);
            assert_true(s == STATUS_OK ? diag_errors(f->diag) == 0 : diag_errors(f->diag) > 0);
            m.text[i] = (char)((unsigned char)m.text[i] ^ flips[k]);
        }
    }
}

/* `levels` messages, each in the next, through the fields of a repeating path. Written from the inside out, backwards. */
static status load_nested(fixture *f, int levels, const int *path, int steps)
{
    const size_t room = (size_t)levels * 8 + 64;
    unsigned char *bytes = arena_alloc(f->arena, room);
    size_t at = room;
    for (int i = levels - 1; i >= 0; i--) {
        const size_t length = room - at;
        unsigned char head[12];
        size_t n = 0;
        head[n++] = (unsigned char)(path[i % steps] << 3 | 2);
        for (size_t rest = length;; rest >>= 7) {
            head[n++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
            if (rest <= 0x7f) break;
        }
        at -= n;
        memcpy(bytes + at, head, n);
    }
    strbuf m = strbuf_in(f->arena);
    put_int(&m, 1, 9);
    put_bytes(&m, 7, bytes + at, room - at);
    return load_bytes(f, m.text, m.length, NULL);
}

static void refuses_deep_nesting(void **state)
{
    fixture *f = *state;
    assert_int_equal(load_nested(f, 100000, (const int[]){ 1, 5, 6 }, 3), STATUS_TOO_DEEP);     /* node, attribute, graph */
    assert_int_equal(load_nested(f, 66, (const int[]){ 1, 5, 6 }, 3), STATUS_TOO_DEEP);
    const int types[] = { 11, 2, 4, 1, 4, 1, 4, 1, 4, 1, 4, 1 };                                   /* input, type, then sequence of … */
    int path[200];
    for (int i = 0; i < 200; i++) path[i] = i < 2 ? types[i] : types[2 + i % 2];
    assert_int_equal(load_nested(f, 200, path, 200), STATUS_TOO_DEEP);
    assert_int_not_equal(load_nested(f, 30, (const int[]){ 1, 5, 6 }, 3), STATUS_TOO_DEEP);
}

static void refuses_broken_fields(void **state)
{
    fixture *f = *state;
    static const struct { const char *bytes; size_t n; status code; } rows[] = {
        { "\x08\x09\x3b\x3c", 4, STATUS_BAD_FIELD },                  /* a group */
        { "\x08\x09\x00\x01", 4, STATUS_BAD_FIELD },                  /* field number 0 */
        { "\x08\x09\x3a\x03\x0a\x05q", 7, STATUS_TRUNCATED },         /* lengths that end with the file */
        { "\x08\x09\x3a\x02\x0a\x7f\x42\x00", 8, STATUS_BAD_FIELD },  /* a node longer than its graph */
        { "\x08\x09\x12\x03" "a\0b", 7, STATUS_BAD_FIELD },           /* a zero byte in a name */
        { "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 13, STATUS_TRUNCATED },   /* a varint of twelve bytes */
        { "\x08\x09\x38\x01", 4, STATUS_BAD_FIELD },                  /* a graph that is a number */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_int_equal(load_bytes(f, rows[i].bytes, rows[i].n, NULL), rows[i].code);
}

static void bounds_memory(void **state)
{
    fixture *f = *state;
    strbuf graph = strbuf_in(f->arena), m = strbuf_in(f->arena);
    for (int i = 0; i < 1000000; i++) strbuf_addn(&graph, "\x0a\x00", 2);   /* a million empty nodes in two bytes each */
    put_int(&m, 1, 9);
    put_message(&m, 7, &graph);
    assert_int_equal(load_bytes(f, m.text, m.length, NULL), STATUS_TOO_LARGE);
}

/* Fields that the schema does not know are skipped, also the one that the reader itself uses. */
static void skips_newer_fields(void **state)
{
    fixture *f = *state;
    const float x[2] = { 1, 2 };
    strbuf t = onnx_tensor(f->arena, "w", ONNX_F32, DIMS(2));
    put_bytes(&t, 9, x, sizeof x);
    put_int(&t, 1000, 7);
    put_text(&t, 99, "later");
    onnx_initializer(f->file, &t);
    onnx_node(f->file, "", "Neg", "w", "y", NULL);
    onnx_output(f->file, "y");
    put_text(&f->file->graph, 1234, "later");
    assert_int_equal(load(f), STATUS_OK);
    const float *y = ir_bytes_of(result(f, 0))->data;
    assert_true(y[0] == -1 && y[1] == -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_a_small_model), TEST(refuses_what_is_no_model), TEST(refuses_every_truncation), TEST(survives_mutations),
        TEST(refuses_deep_nesting), TEST(refuses_broken_fields), TEST(bounds_memory), TEST(skips_newer_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
