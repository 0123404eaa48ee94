/* Parts of images put back or cut out: Col2Im and CenterCropPad. */
#include <inttypes.h>

#include "import_compose.h"
#include "windows.h"

/* ---- Col2Im: each place of the window is spread over the image, and the images are summed ---- */

typedef struct columns { windows w; int64_t count[IR_RANK_MAX], window; dim channels; } columns;

static bool read_columns(importer *im, import_node *n, columns *c)
{
    const ir_type *x = import_type(n, 0);
    windows *w = &c->w;
    const int64_t *image, *block;
    int axes, block_axes;
    int64_t places = 1;
    if (!import_numbers(im, n, 1, "the image's sizes", &image, &axes) || !import_numbers(im, n, 2, "the window's sizes", &block, &block_axes))
        return false;
    if (x->rank != 3 || axes != block_axes || axes < 1 || axes > 3) return import_fail(im, n, STATUS_SHAPE, 0, "windows of %d axes", axes);
    w->axes = axes;
    c->window = 1;
    if (!windows_list(im, n, "strides", axes, 1, 1, w->strides) || !windows_list(im, n, "dilations", axes, 1, 1, w->dilations) ||
        !windows_list(im, n, "pads", 2 * axes, 0, 0, w->pads)) return false;
    for (int i = 0; i < axes; i++) {
        if (image[i] < 1 || block[i] < 1 || image[i] > 1 << 20 || block[i] > 1 << 10)
            return import_fail(im, n, STATUS_SHAPE, 1, "a size is out of range");
        const int64_t room = image[i] + w->pads[i] + w->pads[i + axes] - w->dilations[i] * (block[i] - 1) - 1;
        if (room < 0) return import_fail(im, n, STATUS_SHAPE, 2, "the window does not fit axis %d", i);
        w->size[i] = image[i];
        w->kernel[i] = block[i];
        c->count[i] = room / w->strides[i] + 1;
        c->window *= block[i];
        if (__builtin_mul_overflow(places, c->count[i], &places) || c->window > 1 << 12)
            return import_fail(im, n, STATUS_TOO_LARGE, 2, "its windows");
    }
    if (!dim_div_exact(x->dim[1], dim_of(c->window), &c->channels) || !dim_equal(x->dim[2], dim_of(places))) {
        return import_fail(im, n, STATUS_SHAPE, 0, "columns and windows do not fit");
    }
    return true;
}

/* Place `at` of all windows, [N, C, count…], as an image that is zero elsewhere. */
static ir_value *spread(importer *im, const import_node *n, const columns *c, ir_value *x, int64_t at)
{
    const windows *w = &c->w;
    const int axes = w->axes, rank = 2 + 2 * axes;
    dim apart[IR_RANK_MAX], joined[IR_RANK_MAX];
    int64_t zeros[2 * IR_RANK_MAX] = { 0 }, shift[2 * IR_RANK_MAX] = { 0 };
    if (!x) return NULL;
    apart[0] = joined[0] = x->type.dim[0];
    apart[1] = joined[1] = c->channels;
    for (int i = axes - 1; i >= 0; i--) {
        const int64_t place = at % w->kernel[i];
        at /= w->kernel[i];
        apart[2 + 2 * i] = dim_of(c->count[i]);
        apart[3 + 2 * i] = dim_of(1);
        zeros[rank + 3 + 2 * i] = w->strides[i] - 1;
        joined[i + 2] = dim_of(c->count[i] * w->strides[i]);
        shift[i + 2] = place * w->dilations[i] - w->pads[i];
        shift[i + 2 + axes + 2] = w->size[i] - c->count[i] * w->strides[i] - shift[i + 2];
    }
    x = import_reshape(im, n, compose_pad(im, n, import_reshape(im, n, x, apart, rank), zeros, 0), joined, 2 + axes);
    return compose_pad_or_crop(im, n, x, shift, 0);
}

bool import_col2im(importer *im, import_node *n)
{
    columns c = { 0 };
    if (import_type(n, 0)->elem == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "bool");
    if (!read_columns(im, n, &c)) return false;
    const ir_type *x = import_type(n, 0);
    ir_value *columns_apart = import_reshape(im, n, import_tensor(im, n, 0), (const dim[]){ x->dim[0], c.channels, dim_of(c.window), x->dim[2] },
        4), *sum = NULL;
    for (int64_t at = 0; at < c.window && columns_apart; at++) {
        ir_value *image = spread(im, n, &c, compose_slice(im, n, columns_apart, 2, at, 1, dim_of(1)), at);
        if (!(sum = at ? import_map2(im, n, EXPR_ADD, sum, image) : image)) return false;
    }
    return import_put(im, n, 0, sum);
}

/* ---- CenterCropPad ---- */

bool import_center_crop_pad(importer *im, import_node *n)
{
    const int rank = import_type(n, 0)->rank;
    const int64_t *sizes, *axes;
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    int count, named;
    if (!import_numbers(im, n, 1, "the sizes", &sizes, &count)) return false;
    const bool chosen = import_ints(im, n, "axes", &axes, &named);
    if (count != (chosen ? named : rank)) return import_fail(im, n, STATUS_SHAPE, 1, "%d sizes for %d axes", count, chosen ? named : rank);
    for (int i = 0; i < count; i++) {
        int axis;
        int64_t size;
        if (!import_axis(im, n, chosen ? axes[i] : i, rank, &axis)) return false;
        if (!dim_is_constant(import_type(n, 0)->dim[axis], &size))
            return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is cut or padded", axis);
        if (sizes[i] < 1 || sizes[i] > 1 << 24) return import_fail(im, n, STATUS_SHAPE, 1, "size %" PRId64, sizes[i]);
        const int64_t more = sizes[i] - size;
        pads[axis] = more < 0 ? -(-more / 2) : more / 2;   /* the odd one goes behind */
        pads[axis + rank] = more - pads[axis];
    }
    return import_put(im, n, 0, compose_pad_or_crop(im, n, import_tensor(im, n, 0), pads, 0));
}
