/* The instruction-set level of a translation unit, and its vector types. Included after the system headers; level_end.h ends what this begins.
 * VITCC_LEVEL: 0 or undefined: what every CPU of the target has, 4 lanes; 2: AVX2 and FMA, 8 lanes; 5: AVX-512 (F, BW, DQ, VL), 16 lanes.
 * All functions below are compiled for the level: none needs an attribute, no file a flag. The program chooses the level that the CPU has.
 * Flags meant for code that includes this: -O3 -std=gnu11 -ffp-contract=fast -fno-math-errno -fno-trapping-math. */
#ifndef VITCC_TEMPLATES_LEVEL_H
#define VITCC_TEMPLATES_LEVEL_H

#ifndef VITCC_LEVEL
#define VITCC_LEVEL 0
#endif

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#if VITCC_LEVEL == 5
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
enum { LANES = 16 };
#elif VITCC_LEVEL == 2
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vf __attribute__((vector_size(LANES * 4)));      /* LANES floats */
typedef int32_t vi __attribute__((vector_size(LANES * 4)));    /* LANES integers; as a truth value 0 or -1 a lane */

/* A template is inlined into its instance, so that sizes and functions passed by name are constants in it. */
#define TEMPLATE static inline __attribute__((always_inline))

/* Before a loop of few, constant turns over an array of vectors: unrolled, the array lives in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
