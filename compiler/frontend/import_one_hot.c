/* OneHot, EyeLike and TensorScatter: truth values that compare places choose between two values. */
#include <inttypes.h>
#include <string.h>

#include "import_compose.h"

enum { SIDE_MAX = 1 << 14, UNROLLED_MAX = 256 };

/* ---- OneHot ---- */

bool import_one_hot(importer *im, import_node *n)
{
    double depth;
    int axis;
    int64_t values;
    const int rank = import_type(n, 0)->rank;
    if (import_type(n, 0)->elem == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "bool");
    if (!import_scalar(im, n, 1, &depth)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the depth must be known");
    if (!(depth >= 1 && depth <= 1 << 24)) return import_fail(im, n, STATUS_SHAPE, 1, "a depth of %g", depth);
    if (!ir_dims_constant(import_type(n, 2), NULL, &values) || values != 2) return import_fail(im, n, STATUS_SHAPE, 2, "two values are needed");
    if (!import_axis(im, n, import_int(im, n, "axis", -1), rank + 1, &axis)) return false;
    const int64_t places = (int64_t)depth;
    ir_value *index = compose_unsqueeze(im, n, compose_from_start(im, n, import_tensor(im, n, 0), places), axis), *value = import_tensor(im, n, 2);
    ir_value *here = index ? import_map2(im, n, EXPR_EQUAL, index, compose_count(im, places, rank - axis)) : NULL;
    ir_value *off = import_reshape(im, n, compose_slice(im, n, value, 0, 0, 1, dim_of(1)), NULL, 0);
    ir_value *on = import_reshape(im, n, compose_slice(im, n, value, 0, 1, 1, dim_of(1)), NULL, 0);
    return import_put(im, n, 0, compose_select(im, n, here, on, off));
}

/* ---- EyeLike ---- */

bool import_eye_like(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    const int64_t to = import_int(im, n, "dtype", 0), k = import_int(im, n, "k", 0);
    int64_t shape[IR_RANK_MAX], elements;
    const elem e = !import_attribute(n, "dtype") ? t->elem : to > 0 && to < 100 ? elem_from_onnx((int)to) : ELEM_NONE;
    if (e == ELEM_NONE) return import_fail(im, n, STATUS_TYPE, -1, "dtype = %" PRId64, to);
    if (t->rank != 2) return import_fail(im, n, STATUS_SHAPE, 0, "two axes are needed");
    if (!ir_dims_constant(t, shape, &elements)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its size must be known");
    if (shape[0] > SIDE_MAX || shape[1] > SIDE_MAX || k > SIDE_MAX || k < -SIDE_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 0, "a diagonal of this size");
    uint8_t *eye = arena_array(im->arena, (size_t)elements + 1, sizeof *eye);
    for (int64_t i = 0; i < shape[0]; i++)
        if (i + k >= 0 && i + k < shape[1]) eye[i * shape[1] + i + k] = 1;
    ir_type type = *t;
    type.elem = ELEM_BOOL;
    return import_put(im, n, 0, import_convert(im, n, ir_constant(im->graph, type, eye, (size_t)elements, NULL), e));
}

/* ---- TensorScatter ---- */

/* Where in the update each place p of the cache's axis comes from: p - start, [B, places] or [1, places]; circular: modulo places. */
static ir_value *update_places(importer *im, import_node *n, int64_t places, bool circular)
{
    ir_value *place = compose_unsqueeze(im, n, compose_count(im, places, 0), 0);
    if (import_has(n, 2)) {
        ir_value *start = import_convert(im, n, import_tensor(im, n, 2), ELEM_I64);
        place = start ? import_map2(im, n, EXPR_SUB, place, compose_unsqueeze(im, n, start, 1)) : NULL;
    }
    return circular ? compose_with_number(im, n, EXPR_MOD, place, (double)places) : place;
}

/* x [count, …] from a list of values of one place each. */
static ir_value *with_axes(importer *im, const import_node *n, ir_value *x, int axis, int rank)
{
    dim shape[IR_RANK_MAX];
    if (!x) return NULL;
    for (int i = 0; i < rank; i++) shape[i] = i == 0 ? x->type.dim[0] : i == axis ? x->type.dim[1] : dim_of(1);
    return import_reshape(im, n, x, shape, rank);
}

bool import_tensor_scatter(importer *im, import_node *n)
{
    const ir_type *cache = import_type(n, 0), *update = import_type(n, 1);
    const char *mode = import_string(im, n, "mode", "linear");
    int axis;
    int64_t places, length;
    const bool circular = !strcmp(mode, "circular");
    if (!circular && strcmp(mode, "linear")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "mode = '%.60s'", mode);
    if (update->elem != cache->elem) return import_fail(im, n, STATUS_TYPE, 1, "not the type of input 0");
    if (update->rank != cache->rank || !import_axis(im, n, import_int(im, n, "axis", -2), cache->rank, &axis) || axis == 0) {
        return import_fail(im, n, STATUS_SHAPE, 1, "the update does not fit the cache");
    }
    if (!dim_is_constant(cache->dim[axis], &places) || !dim_is_constant(update->dim[axis], &length)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is written to", axis);
    }
    if (length > UNROLLED_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 1, "%" PRId64 " places at a time", length);
    if (length > places || length < 1) return import_fail(im, n, STATUS_SHAPE, 1, "%" PRId64 " places of %" PRId64, length, places);
    /* The cache's axis is walked by the update's places: each chooses its place of the update, one after the other. */
    ir_value *from = with_axes(im, n, update_places(im, n, places, circular), axis, cache->rank), *v = import_tensor(im, n, 0);
    ir_value *all = import_tensor(im, n, 1);
    for (int64_t s = 0; s < length && v && from && all; s++) {
        ir_value *here = import_map2(im, n, EXPR_EQUAL, from, import_number(im, ELEM_I64, (double)s));
        v = compose_select(im, n, here, compose_slice(im, n, all, axis, s, 1, dim_of(1)), v);
    }
    return all && from && import_put(im, n, 0, v);
}
