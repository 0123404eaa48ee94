/* lower_few_rows: an MLP of one row, or a few, is bound by reading its weights. As two linear layers, threads share both halves by output features. */
#include "lower.h"
#include "match.h"

static ir_value *linear(ir_node *n, ir_value *x, ir_value *w, ir_value *b, const expr *epilogue, int extras, pass_context *c)
{
    ir_node *l = ir_begin(n->graph, IR_LINEAR);
    ir_input(l, x);
    ir_input(l, w);
    ir_input(l, b);
    for (int i = n->inputs - extras; i < n->inputs; i++) ir_input(l, n->input[i]);
    if (epilogue) ir_set_expr(l, KEY_EPILOGUE, epilogue);
    ir_value *y = ir_end(l, n, c->diag);
    if (y) ir_copy_origins(l, n);
    return y;
}

static bool take_apart(ir_node *n, pass_context *c)
{
    ir_value *hidden = linear(n, n->input[0], n->input[1], n->input[2], ir_expr(n, KEY_EXPR), 0, c);
    ir_value *y = hidden ? linear(n, hidden, n->input[3], n->input[4], ir_expr(n, KEY_EPILOGUE), n->inputs - 5, c) : NULL;
    if (!y) return false;
    ir_replace(n->output[0], y);
    ir_remove(n);
    return true;
}

static bool lower_graph(ir_graph *g, pass_context *c, int64_t rows, int64_t weights)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op != IR_MLP || ir_is_constant(n->output[0]) || expr_inputs(ir_expr(n, KEY_EXPR)) > 1) continue;
        const ir_type *out = &n->output[0]->type;
        if (match_size(g, out, out->rank - 1, c->arena) > rows || match_size(g, &n->input[1]->type, 2, c->arena) < weights) continue;
        if (!take_apart(n, c)) return false;
    }
    return true;
}

bool lower_few_rows(ir_graph *g, pass_context *c, int64_t rows, int64_t weights)
{
    for (int i = 0; i < g->functions; i++)
        if (!lower_graph(g->function[i], c, rows, weights)) return false;
    return lower_graph(g, c, rows, weights);
}
