/* Biases round an attention.
 * The key bias goes: q·(k + b) = q·k + q·b, and softmax ignores what is the same for all keys of a row.
 *   Requires: the keys are a linear's columns, dealt out to groups by one move that treats all tokens alike; the linear has no epilogue; nothing else
 *   reads linear or move. Any mask will do: it is added to the scores behind.
 * The value bias moves into the output projection: a row of softmax sums to one, so (p·(v + b)) W + c = (p·v) W + (c + b W).
 *   Requires: the same of the values; a linear reads the attention's result, and nothing else does, through one reshape that puts the heads side by
 *   side (none where there is one head); every row sums to one, or is NaN: `empty` is not zero, or no row can be wholly masked. */
#include "algebra.h"
#include "digits.h"

#include <math.h>
#include <stdlib.h>

enum { MASK_ELEMENTS = 1 << 26 };

/* The linear whose columns, dealt out by one move, are input i of the attention n: n alone reads them, and there is a bias. */
static ir_node *source(const ir_node *n, int i)
{
    ir_node *deal = ir_producer(n->input[i], IR_MOVE);
    ir_node *linear = deal ? ir_producer(deal->input[0], IR_LINEAR) : NULL;
    if (!linear || !ir_only_use(n->input[i], n) || !ir_only_use(deal->input[0], deal)) return NULL;
    const ir_value *b = algebra_input(linear, 2);
    return b && ir_is_constant(b) && !ir_find(linear, KEY_EPILOGUE) ? linear : NULL;
}

/* The move deals the last axis of its source out to the axes [first, end) of its result and to no others: then *row does so to one row of the
 * source. */
static bool deals(const ir_node *n, int first, int end, move *row, ir_type *to)
{
    const ir_type *from = &n->input[0]->type, *t = &n->output[0]->type;
    const move *m = ir_move(n);
    int last = from->rank - 1, low, high;
    if (!digits_of_axes(t, m, first, end, &low, &high) || m->wrap[last]) return false;
    *row = (move){.rank = 1, .offset = {m->offset[last]}};
    *to = (ir_type){.elem = from->elem};
    for (int i = 0; i < m->digits; i++) {
        bool is_inside = i >= low && i < high;
        if ((m->digit[i].axis == last) != is_inside) return false;
        if (!is_inside) continue;
        row->digit[row->digits] = m->digit[i];
        row->digit[row->digits++].axis = 0;
    }
    for (int i = first; i < end; i++) to->dim[to->rank++] = t->dim[i];
    return true;
}

static bool drop_bias(ir_node *linear, diag *d)
{
    return rebuild_with(linear, linear->input, 2, d);
}

static bool drop_key_bias(ir_node *n, pass_context *c)
{
    ir_node *linear = source(n, 1);
    int first = ir_int(n, KEY_TRANSPOSED, 0) ? 1 : 2;
    move row;
    ir_type to;
    if (!linear || !deals(n->input[1]->def, first, first + 2, &row, &to)) return true;
    return drop_bias(linear, c->diag);
}

/* Some key of every row takes part: softmax of it is not all zero. */
static bool rows_alive(const ir_node *n)
{
    const ir_value *mask = algebra_input(n, 3);
    bool causal = ir_int(n, KEY_CAUSAL, 0) != 0, alive = true;
    int order = dim_compare(n->graph->symbols, n->input[2]->type.dim[1], n->input[0]->type.dim[1]);
    if (causal && order != 0 && order != 1) return false;
    if (!mask) return true;
    int64_t count, row = 1;
    double *number = ir_dims_constant(&mask->type, NULL, NULL) ? match_numbers(mask, MASK_ELEMENTS, &count) : NULL;
    if (!number) return false;
    if (mask->type.rank > 0) (void)dim_is_constant(mask->type.dim[mask->type.rank - 1], &row);
    for (int64_t i = 0; i < count; i += row) {
        int64_t kept = 0;
        for (int64_t k = i; k < i + row; k++) kept += elem_is_float(mask->type.elem) ? isfinite(number[k]) : number[k] != 0;
        alive &= kept == row || (kept > 0 && !causal);
    }
    free(number);
    return alive;
}

/* The linear that reads the heads of n side by side, and alone. */
static ir_node *projection(const ir_node *n)
{
    const ir_value *out = n->output[0], *x = out;
    dim width;
    ir_node *join = out->uses == 1 ? out->user[0] : NULL;
    if (!join || !ir_only_use(out, join)) return NULL;
    if (join->op == IR_MOVE) {
        if (!move_is_reshape(&out->type, ir_move(join))) return NULL;
        x = join->output[0];
    }
    ir_node *linear = x->uses == 1 ? x->user[0] : NULL;
    if (!linear || linear->op != IR_LINEAR || !ir_only_use(x, linear) || linear->input[0] != x) return NULL;
    if (!dim_mul(out->type.dim[2], out->type.dim[3], &width) || !dim_equal(width, x->type.dim[x->type.rank - 1])) return NULL;
    const ir_value *w = linear->input[1], *b = algebra_input(linear, 2);
    int64_t shape[IR_RANK_MAX];
    if (!ir_is_constant(w) || w->type.elem != out->type.elem || !ir_dims_constant(&w->type, shape, NULL)) return NULL;
    return !b || (algebra_is_row(b, shape[1]) && b->type.elem == w->type.elem) ? linear : NULL;
}

/* The bias [n] of the values' linear as one row of the attention's result, [H, e]: each group's part once for each head that reads it. */
static ir_value *bias_by_head(ir_node *n, ir_value *bias, const move *row, const ir_type *to, ir_node *before, pass_context *c)
{
    const ir_type *q = &n->input[0]->type;
    dim heads;
    if (!dim_div_exact(q->dim[2], to->dim[0], &heads)) return NULL;
    ir_value *b = match_move(c, bias, row, to, before);
    b = match_reshape(c, b, (dim[]){to->dim[0], dim_of(1), to->dim[1]}, 3, before);
    return match_expand(c, b, (dim[]){to->dim[0], heads, to->dim[1]}, 3, before);
}

static bool move_value_bias(ir_node *n, pass_context *c)
{
    ir_node *linear = source(n, 2), *out = linear ? projection(n) : NULL;
    move row;
    ir_type to;
    if (!out || linear->input[2]->type.elem != out->input[1]->type.elem) return true;
    if (ir_is_name(n, KEY_EMPTY, "zero") && !rows_alive(n)) return true;
    if (!deals(n->input[2]->def, 2, 4, &row, &to)) return true;
    ir_value *b = bias_by_head(n, linear->input[2], &row, &to, out, c);
    if (!b || !(b = algebra_shifted(out, b, c))) return false;
    return algebra_set_input(out, 2, b, c->diag) && drop_bias(linear, c->diag);
}

bool algebra_attention(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **attention = match_list(c->arena, g, IR_ATTENTION, &count);
    for (int i = 0; i < count; i++)
        if (!drop_key_bias(attention[i], c) || !move_value_bias(attention[i], c)) return false;
    return true;
}
