/* Products: MatMul and Gemm. A constant right side of two axes makes a `linear`. */
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
    const bool linear = w->type.rank == 2 && ir_is_constant(w) && elem_is_float(x->type.elem);
    ir_node *node = import_begin(im, n, linear ? IR_LINEAR : IR_MATMUL);
    ir_input(node, x);
    ir_input(node, w);
    if (linear && bias) ir_input(node, bias);
    return import_end(im, node);
}

/* ---- MatMul ---- */

/* A constant [1, …, 1, K, N] beside an x of as many axes is the same as [K, N]. */
static ir_value *without_leading_ones(importer *im, const import_node *n, ir_value *w, int rank)
{
    if (!w || w->type.rank <= 2 || w->type.rank > rank || !ir_is_constant(w)) return w;
    for (int i = 0; i < w->type.rank - 2; i++)
        if (!dim_is_one(w->type.dim[i])) return w;
    return import_reshape(im, n, w, &w->type.dim[w->type.rank - 2], 2);
}

bool import_matmul(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    if (!elem_is_integer(e) && !import_check_floats(im, n)) return false;
    if (import_type(n, 1)->elem != e) return import_fail(im, n, STATUS_TYPE, 1, "not %s, as input 0", elem_name(e));
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
    dim elements;
    if (!c || !ir_is_constant(c) || !dim_product(c->type.dim, c->type.rank, &elements)) return NULL;
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
