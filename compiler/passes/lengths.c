/* Gives lengths of a run their capacity, so that all sizes but those of inputs and outputs are constant.
 * Requires: inputs and values with at most one axis that is a length and more. Leaves: inputs extended, their elements at the end of the axis; values
 *   likewise; outputs shrunk. What sums or picks along such an axis leaves out what lies before the elements: softmax and attention by a mask, products
 *   and sums by zeros. Slices from the end, concatenations behind and causal masks stay as they are, since all lengths end at the same place. */
#include "lengths.h"

#include "rebuild.h"

bool lengths_mentioned(const ir_graph *g, dim d, int *symbol)
{
    for (*symbol = 0; *symbol < g->symbols->count; ++*symbol)
        if (g->symbols->symbol[*symbol].length && dim_mentions(d, *symbol)) return true;
    return false;
}

bool lengths_axis(const ir_graph *g, const ir_type *t, int *axis, int *symbol)
{
    *axis = -1;
    for (int i = 0; i < t->rank; i++) {
        dim rest;
        int found;
        if (!lengths_mentioned(g, t->dim[i], &found)) continue;
        if (*axis >= 0 || !dim_sub(t->dim[i], dim_symbol_of(found), &rest) || !dim_is_constant(rest, NULL)) return false;
        *axis = i;
        *symbol = found;
    }
    return true;
}

/* "it is axis 2 of input 'past_0_key'; --shape 'past_0_key=…' with a number there fixes it" */
static const char *remedy(const lengths *l, int symbol)
{
    const ir_graph *g = l->graph;
    for (int i = 0; i < g->parameters; i++)
        for (int a = 0; a < g->parameter[i].value->type.rank; a++)
            if (dim_mentions(g->parameter[i].value->type.dim[a], symbol))
                return arena_printf(l->c->arena, "%s is axis %d of input '%.100s', and a number there in --shape '%.100s=…' fixes it",
                                    g->symbols->symbol[symbol].name, a, g->parameter[i].name, g->parameter[i].name);
    return "a number in --shape fixes it";
}

bool lengths_refuse(lengths *l, const ir_node *n, int i, const char *why)
{
    const ir_value *v = i >= 0 ? n->input[i] : n->output[0];
    int axis, symbol = 0;
    const diag_place place = { .node = ir_describe(n), .input = i, .shape = ir_type_text(l->c->arena, l->graph->symbols, &v->type) };
    for (int s = 0; s < l->graph->symbols->count; s++)
        for (int a = 0; a < v->type.rank; a++)
            if (dim_mentions(v->type.dim[a], s)) symbol = s;
    lengths_axis(l->graph, &v->type, &axis, &symbol);
    diag_error(l->c->diag, STATUS_SHAPE_UNKNOWN, &place, "%s %s; %s", ir_op_name(n->op), why, remedy(l, symbol));
    return false;
}

const lengths_value *lengths_of(const lengths *l, const ir_node *n, int i)
{
    const ir_value *v = i < n->inputs ? n->input[i] : NULL;
    return v && v->id < l->values && l->value[v->id].value ? &l->value[v->id] : NULL;
}

ir_value *lengths_input(const lengths *l, const ir_node *n, int i)
{
    const lengths_value *x = lengths_of(l, n, i);
    return x ? x->value : n->input[i];
}

bool lengths_capacity(const lengths *l, const ir_type *t, ir_type *to)
{
    *to = *t;
    for (int i = 0; i < t->rank; i++)
        for (int s = 0; s < l->graph->symbols->count; s++)
            if (l->graph->symbols->symbol[s].length &&
                !dim_substitute(to->dim[i], s, dim_of(l->graph->symbols->symbol[s].max), &to->dim[i])) return false;
    return true;
}

/* ---- what is built of the length ---- */

ir_value *lengths_places(lengths *l, int64_t size, int ones, ir_node *before)
{
    int64_t *place = arena_array(l->c->arena, (size_t)size + 1, sizeof *place);
    for (int64_t i = 0; i < size; i++) place[i] = i;
    ir_type type = { .elem = ELEM_I64, .rank = 1 + ones, .dim = { dim_of(size) } };
    for (int i = 1; i <= ones; i++) type.dim[i] = dim_of(1);
    return ir_constant(l->graph, type, place, (size_t)size * sizeof *place, before);
}

ir_value *lengths_map(lengths *l, ir_value *const *input, int inputs, const expr *e, ir_node *before)
{
    ir_node *n = ir_begin(l->graph, IR_MAP);
    for (int i = 0; i < inputs; i++) {
        if (!input[i]) return NULL;
        ir_input(n, input[i]);
    }
    ir_set_expr(n, KEY_EXPR, e);
    return ir_end(n, before, l->c->diag);
}

/* At the front of the graph, so that all nodes may read it. */
static bool make_slack(lengths *l, int symbol, ir_node *first)
{
    ir_node *n = ir_begin(l->graph, IR_LENGTH);
    ir_set_int(n, KEY_SYMBOL, symbol);
    l->length[symbol] = ir_end(n, first, l->c->diag);
    expr_builder b = expr_begin(l->c->arena);
    const int capacity = expr_constant(&b, ELEM_I64, 0, l->graph->symbols->symbol[symbol].max);
    const expr *e = expr_end(&b, expr_apply(&b, EXPR_SUB, capacity, expr_input(&b, 0, ELEM_I64), -1));
    l->slack[symbol] = l->length[symbol] ? lengths_map(l, &l->length[symbol], 1, e, first) : NULL;
    return l->slack[symbol] != NULL;
}

/* ---- the graph ---- */

static bool is_of_length(const ir_graph *g, const ir_value *v)
{
    int axis, symbol;
    return v && (!lengths_axis(g, &v->type, &axis, &symbol) || axis >= 0);
}

static bool is_concerned(const ir_node *n)
{
    if (n->op == IR_EXTEND || n->op == IR_SHRINK) return false;
    for (int i = 0; i < n->inputs; i++)
        if (is_of_length(n->graph, n->input[i])) return true;
    for (int i = 0; i < n->outputs; i++)
        if (is_of_length(n->graph, n->output[i])) return true;
    return false;
}

static ir_value *between(lengths *l, ir_op op, ir_value *x, int axis, int symbol, ir_node *before)
{
    ir_node *n = ir_begin(l->graph, op);
    ir_input(n, x);
    ir_input(n, l->length[symbol]);
    ir_set_int(n, KEY_AXIS, axis);
    ir_set_int(n, KEY_SYMBOL, symbol);
    ir_value *v = ir_end(n, before, l->c->diag);
    n->origins = 0;   /* of an input: no node of the file */
    if (v && x->def) ir_copy_origins(n, x->def);
    return v;
}

/* Old output k of n has become `by`. */
static bool put(lengths *l, ir_node *n, int k, ir_value *by, bool zero)
{
    int axis, symbol = 0;
    ir_type capacity;
    ir_value *old = n->output[k];
    if (!lengths_axis(l->graph, &old->type, &axis, &symbol)) return lengths_refuse(l, n, -1, "makes a size that is no length and more");
    if (!lengths_capacity(l, &old->type, &capacity) || !ir_type_equal(&capacity, &by->type))
        return lengths_refuse(l, n, -1, "has another size at the capacity");
    by->name = old->name;
    if (axis >= 0) l->value[old->id] = (lengths_value){ by, axis, symbol, zero };
    else ir_replace(old, by);
    return true;
}

static bool lower_node(lengths *l, ir_node *n)
{
    for (int i = 0; i < n->outputs; i++) {
        int axis, symbol;
        if (!lengths_axis(l->graph, &n->output[i]->type, &axis, &symbol)) return lengths_refuse(l, n, -1, "makes a size that is no length and more");
    }
    if (n->op == IR_MOVE) {
        bool zero;
        ir_value *v = lengths_move(l, n, &zero);
        return v && put(l, n, 0, v, zero);
    }
    ir_value **input = arena_array(l->c->arena, (size_t)n->inputs + 2, sizeof *input);
    int inputs = n->inputs;
    bool zero = false;
    for (int i = 0; i < n->inputs; i++) input[i] = n->input[i] ? lengths_input(l, n, i) : NULL;
    if (!lengths_take(l, n, input, &inputs, &zero)) return false;
    ir_node *copy = rebuild_begin(l->graph, n);
    for (int i = 0; i < inputs; i++) ir_input(copy, input[i]);
    if (!ir_end(copy, n, l->c->diag)) return false;
    for (int i = 0; i < n->outputs; i++)
        if (!put(l, n, i, copy->output[i], zero)) return false;
    return true;
}

/* Inputs, and the numbers made of lengths. */
static bool begin(lengths *l, ir_node *first)
{
    ir_graph *g = l->graph;
    int lengths = 0;
    for (int s = 0; s < g->symbols->count; s++) lengths += g->symbols->symbol[s].length;
    if (lengths > 1) {
        diag_error(l->c->diag, STATUS_SHAPE_UNKNOWN, NULL, "a run has one length at most; numbers in --shape fix the others");
        return false;
    }
    for (int i = 0; i < g->parameters; i++) {
        int axis, symbol;
        ir_value *v = g->parameter[i].value;
        if (!lengths_axis(g, &v->type, &axis, &symbol)) {
            diag_error(l->c->diag, STATUS_SHAPE_UNKNOWN, NULL, "input '%.100s' has two axes that are lengths; a number in --shape fixes one",
                       g->parameter[i].name);
            return false;
        }
        if (axis < 0) continue;
        if (!l->slack[symbol] && !make_slack(l, symbol, first)) return false;
        ir_value *extended = between(l, IR_EXTEND, v, axis, symbol, first);
        if (!extended) return false;
        l->value[v->id] = (lengths_value){ extended, axis, symbol, true };
    }
    return true;
}

static bool end(lengths *l)
{
    ir_graph *g = l->graph;
    for (int i = 0; i < g->results; i++) {
        const ir_value *v = g->result[i].value;
        const lengths_value *x = v->id < l->values ? &l->value[v->id] : NULL;
        if (!x || !x->value) continue;
        ir_value *shrunk = between(l, IR_SHRINK, x->value, x->axis, x->symbol, NULL);
        if (!shrunk) return false;
        g->result[i].value = shrunk;
    }
    return true;
}

bool pass_lengths(ir_graph *g, pass_context *c)
{
    bool any = false;
    ir_sweep(g);   /* what nobody reads need not be possible */
    for (const ir_node *n = g->first; n && !any; n = n->next) any = is_concerned(n);
    for (int i = 0; i < g->results; i++) any |= is_of_length(g, g->result[i].value) && !ir_producer(g->result[i].value, IR_SHRINK);
    if (!any) return true;
    const size_t symbols = (size_t)g->symbols->count + 1;
    lengths l = { g, c, g->next_id, arena_array(c->arena, (size_t)g->next_id + 1, sizeof *l.value), arena_array(c->arena, symbols, sizeof *l.length),
                  arena_array(c->arena, symbols, sizeof *l.slack) };
    ir_node *const first = g->first;
    if (!begin(&l, first)) return false;
    bool fine = true;
    for (ir_node *n = first, *next; n; n = next) {
        next = n->next;
        if (!is_concerned(n)) continue;
        bool failed = false;   /* where an input has failed, nothing more is said */
        for (int i = 0; i < n->inputs; i++) failed |= is_of_length(g, n->input[i]) && !lengths_of(&l, n, i);
        if (!failed && !lower_node(&l, n)) fine = false;
    }
    if (!fine || !end(&l)) return false;
    ir_sweep(g);
    return pass_merge_dup(g, c);   /* masks and numbers, once for all readers */
}
