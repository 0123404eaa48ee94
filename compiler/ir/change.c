/* Changing graphs: other inputs, other readers, other places; sweeping what nothing needs. */
#include "ir_private.h"

void ir_set_input(ir_node *n, int i, ir_value *v)
{
    if (n->input[i] == v) return;
    if (n->input[i]) ir_remove_use(n->input[i], n);
    n->input[i] = v;
    if (v) ir_add_use(v, n);
    ir_constant_changed(n);
}

void ir_replace(ir_value *old, ir_value *by)
{
    if (old == by) return;
    int uses = old->uses;
    ir_node **user = old->user;
    old->uses = 0;
    old->user = NULL;
    for (int i = 0; i < uses; i++) {
        ir_node *n = user[i];
        int k = 0;
        while (n->input[k] != old) k++;                     /* a node stands here once for each input */
        n->input[k] = by;
        ir_add_use(by, n);
    }
    for (int i = 0; i < uses; i++) ir_constant_changed(user[i]);
    ir_graph *g = old->graph;
    for (int i = 0; i < g->results; i++)
        if (g->result[i].value == old) g->result[i].value = by;
}

void ir_remove(ir_node *n)
{
    for (int i = 0; i < n->inputs; i++)
        if (n->input[i]) ir_remove_use(n->input[i], n);
    n->inputs = 0;
    ir_unlink(n);
}

void ir_move_before(ir_node *n, ir_node *before)
{
    if (n == before) return;
    ir_unlink(n);
    ir_link(n, before);
}

/* ---- sweeping ---- */

static bool is_needed(const ir_node *n)
{
    for (int i = 0; i < n->outputs; i++)
        if (n->output[i]->uses > 0 || ir_is_result(n->output[i])) return true;
    return false;
}

static int sweep_nodes(ir_graph *g)
{
    int gone = 0;
    for (ir_node *n = g->last, *previous; n; n = previous) {
        previous = n->previous;
        if (is_needed(n)) continue;
        ir_remove(n);
        gone++;
    }
    return gone;
}

static bool calls(const ir_graph *g, const ir_graph *function)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        const ir_attribute *a = n->op == IR_CALL ? ir_find(n, KEY_FUNCTION) : NULL;
        if (a && a->graph == function) return true;
    }
    return false;
}

/* A function is called only by later ones and by the graph: from the last on, those that stay are known. */
static void sweep_functions(ir_graph *g)
{
    int kept = g->functions;
    for (int i = g->functions - 1; i >= 0; i--) {
        bool called = calls(g, g->function[i]);
        for (int k = kept; k < g->functions && !called; k++) called = calls(g->function[k], g->function[i]);
        if (called) g->function[--kept] = g->function[i];
    }
    for (int i = kept; i < g->functions; i++) g->function[i - kept] = g->function[i];
    g->functions -= kept;
}

int ir_sweep(ir_graph *g)
{
    int gone = sweep_nodes(g);
    sweep_functions(g);
    for (int i = 0; i < g->functions; i++) gone += sweep_nodes(g->function[i]);
    return gone;
}
