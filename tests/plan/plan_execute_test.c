/* The plan executed: every panel of every step computes with what lies at the planned addresses, threads and panels interleaved at random, frame and
 * scratch full of NaN at the start. The results equal the evaluator's bit by bit. A step is computed by the evaluator on its own inputs, of which a
 * panel sees what it may see. */
#include "ir/eval.h"
#include "plan_random.h"
#include "plan_walk.h"

#include <math.h>
#include <stdio.h>

enum { THREADS = 3 };

typedef struct machine {
    arena *arena;
    diag *diag;
    float *memory;
    int64_t scratch, scratch_size;        /* of the first thread; places of each */
    uint64_t state;
    int64_t steps;
} machine;

static int below(machine *m, int n)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((m->state >> 33) % (uint64_t)n);
}

/* One image's tensor of a value. */
static eval_tensor tensor_of(const plan_value *x, void *data)
{
    eval_tensor t = { .elem = x->value->type.elem, .rank = x->value->type.rank, .elements = x->elements, .data = data };
    memcpy(t.shape, x->shape, sizeof t.shape);
    return t;
}

/* A graph of the step's node alone, all inputs its parameters; a parameter more gives the batch its value, which is 1. */
static ir_graph *graph_of(machine *m, const plan_step *t)
{
    const ir_node *n = t->node;
    ir_graph *g = ir_graph_new(m->arena, "step", n->graph->symbols);
    const dim batch = dim_symbol_of(0);
    ir_add_parameter(g, "batch", (ir_type){ .elem = ELEM_F32, .rank = 1, .dim = { batch } });
    ir_value *in[64];
    for (int i = 0; i < n->inputs; i++) in[i] = n->input[i] ? ir_add_parameter(g, "in", plan_input(n, i)->type) : NULL;
    if (plan_is_key_transpose(n)) in[0] = ir_move_of(g, in[0], ir_move(n->input[0]->def), &n->input[0]->type, NULL, m->diag);
    if (n->op == IR_MOVE) {
        ir_add_result(g, "out", ir_move_of(g, in[0], ir_move(n), &n->output[0]->type, NULL, m->diag));
        return g;
    }
    ir_node *copy = ir_begin(g, n->op);
    for (int i = 0; i < n->inputs; i++) ir_input(copy, in[i]);
    copy->attributes = n->attributes;
    ir_end(copy, NULL, m->diag);
    for (int i = 0; i < copy->outputs; i++) ir_add_result(g, "out", copy->output[i]);
    return g;
}

/* The constant behind a value of the scope: its own, or what the call passes. */
static const ir_value *constant_of(const walk_site *at, const ir_value *v)
{
    return v->def ? v : at->in[v->index].constant;
}

static eval_tensor load(machine *m, const walk_site *at, const plan_step *t, int i, int panel)
{
    const ir_value *v = plan_input(t->node, i);
    const plan_value *x = plan_value_of(at->scope, v);
    if (walk_is_constant(x)) {
        eval_tensor out;
        assert_int_equal(eval_constant(constant_of(at, v), &out, m->diag), STATUS_OK);
        return out;
    }
    float *data = malloc((size_t)x->elements * sizeof *data + 1);
    int64_t from, end;
    walk_read_range(at->phase, t, i, panel, &from, &end);
    for (int64_t e = 0; e < x->elements; e++) {
        uint64_t key;
        const int64_t place = e >= from && e < end && walk_reads(t, i) ? walk_place(at, x, e, panel, &key) : WALK_NOWHERE;
        data[e] = place == WALK_NOWHERE ? NAN : m->memory[place];
    }
    return tensor_of(x, data);
}

static void poison_scratch(machine *m, const walk_site *at, const plan_step *t)
{
    for (int64_t i = 0; i < t->scratch_bytes / 4; i++) m->memory[at->scratch + t->scratch / 4 + i] = NAN;
}

/* Writes what the panel makes of output o; NULL: NaN, as a product's place is before its epilogue reads. */
static void store(machine *m, const walk_site *at, const plan_step *t, int o, int panel, const float *data)
{
    const plan_value *x = plan_value_of(at->scope, t->node->output[o]);
    for (int64_t e = 0; e < x->elements; e++) {
        uint64_t key;
        if (walk_writes(at->phase, t, o, panel, e)) m->memory[walk_place(at, x, e, panel, &key)] = data ? data[e] : NAN;
    }
}

static void run_step(machine *m, const walk_site *at, const plan_step *t, int panel)
{
    eval_tensor in[64] = { 0 }, out[2] = { 0 };
    float batch = 0;
    int inputs = 0;
    if (!walk_runs(t, panel)) return;
    const ir_graph *g = graph_of(m, t);
    m->steps++;
    poison_scratch(m, at, t);
    for (int o = 0; o < t->node->outputs && t->node->op != IR_MAP; o++) store(m, at, t, o, panel, NULL);
    in[inputs++] = (eval_tensor){ .elem = ELEM_F32, .rank = 1, .shape = { 1 }, .elements = 1, .data = &batch };
    for (int i = 0; i < t->node->inputs; i++)
        if (t->node->input[i]) in[inputs++] = load(m, at, t, i, panel);
    assert_int_equal(inputs, g->parameters);
    const status s = eval_run(g, EVAL_TYPED, in, out, NULL, NULL, m->diag);
    if (s != STATUS_OK) diag_print(m->diag, stderr);
    assert_int_equal(s, STATUS_OK);
    for (int o = 0; o < t->node->outputs; o++) {
        store(m, at, t, o, panel, out[o].data);
        eval_free(&out[o]);
    }
    poison_scratch(m, at, t);
    for (int i = 1; i < inputs; i++) free(in[i].data);
}

/* Threads claim panels, and at every turn one of them runs one step. How many panels there are, and which comes when, is left to chance too. */
static void run_phase(void *context, const walk_site *phase)
{
    machine *m = context;
    plan_phase cut = *phase->phase;
    cut.panels += below(m, cut.tiles - cut.panels + 1);
    const plan_phase *f = &cut;
    int *order = arena_array(m->arena, (size_t)f->panels, sizeof *order), next = 0, busy = 0;
    int panel[THREADS], step[THREADS];
    for (int i = 0; i < f->panels; i++) {
        const int j = below(m, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < THREADS; i++) panel[i] = -1;
    while (next < f->panels || busy) {
        const int i = below(m, THREADS);
        walk_site at = *phase;
        at.phase = f;
        at.scratch = m->scratch + i * m->scratch_size;
        if (panel[i] < 0) {
            if (next == f->panels) continue;
            panel[i] = order[next++];
            step[i] = 0;
            busy++;
            for (int64_t k = 0; k < m->scratch_size; k++) m->memory[at.scratch + k] = NAN;
        }
        run_step(m, &at, f->step[step[i]++], panel[i]);
        if (step[i] < f->steps) continue;
        panel[i] = -1;
        busy--;
    }
}

static void compare(machine *m, const plan *p, const walk_argument *in, int64_t frame, const eval_tensor *expected, int seed)
{
    const walk_site main = { .plan = p, .scope = &p->main, .in = in, .frame = frame, .scratch = m->scratch };
    for (int i = 0; i < p->graph->results; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->result[i].value);
        const float *want = expected[i].data;
        if (walk_is_constant(x)) continue;
        assert_int_equal(expected[i].elements, x->elements);
        for (int64_t e = 0; e < x->elements; e++) {
            uint64_t key;
            const float got = m->memory[walk_place(&main, x, e, 0, &key)];
            if (isnan(want[e]) || got != want[e])
                fail_msg("seed %d, result %d, element %lld: %.9g, expected %.9g", seed, i, (long long)e, (double)got, (double)want[e]);
        }
    }
}

/* Runs the plan and the evaluator on the same image. Inputs and weights are small: no result is NaN by itself. */
static int64_t check(arena *a, diag *d, const plan *p, int seed)
{
    machine m = { .arena = a, .diag = d, .state = (uint64_t)seed };
    walk_argument in[8];
    eval_tensor input[8], expected[8] = { 0 };
    int64_t inputs = 0;
    for (int i = 0; i < p->graph->parameters; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->parameter[i].value);
        in[i] = (walk_argument){ .place = inputs, .key = (uint64_t)(uintptr_t)x };
        inputs += x->elements;
    }
    m.scratch = inputs + (p->frame_bytes + p->shared_bytes) / 4;
    m.scratch_size = p->scratch_bytes / 4;
    const int64_t places = m.scratch + THREADS * m.scratch_size;
    m.memory = arena_array(a, (size_t)places + 1, sizeof *m.memory);
    for (int64_t i = 0; i < places; i++) m.memory[i] = i < inputs ? (float)(below(&m, 2001) - 1000) / 1000 : NAN;
    for (int i = 0; i < p->graph->parameters; i++)
        input[i] = tensor_of(plan_value_of(&p->main, p->graph->parameter[i].value), m.memory + in[i].place);
    assert_int_equal(eval_run(p->graph, EVAL_TYPED, input, expected, NULL, NULL, d), STATUS_OK);
    const walk_site start = { .plan = p, .scope = &p->main, .in = in, .frame = inputs, .scratch = m.scratch };
    uint64_t key;
    for (int i = 0; i < p->graph->parameters; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->parameter[i].value);
        for (int64_t e = 0; x->space == SPACE_FRAME && e < x->elements; e++) m.memory[walk_place(&start, x, e, 0, &key)] = m.memory[in[i].place + e];
    }
    walk_phases(p, in, inputs, m.scratch, run_phase, &m);
    compare(&m, p, in, inputs, expected, seed);
    for (int i = 0; i < p->graph->results; i++) eval_free(&expected[i]);
    return m.steps;
}

static void plans_compute_what_graphs_mean(void **state)
{
    (void)state;
    enum { GRAPHS = 250 };
    int64_t steps = 0;
    int calls = 0, preludes = 0;
    for (int seed = 0; seed < GRAPHS; seed++) {
        arena *a = arena_new();
        diag *d = diag_new(a, "random");
        ir_graph *g = random_make(a, d, 90000 + (uint64_t)seed, 4 + seed % 19, seed % 3 == 0 ? 0 : seed % 5 == 0 ? 2 : seed % 7 == 0 ? 3 : 1);
        const plan_options o = { .panel_rows = 3 + seed % 14, .tile_rows = 1 + seed % 9, .many_weights = seed % 3 == 0 };
        plan *p = g ? plan_make(a, g, &o, d) : NULL;
        if (!p) {
            diag_print(d, stderr);
            fail_msg("seed %d gives no plan", seed);
        }
        for (int i = 0; i < p->main.items; i++) calls += p->main.item[i].call != NULL;
        preludes += p->prelude > 0 && p->prelude < p->main.items;
        steps += check(a, d, p, seed);
        arena_free(a);
    }
    print_message("%d graphs: %lld panel steps, %d calls, %d preludes\n", GRAPHS, (long long)steps, calls, preludes);
    assert_true(steps > 5000 && calls > 50 && preludes > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(plans_compute_what_graphs_mean) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
