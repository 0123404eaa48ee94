/* Arenas, strings, diagnostics, digests, status codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/diag.h"
#include "base/digest.h"
#include "base/strbuf.h"

static void allocations_are_zeroed_and_aligned(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    for (size_t size = 0; size < 300000; size = size * 3 + 1) {
        unsigned char *p = arena_alloc(a, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    assert_true(arena_used(a) >= 300000 / 2);
    arena_free(a);
    arena_free(NULL);
}

static void arrays_grow(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    int *array = NULL;
    for (int i = 0; i < 1000; i++) {
        array = arena_grow(a, array, (size_t)i, sizeof *array);
        array[i] = i * 3;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(array[i], i * 3);
    assert_string_equal(arena_strdup(a, "token"), "token");
    assert_string_equal(arena_strndup(a, "token", 3), "tok");
    assert_string_equal(arena_printf(a, "%d heads of %s", 12, "64"), "12 heads of 64");
    arena_free(a);
}

/* What fails ends at the handler, not in a NULL. */
static bool exhausts(arena *a, size_t count, size_t size)
{
    jmp_buf handler;
    bool volatile left = false;
    arena_on_exhaustion(&handler);
    if (setjmp(handler)) left = true;
    else arena_array(a, count, size);
    arena_on_exhaustion(NULL);
    return left;
}

static void exhaustion_leaves_by_the_handler(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    assert_true(exhausts(a, SIZE_MAX / 2, 3));
    assert_true(exhausts(a, 1, SIZE_MAX));
    assert_true(exhausts(a, 1, SIZE_MAX - 16));
    arena_set_limit(a, 1000);
    assert_false(exhausts(a, 100, 8));
    assert_true(exhausts(a, 100, 8));
    assert_false(exhausts(a, 10, 8));
    arena_set_limit(a, 0);
    assert_false(exhausts(a, 1000, 8));
    arena_fail_after(2);
    assert_false(exhausts(a, 1, 1));
    assert_false(exhausts(a, 1, 1));
    assert_true(exhausts(a, 1, 1));
    assert_false(exhausts(a, 1, 1));
    arena_free(a);
}

static void strings_grow(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    strbuf b = strbuf_in(a);
    assert_string_equal(b.text, "");
    strbuf_addn(&b, "", 0);
    assert_string_equal(b.text, "");
    for (int i = 0; i < 500; i++) {
        strbuf_printf(&b, "%03d", i);
        strbuf_add(&b, ",");
    }
    assert_int_equal(b.length, 2000);
    assert_int_equal(strlen(b.text), 2000);
    assert_memory_equal(b.text + 4 * 321, "321,", 4);
    strbuf exact = strbuf_in(a);
    for (int i = 0; i < 130; i++) strbuf_add(&exact, "x");
    assert_int_equal(strlen(exact.text), 130);
    arena_free(a);
}

static void arithmetic_is_checked(void **unused)
{
    (void)unused;
    int64_t x = 7;
    assert_false(checked_add(INT64_MAX, 1, &x));
    assert_false(checked_mul(INT64_MAX / 2, 3, &x));
    assert_false(checked_mul(INT64_MIN, -1, &x));
    assert_int_equal(x, 7);
    assert_true(checked_add(2, 3, &x) && x == 5);
    assert_true(checked_mul(-4, 6, &x) && x == -24);
}

static void diagnostics_are_located(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    diag *d = diag_new(a, "m.onnx");
    assert_int_equal(diag_first(d), STATUS_OK);
    diag_place place = {"node 17 'attn/Softmax'", 0, "f32[1,12,197,197]"};
    assert_int_equal(diag_error(d, STATUS_SHAPE, &place, "%d and %d heads", 12, 16), STATUS_SHAPE);
    diag_error(d, STATUS_READ, NULL, "%s", "");
    diag_note(d, NULL, "bell \a, escape \033[31m, line\nbreak, \xc3\xa9, \xc2\x9b, \xff");
    assert_string_equal(diag_line(d, 0),
                        "m.onnx: node 17 'attn/Softmax' input 0 f32[1,12,197,197]: error E305: shapes contradict each other: 12 and 16 heads; "
                        "check the exporter's example input, or --shape");
    assert_string_equal(diag_line(d, 1), "m.onnx: error E101: the file cannot be read; check its path, permissions and content");
    assert_string_equal(diag_line(d, 2), "m.onnx: note: bell \\x07, escape \\x1b[31m, line\\nbreak, \xc3\xa9, \\xc2\\x9b, \\xff");
    assert_null(diag_line(d, 3));
    assert_null(diag_line(d, -1));
    assert_int_equal(diag_errors(d), 2);
    assert_int_equal(diag_first(d), STATUS_SHAPE);
    arena_free(a);
}

static void every_status_has_a_sentence(void **unused)
{
    (void)unused;
    static const status all[] = {
#define STATUS(name, number, sentence, remedy) STATUS_##name,
#include "base/status.def"
#undef STATUS
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *s = status_sentence(all[i]);
        assert_true(strlen(s) > 4 && s[strlen(s) - 1] != '.');
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(all[i], all[k]);
            assert_string_not_equal(s, status_sentence(all[k]));
        }
    }
    assert_int_equal(STATUS_SHAPE, 305);
    assert_string_equal(status_remedy(STATUS_OK), "");
}

/* Every length up to three blocks, every single bit, and zeros of each length give other digests. */
static void digests_differ(void **unused)
{
    (void)unused;
    enum { LENGTH = 200 };
    static digest seen[LENGTH * 9 + LENGTH];
    unsigned char bytes[LENGTH] = {0};
    int count = 0;
    for (size_t n = 0; n < LENGTH; n++) seen[count++] = digest_bytes((digest){0, 0}, bytes, n);
    for (size_t i = 0; i < LENGTH; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (unsigned char)(1u << bit);
            seen[count++] = digest_bytes((digest){0, 0}, bytes, LENGTH);
        }
        bytes[i] = 0;
    }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++) assert_true(seen[i].low != seen[k].low && seen[i].high != seen[k].high);
}

static void digests_are_stable(void **unused)
{
    (void)unused;
    unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 7 + i / 256);
    digest a = digest_bytes((digest){0, 0}, bytes, sizeof bytes), b = digest_bytes((digest){0, 0}, bytes, sizeof bytes);
    assert_true(digest_equal(a, b));
    assert_false(digest_equal(a, digest_bytes(a, bytes, sizeof bytes)));
    assert_false(digest_equal(a, digest_bytes((digest){1, 0}, bytes, sizeof bytes)));
    assert_false(digest_equal(a, digest_bytes((digest){0, 1}, bytes, sizeof bytes)));
    unsigned char moved[1001];
    memcpy(moved + 1, bytes, sizeof bytes);
    assert_true(digest_equal(a, digest_bytes((digest){0, 0}, moved + 1, sizeof bytes)));
    bytes[0] ^= 1, bytes[64] ^= 1;                             /* the same change in one lane twice */
    assert_false(digest_equal(a, digest_bytes((digest){0, 0}, bytes, sizeof bytes)));
    assert_true(a.high == 0x1e14905e733d33edu && a.low == 0xf8d6a066729fd9e0u);
}

/* The digest of many bytes is that of their parts' digests, one part after another; every part counts, and so does their order. */
static void large_digests(void **unused)
{
    (void)unused;
    enum { PART = 4 << 20, SIZE = 2 * PART + 12345 };
    unsigned char *bytes = calloc(1, SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i * 31 + i / 4096);
    digest wanted = {3, 4};
    for (size_t at = 0; at < SIZE; at += PART) {
        const digest part = digest_bytes((digest){0, 0}, bytes + at, SIZE - at < PART ? SIZE - at : PART);
        wanted = digest_bytes(wanted, &part, sizeof part);
    }
    assert_true(digest_equal(digest_large((digest){3, 4}, bytes, SIZE), wanted));
    static const size_t places[] = {0, PART - 1, PART, SIZE - 1};
    for (size_t k = 0; k < 4; k++) {
        bytes[places[k]] ^= 1;
        assert_false(digest_equal(digest_large((digest){3, 4}, bytes, SIZE), wanted));
        bytes[places[k]] ^= 1;
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_and_aligned), cmocka_unit_test(arrays_grow), cmocka_unit_test(exhaustion_leaves_by_the_handler),
        cmocka_unit_test(strings_grow), cmocka_unit_test(arithmetic_is_checked), cmocka_unit_test(diagnostics_are_located),
        cmocka_unit_test(every_status_has_a_sentence), cmocka_unit_test(digests_differ), cmocka_unit_test(digests_are_stable),
        cmocka_unit_test(large_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
