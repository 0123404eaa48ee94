/* Graphs: the lists they are made of, use lists, and which nodes are constant. */
#include <string.h>

#include "ir_private.h"

ir_graph *ir_graph_new(arena *a, const char *name, dim_symbols *symbols)
{
    ir_graph *g = arena_alloc(a, sizeof *g);
    g->arena = a;
    g->name = arena_strdup(a, name);
    g->symbols = symbols;
    return g;
}

ir_value *ir_add_parameter(ir_graph *g, const char *name, ir_type type)
{
    ir_value *v = arena_alloc(g->arena, sizeof *v);
    v->id = g->next_id++;
    v->name = name ? arena_strdup(g->arena, name) : NULL;
    v->type = type;
    v->index = g->parameters;
    v->graph = g;
    g->parameter = arena_grow(g->arena, g->parameter, (size_t)g->parameters, sizeof *g->parameter);
    g->parameter[g->parameters++] = (ir_port){v, v->name};
    return v;
}

void ir_add_result(ir_graph *g, const char *name, ir_value *v)
{
    g->result = arena_grow(g->arena, g->result, (size_t)g->results, sizeof *g->result);
    g->result[g->results++] = (ir_port){v, name ? arena_strdup(g->arena, name) : NULL};
}

void ir_add_use(ir_value *v, ir_node *n)
{
    v->user = arena_grow(n->graph->arena, v->user, (size_t)v->uses, sizeof *v->user);
    v->user[v->uses++] = n;
}

void ir_remove_use(ir_value *v, ir_node *n)
{
    int i = v->uses - 1;
    while (i >= 0 && v->user[i] != n) i--;
    if (i < 0) return;
    memmove(&v->user[i], &v->user[i + 1], (size_t)(v->uses - i - 1) * sizeof *v->user);
    v->uses--;
}

void ir_link(ir_node *n, ir_node *before)
{
    ir_graph *g = n->graph;
    n->next = before;
    n->previous = before ? before->previous : g->last;
    *(n->previous ? &n->previous->next : &g->first) = n;
    *(before ? &before->previous : &g->last) = n;
}

void ir_unlink(ir_node *n)
{
    *(n->previous ? &n->previous->next : &n->graph->first) = n->next;
    *(n->next ? &n->next->previous : &n->graph->last) = n->previous;
    n->previous = n->next = NULL;
}

/* Has an output a size that only a run knows? */
static bool follows_length(const ir_node *n)
{
    for (int i = 0; i < n->outputs; i++)
        for (int a = 0; a < n->output[i]->type.rank; a++)
            if (dim_is_length(n->graph->symbols, n->output[i]->type.dim[a], NULL)) return true;
    return false;
}

bool ir_constant_now(const ir_node *n)
{
    if (n->op == IR_CONST) return true;
    if (n->op == IR_CALL || n->inputs == 0) return false;
    for (int i = 0; i < n->inputs; i++)
        if (n->input[i] && !(n->input[i]->def && n->input[i]->def->constant)) return false;
    return !follows_length(n);
}

void ir_constant_changed(ir_node *n)
{
    int count = 0;
    ir_node **waiting = NULL;
    for (;;) {
        bool now = ir_constant_now(n);
        if (now != n->constant) {
            n->constant = now;
            for (int i = 0; i < n->outputs; i++) {
                for (int k = 0; k < n->output[i]->uses; k++) {
                    waiting = arena_grow(n->graph->arena, waiting, (size_t)count, sizeof *waiting);
                    waiting[count++] = n->output[i]->user[k];
                }
            }
        }
        if (count == 0) return;
        n = waiting[--count];
    }
}
