/* Part of fuse_attention: scores that are put together again from their own parts, to one of which something was added (relative positions for all
 * tokens but the class token): the scores, and what is added with zeros around it. */
#include "fuse_attention.h"

enum { TERMS = 4, STEPS = 12 };

/* Something added to a part, where that has type `type`, and the moves from there to the part. */
typedef struct term { ir_value *value; ir_type type; move to_part; } term;

typedef struct parts {
    const ir_value *whole;             /* the concatenation */
    ir_value *scores;
    int terms;
    term term[TERMS];
    const ir_value *part;              /* the one to which they are added */
    int64_t at[IR_RANK_MAX], part_at[IR_RANK_MAX];
    attention_match *match;
} parts;

/* The product that v, or one of its parts, is a part of as it is. NULL: there is none. */
static ir_value *bare_part(ir_value *v, int depth)
{
    const ir_node *n = v->def;
    if (!n || depth == 0) return NULL;
    if (n->op == IR_MATMUL || n->op == IR_LINEAR) return v;
    if (n->op == IR_MOVE) return bare_part(n->input[0], depth - 1);
    ir_value *found = NULL;
    for (int i = 0; n->op == IR_CONCAT && i < n->inputs && !found; i++) found = bare_part(n->input[i], depth - 1);
    return found;
}

/* Climbs from a part to the scores by moves and sums. False: it does not lead there. */
static bool climb(parts *p, ir_value *part, ir_value *x, move *m, int steps)
{
    expr_op op;
    match_operand o[3];
    move both;
    const ir_node *inner = ir_producer(x, IR_MOVE);
    if (x == p->scores || steps == 0) return x == p->scores;
    if (inner) {
        if (!move_compose(&inner->input[0]->type, ir_move(inner), &x->type, m, &both)) return false;
        *m = both;
        return climb(p, part, inner->input[0], m, steps - 1);
    }
    if (!match_map(x, &op, o) || op != EXPR_ADD || !o[0].value || !o[1].value) return false;
    for (int k = 0; k < 2; k++) {
        const parts saved = *p;
        const move here = *m;
        if (!ir_type_equal(&o[k].value->type, &x->type) || p->terms == TERMS || (p->part && p->part != part)) continue;
        p->part = part;
        p->term[p->terms++] = (term){ .value = o[1 - k].value, .type = x->type, .to_part = here };
        if (climb(p, part, o[k].value, m, steps - 1)) {
            attention_cover(p->match, x->def);
            return true;
        }
        *p = saved;
        *m = here;
    }
    return false;
}

/* The elements of the scores, in the shape of the whole, at p->at: the part's own place. */
static bool own_place(const parts *p, const ir_type *part, const move *m)
{
    const ir_type *from = &p->scores->type;
    ir_type seen, to;
    move own, slice, both;
    if (!move_reshape(from, p->whole->type.dim, p->whole->type.rank, &own, &seen)) return false;
    for (int a = 0; a < part->rank; a++, seen = to) {
        to = seen;
        if (dim_equal(seen.dim[a], part->dim[a])) continue;
        if (!move_slice(&seen, a, p->at[a], 1, part->dim[a], &slice, &to) || !move_compose(from, &own, &seen, &slice, &both)) return false;
        own = both;
    }
    move taken = *m;
    move_normalise(from, &own);
    move_normalise(from, &taken);
    return move_equal(&own, &taken);
}

static bool read_part(parts *p, ir_value *v)
{
    move m;
    ir_type same;
    const int terms = p->terms;
    if (v->type.rank != p->whole->type.rank || !move_reshape(&v->type, v->type.dim, v->type.rank, &m, &same)) return false;
    if (!climb(p, v, v, &m, STEPS) || !own_place(p, &v->type, &m)) return false;
    for (int a = 0; a < v->type.rank && p->terms > terms; a++) p->part_at[a] = p->at[a];
    return true;
}

/* All parts of v, which may be concatenations again. */
static bool read_parts(parts *p, ir_value *v)
{
    const ir_node *n = ir_producer(v, IR_CONCAT);
    if (!n) return read_part(p, v);
    const int axis = (int)ir_int(n, KEY_AXIS, 0);
    const int64_t first = p->at[axis];
    for (int i = 0; i < n->inputs; i++) {
        int64_t size;
        if (!dim_is_constant(n->input[i]->type.dim[axis], &size) || !read_parts(p, n->input[i])) return false;
        p->at[axis] += size;
    }
    p->at[axis] = first;
    attention_cover(p->match, v->def);
    return true;
}

/* All terms in the shape of the part. NULL: reported, or they are moved apart from one another. */
static ir_value *sum_of_terms(parts *p, ir_node *before, pass_context *c)
{
    const term *first = &p->term[0];
    ir_value *sum = first->value;
    for (int i = 1; i < p->terms; i++)
        if (!ir_type_equal(&p->term[i].type, &first->type) || !move_equal(&p->term[i].to_part, &first->to_part)) return NULL;
    for (int i = 1; i < p->terms && sum; i++) sum = ir_map2(before->graph, EXPR_ADD, sum, p->term[i].value, before, c->diag);
    sum = match_expand(c, sum, first->type.dim, first->type.rank, before);
    return sum ? match_move(c, sum, &first->to_part, &p->part->type, before) : NULL;
}

/* v, zeros around it, in the shape of the whole. */
static ir_value *with_zeros(const parts *p, ir_value *v, ir_node *before, pass_context *c)
{
    const ir_type *to = &p->whole->type;
    int64_t pads[2 * IR_RANK_MAX] = { 0 }, size, all;
    bool any = false;
    for (int a = 0; a < to->rank; a++) {
        if (dim_equal(v->type.dim[a], to->dim[a])) continue;
        if (!dim_is_constant(v->type.dim[a], &size) || !dim_is_constant(to->dim[a], &all)) return NULL;
        pads[a] = p->part_at[a];
        pads[to->rank + a] = all - size - p->part_at[a];
        any = true;
    }
    if (!any) return v;
    ir_node *n = ir_begin(before->graph, IR_PAD);
    ir_input(n, v);
    ir_set_ints(n, KEY_PADS, pads, 2 * to->rank);
    return ir_end(n, before, c->diag);
}

ir_value *attention_parts(attention_match *m, ir_node *concat, ir_value **added)
{
    const int nodes = m->nodes;
    parts p = { .whole = concat->output[0], .match = m, .scores = bare_part(concat->output[0], STEPS) };
    *added = NULL;
    if (!p.scores || !read_parts(&p, concat->output[0])) {
        m->nodes = nodes;
        return NULL;
    }
    if (p.terms == 0) return p.scores;
    ir_value *sum = sum_of_terms(&p, concat, m->context);
    *added = sum ? with_zeros(&p, sum, concat, m->context) : NULL;
    return *added ? p.scores : NULL;
}
