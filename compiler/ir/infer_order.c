/* Output types of what puts elements in order, and of what reads and writes by places of each row's own. */
#include <string.h>

#include "infer_private.h"

bool infer_topk(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0);
    const char *kind = ir_name(n, KEY_KIND, "");
    const int64_t count = ir_int(n, KEY_COUNT, 0);
    int64_t size;
    if (strcmp(kind, "largest") && strcmp(kind, "least")) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "kind = '%.60s'", kind);
    if (!x->rank || !dim_is_constant(x->dim[x->rank - 1], &size)) return infer_fail(n, d, 0, STATUS_SHAPE_UNKNOWN, "the last axis");
    if (x->elem == ELEM_BOOL) return infer_fail(n, d, 0, STATUS_TYPE, "truth values have no order");
    if (count < 1 || count > size) return infer_fail(n, d, 0, STATUS_SHAPE, "the first %lld of %lld", (long long)count, (long long)size);
    *out = *x;
    out->elem = ELEM_I64;
    out->dim[x->rank - 1] = dim_of(count);
    return true;
}

bool infer_pick(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *index = infer_type(n, 1);
    if (!elem_is_integer(index->elem)) return infer_fail(n, d, 1, STATUS_TYPE, "indices are integers");
    if (!index->rank || index->rank > x->rank) return infer_fail(n, d, 1, STATUS_SHAPE, "no axes, or more than input 0 has");
    for (int i = 0; i < index->rank - 1; i++)
        if (!infer_same(n, d, 1, index->dim[i], x->dim[i], "rows differ")) return false;
    *out = *x;
    out->dim[index->rank - 1] = index->dim[index->rank - 1];
    return true;
}

bool infer_scatter(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *index = infer_type(n, 1), *update = infer_type(n, 2);
    const char *kind = ir_name(n, KEY_KIND, ""), *const kinds[] = {"none", "add", "mul", "max", "min"};
    bool known = false;
    for (int i = 0; i < 5; i++) known |= !strcmp(kind, kinds[i]) && (i == 0 || x->elem != ELEM_BOOL);
    if (!known) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "kind = '%.60s'", kind);
    if (index->elem != ELEM_I64) return infer_fail(n, d, 1, STATUS_TYPE, "places are i64");
    if (update->elem != x->elem) return infer_fail(n, d, 2, STATUS_TYPE, "not the type of input 0");
    if (!index->rank || index->rank > x->rank) return infer_fail(n, d, 1, STATUS_SHAPE, "no axes, or more than input 0 has");
    if (update->rank != x->rank) return infer_fail(n, d, 2, STATUS_SHAPE, "not as many axes as input 0");
    for (int i = 0; i < x->rank; i++) {
        if (i < index->rank - 1 && !infer_same(n, d, 1, index->dim[i], x->dim[i], "rows differ")) return false;
        const dim want = i == index->rank - 1 ? index->dim[i] : x->dim[i];
        if (!infer_same(n, d, 2, update->dim[i], want, "updates differ")) return false;
    }
    *out = *x;
    return true;
}

bool infer_suppress(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *boxes = infer_type(n, 0), *scores = infer_type(n, 1), *order = infer_type(n, 2);
    const int64_t count = ir_int(n, KEY_COUNT, 0);
    int64_t size, columns;
    if (boxes->elem != ELEM_F32) return infer_fail(n, d, 0, STATUS_TYPE, "boxes are f32");
    if (scores->elem != ELEM_F32) return infer_fail(n, d, 1, STATUS_TYPE, "scores are f32");
    if (order->elem != ELEM_I64) return infer_fail(n, d, 2, STATUS_TYPE, "places are i64");
    if (boxes->rank != 3 || !dim_is_constant(boxes->dim[2], &columns) || columns != 5) return infer_fail(n, d, 0, STATUS_SHAPE, "not [N, B, 5]");
    if (!dim_is_constant(boxes->dim[1], &size)) return infer_fail(n, d, 0, STATUS_SHAPE_UNKNOWN, "the number of boxes");
    for (int i = 1; i < 3; i++) {
        const ir_type *t = infer_type(n, i);
        if (t->rank != 3) return infer_fail(n, d, i, STATUS_SHAPE, "not [N, C, B]");
        if (!infer_same(n, d, i, t->dim[0], boxes->dim[0], "images differ")) return false;
        if (!infer_same(n, d, i, t->dim[2], boxes->dim[1], "boxes differ")) return false;
    }
    if (!infer_same(n, d, 2, order->dim[1], scores->dim[1], "classes differ")) return false;
    if (count < 1 || count > size) return infer_fail(n, d, 0, STATUS_SHAPE, "the first %lld of %lld", (long long)count, (long long)size);
    *out = *order;
    out->dim[2] = dim_of(count);
    return true;
}
