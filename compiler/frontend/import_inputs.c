/* The graph's inputs: types, run-time symbols, and what --shape and --bind say about them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"

static const int64_t SYMBOL_MAX = (int64_t)1 << 20;

/* What a name of the file (dim_param) stands for. */
typedef struct binding { const char *param; dim value; } binding;

typedef struct inputs {
    importer *im;
    int bindings;
    binding *binding;
} inputs;

static bool fail(inputs *in, status code, const Onnx__ValueInfoProto *v, const char *what)
{
    diag_error(in->im->diag, code, NULL, "input '%.200s': %s", v->name, what);
    return false;
}

/* ---- symbols ---- */

/* A C identifier for a name of the file; one that another name took already gets a number. */
static const char *symbol_name(importer *im, const char *param)
{
    char *name = arena_printf(im->arena, "%s%.60s", param[0] >= '0' && param[0] <= '9' ? "_" : "", param);
    for (char *c = name; *c; c++) {
        const bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_';
        if (!word) *c = '_';
    }
    const char *unique = *name ? name : "N";
    for (int i = 2; dim_find(im->symbols, unique) >= 0; i++) unique = arena_printf(im->arena, "%s_%d", *name ? name : "N", i);
    return unique;
}

static dim new_symbol(importer *im, const char *param)
{
    return dim_symbol_of(dim_declare(im->arena, im->symbols, symbol_name(im, param), 1, SYMBOL_MAX));
}

/* A name of --shape, "--shape N", apart from those of the file. */
static const char *word_key(importer *im, const char *word)
{
    return arena_printf(im->arena, "--shape %s", word);
}

static const dim *find_binding(const inputs *in, const char *param)
{
    for (int i = 0; i < in->bindings; i++)
        if (!strcmp(in->binding[i].param, param)) return &in->binding[i].value;
    return NULL;
}

static void bind(inputs *in, const char *param, dim value)
{
    in->binding = arena_grow(in->im->arena, in->binding, (size_t)in->bindings, sizeof *in->binding);
    in->binding[in->bindings++] = (binding){ param, value };
}

/* ---- one dimension ---- */

/* NULL without a name, which "?" and "-1" are not: exporters write them for every size that they do not know. */
static const char *param_of(const Onnx__TensorShapeProto__Dimension *d)
{
    const bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && d->dim_param && *d->dim_param;
    return named && strcmp(d->dim_param, "?") && strcmp(d->dim_param, "-1") ? d->dim_param : NULL;
}

static bool fixed(const Onnx__TensorShapeProto__Dimension *d)
{
    return d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0;
}

/* "past_length + 1" or "2*batch" in the file, where the name is bound. */
static bool form_of_file(const inputs *in, const char *param, dim *out)
{
    const char *plus = strchr(param, '+'), *times = strchr(param, '*'), *name = times ? times + 1 : param, *number = times ? param : plus + 1;
    size_t length = times ? strlen(name) : plus ? (size_t)(plus - param) : 0;
    char *end;
    while (length && name[length - 1] == ' ') length--;
    while (length && *name == ' ') name++, length--;
    const dim *known = length && !(plus && times) ? find_binding(in, arena_strndup(in->im->arena, name, length)) : NULL;
    const long long by = known ? strtoll(number, &end, 10) : 0;
    if (!known || by <= 0 || by > INT32_MAX) return false;
    while (*end == ' ') end++;
    return times ? end == times && dim_mul(*known, dim_of(by), out) : !*end && dim_add(*known, dim_of(by), out);
}

/* The file's own word on a dimension that --shape leaves alone. False: it has none; nothing is reported. */
static bool file_dim(inputs *in, int axis, const Onnx__TensorShapeProto__Dimension *d, dim *out)
{
    const char *param = param_of(d);
    const dim *known = param ? find_binding(in, param) : NULL;
    if (fixed(d)) *out = dim_of(d->dim_value);
    else if (known) *out = *known;
    else if (param && form_of_file(in, param, out)) return true;
    else if (axis == 0) {
        *out = new_symbol(in->im, param ? param : "N");
        if (param) bind(in, param, *out);
    } else {
        return false;
    }
    return true;
}

/* Tells which axes are open, and how to give them. */
static bool fail_open(inputs *in, const Onnx__ValueInfoProto *v)
{
    const Onnx__TensorShapeProto *shape = v->type->tensor_type->shape;
    strbuf open = strbuf_in(in->im->arena), example = strbuf_in(in->im->arena);
    for (int a = 0; a < (int)shape->n_dim; a++) {
        const char *param = param_of(shape->dim[a]);
        const bool is_fixed = fixed(shape->dim[a]);
        if (!is_fixed && a) strbuf_printf(&open, "%s%d (%.60s)", open.length ? ", " : "", a, param ? param : "no name");
        if (is_fixed) strbuf_printf(&example, "%s%" PRId64, a ? "," : "", shape->dim[a]->dim_value);
        else strbuf_printf(&example, "%s%.60s", a ? "," : "", a ? param ? param : "?" : "N");
    }
    return fail(in, STATUS_SHAPE_UNKNOWN, v,
        arena_printf(in->im->arena, "no fixed size for axis %s; give them all but the batch as numbers in --shape '%.200s=%s'", open.text, v->name, example.text));
}

/* What follows the name in "name=1,2,P<=48": behind the last = that belongs to no <=; NULL: there is no name. */
static const char *behind_name(const char *text)
{
    for (const char *at = text + strlen(text); at-- > text;)
        if (*at == '=' && (at == text || at[-1] != '<')) return at + 1;
    return NULL;
}

/* The word that `text` starts with; its length. */
static size_t word_length(const char *text)
{
    size_t n = 0;
    while ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z') || text[n] == '_' || (n && text[n] >= '0' && text[n] <= '9')) n++;
    return n;
}

/* The lengths that --shape declares, as in "P<=48": before all inputs, since any may use them. Wrong ones are left to given_dim. */
static void declare_lengths(inputs *in)
{
    importer *im = in->im;
    for (int i = 0; i < im->options->shapes; i++) {
        const char *list = behind_name(im->options->shape[i]);
        for (const char *at = list ? list : im->options->shape[i]; *at; at += strcspn(at, ","), at += *at == ',') {
            const size_t length = word_length(at);
            char *end;
            if (!length || strncmp(at + length, "<=", 2)) continue;
            const long long capacity = strtoll(at + length + 2, &end, 10);
            const char *word = arena_strndup(im->arena, at, length), *key = word_key(im, word);
            if ((*end && *end != ',') || capacity < 1 || capacity > SYMBOL_MAX || find_binding(in, key)) continue;
            bind(in, key, dim_symbol_of(dim_declare_length(im->arena, im->symbols, symbol_name(im, word), capacity)));
        }
    }
}

/* A word of --shape: N, P<=48, or behind that P and P+1. */
static bool given_symbol(inputs *in, const Onnx__ValueInfoProto *v, int axis, const char *text, dim *out)
{
    arena *a = in->im->arena;
    const size_t length = word_length(text);
    const char *word = arena_strndup(a, text, length), *rest = text + length;
    const dim *known = find_binding(in, word_key(in->im, word));
    char *end;
    int symbol;
    if (!length) return fail(in, STATUS_BIND, v, arena_printf(a, "'%.60s' is neither a number nor a word", text));
    const bool is_length = known && dim_is_length(in->im->symbols, *known, &symbol);
    const bool capacity = !strncmp(rest, "<=", 2), sum = *rest == '+';
    const long long number = capacity || sum ? strtoll(rest + (capacity ? 2 : 1), &end, 10) : 0;
    if (*rest && (!(capacity || sum) || *end || number < 1 || number > SYMBOL_MAX)) {
        return fail(in, STATUS_BIND, v, arena_printf(a, "axis %d cannot be '%.60s'; a length up to a capacity is P<=48, and then P or P+1", axis, text));
    }
    if (capacity && (!is_length || in->im->symbols->symbol[symbol].max != number)) {
        return fail(in, STATUS_BIND, v, arena_printf(a, "axis %d: '%.60s' is given two capacities", axis, word));
    }
    if (sum && !is_length) {
        return fail(in, STATUS_BIND, v, arena_printf(a, "axis %d: '%.60s' has no capacity; one is given as %.60s<=48", axis, word, word));
    }
    if (known) return dim_add(*known, dim_of(sum ? number : 0), out);
    *out = new_symbol(in->im, word);
    bind(in, word_key(in->im, word), *out);
    return true;
}

/* One word or number of --shape. */
static bool given_dim(inputs *in, const Onnx__ValueInfoProto *v, int axis, const Onnx__TensorShapeProto__Dimension *d, const char *text, dim *out)
{
    arena *a = in->im->arena;
    char *end;
    const long long number = strtoll(text, &end, 10);
    const char *param = param_of(d);
    const bool is_number = end != text && !*end;
    if (is_number && (number < (fixed(d) ? 0 : 1) || number > INT32_MAX)) return fail(in, STATUS_BIND, v, arena_printf(a, "axis %d cannot be %.30s", axis, text));
    if (fixed(d) && (!is_number || number != d->dim_value)) {
        return fail(in, STATUS_BIND, v, arena_printf(a, "axis %d is %" PRId64 " in the model, not %.60s", axis, d->dim_value, text));
    }
    if (is_number) *out = dim_of(number);
    else if (!given_symbol(in, v, axis, text, out)) return false;
    const dim *before = param ? find_binding(in, param) : NULL;
    if (before && !dim_equal(*before, *out)) {
        return fail(in, STATUS_BIND, v, arena_printf(a, "axis %d, '%.100s' in the model, is bound twice", axis, param));
    }
    if (param && !before) bind(in, param, *out);
    return true;
}

/* ---- --shape ---- */

/* The list of dimensions given for an input; NULL: none. `used` marks the arguments that were taken. */
static const char *given_for(inputs *in, const Onnx__ValueInfoProto *v, int inputs_count, bool *used)
{
    const frontend_options *o = in->im->options;
    const char *found = NULL;
    for (int i = 0; i < o->shapes; i++) {
        const char *list = behind_name(o->shape[i]);
        const bool mine = list ? strlen(v->name) == (size_t)(list - 1 - o->shape[i]) && !strncmp(o->shape[i], v->name, strlen(v->name)) : inputs_count == 1;
        if (!mine) continue;
        used[i] = true;
        if (found) fail(in, STATUS_BIND, v, "its shape is given twice");
        found = list ? list : o->shape[i];
    }
    return found;
}

static bool apply_given(inputs *in, const Onnx__ValueInfoProto *v, const char *list, ir_type *type)
{
    const Onnx__TensorShapeProto *shape = v->type->tensor_type->shape;
    int given = 1;
    bool fine = true;
    for (const char *comma = list; (comma = strchr(comma, ',')); comma++) given++;
    if (given != type->rank)
        return fail(in, STATUS_BIND, v, arena_printf(in->im->arena, "it has %d axes, --shape gives %d", type->rank, given));
    const char *at = list;
    for (int axis = 0; axis < given; axis++) {
        const size_t n = strcspn(at, ",");
        fine &= given_dim(in, v, axis, shape->dim[axis], arena_strndup(in->im->arena, at, n), &type->dim[axis]);
        at += n + (at[n] == ',');
    }
    return fine;
}

/* ---- --bind ---- */

static const frontend_binding *bound_to(const importer *im, const Onnx__ValueInfoProto *v)
{
    for (int i = 0; i < im->options->bindings; i++)
        if (!strcmp(im->options->binding[i].name, v->name)) return &im->options->binding[i];
    return NULL;
}

/* The value's sizes fix the input's, as --shape would. */
static bool apply_binding(inputs *in, const Onnx__ValueInfoProto *v, const frontend_binding *b, ir_type *type)
{
    arena *a = in->im->arena;
    strbuf list = strbuf_in(a);
    if (b->elem != type->elem) {
        return fail(in, STATUS_BIND, v, arena_printf(a, "it is %s, --bind gives %s", elem_name(type->elem), elem_name(b->elem)));
    }
    if (b->rank != type->rank) return fail(in, STATUS_BIND, v, arena_printf(a, "it has %d axes, --bind gives %d", type->rank, b->rank));
    for (int i = 0; i < b->rank; i++) strbuf_printf(&list, "%s%" PRId64, i ? "," : "", b->shape[i]);
    return !b->rank || apply_given(in, v, list.text, type);
}

static void check_bindings(importer *im)
{
    const frontend_options *o = im->options;
    for (int i = 0; i < o->bindings; i++) {
        const frontend_binding *b = &o->binding[i];
        const import_value *v = import_value_named(im, b->name, false);
        for (int k = 0; k < i; k++)
            if (!strcmp(o->binding[k].name, b->name)) diag_error(im->diag, STATUS_BIND, NULL, "--bind %.200s: it is bound twice", b->name);
        if (!v || !v->is_input || v->initializer) diag_error(im->diag, STATUS_BIND, NULL, "--bind %.200s: no input of this name", b->name);
    }
}

/* ---- inputs ---- */

static bool start_type(inputs *in, const Onnx__ValueInfoProto *v, ir_type *type)
{
    const bool tensor = v->type && v->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    if (!tensor) return fail(in, STATUS_TYPE, v, "it is no tensor");
    const Onnx__TypeProto__Tensor *t = v->type->tensor_type;
    *type = (ir_type){ .elem = elem_from_onnx(t->elem_type) };
    if (type->elem == ELEM_NONE) return fail(in, STATUS_TYPE, v, arena_printf(in->im->arena, "its data type is %" PRId32, t->elem_type));
    if (!t->shape) return fail(in, STATUS_SHAPE_UNKNOWN, v, "the file does not tell its number of axes");
    if (t->shape->n_dim > IR_RANK_MAX) return fail(in, STATUS_TOO_LARGE, v, "it has more than 8 axes");
    type->rank = (int)t->shape->n_dim;
    return true;
}

static bool file_type(inputs *in, const Onnx__ValueInfoProto *v, ir_type *type)
{
    int64_t elements = 1;
    bool fine = true;
    for (int a = 0; a < type->rank; a++) {
        int64_t size;
        fine &= file_dim(in, a, v->type->tensor_type->shape->dim[a], &type->dim[a]);
        if (fine && dim_is_constant(type->dim[a], &size) && __builtin_mul_overflow(elements, size, &elements)) {
            return fail(in, STATUS_TOO_LARGE, v, "its size overflows");
        }
    }
    return fine || fail_open(in, v);
}

/* An initializer of the same name makes an input a constant. */
static bool is_input(importer *im, const Onnx__ValueInfoProto *v)
{
    return v->name && *v->name && !import_value_named(im, v->name, true)->initializer;
}

static void declare(importer *im, const Onnx__ValueInfoProto *v, const ir_type *type)
{
    import_value *value = import_value_named(im, v->name, true);
    value->known = true;
    value->type = *type;
    const frontend_binding *b = bound_to(im, v);
    if (!b) value->tensor = ir_add_parameter(im->graph, v->name, *type);
    else {
        value->tensor = ir_constant(im->graph, *type, b->data, b->size, NULL);
        value->tensor->name = v->name;
    }
}

/* The batch is what a first axis is called, in other places too. False: that is fixed. */
static bool bind_first(inputs *in, const Onnx__ValueInfoProto *v)
{
    const Onnx__TensorShapeProto *shape = v->type->tensor_type->shape;
    if (!shape->n_dim || fixed(shape->dim[0])) return false;
    const char *param = param_of(shape->dim[0]);
    dim found;
    if (param && !strpbrk(param, "+*")) file_dim(in, 0, shape->dim[0], &found);
    return true;
}

/* Where no first axis is open, it is the one that is, behind several places ([tokens, N, features]); behind one it may as well be a length. */
static void bind_inner(inputs *in, const Onnx__ValueInfoProto *v)
{
    const Onnx__TensorShapeProto *shape = v->type->tensor_type->shape;
    int open = 0, axis = 0;
    for (int a = 0; a < (int)shape->n_dim; a++)
        if (!fixed(shape->dim[a])) axis = a, open++;
    const char *param = open == 1 ? param_of(shape->dim[axis]) : NULL;
    if (param && shape->dim[0]->dim_value > 1 && !find_binding(in, param)) bind(in, param, new_symbol(in->im, param));
}

/* Names that the file gives the batch are bound before the inputs' types are read. */
static void bind_batch(inputs *in, const bool *open)
{
    const Onnx__GraphProto *g = in->im->source;
    bool found = false;
    for (size_t i = 0; i < g->n_input; i++)
        if (open[i]) found |= bind_first(in, g->input[i]);
    for (int s = 0; s < in->im->symbols->count; s++) found |= !in->im->symbols->symbol[s].length;
    for (size_t i = 0; i < g->n_input && !found; i++)
        if (open[i]) bind_inner(in, g->input[i]);
}

void import_inputs(importer *im)
{
    inputs in = { .im = im };
    const Onnx__GraphProto *g = im->source;
    ir_type *type = arena_array(im->arena, g->n_input + 1, sizeof *type);
    bool *fine = arena_array(im->arena, g->n_input + 1, sizeof *fine), *open = arena_array(im->arena, g->n_input + 1, sizeof *open);
    bool *used = arena_array(im->arena, (size_t)im->options->shapes + 1, sizeof *used);
    int count = 0;
    for (size_t i = 0; i < g->n_input; i++) count += is_input(im, g->input[i]);
    declare_lengths(&in);
    for (size_t i = 0; i < g->n_input; i++) {          /* --shape first: it binds names that other inputs may use */
        const Onnx__ValueInfoProto *v = g->input[i];
        if (!is_input(im, v)) continue;
        fine[i] = start_type(&in, v, &type[i]);
        const char *list = given_for(&in, v, count, used);
        const frontend_binding *b = bound_to(im, v);
        if (fine[i] && list && b) fine[i] = fail(&in, STATUS_BIND, v, "--bind gives its shape, and --shape too");
        else if (fine[i] && (list || b)) fine[i] = list ? apply_given(&in, v, list, &type[i]) : apply_binding(&in, v, b, &type[i]);
        open[i] = fine[i] && !list && !b;
    }
    bind_batch(&in, open);
    for (size_t i = 0; i < g->n_input; i++) {
        const Onnx__ValueInfoProto *v = g->input[i];
        if (!is_input(im, v)) continue;
        if (open[i]) fine[i] = file_type(&in, v, &type[i]);
        if (fine[i]) declare(im, v, &type[i]);
        else import_value_named(im, v->name, true)->failed = true;
    }
    check_bindings(im);
    for (int i = 0; i < im->options->shapes; i++)
        if (!used[i]) {
            diag_error(im->diag, STATUS_BIND, NULL, "--shape %.200s: %s", im->options->shape[i], behind_name(im->options->shape[i])
                ? "no input of this name" : "which input it means must be said, as in name=N,3,224,224");
        }
}
