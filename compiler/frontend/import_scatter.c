/* Operators that exporters leave on constants, relative positions above all, evaluated while importing: ScatterND, NonZero. */
#include <inttypes.h>
#include <string.h>

#include "import.h"

/* A constant input's elements and its shape; NULL: reported. */
static const uint8_t *constant(importer *im, import_node *n, int i, int64_t *shape, int64_t *elements)
{
    ir_value *v = import_tensor(im, n, i);
    const ir_bytes *b = v ? ir_bytes_of(v) : NULL;
    if (b && ir_dims_constant(&v->type, shape, elements)) return b->data;
    if (v) import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "%.60s of what only a run knows", n->proto->op_type);
    return NULL;
}

static bool put_constant(importer *im, import_node *n, elem e, int rank, const int64_t *shape, const void *data, size_t size)
{
    ir_type type = { .elem = e, .rank = rank };
    for (int i = 0; i < rank; i++) type.dim[i] = dim_of(shape[i]);
    return import_put(im, n, 0, ir_constant(im->graph, type, data, size, NULL));
}

/* ---- ScatterND ---- */

/* Row-major place of the slice that an index of `depth` numbers names, in slices; -1: out of range. */
static int64_t slice_at(const uint8_t *index, int64_t depth, const int64_t *shape)
{
    int64_t at = 0;
    for (int64_t k = 0; k < depth; k++) {
        int64_t i;
        memcpy(&i, index + (size_t)k * sizeof i, sizeof i);
        if (i < -shape[k] || i >= shape[k]) return -1;
        at = at * shape[k] + (i < 0 ? i + shape[k] : i);
    }
    return at;
}

bool import_scatter_constants(importer *im, import_node *n)
{
    int64_t shape[IR_RANK_MAX], index_shape[IR_RANK_MAX], update_shape[IR_RANK_MAX], elements, indices, updates;
    if (import_type(n, 1)->elem != ELEM_I64 || import_type(n, 2)->elem != import_type(n, 0)->elem) {
        return import_fail(im, n, STATUS_TYPE, 1, "types do not fit");
    }
    const uint8_t *data = constant(im, n, 0, shape, &elements), *index = data ? constant(im, n, 1, index_shape, &indices) : NULL;
    const uint8_t *update = index ? constant(im, n, 2, update_shape, &updates) : NULL;
    const int rank = import_type(n, 0)->rank, index_rank = import_type(n, 1)->rank;
    if (!update) return false;
    const int64_t depth = index_rank ? index_shape[index_rank - 1] : 0;
    if (depth < 1 || depth > rank) return import_fail(im, n, STATUS_SHAPE, 1, "indices of %" PRId64 " axes", depth);
    size_t slice = elem_size(import_type(n, 0)->elem);
    for (int64_t i = depth; i < rank; i++) slice *= (size_t)shape[i];
    const size_t unit = elem_size(import_type(n, 0)->elem), size = (size_t)elements * unit;
    if ((size_t)(indices / depth) * slice != (size_t)updates * unit) return import_fail(im, n, STATUS_SHAPE, 2, "updates and indices do not fit");
    uint8_t *out = arena_alloc(im->arena, size);
    if (size) memcpy(out, data, size);
    for (int64_t i = 0; i < indices / depth; i++) {
        const int64_t at = slice_at(index + (size_t)(i * depth) * sizeof(int64_t), depth, shape);
        if (at < 0) return import_fail(im, n, STATUS_SHAPE, 1, "index %" PRId64 " is out of range", i);
        memcpy(out + (size_t)at * slice, update + (size_t)i * slice, slice);
    }
    return put_constant(im, n, import_type(n, 0)->elem, rank, shape, out, size);
}

/* ---- NonZero ---- */

static bool is_zero(const uint8_t *x, elem e)
{
    static const uint8_t zeros[8] = { 0 };
    const size_t size = elem_size(e);
    if (!elem_is_float(e)) return !memcmp(x, zeros, size);
    return !memcmp(x, zeros, size - 1) && !(x[size - 1] & 0x7f);   /* -0 is zero too */
}

bool import_non_zero(importer *im, import_node *n)
{
    int64_t shape[IR_RANK_MAX], elements, found = 0;
    const elem e = import_type(n, 0)->elem;
    const int rank = import_type(n, 0)->rank;
    const uint8_t *x = constant(im, n, 0, shape, &elements);
    if (!x) return false;
    for (int64_t i = 0; i < elements; i++) found += !is_zero(x + (size_t)i * elem_size(e), e);
    int64_t *out = arena_array(im->arena, (size_t)found + 1, (size_t)rank * sizeof *out + 1), at = 0;   /* [rank, found] */
    for (int64_t i = 0; i < elements; i++) {
        int64_t rest = i;
        if (is_zero(x + (size_t)i * elem_size(e), e)) continue;
        for (int a = rank - 1; a >= 0; a--) {
            out[a * found + at] = rest % shape[a];
            rest /= shape[a];
        }
        at++;
    }
    return put_constant(im, n, ELEM_I64, 2, (const int64_t[]){ rank, found }, out, (size_t)(found * rank) * sizeof *out);
}
