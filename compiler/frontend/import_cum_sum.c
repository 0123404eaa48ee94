/* CumSum by doubling: each round adds the axis shifted by 1, 2, 4, …, so that n elements take log2 n additions of whole tensors.
 * Source: W. D. Hillis, G. L. Steele, Data parallel algorithms, 1986. */
#include <inttypes.h>

#include "import_compose.h"

/* x moved on by `by` along the axis, zeros before it. */
static ir_value *shifted(importer *im, const import_node *n, ir_value *x, int axis, int64_t by)
{
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    if (!x) return NULL;
    pads[axis] = by;
    pads[axis + x->type.rank] = -by;
    return compose_pad_or_crop(im, n, x, pads, 0);
}

bool import_cum_sum(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    const bool exclusive = import_int(im, n, "exclusive", 0) != 0, reverse = import_int(im, n, "reverse", 0) != 0;
    const int64_t *axes;
    int64_t size;
    int axis, count;
    if (t->elem == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(t->elem));
    if (!import_numbers(im, n, 1, "the axis", &axes, &count)) return false;
    if (count != 1) return import_fail(im, n, STATUS_SHAPE, 1, "one number is needed");
    if (!import_axis(im, n, axes[0], t->rank, &axis)) return false;
    if (!dim_is_constant(t->dim[axis], &size)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is summed along", axis);
    if (size < 1 || size > 1 << 20) return import_fail(im, n, STATUS_TOO_LARGE, 0, "axis %d has %" PRId64 " elements", axis, size);
    ir_value *x = import_tensor(im, n, 0);
    if (reverse) x = compose_slice(im, n, x, axis, size - 1, -1, t->dim[axis]);
    if (exclusive) x = shifted(im, n, x, axis, 1);
    for (int64_t by = 1; by < size && x; by *= 2) x = import_map2(im, n, EXPR_ADD, x, shifted(im, n, x, axis, by));
    if (reverse) x = compose_slice(im, n, x, axis, size - 1, -1, t->dim[axis]);
    return import_put(im, n, 0, x);
}
