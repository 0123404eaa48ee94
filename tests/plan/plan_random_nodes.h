/* Random nodes of every operator but convolutions, over values made before, from a generator of numbers that is the same everywhere. */
#ifndef VITCC_TESTS_PLAN_RANDOM_NODES_H
#define VITCC_TESTS_PLAN_RANDOM_NODES_H

#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

enum { RANDOM_VALUES = 64 };

typedef struct random_graph {
    arena *arena;
    diag *diag;
    uint64_t state;
    ir_graph *outer, *g;          /* g: the graph or function under construction */
    dim lead;                     /* the batch: N, or a number */
    int tokens, features;
    int values;
    ir_value *value[RANDOM_VALUES];
    int weights;                  /* parameters of the function that take constants */
    bool in_function;
} random_graph;

static inline int random_below(random_graph *r, int n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((r->state >> 33) % (uint64_t)n);
}

static inline ir_type random_type(const dim *d, int rank)
{
    ir_type t = { .elem = ELEM_F32, .rank = rank };
    memcpy(t.dim, d, (size_t)rank * sizeof *d);
    return t;
}

static inline ir_value *random_keep(random_graph *r, ir_value *v)
{
    if (v && r->values < RANDOM_VALUES) r->value[r->values++] = v;
    return v;
}

static inline ir_value *random_constant_of(random_graph *r, ir_graph *g, ir_type t)
{
    int64_t n = 1, d = 0;
    for (int i = 0; i < t.rank; i++) n *= dim_is_constant(t.dim[i], &d) ? d : 1;
    float *x = arena_array(r->arena, (size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(random_below(r, 2001) - 1000) / 1500.0f;
    return ir_constant(g, t, x, (size_t)n * sizeof *x, NULL);
}

/* Weights: constants of the main graph; in a function parameters, for which every call passes constants. */
static inline ir_value *random_weight(random_graph *r, int rank, int a, int b)
{
    const dim d[2] = { dim_of(rank == 2 ? a : b), dim_of(b) };
    const ir_type t = random_type(d, rank);
    if (!r->in_function) return random_constant_of(r, r->g, t);
    r->weights++;
    return ir_add_parameter(r->g, "w", t);
}

static inline int random_size(const ir_value *v, int axis)
{
    int64_t n = 0;
    return dim_is_constant(v->type.dim[axis], &n) ? (int)n : 0;
}

/* Any earlier value; the latest more often. */
static inline ir_value *random_pick(random_graph *r)
{
    const int n = r->values;
    return r->value[random_below(r, 2) ? n - 1 - random_below(r, n < 3 ? n : 3) : random_below(r, n)];
}

static inline ir_value *random_like(random_graph *r, const ir_value *v)
{
    ir_value *found[RANDOM_VALUES];
    int n = 0;
    for (int i = 0; i < r->values; i++)
        if (ir_type_equal(&r->value[i]->type, &v->type)) found[n++] = r->value[i];
    return n ? found[random_below(r, n)] : NULL;
}

static inline int random_last(const ir_value *v)
{
    return random_size(v, v->type.rank - 1);
}

static inline expr *random_sum(random_graph *r, int extras)
{
    expr_builder b = expr_begin(r->arena);
    int sum = expr_input(&b, 0, ELEM_F32);
    for (int i = 1; i <= extras; i++) sum = expr_apply(&b, random_below(r, 2) ? EXPR_ADD : EXPR_SUB, sum, expr_input(&b, i, ELEM_F32), -1);
    return expr_end(&b, sum);
}

/* Operands of an epilogue for a result of this type: values of its type or weights that repeat. */
static inline int random_extras(random_graph *r, ir_node *n, const ir_type *result)
{
    int extras = 0;
    for (int want = random_below(r, 3); want > 0; want--) {
        ir_value *same = NULL;
        for (int i = 0; i < r->values; i++)
            if (ir_type_equal(&r->value[i]->type, result) && random_below(r, 2)) same = r->value[i];
        int64_t last;
        dim_is_constant(result->dim[result->rank - 1], &last);
        ir_input(n, same ? same : random_weight(r, 1, 0, (int)last));
        extras++;
    }
    return extras;
}

static inline ir_value *random_linear(random_graph *r, ir_value *x, int out)
{
    ir_node *n = ir_begin(r->g, IR_LINEAR);
    ir_type t = x->type;
    t.dim[t.rank - 1] = dim_of(out);
    ir_input(n, x);
    ir_input(n, random_weight(r, 2, random_last(x), out));
    ir_input(n, random_below(r, 2) ? random_weight(r, 1, 0, out) : NULL);
    const int extras = random_extras(r, n, &t);
    if (extras || random_below(r, 2)) ir_set_expr(n, KEY_EPILOGUE, random_sum(r, extras));
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline ir_value *random_mlp(random_graph *r, ir_value *x)
{
    static const int hidden[] = { 6, 16, 70 };
    const int k = random_last(x), h = hidden[random_below(r, 3)];
    ir_node *n = ir_begin(r->g, IR_MLP);
    ir_input(n, x);
    ir_input(n, random_weight(r, 2, k, h));
    ir_input(n, random_below(r, 2) ? random_weight(r, 1, 0, h) : NULL);
    ir_input(n, random_weight(r, 2, h, k));
    ir_input(n, random_below(r, 2) ? random_weight(r, 1, 0, k) : NULL);
    const int extras = random_extras(r, n, &x->type);
    expr_builder b = expr_begin(r->arena);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, expr_apply(&b, EXPR_RELU, expr_input(&b, 0, ELEM_F32), -1, -1)));
    if (extras) ir_set_expr(n, KEY_EPILOGUE, random_sum(r, extras));
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline ir_value *random_norm(random_graph *r, ir_value *x)
{
    const bool layer = random_below(r, 2);
    ir_node *n = ir_begin(r->g, IR_NORM);
    ir_input(n, x);
    ir_input(n, random_weight(r, 1, 0, random_last(x)));
    if (layer) ir_input(n, random_weight(r, 1, 0, random_last(x)));
    ir_set_name(n, KEY_KIND, layer ? "layer" : "rms");
    ir_set_int(n, KEY_AXIS, x->type.rank - 1);
    ir_set_number(n, KEY_EPSILON, 1e-5);
    return random_keep(r, ir_end(n, NULL, r->diag));
}

/* Moments of runs of x's rows, joined at times. */
static inline ir_value *random_moments(random_graph *r, ir_value *x)
{
    int places = 1;
    if (x->type.rank < 3) return NULL;
    for (int i = 1; i + 1 < x->type.rank; i++) places *= random_size(x, i);
    int runs = 1 + random_below(r, places);
    while (places % runs) runs--;
    ir_node *n = ir_begin(r->g, IR_MOMENTS);
    ir_input(n, x);
    ir_set_int(n, KEY_COUNT, runs);
    ir_value *v = random_keep(r, ir_end(n, NULL, r->diag));
    if (!v || random_below(r, 2)) return v;
    ir_node *joined = ir_begin(r->g, IR_JOIN_MOMENTS);
    ir_input(joined, v);
    if (random_below(r, 2)) ir_input(joined, random_weight(r, 1, 0, random_last(x)));
    ir_set_number(joined, KEY_EPSILON, 1e-5);
    ir_set_int(joined, KEY_GROUP, random_below(r, 2) || random_last(x) % 2 ? 1 : random_last(x) / 2);
    return random_keep(r, ir_end(joined, NULL, r->diag));
}

static inline ir_value *random_softmax(random_graph *r, ir_value *x)
{
    ir_node *n = ir_begin(r->g, IR_SOFTMAX);
    ir_input(n, x);
    ir_set_int(n, KEY_AXIS, random_below(r, 3) ? x->type.rank - 1 : x->type.rank > 2 ? 1 : x->type.rank - 1);
    return random_keep(r, ir_end(n, NULL, r->diag));
}

/* One row, column or slab of x that broadcasts against it. */
static inline ir_value *random_reduce(random_graph *r, ir_value *x, int axis)
{
    const int64_t axes[1] = { axis };
    ir_node *n = ir_begin(r->g, IR_REDUCE);
    ir_input(n, x);
    ir_set_name(n, KEY_KIND, random_below(r, 2) ? "mean" : "max");
    ir_set_ints(n, KEY_AXES, axes, 1);
    ir_set_int(n, KEY_KEEP, 1);
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline ir_value *random_map(random_graph *r, ir_value *x)
{
    ir_value *y = NULL;
    const int rank = x->type.rank;
    switch (random_below(r, 6)) {
    case 0: y = random_weight(r, 1, 0, random_last(x)); break;
    case 1: y = random_weight(r, 2, random_size(x, rank - 2) ? random_size(x, rank - 2) : 1, random_below(r, 2) ? 1 : random_last(x)); break;
    case 2: y = random_reduce(r, x, 1 + random_below(r, rank - 1)); break;
    case 3: return random_keep(r, ir_map1(r->g, random_below(r, 2) ? EXPR_RELU : EXPR_TANH, x, NULL, r->diag));
    default: y = random_like(r, x);
    }
    return random_keep(r, ir_map2(r->g, random_below(r, 2) ? EXPR_MAX : EXPR_SUB, x, y, NULL, r->diag));
}

static inline ir_value *random_reshape(random_graph *r, ir_value *x)
{
    dim d[IR_RANK_MAX];
    int rank = x->type.rank;
    memcpy(d, x->type.dim, sizeof d);
    const int at = 1 + random_below(r, rank - 1), size = random_size(x, at);
    if (random_below(r, 2) && rank < 5 && size % 2 == 0) {           /* splits an axis */
        for (int i = rank; i > at; i--) d[i] = d[i - 1];
        d[at] = dim_of(size / 2);
        d[at + 1] = dim_of(2);
        rank++;
    } else if (rank > 2) {                                           /* merges two, at times the batch */
        const int to = random_below(r, 4) ? 1 + random_below(r, rank - 2) : 0;
        if (!dim_mul(d[to], d[to + 1], &d[to])) return NULL;
        for (int i = to + 1; i + 1 < rank; i++) d[i] = d[i + 1];
        rank--;
        if (to == 0) return NULL;
    }
    move m;
    ir_type to;
    return move_reshape(&x->type, d, rank, &m, &to) ? random_keep(r, ir_move_of(r->g, x, &m, &to, NULL, r->diag)) : NULL;
}

static inline ir_value *random_transpose(random_graph *r, ir_value *x)
{
    int order[IR_RANK_MAX];
    move m;
    ir_type to;
    const int rank = x->type.rank;
    for (int i = 0; i < rank; i++) order[i] = i;
    for (int i = rank - 1; i > 1; i--) {
        const int j = 1 + random_below(r, i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    return move_transpose(&x->type, order, &m, &to) ? random_keep(r, ir_move_of(r->g, x, &m, &to, NULL, r->diag)) : NULL;
}

static inline ir_value *random_slice_of(random_graph *r, ir_value *x, int axis, int start, int count, int step)
{
    move m;
    ir_type to;
    return move_slice(&x->type, axis, start, step, dim_of(count), &m, &to) ? random_keep(r, ir_move_of(r->g, x, &m, &to, NULL, r->diag)) : NULL;
}

static inline ir_value *random_slice(random_graph *r, ir_value *x)
{
    const int axis = 1 + random_below(r, x->type.rank - 1), size = random_size(x, axis);
    if (size < 4) return NULL;
    const int step = random_below(r, 4) ? 1 : 2, count = 1 + random_below(r, size / step - 1);
    return random_slice_of(r, x, axis, random_below(r, size - step * (count - 1)), count, step);
}

static inline ir_value *random_concat(random_graph *r, ir_value *x)
{
    const int axis = 1 + random_below(r, x->type.rank - 1);
    if (random_size(x, axis) > 80) return NULL;
    ir_node *n = ir_begin(r->g, IR_CONCAT);
    for (int parts = 1 + random_below(r, 3); parts >= 0; parts--) {
        ir_value *part = random_like(r, x);
        if (random_below(r, 3) == 0) part = ir_map1(r->g, EXPR_NEG, part, NULL, r->diag);
        ir_input(n, part);
    }
    ir_set_int(n, KEY_AXIS, axis);
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline ir_value *random_heads(random_graph *r, ir_value *x, int heads)
{
    const dim d[4] = { x->type.dim[0], x->type.dim[1], dim_of(heads), dim_of(random_last(x) / heads) };
    move m;
    ir_type to;
    return move_reshape(&x->type, d, 4, &m, &to) ? ir_move_of(r->g, x, &m, &to, NULL, r->diag) : NULL;
}

/* Queries, keys, values from one packed linear or from three; the keys at times transposed for the kernel. */
static inline ir_value *random_attention(random_graph *r, ir_value *x)
{
    const int d = 4, heads = 1 + random_below(r, 2), width = heads * d;
    ir_value *part[3];
    if (x->type.rank != 3) return NULL;
    ir_value *packed = random_below(r, 2) ? random_linear(r, x, 3 * width) : NULL;
    for (int i = 0; i < 3; i++) {
        part[i] = packed ? random_slice_of(r, packed, 2, i * width, width, 1) : random_linear(r, x, width);
        part[i] = random_heads(r, part[i], heads);
    }
    ir_node *n = ir_begin(r->g, IR_ATTENTION);
    for (int i = 0; i < 3; i++) ir_input(n, part[i]);
    if (random_below(r, 4) == 0) ir_input(n, random_weight(r, 2, random_size(x, 1), random_size(x, 1)));
    ir_set_number(n, KEY_SCALE, 0.5);
    ir_value *a = ir_end(n, NULL, r->diag);
    if (!a) return NULL;
    const dim shape[3] = { x->type.dim[0], x->type.dim[1], dim_of(width) };
    move m;
    ir_type to;
    return move_reshape(&a->type, shape, 3, &m, &to) ? random_keep(r, ir_move_of(r->g, a, &m, &to, NULL, r->diag)) : NULL;
}

static inline ir_value *random_gather(random_graph *r, ir_value *x)
{
    const int axis = 1 + random_below(r, x->type.rank - 1), size = random_size(x, axis);
    int64_t at[3];
    for (int i = 0; i < 3; i++) at[i] = random_below(r, size);
    ir_node *n = ir_begin(r->g, IR_GATHER);
    ir_input(n, x);
    int64_t *kept = arena_array(r->arena, 3, sizeof *kept);
    memcpy(kept, at, sizeof at);
    const dim three = dim_of(3);
    ir_type t = random_type(&three, 1);
    t.elem = ELEM_I64;
    ir_value *index = ir_constant(r->g, t, kept, sizeof at, NULL);
    ir_input(n, index);
    ir_set_int(n, KEY_AXIS, axis);
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline ir_value *random_pad(random_graph *r, ir_value *x)
{
    int64_t pads[2 * IR_RANK_MAX] = { 0 };
    for (int i = 1; i < x->type.rank; i++) pads[i] = random_below(r, 2), pads[i + x->type.rank] = random_below(r, 2);
    ir_node *n = ir_begin(r->g, IR_PAD);
    ir_input(n, x);
    ir_set_ints(n, KEY_PADS, pads, 2 * x->type.rank);
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline ir_value *random_matmul(random_graph *r, ir_value *x)
{
    int order[IR_RANK_MAX];
    move m;
    ir_type to;
    const int rank = x->type.rank;
    if (rank < 3) return NULL;
    for (int i = 0; i < rank; i++) order[i] = i;
    order[rank - 2] = rank - 1;
    order[rank - 1] = rank - 2;
    if (!move_transpose(&x->type, order, &m, &to)) return NULL;
    ir_node *n = ir_begin(r->g, IR_MATMUL);
    ir_input(n, x);
    ir_input(n, ir_move_of(r->g, x, &m, &to, NULL, r->diag));
    return random_keep(r, ir_end(n, NULL, r->diag));
}

static inline int64_t random_elements(const ir_value *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->type.rank; i++) n *= random_size(v, i) ? random_size(v, i) : 1;
    return n;
}

static inline void random_node(random_graph *r)
{
    static const int widths[] = { 4, 8, 12, 70 };
    ir_value *x = random_pick(r);
    if (x->type.rank < 2 || random_elements(x) > 6000) return;
    switch (random_below(r, 19)) {
    case 0: case 1: random_linear(r, x, widths[random_below(r, 4)]); return;
    case 2: random_mlp(r, x); return;
    case 3: case 4: random_norm(r, x); return;
    case 5: case 6: case 7: random_map(r, x); return;
    case 8: random_reshape(r, x); return;
    case 9: random_transpose(r, x); return;
    case 10: random_slice(r, x); return;
    case 11: random_concat(r, x); return;
    case 12: case 13: random_attention(r, x); return;
    case 14: random_gather(r, x); return;
    case 15: random_pad(r, x); return;
    case 16: random_matmul(r, x); return;
    case 17: random_moments(r, x); return;
    default: random_softmax(r, x); return;
    }
}

#endif
