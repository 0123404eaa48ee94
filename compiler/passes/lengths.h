/* What the two files of pass `lengths` share. */
#ifndef VITCC_PASSES_LENGTHS_H
#define VITCC_PASSES_LENGTHS_H

#include "passes.h"

/* A value at its capacity: what stood at place i of `axis` stands at i + slack, the slack being the capacity less the length. */
typedef struct lengths_value {
    ir_value *value;          /* NULL: not one of lengths */
    int axis, symbol;
    bool zero;                /* what lies before the elements is zero */
} lengths_value;

typedef struct lengths {
    ir_graph *graph;
    pass_context *c;
    int values;
    lengths_value *value;     /* [values], by id of the values as they were */
    ir_value **length, **slack;   /* [symbol] i64 scalars; NULL: not yet */
} lengths;

/* The axis whose size is a length and more; -1: none. False: there are several, or one is no plain sum. */
bool lengths_axis(const ir_graph *g, const ir_type *t, int *axis, int *symbol);
/* Does a size follow a length, and which? */
bool lengths_mentioned(const ir_graph *g, dim d, int *symbol);
/* Reports what n does along input i's length, and the --shape that fixes it. */
bool lengths_refuse(lengths *l, const ir_node *n, int i, const char *why);
/* Input i of n, at its capacity if it is of a length. */
ir_value *lengths_input(const lengths *l, const ir_node *n, int i);
const lengths_value *lengths_of(const lengths *l, const ir_node *n, int i);   /* NULL: not of a length */
/* The type at its capacity. */
bool lengths_capacity(const lengths *l, const ir_type *t, ir_type *to);
/* 0, 1… size - 1, i64 [size, 1…] with so many ones. */
ir_value *lengths_places(lengths *l, int64_t size, int ones, ir_node *before);
ir_value *lengths_map(lengths *l, ir_value *const *input, int inputs, const expr *e, ir_node *before);

bool pass_merge_dup(ir_graph *g, pass_context *c);

/* lengths_nodes.c: input [inputs], which are at their capacity and have room for one more, become what n at its capacity reads. *zero: what lies before the
 * elements of the result is zero. False: reported. */
bool lengths_take(lengths *l, ir_node *n, ir_value **input, int *inputs, bool *zero);

/* lengths_move.c: the move at capacities; *zero: what lies before its elements is zero. NULL: reported. */
ir_value *lengths_move(lengths *l, ir_node *n, bool *zero);

#endif
