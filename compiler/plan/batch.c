/* Shows that a graph treats every image of a batch by itself, so that it may be planned for one image and run image by image.
 * In every value that depends on the batch, N is one digit of the row-major index of its elements: `inner` elements stand below it. An operator keeps
 * images apart if it does nothing along the axis that holds this digit. */
#include "plan_private.h"

typedef struct batch_state { plan *plan; int64_t *inner; diag *diag; } batch_state;   /* inner[id]: 0: the value does not depend on the batch */

static bool mentions(const plan *p, dim d)
{
    return p->batch_symbol >= 0 && dim_mentions(d, p->batch_symbol);
}

/* Elements below axis i, for one image. */
static int64_t below(const plan *p, const ir_type *t, int axis)
{
    int64_t n = 1;
    for (int i = axis + 1; i < t->rank; i++) n *= plan_dim(p, t->dim[i]);
    return n;
}

/* The axis whose index holds the digit with `inner` elements below; -1: none. *step: how far along the axis one image reaches. */
static int batch_axis(const plan *p, const ir_type *t, int64_t inner, int64_t *step)
{
    for (int i = 0; i < t->rank; i++) {
        if (!mentions(p, t->dim[i])) continue;
        const int64_t under = below(p, t, i);
        *step = under ? inner / under : 1;
        return i;
    }
    return -1;
}

static bool refuse(batch_state *b, const ir_node *n, const char *why)
{
    diag_place place = { .node = ir_describe(n), .input = -1 };
    diag_error(b->diag, STATUS_MIXED_BATCH, &place, "%s %s", ir_op_name(n->op), why);
    return false;
}

static int input_axis(const batch_state *b, const ir_node *n, int i, int64_t *step)
{
    const ir_value *v = i < n->inputs ? n->input[i] : NULL;
    *step = 0;
    return v && b->inner[v->id] ? batch_axis(b->plan, &v->type, b->inner[v->id], step) : -1;
}

/* Does what is taken along the batch's axis stay within one image? Each digit but the batch, and its part within an image, goes some way; `outside`
 * is how far what stands above the batch goes. */
static bool stays_within(const plan *p, const move *m, int axis, int64_t step, int64_t outside)
{
    int64_t low, high;
    return move_range(m, axis, p->symbol, &low, &high) && low >= 0 && high - outside < step;
}

/* Of a digit of `size` times the batch, how much stands below the batch, if its source's images are `step` apart; 0: none does. */
static int64_t size_below_batch(const move_digit *g, int64_t size, int64_t step)
{
    const int64_t under = g->step > 0 && step % g->step == 0 ? step / g->step : 0;
    return under && size % under == 0 ? under : 0;
}

/* Of one element that is repeated along the batch and axes beside it any of these digits may be the batch: the one that the type says. */
static int64_t repeated_inner(const plan *p, const ir_type *t, int64_t otherwise)
{
    int axis = -1;
    for (int i = 0; i < t->rank; i++)
        if (mentions(p, t->dim[i])) axis = axis == -1 ? i : -2;
    return axis < 0 ? otherwise : below(p, t, axis) * plan_dim(p, t->dim[axis]);
}

/* Does the digit with so many elements below it lie in one axis? */
static bool is_digit_of(const plan *p, const ir_type *t, int64_t inner)
{
    int64_t step;
    const int axis = batch_axis(p, t, inner, &step);
    return axis >= 0 && step > 0 && step * below(p, t, axis) == inner && plan_dim(p, t->dim[axis]) % step == 0;
}

static bool check_move(batch_state *b, const ir_node *n)
{
    const plan *p = b->plan;
    const move *m = ir_move(n);
    int64_t step, inner = 1, found = 0, outside = 0;
    const int axis = input_axis(b, n, 0, &step);
    for (int i = m->digits - 1; i >= 0; i--) {
        const move_digit *g = &m->digit[i];
        const int64_t size = plan_dim(p, g->extent);
        if (mentions(p, g->extent)) {
            if (found) return refuse(b, n, "splits the batch");
            if (axis >= 0 && g->axis != axis) return refuse(b, n, "moves the batch");
            const int64_t under = axis >= 0 ? size_below_batch(g, size, step) : size;
            if (!under) return refuse(b, n, "steps over images");
            if (axis < 0 && g->axis >= 0) return refuse(b, n, "makes the batch of another axis");
            found = g->axis < 0 ? repeated_inner(p, &n->output[0]->type, inner * size) : inner * under;
            outside = g->step * (size - under);
        }
        inner *= size;
    }
    if (axis >= 0 && (!found || !stays_within(p, m, axis, step, outside))) return refuse(b, n, "picks images of the batch");
    if (found && !is_digit_of(p, &n->output[0]->type, found)) return refuse(b, n, "cuts through images");
    b->inner[n->output[0]->id] = found;
    return true;
}

/* Input i, whose batch lies in this axis, meets others in the output, aligned at the right: all must hold the batch in one axis, and alike. */
static bool join(batch_state *b, const ir_node *n, int i, int axis, int64_t step, int *joined, int64_t *inner)
{
    const ir_type *to = &n->output[0]->type;
    const int out = axis + to->rank - n->input[i]->type.rank;
    const int64_t here = below(b->plan, to, out) * step;
    if (*joined >= 0 && (*joined != out || *inner != here)) return refuse(b, n, "joins different axes of the batch");
    *joined = out;
    *inner = here;
    return true;
}

/* Each input's axis, aligned at the right as broadcasting does, holds the batch of the output, unless the operator works along it.
 * Inputs from the `inputs`-th on are weights. */
static bool check_aligned(batch_state *b, const ir_node *n, int inputs, bool (*works_along)(const ir_node *, int input, int axis))
{
    int64_t inner = 0;
    int joined = -1;
    for (int i = 0; i < n->inputs; i++) {
        int64_t step;
        const int axis = input_axis(b, n, i, &step);
        if (axis < 0) continue;
        if (i >= inputs) return refuse(b, n, "has weights that depend on the batch");
        if (works_along && works_along(n, i, axis)) return refuse(b, n, "works along the batch");
        if (!join(b, n, i, axis, step, &joined, &inner)) return false;
    }
    b->inner[n->output[0]->id] = inner;
    return true;
}

static bool along_from_axis(const ir_node *n, int input, int axis)
{
    return input == 0 && axis >= ir_int(n, KEY_AXIS, 0);
}

static bool along_axis(const ir_node *n, int input, int axis)
{
    (void)input;
    return axis == ir_int(n, KEY_AXIS, 0);
}

static bool along_pads(const ir_node *n, int input, int axis)
{
    const ir_attribute *pads = ir_find(n, KEY_PADS);
    return input == 0 && (pads->list.item[axis] || pads->list.item[axis + n->input[0]->type.rank]);
}

static bool along_inner_axes(const ir_node *n, int input, int axis)
{
    (void)n, (void)input;
    return axis > 0;
}

static bool along_last(const ir_node *n, int input, int axis)
{
    return axis == n->input[input]->type.rank - 1;
}

/* The axis that a product sums over: of an image's rows or columns it makes rows or columns. */
static bool along_sum(const ir_node *n, int input, int axis)
{
    const int rank = n->input[input]->type.rank;
    return axis == (input ? rank - 2 : rank - 1);
}

/* Along the batch if it stands in all parts in the same way, one place beside the other: parts are then a digit above it. */
static bool check_concat(batch_state *b, const ir_node *n)
{
    const int along = (int)ir_int(n, KEY_AXIS, 0);
    int64_t step;
    if (input_axis(b, n, 0, &step) != along) return check_aligned(b, n, n->inputs, along_axis);
    for (int i = 0; i < n->inputs; i++)
        if (input_axis(b, n, i, &step) != along || step != 1) return refuse(b, n, "works along the batch");
    b->inner[n->output[0]->id] = below(b->plan, &n->output[0]->type, along);
    return true;
}

/* linear, mlp: x without its last axis, weights apart from the batch, then operands of the epilogue. */
static bool check_linear(batch_state *b, const ir_node *n, int extras)
{
    int64_t step, inner = 0;
    int joined = -1;
    const int axis = input_axis(b, n, 0, &step);
    if (axis >= 0 && axis == n->input[0]->type.rank - 1) return refuse(b, n, "works along the batch");
    if (axis >= 0 && !join(b, n, 0, axis, step, &joined, &inner)) return false;
    for (int i = 1; i < n->inputs; i++) {
        const int other = input_axis(b, n, i, &step);
        if (other < 0) continue;
        if (i < extras) return refuse(b, n, "has weights that depend on the batch");
        if (!join(b, n, i, other, step, &joined, &inner)) return false;
    }
    b->inner[n->output[0]->id] = inner;
    return true;
}

/* The batch is the first axis of queries, keys and values, in the same way, and of the mask, if it differs from image to image. */
static bool check_attention(batch_state *b, const ir_node *n)
{
    int64_t same = 0;
    for (int i = 0; i < n->inputs; i++) {
        int64_t step;
        const int axis = input_axis(b, n, i, &step);
        if (axis < 0) continue;
        if (axis + 4 - n->input[i]->type.rank != 0) return refuse(b, n, "works along the batch");
        if (same && step != same) return refuse(b, n, "joins different axes of the batch");
        same = step;
    }
    for (int i = 0; i < n->outputs; i++) b->inner[n->output[i]->id] = same * below(b->plan, &n->output[i]->type, 0);
    return true;
}

static bool check_reduce(batch_state *b, const ir_node *n)
{
    int64_t step;
    const int axis = input_axis(b, n, 0, &step);
    if (axis < 0) return true;
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    int gone = 0;
    for (int i = 0; i < axes->list.count; i++) {
        if (axes->list.item[i] == axis) return refuse(b, n, "works along the batch");
        if (axes->list.item[i] < axis) gone++;
    }
    const int out = ir_int(n, KEY_KEEP, 1) ? axis : axis - gone;
    b->inner[n->output[0]->id] = below(b->plan, &n->output[0]->type, out) * step;
    return true;
}

/* moments, join_moments: the first axis is that of images, before and after. */
static bool check_moments(batch_state *b, const ir_node *n)
{
    int64_t step, unused;
    const int axis = input_axis(b, n, 0, &step);
    if (axis > 0) return refuse(b, n, "works along the batch");
    if (input_axis(b, n, 1, &unused) >= 0) return refuse(b, n, "has weights that depend on the batch");
    b->inner[n->output[0]->id] = below(b->plan, &n->output[0]->type, 0) * step;
    return true;
}

static bool check_gather(batch_state *b, const ir_node *n)
{
    int64_t step, unused;
    const int axis = input_axis(b, n, 0, &step), along = (int)ir_int(n, KEY_AXIS, 0), index_axis = input_axis(b, n, 1, &unused);
    if (axis == along && axis >= 0) return refuse(b, n, "picks images of the batch");
    if (axis >= 0 && index_axis >= 0) return refuse(b, n, "pairs images with indices");
    const ir_type *to = &n->output[0]->type;
    int64_t here = 0;
    if (axis >= 0) here = below(b->plan, to, axis < along ? axis : axis + n->input[1]->type.rank - 1) * step;
    else if (index_axis >= 0) here = below(b->plan, to, along + index_axis) * unused;
    b->inner[n->output[0]->id] = here;
    return true;
}

/* pick, scatter: rows are the axes before the one that is picked from, in all inputs alike; slices lie behind it. */
static bool check_places(batch_state *b, const ir_node *n)
{
    const int along = n->input[1]->type.rank - 1;
    int joined = -1;
    int64_t inner = 0;
    for (int i = 0; i < n->inputs; i++) {
        int64_t step;
        const int axis = input_axis(b, n, i, &step);
        if (axis < 0) continue;
        if (axis == along) return refuse(b, n, "works along the batch");
        const int64_t here = below(b->plan, &n->output[0]->type, axis) * step;
        if (joined >= 0 && (axis != joined || here != inner)) return refuse(b, n, "joins different axes of the batch");
        joined = axis;
        inner = here;
    }
    b->inner[n->output[0]->id] = inner;
    return true;
}

static bool check_node(batch_state *b, const ir_node *n);

static bool check_call(batch_state *b, const ir_node *n)
{
    const ir_graph *f = ir_find(n, KEY_FUNCTION)->graph;
    batch_state inside = { b->plan, arena_array(b->plan->arena, (size_t)f->next_id + 1, sizeof *inside.inner), b->diag };
    for (int i = 0; i < n->inputs; i++) inside.inner[f->parameter[i].value->id] = n->input[i] ? b->inner[n->input[i]->id] : 0;
    for (const ir_node *k = f->first; k; k = k->next)
        if (!check_node(&inside, k)) return false;
    for (int i = 0; i < n->outputs; i++) b->inner[n->output[i]->id] = inside.inner[f->result[i].value->id];
    return true;
}

static bool check_node(batch_state *b, const ir_node *n)
{
    bool any = false;
    for (int i = 0; i < n->inputs; i++) any |= n->input[i] && b->inner[n->input[i]->id];
    if (!any && n->op != IR_MOVE && n->op != IR_CALL) return true;
    switch (n->op) {
    case IR_MAP: return check_aligned(b, n, n->inputs, NULL);
    case IR_LINEAR: return check_linear(b, n, 3);
    case IR_MLP: return check_linear(b, n, 5);
    case IR_NORM: return check_aligned(b, n, 1, along_from_axis);
    case IR_MOMENTS: case IR_JOIN_MOMENTS: return check_moments(b, n);
    case IR_SOFTMAX: return check_aligned(b, n, 1, along_axis);
    case IR_CONCAT: return check_concat(b, n);
    case IR_PAD: return check_aligned(b, n, 1, along_pads);
    case IR_MATMUL: return check_aligned(b, n, 2, along_sum);
    case IR_CONV_LAST: {
        int64_t step;
        return input_axis(b, n, 0, &step) > 0 ? refuse(b, n, "works along the batch") : check_linear(b, n, 3);
    }
    case IR_CONV: return check_aligned(b, n, 1, along_inner_axes);
    case IR_ATTENTION: return check_attention(b, n);
    case IR_REDUCE: return check_reduce(b, n);
    case IR_GATHER: return check_gather(b, n);
    case IR_RESAMPLE: case IR_EXTEND: case IR_SHRINK: return check_aligned(b, n, 1, along_axis);
    case IR_TOPK: return check_aligned(b, n, 1, along_last);
    case IR_PICK: case IR_SCATTER: return check_places(b, n);
    case IR_SUPPRESS: return check_aligned(b, n, 3, along_inner_axes);
    case IR_MOVE: return check_move(b, n);
    case IR_CALL: return check_call(b, n);
    default: return refuse(b, n, "may mix images");
    }
}

bool plan_is_prelude(const plan *p, const plan_scope *s, const ir_node *n)
{
    return p->batch_symbol >= 0 && !s->is_function && plan_batch_axis(p, n->output[0]) < 0;   /* all that depends on images has an axis of them */
}

/* The one run-time size that is no length; false: there are several, which is reported. */
static bool find_batch(plan *p, diag *d)
{
    const ir_graph *g = p->graph;
    p->batch_symbol = -1;
    for (int i = 0; i < g->parameters; i++)
        for (int j = 0; j < g->parameter[i].value->type.rank; j++)
            for (int s = 0; s < g->symbols->count; s++) {
                if (!dim_mentions(g->parameter[i].value->type.dim[j], s) || g->symbols->symbol[s].length) continue;
                if (p->batch_symbol < 0) p->batch_symbol = s;
                if (p->batch_symbol == s) continue;
                diag_error(d, STATUS_MIXED_BATCH, NULL, "input '%s': the batch is %s, and %s, a second one, needs a number or a capacity, as in --shape '%s=%s<=16,…'",
                           g->parameter[i].name, g->symbols->symbol[p->batch_symbol].name, g->symbols->symbol[s].name, g->parameter[i].name,
                           g->symbols->symbol[s].name);
                return false;
            }
    return true;
}

/* Of an input, one axis may be the batch, or so many places for each image. */
static bool start_input(batch_state *b, const ir_port *port)
{
    const plan *p = b->plan;
    const ir_type *t = &port->value->type;
    const int axis = plan_batch_axis(p, port->value);
    dim whole;
    if (axis < 0) return true;
    for (int i = axis + 1; i < t->rank; i++)
        if (mentions(p, t->dim[i])) {
            diag_error(b->diag, STATUS_MIXED_BATCH, NULL, "input '%s' has the batch in two axes", port->name);
            return false;
        }
    const int64_t each = plan_dim(p, t->dim[axis]);
    if (!dim_mul(dim_symbol_of(p->batch_symbol), dim_of(each), &whole) || !dim_equal(whole, t->dim[axis])) {
        diag_error(b->diag, STATUS_MIXED_BATCH, NULL, "input '%s' has more than the batch in axis %d", port->name, axis);
        return false;
    }
    b->inner[port->value->id] = below(p, t, axis) * each;
    return true;
}

bool plan_check_batch(plan *p, diag *d)
{
    const ir_graph *g = p->graph;
    if (!find_batch(p, d)) return false;
    if (p->batch_symbol < 0) return true;
    batch_state b = { p, arena_array(p->arena, (size_t)g->next_id + 1, sizeof *b.inner), d };
    for (int i = 0; i < g->parameters; i++)
        if (!start_input(&b, &g->parameter[i])) return false;
    for (const ir_node *n = g->first; n; n = n->next)
        if (!check_node(&b, n)) return false;
    p->inner = b.inner;
    return true;
}
