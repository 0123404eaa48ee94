/* One query row of one head in double precision, for tests. */
#ifndef VITCC_TEMPLATES_ATTENTION_F32_REFERENCE_H
#define VITCC_TEMPLATES_ATTENTION_F32_REFERENCE_H

#include "attention_f32.h"

/* q [d]; keys [keys][ldk] and v [keys][ldv] of the head's group; head, row: for the mask. probability [keys], out [e]. */
static inline void attention_f32_reference(const float *q, const float *k, int ldk, const float *v, int ldv, int keys, int d, int e, double scale,
                                           const attention_mask *mask,
                                           size_t head, size_t row, double *probability, double *out)
{
    double top = -INFINITY, sum = 0;
    for (int j = 0; j < keys; j++) {
        double s = 0;
        for (int c = 0; c < d; c++) s += (double)q[c] * (double)k[(ptrdiff_t)j * ldk + c];
        s *= scale;
        if (mask) {
            const size_t at = head * mask->head_stride + row * mask->row_stride + (size_t)(j * mask->key_stride);
            if (mask->add) s += (double)mask->add[at];
            if (mask->grid) {
                const size_t query = head * mask->grid->queries + row, rows = (size_t)mask->grid->rows, columns = (size_t)mask->grid->columns;
                s += (double)mask->grid->by_row[query * rows + (size_t)j / columns] + (double)mask->grid->by_column[query * columns + (size_t)j % columns];
            }
            if ((mask->take && !mask->take[at]) || (mask->causal && j > (int)row + mask->offset)) s = -INFINITY;
        }
        probability[j] = s;
        if (s > top) top = s;
    }
    const bool zero = top == -INFINITY && mask && !mask->empty_is_nan;
    for (int j = 0; j < keys; j++) sum += probability[j] = zero ? 0 : exp(probability[j] - top);
    for (int j = 0; j < keys; j++) probability[j] = zero ? 0 : probability[j] / sum;
    for (int c = 0; c < e; c++) {
        out[c] = 0;
        for (int j = 0; j < keys; j++) out[c] += probability[j] * (double)v[(ptrdiff_t)j * ldv + c];
    }
}

#endif
