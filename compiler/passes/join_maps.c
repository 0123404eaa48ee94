/* Chains of element-wise operators become one map: what a map makes for one other map alone is computed within it, and never is in memory.
 * Requires: 32-bit floats throughout; both maps' results have one shape; operands that repeat along other axes than the leading ones do so alike, so that rows
 *   are shared out as before; no more inputs than a map in vectors has.
 * Leaves: the joined map where the second was. */
#include "match.h"

enum { INPUTS = 8, ITEMS = 48 };

typedef struct joined {
    ir_value *input[INPUTS];
    int inputs;
    expr_builder builder;
} joined;

/* The item that reads v. -1: too many inputs. */
static int read_input(joined *j, ir_value *v)
{
    int i = 0;
    while (i < j->inputs && j->input[i] != v) i++;
    if (i == INPUTS) return -1;
    if (i == j->inputs) j->input[j->inputs++] = v;
    return expr_input(&j->builder, i, v->type.elem);
}

/* n's expression, in which the items of `by` stand for what inner makes. -1: too many inputs. */
static int read_map(joined *j, const ir_node *n, const ir_node *inner, int by)
{
    int input[INPUTS];
    if (n->inputs > INPUTS) return -1;
    for (int i = 0; i < n->inputs; i++) {
        input[i] = inner && n->input[i] == inner->output[0] ? by : read_input(j, n->input[i]);
        if (input[i] < 0) return -1;
    }
    return expr_inline(&j->builder, ir_expr(n, KEY_EXPR), input);
}

static bool all_float(const ir_node *n)
{
    bool floats = n->output[0]->type.elem == ELEM_F32;
    for (int i = 0; i < n->inputs; i++) floats &= n->input[i]->type.elem == ELEM_F32;
    return floats;
}

/* Operands of one shape besides whole ones and rows. */
static bool repeat_alike(const joined *j, const ir_type *whole)
{
    const ir_type *other = NULL;
    for (int i = 0; i < j->inputs; i++) {
        const ir_type *t = &j->input[i]->type;
        if (ir_type_equal(t, whole) || match_is_row(t)) continue;
        if (other && !ir_type_equal(t, other)) return false;
        other = t;
    }
    return true;
}

/* Values of the result's shape that n reads. */
static int whole_inputs(const ir_node *n)
{
    int count = 0;
    for (int i = 0; i < n->inputs; i++) count += !ir_is_constant(n->input[i]) && ir_type_equal(&n->input[i]->type, &n->output[0]->type);
    return count;
}

/* The map that makes v for `reader` alone, and of two values only where the reader needs no other: else both would have to be kept until then, in place
 * of one. NULL: there is none. */
static ir_node *inner_of(const ir_value *v, const ir_node *reader)
{
    ir_node *n = ir_producer(v, IR_MAP);
    if (!n || ir_is_constant(v) || ir_is_result(v) || !all_float(n) || !ir_type_equal(&v->type, &reader->output[0]->type)) return NULL;
    for (int i = 0; i < v->uses; i++)
        if (v->user[i] != reader) return NULL;
    return whole_inputs(n) <= 1 || whole_inputs(reader) == v->uses ? n : NULL;
}

/* n with the map that makes its input i inside; n itself where that cannot be. NULL: reported. */
static ir_node *join(ir_node *n, int i, pass_context *c)
{
    ir_node *inner = inner_of(n->input[i], n);
    joined j = { .builder = expr_begin(n->graph->arena) };
    if (!inner || ir_expr(n, KEY_EXPR)->count + ir_expr(inner, KEY_EXPR)->count > ITEMS) return n;
    const int first = read_map(&j, inner, NULL, -1), result = first < 0 ? -1 : read_map(&j, n, inner, first);
    if (result < 0 || !repeat_alike(&j, &n->output[0]->type)) return n;
    ir_node *both = ir_begin(n->graph, IR_MAP);
    for (int k = 0; k < j.inputs; k++) ir_input(both, j.input[k]);
    ir_set_expr(both, KEY_EXPR, expr_end(&j.builder, result));
    ir_value *v = ir_end(both, n, c->diag);
    if (!v) return NULL;
    v->name = n->output[0]->name;
    ir_copy_origins(both, inner);
    ir_copy_origins(both, n);
    match_replace(n->output[0], v);
    return both;
}

bool pass_join_maps(ir_graph *g, pass_context *c)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op != IR_MAP || match_dead(n) || ir_is_constant(n->output[0]) || !all_float(n)) continue;
        for (int i = 0; i < n->inputs; i++) {
            ir_node *both = join(n, i, c);
            if (!both) return false;
            if (both == n) continue;
            n = both;
            i = -1;
        }
    }
    return true;
}
