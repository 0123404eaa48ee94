/* Matrix kernels that libxsmm generates for the CPU found. libxsmm meddles with its host: this file lets it see an environment of its own, gives
 * back what it takes, and asks it for nothing where its code could not run.
 * Requires: libxsmm 1.17; link with -lxsmm -lxsmmnoblas. Only included where kernels come this way. */
#ifndef VITCC_RUNTIME_JIT_H
#define VITCC_RUNTIME_JIT_H

#include <stdbool.h>
#include <stddef.h>

#include "gemm.h"

#if defined(__linux__) && defined(__x86_64__)

#include <fcntl.h>
#include <libxsmm.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu.h"

extern char **environ;
extern int internal_singleton_handle;   /* libxsmm's: what it closes at exit */

/* libxsmm writes code into pages that are writable and executable at once. Where those are refused (seccomp, PR_SET_MDWE, SELinux) it returns
 * pointers into plain memory, and calling them is fatal. */
static inline bool jit_may_write_code(void)
{
    const size_t bytes = 4096;
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    *(volatile unsigned char *)page = 0xc3;
    const bool may = mprotect(page, bytes, PROT_READ | PROT_EXEC) == 0;
    munmap(page, bytes);
    return may;
}

/* Closes the lock file that libxsmm_init leaves open, and removes it where libxsmm made it. `from`: the lowest descriptor that was free before. */
static inline void jit_drop_lock_file(const char *path, bool existed, int from)
{
    struct stat file, open_file;
    if (from < 0 || stat(path, &file) != 0) return;
    for (int descriptor = from; descriptor < from + 64; descriptor++) {
        if (fstat(descriptor, &open_file) != 0 || open_file.st_dev != file.st_dev || open_file.st_ino != file.st_ino) continue;
        close(descriptor);
        if (!existed) unlink(path);
        return;
    }
}

/* libxsmm_init, with all of the environment hidden but what stops its putenv: LIBXSMM_TARGET, LIBXSMM_VERBOSE and 37 more have no effect, and no
 * pointer to its memory stays in the host's environment. At exit libxsmm would close its handle, which is 0, the host's standard input. */
static inline void jit_init(void)
{
    static char no_binding[] = "OMP_PROC_BIND=FALSE";
    char *hidden[] = {no_binding, NULL};
    char path[64];
    struct stat file;
    snprintf(path, sizeof path, "/tmp/.libxsmm.%u", (unsigned)getuid());
    const bool existed = lstat(path, &file) == 0;
    const int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (lowest >= 0) close(lowest);

    char **const host = environ;
    environ = hidden;
    libxsmm_init();
    environ = host;

    internal_singleton_handle = -1;
    jit_drop_lock_file(path, existed, lowest);
}

/* The instruction set to generate for: the CPU's, lowered with cpu_level. */
static inline int jit_target(void)
{
    const int found = libxsmm_cpuid(), level = cpu_level();
    const int most = level == CPU_AVX512 ? LIBXSMM_X86_AVX512_CPX : level == CPU_AVX2 ? LIBXSMM_X86_AVX2 : LIBXSMM_X86_SSE4;
    return found < most ? found : most;
}

static inline gemm_code *jit_kernel(const gemm_shape *s)
{
    const float alpha = 1, beta = s->add ? 1 : 0;
    const int flags = LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
    const libxsmm_blasint lda = s->lda, ldb = s->ldb, ldc = s->ldc;
    if (s->m < 1 || s->n < 1 || s->k < 1 || lda < s->m || ldb < s->k || ldc < s->m) return NULL;
    if (!s->batch) return libxsmm_smmdispatch(s->m, s->n, s->k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
    return (gemm_code *)(void (*)(void))libxsmm_smmdispatch_reducebatch_offs(s->m, s->n, s->k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
}

/* code[i] becomes a kernel for shape[i], or NULL where none is to be had; returns how many there are. Kernels stay until the process ends (or the
 * object that holds libxsmm is unloaded). */
static inline int jit_dispatch(const gemm_shape *shape, int count, gemm_code **code)
{
    for (int i = 0; i < count; i++) code[i] = NULL;
    if (count <= 0 || !jit_may_write_code()) return 0;
    int found = 0;
    /* The environment is shared by all libraries of a process, and so is this lock: the one that they all have. */
    flockfile(stderr);
    jit_init();
    if (libxsmm_get_target_archid() <= libxsmm_cpuid()) {
        const int before = libxsmm_get_target_archid();
        libxsmm_set_target_archid(jit_target());
        for (int i = 0; i < count; i++) {
            code[i] = jit_kernel(&shape[i]);
            found += code[i] != NULL;
        }
        libxsmm_set_target_archid(before);
    }
    funlockfile(stderr);
    return found;
}

#else

static inline int jit_dispatch(const gemm_shape *shape, int count, gemm_code **code)
{
    (void)shape;
    for (int i = 0; i < count; i++) code[i] = NULL;
    return 0;
}

#endif
#endif
