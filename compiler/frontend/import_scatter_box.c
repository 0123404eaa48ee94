/* ScatterND into a box: constant indices that name all places between two corners, in order, put the updates between parts of the data (slices that a
 * model assigns to). */
#include "../base/checked.h"
#include "../ir/eval.h"
#include "import_compose.h"
#include "import_scatter_box.h"

enum { INDICES_MAX = 1 << 24 };

/* Number k of index i, counted from 0. */
static int64_t number_at(const eval_tensor *index, const scatter_box *b, int64_t i, int k)
{
    const int64_t number = eval_integer(EVAL_TYPED, index, i * b->depth + k);
    return number < 0 ? number + b->shape[k] : number;
}

/* The corners are the first and the last index, and all between them follow. */
static bool are_box(const eval_tensor *index, scatter_box *b)
{
    const int64_t count = index->elements / b->depth;
    int64_t place[IR_RANK_MAX], all = 1;
    for (int k = 0; k < b->depth; k++) {
        place[k] = b->begin[k] = number_at(index, b, 0, k);
        b->size[k] = number_at(index, b, count - 1, k) - b->begin[k] + 1;
        const bool inside = b->begin[k] >= 0 && b->size[k] > 0 && b->size[k] <= b->shape[k] - b->begin[k];
        if (!inside || !checked_mul(all, b->size[k], &all)) return false;
    }
    for (int64_t i = 0; i < count && all == count; i++) {
        for (int k = 0; k < b->depth; k++)
            if (number_at(index, b, i, k) != place[k]) return false;
        for (int k = b->depth - 1; k >= 0 && ++place[k] == b->begin[k] + b->size[k]; k--) place[k] = b->begin[k];
    }
    return all == count;
}

/* The indices as a constant tensor; NULL: they are none. */
static const ir_value *constant_indices(importer *im, import_node *n)
{
    int64_t count;
    const dim *content = n->in[1]->tensor ? NULL : import_contents(im, n->in[1], &count);
    for (int64_t i = 0; content && i < count; i++)
        if (!dim_is_constant(content[i], NULL)) return NULL;
    const ir_value *v = content ? import_tensor(im, n, 1) : n->in[1]->tensor;
    return v && ir_is_constant(v) ? v : NULL;
}

bool import_find_box(importer *im, import_node *n, int depth, scatter_box *b)
{
    const ir_type *x = import_type(n, 0);
    const ir_value *v = constant_indices(im, n);
    int64_t count;
    eval_tensor index;
    *b = (scatter_box){ .depth = depth };
    if (!v || !ir_dims_constant(&v->type, NULL, &count) || count < depth || count > INDICES_MAX) return false;
    for (int k = 0; k < depth; k++)
        if (!dim_is_constant(x->dim[k], &b->shape[k])) return false;
    if (eval_constant(v, &index, NULL) != STATUS_OK) return false;
    const bool found = are_box(&index, b);
    eval_free(&index);
    return found;
}

/* The data where axes before `axis` are the box's. */
static ir_value *data_beside(importer *im, import_node *n, const scatter_box *b, int axis)
{
    ir_value *x = import_tensor(im, n, 0);
    for (int k = 0; k < axis && x; k++)
        if (b->size[k] < b->shape[k]) x = compose_slice(im, n, x, k, b->begin[k], 1, dim_of(b->size[k]));
    return x;
}

bool import_scatter_into_box(importer *im, import_node *n, const scatter_box *b)
{
    const ir_type *x = import_type(n, 0);
    dim shape[IR_RANK_MAX];
    for (int k = 0; k < x->rank; k++) shape[k] = k < b->depth ? dim_of(b->size[k]) : x->dim[k];
    ir_value *v = import_reshape(im, n, import_tensor(im, n, 2), shape, x->rank);
    for (int k = b->depth - 1; k >= 0 && v; k--) {
        const int64_t end = b->begin[k] + b->size[k];
        ir_value *part[3], *beside;
        int parts = 0;
        if (b->size[k] == b->shape[k]) continue;
        if (!(beside = data_beside(im, n, b, k))) return false;
        if (b->begin[k] > 0) part[parts++] = compose_slice(im, n, beside, k, 0, 1, dim_of(b->begin[k]));
        part[parts++] = v;
        if (end < b->shape[k]) part[parts++] = compose_slice(im, n, beside, k, end, 1, dim_of(b->shape[k] - end));
        v = compose_concat(im, n, part, parts, k);
    }
    return import_put(im, n, 0, v);
}
