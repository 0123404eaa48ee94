/* The graph: nodes in topological order over single-assignment values. Everything lives in the graph's arena; nothing is freed singly. */
#ifndef VITCC_IR_IR_H
#define VITCC_IR_IR_H

#include "../base/arena.h"
#include "../base/diag.h"
#include "../base/digest.h"
#include "../base/strbuf.h"
#include "dim.h"
#include "elem.h"
#include "expr.h"
#include "move.h"

typedef enum ir_op {
#define OP(NAME, name, least, most, outputs, attributes) IR_##NAME,
#include "ops.def"
#undef OP
    IR_OP_COUNT
} ir_op;

typedef enum ir_key {
#define KEY(NAME, name, KIND) KEY_##NAME,
#include "keys.def"
#undef KEY
    IR_KEY_COUNT
} ir_key;

typedef enum ir_kind { KIND_INT, KIND_INTS, KIND_FLOAT, KIND_NAME, KIND_EXPR, KIND_MOVE, KIND_BYTES, KIND_GRAPH } ir_kind;

typedef struct ir_graph ir_graph;
typedef struct ir_node ir_node;
typedef struct ir_value ir_value;

/* Bytes of a constant: in the arena or in a mapped file, valid as long as the graph; not always aligned. */
typedef struct ir_bytes {
    const void *data;
    size_t size;
    digest digest;             /* {0,0} until ir_bytes_digest asks */
} ir_bytes;

typedef struct ir_attribute {
    ir_key key;
    union {
        int64_t integer;
        double number;
        const char *name;                             /* one of a fixed set of words */
        struct { int count; int64_t *item; } list;
        const expr *expr;
        const move *move;
        ir_bytes *bytes;
        ir_graph *graph;
    };
    struct ir_attribute *next;                        /* by rising key */
} ir_attribute;

struct ir_value {
    int id;                    /* unique in its graph, never reused */
    const char *name;          /* the ONNX name where there is one; NULL: none. Hostile: escape before printing */
    ir_type type;
    ir_node *def;              /* NULL: a parameter of the graph */
    int index;                 /* which output of def, or which parameter */
    int uses;                  /* how many inputs of nodes read it; graph outputs not counted */
    ir_node **user;            /* a node stands here once for each input that reads the value */
    ir_graph *graph;           /* in which it is */
};

struct ir_node {
    ir_op op;
    int inputs, outputs;
    ir_value **input;          /* NULL entries: absent */
    ir_value **output;
    ir_attribute *attributes;
    int origins;
    const char **origin;       /* the ONNX nodes it stands for, as "17 'attn/Softmax'"; sorted by number, unique. Already escaped */
    ir_node *previous, *next;
    ir_graph *graph;
    bool constant;             /* ir_is_constant of its outputs; kept by the functions that build and change */
    int mark;                  /* scratch for passes; meaningless between them */
};

typedef struct ir_port {
    ir_value *value;
    const char *name;          /* as in the ONNX file; hostile */
} ir_port;

struct ir_graph {
    arena *arena;
    const char *name;          /* of the function or model; a C identifier */
    dim_symbols *symbols;      /* shared by a graph and its functions */
    int parameters, results;
    ir_port *parameter, *result;
    ir_node *first, *last;
    int functions;
    ir_graph **function;       /* of the outermost graph only */
    int next_id;
};

/* ---- building: all values' types are inferred (infer.c); a node that does not type-check is reported to `d` and NULL is returned ---- */

ir_graph *ir_graph_new(arena *a, const char *name, dim_symbols *symbols);
ir_value *ir_add_parameter(ir_graph *g, const char *name, ir_type type);
void ir_add_result(ir_graph *g, const char *name, ir_value *v);

/* A node under construction: ir_begin, inputs, attributes, then ir_end, which infers types and puts it before `before` (NULL: at the end). A node
 * without origins of its own takes those of `before`, for whose sake it is built. */
ir_node *ir_begin(ir_graph *g, ir_op op);
void ir_input(ir_node *n, ir_value *v);                          /* NULL: absent */
void ir_set_int(ir_node *n, ir_key key, int64_t value);          /* the setters replace an attribute that is there */
void ir_set_number(ir_node *n, ir_key key, double value);
void ir_set_name(ir_node *n, ir_key key, const char *value);
void ir_set_ints(ir_node *n, ir_key key, const int64_t *value, int count);
void ir_set_expr(ir_node *n, ir_key key, const expr *value);     /* kept by pointer */
void ir_set_move(ir_node *n, const move *value);                 /* copied */
void ir_set_function(ir_node *n, ir_graph *function);
void ir_remove_attribute(ir_node *n, ir_key key);
void ir_add_origin(ir_node *n, const char *origin);              /* escaped text, kept by pointer */
void ir_copy_origins(ir_node *to, const ir_node *from);
ir_value *ir_end(ir_node *n, ir_node *before, diag *d);          /* its first output */

/* Short forms for passes and importers; each returns the new node's first output, NULL where it does not type-check. */
ir_value *ir_constant(ir_graph *g, ir_type type, const void *data, size_t size, ir_node *before);       /* data is kept by pointer */
ir_value *ir_constant_f32(ir_graph *g, float value, ir_node *before);                                    /* a scalar */
ir_value *ir_constant_ints(ir_graph *g, const int64_t *value, int count, ir_node *before);               /* i64 [count] */
ir_value *ir_move_of(ir_graph *g, ir_value *x, const move *m, const ir_type *to, ir_node *before, diag *d);
ir_value *ir_map1(ir_graph *g, expr_op op, ir_value *x, ir_node *before, diag *d);
ir_value *ir_map2(ir_graph *g, expr_op op, ir_value *x, ir_value *y, ir_node *before, diag *d);

/* ---- looking ---- */

const ir_attribute *ir_find(const ir_node *n, ir_key key);       /* NULL: not there */
int64_t ir_int(const ir_node *n, ir_key key, int64_t otherwise);
double ir_number(const ir_node *n, ir_key key, double otherwise);
const char *ir_name(const ir_node *n, ir_key key, const char *otherwise);
bool ir_is_name(const ir_node *n, ir_key key, const char *word);
const expr *ir_expr(const ir_node *n, ir_key key);               /* NULL: not there */
const move *ir_move(const ir_node *n);
const ir_bytes *ir_bytes_of(const ir_value *v);                  /* of a const's output; NULL: v is none */
digest ir_bytes_digest(const ir_value *v);                       /* of a const's type and bytes */
bool ir_is_const(const ir_value *v);                             /* output of a const node */
bool ir_is_constant(const ir_value *v);                          /* depends on const nodes only: a recipe, evaluated when packed */
bool ir_is_result(const ir_value *v);                            /* of its graph */
bool ir_scalar(const ir_value *v, double *number);               /* a const of one element, of any type; false: none */
bool ir_splat(const ir_value *v, double *number);                /* a const (of up to 65,536 elements) all of whose elements are equal */
ir_node *ir_producer(const ir_value *v, ir_op op);               /* v's node if it has this operator, else NULL; NULL v is fine */
bool ir_only_use(const ir_value *v, const ir_node *n);           /* read once, by n, and no result */
bool ir_type_equal(const ir_type *a, const ir_type *b);
/* Either may be NULL; false: some dimension is symbolic, or the product overflows. */
bool ir_dims_constant(const ir_type *t, int64_t *shape, int64_t *elements);
const char *ir_op_name(ir_op op);
int ir_op_from_name(const char *name);                           /* -1: none */
const char *ir_key_name(ir_key key);
int ir_key_from_name(const char *name);                          /* -1: none */
ir_kind ir_key_kind(ir_key key);
const char *ir_type_text(arena *a, const dim_symbols *s, const ir_type *t);   /* "f32[N,197,768]" */
const char *ir_describe(const ir_node *n);                       /* "node 17 'attn/Softmax'", of its origins; for diagnostics */

/* ---- changing ---- */

void ir_replace(ir_value *old, ir_value *by);                    /* in all inputs and results */
void ir_set_input(ir_node *n, int i, ir_value *v);
void ir_remove(ir_node *n);                                      /* its outputs must have no readers */
void ir_move_before(ir_node *n, ir_node *before);                /* NULL: to the end */
int ir_sweep(ir_graph *g);                                       /* removes nodes that no result needs, functions that no call names; how many nodes went */
ir_graph *ir_clone(const ir_graph *g, arena *a);                 /* deep, functions too; bytes are shared */
bool ir_inline_call(ir_node *call, diag *d);                     /* replaces a call by its function's nodes */

/* ---- infer.c, verify.c, print.c, parse.c ---- */

/* Sets the output types of n from its inputs and attributes; false: reported to d (which may be NULL). */
bool ir_infer(ir_node *n, diag *d);
/* Checks everything that a pass must leave true: order, single assignment, use lists, arity, attributes, types as inferred, moves in normal form,
 * functions. Reports E400. */
bool ir_verify(const ir_graph *g, diag *d);

/* The textual form; see docs/design.md for the grammar. */
void ir_print(const ir_graph *g, strbuf *to);
/* Bytes of a constant named only by digest; NULL: unknown. */
typedef const void *ir_resolve(void *context, digest d, size_t size);
ir_graph *ir_parse(arena *a, const char *text, ir_resolve *resolve, void *context, diag *d);

#endif
