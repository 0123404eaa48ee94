/* --profile: a table of the kernels, by the time that threads spend in them. */
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"
#include "profile.h"
#include "program_private.h"

/* What a core can do: CHAINS multiply-adds on vectors in registers, whose results nothing waits for.
 * Source: latency 4 times 2 units need 8 of them. */
enum { CHAINS = 12, TURNS = 100000, ROUNDS = 20 };

#define DEFINE_CHAINS(name, attributes, lanes)                                                                      \
    typedef float name##_vector __attribute__((vector_size(lanes * 4)));                                            \
    attributes static float name(float x)                                                                           \
    {                                                                                                               \
        name##_vector sum[CHAINS], half;                                                                            \
        for (int i = 0; i < (lanes); i++) half[i] = x;                                                              \
        for (int c = 0; c < CHAINS; c++) sum[c] = half * (float)c;                                                  \
        for (int t = 0; t < TURNS; t++) {                                                                           \
            _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * half + half;                \
        }                                                                                                           \
        float all = 0;                                                                                              \
        for (int c = 0; c < CHAINS; c++) all += sum[c][0];                                                          \
        return all;                                                                                                 \
    }

DEFINE_CHAINS(chains_base, , 4)
#if defined(__x86_64__)
DEFINE_CHAINS(chains_avx2, __attribute__((target("avx2,fma"))), 8)
DEFINE_CHAINS(chains_avx512, __attribute__((target("avx512f"))), 16)
#endif

/* FLOP a second of one core. */
static double measure_peak(void)
{
    float (*chains)(float) = chains_base;
    int lanes = 4;
#if defined(__x86_64__)
    if (cpu_level() == CPU_AVX512) chains = chains_avx512, lanes = 16;
    if (cpu_level() == CPU_AVX2) chains = chains_avx2, lanes = 8;
#endif
    volatile float half = .5f;
    double best = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const double before = program_seconds();
        half = chains(half) * 0 + .5f;
        const double rate = 2. * CHAINS * TURNS * lanes / (program_seconds() - before);
        if (rate > best) best = rate;
    }
    return best;
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = ((const profile_row *)a)->nanoseconds, y = ((const profile_row *)b)->nanoseconds;
    return (x < y) - (x > y);
}

static void print_row(const char *name, int steps, double ms, double share, double flop, double bytes, double peak)
{
    printf("%9.3f %6.1f %%  %5d %9.3f %9.2f", ms, 100 * share, steps, flop * 1e-9, bytes * 1e-6);
    if (flop > 0) printf(" %8.1f %6.1f %%", flop / ms * 1e-6, 100 * flop / (ms * 1e-3) / peak);
    else printf(" %8s %8s", "", "");
    printf("  %s\n", name);
}

static void print_table(const profile_row *row, int rows, double wall_ms, double images, double peak)
{
    double sum = 0, flop = 0, bytes = 0;
    int steps = 0;
    printf("\n       ms   share  steps     GFLOP        MB     GF/s  of peak  kernel (an image; time of all threads)\n");
    for (int i = 0; i < rows; i++) {
        const double ms = (double)row[i].nanoseconds * 1e-6 / images;
        print_row(row[i].name, row[i].steps, ms, ms / wall_ms, row[i].flop, row[i].bytes, peak);
        sum += ms, flop += row[i].flop, bytes += row[i].bytes, steps += row[i].steps;
    }
    print_row("(between kernels: claiming, waiting, copying)", 0, wall_ms - sum, (wall_ms - sum) / wall_ms, 0, 0, peak);
    print_row("whole", steps, wall_ms, 1, flop, bytes, peak);
    printf("peak: %.1f GF/s a core, measured before the runs\n", peak * 1e-9);
}

int program_profile(program *p, int64_t batch)
{
    const int runs = p->options.bench;
    int rows = 0;
    const double peak = measure_peak();
    profile_row *const row = p->m->profile(p->model, &rows);
    const double before = program_seconds();
    for (int i = 0; i < runs; i++)
        if (!program_run(p, batch)) return PROGRAM_FAILED;
    const double wall_ms = (program_seconds() - before) * 1e3 * p->options.threads / runs / (double)batch;
    qsort(row, (size_t)rows, sizeof *row, by_time);
    print_table(row, rows, wall_ms, (double)runs * (double)batch, peak);
    return PROGRAM_OK;
}
