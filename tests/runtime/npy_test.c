/* .npy files: what numpy writes is read, what is written is what numpy writes, and each kind of damage has a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/npy.h"

static char path[64];
static char message[300];

static int make_path(void **state)
{
    (void)state;
    strcpy(path, "/tmp/npy_test_XXXXXX");
    const int file = mkstemp(path);
    return file < 0 || close(file) != 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

/* Writes magic, version, header and data. */
static void put(int version, const char *header, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    const size_t n = strlen(header);
    fwrite("\x93NUMPY", 1, 6, f);
    fputc(version, f);
    fputc(0, f);
    fputc((int)(n & 255), f);
    fputc((int)(n >> 8), f);
    if (version > 1) fwrite("\0", 1, 2, f);
    fwrite(header, 1, n, f);
    fwrite(data, 1, bytes, f);
    assert_int_equal(fclose(f), 0);
}

static const char *refusal(int version, const char *header, size_t bytes)
{
    static const char zeros[256];
    npy_array a;
    put(version, header, zeros, bytes);
    message[0] = 0;
    assert_false(npy_read(path, &a, message, sizeof message));
    assert_null(a.data);
    assert_int_equal(strncmp(message, path, strlen(path)), 0);
    return message;
}

static void numpy_headers_are_read(void **state)
{
    (void)state;
    const float data[6] = {1, 2, 3, 4, 5, 6};
    const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                                                          \n",
        "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}",
        "{'descr': '=f4', 'fortran_order': False, 'shape': (2L, 3L)}\n",
    };
    for (int version = 1; version <= 3; version++)
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
            npy_array a;
            put(version, headers[i], data, sizeof data);
            assert_true(npy_read(path, &a, message, sizeof message));
            assert_string_equal(a.type, "<f4");
            assert_int_equal(a.size, 4);
            assert_int_equal(a.rank, 2);
            assert_int_equal(a.shape[0], 2);
            assert_int_equal(a.shape[1], 3);
            assert_int_equal(a.elements, 6);
            assert_int_equal((uintptr_t)a.data % 64, 0);
            assert_memory_equal(a.data, data, sizeof data);
            free(a.data);
        }
}

static void every_type_is_read(void **state)
{
    (void)state;
    const struct { const char *descr, *type; size_t size; } types[] = {
        {"|b1", "|b1", 1}, {"|i1", "|i1", 1}, {"|u1", "|u1", 1}, {">u1", "|u1", 1}, {"<i2", "<i2", 2}, {"<u2", "<u2", 2}, {"<f2", "<f2", 2},
        {"<V2", "<V2", 2}, {"|V2", "<V2", 2}, {"<i4", "<i4", 4}, {"<u4", "<u4", 4}, {"<f4", "<f4", 4}, {"<i8", "<i8", 8}, {"<u8", "<u8", 8},
        {"<f8", "<f8", 8}, {"<c8", "<c8", 8}, {"<c16", "<c16", 16},
    };
    const char zeros[64] = {0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char header[128];
        npy_array a;
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (3,), }\n", types[i].descr);
        put(1, header, zeros, 3 * types[i].size);
        assert_true(npy_read(path, &a, message, sizeof message));
        assert_string_equal(a.type, types[i].type);
        assert_int_equal(a.size, types[i].size);
        free(a.data);
    }
}

static void small_and_empty_arrays(void **state)
{
    (void)state;
    npy_array a;
    const double one = 1.5;
    put(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", &one, sizeof one);
    assert_true(npy_read(path, &a, message, sizeof message));
    assert_int_equal(a.rank, 0);
    assert_int_equal(a.elements, 1);
    assert_memory_equal(a.data, &one, sizeof one);
    free(a.data);
    put(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5), }\n", "", 0);
    assert_true(npy_read(path, &a, message, sizeof message));
    assert_int_equal(a.elements, 0);
    free(a.data);
    /* Fortran order of a vector is C order. */
    put(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (1, 1), }\n", &one, sizeof one);
    assert_true(npy_read(path, &a, message, sizeof message));
    free(a.data);
}

static void damage_has_messages(void **state)
{
    (void)state;
    const struct { const char *header; size_t bytes; const char *says; } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", 15, "shorter"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", 17, "longer"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (4,), }\n", 16, "big-endian"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", 16, "Fortran"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }\n", 16, "number"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", 8, "number"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", 4, "records"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }\n", 16, "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }\n", 16, "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n", 16, "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }\n", 0, "too large"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846977,), }\n", 8, "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }\n", 4, "16 axes"},
        {"{'descr': '<f4', 'shape': (4,), }\n", 16, "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), ", 16, "damaged"},
        {"{'descr: '<f4', 'fortran_order': False, 'shape': (4,), }\n", 16, "damaged"},
        {"{'descr': '<f4', 'other': False, 'shape': (4,), }\n", 16, "damaged"},
        {"", 0, "damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int version = 1; version <= 3; version++) assert_non_null(strstr(refusal(version, cases[i].header, cases[i].bytes), cases[i].says));
    assert_non_null(strstr(refusal(4, cases[0].header, 16), "version"));
    assert_non_null(strstr(refusal(0, cases[0].header, 16), "version"));
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    const int64_t shape[] = {2, 2};
    const int32_t data[] = {1, 2, 3, 4};
    assert_true(npy_write(path, "<i4", 4, 2, shape, data, message, sizeof message));
    for (int size = 128 + 15; size >= 0; size--) {
        npy_array a;
        assert_int_equal(truncate(path, size), 0);
        assert_false(npy_read(path, &a, message, sizeof message));
        assert_null(a.data);
    }
    unlink(path);
    npy_array a;
    assert_false(npy_read(path, &a, message, sizeof message));
    assert_non_null(strstr(message, "No such file"));
    assert_int_equal(make_path(NULL), 0);
}

static void the_header_is_numpys(void **state)
{
    (void)state;
    const struct { int rank; int64_t shape[3]; const char *text; } cases[] = {
        {0, {0}, "{'descr': '<i2', 'fortran_order': False, 'shape': (), }"},
        {1, {3}, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }"},
        {3, {1, 3, 2}, "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3, 2), }"},
    };
    const int16_t data[6] = {-1, 2, -3, 4, -5, 6};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[256];
        assert_true(npy_write(path, "<i2", 2, cases[i].rank, cases[i].shape, data, message, sizeof message));
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        const size_t n = fread(bytes, 1, sizeof bytes, f), elements = i == 0 ? 1 : i == 1 ? 3 : 6;
        fclose(f);
        assert_int_equal(n, 128 + elements * 2);
        assert_memory_equal(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
        assert_memory_equal(bytes + 10, cases[i].text, strlen(cases[i].text));
        for (size_t k = 10 + strlen(cases[i].text); k < 127; k++) assert_int_equal(bytes[k], ' ');
        assert_int_equal(bytes[127], '\n');
        assert_memory_equal(bytes + 128, data, elements * 2);
    }
    assert_false(npy_write("/nonexistent/x.npy", "<i2", 2, 0, NULL, data, message, sizeof message));
    assert_non_null(strstr(message, "No such file"));
    assert_false(npy_write("/dev/full", "<i2", 2, 0, NULL, data, message, sizeof message));
    assert_non_null(strstr(message, "/dev/full: No space"));
}

static void shapes_are_printed(void **state)
{
    (void)state;
    char text[32], small[6];
    assert_string_equal(npy_shape_text(3, (const int64_t[]){1, 20, 3}, text, sizeof text), "[1, 20, 3]");
    assert_string_equal(npy_shape_text(0, NULL, text, sizeof text), "[]");
    assert_string_equal(npy_shape_text(3, (const int64_t[]){10, 20, 30}, small, sizeof small), "[10, ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_headers_are_read),      cmocka_unit_test(every_type_is_read),          cmocka_unit_test(small_and_empty_arrays),
        cmocka_unit_test(damage_has_messages),         cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(the_header_is_numpys),
        cmocka_unit_test(shapes_are_printed),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
