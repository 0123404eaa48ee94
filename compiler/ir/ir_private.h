/* What the files of the graph share. */
#ifndef VITCC_IR_IR_PRIVATE_H
#define VITCC_IR_IR_PRIVATE_H

#include "ir.h"

typedef struct ir_op_row { const char *name; int least, most, outputs; const char *attributes; } ir_op_row;
extern const ir_op_row ir_op_rows[IR_OP_COUNT];

/* Whether nodes of the operator may have (*required: must have) the attribute. */
bool ir_op_takes(ir_op op, ir_key key, bool *required);

/* ir_end with the types of the outputs as far as inference does not give them (const: all; move: its shape); NULL: none. The first output's
 * id is `id`; -1: the next. */
ir_value *ir_end_as(ir_node *n, const ir_type *type, int id, ir_node *before, diag *d);

ir_attribute *ir_attribute_of(ir_node *n, ir_key key);           /* found, or made */
void ir_add_use(ir_value *v, ir_node *n);
void ir_remove_use(ir_value *v, ir_node *n);
void ir_link(ir_node *n, ir_node *before);                       /* NULL: at the end */
void ir_unlink(ir_node *n);
bool ir_constant_now(const ir_node *n);                          /* from its inputs */
void ir_constant_changed(ir_node *n);                            /* an input changed: brings n->constant and its readers' up to date */
/* A copy of n, with its inputs replaced, in graph g; the outputs' types are n's. ids[i] for output i; NULL: new ones. */
ir_node *ir_copy_node(ir_graph *g, const ir_node *n, ir_value *const *input, const int *ids, ir_node *before);

#endif
