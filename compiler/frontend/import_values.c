/* Inputs of nodes: as tensors of the graph, or as contents for shape arithmetic. */
#include <inttypes.h>
#include <string.h>

#include "../ir/eval.h"
#include "import_length.h"

bool import_has(const import_node *n, int i)
{
    return i < n->inputs && n->in[i];
}

const ir_type *import_type(const import_node *n, int i)
{
    return &n->in[i]->type;
}

/* ---- tensors ---- */

static void put_integer(uint8_t *to, elem e, int64_t x)
{
    memcpy(to, &x, elem_size(e));   /* little-endian: the low bytes first */
}

static int64_t get_integer(const uint8_t *from, elem e)
{
    int64_t x = 0;
    const size_t size = elem_size(e);
    memcpy(&x, from, size);
    if (elem_is_signed(e) && size < 8 && x >> (8 * size - 1)) x -= (int64_t)1 << 8 * size;
    return x;
}

static int64_t elements_of(const ir_type *t)
{
    int64_t n = 1;
    return ir_dims_constant(t, NULL, &n) ? n : -1;
}

/* Contents as a constant; NULL: the run-time dimension at *symbolic is among them. */
static ir_value *constant_of(importer *im, import_value *v, dim *symbolic)
{
    const int64_t count = elements_of(&v->type);
    const size_t size = elem_size(v->type.elem);
    uint8_t *data = arena_array(im->arena, (size_t)count, size);
    for (int64_t i = 0; i < count; i++) {
        int64_t x;
        if (!dim_is_constant(v->content[i], &x)) {
            *symbolic = v->content[i];
            return NULL;
        }
        put_integer(data + (size_t)i * size, v->type.elem, x);
    }
    return ir_constant(im->graph, v->type, data, (size_t)count * size, NULL);
}

/* The input and axis that a run-time dimension comes from, for the reader of the message. */
static const char *symbol_source(importer *im, dim d)
{
    for (int i = 0; i < im->graph->parameters; i++) {
        const ir_port *p = &im->graph->parameter[i];
        for (int a = 0; a < p->value->type.rank; a++)
            for (int s = 0; s < im->symbols->count; s++)
                if (dim_mentions(d, s) && dim_mentions(p->value->type.dim[a], s)) {
                    return arena_printf(im->arena, "it is axis %d of input '%.100s'; --shape '%.100s=…' fixes it", a, p->name, p->name);
                }
    }
    return "--shape fixes it";
}

ir_value *import_tensor_of(importer *im, import_value *v, const diag_place *place)
{
    dim symbolic = dim_of(0);
    if (v->tensor) return v->tensor;
    if (v->content) v->tensor = constant_of(im, v, &symbolic);
    if (!v->tensor) v->tensor = import_length_tensor(im, v);
    if (v->tensor) {
        v->tensor->name = v->name;
        return v->tensor;
    }
    if (!v->content) {
        diag_error(im->diag, STATUS_SHAPE_UNKNOWN, place, "it counts along a dimension that only a run knows, and is needed as a tensor; --shape fixes it");
        return NULL;
    }
    diag_error(im->diag, STATUS_SHAPE_UNKNOWN, place, "its element %s is needed as a number: %s", dim_text(im->arena, im->symbols, symbolic),
        symbol_source(im, symbolic));
    return NULL;
}

ir_value *import_tensor(importer *im, import_node *n, int i)
{
    const diag_place place = { .node = n->place, .input = i, .shape = ir_type_text(im->arena, im->symbols, import_type(n, i)) };
    return import_tensor_of(im, n->in[i], &place);
}

/* ---- contents ---- */

const dim *import_contents(importer *im, import_value *v, int64_t *count)
{
    *count = elements_of(&v->type);
    if (v->content) return v->content;
    const ir_bytes *b = v->tensor ? ir_bytes_of(v->tensor) : NULL;
    const elem e = v->type.elem;
    if (!b || *count < 0 || *count > CONTENTS_MAX || elem_is_float(e) || e == ELEM_U64) return NULL;
    dim *content = arena_array(im->arena, (size_t)*count + 1, sizeof *content);
    for (int64_t i = 0; i < *count; i++) content[i] = dim_of(get_integer((const uint8_t *)b->data + (size_t)i * elem_size(e), e));
    v->content = content;
    return content;
}

bool import_dims(importer *im, import_node *n, int i, const char *what, const dim **list, int *count)
{
    int64_t elements;
    const ir_type *t = import_type(n, i);
    if (t->elem != ELEM_I64 && t->elem != ELEM_I32) return import_fail(im, n, STATUS_TYPE, i, "%s must be whole numbers", what);
    *list = import_contents(im, n->in[i], &elements);
    if (!*list) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "%s are computed from what only a run knows", what);
    if (t->rank > 1) return import_fail(im, n, STATUS_SHAPE, i, "%s must be a list", what);
    *count = (int)elements;
    return true;
}

bool import_numbers(importer *im, import_node *n, int i, const char *what, const int64_t **list, int *count)
{
    const dim *dims;
    if (!import_dims(im, n, i, what, &dims, count)) return false;
    int64_t *numbers = arena_array(im->arena, (size_t)*count + 1, sizeof *numbers);
    for (int j = 0; j < *count; j++) {
        if (dim_is_constant(dims[j], &numbers[j])) continue;
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, i, "%s: %s is not known; %s", what, dim_text(im->arena, im->symbols, dims[j]),
            symbol_source(im, dims[j]));
    }
    *list = numbers;
    return true;
}

bool import_numbers_or(importer *im, import_node *n, int i, const char *attribute, const char *what, const int64_t **list, int *count)
{
    if (import_has(n, i)) return import_numbers(im, n, i, what, list, count);
    import_ints(im, n, attribute, list, count);
    return !n->wrong;
}

bool import_scalar(importer *im, import_node *n, int i, double *number)
{
    import_value *v = n->in[i];
    int64_t count, x;
    if (v->tensor) return ir_scalar(v->tensor, number);
    const dim *content = import_contents(im, v, &count);
    if (!content || count != 1 || !dim_is_constant(content[0], &x)) return false;
    *number = (double)x;
    return true;
}

bool import_axis(importer *im, import_node *n, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank) return import_fail(im, n, STATUS_SHAPE, -1, "axis %" PRId64 " of %d", axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}
