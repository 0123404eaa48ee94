/* Runs libxsmm's generator for each instruction-set level, in child processes: its registry serves one target, and its traces in a process
 * (environment, lock file, standard input closed at exit; see runtime/jit.h) end with the child. What comes back through a pipe is bytes. */
#define _GNU_SOURCE
#include "aot.h"

const char *const aot_level_name[AOT_LEVEL_COUNT] = { "SSE", "AVX2", "AVX-512" };

#if defined(VITCC_LIBXSMM)

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../../runtime/jit.h"

typedef enum outcome { MADE, REFUSED, BOUND, BROKEN } outcome;

enum { PAGE = 4096, CODE_MAX = 1 << 20 };

static const uint64_t widest_mapping = (uint64_t)1 << 36;

typedef struct made { uintptr_t address; size_t size; } made;   /* what a child says of a kernel, before its bytes */

/* libxsmm's names of the levels; on a CPU with more (VNNI, BF16) it writes the same single-precision code. */
static int target_of(int level)
{
    static const int target[AOT_LEVEL_COUNT] = { LIBXSMM_X86_SSE4, LIBXSMM_X86_AVX2, LIBXSMM_X86_AVX512_CORE };
    return target[level];
}

/* ---- in the child ---- */

/* Takes the pages that the kernels of the first round lay in, so that this round's lie elsewhere. */
static void take_pages(int kernels)
{
    for (int i = 0; i < 1024 + 4 * kernels; i++) {
        void *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return;
    }
}

/* Is an address of this process in the code? Mappings wider than any file or heap are a sanitizer's shadow, full of values that are no addresses. */
static bool bound_to_process(const made *kernel, int count)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    uint64_t first, last;
    bool bound = false;
    while (maps && !bound && fscanf(maps, "%" SCNx64 "-%" SCNx64 "%*[^\n]", &first, &last) == 2)
        for (int i = 0; i < count && !bound && last - first < widest_mapping; i++)
            if (kernel[i].size) bound = aot_holds_address((const unsigned char *)kernel[i].address, kernel[i].size, first, last);
    if (maps) fclose(maps);
    return bound;
}

static made make_kernel(const plan_gemm *g)
{
    const gemm_shape shape = { g->m, g->n, g->k, g->lda, g->ldb, g->ldc, g->add, g->batch };
    const uintptr_t address = (uintptr_t)jit_kernel(&shape);
    libxsmm_kernel_info info;
    if (!address || libxsmm_get_kernel_info((const void *)address, &info)) return (made){ 0 };
    return (made){ address, info.code_size };
}

static outcome make_kernels(int level, int round, const plan_gemm *gemm, int count, made *kernel)
{
    if (!jit_may_write_code()) return REFUSED;
    if (round) take_pages(count);
    jit_init();
    libxsmm_set_target_archid(target_of(level));
    if (libxsmm_get_target_archid() != target_of(level)) return BROKEN;
    for (int i = 0; i < count; i++) kernel[i] = make_kernel(&gemm[i]);
    return bound_to_process(kernel, count) ? BOUND : MADE;
}

static void child(int level, int round, const plan_gemm *gemm, int count, FILE *to)
{
    made *kernel = calloc((size_t)count + 1, sizeof *kernel);
    const outcome result = kernel ? make_kernels(level, round, gemm, count, kernel) : BROKEN;
    fwrite(&result, sizeof result, 1, to);
    for (int i = 0; i < count && result == MADE; i++) {
        fwrite(&kernel[i], sizeof kernel[i], 1, to);
        if (kernel[i].size) fwrite((const void *)kernel[i].address, 1, kernel[i].size, to);
    }
    fflush(to);
    _exit(0);   /* no destructor of libxsmm's runs */
}

/* ---- in the compiler ---- */

static outcome receive(arena *a, int count, FILE *from, aot_code *code, uintptr_t *address)
{
    outcome result;
    if (fread(&result, sizeof result, 1, from) != 1) return BROKEN;
    for (int i = 0; i < count && result == MADE; i++) {
        made kernel;
        if (fread(&kernel, sizeof kernel, 1, from) != 1 || kernel.size > CODE_MAX) return BROKEN;
        unsigned char *bytes = arena_alloc(a, kernel.size + 1);
        if (fread(bytes, 1, kernel.size, from) != kernel.size) return BROKEN;
        code[i] = (aot_code){ bytes, kernel.size };
        address[i] = kernel.address;
    }
    return result;
}

/* One level's kernels, made by a new process. */
static outcome generate(arena *a, int level, int round, const plan_gemm *gemm, int count, aot_code *code, uintptr_t *address)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return BROKEN;
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        FILE *to = fdopen(ends[1], "wb");
        if (to) child(level, round, gemm, count, to);
        _exit(1);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "rb");
    const outcome result = pid > 0 && from ? receive(a, count, from, code, address) : BROKEN;
    if (from) fclose(from);
    else close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    return result;
}

static const char *reason(outcome result)
{
    switch (result) {
    case REFUSED: return "memory that is both writable and executable is refused here, and libxsmm's generator needs it";
    case BOUND: return "libxsmm's code depends on the address at which it was generated";
    default: return "libxsmm's generator failed";
    }
}

status aot_generate(arena *a, const plan_gemm *const *gemm, int count, aot_code *code, diag *d)
{
    aot_code *again = arena_array(a, (size_t)count + 1, sizeof *again);
    uintptr_t *address = arena_array(a, (size_t)count + 1, sizeof *address), *other = arena_array(a, (size_t)count + 1, sizeof *other);
    for (int level = 0; level < AOT_LEVEL_COUNT; level++) {
        aot_code *made = code + level * count;
        outcome result = generate(a, level, 0, gemm[level], count, made, address);
        if (result == MADE) result = generate(a, level, 1, gemm[level], count, again, other);
        if (result == MADE && !aot_independent(made, address, again, other, count)) result = BOUND;
        if (result != MADE) return diag_error(d, STATUS_AOT, NULL, "%s: %s", aot_level_name[level], reason(result));
    }
    return STATUS_OK;
}

#else

status aot_generate(arena *a, const plan_gemm *const *gemm, int count, aot_code *code, diag *d)
{
    (void)a, (void)gemm, (void)count, (void)code;
    return diag_error(d, STATUS_AOT, NULL, "this vitcc was built without libxsmm, which generates code for x86-64 only");
}

#endif
