/* resample: interpolation or pooling along one axis. */
#include <math.h>
#include <stdlib.h>

#include "eval_private.h"

status eval_resample(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0], *index = in[1], *weight = n->inputs > 2 ? in[2] : NULL;
    const int64_t axis = ir_int(n, KEY_AXIS, 0);
    if (axis < 0 || axis >= x->rank || index->rank != 2 || (weight && weight->elements != index->elements))
        return eval_fail(c, n, 0, STATUS_SHAPE, "there is no axis %lld", (long long)axis);
    const int64_t size = x->shape[axis], outer = eval_product_of(x->shape, 0, (int)axis), inner = eval_product_of(x->shape, (int)axis + 1, x->rank);
    const int64_t places = index->shape[0], taps = index->shape[1];
    if (out->elements != outer * places * inner) return eval_fail(c, n, 1, STATUS_SHAPE, "the output is of another shape");
    double *row = eval_allocate(inner, sizeof *row), *sum = eval_allocate(inner, sizeof *sum);
    status s = row && sum ? STATUS_OK : eval_out_of_memory(c, n);
    for (int64_t i = 0; i < outer * places && s == STATUS_OK; i++) {
        for (int64_t j = 0; j < inner; j++) sum[j] = weight ? 0 : -HUGE_VAL;
        for (int64_t t = 0; t < taps && s == STATUS_OK; t++) {
            int64_t from;
            double factor = 1;
            eval_load_integers(index->stored, index->data, i % places * taps + t, 1, 1, &from);
            if (weight) eval_load_floats(weight->stored, weight->data, i % places * taps + t, 1, 1, &factor);
            if (from < 0 || from >= size) {
                s = eval_fail(c, n, 1, STATUS_SHAPE, "index %lld is outside of %lld", (long long)from, (long long)size);
                break;
            }
            eval_load_floats(x->stored, x->data, (i / places * size + from) * inner, 1, inner, row);
            for (int64_t j = 0; j < inner; j++) sum[j] = weight ? sum[j] + factor * row[j] : isnan(sum[j]) || sum[j] > row[j] ? sum[j] : row[j];
        }
        if (s == STATUS_OK) eval_store_floats(out->stored, out->owned, i * inner, inner, sum);
    }
    free(row);
    free(sum);
    return s;
}
