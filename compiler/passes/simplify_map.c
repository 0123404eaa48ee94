/* Part of simplify: element-wise nodes that do nothing, conversions before comparisons, biases, NaN guards that no NaN reaches. */
#include <math.h>
#include <stdlib.h>

#include "match.h"

/* Puts `by` in place of n's output if it has the type; false: it has not. */
static bool replace_same(ir_node *n, ir_value *by)
{
    if (!by || !ir_type_equal(&by->type, &n->output[0]->type)) return false;
    if (by->def) ir_copy_origins(by->def, n);
    match_replace(n->output[0], by);
    return true;
}

/* ---- identities ---- */

static bool operand_is(const match_operand *o, double number)
{
    double splat;
    if (o->scalar) return o->number == number;
    return o->value && match_splat(o->value, &splat) && splat == number;
}

/* The operand that op(…) equals whatever the others hold; NULL: none. */
static ir_value *neutral(expr_op op, const match_operand *o)
{
    switch (op) {
    case EXPR_ADD: return operand_is(&o[1], 0) ? o[0].value : operand_is(&o[0], 0) ? o[1].value : NULL;
    case EXPR_SUB: return operand_is(&o[1], 0) ? o[0].value : NULL;
    case EXPR_MUL: return operand_is(&o[1], 1) ? o[0].value : operand_is(&o[0], 1) ? o[1].value : NULL;
    case EXPR_DIV:
    case EXPR_POW: return operand_is(&o[1], 1) ? o[0].value : NULL;
    case EXPR_SELECT: return operand_is(&o[0], 1) ? o[1].value : operand_is(&o[0], 0) ? o[2].value : NULL;
    default: return NULL;
    }
}

/* Every value of `narrow` is one of `wide`. */
static bool widens(elem narrow, elem wide)
{
    if (narrow == wide) return true;
    if (wide == ELEM_F64) return narrow == ELEM_F32 || narrow == ELEM_F16 || narrow == ELEM_BF16;
    if (wide == ELEM_F32) return narrow == ELEM_F16 || narrow == ELEM_BF16;
    if (narrow == ELEM_BOOL) return elem_is_float(wide) || elem_is_integer(wide);
    return elem_is_signed(narrow) && elem_is_signed(wide) && elem_size(wide) > elem_size(narrow);
}

/* The source of convert(convert(x)), if the type in between holds every value and the last is the first again. */
static ir_value *converted_back(const ir_value *v, const match_operand *o)
{
    expr_op op;
    match_operand inner[3];
    ir_value *x = o->value;
    if (x && x->type.elem == v->type.elem) return x;
    if (!x || !match_map(x, &op, inner) || op != EXPR_CONVERT || !inner[0].value) return NULL;
    return inner[0].value->type.elem == v->type.elem && widens(v->type.elem, x->type.elem) ? inner[0].value : NULL;
}

static bool drop_identity(ir_node *n)
{
    const expr *e = ir_expr(n, KEY_EXPR);
    if (e->count == 1 && e->item[0].op == EXPR_INPUT) return replace_same(n, n->input[e->item[0].index]);
    expr_op op;
    match_operand o[3];
    if (!match_map(n->output[0], &op, o)) return false;
    return replace_same(n, op == EXPR_CONVERT ? converted_back(n->output[0], &o[0]) : neutral(op, o));
}

/* ---- comparisons of converted integers ---- */

/* The number as a scalar of a signed type; NULL: the type has no such number. */
static ir_value *signed_constant(ir_node *before, elem e, double number)
{
    const double end = ldexp(1, 8 * (int)elem_size(e) - 1);
    if (!(number >= -end && number < end) || number != floor(number)) return NULL;
    int64_t *data = arena_alloc(before->graph->arena, sizeof *data);
    *data = (int64_t)number;      /* little-endian: the low bytes first */
    return ir_constant(before->graph, (ir_type){.elem = e}, data, elem_size(e), before);
}

/* x, where o is a conversion of its whole numbers to a type that has them all; NULL: it is none. */
static ir_value *unconverted(const match_operand *o)
{
    expr_op op;
    match_operand from[3];
    if (!o->value || !match_map(o->value, &op, from) || op != EXPR_CONVERT || !from[0].value || ir_is_constant(from[0].value)) return NULL;
    const elem narrow = from[0].value->type.elem;
    return elem_is_signed(narrow) && elem_is_signed(o->value->type.elem) && widens(narrow, o->value->type.elem) ? from[0].value : NULL;
}

/* What is converted in order to be compared with a number that its own type has is compared as it is. */
static bool compare_unconverted(ir_node *n, pass_context *c)
{
    expr_op op;
    match_operand o[3];
    if (!match_map(n->output[0], &op, o) || (op != EXPR_EQUAL && op != EXPR_LESS && op != EXPR_LESS_EQUAL)) return false;
    const int k = unconverted(&o[0]) ? 0 : 1;
    const match_operand *other = &o[1 - k];
    ir_value *x = unconverted(&o[k]);
    double number = other->number;
    if (!x || (!other->scalar && !match_splat(other->value, &number))) return false;
    ir_value *than = signed_constant(n, x->type.elem, number);
    ir_value *v = than ? ir_map2(n->graph, op, k ? than : x, k ? x : than, n, c->diag) : NULL;
    if (!v) return false;
    if (!ir_type_equal(&v->type, &n->output[0]->type)) {
        match_drop(v->def);
        return false;
    }
    ir_copy_origins(v->def, o[k].value->def);
    ir_copy_origins(v->def, n);
    match_replace(n->output[0], v);
    return true;
}

/* ---- expand before a broadcast ---- */

static bool drop_expand(ir_node *n, pass_context *c)
{
    for (int i = 0; i < n->inputs; i++) {
        ir_node *expand = ir_producer(n->input[i], IR_MOVE);
        move m;
        ir_type to;
        if (!expand) continue;
        const ir_value *old = n->input[i];
        if (!move_expand(&expand->input[0]->type, old->type.dim, old->type.rank, &m, &to)) continue;
        move_normalise(&expand->input[0]->type, &m);
        if (!move_equal(&m, ir_move(expand))) continue;
        bool widens_only = move_is_reshape(&expand->input[0]->type, ir_move(expand));      /* axes of 1 in front */
        if (widens_only && old->uses > 1 && !ir_is_constant(old)) continue;                /* all its readers see one shape: a norm, maybe */
        ir_node *without = ir_begin(n->graph, IR_MAP);
        for (int k = 0; k < n->inputs; k++) ir_input(without, k == i ? expand->input[0] : n->input[k]);
        ir_set_expr(without, KEY_EXPR, ir_expr(n, KEY_EXPR));
        ir_value *v = ir_end(without, n, c->diag);
        if (!v) return false;
        if (!ir_type_equal(&v->type, &n->output[0]->type)) {
            match_drop(v->def);
            continue;
        }
        ir_copy_origins(v->def, n);
        ir_copy_origins(v->def, expand);
        match_replace(n->output[0], v);
        return true;
    }
    return false;
}

/* ---- biases ---- */

/* c as [n], if adding it to x adds one number a column: x is a linear's result, or that with its columns split over the last axes. */
static ir_value *bias_row(pass_context *c, ir_value *x, ir_value *bias, ir_node **linear, ir_node *before)
{
    ir_node *split = ir_producer(x, IR_MOVE);
    *linear = ir_producer(split ? split->input[0] : x, IR_LINEAR);
    if (!*linear || ir_find(*linear, KEY_EPILOGUE) || !ir_only_use((*linear)->output[0], split ? split : before)) return NULL;
    const ir_type *rows = &(*linear)->output[0]->type, *t = &x->type;
    dim columns = rows->dim[rows->rank - 1], product = dim_of(1);
    int axis = t->rank;
    while (axis > 0 && !dim_equal(product, columns) && dim_mul(product, t->dim[axis - 1], &product)) axis--;
    if (!dim_equal(product, columns) || !match_trailing(&bias->type, t, axis)) return NULL;
    if (split && (!move_is_reshape(rows, ir_move(split)) || !ir_only_use(x, before))) return NULL;
    return match_reshape(c, bias, &columns, 1, before);
}

static bool take_bias(ir_node *n, pass_context *c)
{
    expr_op op;
    match_operand o[3];
    if (!match_map(n->output[0], &op, o) || op != EXPR_ADD || !o[0].value || !o[1].value) return false;
    int k = ir_is_constant(o[0].value);
    ir_value *x = o[k].value, *bias = o[1 - k].value;
    if (!ir_is_constant(bias) || ir_is_constant(x) || !ir_type_equal(&x->type, &n->output[0]->type)) return false;
    if (bias->type.rank == 0) return false;
    ir_node *linear;
    if (!(bias = bias_row(c, x, bias, &linear, n))) return false;
    if (linear->inputs > 2 && linear->input[2] && !(bias = ir_map2(n->graph, EXPR_ADD, linear->input[2], bias, n, c->diag))) return false;
    ir_node *biased = ir_begin(n->graph, IR_LINEAR);
    ir_input(biased, linear->input[0]);
    ir_input(biased, linear->input[1]);
    ir_input(biased, bias);
    ir_value *v = ir_end(biased, n, c->diag);
    if (!v) return false;
    ir_copy_origins(biased, linear);
    ir_copy_origins(biased, n);
    if (x->def != linear) v = match_move(c, v, ir_move(x->def), &x->type, n);
    if (v) match_replace(n->output[0], v);
    return v != NULL;
}

/* ---- NaN guards ---- */

/* Every row along the last axis of a constant mask keeps an element that is not -inf, and nothing is NaN or +inf. *huge: adding to some element may
 * overflow. */
static bool mask_keeps_rows(const ir_value *mask, bool *huge)
{
    enum { LIMIT = 1 << 26 };
    int64_t shape[IR_RANK_MAX], count, row = 1;
    if (!ir_dims_constant(&mask->type, shape, NULL)) return false;
    if (mask->type.rank > 0) row = shape[mask->type.rank - 1];
    double *number = match_numbers(mask, LIMIT, &count);
    bool fine = number != NULL;
    for (int64_t i = 0; fine && i < count; i += row) {
        bool kept = false;
        for (int64_t k = i; k < i + row; k++) {
            fine &= !isnan(number[k]) && number[k] != INFINITY;
            kept |= isfinite(number[k]);
            *huge |= fabs(number[k]) > 1e30;
        }
        fine &= kept;
    }
    free(number);
    return fine;
}

/* A walk from a softmax up to the product that makes its scores. */
typedef struct climb {
    bool huge;          /* a mask with -inf or about the largest float was added */
    bool turned;        /* rows are no longer along the last axis */
    bool scaled;
} climb;

static bool climb_mask(climb *at, const ir_value *mask)
{
    bool huge = false;
    if (at->turned || !mask_keeps_rows(mask, &huge) || (huge && (at->huge || at->scaled))) return false;
    at->huge |= huge;
    return true;
}

/* One element-wise step: a constant mask or a scalar factor. The scores before it; NULL: something else. */
static const ir_value *climb_map(climb *at, const ir_value *s)
{
    expr_op op;
    match_operand o[3];
    if (!match_map(s, &op, o) || (op != EXPR_ADD && op != EXPR_MUL && op != EXPR_DIV)) return NULL;
    int k = o[0].scalar || (o[0].value && ir_is_constant(o[0].value));
    const match_operand *other = &o[1 - k];
    if (op == EXPR_ADD) return other->value && ir_is_constant(other->value) && climb_mask(at, other->value) ? o[k].value : NULL;
    double number = other->number;
    if (!other->scalar && !(other->value && match_splat(other->value, &number))) return NULL;
    if (k == 1 && op == EXPR_DIV) return NULL;
    at->scaled |= number != 1;
    return fabs(number) > 1e-6 && fabs(number) < 1e6 ? o[k].value : NULL;
}

/* Finite products cannot give a row of these scores that is all -inf. */
static bool rows_alive(const ir_value *s)
{
    climb at = {0};
    for (int step = 0; step < MATCH_NODES && s && s->def; step++) {
        const ir_node *n = s->def;
        if (n->op == IR_MATMUL || n->op == IR_LINEAR) return true;
        if (n->op == IR_MOVE) {
            const ir_type *from = &n->input[0]->type;
            at.turned |= !move_is_reshape(from, ir_move(n)) || from->rank == 0 || s->type.rank == 0 ||
                         !dim_equal(from->dim[from->rank - 1], s->type.dim[s->type.rank - 1]);
            s = n->input[0];
        } else {
            s = climb_map(&at, s);
        }
    }
    return false;
}

static bool drop_guard(ir_node *softmax, pass_context *c)
{
    match_cone guard;
    const ir_value *s = softmax->input[0];
    ir_value *p = softmax->output[0], *guarded = match_nan_guard(c->arena, p, &guard);
    if (!guarded || ir_int(softmax, KEY_AXIS, 0) != s->type.rank - 1 || !rows_alive(s)) return false;
    match_cover(softmax, &guard);
    match_replace(guarded, p);
    return true;
}

bool simplify_maps(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        bool did = false;
        if (n->op == IR_SOFTMAX) did = drop_guard(n, c);
        if (did) next = n->next;
        if (n->op == IR_MAP && !match_dead(n)) did = drop_identity(n) || compare_unconverted(n, c) || drop_expand(n, c) || take_bias(n, c);
        *changed |= did;
    }
    return diag_errors(c->diag) == 0;
}
