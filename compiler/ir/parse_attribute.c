/* The reader's part behind the parenthesis: types, attributes, constants, origins. */
#include <inttypes.h>
#include <string.h>

#include "../base/checked.h"
#include "parse_private.h"
#include "text.h"

enum { WORD = 32, LIST_MAX = 64, NAME_MAX_LENGTH = 128, BYTES_MAX = 1 << 30 };

bool parse_type(parser *p, ir_type *type)
{
    char word[WORD];
    *type = (ir_type){.elem = ELEM_NONE};
    if (text_word(&p->at, word, sizeof word)) type->elem = elem_from_name(word);
    if (type->elem == ELEM_NONE) return parse_fail(p, "an element type is expected");
    if (!text_accept(&p->at, "[") || text_accept(&p->at, "]")) return true;      /* a scalar, with or without brackets */
    do {
        if (type->rank == IR_RANK_MAX) return parse_fail(p, "a type has at most %d axes", IR_RANK_MAX);
        if (!dim_parse(p->symbols, p->at, &p->at, &type->dim[type->rank++])) return parse_fail(p, "a dimension is expected");
    } while (text_accept(&p->at, ","));
    return parse_expect(p, "]");
}

/* ---- constants ---- */

static bool parse_elements(parser *p, elem e, int64_t count, unsigned char *data)
{
    for (int64_t i = 0; i < count; i++) {
        double number;
        int64_t integer;
        if (i > 0 && !parse_expect(p, ",")) return false;
        if (elem_is_float(e)) {
            if (!text_number(&p->at, e, &number)) return parse_fail(p, "a number is expected");
            text_store_number(e, number, data + (size_t)i * elem_size(e));
        } else {
            if (!text_integer(&p->at, e, &integer)) return parse_fail(p, "an integer that fits %s is expected", elem_name(e));
            text_store_integer(e, integer, data + (size_t)i * elem_size(e));
        }
    }
    return parse_expect(p, "]");
}

/* All elements alike. */
static bool parse_splat(parser *p, elem e, int64_t count, unsigned char *data)
{
    double number;
    int64_t integer;
    unsigned char one[8] = {0};
    if (elem_is_float(e)) {
        if (!text_number(&p->at, e, &number)) return parse_fail(p, "a number is expected");
        text_store_number(e, number, one);
    } else {
        if (!text_integer(&p->at, e, &integer)) return parse_fail(p, "an integer that fits %s is expected", elem_name(e));
        text_store_integer(e, integer, one);
    }
    for (int64_t i = 0; i < count; i++) memcpy(data + (size_t)i * elem_size(e), one, elem_size(e));
    return true;
}

/* Uniform between -scale and scale, the same for the same seed everywhere. */
static bool parse_noise(parser *p, elem e, int64_t count, unsigned char *data)
{
    int64_t seed;
    double scale;
    if (!elem_is_float(e) || !text_int64(&p->at, &seed) || !text_number(&p->at, ELEM_F64, &scale))
        return parse_fail(p, "noise needs a float type, a seed and a scale");
    for (int64_t i = 0; i < count; i++) {
        uint64_t x = (uint64_t)seed * 0x9e3779b97f4a7c15u + (uint64_t)i * 0xd1342543de82ef95u + 1;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        x ^= x >> 31;
        text_store_number(e, ((double)(x >> 11) * 0x1p-52 - 1) * scale, data + (size_t)i * elem_size(e));
    }
    return true;
}

static bool parse_digest(parser *p, digest *d)
{
    uint64_t half[2] = {0, 0};
    text_skip(&p->at);
    for (int i = 0; i < 32; i++) {
        const char *digits = "0123456789abcdef", *digit = *p->at ? strchr(digits, *p->at) : NULL;
        if (!digit) return parse_fail(p, "a digest has 32 hexadecimal digits");
        half[i / 16] = half[i / 16] << 4 | (uint64_t)(digit - digits);
        p->at++;
    }
    *d = (digest){.low = half[1], .high = half[0]};
    return true;
}

static bool parse_bytes(parser *p, ir_bytes *bytes, const ir_type *type)
{
    int64_t count, size;
    if (!ir_dims_constant(type, NULL, &count) || !checked_mul(count, (int64_t)elem_size(type->elem), &size) || size > BYTES_MAX)
        return parse_fail(p, "a constant's size is not known, or too large");
    bytes->size = (size_t)size;
    if (text_accept(&p->at, "digest")) {
        digest d;
        if (!parse_digest(p, &d)) return false;
        bytes->data = p->resolve ? p->resolve(p->context, d, bytes->size) : NULL;
        bytes->digest = d;
        return bytes->data || parse_fail(p, "the bytes of a digest are not known");
    }
    unsigned char *data = arena_alloc(p->arena, (size_t)size);
    bytes->data = data;
    if (text_accept(&p->at, "noise")) return parse_noise(p, type->elem, count, data);
    if (text_accept(&p->at, "splat")) return parse_splat(p, type->elem, count, data);
    return parse_expect(p, "[") && parse_elements(p, type->elem, count, data);
}

/* ---- attributes ---- */

static bool parse_ints(parser *p, ir_node *n, ir_key key)
{
    int64_t item[LIST_MAX];
    int count = 0;
    if (!parse_expect(p, "[")) return false;
    if (!text_accept(&p->at, "]")) {
        do {
            if (count == LIST_MAX || !text_int64(&p->at, &item[count++])) return parse_fail(p, "a list of integers is expected");
        } while (text_accept(&p->at, ","));
        if (!parse_expect(p, "]")) return false;
    }
    ir_set_ints(n, key, item, count);
    return true;
}

/* The types of what an expression reads: a map's inputs; else the result itself, or a gate's two halves, then the further inputs. */
static bool parse_expression(parser *p, ir_node *n, ir_key key, const ir_type *type)
{
    elem *input = arena_array(p->arena, (size_t)n->inputs + 2, sizeof *input);
    int count = 0;
    bool map = n->op == IR_MAP;
    int first = map ? 0 : n->op == IR_MLP ? 5 : 3;
    for (int i = 0; i < n->inputs; i++)
        if (!n->input[i] && (map || i >= first)) return parse_fail(p, "input %d is absent", i);
    elem main = n->inputs > 0 && n->input[0] ? n->input[0]->type.elem : ELEM_F32;
    if (!map) input[count++] = main;
    if (!map && key == KEY_EXPR) input[count++] = main;
    else for (int i = first; i < n->inputs; i++) input[count++] = n->input[i]->type.elem;
    const char *error = NULL;
    expr *e = expr_parse(p->arena, p->at, &p->at, input, count, &error);
    if (!e) return parse_fail(p, "%s", error);
    /* A conversion that is the whole result and names no type is to the node's own. */
    expr_item *last = arena_array(p->arena, (size_t)e->count, sizeof *last);
    memcpy(last, e->item, (size_t)e->count * sizeof *last);
    if (last[e->count - 1].op == EXPR_CONVERT && p->at[-1] == ')') last[e->count - 1].elem = type->elem;
    e->item = last;
    ir_set_expr(n, key, e);
    return true;
}

static bool parse_move(parser *p, ir_node *n)
{
    move m;
    if (!move_parse(p->symbols, p->at, &p->at, &m)) return parse_fail(p, "a move is expected, as [N@0, 12@1*64] +[0, 1]");
    int rank = n->inputs == 1 && n->input[0] ? n->input[0]->type.rank : m.rank;
    if (m.rank > rank) return parse_fail(p, "a move's source has fewer axes");
    m.rank = rank;
    ir_set_move(n, &m);
    return true;
}

static bool parse_function(parser *p, ir_node *n)
{
    char name[NAME_MAX_LENGTH];
    if (!text_word(&p->at, name, sizeof name)) return parse_fail(p, "a function is expected");
    for (int i = 0; i < p->functions; i++) {
        if (strcmp(p->function[i]->name, name) != 0) continue;
        ir_set_function(n, p->function[i]);
        return true;
    }
    return parse_fail(p, "function %s is not defined before", name);
}

static bool parse_attribute(parser *p, ir_node *n, ir_key key, const ir_type *type)
{
    int64_t integer;
    double number;
    char word[WORD];
    switch (ir_key_kind(key)) {
    case KIND_INT:
        if (!text_int64(&p->at, &integer)) return parse_fail(p, "an integer is expected");
        ir_set_int(n, key, integer);
        return true;
    case KIND_FLOAT:
        if (!text_number(&p->at, ELEM_F64, &number)) return parse_fail(p, "a number is expected");
        ir_set_number(n, key, number);
        return true;
    case KIND_NAME:
        if (!text_word(&p->at, word, sizeof word)) return parse_fail(p, "a word is expected");
        ir_set_name(n, key, word);
        return true;
    case KIND_INTS: return parse_ints(p, n, key);
    case KIND_EXPR: return parse_expression(p, n, key, type);
    case KIND_MOVE: return parse_move(p, n);
    case KIND_GRAPH: return parse_function(p, n);
    case KIND_BYTES: {
        ir_bytes *bytes = arena_alloc(p->arena, sizeof *bytes);
        if (!parse_bytes(p, bytes, type)) return false;
        ir_attribute_of(n, key)->bytes = bytes;
        return true;
    }
    }
    return false;
}

bool parse_attributes(parser *p, ir_node *n, const ir_type *type)
{
    if (!text_accept(&p->at, "{")) return true;
    do {
        char word[WORD];
        int key = text_word(&p->at, word, sizeof word) ? ir_key_from_name(word) : -1;
        if (key < 0 || !ir_op_takes(n->op, (ir_key)key, NULL)) return parse_fail(p, "%s has no such attribute", ir_op_name(n->op));
        if (ir_find(n, (ir_key)key)) return parse_fail(p, "%s is given twice", word);
        if (!parse_expect(p, "=") || !parse_attribute(p, n, (ir_key)key, type)) return false;
    } while (text_accept(&p->at, ","));
    return parse_expect(p, "}");
}

/* 17 'attn/MatMul' | 18 'attn/Add': what does not look so is an ordinary comment. */
void parse_origins(parser *p, ir_node *n)
{
    do {
        int64_t number;
        text_skip(&p->at);
        const char *start = p->at;
        if (!text_int64(&p->at, &number)) return;
        const char *end = p->at;
        text_skip(&p->at);
        if (*p->at == '\'') {
            if (!text_unquote(p->arena, &p->at)) return;
            end = p->at;
        }
        ir_add_origin(n, arena_strndup(p->arena, start, (size_t)(end - start)));
    } while (text_accept(&p->at, "|"));
}
