/* Random graphs for the planner, the same for the same seed: chains and DAGs of all operators but convolutions, with a run-time batch, one image or a
 * fixed batch, outermost in an input or inside, and calls of a function of random nodes; beside a run-time batch, at times, a value of no image. */
#ifndef VITCC_TESTS_PLAN_RANDOM_H
#define VITCC_TESTS_PLAN_RANDOM_H

#include "passes/passes.h"
#include "plan_random_nodes.h"

/* A function of random nodes over one or two values [lead, tokens, features], with one or two results of that type. */
static inline ir_graph *random_function(random_graph *r, int *values)
{
    random_graph f = *r;
    const dim d[3] = { r->lead, dim_of(r->tokens), dim_of(r->features) };
    f.g = ir_graph_new(r->arena, "repeated_block", r->outer->symbols);
    f.in_function = true;
    f.values = f.weights = 0;
    *values = 1 + random_below(&f, 2);
    for (int i = 0; i < *values; i++) random_keep(&f, ir_add_parameter(f.g, "x", random_type(d, 3)));
    for (int i = 3 + random_below(&f, 8); i > 0; i--) random_node(&f);
    ir_value *last = random_linear(&f, f.value[0], r->features);
    for (int i = f.values - 1; i > 0; i--)
        if (f.value[i]->def && f.value[i]->type.rank == 3 && random_size(f.value[i], 1) == r->tokens && last == f.value[f.values - 1])
            last = random_linear(&f, f.value[i], r->features);
    ir_add_result(f.g, "y", last);
    ir_value *tap = random_like(&f, last);
    if (tap != last && tap->def && random_below(&f, 2)) ir_add_result(f.g, "tap", tap);
    r->state = f.state;
    return f.g;
}

/* Several calls in a row, of which each reads what the one before made, and at times an earlier value. */
static inline void random_calls(random_graph *r)
{
    int values;
    ir_graph *f = random_function(r, &values);
    r->outer->function = arena_grow(r->arena, r->outer->function, 0, sizeof *r->outer->function);
    r->outer->function[0] = f;
    r->outer->functions = 1;
    ir_value *x = r->value[0];
    for (int c = 1 + random_below(r, 4); c > 0; c--) {
        ir_node *n = ir_begin(r->g, IR_CALL);
        for (int i = 0, given = 0; i < f->parameters; i++) {
            const ir_type t = f->parameter[i].value->type;
            const bool weight = strcmp(f->parameter[i].name, "w") == 0;
            ir_value *v = weight ? random_constant_of(r, r->g, t) : given++ ? random_like(r, x) : x;
            ir_input(n, v);
        }
        ir_set_function(n, f);
        ir_value *y = random_keep(r, ir_end(n, NULL, r->diag));
        for (int i = 1; i < n->outputs; i++) random_keep(r, n->output[i]);
        if (random_below(r, 3) == 0) random_node(r);
        x = y;
    }
}

/* A graph of about `nodes` nodes. lead: 0 a run-time batch, else a fixed one. NULL: what came out is no graph, which the test reports. */
static inline ir_graph *random_make(arena *a, diag *d, uint64_t seed, int nodes, int lead)
{
    static const int tokens[] = { 5, 9, 17, 60 };
    random_graph r = { .arena = a, .diag = d, .state = seed * 2654435761u + 12345 };
    dim_symbols *symbols = arena_alloc(a, sizeof *symbols);
    const int batch = dim_declare(a, symbols, "N", 1, 64);
    r.g = r.outer = ir_graph_new(a, "random", symbols);
    for (int i = 0; i < 4; i++) random_below(&r, 2);
    r.lead = lead ? dim_of(lead) : dim_symbol_of(batch);
    r.tokens = tokens[random_below(&r, 4)];
    r.features = 4 + 4 * random_below(&r, 3);
    const dim shape[3] = { r.lead, dim_of(r.tokens), dim_of(r.features) };
    random_keep(&r, ir_add_parameter(r.g, "x", random_type(shape, 3)));
    if (random_below(&r, 2)) random_keep(&r, ir_add_parameter(r.g, "y", random_type(shape, 3)));
    if (random_below(&r, 3) == 0) {   /* images in between one another: gathered, if there may be several */
        const dim inside[3] = { shape[1], shape[0], shape[2] };
        ir_value *q = ir_add_parameter(r.g, "q", random_type(inside, 3));
        move m;
        ir_type to;
        if (move_transpose(&q->type, (int[]){ 1, 0, 2 }, &m, &to)) random_keep(&r, ir_move_of(r.g, q, &m, &to, NULL, r.diag));
        if (random_below(&r, 4) == 0) ir_add_result(r.g, "q", q);
    }
    const bool apart = !lead && random_below(&r, 2);   /* z is of no image: what is made of it is the prelude */
    const dim once[3] = { dim_of(1), dim_of(r.tokens), dim_of(r.features) };
    ir_value *z = apart ? random_keep(&r, ir_add_parameter(r.g, "z", random_type(once, 3))) : NULL;
    const int calls_at = random_below(&r, 2) ? random_below(&r, nodes) : -1;
    for (int i = 0; i < nodes; i++) {
        random_node(&r);
        if (i == calls_at) random_calls(&r);
    }
    for (int i = apart ? 2 : 0; i > 0; i--) random_keep(&r, ir_map2(r.g, EXPR_SUB, random_like(&r, r.value[0]), random_like(&r, z), NULL, r.diag));
    ir_add_result(r.g, "last", r.value[r.values - 1]);
    for (int i = random_below(&r, 3); i > 0; i--) ir_add_result(r.g, "other", r.value[random_below(&r, r.values)]);
    for (int i = 0; i < r.values && r.g->results < 8; i++)
        if (!r.value[i]->uses && random_below(&r, 4)) ir_add_result(r.g, "end", r.value[i]);   /* else hardly a third of the nodes would be live */
    pass_report report = { 0 };
    pass_context c = { a, d, &report };
    for (int i = 0; i < passes_count; i++)
        if (strcmp(passes[i].name, "transpose_keys") == 0 && random_below(&r, 2) && !passes[i].run(r.g, &c)) return NULL;
    ir_sweep(r.g);
    return ir_verify(r.g, d) && diag_errors(d) == 0 ? r.g : NULL;
}

#endif
