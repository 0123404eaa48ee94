/* attention: head by head, scores and softmax in double. */
#include "eval_private.h"

#include <math.h>
#include <stdlib.h>

typedef struct heads {
    int64_t batch, queries, keys, heads, groups, width, value_width;
    int64_t key_columns;       /* transposed keys: the size of their last axis; 0: they are not */
    double scale;
    bool causal, empty_is_zero, bool_mask;
    eval_operand mask;         /* data NULL: none */
    int64_t grid_columns;      /* of the keys, to which inputs 4 and 5 are added; 0: none */
} heads;

static status measure(const eval_context *c, const ir_node *n, const eval_value *const *in, const eval_value *out, heads *h)
{
    const eval_value *q = in[0], *k = in[1], *v = in[2], *mask = n->inputs > 3 ? in[3] : NULL;
    if (q->rank != 4 || k->rank != 4 || v->rank != 4) return eval_fail(c, n, 0, STATUS_SHAPE, "queries, keys and values have four axes");
    bool transposed = ir_int(n, KEY_TRANSPOSED, 0) != 0;
    *h = (heads){.batch = q->shape[0], .queries = q->shape[1], .keys = v->shape[1], .heads = q->shape[2], .groups = v->shape[2], .width = q->shape[3],
                 .value_width = v->shape[3], .key_columns = transposed ? k->shape[3] : 0, .scale = ir_number(n, KEY_SCALE, 1),
                 .causal = ir_int(n, KEY_CAUSAL, 0) != 0, .empty_is_zero = ir_is_name(n, KEY_EMPTY, "zero")};
    const int64_t rows[4] = {h->batch, h->keys, h->groups, h->width}, columns[4] = {h->batch, h->groups, h->width, h->key_columns};
    const int64_t values[4] = {h->batch, h->keys, h->groups, h->value_width}, result[4] = {h->batch, h->queries, h->heads, h->value_width};
    const int64_t scores[4] = {h->batch, h->heads, h->queries, h->keys};
    const char *wrong = NULL;
    int input = 0;
    if (!eval_shape_is(k, 4, transposed ? columns : rows) || (transposed && h->key_columns < h->keys)) input = 1, wrong = "keys do not fit queries";
    else if (!eval_shape_is(v, 4, values)) input = 2, wrong = "values do not fit keys";
    else if (h->groups == 0 ? h->heads != 0 : h->heads % h->groups != 0) input = 1, wrong = "heads are no multiple of groups";
    else if (mask && !eval_operand_broadcast(mask, 4, scores, &h->mask)) input = 3, wrong = "the mask does not broadcast to the scores";
    else if (!eval_shape_is(&out[0], 4, result)) wrong = "the output is of another shape";
    else if (n->outputs > 1 && !eval_shape_is(&out[1], 4, scores)) wrong = "the second output is of another shape";
    if (n->inputs > 5 && in[4] && in[5]) {
        const int64_t along = in[5]->rank == 4 ? in[5]->shape[3] : 0, across = in[4]->rank == 4 ? in[4]->shape[3] : 0;
        const int64_t of_rows[4] = {h->batch, h->heads, h->queries, across}, of_columns[4] = {h->batch, h->heads, h->queries, along};
        h->grid_columns = along;
        if (!eval_shape_is(in[4], 4, of_rows) || !eval_shape_is(in[5], 4, of_columns) || along * across != h->keys)
            input = 4, wrong = "rows and columns do not make up the keys";
    }
    if (wrong) return eval_fail(c, n, input, STATUS_SHAPE, "%s", wrong);
    h->bool_mask = mask && !elem_is_float(mask->elem);
    return STATUS_OK;
}

/* Adds to score [keys] of a query, whose place among those of all heads is `query`, what its row and its column of the grid say. */
static void add_grid(const heads *h, const eval_value *const *in, int64_t query, double *score, double *line)
{
    const int64_t columns = h->grid_columns, rows = columns ? h->keys / columns : 0;
    if (!columns) return;
    double *const by_column = line + rows;
    eval_load_floats(in[4]->stored, in[4]->data, query * rows, 1, rows, line);
    eval_load_floats(in[5]->stored, in[5]->data, query * columns, 1, columns, by_column);
    for (int64_t j = 0; j < h->keys; j++) score[j] += line[j / columns] + by_column[j % columns];
}

/* score [keys] of query `row`: scale, mask, causality. `line`, [keys + 1], is scratch. */
static void mask_scores(const heads *h, const eval_value *const *in, int64_t first, int64_t row, double *score, double *line)
{
    for (int64_t j = 0; j < h->keys; j++) score[j] *= h->scale;
    add_grid(h, in, first / (h->keys ? h->keys : 1), score, line);
    if (h->mask.data) {
        eval_operand_load_floats(&h->mask, first, h->keys, line);
        if (!h->bool_mask) for (int64_t j = 0; j < h->keys; j++) score[j] += line[j];
        else for (int64_t j = 0; j < h->keys; j++) score[j] = line[j] != 0 ? score[j] : (double)-INFINITY;
    }
    if (!h->causal) return;
    int64_t visible = row + h->keys - h->queries + 1;
    for (int64_t j = visible > 0 ? visible : 0; j < h->keys; j++) score[j] = (double)-INFINITY;
}

static void softmax_row(const heads *h, double *score)
{
    double largest = (double)-INFINITY, sum = 0;
    bool empty = h->empty_is_zero;
    for (int64_t j = 0; j < h->keys; j++) {
        if (score[j] > largest) largest = score[j];
        if (!isinf(score[j]) || score[j] > 0) empty = false;
    }
    for (int64_t j = 0; j < h->keys; j++) sum += score[j] = exp(score[j] - largest);
    for (int64_t j = 0; j < h->keys; j++) score[j] = empty ? 0 : score[j] / sum;
}

typedef struct scratch { double *score, *line, *result; } scratch;

/* `count` queries from `row` of one head. */
static status attend(const eval_context *c, const ir_node *n, const eval_value *const *in, const heads *h, int64_t image, int64_t head, int64_t row,
                     int64_t count, const scratch *s, eval_value *out)
{
    int64_t group = head / (h->heads / h->groups), pitch_q = h->heads * h->width, pitch_k = h->groups * h->width, pitch_v = h->groups * h->value_width;
    eval_matrix q = {in[0]->stored, in[0]->data, (image * h->queries + row) * pitch_q + head * h->width, pitch_q, 1};
    eval_matrix k = {in[1]->stored, in[1]->data, image * h->keys * pitch_k + group * h->width, 1, pitch_k};     /* [width, keys] */
    if (h->key_columns) k.start = (image * h->groups + group) * h->width * h->key_columns, k.row = h->key_columns, k.column = 1;
    eval_matrix v = {in[2]->stored, in[2]->data, image * h->keys * pitch_v + group * h->value_width, pitch_v, 1};
    eval_matrix p = {ELEM_F64, s->score, 0, h->keys, 1};
    status code = eval_product(c, n, count, h->keys, h->width, &q, &k, ELEM_F64, s->score);
    if (code != STATUS_OK) return code;
    int64_t first = ((image * h->heads + head) * h->queries + row) * h->keys;
    for (int64_t i = 0; i < count; i++) {
        mask_scores(h, in, first + i * h->keys, row + i, s->score + i * h->keys, s->line);
        softmax_row(h, s->score + i * h->keys);
    }
    if (n->outputs > 1) eval_store_floats(out[1].stored, out[1].owned, first, count * h->keys, s->score);
    code = eval_product(c, n, count, h->value_width, h->keys, &p, &v, ELEM_F64, s->result);
    for (int64_t i = 0; i < count && code == STATUS_OK; i++) {
        int64_t at = ((image * h->queries + row + i) * h->heads + head) * h->value_width;
        eval_store_floats(out[0].stored, out[0].owned, at, h->value_width, s->result + i * h->value_width);
    }
    return code;
}

status eval_attention(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    heads h;
    status s = measure(c, n, in, out, &h);
    if (s != STATUS_OK) return s;
    int64_t block = eval_rows_at_once(h.queries, h.keys + h.value_width);
    scratch room;
    room.score = eval_allocate(block * h.keys, sizeof *room.score);
    room.line = eval_allocate(h.keys + 1, sizeof *room.line);
    room.result = eval_allocate(block * h.value_width, sizeof *room.result);
    if (!room.score || !room.line || !room.result) s = eval_out_of_memory(c, n);
    for (int64_t i = 0; i < h.batch * h.heads && s == STATUS_OK; i++) {
        for (int64_t row = 0; row < h.queries && s == STATUS_OK; row += block) {
            int64_t count = h.queries - row < block ? h.queries - row : block;
            s = attend(c, n, in, &h, i / h.heads, i % h.heads, row, count, &room, out);
        }
    }
    free(room.score);
    free(room.line);
    free(room.result);
    return s;
}
