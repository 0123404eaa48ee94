/* Resize and Upsample: along each axis a few weighted places, a constant matrix of weights where they are many, or
 * a gather for the nearest element. */
#include <math.h>
#include <string.h>

#include "import_compose.h"
#include "import_product.h"

typedef enum coordinates { HALF_PIXEL, HALF_PIXEL_SYMMETRIC, PYTORCH_HALF_PIXEL, HALF_PIXEL_FOR_NEAREST, ALIGN_CORNERS, ASYMMETRIC, CROP_AND_RESIZE,
               COORDINATES } coordinates;

enum { MOST_TAPS = 4 };   /* of a result that is summed place by place; more are a product of matrices */

/* One axis: `in` elements become `out`; scale is what the file gives, or out / in. What lies from start to end, as parts of it, is cut out first. */
typedef struct resized { int64_t in, out; double scale; bool by_sizes; double start, end; } resized;

typedef struct resize {
    char mode;                   /* n, l, c: nearest, linear, cubic */
    coordinates coordinates;
    char policy;                 /* u, l, s: sizes as they are, or of one scale: none larger, none smaller */
    int scales;                  /* the input that gives them */
    const char *nearest;
    double cubic;                /* the kernel's parameter */
    bool antialias, exclude_outside;
    resized axis[IR_RANK_MAX];
} resize;

/* ---- attributes ---- */

static bool read_modes(importer *im, import_node *n, resize *r)
{
    static const char *const names[COORDINATES] = { "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn", "align_corners",
        "asymmetric", "tf_crop_and_resize" };
    const bool old = im->opset < 11;   /* Upsample, and the first Resize */
    const char *mode = import_string(im, n, "mode", "nearest");
    const char *transformation = import_string(im, n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
    const char *policy = import_string(im, n, "keep_aspect_ratio_policy", "stretch");
    int known = 0;
    while (known < COORDINATES && strcmp(names[known], transformation)) known++;
    if (known == COORDINATES) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "coordinate_transformation_mode = '%.60s'", transformation);
    if (strcmp(mode, "nearest") && strcmp(mode, "linear") && strcmp(mode, "cubic")) {
        return import_fail(im, n, STATUS_ATTRIBUTE, -1, "mode = '%.60s'", mode);
    }
    if (strcmp(policy, "stretch") && strcmp(policy, "not_larger") && strcmp(policy, "not_smaller")) {
        return import_fail(im, n, STATUS_ATTRIBUTE, -1, "keep_aspect_ratio_policy = '%.60s'", policy);
    }
    r->policy = !strcmp(policy, "stretch") ? 'u' : policy[4];
    r->scales = old ? 1 : 2;
    r->mode = mode[0];
    r->coordinates = (coordinates)known;
    r->nearest = import_string(im, n, "nearest_mode", old ? "simple" : "round_prefer_floor");
    r->cubic = import_float(im, n, "cubic_coeff_a", -0.75);
    r->antialias = import_int(im, n, "antialias", 0) != 0;
    r->exclude_outside = import_int(im, n, "exclude_outside", 0) != 0;
    const bool known_nearest = !strcmp(r->nearest, "round_prefer_floor") || !strcmp(r->nearest, "round_prefer_ceil") || !strcmp(r->nearest, "floor") ||
        !strcmp(r->nearest, "ceil") || (old && !strcmp(r->nearest, "simple"));
    return known_nearest || import_fail(im, n, STATUS_ATTRIBUTE, -1, "nearest_mode = '%.60s'", r->nearest);
}

/* The axes that scales or sizes speak of: all, or those of the attribute. */
static bool read_axes(importer *im, import_node *n, int count, int *axis)
{
    const int64_t *list;
    int given;
    const int rank = import_type(n, 0)->rank;
    const bool named = import_ints(im, n, "axes", &list, &given);
    if (count != (named ? given : rank)) return import_fail(im, n, STATUS_SHAPE, -1, "%d scales or sizes for %d axes", count, named ? given : rank);
    for (int i = 0; i < count; i++)
        if (!import_axis(im, n, named ? list[i] : i, rank, &axis[i])) return false;
    return true;
}

static bool set_size(importer *im, import_node *n, resize *r, int axis, double scale, int64_t out)
{
    static const int64_t most = (int64_t)1 << 20;
    resized *a = &r->axis[axis];
    if (!dim_is_constant(import_type(n, 0)->dim[axis], &a->in)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is resized", axis);
    const double part = r->coordinates == CROP_AND_RESIZE ? a->end - a->start : 1;
    a->by_sizes = out > 0;
    a->out = out > 0 ? out : (int64_t)floor((double)a->in * part * scale);
    a->scale = out > 0 ? (double)out / (double)a->in : scale;
    return (a->in > 0 && a->out > 0 && a->out <= most && a->in <= most) ||
        import_fail(im, n, STATUS_SHAPE, 0, "axis %d from %lld to %lld", axis, (long long)a->in, (long long)a->out);
}

/* Numbers that are known now, of an input or (Upsample at 7) an attribute; NULL: reported. */
static const float *read_numbers(importer *im, import_node *n, int i, const char *name, int *count)
{
    const Onnx__AttributeProto *given = import_attribute(n, name);
    if (given && !import_has(n, i) && given->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS && given->n_floats <= 2 * IR_RANK_MAX) {
        *count = (int)given->n_floats;
        return given->floats;
    }
    if (!import_has(n, i)) return import_fail(im, n, STATUS_ARITY, -1, "no %s", name), NULL;
    ir_value *v = import_tensor(im, n, i);
    const ir_bytes *b = v ? ir_bytes_of(v) : NULL;
    if (!b || v->type.elem != ELEM_F32 || v->type.rank != 1) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "%s must be known", name), NULL;
    *count = b->size / sizeof(float) <= 2 * IR_RANK_MAX ? (int)(b->size / sizeof(float)) : -1;
    if (*count < 0) return import_fail(im, n, STATUS_SHAPE, i, "too many %s", name), NULL;
    float *numbers = arena_array(im->arena, (size_t)*count + 1, sizeof *numbers);
    if (*count) memcpy(numbers, b->data, b->size);
    return numbers;
}

/* The part of each axis that is cut out: all starts, then all ends. */
static bool read_region(importer *im, import_node *n, resize *r, const int *axis, int count)
{
    int numbers;
    for (int i = 0; i < IR_RANK_MAX; i++) r->axis[i].end = 1;
    if (r->coordinates != CROP_AND_RESIZE) return true;
    const float *region = read_numbers(im, n, 1, "roi", &numbers);
    if (!region) return false;
    if (numbers != 2 * count) return import_fail(im, n, STATUS_SHAPE, 1, "%d numbers for %d axes", numbers, count);
    for (int i = 0; i < count; i++) {
        r->axis[axis[i]].start = (double)region[i];
        r->axis[axis[i]].end = (double)region[i + count];
        if (!(fabsf(region[i]) < 1e6f && fabsf(region[i + count]) < 1e6f)) return import_fail(im, n, STATUS_SHAPE, 1, "a part is out of range");
    }
    return true;
}

static bool is_whole(const resized *a)
{
    return a->start == 0 && a->end == 1;
}

static bool read_scales(importer *im, import_node *n, resize *r)
{
    int axis[IR_RANK_MAX], count;
    const float *scale = read_numbers(im, n, r->scales, "scales", &count);
    if (!scale || !read_axes(im, n, count, axis) || !read_region(im, n, r, axis, count)) return false;
    for (int i = 0; i < count; i++) {
        if (!(scale[i] > 0) || scale[i] > 1e6f) return import_fail(im, n, STATUS_SHAPE, r->scales, "a scale is out of range");
        if ((scale[i] != 1 || !is_whole(&r->axis[axis[i]])) && !set_size(im, n, r, axis[i], (double)scale[i], 0)) return false;
    }
    return true;
}

/* One scale for all axes: the least or the greatest that the sizes ask for. */
static bool keep_aspect(importer *im, import_node *n, resize *r, const int *axis, const int64_t *size, int count)
{
    double scale = 0;
    for (int i = 0; i < count; i++) {
        int64_t in;
        if (!dim_is_constant(import_type(n, 0)->dim[axis[i]], &in)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is resized", axis[i]);
        const double own = (double)size[i] / (double)(in > 0 ? in : 1);
        if (!i || (r->policy == 'l' ? own < scale : own > scale)) scale = own;
    }
    for (int i = 0; i < count; i++) {
        resized *a = &r->axis[axis[i]];
        int64_t in = 1;
        dim_is_constant(import_type(n, 0)->dim[axis[i]], &in);
        if (!set_size(im, n, r, axis[i], 0, (int64_t)floor((double)in * scale + 0.5))) return false;
        a->by_sizes = false;
        a->scale = scale;
    }
    return true;
}

static bool read_sizes(importer *im, import_node *n, resize *r)
{
    const dim *sizes;
    int count, axis[IR_RANK_MAX];
    int64_t out[IR_RANK_MAX];
    if (!import_has(n, 3)) return import_fail(im, n, STATUS_ARITY, -1, "neither scales nor sizes");
    if (!import_dims(im, n, 3, "sizes", &sizes, &count)) return false;
    if (!read_axes(im, n, count, axis) || !read_region(im, n, r, axis, count)) return false;
    for (int i = 0; i < count; i++) {
        if (r->policy == 'u' && dim_equal(sizes[i], import_type(n, 0)->dim[axis[i]]) && is_whole(&r->axis[axis[i]])) continue;   /* a run-time size may stay */
        if (!dim_is_constant(sizes[i], &out[i])) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 3, "size %d", i);
        if (out[i] < 1) return import_fail(im, n, STATUS_SHAPE, 3, "size %d", i);
        if (r->policy == 'u' && !set_size(im, n, r, axis[i], 0, out[i])) return false;
    }
    return r->policy == 'u' || keep_aspect(im, n, r, axis, out, count);
}

/* ---- coordinates and weights ---- */

/* Where output place x lies among the input's places. */
static double source(const resize *r, const resized *a, int64_t x)
{
    const double in = (double)a->in, out = a->by_sizes ? (double)a->out : in * a->scale, at = (double)x;   /* out is not whole where a scale says so */
    const double centre = a->by_sizes ? (at + 0.5) * in / out - 0.5 : (at + 0.5) / a->scale - 0.5;
    switch (r->coordinates) {
    case ALIGN_CORNERS: return out == 1 ? 0 : at * (in - 1) / (out - 1);
    case HALF_PIXEL_FOR_NEAREST: return a->by_sizes ? (at + 0.5) * in / out : (at + 0.5) / a->scale;
    case CROP_AND_RESIZE: return (in - 1) * (a->out > 1 ? a->start + at * (a->end - a->start) / (double)(a->out - 1) : (a->start + a->end) / 2);
    case ASYMMETRIC: return a->by_sizes ? at * in / out : at / a->scale;
    case PYTORCH_HALF_PIXEL: return a->out > 1 ? centre : 0;
    case HALF_PIXEL_SYMMETRIC: return in / 2 * (1 - (double)a->out / (in * a->scale)) + (at + 0.5) / a->scale - 0.5;
    default: return centre;
    }
}

static int64_t clamp(int64_t i, int64_t size)
{
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static int64_t nearest(const resize *r, const resized *a, int64_t x)
{
    const double at = source(r, a, x);
    const char *mode = strcmp(r->nearest, "simple") ? r->nearest : a->scale < 1 ? "ceil" : "floor";
    const double i = !strcmp(mode, "floor") ? floor(at) : !strcmp(mode, "ceil") ? ceil(at) : !strcmp(mode, "round_prefer_ceil")
        ? floor(at + 0.5) : ceil(at - 0.5);
    return clamp((int64_t)i, a->in);
}

/* The interpolation kernel at distance d: a triangle, or Keys' cubic. */
static double kernel(const resize *r, double d)
{
    const double a = r->cubic;
    d = fabs(d);
    if (r->mode == 'l') return d < 1 ? 1 - d : 0;
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* weights [in, out]; false: some place has none. */
static bool fill_weights(const resize *r, const resized *a, float *weights, double *column)
{
    const double stretch = r->antialias && a->scale < 1 ? a->scale : 1;
    const int64_t reach = (int64_t)ceil((r->mode == 'l' ? 1 : 2) / stretch);
    for (int64_t x = 0; x < a->out; x++) {
        const double at = source(r, a, x);
        double sum = 0;
        memset(column, 0, (size_t)a->in * sizeof *column);
        for (int64_t i = (int64_t)floor(at) - reach; i <= (int64_t)floor(at) + reach + 1; i++) {
            const double w = kernel(r, ((double)i - at) * stretch);
            if (r->exclude_outside && (i < 0 || i >= a->in)) continue;
            column[clamp(i, a->in)] += w;
            sum += w;
        }
        if (sum == 0) return false;
        if (!r->antialias && !r->exclude_outside) sum = 1;
        for (int64_t i = 0; i < a->in; i++) weights[i * a->out + x] = (float)(column[i] / sum);
    }
    return true;
}

/* ---- one axis ---- */

static ir_value *take_nearest(importer *im, const import_node *n, ir_value *x, const resize *r, int axis)
{
    const resized *a = &r->axis[axis];
    int64_t *place = arena_array(im->arena, (size_t)a->out, sizeof *place);
    for (int64_t i = 0; i < a->out; i++) place[i] = nearest(r, a, i);
    ir_node *node = import_begin(im, n, IR_GATHER);
    ir_input(node, x);
    ir_input(node, ir_constant_ints(im->graph, place, (int)a->out, NULL));
    ir_set_int(node, KEY_AXIS, axis);
    return import_end(im, node);
}

/* The few places and weights that each result sums: [out, taps]. NULL: there are more than `most`. */
static ir_value *resample(importer *im, const import_node *n, ir_value *x, const resized *a, const float *weights, int axis, int64_t most)
{
    int64_t taps = 1;
    for (int64_t o = 0; o < a->out; o++) {
        int64_t count = 0;
        for (int64_t i = 0; i < a->in; i++) count += weights[i * a->out + o] != 0;
        if (count > taps) taps = count;
    }
    if (taps > most) return NULL;
    const size_t elements = (size_t)a->out * (size_t)taps;
    int64_t *place = arena_array(im->arena, elements, sizeof *place);
    float *weight = arena_array(im->arena, elements, sizeof *weight);
    for (int64_t o = 0; o < a->out; o++) {
        int64_t at = o * taps;
        for (int64_t i = 0; i < a->in; i++) {
            if (weights[i * a->out + o] == 0) continue;
            place[at] = i;
            weight[at++] = weights[i * a->out + o];
        }
        for (; at < (o + 1) * taps; at++) place[at] = at > o * taps ? place[at - 1] : 0;
    }
    return compose_resample(im, n, x, axis, place, weight, a->out, taps);
}

static ir_value *interpolate(importer *im, const import_node *n, ir_value *x, const resize *r, int axis)
{
    const resized *a = &r->axis[axis];
    const size_t elements = (size_t)a->in * (size_t)a->out;
    if (elements > (size_t)1 << 26) return import_fail(im, n, STATUS_TOO_LARGE, 0, "axis %d", axis), NULL;
    float *weights = arena_array(im->arena, elements, sizeof *weights);
    if (!fill_weights(r, a, weights, arena_array(im->arena, (size_t)a->in, sizeof(double)))) {
        return import_fail(im, n, STATUS_ATTRIBUTE, 0, "no weights on axis %d", axis), NULL;
    }
    ir_value *sparse = x->type.elem == ELEM_F32 ? resample(im, n, x, a, weights, axis, MOST_TAPS) : NULL;
    if (sparse) return sparse;
    const ir_type type = { .elem = ELEM_F32, .rank = 2, .dim = { dim_of(a->in), dim_of(a->out) } };
    ir_value *w = import_convert(im, n, ir_constant(im->graph, type, weights, elements * sizeof *weights, NULL), x->type.elem);
    return compose_exchange(im, n, import_product(im, n, compose_exchange(im, n, x, axis), w, NULL), axis);
}

/* Places whose source lies outside the input get the attribute's value. */
static ir_value *extrapolate(importer *im, import_node *n, ir_value *x, const resize *r, int axis)
{
    const resized *a = &r->axis[axis];
    uint8_t *outside = arena_array(im->arena, (size_t)a->out, sizeof *outside);
    bool any = false;
    for (int64_t i = 0; i < a->out; i++) {
        const double at = source(r, a, i);
        outside[i] = at < 0 || at > (double)(a->in - 1);
        any |= outside[i];
    }
    if (!any || !x) return x;
    ir_type type = { .elem = ELEM_BOOL, .rank = x->type.rank - axis, .dim = { dim_of(a->out) } };
    for (int i = 1; i < type.rank; i++) type.dim[i] = dim_of(1);
    ir_value *value = import_number(im, x->type.elem, import_float(im, n, "extrapolation_value", 0));
    return compose_select(im, n, ir_constant(im->graph, type, outside, (size_t)a->out, NULL), value, x);
}

bool import_resize(importer *im, import_node *n)
{
    resize *r = arena_alloc(im->arena, sizeof *r);
    int64_t scales = 0;
    if (!read_modes(im, n, r)) return false;
    const bool given = import_has(n, r->scales) && (!ir_dims_constant(import_type(n, r->scales), NULL, &scales) || scales > 0);
    const bool by_scales = given || im->opset < 11;
    if (by_scales ? !read_scales(im, n, r) : !read_sizes(im, n, r)) return false;
    if (r->mode != 'n' && !elem_is_float(import_type(n, 0)->elem)) return import_fail(im, n, STATUS_TYPE, 0, "floats are needed");
    ir_value *x = import_tensor(im, n, 0);
    for (int a = import_type(n, 0)->rank - 1; a >= 0 && x; a--) {
        if (!r->axis[a].out) continue;
        x = r->mode == 'n' ? take_nearest(im, n, x, r, a) : interpolate(im, n, x, r, a);
    }
    for (int a = 0; a < import_type(n, 0)->rank && r->coordinates == CROP_AND_RESIZE; a++)
        if (r->axis[a].out) x = extrapolate(im, n, x, r, a);
    return import_put(im, n, 0, x);
}
