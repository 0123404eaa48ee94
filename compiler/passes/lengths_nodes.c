/* Operators of pass `lengths`: what sums, compares or picks along a length leaves out what lies before its elements, or is refused. */
#include "lengths.h"

#include <math.h>
#include <string.h>

/* Whether a place along x's axis holds an element: bool, [size, 1…] so that it broadcasts to a tensor of `rank` axes at axis `axis`. */
static ir_value *is_element(lengths *l, int symbol, dim capacity, int rank, int axis, ir_node *before)
{
    int64_t size;
    if (!dim_is_constant(capacity, &size)) return NULL;
    ir_value *place = lengths_places(l, size, rank - 1 - axis, before);
    expr_builder b = expr_begin(l->c->arena);
    const int slack = expr_input(&b, 1, ELEM_I64);
    const expr *e = expr_end(&b, expr_apply(&b, EXPR_LESS_EQUAL, slack, expr_input(&b, 0, ELEM_I64), -1));
    ir_value *both[] = { place, l->slack[symbol] };
    return lengths_map(l, both, 2, e, before);
}

/* x with this number before its elements. */
static ir_value *filled(lengths *l, const lengths_value *x, double number, ir_node *before)
{
    const ir_type *t = &x->value->type;
    ir_value *both[] = { x->value, is_element(l, x->symbol, t->dim[x->axis], t->rank, x->axis, before) };
    expr_builder b = expr_begin(l->c->arena);
    const int in = expr_input(&b, 0, t->elem), fill = expr_constant(&b, t->elem, number, (int64_t)(elem_is_float(t->elem) ? 0 : number));
    return lengths_map(l, both, 2, expr_end(&b, expr_apply(&b, EXPR_SELECT, expr_input(&b, 1, ELEM_BOOL), in, fill)), before);
}

static ir_value *with_zeros(lengths *l, const lengths_value *x, ir_node *before)
{
    return x->zero ? x->value : filled(l, x, 0, before);
}

/* Are there elements at every length? What takes the largest of none, or divides by their sum, has no answer. */
static bool never_empty(const lengths *l, const ir_node *n, int i)
{
    const lengths_value *x = lengths_of(l, n, i);
    return dim_compare(l->graph->symbols, n->input[i]->type.dim[x->axis], dim_of(0)) == 1;
}

/* ---- operators ---- */

static bool take_rows(lengths *l, ir_node *n, int weights, int extras)
{
    const lengths_value *x = lengths_of(l, n, 0);
    if (x && x->axis == n->input[0]->type.rank - 1) return lengths_refuse(l, n, 0, "works along a length");
    for (int i = weights; i < extras && i < n->inputs; i++)
        if (lengths_of(l, n, i)) return lengths_refuse(l, n, i, "has weights of a length");
    return true;
}

static bool take_matmul(lengths *l, ir_node *n, ir_value **input)
{
    for (int i = 0; i < 2; i++) {
        const lengths_value *x = lengths_of(l, n, i);
        const int rank = n->input[i]->type.rank;
        if (x && x->axis == (i ? rank - 2 : rank - 1)) input[i] = with_zeros(l, x, n);
    }
    return true;
}

/* The mask with keys left out that are none. */
static ir_value *key_mask(lengths *l, ir_node *n, ir_value *mask, const lengths_value *keys)
{
    const ir_type *t = &keys->value->type;
    ir_value *valid = is_element(l, keys->symbol, t->dim[1], 1, 0, n);
    if (!mask || !valid) return valid;
    ir_value *both[] = { mask, valid };
    expr_builder b = expr_begin(l->c->arena);
    const elem e = mask->type.elem;
    const int given = expr_input(&b, 0, e), is_key = expr_input(&b, 1, ELEM_BOOL);
    const int result = e == ELEM_BOOL ? expr_apply(&b, EXPR_AND, given, is_key, -1)
        : expr_apply(&b, EXPR_SELECT, is_key, given, expr_constant(&b, e, -INFINITY, 0));
    return lengths_map(l, both, 2, expr_end(&b, result), n);
}

static bool take_attention(lengths *l, ir_node *n, ir_value **input, int *inputs)
{
    const lengths_value *q = lengths_of(l, n, 0), *k = lengths_of(l, n, 1), *v = lengths_of(l, n, 2);
    if (q && k && v && !q->axis && !k->axis && !v->axis) return true;   /* several attentions, each by itself; so are their masks */
    if (q && q->axis != 1) return lengths_refuse(l, n, 0, "works along a length");
    if (!k != !v || (k && (k->axis != 1 || v->axis != 1 || ir_int(n, KEY_TRANSPOSED, 0)))) return lengths_refuse(l, n, k ? 1 : 2, "works along a length");
    if (!k) return true;
    if (!never_empty(l, n, 1)) return lengths_refuse(l, n, 1, "may have no keys");
    input[1] = with_zeros(l, k, n);
    input[2] = with_zeros(l, v, n);
    input[3] = key_mask(l, n, *inputs > 3 ? input[3] : NULL, k);
    *inputs = 4;
    return input[3] != NULL;
}

static bool take_softmax(lengths *l, ir_node *n, ir_value **input)
{
    const lengths_value *x = lengths_of(l, n, 0);
    if (x->axis != ir_int(n, KEY_AXIS, 0)) return true;
    if (!never_empty(l, n, 0)) return lengths_refuse(l, n, 0, "may be over nothing");
    input[0] = filled(l, x, -INFINITY, n);
    return true;
}

static bool take_reduce(lengths *l, ir_node *n, ir_value **input)
{
    const lengths_value *x = lengths_of(l, n, 0);
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    const char *kind = ir_name(n, KEY_KIND, "");
    bool along = false;
    for (int i = 0; i < axes->list.count; i++) along |= axes->list.item[i] == x->axis;
    if (!along) return true;
    const bool sums = !strcmp(kind, "sum") || !strcmp(kind, "l1") || !strcmp(kind, "l2") || !strcmp(kind, "sumsq");
    const bool largest = !strcmp(kind, "max"), least = !strcmp(kind, "min");
    if (sums) input[0] = with_zeros(l, x, n);
    else if ((largest || least) && elem_is_float(n->input[0]->type.elem) && never_empty(l, n, 0)) input[0] = filled(l, x, largest ? -INFINITY : INFINITY, n);
    else return lengths_refuse(l, n, 0, arena_printf(l->c->arena, "takes the %s along a length", kind));
    return true;
}

static bool take_concat(lengths *l, ir_node *n, bool *zero)
{
    const int along = (int)ir_int(n, KEY_AXIS, 0);
    *zero = true;
    for (int i = 0; i < n->inputs; i++) {
        const lengths_value *x = lengths_of(l, n, i);
        if (x && x->axis == along && i) return lengths_refuse(l, n, i, "puts a length behind other elements");
        if (i == 0 || !x || x->axis != along) *zero &= x ? x->zero : i > 0;
    }
    return true;
}

static bool take_pad(lengths *l, ir_node *n, bool *zero)
{
    const lengths_value *x = lengths_of(l, n, 0);
    *zero = x->zero && n->inputs < 2;
    return !ir_find(n, KEY_PADS)->list.item[x->axis] || lengths_refuse(l, n, 0, "puts elements before a length");
}

/* Numbers along a length become those at its capacity; negative ones count from the end, which is the same. */
static bool take_gather(lengths *l, ir_node *n, ir_value **input)
{
    const lengths_value *x = lengths_of(l, n, 0);
    if (!x || x->axis != ir_int(n, KEY_AXIS, 0)) return true;
    const elem e = input[1]->type.elem;
    ir_value *both[] = { input[1], l->slack[x->symbol] };
    expr_builder b = expr_begin(l->c->arena);
    int index = expr_input(&b, 0, e);
    if (e != ELEM_I64) index = expr_convert(&b, ELEM_I64, index);
    const int moved = expr_apply(&b, EXPR_ADD, index, expr_input(&b, 1, ELEM_I64), -1), zero = expr_constant(&b, ELEM_I64, 0, 0);
    input[1] = lengths_map(l, both, 2, expr_end(&b, expr_apply(&b, EXPR_SELECT, expr_apply(&b, EXPR_LESS, index, zero, -1), index, moved)), n);
    return input[1] != NULL;
}

/* What works along its last axis, or along that of its indices: pick has rows, the axes before it, in all inputs alike. */
static bool take_before(lengths *l, ir_node *n, int along)
{
    for (int i = 0; i < n->inputs; i++) {
        const lengths_value *x = lengths_of(l, n, i);
        if (x && x->axis >= along) return lengths_refuse(l, n, i, "works along a length");
    }
    return true;
}

bool lengths_take(lengths *l, ir_node *n, ir_value **input, int *inputs, bool *zero)
{
    const lengths_value *x = lengths_of(l, n, 0);
    switch (n->op) {
    case IR_MAP: return true;
    case IR_LINEAR: case IR_CONV_LAST:
        if (n->op == IR_CONV_LAST && x) break;
        return take_rows(l, n, 1, 3);
    case IR_MLP: return take_rows(l, n, 1, 5);
    case IR_MATMUL: return take_matmul(l, n, input);
    case IR_ATTENTION: return take_attention(l, n, input, inputs);
    case IR_NORM:
        if (x && x->axis >= ir_int(n, KEY_AXIS, 0)) break;
        return take_rows(l, n, 1, 3);
    case IR_MOMENTS: case IR_JOIN_MOMENTS: return take_before(l, n, 1);
    case IR_SOFTMAX: return take_softmax(l, n, input);
    case IR_REDUCE: return take_reduce(l, n, input);
    case IR_CONCAT: return take_concat(l, n, zero);
    case IR_PAD: return take_pad(l, n, zero);
    case IR_GATHER: return take_gather(l, n, input);
    case IR_TOPK: return take_before(l, n, n->input[0]->type.rank - 1);
    case IR_PICK: return take_before(l, n, n->input[1]->type.rank - 1);
    default: break;
    }
    return lengths_refuse(l, n, x ? 0 : -1, "works along a length");
}
