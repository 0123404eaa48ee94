/* The arithmetic of a graph's products. */
#ifndef VITCC_IR_FLOP_H
#define VITCC_IR_FLOP_H

#include "ir.h"

/* Floating-point operations of a node's products for one image (every run-time symbol 1): a multiply-add is 2. Of linear, mlp, matmul, attention,
 * conv and calls; 0 for every other operator and for what is computed of constants alone. */
double ir_flop(const ir_node *n);
double ir_flop_of_graph(const ir_graph *g);

#endif
