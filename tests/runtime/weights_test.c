/* The weights file: what is written opens; each kind of damage has its own answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/weights.h"

static const uint8_t model_digest[16] = "model digest 123", packing_digest[16] = "packing 12345678", other_digest[16] = "something else..";

enum { SECTIONS = 3, FIRST = 4096, SECOND = 4096 + 128, THIRD = 4096 + 192, SIZE = 4096 + 192 + 5 };

/* A file of three sections: 100 bytes, none, 5 bytes. */
typedef struct image {
    _Alignas(64) uint8_t bytes[SIZE + 64];
} image;

static void build(image *f)
{
    memset(f, 0, sizeof *f);
    for (int i = 0; i < 100; i++) f->bytes[FIRST + i] = (uint8_t)(i * 7);
    memcpy(f->bytes + THIRD, "hello", 5);
    weights_entry table[SECTIONS] = {{FIRST, 100, 0}, {SECOND, 0, 0}, {THIRD, 5, 0}};
    for (int i = 0; i < SECTIONS; i++) table[i].checksum = checksum_bytes(f->bytes + table[i].offset, table[i].bytes);
    weights_header h = {.format = WEIGHTS_FORMAT, .sections = SECTIONS, .bytes = SIZE, .table_checksum = checksum_bytes(table, sizeof table)};
    memcpy(h.magic, WEIGHTS_MAGIC, 8);
    memcpy(h.model, model_digest, 16);
    memcpy(h.packing, packing_digest, 16);
    memcpy(f->bytes, &h, sizeof h);
    memcpy(f->bytes + sizeof h, table, sizeof table);
}

/* After a change of the table: its checksum again. */
static void seal(image *f)
{
    weights_header h;
    memcpy(&h, f->bytes, sizeof h);
    h.table_checksum = checksum_bytes(f->bytes + sizeof h, SECTIONS * sizeof(weights_entry));
    memcpy(f->bytes, &h, sizeof h);
}

static weights_status open_image(const image *f, size_t size, char message[200])
{
    weights w;
    strcpy(message, "");
    const weights_status status = weights_open_memory(&w, f->bytes, size, model_digest, packing_digest, SECTIONS, message, 200);
    if (status != WEIGHTS_OK) {
        assert_null(w.bytes);
        assert_true(message[0] != 0);
    }
    weights_close(&w);
    return status;
}

static void checksum_is_xxh64(void **state)
{
    (void)state;
    assert_true(checksum_bytes("", 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(checksum_bytes("a", 1) == UINT64_C(0xD24EC4F1A98C6E5B));
    assert_true(checksum_bytes("abc", 3) == UINT64_C(0x44BC2CF5AD770999));
    assert_true(checksum_bytes("The quick brown fox jumps over the lazy dog", 43) == UINT64_C(0x0B242D361FDA71BC));
    uint8_t bytes[200] = {0};
    for (size_t n = 1; n < sizeof bytes; n++) {
        const uint64_t before = checksum_bytes(bytes, n);
        for (size_t i = 0; i < n * 8; i++) {
            bytes[i / 8] ^= (uint8_t)(1 << i % 8);
            assert_true(checksum_bytes(bytes, n) != before);
            bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        }
    }
}

static void sections_are_handed_out(void **state)
{
    (void)state;
    image f;
    build(&f);
    weights w;
    char message[200] = "";
    assert_int_equal(weights_open_memory(&w, f.bytes, SIZE, model_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_OK);
    assert_ptr_equal(weights_section(&w, 0), f.bytes + FIRST);
    assert_memory_equal(weights_section(&w, 2), "hello", 5);
    assert_int_equal(weights_verify(&w, message, sizeof message), WEIGHTS_OK);
    f.bytes[THIRD + 4] ^= 1;
    assert_int_equal(weights_verify(&w, message, sizeof message), WEIGHTS_CORRUPT);
    assert_non_null(strstr(message, "section 2"));
    weights_close(&w);
    assert_null(w.bytes);
}

static void every_truncation_is_found(void **state)
{
    (void)state;
    image f;
    char message[200];
    build(&f);
    assert_int_equal(open_image(&f, 0, message), WEIGHTS_NOT_WEIGHTS);
    for (size_t size = 1; size < SIZE; size++) assert_int_equal(open_image(&f, size, message), WEIGHTS_TRUNCATED);
    assert_int_equal(open_image(&f, SIZE, message), WEIGHTS_OK);
    assert_int_equal(open_image(&f, SIZE + 1, message), WEIGHTS_CORRUPT);
}

static void every_damaged_header_byte_is_found(void **state)
{
    (void)state;
    image f;
    char message[200];
    const size_t head = sizeof(weights_header) + SECTIONS * sizeof(weights_entry);
    for (size_t i = 0; i < head * 8; i++) {
        build(&f);
        f.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(open_image(&f, SIZE, message), WEIGHTS_OK);
    }
}

static void each_mistake_has_its_answer(void **state)
{
    (void)state;
    image f;
    char message[200];
    weights w;
    build(&f);
    f.bytes[0] = 'X';
    assert_int_equal(open_image(&f, SIZE, message), WEIGHTS_NOT_WEIGHTS);
    build(&f);
    f.bytes[8] = 2;
    assert_int_equal(open_image(&f, SIZE, message), WEIGHTS_WRONG_VERSION);
    build(&f);
    assert_int_equal(weights_open_memory(&w, f.bytes, SIZE, other_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_WRONG_MODEL);
    assert_int_equal(weights_open_memory(&w, f.bytes, SIZE, model_digest, other_digest, SECTIONS, message, sizeof message), WEIGHTS_WRONG_MODEL);
    assert_non_null(strstr(message, "packed"));
    assert_int_equal(weights_open_memory(&w, f.bytes, SIZE, model_digest, packing_digest, 2, message, sizeof message), WEIGHTS_WRONG_MODEL);
    memmove(f.bytes + 1, f.bytes, SIZE);
    assert_int_equal(weights_open_memory(&w, f.bytes + 1, SIZE, model_digest, packing_digest, SECTIONS, message, sizeof message),
                     WEIGHTS_MISALIGNED);
}

static void hostile_tables_are_refused(void **state)
{
    (void)state;
    const weights_entry hostile[] = {
        {SIZE + 59, 1, 0}, {UINT64_MAX - 63, 64, 0}, {FIRST, UINT64_MAX, 0}, {FIRST, SIZE - FIRST + 1, 0}, {0, 10, 0}, {64, 10, 0}, {FIRST + 1, 1, 0},
        {SECOND, 1, 0},   /* the first section is not at a page */
    };
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        image f;
        char message[200];
        build(&f);
        memcpy(f.bytes + sizeof(weights_header), &hostile[i], sizeof *hostile);
        seal(&f);
        assert_int_equal(open_image(&f, SIZE, message), WEIGHTS_CORRUPT);
    }
}

static void files_are_mapped(void **state)
{
    (void)state;
    image f;
    build(&f);
    char path[] = "/tmp/weights_test_XXXXXX", message[200] = "";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, f.bytes, SIZE), SIZE);
    weights w;
    assert_int_equal(weights_open(&w, path, model_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_OK);
    assert_true(w.mapped);
    assert_memory_equal(weights_section(&w, 0), f.bytes + FIRST, 100);
    assert_int_equal(weights_verify(&w, message, sizeof message), WEIGHTS_OK);
    weights_close(&w);
    weights_close(&w);

    assert_int_equal(ftruncate(file, SIZE - 1), 0);
    assert_int_equal(weights_open(&w, path, model_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_TRUNCATED);
    assert_non_null(strstr(message, path));
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(weights_open(&w, path, model_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_NOT_WEIGHTS);
    close(file);
    unlink(path);
    assert_int_equal(weights_open(&w, path, model_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_NOT_FOUND);
    assert_non_null(strstr(message, "No such file"));
    assert_int_equal(weights_open(&w, "/tmp", model_digest, packing_digest, SECTIONS, message, sizeof message), WEIGHTS_NOT_FOUND);
    assert_non_null(strstr(message, "directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_is_xxh64),
        cmocka_unit_test(sections_are_handed_out),
        cmocka_unit_test(every_truncation_is_found),
        cmocka_unit_test(every_damaged_header_byte_is_found),
        cmocka_unit_test(each_mistake_has_its_answer),
        cmocka_unit_test(hostile_tables_are_refused),
        cmocka_unit_test(files_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
