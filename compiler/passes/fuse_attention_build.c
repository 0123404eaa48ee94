/* Part of fuse_attention: the node, its operands arranged by tokens and heads, its mask, and what reads its results. */
#include "fuse_attention.h"

#include <math.h>
#include <stdlib.h>

/* All four extents of the scores, and where new nodes go. */
typedef struct layout {
    attention_match *m;
    pass_context *c;
    ir_node *before;
    dim batch, heads, queries, keys;
} layout;

/* ---- batch and heads ---- */

/* Scores [batch * heads, .., ..]: the heads are the part of the operand's first axis that steps along the axis where a later digit steps less, or the
 * upper part of a digit that the two make together. */
static bool heads_of_move(const ir_value *operand, dim *heads)
{
    const ir_node *n = ir_producer(operand, IR_MOVE);
    if (!n || operand->type.rank != 3) return false;
    const move *m = ir_move(n);
    dim left = operand->type.dim[0], rest;
    const move_digit *head = NULL;
    int next = 0;
    for (; next < m->digits && !dim_equal(left, dim_of(1)); next++) {
        head = &m->digit[next];
        if (dim_div_exact(left, head->extent, &rest)) {
            left = rest;
        } else {
            *heads = left;
            return head->axis >= 0 && dim_div_exact(head->extent, left, &rest);
        }
    }
    for (int i = next; head && i < m->digits && head->axis >= 0; i++)
        if (m->digit[i].axis == head->axis && m->digit[i].step < head->step) {
            *heads = head->extent;
            return true;
        }
    return false;
}

static bool find_layout(layout *l)
{
    attention_match *m = l->m;
    const ir_type *s = &m->scores->output[0]->type, *out = &m->product->output[0]->type;
    int rank = s->rank;
    dim all;
    l->queries = s->dim[rank - 2 + m->flipped];
    l->keys = s->dim[rank - 1 - m->flipped];
    if (!dim_product(s->dim, rank - 2, &all)) return false;
    l->heads = dim_of(1);
    if (rank >= 4) l->heads = s->dim[rank - 3];
    else if (m->has_view) l->heads = m->view_heads;
    else if (out->rank >= 4) l->heads = out->dim[out->rank - 3];
    else if (!heads_of_move(m->scores->input[0], &l->heads)) heads_of_move(m->scores->input[1], &l->heads);
    if (!dim_is_constant(l->heads, NULL)) l->heads = dim_of(1);   /* the run's images, heads outside them: each is an attention of its own */
    return dim_div_exact(all, l->heads, &l->batch);
}

/* The softmax and the product see the rows and columns that the scores have. */
static bool views_agree(const layout *l)
{
    const attention_match *m = l->m;
    const ir_type *s = &m->softmax->input[0]->type, *p = &m->product->input[m->turned]->type, *v = &m->product->input[!m->turned]->type;
    if (!dim_equal(s->dim[ir_int(m->softmax, KEY_AXIS, 0)], l->keys) || v->rank < 2 || p->rank < 2) return false;
    return dim_equal(p->dim[p->rank - 2 + m->turned], l->queries) && dim_equal(p->dim[p->rank - 1 - m->turned], l->keys);
}

/* ---- operands ---- */

/* v without the scalar factors above it, which the scale takes. */
static ir_value *peel(layout *l, ir_value *v)
{
    ir_node *move = ir_producer(v, IR_MOVE);
    if (move) {
        ir_value *x = peel(l, move->input[0]);
        if (x && x != move->input[0]) attention_cover(l->m, move);
        return x == move->input[0] ? v : match_move(l->c, x, ir_move(move), &v->type, l->before);
    }
    expr_op op;
    match_operand o[3];
    ir_node *n = match_map(v, &op, o);
    if (!n || (op != EXPR_MUL && op != EXPR_DIV)) return v;
    int k = op == EXPR_MUL && o[0].scalar;
    if (!o[1 - k].scalar || !o[k].value || !ir_type_equal(&o[k].value->type, &v->type)) return v;
    l->m->scale = op == EXPR_MUL ? l->m->scale * o[1 - k].number : l->m->scale / o[1 - k].number;
    attention_cover(l->m, n);
    return peel(l, o[k].value);
}

/* An operand [.., t, d] (or [.., d, t]: turned) of a product with this result as [batch, t, heads, d]. */
static ir_value *by_tokens(layout *l, ir_value *v, const ir_type *result, bool turned)
{
    dim shape[IR_RANK_MAX];
    int rank = result->rank;
    if (!v || v->type.rank < 2) return NULL;
    for (int i = 0; i < rank; i++) shape[i] = i < rank - 2 ? result->dim[i] : v->type.dim[v->type.rank - rank + i];
    v = match_expand(l->c, v, shape, rank, l->before);
    if (!v) return NULL;
    v = match_reshape(l->c, v, (dim[]){l->batch, l->heads, shape[rank - 2], shape[rank - 1]}, 4, l->before);
    return match_transpose(l->c, v, turned ? (int[]){0, 3, 1, 2} : (int[]){0, 2, 1, 3}, l->before);
}

/* The digit of v [batch, t, heads, d] that repeats each head for several queries' heads, innermost of the third axis; -1: none. */
static int repeat_of_heads(const ir_value *v)
{
    const ir_node *n = ir_producer(v, IR_MOVE);
    dim product = dim_of(1);
    int i = n ? ir_move(n)->digits : 0;
    while (i > 0 && !dim_equal(product, v->type.dim[3]))
        if (!dim_mul(product, ir_move(n)->digit[--i].extent, &product)) return -1;
    return i > 0 && ir_move(n)->digit[i - 1].axis < 0 && dim_equal(product, v->type.dim[3]) ? i - 1 : -1;
}

static ir_value *without_repeat(layout *l, ir_value *v, int digit, dim groups)
{
    const ir_node *n = v->def;
    move m = *ir_move(n);
    ir_type to = v->type;
    for (int i = digit; i + 1 < m.digits; i++) m.digit[i] = m.digit[i + 1];
    m.digits--;
    to.dim[2] = groups;
    return match_move(l->c, n->input[0], &m, &to, l->before);
}

/* Keys and values repeated for groups of heads: attention does that itself. */
static bool drop_repeats(layout *l, ir_value **keys, ir_value **values)
{
    const int k = repeat_of_heads(*keys), v = repeat_of_heads(*values);
    dim groups;
    if (k < 0 || v < 0) return true;
    const dim repeat = ir_move((*keys)->def)->digit[k].extent;
    if (!dim_equal(repeat, ir_move((*values)->def)->digit[v].extent) || !dim_div_exact(l->heads, repeat, &groups)) return true;
    *keys = without_repeat(l, *keys, k, groups);
    *values = without_repeat(l, *values, v, groups);
    return *keys && *values;
}

/* ---- what was seen in other views of the scores ---- */

/* One run of axes of a view and the run of [batch, heads, rows, columns] of the same extent. */
typedef struct group { int first, end, to_first, to_end; } group;

static int align(const dim_symbols *symbols, const ir_type *view, const dim to[4], group part[IR_RANK_MAX + 4])
{
    int i = 0, k = 0, groups = 0;
    while (i < view->rank || k < 4) {
        group *p = &part[groups++];
        *p = (group){.first = i, .to_first = k};
        dim a = i < view->rank ? view->dim[i++] : dim_of(1), b = k < 4 ? to[k++] : dim_of(1);
        for (int order; (order = dim_equal(a, b) ? 0 : dim_compare(symbols, a, b)) != 0;) {
            if (order == -1 ? i == view->rank || !dim_mul(a, view->dim[i++], &a) : order != 1 || k == 4 || !dim_mul(b, to[k++], &b)) return -1;
        }
        p->end = i;
        p->to_end = k;
    }
    return groups;
}

/* v, which broadcasts to a view of the scores, as [batch, heads, queries, keys], each of them or 1. */
static ir_value *from_view(layout *l, ir_value *v, const ir_type *view, bool flipped)
{
    const dim to[4] = {l->batch, l->heads, flipped ? l->keys : l->queries, flipped ? l->queries : l->keys};
    group part[IR_RANK_MAX + 4];
    dim wide[IR_RANK_MAX], result[4];
    int lead = view->rank - v->type.rank, groups = lead < 0 ? -1 : align(l->before->graph->symbols, view, to, part);
    for (int i = 0; i < view->rank && groups >= 0; i++) wide[i] = i < lead ? dim_of(1) : v->type.dim[i - lead];
    for (int p = 0; p < groups; p++) {
        const group *at = &part[p];
        bool narrow = true;
        for (int i = at->first; i < at->end; i++) narrow &= dim_equal(wide[i], dim_of(1));
        for (int i = at->first; i < at->end && !narrow; i++) wide[i] = view->dim[i];
        for (int k = at->to_first; k < at->to_end; k++) result[k] = narrow ? dim_of(1) : to[k];
    }
    if (groups < 0) return NULL;
    v = match_expand(l->c, v, wide, view->rank, l->before);
    v = match_reshape(l->c, v, result, 4, l->before);
    return flipped ? match_transpose(l->c, v, (int[]){0, 1, 3, 2}, l->before) : v;
}

/* ---- masks ---- */

/* A bool as what is added: 0 where it keeps, `low` elsewhere. */
static ir_value *as_added(layout *l, ir_value *v, bool keeps, double low, elem type)
{
    ir_node *n = ir_begin(l->before->graph, IR_MAP);
    expr_builder b = expr_begin(l->before->graph->arena);
    int zero = expr_constant(&b, type, 0, 0), other = expr_constant(&b, type, low, 0), in = expr_input(&b, 0, ELEM_BOOL);
    ir_input(n, v);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_apply(&b, EXPR_SELECT, in, keeps ? zero : other, keeps ? other : zero)));
    return ir_end(n, l->before, l->c->diag);
}

static ir_value *times(layout *l, ir_value *v, double factor)
{
    ir_value *number = ir_constant_f32(l->before->graph, (float)factor, l->before);
    if (v->type.elem != ELEM_F32) number = NULL;
    return number ? ir_map2(l->before->graph, EXPR_MUL, v, number, l->before, l->c->diag) : NULL;
}

/* One mask in the attention's axes, as what is added, or as a bool that keeps if it is the only one. */
static ir_value *one_mask(layout *l, const attention_mask *mask, elem type)
{
    ir_value *v = from_view(l, mask->value, &mask->view, mask->flipped);
    if (!v) return NULL;
    if (!mask->choice) return mask->factor == 1 ? v : times(l, v, mask->factor);
    if (l->m->masks > 1 || !isinf(mask->low)) return as_added(l, v, mask->keeps, mask->low * (isinf(mask->low) ? 1 : mask->factor), type);
    return mask->keeps ? v : ir_map1(l->before->graph, EXPR_NOT, v, l->before, l->c->diag);
}

static bool all_masks(layout *l, elem type, ir_value **sum)
{
    *sum = NULL;
    for (int i = l->m->masks - 1; i >= 0; i--) {
        ir_value *v = one_mask(l, &l->m->mask[i], type);
        if (v && *sum) v = ir_map2(l->before->graph, EXPR_ADD, *sum, v, l->before, l->c->diag);
        if (!(*sum = v)) return attention_refuse(l->m, "a mask's axes are not batch, heads, queries and keys");
    }
    return true;
}

/* A constant [1, 1, queries, keys] that keeps what is not in the future, and nothing else. */
static bool is_causal(const ir_value *mask)
{
    int64_t shape[IR_RANK_MAX], count;
    int rank = mask->type.rank;
    if (!ir_is_constant(mask) || !ir_dims_constant(&mask->type, shape, NULL) || rank < 2) return false;
    for (int i = 0; i < rank - 2; i++)
        if (shape[i] != 1) return false;
    int64_t queries = shape[rank - 2], keys = shape[rank - 1];
    if (keys < queries || keys < 2) return false;
    double *number = match_numbers(mask, 1 << 26, &count);
    bool causal = number != NULL, choice = mask->type.elem == ELEM_BOOL;
    for (int64_t i = 0; causal && i < count; i++) {
        bool seen = i % keys <= i / keys + keys - queries;
        causal = choice ? (number[i] != 0) == seen : seen ? number[i] == 0 : number[i] <= -1e30;
    }
    free(number);
    return causal;
}

/* ---- the node ---- */

/* Where the attention goes: before the product, or before the first reader of the probabilities if others read them. NULL: the values come later. */
static ir_node *place_of(const attention_match *m)
{
    if (!m->tapped) return m->product;
    match_number_nodes(m->product->graph);
    const ir_value *p = m->probabilities, *values = m->product->input[!m->turned];
    ir_node *first = m->product;
    for (int i = 0; i < p->uses; i++)
        if (match_before(p->user[i], first)) first = p->user[i];
    return !values->def || match_before(values->def, first) ? first : NULL;
}

static ir_node *make_node(layout *l, ir_value *const operand[4])
{
    const attention_match *m = l->m;
    ir_node *n = ir_begin(l->before->graph, IR_ATTENTION);
    bool causal = operand[3] && is_causal(operand[3]);
    for (int i = 0; i < 3; i++) ir_input(n, operand[i]);
    if (operand[3] && !causal) ir_input(n, operand[3]);
    ir_set_number(n, KEY_SCALE, m->scale);
    if (causal) ir_set_int(n, KEY_CAUSAL, 1);
    if (m->guarded) ir_set_name(n, KEY_EMPTY, "zero");
    if (m->tapped) n->outputs = 2;
    ir_copy_origins(n, m->scores);
    for (int i = 0; i < m->nodes; i++) ir_copy_origins(n, m->node[i]);
    ir_copy_origins(n, m->product);
    return ir_end(n, l->before, l->c->diag) ? n : NULL;
}

/* [batch, heads, queries, keys] as the probabilities were. */
static ir_value *probabilities_as_before(layout *l, ir_value *p, bool flipped)
{
    if (flipped) p = match_transpose(l->c, p, (int[]){0, 1, 3, 2}, l->before);
    const ir_type *t = &l->m->probabilities->type;
    return match_reshape(l->c, p, t->dim, t->rank, l->before);
}

static bool replace_results(layout *l, ir_node *n)
{
    attention_match *m = l->m;
    ir_value *old = m->product->output[0];
    ir_value *out = match_transpose(l->c, n->output[0], m->turned ? (int[]){0, 2, 3, 1} : (int[]){0, 2, 1, 3}, l->before);
    out = match_reshape(l->c, out, old->type.dim, old->type.rank, l->before);
    bool flipped = ir_int(m->softmax, KEY_AXIS, 0) != m->softmax->input[0]->type.rank - 1;
    ir_value *p = out && m->tapped ? probabilities_as_before(l, n->output[1], flipped) : NULL;
    if (!out || (m->tapped && !p)) return false;
    match_replace(old, out);
    if (p) match_replace(m->probabilities, p);
    return true;
}

/* Its mask hides nothing, or only the future. */
bool attention_tidy(ir_node *old, pass_context *c)
{
    const ir_value *mask = old->inputs > 3 ? old->input[3] : NULL;
    double splat;
    if (!mask) return true;
    bool nothing = match_splat(mask, &splat) && splat == (mask->type.elem == ELEM_BOOL);
    if (!nothing && !is_causal(mask)) return true;
    ir_node *n = ir_begin(old->graph, IR_ATTENTION);
    for (int i = 0; i < 3; i++) ir_input(n, old->input[i]);
    ir_set_number(n, KEY_SCALE, ir_number(old, KEY_SCALE, 1));
    if (!nothing || ir_int(old, KEY_CAUSAL, 0)) ir_set_int(n, KEY_CAUSAL, 1);
    if (ir_find(old, KEY_EMPTY)) ir_set_name(n, KEY_EMPTY, ir_name(old, KEY_EMPTY, ""));
    if (ir_find(old, KEY_ELEM)) ir_set_name(n, KEY_ELEM, ir_name(old, KEY_ELEM, ""));
    n->outputs = old->outputs;
    if (!ir_end(n, old, c->diag)) return false;
    ir_copy_origins(n, old);
    for (int i = 0; i < n->outputs; i++) match_replace(old->output[i], n->output[i]);
    return true;
}

bool attention_build(attention_match *m)
{
    layout l = {.m = m, .c = m->context, .before = place_of(m)};
    const ir_type *s = &m->scores->output[0]->type, *out = &m->product->output[0]->type;
    if (!find_layout(&l)) return attention_refuse(m, "batch and heads cannot be told apart");
    if (!views_agree(&l)) return attention_refuse(m, "queries or keys are regrouped between the two products");
    if (!l.before) return attention_refuse(m, "the probabilities are read before the values are known");
    elem type = s->elem;
    ir_value *mask, *left = peel(&l, m->scores->input[0]), *right = peel(&l, m->scores->input[1]);
    ir_value *operand[4] = {by_tokens(&l, m->flipped ? right : left, s, m->flipped), by_tokens(&l, m->flipped ? left : right, s, !m->flipped),
                            by_tokens(&l, m->product->input[!m->turned], out, m->turned), NULL};
    if (!operand[0] || !operand[1] || !operand[2] || !drop_repeats(&l, &operand[1], &operand[2]))
        return attention_refuse(m, "queries, keys or values cannot be arranged as tokens by heads");
    if (m->row_factor) {
        ir_value *factor = from_view(&l, m->row_factor, &m->row_view, m->row_flipped);
        factor = match_transpose(l.c, factor, (int[]){0, 2, 1, 3}, l.before);
        operand[0] = factor ? ir_map2(l.before->graph, EXPR_MUL, operand[0], factor, l.before, l.c->diag) : NULL;
        if (!operand[0]) return attention_refuse(m, "a factor's axes are not batch, heads and queries");
    }
    if (!all_masks(&l, type, &mask)) return false;
    operand[3] = mask;
    ir_node *n = make_node(&l, operand);
    return n && replace_results(&l, n);
}
