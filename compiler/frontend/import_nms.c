/* NonMaxSuppression: boxes in the order of their scores, of which a class takes those that overlap none it took before too much. How many there will
 * be only a run knows: the result has a row for as many as there can be; those that are taken come first, in ONNX's order, and the rows behind them
 * are -1. Where boxes and scores are constants it has ONNX's rows alone. */
#include <inttypes.h>
#include <math.h>

#include "../base/checked.h"
#include "import_compose.h"

enum { Y0, X0, Y1, X1, AREA, COLUMNS };

typedef struct nms {
    int64_t images, classes, boxes, most;   /* most: boxes that one class can take */
    bool centre;
    double overlap, least;                  /* least: -infinity: every score will do */
    bool has_least;
} nms;

/* ---- attributes and inputs ---- */

static bool read_number(importer *im, import_node *n, int i, const char *what, double *number)
{
    return !import_has(n, i) || import_scalar(im, n, i, number) || import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "%s is known only to a run", what);
}

static bool read_nms(importer *im, import_node *n, nms *p)
{
    const ir_type *boxes = import_type(n, 0), *scores = import_type(n, 1);
    double most = 0;
    if (boxes->elem != ELEM_F32) return import_fail(im, n, STATUS_TYPE, 0, "float32 is needed");
    if (scores->elem != ELEM_F32) return import_fail(im, n, STATUS_TYPE, 1, "float32 is needed");
    if (boxes->rank != 3 || !dim_equal(boxes->dim[2], dim_of(4))) return import_fail(im, n, STATUS_SHAPE, 0, "images, boxes and 4 are needed");
    if (scores->rank != 3 || !dim_equal(scores->dim[0], boxes->dim[0]) || !dim_equal(scores->dim[2], boxes->dim[1])) {
        return import_fail(im, n, STATUS_SHAPE, 1, "images, classes and boxes are needed");
    }
    if (!dim_is_constant(boxes->dim[0], &p->images)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the number of images must be known");
    if (!dim_is_constant(boxes->dim[1], &p->boxes)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the number of boxes must be known");
    if (!dim_is_constant(scores->dim[1], &p->classes)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the number of classes must be known");
    p->centre = import_int(im, n, "center_point_box", 0) != 0;
    p->has_least = import_has(n, 4);
    if (!read_number(im, n, 2, "how many boxes a class takes", &most) || !read_number(im, n, 3, "iou_threshold", &p->overlap)) return false;
    if (!read_number(im, n, 4, "score_threshold", &p->least)) return false;
    p->most = most > (double)p->boxes ? p->boxes : most > 0 ? (int64_t)most : 0;
    int64_t rows;
    if (!checked_mul(p->images, p->classes, &rows) || !checked_mul(rows, p->boxes, &rows) || rows > INT32_MAX) {
        return import_fail(im, n, STATUS_TOO_LARGE, 0, "boxes of all classes and images: more than %d", INT32_MAX);
    }
    return true;
}

/* ---- boxes ---- */

/* One of the four numbers of each box, [images, 1, boxes]. */
static ir_value *number_of(importer *im, const import_node *n, ir_value *boxes, const nms *p, int k)
{
    const dim shape[3] = { dim_of(p->images), dim_of(1), dim_of(p->boxes) };
    ir_value *v = compose_slice(im, n, boxes, 2, k, 1, dim_of(1));
    return v ? import_reshape(im, n, v, shape, 3) : NULL;
}

/* The lower and the upper end of each box along one axis. */
static bool ends(importer *im, const import_node *n, ir_value *boxes, const nms *p, int axis, ir_value **low, ir_value **high)
{
    ir_value *a = number_of(im, n, boxes, p, p->centre ? 1 - axis : axis), *b = number_of(im, n, boxes, p, p->centre ? 3 - axis : axis + 2);
    if (p->centre) {
        ir_value *half = compose_with_number(im, n, EXPR_DIV, b, 2);
        *low = import_map2(im, n, EXPR_SUB, a, half);
        *high = import_map2(im, n, EXPR_ADD, a, half);
    } else {
        *low = import_map2(im, n, EXPR_MIN, a, b);
        *high = import_map2(im, n, EXPR_MAX, a, b);
    }
    return *low && *high;
}

/* Ends and areas, each [images, 1, boxes]. */
static bool read_boxes(importer *im, const import_node *n, ir_value *boxes, const nms *p, ir_value **column)
{
    if (!boxes || !ends(im, n, boxes, p, 0, &column[Y0], &column[Y1]) || !ends(im, n, boxes, p, 1, &column[X0], &column[X1])) return false;
    ir_value *height = import_map2(im, n, EXPR_SUB, column[Y1], column[Y0]), *width = import_map2(im, n, EXPR_SUB, column[X1], column[X0]);
    return (column[AREA] = import_map2(im, n, EXPR_MUL, height, width)) != NULL;
}

/* Ends and areas of all boxes, [images, boxes, COLUMNS]. */
static ir_value *table_of(importer *im, const import_node *n, ir_value *boxes, const nms *p)
{
    ir_value *column[COLUMNS];
    if (!read_boxes(im, n, boxes, p, column)) return NULL;
    ir_value *table = compose_concat(im, n, column, COLUMNS, 1);
    return table ? import_transpose(im, n, table, (const int[]){ 0, 2, 1 }) : NULL;
}

/* Scores above the threshold, and NaN for the others. */
static ir_value *candidates(importer *im, const import_node *n, const nms *p, ir_value *scores)
{
    if (!scores || !p->has_least) return scores;
    expr_builder b = expr_begin(im->arena);
    const int score = expr_input(&b, 0, ELEM_F32), none = expr_constant(&b, ELEM_F32, (double)NAN, 0);
    const int enough = expr_apply(&b, EXPR_LESS, expr_constant(&b, ELEM_F32, (double)(float)p->least, 0), score, -1);
    return import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, enough, score, none)), &scores, 1);
}

/* Which boxes each class takes, i64 [images * classes * most]; the number of boxes where there was none. */
static ir_value *take(importer *im, import_node *n, const nms *p)
{
    ir_value *scores = candidates(im, n, p, import_tensor(im, n, 1)), *table = table_of(im, n, import_tensor(im, n, 0), p);
    ir_value *order = compose_top_k(im, n, scores, p->boxes, true);
    if (!table || !order) return NULL;
    ir_node *node = import_begin(im, n, IR_SUPPRESS);
    ir_input(node, table);
    ir_input(node, scores);
    ir_input(node, order);
    ir_set_int(node, KEY_COUNT, p->most);
    ir_set_number(node, KEY_LIMIT, p->overlap);
    return import_reshape(im, n, import_end(im, node), (const dim[]){ dim_of(p->images * p->classes * p->most) }, 1);
}

/* image, class and box of each row, or -1 in all three: [rows, 3]. place: of the row among what the classes took; box: what that is. */
static ir_value *rows_of(importer *im, const import_node *n, const nms *p, ir_value *place, ir_value *box)
{
    ir_value *column[3], *const input[2] = { place, box };
    for (int k = 0; k < 3; k++) {
        expr_builder b = expr_begin(im->arena);
        const int at = expr_input(&b, 0, ELEM_I64), number = expr_input(&b, 1, ELEM_I64);
        const int group = expr_apply(&b, EXPR_DIV, at, expr_constant(&b, ELEM_I64, 0, p->most), -1);
        const int classes = expr_constant(&b, ELEM_I64, 0, p->classes);
        const int value = k == 2 ? number : expr_apply(&b, k ? EXPR_MOD : EXPR_DIV, group, classes, -1);
        const int there = expr_apply(&b, EXPR_LESS, number, expr_constant(&b, ELEM_I64, 0, p->boxes), -1);
        const int chosen = expr_apply(&b, EXPR_SELECT, there, value, expr_constant(&b, ELEM_I64, 0, -1));
        ir_value *v = import_map(im, n, expr_end(&b, chosen), input, 2);
        if (!(column[k] = v ? compose_unsqueeze(im, n, v, 1) : NULL)) return NULL;
    }
    return compose_concat(im, n, column, 3, 1);
}

/* What the classes took as rows without gaps: those that hold a box first, in their order. */
static ir_value *gathered(importer *im, const import_node *n, const nms *p, ir_value *taken)
{
    const int64_t rows = p->images * p->classes * p->most, axis[1] = { 0 };
    double known;
    ir_value *there = import_convert(im, n, taken ? compose_with_number(im, n, EXPR_LESS, taken, (double)p->boxes) : NULL, ELEM_I64);
    ir_value *place = compose_top_k(im, n, there, rows, true), *all = place ? rows_of(im, n, p, place, compose_gather(im, n, taken, place, 0)) : NULL;
    ir_value *total = compose_reduce(im, n, there, "sum", axis, 1, false);
    if (all && total && ir_scalar(total, &known)) return compose_slice(im, n, all, 0, 0, 1, dim_of((int64_t)known));
    const diag_place at = { .node = n->place, .input = -1 };
    if (all) diag_note(im->diag, &at, "its result has %" PRId64 " rows; those that no box takes are -1", rows);
    return all;
}

bool import_non_max_suppression(importer *im, import_node *n)
{
    static const int64_t nothing;
    nms p = { 0 };
    if (!read_nms(im, n, &p)) return false;
    if (p.most && p.images && p.classes) return import_put(im, n, 0, gathered(im, n, &p, take(im, n, &p)));
    return import_put(im, n, 0, ir_constant(im->graph, (ir_type){ .elem = ELEM_I64, .rank = 2, .dim = { dim_of(0), dim_of(3) } }, &nothing, 0, NULL));
}
