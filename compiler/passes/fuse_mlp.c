/* Requires: fuse_gelu went before. A linear without epilogue whose input is computed element-wise from one linear without epilogue (or from the two
 * halves of one, or from two linears of one x with results of one type: gated) and numbers alone; nothing in between is read elsewhere or is a
 * result.
 * Leaves: it as one mlp, what scaled and shifted the columns of the linear before the activation in its weights (absorb_affine), and element-wise
 * nodes behind linears and mlps as their epilogues (fuse_epilogues). */
#include "match.h"

#include <string.h>

typedef struct mlp_match {
    ir_node *down;
    int ups;                      /* 1, or 2: gated by two linears */
    ir_node *up[2];
    int leaves;                   /* what the activation reads: up's result, or its halves */
    ir_value *leaf[2];
    match_cone cone;
} mlp_match;

static bool is_plain(const ir_node *n)
{
    return n && !ir_find(n, KEY_EPILOGUE) && n->inputs <= 3;
}

static ir_value *bias_of(const ir_node *linear)
{
    return linear->inputs > 2 ? linear->input[2] : NULL;
}

/* The values other than constants and maps that v is computed from. False: more than two. */
static bool find_leaves(ir_value *v, mlp_match *m, int depth)
{
    if (ir_is_constant(v)) return true;
    const ir_node *n = ir_producer(v, IR_MAP);
    for (int i = 0; n && i < n->inputs; i++)
        if (depth == 0 || !find_leaves(n->input[i], m, depth - 1)) return false;
    if (n) return true;
    for (int i = 0; i < m->leaves; i++)
        if (m->leaf[i] == v) return true;
    if (m->leaves == 2) return false;
    m->leaf[m->leaves++] = v;
    return true;
}

/* Something in the maps above v is no sum, difference or product with a constant: two linears with less than that between them are no mlp. */
static bool is_nonlinear(const ir_value *v, int depth)
{
    const ir_node *n = ir_producer(v, IR_MAP);
    if (!n || depth == 0) return false;
    int computed = 0;
    bool found = false;
    for (int i = 0; i < n->inputs; i++) {
        computed += !ir_is_constant(n->input[i]);
        found |= is_nonlinear(n->input[i], depth - 1);
    }
    const expr *e = ir_expr(n, KEY_EXPR);
    for (int i = 0; i < e->count; i++)
        switch (e->item[i].op) {
        case EXPR_INPUT: case EXPR_CONSTANT: case EXPR_CONVERT: case EXPR_NEG: case EXPR_ADD: case EXPR_SUB: break;
        case EXPR_MUL: case EXPR_DIV: found |= computed > 1 || e->item[i].arg[0] == e->item[i].arg[1]; break;
        default: found = true;
        }
    return found;
}

/* v is columns [half * n, (half + 1) * n) of a linear's 2 n: that linear. */
static ir_node *half_of(const ir_value *v, int half)
{
    const ir_node *slice = ir_producer(v, IR_MOVE);
    ir_node *linear = slice ? ir_producer(slice->input[0], IR_LINEAR) : NULL;
    if (!linear) return NULL;
    const ir_type *from = &slice->input[0]->type;
    int axis = from->rank - 1;
    int64_t all, columns;
    move m, own = *ir_move(slice);
    ir_type to;
    if (v->type.rank != from->rank || !dim_is_constant(from->dim[axis], &all) || !dim_is_constant(v->type.dim[axis], &columns)) return NULL;
    if (all != 2 * columns) return NULL;
    if (!move_slice(from, axis, half * columns, 1, v->type.dim[axis], &m, &to) || !ir_type_equal(&to, &v->type)) return NULL;
    move_normalise(from, &m);
    move_normalise(from, &own);
    return move_equal(&m, &own) ? linear : NULL;
}

static bool read_by_moves_of(const ir_value *v, ir_value *const *leaf)
{
    for (int i = 0; i < v->uses; i++)
        if (v->user[i] != leaf[0]->def && v->user[i] != leaf[1]->def) return false;
    return !ir_is_result(v);
}

static void swap_leaves(mlp_match *m)
{
    ir_value *first = m->leaf[0];
    m->leaf[0] = m->leaf[1];
    m->leaf[1] = first;
}

/* Both leaves are made by linears of one value, or are parts of one linear: what a gate and what it gates are. */
static bool of_one_value(ir_value *const *leaf)
{
    const ir_node *linear[2];
    for (int i = 0; i < 2; i++) {
        const ir_node *slice = ir_producer(leaf[i], IR_MOVE);
        if (!(linear[i] = ir_producer(slice ? slice->input[0] : leaf[i], IR_LINEAR))) return false;
    }
    return linear[0]->input[0] == linear[1]->input[0];
}

static const char *find_gated(mlp_match *m)
{
    if (half_of(m->leaf[0], 1)) swap_leaves(m);
    m->up[0] = half_of(m->leaf[0], 0);
    if (m->up[0] && m->up[0] == half_of(m->leaf[1], 1)) {
        m->ups = 1;
        if (!is_plain(m->up[0])) return "the hidden linear has an epilogue";
        return read_by_moves_of(m->up[0]->output[0], m->leaf) ? NULL : "the hidden values are read elsewhere";
    }
    for (int i = 0; i < 2; i++)
        if (!is_plain(m->up[i] = ir_producer(m->leaf[i], IR_LINEAR))) return "what is activated is not two linears or the halves of one";
    m->ups = 2;
    bool alike = ir_type_equal(&m->leaf[0]->type, &m->leaf[1]->type) && !bias_of(m->up[0]) == !bias_of(m->up[1]);
    return alike ? NULL : "the gate's linear differs from the gated one's in shape";
}

/* Of what a linear's input is computed from, the linears take what scales and shifts their columns (a batch norm before the activation). */
static bool absorb_into_leaves(ir_node *down, pass_context *c)
{
    mlp_match m = {.down = down};
    ir_value *hidden = down->input[0];
    if (!is_plain(down) || !is_nonlinear(hidden, MATCH_INPUTS) || !find_leaves(hidden, &m, MATCH_INPUTS)) return true;
    for (int i = 0; i < m.leaves; i++) {
        ir_node *up = ir_producer(m.leaf[i], IR_LINEAR);
        if (up && !absorb_affine(up, c)) return false;
    }
    return true;
}

/* A product other than n reads v, as it is or moved. */
static bool feeds_another(const ir_value *v, const ir_node *n, int depth)
{
    for (int i = 0; i < v->uses; i++) {
        const ir_node *user = v->user[i];
        switch (user->op) {
        case IR_LINEAR: case IR_MLP: case IR_MATMUL: case IR_ATTENTION: case IR_CONV: case IR_CONV_LAST:
            if (user != n) return true;
            break;
        case IR_MOVE: case IR_PAD:
            if (depth > 0 && feeds_another(user->output[0], n, depth - 1)) return true;
            break;
        default: break;
        }
    }
    return false;
}

/* Features that several products read are no mlp's hidden ones. */
static bool is_shared(const mlp_match *m, const ir_value *hidden)
{
    bool shared = feeds_another(hidden, m->down, 2);
    for (int i = 0; i < m->cone.nodes; i++) shared |= feeds_another(m->cone.node[i]->output[0], m->down, 2);
    for (int i = 0; i < m->leaves; i++) shared |= feeds_another(m->leaf[i], m->down, 2);
    return shared;
}

/* NULL: m holds an mlp. Else why not; "" where none is meant. */
static const char *find_mlp(arena *a, ir_node *down, mlp_match *m)
{
    ir_value *hidden = down->input[0];
    *m = (mlp_match){.down = down};
    if (!is_plain(down) || !is_nonlinear(hidden, MATCH_INPUTS) || !find_leaves(hidden, m, MATCH_INPUTS) || m->leaves == 0) return "";
    const ir_type *t = &m->leaf[0]->type;
    const char *problem = NULL;
    if (m->leaves == 2) {
        if (!of_one_value(m->leaf)) return "";
        problem = find_gated(m);
    } else if (!is_plain(m->up[0] = ir_producer(m->leaf[0], IR_LINEAR))) {
        return "";
    } else {
        m->ups = 1;
    }
    if (problem) return problem;
    if (!match_compose(a, hidden, m->leaf, m->leaves, &m->cone) || m->cone.constants) return "the activation has operands that are no scalars";
    if (!ir_type_equal(t, &hidden->type)) return "the activation changes the type";
    if (ir_only_use(hidden, down) && match_closed(&m->cone, hidden, m->leaf, m->leaves)) return NULL;
    return is_shared(m, hidden) ? "" : "the hidden values are read elsewhere";
}

static ir_value *side_by_side(ir_value *first, ir_value *second, int axis, ir_node *before, pass_context *c)
{
    ir_node *n = ir_begin(before->graph, IR_CONCAT);
    ir_input(n, first);
    ir_input(n, second);
    ir_set_int(n, KEY_AXIS, axis);
    return ir_end(n, before, c->diag);
}

/* The expression again, in the graph's own memory. */
static const expr *keep(arena *a, const expr *e)
{
    expr *copy = arena_alloc(a, sizeof *copy);
    expr_item *item = arena_array(a, (size_t)e->count, sizeof *item);
    memcpy(item, e->item, (size_t)e->count * sizeof *item);
    *copy = (expr){e->count, item};
    return copy;
}

static ir_value *build(const mlp_match *m, pass_context *c)
{
    ir_node *before = m->down;
    ir_value *w = m->up[0]->input[1], *b = bias_of(m->up[0]);
    if (m->ups == 2) {
        w = side_by_side(w, m->up[1]->input[1], 1, before, c);
        if (b) b = side_by_side(b, bias_of(m->up[1]), 0, before, c);
        if (!w || (bias_of(m->up[0]) && !b)) return NULL;
    }
    ir_node *n = ir_begin(before->graph, IR_MLP);
    ir_input(n, m->up[0]->input[0]);
    ir_input(n, w);
    ir_input(n, b);
    ir_input(n, before->input[1]);
    ir_input(n, bias_of(before));
    ir_set_expr(n, KEY_EXPR, keep(before->graph->arena, m->cone.expr));
    ir_value *v = ir_end(n, before, c->diag);
    if (!v) return NULL;
    for (int i = 0; i < m->ups; i++) ir_copy_origins(n, m->up[i]);
    for (int i = 0; i < m->leaves; i++) ir_copy_origins(n, m->leaf[i]->def);
    match_cover(n, &m->cone);
    ir_copy_origins(n, before);
    return v;
}

/* ---- epilogues ---- */

/* A depthwise convolution has no tile to finish. */
static bool takes_epilogue(const ir_node *n)
{
    if (!n) return false;
    if (n->op != IR_CONV_LAST) return n->op == IR_LINEAR || n->op == IR_MLP;
    const int64_t group = ir_int(n, KEY_GROUP, 1);
    return group == 1 || !dim_equal(n->input[0]->type.dim[n->input[0]->type.rank - 1], dim_of(group));
}

/* A factor for each column: algebra puts it into the weights. */
static bool is_layer_scale(const ir_node *map)
{
    expr_op op;
    match_operand o[3];
    if (!match_map(map->output[0], &op, o) || (op != EXPR_MUL && op != EXPR_DIV)) return false;
    return (o[0].value && ir_is_constant(o[0].value)) || (o[1].value && ir_is_constant(o[1].value));
}

/* The product that map becomes an epilogue of: only map reads it, and all else that map reads has its type or is a constant. The last such
 * one. */
static ir_node *epilogue_of(const ir_node *map)
{
    ir_node *found = NULL;
    const ir_type *t = &map->output[0]->type;
    for (int i = 0; i < map->inputs; i++) {
        ir_node *n = map->input[i]->def;
        if (!takes_epilogue(n)) continue;
        if (ir_is_result(n->output[0]) || !ir_type_equal(&n->output[0]->type, t) || ir_is_constant(n->output[0])) continue;
        bool only = true;
        for (int k = 0; k < n->output[0]->uses; k++) only &= n->output[0]->user[k] == map;
        if (only && (!found || match_before(found, n))) found = n;
    }
    for (int i = 0; found && i < map->inputs; i++)
        if (!ir_is_constant(map->input[i]) && !ir_type_equal(&map->input[i]->type, t)) return NULL;
    return found;
}

typedef struct epilogue {
    ir_node *node;               /* under construction; its inputs so far end with the extras */
    expr_builder builder;
    int fixed, extras;           /* fixed: inputs that are no extras */
    ir_value *extra[MATCH_INPUTS];
} epilogue;

/* The item that reads a value: a number, or an extra input. -1: too many. */
static int read_extra(epilogue *e, ir_value *v)
{
    double number;
    if (ir_scalar(v, &number)) return expr_constant(&e->builder, v->type.elem, number, elem_is_float(v->type.elem) ? 0 : (int64_t)number);
    for (int i = 0; i < e->extras; i++)
        if (e->extra[i] == v) return expr_input(&e->builder, 1 + i, v->type.elem);
    if (e->extras == MATCH_INPUTS) return -1;
    e->extra[e->extras++] = v;
    return expr_input(&e->builder, e->extras, v->type.elem);
}

/* n's own epilogue, or its plain result. */
static int old_epilogue(epilogue *e, const ir_node *n)
{
    int input[MATCH_INPUTS + 1] = {expr_input(&e->builder, 0, n->output[0]->type.elem)};
    const expr *old = ir_expr(n, KEY_EPILOGUE);
    for (int i = e->fixed; i < n->inputs; i++)
        if (i - e->fixed >= MATCH_INPUTS || (input[1 + i - e->fixed] = read_extra(e, n->input[i])) < 0) return -1;
    return old ? expr_inline(&e->builder, old, input) : input[0];
}

static int map_over(epilogue *e, const ir_node *map, const ir_node *n, int result)
{
    int input[MATCH_INPUTS];
    if (map->inputs > MATCH_INPUTS) return -1;
    for (int i = 0; i < map->inputs; i++)
        if ((input[i] = map->input[i] == n->output[0] ? result : read_extra(e, map->input[i])) < 0) return -1;
    return expr_inline(&e->builder, ir_expr(map, KEY_EXPR), input);
}

static bool take_epilogue(ir_node *map, ir_node *n, pass_context *c)
{
    ir_graph *g = n->graph;
    epilogue e = {.builder = expr_begin(g->arena), .fixed = n->op == IR_MLP ? 5 : 3};
    int result = old_epilogue(&e, n);
    if (result < 0 || (result = map_over(&e, map, n, result)) < 0) return true;
    ir_node *whole = ir_begin(g, n->op);
    for (int i = 0; i < e.fixed; i++) ir_input(whole, i < n->inputs ? n->input[i] : NULL);
    for (int i = 0; i < e.extras; i++) ir_input(whole, e.extra[i]);
    if (n->op == IR_MLP) ir_set_expr(whole, KEY_EXPR, ir_expr(n, KEY_EXPR));
    match_copy_window(whole, n);
    if (ir_find(n, KEY_ELEM)) ir_set_name(whole, KEY_ELEM, ir_name(n, KEY_ELEM, ""));
    ir_set_expr(whole, KEY_EPILOGUE, expr_end(&e.builder, result));
    ir_value *v = ir_end(whole, map, c->diag);
    if (!v) return false;
    ir_copy_origins(whole, n);
    ir_copy_origins(whole, map);
    match_replace(map->output[0], v);
    return true;
}

bool fuse_epilogues(ir_graph *g, pass_context *c)
{
    int count;
    match_number_nodes(g);
    ir_node **map = match_list(c->arena, g, IR_MAP, &count);
    for (int i = 0; i < count; i++) {
        if (match_dead(map[i]) || is_layer_scale(map[i])) continue;
        match_number_nodes(g);
        ir_node *n = epilogue_of(map[i]);
        if (n && !take_epilogue(map[i], n, c)) return false;
    }
    return true;
}

/* ---- the pass ---- */

bool pass_fuse_mlp(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **linear = match_list(c->arena, g, IR_LINEAR, &count);
    for (int i = 0; i < count; i++) {
        mlp_match m;
        if (match_dead(linear[i])) continue;
        if (!absorb_into_leaves(linear[i], c)) return false;
        const char *problem = find_mlp(c->arena, linear[i], &m);
        if (problem && !*problem) continue;
        c->report->found[FUSION_MLP]++;
        if (problem) {
            pass_miss(c, FUSION_MLP, linear[i], "%s", problem);
            continue;
        }
        ir_value *v = build(&m, c);
        if (!v) return false;
        match_replace(linear[i]->output[0], v);
        c->report->fused[FUSION_MLP]++;
    }
    return fuse_epilogues(g, c);
}
