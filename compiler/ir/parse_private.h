/* What the files of the reader share. */
#ifndef VITCC_IR_PARSE_PRIVATE_H
#define VITCC_IR_PARSE_PRIVATE_H

#include "ir_private.h"

/* Values by what stands behind their "%": an open-addressed table of one graph. */
typedef struct parse_name { const char *name; ir_value *value; } parse_name;

typedef struct parser {
    arena *arena;
    diag *diag;
    ir_resolve *resolve;
    void *context;
    const char *at;
    int line;
    dim_symbols *symbols;
    ir_graph **function, *graph;               /* read so far; the graph that is being read */
    int functions;
    int next_id;                               /* of values that have a word for a name */
    int names, capacity;
    parse_name *table;
} parser;

/* Reports E402 at the current line; returns false. */
bool parse_fail(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool parse_expect(parser *p, const char *token);

bool parse_type(parser *p, ir_type *type);
/* "{key = value, …}" behind a node; its inputs are there, its first output will be of type `type`. */
bool parse_attributes(parser *p, ir_node *n, const ir_type *type);
void parse_origins(parser *p, ir_node *n);

#endif
