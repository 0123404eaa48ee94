/* GridSample: for each place of the grid, indices and weights of its neighbours are computed at run time, and their pixels picked and summed. */
#include <inttypes.h>
#include <string.h>

#include "import_compose.h"

enum { AXES_MAX = 3, TAPS_MAX = 4 };

/* One neighbour along one axis, all [N, P] for the P places of an image's grid. */
typedef struct tap { ir_value *index, *weight, *inside; } tap;   /* index i64; weight NULL: 1; inside NULL: it always is */

typedef struct sampler {
    int axes, taps;                      /* spatial; neighbours along each: 1, 2 or 4 */
    bool align;
    char padding;                        /* z, b, r: zeros, border, reflection */
    dim images;
    int64_t places, size[AXES_MAX];
    tap tap[AXES_MAX][TAPS_MAX];
    dim grid[IR_RANK_MAX];               /* the grid's spatial sizes */
    ir_value *pixels;                    /* [N, size…, C], the sizes as one */
} sampler;

static bool read_modes(importer *im, import_node *n, sampler *s)
{
    const char *mode = import_string(im, n, "mode", "linear"), *padding = import_string(im, n, "padding_mode", "zeros");
    const bool nearest = !strcmp(mode, "nearest"), linear = !strcmp(mode, "linear") || !strcmp(mode, "bilinear"), cubic = !strcmp(mode, "cubic") ||
        !strcmp(mode, "bicubic");
    if (!nearest && !linear && !cubic) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "mode = '%.60s'", mode);
    if (strcmp(padding, "zeros") && strcmp(padding, "border") && strcmp(padding, "reflection")) {
        return import_fail(im, n, STATUS_ATTRIBUTE, -1, "padding_mode = '%.60s'", padding);
    }
    s->taps = nearest ? 1 : linear ? 2 : 4;
    s->padding = padding[0];
    s->align = import_int(im, n, "align_corners", 0) != 0;
    if (s->taps > 1 && !elem_is_float(import_type(n, 0)->elem)) return import_fail(im, n, STATUS_TYPE, 0, "floats are needed");
    return elem_is_float(import_type(n, 1)->elem) || import_fail(im, n, STATUS_TYPE, 1, "floats are needed");
}

static bool read_shapes(importer *im, import_node *n, sampler *s)
{
    const ir_type *x = import_type(n, 0), *grid = import_type(n, 1);
    int64_t coordinates;
    s->axes = x->rank - 2;
    if (s->axes < 1 || s->axes > AXES_MAX || grid->rank != x->rank)
        return import_fail(im, n, STATUS_SHAPE, 1, "input and grid need 3 to 5 axes each");
    s->images = x->dim[0];
    if (!dim_equal(grid->dim[0], s->images) || !dim_is_constant(grid->dim[grid->rank - 1], &coordinates) || coordinates != s->axes) {
        return import_fail(im, n, STATUS_SHAPE, 1, "the grid does not fit the input");
    }
    s->places = 1;
    for (int i = 0; i < s->axes; i++) {
        int64_t size;
        if (!dim_is_constant(x->dim[i + 2], &s->size[i]) || !dim_is_constant(grid->dim[i + 1], &size)) {
            return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "its spatial sizes");
        }
        if (s->size[i] < 1 || s->size[i] > 1 << 20 || size > 1 << 20 || __builtin_mul_overflow(s->places, size, &s->places)) {
            return import_fail(im, n, STATUS_SHAPE, 0, "a spatial size is out of range");
        }
        s->grid[i] = dim_of(size);
    }
    return true;
}

/* ---- expressions of one coordinate ---- */

typedef struct formula { expr_builder b; elem elem; } formula;

static int number(formula *f, double value)
{
    return expr_constant(&f->b, f->elem, value, 0);
}

static int apply(formula *f, expr_op op, int x, int y)
{
    return expr_apply(&f->b, op, x, y, -1);
}

/* a + b * x */
static int line(formula *f, double a, double b, int x)
{
    return apply(f, EXPR_ADD, apply(f, EXPR_MUL, x, number(f, b)), number(f, a));
}

static int clamp(formula *f, int x, int64_t size)
{
    return apply(f, EXPR_MIN, apply(f, EXPR_MAX, x, number(f, 0)), number(f, (double)(size - 1)));
}

/* What lies outside mirrored at the borders, as often as it takes. */
static int reflect(formula *f, const sampler *s, int x, int64_t size)
{
    const double low = s->align ? 0 : -0.5, range = s->align ? (double)(size - 1) : (double)size;
    if (range == 0) return number(f, 0);
    const int beyond = apply(f, EXPR_FMOD, apply(f, EXPR_ABS, line(f, -low, 1, x), -1), number(f, 2 * range));
    const int back = line(f, 2 * range, -1, beyond), turned = apply(f, EXPR_LESS, number(f, range), beyond);
    return line(f, low, 1, expr_apply(&f->b, EXPR_SELECT, turned, back, beyond));
}

/* From -1..1 to the place on an axis, [N, P]. */
static ir_value *coordinate(importer *im, const import_node *n, const sampler *s, ir_value *g, int axis)
{
    const double size = (double)s->size[axis];
    formula f = { expr_begin(im->arena), g->type.elem };
    const int one = line(&f, 1, 1, expr_input(&f.b, 0, f.elem));
    int x = s->align ? apply(&f, EXPR_MUL, apply(&f, EXPR_DIV, one, number(&f, 2)), number(&f, size - 1))
        : apply(&f, EXPR_DIV, line(&f, -1, size, one), number(&f, 2));
    if (s->taps == 1) x = apply(&f, EXPR_ROUND, x, -1);
    if (s->padding == 'b') x = clamp(&f, x, s->size[axis]);
    if (s->padding == 'r') x = reflect(&f, s, x, s->size[axis]);
    return import_map(im, n, expr_end(&f.b, x), &g, 1);
}

/* The interpolation kernel, a triangle or Keys' cubic, at distance d. */
static int kernel(formula *f, int taps, int d)
{
    static const double a = -0.75;
    if (taps == 2) return line(f, 1, -1, d);
    const int near = line(f, 1, 1, apply(f, EXPR_MUL, apply(f, EXPR_MUL, line(f, -(a + 3), a + 2, d), d), d));
    const int far = line(f, -4 * a, 1, apply(f, EXPR_MUL, line(f, 8 * a, 1, apply(f, EXPR_MUL, line(f, -5 * a, a, d), d)), d));
    return expr_apply(&f->b, EXPR_SELECT, apply(f, EXPR_LESS_EQUAL, d, number(f, 1)), near, far);
}

static tap make_tap(importer *im, const import_node *n, const sampler *s, ir_value *x, int axis, int k)
{
    tap t = { 0 };
    const int64_t size = s->size[axis];
    const double offset = s->taps == 4 ? k - 1 : k;
    formula f = { expr_begin(im->arena), x->type.elem }, w = f, in = f;
    const int place = line(&f, offset, 1, apply(&f, EXPR_FLOOR, expr_input(&f.b, 0, f.elem), -1));
    const int held = clamp(&f, s->padding == 'r' ? reflect(&f, s, place, size) : place, size);
    t.index = import_map(im, n, expr_end(&f.b, expr_convert(&f.b, ELEM_I64, held)), &x, 1);
    if (s->taps > 1) {
        const int at = expr_input(&w.b, 0, w.elem), there = line(&w, offset, 1, apply(&w, EXPR_FLOOR, at, -1));
        const int distance = apply(&w, EXPR_ABS, apply(&w, EXPR_SUB, at, there), -1);
        t.weight = import_convert(im, n, import_map(im, n, expr_end(&w.b, kernel(&w, s->taps, distance)), &x, 1), s->pixels->type.elem);
    }
    if (s->padding == 'z') {
        const int there = line(&in, offset, 1, apply(&in, EXPR_FLOOR, expr_input(&in.b, 0, in.elem), -1));
        const int above = apply(&in, EXPR_LESS_EQUAL, number(&in, 0), there), below = apply(&in, EXPR_LESS_EQUAL, there, number(&in,
            (double)(size - 1)));
        t.inside = import_map(im, n, expr_end(&in.b, apply(&in, EXPR_AND, above, below)), &x, 1);
    }
    return t;
}

/* ---- pixels ---- */

static bool make_pixels(importer *im, import_node *n, sampler *s)
{
    ir_value *x = import_tensor(im, n, 0);
    int permutation[IR_RANK_MAX] = { 0 };
    int64_t rows = 1;
    if (!x) return false;
    for (int i = 0; i < s->axes; i++) {
        permutation[i + 1] = i + 2;
        if (__builtin_mul_overflow(rows, s->size[i], &rows) || rows > INT64_C(1) << 40) return import_fail(im, n, STATUS_TOO_LARGE, 0, "its pixels");
    }
    permutation[s->axes + 1] = 1;
    s->pixels = import_reshape(im, n, import_transpose(im, n, x, permutation), (const dim[]){ s->images, dim_of(rows), x->type.dim[1] }, 3);
    return s->pixels != NULL;
}

static bool make_taps(importer *im, import_node *n, sampler *s)
{
    ir_value *grid = import_tensor(im, n, 1);
    for (int a = 0; a < s->axes && grid; a++) {
        ir_value *g = compose_slice(im, n, grid, s->axes + 1, s->axes - 1 - a, 1, dim_of(1));   /* the last axis comes first */
        g = import_reshape(im, n, g, (const dim[]){ s->images, dim_of(s->places) }, 2);
        ir_value *x = g ? coordinate(im, n, s, g, a) : NULL;
        if (!x) return false;
        for (int k = 0; k < s->taps; k++)
            if (!(s->tap[a][k] = make_tap(im, n, s, x, a, k)).index) return false;
    }
    return grid != NULL;
}

static ir_value *joined(importer *im, const import_node *n, expr_op op, ir_value *x, ir_value *y)
{
    return x && y ? import_map2(im, n, op, x, y) : x ? x : y;
}

/* The pixels of one neighbour, weighed, [N, P, C]; `corner` has a digit an axis. */
static ir_value *sample(importer *im, const import_node *n, const sampler *s, int corner)
{
    ir_value *row = NULL, *weight = NULL, *inside = NULL;
    for (int a = 0, rest = corner; a < s->axes; a++, rest /= s->taps) {
        const tap *t = &s->tap[a][rest % s->taps];
        row = row ? import_map2(im, n, EXPR_ADD, import_map2(im, n, EXPR_MUL, row, import_number(im, ELEM_I64, (double)s->size[a])),
            t->index) : t->index;
        weight = joined(im, n, EXPR_MUL, weight, t->weight);
        inside = joined(im, n, EXPR_AND, inside, t->inside);
    }
    ir_value *v = compose_pick(im, n, s->pixels, row);
    if (inside && v) v = compose_select(im, n, compose_unsqueeze(im, n, inside, 2), v, import_number(im, v->type.elem, 0));
    return weight ? import_map2(im, n, EXPR_MUL, v, compose_unsqueeze(im, n, weight, 2)) : v;
}

bool import_grid_sample(importer *im, import_node *n)
{
    sampler *s = arena_alloc(im->arena, sizeof *s);
    int corners = 1, permutation[IR_RANK_MAX] = { 0 };
    if (!read_modes(im, n, s) || !read_shapes(im, n, s) || !make_pixels(im, n, s) || !make_taps(im, n, s)) return false;
    for (int a = 0; a < s->axes; a++) corners *= s->taps;
    ir_value *sum = sample(im, n, s, 0);
    for (int k = 1; k < corners && sum; k++) sum = import_map2(im, n, EXPR_ADD, sum, sample(im, n, s, k));
    dim shape[IR_RANK_MAX] = { s->images };
    permutation[1] = s->axes + 1;
    for (int i = 0; i < s->axes; i++) {
        shape[i + 1] = s->grid[i];
        permutation[i + 2] = i + 1;
    }
    shape[s->axes + 1] = import_type(n, 0)->dim[1];
    return import_put(im, n, 0, import_transpose(im, n, import_reshape(im, n, sum, shape, s->axes + 2), permutation));
}
