/* The evaluator's driver: runs a graph's nodes in order, frees values after their last reader. Nodes that no result needs are not run;
 * those of called functions are traced too. */
#include "eval_private.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 64 };

static eval_operator eval_call;

static eval_operator *const operators[IR_OP_COUNT] = {
    [IR_MAP] = eval_map, [IR_LINEAR] = eval_linear, [IR_MLP] = eval_mlp, [IR_MATMUL] = eval_matmul, [IR_ATTENTION] = eval_attention,
    [IR_NORM] = eval_norm, [IR_MOMENTS] = eval_moments, [IR_JOIN_MOMENTS] = eval_join_moments,
    [IR_SOFTMAX] = eval_softmax, [IR_REDUCE] = eval_reduce, [IR_MOVE] = eval_move, [IR_PAD] = eval_pad,
    [IR_CONCAT] = eval_concat, [IR_GATHER] = eval_gather, [IR_RESAMPLE] = eval_resample, [IR_TOPK] = eval_topk, [IR_PICK] = eval_pick,
    [IR_SCATTER] = eval_scatter, [IR_SUPPRESS] = eval_suppress, [IR_CONV] = eval_conv, [IR_CONV_LAST] = eval_conv_last, [IR_LENGTH] = eval_length,
    [IR_EXTEND] = eval_capacity, [IR_SHRINK] = eval_capacity, [IR_CALL] = eval_call,
};

static bool is_optional(ir_op op, int input)
{
    switch (op) {
    case IR_LINEAR: return input == 2;
    case IR_MLP: return input == 2 || input == 4;
    case IR_NORM: return input > 0;
    case IR_ATTENTION: return input >= 3;
    case IR_CONV: case IR_CONV_LAST: return input == 2;
    case IR_PAD: case IR_JOIN_MOMENTS: return input == 1;
    default: return false;
    }
}

/* ---- frames ---- */

status eval_frame_open(const eval_context *c, const ir_graph *g, eval_frame *f)
{
    *f = (eval_frame){.graph = g, .value = calloc((size_t)g->next_id + 1, sizeof *f->value), .readers = calloc((size_t)g->next_id + 1, sizeof *f->readers)};
    return f->value && f->readers ? STATUS_OK : eval_out_of_memory(c, NULL);
}

void eval_frame_close(eval_frame *f)
{
    for (int i = 0; f->value && i < f->graph->next_id; i++) eval_release(&f->value[i]);
    free(f->value);
    free(f->readers);
}

static bool is_needed(const eval_frame *f, const ir_node *n)
{
    for (int i = 0; i < n->outputs; i++) {
        if (f->readers[n->output[i]->id] > 0) return true;
    }
    return false;
}

/* Counts the readers of all that is needed, backwards from `last`; what the results need is marked before. */
static void count_readers(eval_frame *f, const ir_node *last)
{
    for (const ir_node *n = last; n; n = n->previous) {
        if (!is_needed(f, n)) continue;
        for (int i = 0; i < n->inputs; i++) {
            if (n->input[i]) f->readers[n->input[i]->id]++;
        }
    }
}

static void drop_reader(eval_frame *f, const ir_value *v)
{
    if (--f->readers[v->id] == 0) eval_release(&f->value[v->id]);
}

/* ---- nodes ---- */

status eval_view(const eval_context *c, const ir_value *v, eval_value *to)
{
    const ir_bytes *bytes = ir_bytes_of(v);
    status s = eval_describe(c, v->def, &v->type, to);
    if (s != STATUS_OK) return s;
    to->stored = to->elem;
    int64_t size;
    if (!bytes || !checked_mul(to->elements, (int64_t)elem_size(to->elem), &size) || (uint64_t)size != bytes->size) {
        return eval_fail(c, v->def, -1, STATUS_SHAPE, "the constant's bytes do not fill its shape");
    }
    to->data = bytes->data ? bytes->data : "";
    return STATUS_OK;
}

static eval_tensor as_tensor(const eval_value *v)
{
    eval_tensor t = {.elem = v->elem, .rank = v->rank, .elements = v->elements, .data = v->owned};
    memcpy(t.shape, v->shape, sizeof t.shape);
    return t;
}

static status trace_node(const eval_context *c, const eval_frame *f, const ir_node *n)
{
    eval_tensor *t = calloc((size_t)n->outputs + 1, sizeof *t);
    status s = t ? STATUS_OK : eval_out_of_memory(c, n);
    int copied = 0;
    for (; copied < n->outputs && s == STATUS_OK; copied++) {
        eval_value copy, *v = &f->value[n->output[copied]->id];
        s = eval_copy(c, n, v, eval_stored(c->mode, v->elem), &copy);
        if (s != STATUS_OK) break;
        t[copied] = as_tensor(&copy);
    }
    if (s == STATUS_OK) c->trace(c->trace_context, n, t);
    for (int i = 0; i < copied; i++) free(t[i].data);
    free(t);
    return s;
}

/* Describes the outputs and makes room for them. A call fills its own. */
static status prepare_outputs(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    for (int i = 0; i < n->outputs; i++) {
        status s = eval_describe(c, n, &n->output[i]->type, &out[i]);
        if (s != STATUS_OK) return s;
        if (n->op == IR_CALL) continue;
        if (n->op == IR_MOVE || n->op == IR_GATHER) {       /* elements stay as they are stored: a moved weight takes no more room */
            if (in[0]->elem != out[i].elem) return eval_fail(c, n, 0, STATUS_TYPE, "the output is of another type");
            out[i].stored = in[0]->stored;
        }
        s = eval_room(c, n, &out[i]);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

static status run_operator(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    for (int i = 0; i < n->inputs; i++) {
        bool has_value = in[i] ? in[i]->elem != ELEM_NONE && in[i]->data : !n->input[i] && is_optional(n->op, i);
        if (!has_value) return eval_fail(c, n, i, STATUS_VERIFY, "an input has no value");
    }
    if (n->op >= IR_OP_COUNT || !operators[n->op]) return eval_fail(c, n, -1, STATUS_VERIFY, "the operator has no evaluation");
    status s = prepare_outputs(c, n, in, out);
    return s == STATUS_OK ? operators[n->op](c, n, in, out) : s;
}

static status run_node(const eval_context *c, eval_frame *f, const ir_node *n)
{
    if (n->op == IR_CONST) {
        status s = eval_view(c, n->output[0], &f->value[n->output[0]->id]);
        return s == STATUS_OK && c->trace ? trace_node(c, f, n) : s;
    }
    const eval_value **in = calloc((size_t)n->inputs + 1, sizeof *in);
    eval_value *out = calloc((size_t)n->outputs + 1, sizeof *out);
    for (int i = 0; in && i < n->inputs; i++) in[i] = n->input[i] ? &f->value[n->input[i]->id] : NULL;
    status s = in && out ? run_operator(c, n, in, out) : eval_out_of_memory(c, n);
    for (int i = 0; out && i < n->outputs; i++) f->value[n->output[i]->id] = out[i];
    if (s == STATUS_OK && c->trace) s = trace_node(c, f, n);
    free(in);
    free(out);
    return s;
}

status eval_run_nodes(const eval_context *c, eval_frame *f, const ir_node *last)
{
    if (!last) return STATUS_OK;
    count_readers(f, last);
    for (const ir_node *n = f->graph->first; n; n = n->next) {
        if (is_needed(f, n)) {
            status s = run_node(c, f, n);
            if (s != STATUS_OK) return s;
            for (int i = 0; i < n->outputs; i++) {
                if (f->readers[n->output[i]->id] == 0) eval_release(&f->value[n->output[i]->id]);
            }
            for (int i = 0; i < n->inputs; i++) {
                if (n->input[i]) drop_reader(f, n->input[i]);
            }
        }
        if (n == last) break;
    }
    return STATUS_OK;
}

/* A value stored as the mode says: itself if it may be taken, else a copy. */
static status take(const eval_context *c, const ir_node *n, eval_value *held, bool is_last, eval_value *to)
{
    elem stored = eval_stored(c->mode, held->elem);
    if (held->elem == ELEM_NONE || !held->data) return eval_fail(c, n, -1, STATUS_VERIFY, "a result has no value");
    if (!is_last || !held->owned || held->stored != stored) return eval_copy(c, n, held, stored, to);
    *to = *held;
    *held = (eval_value){0};
    return STATUS_OK;
}

static status take_result(const eval_context *c, eval_frame *f, const ir_value *v, eval_value *to)
{
    status s = take(c, v->def, &f->value[v->id], f->readers[v->id] == 1, to);
    if (s == STATUS_OK) drop_reader(f, v);
    return s;
}

/* Runs g on arguments, which stay the caller's, in values of g's results. */
static status run_graph(const eval_context *c, const ir_graph *g, const eval_value *argument, eval_value *result)
{
    eval_frame f;
    status s = eval_frame_open(c, g, &f);
    for (int i = 0; i < g->results && s == STATUS_OK; i++) f.readers[g->result[i].value->id]++;
    for (int i = 0; i < g->parameters && s == STATUS_OK; i++) {
        eval_value *v = &f.value[g->parameter[i].value->id];
        *v = argument[i];
        v->owned = NULL;
    }
    if (s == STATUS_OK) s = eval_run_nodes(c, &f, g->last);
    for (int i = 0; i < g->results && s == STATUS_OK; i++) s = take_result(c, &f, g->result[i].value, &result[i]);
    eval_frame_close(&f);
    return s;
}

static status eval_call(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const ir_attribute *function = ir_find(n, KEY_FUNCTION);
    const ir_graph *g = function ? function->graph : NULL;
    if (!g || g->parameters != n->inputs || g->results != n->outputs) return eval_fail(c, n, -1, STATUS_VERIFY, "the call does not fit its function");
    if (c->depth >= CALLS_MAX) return eval_fail(c, n, -1, STATUS_VERIFY, "functions call each other without end");
    eval_context inner = *c;
    inner.depth++;
    eval_value *argument = calloc((size_t)n->inputs + 1, sizeof *argument);
    status s = argument ? STATUS_OK : eval_out_of_memory(c, n);
    for (int i = 0; i < n->inputs && s == STATUS_OK; i++) {
        eval_value declared;
        s = eval_describe(c, n, &g->parameter[i].value->type, &declared);
        if (s != STATUS_OK) break;
        argument[i] = *in[i];
        if (in[i]->elem != declared.elem || !eval_shape_is(in[i], declared.rank, declared.shape)) {
            s = eval_fail(c, n, i, STATUS_SHAPE, "it does not fit the function's parameter");
        }
    }
    if (s == STATUS_OK) s = run_graph(&inner, g, argument, out);
    free(argument);
    return s;
}

/* ---- interface ---- */

static eval_value as_value(eval_mode mode, const eval_tensor *t)
{
    eval_value v = {.elem = t->elem, .stored = eval_stored(mode, t->elem), .rank = t->rank, .data = t->data ? t->data : ""};
    v.elements = eval_product_of(t->shape, 0, t->rank);
    memcpy(v.shape, t->shape, (size_t)t->rank * sizeof *t->shape);
    return v;
}

static status run_on_tensors(const eval_context *c, const ir_graph *g, const eval_tensor *input, eval_tensor *output)
{
    eval_value *argument = calloc((size_t)g->parameters + 1, sizeof *argument), *result = calloc((size_t)g->results + 1, sizeof *result);
    status s = argument && result ? STATUS_OK : eval_out_of_memory(c, NULL);
    for (int i = 0; i < g->parameters && s == STATUS_OK; i++) argument[i] = as_value(c->mode, &input[i]);
    if (s == STATUS_OK) s = run_graph(c, g, argument, result);
    for (int i = 0; i < g->results && result; i++) {
        if (s == STATUS_OK) output[i] = as_tensor(&result[i]);
        else eval_release(&result[i]);
    }
    free(argument);
    free(result);
    return s;
}

status eval_run(const ir_graph *g, eval_mode mode, const eval_tensor *input, eval_tensor *output, eval_trace *trace, void *context, diag *d)
{
    int64_t *value = calloc((size_t)g->symbols->count + 1, sizeof *value);
    eval_context c = {.mode = mode, .symbol = value, .diag = d, .trace = trace, .trace_context = context};
    if (g->results > 0) memset(output, 0, (size_t)g->results * sizeof *output);
    status s = value ? eval_bind(&c, g, input, value) : eval_out_of_memory(&c, NULL);
    if (s == STATUS_OK) s = run_on_tensors(&c, g, input, output);
    free(value);
    return s;
}

void eval_free(eval_tensor *t)
{
    free(t->data);
    t->data = NULL;
}

/* in [inputs], pointers into held [inputs]. */
static status view_inputs(const eval_context *c, const ir_node *n, const eval_value **in, eval_value *held)
{
    for (int i = 0; i < n->inputs; i++) {
        if (!n->input[i]) continue;
        if (!ir_is_const(n->input[i])) return eval_fail(c, n, i, STATUS_VERIFY, "an input is no constant");
        status s = eval_view(c, n->input[i], &held[i]);
        if (s != STATUS_OK) return s;
        in[i] = &held[i];
    }
    return STATUS_OK;
}

status eval_node(const ir_node *n, eval_tensor *outputs, diag *d)
{
    eval_context c = {.mode = EVAL_TYPED, .diag = d};
    const eval_value **in = calloc((size_t)n->inputs + 1, sizeof *in);
    eval_value *held = calloc((size_t)n->inputs + 1, sizeof *held), *out = calloc((size_t)n->outputs + 1, sizeof *out), result;
    memset(outputs, 0, (size_t)n->outputs * sizeof *outputs);
    status s = in && held && out ? view_inputs(&c, n, in, held) : eval_out_of_memory(&c, n);
    if (s == STATUS_OK) s = n->op == IR_CONST ? eval_view(&c, n->output[0], out) : run_operator(&c, n, in, out);
    for (int i = 0; i < n->outputs && s == STATUS_OK; i++) {
        s = take(&c, n, &out[i], true, &result);
        if (s == STATUS_OK) outputs[i] = as_tensor(&result);
    }
    for (int i = 0; i < n->outputs; i++) {
        if (s != STATUS_OK) eval_free(&outputs[i]);
        if (out) eval_release(&out[i]);
    }
    free(in);
    free(held);
    free(out);
    return s;
}
