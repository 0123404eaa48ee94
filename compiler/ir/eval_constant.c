/* Constants: recipes, evaluated as a whole or read piece by piece. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct eval_reading {
    eval_context context;
    eval_frame frame;                /* holds the value, or what the map reads */
    const ir_node *map;              /* computes the pieces; NULL: the value is there */
    eval_operand *operand;           /* of the map's inputs */
    eval_value value;                /* data NULL where the map computes it */
} eval_reading;

/* The value of all but n itself: what it reads. */
static status run_inputs(eval_reading *r, const ir_node *n)
{
    for (int i = 0; i < n->inputs; i++) r->frame.readers[n->input[i]->id]++;
    status s = eval_run_nodes(&r->context, &r->frame, n->previous);
    if (s == STATUS_OK) s = eval_describe(&r->context, n, &n->output[0]->type, &r->value);
    return s;
}

static status open_map(eval_reading *r, const ir_node *n)
{
    status s = run_inputs(r, n);
    if (s != STATUS_OK) return s;
    r->map = n;
    r->operand = eval_allocate(n->inputs, sizeof *r->operand);
    if (!r->operand) return eval_out_of_memory(&r->context, n);
    for (int i = 0; i < n->inputs; i++) {
        const eval_value *in = &r->frame.value[n->input[i]->id];
        if (!eval_operand_broadcast(in, r->value.rank, r->value.shape, &r->operand[i]))
            return eval_fail(&r->context, n, i, STATUS_SHAPE, "the input does not broadcast to the output");
    }
    return STATUS_OK;
}

static status open_value(eval_reading *r, const ir_value *v)
{
    if (ir_is_const(v)) return eval_view(&r->context, v, &r->value);
    status s = eval_frame_open(&r->context, v->def->graph, &r->frame);
    if (s != STATUS_OK) return s;
    if (v->def->op == IR_MAP) return open_map(r, v->def);
    r->frame.readers[v->id] = 1;
    s = eval_run_nodes(&r->context, &r->frame, v->def);
    if (s != STATUS_OK) return s;
    r->value = r->frame.value[v->id];
    return r->value.data ? STATUS_OK : eval_fail(&r->context, v->def, -1, STATUS_VERIFY, "a constant has no value");
}

status eval_reader_open(eval_reader *r, const ir_value *v, const int64_t *symbol, diag *d)
{
    const eval_context c = {.mode = EVAL_TYPED, .symbol = symbol, .diag = d};
    *r = (eval_reader){0};
    if (!v->def) return eval_fail(&c, NULL, -1, STATUS_VERIFY, "a parameter is no constant");
    if (!(r->reading = calloc(1, sizeof *r->reading))) return eval_out_of_memory(&c, v->def);
    r->reading->context = c;
    const status s = open_value(r->reading, v);
    const eval_value *value = &r->reading->value;
    r->value = (eval_tensor){.elem = value->elem, .rank = value->rank, .elements = value->elements};
    memcpy(r->value.shape, value->shape, sizeof value->shape);
    return s;
}

status eval_reader_read(const eval_reader *r, int64_t first, int64_t count, void *room, const void **from)
{
    const eval_reading *g = r->reading;
    *from = g->map ? room : (const char *)g->value.data + (size_t)first * elem_size(g->value.stored);
    if (!g->map) return STATUS_OK;
    return eval_apply(&g->context, g->map, ir_expr(g->map, KEY_EXPR), g->map->inputs, g->operand, first, count, g->value.stored, room);
}

status eval_reader_copy(const eval_reader *r, void *room)
{
    const void *from;
    const status s = eval_reader_read(r, 0, r->value.elements, room, &from);
    if (s == STATUS_OK && from != room && r->value.elements > 0) memcpy(room, from, (size_t)r->value.elements * elem_size(r->value.elem));
    return s;
}

void eval_reader_close(eval_reader *r)
{
    if (!r->reading) return;
    free(r->reading->operand);
    if (r->reading->frame.graph) eval_frame_close(&r->reading->frame);
    free(r->reading);
    r->reading = NULL;
}

status eval_constant(const ir_value *v, eval_tensor *out, diag *d)
{
    eval_reader r;
    status s = eval_reader_open(&r, v, NULL, d);
    *out = r.value;
    if (s == STATUS_OK && !(out->data = eval_allocate(out->elements, elem_size(out->elem)))) s = eval_out_of_memory(&r.reading->context, v->def);
    if (s == STATUS_OK) s = eval_reader_copy(&r, out->data);
    if (s != STATUS_OK) eval_free(out);
    eval_reader_close(&r);
    return s;
}
