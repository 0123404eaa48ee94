/* Counts the arithmetic of products; see flop.h. */
#include "flop.h"

static double extent(const ir_graph *g, dim d)
{
    enum { SYMBOLS = 64 };
    int64_t one[SYMBOLS], value;
    if (dim_is_constant(d, &value)) return (double)value;
    if (g->symbols->count > SYMBOLS) return 0;
    for (int i = 0; i < SYMBOLS; i++) one[i] = 1;
    return (double)dim_evaluate(d, one);
}

static double elements(const ir_value *v)
{
    double product = 1;
    for (int i = 0; i < v->type.rank; i++) product *= extent(v->def->graph, v->type.dim[i]);
    return product;
}

/* Dimension `axis` of input i of n. */
static double size(const ir_node *n, int i, int axis)
{
    const ir_type *t = &n->input[i]->type;
    return axis >= 0 && axis < t->rank ? extent(n->graph, t->dim[axis]) : 1;
}

static double mlp_flop(const ir_node *n)
{
    double rows = elements(n->output[0]) / size(n, 3, 1);
    return 2 * rows * (size(n, 1, 0) * size(n, 1, 1) + size(n, 3, 0) * size(n, 3, 1));
}

static double conv_flop(const ir_node *n)
{
    double taps = 1;
    for (int i = 1; i < n->input[1]->type.rank; i++) taps *= size(n, 1, i);
    return 2 * elements(n->output[0]) * taps;
}

double ir_flop(const ir_node *n)
{
    if (n->outputs > 0 && ir_is_constant(n->output[0])) return 0;
    switch (n->op) {
    case IR_LINEAR: return 2 * elements(n->output[0]) * size(n, 1, 0);
    case IR_MLP: return mlp_flop(n);
    case IR_MATMUL: return 2 * elements(n->output[0]) * size(n, 0, n->input[0]->type.rank - 1);
    case IR_ATTENTION:   /* q [B, Tq, H, d], v [B, Tk, G, e] */
        return 2 * size(n, 0, 0) * size(n, 0, 1) * size(n, 0, 2) * size(n, 2, 1) * (size(n, 0, 3) + size(n, 2, 3));
    case IR_CONV: return conv_flop(n);
    case IR_CONV_LAST: return 2 * elements(n->output[0]) * size(n, 1, 0);
    case IR_CALL: return ir_flop_of_graph(ir_find(n, KEY_FUNCTION)->graph);
    default: return 0;
    }
}

double ir_flop_of_graph(const ir_graph *g)
{
    double sum = 0;
    for (const ir_node *n = g->first; n; n = n->next) sum += ir_flop(n);
    return sum;
}
