/* Order along the last axis: the first elements of each row; and slices of rows read and written by their places. */
#include <stdlib.h>
#include <string.h>

#include "eval_private.h"

/* An element and its place; a float, an integer, or the bits of a u64. */
typedef struct ranked { double number; int64_t integer, place; bool is_u64, is_least; } ranked;

static int sign_of(const ranked *a, const ranked *b)
{
    if (a->number != a->number || b->number != b->number) return (a->number != a->number) - (b->number != b->number);
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    if (a->is_u64) return ((uint64_t)a->integer > (uint64_t)b->integer) - ((uint64_t)a->integer < (uint64_t)b->integer);
    return (a->integer > b->integer) - (a->integer < b->integer);
}

static int compare(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    const int sign = a->is_least ? sign_of(a, b) : sign_of(b, a);
    return sign ? sign : (a->place > b->place) - (a->place < b->place);
}

status eval_topk(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0];
    const int64_t count = ir_int(n, KEY_COUNT, 0), size = x->rank ? x->shape[x->rank - 1] : 0;
    const bool least = !strcmp(ir_name(n, KEY_KIND, ""), "least"), is_float = elem_is_float(x->stored);
    if (count < 1 || count > size || out->elements % count || out->elements / count != x->elements / size) {
        return eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
    }
    ranked *row = eval_allocate(size, sizeof *row);
    if (!row) return eval_out_of_memory(c, n);
    for (int64_t r = 0; r < x->elements / size; r++) {
        for (int64_t i = 0; i < size; i++) {
            row[i] = (ranked){ .place = i, .is_u64 = x->stored == ELEM_U64, .is_least = least };
            if (is_float) eval_load_floats(x->stored, x->data, r * size + i, 1, 1, &row[i].number);
            else eval_load_integers(x->stored, x->data, r * size + i, 1, 1, &row[i].integer);
        }
        qsort(row, (size_t)size, sizeof *row, compare);
        for (int64_t i = 0; i < count; i++) eval_store_integers(out->stored, out->owned, r * count + i, 1, &row[i].place);
    }
    free(row);
    return STATUS_OK;
}

/* `count` elements from `from` on. */
static void copy_slice(const eval_value *x, int64_t from, eval_value *out, int64_t to, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t whole;
        double number;
        if (elem_is_float(out->stored)) {
            eval_load_floats(x->stored, x->data, from + i, 1, 1, &number);
            eval_store_floats(out->stored, out->owned, to + i, 1, &number);
        } else {
            eval_load_integers(x->stored, x->data, from + i, 1, 1, &whole);
            eval_store_integers(out->stored, out->owned, to + i, 1, &whole);
        }
    }
}

status eval_pick(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0], *indices = in[1];
    const int axis = indices->rank - 1;
    const int64_t size = axis >= 0 && axis < x->rank ? x->shape[axis] : 0, count = axis >= 0 ? indices->shape[axis] : 0;
    const int64_t slice = eval_product_of(x->shape, axis + 1, x->rank);
    if (out->elements != indices->elements * slice || (size && count && slice && x->elements / (size * slice) != indices->elements / count)) {
        return eval_fail(c, n, 1, STATUS_SHAPE, "the output is of another shape");
    }
    for (int64_t i = 0; i < indices->elements; i++) {
        int64_t index;
        eval_load_integers(indices->stored, indices->data, i, 1, 1, &index);
        if (index < -size || index >= size)
            return eval_fail(c, n, 1, STATUS_SHAPE, "index %lld is outside of %lld", (long long)index, (long long)size);
        copy_slice(x, (i / count * size + (index < 0 ? index + size : index)) * slice, out, i * slice, slice);
    }
    return STATUS_OK;
}

/* One element of out becomes its combination with one of the updates; bool and plain ones are copied. */
static void combine(expr_op op, elem declared, const eval_value *update, int64_t from, eval_value *out, int64_t to)
{
    int64_t whole[3];
    double number[3];
    if (elem_is_float(out->stored)) {
        eval_load_floats(out->stored, out->owned, to, 1, 1, &number[0]);
        eval_load_floats(update->stored, update->data, from, 1, 1, &number[1]);
        if (op == EXPR_INPUT) number[2] = number[1];
        else eval_float_op(op, (const double *const[]){&number[0], &number[1]}, &number[2], 1);
        eval_store_floats(out->stored, out->owned, to, 1, &number[2]);
    } else {
        eval_load_integers(out->stored, out->owned, to, 1, 1, &whole[0]);
        eval_load_integers(update->stored, update->data, from, 1, 1, &whole[1]);
        if (op == EXPR_INPUT) whole[2] = whole[1];
        else eval_integer_op(op, declared == ELEM_U64, (const int64_t *const[]){&whole[0], &whole[1]}, &whole[2], 1);
        eval_store_integers(out->stored, out->owned, to, 1, &whole[2]);
    }
}

status eval_scatter(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    static const struct { const char *name; expr_op op; } kinds[] = {
        {"none", EXPR_INPUT}, {"add", EXPR_ADD}, {"mul", EXPR_MUL}, {"max", EXPR_MAX}, {"min", EXPR_MIN},
    };
    const eval_value *x = in[0], *places = in[1], *update = in[2];
    const int axis = places->rank - 1;
    const int64_t size = axis < x->rank ? x->shape[axis] : 0, count = places->shape[axis], slice = eval_product_of(x->shape, axis + 1, x->rank);
    expr_op op = EXPR_INPUT;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, ir_name(n, KEY_KIND, ""))) op = kinds[i].op;
    if (out->elements != x->elements || update->elements != places->elements * slice) {
        return eval_fail(c, n, 2, STATUS_SHAPE, "it is of another shape");
    }
    copy_slice(x, 0, out, 0, x->elements);
    for (int64_t i = 0; i < places->elements; i++) {
        int64_t place;
        eval_load_integers(places->stored, places->data, i, 1, 1, &place);
        if (place < 0 || place >= size) continue;
        for (int64_t j = 0; j < slice; j++) combine(op, x->elem, update, i * slice + j, out, (i / count * size + place) * slice + j);
    }
    return STATUS_OK;
}
