/* The Attention operator of opset 23 to 25. */
#include <inttypes.h>
#include <math.h>

#include "import_heads.h"

/* Input i as [B, heads, T, d], which it is already or, as [B, T, heads * d], becomes. NULL: reported. */
static ir_value *heads_first(importer *im, import_node *n, int i, const char *heads_attribute)
{
    ir_value *x = import_tensor(im, n, i);
    if (!x || x->type.rank == 4) return x;
    x = heads_split(im, n, x, import_int(im, n, heads_attribute, 0));
    return x ? import_transpose(im, n, x, (const int[]){ 0, 2, 1, 3 }) : NULL;
}

static bool check_supported(importer *im, import_node *n)
{
    for (int i = 0; i < 6; i++) {
        if (!import_has(n, i) || i == 3) continue;
        if (!elem_is_float(import_type(n, i)->elem) || import_type(n, i)->elem != import_type(n, 0)->elem) {
            return import_fail(im, n, STATUS_TYPE, i, "floats of one type are needed");
        }
    }
    if (import_has(n, 4) != import_has(n, 5)) return import_fail(im, n, STATUS_ARITY, 4, "past keys and values come together");
    if (import_has(n, 6) && (import_has(n, 4) || !elem_is_integer(import_type(n, 6)->elem) || import_type(n, 6)->rank != 1)) {
        return import_fail(im, n, STATUS_TYPE, 6, "one whole number an image is needed, and no past keys");
    }
    if (!import_has(n, 3)) return true;
    const elem mask = import_type(n, 3)->elem;
    return mask == ELEM_BOOL || mask == import_type(n, 0)->elem || import_fail(im, n, STATUS_TYPE, 3, "a mask is bool or of the scores' type");
}

static bool read_attributes(importer *im, import_node *n, heads *h)
{
    const int64_t precision = import_int(im, n, "softmax_precision", 0), mode = import_int(im, n, "qk_matmul_output_mode", 0);
    h->softcap = import_float(im, n, "softcap", 0);
    h->causal = import_int(im, n, "is_causal", 0) != 0;
    h->left = import_int(im, n, "left_window_size", -1);
    h->right = import_int(im, n, "right_window_size", -1);
    h->precision = precision > 0 && precision < 100 ? elem_from_onnx((int)precision) : ELEM_NONE;
    if (precision && !elem_is_float(h->precision)) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "softmax_precision = %" PRId64, precision);
    if (mode < 0 || mode > 3) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "qk_matmul_output_mode = %" PRId64, mode);
    if (h->softcap < 0) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "softcap = %g", h->softcap);
    h->scores_mode = import_is_wanted(n, 3) ? (int)mode : -1;
    if (h->precision == import_type(n, 0)->elem) h->precision = ELEM_NONE;
    return true;
}

/* Keys and values behind the past ones; outputs 1 and 2 are both together. */
static bool append_past(importer *im, import_node *n, ir_value **k, ir_value **v, dim *past)
{
    *past = dim_of(0);
    if (import_has(n, 4)) {
        if (import_type(n, 4)->rank != 4) return import_fail(im, n, STATUS_SHAPE, 4, "four axes are needed");
        *past = import_type(n, 4)->dim[2];
        *k = heads_append(im, n, import_tensor(im, n, 4), *k);
        *v = heads_append(im, n, import_tensor(im, n, 5), *v);
    }
    return *k && *v && (!import_is_wanted(n, 1) || import_put(im, n, 1, *k)) && (!import_is_wanted(n, 2) || import_put(im, n, 2, *v));
}

bool import_attention(importer *im, import_node *n)
{
    static const int swap[] = { 0, 2, 1, 3 };
    heads h = { 0 };
    if (!check_supported(im, n) || !read_attributes(im, n, &h)) return false;
    ir_value *q = heads_first(im, n, 0, "q_num_heads"), *k = heads_first(im, n, 1, "kv_num_heads"), *v = heads_first(im, n, 2, "kv_num_heads");
    int64_t size;
    if (!q || !k || !v || !append_past(im, n, &k, &v, &h.past)) return false;
    if (q->type.rank != 4 || k->type.rank != 4 || v->type.rank != 4) return import_fail(im, n, STATUS_SHAPE, 0, "three or four axes are needed");
    if (!dim_is_constant(q->type.dim[3], &size) || size < 1) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the size of a head");
    h.scale = import_float(im, n, "scale", 1 / sqrt((double)size));
    h.mask = import_has(n, 3) ? import_tensor(im, n, 3) : NULL;
    h.valid = import_has(n, 6) ? import_tensor(im, n, 6) : NULL;
    if ((import_has(n, 3) && !h.mask) || (import_has(n, 6) && !h.valid)) return false;
    h.q = import_transpose(im, n, q, swap);
    h.k = import_transpose(im, n, k, swap);
    h.v = import_transpose(im, n, v, swap);
    ir_value *out = heads_attend(im, n, &h);
    if (!out || (h.scores_mode >= 0 && !import_put(im, n, 3, h.scores))) return false;
    const bool flat = import_type(n, 0)->rank == 3;
    return import_put(im, n, 0, flat ? heads_join(im, n, out) : import_transpose(im, n, out, swap));
}
