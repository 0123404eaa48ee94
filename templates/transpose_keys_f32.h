/* Keys as attention_f32 reads them: transposed, a row a component, padded to ldk columns.
 * Shapes: k [rows][ldk_in], group g at g d; kt [groups][d][ldk]; row i of k is column first + i of kt.
 * Requires: first + rows <= ldk. Columns from the last key on are cleared once by clear_keys_f32; nothing writes them afterwards. */
#ifndef VITCC_TEMPLATES_TRANSPOSE_KEYS_F32_H
#define VITCC_TEMPLATES_TRANSPOSE_KEYS_F32_H

#include "vec_f32.h"

/* LANES rows of k at component c become one vector a component. */
TEMPLATE void transpose_keys_f32(const float *k, int ldk_in, float *kt, int ldk, size_t first, int rows, int groups, int d)
{
    const int components = groups * d;
    int r = 0;
    for (; r + LANES <= rows; r += LANES) {
        const float *from = k + (ptrdiff_t)r * ldk_in;
        float *to = kt + first + r;
        for (int c = 0; c < components; c++) {
            vf column;
            UNROLL
            for (int i = 0; i < LANES; i++) column[i] = from[(ptrdiff_t)i * ldk_in + c];
            vf_store(to + (ptrdiff_t)c * ldk, column);
        }
    }
    for (; r < rows; r++)
        for (int c = 0; c < components; c++) kt[(ptrdiff_t)c * ldk + (ptrdiff_t)first + r] = k[(ptrdiff_t)r * ldk_in + c];
}

/* Zeroes columns keys to ldk of kt. */
TEMPLATE void clear_keys_f32(float *kt, int ldk, int keys, int groups, int d)
{
    for (int c = 0; c < groups * d; c++)
        for (int i = keys; i < ldk; i++) kt[(ptrdiff_t)c * ldk + i] = 0;
}

#endif
