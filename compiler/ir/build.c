/* Building nodes: inputs, attributes and origins, then types, then the place in the graph. */
#include <stdlib.h>
#include <string.h>

#include "ir_private.h"

ir_node *ir_begin(ir_graph *g, ir_op op)
{
    ir_node *n = arena_alloc(g->arena, sizeof *n);
    n->op = op;
    n->graph = g;
    n->outputs = ir_op_rows[op].outputs > 0 ? ir_op_rows[op].outputs : 1;
    return n;
}

void ir_input(ir_node *n, ir_value *v)
{
    n->input = arena_grow(n->graph->arena, n->input, (size_t)n->inputs, sizeof *n->input);
    n->input[n->inputs++] = v;
    if (!n->output) return;
    if (v) ir_add_use(v, n);
    ir_constant_changed(n);
}

/* ---- attributes ---- */

ir_attribute *ir_attribute_of(ir_node *n, ir_key key)
{
    ir_attribute **at = &n->attributes;
    while (*at && (*at)->key < key) at = &(*at)->next;
    if (*at && (*at)->key == key) return *at;
    ir_attribute *a = arena_alloc(n->graph->arena, sizeof *a);
    a->key = key;
    a->next = *at;
    return *at = a;
}

void ir_set_int(ir_node *n, ir_key key, int64_t value)
{
    ir_attribute_of(n, key)->integer = value;
}

void ir_set_number(ir_node *n, ir_key key, double value)
{
    ir_attribute_of(n, key)->number = value;
}

void ir_set_name(ir_node *n, ir_key key, const char *value)
{
    ir_attribute_of(n, key)->name = arena_strdup(n->graph->arena, value);
}

void ir_set_ints(ir_node *n, ir_key key, const int64_t *value, int count)
{
    ir_attribute *a = ir_attribute_of(n, key);
    int64_t *item = arena_array(n->graph->arena, (size_t)count, sizeof *item);
    if (count > 0) memcpy(item, value, (size_t)count * sizeof *item);
    a->list.count = count;
    a->list.item = item;
}

void ir_set_expr(ir_node *n, ir_key key, const expr *value)
{
    ir_attribute_of(n, key)->expr = value;
}

void ir_set_move(ir_node *n, const move *value)
{
    move *copy = arena_alloc(n->graph->arena, sizeof *copy);
    *copy = *value;
    ir_attribute_of(n, KEY_MOVE)->move = copy;
}

void ir_set_function(ir_node *n, ir_graph *function)
{
    ir_attribute_of(n, KEY_FUNCTION)->graph = function;
}

void ir_remove_attribute(ir_node *n, ir_key key)
{
    ir_attribute **at = &n->attributes;
    while (*at && (*at)->key != key) at = &(*at)->next;
    if (*at) *at = (*at)->next;
}

/* ---- origins ---- */

static int compare_origins(const char *a, const char *b)
{
    long x = strtol(a, NULL, 10), y = strtol(b, NULL, 10);
    return x != y ? (x < y ? -1 : 1) : strcmp(a, b);
}

void ir_add_origin(ir_node *n, const char *origin)
{
    int place = n->origins;
    while (place > 0) {
        int order = compare_origins(n->origin[place - 1], origin);
        if (order == 0) return;
        if (order < 0) break;
        place--;
    }
    n->origin = arena_grow(n->graph->arena, n->origin, (size_t)n->origins, sizeof *n->origin);
    memmove(&n->origin[place + 1], &n->origin[place], (size_t)(n->origins - place) * sizeof *n->origin);
    n->origin[place] = origin;
    n->origins++;
}

void ir_copy_origins(ir_node *to, const ir_node *from)
{
    if (to == from) return;
    for (int i = 0; i < from->origins; i++) ir_add_origin(to, from->origin[i]);
}

/* ---- ending ---- */

static void make_outputs(ir_node *n, const ir_type *type, int id)
{
    const ir_attribute *function = n->op == IR_CALL ? ir_find(n, KEY_FUNCTION) : NULL;
    if (function) n->outputs = function->graph->results;
    n->output = arena_array(n->graph->arena, (size_t)n->outputs + 1, sizeof *n->output);
    for (int i = 0; i < n->outputs; i++) {
        ir_value *v = arena_alloc(n->graph->arena, sizeof *v);
        v->def = n;
        v->index = i;
        v->graph = n->graph;
        v->id = id + i;
        if (type) v->type = type[i];
        n->output[i] = v;
    }
}

/* A move has its normal form, and where nobody said its result's shape, an axis a digit. */
static void settle_move(ir_node *n, const ir_type *type)
{
    const ir_attribute *a = ir_find(n, KEY_MOVE);
    if (!a || n->inputs != 1 || !n->input[0] || a->move->rank > n->input[0]->type.rank) return;
    move m = *a->move;
    m.rank = n->input[0]->type.rank;
    for (int i = 0; i < m.digits; i++)
        if (m.digit[i].axis >= m.rank) return;
    ir_type *to = &n->output[0]->type;
    if (!type && m.digits <= IR_RANK_MAX) {
        to->rank = m.digits;
        for (int i = 0; i < m.digits; i++) to->dim[i] = m.digit[i].extent;
    }
    move_normalise(&n->input[0]->type, &m);
    ir_set_move(n, &m);
}

ir_value *ir_end_as(ir_node *n, const ir_type *type, int id, ir_node *before, diag *d)
{
    make_outputs(n, type, id >= 0 ? id : n->graph->next_id);
    if (n->op == IR_MOVE) settle_move(n, type);
    if (!ir_infer(n, d)) return NULL;
    if (id < 0) n->graph->next_id += n->outputs;
    for (int i = 0; i < n->inputs; i++)
        if (n->input[i]) ir_add_use(n->input[i], n);
    n->constant = ir_constant_now(n);
    if (before && n->origins == 0) ir_copy_origins(n, before);
    ir_link(n, before);
    return n->output[0];
}

ir_value *ir_end(ir_node *n, ir_node *before, diag *d)
{
    return ir_end_as(n, NULL, -1, before, d);
}

/* ---- short forms ---- */

ir_value *ir_constant(ir_graph *g, ir_type type, const void *data, size_t size, ir_node *before)
{
    ir_node *n = ir_begin(g, IR_CONST);
    ir_bytes *bytes = arena_alloc(g->arena, sizeof *bytes);
    bytes->data = data;
    bytes->size = size;
    ir_attribute_of(n, KEY_BYTES)->bytes = bytes;
    return ir_end_as(n, &type, -1, before, NULL);
}

ir_value *ir_constant_f32(ir_graph *g, float value, ir_node *before)
{
    float *data = arena_alloc(g->arena, sizeof *data);
    *data = value;
    return ir_constant(g, (ir_type){.elem = ELEM_F32}, data, sizeof *data, before);
}

ir_value *ir_constant_ints(ir_graph *g, const int64_t *value, int count, ir_node *before)
{
    int64_t *data = arena_array(g->arena, (size_t)count, sizeof *data);
    if (count > 0) memcpy(data, value, (size_t)count * sizeof *data);
    return ir_constant(g, (ir_type){.elem = ELEM_I64, .rank = 1, .dim[0] = dim_of(count)}, data, (size_t)count * sizeof *data, before);
}

ir_value *ir_move_of(ir_graph *g, ir_value *x, const move *m, const ir_type *to, ir_node *before, diag *d)
{
    ir_node *n = ir_begin(g, IR_MOVE);
    ir_input(n, x);
    ir_set_move(n, m);
    return ir_end_as(n, to, -1, before, d);
}

static ir_value *map_of(ir_graph *g, expr_op op, ir_value *const *input, int inputs, ir_node *before, diag *d)
{
    ir_node *n = ir_begin(g, IR_MAP);
    expr_builder b = expr_begin(g->arena);
    int arg[2] = {-1, -1};
    for (int i = 0; i < inputs; i++) {
        int known = 0;
        while (known < n->inputs && n->input[known] != input[i]) known++;
        if (known == n->inputs) ir_input(n, input[i]);
        arg[i] = expr_input(&b, known, input[i]->type.elem);
    }
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_apply(&b, op, arg[0], arg[1], -1)));
    return ir_end(n, before, d);
}

ir_value *ir_map1(ir_graph *g, expr_op op, ir_value *x, ir_node *before, diag *d)
{
    return map_of(g, op, (ir_value *[]){x}, 1, before, d);
}

ir_value *ir_map2(ir_graph *g, expr_op op, ir_value *x, ir_value *y, ir_node *before, diag *d)
{
    return map_of(g, op, (ir_value *[]){x, y}, 2, before, d);
}
