/* Numbers that follow a run's length, as tensors: elements of shapes, and places along an axis that is the length and more. */
#include "import_length.h"

#include <string.h>

#include "import_affine.h"

static bool follows_lengths(const importer *im, dim d)
{
    return dim_is_constant(d, NULL) || dim_is_length(im->symbols, d, NULL);
}

bool import_length_fits(importer *im, import_value *v)
{
    int64_t count, offset;
    const int64_t *step;
    if (v->tensor || import_contents(im, v, &count)) {
        for (int64_t i = 0; v->content && i < count; i++)
            if (!follows_lengths(im, v->content[i])) return false;
        return true;
    }
    for (int a = 0; a < v->type.rank; a++)
        if (!follows_lengths(im, v->type.dim[a])) return false;
    return import_affine_steps(v, &offset, &step);
}

static ir_value *whole_numbers(importer *im, const ir_type *type, const int64_t *value, int64_t count)
{
    ir_type wide = *type;
    wide.elem = ELEM_I64;
    return ir_constant(im->graph, wide, value, (size_t)count * sizeof *value, NULL);
}

static ir_value *narrowed(importer *im, ir_value *x, elem to)
{
    if (!x || x->type.elem == to) return x;
    expr_builder b = expr_begin(im->arena);
    ir_node *n = ir_begin(im->graph, IR_MAP);
    ir_input(n, x);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_convert(&b, expr_input(&b, 0, x->type.elem), to)));
    return ir_end(n, NULL, im->diag);
}

static ir_value *plus(importer *im, ir_value *x, ir_value *y)
{
    return x && y ? ir_map2(im->graph, EXPR_ADD, x, y, NULL, im->diag) : x ? x : y;
}

/* Elements of shapes: constants, and for each length its multiples. */
static ir_value *of_contents(importer *im, import_value *v, int64_t count)
{
    int64_t *rest = arena_array(im->arena, (size_t)count + 1, sizeof *rest);
    int64_t *zero = arena_array(im->arena, (size_t)im->symbols->count + 1, sizeof *zero);
    ir_value *sum = NULL;
    for (int64_t i = 0; i < count; i++) rest[i] = dim_evaluate(v->content[i], zero);
    for (int s = 0; s < im->symbols->count; s++) {
        int64_t *times = arena_array(im->arena, (size_t)count + 1, sizeof *times);
        bool any = false;
        zero[s] = 1;
        for (int64_t i = 0; i < count; i++) any |= (times[i] = dim_evaluate(v->content[i], zero) - rest[i]) != 0;
        zero[s] = 0;
        if (!any) continue;
        ir_node *n = ir_begin(im->graph, IR_LENGTH);
        ir_set_int(n, KEY_SYMBOL, s);
        ir_value *length = ir_end(n, NULL, im->diag);
        if (!length) return NULL;
        sum = plus(im, sum, ir_map2(im->graph, EXPR_MUL, whole_numbers(im, &v->type, times, count), length, NULL, im->diag));
    }
    return narrowed(im, plus(im, whole_numbers(im, &v->type, rest, count), sum), v->type.elem);
}

/* 0, step, 2 step… along axis a of a tensor of type t, the other axes 1: the first of as many as its size can be. */
static ir_value *places(importer *im, const ir_type *t, int a, int64_t step)
{
    int symbol;
    const bool is_length = dim_is_length(im->symbols, t->dim[a], &symbol);
    dim most = t->dim[a];
    int64_t size;
    if (is_length && !dim_substitute(most, symbol, dim_of(im->symbols->symbol[symbol].max), &most)) return NULL;
    if (!dim_is_constant(most, &size) || size > CONTENTS_MAX * 256) return NULL;
    int64_t *place = arena_array(im->arena, (size_t)size + 1, sizeof *place);
    for (int64_t i = 0; i < size; i++) place[i] = i * step;
    ir_type type = { .elem = ELEM_I64, .rank = t->rank };
    for (int k = 0; k < t->rank; k++) type.dim[k] = k == a ? most : dim_of(1);
    ir_value *all = whole_numbers(im, &type, place, size);
    if (!is_length) return all;
    ir_type to = type;
    to.dim[a] = t->dim[a];
    move m = { .digits = 1, .digit = { { t->dim[a], a, 1 } }, .rank = t->rank };
    move_normalise(&type, &m);
    return ir_move_of(im->graph, all, &m, &to, NULL, im->diag);
}

static ir_value *of_places(importer *im, import_value *v, int64_t offset, const int64_t *step)
{
    ir_type one = { .elem = ELEM_I64, .rank = v->type.rank }, to;
    for (int a = 0; a < one.rank; a++) one.dim[a] = dim_of(1);
    int64_t *first = arena_alloc(im->arena, sizeof *first);
    *first = offset;
    ir_value *sum = whole_numbers(im, &one, first, 1);
    for (int a = 0; a < v->type.rank; a++) {
        if (!step[a] || dim_is_one(v->type.dim[a])) continue;
        ir_value *along = places(im, &v->type, a, step[a]);
        sum = along && sum ? plus(im, sum, along) : NULL;
    }
    move m;
    if (!sum || !move_expand(&sum->type, v->type.dim, v->type.rank, &m, &to)) return NULL;
    if (!ir_type_equal(&sum->type, &to)) sum = ir_move_of(im->graph, sum, &m, &to, NULL, im->diag);
    return narrowed(im, sum, v->type.elem);
}

ir_value *import_length_tensor(importer *im, import_value *v)
{
    int64_t count, offset;
    const int64_t *step;
    if (!import_length_fits(im, v)) return NULL;
    if (import_contents(im, v, &count)) return of_contents(im, v, count);
    return import_affine_steps(v, &offset, &step) ? of_places(im, v, offset, step) : NULL;
}
