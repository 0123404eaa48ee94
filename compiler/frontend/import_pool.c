/* Pools: an average is a convolution with ones, divided by the number of places; a maximum is one of shifted slices, axis by axis. */
#include <inttypes.h>
#include <math.h>

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

static ir_value *padded(importer *im, const import_node *n, ir_value *x, const pool *p)
{
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    bool any = false;
    const int rank = p->w.axes + 2;
    for (int i = 0; i < p->w.axes; i++) {
        pads[i + 2] = p->w.pads[i];
        pads[i + 2 + rank] = p->w.pads[i + p->w.axes];
        any |= pads[i + 2] || pads[i + 2 + rank];
    }
    if (!x || !any) return x;
    ir_node *node = import_begin(im, n, IR_PAD);
    ir_input(node, x);
    const elem e = x->type.elem;
    ir_input(node, import_number(im, e, elem_is_float(e) ? -HUGE_VAL : e == ELEM_I8 ? INT8_MIN : 0));   /* the least there is */
    ir_set_ints(node, KEY_PADS, pads, 2 * rank);
    return import_end(im, node);
}

/* The largest of each window along spatial axis i. */
static ir_value *largest(importer *im, const import_node *n, ir_value *x, const pool *p, int i)
{
    const windows *w = &p->w;
    ir_value **part = arena_array(im->arena, (size_t)w->kernel[i], sizeof *part);
    expr_builder b = expr_begin(im->arena);
    int all = -1;
    for (int k = 0; k < (int)w->kernel[i]; k++) {
        move m;
        ir_type to;
        if (!move_slice(&x->type, i + 2, k * w->dilations[i], w->strides[i], dim_of(p->count[i]), &m, &to)) {
            return import_fail(im, n, STATUS_SHAPE, 0, "the window does not fit"), NULL;
        }
        if (!(part[k] = import_move(im, n, x, &m, &to))) return NULL;
        const int item = expr_input(&b, k, x->type.elem);
        all = k ? expr_apply(&b, EXPR_MAX, all, item, -1) : item;
    }
    return w->kernel[i] == 1 ? part[0] : import_map(im, n, expr_end(&b, all), part, (int)w->kernel[i]);
}

bool import_max_pool(importer *im, import_node *n)
{
    pool p = { 0 };
    const elem e = import_type(n, 0)->elem;
    if (!elem_is_float(e) && e != ELEM_U8 && e != ELEM_I8) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
    if (!read_pool(im, n, &p)) return false;
    for (int i = 0; i < p.w.axes; i++)
        if (p.w.kernel[i] > 64) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "a window of %" PRId64, p.w.kernel[i]);
    ir_value *x = padded(im, n, import_tensor(im, n, 0), &p);
    for (int i = 0; i < p.w.axes && x; i++) x = largest(im, n, x, &p, i);
    return import_put(im, n, 0, x);
}
