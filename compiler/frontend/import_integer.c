/* Products of whole numbers of 8 bits: MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv; and DynamicQuantizeLinear. Sums are exact: of int32,
 * and in a convolution of doubles. */
#include "import_compose.h"
#include "import_product.h"
#include "windows.h"

static bool dims_equal(const ir_type *a, const ir_type *b)
{
    ir_type as = *a;
    as.elem = b->elem;
    return ir_type_equal(&as, b);
}

static bool is_byte(importer *im, const import_node *n, int i)
{
    const elem e = import_type(n, i)->elem;
    return e == ELEM_U8 || e == ELEM_I8 || import_fail(im, n, STATUS_TYPE, i, "%s, not whole numbers of 8 bits", elem_name(e));
}

/* A scale or zero point as type e: one number for all, or one for each of the elements that `behind` axes follow; others as they are. */
static ir_value *spread(importer *im, import_node *n, int i, elem e, int behind)
{
    dim shape[IR_RANK_MAX];
    ir_value *v = import_convert(im, n, import_tensor(im, n, i), e);
    if (!v || v->type.rank != 1) return v;
    if (dim_equal(v->type.dim[0], dim_of(1))) return import_reshape(im, n, v, NULL, 0);
    shape[0] = v->type.dim[0];
    for (int a = 1; a <= behind; a++) shape[a] = dim_of(1);
    return import_reshape(im, n, v, shape, behind + 1);
}

/* Input i less the zero point at input `zero`, as type e. */
static ir_value *centred(importer *im, import_node *n, int i, int zero, elem e, int behind)
{
    ir_value *x = is_byte(im, n, i) ? import_convert(im, n, import_tensor(im, n, i), e) : NULL;
    if (!x || !import_has(n, zero)) return x;
    ir_value *less = import_type(n, zero)->elem == import_type(n, i)->elem ? spread(im, n, zero, e, behind) : NULL;
    if (!less && import_type(n, zero)->elem != import_type(n, i)->elem) import_fail(im, n, STATUS_TYPE, zero, "not the type of input %d", i);
    ir_value *v = import_map2(im, n, EXPR_SUB, x, less);
    if (!v || ir_type_equal(&v->type, &x->type)) return v;
    return import_fail(im, n, STATUS_SHAPE, zero, "it does not fit input %d", i), NULL;
}

/* ---- sums ---- */

/* Inputs a and b with their zero points behind them, multiplied; i32. */
static ir_value *product(importer *im, import_node *n, int a, int b, int a_zero, int b_zero)
{
    if (import_type(n, a)->rank < 2 || import_type(n, b)->rank < 2) return import_fail(im, n, STATUS_SHAPE, a, "two axes or more are needed"), NULL;
    return import_product(im, n, centred(im, n, a, a_zero, ELEM_I32, 1), centred(im, n, b, b_zero, ELEM_I32, 0), NULL);
}

/* Input 0 convolved with the weights at input w, their zero points given; i32. */
static ir_value *convolution(importer *im, import_node *n, int w, int x_zero, int w_zero)
{
    windows at = { 0 };
    int64_t group;
    if (!windows_read_conv(im, n, w, &at, &group)) return NULL;
    ir_value *x = centred(im, n, 0, x_zero, ELEM_F64, 0), *weights = centred(im, n, w, w_zero, ELEM_F64, at.axes + 1);
    return import_convert(im, n, windows_conv(im, n, x, weights, NULL, &at, group), ELEM_I32);
}

bool import_matmul_integer(importer *im, import_node *n)
{
    return import_put(im, n, 0, product(im, n, 0, 1, 2, 3));
}

bool import_conv_integer(importer *im, import_node *n)
{
    return import_put(im, n, 0, convolution(im, n, 1, 2, 3));
}

/* ---- and back to 8 bits ---- */

/* round(v) + zero within the range of type `to`: v f32, zero f32. */
static ir_value *narrowed(importer *im, const import_node *n, ir_value *v, ir_value *zero, elem to)
{
    ir_value *const input[2] = { v, zero };
    const double lowest = to == ELEM_I8 ? INT8_MIN : 0;
    expr_builder b = expr_begin(im->arena);
    int e = expr_apply(&b, EXPR_ADD, expr_apply(&b, EXPR_ROUND, expr_input(&b, 0, ELEM_F32), -1, -1), expr_input(&b, 1, ELEM_F32), -1);
    e = expr_apply(&b, EXPR_MAX, e, expr_constant(&b, ELEM_F32, lowest, 0), -1);
    e = expr_apply(&b, EXPR_MIN, e, expr_constant(&b, ELEM_F32, lowest + 255, 0), -1);
    return import_map(im, n, expr_end(&b, expr_convert(&b, to, e)), input, 2);
}

/* sum * (first scale * second scale / result's scale) + zero, the result's scale and zero point at inputs 6 and 7. */
static bool put_scaled(importer *im, import_node *n, ir_value *sum, ir_value *first, ir_value *second)
{
    ir_value *both = import_map2(im, n, EXPR_MUL, first, second), *factor = import_map2(im, n, EXPR_DIV, both, spread(im, n, 6, ELEM_F32, 0));
    ir_value *scaled = import_map2(im, n, EXPR_MUL, import_convert(im, n, sum, ELEM_F32), factor);
    if (!scaled || !is_byte(im, n, 7)) return false;
    if (!dims_equal(&scaled->type, &sum->type)) return import_fail(im, n, STATUS_SHAPE, 4, "the scales do not fit the result");
    return import_put(im, n, 0, narrowed(im, n, scaled, spread(im, n, 7, ELEM_F32, 0), import_type(n, 7)->elem));
}

bool import_qlinear_matmul(importer *im, import_node *n)
{
    ir_value *sum = product(im, n, 0, 3, 2, 5);
    return sum && put_scaled(im, n, sum, spread(im, n, 1, ELEM_F32, 1), spread(im, n, 4, ELEM_F32, 0));
}

bool import_qlinear_conv(importer *im, import_node *n)
{
    const int behind = import_type(n, 0)->rank - 2;
    ir_value *sum = convolution(im, n, 3, 2, 5);
    if (sum && import_has(n, 8)) {
        if (import_type(n, 8)->elem != ELEM_I32) return import_fail(im, n, STATUS_TYPE, 8, "a bias of int32 is needed");
        sum = import_map2(im, n, EXPR_ADD, sum, spread(im, n, 8, ELEM_I32, behind));
    }
    return sum && put_scaled(im, n, sum, spread(im, n, 1, ELEM_F32, 0), spread(im, n, 4, ELEM_F32, behind));
}

/* ---- DynamicQuantizeLinear: u8 whose scale and zero point are the input's own ---- */

/* The least or the greatest element of x, or 0 if that is further out; f32 []. */
static ir_value *bound(importer *im, const import_node *n, ir_value *x, const char *kind, expr_op op)
{
    int64_t axes[IR_RANK_MAX];
    for (int i = 0; x && i < x->type.rank; i++) axes[i] = i;
    ir_value *v = x && x->type.rank ? compose_reduce(im, n, x, kind, axes, x->type.rank, false) : x;
    return compose_with_number(im, n, op, v, 0);
}

bool import_dynamic_quantize(importer *im, import_node *n)
{
    if (import_type(n, 0)->elem != ELEM_F32) return import_fail(im, n, STATUS_TYPE, 0, "float32 is needed");
    ir_value *x = import_tensor(im, n, 0), *low = bound(im, n, x, "min", EXPR_MIN), *high = bound(im, n, x, "max", EXPR_MAX);
    ir_value *range = import_map2(im, n, EXPR_SUB, high, low), *scale = compose_with_number(im, n, EXPR_DIV, range, 255);
    ir_value *flat = compose_with_number(im, n, EXPR_EQUAL, scale, 0);   /* all elements are 0 */
    scale = flat ? compose_select(im, n, flat, import_number(im, ELEM_F32, 1), scale) : NULL;
    ir_value *down = import_map2(im, n, EXPR_DIV, low, scale), *start = down ? import_map1(im, n, EXPR_NEG, down) : NULL;
    ir_value *zero = start ? narrowed(im, n, start, import_number(im, ELEM_F32, 0), ELEM_U8) : NULL;
    ir_value *y = zero ? narrowed(im, n, import_map2(im, n, EXPR_DIV, x, scale), import_convert(im, n, zero, ELEM_F32), ELEM_U8) : NULL;
    return import_put(im, n, 0, y) && import_put(im, n, 1, scale) && import_put(im, n, 2, zero);
}
