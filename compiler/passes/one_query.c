/* An attention of one query, a decoder's step with its cache: each group of heads becomes an image of its own, since queries and results lie the same
 * either way, and keys and values that lie by heads, as caches do, are read where they are.
 * Requires: one query; keys and values are transpositions of [B, G, T, d].
 * Leaves: attentions of B G images, each with one group; the masks that repeat along heads but not along images are spread over both. */
#include "match.h"
#include "rebuild.h"

static const int heads_first[] = { 0, 2, 1, 3 };

/* Does x [B, T, G, d] lie by heads? */
static bool lies_by_heads(const ir_value *x)
{
    const ir_node *n = ir_producer(x, IR_MOVE);
    move turn, both;
    ir_type to;
    return n && move_transpose(&x->type, heads_first, &turn, &to) && move_compose(&n->input[0]->type, ir_move(n), &x->type, &turn, &both) &&
           move_is_reshape(&n->input[0]->type, &both);
}

/* x [B, T, G, d] as [B G, T, 1, d]. */
static ir_value *by_heads(pass_context *c, ir_value *x, dim images, ir_node *n)
{
    const dim apart[4] = { images, x->type.dim[1], dim_of(1), x->type.dim[3] };
    return match_reshape(c, match_transpose(c, x, heads_first, n), apart, 4, n);
}

/* A mask that broadcasts to [B, H, 1, T] as one that does to [B G, H / G, 1, T]. */
static ir_value *mask_of(pass_context *c, ir_node *n, dim images, dim each)
{
    ir_value *mask = n->input[3];
    const dim one = dim_of(1), batch = n->input[0]->type.dim[0], groups = n->input[2]->type.dim[2];
    dim size[4] = { one, one, one, one };
    for (int i = 0; i < mask->type.rank; i++) size[4 - mask->type.rank + i] = mask->type.dim[i];
    if (dim_is_one(size[0]) && dim_is_one(size[1])) return mask;
    const bool by_head = !dim_is_one(size[1]);
    if (!by_head) each = one;
    const dim split[5] = { size[0], by_head ? groups : one, each, size[2], size[3] }, spread[5] = { batch, groups, each, size[2], size[3] };
    const dim whole[4] = { images, each, size[2], size[3] };
    return match_reshape(c, match_expand(c, match_reshape(c, mask, split, 5, n), spread, 5, n), whole, 4, n);
}

static bool separate(ir_node *n, pass_context *c)
{
    const ir_type *q = &n->input[0]->type, *v = &n->input[2]->type;
    dim images, each;
    const bool masked = n->inputs > 3 && n->input[3], grid = n->inputs > 4;
    if (!dim_is_one(q->dim[1]) || ir_int(n, KEY_TRANSPOSED, 0) || grid) return true;
    if (!dim_mul(q->dim[0], v->dim[2], &images) || !dim_div_exact(q->dim[2], v->dim[2], &each) || dim_is_one(v->dim[2])) return true;
    if (!lies_by_heads(n->input[1]) || !lies_by_heads(n->input[2])) return true;
    const dim one_query[4] = { images, dim_of(1), each, q->dim[3] };
    ir_value *operand[4] = { NULL, by_heads(c, n->input[1], images, n), by_heads(c, n->input[2], images, n), NULL };
    operand[0] = match_reshape(c, n->input[0], one_query, 4, n);
    if (masked) operand[3] = mask_of(c, n, images, each);
    if (!operand[0] || !operand[1] || !operand[2] || (masked && !operand[3])) return !diag_errors(c->diag);
    ir_node *apart = rebuild_begin(n->graph, n);
    for (int i = 0; i < 3 + masked; i++) ir_input(apart, operand[i]);
    if (!ir_end(apart, n, c->diag)) return false;
    ir_value *out[2] = { NULL };
    for (int i = 0; i < n->outputs; i++)
        if (!(out[i] = match_reshape(c, apart->output[i], n->output[i]->type.dim, 4, n))) return false;
    for (int i = 0; i < n->outputs; i++) match_replace(n->output[i], out[i]);
    return true;
}

bool pass_one_query(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **attention = match_list(c->arena, g, IR_ATTENTION, &count);
    for (int i = 0; i < count; i++)
        if (!separate(attention[i], c)) return false;
    match_sweep_moves(g);
    return true;
}
