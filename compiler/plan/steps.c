/* What each operator reads and writes by rows: the space of rows of a step, and which inputs it reads only at the rows that it writes. */
#include "plan_private.h"

static int64_t leading(const plan_value *x, int axes)
{
    int64_t n = 1;
    for (int i = 0; i < axes; i++) n *= x->shape[i];
    return n;
}

static const plan_value *value(const plan_step *s, int i)
{
    return plan_value_of(s->scope, plan_input(s->node, i));
}

/* The transposition [B, T, G, d] to [B, G, d, T] that only a padding of T reads. */
static bool transposes_for_padding(const ir_node *n)
{
    static const int order[4] = { 0, 2, 3, 1 };
    const ir_value *in = n->input[0], *out = n->output[0];
    move expected;
    ir_type to;
    if (in->type.rank != 4 || out->type.rank != 4 || in->type.elem != ELEM_F32 || out->uses != 1 || ir_is_result(out)) return false;
    if (!move_transpose(&in->type, order, &expected, &to)) return false;
    move_normalise(&in->type, &expected);
    return ir_type_equal(&to, &out->type) && move_equal(ir_move(n), &expected);
}

bool plan_is_key_transpose(const ir_node *n)
{
    if (n->op != IR_PAD || n->inputs > 1 || ir_is_constant(n->output[0])) return false;
    const ir_attribute *pads = ir_find(n, KEY_PADS);
    const ir_node *source = ir_producer(n->input[0], IR_MOVE);
    if (!source || !pads || pads->list.count != 8) return false;
    for (int i = 0; i < 7; i++)
        if (pads->list.item[i]) return false;
    return transposes_for_padding(source);
}

bool plan_is_folded(const ir_node *n)
{
    return n->op == IR_MOVE && n->output[0]->uses == 1 && !ir_is_result(n->output[0]) && plan_is_key_transpose(n->output[0]->user[0]);
}

const ir_value *plan_input(const ir_node *n, int i)
{
    return i == 0 && plan_is_key_transpose(n) ? n->input[0]->def->input[0] : n->input[i];
}

/* Size of operand x along axis i of out, x broadcast to it. */
static int64_t operand_size(const plan_value *x, const plan_value *out, int i)
{
    const int j = i - (out->value->type.rank - x->value->type.rank);
    return j >= 0 ? x->shape[j] : 1;
}

/* Rows at which operand x, broadcast to out, can be followed: all of out's where x has the same rows or one for all; else those outside the axes
 * along which x repeats. */
static int64_t operand_rows(const plan_value *x, const plan_value *out, bool *same)
{
    const int last = out->value->type.rank > 0 ? out->value->type.rank - 1 : 0;
    bool one = true;
    int outside = 0;
    *same = true;
    for (int i = 0; i < last; i++) {
        const int64_t size = operand_size(x, out, i);
        if (size != out->shape[i]) *same = false;
        if (size != 1) one = false;
    }
    if (*same || one) return leading(out, last);
    while (outside < last && operand_size(x, out, outside) == 1) outside++;
    for (int i = outside; i < last; i++)
        if (operand_size(x, out, i) != out->shape[i]) return 1;
    return leading(out, outside);
}

/* Operands from the first-th on: a row of the step is the slab in which none of them repeats. */
static void describe_operands(plan_step *s, int first, const plan_value *out)
{
    const int64_t all = s->rows;
    for (int i = first; i < s->node->inputs; i++) {
        const plan_value *x = value(s, i);
        if (!x) continue;
        bool same;
        const int64_t rows = operand_rows(x, out, &same);
        s->aligned[i] = same;
        if (rows == all) continue;
        if (s->rows != all && rows != s->rows) s->rows = 1;   /* operands that repeat in different ways: no slab suits both */
        if (rows < s->rows) s->rows = rows;
    }
    s->unit = s->rows != all;
}

bool plan_is_panel_of_base(const plan_value *x)
{
    const int64_t runs = x->row_elements ? x->elements / x->row_elements : 0;
    if (x->row_elements == x->row_stride) return x->elements == x->base->elements && x->offset == 0;
    return runs * x->row_stride == x->base->elements && x->offset + x->row_elements <= x->row_stride;
}

/* Few rows and many weights: threads share the columns of the result. */
static void share_columns(plan_step *s, const plan_value *out, const plan_options *o)
{
    const int64_t many = o->many_weights ? o->many_weights : PLAN_MANY_WEIGHTS;
    const int64_t width = out->shape[out->value->type.rank - 1];
    if (s->unit || s->rows > PLAN_FEW_ROWS || width <= PLAN_BLOCK || value(s, 1)->elements < many) return;
    s->columns = s->scattered = true;
    s->rows = (width + PLAN_BLOCK - 1) / PLAN_BLOCK;
    for (int i = 0; i < s->node->inputs; i++) s->aligned[i] = false;
}

bool plan_gathers_rows(const plan_scope *s, const ir_node *n)
{
    const plan_value *x = plan_value_of(s, n->input[0]), *index = plan_value_of(s, n->input[1]);
    const int axis = (int)ir_int(n, KEY_AXIS, 0), rank = x->value->type.rank;
    return rank > 1 && axis == rank - 2 && leading(x, axis) == 1 && index->value->type.rank == 1 && index->space == SPACE_CONSTANT;
}

void plan_describe_step(plan_step *s, const plan_options *o)
{
    const ir_node *n = s->node;
    const plan_value *out = plan_value_of(s->scope, n->output[0]);
    const int rank = out->value->type.rank;
    s->rows = leading(out, rank > 0 ? rank - 1 : 0);
    switch (n->op) {
    case IR_MAP:
        describe_operands(s, 0, out);
        break;
    case IR_LINEAR:
        describe_operands(s, 3, out);
        s->aligned[0] = true;
        share_columns(s, out, o);
        break;
    case IR_CONV_LAST:
        describe_operands(s, 3, out);
        plan_describe_winograd(s);
        if (s->winograd || rank != 4 || plan_is_depthwise(n)) break;
        if (ir_int(n, KEY_GROUP, 1) == 1) share_columns(s, out, o);
        if (!s->columns) plan_describe_conv(s);
        break;
    case IR_MLP:
        describe_operands(s, 5, out);
        s->aligned[0] = true;
        break;
    case IR_NORM:
        s->rows = leading(out, (int)ir_int(n, KEY_AXIS, rank - 1));
        s->aligned[0] = true;
        break;
    case IR_MOMENTS:   /* its rows are runs of places */
        s->rows = leading(out, 2);
        s->window = value(s, 0)->elements / value(s, 0)->shape[value(s, 0)->value->type.rank - 1] / s->rows;
        s->aligned[0] = true;
        break;
    case IR_SOFTMAX:
        if (ir_int(n, KEY_AXIS, rank - 1) == rank - 1) s->aligned[0] = true;
        else s->rows = 1;
        break;
    case IR_ATTENTION: {
        const plan_value *q = value(s, 0);
        const bool windows = q->shape[0] != 1;
        s->rows = windows ? q->shape[0] : q->shape[1];
        s->window = windows ? q->shape[1] : 0;
        s->aligned[0] = true;
        s->aligned[1] = s->aligned[2] = windows;
        break;
    }
    case IR_MOVE:
    case IR_RESAMPLE:
        break;
    case IR_GATHER:
        if (!plan_gathers_rows(s->scope, n)) s->rows = 1;
        break;
    case IR_PAD:
        s->rows = 1;
        if (plan_is_key_transpose(n)) {
            const plan_value *in = value(s, 0);
            const bool windows = in->shape[0] != 1;
            s->rows = windows ? in->shape[0] : in->shape[1];
            s->window = windows ? in->shape[1] : 0;
            s->aligned[0] = true;
            s->scattered = !windows;
        }
        break;
    case IR_EXTEND: case IR_SHRINK:   /* rows of the caller's memory are as long as the run says */
        s->rows = leading(out, (int)ir_int(n, KEY_AXIS, 0));
        s->scattered = true;
        break;
    case IR_CONCAT: {   /* the axes before its own are rows of all parts */
        s->rows = leading(out, (int)ir_int(n, KEY_AXIS, 0));
        s->once = s->rows <= 1;
        for (int i = 0; i < n->inputs; i++) s->aligned[i] = !s->once;
        break;
    }
    default:
        s->rows = 1;
        break;
    }
    if (s->rows < 1) s->rows = 1;
}
