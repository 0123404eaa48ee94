/* jit.h: kernels compute; whatever the host set up is as before; where code cannot be generated or run there is none. Each case runs in a process
 * of its own, for libxsmm starts once a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "runtime/jit.h"

#define CHECK(condition) do { if (!(condition)) _exit(__LINE__ % 200 + 20); } while (0)   /* in a child; 20…219 tells the line */

enum { SKIPPED = 2 };

static void in_child(void (*body)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body();
        exit(0);   /* libxsmm's exit handlers run */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static const gemm_shape shapes[] = {
    {64, 25, 768, 64, 768, 768, 0, 0}, {64, 24, 768, 64, 800, 64, 1, 0}, {32, 1, 7, 40, 9, 33, 0, 0}, {8, 3, 5, 8, 5, 8, 1, 0},
    {10, 2, 3, 10, 3, 10, 0, 0},       {32, 14, 64, 32, 128, 32, 0, 1},  {10, 7, 3, 10, 6, 12, 0, 1}, {32, 5, 16, 32, 16, 32, 1, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

enum { BATCH = 3 };

/* Small whole numbers: every sum is exact, so kernel and loop agree to the bit. Of a batch, products lie one behind the other, the last first. */
static bool kernel_is_right(gemm_code *code, const gemm_shape *s)
{
    const int count = s->batch ? BATCH : 1, whole_a = s->k * s->lda, whole_b = s->n * s->ldb;
    const unsigned long long products = BATCH, a_offset[BATCH] = {2 * (unsigned)whole_a * sizeof(float), 0, (unsigned)whole_a * sizeof(float)};
    const unsigned long long b_offset[BATCH] = {0, 2 * (unsigned)whole_b * sizeof(float), (unsigned)whole_b * sizeof(float)};
    float *a = calloc((size_t)(count * whole_a), sizeof *a), *b = calloc((size_t)(count * whole_b), sizeof *b);
    float *c = calloc((size_t)(s->n * s->ldc), sizeof *c), *expected = calloc((size_t)(s->n * s->ldc), sizeof *c);
    for (int i = 0; i < count * whole_a; i++) a[i] = (float)(i * 7 % 11 - 5);
    for (int i = 0; i < count * whole_b; i++) b[i] = (float)(i * 5 % 13 - 6);
    for (int i = 0; i < s->n * s->ldc; i++) c[i] = expected[i] = (float)(i % 3);
    for (int n = 0; n < s->n; n++)
        for (int m = 0; m < s->m; m++) {
            float sum = s->add ? c[n * s->ldc + m] : 0;
            for (int i = 0; i < count; i++) {
                const float *ai = a + (s->batch ? a_offset[i] / sizeof *a : 0), *bi = b + (s->batch ? b_offset[i] / sizeof *b : 0);
                for (int k = 0; k < s->k; k++) sum += bi[n * s->ldb + k] * ai[k * s->lda + m];
            }
            expected[n * s->ldc + m] = sum;
        }
    if (s->batch) code(a, b, c, &products, a_offset, b_offset);
    else code(a, b, c);
    const bool right = memcmp(c, expected, (size_t)(s->n * s->ldc) * sizeof *c) == 0;
    free(a);
    free(b);
    free(c);
    free(expected);
    return right;
}

static void check_kernels(void)
{
    gemm_code *code[SHAPES];
    const int found = jit_dispatch(shapes, SHAPES, code);
    int there = 0;
    for (int i = 0; i < SHAPES; i++) {
        if (code[i] == NULL) continue;
        there++;
        CHECK(kernel_is_right(code[i], &shapes[i]));
    }
    CHECK(there == found);
    CHECK(cpu_level_found() == CPU_BASELINE || found == SHAPES);
}

enum { TALLEST = 33, DEPTH = 64 };

/* A row's bits are those that it has among any other number of rows; with AVX-512 of so few features not among so few rows (compiler/plan/kernels.c). */
static void rows_do_not_change_bits(void)
{
    static const int features[] = {1, 8, 12, 16, 17, 32, 64};
    static float a[DEPTH * 64], b[TALLEST * DEPTH], all[TALLEST * 64], some[TALLEST * 64];
    for (int i = 0; i < DEPTH * 64; i++) a[i] = (float)rand() / (float)RAND_MAX - .5f;
    for (int i = 0; i < TALLEST * DEPTH; i++) b[i] = (float)rand() / (float)RAND_MAX - .5f;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        const int m = features[i];
        gemm_shape shape[TALLEST];
        gemm_code *code[TALLEST];
        for (int n = 1; n <= TALLEST; n++) shape[n - 1] = (gemm_shape){m, n, DEPTH, m, DEPTH, m, 0, 0};
        if (jit_dispatch(shape, TALLEST, code) < TALLEST) _exit(SKIPPED);
        code[TALLEST - 1](a, b, all);
        for (int n = 1; n < TALLEST; n++) {
            if (cpu_level() == CPU_AVX512 && m <= 16 && n >= 2 && n <= 11) continue;
            code[n - 1](a, b, some);
            CHECK(memcmp(some, all, (size_t)(n * m) * sizeof *all) == 0);
        }
    }
}

static void rows_do_not_change_bits_without_avx512(void)
{
    setenv("VITCC_LEVEL", "2", 1);
    rows_do_not_change_bits();
}

static void rows_do_not_change_bits_with_sse(void)
{
    setenv("VITCC_LEVEL", "0", 1);
    rows_do_not_change_bits();
}

static void impossible_shapes(void)
{
    const gemm_shape bad[] = {{0, 4, 4, 4, 4, 4, 0, 0}, {8, 4, 4, 4, 4, 8, 0, 0}, {8, 4, 8, 8, 4, 8, 0, 1}, {8, 4, 4, 8, 4, 4, 0, 0}, {8, 1, -1, 8, 4, 8, 0, 1}};
    gemm_code *code[5];
    CHECK(jit_dispatch(bad, 5, code) == 0);
    for (int i = 0; i < 5; i++) CHECK(code[i] == NULL);
    CHECK(jit_dispatch(bad, 0, code) == 0);
}

static void same_kernels_again(void)
{
    gemm_code *first[SHAPES], *again[SHAPES];
    jit_dispatch(shapes, SHAPES, first);
    jit_dispatch(shapes, SHAPES, again);
    for (int i = 0; i < SHAPES; i++) CHECK(first[i] == again[i]);
}

/* The environment, the open descriptors and the lock file are as before. */
static void host_is_left_alone(void)
{
    static char given[] = "LIBXSMM_TEST_HOST=1";
    putenv(given);
    unsetenv("OMP_PROC_BIND");
    char lock[64], *before[1000];
    struct stat file;
    snprintf(lock, sizeof lock, "/tmp/.libxsmm.%u", (unsigned)getuid());
    const bool lock_existed = stat(lock, &file) == 0;
    char **const array = environ;
    int count = 0;
    for (; environ[count] != NULL && count < 1000; count++) before[count] = environ[count];
    bool open_before[64];
    for (int i = 0; i < 64; i++) open_before[i] = fcntl(i, F_GETFD) >= 0;

    check_kernels();

    CHECK(environ == array && environ[count] == NULL);
    for (int i = 0; i < count; i++) CHECK(environ[i] == before[i]);
    CHECK(getenv("OMP_PROC_BIND") == NULL);
    for (int i = 0; i < 64; i++) CHECK(open_before[i] == (fcntl(i, F_GETFD) >= 0));
    CHECK((stat(lock, &file) == 0) == lock_existed);
}

static void closed_input_stays_closed(void)
{
    close(0);
    check_kernels();
    CHECK(fcntl(0, F_GETFD) < 0);
}

/* Prints at dispatch or at exit would appear in the pipe. */
static void nothing_is_printed(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setenv("LIBXSMM_VERBOSE", "-1", 1);
        setenv("LIBXSMM_DUMP_BUILD", "1", 1);
        setenv("LIBXSMM_SE", "1", 1);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        check_kernels();
        CHECK(strcmp(getenv("LIBXSMM_VERBOSE"), "-1") == 0);
        exit(0);
    }
    close(ends[1]);
    char text[8];
    CHECK(read(ends[0], text, sizeof text) == 0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void forced_target_is_ignored(void)
{
    setenv("LIBXSMM_TARGET", "knm", 1);
    check_kernels();
    CHECK(libxsmm_get_target_archid() == libxsmm_cpuid());
}

/* The host itself started libxsmm with a target the CPU lacks. */
static void forced_host_gets_none(void)
{
    setenv("LIBXSMM_TARGET", "cpx", 1);
    libxsmm_init();
    if (libxsmm_get_target_archid() <= libxsmm_cpuid()) _exit(SKIPPED);
    gemm_code *code[SHAPES];
    CHECK(jit_dispatch(shapes, SHAPES, code) == 0);
    for (int i = 0; i < SHAPES; i++) CHECK(code[i] == NULL);
}

static void lowered_level(void)
{
    setenv("VITCC_LEVEL", "0", 1);
    check_kernels();
    CHECK(libxsmm_get_target_archid() == libxsmm_cpuid());
    CHECK(cpu_level() == CPU_BASELINE);
}

static void check_no_kernels(void)
{
    gemm_code *code[SHAPES];
    CHECK(jit_dispatch(shapes, SHAPES, code) == 0);
    for (int i = 0; i < SHAPES; i++) CHECK(code[i] == NULL);
}

/* Refuses mmap and mprotect that ask for writable and executable at once, mprotect that makes executable too if `strict`. */
static void refuse_writable_code(unsigned protection)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, protection),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protection, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void filtered_writable_code(void)
{
    refuse_writable_code(PROT_WRITE | PROT_EXEC);
    check_no_kernels();
}

static void filtered_executable_pages(void)
{
    refuse_writable_code(PROT_EXEC);
    check_no_kernels();
}

static void denied_by_prctl(void)
{
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
    if (prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0) _exit(SKIPPED);
    check_no_kernels();
}

static void unloading_leaves_the_host_whole(void)
{
    unsetenv("OMP_PROC_BIND");
    void *plugin = dlopen(JIT_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    CHECK(plugin != NULL);
    int (*dispatch)(const gemm_shape *, int, gemm_code **);
    *(void **)&dispatch = dlsym(plugin, "jit_plugin_dispatch");
    CHECK(dispatch != NULL);
    gemm_code *code[SHAPES];
    const int found = dispatch(shapes, SHAPES, code);
    CHECK(cpu_level_found() == CPU_BASELINE || found == SHAPES);
    if (found == SHAPES) CHECK(kernel_is_right(code[0], &shapes[0]));
    const bool input_was_open = fcntl(0, F_GETFD) >= 0;
    CHECK(dlclose(plugin) == 0);
    CHECK((fcntl(0, F_GETFD) >= 0) == input_was_open);
    CHECK(getenv("SURELY_NOT_SET") == NULL);
    for (char **e = environ; *e != NULL; e++) CHECK(strncmp(*e, "OMP_PROC_BIND", 13) != 0);
}

#define CASE(name) static void test_##name(void **state) { (void)state; in_child(name); }
CASE(check_kernels)
CASE(rows_do_not_change_bits)
CASE(rows_do_not_change_bits_without_avx512)
CASE(rows_do_not_change_bits_with_sse)
CASE(impossible_shapes)
CASE(same_kernels_again)
CASE(host_is_left_alone)
CASE(closed_input_stays_closed)
CASE(nothing_is_printed)
CASE(forced_target_is_ignored)
CASE(forced_host_gets_none)
CASE(lowered_level)
CASE(filtered_writable_code)
CASE(filtered_executable_pages)
CASE(denied_by_prctl)
CASE(unloading_leaves_the_host_whole)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_kernels),
        cmocka_unit_test(test_rows_do_not_change_bits),
        cmocka_unit_test(test_rows_do_not_change_bits_without_avx512),
        cmocka_unit_test(test_rows_do_not_change_bits_with_sse),
        cmocka_unit_test(test_impossible_shapes),
        cmocka_unit_test(test_same_kernels_again),
        cmocka_unit_test(test_host_is_left_alone),
        cmocka_unit_test(test_closed_input_stays_closed),
        cmocka_unit_test(test_nothing_is_printed),
        cmocka_unit_test(test_forced_target_is_ignored),
        cmocka_unit_test(test_forced_host_gets_none),
        cmocka_unit_test(test_lowered_level),
        cmocka_unit_test(test_filtered_writable_code),
        cmocka_unit_test(test_filtered_executable_pages),
        cmocka_unit_test(test_denied_by_prctl),
        cmocka_unit_test(test_unloading_leaves_the_host_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
