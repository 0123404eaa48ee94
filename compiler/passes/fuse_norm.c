/* Requires: fold_const and simplify went before. A mean of squares over neighbouring axes, of x or of x less its own mean; a value computed from x, mean,
 * that spread and at most two constants of the normalised shape, element-wise and in whatever way, that equals norm's formula; epsilon may be any
 * constant.
 * Leaves: that value as one norm, between two transpositions where other axes follow (channels first). What is computed is tested at points, so all spellings (Sqrt and Div, Reciprocal, Pow, gamma first or last, x g +
 * (b - m g), mean of squares less square of the mean) are one case. */
#include <math.h>

#include "match.h"

/* Neighbouring axes: the first of them, and how many follow. */
typedef struct span { int first, behind; } span;

/* What a reduction over such axes stands for. */
typedef struct spread {
    ir_node *reduce;
    ir_value *x, *mean;                 /* mean: as the cone reads it; NULL: not met */
    ir_value *value;                    /* as its readers see it: the reduction with its axes kept */
    double mean_factor, factor;         /* the values' multiples of a mean: the number of elements for a sum, else 1 */
    bool centred;                       /* of (x - mean)², not of x² */
    span axes;
} spread;

/* ---- reductions ---- */

/* The axes that n reduces; false: they are no neighbours. *factor: elements if it is a sum, 1 if it is a mean. */
static bool reduced_axes(const ir_node *n, span *at, double *factor)
{
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    const ir_type *t = &n->input[0]->type;
    int count = axes ? axes->list.count : 0;
    bool mean = ir_is_name(n, KEY_KIND, "mean");
    *factor = 1;
    if (count == 0 || !elem_is_float(t->elem)) return false;
    for (int i = 0; i < count; i++) {
        int64_t size;
        if (axes->list.item[i] != axes->list.item[0] + i || !dim_is_constant(t->dim[axes->list.item[i]], &size)) return false;
        if (!mean) *factor *= (double)size;
    }
    at->first = (int)axes->list.item[0];
    at->behind = t->rank - at->first - count;
    return true;
}

static bool is_within(const span *at, int axis, int rank)
{
    return axis >= at->first && axis < rank - at->behind;
}

/* n is a mean or sum over these axes. */
static bool averages(const ir_node *n, const span *at)
{
    span own;
    double factor;
    if (!reduced_axes(n, &own, &factor) || own.first != at->first || own.behind != at->behind) return false;
    return ir_is_name(n, KEY_KIND, "mean") || ir_is_name(n, KEY_KIND, "sum");
}

/* The reduction behind a value that has x's axes, the reduced ones of size 1: the node itself, or a reshape of it. */
static ir_node *row_reduction(const ir_value *v)
{
    const ir_node *reshape = ir_producer(v, IR_MOVE);
    if (reshape && !move_is_reshape(&reshape->input[0]->type, ir_move(reshape))) return NULL;
    ir_node *n = ir_producer(reshape ? reshape->input[0] : v, IR_REDUCE);
    span at;
    double factor;
    if (!n || v->type.rank != n->input[0]->type.rank || !reduced_axes(n, &at, &factor)) return NULL;
    for (int i = 0; i < v->type.rank; i++)
        if (!dim_equal(v->type.dim[i], is_within(&at, i, v->type.rank) ? dim_of(1) : n->input[0]->type.dim[i])) return NULL;
    return n;
}

/* n's output with the reduced axes kept; NULL: no reader keeps them. */
static ir_value *kept(ir_node *n)
{
    if (row_reduction(n->output[0]) == n) return n->output[0];
    for (int i = 0; i < n->output[0]->uses; i++)
        if (row_reduction(n->output[0]->user[i]->output[0]) == n) return n->output[0]->user[i]->output[0];
    return NULL;
}

/* A mean or sum over the same axes in the maps above v. */
static ir_value *mean_above(ir_value *v, const span *at, int depth)
{
    const ir_node *reduce = row_reduction(v), *n = ir_producer(v, IR_MAP);
    if (reduce && averages(reduce, at)) return v;
    for (int i = 0; n && depth > 0 && i < n->inputs; i++) {
        ir_value *found = mean_above(n->input[i], at, depth - 1);
        if (found) return found;
    }
    return NULL;
}

/* A mean or sum of x over the same axes, anywhere. */
static ir_value *mean_of(const ir_value *x, const span *at)
{
    for (int i = 0; i < x->uses; i++) {
        ir_node *n = x->user[i];
        if (n->op == IR_REDUCE && averages(n, at)) return kept(n);
    }
    return NULL;
}

/* ---- the spread ---- */

static const double sample[][3] = {{1.5, 0.25, 0.75}, {-2, 0.5, 3}, {0.125, -1.25, 0.0625}, {4, 3, 40}, {-0.5, -0.75, 1e-4}};   /* x, mean, variance */
enum { SAMPLES = sizeof sample / sizeof sample[0] };

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fmax(fmax(fabs(a), fabs(b)), 1e-3);
}

/* The cone computes (x - mean)² of inputs x and mean, or x² of x alone. */
static bool is_square(const expr *e, bool centred, double mean_factor)
{
    for (int i = 0; i < SAMPLES; i++) {
        double x = sample[i][0], mean = centred ? sample[i][1] : 0;
        if (!near(match_evaluate(e, (double[]){x, mean * mean_factor}), (x - mean) * (x - mean))) return false;
    }
    return true;
}

static bool find_centred(arena *a, spread *s)
{
    match_cone cone;
    ir_value *square = s->reduce->input[0];
    if (!(s->mean = mean_above(square, &s->axes, 8))) return false;
    ir_node *mean = row_reduction(s->mean);
    s->x = mean->input[0];
    reduced_axes(mean, &s->axes, &s->mean_factor);
    return match_compose(a, square, (ir_value *[]){s->x, s->mean}, 2, &cone) && !cone.constants && is_square(cone.expr, true, s->mean_factor);
}

static bool find_square(arena *a, spread *s)
{
    match_cone cone;
    ir_value *square = s->reduce->input[0];
    const ir_node *n = ir_producer(square, IR_MAP);
    s->x = ir_is_name(s->reduce, KEY_KIND, "sumsq") ? square : NULL;
    for (int i = 0; n && i < n->inputs && !s->x; i++)
        if (!ir_is_constant(n->input[i])) s->x = n->input[i];
    if (!s->x) return false;
    if (s->x != square && (!match_compose(a, square, &s->x, 1, &cone) || cone.constants || !is_square(cone.expr, false, 1))) return false;
    s->mean = mean_of(s->x, &s->axes);
    s->mean_factor = 1;
    if (s->mean) reduced_axes(row_reduction(s->mean), &s->axes, &s->mean_factor);
    return true;
}

static bool find_spread(arena *a, ir_node *reduce, spread *s)
{
    *s = (spread){.reduce = reduce, .mean_factor = 1};
    if (!reduced_axes(reduce, &s->axes, &s->factor) || !(s->value = kept(reduce))) return false;
    s->centred = find_centred(a, s);
    return s->centred || find_square(a, s);
}

/* ---- the formula ---- */

typedef struct formula {
    bool layer;
    int gamma, beta;           /* which of the cone's constants; -1: none */
    double epsilon;
} formula;

/* The cone at a point; inputs are x, spread, the mean if it was met, then the constants. */
static double at(const match_cone *cone, const spread *s, const formula *f, double x, double mean, double variance, double gamma, double beta)
{
    double input[MATCH_INPUTS] = {x, s->factor * (s->centred ? variance : variance + mean * mean)};
    int leaves = 2;
    if (s->mean) input[leaves++] = s->mean_factor * mean;
    if (f->gamma >= 0) input[leaves + f->gamma] = gamma;
    if (f->beta >= 0) input[leaves + f->beta] = beta;
    return match_evaluate(cone->expr, input);
}

static bool holds(const match_cone *cone, const spread *s, formula *f)
{
    double one = at(cone, s, f, 1, 0, 0, 1, 0);          /* 1 / sqrt(epsilon) */
    f->epsilon = 1 / (one * one);
    if (!(one > 0) || f->epsilon > 1) return false;
    float rounded = (float)f->epsilon;
    if (fabs((double)rounded - f->epsilon) <= 1e-12 * f->epsilon) f->epsilon = (double)rounded;
    for (int i = 0; i <= SAMPLES; i++) {
        double x = i < SAMPLES ? sample[i][0] : 0.501, mean = i < SAMPLES ? sample[i][1] : 0.5;
        double variance = i < SAMPLES ? sample[i][2] : 3 * f->epsilon;      /* where epsilon decides */
        double gamma = f->gamma >= 0 ? 0.75 - i : 1, beta = f->beta >= 0 ? 0.3 * i - 0.5 : 0;
        double square = f->layer ? variance : variance + mean * mean;
        double expected = (x - (f->layer ? mean : 0)) / sqrt(square + f->epsilon) * gamma + beta;
        if (!near(at(cone, s, f, x, mean, variance, gamma, beta), expected)) return false;
    }
    return true;
}

/* Tries each part for the constants. */
static bool find_formula(const match_cone *cone, const spread *s, formula *f)
{
    static const int part[][2] = {{-1, -1}, {0, -1}, {-1, 0}, {0, 1}, {1, 0}};
    for (int layer = s->centred; layer <= (s->mean != NULL); layer++)
        for (int i = 0; i < 5; i++) {
            *f = (formula){.layer = layer, .gamma = part[i][0], .beta = part[i][1]};
            if (!layer && f->beta >= 0) continue;
            if ((f->gamma >= 0) + (f->beta >= 0) == cone->constants && holds(cone, s, f)) return true;
        }
    return false;
}

/* ---- the value ---- */

typedef struct norm_match {
    ir_value *root;
    match_cone cone;
    formula formula;
} norm_match;

/* v, aligned with x at the right, has the reduced axes and no other. */
static bool is_parameter(const ir_type *v, const spread *s)
{
    const ir_type *x = &s->x->type;
    if (v->rank < x->rank - s->axes.first) return false;
    for (int i = 0; i < v->rank; i++) {
        const int axis = i + x->rank - v->rank;
        if (!dim_equal(v->dim[i], is_within(&s->axes, axis, x->rank) ? x->dim[axis] : dim_of(1))) return false;
    }
    return true;
}

static bool parameters_fit(const spread *s, const match_cone *cone)
{
    for (int i = 0; i < cone->constants; i++)
        if (!is_parameter(&cone->constant[i]->type, s)) return false;
    return true;
}

static bool compose_at(arena *a, const spread *s, ir_value *root, match_cone *cone)
{
    return match_compose(a, root, (ir_value *[]){s->x, s->value, s->mean}, s->mean ? 3 : 2, cone);
}

static bool matches(arena *a, const spread *s, ir_value *root, norm_match *m)
{
    m->root = root;
    return ir_type_equal(&root->type, &s->x->type) && compose_at(a, s, root, &m->cone) && parameters_fit(s, &m->cone) &&
           find_formula(&m->cone, s, &m->formula);
}

/* The nearest value below the spread that is a norm. */
static bool find_root(arena *a, const spread *s, norm_match *m)
{
    ir_value *queue[MATCH_NODES] = {s->value};
    int count = 1;
    for (int k = 0; k < count; k++)
        for (int i = 0; i < queue[k]->uses; i++) {
            ir_node *n = queue[k]->user[i];
            bool seen = n->op != IR_MAP;
            for (int j = 0; j < count; j++) seen |= queue[j] == n->output[0];
            match_cone cone;
            if (seen || !compose_at(a, s, n->output[0], &cone)) continue;
            if (matches(a, s, n->output[0], m)) return true;
            if (count < MATCH_NODES) queue[count++] = n->output[0];
        }
    return false;
}

/* Takes gamma and beta in, as long as each value between has no other reader. */
static void extend(arena *a, const spread *s, norm_match *m)
{
    norm_match next;
    while (m->root->uses == 1 && !ir_is_result(m->root) && m->root->user[0]->op == IR_MAP && matches(a, s, m->root->user[0]->output[0], &next))
        *m = next;
}

/* x with the reduced axes last, or such a one back in order. */
static ir_value *turned(const spread *s, ir_value *x, bool back, ir_node *before, pass_context *c)
{
    const int rank = x->type.rank, behind = s->axes.behind, reduced = rank - behind - s->axes.first;
    int permutation[IR_RANK_MAX];
    for (int i = 0; i < rank; i++) permutation[i] = i;
    for (int i = s->axes.first; i < rank; i++) {
        const int j = i - s->axes.first, from = s->axes.first + (j < behind ? j + reduced : j - behind);
        permutation[back ? from : i] = back ? i : from;
    }
    return behind ? match_transpose(c, x, permutation, before) : x;
}

static ir_value *build(const spread *s, const norm_match *m, pass_context *c)
{
    ir_node *before = m->root->def;
    const ir_type *t = &s->x->type;
    ir_value *part[2] = {NULL, NULL}, *x = turned(s, s->x, false, before, c);
    const int which[2] = {m->formula.gamma, m->formula.beta}, reduced = t->rank - s->axes.behind - s->axes.first;
    for (int i = 0; i < 2; i++)
        if (which[i] >= 0 && !(part[i] = match_reshape(c, m->cone.constant[which[i]], &t->dim[s->axes.first], reduced, before))) return NULL;
    if (!x) return NULL;
    ir_node *norm = ir_begin(before->graph, IR_NORM);
    ir_input(norm, x);
    if (part[0] || part[1]) ir_input(norm, part[0]);
    if (part[1]) ir_input(norm, part[1]);
    ir_set_name(norm, KEY_KIND, m->formula.layer ? "layer" : "rms");
    ir_set_int(norm, KEY_AXIS, t->rank - reduced);
    ir_set_number(norm, KEY_EPSILON, m->formula.epsilon);
    ir_value *v = ir_end(norm, before, c->diag);
    if (!v) return NULL;
    if (m->formula.layer) ir_copy_origins(norm, row_reduction(s->mean));
    ir_copy_origins(norm, s->reduce);
    if (s->reduce->input[0]->def && s->reduce->input[0] != s->x) ir_copy_origins(norm, s->reduce->input[0]->def);
    match_cover(norm, &m->cone);
    return turned(s, v, true, before, c);
}

/* A root of it is taken below: then a mean that is part of no norm is worth a word. */
static bool rooted(const ir_value *v, int depth)
{
    for (int i = 0; i < v->uses && depth > 0; i++) {
        const ir_value *below = v->user[i]->output[0];
        expr_op op;
        match_operand o[3];
        if (!match_map(below, &op, o)) continue;
        if (op == EXPR_SQRT || (op == EXPR_POW && fabs(o[1].number) == 0.5) || rooted(below, depth - 1)) return true;
    }
    return false;
}

static void report_near_miss(ir_node *reduce, pass_context *c)
{
    spread s;
    if (!ir_is_name(reduce, KEY_KIND, "mean") || !rooted(reduce->output[0], 3)) return;
    c->report->found[FUSION_NORM]++;
    bool is_spread = find_spread(c->arena, reduce, &s);
    if (!reduced_axes(reduce, &s.axes, &s.factor)) pass_miss(c, FUSION_NORM, reduce, "its mean is over axes that are no neighbours");
    else if (!is_spread) pass_miss(c, FUSION_NORM, reduce, "the mean is not of the squares of one value, or of its differences from its mean");
    else pass_miss(c, FUSION_NORM, reduce, "nothing that follows is (x - mean) / sqrt(variance + epsilon), or x / sqrt(mean square + epsilon)");
}

static bool fuse(ir_node *reduce, pass_context *c)
{
    spread s;
    norm_match m;
    if (!find_spread(c->arena, reduce, &s) || !find_root(c->arena, &s, &m)) return true;
    extend(c->arena, &s, &m);
    ir_value *v = build(&s, &m, c);
    if (!v) return false;
    match_replace(m.root, v);
    c->report->found[FUSION_NORM]++;
    c->report->fused[FUSION_NORM]++;
    return true;
}

bool pass_fuse_norm(ir_graph *g, pass_context *c)
{
    int count;
    match_list(c->arena, g, IR_NORM, &count);
    c->report->found[FUSION_NORM] += count;
    c->report->fused[FUSION_NORM] += count;
    ir_node **reduce = match_list(c->arena, g, IR_REDUCE, &count);
    for (int i = 0; i < count; i++) {
        bool squares = ir_is_name(reduce[i], KEY_KIND, "mean") || ir_is_name(reduce[i], KEY_KIND, "sum") || ir_is_name(reduce[i], KEY_KIND, "sumsq");
        if (squares && !match_dead(reduce[i]) && !fuse(reduce[i], c)) return false;
    }
    match_sweep_moves(g);
    for (int i = 0; i < count; i++)
        if (!match_dead(reduce[i])) report_near_miss(reduce[i], c);
    return true;
}
