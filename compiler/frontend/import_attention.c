/* The Attention operator of opset 23 and 24. */
#include <inttypes.h>
#include <math.h>

#include "import.h"
#include "import_product.h"

/* Input i as [B, T, heads, d]: from [B, heads, T, d], or from [B, T, heads * d]. NULL: reported. */
static ir_value *as_heads(importer *im, import_node *n, int i, const char *heads_attribute)
{
    ir_value *x = import_tensor(im, n, i);
    const int64_t heads = import_int(im, n, heads_attribute, 0);
    dim size;
    if (!x) return NULL;
    if (x->type.rank == 4) return import_transpose(im, n, x, (const int[]){ 0, 2, 1, 3 });
    if (x->type.rank == 3 && heads > 0 && dim_div_exact(x->type.dim[2], dim_of(heads), &size)) {
        return import_reshape(im, n, x, (const dim[]){ x->type.dim[0], x->type.dim[1], dim_of(heads), size }, 4);
    }
    import_fail(im, n, STATUS_SHAPE, i, "four axes are needed, or three that %s = %" PRId64 " divides", heads_attribute, heads);
    return NULL;
}

static bool check_supported(importer *im, import_node *n)
{
    if (import_has(n, 4) || import_has(n, 5) || import_has(n, 6)) return import_fail(im, n, STATUS_OPERATOR, 4, "a cache of keys and values");
    if (import_float(im, n, "softcap", 0) != 0) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "softcap");
    for (int i = 0; i < 3; i++)
        if (!elem_is_float(import_type(n, i)->elem) || import_type(n, i)->elem != import_type(n, 0)->elem) {
            return import_fail(im, n, STATUS_TYPE, i, "floats of one type are needed");
        }
    if (!import_has(n, 3)) return true;
    const elem mask = import_type(n, 3)->elem;
    return mask == ELEM_BOOL || mask == import_type(n, 0)->elem || import_fail(im, n, STATUS_TYPE, 3, "a mask is bool or of the scores' type");
}

bool import_attention(importer *im, import_node *n)
{
    if (!check_supported(im, n)) return false;
    const bool flat = import_type(n, 0)->rank == 3;
    ir_value *q = as_heads(im, n, 0, "q_num_heads"), *k = as_heads(im, n, 1, "kv_num_heads"), *v = as_heads(im, n, 2, "kv_num_heads");
    ir_value *mask = import_has(n, 3) ? import_tensor(im, n, 3) : NULL;
    if (!q || !k || !v || (import_has(n, 3) && !mask)) return false;
    int64_t size;
    if (!dim_is_constant(q->type.dim[3], &size) || size < 1) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the size of a head");
    const bool causal = import_int(im, n, "is_causal", 0) != 0;
    /* ONNX aligns the triangle with the first key, the graph's operator with the last. */
    if (causal && !dim_equal(q->type.dim[1], k->type.dim[1])) {
        return import_fail(im, n, STATUS_ATTRIBUTE, 1, "is_causal with other numbers of queries and keys");
    }
    ir_node *node = import_begin(im, n, IR_ATTENTION);
    ir_value *const input[4] = { q, k, v, mask };
    for (int i = 0; i < (mask ? 4 : 3); i++) ir_input(node, input[i]);
    ir_set_number(node, KEY_SCALE, import_float(im, n, "scale", 1 / sqrt((double)size)));
    if (causal) ir_set_int(node, KEY_CAUSAL, 1);
    ir_value *out = import_end(im, node);
    if (!out || !flat) return import_put(im, n, 0, out ? import_transpose(im, n, out, (const int[]){ 0, 2, 1, 3 }) : NULL);
    dim width;
    if (!dim_mul(out->type.dim[2], out->type.dim[3], &width)) return import_fail(im, n, STATUS_SHAPE, 0, "its width is not affine");
    return import_put(im, n, 0, import_reshape(im, n, out, (const dim[]){ out->type.dim[0], out->type.dim[1], width }, 3));
}
