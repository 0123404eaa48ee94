/* Makes one function of a run of equal blocks, and calls in their place. */
#include "rebuild.h"
#include "roll.h"

#include <string.h>

/* Input `slot` of the node at `offset` in each block, or output `slot` of it. */
typedef struct port { int offset, slot; } port;
typedef struct ports { int count; port *port; } ports;

typedef struct roller {
    ir_graph *graph;
    const roll_sequence *sequence;
    const roll_run *run;
    pass_context *context;
    ports parameters, results;
} roller;

static ir_node *node_of(const roller *r, int block, int offset)
{
    return r->sequence->node[r->run->first + block * r->run->period + offset];
}

static ir_value *input_of(const roller *r, int block, const port *p)
{
    return node_of(r, block, p->offset)->input[p->slot];
}

/* The place of v relative to the block's first node, if v is made there; else -1. */
static int offset_in(const roller *r, int block, const ir_value *v)
{
    int offset = roll_place(v) - r->run->first - block * r->run->period;
    return roll_place(v) >= 0 && offset >= 0 && offset < r->run->period ? offset : -1;
}

static void add_port(const roller *r, ports *list, port p)
{
    list->port = arena_grow(r->context->arena, list->port, (size_t)list->count, sizeof *list->port);
    list->port[list->count++] = p;
}

/* The parameter that stands for this input in all blocks; -1: none yet. */
static int find_parameter(const roller *r, const port *p)
{
    for (int i = 0; i < r->parameters.count; i++) {
        bool same = true;
        for (int block = 0; block < r->run->repeats && same; block++) same = input_of(r, block, &r->parameters.port[i]) == input_of(r, block, p);
        if (same) return i;
    }
    return -1;
}

/* Values first, then constants, each by first use. */
static void find_parameters(roller *r)
{
    for (int constants = 0; constants < 2; constants++)
        for (int offset = 0; offset < r->run->period; offset++) {
            const ir_node *n = node_of(r, 0, offset);
            for (int slot = 0; slot < n->inputs; slot++) {
                const ir_value *v = n->input[slot];
                port p = {offset, slot};
                if (!v || offset_in(r, 0, v) >= 0 || (v->def && roll_place(v) < 0) != (constants == 1)) continue;
                if (find_parameter(r, &p) < 0) add_port(r, &r->parameters, p);
            }
        }
}

/* Some block's value there is read outside the block. */
static bool read_outside(const roller *r, const port *p)
{
    for (int block = 0; block < r->run->repeats; block++) {
        const ir_value *v = node_of(r, block, p->offset)->output[p->slot];
        if (ir_is_result(v)) return true;
        for (int i = 0; i < v->uses; i++) {
            int offset = v->user[i]->mark - r->run->first - block * r->run->period;
            if (offset < 0 || offset >= r->run->period) return true;
        }
    }
    return false;
}

static void find_results(roller *r)
{
    for (int offset = 0; offset < r->run->period; offset++)
        for (int slot = 0; slot < node_of(r, 0, offset)->outputs; slot++)
            if (read_outside(r, &(port){offset, slot})) add_port(r, &r->results, (port){offset, slot});
}

/* ---- building ---- */

static const char *function_name(const roller *r)
{
    const char *base = "block";
    for (int offset = 0; offset < r->run->period; offset++)
        if (node_of(r, 0, offset)->op == IR_ATTENTION) base = "encoder_block";
    const char *name = base;
    for (int i = 0, number = 1; i < r->graph->functions; i++) {
        if (strcmp(r->graph->function[i]->name, name) != 0) continue;
        name = arena_printf(r->graph->arena, "%s_%d", base, ++number);
        i = -1;
    }
    return name;
}

/* What stands for v, read by block 0, in the function: an output of the body, or the parameter of this port. */
static ir_value *in_body(const roller *r, const ir_graph *f, const ir_value *v, port p, ir_node *const *made)
{
    int from = v ? offset_in(r, 0, v) : -1;
    if (!v) return NULL;
    return from >= 0 ? made[from]->output[v->index] : f->parameter[find_parameter(r, &p)].value;
}

static bool add_body_node(const roller *r, ir_graph *f, int offset, ir_node **made)
{
    const ir_node *old = node_of(r, 0, offset);
    ir_value *out;
    if (old->op == IR_MOVE) {
        ir_value *x = in_body(r, f, old->input[0], (port){offset, 0}, made);
        out = ir_move_of(f, x, ir_move(old), &old->output[0]->type, NULL, r->context->diag);
    } else {
        ir_node *n = rebuild_begin(f, old);
        for (int slot = 0; slot < old->inputs; slot++) ir_input(n, in_body(r, f, old->input[slot], (port){offset, slot}, made));
        out = ir_end(n, NULL, r->context->diag);
    }
    if (!out) return false;
    made[offset] = out->def;
    for (int block = 0; block < r->run->repeats; block++) ir_copy_origins(out->def, node_of(r, block, offset));
    return true;
}

static ir_graph *make_function(const roller *r)
{
    ir_graph *g = r->graph, *f = ir_graph_new(g->arena, function_name(r), g->symbols);
    ir_node **made = arena_array(r->context->arena, (size_t)r->run->period, sizeof *made);
    for (int i = 0; i < r->parameters.count; i++) ir_add_parameter(f, NULL, input_of(r, 0, &r->parameters.port[i])->type);
    for (int offset = 0; offset < r->run->period; offset++)
        if (!add_body_node(r, f, offset, made)) return NULL;
    for (int i = 0; i < r->results.count; i++) {
        const port *p = &r->results.port[i];
        ir_add_result(f, NULL, made[p->offset]->output[p->slot]);
    }
    g->function = arena_grow(g->arena, g->function, (size_t)g->functions, sizeof *g->function);
    g->function[g->functions++] = f;
    return f;
}

/* Inputs are read as they are now: the call before has taken its block's place in them. */
static bool call_block(const roller *r, ir_graph *f, int block)
{
    ir_node *call = ir_begin(r->graph, IR_CALL);
    for (int i = 0; i < r->parameters.count; i++) ir_input(call, input_of(r, block, &r->parameters.port[i]));
    ir_set_function(call, f);
    for (int offset = 0; offset < r->run->period; offset++) ir_copy_origins(call, node_of(r, block, offset));
    if (!ir_end(call, node_of(r, block, 0), r->context->diag)) return false;
    for (int i = 0; i < r->results.count; i++) {
        const port *p = &r->results.port[i];
        ir_value *old = node_of(r, block, p->offset)->output[p->slot];
        call->output[i]->name = old->name;
        ir_replace(old, call->output[i]);
    }
    return true;
}

bool roll_into_calls(ir_graph *g, const roll_sequence *s, const roll_run *run, pass_context *c)
{
    roller r = {.graph = g, .sequence = s, .run = run, .context = c};
    find_parameters(&r);
    find_results(&r);
    ir_graph *f = make_function(&r);
    for (int block = 0; f && block < run->repeats; block++)
        if (!call_block(&r, f, block)) return false;
    for (int i = run->repeats * run->period - 1; f && i >= 0; i--) ir_remove(s->node[run->first + i]);
    if (!f) return false;
    c->report->rolled += run->repeats;
    c->report->functions++;
    return true;
}
