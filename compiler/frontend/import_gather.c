/* Elements by index: Gather, Pad and Trilu. Indices that run evenly make a move. */
#include <inttypes.h>
#include <string.h>

#include "import_affine.h"
#include "import_compose.h"

/* ---- Gather ---- */

/* Constant indices, counted from 0 and checked; *count -1: they are not constant. False: one is out of range. */
static bool read_indices(importer *im, import_node *n, int axis, int64_t **list, int64_t *count)
{
    int64_t size;
    const dim *content = import_contents(im, n->in[1], count);
    const bool sized = dim_is_constant(import_type(n, 0)->dim[axis], &size);
    if (!content) {
        *count = -1;
        return true;
    }
    *list = arena_array(im->arena, (size_t)*count + 1, sizeof **list);
    for (int64_t i = 0; i < *count; i++) {
        int64_t index;
        if (!dim_is_constant(content[i], &index)) {
            *count = -1;
            return true;
        }
        if (sized && (index < -size || index >= size)) {
            return import_fail(im, n, STATUS_SHAPE, 1, "index %" PRId64 " of an axis of %" PRId64, index, size);
        }
        if (!sized && index < 0) {
            *count = -1;
            return true;
        }
        (*list)[i] = index < 0 ? index + size : index;
    }
    return true;
}

/* The type of x with `axis` replaced by the axes of the indices. */
static bool gathered_type(importer *im, const import_node *n, int axis, ir_type *out)
{
    const ir_type *x = import_type(n, 0), *indices = import_type(n, 1);
    if (x->rank + indices->rank - 1 > IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 1, "more than 8 axes");
    *out = (ir_type){ .elem = x->elem };
    for (int i = 0; i < axis; i++) out->dim[out->rank++] = x->dim[i];
    for (int i = 0; i < indices->rank; i++) out->dim[out->rank++] = indices->dim[i];
    for (int i = axis + 1; i < x->rank; i++) out->dim[out->rank++] = x->dim[i];
    return true;
}

static bool gather_contents(importer *im, import_node *n, const int64_t *list, int64_t count, const ir_type *to)
{
    int64_t size;
    const dim *content = import_contents(im, n->in[0], &size);
    if (!content || import_type(n, 0)->rank != 1) return false;
    dim *out = arena_array(im->arena, (size_t)count + 1, sizeof *out);
    for (int64_t i = 0; i < count; i++) out[i] = content[list[i]];
    return import_put_contents(im, n, 0, to, out);
}

bool import_gather(importer *im, import_node *n)
{
    int axis;
    int64_t *list = NULL, count;
    ir_type to;
    if (!elem_is_integer(import_type(n, 1)->elem)) return import_fail(im, n, STATUS_TYPE, 1, "indices must be whole numbers");
    if (!import_axis(im, n, import_int(im, n, "axis", 0), import_type(n, 0)->rank, &axis)) return false;
    if (!n->in[1]->content && (import_affine_only(n->in[1]) || import_affine_picks(n, axis))) return import_affine_gather(im, n, axis);
    if (!read_indices(im, n, axis, &list, &count) || !gathered_type(im, n, axis, &to)) return false;
    if (count >= 0 && gather_contents(im, n, list, count, &to)) return true;
    ir_value *x = import_tensor(im, n, 0);
    if (!x) return false;
    if (compose_runs_evenly(list, count)) {
        return import_put(im, n, 0, import_reshape(im, n, compose_gather_known(im, n, x, axis, list, count), to.dim, to.rank));
    }
    return import_put(im, n, 0, compose_gather(im, n, x, import_tensor(im, n, 1), axis));
}

/* ---- Pad ---- */

/* Begins, then ends, for all axes. */
static bool read_pads(importer *im, import_node *n, int64_t *pads)
{
    static const int64_t most = (int64_t)1 << 24;
    const int rank = import_type(n, 0)->rank;
    const int64_t *list, *axes = NULL;
    int count, axes_count = rank;
    if (!import_numbers_or(im, n, 1, "pads", "pads", &list, &count)) return false;
    if (import_has(n, 3) && !import_numbers(im, n, 3, "axes", &axes, &axes_count)) return false;
    if (count != 2 * axes_count) return import_fail(im, n, STATUS_SHAPE, 1, "%d pads for %d axes", count, axes_count);
    for (int i = 0; i < axes_count; i++) {
        int axis;
        if (!import_axis(im, n, axes ? axes[i] : i, rank, &axis)) return false;
        pads[axis] = list[i];
        pads[axis + rank] = list[i + axes_count];
        if (pads[axis] < -most || pads[axis] > most || pads[axis + rank] < -most || pads[axis + rank] > most) {
            return import_fail(im, n, STATUS_ATTRIBUTE, 1, "a pad is out of range");
        }
    }
    return true;
}

/* Negative pads cut off. */
static ir_value *crop(importer *im, import_node *n, ir_value *x, int64_t *pads)
{
    const int rank = import_type(n, 0)->rank;
    for (int a = 0; a < rank && x; a++) {
        const int64_t before = pads[a] < 0 ? -pads[a] : 0, after = pads[a + rank] < 0 ? -pads[a + rank] : 0;
        dim count;
        move m;
        ir_type to;
        if (!before && !after) continue;
        if (!dim_add(x->type.dim[a], dim_of(-before - after), &count) || !move_slice(&x->type, a, before, 1, count, &m, &to)) {
            import_fail(im, n, STATUS_SHAPE, 1, "negative pads cut more of axis %d than it has", a);
            return NULL;
        }
        x = import_move(im, n, x, &m, &to);
        if (pads[a] < 0) pads[a] = 0;
        if (pads[a + rank] < 0) pads[a + rank] = 0;
    }
    return x;
}

/* The source of place i, which may lie outside 0..size-1. */
static int64_t source_place(char mode, int64_t i, int64_t size)
{
    if (mode == 'e') return i < 0 ? 0 : i >= size ? size - 1 : i;
    if (mode == 'w') return (i % size + size) % size;
    const int64_t period = size > 1 ? 2 * (size - 1) : 1;
    const int64_t r = (i % period + period) % period;
    return r < size ? r : period - r;
}

/* edge, reflect, wrap: a gather along each padded axis. */
static ir_value *pad_by_index(importer *im, import_node *n, ir_value *x, const int64_t *pads, char mode)
{
    const int rank = import_type(n, 0)->rank;
    for (int a = 0; a < rank && x; a++) {
        int64_t size, total;
        if (!pads[a] && !pads[a + rank]) continue;
        if (!dim_is_constant(x->type.dim[a], &size) || size < 1 || (total = size + pads[a] + pads[a + rank]) > 1 << 20) {
            import_fail(im, n, STATUS_SHAPE, 0, "axis %d cannot be padded so", a);
            return NULL;
        }
        int64_t *list = arena_array(im->arena, (size_t)total, sizeof *list);
        for (int64_t i = 0; i < total; i++) list[i] = source_place(mode, i - pads[a], size);
        x = compose_gather(im, n, x, ir_constant_ints(im->graph, list, (int)total, NULL), a);
    }
    return x;
}

static ir_value *pad_by_value(importer *im, import_node *n, ir_value *x, const int64_t *pads)
{
    ir_value *value = import_has(n, 2) ? import_tensor(im, n, 2) : NULL;
    if (!x || (import_has(n, 2) && !value)) return NULL;
    if (im->opset < 11) return compose_pad(im, n, x, pads, import_float(im, n, "value", 0));
    if (value && value->type.rank) value = import_reshape(im, n, value, NULL, 0);
    if (import_has(n, 2) && !value) return NULL;
    ir_node *node = import_begin(im, n, IR_PAD);
    ir_input(node, x);
    if (value) ir_input(node, value);
    ir_set_ints(node, KEY_PADS, pads, 2 * import_type(n, 0)->rank);
    return import_end(im, node);
}

bool import_pad(importer *im, import_node *n)
{
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    const char *mode = import_string(im, n, "mode", "constant");
    const bool constant = !strcmp(mode, "constant"), known = constant || !strcmp(mode, "edge") || !strcmp(mode, "reflect") || !strcmp(mode, "wrap");
    if (!known) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "mode = '%.60s'", mode);
    if (import_has(n, 2) && import_type(n, 2)->elem != import_type(n, 0)->elem) return import_fail(im, n, STATUS_TYPE, 2, "not the type of input 0");
    if (!read_pads(im, n, pads)) return false;
    bool any = false;
    for (int i = 0; i < 2 * import_type(n, 0)->rank; i++) any |= pads[i] != 0;
    if (!any) return import_put_same(im, n, 0, 0);
    ir_value *x = import_tensor(im, n, 0);
    x = x ? crop(im, n, x, pads) : NULL;
    any = false;
    for (int i = 0; i < 2 * import_type(n, 0)->rank; i++) any |= pads[i] != 0;
    if (!x || !any) return import_put(im, n, 0, x);
    return import_put(im, n, 0, constant ? pad_by_value(im, n, x, pads) : pad_by_index(im, n, x, pads, mode[0]));
}

/* ---- Trilu: a constant triangle chooses between x and zero ---- */

bool import_trilu(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    const bool upper = import_int(im, n, "upper", 1) != 0;
    const int64_t *diagonal;
    int64_t k = 0, rows, columns;
    int count;
    if (import_has(n, 1)) {
        if (!import_numbers(im, n, 1, "the diagonal", &diagonal, &count)) return false;
        if (count != 1) return import_fail(im, n, STATUS_SHAPE, 1, "one number is needed");
        k = diagonal[0];
    }
    if (t->rank < 2 || !dim_is_constant(t->dim[t->rank - 2], &rows) || !dim_is_constant(t->dim[t->rank - 1], &columns)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the last two axes");
    }
    if (rows > 1 << 15 || columns > 1 << 15) return import_fail(im, n, STATUS_TOO_LARGE, 0, "a triangle of this size");
    if (k > columns) k = columns;
    if (k < -rows) k = -rows;
    uint8_t *kept = arena_array(im->arena, (size_t)rows, (size_t)columns + 1);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) kept[i * columns + j] = upper ? j - i >= k : j - i <= k;
    const ir_type shape = { .elem = ELEM_BOOL, .rank = 2, .dim = { dim_of(rows), dim_of(columns) } };
    ir_value *const input[2] = { ir_constant(im->graph, shape, kept, (size_t)(rows * columns), NULL), import_tensor(im, n, 0) };
    expr_builder b = expr_begin(im->arena);
    const int condition = expr_input(&b, 0, ELEM_BOOL), x = expr_input(&b, 1, t->elem);
    return import_put(im, n, 0, import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, condition, x, expr_constant(&b, t->elem, 0, 0))), input, 2));
}
