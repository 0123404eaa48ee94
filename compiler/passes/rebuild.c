/* New nodes in the likeness of old ones; see rebuild.h. */
#include "rebuild.h"

#include <string.h>

#include "../ir/eval.h"

static void copy_attribute(ir_node *to, const ir_attribute *a)
{
    switch (ir_key_kind(a->key)) {
    case KIND_INT: ir_set_int(to, a->key, a->integer); break;
    case KIND_INTS: ir_set_ints(to, a->key, a->list.item, a->list.count); break;
    case KIND_FLOAT: ir_set_number(to, a->key, a->number); break;
    case KIND_NAME: ir_set_name(to, a->key, a->name); break;
    case KIND_EXPR: ir_set_expr(to, a->key, a->expr); break;
    case KIND_MOVE: ir_set_move(to, a->move); break;
    case KIND_GRAPH: ir_set_function(to, a->graph); break;
    case KIND_BYTES: break;   /* constants are shared, never rebuilt */
    }
}

ir_node *rebuild_begin(ir_graph *g, const ir_node *n)
{
    ir_node *copy = ir_begin(g, n->op);
    if (n->op == IR_ATTENTION) copy->outputs = n->outputs;   /* with the probabilities, if they are wanted */
    for (const ir_attribute *a = n->attributes; a; a = a->next) copy_attribute(copy, a);
    ir_copy_origins(copy, n);
    return copy;
}

bool rebuild_with(ir_node *n, ir_value *const *input, int inputs, diag *d)
{
    ir_node *copy = rebuild_begin(n->graph, n);
    for (int i = 0; i < inputs; i++) ir_input(copy, input[i]);
    if (!ir_end(copy, n, d)) return false;
    for (int i = 0; i < n->outputs; i++) {
        copy->output[i]->name = n->output[i]->name;
        ir_replace(n->output[i], copy->output[i]);
    }
    ir_remove(n);
    return true;
}

ir_value *rebuild_folded(ir_value *v, ir_node *before, pass_context *c)
{
    enum { FOLD_ELEMENTS = 65536 };
    int64_t elements;
    if (!v || ir_is_const(v) || !ir_is_constant(v)) return v;
    if (!ir_dims_constant(&v->type, NULL, &elements) || elements > FOLD_ELEMENTS) return v;
    eval_tensor t;
    if (eval_constant(v, &t, c->diag) != STATUS_OK) return NULL;
    size_t size = (size_t)t.elements * elem_size(v->type.elem);
    void *data = arena_alloc(before->graph->arena, size);
    if (size) memcpy(data, t.data, size);
    eval_free(&t);
    ir_value *folded = ir_constant(before->graph, v->type, data, size, before);
    if (folded) ir_copy_origins(folded->def, v->def);
    return folded;
}
