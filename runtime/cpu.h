/* Which of the instruction-set levels, for which kernels are compiled, this CPU has. */
#ifndef VITCC_RUNTIME_CPU_H
#define VITCC_RUNTIME_CPU_H

#include <stdlib.h>

enum { CPU_BASELINE = 0, CPU_AVX2 = 2, CPU_AVX512 = 5 };

static inline int cpu_level_found(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CPU_BASELINE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")
        || !__builtin_cpu_supports("avx512vl"))
        return CPU_AVX2;
    return CPU_AVX512;
#else
    return CPU_BASELINE;
#endif
}

/* 0 baseline, 2 AVX2 and FMA, 5 AVX-512 (F, BW, DQ, VL); 0 on other CPUs than x86. The environment variable VITCC_LEVEL (0, 2 or 5) lowers
 * it, for tests; it never raises it, and any other value is ignored. */
static inline int cpu_level(void)
{
    const int found = cpu_level_found();
    const char *wanted = getenv("VITCC_LEVEL");
    if (wanted == NULL || wanted[0] == 0 || wanted[1] != 0) return found;
    const int level = wanted[0] - '0';
    if (level != CPU_BASELINE && level != CPU_AVX2 && level != CPU_AVX512) return found;
    return level < found ? level : found;
}

#endif
