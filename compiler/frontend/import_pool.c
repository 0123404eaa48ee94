/* Pools: an average is a convolution with ones, divided by the number of places; a maximum is taken axis by axis, of a few places each,
 * or of shifted slices. */
#include <inttypes.h>
#include <math.h>

#include "import_compose.h"
#include "import_product.h"
#include "windows.h"

/* Windows with their counts; end pads are set to what the last window reaches. */
typedef struct pool { windows w; int64_t count[IR_RANK_MAX], given_end[IR_RANK_MAX]; } pool;

static bool read_pool(importer *im, import_node *n, pool *p)
{
    const ir_type *x = import_type(n, 0);
    windows *w = &p->w;
    const bool ceil_mode = import_int(im, n, "ceil_mode", 0) != 0;
    if (x->rank < 3) return import_fail(im, n, STATUS_SHAPE, 0, "three axes or more are needed");
    w->axes = x->rank - 2;
    if (!import_attribute(n, "kernel_shape")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "kernel_shape is missing");
    if (!windows_list(im, n, "kernel_shape", w->axes, 1, 1, w->kernel) || !windows_read(im, n, w)) return false;
    for (int i = 0; i < w->axes; i++) {
        const int64_t reach = w->dilations[i] * (w->kernel[i] - 1) + 1, end = w->pads[i + w->axes];
        const int64_t room = w->size[i] + w->pads[i] + end - reach;
        if (!w->size[i]) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its spatial sizes must be known");
        if (room < 0 && !(ceil_mode && -room < w->strides[i])) return import_fail(im, n, STATUS_SHAPE, 0, "the window does not fit axis %d", i + 2);
        p->count[i] = room < 0 ? 1 : (room + (ceil_mode ? w->strides[i] - 1 : 0)) / w->strides[i] + 1;
        if (p->count[i] > 1 && (p->count[i] - 1) * w->strides[i] >= w->size[i] + w->pads[i]) p->count[i]--;   /* it would see padding only */
        const int64_t needed = (p->count[i] - 1) * w->strides[i] + reach - w->size[i] - w->pads[i];
        p->given_end[i] = end;
        if (needed > end) w->pads[i + w->axes] = needed;
    }
    return true;
}

/* ---- average ---- */

/* How many of window x's places on axis i count. */
static int64_t counted(const pool *p, int i, int64_t x, bool with_pads)
{
    const windows *w = &p->w;
    const int64_t lowest = with_pads ? -w->pads[i] : 0, highest = w->size[i] + (with_pads ? p->given_end[i] : 0);
    int64_t count = 0;
    for (int64_t k = 0; k < w->kernel[i]; k++) {
        const int64_t at = x * w->strides[i] - w->pads[i] + k * w->dilations[i];
        count += at >= lowest && at < highest;
    }
    return count;
}

/* The numbers of places [count…], or a scalar where they are all the same. */
static ir_value *divisors(importer *im, const import_node *n, const pool *p, bool with_pads, elem e)
{
    ir_type type = { .elem = ELEM_F32, .rank = p->w.axes };
    int64_t elements = 1;
    for (int i = 0; i < p->w.axes; i++) {
        type.dim[i] = dim_of(p->count[i]);
        if (__builtin_mul_overflow(elements, p->count[i], &elements) || elements > 1 << 24) {
            return import_fail(im, n, STATUS_TOO_LARGE, 0, "its windows"), NULL;
        }
    }
    float *data = arena_array(im->arena, (size_t)elements, sizeof *data);
    bool same = true;
    for (int64_t e0 = 0; e0 < elements; e0++) {
        int64_t rest = e0, product = 1;
        for (int i = p->w.axes - 1; i >= 0; i--) {
            product *= counted(p, i, rest % p->count[i], with_pads);
            rest /= p->count[i];
        }
        data[e0] = (float)product;
        same &= data[e0] == data[0];
    }
    if (same) return import_number(im, e, (double)data[0]);
    return import_convert(im, n, ir_constant(im->graph, type, data, (size_t)elements * sizeof *data, NULL), e);
}

/* Weights of ones [channels, 1, kernel…]. */
static ir_value *ones(importer *im, const import_node *n, const pool *p, int64_t channels, elem e)
{
    dim shape[IR_RANK_MAX] = { dim_of(channels), dim_of(1) };
    ir_value *one = import_number(im, e, 1);
    move m;
    ir_type to;
    for (int i = 0; i < p->w.axes; i++) shape[i + 2] = dim_of(p->w.kernel[i]);
    return move_expand(&one->type, shape, p->w.axes + 2, &m, &to) ? import_move(im, n, one, &m, &to) : NULL;
}

bool import_average_pool(importer *im, import_node *n)
{
    pool p = { 0 };
    int64_t channels;
    const bool with_pads = import_int(im, n, "count_include_pad", 0) != 0;
    if (!import_check_floats(im, n)) return false;
    if (!read_pool(im, n, &p)) return false;
    if (!dim_is_constant(import_type(n, 0)->dim[1], &channels)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the number of channels");
    const elem e = import_type(n, 0)->elem;
    ir_value *x = import_tensor(im, n, 0), *w = x ? ones(im, n, &p, channels, e) : NULL, *count = w ? divisors(im, n, &p, with_pads, e) : NULL;
    if (!count) return false;
    ir_value *sum = windows_conv(im, n, x, w, NULL, &p.w, channels);
    return import_put(im, n, 0, import_map2(im, n, EXPR_DIV, sum, count));
}

/* ---- maximum ---- */

static ir_value *padded(importer *im, const import_node *n, ir_value *x, const pool *p, double fill)
{
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    const int rank = p->w.axes + 2;
    for (int i = 0; i < p->w.axes; i++) {
        pads[i + 2] = p->w.pads[i];
        pads[i + 2 + rank] = p->w.pads[i + p->w.axes];
    }
    return compose_pad(im, n, x, pads, fill);
}

/* The least there is. */
static double least(elem e)
{
    return elem_is_float(e) ? -HUGE_VAL : e == ELEM_I8 ? INT8_MIN : 0;
}

/* Each place of the windows along spatial axis i, as slices. False: reported. */
static bool taps(importer *im, const import_node *n, ir_value *x, const pool *p, int i, ir_value **part)
{
    const windows *w = &p->w;
    for (int k = 0; k < (int)w->kernel[i]; k++)
        if (!(part[k] = compose_slice(im, n, x, i + 2, k * w->dilations[i], w->strides[i], dim_of(p->count[i])))) return false;
    return true;
}

/* The largest of each window along spatial axis i. */
static ir_value *largest(importer *im, const import_node *n, ir_value *x, const pool *p, int i)
{
    const int kernel = (int)p->w.kernel[i];
    ir_value **part = arena_array(im->arena, (size_t)kernel, sizeof *part);
    expr_builder b = expr_begin(im->arena);
    int all = -1;
    if (!taps(im, n, x, p, i, part)) return NULL;
    for (int k = 0; k < kernel; k++) {
        const int item = expr_input(&b, k, x->type.elem);
        all = k ? expr_apply(&b, EXPR_MAX, all, item, -1) : item;
    }
    return kernel == 1 ? part[0] : import_map(im, n, expr_end(&b, all), part, kernel);
}

/* The same where each window sees some of the axis: what lies in the padding is left out. NULL: some window does not, or it is reported. */
static ir_value *largest_places(importer *im, const import_node *n, ir_value *x, const pool *p, int i)
{
    const windows *w = &p->w;
    const int64_t taps = w->kernel[i], elements = p->count[i] * taps;
    int64_t *place = arena_array(im->arena, (size_t)elements, sizeof *place);
    for (int64_t o = 0; o < p->count[i]; o++) {
        int64_t seen = -1;
        for (int64_t k = taps - 1; k >= 0; k--) {
            const int64_t at = o * w->strides[i] - w->pads[i] + k * w->dilations[i];
            if (at >= 0 && at < w->size[i]) seen = at;
        }
        if (seen < 0) return NULL;
        for (int64_t k = 0; k < taps; k++) {
            const int64_t at = o * w->strides[i] - w->pads[i] + k * w->dilations[i];
            place[o * taps + k] = at >= 0 && at < w->size[i] ? at : seen;
        }
    }
    return compose_resample(im, n, x, i + 2, place, NULL, p->count[i], taps);
}

/* All axes so, the last first. NULL: it cannot be. */
static ir_value *pooled(importer *im, const import_node *n, ir_value *x, const pool *p)
{
    int64_t elements = 0;
    for (int i = 0; i < p->w.axes; i++) elements += p->count[i] * p->w.kernel[i];
    if (x->type.elem != ELEM_F32 || elements > 1 << 20) return NULL;
    for (int i = p->w.axes - 1; i >= 0 && x; i--) x = largest_places(im, n, x, p, i);
    return x;
}

/* ---- where the maximum is ---- */

/* The number of each place of an image's plane as i64 [1, 1, size…]; `columns`: the first axis runs fastest. */
static ir_value *place_numbers(importer *im, const import_node *n, const pool *p, bool columns)
{
    const windows *w = &p->w;
    dim shape[IR_RANK_MAX] = { dim_of(1), dim_of(1) };
    int64_t elements = 1;
    int permutation[IR_RANK_MAX] = { 0, 1 };
    for (int i = 0; i < w->axes; i++) {
        shape[i + 2] = dim_of(w->size[columns ? w->axes - 1 - i : i]);
        permutation[i + 2] = columns ? w->axes + 1 - i : i + 2;
        if (__builtin_mul_overflow(elements, w->size[i], &elements) || elements > 1 << 24) {
            return import_fail(im, n, STATUS_TOO_LARGE, 0, "its plane"), NULL;
        }
    }
    return import_transpose(im, n, import_reshape(im, n, compose_count(im, elements, 0), shape, w->axes + 2), permutation);
}

/* Of each window along spatial axis i the largest element and its place. The first of equal ones stands, and NaN before any number; padding, whose
 * place is -1, behind all else. */
static bool largest_with_place(importer *im, const import_node *n, ir_value **x, ir_value **place, const pool *p, int i)
{
    const int kernel = (int)p->w.kernel[i];
    const elem e = (*x)->type.elem;
    ir_value **part = arena_array(im->arena, 2 * (size_t)kernel, sizeof *part);
    expr_builder b = expr_begin(im->arena);
    if (!taps(im, n, *x, p, i, part) || !taps(im, n, *place, p, i, part + kernel)) return false;
    int best = expr_input(&b, 0, e), at = expr_input(&b, kernel, ELEM_I64);
    const int none = expr_constant(&b, ELEM_I64, 0, 0);
    for (int k = 1; k < kernel; k++) {
        const int item = expr_input(&b, k, e), here = expr_input(&b, kernel + k, ELEM_I64);
        const int padding = expr_apply(&b, EXPR_LESS, at, none, -1), real = expr_apply(&b, EXPR_LESS_EQUAL, none, here, -1);
        int better = expr_apply(&b, EXPR_OR, expr_apply(&b, EXPR_LESS, best, item, -1), expr_apply(&b, EXPR_AND, padding, real, -1), -1);
        if (elem_is_float(e)) {
            const int first = expr_apply(&b, EXPR_NOT, expr_apply(&b, EXPR_ISNAN, best, -1, -1), -1, -1);
            better = expr_apply(&b, EXPR_OR, better, expr_apply(&b, EXPR_AND, expr_apply(&b, EXPR_ISNAN, item, -1, -1), first, -1), -1);
        }
        at = expr_apply(&b, EXPR_SELECT, better, here, at);
        best = expr_apply(&b, EXPR_SELECT, better, item, best);
    }
    const expr *where = expr_end(&b, at);
    *x = largest(im, n, *x, p, i);
    *place = kernel == 1 ? part[1] : import_map(im, n, where, part, 2 * kernel);
    return *x && *place;
}

/* Outputs 0 and 1 [N, C, count…]; a place counts through all planes. The last axis comes first, so that of equal elements the first in row-major
 * order is taken. */
static bool put_with_places(importer *im, import_node *n, const pool *p)
{
    const ir_type *t = import_type(n, 0);
    int64_t images, channels, planes, plane = 1;
    dim shape[IR_RANK_MAX] = { t->dim[0], t->dim[1] };
    if (!dim_is_constant(t->dim[0], &images) || !dim_is_constant(t->dim[1], &channels)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "places count from the first image: their number must be known");
    }
    for (int i = 0; i < p->w.axes; i++) {
        shape[i + 2] = dim_of(1);
        plane *= p->w.size[i];
        if (p->w.kernel[i] > 32) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "a window of %" PRId64 " with its places", p->w.kernel[i]);
    }
    if (__builtin_mul_overflow(images, channels, &planes) || planes > 1 << 24) return import_fail(im, n, STATUS_TOO_LARGE, 0, "its planes");
    ir_value *x = padded(im, n, import_tensor(im, n, 0), p, least(t->elem));
    ir_value *place = padded(im, n, place_numbers(im, n, p, import_int(im, n, "storage_order", 0) != 0), p, -1);
    if (!x || !place) return false;
    for (int i = p->w.axes - 1; i >= 0; i--)
        if (!largest_with_place(im, n, &x, &place, p, i)) return false;
    ir_value *first = compose_with_number(im, n, EXPR_MUL, compose_count(im, planes, 0), (double)plane);
    first = import_reshape(im, n, first, shape, t->rank);
    return import_put(im, n, 0, x) && import_put(im, n, 1, import_map2(im, n, EXPR_ADD, first, place));
}

bool import_max_pool(importer *im, import_node *n)
{
    pool p = { 0 };
    const elem e = import_type(n, 0)->elem;
    if (!elem_is_float(e) && e != ELEM_U8 && e != ELEM_I8) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
    if (!read_pool(im, n, &p)) return false;
    for (int i = 0; i < p.w.axes; i++)
        if (p.w.kernel[i] > 64) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "a window of %" PRId64, p.w.kernel[i]);
    if (import_is_wanted(n, 1)) return put_with_places(im, n, &p);
    ir_value *x = import_tensor(im, n, 0), *y = x ? pooled(im, n, x, &p) : NULL;
    if (y) return import_put(im, n, 0, y);
    if (x) x = padded(im, n, x, &p, least(e));
    for (int i = 0; i < p.w.axes && x; i++) x = largest(im, n, x, &p, i);
    return import_put(im, n, 0, x);
}
