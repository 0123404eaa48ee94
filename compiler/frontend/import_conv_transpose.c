/* ConvTranspose: where windows neither overlap nor are cut, a linear layer and a move; else zeros put between the input's elements and a convolution
 * with the flipped kernel. */
#include <inttypes.h>
#include <string.h>

#include "import_compose.h"
#include "import_product.h"
#include "windows.h"

typedef struct transposed { windows w; int64_t group, channels, features, out[IR_RANK_MAX], output_padding[IR_RANK_MAX]; } transposed;

/* ---- attributes ---- */

/* How far the windows reach: the output without pads. */
static int64_t full_size(const transposed *t, int i)
{
    const windows *w = &t->w;
    return w->strides[i] * (w->size[i] - 1) + w->dilations[i] * (w->kernel[i] - 1) + 1 + t->output_padding[i];
}

static bool read_sizes(importer *im, import_node *n, transposed *t)
{
    windows *w = &t->w;
    const ir_type *x = import_type(n, 0), *weight = import_type(n, 1);
    int64_t features;
    if (x->rank < 3 || x->rank > 5 || weight->rank != x->rank)
        return import_fail(im, n, STATUS_SHAPE, 1, "weights and input need 3, 4 or 5 axes each");
    w->axes = x->rank - 2;
    t->group = import_int(im, n, "group", 1);
    if (!dim_is_constant(x->dim[1], &t->channels) || !dim_is_constant(weight->dim[1], &features) || t->group < 1 || t->channels % t->group ||
        !dim_equal(x->dim[1], weight->dim[0]) || __builtin_mul_overflow(features, t->group, &t->features)) {
        return import_fail(im, n, STATUS_SHAPE, 1, "the weights' channels do not fit, group = %" PRId64, t->group);
    }
    for (int i = 0; i < w->axes; i++) {
        if (!dim_is_constant(x->dim[i + 2], &w->size[i]) || w->size[i] < 1) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its spatial sizes");
        if (!dim_is_constant(weight->dim[i + 2], &w->kernel[i]) || w->kernel[i] < 1 || w->kernel[i] > 1 << 20 || w->size[i] > 1 << 20) {
            return import_fail(im, n, STATUS_SHAPE, 1, "a window is out of range");
        }
    }
    return true;
}

static bool read_pads(importer *im, import_node *n, transposed *t)
{
    windows *w = &t->w;
    const char *pad = import_string(im, n, "auto_pad", "NOTSET");
    const bool upper = !strcmp(pad, "SAME_UPPER"), lower = !strcmp(pad, "SAME_LOWER"), shaped = import_attribute(n, "output_shape") != NULL;
    if (strcmp(pad, "NOTSET") && strcmp(pad, "VALID") && !upper && !lower) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "auto_pad = '%.60s'", pad);
    if (!windows_list(im, n, "pads", 2 * w->axes, 0, 0, w->pads) || !windows_list(im, n, "output_shape", w->axes, 1, 1, t->out)) return false;
    for (int i = 0; i < w->axes; i++) {
        if (upper || lower) t->out[i] = shaped ? t->out[i] : w->size[i] * w->strides[i];
        if (upper || lower || shaped) {
            const int64_t total = full_size(t, i) - t->out[i], half = total > 0 ? total / 2 : 0;
            w->pads[i] = lower ? total - half : half;
            if (total < 0) w->pads[i] = 0;
        }
        else if (!strcmp(pad, "VALID")) t->out[i] = full_size(t, i);
        else t->out[i] = full_size(t, i) - w->pads[i] - w->pads[i + w->axes];
        if (t->out[i] < 1 || t->out[i] > 1 << 24) return import_fail(im, n, STATUS_SHAPE, 0, "axis %d becomes %" PRId64, i + 2, t->out[i]);
        if (!strcmp(pad, "VALID") && !shaped) w->pads[i] = 0;
    }
    return true;
}

static bool read_all(importer *im, import_node *n, transposed *t)
{
    windows *w = &t->w;
    if (!read_sizes(im, n, t)) return false;
    if (!windows_list(im, n, "strides", w->axes, 1, 1, w->strides) || !windows_list(im, n, "dilations", w->axes, 1, 1, w->dilations)) return false;
    if (!windows_list(im, n, "output_padding", w->axes, 0, 0, t->output_padding) || !read_pads(im, n, t)) return false;
    if (import_has(n, 2) && (import_type(n, 2)->rank != 1 || !dim_equal(import_type(n, 2)->dim[0], dim_of(t->features)))) {
        return import_fail(im, n, STATUS_SHAPE, 2, "the bias does not fit the weights");
    }
    return !n->wrong;
}

/* ---- windows side by side ---- */

static bool is_tiling(const transposed *t)
{
    for (int i = 0; i < t->w.axes; i++)
        if (t->w.kernel[i] != t->w.strides[i] || t->w.dilations[i] != 1 || t->w.pads[i] || t->out[i] != full_size(t, i) || t->output_padding[i])
            return false;
    return t->group == 1;
}

/* [M] as [M * window], one number repeated for each place. */
static ir_value *repeated(importer *im, const import_node *n, const transposed *t, ir_value *bias, int64_t window)
{
    ir_value *v = import_reshape(im, n, bias, (const dim[]){ dim_of(t->features), dim_of(1) }, 2);
    v = compose_expand(im, n, v, (const dim[]){ dim_of(t->features), dim_of(window) }, 2);
    return import_reshape(im, n, v, (const dim[]){ dim_of(t->features * window) }, 1);
}

static ir_value *tiling(importer *im, const import_node *n, const transposed *t, ir_value *x, ir_value *w, ir_value *bias)
{
    const int axes = t->w.axes;
    int64_t window = 1;
    int channels_last[IR_RANK_MAX] = { 0 }, apart[IR_RANK_MAX + 1] = { 0, axes + 1 };
    dim cut[IR_RANK_MAX + 1], joined[IR_RANK_MAX];
    joined[0] = cut[0] = x->type.dim[0];
    joined[1] = cut[axes + 1] = dim_of(t->features);
    for (int i = 0; i < axes; i++) {
        window *= t->w.kernel[i];
        channels_last[i + 1] = i + 2;
        cut[i + 1] = x->type.dim[i + 2];
        cut[axes + 2 + i] = dim_of(t->w.kernel[i]);
        apart[2 + 2 * i] = 1 + i;
        apart[3 + 2 * i] = axes + 2 + i;
        joined[i + 2] = dim_of(t->out[i]);
    }
    channels_last[axes + 1] = 1;
    x = import_transpose(im, n, x, channels_last);
    w = import_reshape(im, n, w, (const dim[]){ dim_of(t->channels), dim_of(t->features * window) }, 2);
    bias = bias ? repeated(im, n, t, bias, window) : NULL;
    ir_value *v = import_product(im, n, x, w, bias && ir_is_constant(bias) && ir_is_constant(w) ? bias : NULL);
    if (bias && !(ir_is_constant(bias) && w && ir_is_constant(w))) v = import_map2(im, n, EXPR_ADD, v, bias);
    return import_reshape(im, n, import_transpose(im, n, import_reshape(im, n, v, cut, 2 + 2 * axes), apart), joined, 2 + axes);
}

/* ---- all others ---- */

/* stride - 1 zeros behind each element. */
static ir_value *spread(importer *im, const import_node *n, const transposed *t, ir_value *x)
{
    const int axes = t->w.axes, rank = 2 + 2 * axes;
    dim apart[IR_RANK_MAX], joined[IR_RANK_MAX];
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    apart[0] = joined[0] = x->type.dim[0];
    apart[1] = joined[1] = x->type.dim[1];
    for (int i = 0; i < axes; i++) {
        apart[2 + 2 * i] = x->type.dim[i + 2];
        apart[3 + 2 * i] = dim_of(1);
        pads[rank + 3 + 2 * i] = t->w.strides[i] - 1;
        joined[i + 2] = dim_of(t->w.size[i] * t->w.strides[i]);
    }
    return import_reshape(im, n, compose_pad(im, n, import_reshape(im, n, x, apart, rank), pads, 0), joined, 2 + axes);
}

/* Weights [C, M / group, …] as a convolution's [M, C / group, …], each axis of the window backwards. */
static ir_value *flipped(importer *im, const import_node *n, const transposed *t, ir_value *w)
{
    const int rank = t->w.axes + 2;
    int swap[IR_RANK_MAX + 1] = { 0, 2, 1 };
    dim apart[IR_RANK_MAX + 1] = { dim_of(t->group), dim_of(t->channels / t->group), dim_of(t->features / t->group) }, joined[IR_RANK_MAX];
    joined[0] = dim_of(t->features);
    joined[1] = apart[1];
    for (int a = 2; a < rank; a++) {
        w = compose_slice(im, n, w, a, t->w.kernel[a - 2] - 1, -1, dim_of(t->w.kernel[a - 2]));
        swap[a + 1] = a + 1;
        joined[a] = apart[a + 1] = dim_of(t->w.kernel[a - 2]);
    }
    return import_reshape(im, n, import_transpose(im, n, import_reshape(im, n, w, apart, rank + 1), swap), joined, rank);
}

static ir_value *by_convolution(importer *im, const import_node *n, const transposed *t, ir_value *x, ir_value *w, ir_value *bias)
{
    windows conv = t->w;
    const int axes = conv.axes, rank = axes + 2;
    int64_t cropped[2 * IR_RANK_MAX] = { 0 };
    for (int i = 0; i < axes; i++) {
        const int64_t reach = conv.dilations[i] * (conv.kernel[i] - 1), begin = reach - t->w.pads[i];
        const int64_t end = t->out[i] + reach - conv.size[i] * conv.strides[i] - begin;
        conv.pads[i] = begin > 0 ? begin : 0;
        conv.pads[i + axes] = end > 0 ? end : 0;
        cropped[i + 2] = begin < 0 ? begin : 0;
        cropped[i + 2 + rank] = end < 0 ? end : 0;
        conv.strides[i] = 1;
    }
    x = compose_pad_or_crop(im, n, spread(im, n, t, x), cropped, 0);
    return windows_conv(im, n, x, flipped(im, n, t, w), bias, &conv, t->group);
}

bool import_conv_transpose(importer *im, import_node *n)
{
    transposed t = { 0 };
    if (!import_check_floats(im, n) || !read_all(im, n, &t)) return false;
    ir_value *x = import_tensor(im, n, 0), *w = import_tensor(im, n, 1), *bias = import_has(n, 2) ? import_tensor(im, n, 2) : NULL;
    if (!x || !w || (import_has(n, 2) && !bias)) return false;
    return import_put(im, n, 0, is_tiling(&t) ? tiling(im, n, &t, x, w, bias) : by_convolution(im, n, &t, x, w, bias));
}
