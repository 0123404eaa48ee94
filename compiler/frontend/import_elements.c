/* GatherElements picks along the last axis. The Scatters by indices of the run are composed: all elements (or slices) of the data are numbered, and for
 * each of them a scatter looks which updates name it: a table of places by updates, so their numbers are bounded. */
#include <inttypes.h>
#include <string.h>

#include "import_compose.h"

enum { TABLE_MAX = 1 << 24 };   /* elements of that table */

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

/* x as [rows, width]. */
static ir_value *as_rows(importer *im, const import_node *n, ir_value *x, int64_t rows, int64_t width)
{
    return import_reshape(im, n, x, (const dim[]){ dim_of(rows), dim_of(width) }, 2);
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

typedef struct reduction { const char *name, *kind; expr_op op; } reduction;

static const reduction reductions[] = { { "none", "max", EXPR_INPUT }, { "add", "sum", EXPR_ADD }, { "mul", "prod", EXPR_MUL }, { "max", "max", EXPR_MAX },
    { "min", "min", EXPR_MIN } };

static const reduction *read_reduction(importer *im, import_node *n)
{
    const char *name = import_string(im, n, "reduction", "none");
    const bool is_bool = import_type(n, 0)->elem == ELEM_BOOL;
    for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++)
        if (!strcmp(reductions[i].name, name)) {
            if (i && is_bool) return import_fail(im, n, STATUS_TYPE, 0, "reduction = '%.60s' of bool", name), NULL;
            return &reductions[i];
        }
    return import_fail(im, n, STATUS_ATTRIBUTE, -1, "reduction = '%.60s'", name), NULL;
}

/* Whether update u [updates] names row r: [rows, updates]. */
static ir_value *table(importer *im, const import_node *n, ir_value *number, int64_t rows, int64_t updates, int64_t width)
{
    int64_t size;
    const bool fits = !__builtin_mul_overflow(rows, updates, &size) && !__builtin_mul_overflow(size, width, &size);
    if (!fits || size > TABLE_MAX) {
        return import_fail(im, n, STATUS_TOO_LARGE, 1, "%" PRId64 " updates of %" PRId64 " places by indices of the run", updates, rows), NULL;
    }
    return number ? import_map2(im, n, EXPR_EQUAL, compose_count(im, rows, 1), number) : NULL;
}

/* Where each row comes from, rows before updates, by constant numbers. */
static ir_value *known_sources(importer *im, const import_node *n, const ir_bytes *number, int64_t rows, int64_t updates)
{
    int64_t *from = arena_array(im->arena, (size_t)rows, sizeof *from);
    for (int64_t i = 0; i < rows; i++) from[i] = i;
    for (int64_t u = 0; u < updates; u++) {
        int64_t row;
        memcpy(&row, (const uint8_t *)number->data + (size_t)u * sizeof row, sizeof row);
        if (row < 0 || row >= rows) return import_fail(im, n, STATUS_SHAPE, 1, "index %" PRId64 " is out of range", u), NULL;
        from[row] = rows + u;
    }
    return ir_constant(im->graph, (ir_type){ ELEM_I64, 1, { dim_of(rows) } }, from, (size_t)rows * sizeof *from, NULL);
}

/* The same by numbers of the run: the last update that names a row. */
static ir_value *sources(importer *im, const import_node *n, ir_value *number, int64_t rows, int64_t updates)
{
    ir_value *names = table(im, n, number, rows, updates, 1);
    ir_value *at = compose_with_number(im, n, EXPR_ADD, compose_count(im, updates, 0), (double)rows);
    ir_value *from = compose_reduce(im, n, compose_select(im, n, names, at, import_number(im, ELEM_I64, -1)), "max", (const int64_t[]){ 1 }, 1, false);
    return import_map2(im, n, EXPR_MAX, from, compose_count(im, rows, 0));   /* -1: none; numbers of updates are above those of rows */
}

/* Rows [rows, width] combined with all updates [updates, width] that name them. */
static ir_value *combine(importer *im, const import_node *n, const reduction *r, ir_value *x, ir_value *update, ir_value *names)
{
    if (!x || !update || !names) return NULL;
    const elem e = x->type.elem;
    ir_value *nothing = r->op == EXPR_MIN || r->op == EXPR_MAX ? compose_unsqueeze(im, n, x, 1) : import_number(im, e, r->op == EXPR_MUL);
    ir_value *chosen = compose_select(im, n, compose_unsqueeze(im, n, names, 2), compose_unsqueeze(im, n, update, 0), nothing);   /* [rows, updates, width] */
    ir_value *v = import_map2(im, n, r->op, x, compose_reduce(im, n, chosen, r->kind, (const int64_t[]){ 1 }, 1, false));
    if (r->op != EXPR_ADD || !elem_is_float(e)) return v;
    ir_value *ones = compose_select(im, n, names, import_number(im, e, 1), import_number(im, e, 0));   /* -0 + 0 is +0: what no update names stays */
    ir_value *named = compose_with_number(im, n, EXPR_EQUAL, compose_reduce(im, n, ones, "max", (const int64_t[]){ 1 }, 1, true), 1);
    return compose_select(im, n, named, v, x);
}

/* Updates [updates, width] into the data's rows by number [updates]. */
static bool scatter(importer *im, import_node *n, const reduction *r, ir_value *number, int64_t rows, int64_t updates, int64_t width)
{
    const ir_type *t = import_type(n, 0);
    if (!updates || !rows || !width) return import_put_same(im, n, 0, 0);
    ir_value *x = as_rows(im, n, import_tensor(im, n, 0), rows, width), *update = as_rows(im, n, import_tensor(im, n, 2), updates, width), *v;
    ir_value *flat = import_reshape(im, n, number, (const dim[]){ dim_of(updates) }, 1);
    if (!x || !update || !flat) return false;
    const ir_bytes *known = ir_bytes_of(flat);
    if (r->op == EXPR_INPUT) {
        ir_value *from = known ? known_sources(im, n, known, rows, updates) : sources(im, n, flat, rows, updates);
        v = compose_gather(im, n, compose_concat(im, n, (ir_value *[]){ x, update }, 2, 0), from, 0);
    } else {
        v = combine(im, n, r, x, update, table(im, n, flat, rows, updates, width));
    }
    return import_put(im, n, 0, import_reshape(im, n, v, t->dim, t->rank));
}

static bool check_updates(importer *im, const import_node *n, int64_t wanted)
{
    int64_t updates;
    if (import_type(n, 2)->elem != import_type(n, 0)->elem) return import_fail(im, n, STATUS_TYPE, 2, "not the type of input 0");
    if (!known_shape(im, n, 2, NULL, &updates)) return false;
    return updates == wanted || import_fail(im, n, STATUS_SHAPE, 2, "updates and indices do not fit");
}

bool import_scatter_elements(importer *im, import_node *n)
{
    int axis;
    int64_t elements, updates;
    const reduction *r = read_reduction(im, n);
    if (!r || !read_axis(im, n, &axis) || !known_shape(im, n, 0, NULL, &elements) || !known_shape(im, n, 1, NULL, &updates)) return false;
    if (!check_updates(im, n, updates)) return false;
    return scatter(im, n, r, numbers_of_elements(im, n, axis), elements, updates, 1);
}

static bool is_constant(importer *im, import_node *n, int i)
{
    int64_t count;
    return n->in[i]->tensor ? ir_is_const(n->in[i]->tensor) : import_contents(im, n->in[i], &count) != NULL;
}

bool import_scatter_nd(importer *im, import_node *n)
{
    int64_t shape[IR_RANK_MAX], indices[IR_RANK_MAX], elements, numbers, depth, rows = 1, width = 1;
    const reduction *r = read_reduction(im, n);
    const int rank = import_type(n, 0)->rank, last = import_type(n, 1)->rank - 1;
    if (!r || !check_indices(im, n)) return false;
    if (r->op == EXPR_INPUT && is_constant(im, n, 0) && is_constant(im, n, 1) && is_constant(im, n, 2)) return import_scatter_constants(im, n);
    if (!known_shape(im, n, 0, shape, &elements) || !known_shape(im, n, 1, indices, &numbers)) return false;
    if (last < 0 || (depth = indices[last]) < 1 || depth > rank) return import_fail(im, n, STATUS_SHAPE, 1, "indices of no axis");
    for (int i = (int)depth; i < rank; i++) width *= shape[i];
    const int64_t updates = numbers / depth;
    if (!check_updates(im, n, updates * width)) return false;
    ir_value *index = as_rows(im, n, import_tensor(im, n, 1), updates, depth), *all = NULL;
    for (int k = (int)depth - 1; k >= 0 && index; k--) {
        ir_value *one = places_along(im, n, compose_slice(im, n, index, 1, k, 1, dim_of(1)), shape[k], rows);
        all = all ? import_map2(im, n, EXPR_ADD, all, one) : one;
        rows *= shape[k];
    }
    return scatter(im, n, r, all, rows, updates, width);
}
