/* Copies: of nodes into other graphs, of graphs with their functions, and of a function's nodes in place of its call. */
#include "ir_private.h"

static void copy_attribute(ir_node *to, const ir_attribute *a)
{
    switch (ir_key_kind(a->key)) {
    case KIND_INT: ir_set_int(to, a->key, a->integer); break;
    case KIND_INTS: ir_set_ints(to, a->key, a->list.item, a->list.count); break;
    case KIND_FLOAT: ir_set_number(to, a->key, a->number); break;
    case KIND_NAME: ir_set_name(to, a->key, a->name); break;
    case KIND_EXPR: ir_set_expr(to, a->key, a->expr); break;
    case KIND_MOVE: ir_set_move(to, a->move); break;
    case KIND_BYTES: ir_attribute_of(to, a->key)->bytes = a->bytes; break;
    case KIND_GRAPH: ir_set_function(to, a->graph); break;
    }
}

ir_node *ir_copy_node(ir_graph *g, const ir_node *n, ir_value *const *input, const int *ids, ir_node *before)
{
    ir_node *copy = ir_begin(g, n->op);
    for (int i = 0; i < n->inputs; i++) {
        ir_input(copy, input[i]);
        if (input[i]) ir_add_use(input[i], copy);
    }
    for (const ir_attribute *a = n->attributes; a; a = a->next) copy_attribute(copy, a);
    ir_copy_origins(copy, n);
    copy->outputs = n->outputs;
    copy->output = arena_array(g->arena, (size_t)n->outputs + 1, sizeof *copy->output);
    for (int i = 0; i < n->outputs; i++) {
        ir_value *v = arena_alloc(g->arena, sizeof *v);
        *v = (ir_value){.id = ids ? ids[i] : g->next_id++, .name = n->output[i]->name, .type = n->output[i]->type, .def = copy, .index = i, .graph = g};
        copy->output[i] = v;
    }
    copy->constant = ir_constant_now(copy);
    ir_link(copy, before);
    return copy;
}

/* Copies the nodes of `from` before `before`; twin[id] becomes the copy of the value with that id, and starts with the parameters' own. */
static void copy_nodes(ir_graph *to, const ir_graph *from, ir_value **twin, bool same_ids, ir_node *before)
{
    for (const ir_node *n = from->first; n; n = n->next) {
        ir_value **input = arena_array(to->arena, (size_t)n->inputs + 1, sizeof *input);
        int *ids = arena_array(to->arena, (size_t)n->outputs + 1, sizeof *ids);
        for (int i = 0; i < n->inputs; i++) input[i] = n->input[i] ? twin[n->input[i]->id] : NULL;
        for (int i = 0; i < n->outputs; i++) ids[i] = n->output[i]->id;
        ir_node *copy = ir_copy_node(to, n, input, same_ids ? ids : NULL, before);
        for (int i = 0; i < n->outputs; i++) twin[ids[i]] = copy->output[i];
    }
}

static void fill(ir_graph *to, const ir_graph *from)
{
    ir_value **twin = arena_array(to->arena, (size_t)from->next_id + 1, sizeof *twin);
    for (int i = 0; i < from->parameters; i++) {
        const ir_port *port = &from->parameter[i];
        to->next_id = port->value->id;
        twin[port->value->id] = ir_add_parameter(to, port->value->name, port->value->type);
        to->parameter[i].name = port->name;
    }
    copy_nodes(to, from, twin, true, NULL);
    for (int i = 0; i < from->results; i++) ir_add_result(to, from->result[i].name, twin[from->result[i].value->id]);
    to->next_id = from->next_id;
}

static void point_calls(ir_graph *g, ir_graph *const *from, ir_graph *const *to, int functions)
{
    for (ir_node *n = g->first; n; n = n->next) {
        if (n->op != IR_CALL) continue;
        ir_attribute *a = ir_attribute_of(n, KEY_FUNCTION);
        int i = 0;
        while (i < functions && from[i] != a->graph) i++;
        if (i < functions) a->graph = to[i];
    }
}

ir_graph *ir_clone(const ir_graph *g, arena *a)
{
    dim_symbols *symbols = arena_alloc(a, sizeof *symbols);
    for (int i = 0; g->symbols && i < g->symbols->count; i++) {
        const struct dim_symbol *s = &g->symbols->symbol[i];
        dim_declare(a, symbols, s->name, s->min, s->max);
    }
    ir_graph *copy = ir_graph_new(a, g->name, symbols);
    for (int i = 0; i < g->functions; i++) {
        copy->function = arena_grow(a, copy->function, (size_t)copy->functions, sizeof *copy->function);
        copy->function[copy->functions++] = ir_graph_new(a, g->function[i]->name, symbols);
        fill(copy->function[i], g->function[i]);
        point_calls(copy->function[i], g->function, copy->function, i);
    }
    fill(copy, g);
    point_calls(copy, g->function, copy->function, g->functions);
    return copy;
}

bool ir_inline_call(ir_node *call, diag *d)
{
    const ir_attribute *a = call->op == IR_CALL ? ir_find(call, KEY_FUNCTION) : NULL;
    const ir_graph *f = a ? a->graph : NULL;
    if (!f || f->parameters != call->inputs || f->results != call->outputs) {
        diag_place place = {.node = ir_describe(call), .input = -1};
        if (d) diag_error(d, STATUS_VERIFY, &place, "a call does not fit its function");
        return false;
    }
    ir_graph *g = call->graph;
    ir_value **twin = arena_array(g->arena, (size_t)f->next_id + 1, sizeof *twin);
    for (int i = 0; i < f->parameters; i++) twin[f->parameter[i].value->id] = call->input[i];
    copy_nodes(g, f, twin, false, call);
    for (int i = 0; i < f->results; i++) {
        ir_value *v = twin[f->result[i].value->id];
        if (!v->name) v->name = call->output[i]->name;
        ir_replace(call->output[i], v);
    }
    ir_remove(call);
    return true;
}
