/* Tensors of files: every element type from every field, large ones, and external data with its bounds. */
#define _GNU_SOURCE
#include "frontend_fixture.h"

/* ---- tensors ---- */

typedef struct typed_row { int type, field; elem elem; size_t size; bool packed_varint; } typed_row;

static const typed_row typed_rows[] = {
    { ONNX_F32, 4, ELEM_F32, 4, false }, { ONNX_F64, 10, ELEM_F64, 8, false }, { ONNX_I64, 7, ELEM_I64, 8, true }, { ONNX_I32, 5, ELEM_I32, 4, true },
    { ONNX_I16, 5, ELEM_I16, 2, true }, { ONNX_I8, 5, ELEM_I8, 1, true }, { ONNX_U8, 5, ELEM_U8, 1, true }, { ONNX_U16, 5, ELEM_U16, 2, true },
    { ONNX_U32, 11, ELEM_U32, 4, true }, { ONNX_U64, 11, ELEM_U64, 8, true }, { ONNX_BOOL, 5, ELEM_BOOL, 1, true },
    { ONNX_F16, 5, ELEM_F16, 2, true }, { ONNX_BF16, 5, ELEM_BF16, 2, true },
};

/* The three elements of a row's test tensor, as their type's bytes: large, small and, where there is a sign, negative. */
static void typed_bytes(const typed_row *r, unsigned char *to)
{
    static const float f[3] = { 1.5f, -2.25f, 3e30f };
    static const double d[3] = { 1.5, -2.25, 3e300 };
    static const int64_t i[3] = { 1, -2, 0x7123456789abcdef }, b[3] = { 1, 0, 1 };
    if (r->elem == ELEM_F32) memcpy(to, f, sizeof f);
    else if (r->elem == ELEM_F64) memcpy(to, d, sizeof d);
    else
        for (int k = 0; k < 3; k++) memcpy(to + (size_t)k * r->size, r->elem == ELEM_BOOL ? &b[k] : &i[k], r->size);
}

static strbuf typed_field(arena *a, const typed_row *r, const unsigned char *bytes)
{
    strbuf packed = strbuf_in(a);
    if (!r->packed_varint) strbuf_addn(&packed, (const char *)bytes, 3 * r->size);
    for (size_t k = 0; k < 3 && r->packed_varint; k++) {
        int64_t x = 0;
        memcpy(&x, bytes + k * r->size, r->size);
        if (elem_is_signed(r->elem) && r->size < 8 && x >> (8 * r->size - 1)) x -= (int64_t)1 << 8 * r->size;
        put_varint(&packed, (uint64_t)x);
    }
    return packed;
}

static void assert_result_bytes(fixture *f, const typed_row *r, const unsigned char *bytes)
{
    assert_int_equal(load(f), STATUS_OK);
    const ir_value *v = result(f, 0);
    assert_int_equal(v->type.elem, r->elem);
    assert_int_equal(ir_bytes_of(v)->size, 3 * r->size);
    assert_memory_equal(ir_bytes_of(v)->data, bytes, 3 * r->size);
    restart(f);
}

static void reads_tensors_of_every_type(void **state)
{
    fixture *f = *state;
    for (size_t i = 0; i < sizeof typed_rows / sizeof typed_rows[0]; i++) {
        const typed_row *r = &typed_rows[i];
        unsigned char bytes[24];
        typed_bytes(r, bytes);
        onnx_raw(f->file, "w", r->type, DIMS(3), bytes, 3 * r->size);
        onnx_output(f->file, "w");
        assert_result_bytes(f, r, bytes);
        strbuf t = onnx_tensor(f->arena, "w", r->type, DIMS(3)), field = typed_field(f->arena, r, bytes);
        put_message(&t, r->field, &field);
        onnx_initializer(f->file, &t);
        onnx_output(f->file, "w");
        assert_result_bytes(f, r, bytes);
    }
}

static status load_tensor(fixture *f, const strbuf *t)
{
    onnx_initializer(f->file, t);
    onnx_node(f->file, "use", "Identity", "w", "y", NULL);
    onnx_output(f->file, "y");
    const status s = load(f);
    restart(f);
    return s;
}

static void refuses_tensors_that_do_not_add_up(void **state)
{
    fixture *f = *state;
    strbuf t = onnx_tensor(f->arena, "w", ONNX_F32, DIMS(3));
    put_bytes(&t, 9, "12345678", 8);
    assert_int_equal(load_tensor(f, &t), STATUS_BAD_FIELD);
    assert_said(f, "node 0 'use' (Identity) input 0", "'w'");
    t = onnx_tensor(f->arena, "w", ONNX_I64, DIMS(3));
    put_int(&t, 7, 1);
    assert_int_equal(load_tensor(f, &t), STATUS_BAD_FIELD);
    t = onnx_tensor(f->arena, "w", ONNX_F32, DIMS(-3));
    assert_int_equal(load_tensor(f, &t), STATUS_BAD_FIELD);
    t = onnx_tensor(f->arena, "w", ONNX_F32, DIMS((int64_t)1 << 32, (int64_t)1 << 32));
    assert_int_equal(load_tensor(f, &t), STATUS_BAD_FIELD);
    t = onnx_tensor(f->arena, "w", ONNX_STRING, DIMS(1));
    assert_int_equal(load_tensor(f, &t), STATUS_TYPE);
    t = onnx_tensor(f->arena, "w", ONNX_F32, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1));
    assert_int_equal(load_tensor(f, &t), STATUS_TOO_LARGE);
    assert_int_equal(load_tensor(f, &(strbuf){ .arena = f->arena, .text = "" }), STATUS_DANGLING);   /* a tensor without a name */
}

/* Raw data of some size stays where it is in the file. */
static void leaves_large_tensors_in_the_file(void **state)
{
    fixture *f = *state;
    onnx_floats(f->file, "w", DIMS(64, 64));
    onnx_floats(f->file, "v", DIMS(4096));
    onnx_output(f->file, "w");
    onnx_output(f->file, "v");
    assert_int_equal(load(f), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        const unsigned char *at = ir_bytes_of(result(f, i))->data;
        for (int k = 0; k < 4096; k++) {
            float x;
            memcpy(&x, at + 4 * k, 4);
            assert_true(x == (float)k / 8);
        }
    }
    const char *first = ir_bytes_of(result(f, 0))->data, *second = ir_bytes_of(result(f, 1))->data;
    assert_in_range(second - first, 4 * 4096, 4 * 4096 + 64);   /* one file, one after the other */
    assert_int_equal(f->model.parameters, 2 * 4096);
}

/* ---- external data ---- */

static void put_entry(strbuf *t, const char *key, const char *value)
{
    strbuf e = strbuf_in(t->arena);
    put_text(&e, 1, key);
    put_text(&e, 2, value);
    put_message(t, 13, &e);
}

static status load_external(fixture *f, const char *location, const char *offset, const char *length)
{
    strbuf t = onnx_tensor(f->arena, "w", ONNX_F32, DIMS(2));
    put_int(&t, 14, 1);
    if (location) put_entry(&t, "location", location);
    if (offset) put_entry(&t, "offset", offset);
    if (length) put_entry(&t, "length", length);
    return load_tensor(f, &t);
}

static void reads_external_data_beside_the_model(void **state)
{
    fixture *f = *state;
    const float x[4] = { 9, 1.5f, -2, 9 };
    write_file(f, "w.bin", x, sizeof x);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(load_external(f, "w.bin", "4", "8"), STATUS_OK);
    assert_memory_equal(ir_bytes_of(result(f, 0))->data, x + 1, 8);
    const digest before = f->model.digest;
    assert_true(f->model.bytes > sizeof x);
    assert_int_equal(load_external(f, "./w.bin", "8", NULL), STATUS_OK);
    assert_memory_equal(ir_bytes_of(result(f, 0))->data, x + 2, 8);
    assert_false(digest_equal(before, f->model.digest));
}

static void confines_external_data(void **state)
{
    fixture *f = *state;
    write_file(f, "w.bin", "12345678", 8);
    assert_int_equal(load_external(f, "absent.bin", NULL, NULL), STATUS_EXTERNAL_MISSING);
    assert_said(f, "node 0 'use' (Identity)", "absent.bin");
    assert_int_equal(load_external(f, "w.bin", "1", NULL), STATUS_EXTERNAL_RANGE);
    assert_int_equal(load_external(f, "w.bin", "18446744073709551615", NULL), STATUS_EXTERNAL_RANGE);
    assert_int_equal(load_external(f, "w.bin", "18446744073709551616", NULL), STATUS_BAD_FIELD);
    assert_int_equal(load_external(f, "w.bin", "-1", NULL), STATUS_BAD_FIELD);
    assert_int_equal(load_external(f, "w.bin", "0", "4"), STATUS_BAD_FIELD);
    assert_int_equal(load_external(f, NULL, "0", "8"), STATUS_BAD_FIELD);
    assert_int_equal(load_external(f, "", NULL, NULL), STATUS_EXTERNAL_PATH);
    assert_int_equal(load_external(f, path_of(f, "w.bin"), NULL, NULL), STATUS_EXTERNAL_PATH);
    assert_int_equal(load_external(f, "../w.bin", NULL, NULL), STATUS_EXTERNAL_PATH);
    assert_int_equal(load_external(f, "a/../w.bin", NULL, NULL), STATUS_EXTERNAL_PATH);
    assert_int_equal(symlink("/dev/null", path_of(f, "out")), 0);
    assert_int_equal(load_external(f, "out", NULL, NULL), STATUS_EXTERNAL_PATH);
    assert_int_equal(symlink("w.bin", path_of(f, "in")), 0);
    assert_int_equal(load_external(f, "in", NULL, NULL), STATUS_OK);
    assert_int_equal(mkdir(path_of(f, "folder"), 0700), 0);
    assert_int_equal(load_external(f, "folder", NULL, NULL), STATUS_READ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_tensors_of_every_type), TEST(refuses_tensors_that_do_not_add_up), TEST(leaves_large_tensors_in_the_file),
        TEST(reads_external_data_beside_the_model), TEST(confines_external_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
