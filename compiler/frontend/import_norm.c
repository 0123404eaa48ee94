/* Normalisations, softmax and reductions. */
#include <inttypes.h>
#include <string.h>

#include "import_compose.h"
#include "import_product.h"

/* ---- norm ---- */

/* A scale or bias over the normalised axes of x, expanded to their whole shape. NULL: reported. */
static ir_value *norm_parameter(importer *im, import_node *n, int i, const ir_type *x, int axis)
{
    ir_value *v = import_tensor(im, n, i);
    int64_t one;
    move m;
    ir_type to;
    const int rank = x->rank - axis;
    if (!v) return NULL;
    int lead = 0;
    while (v->type.rank - lead > rank && dim_is_constant(v->type.dim[lead], &one) && one == 1) lead++;
    if (lead) v = import_reshape(im, n, v, &v->type.dim[lead], v->type.rank - lead);
    if (v && move_expand(&v->type, &x->dim[axis], rank, &m, &to)) return import_move(im, n, v, &m, &to);
    import_fail(im, n, STATUS_SHAPE, i, "does not fit the normalised axes");
    return NULL;
}

/* LayerNormalization's further outputs: the mean and 1 / deviation that it divides by, in the type of its stash. */
static bool put_statistics(importer *im, import_node *n, int axis, double epsilon)
{
    int64_t axes[IR_RANK_MAX];
    const int rank = import_type(n, 0)->rank;
    if (!import_is_wanted(n, 1) && !import_is_wanted(n, 2)) return true;
    if (!import_flag(im, n, "stash_type", 1)) return false;
    for (int i = axis; i < rank; i++) axes[i - axis] = i;
    ir_value *x = import_convert(im, n, import_tensor(im, n, 0), ELEM_F32), *mean = compose_reduce(im, n, x, "mean", axes, rank - axis, true);
    ir_value *centred = import_map2(im, n, EXPR_SUB, x, mean);
    ir_value *variance = compose_reduce(im, n, import_map2(im, n, EXPR_MUL, centred, centred), "mean", axes, rank - axis, true);
    ir_value *deviation = import_map1(im, n, EXPR_SQRT, compose_with_number(im, n, EXPR_ADD, variance, epsilon));
    return import_put(im, n, 1, mean) && import_put(im, n, 2, import_map1(im, n, EXPR_RECIPROCAL, deviation));
}

static bool normalise(importer *im, import_node *n, const char *kind)
{
    int axis;
    const double epsilon = import_float(im, n, "epsilon", 1e-5);
    if (!import_check_floats(im, n) || !import_axis(im, n, import_int(im, n, "axis", -1), import_type(n, 0)->rank, &axis)) return false;
    ir_value *x = import_tensor(im, n, 0), *gamma = norm_parameter(im, n, 1, import_type(n, 0), axis);
    ir_value *beta = import_has(n, 2) ? norm_parameter(im, n, 2, import_type(n, 0), axis) : NULL;
    if (!gamma || (import_has(n, 2) && !beta)) return false;
    return import_put(im, n, 0, compose_norm(im, n, x, gamma, beta, kind, axis, epsilon)) && put_statistics(im, n, axis, epsilon);
}

bool import_layer_normalization(importer *im, import_node *n)
{
    return normalise(im, n, "layer");
}

bool import_rms_normalization(importer *im, import_node *n)
{
    return normalise(im, n, "rms");
}

/* A value [C] as [C, 1, …], to broadcast behind axis 1 of a value of `rank` axes. NULL: reported. */
static ir_value *per_channel(importer *im, import_node *n, int i, const ir_type *x)
{
    ir_value *v = import_tensor(im, n, i);
    dim shape[IR_RANK_MAX];
    if (!v) return NULL;
    if (v->type.rank != 1 || x->rank < 2 || !dim_equal(v->type.dim[0], x->dim[1])) {
        import_fail(im, n, STATUS_SHAPE, i, "one number a channel is needed");
        return NULL;
    }
    for (int a = 0; a < x->rank - 1; a++) shape[a] = a ? dim_of(1) : v->type.dim[0];
    return import_reshape(im, n, v, shape, x->rank - 1);
}

static ir_value *scale_and_shift(importer *im, const import_node *n, ir_value *x, ir_value *scale, ir_value *shift)
{
    return import_map2(im, n, EXPR_ADD, import_map2(im, n, EXPR_MUL, x, scale), shift);
}

bool import_instance_normalization(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    if (!import_check_floats(im, n)) return false;
    if (t->rank < 3) return import_fail(im, n, STATUS_SHAPE, 0, "three axes or more are needed");
    ir_value *v = compose_norm(im, n, import_tensor(im, n, 0), NULL, NULL, "layer", 2, import_float(im, n, "epsilon", 1e-5));
    return import_put(im, n, 0, scale_and_shift(im, n, v, per_channel(im, n, 1, t), per_channel(im, n, 2, t)));
}

bool import_group_normalization(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    const int64_t groups = import_int(im, n, "num_groups", 0);
    dim shape[IR_RANK_MAX];
    if (!import_check_floats(im, n)) return false;
    if (t->rank < 3 || t->rank == IR_RANK_MAX || groups < 1 || !dim_div_exact(t->dim[1], dim_of(groups), &shape[2])) {
        return import_fail(im, n, STATUS_ATTRIBUTE, 0, "num_groups = %" PRId64, groups);
    }
    shape[0] = t->dim[0];
    shape[1] = dim_of(groups);
    memcpy(&shape[3], &t->dim[2], (size_t)(t->rank - 2) * sizeof *shape);
    ir_value *x = import_reshape(im, n, import_tensor(im, n, 0), shape, t->rank + 1);
    ir_value *v = import_reshape(im, n, compose_norm(im, n, x, NULL, NULL, "layer", 2, import_float(im, n, "epsilon", 1e-5)), t->dim, t->rank);
    return import_put(im, n, 0, scale_and_shift(im, n, v, per_channel(im, n, 1, t), per_channel(im, n, 2, t)));
}

/* old * momentum + batch * (1 - momentum), of a statistic [C] and the batch's own [1, C, 1, …]. */
static bool put_running(importer *im, import_node *n, int k, ir_value *batch, double momentum)
{
    if (!import_is_wanted(n, k)) return true;
    ir_value *old = compose_with_number(im, n, EXPR_MUL, import_tensor(im, n, k + 2), momentum);
    ir_value *now = old ? import_reshape(im, n, compose_with_number(im, n, EXPR_MUL, batch, 1 - momentum), old->type.dim, 1) : NULL;
    return import_put(im, n, k, import_map2(im, n, EXPR_ADD, old, now));
}

/* In training mode: the mean and variance of the batch itself, [1, C, 1, …], and what the running ones become. */
static bool batch_statistics(importer *im, import_node *n, ir_value *x, ir_value **mean, ir_value **variance)
{
    int64_t axes[IR_RANK_MAX];
    int count = 0;
    const double momentum = import_float(im, n, "momentum", 0.9);
    for (int i = 0; i < x->type.rank; i++)
        if (i != 1) axes[count++] = i;
    *mean = compose_reduce(im, n, x, "mean", axes, count, true);
    ir_value *centred = import_map2(im, n, EXPR_SUB, x, *mean);
    *variance = compose_reduce(im, n, import_map2(im, n, EXPR_MUL, centred, centred), "mean", axes, count, true);
    return *variance && put_running(im, n, 1, *mean, momentum) && put_running(im, n, 2, *variance, momentum);
}

/* y = x * s + (b - mean * s), s = scale / sqrt(variance + epsilon). */
bool import_batch_normalization(importer *im, import_node *n)
{
    const ir_type *t = import_type(n, 0);
    const bool training = im->opset >= 14 && import_int(im, n, "training_mode", 0) != 0;
    if (!import_check_floats(im, n) || !import_flag(im, n, "spatial", 1)) return false;
    ir_value *p[5] = { import_tensor(im, n, 0) };
    for (int i = 1; i < 5; i++)
        if (!(p[i] = per_channel(im, n, i, t))) return false;
    if (!p[0] || (training && !batch_statistics(im, n, p[0], &p[3], &p[4]))) return false;
    ir_value *shifted = import_map2(im, n, EXPR_ADD, p[4], import_number(im, t->elem, import_float(im, n, "epsilon", 1e-5)));
    ir_value *deviation = shifted ? import_map1(im, n, EXPR_SQRT, shifted) : NULL;
    ir_value *scale = import_map2(im, n, EXPR_DIV, p[1], deviation);
    ir_value *shift = import_map2(im, n, EXPR_SUB, p[2], import_map2(im, n, EXPR_MUL, p[3], scale));
    return import_put(im, n, 0, scale_and_shift(im, n, p[0], scale, shift));
}

/* x over the sum of its absolute values, or the root of that of its squares. */
bool import_lp_normalization(importer *im, import_node *n)
{
    int axis;
    const int64_t p = import_int(im, n, "p", 2);
    if (!import_check_floats(im, n) || !import_axis(im, n, import_int(im, n, "axis", -1), import_type(n, 0)->rank, &axis)) return false;
    if (p != 1 && p != 2) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "p = %" PRId64, p);
    ir_value *x = import_tensor(im, n, 0), *size = compose_reduce(im, n, x, p == 1 ? "l1" : "l2", (const int64_t[]){ axis }, 1, true);
    ir_value *zero = compose_with_number(im, n, EXPR_EQUAL, size, 0);
    if (!zero) return false;
    return import_put(im, n, 0, import_map2(im, n, EXPR_DIV, x, compose_select(im, n, zero, import_number(im, x->type.elem, 1), size)));
}

/* (x - mean) / (root of the variance + 1e-9), as the standard's function has it. */
bool import_mean_variance(importer *im, import_node *n)
{
    static const int64_t otherwise[] = { 0, 2, 3 };
    const int64_t *list;
    int64_t axes[IR_RANK_MAX];
    int given, count = 0;
    bool chosen[IR_RANK_MAX] = { false };
    const int rank = import_type(n, 0)->rank;
    if (!import_check_floats(im, n)) return false;
    if (!import_ints(im, n, "axes", &list, &given)) {
        list = otherwise;
        given = 3;
    }
    for (int i = 0, axis; i < given; i++) {
        if (!import_axis(im, n, list[i], rank, &axis)) return false;
        chosen[axis] = true;
    }
    for (int i = 0; i < rank; i++)
        if (chosen[i]) axes[count++] = i;
    if (!count) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "no axes");
    ir_value *x = import_tensor(im, n, 0), *centred = import_map2(im, n, EXPR_SUB, x, compose_reduce(im, n, x, "mean", axes, count, true));
    ir_value *variance = compose_reduce(im, n, import_map2(im, n, EXPR_MUL, centred, centred), "mean", axes, count, true);
    ir_value *deviation = compose_with_number(im, n, EXPR_ADD, import_map1(im, n, EXPR_SQRT, variance), 1e-9);
    return import_put(im, n, 0, import_map2(im, n, EXPR_DIV, centred, deviation));
}

/* ---- softmax ---- */

/* Before set 13: over all axes from `axis` on as one. */
static ir_value *flat_softmax(importer *im, const import_node *n, ir_value *x, int axis)
{
    dim flat[IR_RANK_MAX + 1];
    const ir_type type = x->type;
    for (int i = 0; i < axis; i++) flat[i] = type.dim[i];
    if (!dim_product(type.dim + axis, type.rank - axis, &flat[axis])) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its size is not affine"), NULL;
    return import_reshape(im, n, compose_softmax(im, n, import_reshape(im, n, x, flat, axis + 1), axis), type.dim, type.rank);
}

bool import_softmax(importer *im, import_node *n)
{
    int axis;
    const bool flat = im->opset < 13;
    if (!import_check_floats(im, n) || !import_axis(im, n, import_int(im, n, "axis", flat ? 1 : -1), import_type(n, 0)->rank, &axis)) return false;
    ir_value *x = import_tensor(im, n, 0);
    if (!x) return false;
    ir_value *v = flat && axis != x->type.rank - 1 ? flat_softmax(im, n, x, axis) : compose_softmax(im, n, x, axis);
    return import_put(im, n, 0, n->row->detail ? import_map1(im, n, EXPR_LOG, v) : v);
}

/* ---- reductions ---- */

static const char *const reductions[] = { "sum", "mean", "max", "min", "prod", "sumsq", "l1", "l2" };   /* by REDUCE_… */

/* Axes as an input, or as an attribute in older sets; rising and from 0. An empty list means all. */
static bool reduced_axes(importer *im, import_node *n, int64_t *axes, int *count)
{
    const int rank = import_type(n, 0)->rank;
    const int64_t *list = NULL;
    int given = 0;
    bool chosen[IR_RANK_MAX] = { false };
    if (import_has(n, 1) ? !import_numbers(im, n, 1, "axes", &list, &given) : (import_ints(im, n, "axes", &list, &given), n->wrong)) return false;
    for (int i = 0; i < given; i++) {
        int axis;
        if (!import_axis(im, n, list[i], rank, &axis)) return false;
        chosen[axis] = true;
    }
    *count = 0;
    for (int i = 0; i < rank; i++)
        if (chosen[i] || !given) axes[(*count)++] = i;
    if (!given && import_int(im, n, "noop_with_empty_axes", 0)) *count = 0;
    return true;
}

/* Contents: a product of dimensions, as in a flattened size. */
static bool reduce_contents(importer *im, import_node *n, const int64_t *axes, int count, bool keep)
{
    int64_t elements;
    const dim *content = import_contents(im, n->in[0], &elements);
    dim all = dim_of(n->row->detail == REDUCE_PROD);
    if (!content || count != 1 || axes[0] != 0 || import_type(n, 0)->rank != 1 || (n->row->detail != REDUCE_PROD && n->row->detail != REDUCE_SUM)) {
        return false;
    }
    for (int64_t i = 0; i < elements; i++)
        if (n->row->detail == REDUCE_PROD ? !dim_mul(all, content[i], &all) : !dim_add(all, content[i], &all)) return false;
    dim *out = arena_alloc(im->arena, sizeof *out);
    *out = all;
    const ir_type type = { .elem = import_type(n, 0)->elem, .rank = keep, .dim = { dim_of(1) } };
    return type.elem == ELEM_I64 && import_put_contents(im, n, 0, &type, out);
}

bool import_reduce(importer *im, import_node *n)
{
    int64_t axes[IR_RANK_MAX];
    int count;
    const bool keep = import_int(im, n, "keepdims", 1) != 0;
    const bool truth = import_type(n, 0)->elem == ELEM_BOOL, extreme = n->row->detail == REDUCE_MAX || n->row->detail == REDUCE_MIN;
    if (truth && (!extreme || im->opset < 20)) return import_fail(im, n, STATUS_TYPE, 0, "bool");
    if (!reduced_axes(im, n, axes, &count)) return false;
    if (!count && (n->row->detail <= REDUCE_PROD)) return import_put_same(im, n, 0, 0);
    if (!count) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "no axes");
    if (truth) {
        ir_value *v = compose_reduce(im, n, import_convert(im, n, import_tensor(im, n, 0), ELEM_U8), reductions[n->row->detail], axes, count, keep);
        return import_put(im, n, 0, import_convert(im, n, v, ELEM_BOOL));
    }
    return reduce_contents(im, n, axes, count, keep) || import_put(im, n, 0, compose_reduce(im, n, import_tensor(im, n, 0), reductions[n->row->detail], axes, count, keep));
}

/* log(sum x), or log(sum exp(x - m)) + m with m the largest. */
bool import_reduce_log(importer *im, import_node *n)
{
    int64_t axes[IR_RANK_MAX];
    int count;
    const bool keep = import_int(im, n, "keepdims", 1) != 0;
    if (!elem_is_float(import_type(n, 0)->elem)) return import_fail(im, n, STATUS_TYPE, 0, "floats are needed");
    if (!reduced_axes(im, n, axes, &count)) return false;
    ir_value *x = import_tensor(im, n, 0);
    if (!x || !count) return count ? false : import_fail(im, n, STATUS_ATTRIBUTE, -1, "no axes");
    if (!n->row->detail) return import_put(im, n, 0, import_map1(im, n, EXPR_LOG, compose_reduce(im, n, x, "sum", axes, count, keep)));
    ir_value *largest = compose_reduce(im, n, x, "max", axes, count, true), *shifted = import_map2(im, n, EXPR_SUB, x, largest);
    ir_value *sum = compose_reduce(im, n, import_map1(im, n, EXPR_EXP, shifted), "sum", axes, count, true);
    ir_value *v = import_map2(im, n, EXPR_ADD, import_map1(im, n, EXPR_LOG, sum), largest);
    if (!v || keep) return import_put(im, n, 0, v);
    dim shape[IR_RANK_MAX];
    int rank = 0;
    for (int i = 0, next = 0; i < v->type.rank; i++) {
        if (next < count && axes[next] == i) next++;
        else shape[rank++] = v->type.dim[i];
    }
    return import_put(im, n, 0, import_reshape(im, n, v, shape, rank));
}

bool import_global_pool(importer *im, import_node *n)
{
    int64_t axes[IR_RANK_MAX];
    int count = 0;
    if (!import_check_floats(im, n)) return false;
    for (int i = 2; i < import_type(n, 0)->rank; i++) axes[count++] = i;
    if (!count) return import_fail(im, n, STATUS_SHAPE, 0, "three axes or more are needed");
    return import_put(im, n, 0, compose_reduce(im, n, import_tensor(im, n, 0), reductions[n->row->detail], axes, count, true));
}
