/* Lengths of a run: their value, and values between their size and their capacity. */
#include <string.h>

#include "eval_private.h"

status eval_length(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    (void)in;
    int64_t value;
    const status s = eval_dim(c, n, dim_symbol_of((int)ir_int(n, KEY_SYMBOL, 0)), &value);
    if (s == STATUS_OK) eval_store_integers(out->stored, out->owned, 0, 1, &value);
    return s;
}

/* extend and shrink: the elements at the end of the axis are the same, and what is more of the result is zero. */
status eval_capacity(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0];
    const int axis = (int)ir_int(n, KEY_AXIS, 0);
    const size_t size = elem_size(out->stored);
    if (x->stored != out->stored) {   /* halves, which were widened long before */
        return eval_fail(c, n, 0, STATUS_TYPE, "it is stored as %s", elem_name(x->stored));
    }
    const int64_t outer = eval_product_of(x->shape, 0, axis), inner = eval_product_of(x->shape, axis + 1, x->rank);
    const int64_t have = x->shape[axis], want = out->shape[axis], both = have < want ? have : want;
    if (out->elements) memset(out->owned, 0, (size_t)out->elements * size);
    for (int64_t o = 0; o < outer && both * inner > 0; o++)
        memcpy((char *)out->owned + (size_t)(((o + 1) * want - both) * inner) * size,
               (const char *)x->data + (size_t)(((o + 1) * have - both) * inner) * size, (size_t)(both * inner) * size);
    return STATUS_OK;
}
