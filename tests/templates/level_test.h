/* What the template tests share: buffers whose end lies at a page that may not be touched, random values, comparison, and the run of a level's
 * tests. */
#ifndef VITCC_TESTS_LEVEL_TEST_H
#define VITCC_TESTS_LEVEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpu.h"

enum { GUARD = 64 };   /* floats in front of a buffer, and the value that marks what must not be written */
#define GUARD_VALUE (-12345.75f)

typedef struct floats {
    float *data;       /* [n], all GUARD_VALUE; the page behind may not be touched */
    size_t n;
    void *pages;
    size_t bytes;
} floats;

static inline floats floats_new(size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = ((n + GUARD) * sizeof(float) + page - 1) / page * page;
    floats f = { .n = n, .bytes = used + page };
    f.pages = mmap(NULL, f.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.pages != MAP_FAILED);
    assert_int_equal(mprotect((char *)f.pages + used, page, PROT_NONE), 0);
    f.data = (float *)((char *)f.pages + used) - n;
    for (float *p = f.data - GUARD; p < f.data + n; p++) *p = GUARD_VALUE;
    return f;
}

/* Checks that nothing in front was written. */
static inline void floats_free(floats f)
{
    for (const float *p = f.data - GUARD; p < f.data; p++) assert_true(*p == GUARD_VALUE);
    munmap(f.pages, f.bytes);
}

static uint32_t test_seed = 1;

/* A number from low to high, the same on every run. */
static inline float test_random(float low, float high)
{
    test_seed = test_seed * 1664525u + 1013904223u;
    return low + (high - low) * ((float)(test_seed >> 8) / 16777216.f);
}

static inline floats floats_random(size_t n, float low, float high)
{
    floats f = floats_new(n);
    for (size_t i = 0; i < n; i++) f.data[i] = test_random(low, high);
    return f;
}

/* |got - expected| <= tolerance; NaN only where NaN is expected, infinities equal. */
static inline void assert_near(double got, double expected, double tolerance)
{
    const int same = got == expected || (got != got && expected != expected);
    const double difference = got > expected ? got - expected : expected - got;
    if (!same && !(difference <= tolerance)) fail_msg("%.9g, expected %.9g within %.3g", got, expected, tolerance);
}

#define RUN_AT_LEVEL(tests)                                                                                     \
    (cpu_level_found() < VITCC_LEVEL ? (printf("skipped: this CPU lacks level %d\n", VITCC_LEVEL), 0)         \
                                     : cmocka_run_group_tests(tests, NULL, NULL))

#endif
