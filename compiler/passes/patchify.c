/* Part of simplify: a convolution whose windows tile the image, read only through moves, is a linear over gathered patches. */
#include "match.h"

/* The shapes of such a convolution: x [N, C, s…], w [M, C, k…], result [N, M, t…]. */
typedef struct patches {
    int spatial;
    int64_t kernel[IR_RANK_MAX];
    dim tokens, columns;           /* the product of t…; C times the product of k… */
} patches;

static bool all_equal(const ir_node *n, ir_key key, int64_t value)
{
    const ir_attribute *a = ir_find(n, key);
    for (int i = 0; a && i < a->list.count; i++)
        if (a->list.item[i] != value) return false;
    return true;
}

static bool read_by_moves_only(const ir_value *v)
{
    for (int i = 0; i < v->uses; i++)
        if (v->user[i]->op != IR_MOVE) return false;
    return v->uses > 0 && !ir_is_result(v);
}

static bool tiles(const ir_node *conv, patches *p)
{
    const ir_type *w = &conv->input[1]->type, *out = &conv->output[0]->type;
    const ir_attribute *strides = ir_find(conv, KEY_STRIDES);
    *p = (patches){.spatial = w->rank - 2, .tokens = dim_of(1), .columns = w->dim[1]};
    if (p->spatial < 1 || 2 + 2 * p->spatial > IR_RANK_MAX || !strides || strides->list.count != p->spatial) return false;
    if (ir_int(conv, KEY_GROUP, 1) != 1 || !all_equal(conv, KEY_DILATIONS, 1) || !all_equal(conv, KEY_PADS, 0)) return false;
    for (int i = 0; i < p->spatial; i++) {
        if (!dim_is_constant(w->dim[2 + i], &p->kernel[i]) || p->kernel[i] != strides->list.item[i]) return false;
        if (!dim_mul(p->tokens, out->dim[2 + i], &p->tokens) || !dim_mul(p->columns, w->dim[2 + i], &p->columns)) return false;
    }
    return true;
}

/* x [N, C, s…] as [N, tokens, C k…]; what the last window does not reach is sliced off first. */
static ir_value *gather_patches(const ir_node *conv, const patches *p, ir_node *before, pass_context *c)
{
    ir_value *x = conv->input[0];
    const ir_type *out = &conv->output[0]->type;
    dim shape[IR_RANK_MAX] = {x->type.dim[0], x->type.dim[1]};
    int order[IR_RANK_MAX] = {0}, rank = 2 + 2 * p->spatial;
    order[1 + p->spatial] = 1;
    for (int i = 0; i < p->spatial; i++) {
        dim covered;
        if (!dim_mul(out->dim[2 + i], dim_of(p->kernel[i]), &covered)) return NULL;
        if (!dim_equal(covered, x->type.dim[2 + i])) {
            move m;
            ir_type to;
            if (!move_slice(&x->type, 2 + i, 0, 1, covered, &m, &to)) return NULL;
            x = match_move(c, x, &m, &to, before);
            if (!x) return NULL;
        }
        shape[2 + 2 * i] = out->dim[2 + i];
        shape[3 + 2 * i] = dim_of(p->kernel[i]);
        order[1 + i] = 2 + 2 * i;
        order[2 + p->spatial + i] = 3 + 2 * i;
    }
    x = match_reshape(c, x, shape, rank, before);
    x = match_transpose(c, x, order, before);
    return match_reshape(c, x, (dim[]){out->dim[0], p->tokens, p->columns}, 3, before);
}

/* [N, tokens, M] as the convolution's result, [N, M, t…]. */
static ir_value *to_image(ir_value *rows, const ir_type *out, ir_node *before, pass_context *c)
{
    ir_value *v = match_transpose(c, rows, (int[]){0, 2, 1}, before);
    return match_reshape(c, v, out->dim, out->rank, before);
}

static ir_value *as_linear(ir_node *conv, const patches *p, pass_context *c)
{
    ir_value *w = conv->input[1], *x = gather_patches(conv, p, conv, c);
    w = match_reshape(c, w, (dim[]){w->type.dim[0], p->columns}, 2, conv);
    w = match_transpose(c, w, (int[]){1, 0}, conv);
    if (!x || !w) return NULL;
    ir_node *linear = ir_begin(conv->graph, IR_LINEAR);
    ir_input(linear, x);
    ir_input(linear, w);
    if (conv->inputs > 2) ir_input(linear, conv->input[2]);
    ir_value *v = ir_end(linear, conv, c->diag);
    if (!v) return NULL;
    ir_copy_origins(linear, conv);
    return to_image(v, &conv->output[0]->type, conv, c);
}

bool patchify(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        patches p;
        if (n->op != IR_CONV || !read_by_moves_only(n->output[0]) || !tiles(n, &p)) continue;
        ir_value *v = as_linear(n, &p, c);
        if (!v) {
            if (diag_errors(c->diag)) return false;
            continue;
        }
        match_replace(n->output[0], v);
        *changed = true;
    }
    return true;
}
