/* Operators of the domain com.microsoft, which ONNX Runtime's optimiser writes. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "import_heads.h"
#include "import_product.h"

/* ---- activations ---- */


/* gelu(x + bias); detail 1: by tanh. */
bool import_bias_gelu(importer *im, import_node *n)
{
    if (!import_check_floats(im, n)) return false;
    ir_value *x = import_tensor(im, n, 0);
    if (import_has(n, 1)) x = import_map2(im, n, EXPR_ADD, x, import_tensor(im, n, 1));
    return import_put(im, n, 0, import_map1(im, n, n->row->detail ? EXPR_GELU_TANH : EXPR_GELU, x));
}

bool import_quick_gelu(importer *im, import_node *n)
{
    if (!import_check_floats(im, n)) return false;
    return import_put(im, n, 0, compose_with_number(im, n, EXPR_SWISH, import_tensor(im, n, 0), import_float(im, n, "alpha", 1.702)));
}

/* ---- products ---- */

static ir_value *maybe_transposed(importer *im, import_node *n, int i, const char *attribute)
{
    ir_value *x = import_tensor(im, n, i);
    int permutation[IR_RANK_MAX];
    if (!x || !import_int(im, n, attribute, 0) || x->type.rank < 2) return x;
    const int rank = x->type.rank;
    for (int a = 0; a < rank; a++) permutation[a] = a;
    permutation[rank - 2] = rank - 1;
    permutation[rank - 1] = rank - 2;
    return import_transpose(im, n, x, permutation);
}

bool import_fused_matmul(importer *im, import_node *n)
{
    if (!import_check_floats(im, n) || !import_flag(im, n, "transBatchA", 0) || !import_flag(im, n, "transBatchB", 0)) return false;
    for (int i = 0; i < 2; i++)
        if (import_type(n, i)->rank < 2) return import_fail(im, n, STATUS_SHAPE, i, "two axes or more are needed");
    ir_value *x = maybe_transposed(im, n, 0, "transA"), *y = maybe_transposed(im, n, 1, "transB");
    const double alpha = import_float(im, n, "alpha", 1);
    ir_value *v = import_product(im, n, x, y, NULL);
    return import_put(im, n, 0, alpha != 1 ? compose_with_number(im, n, EXPR_MUL, v, alpha) : v);
}

/* ---- norms ---- */

/* norm(input + skip + bias); output 3 is the sum. detail 0: layer, 1: root mean square. */
bool import_skip_normalization(importer *im, import_node *n)
{
    const bool rms = n->row->detail == 1;
    const int bias = rms ? 3 : 4;
    if (!import_check_floats(im, n)) return false;
    ir_value *sum = import_map2(im, n, EXPR_ADD, import_tensor(im, n, 0), import_tensor(im, n, 1));
    if (import_has(n, bias)) sum = import_map2(im, n, EXPR_ADD, sum, import_tensor(im, n, bias));
    ir_value *gamma = import_tensor(im, n, 2), *beta = !rms && import_has(n, 3) ? import_tensor(im, n, 3) : NULL;
    if (!sum || !gamma || (!rms && import_has(n, 3) && !beta)) return false;
    if (import_is_wanted(n, 3) && !import_put(im, n, 3, sum)) return false;
    const double epsilon = import_float(im, n, "epsilon", rms ? 1e-5 : 1e-12);
    return import_put(im, n, 0, compose_norm(im, n, sum, gamma, beta, rms ? "rms" : "layer", sum->type.rank - 1, epsilon));
}

/* ---- attention ---- */

/* What no exporter of image models writes. */
static bool check_absent(importer *im, import_node *n, int first, int last, int allowed)
{
    for (int i = first; i <= last; i++)
        if (i != allowed && import_has(n, i)) return import_fail(im, n, STATUS_OPERATOR, i, "this input of %.60s", n->proto->op_type);
    return true;
}

static bool finish(importer *im, import_node *n, heads *h, int mask)
{
    int64_t size;
    if (!h->q || !h->k || !h->v) return false;
    if (!dim_is_constant(h->q->type.dim[3], &size) || size < 1) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the size of a head");
    h->scale = import_float(im, n, "scale", 0);
    if (h->scale == 0) h->scale = 1 / sqrt((double)size);
    h->causal = import_int(im, n, "unidirectional", 0) != 0;
    h->left = h->right = h->scores_mode = -1;
    h->past = dim_of(0);
    if (import_has(n, mask) && !(h->mask = import_tensor(im, n, mask))) return false;
    return import_put(im, n, 0, heads_join(im, n, heads_attend(im, n, h)));
}

/* Features from..from + count of a value's last axis; the whole where that is all. */
static ir_value *part(importer *im, const import_node *n, ir_value *x, int64_t from, int64_t count)
{
    return x ? compose_slice(im, n, x, x->type.rank - 1, from, 1, dim_of(count)) : NULL;
}

/* x · weights + bias, cut into queries, keys and values. */
bool import_packed_attention(importer *im, import_node *n)
{
    heads h = { 0 };
    const int64_t *sizes, count = import_int(im, n, "num_heads", 0);
    int64_t width, equal[3];
    int parts;
    if (!import_check_floats(im, n) || !check_absent(im, n, 3, 6, 5) || !import_flag(im, n, "do_rotary", 0)) return false;
    if (import_type(n, 1)->rank != 2 || !dim_is_constant(import_type(n, 1)->dim[1], &width))
        return import_fail(im, n, STATUS_SHAPE, 1, "two axes are needed");
    if (!import_ints(im, n, "qkv_hidden_sizes", &sizes, &parts)) {
        for (int i = 0; i < 3; i++) equal[i] = width / 3;
        sizes = equal;
        parts = 3;
    }
    if (parts != 3 || sizes[0] < 1 || sizes[1] < 1 || sizes[2] < 1 || sizes[0] > width || sizes[1] > width ||
        sizes[0] + sizes[1] + sizes[2] != width) {
        return import_fail(im, n, STATUS_SHAPE, 1, "queries, keys and values do not fit the weights");
    }
    ir_value *x = import_product(im, n, import_tensor(im, n, 0), import_tensor(im, n, 1), NULL);
    if (import_has(n, 2)) x = import_map2(im, n, EXPR_ADD, x, import_tensor(im, n, 2));
    h.q = heads_split(im, n, part(im, n, x, 0, sizes[0]), count);
    h.k = heads_split(im, n, part(im, n, x, sizes[0], sizes[1]), count);
    h.v = heads_split(im, n, part(im, n, x, sizes[0] + sizes[1], sizes[2]), count);
    return finish(im, n, &h, 5);
}

/* Inputs 0 to 2 with their parts of the bias. */
bool import_multi_head_attention(importer *im, import_node *n)
{
    heads h = { 0 };
    ir_value *x[3];
    int64_t from = 0, width;
    const int64_t count = import_int(im, n, "num_heads", 0);
    if (!import_check_floats(im, n) || !check_absent(im, n, 4, 9, 5)) return false;
    ir_value *bias = import_has(n, 3) ? import_tensor(im, n, 3) : NULL;
    for (int i = 0; i < 3; i++) {
        if (!import_has(n, i) || import_type(n, i)->rank != 3 || !dim_is_constant(import_type(n, i)->dim[2], &width)) {
            return import_fail(im, n, STATUS_OPERATOR, 0, "packed queries, keys and values");
        }
        x[i] = import_tensor(im, n, i);
        if (bias) x[i] = import_map2(im, n, EXPR_ADD, x[i], part(im, n, bias, from, width));
        x[i] = heads_split(im, n, x[i], count);
        from += width;
    }
    h.q = x[0];
    h.k = x[1];
    h.v = x[2];
    return finish(im, n, &h, 5);
}
