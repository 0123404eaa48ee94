/* Values during a run: types and shapes, memory, errors. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

status eval_fail(const eval_context *c, const ir_node *n, int input, status code, const char *format, ...)
{
    if (!c->diag) return code;
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    diag_place place = {NULL, -1, NULL};
    if (n) place.node = ir_describe(n);
    if (n && input >= 0 && input < n->inputs && n->input[input]) {
        place.input = input;
        place.shape = ir_type_text(n->graph->arena, n->graph->symbols, &n->input[input]->type);
    }
    return diag_error(c->diag, code, n ? &place : NULL, "%s", text);
}

status eval_out_of_memory(const eval_context *c, const ir_node *n)
{
    return eval_fail(c, n, -1, STATUS_MEMORY, "while evaluating");
}

status eval_dim(const eval_context *c, const ir_node *n, dim d, int64_t *value)
{
    if (!dim_is_constant(d, value)) {
        if (!c->symbol) return eval_fail(c, n, -1, STATUS_SHAPE_UNKNOWN, "its value is needed while compiling");
        *value = dim_evaluate(d, c->symbol);
    }
    if (*value < 0) return eval_fail(c, n, -1, STATUS_SHAPE, "a dimension is %lld", (long long)*value);
    return STATUS_OK;
}

status eval_describe(const eval_context *c, const ir_node *n, const ir_type *type, eval_value *v)
{
    *v = (eval_value){.elem = type->elem, .stored = eval_stored(c->mode, type->elem), .rank = type->rank, .elements = 1};
    bool fits = true, empty = false;
    for (int i = 0; i < type->rank; i++) {
        status s = eval_dim(c, n, type->dim[i], &v->shape[i]);
        if (s != STATUS_OK) return s;
        if (v->shape[i] == 0) empty = true;
        else if (!checked_mul(v->elements, v->shape[i], &v->elements)) fits = false;
    }
    if (empty) v->elements = 0;
    else if (!fits) return eval_fail(c, n, -1, STATUS_MEMORY, "a tensor has more elements than can be counted");
    return STATUS_OK;
}

void *eval_allocate(int64_t count, size_t size)
{
    int64_t bytes;
    if (count < 0 || !checked_mul(count, (int64_t)size, &bytes) || bytes > INT64_MAX / 4 || (uint64_t)bytes > SIZE_MAX / 4) return NULL;
    return aligned_alloc(64, ((size_t)bytes + 64) / 64 * 64);
}

status eval_room(const eval_context *c, const ir_node *n, eval_value *v)
{
    v->data = v->owned = eval_allocate(v->elements, elem_size(v->stored));
    return v->owned ? STATUS_OK : eval_out_of_memory(c, n);
}

void eval_release(eval_value *v)
{
    free(v->owned);
    v->owned = NULL;
    v->data = NULL;
}

status eval_copy(const eval_context *c, const ir_node *n, const eval_value *v, elem stored, eval_value *to)
{
    eval_value copy = *v;
    copy.stored = stored;
    status s = eval_room(c, n, &copy);
    if (s != STATUS_OK) return s;
    if (v->stored == stored) {
        if (v->elements > 0) memcpy(copy.owned, v->data, (size_t)v->elements * elem_size(stored));
    } else {
        double block[512];
        for (int64_t i = 0, step; i < v->elements; i += step) {
            step = v->elements - i < 512 ? v->elements - i : 512;
            eval_load_floats(v->stored, v->data, i, 1, step, block);
            eval_store_floats(stored, copy.owned, i, step, block);
        }
    }
    *to = copy;
    return STATUS_OK;
}

int64_t eval_product_of(const int64_t *shape, int from, int to)
{
    int64_t product = 1;
    for (int i = from; i < to; i++) product *= shape[i];
    return product;
}

bool eval_shape_is(const eval_value *v, int rank, const int64_t *shape)
{
    return v->rank == rank && (rank == 0 || memcmp(v->shape, shape, (size_t)rank * sizeof *shape) == 0);
}
