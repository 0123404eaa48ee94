/* Looking at graphs: tables, attributes, constants, uses, descriptions. */
#include <string.h>

#include "../base/checked.h"
#include "eval.h"
#include "ir_private.h"

const ir_op_row ir_op_rows[IR_OP_COUNT] = {
#define OP(NAME, name, least, most, outputs, attributes) [IR_##NAME] = {#name, least, most, outputs, attributes},
#include "ops.def"
#undef OP
};

static const struct { const char *name; ir_kind kind; } key_rows[IR_KEY_COUNT] = {
#define KEY(NAME, name, KIND) [KEY_##NAME] = {#name, KIND_##KIND},
#include "keys.def"
#undef KEY
};

const char *ir_op_name(ir_op op)
{
    return ir_op_rows[op].name;
}

int ir_op_from_name(const char *name)
{
    for (int i = 0; i < IR_OP_COUNT; i++)
        if (strcmp(ir_op_rows[i].name, name) == 0) return i;
    return -1;
}

const char *ir_key_name(ir_key key)
{
    return key_rows[key].name;
}

int ir_key_from_name(const char *name)
{
    for (int i = 0; i < IR_KEY_COUNT; i++)
        if (strcmp(key_rows[i].name, name) == 0) return i;
    return -1;
}

ir_kind ir_key_kind(ir_key key)
{
    return key_rows[key].kind;
}

bool ir_op_takes(ir_op op, ir_key key, bool *required)
{
    const char *name = key_rows[key].name;
    size_t length = strlen(name);
    for (const char *s = ir_op_rows[op].attributes; *s;) {
        size_t n = strcspn(s, " ?");
        bool optional = s[n] == '?';
        if (n == length && strncmp(s, name, n) == 0) {
            if (required) *required = !optional;
            return true;
        }
        s += n + optional;
        s += strspn(s, " ");
    }
    return false;
}

/* ---- attributes ---- */

const ir_attribute *ir_find(const ir_node *n, ir_key key)
{
    for (const ir_attribute *a = n->attributes; a; a = a->next)
        if (a->key == key) return a;
    return NULL;
}

int64_t ir_int(const ir_node *n, ir_key key, int64_t otherwise)
{
    const ir_attribute *a = ir_find(n, key);
    return a ? a->integer : otherwise;
}

double ir_number(const ir_node *n, ir_key key, double otherwise)
{
    const ir_attribute *a = ir_find(n, key);
    return a ? a->number : otherwise;
}

const char *ir_name(const ir_node *n, ir_key key, const char *otherwise)
{
    const ir_attribute *a = ir_find(n, key);
    return a ? a->name : otherwise;
}

bool ir_is_name(const ir_node *n, ir_key key, const char *word)
{
    const ir_attribute *a = ir_find(n, key);
    return a && strcmp(a->name, word) == 0;
}

const expr *ir_expr(const ir_node *n, ir_key key)
{
    const ir_attribute *a = ir_find(n, key);
    return a ? a->expr : NULL;
}

const move *ir_move(const ir_node *n)
{
    const ir_attribute *a = ir_find(n, KEY_MOVE);
    return a ? a->move : NULL;
}

/* ---- constants ---- */

static ir_bytes *bytes_of(const ir_value *v)
{
    if (!v || !v->def || v->def->op != IR_CONST) return NULL;
    const ir_attribute *a = ir_find(v->def, KEY_BYTES);
    return a ? a->bytes : NULL;
}

const ir_bytes *ir_bytes_of(const ir_value *v)
{
    return bytes_of(v);
}

digest ir_bytes_digest(const ir_value *v)
{
    ir_bytes *b = bytes_of(v);
    if (!b) return (digest){0, 0};
    if (b->digest.low == 0 && b->digest.high == 0) {
        unsigned char head[8 * (IR_RANK_MAX + 2)] = {(unsigned char)v->type.elem, (unsigned char)v->type.rank};
        for (int i = 0; i < v->type.rank; i++) {
            int64_t size = 0;
            dim_is_constant(v->type.dim[i], &size);
            for (int k = 0; k < 8; k++) head[8 * (i + 1) + k] = (unsigned char)((uint64_t)size >> 8 * k);
        }
        b->digest = digest_bytes(digest_bytes((digest){0, 0}, head, sizeof head), b->data, b->size);
    }
    return b->digest;
}

bool ir_is_const(const ir_value *v)
{
    return v && v->def && v->def->op == IR_CONST;
}

bool ir_is_constant(const ir_value *v)
{
    return v && v->def && v->def->constant;
}

/* The first element of a constant, whatever its type. */
static bool first_number(const ir_value *v, double *number)
{
    const ir_bytes *b = ir_bytes_of(v);
    size_t size = b ? elem_size(v->type.elem) : 0;
    if (size == 0 || b->size < size) return false;
    union { unsigned char byte[8]; double number; int64_t integer; } first = {.integer = 0};
    memcpy(first.byte, b->data, size);
    eval_tensor one = {.elem = v->type.elem, .elements = 1, .data = &first};
    *number = elem_is_float(one.elem) ? eval_number(EVAL_TYPED, &one, 0) : (double)eval_integer(EVAL_TYPED, &one, 0);
    return true;
}

bool ir_scalar(const ir_value *v, double *number)
{
    const ir_bytes *b = ir_bytes_of(v);
    double first;
    if (!b || b->size != elem_size(v->type.elem) || !first_number(v, &first)) return false;
    if (number) *number = first;
    return true;
}

bool ir_splat(const ir_value *v, double *number)
{
    const ir_bytes *b = ir_bytes_of(v);
    double first;
    if (!b || b->size > 65536 * elem_size(v->type.elem) || !first_number(v, &first)) return false;
    size_t size = elem_size(v->type.elem);
    if (b->size > size && memcmp(b->data, (const char *)b->data + size, b->size - size) != 0) return false;
    if (number) *number = first;
    return true;
}

/* ---- uses ---- */

bool ir_is_result(const ir_value *v)
{
    for (int i = 0; i < v->graph->results; i++)
        if (v->graph->result[i].value == v) return true;
    return false;
}

ir_node *ir_producer(const ir_value *v, ir_op op)
{
    return v && v->def && v->def->op == op ? v->def : NULL;
}

bool ir_only_use(const ir_value *v, const ir_node *n)
{
    return v->uses == 1 && v->user[0] == n && !ir_is_result(v);
}

/* ---- types ---- */

bool ir_type_equal(const ir_type *a, const ir_type *b)
{
    if (a->elem != b->elem || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->dim[i], b->dim[i])) return false;
    return true;
}

bool ir_dims_constant(const ir_type *t, int64_t *shape, int64_t *elements)
{
    int64_t product = 1, size;
    bool empty = false, overflow = false;
    for (int i = 0; i < t->rank; i++) {
        if (!dim_is_constant(t->dim[i], &size) || size < 0) return false;
        if (shape) shape[i] = size;
        if (size == 0) empty = true;
        else if (!checked_mul(product, size, &product)) overflow = true;
    }
    if (overflow && !empty) return false;
    if (elements) *elements = empty ? 0 : product;
    return true;
}

const char *ir_type_text(arena *a, const dim_symbols *s, const ir_type *t)
{
    strbuf b = strbuf_in(a);
    strbuf_printf(&b, "%s[", elem_name(t->elem));
    for (int i = 0; i < t->rank; i++) strbuf_printf(&b, "%s%s", i ? "," : "", dim_text(a, s, t->dim[i]));
    strbuf_add(&b, "]");
    return b.text;
}

const char *ir_describe(const ir_node *n)
{
    arena *a = n->graph->arena;
    if (n->origins == 1) return arena_printf(a, "node %s", n->origin[0]);
    if (n->origins > 1) return arena_printf(a, "node %s and %d more", n->origin[0], n->origins - 1);
    if (n->output && n->outputs > 0) return arena_printf(a, "node %%%d %s", n->output[0]->id, ir_op_name(n->op));
    return arena_printf(a, "node %s", ir_op_name(n->op));
}
