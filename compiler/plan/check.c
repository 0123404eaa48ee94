/* What the planner relies on beyond a verified graph. The passes leave nothing else; a graph read from text may. */
#include "plan_private.h"

#include "../base/checked.h"

static bool refuse(diag *d, const ir_node *n, const char *why)
{
    diag_place place = { .node = n ? ir_describe(n) : NULL, .input = -1 };
    diag_error(d, STATUS_CODEGEN, n ? &place : NULL, "%s", why);
    return false;
}

/* Calls of f in the main graph, and how many of them pass a constant as parameter i. */
static int constant_calls(const plan *p, const ir_graph *f, int i, int *calls)
{
    int constant = 0;
    *calls = 0;
    for (const ir_node *n = p->graph->first; n; n = n->next) {
        if (n->op != IR_CALL || ir_find(n, KEY_FUNCTION)->graph != f) continue;
        ++*calls;
        constant += ir_is_constant(n->input[i]);
    }
    return constant;
}

bool plan_is_constant_parameter(const plan *p, const ir_graph *function, int i)
{
    int calls;
    const int constant = constant_calls(p, function, i, &calls);
    return constant && constant == calls;
}

static bool check_function(const plan *p, const ir_graph *f, diag *d)
{
    for (const ir_node *n = f->first; n; n = n->next)
        if (n->op == IR_CALL) return refuse(d, n, "a function that calls another");
    for (int i = 0; i < f->results; i++) {
        const ir_value *v = f->result[i].value;
        if (!v->def || ir_is_constant(v)) return refuse(d, v->def, "a function whose result is a parameter or a constant");
        for (int j = 0; j < i; j++)
            if (f->result[j].value == v) return refuse(d, v->def, "a function that returns a value twice");
    }
    for (int i = 0; i < f->parameters; i++) {
        int calls;
        const int constant = constant_calls(p, f, i, &calls);
        if (constant && constant != calls) return refuse(d, NULL, "a function's parameter is a constant in some calls only");
    }
    return true;
}

static bool check_size(const plan *p, const ir_value *v, diag *d)
{
    int64_t elements = 1;
    if (ir_is_constant(v)) return true;
    for (int i = 0; i < v->type.rank; i++)
        if (!checked_mul(elements, plan_dim(p, v->type.dim[i]), &elements) || elements > INT32_MAX)
            return refuse(d, v->def, "a value of more than 2^31 - 1 elements an image");
    return true;
}

static bool check_sizes(const plan *p, const ir_graph *g, diag *d)
{
    for (int i = 0; i < g->parameters; i++)
        if (!check_size(p, g->parameter[i].value, d)) return false;
    for (const ir_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->outputs; i++)
            if (!check_size(p, n->output[i], d)) return false;
    return true;
}

bool plan_check_graph(const plan *p, diag *d)
{
    for (int i = 0; i < p->graph->functions; i++)
        if (!check_function(p, p->graph->function[i], d) || !check_sizes(p, p->graph->function[i], d)) return false;
    for (const ir_node *n = p->graph->first; n; n = n->next)
        for (int i = 0; n->op == IR_CALL && i < n->inputs; i++)
            if (!n->input[i]) return refuse(d, n, "a call without one of its arguments");
    return check_sizes(p, p->graph, d);
}

/* An epilogue follows an operand row by row, repeats it for every row of the step, or has one row for all. */
static bool check_epilogue(const plan_step *t, int first, diag *d)
{
    const plan_value *out = plan_value_of(t->scope, t->node->output[0]);
    const int64_t rows = out->elements / out->shape[out->value->type.rank - 1];
    for (int i = first; i < t->node->inputs; i++) {
        const plan_value *x = plan_value_of(t->scope, t->node->input[i]);
        const int rank = x ? x->value->type.rank : 0;
        const int64_t own = rank ? x->elements / x->shape[rank - 1] : 1;
        const bool follows = t->columns || t->winograd ? own == rows : t->aligned[i] || own == rows / t->rows;
        if (own != 1 && !follows) return refuse(d, t->node, "an operand that repeats along rows in the middle");
    }
    return true;
}

bool plan_check_steps(const plan_scope *s, diag *d)
{
    for (int i = 0; i < s->items; i++) {
        const plan_phase *f = s->item[i].phase;
        for (int j = 0; f && j < f->steps; j++) {
            const ir_op op = f->step[j]->node->op;
            if ((op == IR_LINEAR || op == IR_MLP || op == IR_CONV_LAST) && !check_epilogue(f->step[j], op == IR_MLP ? 5 : 3, d)) return false;
        }
    }
    return true;
}
