/* Requires: fold_const and simplify went before. A value computed element-wise from one value x and numbers alone, through erf, tanh, sigmoid or exp,
 * that equals GELU, its tanh form or x * sigmoid(b x) at sampled points. Leaves: it as one map. What is computed is tested, not how it is written:
 * order of operands, place of the constants, Pow 3 or x x x, Erfc as 1 - erf are one case. x is the same value in all places, or it is no match. */
#include <math.h>

#include "match.h"

typedef enum activation { ACTIVATION_NONE, ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_SWISH } activation;

/* ---- what one variable's function is ---- */

static const double sample[] = {-6, -3.5, -2.2, -1.4, -0.9, -0.5, -0.1, 0, 0.2, 0.6, 1, 1.4, 1.9, 2.7, 4, 8};
enum { SAMPLES = sizeof sample / sizeof sample[0] };

static double expected(activation kind, double x, double b)
{
    switch (kind) {
    case ACTIVATION_GELU: return x * (1 + erf(x / sqrt(2))) / 2;
    case ACTIVATION_GELU_TANH: return x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))) / 2;
    case ACTIVATION_SWISH: return x / (1 + exp(-b * x));
    default: return NAN;
    }
}

static bool equals(const expr *e, activation kind, double b, double tolerance)
{
    for (int i = 0; i < SAMPLES; i++) {
        double x = sample[i];
        if (!(fabs(match_evaluate(e, &x) - expected(kind, x, b)) <= tolerance * fmax(1, fabs(x)))) return false;
    }
    return true;
}

/* Constants are as exact as their type: 1e-5 admits sqrt(2) with five digits, and no other function; half floats round by 1e-3. */
static activation classify(const expr *e, elem type, double *b)
{
    double tolerance = type == ELEM_F16 || type == ELEM_BF16 ? 2e-3 : 1e-5, one = 1;
    if (match_uses(e, EXPR_ERF) && equals(e, ACTIVATION_GELU, 0, tolerance)) return ACTIVATION_GELU;
    if (match_uses(e, EXPR_TANH) && equals(e, ACTIVATION_GELU_TANH, 0, tolerance)) return ACTIVATION_GELU_TANH;
    double ratio = match_evaluate(e, &one);
    *b = -log(1 / ratio - 1);
    if (!(*b > 0.01 && *b < 100)) return ACTIVATION_NONE;
    *b = (double)(float)*b;
    if (fabs(*b - 1) < 1e-6) *b = 1;
    return equals(e, ACTIVATION_SWISH, *b, 1e-6) ? ACTIVATION_SWISH : ACTIVATION_NONE;
}

/* ---- where it stands ---- */

static bool is_anchor(const ir_node *n)
{
    const expr *e = ir_expr(n, KEY_EXPR);
    return match_uses(e, EXPR_ERF) || match_uses(e, EXPR_TANH) || match_uses(e, EXPR_SIGMOID) || match_uses(e, EXPR_EXP);
}

/* The values above the anchor that may be x, the nearest first. */
static int candidates(ir_node *anchor, ir_value *x[MATCH_NODES])
{
    int count = 0;
    ir_node *queue[MATCH_NODES] = {anchor};
    for (int k = 0, nodes = 1; k < nodes; k++)
        for (int i = 0; i < queue[k]->inputs; i++) {
            ir_value *v = queue[k]->input[i];
            bool seen = !v || ir_is_constant(v);
            for (int j = 0; j < count; j++) seen |= x[j] == v;
            if (seen || count == MATCH_NODES) continue;
            x[count++] = v;
            ir_node *n = ir_producer(v, IR_MAP);
            if (n && nodes < MATCH_NODES) queue[nodes++] = n;
        }
    return count;
}

typedef struct gelu_match {
    ir_value *x, *root;
    match_cone cone;
    activation kind;
    double b;
} gelu_match;

/* The nearest value from the anchor down that is an activation of x. */
static bool find_root(arena *a, ir_node *anchor, ir_value *x, gelu_match *m)
{
    ir_value *queue[MATCH_NODES] = {anchor->output[0]};
    m->x = x;
    for (int k = 0, count = 1; k < count; k++) {
        m->root = queue[k];
        if (!match_compose(a, m->root, &x, 1, &m->cone) || m->cone.constants) continue;
        bool same = ir_type_equal(&m->root->type, &x->type);
        if (same && (m->kind = classify(m->cone.expr, x->type.elem, &m->b)) != ACTIVATION_NONE) return true;
        for (int i = 0; i < m->root->uses && count < MATCH_NODES; i++) {
            ir_node *n = m->root->user[i];
            bool seen = n->op != IR_MAP;
            for (int j = 0; j < count; j++) seen |= queue[j] == n->output[0];
            if (!seen) queue[count++] = n->output[0];
        }
    }
    return false;
}

static ir_value *build(const gelu_match *m, pass_context *c)
{
    ir_node *before = m->root->def, *n = ir_begin(before->graph, IR_MAP);
    expr_builder b = expr_begin(before->graph->arena);
    elem type = m->x->type.elem;
    int x = expr_input(&b, 0, type);
    int y = m->kind == ACTIVATION_GELU ? expr_apply(&b, EXPR_GELU, x, -1, -1)
            : m->kind == ACTIVATION_GELU_TANH ? expr_apply(&b, EXPR_GELU_TANH, x, -1, -1)
                                              : expr_apply(&b, EXPR_SWISH, x, expr_constant(&b, type, m->b, 0), -1);
    ir_input(n, m->x);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, y));
    match_cover(n, &m->cone);
    return ir_end(n, before, c->diag);
}

/* ---- near misses ---- */

/* v is one of x, or computed from one and numbers. */
static bool from_one_of(const ir_value *v, ir_value *const *x, int count)
{
    for (int step = 0; v && step < 3; step++) {
        for (int k = 0; k < count; k++)
            if (v == x[k]) return true;
        const ir_node *n = ir_producer(v, IR_MAP);
        const ir_value *above = NULL;
        for (int i = 0; n && i < n->inputs; i++)
            if (!ir_is_constant(n->input[i])) above = n->input[i];
        v = above;
    }
    return false;
}

/* erf is always meant as GELU; tanh and sigmoid where what they give is multiplied with what they took. */
static bool meant(const ir_node *anchor, ir_value *const *x, int count, bool is_erf)
{
    const ir_value *v = anchor->output[0];
    for (int step = 0; !is_erf && step < 3 && v->uses > 0; step++) {
        const ir_node *n = v->user[0];
        if (n->op != IR_MAP) return false;
        for (int i = 0; i < n->inputs && match_uses(ir_expr(n, KEY_EXPR), EXPR_MUL); i++)
            if (n->input[i] != v && from_one_of(n->input[i], x, count)) return true;
        v = n->output[0];
    }
    return is_erf;
}

static void report_near_miss(ir_node *anchor, pass_context *c)
{
    ir_value *x[MATCH_NODES];
    bool is_erf = match_uses(ir_expr(anchor, KEY_EXPR), EXPR_ERF);
    int count = candidates(anchor, x);
    if (match_uses(ir_expr(anchor, KEY_EXPR), EXPR_EXP) || !meant(anchor, x, count, is_erf)) return;
    c->report->found[FUSION_GELU]++;
    pass_miss(c, FUSION_GELU, anchor, "nothing that follows equals GELU, its tanh form or x * sigmoid(b x) of one x");
}

static bool is_activation(const ir_node *n)
{
    const expr *e = ir_expr(n, KEY_EXPR);
    return match_uses(e, EXPR_GELU) || match_uses(e, EXPR_GELU_TANH) || match_uses(e, EXPR_SWISH);
}

static bool fuse(ir_node *anchor, pass_context *c)
{
    ir_value *x[MATCH_NODES];
    gelu_match m;
    int count = candidates(anchor, x);
    for (int i = 0; i < count; i++) {
        if (!elem_is_float(x[i]->type.elem) || !find_root(c->arena, anchor, x[i], &m)) continue;
        ir_value *v = build(&m, c);
        if (!v) return false;
        match_replace(m.root, v);
        c->report->found[FUSION_GELU]++;
        c->report->fused[FUSION_GELU]++;
        return true;
    }
    return true;
}

bool pass_fuse_gelu(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **map = match_list(c->arena, g, IR_MAP, &count);
    for (int i = 0; i < count; i++) {
        if (match_dead(map[i]) || ir_is_constant(map[i]->output[0])) continue;
        if (is_activation(map[i])) {
            c->report->found[FUSION_GELU]++;
            c->report->fused[FUSION_GELU]++;
        } else if (is_anchor(map[i]) && !fuse(map[i], c)) {
            return false;
        }
    }
    for (int i = 0; i < count; i++)
        if (!match_dead(map[i]) && !ir_is_constant(map[i]->output[0]) && !is_activation(map[i]) && is_anchor(map[i])) report_near_miss(map[i], c);
    return true;
}
