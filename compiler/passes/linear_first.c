/* A linear layer of interpolated rows is the interpolation of the layer's rows, of which there are fewer; of a concatenation, the sum of the layers of
 * its parts: SegFormer's head. A layer whose input is another's becomes one with it, where their product is the smaller matrix.
 * Requires: the layer has no epilogue, its weights and bias are constant; what is passed through is read once; interpolations along other axes than the
 *   last.
 * Leaves: layers before interpolations, interpolations of their results, and maps that add them up. */
#include "match.h"
#include "rebuild.h"

/* What is applied to a part. */
typedef struct layer {
    ir_node *before;            /* in whose place it is built */
    ir_value *weight, *bias;    /* [k, n] and [n]; bias may be NULL */
    pass_context *c;
} layer;

static int64_t columns_of(const ir_type *t)
{
    int64_t n;
    return t->rank > 0 && dim_is_constant(t->dim[t->rank - 1], &n) ? n : 0;
}

static int64_t rows_of(const ir_value *v, arena *a)
{
    return match_size(v->graph, &v->type, v->type.rank - 1, a);
}

static bool is_plain(const ir_node *n)
{
    if (!n || n->op != IR_LINEAR || n->inputs > 3 || ir_find(n, KEY_EPILOGUE) || ir_is_constant(n->output[0])) return false;
    return ir_is_constant(n->input[1]) && (n->inputs < 3 || !n->input[2] || ir_is_constant(n->input[2])) && n->input[1]->type.elem == ELEM_F32;
}

/* An interpolation of rows by weights; NULL: v is none, or others read it. */
static ir_node *interpolation(const ir_value *v)
{
    ir_node *n = ir_producer(v, IR_RESAMPLE);
    const bool alone = n && v->uses == 1 && !ir_is_result(v) && ir_is_name(n, KEY_KIND, "sum");
    return alone && ir_int(n, KEY_AXIS, 0) < v->type.rank - 1 && v->type.elem == ELEM_F32 ? n : NULL;
}

/* A reshape that leaves rows whole. */
static ir_node *reshape_of_rows(const ir_value *v)
{
    ir_node *n = ir_producer(v, IR_MOVE);
    const bool alone = n && v->uses == 1 && !ir_is_result(v) && move_is_reshape(&n->input[0]->type, ir_move(n));
    return alone && columns_of(&v->type) && columns_of(&v->type) == columns_of(&n->input[0]->type) ? n : NULL;
}

/* What v's rows are, or are interpolated from. */
static const ir_value *source_of(const ir_value *v)
{
    for (const ir_node *n; (n = interpolation(v)) || (n = reshape_of_rows(v));) v = n->input[0];
    return v;
}

/* Is the product of the weights of `inner`, which the layer alone reads, and its own smaller than the two? */
static bool is_smaller_as_one(const ir_node *inner, const layer *l)
{
    const ir_value *v = inner ? inner->output[0] : NULL;
    if (!is_plain(inner) || v->uses != 1 || ir_is_result(v)) return false;
    const int64_t k = columns_of(&inner->input[0]->type), m = columns_of(&v->type), n = columns_of(&l->weight->type);
    return k && k * n <= k * m + m * n;
}

static ir_value *linear(const layer *l, ir_value *x, ir_value *weight, ir_value *bias)
{
    ir_node *n = ir_begin(l->before->graph, IR_LINEAR);
    ir_input(n, x);
    ir_input(n, weight);
    if (bias) ir_input(n, bias);
    return ir_end(n, l->before, l->c->diag);
}

/* (x V + b) W + c = x (V W) + (b W + c) */
static ir_value *as_one(const layer *l, const ir_node *inner)
{
    ir_value *b = inner->inputs > 2 ? inner->input[2] : NULL, *bias = l->bias, *weight = linear(l, inner->input[1], l->weight, NULL);
    if (b) {
        ir_value *row = match_reshape(l->c, b, (dim[]){ dim_of(1), b->type.dim[0] }, 2, l->before);
        if (!row || !(row = linear(l, row, l->weight, bias))) return NULL;
        bias = rebuild_folded(match_reshape(l->c, row, &l->weight->type.dim[1], 1, l->before), l->before, l->c);
    }
    if (!weight || (b && !bias)) return NULL;
    ir_value *v = linear(l, inner->input[0], weight, bias);
    if (v) ir_copy_origins(v->def, inner);
    return v;
}

/* The layer of v, as early as can be. NULL: reported. */
static ir_value *apply(const layer *l, ir_value *v)
{
    ir_node *n = interpolation(v);
    if (n) {
        ir_value *x = apply(l, n->input[0]);
        ir_node *copy = x ? rebuild_begin(n->graph, n) : NULL;
        if (!copy) return NULL;
        ir_input(copy, x);
        for (int i = 1; i < n->inputs; i++) ir_input(copy, n->input[i]);
        return ir_end(copy, l->before, l->c->diag);
    }
    if ((n = reshape_of_rows(v)) != NULL && is_smaller_as_one(ir_producer(source_of(v), IR_LINEAR), l)) {
        ir_value *x = apply(l, n->input[0]);
        dim shape[IR_RANK_MAX];
        for (int i = 0; i < v->type.rank; i++) shape[i] = i < v->type.rank - 1 ? v->type.dim[i] : l->weight->type.dim[1];
        return x ? match_reshape(l->c, x, shape, v->type.rank, l->before) : NULL;
    }
    n = ir_producer(v, IR_LINEAR);
    return is_smaller_as_one(n, l) ? as_one(l, n) : linear(l, v, l->weight, l->bias);
}

/* `count` rows of n's weights. */
static ir_value *weights_of(ir_node *n, int64_t first, int64_t count, pass_context *c)
{
    move m;
    ir_type to;
    if (!move_slice(&n->input[1]->type, 0, first, 1, dim_of(count), &m, &to)) return NULL;
    return match_move(c, n->input[1], &m, &to, n);
}

/* The parts of the layer's input: of a concatenation of columns that it alone reads, or the input itself. */
static int parts_of(const ir_node *n, ir_value *const **part)
{
    const ir_node *concat = ir_producer(n->input[0], IR_CONCAT);
    const bool columns = concat && ir_only_use(n->input[0], n) && ir_int(concat, KEY_AXIS, 0) == n->input[0]->type.rank - 1;
    *part = columns ? concat->input : n->input;
    return columns ? concat->inputs : 1;
}

/* Are multiplications saved, many more than adding the parts up takes? A bias wants a part of all rows that it goes with. */
static bool is_worth_it(const ir_node *n, ir_value *const *part, int parts, arena *a)
{
    const int64_t rows = rows_of(n->output[0], a), width = columns_of(&n->output[0]->type);
    int64_t saved = 0;
    bool takes_bias = n->inputs < 3 || !n->input[2];
    for (int i = 0; i < parts; i++) {
        const int64_t columns = columns_of(&part[i]->type);
        if (!columns) return false;
        if (interpolation(part[i])) saved += (rows - rows_of(source_of(part[i]), a)) * columns;
        else takes_bias = true;
    }
    return takes_bias && width && saved > rows * 8 * parts;
}

/* The sum of the layers of the parts; the bias goes with the first of all rows. */
static bool move_forward(ir_node *n, ir_value *const *part, int parts, pass_context *c)
{
    ir_value *sum = NULL, *bias = n->inputs > 2 ? n->input[2] : NULL;
    int64_t first = 0;
    for (int i = 0; i < parts; i++) {
        const int64_t count = columns_of(&part[i]->type);
        const bool own = !interpolation(part[i]);
        const layer l = { n, weights_of(n, first, count, c), own ? bias : NULL, c };
        ir_value *v = l.weight ? apply(&l, part[i]) : NULL;
        if (!v || (sum && !(v = ir_map2(n->graph, EXPR_ADD, sum, v, n, c->diag)))) return false;
        sum = v;
        first += count;
        if (own) bias = NULL;
    }
    ir_copy_origins(sum->def, n);
    match_replace(n->output[0], sum);
    return true;
}

bool pass_linear_first(ir_graph *g, pass_context *c)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (match_dead(n) || !is_plain(n)) continue;
        ir_value *const *part;
        const int parts = parts_of(n, &part);
        if (is_worth_it(n, part, parts, c->arena) && !move_forward(n, part, parts, c)) return false;
    }
    match_sweep_moves(g);
    ir_sweep(g);
    return true;
}
