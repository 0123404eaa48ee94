/* map: an expression over inputs that broadcast. */
#include "eval_private.h"

#include <stdlib.h>

status eval_map(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    eval_operand *operand = eval_allocate(n->inputs, sizeof *operand);
    if (!operand) return eval_out_of_memory(c, n);
    status s = STATUS_OK;
    for (int i = 0; i < n->inputs && s == STATUS_OK; i++) {
        if (!in[i] || !eval_operand_broadcast(in[i], out->rank, out->shape, &operand[i])) {
            s = eval_fail(c, n, i, STATUS_SHAPE, "the input does not broadcast to the output");
        }
    }
    if (s == STATUS_OK) s = eval_apply(c, n, ir_expr(n, KEY_EXPR), n->inputs, operand, 0, out->elements, out->stored, out->owned);
    free(operand);
    return s;
}
