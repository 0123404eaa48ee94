/* Operators of order, composed: ArgMax and ArgMin are a reduction and the places that equal it; TopK counts, for each element, those before it. */
#include <inttypes.h>
#include <math.h>

#include "import_compose.h"

enum { PAIRS_MAX = 1 << 22 };   /* of elements of an axis that TopK compares, in one row */

/* An expression of whole numbers and truth values under construction. */
static int apply(expr_builder *b, expr_op op, int x, int y)
{
    return expr_apply(b, op, x, y, -1);
}

static int whole(expr_builder *b, int64_t value)
{
    return expr_constant(b, ELEM_I64, 0, value);
}

static bool known_axis(importer *im, import_node *n, int64_t otherwise, int *axis, int64_t *size)
{
    const ir_type *t = import_type(n, 0);
    if (t->elem == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(t->elem));
    if (!import_axis(im, n, import_int(im, n, "axis", otherwise), t->rank, axis)) return false;
    if (!dim_is_constant(t->dim[*axis], size)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is put in order", *axis);
    return *size > 0 || import_fail(im, n, STATUS_SHAPE, 0, "axis %d is empty", *axis);
}

/* ---- ArgMax, ArgMin ---- */

/* Places where x is its extreme (or NaN, which is more extreme than any number) count as themselves, others as `none`. */
static ir_value *extreme_places(importer *im, const import_node *n, ir_value *x, ir_value *extreme, ir_value *place, int64_t none)
{
    if (!x || !extreme) return NULL;
    const elem e = x->type.elem;
    ir_value *const input[3] = { x, extreme, place };
    expr_builder b = expr_begin(im->arena);
    const int item = expr_input(&b, 0, e), most = expr_input(&b, 1, e), at = expr_input(&b, 2, ELEM_I64);
    int here = apply(&b, EXPR_EQUAL, item, most);
    if (elem_is_float(e)) here = apply(&b, EXPR_OR, here, apply(&b, EXPR_ISNAN, item, -1));
    return import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, here, at, whole(&b, none))), input, 3);
}

bool import_arg_extreme(importer *im, import_node *n)
{
    int axis;
    int64_t size;
    const bool keep = import_int(im, n, "keepdims", 1) != 0, last = import_int(im, n, "select_last_index", 0) != 0;
    if (!known_axis(im, n, 0, &axis, &size)) return false;
    const int64_t axes[1] = { axis };
    ir_value *x = import_tensor(im, n, 0), *extreme = compose_reduce(im, n, x, n->row->detail ? "min" : "max", axes, 1, true);
    ir_value *place = compose_count(im, size, import_type(n, 0)->rank - 1 - axis);
    ir_value *found = extreme_places(im, n, x, extreme, place, last ? -1 : size);
    return import_put(im, n, 0, compose_reduce(im, n, found, last ? "max" : "min", axes, 1, keep));
}

/* ---- TopK ---- */

/* Whether a stands before b: greater (or less), or equal and `earlier`. NaN stands before all numbers where the greatest are sought, else behind. */
static int stands_before(expr_builder *b, elem e, int x, int y, int earlier, bool largest)
{
    int before = largest ? apply(b, EXPR_LESS, y, x) : apply(b, EXPR_LESS, x, y), same = apply(b, EXPR_EQUAL, x, y);
    if (elem_is_float(e)) {
        const int x_nan = apply(b, EXPR_ISNAN, x, -1), y_nan = apply(b, EXPR_ISNAN, y, -1);
        const int first = largest ? x_nan : y_nan, second = largest ? y_nan : x_nan;
        const int only = apply(b, EXPR_AND, first, apply(b, EXPR_NOT, second, -1));
        before = apply(b, EXPR_OR, before, only);
        same = apply(b, EXPR_OR, same, apply(b, EXPR_AND, x_nan, y_nan));
    }
    return apply(b, EXPR_OR, before, apply(b, EXPR_AND, same, earlier));
}

/* x [..., size] → how many elements of its row stand before each, [..., size]. */
static ir_value *ranks(importer *im, const import_node *n, ir_value *x, int64_t size, bool largest)
{
    if (!x) return NULL;
    const int rank = x->type.rank;
    ir_value *const input[4] = { compose_unsqueeze(im, n, x, rank - 1), compose_unsqueeze(im, n, x, rank), compose_count(im, size, 0),
        compose_count(im, size, 1) };   /* other [..., 1, size], own [..., size, 1], and their places */
    expr_builder b = expr_begin(im->arena);
    const elem e = x->type.elem;
    const int other = expr_input(&b, 0, e), own = expr_input(&b, 1, e);
    const int earlier = apply(&b, EXPR_LESS, expr_input(&b, 2, ELEM_I64), expr_input(&b, 3, ELEM_I64));
    const int before = stands_before(&b, e, other, own, earlier, largest);
    ir_value *pairs = import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, before, whole(&b, 1), whole(&b, 0))), input, 4);
    return compose_reduce(im, n, pairs, "sum", (const int64_t[]){ rank }, 1, false);
}

/* Of each row the element whose rank is 0, 1, … k - 1: `from` [..., size] → [..., k]. The largest of it and -infinity is itself, -0 too, which
 * a sum with 0 would make 0. */
static ir_value *in_order(importer *im, const import_node *n, ir_value *from, ir_value *rank, int64_t k)
{
    if (!from || !rank) return NULL;
    const int axes = rank->type.rank;
    const elem e = from->type.elem;
    ir_value *wide = from->type.rank == axes ? compose_unsqueeze(im, n, from, axes - 1) : from;
    ir_value *const input[3] = { compose_unsqueeze(im, n, rank, axes - 1), compose_count(im, k, 1), wide };
    expr_builder b = expr_begin(im->arena);
    const int here = apply(&b, EXPR_EQUAL, expr_input(&b, 0, ELEM_I64), expr_input(&b, 1, ELEM_I64));
    const int item = expr_input(&b, 2, e), none = expr_constant(&b, e, elem_is_float(e) ? -(double)INFINITY : 0, 0);
    const int chosen = expr_apply(&b, EXPR_SELECT, here, item, none);
    const char *kind = elem_is_float(e) ? "max" : "sum";
    return compose_reduce(im, n, import_map(im, n, expr_end(&b, chosen), input, 3), kind, (const int64_t[]){ axes }, 1, false);
}

static bool read_k(importer *im, import_node *n, int64_t size, int64_t *k)
{
    const int64_t *list;
    int count;
    if (!import_has(n, 1)) *k = import_int(im, n, "k", -1);
    else {
        if (!import_numbers(im, n, 1, "k", &list, &count)) return false;
        if (count != 1) return import_fail(im, n, STATUS_SHAPE, 1, "one number is needed");
        *k = list[0];
    }
    return (*k >= 1 && *k <= size) || import_fail(im, n, STATUS_SHAPE, -1, "the first %" PRId64 " of %" PRId64, *k, size);
}

bool import_top_k(importer *im, import_node *n)
{
    int axis;
    int64_t size, k = 0;
    const bool largest = import_int(im, n, "largest", 1) != 0;
    if (!known_axis(im, n, -1, &axis, &size) || !read_k(im, n, size, &k)) return false;
    if (size > PAIRS_MAX / size) return import_fail(im, n, STATUS_TOO_LARGE, 0, "axis %d has %" PRId64 " elements to put in order", axis, size);
    ir_value *x = compose_exchange(im, n, import_tensor(im, n, 0), axis), *rank = ranks(im, n, x, size, largest);
    ir_value *values = import_is_wanted(n, 0) ? compose_exchange(im, n, in_order(im, n, x, rank, k), axis) : x;
    ir_value *places = import_is_wanted(n, 1) ? compose_exchange(im, n, in_order(im, n, rank ? compose_count(im, size, 0) : NULL, rank, k), axis) : x;
    return (!import_is_wanted(n, 0) || import_put(im, n, 0, values)) && (!import_is_wanted(n, 1) || import_put(im, n, 1, places));
}
