/* Convolutions, and the windows that they share with pools. */
#include <inttypes.h>
#include <string.h>

#include "import_product.h"
#include "windows.h"

bool windows_list(importer *im, import_node *n, const char *name, int count, int64_t least, int64_t otherwise, int64_t *to)
{
    static const int64_t most = (int64_t)1 << 24;
    const int64_t *list;
    int given;
    const bool present = import_ints(im, n, name, &list, &given);
    if (present && given != count) return import_fail(im, n, STATUS_BAD_FIELD, -1, "%s has %d entries, not %d", name, given, count);
    for (int i = 0; i < count; i++) {
        to[i] = present ? list[i] : otherwise;
        if (to[i] < least || to[i] > most) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "%s has an entry %" PRId64, name, to[i]);
    }
    return !n->wrong;
}

/* SAME_UPPER and SAME_LOWER: as many windows as strides fit; an odd pad goes behind or before. */
static bool same_pads(importer *im, import_node *n, windows *w, bool lower)
{
    for (int i = 0; i < w->axes; i++) {
        if (!w->size[i]) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "auto_pad needs spatial sizes");
        const int64_t count = (w->size[i] + w->strides[i] - 1) / w->strides[i], reach = w->dilations[i] * (w->kernel[i] - 1) + 1;
        int64_t total = (count - 1) * w->strides[i] + reach - w->size[i];
        if (total < 0) total = 0;
        w->pads[i] = lower ? total - total / 2 : total / 2;
        w->pads[i + w->axes] = total - w->pads[i];
    }
    return true;
}

bool windows_read(importer *im, import_node *n, windows *w)
{
    if (!windows_list(im, n, "strides", w->axes, 1, 1, w->strides) || !windows_list(im, n, "dilations", w->axes, 1, 1, w->dilations)) return false;
    if (!windows_list(im, n, "pads", 2 * w->axes, 0, 0, w->pads)) return false;
    for (int i = 0; i < w->axes; i++)
        if (!dim_is_constant(import_type(n, 0)->dim[i + 2], &w->size[i])) w->size[i] = 0;
    const char *pad = import_string(im, n, "auto_pad", "NOTSET");
    if (!strcmp(pad, "SAME_UPPER") || !strcmp(pad, "SAME_LOWER")) return same_pads(im, n, w, !strcmp(pad, "SAME_LOWER"));
    if (!strcmp(pad, "VALID")) memset(w->pads, 0, sizeof w->pads);
    else if (strcmp(pad, "NOTSET")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "auto_pad = '%.60s'", pad);
    return true;
}

ir_value *windows_conv(importer *im, const import_node *n, ir_value *x, ir_value *weights, ir_value *bias, const windows *w, int64_t group)
{
    if (!x || !weights) return NULL;
    ir_node *node = import_begin(im, n, IR_CONV);
    ir_input(node, x);
    ir_input(node, weights);
    if (bias) ir_input(node, bias);
    ir_set_ints(node, KEY_PADS, w->pads, 2 * w->axes);
    ir_set_ints(node, KEY_STRIDES, w->strides, w->axes);
    ir_set_ints(node, KEY_DILATIONS, w->dilations, w->axes);
    ir_set_int(node, KEY_GROUP, group);
    return import_end(im, node);
}

/* The window is the weights', and the attribute, where it is there, agrees. */
static bool read_kernel(importer *im, import_node *n, int weights, windows *w)
{
    const ir_type *x = import_type(n, 0), *weight = import_type(n, weights);
    int64_t declared[IR_RANK_MAX];
    if (x->rank < 3 || weight->rank != x->rank) {
        return import_fail(im, n, STATUS_SHAPE, weights, "weights and input need the same number of axes, three or more");
    }
    w->axes = x->rank - 2;
    for (int i = 0; i < w->axes; i++) {
        if (!dim_is_constant(weight->dim[i + 2], &w->kernel[i]) || w->kernel[i] < 1 || w->kernel[i] > 1 << 24) {
            return import_fail(im, n, STATUS_SHAPE, weights, "weights of no window");
        }
    }
    if (!windows_list(im, n, "kernel_shape", w->axes, 1, 1, declared)) return false;
    const bool same = !import_attribute(n, "kernel_shape") || !memcmp(declared, w->kernel, (size_t)w->axes * sizeof *declared);
    return same || import_fail(im, n, STATUS_SHAPE, weights, "kernel_shape is not the weights' shape");
}

bool windows_read_conv(importer *im, import_node *n, int weights, windows *w, int64_t *group)
{
    int64_t features;
    *group = import_int(im, n, "group", 1);
    if (!read_kernel(im, n, weights, w) || !windows_read(im, n, w)) return false;
    if (*group < 1 || !dim_is_constant(import_type(n, weights)->dim[0], &features) || features % *group) {
        return import_fail(im, n, STATUS_ATTRIBUTE, weights, "group = %" PRId64, *group);
    }
    return true;
}

bool import_conv(importer *im, import_node *n)
{
    windows w = { 0 };
    int64_t group;
    if (!import_check_floats(im, n) || !windows_read_conv(im, n, 1, &w, &group)) return false;
    if (import_has(n, 2) && (import_type(n, 2)->rank != 1 || !dim_equal(import_type(n, 2)->dim[0], import_type(n, 1)->dim[0]))) {
        return import_fail(im, n, STATUS_SHAPE, 2, "the bias does not fit the weights");
    }
    ir_value *bias = import_has(n, 2) ? import_tensor(im, n, 2) : NULL;
    if (import_has(n, 2) && !bias) return false;
    return import_put(im, n, 0, windows_conv(im, n, import_tensor(im, n, 0), import_tensor(im, n, 1), bias, &w, group));
}
