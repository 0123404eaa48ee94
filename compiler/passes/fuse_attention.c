/* Requires: fold_const and simplify went before. softmax over the keys of scores = q kᵀ, a matmul (or a linear without bias) reached through scalar
 * factors, factors that are equal for all keys, additive masks, choices of a very negative number, moves that keep the order or swap queries and
 * keys, and concatenations that put it together again (fuse_attention_parts.c); its result, maybe behind a NaN guard and such moves, is the left
 * side of a matmul with the values, or its transpose the right side of one.
 * Leaves: one attention; head transposes compose into the moves of its operands and result. What nearly matches is reported. Building is in
 * fuse_attention_build.c. */
#include "fuse_attention.h"

#include <math.h>
#include <stdlib.h>

bool attention_refuse(attention_match *m, const char *reason)
{
    if (!m->reason) m->reason = reason;
    return false;
}

void attention_cover(attention_match *m, ir_node *n)
{
    if (m->nodes < MATCH_NODES) m->node[m->nodes++] = n;
}

attention_turn attention_turn_of(const ir_node *n)
{
    const ir_type *from = &n->input[0]->type, *to = &n->output[0]->type;
    if (move_is_reshape(from, ir_move(n))) return TURN_RESHAPE;
    if (from->rank < 2) return TURN_OTHER;
    int swap[IR_RANK_MAX];
    for (int i = 0; i < from->rank; i++) swap[i] = i < from->rank - 2 ? i : 2 * from->rank - 3 - i;
    move turn, regroup, both, own = *ir_move(n);
    ir_type turned, result;
    if (!move_transpose(from, swap, &turn, &turned) || !move_reshape(&turned, to->dim, to->rank, &regroup, &result)) return TURN_OTHER;
    if (!move_compose(from, &turn, &turned, &regroup, &both)) return TURN_OTHER;
    move_normalise(from, &both);
    move_normalise(from, &own);
    return move_equal(&both, &own) ? TURN_SWAP : TURN_OTHER;
}

static bool is_product(const ir_node *n)
{
    if (n->op == IR_LINEAR) return n->inputs == 2 && !ir_find(n, KEY_EPILOGUE);
    return n->op == IR_MATMUL;
}

/* ---- from the softmax down to the product with the values ---- */

static bool read_only_by(const ir_value *v, const ir_node *const *reader, int readers)
{
    if (ir_is_result(v)) return false;
    for (int i = 0; i < v->uses; i++) {
        bool known = false;
        for (int k = 0; k < readers; k++) known |= v->user[i] == reader[k];
        if (!known) return false;
    }
    return true;
}

/* Follows v through moves to a product whose left side it is, or whose right side it is with its axes swapped. */
static bool find_product(attention_match *m, ir_value *v, bool flipped, int depth)
{
    for (int i = 0; i < v->uses; i++) {
        ir_node *n = v->user[i];
        const bool right = n->op == IR_MATMUL && n->input[1] == v && n->input[0] != v;
        if (!is_product(n) || (n->input[0] != v && !right)) continue;
        if (flipped != right) return attention_refuse(m, "the softmax is not over the axis that the product with the values sums over");
        m->product = n;
        m->turned = right;
        m->tapped |= !read_only_by(v, (const ir_node *const[]){n}, 1);
        return true;
    }
    for (int i = 0; i < v->uses && depth > 0; i++) {
        ir_node *n = v->user[i];
        attention_turn turn = n->op == IR_MOVE ? attention_turn_of(n) : TURN_OTHER;
        if (turn == TURN_OTHER || !find_product(m, n->output[0], flipped != (turn == TURN_SWAP), depth - 1)) continue;
        attention_cover(m, n);
        m->tapped |= !read_only_by(v, (const ir_node *const[]){n}, 1);
        return true;
    }
    for (int i = 0; i < v->uses; i++)
        if (v->user[i]->op == IR_MAP) {
            return attention_refuse(m, "the probabilities are gated, blended with others or otherwise changed before they meet values");
        }
    return attention_refuse(m, "the probabilities are no side of a product with values");
}

static bool walk_down(attention_match *m, bool flipped)
{
    match_cone guard;
    ir_value *p = m->softmax->output[0], *guarded = match_nan_guard(m->context->arena, p, &guard);
    m->probabilities = guarded ? guarded : p;
    m->guarded = guarded != NULL;
    for (int i = 0; guarded && i < guard.nodes; i++) attention_cover(m, guard.node[i]);
    if (!find_product(m, m->probabilities, flipped, 4)) return false;
    return !guarded || match_closed(&guard, guarded, &p, 1) || attention_refuse(m, "probabilities are read in front of their NaN guard too");
}

/* ---- from the softmax up to the scores ---- */

static bool walk_up(attention_match *m, ir_value *v, bool flipped);

/* a's axes are b's last ones, all before are 1. */
static bool same_axes(const ir_type *a, const ir_type *b)
{
    return a->rank <= b->rank && a->elem == b->elem && match_trailing(b, a, 0);
}

static bool same_for_all_keys(const ir_type *t, bool flipped)
{
    int axis = t->rank - 1 - flipped;
    return axis < 0 || dim_equal(t->dim[axis], dim_of(1));
}

static attention_mask *add_mask(attention_match *m, ir_value *value, const ir_type *view, bool flipped)
{
    if (m->row_factor) attention_refuse(m, "a mask is added in front of a factor that is no scalar");
    if (m->masks == ATTENTION_MASKS) attention_refuse(m, "more than four masks are added");
    if (m->row_factor || m->masks == ATTENTION_MASKS) return NULL;
    attention_mask *mask = &m->mask[m->masks++];
    *mask = (attention_mask){.value = value, .factor = m->scale, .view = *view, .flipped = flipped};
    return mask;
}

static bool up_product(attention_match *m, const ir_type *view, bool flipped, bool division, const match_operand *o)
{
    for (int k = 0; k < (division ? 1 : 2); k++) {
        const match_operand *factor = &o[1 - k];
        if (!o[k].value || !same_axes(&o[k].value->type, view)) continue;
        double number = factor->number;
        if (factor->scalar || (factor->value && match_splat(factor->value, &number))) {
            m->scale = division ? m->scale / number : m->scale * number;
            return walk_up(m, o[k].value, flipped);
        }
        if (division || m->row_factor || !same_for_all_keys(&factor->value->type, flipped)) continue;
        m->row_factor = factor->value;
        m->row_view = *view;
        m->row_flipped = flipped;
        return walk_up(m, o[k].value, flipped);
    }
    return attention_refuse(m, "the scores are multiplied by what differs from key to key");
}

/* Either side may be the scores: the one with their shape, and the first that leads to a product. */
static bool up_sum(attention_match *m, const ir_type *view, bool flipped, const match_operand *o)
{
    for (int k = 0; k < 2; k++) {
        attention_match saved = *m;
        if (!o[k].value || !same_axes(&o[k].value->type, view)) continue;
        const match_operand *other = &o[1 - k];
        if (!other->scalar && !add_mask(m, other->value, view, flipped)) return false;
        if (walk_up(m, o[k].value, flipped)) return true;
        const char *reason = m->reason;
        *m = saved;
        m->reason = reason;
    }
    return false;
}

static bool up_difference(attention_match *m, const ir_type *view, bool flipped, const match_operand *o)
{
    if (!o[0].value || !same_axes(&o[0].value->type, view)) return attention_refuse(m, "the scores are subtracted from something");
    if (!o[1].scalar && !same_for_all_keys(&o[1].value->type, flipped)) {      /* what is the same for all keys cancels in a softmax */
        attention_mask *mask = add_mask(m, o[1].value, view, flipped);
        if (!mask) return false;
        mask->factor = -mask->factor;
    }
    return walk_up(m, o[0].value, flipped);
}

static bool up_choice(attention_match *m, const ir_type *view, bool flipped, const match_operand *o)
{
    for (int k = 1; k < 3; k++) {
        double low = o[3 - k].number;
        bool known = o[3 - k].scalar || (o[3 - k].value && match_splat(o[3 - k].value, &low));
        if (!known || !o[k].value || !same_axes(&o[k].value->type, view)) continue;
        if (!(low * m->scale <= -1e30)) return attention_refuse(m, "masked scores become a number that is not near the lowest float");
        attention_mask *mask = o[0].value ? add_mask(m, o[0].value, view, flipped) : NULL;
        if (!mask) return attention_refuse(m, "the mask is no value");
        mask->choice = true;
        mask->keeps = k == 1;
        mask->low = low;
        return walk_up(m, o[k].value, flipped);
    }
    return attention_refuse(m, "the scores are chosen from two computed values");
}

static bool up_map(attention_match *m, ir_value *v, bool flipped)
{
    expr_op op;
    match_operand o[3];
    ir_node *n = match_map(v, &op, o);
    if (!n) return attention_refuse(m, "the scores go through an element-wise function");
    bool climbed = false;
    switch (op) {
    case EXPR_MUL: climbed = up_product(m, &v->type, flipped, false, o); break;
    case EXPR_DIV: climbed = up_product(m, &v->type, flipped, true, o); break;
    case EXPR_ADD: climbed = up_sum(m, &v->type, flipped, o); break;
    case EXPR_SUB: climbed = up_difference(m, &v->type, flipped, o); break;
    case EXPR_SELECT: climbed = up_choice(m, &v->type, flipped, o); break;
    case EXPR_TANH: return attention_refuse(m, "the scores are capped by tanh");
    case EXPR_CONVERT: return attention_refuse(m, "the scores change their element type");
    default: break;
    }
    if (climbed) attention_cover(m, n);
    return climbed || attention_refuse(m, "the scores go through an element-wise function");
}

static bool up_parts(attention_match *m, ir_node *n, bool flipped)
{
    ir_value *added, *scores = attention_parts(m, n, &added);
    if (!scores) return attention_refuse(m, "the scores are put together from parts that are not one product's, or several of which have something added");
    if (added && !add_mask(m, added, &n->output[0]->type, flipped)) return false;
    return walk_up(m, scores, flipped);
}

static void note_view(attention_match *m, const ir_type *t)
{
    if (t->rank != 4 || m->has_view) return;
    m->has_view = true;
    m->view_batch = t->dim[0];
    m->view_heads = t->dim[1];
}

static bool walk_up(attention_match *m, ir_value *v, bool flipped)
{
    ir_node *n = v->def;
    if (!n) return attention_refuse(m, "the scores are an input of the model");
    note_view(m, &v->type);
    if (is_product(n)) {
        m->scores = n;
        m->flipped = flipped;
        return true;
    }
    if (n->op == IR_MAP) return up_map(m, v, flipped);
    if (n->op == IR_CONCAT) return up_parts(m, n, flipped);
    if (n->op != IR_MOVE) return attention_refuse(m, "the scores do not come from a product");
    attention_turn turn = attention_turn_of(n);
    if (turn == TURN_OTHER)
        return attention_refuse(m, "the scores are rearranged by a move that is neither a reshape nor a transpose of queries and keys");
    if (!walk_up(m, n->input[0], flipped != (turn == TURN_SWAP))) return false;
    attention_cover(m, n);
    return true;
}

/* ---- the pass ---- */

/* A product of two computed values, or an input of the model, is above v, behind what only moves, joins or maps elements. */
static bool may_be_scores(const ir_value *v, int depth)
{
    const ir_node *n = v->def;
    if (!n || n->op == IR_MATMUL) return true;
    const bool arranged = n->op == IR_MAP || n->op == IR_MOVE || n->op == IR_CONCAT || n->op == IR_GATHER || n->op == IR_PAD;
    for (int i = 0; arranged && depth > 0 && i < n->inputs; i++)
        if (n->input[i] && may_be_scores(n->input[i], depth - 1)) return true;
    return false;
}

static bool fuse(ir_node *softmax, pass_context *c)
{
    attention_match m = {.context = c, .softmax = softmax, .scale = 1};
    int rank = softmax->input[0]->type.rank;
    int64_t axis = ir_int(softmax, KEY_AXIS, 0);
    bool flipped = axis == rank - 2;
    if (axis != rank - 1 && !flipped) attention_refuse(&m, "the softmax is over neither of the last two axes");
    attention_cover(&m, softmax);
    bool up = !m.reason && walk_up(&m, softmax->input[0], flipped);
    if (up) m.reason = NULL;      /* of a side of a sum that led nowhere */
    bool down = !m.reason && walk_down(&m, flipped);
    if (!up && !m.product) {      /* a classifier's softmax is not meant */
        attention_match probe = {.context = c, .softmax = softmax};
        probe.probabilities = softmax->output[0];
        if (!find_product(&probe, softmax->output[0], false, 4) && !find_product(&probe, softmax->output[0], true, 4)) return true;
    }
    if (!up && !may_be_scores(softmax->input[0], 8)) return true;      /* features, weighed by their own size */
    if (up && !down && m.scores->op == IR_LINEAR) return true;
    c->report->found[FUSION_ATTENTION]++;
    if (up && down && attention_build(&m)) {
        c->report->fused[FUSION_ATTENTION]++;
        return true;
    }
    if (diag_errors(c->diag)) return false;
    pass_miss(c, FUSION_ATTENTION, softmax, "%s", m.reason ? m.reason : "its operands cannot be arranged by heads");
    return true;
}

bool pass_fuse_attention(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **attention = match_list(c->arena, g, IR_ATTENTION, &count);
    for (int i = 0; i < count; i++)
        if (!attention_tidy(attention[i], c)) return false;
    c->report->found[FUSION_ATTENTION] += count;
    c->report->fused[FUSION_ATTENTION] += count;
    ir_node **softmax = match_list(c->arena, g, IR_SOFTMAX, &count);
    for (int i = 0; i < count; i++)
        if (!match_dead(softmax[i]) && (!fuse_blend(softmax[i], c) || !fuse(softmax[i], c))) return false;
    for (bool changed = true; changed;) {
        changed = false;
        match_sweep_moves(g);
        if (!simplify_moves(g, c, &changed)) return false;
    }
    return true;
}
