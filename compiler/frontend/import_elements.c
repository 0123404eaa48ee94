/* GatherElements picks along the last axis, and ScatterElements scatters along it; where other axes have fewer indices than the data, all elements
 * are numbered. ScatterND is a scatter of slices of the indexed axes taken as one. By constant indices both are a gather, or
 * a concatenation. */
#include <inttypes.h>
#include <string.h>

#include "../base/checked.h"
#include "import_affine.h"
#include "import_compose.h"
#include "import_scatter_box.h"

static bool check_indices(importer *im, const import_node *n)
{
    const elem e = import_type(n, 1)->elem;
    return e == ELEM_I64 || e == ELEM_I32 || import_fail(im, n, STATUS_TYPE, 1, "%s", elem_name(e));
}

static bool known_shape(importer *im, const import_node *n, int i, int64_t *shape, int64_t *elements)
{
    return ir_dims_constant(import_type(n, i), shape, elements) || import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "elements are numbered");
}

/* Indices along an axis of `size`, whose elements are `step` apart. */
static ir_value *places_along(importer *im, const import_node *n, ir_value *index, int64_t size, int64_t step)
{
    return compose_with_number(im, n, EXPR_MUL, compose_from_start(im, n, index, size), (double)step);
}

/* The numbers of the elements that indices along one axis name, in the shape of the indices. */
static ir_value *numbers_of_elements(importer *im, import_node *n, int axis)
{
    int64_t shape[IR_RANK_MAX], indices[IR_RANK_MAX], elements, step = 1;
    const int rank = import_type(n, 0)->rank;
    if (!known_shape(im, n, 0, shape, &elements) || !known_shape(im, n, 1, indices, &elements)) return NULL;
    for (int i = axis + 1; i < rank; i++) step *= shape[i];
    ir_value *v = places_along(im, n, import_tensor(im, n, 1), shape[axis], step);
    step = 1;
    for (int i = rank - 1; i >= 0 && v; i--) {
        if (i != axis && indices[i] > shape[i]) return import_fail(im, n, STATUS_SHAPE, 1, "more indices than elements on axis %d", i), NULL;
        if (i != axis && indices[i] > 1) v = import_map2(im, n, EXPR_ADD, v, compose_with_number(im, n, EXPR_MUL, compose_count(im, indices[i], rank - 1 - i), (double)step));
        step *= shape[i];
    }
    return v;
}

static bool read_axis(importer *im, import_node *n, int *axis)
{
    const int rank = import_type(n, 0)->rank;
    if (!check_indices(im, n) || !import_axis(im, n, import_int(im, n, "axis", 0), rank, axis)) return false;
    return import_type(n, 1)->rank == rank || import_fail(im, n, STATUS_SHAPE, 1, "not as many axes as input 0");
}

bool import_gather_elements(importer *im, import_node *n)
{
    int axis;
    if (!read_axis(im, n, &axis)) return false;
    ir_value *x = import_tensor(im, n, 0), *index = import_tensor(im, n, 1);
    for (int i = 0; i < import_type(n, 0)->rank && x && index; i++) {   /* rows that no index names are left out */
        const dim d = index->type.dim[i];
        if (i == axis || dim_equal(d, x->type.dim[i])) continue;
        if (dim_compare(im->symbols, d, x->type.dim[i]) > 0) return import_fail(im, n, STATUS_SHAPE, 1, "more indices than elements on axis %d", i);
        x = compose_slice(im, n, x, i, 0, 1, d);
    }
    return import_put(im, n, 0, compose_exchange(im, n, compose_pick(im, n, compose_exchange(im, n, x, axis), compose_exchange(im, n, index, axis)), axis));
}

/* ---- scatters ---- */

/* What ONNX calls a reduction; NULL: reported. */
static const char *read_reduction(importer *im, import_node *n)
{
    static const char *const names[] = { "none", "add", "mul", "max", "min" };
    const char *name = import_string(im, n, "reduction", "none");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], name)) {
            if (i && import_type(n, 0)->elem == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "reduction = '%.60s' of bool", name), NULL;
            return names[i];
        }
    return import_fail(im, n, STATUS_ATTRIBUTE, -1, "reduction = '%.60s'", name), NULL;
}

static bool check_updates(importer *im, const import_node *n)
{
    return import_type(n, 2)->elem == import_type(n, 0)->elem || import_fail(im, n, STATUS_TYPE, 2, "not the type of input 0");
}

/* Where each row comes from, rows before updates, by constant places; NULL: reported. */
static int64_t *known_sources(importer *im, const import_node *n, const ir_bytes *place, int64_t rows, int64_t updates)
{
    int64_t *from = arena_array(im->arena, (size_t)rows + 1, sizeof *from);
    for (int64_t i = 0; i < rows; i++) from[i] = i;
    for (int64_t u = 0; u < updates; u++) {
        int64_t row;
        memcpy(&row, (const uint8_t *)place->data + (size_t)u * sizeof row, sizeof row);
        if (row < 0 || row >= rows) return import_fail(im, n, STATUS_SHAPE, 1, "index %" PRId64 " is out of range", u), NULL;
        from[row] = rows + u;
    }
    return from;
}

/* x [rows, slice…] with updates [updates, slice…] in the places [updates]; by constant places a gather of both, or of the updates where none of x is
 * left. */
static ir_value *scatter(importer *im, const import_node *n, const char *kind, ir_value *x, ir_value *place, ir_value *update)
{
    int64_t rows, updates;
    const ir_bytes *known = place ? ir_bytes_of(place) : NULL;
    const bool plain = !strcmp(kind, "none") && x && update && place && place->type.rank == 1 && known;
    if (!plain || !dim_is_constant(x->type.dim[0], &rows) || !dim_is_constant(place->type.dim[0], &updates)) {
        return compose_scatter(im, n, kind, x, place, update);
    }
    int64_t *from = known_sources(im, n, known, rows, updates);
    bool whole = from && rows > 0;
    for (int64_t i = 0; i < rows && whole; i++) whole = from[i] >= rows;
    for (int64_t i = 0; i < rows && whole; i++) from[i] -= rows;
    if (!from) return NULL;
    return compose_gather_known(im, n, whole ? update : compose_concat(im, n, (ir_value *[]){ x, update }, 2, 0), 0, from, rows);
}

/* Whether all axes but one have as many indices as elements. */
static bool of_whole_rows(const import_node *n, int axis)
{
    for (int i = 0; i < import_type(n, 0)->rank; i++)
        if (i != axis && !dim_equal(import_type(n, 0)->dim[i], import_type(n, 1)->dim[i])) return false;
    return true;
}

bool import_scatter_elements(importer *im, import_node *n)
{
    int axis;
    int64_t size, elements, updates;
    const ir_type *t = import_type(n, 0);
    const char *kind = read_reduction(im, n);
    if (!kind || !read_axis(im, n, &axis) || !check_updates(im, n)) return false;
    for (int i = 0; i < t->rank; i++)
        if (import_type(n, 2)->rank != t->rank || !dim_equal(import_type(n, 1)->dim[i], import_type(n, 2)->dim[i])) {
            return import_fail(im, n, STATUS_SHAPE, 2, "updates and indices do not fit");
        }
    ir_value *x = import_tensor(im, n, 0), *update = import_tensor(im, n, 2);
    if (of_whole_rows(n, axis) && t->rank > 1) {
        if (!dim_is_constant(t->dim[axis], &size)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is indexed", axis);
        ir_value *place = compose_from_start(im, n, compose_exchange(im, n, import_tensor(im, n, 1), axis), size);
        ir_value *v = compose_scatter(im, n, kind, compose_exchange(im, n, x, axis), place, compose_exchange(im, n, update, axis));
        return import_put(im, n, 0, compose_exchange(im, n, v, axis));
    }
    if (!known_shape(im, n, 0, NULL, &elements) || !known_shape(im, n, 1, NULL, &updates)) return false;
    ir_value *place = import_reshape(im, n, numbers_of_elements(im, n, axis), (const dim[]){ dim_of(updates) }, 1);
    x = import_reshape(im, n, x, (const dim[]){ dim_of(elements) }, 1);
    ir_value *v = scatter(im, n, kind, x, place, import_reshape(im, n, update, (const dim[]){ dim_of(updates) }, 1));
    return import_put(im, n, 0, import_reshape(im, n, v, t->dim, t->rank));
}

static bool is_constant(importer *im, import_node *n, int i)
{
    int64_t count;
    return n->in[i]->tensor ? ir_is_const(n->in[i]->tensor) : import_contents(im, n->in[i], &count) != NULL;
}

/* The places [updates] among the `rows` of all indexed axes; an index out of range is beyond the last. */
static ir_value *rows_named(importer *im, import_node *n, int64_t depth, int64_t rows)
{
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1);
    const int last = indices->rank - 1;
    ir_value *index = import_tensor(im, n, 1), *row = NULL, *inside = NULL;
    dim updates;
    for (int k = 0; k < depth; k++) {
        int64_t size = 0;
        (void)dim_is_constant(x->dim[k], &size);
        ir_value *i = compose_from_start(im, n, index ? compose_slice(im, n, index, last, k, 1, dim_of(1)) : NULL, size);
        ir_value *fits = import_map2(im, n, EXPR_AND, compose_with_number(im, n, EXPR_LESS, i, (double)size),
            import_map1(im, n, EXPR_NOT, compose_with_number(im, n, EXPR_LESS, i, 0)));
        inside = inside ? import_map2(im, n, EXPR_AND, inside, fits) : fits;
        row = row ? compose_place(im, n, row, size, i) : i;
        if (!row || !inside) return NULL;
    }
    if (!dim_product(indices->dim, last, &updates)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of updates"), NULL;
    return import_reshape(im, n, compose_select(im, n, inside, row, import_number(im, ELEM_I64, (double)rows)), &updates, 1);
}

bool import_scatter_nd(importer *im, import_node *n)
{
    int64_t depth, size, rows = 1;
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1), *updates = import_type(n, 2);
    const char *kind = read_reduction(im, n);
    const int last = indices->rank - 1;
    scatter_box box;
    dim shape[IR_RANK_MAX + 1];
    int rank = 1;
    if (!kind || !check_indices(im, n)) return false;
    if (!strcmp(kind, "none") && is_constant(im, n, 0) && is_constant(im, n, 1) && is_constant(im, n, 2)) return import_scatter_constants(im, n);
    if (last < 0 || !dim_is_constant(indices->dim[last], &depth) || depth < 1 || depth > x->rank) {
        return import_fail(im, n, STATUS_SHAPE, 1, "indices of no axis");
    }
    bool fits = check_updates(im, n), same = updates->rank == last + x->rank - (int)depth;
    for (int i = 0; i < updates->rank && same; i++) same = dim_equal(updates->dim[i], i < last ? indices->dim[i] : x->dim[i - last + depth]);
    if (!fits || !same) return fits && import_fail(im, n, STATUS_SHAPE, 2, "updates and indices do not fit");
    if (import_affine_only(n->in[1])) return import_affine_scatter_nd(im, n, kind);
    if (!strcmp(kind, "none") && import_find_box(im, n, (int)depth, &box)) return import_scatter_into_box(im, n, &box);
    for (int k = 0; k < depth; k++) {
        if (!dim_is_constant(x->dim[k], &size)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is indexed", k);
        if (!checked_mul(rows, size, &rows)) return import_fail(im, n, STATUS_TOO_LARGE, 0, "its size overflows");
    }
    for (int i = (int)depth; i < x->rank; i++) shape[rank++] = x->dim[i];
    shape[0] = dim_of(rows);
    ir_value *place = rows_named(im, n, depth, rows), *data = import_reshape(im, n, import_tensor(im, n, 0), shape, rank);
    shape[0] = place ? place->type.dim[0] : dim_of(0);
    ir_value *v = scatter(im, n, kind, data, place, place ? import_reshape(im, n, import_tensor(im, n, 2), shape, rank) : NULL);
    return import_put(im, n, 0, import_reshape(im, n, v, x->dim, x->rank));
}
