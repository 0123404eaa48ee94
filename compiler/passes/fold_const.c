/* Requires: nothing. Leaves: no node whose inputs are all const and whose outputs are small; larger constant expressions stay recipes. */
#include <string.h>

#include "../ir/eval.h"
#include "match.h"

enum { FOLD_ELEMENTS = 65536 };

static bool foldable(const ir_node *n)
{
    if (n->op == IR_CONST || n->op == IR_CALL || n->inputs == 0) return false;
    for (int i = 0; i < n->inputs; i++)
        if (n->input[i] && !ir_is_const(n->input[i])) return false;
    for (int i = 0; i < n->outputs; i++) {
        int64_t elements;
        if (!ir_dims_constant(&n->output[i]->type, NULL, &elements) || elements > FOLD_ELEMENTS) return false;
    }
    return true;
}

/* Evaluates n into data [outputs]; no arena memory is asked for while the evaluator's is held. */
static bool evaluate(const ir_node *n, eval_tensor *t, void *const *data, pass_context *c)
{
    if (eval_node(n, t, c->diag) != STATUS_OK) return false;
    for (int i = 0; i < n->outputs; i++) {
        size_t size = (size_t)t[i].elements * elem_size(t[i].elem);
        if (size) memcpy(data[i], t[i].data, size);
        eval_free(&t[i]);
    }
    return true;
}

static bool fold(ir_graph *g, ir_node *n, pass_context *c)
{
    eval_tensor *t = arena_array(c->arena, (size_t)n->outputs, sizeof *t);
    void **data = arena_array(c->arena, (size_t)n->outputs, sizeof *data);
    size_t *size = arena_array(c->arena, (size_t)n->outputs, sizeof *size);
    for (int i = 0; i < n->outputs; i++) {
        int64_t elements = 0;
        ir_dims_constant(&n->output[i]->type, NULL, &elements);
        size[i] = (size_t)elements * elem_size(n->output[i]->type.elem);
        data[i] = arena_alloc(g->arena, size[i]);
    }
    if (!evaluate(n, t, data, c)) return false;
    for (int i = 0; i < n->outputs; i++) {
        ir_value *constant = ir_constant(g, n->output[i]->type, data[i], size[i], n);
        ir_copy_origins(constant->def, n);
        ir_replace(n->output[i], constant);
    }
    match_drop(n);
    return true;
}

bool pass_fold_const(ir_graph *g, pass_context *c)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (foldable(n) && !match_dead(n) && !fold(g, n, c)) return false;
    }
    return true;
}
