/* Graphs as text, a node a line: what ir_parse reads back, byte for byte. */
#include <inttypes.h>
#include <string.h>

#include "eval.h"
#include "ir_private.h"
#include "text.h"

enum { SHOWN_ELEMENTS = 16 };

static void put_value(strbuf *b, const ir_value *v)
{
    if (v) strbuf_printf(b, "%%%d", v->id);
    else strbuf_add(b, "_");
}

/* %1 "name": f32[2] */
static void put_definition(strbuf *b, const ir_graph *g, const ir_value *v, const char *name)
{
    put_value(b, v);
    if (name) {
        strbuf_add(b, " ");
        text_quote(b, '"', name);
    }
    strbuf_printf(b, ": %s", ir_type_text(b->arena, g->symbols, &v->type));
}

/* ---- constants ---- */

/* The elements as values; false: some would not read back to the same bytes. */
static bool put_elements(strbuf *b, elem e, const ir_bytes *bytes)
{
    size_t size = elem_size(e), count = bytes->size / size;
    if (count > SHOWN_ELEMENTS) return false;
    strbuf_add(b, "[");
    for (size_t i = 0; i < count; i++) {
        union { unsigned char byte[8]; double number; int64_t integer; } one = {.integer = 0};
        memcpy(one.byte, (const char *)bytes->data + i * size, size);
        eval_tensor t = {.elem = e, .elements = 1, .data = &one};
        if (i > 0) strbuf_add(b, ", ");
        if (elem_is_float(e)) {
            double x = eval_number(EVAL_TYPED, &t, 0);
            union { unsigned char byte[8]; int64_t integer; } again = {.integer = 0};
            text_store_number(e, x, again.byte);
            if (memcmp(again.byte, one.byte, size) != 0) return false;
            text_put_number(b, e, x);
        } else {
            if (e == ELEM_BOOL && one.byte[0] > 1) return false;
            text_put_integer(b, e, eval_integer(EVAL_TYPED, &t, 0));
        }
    }
    strbuf_add(b, "]");
    return true;
}

static void put_bytes(strbuf *b, const ir_node *n, const ir_bytes *bytes)
{
    strbuf elements = strbuf_in(b->arena);
    if (put_elements(&elements, n->output[0]->type.elem, bytes)) {
        strbuf_add(b, elements.text);
        return;
    }
    digest d = ir_bytes_digest(n->output[0]);
    strbuf_printf(b, "digest %016" PRIx64 "%016" PRIx64, d.high, d.low);
}

/* ---- nodes ---- */

static void put_attribute(strbuf *b, const ir_node *n, const ir_attribute *a)
{
    strbuf_printf(b, "%s = ", ir_key_name(a->key));
    switch (ir_key_kind(a->key)) {
    case KIND_INT: strbuf_printf(b, "%" PRId64, a->integer); break;
    case KIND_FLOAT: text_put_number(b, ELEM_F64, a->number); break;
    case KIND_NAME: strbuf_add(b, a->name); break;
    case KIND_EXPR: strbuf_add(b, expr_text(b->arena, a->expr)); break;
    case KIND_MOVE: strbuf_add(b, move_text(b->arena, n->graph->symbols, a->move)); break;
    case KIND_BYTES: put_bytes(b, n, a->bytes); break;
    case KIND_GRAPH: strbuf_add(b, a->graph->name); break;
    case KIND_INTS:
        strbuf_add(b, "[");
        for (int i = 0; i < a->list.count; i++) strbuf_printf(b, "%s%" PRId64, i ? ", " : "", a->list.item[i]);
        strbuf_add(b, "]");
        break;
    }
}

static void put_node(strbuf *b, const ir_node *n)
{
    strbuf_add(b, "  ");
    for (int i = 0; i < n->outputs; i++) {
        if (i > 0) strbuf_add(b, ", ");
        put_definition(b, n->graph, n->output[i], n->output[i]->name);
    }
    strbuf_printf(b, "%s%s", n->outputs ? " = " : "", ir_op_name(n->op));
    if (n->op != IR_CONST) {
        strbuf_add(b, "(");
        for (int i = 0; i < n->inputs; i++) {
            if (i > 0) strbuf_add(b, ", ");
            put_value(b, n->input[i]);
        }
        strbuf_add(b, ")");
    }
    for (const ir_attribute *a = n->attributes; a; a = a->next) {
        strbuf_add(b, a == n->attributes ? " {" : ", ");
        put_attribute(b, n, a);
        if (!a->next) strbuf_add(b, "}");
    }
    for (int i = 0; i < n->origins; i++) strbuf_printf(b, "%s%s", i ? " | " : "   # ", n->origin[i]);
    strbuf_add(b, "\n");
}

/* ---- graphs ---- */

static void put_graph(strbuf *b, const ir_graph *g, const char *kind)
{
    strbuf_printf(b, "%s %s(", kind, g->name);
    for (int i = 0; i < g->parameters; i++) {
        if (i > 0) strbuf_add(b, ", ");
        put_definition(b, g, g->parameter[i].value, g->parameter[i].name);
    }
    strbuf_add(b, ") {\n");
    for (const ir_node *n = g->first; n; n = n->next) put_node(b, n);
    strbuf_add(b, "  return");
    for (int i = 0; i < g->results; i++) {
        strbuf_add(b, i ? ", " : " ");
        if (g->result[i].name) {
            text_quote(b, '"', g->result[i].name);
            strbuf_add(b, " ");
        }
        put_value(b, g->result[i].value);
    }
    strbuf_add(b, "\n}\n");
}

static void put_symbols(strbuf *b, const dim_symbols *s)
{
    for (int i = 0; s && i < s->count; i++) {
        strbuf_add(b, i ? ", " : "symbols ");
        if (text_is_word(s->symbol[i].name)) strbuf_add(b, s->symbol[i].name);
        else text_quote(b, '"', s->symbol[i].name);
        strbuf_printf(b, " %" PRId64 "..%" PRId64, s->symbol[i].min, s->symbol[i].max);
        if (s->symbol[i].length) strbuf_add(b, " length");
        if (i + 1 == s->count) strbuf_add(b, "\n");
    }
}

void ir_print(const ir_graph *g, strbuf *to)
{
    put_symbols(to, g->symbols);
    for (int i = 0; i < g->functions; i++) put_graph(to, g->function[i], "function");
    put_graph(to, g, "graph");
}
