/* Short forms of the graph's operators. */
#include "import_compose.h"

#include <string.h>

ir_value *compose_gather(importer *im, const import_node *n, ir_value *x, ir_value *indices, int axis)
{
    if (!x || !indices) return NULL;
    ir_node *node = import_begin(im, n, IR_GATHER);
    ir_input(node, x);
    ir_input(node, indices);
    ir_set_int(node, KEY_AXIS, axis);
    return import_end(im, node);
}

bool compose_runs_evenly(const int64_t *list, int64_t count)
{
    for (int64_t i = 2; i < count; i++)
        if (list[i] - list[i - 1] != list[1] - list[0]) return false;
    return count == 1 || (count > 1 && list[1] != list[0]);
}

ir_value *compose_gather_known(importer *im, const import_node *n, ir_value *x, int axis, const int64_t *place, int64_t count)
{
    const int64_t step = count > 1 ? place[1] - place[0] : 1;
    move m;
    ir_type part;
    if (x && compose_runs_evenly(place, count) && move_slice(&x->type, axis, place[0], step, dim_of(count), &m, &part)) {
        return import_move(im, n, x, &m, &part);
    }
    return compose_gather(im, n, x, ir_constant_ints(im->graph, place, (int)count, NULL), axis);
}

ir_value *compose_top_k(importer *im, const import_node *n, ir_value *x, int64_t k, bool largest)
{
    if (!x) return NULL;
    ir_node *node = import_begin(im, n, IR_TOPK);
    ir_input(node, x);
    ir_set_name(node, KEY_KIND, largest ? "largest" : "least");
    ir_set_int(node, KEY_COUNT, k);
    return import_end(im, node);
}

ir_value *compose_pick(importer *im, const import_node *n, ir_value *x, ir_value *indices)
{
    if (!x || !indices) return NULL;
    ir_node *node = import_begin(im, n, IR_PICK);
    ir_input(node, x);
    ir_input(node, indices);
    return import_end(im, node);
}

ir_value *compose_resample(importer *im, const import_node *n, ir_value *x, int axis, const int64_t *place, const float *weight, int64_t out, int64_t taps)
{
    const size_t elements = (size_t)out * (size_t)taps;
    ir_type type = { .elem = ELEM_I64, .rank = 2, .dim = { dim_of(out), dim_of(taps) } };
    ir_node *node = import_begin(im, n, IR_RESAMPLE);
    ir_input(node, x);
    ir_input(node, ir_constant(im->graph, type, place, elements * sizeof *place, NULL));
    type.elem = ELEM_F32;
    if (weight) ir_input(node, ir_constant(im->graph, type, weight, elements * sizeof *weight, NULL));
    ir_set_int(node, KEY_AXIS, axis);
    ir_set_name(node, KEY_KIND, weight ? "sum" : "max");
    return import_end(im, node);
}

ir_value *compose_scatter(importer *im, const import_node *n, const char *kind, ir_value *x, ir_value *places, ir_value *updates)
{
    int64_t elements;
    if (!x || !places || !updates) return NULL;
    if (ir_dims_constant(&updates->type, NULL, &elements) && !elements) return x;
    ir_node *node = import_begin(im, n, IR_SCATTER);
    ir_input(node, x);
    ir_input(node, places);
    ir_input(node, updates);
    ir_set_name(node, KEY_KIND, kind);
    return import_end(im, node);
}

ir_value *compose_slice(importer *im, const import_node *n, ir_value *x, int axis, int64_t start, int64_t step, dim count)
{
    move m;
    ir_type to;
    if (!x) return NULL;
    if (move_slice(&x->type, axis, start, step, count, &m, &to)) return import_move(im, n, x, &m, &to);
    import_fail(im, n, STATUS_SHAPE, -1, "no such part of axis %d of %s", axis, ir_type_text(im->arena, im->symbols, &x->type));
    return NULL;
}

ir_value *compose_pad(importer *im, const import_node *n, ir_value *x, const int64_t *pads, double fill)
{
    bool any = false;
    if (!x) return NULL;
    for (int i = 0; i < 2 * x->type.rank; i++) any |= pads[i] != 0;
    if (!any) return x;
    ir_node *node = import_begin(im, n, IR_PAD);
    ir_input(node, x);
    if (fill != 0) ir_input(node, import_number(im, x->type.elem, fill));
    ir_set_ints(node, KEY_PADS, pads, 2 * x->type.rank);
    return import_end(im, node);
}

ir_value *compose_pad_or_crop(importer *im, const import_node *n, ir_value *x, const int64_t *pads, double fill)
{
    int64_t added[2 * IR_RANK_MAX];
    const int rank = x ? x->type.rank : 0;
    for (int a = 0; a < rank && x; a++) {
        const int64_t before = pads[a] < 0 ? -pads[a] : 0, after = pads[a + rank] < 0 ? -pads[a + rank] : 0;
        dim count;
        added[a] = pads[a] < 0 ? 0 : pads[a];
        added[a + rank] = pads[a + rank] < 0 ? 0 : pads[a + rank];
        if (!before && !after) continue;
        if (!dim_add(x->type.dim[a], dim_of(-before - after), &count)) return import_fail(im, n, STATUS_SHAPE, -1, "axis %d is cut", a), NULL;
        x = compose_slice(im, n, x, a, before, 1, count);
    }
    return x ? compose_pad(im, n, x, added, fill) : NULL;
}

ir_value *compose_concat(importer *im, const import_node *n, ir_value *const *part, int parts, int axis)
{
    for (int i = 0; i < parts; i++)
        if (!part[i]) return NULL;
    if (parts == 1) return part[0];
    ir_node *node = import_begin(im, n, IR_CONCAT);
    for (int i = 0; i < parts; i++) ir_input(node, part[i]);
    ir_set_int(node, KEY_AXIS, axis);
    return import_end(im, node);
}

ir_value *compose_reduce(importer *im, const import_node *n, ir_value *x, const char *kind, const int64_t *axes, int count, bool keep)
{
    if (!x) return NULL;
    ir_node *node = import_begin(im, n, IR_REDUCE);
    ir_input(node, x);
    ir_set_name(node, KEY_KIND, kind);
    ir_set_ints(node, KEY_AXES, axes, count);
    ir_set_int(node, KEY_KEEP, keep);
    return import_end(im, node);
}

ir_value *compose_softmax(importer *im, const import_node *n, ir_value *x, int axis)
{
    if (!x) return NULL;
    ir_node *node = import_begin(im, n, IR_SOFTMAX);
    ir_input(node, x);
    ir_set_int(node, KEY_AXIS, axis);
    return import_end(im, node);
}

ir_value *compose_matmul(importer *im, const import_node *n, ir_value *x, ir_value *y)
{
    if (!x || !y) return NULL;
    ir_node *node = import_begin(im, n, IR_MATMUL);
    ir_input(node, x);
    ir_input(node, y);
    return import_end(im, node);
}

ir_value *compose_norm(importer *im, const import_node *n, ir_value *x, ir_value *gamma, ir_value *beta, const char *kind, int axis, double epsilon)
{
    if (!x) return NULL;
    ir_node *node = import_begin(im, n, IR_NORM);
    ir_input(node, x);
    if (gamma || beta) ir_input(node, gamma);
    if (beta) ir_input(node, beta);
    ir_set_name(node, KEY_KIND, kind);
    ir_set_int(node, KEY_AXIS, axis);
    ir_set_number(node, KEY_EPSILON, epsilon);
    return import_end(im, node);
}

ir_value *compose_expand(importer *im, const import_node *n, ir_value *x, const dim *shape, int rank)
{
    move m;
    ir_type to;
    if (!x) return NULL;
    if (move_expand(&x->type, shape, rank, &m, &to)) return import_move(im, n, x, &m, &to);
    import_fail(im, n, STATUS_SHAPE, -1, "%s does not broadcast", ir_type_text(im->arena, im->symbols, &x->type));
    return NULL;
}

ir_value *compose_with_number(importer *im, const import_node *n, expr_op op, ir_value *x, double number)
{
    if (!x) return NULL;
    expr_builder b = expr_begin(im->arena);
    const int in = expr_input(&b, 0, x->type.elem), other = expr_constant(&b, x->type.elem, number,
        (int64_t)(elem_is_float(x->type.elem) ? 0 : number));
    return import_map(im, n, expr_end(&b, expr_apply(&b, op, in, other, -1)), &x, 1);
}

ir_value *compose_select(importer *im, const import_node *n, ir_value *condition, ir_value *x, ir_value *y)
{
    if (!condition || !x || !y) return NULL;
    ir_value *const input[3] = { condition, x, y };
    expr_builder b = expr_begin(im->arena);
    const int c = expr_input(&b, 0, ELEM_BOOL), left = expr_input(&b, 1, x->type.elem), right = expr_input(&b, 2, y->type.elem);
    return import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, c, left, right)), input, 3);
}

ir_value *compose_unsqueeze(importer *im, const import_node *n, ir_value *x, int axis)
{
    dim shape[IR_RANK_MAX + 1];
    if (!x) return NULL;
    if (x->type.rank == IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, -1, "more than 8 axes"), NULL;
    for (int i = 0; i <= x->type.rank; i++) shape[i] = i < axis ? x->type.dim[i] : i == axis ? dim_of(1) : x->type.dim[i - 1];
    return import_reshape(im, n, x, shape, x->type.rank + 1);
}

ir_value *compose_exchange(importer *im, const import_node *n, ir_value *x, int axis)
{
    int permutation[IR_RANK_MAX];
    if (!x) return NULL;
    for (int i = 0; i < x->type.rank; i++) permutation[i] = i;
    permutation[axis] = x->type.rank - 1;
    permutation[x->type.rank - 1] = axis;
    return import_transpose(im, n, x, permutation);
}

ir_value *compose_count(importer *im, int64_t count, int behind)
{
    ir_type type = { .elem = ELEM_I64, .rank = 1 + behind, .dim = { dim_of(count) } };
    int64_t *data = arena_array(im->arena, (size_t)count + 1, sizeof *data);
    for (int64_t i = 0; i < count; i++) data[i] = i;
    for (int i = 1; i <= behind; i++) type.dim[i] = dim_of(1);
    return ir_constant(im->graph, type, data, (size_t)count * sizeof *data, NULL);
}

ir_value *compose_from_start(importer *im, const import_node *n, ir_value *index, int64_t size)
{
    if (!index) return NULL;
    expr_builder b = expr_begin(im->arena);
    const int i = expr_convert(&b, ELEM_I64, expr_input(&b, 0, index->type.elem)), end = expr_constant(&b, ELEM_I64, 0, size);
    const int below = expr_apply(&b, EXPR_LESS, i, expr_constant(&b, ELEM_I64, 0, 0), -1);
    return import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, below, expr_apply(&b, EXPR_ADD, i, end, -1), i)), &index, 1);
}

ir_value *compose_nearest(importer *im, const import_node *n, ir_value *index, int64_t size)
{
    index = compose_from_start(im, n, index, size);
    return compose_with_number(im, n, EXPR_MIN, compose_with_number(im, n, EXPR_MAX, index, 0), (double)(size - 1));
}

ir_value *compose_place(importer *im, const import_node *n, ir_value *high, int64_t size, ir_value *low)
{
    return import_map2(im, n, EXPR_ADD, compose_with_number(im, n, EXPR_MUL, high, (double)size), low);
}
