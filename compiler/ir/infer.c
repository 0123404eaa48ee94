/* Output types of nodes from their inputs and attributes: arity and attributes, and the operators that take tensors apart and put them together. */
#include "infer_private.h"

#include <string.h>

#include "../base/checked.h"

/* ---- what all share ---- */

bool infer_fail(const ir_node *n, diag *d, int input, status code, const char *format, ...)
{
    if (!d) return false;
    arena *a = n->graph->arena;
    diag_place place = {.node = ir_describe(n), .input = input};
    if (input >= 0 && input < n->inputs && n->input[input]) place.shape = ir_type_text(a, n->graph->symbols, &n->input[input]->type);
    va_list args;
    va_start(args, format);
    diag_error(d, code, &place, "%s: %s", ir_op_name(n->op), arena_vprintf(a, format, args));
    va_end(args);
    return false;
}

const ir_type *infer_type(const ir_node *n, int i)
{
    return i < n->inputs && n->input[i] ? &n->input[i]->type : NULL;
}

bool infer_same(const ir_node *n, diag *d, int input, dim have, dim want, const char *what)
{
    const dim_symbols *s = n->graph->symbols;
    int order = dim_compare(s, have, want);
    if (order == 0) return true;
    arena *a = n->graph->arena;
    status code = order == DIM_UNDECIDED ? STATUS_SHAPE_UNKNOWN : STATUS_SHAPE;
    return infer_fail(n, d, input, code, "%s: %s and %s", what, dim_text(a, s, have), dim_text(a, s, want));
}

bool infer_broadcast(const ir_node *n, diag *d, int input, const ir_type *x, ir_type *to)
{
    ir_type joint = {.elem = to->elem, .rank = to->rank > x->rank ? to->rank : x->rank};
    for (int i = 0; i < joint.rank; i++) {
        int have = i - (joint.rank - to->rank), more = i - (joint.rank - x->rank);
        dim a = have >= 0 ? to->dim[have] : dim_of(1), b = more >= 0 ? x->dim[more] : dim_of(1);
        joint.dim[i] = dim_is_one(a) ? b : a;
        if (!dim_is_one(a) && !dim_is_one(b) && !infer_same(n, d, input, b, a, "sizes do not broadcast")) return false;
    }
    *to = joint;
    return true;
}

bool infer_broadcasts_to(const ir_node *n, diag *d, int input, const ir_type *to)
{
    const ir_type *x = infer_type(n, input);
    if (!x) return infer_fail(n, d, input, STATUS_ARITY, "the input is absent");
    ir_type joint = *to;
    if (!infer_broadcast(n, d, input, x, &joint)) return false;
    if (ir_type_equal(&joint, to)) return true;
    return infer_fail(n, d, input, STATUS_SHAPE, "it does not broadcast to %s", ir_type_text(n->graph->arena, n->graph->symbols, to));
}

bool infer_axis(const ir_node *n, diag *d, int rank, int *axis)
{
    int64_t given = ir_int(n, KEY_AXIS, -1);
    if (given < 0 || given >= rank) return infer_fail(n, d, 0, STATUS_SHAPE, "there is no such axis");
    *axis = (int)given;
    return true;
}

bool infer_expr(const ir_node *n, diag *d, ir_key key, const elem *input, int inputs)
{
    const char *error = expr_check(ir_expr(n, key), input, inputs);
    return !error || infer_fail(n, d, -1, STATUS_TYPE, "%s: %s", ir_key_name(key), error);
}

/* ---- operators ---- */

static bool infer_const(ir_node *n, diag *d, ir_type *out)
{
    const ir_bytes *b = ir_find(n, KEY_BYTES)->bytes;
    int64_t elements, size;
    if (!b || out->elem <= ELEM_NONE || out->elem >= ELEM_COUNT || !ir_dims_constant(out, NULL, &elements))
        return infer_fail(n, d, -1, STATUS_SHAPE, "it has no constant size");
    if (!checked_mul(elements, (int64_t)elem_size(out->elem), &size) || (uint64_t)size != b->size)
        return infer_fail(n, d, -1, STATUS_SHAPE, "its bytes are not as many as its elements");
    return true;
}

static bool one_of(const ir_node *n, ir_key key, const char *const *word)
{
    for (; *word; word++)
        if (ir_is_name(n, key, *word)) return true;
    return false;
}

static bool infer_norm(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0);
    int axis = 0;
    if (!one_of(n, KEY_KIND, (const char *const[]){"layer", "rms", NULL})) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "its kind is unknown");
    if (!elem_is_float(x->elem)) return infer_fail(n, d, 0, STATUS_TYPE, "it takes floats");
    if (!infer_axis(n, d, x->rank, &axis)) return false;
    if (infer_type(n, 2) && ir_is_name(n, KEY_KIND, "rms")) return infer_fail(n, d, 2, STATUS_ARITY, "an rms norm has no beta");
    for (int i = 1; i < n->inputs; i++) {
        const ir_type *t = infer_type(n, i);
        if (!t) continue;
        if (t->elem != x->elem) return infer_fail(n, d, i, STATUS_TYPE, "its type is not the input's");
        if (t->rank != x->rank - axis) return infer_fail(n, d, i, STATUS_SHAPE, "it has not the normalised shape");
        for (int k = 0; k < t->rank; k++)
            if (!infer_same(n, d, i, t->dim[k], x->dim[axis + k], "it has not the normalised shape")) return false;
    }
    *out = *x;
    return true;
}

static bool infer_moments(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0);
    const int64_t count = ir_int(n, KEY_COUNT, 0);
    dim places, run;
    if (x->elem != ELEM_F32) return infer_fail(n, d, 0, STATUS_TYPE, "f32 is needed");
    if (x->rank < 3) return infer_fail(n, d, 0, STATUS_SHAPE, "three axes or more are needed");
    if (count < 1 || !dim_product(x->dim + 1, x->rank - 2, &places) || !dim_div_exact(places, dim_of(count), &run))
        return infer_fail(n, d, 0, STATUS_SHAPE, "its places do not make that many equal runs");
    *out = (ir_type){.elem = ELEM_F32, .rank = 4, .dim = {x->dim[0], dim_of(count), dim_of(2), x->dim[x->rank - 1]}};
    return true;
}

static bool infer_join_moments(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *gamma = infer_type(n, 1);
    const int64_t groups = ir_int(n, KEY_GROUP, 0);
    dim each;
    if (x->elem != ELEM_F32 || x->rank != 4 || !dim_equal(x->dim[2], dim_of(2))) return infer_fail(n, d, 0, STATUS_SHAPE, "it has not the shape of moments");
    if (groups < 1 || !dim_div_exact(x->dim[3], dim_of(groups), &each)) return infer_fail(n, d, 0, STATUS_SHAPE, "its channels do not make that many groups");
    if (gamma && (gamma->elem != ELEM_F32 || gamma->rank != 1)) return infer_fail(n, d, 1, STATUS_SHAPE, "one number a channel is needed");
    if (gamma && !infer_same(n, d, 1, gamma->dim[0], x->dim[3], "it has not one number a channel")) return false;
    *out = (ir_type){.elem = ELEM_F32, .rank = 4, .dim = {x->dim[0], dim_of(2), dim_of(1), x->dim[3]}};
    return true;
}

static bool infer_softmax(ir_node *n, diag *d, ir_type *out)
{
    int axis = 0;
    *out = *infer_type(n, 0);
    if (!elem_is_float(out->elem)) return infer_fail(n, d, 0, STATUS_TYPE, "it takes floats");
    return infer_axis(n, d, out->rank, &axis);
}

static bool infer_reduce(ir_node *n, diag *d, ir_type *out)
{
    static const char *const kinds[] = {"sum", "mean", "max", "min", "prod", "sumsq", "l1", "l2", NULL};
    const ir_type *x = infer_type(n, 0);
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    if (!one_of(n, KEY_KIND, kinds)) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "its kind is unknown");
    if (x->elem == ELEM_BOOL) return infer_fail(n, d, 0, STATUS_TYPE, "it takes numbers");
    int64_t last = -1;
    unsigned reduced = 0;
    for (int i = 0; i < axes->list.count; i++) {
        int64_t axis = axes->list.item[i];
        if (axis <= last || axis >= x->rank) return infer_fail(n, d, 0, STATUS_SHAPE, "its axes do not rise, or are not there");
        reduced |= 1u << axis;
        last = axis;
    }
    *out = (ir_type){.elem = x->elem};
    for (int i = 0; i < x->rank; i++) {
        bool gone = reduced >> i & 1;
        if (!gone) out->dim[out->rank++] = x->dim[i];
        else if (ir_int(n, KEY_KEEP, 1)) out->dim[out->rank++] = dim_of(1);
    }
    return true;
}

/* Whoever makes a move says its result's shape. */
static bool infer_move(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0);
    out->elem = x->elem;
    const char *error = move_check(n->graph->symbols, x, ir_move(n), out);
    return !error || infer_fail(n, d, 0, STATUS_SHAPE, "%s", error);
}

static bool infer_pad(ir_node *n, diag *d, ir_type *out)
{
    const ir_attribute *pads = ir_find(n, KEY_PADS);
    const ir_type *value = infer_type(n, 1);
    *out = *infer_type(n, 0);
    if (value && (value->rank != 0 || value->elem != out->elem))
        return infer_fail(n, d, 1, STATUS_TYPE, "the value is no scalar of the input's type");
    if (pads->list.count != 2 * out->rank) return infer_fail(n, d, 0, STATUS_SHAPE, "there are not two pads an axis");
    for (int i = 0; i < out->rank; i++) {
        for (int end = 0; end < 2; end++) {
            int64_t pad = pads->list.item[i + end * out->rank];
            if (pad < 0 || !dim_add(out->dim[i], dim_of(pad), &out->dim[i]))
                return infer_fail(n, d, 0, STATUS_SHAPE, "a pad is negative or too large");
        }
    }
    return true;
}

static bool infer_concat(ir_node *n, diag *d, ir_type *out)
{
    int axis = 0;
    *out = *infer_type(n, 0);
    if (!infer_axis(n, d, out->rank, &axis)) return false;
    for (int i = 1; i < n->inputs; i++) {
        const ir_type *x = infer_type(n, i);
        if (x->elem != out->elem) return infer_fail(n, d, i, STATUS_TYPE, "its type is not the first input's");
        if (x->rank != out->rank) return infer_fail(n, d, i, STATUS_SHAPE, "its rank is not the first input's");
        for (int k = 0; k < out->rank; k++)
            if (k != axis && !infer_same(n, d, i, x->dim[k], out->dim[k], "sizes differ")) return false;
        if (!dim_add(out->dim[axis], x->dim[axis], &out->dim[axis]))
            return infer_fail(n, d, i, STATUS_SHAPE_UNKNOWN, "the sum of sizes is not affine");
    }
    return true;
}

static bool infer_gather(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *index = infer_type(n, 1);
    int axis = 0;
    if (!infer_axis(n, d, x->rank, &axis)) return false;
    if (!elem_is_integer(index->elem)) return infer_fail(n, d, 1, STATUS_TYPE, "indices are integers");
    if (x->rank - 1 + index->rank > IR_RANK_MAX) return infer_fail(n, d, 0, STATUS_SHAPE, "the result has too many axes");
    *out = (ir_type){.elem = x->elem};
    for (int i = 0; i < axis; i++) out->dim[out->rank++] = x->dim[i];
    for (int i = 0; i < index->rank; i++) out->dim[out->rank++] = index->dim[i];
    for (int i = axis + 1; i < x->rank; i++) out->dim[out->rank++] = x->dim[i];
    return true;
}

static bool infer_resample(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *x = infer_type(n, 0), *index = infer_type(n, 1), *weight = n->inputs > 2 ? infer_type(n, 2) : NULL;
    const bool largest = ir_is_name(n, KEY_KIND, "max");
    int axis = 0;
    if (!infer_axis(n, d, x->rank, &axis)) return false;
    if (!largest && !ir_is_name(n, KEY_KIND, "sum")) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "kind = '%.60s'", ir_name(n, KEY_KIND, ""));
    if (largest != !weight) return infer_fail(n, d, 2, STATUS_ARITY, "a sum has weights, a maximum none");
    if (x->elem != ELEM_F32 || (weight && weight->elem != ELEM_F32) || index->elem != ELEM_I64)
        return infer_fail(n, d, -1, STATUS_TYPE, "f32, i64, f32 are needed");
    if (index->rank != 2) return infer_fail(n, d, 1, STATUS_SHAPE, "indices have two axes");
    if (weight && (weight->rank != 2 || !dim_equal(index->dim[0], weight->dim[0]) || !dim_equal(index->dim[1], weight->dim[1])))
        return infer_fail(n, d, 2, STATUS_SHAPE, "indices and weights differ in shape");
    *out = *x;
    out->dim[axis] = index->dim[0];
    return true;
}

static bool infer_length(ir_node *n, diag *d, ir_type *out)
{
    const dim_symbols *s = n->graph->symbols;
    const int64_t symbol = ir_int(n, KEY_SYMBOL, -1);
    if (symbol < 0 || symbol >= s->count || !s->symbol[symbol].length) return infer_fail(n, d, -1, STATUS_SHAPE, "there is no such length");
    *out = (ir_type){.elem = ELEM_I64};
    return true;
}

/* Between a size that is the length and more, and the same at its capacity. */
static bool infer_capacity(ir_node *n, diag *d, ir_type *out)
{
    const ir_type *length = infer_type(n, 1);
    ir_type scalar;
    int axis = 0;
    if (!infer_length(n, d, &scalar)) return false;
    if (length->elem != ELEM_I64 || length->rank) return infer_fail(n, d, 1, STATUS_TYPE, "the length is an i64 scalar");
    *out = *infer_type(n, 0);
    if (!infer_axis(n, d, out->rank, &axis)) return false;
    const int symbol = (int)ir_int(n, KEY_SYMBOL, 0);
    const dim capacity = dim_of(n->graph->symbols->symbol[symbol].max);
    dim rest;
    if (n->op == IR_EXTEND) return dim_substitute(out->dim[axis], symbol, capacity, &out->dim[axis]) || infer_fail(n, d, 0, STATUS_SHAPE, "it overflows");
    if (!dim_sub(out->dim[axis], capacity, &rest) || dim_compare(NULL, rest, dim_of(-1)) != 1)
        return infer_fail(n, d, 0, STATUS_SHAPE, "it is no capacity");
    return dim_add(rest, dim_symbol_of(symbol), &out->dim[axis]);
}

static bool infer_call(ir_node *n, diag *d, ir_type *out)
{
    const ir_graph *f = ir_find(n, KEY_FUNCTION)->graph;
    if (!f || n->inputs != f->parameters || n->outputs != f->results) return infer_fail(n, d, -1, STATUS_ARITY, "it does not fit its function");
    for (int i = 0; i < n->inputs; i++) {
        if (ir_type_equal(infer_type(n, i), &f->parameter[i].value->type)) continue;
        return infer_fail(n, d, i, STATUS_SHAPE, "the parameter is %s", ir_type_text(n->graph->arena, n->graph->symbols, &f->parameter[i].value->type));
    }
    for (int i = 0; i < n->outputs; i++) n->output[i]->type = f->result[i].value->type;
    if (n->outputs > 0) *out = n->output[0]->type;
    return true;
}

/* ---- the node as a whole ---- */

static bool may_be_absent(ir_op op, int input)
{
    switch (op) {
    case IR_LINEAR: case IR_CONV: case IR_CONV_LAST: return input == 2;
    case IR_MLP: return input == 2 || input == 4;
    case IR_NORM: return input > 0;
    case IR_PAD: case IR_JOIN_MOMENTS: return input == 1;
    case IR_ATTENTION: return input >= 3;
    default: return false;
    }
}

static bool check_inputs(const ir_node *n, diag *d)
{
    const ir_op_row *row = &ir_op_rows[n->op];
    if (n->inputs < row->least || (row->most >= 0 && n->inputs > row->most)) return infer_fail(n, d, -1, STATUS_ARITY, "it has %d inputs", n->inputs);
    for (int i = 0; i < n->inputs; i++)
        if (!n->input[i] && !may_be_absent(n->op, i)) return infer_fail(n, d, i, STATUS_ARITY, "the input is absent");
    if (row->outputs >= 0 ? n->outputs != row->outputs : n->op == IR_ATTENTION && (n->outputs < 1 || n->outputs > 2))
        return infer_fail(n, d, -1, STATUS_ARITY, "it has %d outputs", n->outputs);
    return true;
}

static bool check_attributes(const ir_node *n, diag *d)
{
    for (const ir_attribute *a = n->attributes; a; a = a->next) {
        if (!ir_op_takes(n->op, a->key, NULL)) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "it takes no %s", ir_key_name(a->key));
        if (a->next && a->next->key <= a->key) return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "its attributes are out of order");
    }
    for (int key = 0; key < IR_KEY_COUNT; key++) {
        bool required = false;
        if (ir_op_takes(n->op, (ir_key)key, &required) && required && !ir_find(n, (ir_key)key))
            return infer_fail(n, d, -1, STATUS_ATTRIBUTE, "it lacks %s", ir_key_name((ir_key)key));
    }
    const char *accumulation = ir_name(n, KEY_ELEM, NULL);
    if (accumulation && elem_from_name(accumulation) == ELEM_NONE) return infer_fail(n, d, -1, STATUS_TYPE, "its type of accumulation is unknown");
    return true;
}

static infer_operator *const operator_of[IR_OP_COUNT] = {
    [IR_CONST] = infer_const, [IR_MAP] = infer_map, [IR_LINEAR] = infer_linear, [IR_MLP] = infer_mlp, [IR_MATMUL] = infer_matmul,
    [IR_ATTENTION] = infer_attention, [IR_NORM] = infer_norm, [IR_MOMENTS] = infer_moments, [IR_JOIN_MOMENTS] = infer_join_moments, [IR_SOFTMAX] = infer_softmax, [IR_REDUCE] = infer_reduce, [IR_MOVE] = infer_move,
    [IR_PAD] = infer_pad, [IR_CONCAT] = infer_concat, [IR_GATHER] = infer_gather, [IR_RESAMPLE] = infer_resample, [IR_TOPK] = infer_topk,
    [IR_PICK] = infer_pick, [IR_SCATTER] = infer_scatter, [IR_SUPPRESS] = infer_suppress,
    [IR_CONV] = infer_conv, [IR_CONV_LAST] = infer_conv_last, [IR_CALL] = infer_call,
    [IR_LENGTH] = infer_length, [IR_EXTEND] = infer_capacity, [IR_SHRINK] = infer_capacity,
};

bool ir_infer(ir_node *n, diag *d)
{
    if (!check_inputs(n, d) || !check_attributes(n, d)) return false;
    ir_type none = {.elem = ELEM_NONE}, result = n->outputs > 0 ? n->output[0]->type : none;
    if (!operator_of[n->op]) return infer_fail(n, d, -1, STATUS_OPERATOR, "it has no type");
    if (!operator_of[n->op](n, d, &result)) return false;
    if (n->outputs > 0) n->output[0]->type = result;
    return true;
}
