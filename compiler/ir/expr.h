/* Element-wise expressions: what a `map` computes, what an epilogue does to a tile. Items in order of evaluation; the last is the result. */
#ifndef VITCC_IR_EXPR_H
#define VITCC_IR_EXPR_H

#include "../base/arena.h"
#include "elem.h"

typedef enum expr_op {
#define EXPR(NAME, name, arity, result) EXPR_##NAME,
#include "exprs.def"
#undef EXPR
    EXPR_OP_COUNT
} expr_op;

typedef struct expr_item {
    expr_op op;
    elem elem;            /* type of the result */
    int arg[3];           /* earlier items */
    int index;            /* EXPR_INPUT: which input */
    double number;        /* EXPR_CONSTANT of a float type (already rounded to it) */
    int64_t integer;      /* EXPR_CONSTANT of any other type */
} expr_item;

typedef struct expr {
    int count;
    const expr_item *item;
} expr;

/* Builder: each call appends an item and returns its index; equal items are returned again. */
typedef struct expr_builder {
    arena *arena;
    int count;
    expr_item *item;
} expr_builder;

expr_builder expr_begin(arena *a);
int expr_input(expr_builder *b, int index, elem e);
int expr_constant(expr_builder *b, elem e, double number, int64_t integer);
int expr_convert(expr_builder *b, elem e, int x);
int expr_apply(expr_builder *b, expr_op op, int x, int y, int z);   /* unused operands: -1 */
/* Appends `e` with its inputs replaced by the items in `input`; returns its result. */
int expr_inline(expr_builder *b, const expr *e, const int *input);
expr *expr_end(expr_builder *b, int result);                        /* drops what the result does not need */

int expr_arity(expr_op op);
const char *expr_op_name(expr_op op);
int expr_op_from_name(const char *name);                            /* -1: none */
bool expr_equal(const expr *a, const expr *b);
/* NULL where e is well typed and reads inputs of these types only; else what is wrong with it. */
const char *expr_check(const expr *e, const elem *input, int inputs);
int expr_inputs(const expr *e);                                     /* 1 + the largest input index read */

/* "add(in0, mul(in1, 0.5))": a tree; constants as shortest text that reads back equal, with the type where it is not f32 ("3:i64"). */
const char *expr_text(arena *a, const expr *e);
/* Reads one expression; input i has type input[i]. NULL and *error on what is not one. */
expr *expr_parse(arena *a, const char *text, const char **end, const elem *input, int inputs, const char **error);

#endif
