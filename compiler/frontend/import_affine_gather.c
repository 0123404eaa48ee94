/* Gather, GatherND and ScatterND by indices that follow a run-time dimension: a move where they are affine; where one coordinate counts along the
 * batch and others are of the run, a pick or scatter within each image. */
#include <inttypes.h>

#include "../base/checked.h"
#include "import_affine.h"
#include "import_compose.h"

static bool refuse(importer *im, const import_node *n, const char *why)
{
    return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the indices follow a dimension that only a run knows, and %s", why);
}

/* ---- a move ---- */

/* Form k is the coordinate along axis + k of x, at the places that the first `places` axes of the indices have. */
static bool moved_by(importer *im, import_node *n, int axis, int coordinates, int places)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    const import_affine *f = n->in[1]->affine;
    move m = { .rank = x->rank };
    ir_type to = { .elem = x->elem };
    bool fits = f->forms == coordinates && x->rank - coordinates + places <= IR_RANK_MAX;
    for (int i = 0; i < axis && fits; i++) {
        m.digit[m.digits++] = (move_digit){ x->dim[i], i, 1 };
        to.dim[to.rank++] = x->dim[i];
    }
    for (int i = 0; i < places && fits; i++) {
        move_digit d = { index->dim[i], -1, 0 };
        for (int k = 0; k < coordinates; k++) {
            if (!f->form[k].step[i] || dim_is_one(d.extent)) continue;
            fits &= d.axis < 0;
            d = (move_digit){ d.extent, axis + k, f->form[k].step[i] };
        }
        m.digit[m.digits++] = d;
        to.dim[to.rank++] = d.extent;
    }
    for (int i = axis + coordinates; i < x->rank && fits; i++) {
        m.digit[m.digits++] = (move_digit){ x->dim[i], i, 1 };
        to.dim[to.rank++] = x->dim[i];
    }
    for (int k = 0; k < coordinates && fits; k++) m.offset[axis + k] = f->form[k].offset;
    if (fits) move_normalise(x, &m);
    if (!fits || move_check(im->symbols, x, &m, &to)) {
        return refuse(im, n, "are no even steps through input 0");
    }
    return import_put_move(im, n, 0, 0, &m, &to);
}

/* ---- a pick within each image ---- */

/* Axis `from` becomes axis `to`. */
static ir_value *with_axis_at(importer *im, const import_node *n, ir_value *x, int from, int to)
{
    int permutation[IR_RANK_MAX], rest = 0;
    if (!x) return NULL;
    for (int i = 0; i < x->type.rank; i++) {
        if (rest == from) rest++;
        permutation[i] = i == to ? from : rest++;
    }
    return import_transpose(im, n, x, permutation);
}

/* y[before…, places…, after…] from x [images, rows, before…, after…] and the row of each place, the images' axis of the places being `images`. */
static bool put_picked(importer *im, import_node *n, ir_value *x, ir_value *row, int images, int before)
{
    dim shape[2 * IR_RANK_MAX] = { dim_of(1) }, each;
    int permutation[2 * IR_RANK_MAX], rank = 0;
    row = with_axis_at(im, n, row, images, 0);
    if (!x || !row) return false;
    const int places = row->type.rank, slices = x->type.rank - 2;
    if (places + slices > IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 1, "more than 8 axes");
    if (!dim_product(row->type.dim + 1, places - 1, &each)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of indices of an image");
    for (int i = 0; i < places; i++) shape[rank++] = row->type.dim[i];
    for (int i = 0; i < slices; i++) shape[rank++] = x->type.dim[i + 2];
    ir_value *y = compose_pick(im, n, x, import_reshape(im, n, row, (const dim[]){ row->type.dim[0], each }, 2));
    y = import_reshape(im, n, y, shape, rank);
    for (int i = 0; i < rank; i++) {
        const int place = i - before;
        permutation[i] = place < 0 ? places + i : place >= places ? i : place == images ? 0 : place < images ? place + 1 : place;
    }
    return import_put(im, n, 0, import_transpose(im, n, y, permutation));
}

/* The number steps along an axis whose extent only a run knows. */
static bool follows_run(const affine_form *f, const ir_type *index, int places)
{
    bool follows = false;
    for (int i = 0; i < places; i++) follows |= f->step[i] && !dim_is_constant(index->dim[i], NULL);
    return follows;
}

/* The least and the largest number there is without the steps of axis `but`; false: they are not known. */
static bool bounds(const affine_form *f, const ir_type *index, int places, int but, int64_t *low, int64_t *high)
{
    *low = *high = f->offset;
    if (f->added && (!f->below || !checked_add(*high, f->below - 1, high))) return false;
    for (int i = 0; i < places; i++) {
        int64_t size = 1, way;
        if (i == but || !f->step[i]) continue;
        if (!dim_is_constant(index->dim[i], &size) || !checked_mul(f->step[i], size - 1, &way)) return false;
        if (!checked_add(way < 0 ? *low : *high, way, way < 0 ? low : high)) return false;
    }
    return true;
}

/* The numbers without the steps of axis `but`, in the shape of the places; NULL: reported. */
static ir_value *numbers(importer *im, const import_node *n, const affine_form *f, const ir_type *index, int places, int but)
{
    ir_value *v = import_number(im, ELEM_I64, (double)f->offset);
    if (f->added) v = import_map2(im, n, EXPR_ADD, f->added, v);
    for (int i = 0; i < places && v; i++) {
        int64_t size;
        if (i == but || !f->step[i] || !dim_is_constant(index->dim[i], &size)) continue;
        v = import_map2(im, n, EXPR_ADD, v, compose_with_number(im, n, EXPR_MUL, compose_count(im, size, places - 1 - i), (double)f->step[i]));
    }
    return compose_expand(im, n, v, index->dim, places);
}

/* The axis of the places along which images of `axis` of x are counted, each of *rows; -1: there is none. */
static int images_axis(const affine_form *f, const ir_type *x, int axis, const ir_type *index, int64_t *rows)
{
    dim all;
    const bool follows = follows_run(f, index, index->rank);
    for (int i = 0; i < index->rank; i++) {
        const bool one = dim_is_one(index->dim[i]);
        *rows = f->step[i];
        if (one && (follows || !dim_is_constant(x->dim[axis], rows))) continue;
        if (follows && dim_is_constant(index->dim[i], NULL)) continue;
        if (*rows > 0 && dim_mul(index->dim[i], dim_of(*rows), &all) && dim_equal(all, x->dim[axis])) return i;
    }
    return -1;
}

/* Rows of all images in one axis: index = image * rows + row. NULL: it is so; else why not. */
static const char *no_pick(const import_node *n, int axis, int *images, int64_t *rows)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    const affine_form *f = &n->in[1]->affine->form[0];
    int64_t low, high;
    *images = images_axis(f, x, axis, index, rows);
    if (*images < 0) return "do not step from image to image";
    if (!bounds(f, index, index->rank, *images, &low, &high) || low < 0 || high >= *rows) return "what a run adds to them may reach into another image";
    return NULL;
}

bool import_affine_picks(const import_node *n, int axis)
{
    int images;
    int64_t rows;
    const import_value *x = n->in[0], *index = n->in[1];
    const bool applies = index->affine && index->affine->forms == 1 && index->affine->form[0].added && x->tensor && !ir_is_constant(x->tensor);
    return applies && x->type.rank < IR_RANK_MAX && !no_pick(n, axis, &images, &rows);
}

bool import_affine_gather(importer *im, import_node *n, int axis)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    const affine_form *f = &n->in[1]->affine->form[0];
    dim shape[IR_RANK_MAX + 1];
    int images;
    int64_t rows;
    if (n->in[1]->affine->forms != 1 || !f->added) return moved_by(im, n, axis, 1, index->rank);
    const char *why = no_pick(n, axis, &images, &rows);
    if (why) return refuse(im, n, why);
    if (x->rank == IR_RANK_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 0, "more than 8 axes");
    for (int i = 0; i < x->rank; i++) shape[i < axis ? i : i + 1] = x->dim[i];
    shape[axis] = index->dim[images];
    shape[axis + 1] = dim_of(rows);
    ir_value *split = import_reshape(im, n, import_tensor(im, n, 0), shape, x->rank + 1);
    split = with_axis_at(im, n, with_axis_at(im, n, split, axis, 0), axis + 1, 1);
    return put_picked(im, n, split, numbers(im, n, f, index, index->rank, images), images, axis);
}

/* The axis of the places along which the numbers are those of all `images`; -1: there is none. */
static int counted_axis(const affine_form *f, dim images, const ir_type *index, int places)
{
    int64_t low, high;
    for (int i = 0; i < places && !f->added; i++) {
        const bool counts = dim_equal(index->dim[i], images) && (f->step[i] == 1 || dim_is_one(images));
        if (counts && bounds(f, index, places, i, &low, &high) && low == 0 && high == 0) return i;
    }
    return -1;
}

/* The coordinate that counts images along an axis of the places, *images: one of a run-time size, or the first; -1: none, or several. */
static int counting_coordinate(const import_node *n, int coordinates, int places, int *images)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    int found = -1;
    bool of_run = false;
    for (int k = 0; k < coordinates; k++) {
        const affine_form *f = &n->in[1]->affine->form[k];
        const int axis = counted_axis(f, x->dim[k], index, places);
        const bool follows = follows_run(f, index, places);
        if (follows && (axis < 0 || of_run)) return -1;
        if (axis < 0 || (found >= 0 && !follows)) continue;
        of_run = follows;
        found = k;
        *images = axis;
    }
    return found;
}

/* A coordinate of an axis of `size`, counted from 0; one out of range becomes the nearest there is. */
static ir_value *within(importer *im, const import_node *n, const affine_form *f, int64_t size)
{
    const ir_type *index = import_type(n, 1);
    int64_t low, high;
    ir_value *i = numbers(im, n, f, index, index->rank - 1, -1);
    const bool inside = bounds(f, index, index->rank - 1, -1, &low, &high) && low >= 0 && high < size;
    return inside ? i : compose_nearest(im, n, i, size);
}

/* The number of the row that all coordinates but the counting one name within an image of x, in the shape of the places; NULL: reported. */
static ir_value *row_of(importer *im, import_node *n, int counting, int coordinates, int64_t *rows)
{
    const ir_type *x = import_type(n, 0);
    ir_value *row = NULL;
    *rows = 1;
    for (int k = 0; k < coordinates; k++) {
        int64_t size;
        if (k == counting) continue;
        if (!dim_is_constant(x->dim[k], &size) || size < 1 || !checked_mul(*rows, size, rows)) {
            import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is indexed", k);
            return NULL;
        }
        ir_value *i = within(im, n, &n->in[1]->affine->form[k], size);
        row = row ? compose_place(im, n, row, size, i) : i;
        if (!row) return NULL;
    }
    return row;
}

/* How many coordinates there are, which of them counts the images, and along which axis of the places. NULL: it is so; else why not. */
static const char *no_pick_nd(importer *im, import_node *n, int *depth, int *counting, int *images)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    int64_t coordinates;
    const bool fits = index->rank && dim_is_constant(index->dim[index->rank - 1], &coordinates) && coordinates >= 1 &&
        coordinates <= COORDINATES_MAX && coordinates <= x->rank && !import_int(im, n, "batch_dims", 0);
    if (!fits) return "are no coordinates of all axes";
    *depth = (int)coordinates;
    *counting = n->in[1]->affine->forms == coordinates ? counting_coordinate(n, *depth, index->rank - 1, images) : -1;
    return *counting < 0 ? "no coordinate counts the images" : NULL;
}

static bool any_added(const import_affine *f)
{
    bool any = false;
    for (int k = 0; k < f->forms; k++) any |= f->form[k].added != NULL;
    return any;
}

bool import_affine_picks_nd(importer *im, import_node *n)
{
    int depth, counting, images;
    const import_value *x = n->in[0], *index = n->in[1];
    return index->affine && any_added(index->affine) && x->tensor && !ir_is_constant(x->tensor) && !no_pick_nd(im, n, &depth, &counting, &images);
}

bool import_affine_gather_nd(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    dim shape[IR_RANK_MAX];
    int64_t rows;
    int depth = 0, counting, images, rank = 2;
    const char *why = no_pick_nd(im, n, &depth, &counting, &images);
    if (depth && (n->in[1]->affine->forms != depth || !any_added(n->in[1]->affine))) return moved_by(im, n, 0, depth, index->rank - 1);
    if (why) return refuse(im, n, why);
    ir_value *row = row_of(im, n, counting, depth, &rows), *v = row ? with_axis_at(im, n, import_tensor(im, n, 0), counting, 0) : NULL;
    shape[0] = x->dim[counting];
    shape[1] = dim_of(rows);
    for (int i = depth; i < x->rank; i++) shape[rank++] = x->dim[i];
    return put_picked(im, n, import_reshape(im, n, v, shape, rank), row, images, 0);
}

/* Within each image: x [images, rows, slice…], and what is scattered [images, updates, slice…]. */
bool import_affine_scatter_nd(importer *im, import_node *n, const char *kind)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    const int places = index->rank - 1, depth = n->in[1]->affine->forms, slices = x->rank - depth;
    dim each, shape[IR_RANK_MAX + 2], whole[IR_RANK_MAX];
    int64_t rows;
    int images = -1;
    if (!dim_equal(index->dim[places], dim_of(depth))) return refuse(im, n, "are no even steps");
    const int counting = depth > 1 ? counting_coordinate(n, depth, places, &images) : -1;
    if (counting < 0) return refuse(im, n, "no coordinate counts the images");
    ir_value *row = with_axis_at(im, n, row_of(im, n, counting, depth, &rows), images, 0);
    ir_value *v = row ? with_axis_at(im, n, import_tensor(im, n, 0), counting, 0) : NULL;
    if (!v) return false;
    if (!dim_product(row->type.dim + 1, places - 1, &each)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of indices of an image");
    for (int i = 0; i < x->rank; i++) whole[i] = v->type.dim[i];
    shape[0] = x->dim[counting];
    shape[1] = dim_of(rows);
    for (int i = 0; i < slices; i++) shape[i + 2] = x->dim[depth + i];
    v = import_reshape(im, n, v, shape, slices + 2);
    shape[1] = each;
    ir_value *update = with_axis_at(im, n, import_tensor(im, n, 2), images, 0);
    update = import_reshape(im, n, update, shape, slices + 2);
    v = compose_scatter(im, n, kind, v, import_reshape(im, n, row, shape, 2), update);
    return import_put(im, n, 0, with_axis_at(im, n, import_reshape(im, n, v, whole, x->rank), 0, counting));
}
