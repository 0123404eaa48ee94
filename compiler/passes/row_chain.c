/* Chains of moves of whole rows; see row_chain.h. The table is made by following every row, of one image and, to see that
 * images stay apart, of two. */
#include "row_chain.h"

#include <stdlib.h>
#include <string.h>

#include "match.h"

enum { ROWS_MAX = 1 << 16 };

static dim last_of(const ir_type *t)
{
    return t->dim[t->rank - 1];
}

/* Does m take whole rows of its source's last axis? */
static bool takes_rows(const ir_type *from, const move *m)
{
    const int last = from->rank - 1;
    int64_t width;
    if (from->rank < 2 || !m->digits || !dim_is_constant(last_of(from), &width) || width < 2) return false;
    const move_digit *d = &m->digit[m->digits - 1];
    if (d->axis != last || d->step != 1 || !dim_equal(d->extent, last_of(from)) || m->offset[last] || m->wrap[last]) return false;
    for (int i = 0; i + 1 < m->digits; i++)
        if (m->digit[i].axis == last) return false;
    return true;
}

/* Elements where every symbol is `images`; -1: too many. */
static int64_t elements_of(const ir_type *t, const int64_t *symbol)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        const int64_t size = dim_evaluate(t->dim[i], symbol);
        if (size < 1 || n > INT32_MAX / size) return -1;
        n *= size;
    }
    return n;
}

/* row[i], a row of n's result, becomes a row of its source. False: some row is outside. */
static bool follow(const ir_node *n, const int64_t *symbol, int64_t width, int64_t *row, int64_t rows)
{
    const ir_type *from = &n->input[0]->type;
    const int64_t all = elements_of(from, symbol) / width;
    for (int64_t i = 0; i < rows; i++) {
        row[i] = move_source_index(from, ir_move(n), symbol, row[i] * width) / width;
        if (row[i] < 0 || row[i] >= all) return false;
    }
    return true;
}

/* The table of `images` images: [images rows]. */
static int64_t *table_of(arena *a, const row_chain *k, int64_t images, int64_t width, int64_t *rows, int64_t *source_rows)
{
    int64_t symbol[DIM_TERMS > 8 ? DIM_TERMS : 8];
    const ir_graph *g = k->source->graph;
    if (g->symbols->count > (int)(sizeof symbol / sizeof *symbol)) return NULL;
    for (int i = 0; i < (int)(sizeof symbol / sizeof *symbol); i++) symbol[i] = images;
    const int64_t all = elements_of(&k->move[0]->output[0]->type, symbol), from = elements_of(&k->source->type, symbol);
    if (all < 0 || from < 0 || all % width || all / width > ROWS_MAX) return NULL;
    *rows = all / width;
    *source_rows = from / width;
    int64_t *row = arena_array(a, (size_t)*rows + 1, sizeof *row);
    for (int64_t i = 0; i < *rows; i++) row[i] = i;
    for (int i = 0; i < k->moves; i++)
        if (!follow(k->move[i], symbol, width, row, *rows)) return NULL;
    return row;
}

static bool is_symbolic(const ir_type *t)
{
    return !ir_dims_constant(t, NULL, NULL);
}

/* Finds how many images there are, and the table of one; each image's rows must be its own. */
bool row_chain_make_table(arena *a, row_chain *k)
{
    int64_t width, two_rows, two_source;
    if (!dim_is_constant(k->width, &width) || !(k->row = table_of(a, k, 1, width, &k->rows, &k->source_rows))) return false;
    k->images = dim_of(1);
    if (!is_symbolic(&k->source->type) && !is_symbolic(&k->move[0]->output[0]->type)) return true;
    const ir_type *t = &k->source->type;
    dim all;
    if (!dim_product(t->dim, t->rank - 1, &all)) return false;
    const int64_t *two = table_of(a, k, 2, width, &two_rows, &two_source);
    if (!two || !dim_div_exact(all, dim_of(k->source_rows), &k->images) || two_rows != 2 * k->rows || two_source != 2 * k->source_rows) return false;
    for (int64_t i = 0; i < k->rows; i++)
        if (two[i] != k->row[i] || two[k->rows + i] != k->source_rows + k->row[i]) return false;
    return true;
}

bool row_chain_climb(ir_value *v, row_chain *k)
{
    *k = (row_chain){ .source = v };
    for (const ir_node *n; k->moves < ROW_MOVES && (n = ir_producer(k->source, IR_MOVE)) != NULL && !ir_is_constant(v);) {
        const ir_type *from = &n->input[0]->type;
        if (!takes_rows(from, ir_move(n)) || (k->moves && !dim_equal(last_of(from), k->width))) break;
        k->width = last_of(from);
        k->move[k->moves++] = n;
        k->real += !move_is_reshape(from, ir_move(n));
        k->source = n->input[0];
    }
    return k->moves > 0;
}

bool row_chain_of(arena *a, ir_value *v, row_chain *k)
{
    return row_chain_climb(v, k) && row_chain_make_table(a, k);
}

static bool is_identity(const int64_t *row, int64_t rows, int64_t source_rows)
{
    bool same = rows == source_rows;
    for (int64_t i = 0; i < rows && same; i++) same = row[i] == i;
    return same;
}

bool row_chain_is_identity(const row_chain *k)
{
    return is_identity(k->row, k->rows, k->source_rows);
}

int64_t *row_chain_inverse(arena *a, const row_chain *k)
{
    int64_t *inverse = arena_array(a, (size_t)k->rows + 1, sizeof *inverse);
    if (k->rows != k->source_rows) return NULL;
    for (int64_t i = 0; i < k->rows; i++) inverse[i] = -1;
    for (int64_t i = 0; i < k->rows; i++) {
        if (inverse[k->row[i]] >= 0) return NULL;
        inverse[k->row[i]] = i;
    }
    return inverse;
}

ir_value *row_chain_replay(const row_chain *k, ir_value *source, ir_node *before, pass_context *c)
{
    const dim width = last_of(&source->type);
    for (int i = k->moves - 1; i >= 0 && source; i--) {
        move m = *ir_move(k->move[i]);
        ir_type to = k->move[i]->output[0]->type;
        m.digit[m.digits - 1].extent = to.dim[to.rank - 1] = width;
        to.elem = source->type.elem;
        source = ir_move_of(before->graph, source, &m, &to, before, c->diag);
        if (source) ir_copy_origins(source->def, k->move[i]);
    }
    return source;
}

ir_value *row_chain_take(ir_value *x, dim images, int64_t x_rows, const int64_t *row, int64_t rows, const ir_type *to, ir_node *before,
                         pass_context *c)
{
    const dim whole[] = { images, dim_of(x_rows), last_of(&x->type) };
    if (is_identity(row, rows, x_rows)) return match_reshape(c, x, to->dim, to->rank, before);
    ir_node *n = ir_begin(before->graph, IR_GATHER);
    x = match_reshape(c, x, whole, 3, before);
    ir_value *index = ir_constant_ints(before->graph, row, (int)rows, before);
    if (!x || !index) return NULL;
    ir_input(n, x);
    ir_input(n, index);
    ir_set_int(n, KEY_AXIS, 1);
    x = ir_end(n, before, c->diag);
    return x ? match_reshape(c, x, to->dim, to->rank, before) : NULL;
}
