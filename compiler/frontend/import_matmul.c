/* Products: MatMul, Gemm and Conv. A constant right side of two axes makes a `linear`. */
#include <inttypes.h>
#include <string.h>

#include "import.h"
#include "import_product.h"

bool import_check_floats(importer *im, const import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    for (int i = 0; i < n->inputs; i++) {
        if (!n->in[i]) continue;
        if (!elem_is_float(import_type(n, i)->elem)) return import_fail(im, n, STATUS_TYPE, i, "floats are needed");
        if (import_type(n, i)->elem != e) return import_fail(im, n, STATUS_TYPE, i, "not %s, as input 0", elem_name(e));
    }
    return true;
}

ir_value *import_product(importer *im, const import_node *n, ir_value *x, ir_value *w, ir_value *bias)
{
    if (!x || !w) return NULL;
    const bool linear = w->type.rank == 2 && ir_is_constant(w);
    ir_node *node = import_begin(im, n, linear ? IR_LINEAR : IR_MATMUL);
    ir_input(node, x);
    ir_input(node, w);
    if (linear && bias) ir_input(node, bias);
    return import_end(im, node);
}

/* ---- MatMul ---- */

static bool is_one(dim d)
{
    int64_t value;
    return dim_is_constant(d, &value) && value == 1;
}

/* A constant [1, …, 1, K, N] beside an x of as many axes is the same as [K, N]. */
static ir_value *without_leading_ones(importer *im, const import_node *n, ir_value *w, int rank)
{
    if (!w || w->type.rank <= 2 || w->type.rank > rank || !ir_is_constant(w)) return w;
    for (int i = 0; i < w->type.rank - 2; i++)
        if (!is_one(w->type.dim[i])) return w;
    return import_reshape(im, n, w, &w->type.dim[w->type.rank - 2], 2);
}

bool import_matmul(importer *im, import_node *n)
{
    if (!import_check_floats(im, n)) return false;
    ir_value *x = import_tensor(im, n, 0), *y = import_tensor(im, n, 1);
    if (!x || !y) return false;
    const bool row = x->type.rank == 1, column = y->type.rank == 1;
    if (!x->type.rank || !y->type.rank) return import_fail(im, n, STATUS_SHAPE, x->type.rank ? 1 : 0, "a scalar has no product");
    if (row) x = import_reshape(im, n, x, (const dim[]){ dim_of(1), x->type.dim[0] }, 2);
    if (column) y = import_reshape(im, n, y, (const dim[]){ y->type.dim[0], dim_of(1) }, 2);
    ir_value *v = x ? import_product(im, n, x, without_leading_ones(im, n, y, x->type.rank), NULL) : NULL;
    if (!v || (!row && !column)) return import_put(im, n, 0, v);
    dim shape[IR_RANK_MAX];
    int rank = 0;
    for (int i = 0; i < v->type.rank; i++) {
        const bool added = (column && i == v->type.rank - 1) || (row && i == v->type.rank - 2);
        if (!added) shape[rank++] = v->type.dim[i];
    }
    return import_put(im, n, 0, import_reshape(im, n, v, shape, rank));
}

/* ---- Gemm ---- */

static ir_value *transposed(importer *im, import_node *n, int i, const char *attribute)
{
    ir_value *x = import_tensor(im, n, i);
    return import_int(im, n, attribute, 0) ? import_transpose(im, n, x, (const int[]){ 1, 0 }) : x;
}

/* C as a bias [features]; NULL: it is none. */
static ir_value *as_bias(importer *im, const import_node *n, ir_value *c, dim features)
{
    dim elements = dim_of(1);
    if (!c || !ir_is_constant(c)) return NULL;
    for (int i = 0; i < c->type.rank; i++)
        if (!dim_mul(elements, c->type.dim[i], &elements)) return NULL;
    const bool last = c->type.rank == 0 || dim_equal(c->type.dim[c->type.rank - 1], features);
    return last && dim_equal(elements, features) ? import_reshape(im, n, c, &features, 1) : NULL;
}

/* alpha * product + beta * c. */
static ir_value *scaled_sum(importer *im, const import_node *n, ir_value *product, double alpha, ir_value *c, double beta)
{
    if (!product) return NULL;
    ir_value *const input[2] = { product, c };
    const elem e = product->type.elem;
    expr_builder b = expr_begin(im->arena);
    int result = expr_input(&b, 0, e);
    if (alpha != 1) result = expr_apply(&b, EXPR_MUL, result, expr_constant(&b, e, alpha, 0), -1);
    if (c) {
        int addend = expr_input(&b, 1, e);
        if (beta != 1) addend = expr_apply(&b, EXPR_MUL, addend, expr_constant(&b, e, beta, 0), -1);
        result = expr_apply(&b, EXPR_ADD, result, addend, -1);
    }
    return import_map(im, n, expr_end(&b, result), input, c ? 2 : 1);
}

bool import_gemm(importer *im, import_node *n)
{
    if (!import_check_floats(im, n)) return false;
    for (int i = 0; i < 2; i++)
        if (import_type(n, i)->rank != 2) return import_fail(im, n, STATUS_SHAPE, i, "two axes are needed");
    const double alpha = import_float(im, n, "alpha", 1), beta = import_float(im, n, "beta", 1);
    ir_value *a = transposed(im, n, 0, "transA"), *b = transposed(im, n, 1, "transB");
    ir_value *c = import_has(n, 2) && beta != 0 ? import_tensor(im, n, 2) : NULL;
    if (!a || !b || (import_has(n, 2) && beta != 0 && !c)) return false;
    ir_value *bias = alpha == 1 && beta == 1 && ir_is_constant(b) ? as_bias(im, n, c, b->type.dim[1]) : NULL;
    ir_value *v = import_product(im, n, a, b, bias);
    if (bias || (!c && alpha == 1)) return import_put(im, n, 0, v);
    ir_value *sum = scaled_sum(im, n, v, alpha, c, beta);
    if (sum && !ir_type_equal(&sum->type, &v->type)) return import_fail(im, n, STATUS_SHAPE, 2, "does not broadcast to the product");
    return import_put(im, n, 0, sum);
}

/* ---- Conv ---- */

typedef struct windows { int axes; int64_t kernel[IR_RANK_MAX], pads[2 * IR_RANK_MAX], strides[IR_RANK_MAX], dilations[IR_RANK_MAX]; } windows;

/* A list attribute with one entry an axis (or two), each within bounds; absent: all `otherwise`. */
static bool window_list(importer *im, import_node *n, const char *name, int count, int64_t least, int64_t otherwise, int64_t *to)
{
    static const int64_t most = (int64_t)1 << 24;
    const int64_t *list;
    int given;
    const bool present = import_ints(im, n, name, &list, &given);
    if (present && given != count) return import_fail(im, n, STATUS_BAD_FIELD, -1, "%s has %d entries, not %d", name, given, count);
    for (int i = 0; i < count; i++) {
        to[i] = present ? list[i] : otherwise;
        if (to[i] < least || to[i] > most) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "%s has an entry %" PRId64, name, to[i]);
    }
    return !n->wrong;
}

/* SAME_UPPER and SAME_LOWER: as many windows as strides fit; an odd pad goes behind or before. */
static bool same_pads(importer *im, import_node *n, windows *w, bool lower)
{
    for (int i = 0; i < w->axes; i++) {
        int64_t size;
        if (!dim_is_constant(import_type(n, 0)->dim[i + 2], &size)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "auto_pad needs spatial sizes");
        const int64_t count = (size + w->strides[i] - 1) / w->strides[i], reach = w->dilations[i] * (w->kernel[i] - 1) + 1;
        int64_t total = (count - 1) * w->strides[i] + reach - size;
        if (total < 0) total = 0;
        w->pads[i] = lower ? total - total / 2 : total / 2;
        w->pads[i + w->axes] = total - w->pads[i];
    }
    return true;
}

static bool read_windows(importer *im, import_node *n, windows *w)
{
    const ir_type *x = import_type(n, 0), *weight = import_type(n, 1);
    int64_t declared[IR_RANK_MAX];
    if (x->rank < 3 || weight->rank != x->rank) return import_fail(im, n, STATUS_SHAPE, 1, "weights and input need the same number of axes, three or more");
    w->axes = x->rank - 2;
    for (int i = 0; i < w->axes; i++) {
        if (!dim_is_constant(weight->dim[i + 2], &w->kernel[i]) || w->kernel[i] < 1 || w->kernel[i] > 1 << 24) return import_fail(im, n, STATUS_SHAPE, 1, "weights of no window");
    }
    if (!window_list(im, n, "kernel_shape", w->axes, 1, 1, declared) || !window_list(im, n, "strides", w->axes, 1, 1, w->strides)) return false;
    if (!window_list(im, n, "dilations", w->axes, 1, 1, w->dilations) || !window_list(im, n, "pads", 2 * w->axes, 0, 0, w->pads)) return false;
    if (import_attribute(n, "kernel_shape") && memcmp(declared, w->kernel, (size_t)w->axes * sizeof *declared)) return import_fail(im, n, STATUS_SHAPE, 1, "kernel_shape is not the weights' shape");
    const char *pad = import_string(im, n, "auto_pad", "NOTSET");
    if (!strcmp(pad, "SAME_UPPER") || !strcmp(pad, "SAME_LOWER")) return same_pads(im, n, w, !strcmp(pad, "SAME_LOWER"));
    if (!strcmp(pad, "VALID")) memset(w->pads, 0, sizeof w->pads);
    else if (strcmp(pad, "NOTSET")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "auto_pad = '%.60s'", pad);
    return true;
}

bool import_conv(importer *im, import_node *n)
{
    windows w = { 0 };
    const int64_t group = import_int(im, n, "group", 1);
    int64_t features;
    if (!import_check_floats(im, n) || !read_windows(im, n, &w)) return false;
    if (group < 1 || !dim_is_constant(import_type(n, 1)->dim[0], &features) || features % group) return import_fail(im, n, STATUS_ATTRIBUTE, 1, "group = %" PRId64, group);
    if (import_has(n, 2) && (import_type(n, 2)->rank != 1 || !dim_equal(import_type(n, 2)->dim[0], import_type(n, 1)->dim[0]))) return import_fail(im, n, STATUS_SHAPE, 2, "the bias does not fit the weights");
    ir_node *node = import_begin(im, n, IR_CONV);
    for (int i = 0; i < n->inputs; i++) {
        ir_value *v = import_tensor(im, n, i);
        if (!v) return false;
        ir_input(node, v);
    }
    ir_set_ints(node, KEY_PADS, w.pads, 2 * w.axes);
    ir_set_ints(node, KEY_STRIDES, w.strides, w.axes);
    ir_set_ints(node, KEY_DILATIONS, w.dilations, w.axes);
    ir_set_int(node, KEY_GROUP, group);
    return import_put(im, n, 0, import_end(im, node));
}
