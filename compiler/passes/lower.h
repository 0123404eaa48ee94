/* What stands around the passes and is needed for correctness: before them half precision becomes single, behind them what the code generator has no kernels
 * for becomes general operators. */
#ifndef VITCC_PASSES_LOWER_H
#define VITCC_PASSES_LOWER_H

#include "passes.h"

/* False: an error was reported. */
bool widen_halves(ir_graph *g, diag *d);
bool lower_types(ir_graph *g, pass_context *c);

/* For lower.c: attention of doubles as products, maps and a softmax. */
bool lower_attention(ir_node *n, pass_context *c);

#endif
