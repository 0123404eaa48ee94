/* QuantizeLinear and DequantizeLinear as maps: (x - zero) * scale, and its inverse. */
#include <inttypes.h>

#include "import.h"

/* A scale or zero point spread to broadcast to x: a scalar, one number along the axis, or one a block of it. NULL: reported. */
static ir_value *spread(importer *im, import_node *n, int i, elem e)
{
    const ir_type *x = import_type(n, 0), *t = import_type(n, i);
    const int64_t block = import_int(im, n, "block_size", 0);
    ir_value *v = import_convert(im, n, import_tensor(im, n, i), e);
    dim shape[IR_RANK_MAX + 1], wide[IR_RANK_MAX + 1];
    int64_t elements;
    int axis;
    if (!v || t->rank == 0) return v;
    if (!import_axis(im, n, import_int(im, n, "axis", 1), x->rank, &axis)) return NULL;
    if (ir_dims_constant(t, NULL, &elements) && elements == 1 && t->rank == 1) return import_reshape(im, n, v, NULL, 0);
    if (t->rank == 1 && !block) {
        for (int a = 0; a < x->rank - axis; a++) shape[a] = a ? dim_of(1) : t->dim[0];
        return import_reshape(im, n, v, shape, x->rank - axis);
    }
    dim size;
    const bool fits = block > 0 && t->rank == x->rank && x->rank < IR_RANK_MAX && dim_mul(t->dim[axis], dim_of(block), &size) &&
        dim_equal(size, x->dim[axis]);
    if (!fits) return import_fail(im, n, STATUS_SHAPE, i, "does not fit the axis"), NULL;
    for (int a = 0, to = 0; a < x->rank; a++, to++) {
        shape[to] = wide[to] = t->dim[a];
        if (a == axis) {
            shape[++to] = dim_of(1);
            wide[to] = dim_of(block);
        }
    }
    move m;
    ir_type to;
    v = import_reshape(im, n, v, shape, x->rank + 1);
    if (!v || !move_expand(&v->type, wide, x->rank + 1, &m, &to)) return NULL;
    return import_reshape(im, n, import_move(im, n, v, &m, &to), x->dim, x->rank);
}

bool import_dequantize(importer *im, import_node *n)
{
    const elem e = import_type(n, 1)->elem;
    if (!elem_is_float(e) || !elem_is_integer(import_type(n, 0)->elem)) {
        return import_fail(im, n, STATUS_TYPE, 0, "whole numbers and a float scale are needed");
    }
    ir_value *scale = spread(im, n, 1, e), *v = scale ? import_convert(im, n, import_tensor(im, n, 0), e) : NULL;
    if (v && import_has(n, 2)) v = import_map2(im, n, EXPR_SUB, v, spread(im, n, 2, e));
    return import_put(im, n, 0, import_map2(im, n, EXPR_MUL, v, scale));
}

/* The type of the result: the zero point's, or the attribute's, or u8. */
static elem quantized_type(importer *im, import_node *n)
{
    const int64_t wanted = import_int(im, n, "output_dtype", 0);
    if (import_has(n, 2)) return import_type(n, 2)->elem;
    return wanted ? elem_from_onnx(wanted > 0 && wanted < 100 ? (int)wanted : 0) : ELEM_U8;
}

bool import_quantize(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem, to = quantized_type(im, n);
    if (!elem_is_float(e) || !elem_is_integer(to) || elem_size(to) > 2) {
        return import_fail(im, n, STATUS_TYPE, 0, "floats to whole numbers of 8 or 16 bits are needed");
    }
    const double range = elem_size(to) == 1 ? 256 : 65536, lowest = elem_is_signed(to) ? -range / 2 : 0, highest = lowest + range - 1;
    ir_value *const input[3] = { import_tensor(im, n, 0), spread(im, n, 1, e), import_has(n, 2) ? spread(im, n, 2, e) : NULL };
    expr_builder b = expr_begin(im->arena);
    int v = expr_apply(&b, EXPR_DIV, expr_input(&b, 0, e), expr_input(&b, 1, e), -1);
    v = expr_apply(&b, EXPR_ROUND, v, -1, -1);
    if (import_has(n, 2)) v = expr_apply(&b, EXPR_ADD, v, expr_input(&b, 2, e), -1);
    v = expr_apply(&b, EXPR_MIN, expr_apply(&b, EXPR_MAX, v, expr_constant(&b, e, lowest, 0), -1), expr_constant(&b, e, highest, 0), -1);
    return import_put(im, n, 0, import_map(im, n, expr_end(&b, expr_convert(&b, to, v)), input, import_has(n, 2) ? 3 : 2));
}
