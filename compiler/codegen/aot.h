/* Machine code of the matrix kernels, made by libxsmm inside the compiler. */
#ifndef VITCC_CODEGEN_AOT_H
#define VITCC_CODEGEN_AOT_H

#include "../plan/plan.h"

enum { AOT_LEVEL_COUNT = 3 };                       /* as AOT_LEVELS in runtime/aot.h */
extern const char *const aot_level_name[AOT_LEVEL_COUNT];

typedef struct aot_code {
    const unsigned char *bytes;
    size_t size;                                    /* 0: libxsmm has none for this shape and level */
} aot_code;

/* code[level * count + i] becomes the code of kernel gemm[level][i]. The code is position-independent and refers to nothing outside itself: each level
 * is generated twice at different addresses and must come out the same, with no address of this process in it.
 * Errors: STATUS_AOT where this compiler has no libxsmm, or may not run its generator. */
status aot_generate(arena *a, const plan_gemm *const *gemm, int count, aot_code *code, diag *d);

/* aot_check.c: do eight bytes in a row of the code make an address from `first` up to `last`? */
bool aot_holds_address(const unsigned char *code, size_t size, uint64_t first, uint64_t last);
/* Are these the same kernels, though each pair was generated at two different addresses? */
bool aot_independent(const aot_code *x, const uintptr_t *at_x, const aot_code *y, const uintptr_t *at_y, int count);

#endif
