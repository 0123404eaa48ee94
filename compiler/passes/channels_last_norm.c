/* Part of pass channels_last: group and instance norms.
 * Requires: a layer norm of [N, G, …] along all axes but the first two (or, of one group, the first), without gamma and beta, of what is [N, C, H, W] with
 *   channels last in memory; sizes but N constant, which is no other number than 1.
 * Leaves: the moments of runs of pixels, joined to a mean and a factor of each channel, and (x - mean) * factor with channels last; a factor by channel
 *   that alone reads the norm is in the other. */
#include "../base/checked.h"
#include "channels_last.h"

enum {
    RUNS = 28,         /* about so many of an image, to share out… */
    RUN_PLACES = 200,  /* …of at most so many places, as a panel has rows… */
    LEAST_PLACES = 4   /* …and at least so many: a run's moments take the room of two */
};

typedef struct group_norm {
    ir_type image;          /* [N, C, H, W] */
    int64_t groups, channels, places;
} group_norm;

static ir_value *source_of_reshape(const ir_value *v)
{
    const ir_node *n = ir_producer(v, IR_MOVE);
    return n && move_is_reshape(&n->input[0]->type, ir_move(n)) ? n->input[0] : NULL;
}

/* How many elements side by side in what v is made of are neighbours along one of v's digits. */
static bool read_channels(const ir_value *v, int64_t *channels)
{
    const ir_node *n = ir_producer(v, IR_MOVE);
    if (!n) return false;
    move m = *ir_move(n);
    v = n->input[0];
    channels_compose(&v, &m);
    for (int i = 0; i < m.digits; i++)
        if (m.digit[i].axis == v->type.rank - 1 && m.digit[i].step == 1) return dim_is_constant(m.digit[i].extent, channels) && *channels > 0;
    return false;
}

static bool is_image(const ir_type *t, const ir_type *norm, int64_t channels)
{
    return t->rank == CHANNELS_RANK && dim_equal(t->dim[0], norm->dim[0]) && dim_equal(t->dim[1], dim_of(channels));
}

/* Whatever has four axes of what the norm is a reshape of, or of what is one of it; else [N, C, places, 1]. */
static ir_type image_of(const ir_node *n, const group_norm *g)
{
    const ir_value *in = n->input[0], *out = n->output[0];
    for (const ir_value *v = in; v; v = source_of_reshape(v))
        if (is_image(&v->type, &out->type, g->channels)) return v->type;
    for (int i = 0; i < out->uses; i++) {
        const ir_value *v = out->user[i]->output[0];
        if (source_of_reshape(v) && is_image(&v->type, &out->type, g->channels)) return v->type;
    }
    return (ir_type){.elem = ELEM_F32, .rank = CHANNELS_RANK, .dim = {out->type.dim[0], dim_of(g->channels), dim_of(g->places), dim_of(1)}};
}

static bool read_norm(const ir_node *n, group_norm *g)
{
    const ir_type *t = &n->output[0]->type;
    const int64_t axis = ir_int(n, KEY_AXIS, -1);
    int64_t elements = 1, size;
    if (dim_is_constant(t->dim[0], &size) && size != 1) return false;   /* a map by images' means has no rows to share out */
    if (!ir_is_name(n, KEY_KIND, "layer") || t->elem != ELEM_F32 || axis < 1 || axis > 2 || ir_is_constant(n->output[0])) return false;
    for (int i = 1; i < n->inputs; i++)
        if (n->input[i]) return false;
    for (int i = 1; i < t->rank; i++)
        if (!dim_is_constant(t->dim[i], &size) || !checked_mul(elements, size, &elements)) return false;
    g->groups = 1;
    if (axis == 2) (void)dim_is_constant(t->dim[1], &g->groups);
    if (!read_channels(n->input[0], &g->channels) || elements < 1 || elements % g->channels || g->channels % g->groups) return false;
    g->places = elements / g->channels;
    g->image = image_of(n, g);
    return true;
}

/* Into how many equal runs so many places are cut. */
static int64_t runs_of(int64_t places)
{
    int64_t run = places / RUNS;
    if (run < 2 * LEAST_PLACES) run = 2 * LEAST_PLACES;
    if (run > RUN_PLACES) run = RUN_PLACES;
    if (run > places) run = places;
    while (places % run) run--;
    return run < LEAST_PLACES ? 1 : places / run;
}

/* Is v a constant of one number for each channel of [N, C, H, W]? */
static bool is_by_channel(const ir_value *v, int64_t channels)
{
    int64_t size;
    const int lead = v->type.rank - (CHANNELS_RANK - 1);
    if (!ir_is_constant(v) || lead < 0 || lead > 1 || v->type.elem != ELEM_F32) return false;
    for (int i = 0; i < v->type.rank; i++)
        if (!dim_is_constant(v->type.dim[i], &size) || size != (i == lead ? channels : 1)) return false;
    return true;
}

/* The map that alone reads the norm's result, reshaped to [N, C, H, W], and multiplies it by a constant for each channel, *gamma. NULL: there is none. */
static ir_node *find_factor(const ir_node *n, const group_norm *g, ir_value **gamma)
{
    const ir_value *v = n->output[0];
    expr_op op;
    match_operand operand[3];
    while (v->uses == 1 && !ir_is_result(v) && v->user[0]->op == IR_MOVE && source_of_reshape(v->user[0]->output[0])) v = v->user[0]->output[0];
    if (v->uses != 1 || ir_is_result(v) || !is_image(&v->type, &n->output[0]->type, g->channels)) return NULL;
    ir_node *map = match_map(v->user[0]->output[0], &op, operand);
    if (!map || op != EXPR_MUL) return NULL;
    for (int i = 0; i < 2; i++)
        if (operand[i].value == v && operand[1 - i].value && is_by_channel(operand[1 - i].value, g->channels)) {
            *gamma = operand[1 - i].value;
            return map;
        }
    return NULL;
}

/* [N, 1, 1, C]: row `which` of joined moments. */
static ir_value *row_of(ir_value *joined, int which, ir_node *before, pass_context *c)
{
    move m;
    ir_type to;
    return move_slice(&joined->type, 1, which, 1, dim_of(1), &m, &to) ? match_move(c, joined, &m, &to, before) : NULL;
}

/* (x - mean) * factor. */
static ir_value *normalised(ir_value *x, ir_value *mean, ir_value *factor, const ir_node *norm, ir_node *n, pass_context *c)
{
    expr_builder b = expr_begin(n->graph->arena);
    const int centred = expr_apply(&b, EXPR_SUB, expr_input(&b, 0, ELEM_F32), expr_input(&b, 1, ELEM_F32), -1);
    ir_node *map = ir_begin(n->graph, IR_MAP);
    ir_input(map, x);
    ir_input(map, mean);
    ir_input(map, factor);
    ir_set_expr(map, KEY_EXPR, expr_end(&b, expr_apply(&b, EXPR_MUL, centred, expr_input(&b, 2, ELEM_F32), -1)));
    ir_value *v = ir_end(map, n, c->diag);
    if (v) ir_copy_origins(map, norm);
    return v;
}

static ir_value *moments_of(ir_value *x, const group_norm *g, ir_value *gamma, const ir_node *norm, ir_node *n, pass_context *c)
{
    const dim channels = dim_of(g->channels);
    ir_node *moments = ir_begin(n->graph, IR_MOMENTS);
    ir_input(moments, x);
    ir_set_int(moments, KEY_COUNT, runs_of(g->places));
    ir_value *v = ir_end(moments, n, c->diag);
    if (!v || (gamma && !(gamma = match_reshape(c, gamma, &channels, 1, n)))) return NULL;
    ir_node *joined = ir_begin(n->graph, IR_JOIN_MOMENTS);
    ir_input(joined, v);
    if (gamma) ir_input(joined, gamma);
    ir_set_number(joined, KEY_EPSILON, ir_number(norm, KEY_EPSILON, 0));
    ir_set_int(joined, KEY_GROUP, g->groups);
    ir_copy_origins(moments, norm);
    ir_copy_origins(joined, norm);
    return ir_end(joined, n, c->diag);
}

/* The norm whose result n multiplies. */
static ir_node *norm_before(const ir_node *n)
{
    for (int i = 0; i < n->inputs && i < 2; i++) {
        const ir_value *v = n->input[i];
        for (const ir_value *up; (up = source_of_reshape(v)) != NULL;) v = up;
        if (ir_producer(v, IR_NORM)) return v->def;
    }
    return NULL;
}

bool channels_turn_norm(ir_node *n, pass_context *c, bool *changed)
{
    group_norm g;
    ir_value *gamma = NULL;
    const ir_node *norm = n->op == IR_NORM ? n : norm_before(n);
    if (!norm || !read_norm(norm, &g) || find_factor(norm, &g, &gamma) != (n == norm ? NULL : n)) return true;
    ir_value *image = match_reshape(c, norm->input[0], (n == norm ? &g.image : &n->output[0]->type)->dim, CHANNELS_RANK, n);
    if (image && !channels_is_turned(image)) return true;
    ir_value *x = image ? match_transpose(c, image, channels_to_last, n) : NULL, *joined = x ? moments_of(x, &g, gamma, norm, n, c) : NULL;
    ir_value *mean = joined ? row_of(joined, 0, n, c) : NULL, *scale = mean ? row_of(joined, 1, n, c) : NULL;
    ir_value *v = scale ? normalised(x, mean, scale, norm, n, c) : NULL;
    if (v && n != norm) ir_copy_origins(v->def, n);
    v = v ? match_transpose(c, v, channels_to_first, n) : NULL;
    v = v ? match_reshape(c, v, n->output[0]->type.dim, n->output[0]->type.rank, n) : NULL;
    if (!v) return false;
    c->report->found[FUSION_NORM]++;
    c->report->fused[FUSION_NORM]++;
    match_replace(n->output[0], v);
    return *changed = true;
}
