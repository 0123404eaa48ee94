/* The pixels' mean and std go into the patch embedding: with x = (p - z) s + t, t = shift + z s, it is x W + b = (p - z) (diag(s) W) + (b + t W). z is
 * an integer near the mean, so that p - z is exact and t small: sums of large numbers that cancel would cost digits. The features of a patch are put
 * in the order in which they lie in memory, the rows of W with them: runs of a patch's row are then copied whole.
 * Requires: a map convert(bytes) * scale + shift, scale and shift constant rows of its last axis, read by one move, which one linear alone reads as
 *   x; every column of that x holds elements of one scale and shift; weights and bias constant and of x's type. A convolution's window over zero
 *   padding is no such move: there the map stays, which costs no more than the conversion alone.
 * Leaves: a linear over moved bytes that are only converted, less z. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "algebra.h"

typedef struct pixels {
    ir_node *map, *arrange, *linear;
    ir_value *scale, *shift;
    int64_t row, columns;            /* elements of scale; of x's last axis */
} pixels;

/* add(mul(convert(in0), in1), in2), in double, maybe converted */
static bool is_conversion(const ir_node *n)
{
    const expr *e = ir_expr(n, KEY_EXPR);
    if (n->inputs != 3 || e->count < 6 || e->count > 7 || n->input[0]->type.elem != ELEM_U8) return false;
    if (n->input[1]->type.elem != ELEM_F64 || n->input[2]->type.elem != ELEM_F64) return false;
    const expr_item *last = &e->item[e->count - 1], *sum = last->op == EXPR_CONVERT ? &e->item[last->arg[0]] : last, *product = &e->item[sum->op == EXPR_ADD ? sum->arg[0] : 0];
    if (sum->op != EXPR_ADD || product->op != EXPR_MUL) return false;
    const expr_item *pixel = &e->item[product->arg[0]], *scale = &e->item[product->arg[1]], *shift = &e->item[sum->arg[1]];
    if (pixel->op != EXPR_CONVERT || e->item[pixel->arg[0]].op != EXPR_INPUT || e->item[pixel->arg[0]].index != 0) return false;
    return scale->op == EXPR_INPUT && scale->index == 1 && shift->op == EXPR_INPUT && shift->index == 2;
}

static bool find_pixels(ir_node *map, pixels *p)
{
    const ir_value *y = map->output[0];
    if (!is_conversion(map) || y->uses != 1 || ir_is_result(y) || y->type.rank == 0) return false;
    *p = (pixels){ .map = map, .arrange = y->user[0], .scale = map->input[1], .shift = map->input[2] };
    if (p->arrange->op != IR_MOVE || !dim_is_constant(y->type.dim[y->type.rank - 1], &p->row)) return false;
    const ir_value *x = p->arrange->output[0];
    if (x->uses != 1 || ir_is_result(x) || x->type.rank == 0 || !dim_is_constant(x->type.dim[x->type.rank - 1], &p->columns)) return false;
    p->linear = x->user[0];
    if (p->linear->op != IR_LINEAR || p->linear->input[0] != x) return false;
    const ir_value *w = p->linear->input[1], *b = algebra_input(p->linear, 2);
    if (!ir_is_constant(w) || w->type.rank != 2 || w->type.elem != y->type.elem || (b && (!ir_is_constant(b) || b->type.elem != y->type.elem))) return false;
    return algebra_is_row(p->scale, p->row) && algebra_is_row(p->shift, p->row) && p->columns > 0;
}

/* column[k]: where in the map's last axis feature k of a patch comes from. False: from places of different scale or shift. */
static bool find_columns(const pixels *p, const double *scale, const double *shift, int64_t *column)
{
    enum { SYMBOLS = 64 };
    const ir_type *from = &p->map->output[0]->type, *x = &p->arrange->output[0]->type;
    const int64_t limit = (int64_t)1 << 26;
    int64_t one[SYMBOLS], elements = 1;
    if (p->map->graph->symbols->count > SYMBOLS) return false;
    for (int i = 0; i < SYMBOLS; i++) one[i] = 1;   /* one image: the others are like it */
    for (int i = 0; i < x->rank; i++)
        if (__builtin_mul_overflow(elements, dim_evaluate(x->dim[i], one), &elements)) return false;
    if (elements > limit) return false;
    for (int64_t i = 0; i < elements; i++) {
        const int64_t at = move_source_index(from, ir_move(p->arrange), one, i) % p->row, k = i % p->columns;
        if (i < p->columns) column[k] = at;
        if (scale[at] != scale[column[k]] || shift[at] != shift[column[k]]) return false;
    }
    return elements > 0;
}

/* The integer that the pixels' values lie around: where x is 0, on the average. */
static double centre_of(const pixels *p, const double *scale, const double *shift)
{
    double sum = 0;
    for (int64_t i = 0; i < p->row; i++) sum += scale[i] != 0 ? -shift[i] / scale[i] : 0;
    const double mean = rint(sum / (double)p->row);
    return mean > 0 ? mean < 255 ? mean : 255 : 0;
}

/* row[column[k]] for every k, as a constant of doubles, [columns, 1] or [1, columns]. */
static ir_value *gathered(const pixels *p, const double *row, const int64_t *column, bool upright)
{
    double *data = arena_array(p->map->graph->arena, (size_t)p->columns, sizeof *data);
    for (int64_t k = 0; k < p->columns; k++) data[k] = row[column[k]];
    const ir_type type = { .elem = ELEM_F64, .rank = 2, .dim = { dim_of(upright ? p->columns : 1), dim_of(upright ? 1 : p->columns) } };
    return ir_constant(p->map->graph, type, data, (size_t)p->columns * sizeof *data, p->linear);
}

/* ---- the order of features ---- */

/* How many of the move's last digits make a patch's features; 0: none do, or they do more than step forward. */
static int feature_digits(const pixels *p, const move *m)
{
    int64_t product = 1, extent;
    int count = 0;
    while (count < m->digits && product < p->columns) {
        const move_digit *d = &m->digit[m->digits - ++count];
        if (d->axis < 0 || d->step < 1 || m->wrap[d->axis] || !dim_is_constant(d->extent, &extent)) return 0;
        product *= extent;
    }
    return product == p->columns && count + 1 <= IR_RANK_MAX ? count : 0;
}

/* Puts the last `count` digits in order of their distance in memory; order[i]: which of them is now the i-th. */
static bool sort_digits(const ir_type *from, move *m, int count, int *order)
{
    int64_t stride[IR_RANK_MAX], distance[IR_RANK_MAX];
    stride[from->rank - 1] = 1;
    for (int a = from->rank - 1; a > 0; a--) {
        int64_t size;
        if (!dim_is_constant(from->dim[a], &size)) return false;
        stride[a - 1] = stride[a] * size;
    }
    move_digit *d = &m->digit[m->digits - count], was[IR_RANK_MAX];
    memcpy(was, d, (size_t)count * sizeof *d);
    for (int i = 0; i < count; i++) {
        distance[i] = d[i].step * stride[d[i].axis];
        int at = i;
        for (; at > 0 && distance[order[at - 1]] < distance[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < count; i++) d[i] = was[order[i]];
    return true;
}

/* The rows of w in the new order. */
static ir_value *reordered(const pixels *p, ir_value *w, const move *m, int count, const int *order, pass_context *c)
{
    dim split[IR_RANK_MAX];
    int turn[IR_RANK_MAX];
    for (int i = 0; i < count; i++) {
        split[i] = m->digit[m->digits - count + i].extent;
        turn[i] = order[i];
    }
    split[count] = w->type.dim[1];
    turn[count] = count;
    const dim whole[] = { w->type.dim[0], w->type.dim[1] };
    w = match_reshape(c, w, split, count + 1, p->linear);
    w = match_transpose(c, w, turn, p->linear);
    return match_reshape(c, w, whole, 2, p->linear);
}

/* ---- folding ---- */

static ir_value *as_type(const pixels *p, ir_value *x, elem to, pass_context *c)
{
    if (!x || x->type.elem == to) return x;
    expr_builder b = expr_begin(p->map->graph->arena);
    ir_node *n = ir_begin(p->map->graph, IR_MAP);
    ir_input(n, x);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_convert(&b, to, expr_input(&b, 0, x->type.elem))));
    return ir_end(n, p->linear, c->diag);
}

/* p - centre */
static ir_value *centred(const pixels *p, ir_value *bytes, double centre, elem to, pass_context *c)
{
    if (centre == 0) return as_type(p, bytes, to, c);
    expr_builder b = expr_begin(p->map->graph->arena);
    ir_node *n = ir_begin(p->map->graph, IR_MAP);
    ir_input(n, bytes);
    const int pixel = expr_convert(&b, to, expr_input(&b, 0, ELEM_U8));
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_apply(&b, EXPR_SUB, pixel, expr_constant(&b, to, centre, 0), -1)));
    return ir_end(n, p->linear, c->diag);
}

/* b + rest W, summed in double. */
static ir_value *shifted_bias(const pixels *p, ir_value *rest, pass_context *c)
{
    ir_node *n = p->linear, *product = ir_begin(n->graph, IR_LINEAR);
    const elem e = n->input[1]->type.elem;
    ir_input(product, rest);
    ir_input(product, as_type(p, n->input[1], ELEM_F64, c));
    if (!product->input[1]) return NULL;
    ir_value *sum = match_reshape(c, ir_end(product, n, c->diag), &n->input[1]->type.dim[1], 1, n), *b = algebra_input(n, 2);
    if (sum && b) sum = (b = as_type(p, b, ELEM_F64, c)) ? ir_map2(n->graph, EXPR_ADD, b, sum, n, c->diag) : NULL;
    return rebuild_folded(as_type(p, sum, e, c), n, c);
}

/* diag(scale) W, rounded once. */
static ir_value *scaled_weights(const pixels *p, ir_value *scale, pass_context *c)
{
    ir_node *n = p->linear;
    ir_value *w = as_type(p, n->input[1], ELEM_F64, c);
    w = w ? as_type(p, ir_map2(n->graph, EXPR_MUL, w, scale, n, c->diag), n->input[1]->type.elem, c) : NULL;
    if (w) ir_copy_origins(w->def, n);
    return w;
}

static bool fold(const pixels *p, const double *scale, double *shift, pass_context *c)
{
    int64_t *column = arena_array(c->arena, (size_t)p->columns, sizeof *column);
    if (!find_columns(p, scale, shift, column)) return true;
    const double centre = centre_of(p, scale, shift);
    for (int64_t i = 0; i < p->row; i++) shift[i] += centre * scale[i];
    ir_node *n = p->linear;
    ir_value *factor = gathered(p, scale, column, true), *rest = gathered(p, shift, column, false);
    ir_value *bias = factor && rest ? shifted_bias(p, rest, c) : NULL, *w = bias ? scaled_weights(p, factor, c) : NULL;
    if (!w) return false;
    const ir_type *from = &p->map->output[0]->type;
    move m = *ir_move(p->arrange), sorted = m;
    int order[IR_RANK_MAX];
    const int count = feature_digits(p, &m);
    if (count > 1 && sort_digits(from, &sorted, count, order)) {
        if (!(w = reordered(p, w, &m, count, order, c))) return false;
        m = sorted;
        move_normalise(from, &m);
    }
    ir_type to = n->input[0]->type;
    const elem e = to.elem;
    to.elem = ELEM_U8;
    ir_value *bytes = ir_move_of(n->graph, p->map->input[0], &m, &to, n, c->diag);   /* not composed: rows of W * C are runs */
    ir_value *x = bytes ? centred(p, bytes, centre, e, c) : NULL;
    if (!x || !(w = rebuild_folded(w, n, c))) return false;
    ir_set_input(n, 0, x);
    ir_set_input(n, 1, w);
    return algebra_set_input(n, 2, bias, c->diag) != NULL;
}

bool algebra_pixels(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **map = match_list(c->arena, g, IR_MAP, &count);
    for (int i = 0; i < count; i++) {
        pixels p;
        int64_t elements;
        if (match_dead(map[i]) || !find_pixels(map[i], &p)) continue;
        double *scale = match_numbers(p.scale, p.row, &elements), *shift = match_numbers(p.shift, p.row, &elements);
        const bool done = !scale || !shift || fold(&p, scale, shift, c);
        free(scale);
        free(shift);
        if (!done) return false;
    }
    return true;
}
