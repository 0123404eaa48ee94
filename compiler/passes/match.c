/* What the fusing passes share: looking. See match.h. */
#include "match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../ir/eval.h"

/* ---- single nodes ---- */

ir_node *match_map(const ir_value *v, expr_op *op, match_operand operand[3])
{
    ir_node *n = ir_producer(v, IR_MAP);
    const expr *e = n ? ir_expr(n, KEY_EXPR) : NULL;
    if (!e) return NULL;
    const expr_item *root = &e->item[e->count - 1];
    int arity = expr_arity(root->op);
    if (arity == 0 || e->count > arity + 1) return NULL;
    for (int i = 0; i < arity; i++) {
        const expr_item *arg = &e->item[root->arg[i]];
        match_operand *o = &operand[i];
        *o = (match_operand){.number = NAN};
        if (arg->op == EXPR_INPUT) {
            o->value = n->input[arg->index];
            o->scalar = ir_scalar(o->value, &o->number);
        } else if (arg->op == EXPR_CONSTANT) {
            o->scalar = true;
            o->number = elem_is_float(arg->elem) ? arg->number : (double)arg->integer;
        } else {
            return NULL;
        }
    }
    *op = root->op;
    return n;
}

/* A const whose elements are all the same bytes. */
static bool splat_bytes(const ir_value *v, double *number)
{
    const ir_bytes *b = ir_bytes_of(v);
    size_t size = elem_size(v->type.elem);
    if (b->size < size || size == 0) return false;
    const char *bytes = b->data;
    if (b->size > size && memcmp(bytes, bytes + size, b->size - size) != 0) return false;
    union { char byte[8]; double number; int64_t integer; } first = {.integer = 0};
    memcpy(first.byte, bytes, size);
    eval_tensor one = {.elem = v->type.elem, .rank = 0, .elements = 1, .data = &first};
    *number = elem_is_float(one.elem) ? eval_number(EVAL_TYPED, &one, 0) : (double)eval_integer(EVAL_TYPED, &one, 0);
    return true;
}

static bool splat_at(const ir_value *v, double *number, int depth)
{
    const ir_node *n = v->def;
    if (!n || depth == 0) return false;
    if (n->op == IR_CONST) return splat_bytes(v, number);
    if (n->op == IR_MOVE) return splat_at(n->input[0], number, depth - 1);
    if (n->op != IR_MAP || n->inputs > MATCH_INPUTS) return false;
    double input[MATCH_INPUTS];
    for (int i = 0; i < n->inputs; i++)
        if (!splat_at(n->input[i], &input[i], depth - 1)) return false;
    *number = match_evaluate(ir_expr(n, KEY_EXPR), input);
    return !isnan(*number);
}

bool match_splat(const ir_value *v, double *number)
{
    return v && splat_at(v, number, 6);
}

double *match_numbers(const ir_value *v, int64_t limit, int64_t *count)
{
    int64_t elements;
    if (!ir_is_constant(v) || !ir_dims_constant(&v->type, NULL, &elements) || elements > limit) return NULL;
    eval_tensor t;
    if (eval_constant(v, &t, NULL) != STATUS_OK) return NULL;
    double *number = malloc((size_t)(elements ? elements : 1) * sizeof *number);
    for (int64_t i = 0; number && i < elements; i++)
        number[i] = elem_is_float(t.elem) ? eval_number(EVAL_TYPED, &t, i) : (double)eval_integer(EVAL_TYPED, &t, i);
    eval_free(&t);
    *count = elements;
    return number;
}

bool match_trailing(const ir_type *part, const ir_type *t, int axis)
{
    int length = t->rank - axis;
    if (part->rank < length) return false;
    for (int i = 0; i < part->rank; i++) {
        int j = i - (part->rank - length);
        if (!dim_equal(part->dim[i], j < 0 ? dim_of(1) : t->dim[axis + j])) return false;
    }
    return true;
}

bool match_is_row(const ir_type *t)
{
    for (int i = 0; i + 1 < t->rank; i++)
        if (!dim_is_one(t->dim[i])) return false;
    return true;
}

int64_t match_size(const ir_graph *g, const ir_type *t, int axes, arena *a)
{
    int64_t *one = arena_array(a, (size_t)g->symbols->count + 1, sizeof *one), n = 1;
    for (int i = 0; i < g->symbols->count; i++) one[i] = 1;
    for (int i = 0; i < axes; i++) n *= dim_evaluate(t->dim[i], one);
    return n;
}

bool match_dead(const ir_node *n)
{
    if (!n->graph) return true;
    for (int i = 0; i < n->outputs; i++)
        if (n->output[i]->uses > 0 || ir_is_result(n->output[i])) return false;
    return true;
}

void match_number_nodes(ir_graph *g)
{
    int number = 0;
    for (ir_node *n = g->first; n; n = n->next) n->mark = number++;
}

bool match_before(const ir_node *a, const ir_node *b)
{
    return a->mark < b->mark;
}

ir_node **match_list(arena *a, const ir_graph *g, ir_op op, int *count)
{
    int n = 0;
    for (ir_node *node = g->first; node; node = node->next) n += node->op == op;
    ir_node **list = arena_array(a, (size_t)n + 1, sizeof *list);
    *count = 0;
    for (ir_node *node = g->first; node; node = node->next)
        if (node->op == op) list[(*count)++] = node;
    return list;
}

/* ---- cones of element-wise nodes ---- */

typedef struct composer {
    expr_builder builder;
    ir_value *const *leaf;
    int leaves, depth;
    match_cone *cone;
    int result[MATCH_NODES];       /* of cone->node[i], in the builder */
} composer;

static int compose(composer *s, ir_value *v);

static int compose_constant(composer *s, ir_value *v)
{
    match_cone *cone = s->cone;
    double number;
    if (ir_scalar(v, &number)) return expr_constant(&s->builder, v->type.elem, number, elem_is_float(v->type.elem) ? 0 : (int64_t)number);
    for (int i = 0; i < cone->constants; i++)
        if (cone->constant[i] == v) return expr_input(&s->builder, s->leaves + i, v->type.elem);
    if (cone->constants + s->leaves >= MATCH_INPUTS) return -1;
    cone->constant[cone->constants] = v;
    return expr_input(&s->builder, s->leaves + cone->constants++, v->type.elem);
}

static int compose_map(composer *s, ir_node *n)
{
    match_cone *cone = s->cone;
    for (int i = 0; i < cone->nodes; i++)
        if (cone->node[i] == n) return s->result[i];
    int input[MATCH_INPUTS];
    if (n->inputs > MATCH_INPUTS || s->depth == MATCH_NODES) return -1;
    s->depth++;
    for (int i = 0; i < n->inputs; i++)
        if ((input[i] = compose(s, n->input[i])) < 0) return -1;
    s->depth--;
    if (cone->nodes == MATCH_NODES || s->builder.count + ir_expr(n, KEY_EXPR)->count > MATCH_ITEMS) return -1;
    int result = expr_inline(&s->builder, ir_expr(n, KEY_EXPR), input);
    s->result[cone->nodes] = result;
    cone->node[cone->nodes++] = n;
    return result;
}

/* v's item in the expression; -1: not of this cone. */
static int compose(composer *s, ir_value *v)
{
    if (!v) return -1;
    for (int i = 0; i < s->leaves; i++)
        if (s->leaf[i] == v) return expr_input(&s->builder, i, v->type.elem);
    if (ir_is_constant(v)) return compose_constant(s, v);
    ir_node *n = ir_producer(v, IR_MAP);
    return n ? compose_map(s, n) : -1;
}

bool match_compose(arena *a, ir_value *root, ir_value *const *leaf, int leaves, match_cone *cone)
{
    composer s = {.builder = expr_begin(a), .leaf = leaf, .leaves = leaves, .cone = cone};
    cone->constants = cone->nodes = 0;
    int result = compose(&s, root);
    cone->expr = result < 0 ? NULL : expr_end(&s.builder, result);
    return cone->expr != NULL;
}

static double apply(expr_op op, double x, double y, double z)
{
    switch (op) {
    case EXPR_NEG: return -x;
    case EXPR_ABS: return fabs(x);
    case EXPR_SQRT: return sqrt(x);
    case EXPR_RECIPROCAL: return 1 / x;
    case EXPR_EXP: return exp(x);
    case EXPR_LOG: return log(x);
    case EXPR_TANH: return tanh(x);
    case EXPR_SIGMOID: return 1 / (1 + exp(-x));
    case EXPR_ERF: return erf(x);
    case EXPR_RELU: return x > 0 ? x : 0;
    case EXPR_ADD: return x + y;
    case EXPR_SUB: return x - y;
    case EXPR_MUL: return x * y;
    case EXPR_DIV: return x / y;
    case EXPR_POW: return pow(x, y);
    case EXPR_MIN: return x < y ? x : y;
    case EXPR_MAX: return x > y ? x : y;
    case EXPR_CONVERT: return x;
    case EXPR_ISNAN: return isnan(x);
    case EXPR_NOT: return x == 0;
    case EXPR_AND: return x != 0 && y != 0;
    case EXPR_OR: return x != 0 || y != 0;
    case EXPR_EQUAL: return x == y;
    case EXPR_LESS: return x < y;
    case EXPR_LESS_EQUAL: return x <= y;
    case EXPR_SELECT: return x != 0 ? y : z;
    default: return NAN;
    }
}

double match_evaluate(const expr *e, const double *input)
{
    double value[MATCH_ITEMS];
    if (e->count > MATCH_ITEMS) return NAN;
    for (int i = 0; i < e->count; i++) {
        const expr_item *item = &e->item[i];
        double arg[3] = {0};
        for (int k = 0; k < expr_arity(item->op); k++) arg[k] = value[item->arg[k]];
        if (item->op == EXPR_INPUT) value[i] = input[item->index];
        else if (item->op == EXPR_CONSTANT) value[i] = elem_is_float(item->elem) ? item->number : (double)item->integer;
        else value[i] = apply(item->op, arg[0], arg[1], arg[2]);
    }
    return value[e->count - 1];
}

static bool covers(const match_cone *cone, const ir_node *n)
{
    for (int i = 0; i < cone->nodes; i++)
        if (cone->node[i] == n) return true;
    return false;
}

static bool read_inside(const match_cone *cone, const ir_value *v)
{
    if (ir_is_result(v)) return false;
    for (int i = 0; i < v->uses; i++)
        if (!covers(cone, v->user[i])) return false;
    return true;
}

bool match_closed(const match_cone *cone, const ir_value *root, ir_value *const *leaf, int leaves)
{
    for (int i = 0; i < leaves; i++)
        if (!read_inside(cone, leaf[i])) return false;
    for (int i = 0; i < cone->nodes; i++) {
        const ir_value *v = cone->node[i]->output[0];
        if (v != root && !read_inside(cone, v)) return false;
    }
    return true;
}

bool match_uses(const expr *e, expr_op op)
{
    for (int i = 0; i < e->count; i++)
        if (e->item[i].op == op) return true;
    return false;
}

ir_value *match_nan_guard(arena *a, ir_value *p, match_cone *cone)
{
    for (int i = 0; i < p->uses; i++) {
        ir_value *v = p->user[i]->output[0];
        if (p->user[i]->op != IR_MAP || !match_uses(ir_expr(p->user[i], KEY_EXPR), EXPR_SELECT)) continue;
        if (!match_compose(a, v, &p, 1, cone) || cone->constants || !match_uses(cone->expr, EXPR_ISNAN)) continue;
        if (!ir_type_equal(&v->type, &p->type)) continue;
        double at_nan = match_evaluate(cone->expr, &(double){NAN}), at_some = match_evaluate(cone->expr, &(double){0.25});
        if (at_nan == 0 && at_some == 0.25) return v;
    }
    return NULL;
}

/* ---- building ---- */

ir_value *match_move(pass_context *c, ir_value *x, const move *m, const ir_type *to, ir_node *before)
{
    if (!x) return NULL;
    move step = *m, both;
    const ir_value *given = x;
    move_normalise(&x->type, &step);
    for (ir_node *inner; (inner = ir_producer(x, IR_MOVE)) != NULL; step = both, x = inner->input[0])
        if (!move_compose(&inner->input[0]->type, ir_move(inner), &x->type, &step, &both)) break;
    if (ir_type_equal(&x->type, to) && move_is_reshape(&x->type, &step)) return x;
    ir_value *v = ir_move_of(before->graph, x, &step, to, before, c->diag);
    for (; v && given != x; given = given->def->input[0]) ir_copy_origins(v->def, given->def);
    return v;
}

ir_value *match_reshape(pass_context *c, ir_value *x, const dim *shape, int rank, ir_node *before)
{
    move m;
    ir_type to;
    return x && move_reshape(&x->type, shape, rank, &m, &to) ? match_move(c, x, &m, &to, before) : NULL;
}

ir_value *match_transpose(pass_context *c, ir_value *x, const int *permutation, ir_node *before)
{
    move m;
    ir_type to;
    return x && move_transpose(&x->type, permutation, &m, &to) ? match_move(c, x, &m, &to, before) : NULL;
}

ir_value *match_expand(pass_context *c, ir_value *x, const dim *shape, int rank, ir_node *before)
{
    move m;
    ir_type to;
    return x && move_expand(&x->type, shape, rank, &m, &to) ? match_move(c, x, &m, &to, before) : NULL;
}

void match_drop(ir_node *n)
{
    if (!n->graph || !match_dead(n)) return;
    ir_value *input[MATCH_INPUTS];
    int inputs = 0;
    for (int i = 0; i < n->inputs && inputs < MATCH_INPUTS; i++)
        if (n->input[i] && n->input[i]->def) input[inputs++] = n->input[i];
    ir_remove(n);
    n->graph = NULL;     /* a node can be reached by two ways */
    for (int i = 0; i < inputs; i++) match_drop(input[i]->def);
}

void match_replace(ir_value *old, ir_value *by)
{
    if (!by->name) by->name = old->name;
    ir_replace(old, by);
    if (old->def) match_drop(old->def);
}

void match_sweep_moves(ir_graph *g)
{
    for (ir_node *n = g->last, *previous; n; n = previous) {
        previous = n->previous;
        if (n->op == IR_MOVE && match_dead(n)) ir_remove(n);
    }
}

void match_cover(ir_node *n, const match_cone *cone)
{
    for (int i = 0; i < cone->nodes; i++) ir_copy_origins(n, cone->node[i]);
}

void match_copy_window(ir_node *to, const ir_node *from)
{
    static const ir_key keys[] = {KEY_KERNEL, KEY_PADS, KEY_STRIDES, KEY_DILATIONS};
    if (from->op != IR_CONV_LAST) return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) ir_set_ints(to, keys[i], ir_find(from, keys[i])->list.item, ir_find(from, keys[i])->list.count);
    ir_set_int(to, KEY_GROUP, ir_int(from, KEY_GROUP, 1));
}
