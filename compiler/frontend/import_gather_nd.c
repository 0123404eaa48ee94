/* GatherND: one gather over the batch and indexed axes taken as one. Indices are numbered while importing where they are constant, else by a run. */
#include <inttypes.h>
#include <string.h>

#include "import_affine.h"
#include "import_compose.h"

typedef struct gather_nd {
    int batch, depth;                    /* axes that both inputs share; axes behind them that are indexed */
    int64_t size[IR_RANK_MAX];           /* of these axes of the input */
    int64_t count;                       /* indices, of all of the batch */
    int64_t each;                        /* of one of the batch */
} gather_nd;

static bool read_shapes(importer *im, import_node *n, gather_nd *g)
{
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1);
    int64_t shape[IR_RANK_MAX], elements;
    if (!elem_is_integer(indices->elem)) return import_fail(im, n, STATUS_TYPE, 1, "indices must be whole numbers");
    if (!indices->rank || !ir_dims_constant(indices, shape, &elements)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of indices");
    const int64_t batch = import_int(im, n, "batch_dims", 0), depth = shape[indices->rank - 1];
    if (batch < 0 || batch >= indices->rank || depth < 1 || batch + depth > x->rank || indices->rank - 1 + x->rank - (batch + depth) > IR_RANK_MAX) {
        return import_fail(im, n, STATUS_SHAPE, 1, "indices of %" PRId64 " axes, batch_dims = %" PRId64, depth, batch);
    }
    g->batch = (int)batch;
    g->depth = (int)depth;
    g->count = elements / depth;
    g->each = g->count;
    for (int i = 0; i < g->batch + g->depth; i++) {
        if (!dim_is_constant(x->dim[i], &g->size[i])) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is indexed", i);
        if (i < g->batch && g->size[i] != shape[i]) return import_fail(im, n, STATUS_SHAPE, 1, "batch axis %d differs from the input's", i);
        if (i < g->batch && shape[i]) g->each /= shape[i];
    }
    return true;
}

/* Constant indices as places, [count]; NULL: they are not constant, or one is out of range (*wrong, reported). */
static ir_value *known_places(importer *im, import_node *n, const gather_nd *g, bool *wrong)
{
    int64_t all, *place = arena_array(im->arena, (size_t)g->count + 1, sizeof *place);
    const dim *content = import_contents(im, n->in[1], &all);
    const ir_bytes *b = n->in[1]->tensor ? ir_bytes_of(n->in[1]->tensor) : NULL;
    if (!content && (!b || import_type(n, 1)->elem != ELEM_I64)) return NULL;
    for (int64_t i = 0; i < g->count; i++) {
        place[i] = g->each ? i / g->each : 0;   /* which of the batch */
        for (int k = 0; k < g->depth; k++) {
            const int64_t at = i * g->depth + k, size = g->size[g->batch + k];
            int64_t index = 0;
            if (content && !dim_is_constant(content[at], &index)) return NULL;
            if (!content) memcpy(&index, (const uint8_t *)b->data + (size_t)at * sizeof index, sizeof index);
            if (index < -size || index >= size) {
                *wrong = true;
                import_fail(im, n, STATUS_SHAPE, 1, "index %" PRId64 " of an axis of %" PRId64, index, size);
                return NULL;
            }
            place[i] = place[i] * size + (index < 0 ? index + size : index);
        }
    }
    return ir_constant_ints(im->graph, place, (int)g->count, NULL);
}

/* The same at run time; an index out of range takes the nearest there is, as Gather's. */
static ir_value *places(importer *im, import_node *n, const gather_nd *g)
{
    ir_value *index = import_tensor(im, n, 1), *place = NULL;
    if (!index) return NULL;
    index = import_reshape(im, n, index, (const dim[]){ dim_of(g->count), dim_of(g->depth) }, 2);
    if (g->batch) {
        int64_t *which = arena_array(im->arena, (size_t)g->count + 1, sizeof *which);
        for (int64_t i = 0; i < g->count; i++) which[i] = g->each ? i / g->each : 0;
        place = import_reshape(im, n, ir_constant_ints(im->graph, which, (int)g->count, NULL), (const dim[]){ dim_of(g->count), dim_of(1) }, 2);
    }
    for (int k = 0; k < g->depth && index; k++) {
        const int64_t size = g->size[g->batch + k];
        ir_value *i = compose_from_start(im, n, compose_slice(im, n, index, 1, k, 1, dim_of(1)), size);
        i = compose_with_number(im, n, EXPR_MIN, compose_with_number(im, n, EXPR_MAX, i, 0), (double)(size - 1));
        place = place ? import_map2(im, n, EXPR_ADD, compose_with_number(im, n, EXPR_MUL, place, (double)size), i) : i;
    }
    return import_reshape(im, n, place, (const dim[]){ dim_of(g->count) }, 1);
}

bool import_gather_nd(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1);
    gather_nd g;
    if (n->in[1]->affine) return import_affine_gather_nd(im, n);
    if (!read_shapes(im, n, &g)) return false;
    dim joined[IR_RANK_MAX + 1], result[IR_RANK_MAX];
    const int indexed = g.batch + g.depth;
    int64_t rows = 1;
    int rank = 0;
    for (int i = 0; i < indexed; i++)
        if (__builtin_mul_overflow(rows, g.size[i], &rows)) return import_fail(im, n, STATUS_TOO_LARGE, 0, "its size overflows");
    joined[0] = dim_of(rows);
    for (int i = 0; i < indices->rank - 1; i++) result[rank++] = indices->dim[i];
    for (int i = indexed; i < x->rank; i++) joined[i - indexed + 1] = result[rank++] = x->dim[i];
    bool wrong = false;
    ir_value *place = known_places(im, n, &g, &wrong);
    if (wrong) return false;
    if (!place) place = places(im, n, &g);
    ir_value *v = import_reshape(im, n, import_tensor(im, n, 0), joined, x->rank - indexed + 1);
    v = compose_gather(im, n, v, place, 0);
    return import_put(im, n, 0, import_reshape(im, n, v, result, rank));
}
