/* Values that nodes make of nothing: Constant, ConstantOfShape, Range. */
#include <math.h>
#include <string.h>

#include "import_affine.h"

/* ---- Constant ---- */

static bool put_tensor(importer *im, import_node *n, const Onnx__TensorProto *t)
{
    const diag_place place = { .node = n->place, .input = -1 };
    ir_type type;
    scan_bytes bytes;
    return tensor_read(&im->reader, t, &place, &type, &bytes) && import_put(im, n, 0, ir_constant(im->graph, type, bytes.data, bytes.size, NULL));
}

static bool put_list(importer *im, import_node *n, elem e, int rank, const void *from, size_t count)
{
    const size_t size = count * elem_size(e);
    void *data = arena_alloc(im->arena, size);
    if (size) memcpy(data, from, size);
    return import_put(im, n, 0, ir_constant(im->graph, (ir_type){ .elem = e, .rank = rank, .dim = { dim_of(rank ? (int64_t)count : 0) } }, data, size,
        NULL));
}

bool import_constant(importer *im, import_node *n)
{
    for (size_t i = 0; i < n->proto->n_attribute; i++) {
        const Onnx__AttributeProto *a = n->proto->attribute[i];
        const char *name = a->name ? a->name : "";
        if (!strcmp(name, "value") && a->t) return put_tensor(im, n, a->t);
        if (!strcmp(name, "value_float")) return put_list(im, n, ELEM_F32, 0, &a->f, 1);
        if (!strcmp(name, "value_floats")) return put_list(im, n, ELEM_F32, 1, a->floats, a->n_floats);
        if (!strcmp(name, "value_int")) return put_list(im, n, ELEM_I64, 0, &a->i, 1);
        if (!strcmp(name, "value_ints")) return put_list(im, n, ELEM_I64, 1, a->ints, a->n_ints);
    }
    return import_fail(im, n, STATUS_ATTRIBUTE, -1, "its value is of no supported kind");
}

/* ---- ConstantOfShape ---- */

static bool read_value(importer *im, import_node *n, ir_type *type, scan_bytes *bytes)
{
    static const float zero = 0;
    const Onnx__AttributeProto *a = import_attribute(n, "value");
    const diag_place place = { .node = n->place, .input = -1 };
    *type = (ir_type){ .elem = ELEM_F32 };
    *bytes = (scan_bytes){ (const uint8_t *)&zero, sizeof zero };
    if (!a) return true;
    if (!a->t) return import_fail(im, n, STATUS_BAD_FIELD, -1, "attribute value is no tensor");
    if (!tensor_read(&im->reader, a->t, &place, type, bytes)) return false;
    return bytes->size == elem_size(type->elem) || import_fail(im, n, STATUS_BAD_FIELD, -1, "attribute value has not one element");
}

bool import_constant_of_shape(importer *im, import_node *n)
{
    const dim *shape;
    int rank;
    ir_type type, to;
    scan_bytes bytes;
    move m;
    if (!import_dims(im, n, 0, "the sizes", &shape, &rank) || !read_value(im, n, &type, &bytes)) return false;
    if (rank > IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 0, "more than 8 axes");
    for (int i = 0; i < rank; i++)
        if (dim_compare(im->symbols, shape[i], dim_of(0)) == -1) return import_fail(im, n, STATUS_SHAPE, 0, "entry %d is negative", i);
    type.rank = 0;
    ir_value *one = ir_constant(im->graph, type, bytes.data, bytes.size, NULL);
    if (!move_expand(&type, shape, rank, &m, &to)) return import_fail(im, n, STATUS_SHAPE, 0, "it cannot be expanded");
    return import_put(im, n, 0, import_move(im, n, one, &m, &to));
}

/* ---- Range ---- */

enum { RANGE_MAX = 1 << 24 };

/* Half precision is computed in double and rounded once. */
static bool put_range(importer *im, import_node *n, elem to, double start, double delta, double count)
{
    const elem e = elem_is_float(to) && to != ELEM_F32 ? ELEM_F64 : to;
    if (!(count <= RANGE_MAX)) return import_fail(im, n, STATUS_TOO_LARGE, -1, "%.0f elements", count);
    const int64_t length = count > 0 ? (int64_t)count : 0;
    const size_t size = elem_size(e);
    uint8_t *data = arena_array(im->arena, (size_t)length + 1, size);
    for (int64_t i = 0; i < length; i++) {
        const double x = start + (double)i * delta;
        const float narrow = (float)x;
        const int64_t whole = elem_is_float(e) ? 0 : (int64_t)x;
        memcpy(data + (size_t)i * size, e == ELEM_F32 ? (const void *)&narrow : e == ELEM_F64 ? (const void *)&x : (const void *)&whole, size);
    }
    const ir_type type = { .elem = e, .rank = 1, .dim = { dim_of(length) } };
    return import_put(im, n, 0, import_convert(im, n, ir_constant(im->graph, type, data, (size_t)length * size, NULL), to));
}

bool import_range(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    double bound[3];
    static const double exact = 9007199254740992;   /* whole numbers beyond 2^53 are none in double */
    if (!elem_is_float(e) && e != ELEM_I64 && e != ELEM_I32 && e != ELEM_I16) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
    for (int i = 0; i < 3; i++) {
        if (import_type(n, i)->elem != e) return import_fail(im, n, STATUS_TYPE, i, "not the type of input 0");
        if (!import_scalar(im, n, i, &bound[i]) && import_affine_range(im, n)) return true;
        if (!import_scalar(im, n, i, &bound[i])) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "a range's bounds must be known");
        if (!elem_is_float(e) && fabs(bound[i]) > exact) return import_fail(im, n, STATUS_SHAPE, i, "out of range");
    }
    if (!(bound[2] != 0)) return import_fail(im, n, STATUS_SHAPE, 2, "a step of zero");
    return put_range(im, n, e, bound[0], bound[2], ceil((bound[1] - bound[0]) / bound[2]));
}
