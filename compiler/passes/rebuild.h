/* New nodes in the likeness of old ones. */
#ifndef VITCC_PASSES_REBUILD_H
#define VITCC_PASSES_REBUILD_H

#include "passes.h"

/* A node of graph g under construction, with n's operator, attributes and origins, but no inputs yet. Not for moves: see ir_move_of. */
ir_node *rebuild_begin(ir_graph *g, const ir_node *n);
/* The same node with other inputs, in n's place; n's readers read it. False: it does not type-check. */
bool rebuild_with(ir_node *n, ir_value *const *input, int inputs, diag *d);
/* v as a const node if it is a recipe of at most 65,536 elements; v itself otherwise. NULL: reported, or v was NULL. */
ir_value *rebuild_folded(ir_value *v, ir_node *before, pass_context *c);

#endif
