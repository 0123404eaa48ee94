/* Operators of order: ArgMax and ArgMin are composed of a reduction and the places that equal it; TopK is the places of the first, and what is there. */
#include <inttypes.h>

#include "import_compose.h"

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
    if (n->out[0]) n->out[0]->below = size;
    return import_put(im, n, 0, compose_reduce(im, n, found, last ? "max" : "min", axes, 1, keep));
}

/* ---- TopK ---- */

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
    ir_value *x = compose_exchange(im, n, import_tensor(im, n, 0), axis), *places = compose_top_k(im, n, x, k, largest);
    if (import_is_wanted(n, 0) && !import_put(im, n, 0, compose_exchange(im, n, compose_pick(im, n, x, places), axis))) return false;
    if (!import_is_wanted(n, 1)) return true;
    n->out[1]->below = size;
    return import_put(im, n, 1, compose_exchange(im, n, places, axis));
}
