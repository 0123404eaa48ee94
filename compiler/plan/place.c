/* Where values are: shapes at N = 1 (constants of the batch's size are evaluated for one image), and moves that need no copy because their result is
 * a view of the source. A view is a reshape of contiguous data, or evenly spaced runs: a slice of the last axis (one of q, k, v packed side by side)
 * or of the rows. */
#include "plan_private.h"

int64_t plan_round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

int64_t plan_dim(const plan *p, dim d)
{
    return dim_evaluate(d, p->symbol);
}

plan_value *plan_value_at(plan_scope *s, const ir_value *v)
{
    return &s->value[v->id];
}

const plan_value *plan_value_of(const plan_scope *s, const ir_value *v)
{
    return v ? &s->value[v->id] : NULL;
}

plan_value *plan_base(plan_scope *s, const ir_value *v)
{
    return plan_value_at(s, v)->base;
}

static int64_t product(const int64_t *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= shape[i];
    return n;
}

static void place(const plan *p, plan_scope *s, const ir_value *v)
{
    plan_value *x = plan_value_at(s, v);
    x->value = v;
    for (int i = 0; i < v->type.rank; i++) x->shape[i] = plan_dim(p, v->type.dim[i]);
    x->elements = product(x->shape, 0, v->type.rank);
    x->base = x;
    x->row_elements = x->row_stride = x->elements;
    const bool gathered = !v->def && !s->is_function && plan_is_interleaved(p, x);
    if (ir_is_constant(v)) x->space = SPACE_CONSTANT;
    else if (!v->def) x->space = gathered ? SPACE_FRAME : SPACE_ARGUMENT;
    else x->space = plan_is_prelude(p, s, v->def) ? SPACE_SHARED : SPACE_FRAME;
    x->bytes = x->elements * (int64_t)elem_size(v->type.elem);
}

/* Strides as runs: all axes but the trailing contiguous ones must merge into one stride. */
static bool as_runs(const plan_value *x, int rank, const int64_t *stride, int64_t *row_elements, int64_t *row_stride)
{
    int64_t run = 1, step = 0;
    int i = rank - 1;
    for (; i >= 0 && (x->shape[i] == 1 || stride[i] == run); i--) run *= x->shape[i];
    for (int64_t inside = 1; i >= 0; i--) {
        if (x->shape[i] == 1) continue;
        if (!stride[i]) return false;   /* the same elements again */
        if (!step) step = stride[i];
        else if (stride[i] != step * inside) return false;
        inside *= x->shape[i];
    }
    *row_elements = run;
    *row_stride = step ? step : run;
    return !step || step >= run;
}

/* Elements that reader n takes as one row of its input v. */
static int64_t row_of(const plan_scope *s, const ir_node *n, const ir_value *v)
{
    const int rank = v->type.rank;
    const int axis = n->op == IR_NORM ? (int)ir_int(n, KEY_AXIS, rank - 1) : n->op == IR_LINEAR || n->op == IR_MLP ? rank - 1 : rank - 2;
    return product(s->value[v->id].shape, axis, rank);
}

/* Does every reader of v take evenly spaced runs of `run` elements? A reshape passes the question on to its own readers. */
static bool readers_take_runs(const plan_scope *s, const ir_value *v, int64_t run)
{
    if (ir_is_result(v)) return false;
    for (int i = 0; i < v->uses; i++) {
        const ir_node *n = v->user[i];
        const ir_value *out = n->output[0];
        const int last = out->type.rank - 1;
        switch (n->op) {
        case IR_LINEAR: case IR_MLP: case IR_NORM:
            if (n->input[0] != v || v->uses != 1 || run != row_of(s, n, v)) return false;
            break;
        case IR_ATTENTION:
            if (run != row_of(s, n, v) || n->input[1] == v) return false;
            for (int k = 3; k < n->inputs; k++)
                if (n->input[k] == v) return false;
            break;
        case IR_MOVE:
            if (plan_is_folded(n)) {
                if (run != row_of(s, n, v)) return false;
                break;
            }
            if (!move_is_reshape(&v->type, ir_move(n)) || last < 0 || run % s->value[out->id].shape[last] || !readers_take_runs(s, out, run))
                return false;
            break;
        default: return false;
        }
    }
    return true;
}

/* A result of a function is written where the caller says: only a reshape of a value that no other result shares may be a view. */
static bool result_allows_view(const plan_scope *s, const ir_value *v, const plan_value *base, bool whole)
{
    if (!s->is_function) return true;
    if (base->result_views && ir_is_result(v)) return false;
    return !ir_is_result(v) || (whole && base->space == SPACE_FRAME && !ir_is_result(base->value));
}

/* A move that is a view becomes one; arguments and frame values may have views, constants are evaluated instead. */
static void place_view(const plan *p, plan_scope *s, const ir_node *n)
{
    const ir_value *source = n->input[0], *result = n->output[0];
    plan_value *out = plan_value_at(s, result);
    const plan_value *in = plan_value_at(s, source);
    const int64_t last = result->type.rank ? out->shape[result->type.rank - 1] : 1;
    int64_t offset = 0, stride[IR_RANK_MAX], row_elements = out->elements, row_stride = out->elements;
    const bool contiguous = in->row_elements == in->row_stride;
    if (out->space == SPACE_CONSTANT || in->base->space == SPACE_CONSTANT || out->elements == 0) return;
    if (move_is_reshape(&source->type, ir_move(n))) {
        if (!contiguous) {
            if (in->row_elements % last) return;
            row_elements = in->row_elements;
            row_stride = in->row_stride;
        }
    } else {
        if (!contiguous || !move_strides(&source->type, ir_move(n), &result->type, p->symbol, &offset, stride)) return;
        if (!as_runs(out, result->type.rank, stride, &row_elements, &row_stride)) return;
        if (row_elements == out->elements) row_stride = row_elements;
        if (row_stride != row_elements && !readers_take_runs(s, result, row_elements)) return;
    }
    if (!result_allows_view(s, result, in->base, out->elements == in->base->elements && !in->offset && !offset)) return;
    if (s->is_function && ir_is_result(result)) in->base->result_views = true;
    out->view = true;
    out->base = in->base;
    out->offset = in->offset + offset;
    out->row_elements = row_elements;
    out->row_stride = row_stride;
}

/* How many inputs of n live in this storage. */
static int inputs_in(plan_scope *s, const ir_node *n, const plan_value *base)
{
    int count = 0;
    for (int i = 0; i < n->inputs; i++) count += plan_base(s, n->input[i]) == base;
    return count;
}

/* The parts of a concatenation along the outermost axis that matters are made in place: each is storage inside the result. */
static void place_concat(plan_scope *s, const ir_node *n)
{
    plan_value *out = plan_value_at(s, n->output[0]);
    const int axis = (int)ir_int(n, KEY_AXIS, 0);
    if (out->space == SPACE_CONSTANT || product(out->shape, 0, axis) != 1) return;
    int64_t offset = 0;
    int inside = 0;
    for (int i = 0; i < n->inputs; i++) {
        plan_value *in = plan_value_at(s, n->input[i]), *base = in->base;
        const bool whole = in->offset == 0 && in->elements == base->elements && in->row_elements == in->row_stride;
        const bool kept = s->is_function && (ir_is_result(base->value) || base->result_views || ir_is_result(n->input[i]));
        const bool made_here = base->space == out->space && base->base == base && base->value->def && base->value->def->op != IR_CONCAT &&
                               base->value->def->op != IR_CALL;
        if (whole && made_here && !kept && inputs_in(s, n, base) == 1) {
            base->base = out;
            base->offset = offset;
            inside++;
        }
        offset += in->elements;
    }
    out->assembled = inside == n->inputs;
}

/* Follows views of views to the storage itself. */
static void resolve(plan_scope *s)
{
    for (int i = 0; i < s->values; i++) {
        plan_value *x = &s->value[i];
        if (!x->value) continue;
        while (x->base->base != x->base) {
            x->offset += x->base->offset;
            x->base = x->base->base;
        }
    }
}

void plan_place_values(plan *p, plan_scope *s)
{
    s->values = s->graph->next_id;
    s->value = arena_array(p->arena, (size_t)s->values, sizeof *s->value);
    for (int i = 0; i < s->graph->parameters; i++) {
        place(p, s, s->graph->parameter[i].value);
        if (s->is_function && plan_is_constant_parameter(p, s->graph, i)) plan_value_at(s, s->graph->parameter[i].value)->space = SPACE_CONSTANT;
    }
    for (const ir_node *n = s->graph->first; n; n = n->next)
        for (int i = 0; i < n->outputs; i++) place(p, s, n->output[i]);
    for (const ir_node *n = s->graph->first; n; n = n->next)
        if (n->op == IR_MOVE && !plan_is_folded(n)) place_view(p, s, n);
    for (const ir_node *n = s->graph->first; n; n = n->next)
        if (n->op == IR_CONCAT) place_concat(s, n);
    resolve(s);
}
