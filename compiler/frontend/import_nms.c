/* NonMaxSuppression, composed: in each round every class of every image takes its best box that is left and drops those that overlap it too much.
 * How many there will be only a run knows: the result has a row for as many as there can be; those that are taken come first, in ONNX's order, and
 * the rows behind them are -1. Where boxes and scores are constants it has ONNX's rows alone. */
#include <inttypes.h>
#include <math.h>

#include "import_compose.h"

enum { TAKEN_MAX = 256, ROWS_MAX = 1 << 16, PAIRS_MAX = 1 << 22 };
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
    if (p->most > TAKEN_MAX) return import_fail(im, n, STATUS_TOO_LARGE, 2, "more than %d boxes of a class", TAKEN_MAX);
    int64_t rows, pairs;
    if (__builtin_mul_overflow(p->images, p->classes, &rows) || __builtin_mul_overflow(rows, p->most, &rows) || rows > ROWS_MAX ||
        __builtin_mul_overflow(rows, p->images * p->classes, &pairs) || pairs > PAIRS_MAX || p->boxes > INT32_MAX / (p->images + 1)) {
        return import_fail(im, n, STATUS_TOO_LARGE, 0, "its boxes");
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

/* ---- a round ---- */

typedef struct round_state { ir_value *column[COLUMNS], *table, *left, *scores; } round_state;   /* table: the columns [images * boxes, COLUMNS] */

/* The best box that is left, the first of equals, i64 [images, classes, 1]; where none is, the number of boxes. */
static ir_value *best(importer *im, const import_node *n, const nms *p, const round_state *s)
{
    const int64_t axis[1] = { 2 };
    ir_value *shown = compose_select(im, n, s->left, s->scores, import_number(im, ELEM_F32, -HUGE_VAL));
    ir_value *most = compose_reduce(im, n, shown, "max", axis, 1, true);
    if (!most) return NULL;
    ir_value *const input[4] = { s->scores, most, s->left, compose_count(im, p->boxes, 0) };
    expr_builder b = expr_begin(im->arena);
    const int same = expr_apply(&b, EXPR_EQUAL, expr_input(&b, 0, ELEM_F32), expr_input(&b, 1, ELEM_F32), -1);
    const int here = expr_apply(&b, EXPR_AND, same, expr_input(&b, 2, ELEM_BOOL), -1);
    const int place = expr_apply(&b, EXPR_SELECT, here, expr_input(&b, 3, ELEM_I64), expr_constant(&b, ELEM_I64, 0, p->boxes));
    return compose_reduce(im, n, import_map(im, n, expr_end(&b, place), input, 4), "min", axis, 1, true);
}

/* The taken boxes' columns, [images, classes, COLUMNS]; of none those of some box. */
static ir_value *taken_boxes(importer *im, const import_node *n, const nms *p, const round_state *s, ir_value *taken)
{
    ir_value *first = import_reshape(im, n, compose_with_number(im, n, EXPR_MUL, compose_count(im, p->images, 0), (double)p->boxes),
        (const dim[]){ dim_of(p->images), dim_of(1) }, 2);
    ir_value *place = taken ? import_reshape(im, n, taken, taken->type.dim, 2) : NULL;
    return compose_gather(im, n, s->table, import_map2(im, n, EXPR_ADD, compose_with_number(im, n, EXPR_MIN, place, (double)p->boxes - 1), first), 0);
}

/* How far two spans reach into each other; both as inputs of the expression: own low, own high, other low, other high. */
static int shared(expr_builder *b, int low, int high, int other_low, int other_high)
{
    const int top = expr_apply(b, EXPR_MIN, expr_input(b, high, ELEM_F32), expr_input(b, other_high, ELEM_F32), -1);
    return expr_apply(b, EXPR_SUB, top, expr_apply(b, EXPR_MAX, expr_input(b, low, ELEM_F32), expr_input(b, other_low, ELEM_F32), -1), -1);
}

/* Which boxes are left: neither the one that is taken nor what overlaps it by more than the limit. Boxes without an area overlap nothing. */
static ir_value *still_left(importer *im, const import_node *n, const nms *p, const round_state *s, ir_value *taken)
{
    ir_value *row = taken_boxes(im, n, p, s, taken), *input[2 * COLUMNS + 3];
    for (int k = 0; k < COLUMNS; k++) {
        input[k] = s->column[k];
        if (!(input[COLUMNS + k] = row ? compose_slice(im, n, row, 2, k, 1, dim_of(1)) : NULL)) return NULL;
    }
    input[2 * COLUMNS] = s->left;
    input[2 * COLUMNS + 1] = taken;
    input[2 * COLUMNS + 2] = compose_count(im, p->boxes, 0);
    expr_builder b = expr_begin(im->arena);
    const int zero = expr_constant(&b, ELEM_F32, 0, 0), limit = expr_constant(&b, ELEM_F32, (double)(float)p->overlap, 0);
    const int high = shared(&b, Y0, Y1, COLUMNS + Y0, COLUMNS + Y1), wide = shared(&b, X0, X1, COLUMNS + X0, COLUMNS + X1);
    const int own = expr_input(&b, AREA, ELEM_F32), other = expr_input(&b, COLUMNS + AREA, ELEM_F32), both = expr_apply(&b, EXPR_MUL, high, wide, -1);
    const int all = expr_apply(&b, EXPR_SUB, expr_apply(&b, EXPR_ADD, own, other, -1), both, -1);
    int over = expr_apply(&b, EXPR_LESS, limit, expr_apply(&b, EXPR_DIV, both, all, -1), -1);
    const int positive[5] = { high, wide, own, other, all };
    for (int i = 0; i < 5; i++) over = expr_apply(&b, EXPR_AND, over, expr_apply(&b, EXPR_LESS, zero, positive[i], -1), -1);
    const int itself = expr_apply(&b, EXPR_EQUAL, expr_input(&b, 2 * COLUMNS + 1, ELEM_I64), expr_input(&b, 2 * COLUMNS + 2, ELEM_I64), -1);
    const int stays = expr_apply(&b, EXPR_NOT, expr_apply(&b, EXPR_OR, over, itself, -1), -1, -1);
    return import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_AND, expr_input(&b, 2 * COLUMNS, ELEM_BOOL), stays, -1)), input, 2 * COLUMNS + 3);
}

/* Scores that are numbers and above the threshold: [images, classes, boxes]. */
static ir_value *candidates(importer *im, const import_node *n, const nms *p, ir_value *scores)
{
    expr_builder b = expr_begin(im->arena);
    const int score = expr_input(&b, 0, ELEM_F32);
    const int enough = p->has_least ? expr_apply(&b, EXPR_LESS, expr_constant(&b, ELEM_F32, (double)(float)p->least, 0), score, -1)
        : expr_apply(&b, EXPR_EQUAL, score, score, -1);
    return import_map(im, n, expr_end(&b, enough), &scores, scores ? 1 : 0);
}

/* All rounds: which box each class takes in each, i64 [images * classes, most]; the number of boxes where there was none. */
static ir_value *take(importer *im, import_node *n, const nms *p)
{
    round_state s = { 0 };
    ir_value **taken = arena_array(im->arena, (size_t)p->most + 1, sizeof *taken);
    s.scores = import_tensor(im, n, 1);
    if (!s.scores || !read_boxes(im, n, import_tensor(im, n, 0), p, s.column)) return NULL;
    ir_value *table = compose_concat(im, n, s.column, COLUMNS, 1);
    table = table ? import_transpose(im, n, table, (const int[]){ 0, 2, 1 }) : NULL;
    s.table = table ? import_reshape(im, n, table, (const dim[]){ dim_of(p->images * p->boxes), dim_of(COLUMNS) }, 2) : NULL;
    s.left = candidates(im, n, p, s.scores);
    for (int64_t i = 0; i < p->most; i++) {
        if (!s.left || !(taken[i] = best(im, n, p, &s))) return NULL;
        if (i + 1 < p->most) s.left = still_left(im, n, p, &s, taken[i]);
    }
    ir_value *all = compose_concat(im, n, taken, (int)p->most, 2);
    return all ? import_reshape(im, n, all, (const dim[]){ dim_of(p->images * p->classes), dim_of(p->most) }, 2) : NULL;
}

/* ---- rows ---- */

/* From how many each class took, i64 [groups, 1]: where each one's rows begin, and how many there are in all, i64 []. */
static ir_value *starts_of(importer *im, const import_node *n, ir_value *count, int64_t groups, ir_value **total)
{
    const int64_t first[1] = { 0 };
    if (!count) return NULL;
    ir_value *const input[3] = { count, compose_count(im, groups, 1), compose_count(im, groups, 0) };
    expr_builder b = expr_begin(im->arena);
    const int before = expr_apply(&b, EXPR_LESS, expr_input(&b, 1, ELEM_I64), expr_input(&b, 2, ELEM_I64), -1);
    const int added = expr_apply(&b, EXPR_SELECT, before, expr_input(&b, 0, ELEM_I64), expr_constant(&b, ELEM_I64, 0, 0));
    *total = import_reshape(im, n, compose_reduce(im, n, count, "sum", first, 1, false), NULL, 0);
    return compose_reduce(im, n, import_map(im, n, expr_end(&b, added), input, 3), "sum", first, 1, false);
}

/* The number of the class that row i belongs to, i64 [rows]: how many begin at it or before, and 1 less. */
static ir_value *group_of(importer *im, const import_node *n, ir_value *start, int64_t rows)
{
    if (!start) return NULL;
    ir_value *const input[2] = { start, compose_count(im, rows, 1) };
    expr_builder b = expr_begin(im->arena);
    const int begun = expr_apply(&b, EXPR_LESS_EQUAL, expr_input(&b, 0, ELEM_I64), expr_input(&b, 1, ELEM_I64), -1);
    const int one = expr_apply(&b, EXPR_SELECT, begun, expr_constant(&b, ELEM_I64, 0, 1), expr_constant(&b, ELEM_I64, 0, 0));
    const int64_t axis[1] = { 1 };
    return compose_with_number(im, n, EXPR_SUB, compose_reduce(im, n, import_map(im, n, expr_end(&b, one), input, 2), "sum", axis, 1, false), 1);
}

/* image, class and box of row i, or -1 in all three: [rows, 3]. */
static ir_value *rows_of(importer *im, const import_node *n, const nms *p, ir_value *group, ir_value *box, ir_value *total, int64_t rows)
{
    ir_value *column[3];
    for (int k = 0; k < 3; k++) {
        ir_value *const input[4] = { group, box, total, compose_count(im, rows, 0) };
        expr_builder b = expr_begin(im->arena);
        const int classes = expr_constant(&b, ELEM_I64, 0, p->classes);
        const int value = k == 2 ? expr_input(&b, 1, ELEM_I64) : expr_apply(&b, k ? EXPR_MOD : EXPR_DIV, expr_input(&b, 0, ELEM_I64), classes, -1);
        const int there = expr_apply(&b, EXPR_LESS, expr_input(&b, 3, ELEM_I64), expr_input(&b, 2, ELEM_I64), -1);
        const int chosen = expr_apply(&b, EXPR_SELECT, there, value, expr_constant(&b, ELEM_I64, 0, -1));
        ir_value *v = import_map(im, n, expr_end(&b, chosen), input, 4);
        if (!(column[k] = v ? compose_unsqueeze(im, n, v, 1) : NULL)) return NULL;
    }
    return compose_concat(im, n, column, 3, 1);
}

/* What the classes took [groups, most], as rows without gaps. */
static ir_value *gathered(importer *im, const import_node *n, const nms *p, ir_value *taken)
{
    const int64_t groups = p->images * p->classes, rows = groups * p->most, axis[1] = { 1 };
    double known;
    ir_value *total = NULL, *none = taken ? compose_with_number(im, n, EXPR_LESS, taken, (double)p->boxes) : NULL;
    ir_value *start = starts_of(im, n, compose_reduce(im, n, import_convert(im, n, none, ELEM_I64), "sum", axis, 1, true), groups, &total);
    ir_value *group = group_of(im, n, start, rows);
    ir_value *skipped = compose_gather(im, n, start, group, 0), *first = compose_with_number(im, n, EXPR_MUL, group, (double)p->most);
    ir_value *place = import_map2(im, n, EXPR_ADD, import_map2(im, n, EXPR_SUB, compose_count(im, rows, 0), skipped), first);
    place = compose_with_number(im, n, EXPR_MIN, place, (double)rows - 1);
    ir_value *flat = taken ? import_reshape(im, n, taken, (const dim[]){ dim_of(rows) }, 1) : NULL;
    ir_value *box = compose_gather(im, n, flat, place, 0);
    ir_value *all = group && box && total ? rows_of(im, n, p, group, box, total, rows) : NULL;
    if (all && ir_scalar(total, &known)) return compose_slice(im, n, all, 0, 0, 1, dim_of((int64_t)known));
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
