/* Runs an expression over many elements, item by item on blocks of them: floats in double, all else in int64. In EVAL_TYPED each float item is
 * rounded to its type. Also the operands it reads, which broadcast. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 };

typedef union lane { double number[BLOCK]; int64_t integer[BLOCK]; } lane;

/* ---- operands ---- */

/* Drops axes of extent 1 and merges neighbours that step as one. */
static void merge_axes(eval_operand *o)
{
    int rank = 0;
    for (int i = 0; i < o->rank; i++) {
        if (o->extent[i] == 1) continue;
        if (rank > 0 && o->stride[rank - 1] == o->stride[i] * o->extent[i]) {
            o->extent[rank - 1] *= o->extent[i];
            o->stride[rank - 1] = o->stride[i];
        } else {
            o->extent[rank] = o->extent[i];
            o->stride[rank++] = o->stride[i];
        }
    }
    o->rank = rank;
}

eval_operand eval_operand_rows(elem stored, const void *data, int64_t base, int64_t rows, int64_t columns, int64_t pitch)
{
    eval_operand o = {.stored = stored, .data = data, .base = base, .rank = 2, .extent = {rows, columns}, .stride = {pitch, 1}};
    merge_axes(&o);
    return o;
}

bool eval_operand_broadcast(const eval_value *v, int rank, const int64_t *shape, eval_operand *o)
{
    if (v->rank > rank) return false;
    *o = (eval_operand){.stored = v->stored, .data = v->data, .rank = rank};
    int64_t step = 1;
    for (int i = rank - 1, j = v->rank - 1; i >= 0; i--, j--) {
        int64_t size = j >= 0 ? v->shape[j] : 1;
        if (size != shape[i] && size != 1) return false;
        o->extent[i] = shape[i];
        o->stride[i] = size == 1 ? 0 : step;
        step *= size;
    }
    merge_axes(o);
    return true;
}

/* The longest run from element `first` of the result along which the operand has one stride: its start and stride; returns its length. */
static int64_t run_at(const eval_operand *o, int64_t first, int64_t *start, int64_t *stride)
{
    int64_t rest = first - o->base;
    *start = 0;
    *stride = 0;
    if (o->rank == 0) return INT64_MAX;
    int last = o->rank - 1;
    int64_t at = rest % o->extent[last];
    *stride = o->stride[last];
    *start = at * o->stride[last];
    int64_t outer = rest / o->extent[last];
    for (int i = last - 1; i >= 0; i--) {
        *start += outer % o->extent[i] * o->stride[i];
        outer /= o->extent[i];
    }
    return o->extent[last] - at;
}

void eval_operand_load_floats(const eval_operand *o, int64_t first, int64_t n, double *out)
{
    for (int64_t done = 0; done < n; ) {
        int64_t start, stride, run = run_at(o, first + done, &start, &stride);
        if (run > n - done) run = n - done;
        eval_load_floats(o->stored, o->data, start, stride, run, out + done);
        done += run;
    }
}

void eval_operand_load_integers(const eval_operand *o, int64_t first, int64_t n, int64_t *out)
{
    for (int64_t done = 0; done < n; ) {
        int64_t start, stride, run = run_at(o, first + done, &start, &stride);
        if (run > n - done) run = n - done;
        eval_load_integers(o->stored, o->data, start, stride, run, out + done);
        done += run;
    }
}

/* ---- items ---- */

static bool is_float_item(const expr *e, int i)
{
    return elem_is_float(e->item[i].elem);
}

static void fill_constant(const eval_context *c, const expr_item *it, lane *to)
{
    double number = it->number;
    int64_t integer = eval_wrap(it->elem, it->integer);
    if (c->mode == EVAL_TYPED) eval_round(it->elem, &number, 1);
    for (int i = 0; i < BLOCK; i++) {
        if (elem_is_float(it->elem)) to->number[i] = number;
        else to->integer[i] = integer;
    }
}

/* False: the expression is not one that the verifier would pass. */
static bool is_sound(const expr *e, int inputs, const eval_operand *input)
{
    for (int i = 0; i < e->count; i++) {
        const expr_item *it = &e->item[i];
        int arity = expr_arity(it->op);
        for (int k = 0; k < arity; k++) {
            if (it->arg[k] < 0 || it->arg[k] >= i) return false;
        }
        if (it->op == EXPR_INPUT && (it->index < 0 || it->index >= inputs || elem_is_float(input[it->index].stored) != is_float_item(e, i)))
            return false;
        if (arity >= 2 && is_float_item(e, it->arg[arity - 1]) != is_float_item(e, it->arg[arity - 2])) return false;
        if (it->op == EXPR_SELECT && (is_float_item(e, it->arg[0]) || is_float_item(e, i) != is_float_item(e, it->arg[2]))) return false;
        if (arity > 0 && it->op != EXPR_CONVERT && it->elem != ELEM_BOOL && is_float_item(e, i) != is_float_item(e, it->arg[arity - 1])) return false;
    }
    return e->count > 0;
}

static void run_convert(const eval_context *c, elem from, const expr_item *it, const lane *x, lane *r, int n)
{
    bool is_u64 = from == ELEM_U64;
    if (elem_is_float(it->elem)) {
        if (elem_is_float(from)) memcpy(r, x, (size_t)n * sizeof x->number[0]);
        else if (c->mode == EVAL_TYPED && it->elem != ELEM_F64) for (int i = 0; i < n; i++) r->number[i] = eval_widen(x->integer[i], is_u64);
        else for (int i = 0; i < n; i++) r->number[i] = is_u64 ? (double)(uint64_t)x->integer[i] : (double)x->integer[i];
    } else if (elem_is_float(from)) for (int i = 0; i < n; i++) r->integer[i] = eval_saturate(it->elem, x->number[i]);
    else memcpy(r, x, (size_t)n * sizeof x->integer[0]);
}

static void run_item(const eval_context *c, const expr *e, int index, const eval_operand *input, int64_t first, int n, lane *lanes)
{
    const expr_item *it = &e->item[index];
    lane *r = &lanes[index];
    bool to_float = elem_is_float(it->elem);
    int arity = expr_arity(it->op);
    const lane *arg[3] = {r, r, r};
    for (int k = 0; k < arity; k++) arg[k] = &lanes[it->arg[k]];
    elem from = arity > 0 ? e->item[it->arg[arity - 1]].elem : ELEM_NONE;
    if (it->op == EXPR_CONSTANT) return;
    if (it->op == EXPR_INPUT) {
        if (to_float) eval_operand_load_floats(&input[it->index], first, n, r->number);
        else eval_operand_load_integers(&input[it->index], first, n, r->integer);
    } else if (it->op == EXPR_CONVERT) run_convert(c, from, it, arg[0], r, n);
    else if (it->op == EXPR_SELECT && to_float) for (int i = 0; i < n; i++) r->number[i] = arg[arg[0]->integer[i] ? 1 : 2]->number[i];
    else if (it->op == EXPR_SELECT) for (int i = 0; i < n; i++) r->integer[i] = arg[arg[0]->integer[i] ? 1 : 2]->integer[i];
    else if (to_float) eval_float_op(it->op, (const double *const[]){arg[0]->number, arg[1]->number}, r->number, n);
    else if (elem_is_float(from)) eval_float_test(it->op, (const double *const[]){arg[0]->number, arg[1]->number}, r->integer, n);
    else eval_integer_op(it->op, from == ELEM_U64, (const int64_t *const[]){arg[0]->integer, arg[1]->integer}, r->integer, n);

    const bool is_exact = it->op == EXPR_INPUT && input[it->index].stored == it->elem;
    if (!to_float) for (int i = 0; i < n; i++) r->integer[i] = eval_wrap(it->elem, r->integer[i]);
    else if (c->mode == EVAL_TYPED && !is_exact) eval_round(it->elem, r->number, n);
}

status eval_apply(const eval_context *c, const ir_node *n, const expr *e, int inputs, const eval_operand *input, int64_t first, int64_t count,
                  elem stored, void *data)
{
    if (!e || !is_sound(e, inputs, input)) return eval_fail(c, n, -1, STATUS_VERIFY, "an expression does not fit its inputs");
    lane *lanes = eval_allocate(e->count, sizeof *lanes);
    if (!lanes) return eval_out_of_memory(c, n);
    for (int i = 0; i < e->count; i++) {
        if (e->item[i].op == EXPR_CONSTANT) fill_constant(c, &e->item[i], &lanes[i]);
    }
    const lane *result = &lanes[e->count - 1];
    for (int64_t done = 0; done < count; done += BLOCK) {
        int block = count - done < BLOCK ? (int)(count - done) : BLOCK;
        for (int i = 0; i < e->count; i++) run_item(c, e, i, input, first + done, block, lanes);
        if (is_float_item(e, e->count - 1)) eval_store_floats(stored, data, done, block, result->number);
        else eval_store_integers(stored, data, done, block, result->integer);
    }
    free(lanes);
    return STATUS_OK;
}
