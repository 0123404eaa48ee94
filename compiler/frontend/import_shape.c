/* Shapes: Shape and Size as contents, and operators that keep every element: Reshape, Squeeze, Transpose, Expand, Tile and kin. */
#include <inttypes.h>
#include <string.h>

#include "import.h"

/* ---- contents of shapes ---- */

bool import_shape(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    int64_t start = import_int(im, n, "start", 0), end = import_int(im, n, "end", t->rank);
    if (start < 0) start = start + t->rank < 0 ? 0 : start + t->rank;
    if (end < 0) end += t->rank;
    if (end > t->rank) end = t->rank;
    if (end < start) end = start;
    const ir_type type = { .elem = ELEM_I64, .rank = 1, .dim = { dim_of(start > t->rank ? 0 : end - start) } };
    dim *content = arena_array(im->arena, IR_RANK_MAX, sizeof *content);
    for (int64_t i = start; i < end && i < t->rank; i++) content[i - start] = t->dim[i];
    return import_put_contents(im, n, 0, &type, content);
}

bool import_size(importer *im, import_node *n)
{
    const ir_type type = { .elem = ELEM_I64 };
    dim *content = arena_alloc(im->arena, sizeof *content);
    if (!dim_product(import_type(n, 0)->dim, import_type(n, 0)->rank, content)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its size is not affine");
    }
    return import_put_contents(im, n, 0, &type, content);
}

/* ---- reshapes ---- */

static bool reshape(importer *im, import_node *n, const dim *shape, int rank)
{
    move m;
    ir_type to;
    if (move_reshape(import_type(n, 0), shape, rank, &m, &to)) return import_put_move(im, n, 0, 0, &m, &to);
    const ir_type wanted = { .elem = import_type(n, 0)->elem, .rank = rank < IR_RANK_MAX ? rank : IR_RANK_MAX };
    ir_type shown = wanted;
    memcpy(shown.dim, shape, (size_t)shown.rank * sizeof *shape);
    return import_fail(im, n, STATUS_SHAPE, 0, "it does not become %s", ir_type_text(im->arena, im->symbols, &shown));
}

/* Is one of these two, which follow symbols, a constant multiple of the other? They become the constants that are left of them. */
static bool cancel(dim *a, dim *b)
{
    dim quotient;
    if (dim_is_constant(*a, NULL) || dim_is_constant(*b, NULL)) return false;
    const bool more = dim_div_exact(*a, *b, &quotient) && dim_is_constant(quotient, NULL);
    if (!more && !(dim_div_exact(*b, *a, &quotient) && dim_is_constant(quotient, NULL))) return false;
    *a = more ? quotient : dim_of(1);
    *b = more ? dim_of(1) : quotient;
    return true;
}

/* The products of x's sizes and of shape's but the open one, less what both have: of several symbols, only quotients of sizes are affine. */
static bool remaining(const ir_type *x, const dim *shape, int rank, int open, dim *all, dim *known)
{
    ir_type left = *x;
    *known = dim_of(1);
    for (int i = 0; i < rank; i++) {
        dim size = i == open ? dim_of(1) : shape[i];
        for (int j = 0; j < x->rank && !cancel(&left.dim[j], &size);) j++;
        if (!dim_mul(*known, size, known)) return false;
    }
    return dim_product(left.dim, left.rank, all);
}

/* 0 keeps an axis (unless allowzero), one -1 is what remains. */
static bool complete(importer *im, import_node *n, const dim *wanted, int rank, dim *shape)
{
    const ir_type *x = import_type(n, 0);
    const bool keeps = !import_int(im, n, "allowzero", 0);
    int open = -1;
    dim known, all;
    for (int i = 0; i < rank; i++) {
        int64_t value = 1;
        const bool constant = dim_is_constant(wanted[i], &value);
        shape[i] = wanted[i];
        if (constant && value == 0 && keeps) {
            if (i >= x->rank) return import_fail(im, n, STATUS_SHAPE, 1, "entry %d keeps an axis that is not there", i);
            shape[i] = x->dim[i];
        }
        if (constant && (value < -1 || (value == -1 && open >= 0))) return import_fail(im, n, STATUS_SHAPE, 1, "entry %d is %" PRId64, i, value);
        if (constant && value == -1) open = i;
    }
    if (open < 0) return true;
    if (!remaining(x, shape, rank, open, &all, &known)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its size is not affine");
    if (dim_div_exact(all, known, &shape[open])) return true;
    return import_fail(im, n, STATUS_SHAPE, 0, "its size %s is no multiple of %s", dim_text(im->arena, im->symbols, all),
        dim_text(im->arena, im->symbols, known));
}

bool import_reshape_to(importer *im, import_node *n)
{
    const dim *wanted;
    dim shape[IR_RANK_MAX];
    int rank;
    if (!import_dims(im, n, 1, "the new shape's sizes", &wanted, &rank)) return false;
    if (rank > IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 1, "more than 8 axes");
    return complete(im, n, wanted, rank, shape) && reshape(im, n, shape, rank);
}

bool import_flatten(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    const int64_t axis = import_int(im, n, "axis", 1);
    dim shape[2];
    if (axis < -x->rank || axis > x->rank) return import_fail(im, n, STATUS_SHAPE, 0, "axis %" PRId64, axis);
    const int first = (int)(axis < 0 ? axis + x->rank : axis);
    if (!dim_product(x->dim, first, &shape[0]) || !dim_product(x->dim + first, x->rank - first, &shape[1])) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its size is not affine");
    }
    return reshape(im, n, shape, 2);
}

static bool mark_axes(importer *im, import_node *n, int rank, bool *marked)
{
    const int64_t *axes;
    int count;
    if (!import_numbers_or(im, n, 1, "axes", "axes", &axes, &count)) return false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!import_axis(im, n, axes[i], rank, &axis)) return false;
        if (marked[axis]) return import_fail(im, n, STATUS_SHAPE, 1, "axis %d is named twice", axis);
        marked[axis] = true;
    }
    return true;
}

bool import_squeeze(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    bool marked[IR_RANK_MAX] = { false };
    dim shape[IR_RANK_MAX];
    int rank = 0;
    const bool named = import_has(n, 1) || import_attribute(n, "axes");
    if (named && !mark_axes(im, n, x->rank, marked)) return false;
    for (int i = 0; i < x->rank; i++) {
        const bool one = dim_is_one(x->dim[i]);
        if (marked[i] && !one) return import_fail(im, n, STATUS_SHAPE, 0, "axis %d is not 1", i);
        if (!(named ? marked[i] : one)) shape[rank++] = x->dim[i];
    }
    return reshape(im, n, shape, rank);
}

bool import_unsqueeze(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    bool marked[IR_RANK_MAX] = { false };
    dim shape[IR_RANK_MAX];
    const int64_t *axes;
    int added;
    if (!import_numbers_or(im, n, 1, "axes", "axes", &axes, &added)) return false;
    if (x->rank + added > IR_RANK_MAX) {
        return import_fail(im, n, STATUS_TOO_LARGE, 0, "more than 8 axes");
    }
    const int rank = x->rank + added;
    if (!mark_axes(im, n, rank, marked)) return false;
    for (int i = 0, from = 0; i < rank; i++) shape[i] = marked[i] ? dim_of(1) : x->dim[from++];
    return reshape(im, n, shape, rank);
}

/* ---- permutations ---- */

bool import_transpose_by(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    const int64_t *list;
    int count, permutation[IR_RANK_MAX];
    const bool given = import_ints(im, n, "perm", &list, &count);
    if (given && count != x->rank) return import_fail(im, n, STATUS_ATTRIBUTE, 0, "perm has %d entries", count);
    for (int i = 0; i < x->rank; i++) {
        if (given && (list[i] < 0 || list[i] >= x->rank)) return import_fail(im, n, STATUS_ATTRIBUTE, 0, "perm has an entry %" PRId64, list[i]);
        permutation[i] = given ? (int)list[i] : x->rank - 1 - i;
    }
    move m;
    ir_type to;
    if (!move_transpose(x, permutation, &m, &to)) return import_fail(im, n, STATUS_ATTRIBUTE, 0, "perm is no permutation");
    return import_put_move(im, n, 0, 0, &m, &to);
}

/* [B, C, H, W] cut to six axes, permuted, and joined to `shape`. */
static bool shuffle(importer *im, import_node *n, const dim *cut, const int *permutation, const dim *shape)
{
    ir_value *v = import_reshape(im, n, import_tensor(im, n, 0), cut, 6);
    return import_put(im, n, 0, import_reshape(im, n, import_transpose(im, n, v, permutation), shape, 4));
}

bool import_depth_to_space(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    const int64_t size = import_int(im, n, "blocksize", 0);
    const char *mode = import_string(im, n, "mode", "DCR");
    const bool columns_first = !strcmp(mode, "CRD");
    dim c, h, w;
    const dim b = dim_of(size);
    if (!columns_first && strcmp(mode, "DCR")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "mode = '%.60s'", mode);
    const bool fits = x->rank == 4 && size > 0 && size < 1 << 15 && dim_div_exact(x->dim[1], dim_of(size * size), &c) && dim_mul(x->dim[2], b, &h) &&
        dim_mul(x->dim[3], b, &w);
    if (!fits) return import_fail(im, n, STATUS_SHAPE, 0, "blocksize = %" PRId64, size);
    const dim shape[] = { x->dim[0], c, h, w };
    if (columns_first) return shuffle(im, n, (const dim[]){ x->dim[0], c, b, b, x->dim[2], x->dim[3] }, (const int[]){ 0, 1, 4, 2, 5, 3 }, shape);
    return shuffle(im, n, (const dim[]){ x->dim[0], b, b, c, x->dim[2], x->dim[3] }, (const int[]){ 0, 3, 4, 1, 5, 2 }, shape);
}

bool import_space_to_depth(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    const int64_t size = import_int(im, n, "blocksize", 0);
    const char *mode = import_string(im, n, "mode", "DCR");
    const bool columns_first = !strcmp(mode, "CRD");
    const dim b = dim_of(size);
    dim c, h, w;
    if (!columns_first && strcmp(mode, "DCR")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "mode = '%.60s'", mode);
    const bool fits = x->rank == 4 && size > 0 && size < 1 << 15 && dim_mul(x->dim[1], dim_of(size * size), &c) && dim_div_exact(x->dim[2], b, &h) &&
        dim_div_exact(x->dim[3], b, &w);
    if (!fits) return import_fail(im, n, STATUS_SHAPE, 0, "blocksize = %" PRId64, size);
    const int *order = columns_first ? (const int[]){ 0, 1, 3, 5, 2, 4 } : (const int[]){ 0, 3, 5, 1, 2, 4 };
    return shuffle(im, n, (const dim[]){ x->dim[0], x->dim[1], h, b, w, b }, order, (const dim[]){ x->dim[0], c, h, w });
}

/* ---- repetitions ---- */

bool import_expand(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    const dim *wanted;
    int count;
    dim shape[IR_RANK_MAX];
    if (!import_dims(im, n, 1, "the new shape's sizes", &wanted, &count)) return false;
    if (count > IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 1, "more than 8 axes");
    const int rank = count > x->rank ? count : x->rank;
    for (int i = 0; i < rank; i++) {
        const int own = i - (rank - x->rank), other = i - (rank - count);
        const dim a = own >= 0 ? x->dim[own] : dim_of(1), b = other >= 0 ? wanted[other] : dim_of(1);
        if (!dim_is_one(a) && !dim_is_one(b) && !dim_equal(a, b)) {
            return import_fail(im, n, STATUS_SHAPE, 0, "axis %d does not become %s", own, dim_text(im->arena, im->symbols, b));
        }
        if (dim_compare(im->symbols, b, dim_of(0)) == -1) return import_fail(im, n, STATUS_SHAPE, 1, "entry %d is negative", other);
        shape[i] = dim_is_one(b) ? a : b;
    }
    move m;
    ir_type to;
    if (!move_expand(x, shape, rank, &m, &to)) return import_fail(im, n, STATUS_SHAPE, 0, "it does not broadcast");
    return import_put_move(im, n, 0, 0, &m, &to);
}

bool import_tile(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    const dim *repeats;
    int count;
    if (!import_dims(im, n, 1, "the repetitions", &repeats, &count)) return false;
    if (count != x->rank) return import_fail(im, n, STATUS_SHAPE, 1, "%d repetitions of %d axes", count, x->rank);
    move m = { .rank = x->rank };
    ir_type to = *x;
    for (int i = 0; i < x->rank; i++) {   /* the repetition is the upper digit of each axis, and stands still */
        m.digit[m.digits++] = (move_digit){ repeats[i], -1, 0 };
        m.digit[m.digits++] = (move_digit){ x->dim[i], i, 1 };
        if (dim_compare(im->symbols, repeats[i], dim_of(0)) == -1 || !dim_mul(x->dim[i], repeats[i], &to.dim[i])) {
            return import_fail(im, n, STATUS_SHAPE, 1, "repetition %d", i);
        }
    }
    return import_put_move(im, n, 0, 0, &m, &to);
}
