/* Requires: nothing. Leaves: only nodes that a result needs, and only functions that a call names. What went is noted, by origin. */
#include "match.h"

enum { NAMED = 4 };

/* Marks what results need; nodes are in topological order, so one walk backwards does it. */
static void mark_needed(ir_graph *g)
{
    for (ir_node *n = g->first; n; n = n->next) n->mark = 0;
    for (int i = 0; i < g->results; i++)
        if (g->result[i].value->def) g->result[i].value->def->mark = 1;
    for (ir_node *n = g->last; n; n = n->previous) {
        if (!n->mark) continue;
        for (int i = 0; i < n->inputs; i++)
            if (n->input[i] && n->input[i]->def) n->input[i]->def->mark = 1;
    }
}

/* Names the first few that go; constants go with their readers and are only counted. */
static void note_dropped(ir_graph *g, pass_context *c)
{
    strbuf names = strbuf_in(c->arena);
    int dropped = 0, constants = 0;
    for (ir_node *n = g->first; n; n = n->next) {
        if (n->mark) continue;
        if (n->op == IR_CONST) {
            constants++;
            continue;
        }
        if (dropped < NAMED) strbuf_printf(&names, "%s%s", dropped ? ", " : "", ir_describe(n));
        dropped++;
    }
    if (dropped > NAMED) strbuf_printf(&names, ", …");
    if (dropped) pass_note(c, "no output needs %d node%s: %s", dropped, dropped == 1 ? "" : "s", names.text);
    if (constants) pass_note(c, "no output needs %d constant%s", constants, constants == 1 ? "" : "s");
}

bool pass_dce(ir_graph *g, pass_context *c)
{
    mark_needed(g);
    note_dropped(g, c);
    ir_sweep(g);
    return true;
}
