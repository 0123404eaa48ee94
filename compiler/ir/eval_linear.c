/* linear, mlp, conv_last and matmul: products with bias in double (or modulo 2^64), then the epilogue; rows are taken in blocks so that sums stay small. */
#include "eval_private.h"

#include <stdlib.h>

static elem sum_type(const eval_value *a, const eval_value *b)
{
    return elem_is_float(a->elem) || elem_is_float(b->elem) ? ELEM_F64 : ELEM_I64;
}

/* One layer of weights. */
typedef struct layer {
    const eval_value *w;       /* [inner, columns] */
    int64_t inner, columns;
    elem sum;                  /* F64 or I64 */
    void *bias;                /* [columns] of that type; NULL: none */
} layer;

static status open_layer(const eval_context *c, const ir_node *n, const eval_value *x, const eval_value *w, const eval_value *b, int input, layer *l)
{
    if (!w || w->rank != 2) return eval_fail(c, n, input, STATUS_SHAPE, "weights are a matrix");
    *l = (layer){.w = w, .inner = w->shape[0], .columns = w->shape[1], .sum = sum_type(x, w)};
    if (!b) return STATUS_OK;
    if (b->elements != l->columns) return eval_fail(c, n, input + 1, STATUS_SHAPE, "the bias has %lld elements, not %lld", (long long)b->elements,
                                                    (long long)l->columns);
    l->bias = eval_allocate(l->columns, sizeof(double));
    if (!l->bias) return eval_out_of_memory(c, n);
    if (l->sum == ELEM_F64) eval_load_floats(b->stored, b->data, 0, 1, l->columns, l->bias);
    else eval_load_integers(b->stored, b->data, 0, 1, l->columns, l->bias);
    return STATUS_OK;
}

/* sum [rows, columns] = x [rows, inner] · w + bias */
static status run_layer(const eval_context *c, const ir_node *n, const layer *l, const eval_matrix *x, int64_t rows, void *sum)
{
    eval_matrix w = {l->w->stored, l->w->data, 0, l->columns, 1};
    status s = eval_product(c, n, rows, l->columns, l->inner, x, &w, l->sum, sum);
    if (s != STATUS_OK || !l->bias) return s;
    for (int64_t i = 0; i < rows; i++) {
        if (l->sum == ELEM_F64) {
            double *to = (double *)sum + i * l->columns;
            for (int64_t j = 0; j < l->columns; j++) to[j] += ((const double *)l->bias)[j];
        } else {
            uint64_t *to = (uint64_t *)sum + i * l->columns;
            for (int64_t j = 0; j < l->columns; j++) to[j] += ((const uint64_t *)l->bias)[j];
        }
    }
    return STATUS_OK;
}

/* What becomes of the sums: an expression of them and further inputs, or just the output's type. */
typedef struct ending {
    const expr *expr;          /* NULL: none */
    int operands;
    eval_operand *operand;     /* [0]: the sums; then the extras */
} ending;

static status open_ending(const eval_context *c, const ir_node *n, const eval_value *const *in, int extras, const eval_value *out, ending *e)
{
    *e = (ending){.expr = ir_expr(n, KEY_EPILOGUE), .operands = 1};
    if (!e->expr) return STATUS_OK;
    if (n->inputs > extras) e->operands += n->inputs - extras;
    e->operand = eval_allocate(e->operands, sizeof *e->operand);
    if (!e->operand) return eval_out_of_memory(c, n);
    for (int i = 1; i < e->operands; i++) {
        int input = extras + i - 1;
        if (!in[input] || !eval_operand_broadcast(in[input], out->rank, out->shape, &e->operand[i])) {
            return eval_fail(c, n, input, STATUS_SHAPE, "the input does not broadcast to the output");
        }
    }
    return STATUS_OK;
}

static status run_ending(const eval_context *c, const ir_node *n, const ending *e, const layer *l, int64_t first_row, int64_t rows, const void *sum,
                         eval_value *out)
{
    int64_t first = first_row * l->columns, count = rows * l->columns;
    if (!e->expr) {
        if (l->sum == ELEM_F64) eval_store_floats(out->stored, out->owned, first, count, sum);
        else eval_store_integers(out->stored, out->owned, first, count, sum);
        return STATUS_OK;
    }
    e->operand[0] = eval_operand_rows(l->sum, sum, first, rows, l->columns, l->columns);
    char *to = (char *)out->owned + (size_t)first * elem_size(out->stored);
    return eval_apply(c, n, e->expr, e->operands, e->operand, first, count, out->stored, to);
}

/* Rows of x, whose last axis is `inner`, and of the output. */
static status count_rows(const eval_context *c, const ir_node *n, const eval_value *x, const eval_value *out, int64_t inner, int64_t columns,
                         int64_t *rows)
{
    if (x->rank < 1 || x->shape[x->rank - 1] != inner) return eval_fail(c, n, 0, STATUS_SHAPE, "weights have %lld rows", (long long)inner);
    *rows = eval_product_of(x->shape, 0, x->rank - 1);
    if (out->elements != *rows * columns) return eval_fail(c, n, 0, STATUS_SHAPE, "the output has %lld elements", (long long)out->elements);
    return STATUS_OK;
}

static eval_matrix rows_of(const eval_value *x, int64_t first, int64_t inner)
{
    return (eval_matrix){x->stored, x->data, first * inner, inner, 1};
}

status eval_linear(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    layer l = {0};
    ending e = {0};
    int64_t rows = 0;
    void *sum = NULL;
    status s = open_layer(c, n, in[0], in[1], n->inputs > 2 ? in[2] : NULL, 1, &l);
    if (s == STATUS_OK) s = count_rows(c, n, in[0], out, l.inner, l.columns, &rows);
    if (s == STATUS_OK) s = open_ending(c, n, in, 3, out, &e);
    int64_t block = eval_rows_at_once(rows, l.columns);
    if (s == STATUS_OK && !(sum = eval_allocate(block * l.columns, sizeof(double)))) s = eval_out_of_memory(c, n);
    for (int64_t i = 0; i < rows && s == STATUS_OK; i += block) {
        int64_t count = rows - i < block ? rows - i : block;
        eval_matrix x = rows_of(in[0], i, l.inner);
        s = run_layer(c, n, &l, &x, count, sum);
        if (s == STATUS_OK) s = run_ending(c, n, &e, &l, i, count, sum, out);
    }
    free(sum);
    free(l.bias);
    free(e.operand);
    return s;
}

/* sum [rows, columns] = the windows' rows times each group's columns of the weights; part and window: room for one group's. */
static status run_windows(const eval_context *c, const ir_node *n, const eval_value *x, const eval_value *out, const layer *l, int64_t first,
                          int64_t rows, double *window, double *part, double *sum)
{
    const int64_t groups = ir_int(n, KEY_GROUP, 1), features = l->columns / groups;
    const eval_matrix rows_in = {ELEM_F64, window, 0, l->inner, 1};
    for (int64_t g = 0; g < groups; g++) {
        const eval_matrix w = {l->w->stored, l->w->data, g * features, l->columns, 1};
        eval_windows(n, x, out, g, first, rows, window);
        const status s = eval_product(c, n, rows, features, l->inner, &rows_in, &w, ELEM_F64, part);
        if (s != STATUS_OK) return s;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < features; j++) {
                const int64_t column = g * features + j;
                sum[i * l->columns + column] = part[i * features + j] + (l->bias ? ((const double *)l->bias)[column] : 0);
            }
    }
    return STATUS_OK;
}

status eval_conv_last(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    layer l = {0};
    ending e = {0};
    double *sum = NULL, *part = NULL, *window = NULL;
    status s = open_layer(c, n, in[0], in[1], n->inputs > 2 ? in[2] : NULL, 1, &l);
    if (s == STATUS_OK) s = open_ending(c, n, in, 3, out, &e);
    const int64_t rows = l.columns ? out->elements / l.columns : 0, block = eval_rows_at_once(rows, 2 * l.columns + l.inner);
    if (s == STATUS_OK) {
        sum = eval_allocate(block * l.columns, sizeof *sum);
        part = eval_allocate(block * l.columns, sizeof *part);
        window = eval_allocate(block * l.inner, sizeof *window);
        if (!sum || !part || !window) s = eval_out_of_memory(c, n);
    }
    for (int64_t i = 0; i < rows && s == STATUS_OK; i += block) {
        const int64_t count = rows - i < block ? rows - i : block;
        s = run_windows(c, n, in[0], out, &l, i, count, window, part, sum);
        if (s == STATUS_OK) s = run_ending(c, n, &e, &l, i, count, sum, out);
    }
    free(sum);
    free(part);
    free(window);
    free(l.bias);
    free(e.operand);
    return s;
}

/* hidden [rows, inner of the second layer] = expr(sum), of its two halves if gated */
static status activate(const eval_context *c, const ir_node *n, const layer *up, int64_t rows, int64_t width, const void *sum, double *hidden)
{
    const expr *e = ir_expr(n, KEY_EXPR);
    eval_operand operand[2];
    int operands = up->columns == width ? 1 : 2;
    operand[0] = eval_operand_rows(up->sum, sum, 0, rows, width, up->columns);
    operand[1] = eval_operand_rows(up->sum, (const double *)sum + (operands == 2 ? width : 0), 0, rows, width, up->columns);
    return eval_apply(c, n, e, operands, operand, 0, rows * width, ELEM_F64, hidden);
}

static status run_mlp(const eval_context *c, const ir_node *n, const eval_value *const *in, const layer *up, const layer *down, const ending *e,
                      int64_t rows, eval_value *out)
{
    int64_t block = eval_rows_at_once(rows, up->columns + down->columns), width = down->inner;
    void *sum = eval_allocate(block * up->columns, sizeof(double)), *result = eval_allocate(block * down->columns, sizeof(double));
    double *hidden = eval_allocate(block * width, sizeof *hidden);
    status s = sum && result && hidden ? STATUS_OK : eval_out_of_memory(c, n);
    for (int64_t i = 0; i < rows && s == STATUS_OK; i += block) {
        int64_t count = rows - i < block ? rows - i : block;
        eval_matrix x = rows_of(in[0], i, up->inner), h = {ELEM_F64, hidden, 0, width, 1};
        s = run_layer(c, n, up, &x, count, sum);
        if (s == STATUS_OK) s = activate(c, n, up, count, width, sum, hidden);
        if (s == STATUS_OK) s = run_layer(c, n, down, &h, count, result);
        if (s == STATUS_OK) s = run_ending(c, n, e, down, i, count, result, out);
    }
    free(sum);
    free(hidden);
    free(result);
    return s;
}

status eval_mlp(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    layer up = {0}, down = {0};
    ending e = {0};
    int64_t rows = 0;
    status s = open_layer(c, n, in[0], in[1], in[2], 1, &up);
    if (s == STATUS_OK) s = open_layer(c, n, in[0], in[3], in[4], 3, &down);
    if (s == STATUS_OK && (up.sum != ELEM_F64 || down.sum != ELEM_F64)) s = eval_fail(c, n, 0, STATUS_TYPE, "mlp is for floats");
    if (s == STATUS_OK && up.columns != down.inner && (up.columns % 2 != 0 || up.columns / 2 != down.inner)) {
        s = eval_fail(c, n, 3, STATUS_SHAPE, "%lld columns go to %lld rows", (long long)up.columns, (long long)down.inner);
    }
    if (s == STATUS_OK) s = count_rows(c, n, in[0], out, up.inner, down.columns, &rows);
    if (s == STATUS_OK) s = open_ending(c, n, in, 5, out, &e);
    if (s == STATUS_OK) s = run_mlp(c, n, in, &up, &down, &e, rows, out);
    free(up.bias);
    free(down.bias);
    free(e.operand);
    return s;
}

/* The matrices of v at each index of the batch `axes`, whose start is v's element for that index. */
static bool batch_operand(const eval_value *v, int axes, const int64_t *shape, eval_operand *o)
{
    eval_value batch = {.rank = v->rank - 2, .elements = 1};
    for (int i = 0; i < batch.rank; i++) batch.shape[i] = v->shape[i];
    return eval_operand_broadcast(&batch, axes, shape, o);
}

static int64_t batch_start(const eval_operand *o, int64_t index)
{
    int64_t at = 0;
    for (int i = o->rank - 1; i >= 0; i--) {
        at += index % o->extent[i] * o->stride[i];
        index /= o->extent[i];
    }
    return at;
}

status eval_matmul(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *a = in[0], *b = in[1];
    int axes = out->rank - 2;
    eval_operand batch_a, batch_b;
    if (a->rank < 2 || b->rank < 2 || axes < 0) return eval_fail(c, n, 0, STATUS_SHAPE, "matmul takes matrices");
    int64_t rows = a->shape[a->rank - 2], inner = a->shape[a->rank - 1], columns = b->shape[b->rank - 1];
    if (b->shape[b->rank - 2] != inner) return eval_fail(c, n, 1, STATUS_SHAPE, "it does not have %lld rows", (long long)inner);
    if (out->shape[axes] != rows || out->shape[axes + 1] != columns || !batch_operand(a, axes, out->shape, &batch_a)
        || !batch_operand(b, axes, out->shape, &batch_b)) return eval_fail(c, n, 0, STATUS_SHAPE, "the batches do not broadcast");
    elem stored = sum_type(a, b);
    int64_t batches = eval_product_of(out->shape, 0, axes), block = eval_rows_at_once(rows, columns);
    void *sum = eval_allocate(block * columns, sizeof(double));
    status s = sum ? STATUS_OK : eval_out_of_memory(c, n);
    for (int64_t i = 0; i < batches && s == STATUS_OK; i++) {
        int64_t start_a = batch_start(&batch_a, i) * rows * inner, start_b = batch_start(&batch_b, i) * inner * columns;
        for (int64_t r = 0; r < rows && s == STATUS_OK; r += block) {
            int64_t count = rows - r < block ? rows - r : block, first = (i * rows + r) * columns;
            eval_matrix x = {a->stored, a->data, start_a + r * inner, inner, 1}, y = {b->stored, b->data, start_b, columns, 1};
            s = eval_product(c, n, count, columns, inner, &x, &y, stored, sum);
            if (s != STATUS_OK) break;
            if (stored == ELEM_F64) eval_store_floats(out->stored, out->owned, first, count * columns, sum);
            else eval_store_integers(out->stored, out->owned, first, count * columns, sum);
        }
    }
    free(sum);
    return s;
}
