/* widen_halves: half precision computes in single. Inputs and constants of f16 and bf16 are converted as they come, outputs as they go; what lies
 * between is f32, and a Cast to half precision in between rounds no more.
 * Requires: a graph without functions. */
#include "lower.h"

static bool is_half(elem e)
{
    return e == ELEM_F16 || e == ELEM_BF16;
}

static elem widened(elem e)
{
    return is_half(e) ? ELEM_F32 : e;
}

static ir_value *convert(ir_graph *g, ir_value *x, elem to, ir_node *before, diag *d)
{
    expr_builder b = expr_begin(g->arena);
    ir_node *n = ir_begin(g, IR_MAP);
    ir_input(n, x);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_convert(&b, to, expr_input(&b, 0, x->type.elem))));
    return ir_end(n, before, d);
}

/* Everyone reads x as f32; where x is a result, it stays one. */
static bool convert_source(ir_graph *g, ir_value *x, ir_node *before, diag *d)
{
    ir_value *wide = convert(g, x, ELEM_F32, before, d);
    bool *result = arena_array(g->arena, (size_t)g->results + 1, sizeof *result);
    if (!wide) return false;
    for (int i = 0; i < g->results; i++) result[i] = g->result[i].value == x;
    ir_replace(x, wide);
    ir_set_input(wide->def, 0, x);
    for (int i = 0; i < g->results; i++)
        if (result[i]) g->result[i].value = x;
    return true;
}

static const expr *widened_expr(arena *a, const expr *e)
{
    expr_builder b = expr_begin(a);
    int *place = arena_array(a, (size_t)e->count, sizeof *place);
    for (int i = 0; i < e->count; i++) {
        const expr_item *t = &e->item[i];
        const elem to = widened(t->elem);
        int arg[3] = { -1, -1, -1 };
        for (int k = 0; k < expr_arity(t->op); k++) arg[k] = place[t->arg[k]];
        if (t->op == EXPR_INPUT) place[i] = expr_input(&b, t->index, to);
        else if (t->op == EXPR_CONSTANT) place[i] = expr_constant(&b, to, t->number, t->integer);
        else if (t->op == EXPR_CONVERT) place[i] = b.item[arg[0]].elem == to ? arg[0] : expr_convert(&b, to, arg[0]);
        else place[i] = expr_apply(&b, t->op, arg[0], arg[1], arg[2]);
    }
    return expr_end(&b, place[e->count - 1]);
}

static bool widen_node(ir_node *n, diag *d)
{
    static const ir_key keys[] = { KEY_EXPR, KEY_EPILOGUE };
    for (int i = 0; i < 2; i++)
        if (ir_expr(n, keys[i])) ir_set_expr(n, keys[i], widened_expr(n->graph->arena, ir_expr(n, keys[i])));
    return ir_infer(n, d);
}

static bool has_halves(const ir_graph *g)
{
    for (int i = 0; i < g->parameters; i++)
        if (is_half(g->parameter[i].value->type.elem)) return true;
    for (const ir_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->outputs; i++)
            if (is_half(n->output[i]->type.elem)) return true;
    return false;
}

bool widen_halves(ir_graph *g, diag *d)
{
    if (!has_halves(g)) return true;
    elem *wanted = arena_array(g->arena, (size_t)g->results + 1, sizeof *wanted);
    for (int i = 0; i < g->results; i++) wanted[i] = g->result[i].value->type.elem;
    ir_node *first = g->first;
    for (int i = 0; i < g->parameters; i++)
        if (is_half(g->parameter[i].value->type.elem) && !convert_source(g, g->parameter[i].value, first, d)) return false;
    for (ir_node *n = first, *next; n; n = next) {
        next = n->next;
        if (n->op != IR_CONST) {
            if (!widen_node(n, d)) return false;
        } else if (is_half(n->output[0]->type.elem)) {
            if (!convert_source(g, n->output[0], next, d)) return false;
        }
    }
    for (int i = 0; i < g->results; i++) {
        if (g->result[i].value->type.elem == wanted[i]) continue;
        ir_value *narrow = convert(g, g->result[i].value, wanted[i], NULL, d);
        if (!narrow) return false;
        g->result[i].value = narrow;
    }
    return true;
}
