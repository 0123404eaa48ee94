/* What every pass must leave true. Each violation is reported as E400, at its node. */
#include <string.h>

#include "ir_private.h"
#include "text.h"

struct verifying {
    const ir_graph *outer, *g;
    int callable;              /* functions of the outermost graph that g may call: the first so many */
    const ir_value **value;    /* by id */
    int *reads;                /* by id: inputs that read it, counted */
    diag *diag;
    bool fine;
};

static void complain(struct verifying *v, const ir_node *n, int input, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void complain(struct verifying *v, const ir_node *n, int input, const char *format, ...)
{
    v->fine = false;
    if (!v->diag) return;
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(v->g->arena, format, args);
    va_end(args);
    diag_place place = {.node = n ? ir_describe(n) : arena_printf(v->g->arena, "graph %s", v->g->name), .input = input};
    diag_error(v->diag, STATUS_VERIFY, &place, "%s", text);
}

/* Enters a value at its definition. */
static void define(struct verifying *v, const ir_node *n, const ir_value *x, int index)
{
    if (!x) {
        complain(v, n, -1, "an output is missing");
    } else if (x->id < 0 || x->id >= v->g->next_id || v->value[x->id]) {
        complain(v, n, -1, "value %%%d is defined twice, or out of range", x->id);
    } else if (x->def != n || x->index != index || x->graph != v->g) {
        complain(v, n, -1, "value %%%d does not know where it is defined", x->id);
    } else {
        v->value[x->id] = x;
        if (x->type.elem <= ELEM_NONE || x->type.elem >= ELEM_COUNT || x->type.rank < 0 || x->type.rank > IR_RANK_MAX)
            complain(v, n, -1, "value %%%d has no type", x->id);
    }
}

static bool is_defined(const struct verifying *v, const ir_value *x)
{
    return x->id >= 0 && x->id < v->g->next_id && v->value[x->id] == x;
}

static int reads_in(const ir_node *n, const ir_value *x)
{
    int count = 0;
    for (int i = 0; i < n->inputs; i++) count += n->input[i] == x;
    return count;
}

static void verify_inputs(struct verifying *v, const ir_node *n)
{
    for (int i = 0; i < n->inputs; i++) {
        const ir_value *x = n->input[i];
        if (!x) continue;
        if (!is_defined(v, x)) {
            complain(v, n, i, "it reads a value that is not defined before it");
            continue;
        }
        v->reads[x->id]++;
    }
}

static void verify_use_lists(struct verifying *v)
{
    for (int id = 0; id < v->g->next_id; id++) {
        const ir_value *x = v->value[id];
        if (!x) continue;
        if (x->uses != v->reads[id]) complain(v, x->def, -1, "value %%%d is read %d times, its list says %d", id, v->reads[id], x->uses);
        for (int i = 0; i < x->uses; i++) {
            int listed = 0;
            for (int k = 0; k <= i; k++) listed += x->user[k] == x->user[i];
            if (x->user[i]->graph != v->g || listed > reads_in(x->user[i], x))
                complain(v, x->def, -1, "value %%%d lists a reader that does not read it", id);
        }
    }
}

static void verify_call(struct verifying *v, const ir_node *n)
{
    const ir_attribute *a = ir_find(n, KEY_FUNCTION);
    for (int i = 0; a && i < v->callable; i++)
        if (v->outer->function[i] == a->graph) return;
    complain(v, n, -1, "it calls a function that is not before it in the graph's list");
}

static void verify_types(struct verifying *v, ir_node *n)
{
    enum { OUTPUTS = 64 };
    ir_type few[OUTPUTS], *before = n->outputs <= OUTPUTS ? few : arena_array(n->graph->arena, (size_t)n->outputs, sizeof *before);
    for (int i = 0; i < n->outputs; i++) before[i] = n->output[i]->type;
    int errors = v->diag ? diag_errors(v->diag) : 0;
    if (!ir_infer(n, v->diag)) {
        complain(v, n, -1, "it does not type-check%s", v->diag && diag_errors(v->diag) > errors ? ", as said above" : "");
    } else {
        for (int i = 0; i < n->outputs; i++)
            if (!ir_type_equal(&before[i], &n->output[i]->type)) complain(v, n, -1, "output %d has not the type that its inputs give", i);
    }
    for (int i = 0; i < n->outputs; i++) n->output[i]->type = before[i];
}

static void verify_node(struct verifying *v, ir_node *n)
{
    if ((int)n->op < 0 || n->op >= IR_OP_COUNT) {
        complain(v, NULL, -1, "a node has no operator");
        return;
    }
    verify_inputs(v, n);
    if (n->op == IR_CALL) verify_call(v, n);
    if (v->fine) verify_types(v, n);
    if (n->constant != ir_constant_now(n)) complain(v, n, -1, "it does not know whether it is constant");
    for (int i = 1; i < n->origins; i++)
        if (strcmp(n->origin[i - 1], n->origin[i]) == 0) complain(v, n, -1, "an origin is named twice");
    for (int i = 0; i < n->outputs; i++) define(v, n, n->output[i], i);
}

static bool verify_links(struct verifying *v)
{
    const ir_node *previous = NULL;
    for (const ir_node *n = v->g->first; n; previous = n, n = n->next) {
        if (n->previous == previous && n->graph == v->g) continue;
        complain(v, NULL, -1, "the list of nodes is broken");
        return false;
    }
    if (v->g->last == previous) return true;
    complain(v, NULL, -1, "the list of nodes does not end at its last");
    return false;
}

static bool verify_graph(const ir_graph *outer, const ir_graph *g, int callable, diag *d)
{
    struct verifying v = {.outer = outer, .g = g, .callable = callable, .diag = d, .fine = true};
    size_t ids = (size_t)(g->next_id > 0 ? g->next_id : 0) + 1;
    v.value = arena_array(g->arena, ids, sizeof *v.value);
    v.reads = arena_array(g->arena, ids, sizeof *v.reads);
    if (!text_is_word(g->name)) complain(&v, NULL, -1, "its name is no identifier");
    for (int i = 0; i < g->parameters; i++) define(&v, NULL, g->parameter[i].value, i);
    if (!verify_links(&v)) return false;
    for (ir_node *n = g->first; n; n = n->next) verify_node(&v, n);
    verify_use_lists(&v);
    for (int i = 0; i < g->results; i++)
        if (!g->result[i].value || !is_defined(&v, g->result[i].value)) complain(&v, NULL, -1, "result %d is not defined", i);
    return v.fine;
}

bool ir_verify(const ir_graph *g, diag *d)
{
    bool fine = true;
    for (int i = 0; i < g->functions; i++) {
        const ir_graph *f = g->function[i];
        struct verifying v = {.outer = g, .g = f, .diag = d, .fine = true};
        if (f->symbols != g->symbols) complain(&v, NULL, -1, "it has other symbols than the graph");
        if (f->functions != 0) complain(&v, NULL, -1, "it has functions of its own");
        for (int k = 0; k < i; k++)
            if (strcmp(g->function[k]->name, f->name) == 0) complain(&v, NULL, -1, "its name is taken");
        fine &= v.fine;
        fine &= verify_graph(g, f, i, d);
    }
    return verify_graph(g, g, g->functions, d) && fine;
}
