/* conv, and the windows of conv_last: the windows of each image as columns of a matrix (im2col), then a product for each group. Any number of spatial axes. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct geometry {
    int axes;                                          /* spatial */
    int64_t channels, features, groups;                /* of the whole */
    int64_t in[IR_RANK_MAX], out[IR_RANK_MAX], window[IR_RANK_MAX], begin[IR_RANK_MAX], stride[IR_RANK_MAX], dilation[IR_RANK_MAX];
    int64_t places, positions, taps;                   /* products of in, out, window */
} geometry;

static int64_t setting(const ir_node *n, ir_key key, int i, int64_t otherwise)
{
    const ir_attribute *a = ir_find(n, key);
    return a && i < a->list.count ? a->list.item[i] : otherwise;
}

/* Every window that axis i asks for lies in the padded input; that also bounds all arithmetic on places. */
static bool windows_fit(const geometry *g, int i, int64_t end)
{
    int64_t room, last, reach;
    if (g->begin[i] < 0 || end < 0 || g->stride[i] < 1 || g->dilation[i] < 1) return false;
    if (!checked_add(g->in[i], g->begin[i], &room) || !checked_add(room, end, &room)) return false;
    if (g->out[i] == 0 || g->window[i] == 0) return true;
    if (!checked_mul(g->out[i] - 1, g->stride[i], &last) || !checked_mul(g->window[i] - 1, g->dilation[i], &reach)) return false;
    return checked_add(last, reach, &last) && last < room;
}

static status measure(const eval_context *c, const ir_node *n, const eval_value *x, const eval_value *w, const eval_value *b, const eval_value *out,
                      geometry *g)
{
    *g = (geometry){.axes = x->rank - 2, .groups = ir_int(n, KEY_GROUP, 1)};
    if (g->axes < 1 || w->rank != x->rank || out->rank != x->rank) return eval_fail(c, n, 1, STATUS_SHAPE, "weights and input have different ranks");
    g->channels = x->shape[1];
    g->features = w->shape[0];
    if (g->groups < 1 || g->channels % g->groups != 0 || g->features % g->groups != 0 || w->shape[1] != g->channels / g->groups) {
        return eval_fail(c, n, 1, STATUS_SHAPE, "weights do not fit %lld channels in %lld groups", (long long)g->channels, (long long)g->groups);
    }
    if (b && b->elements != g->features) return eval_fail(c, n, 2, STATUS_SHAPE, "the bias does not fit the weights");
    if (out->shape[0] != x->shape[0] || out->shape[1] != g->features) return eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
    for (int i = 0; i < g->axes; i++) {
        g->in[i] = x->shape[i + 2];
        g->out[i] = out->shape[i + 2];
        g->window[i] = w->shape[i + 2];
        g->begin[i] = setting(n, KEY_PADS, i, 0);
        g->stride[i] = setting(n, KEY_STRIDES, i, 1);
        g->dilation[i] = setting(n, KEY_DILATIONS, i, 1);
        if (!windows_fit(g, i, setting(n, KEY_PADS, i + g->axes, 0))) return eval_fail(c, n, 0, STATUS_SHAPE, "the windows leave axis %d", i + 2);
    }
    g->places = eval_product_of(g->in, 0, g->axes);
    g->positions = eval_product_of(g->out, 0, g->axes);
    g->taps = eval_product_of(g->window, 0, g->axes);
    return STATUS_OK;
}

static void unravel(int64_t index, int axes, const int64_t *extent, int64_t *at)
{
    for (int i = axes - 1; i >= 0; i--) {
        at[i] = index % extent[i];
        index /= extent[i];
    }
}

/* Row `tap` of the columns: for `count` positions from `first` the element of a channel (that starts at x) under that tap, 0 in the padding. */
static void gather_tap(const geometry *g, const eval_value *x, int64_t start, int64_t tap, int64_t first, int64_t count, double *to)
{
    int64_t under[IR_RANK_MAX], at[IR_RANK_MAX];
    int last = g->axes - 1;
    unravel(tap, g->axes, g->window, under);
    for (int64_t done = 0; done < count; ) {
        unravel(first + done, g->axes, g->out, at);
        int64_t run = g->out[last] - at[last], source = start, step = 1;
        bool inside = true;
        if (run > count - done) run = count - done;
        for (int i = last; i >= 0; i--) {
            int64_t place = at[i] * g->stride[i] - g->begin[i] + under[i] * g->dilation[i];
            if (i < last && (place < 0 || place >= g->in[i])) inside = false;
            source += place * step;
            step *= g->in[i];
        }
        int64_t place = at[last] * g->stride[last] - g->begin[last] + under[last] * g->dilation[last];
        int64_t lead = place < 0 ? (-place + g->stride[last] - 1) / g->stride[last] : 0;
        int64_t end = place < g->in[last] ? (g->in[last] - 1 - place) / g->stride[last] + 1 : 0;
        if (end > run) end = run;
        memset(to + done, 0, (size_t)run * sizeof *to);
        if (inside && lead < end) eval_load_floats(x->stored, x->data, source + lead * g->stride[last], g->stride[last], end - lead, to + done + lead);
        done += run;
    }
}

/* `count` positions of one image and group; columns [inner, count], sum [features of the group, count]. */
static status convolve(const eval_context *c, const ir_node *n, const eval_value *const *in, const geometry *g, int64_t image, int64_t group,
                       int64_t first, int64_t count, const double *bias, double *columns, double *sum, eval_value *out)
{
    int64_t channels = g->channels / g->groups, features = g->features / g->groups, inner = channels * g->taps;
    for (int64_t i = 0; i < inner; i++) {
        int64_t start = (image * g->channels + group * channels + i / g->taps) * g->places;
        gather_tap(g, in[0], start, i % g->taps, first, count, columns + i * count);
    }
    eval_matrix w = {in[1]->stored, in[1]->data, group * features * inner, inner, 1}, x = {ELEM_F64, columns, 0, count, 1};
    status s = eval_product(c, n, features, count, inner, &w, &x, ELEM_F64, sum);
    for (int64_t f = 0; f < features && s == STATUS_OK; f++) {
        int64_t feature = group * features + f;
        if (bias) for (int64_t i = 0; i < count; i++) sum[f * count + i] += bias[feature];
        eval_store_floats(out->stored, out->owned, (image * g->features + feature) * g->positions + first, count, sum + f * count);
    }
    return s;
}

status eval_conv(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    geometry g;
    const eval_value *b = n->inputs > 2 ? in[2] : NULL;
    status s = measure(c, n, in[0], in[1], b, out, &g);
    if (s != STATUS_OK) return s;
    int64_t inner = g.channels / g.groups * g.taps, features = g.features / g.groups, block = eval_rows_at_once(g.positions, inner + features);
    double *columns = eval_allocate(block * inner, sizeof *columns), *sum = eval_allocate(block * features, sizeof *sum);
    double *bias = b ? eval_allocate(g.features, sizeof *bias) : NULL;
    if (!columns || !sum || (b && !bias)) s = eval_out_of_memory(c, n);
    if (s == STATUS_OK && b) eval_load_floats(b->stored, b->data, 0, 1, g.features, bias);
    for (int64_t i = 0; i < in[0]->shape[0] * g.groups && s == STATUS_OK; i++) {
        for (int64_t first = 0; first < g.positions && s == STATUS_OK; first += block) {
            int64_t count = g.positions - first < block ? g.positions - first : block;
            s = convolve(c, n, in, &g, i / g.groups, i % g.groups, first, count, bias, columns, sum, out);
        }
    }
    free(columns);
    free(sum);
    free(bias);
    return s;
}

void eval_windows(const ir_node *n, const eval_value *x, const eval_value *out, int64_t group, int64_t first, int64_t count, double *row)
{
    const int axes = x->rank - 2;
    const int64_t *kernel = ir_find(n, KEY_KERNEL)->list.item, all = x->shape[x->rank - 1], channels = all / ir_int(n, KEY_GROUP, 1);
    const int64_t places = eval_product_of(out->shape, 1, 1 + axes), taps = eval_product_of(kernel, 0, axes);
    int64_t at[IR_RANK_MAX], under[IR_RANK_MAX];
    for (int64_t i = first; i < first + count; i++) {
        unravel(i % places, axes, out->shape + 1, at);
        for (int64_t tap = 0; tap < taps; tap++, row += channels) {
            int64_t source = i / places;
            bool inside = true;
            unravel(tap, axes, kernel, under);
            for (int a = 0; a < axes; a++) {
                const int64_t place = at[a] * setting(n, KEY_STRIDES, a, 1) - setting(n, KEY_PADS, a, 0) + under[a] * setting(n, KEY_DILATIONS, a, 1);
                inside &= place >= 0 && place < x->shape[1 + a];
                source = source * x->shape[1 + a] + place;
            }
            if (inside) eval_load_floats(x->stored, x->data, source * all + group * channels, 1, channels, row);
            else memset(row, 0, (size_t)channels * sizeof *row);
        }
    }
}
