/* What roll's two halves share: roll.c finds repeats, roll_function.c makes one function of them. */
#ifndef VITCC_PASSES_ROLL_H
#define VITCC_PASSES_ROLL_H

#include "passes.h"

/* The nodes that are no constants, each after what it reads; a node's mark is its place. */
typedef struct roll_sequence { int count; ir_node **node; } roll_sequence;

/* `repeats` blocks of `period` nodes, from place `first` on. */
typedef struct roll_run { int first, period, repeats; } roll_run;

/* Makes a function of the run and calls of its blocks; false: reported. */
bool roll_into_calls(ir_graph *g, const roll_sequence *s, const roll_run *run, pass_context *c);
/* v's place in the sequence; -1: a parameter or a constant. */
int roll_place(const ir_value *v);

#endif
