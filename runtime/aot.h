/* Matrix kernels whose machine code libxsmm made while the model was compiled: <name>_gemm.S holds it for three instruction-set levels. Nothing is
 * written, mapped or generated here; on other processors and systems AOT_HERE is undefined, and the portable kernels run.
 * Source: libxsmm 1.17, see LICENSE.libxsmm. */
#ifndef VITCC_RUNTIME_AOT_H
#define VITCC_RUNTIME_AOT_H

#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__)

#define AOT_HERE

#include <stddef.h>
#include <stdint.h>

#include "cpu.h"
#include "gemm.h"

enum { AOT_LEVELS = 3 };   /* SSE, AVX2 and FMA, AVX-512 */

/* code[i] becomes the level's kernel i, or NULL where there is none; returns how many there are.
 * table: [AOT_LEVELS][count], where the code starts, in bytes from the entry itself (so that nothing is relocated); 0: none. */
static inline int aot_kernels(const int32_t *table, int count, int level, gemm_code **code)
{
    const int32_t *entry = table + (ptrdiff_t)count * (level >= CPU_AVX512 ? 2 : level >= CPU_AVX2 ? 1 : 0);
    int found = 0;
    for (int i = 0; i < count; i++) {
        code[i] = entry[i] ? (gemm_code *)((uintptr_t)&entry[i] + (uintptr_t)(intptr_t)entry[i]) : NULL;
        found += entry[i] != 0;
    }
    return found;
}

#endif
#endif
