/* GatherND: the indexed axes taken as one. Constant indices are numbered while importing and make one gather over all of the input; those of a run
 * pick within each row of the batch axes. */
#include <inttypes.h>
#include <string.h>

#include "../base/checked.h"
#include "import_affine.h"
#include "import_compose.h"

typedef struct gather_nd {
    int batch, depth;                    /* axes that both inputs share; axes behind them that are indexed */
    int64_t size[IR_RANK_MAX];           /* of the indexed axes */
    int64_t rows;                        /* their product */
} gather_nd;

static bool read_shapes(importer *im, import_node *n, gather_nd *g)
{
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1);
    int64_t depth;
    if (!elem_is_integer(indices->elem)) return import_fail(im, n, STATUS_TYPE, 1, "indices must be whole numbers");
    if (!indices->rank || !dim_is_constant(indices->dim[indices->rank - 1], &depth)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of indexed axes");
    }
    const int64_t batch = import_int(im, n, "batch_dims", 0);
    if (batch < 0 || batch >= indices->rank || depth < 1 || batch + depth > x->rank || indices->rank - 1 + x->rank - (batch + depth) > IR_RANK_MAX) {
        return import_fail(im, n, STATUS_SHAPE, 1, "indices of %" PRId64 " axes, batch_dims = %" PRId64, depth, batch);
    }
    *g = (gather_nd){ .batch = (int)batch, .depth = (int)depth, .rows = 1 };
    for (int i = 0; i < g->batch; i++)
        if (!dim_equal(x->dim[i], indices->dim[i])) return import_fail(im, n, STATUS_SHAPE, 1, "batch axis %d differs from the input's", i);
    for (int k = 0; k < g->depth; k++) {
        const int axis = g->batch + k;
        if (!dim_is_constant(x->dim[axis], &g->size[k])) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is indexed", axis);
        if (!checked_mul(g->rows, g->size[k], &g->rows)) return import_fail(im, n, STATUS_TOO_LARGE, 0, "its size overflows");
    }
    return true;
}

/* ---- constant indices ---- */

/* The row of the indexed axes that index `at` names; false: one is out of range. */
static bool row_of(importer *im, import_node *n, const gather_nd *g, const int64_t *index, int64_t *row)
{
    *row = 0;
    for (int k = 0; k < g->depth; k++) {
        const int64_t size = g->size[k];
        if (index[k] < -size || index[k] >= size) {
            return import_fail(im, n, STATUS_SHAPE, 1, "index %" PRId64 " of an axis of %" PRId64, index[k], size);
        }
        *row = *row * size + (index[k] < 0 ? index[k] + size : index[k]);
    }
    return true;
}

/* The indices, where they are constant; NULL: they are not. */
static const int64_t *known_indices(importer *im, import_node *n, int64_t *count)
{
    const dim *content = import_contents(im, n->in[1], count);
    const ir_bytes *b = n->in[1]->tensor ? ir_bytes_of(n->in[1]->tensor) : NULL;
    if (!ir_dims_constant(import_type(n, 1), NULL, count) || (!content && (!b || import_type(n, 1)->elem != ELEM_I64))) return NULL;
    int64_t *list = arena_array(im->arena, (size_t)*count + 1, sizeof *list);
    if (!content && *count) memcpy(list, b->data, (size_t)*count * sizeof *list);
    for (int64_t i = 0; content && i < *count; i++)
        if (!dim_is_constant(content[i], &list[i])) return NULL;
    return list;
}

/* Batch and indexed axes as one, and a gather along it. */
static ir_value *gather_known(importer *im, import_node *n, const gather_nd *g, const int64_t *index, int64_t count)
{
    const ir_type *x = import_type(n, 0);
    dim shape[IR_RANK_MAX + 1];
    int64_t images = 1, size = 1, all;
    int rank = 1;
    for (int i = 0; i < g->batch; i++)
        if (!dim_is_constant(x->dim[i], &size) || !checked_mul(images, size, &images)) images = 0;
    if (!checked_mul(images, g->rows, &all)) return import_fail(im, n, STATUS_TOO_LARGE, 0, "its size overflows"), NULL;
    const int64_t places = count / g->depth, each = images ? places / images : 0;
    int64_t *place = arena_array(im->arena, (size_t)places + 1, sizeof *place);
    for (int64_t i = 0; i < places; i++) {
        if (!row_of(im, n, g, index + i * g->depth, &place[i])) return NULL;
        place[i] += each ? i / each * g->rows : 0;
    }
    shape[0] = dim_of(all);
    for (int i = g->batch + g->depth; i < x->rank; i++) shape[rank++] = x->dim[i];
    ir_value *v = import_reshape(im, n, import_tensor(im, n, 0), shape, rank);
    return compose_gather_known(im, n, v, 0, place, places);
}

/* ---- indices of the run ---- */

/* Their rows, [batch axes…, indices of one row of them]; an index out of range takes the nearest there is, as Gather's. */
static ir_value *rows_of(importer *im, import_node *n, const gather_nd *g)
{
    ir_value *index = import_tensor(im, n, 1), *row = NULL;
    const int last = import_type(n, 1)->rank - 1;
    dim shape[IR_RANK_MAX + 1];
    for (int k = 0; k < g->depth && index; k++) {
        ir_value *i = compose_nearest(im, n, compose_slice(im, n, index, last, k, 1, dim_of(1)), g->size[k]);
        row = row ? compose_place(im, n, row, g->size[k], i) : i;
        if (!row) return NULL;
    }
    for (int i = 0; i < g->batch; i++) shape[i] = import_type(n, 1)->dim[i];
    if (!dim_product(import_type(n, 1)->dim + g->batch, last - g->batch, &shape[g->batch])) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of indices"), NULL;
    }
    return import_reshape(im, n, row, shape, g->batch + 1);
}

static ir_value *gather_rows(importer *im, import_node *n, const gather_nd *g)
{
    const ir_type *x = import_type(n, 0);
    dim shape[IR_RANK_MAX + 1];
    int rank = g->batch;
    for (int i = 0; i < g->batch; i++) shape[i] = x->dim[i];
    shape[rank++] = dim_of(g->rows);
    for (int i = g->batch + g->depth; i < x->rank; i++) shape[rank++] = x->dim[i];
    ir_value *v = import_reshape(im, n, import_tensor(im, n, 0), shape, rank), *row = rows_of(im, n, g);
    return g->batch ? compose_pick(im, n, v, row) : compose_gather(im, n, v, row, 0);
}

bool import_gather_nd(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1);
    gather_nd g;
    dim shape[IR_RANK_MAX];
    int rank = 0;
    int64_t count;
    if (import_affine_only(n->in[1])) return import_affine_gather_nd(im, n);
    if (!read_shapes(im, n, &g)) return false;
    if (import_affine_picks_nd(im, n)) return import_affine_gather_nd(im, n);
    const int64_t *known = known_indices(im, n, &count);
    ir_value *v = known ? gather_known(im, n, &g, known, count) : gather_rows(im, n, &g);
    for (int i = 0; i < indices->rank - 1; i++) shape[rank++] = indices->dim[i];
    for (int i = g.batch + g.depth; i < x->rank; i++) shape[rank++] = x->dim[i];
    return import_put(im, n, 0, import_reshape(im, n, v, shape, rank));
}
