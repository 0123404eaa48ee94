/* No two values that live at one moment share a byte, on random graphs, by a brute-force model of the concurrent schedule: every float knows whose it
 * is while the panels run one after another, and within a phase no float that one panel writes is touched by any other, since threads may be at any
 * step of any two panels. */
#include "plan_random.h"
#include "plan_test.h"
#include "plan_walk.h"

#include <stdio.h>

enum { NOBODY = -1, SEVERAL = -2 };

typedef struct model {
    int64_t places, inputs, frame, scratch;   /* inputs, then frame, then scratch */
    uint64_t *owner;                          /* [places] whose value it holds; 0: nobody's */
    int *toucher;                             /* [places] in this phase: which panel, or SEVERAL */
    bool *written;                            /* [places] in this phase */
    int64_t *serial, *element;                /* [places] last read by this step, as which element; -1: as several */
    int64_t steps, reads, writes, phases, calls;
} model;

static void touch(model *m, int64_t place, int panel, bool writes)
{
    if (place >= m->scratch) return;          /* a thread's own */
    if (m->toucher[place] != panel) m->toucher[place] = m->toucher[place] == NOBODY ? panel : SEVERAL;
    m->written[place] |= writes;
}

static void read_inputs(model *m, const walk_site *at, const plan_step *t, int panel)
{
    for (int i = 0; i < t->node->inputs; i++) {
        if (!walk_reads(t, i)) continue;
        const plan_value *x = plan_value_of(at->scope, plan_input(t->node, i)), *out = plan_value_of(at->scope, t->node->output[0]);
        int64_t from, end;
        walk_read_range(at->phase, t, i, panel, &from, &end);
        for (int64_t e = from; e < end; e++) {
            uint64_t key;
            const int64_t place = walk_place(at, x, e, panel, &key);
            assert_true(place != WALK_NOWHERE);
            if (m->owner[place] != key)
                fail_msg("a %s reads element %lld of a value whose place was taken, or not yet written", ir_op_name(t->node->op), (long long)e);
            touch(m, place, panel, false);
            const bool alone = x->elements == out->elements && (m->serial[place] != m->steps || m->element[place] == e);
            m->serial[place] = m->steps;
            m->element[place] = alone ? e : -1;
            m->reads++;
        }
    }
}

static void write_outputs(model *m, const walk_site *at, const plan_step *t, int panel)
{
    for (int o = 0; o < t->node->outputs; o++) {
        const plan_value *x = plan_value_of(at->scope, t->node->output[o]);
        for (int64_t e = 0; e < x->elements; e++) {
            if (!walk_writes(at->phase, t, o, panel, e)) continue;
            uint64_t key;
            const int64_t place = walk_place(at, x, e, panel, &key);
            assert_true(place != WALK_NOWHERE);
            const bool in_place = t->node->op == IR_MAP && m->element[place] == e;
            if (m->serial[place] == m->steps && !in_place) fail_msg("a %s writes over what it reads", ir_op_name(t->node->op));
            m->owner[place] = key;
            touch(m, place, panel, true);
            m->writes++;
        }
    }
}

/* A step's own scratch, which it uses from its first reading to its last writing. */
static void own_scratch(model *m, const walk_site *at, const plan_step *t, bool check)
{
    if (!t->scratch_bytes) return;
    assert_true(t->scratch >= 0 && t->scratch % PLAN_ALIGN == 0 && t->scratch + t->scratch_bytes <= at->plan->scratch_bytes);
    for (int64_t i = 0; i < t->scratch_bytes / 4; i++) {
        uint64_t *owner = &m->owner[at->scratch + t->scratch / 4 + i];
        if (check) assert_true(*owner == (uint64_t)(uintptr_t)t);
        *owner = (uint64_t)(uintptr_t)t;
    }
}

static void run_phase(void *context, const walk_site *phase)
{
    model *m = context;
    plan_phase cut = *phase->phase;
    if (m->phases % 3) cut.panels += (int)((cut.tiles - cut.panels) * (m->phases % 3) / 2);   /* as few as may be, some more, as many as may be */
    const plan_phase *f = &cut;
    walk_site changed = *phase;
    changed.phase = f;
    const walk_site *at = &changed;
    m->phases++;
    m->calls += at->call != 0;
    assert_true(f->panels >= 1 && plan_panel_row(f, 0) == 0 && plan_panel_row(f, f->panels) == f->rows);
    for (int64_t i = 0; i < m->scratch; i++) m->toucher[i] = NOBODY, m->written[i] = false;
    for (int panel = 0; panel < f->panels; panel++) {
        const int64_t rows = plan_panel_row(f, panel + 1) - plan_panel_row(f, panel);
        assert_true(rows >= 1 && rows <= f->panel_rows);
        memset(m->owner + m->scratch, 0, (size_t)(m->places - m->scratch) * sizeof *m->owner);
        for (int i = 0; i < f->steps; i++) {
            const plan_step *t = f->step[i];
            if (!walk_runs(t, panel)) continue;
            m->steps++;
            own_scratch(m, at, t, false);
            read_inputs(m, at, t, panel);
            write_outputs(m, at, t, panel);
            own_scratch(m, at, t, true);
        }
    }
    for (int64_t i = 0; i < m->scratch; i++)
        if (m->written[i] && m->toucher[i] == SEVERAL)
            fail_msg("place %lld is written by one panel and touched by another in one phase", (long long)i);
}

static void check_results(const model *m, const plan *p, const walk_argument *in)
{
    const walk_site main = { .plan = p, .scope = &p->main, .in = in, .frame = m->frame, .scratch = m->scratch };
    for (int i = 0; i < p->graph->results; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->result[i].value);
        if (walk_is_constant(x)) continue;
        assert_true(x->row_elements == x->row_stride);
        for (int64_t e = 0; e < x->elements; e++) {
            uint64_t key;
            const int64_t place = walk_place(&main, x, e, 0, &key);
            assert_true(m->owner[place] == key);
        }
    }
}

static model check(arena *a, const plan *p)
{
    model m = { 0 };
    walk_argument in[8];
    for (int i = 0; i < p->graph->parameters; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->parameter[i].value);
        in[i] = (walk_argument){ .place = m.inputs, .key = (uint64_t)(uintptr_t)x };
        m.inputs += x->elements;
    }
    m.frame = m.inputs;
    m.scratch = m.frame + (p->frame_bytes + p->shared_bytes) / 4;
    m.places = m.scratch + p->scratch_bytes / 4;
    m.owner = arena_array(a, (size_t)m.places + 1, sizeof *m.owner);
    m.toucher = arena_array(a, (size_t)m.places + 1, sizeof *m.toucher);
    m.written = arena_array(a, (size_t)m.places + 1, sizeof *m.written);
    m.serial = arena_array(a, (size_t)m.places + 1, sizeof *m.serial);
    m.element = arena_array(a, (size_t)m.places + 1, sizeof *m.element);
    const walk_site start = { .plan = p, .scope = &p->main, .in = in, .frame = m.frame, .scratch = m.scratch };
    for (int i = 0; i < p->graph->parameters; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->parameter[i].value);
        uint64_t key;
        for (int64_t e = 0; e < x->elements; e++) {
            const int64_t place = walk_place(&start, x, e, 0, &key);   /* where the phases read it: its own, or the frame */
            m.owner[place] = key;
        }
    }
    walk_phases(p, in, m.frame, m.scratch, run_phase, &m);
    check_results(&m, p, in);
    return m;
}

static void no_two_live_values_overlap(void **state)
{
    (void)state;
    enum { GRAPHS = 600 };
    int64_t phases = 0, writes = 0, calls = 0, steps = 0, gaps = 0;
    for (int seed = 0; seed < GRAPHS; seed++) {
        arena *a = arena_new();
        diag *d = diag_new(a, "random");
        ir_graph *g = random_make(a, d, (uint64_t)seed, 4 + seed % 23, seed % 3 == 0 ? 0 : seed % 5 == 0 ? 2 : seed % 7 == 0 ? 3 : seed % 2);
        const plan_options o = { .panel_rows = 3 + seed % 14, .tile_rows = 1 + seed % 9, .many_weights = seed % 3 == 0 };
        plan *p = g ? plan_make(a, g, &o, d) : NULL;
        if (!p) {
            diag_print(d, stderr);
            fail_msg("seed %d gives no plan", seed);
        }
        const model m = check(a, p);
        phases += m.phases, writes += m.writes, calls += m.calls, steps += m.steps;
        assert_true(p->frame_bytes >= p->frame_bound && p->scratch_bytes >= p->scratch_bound);
        gaps += p->frame_bytes > p->frame_bound;
        arena_free(a);
    }
    print_message("%d graphs: %lld phases, %lld of them in calls, %lld panel steps, %lld floats written, %lld frames above their bound\n", GRAPHS,
                  (long long)phases, (long long)calls, (long long)steps, (long long)writes, (long long)gaps);
    assert_true(phases > 3000 && calls > 500 && steps > 10000 && gaps < GRAPHS / 20);
}

/* A call reads the first half of a value by panel and writes, by panel, a result as large as the whole: panels of one
 * lie across panels of the other. */
static void half_a_value_is_not_followed_by_panel(void **state)
{
    (void)state;
    plan_test t = plan_test_of("function f(%x: f32[1,6,8], %w: f32[8,8], %u: f32[8,16]) {\n"
                               "  %h: f32[1,6,8] = linear(%x, %w)\n  %y: f32[1,6,16] = linear(%h, %u)\n  return \"y\" %y\n}\n"
                               "graph g(%x: f32[1,12,8]) {\n"
                               "  %w: f32[8,8] = const {bytes = noise 1 1}\n  %u: f32[8,16] = const {bytes = noise 2 1}\n"
                               "  %a: f32[1,12,8] = linear(%x, %w)\n  %s: f32[1,6,8] = move(%a) {move = [6@1, 8@2]}\n"
                               "  %y: f32[1,6,16] = call(%s, %w, %u) {function = f}\n  return \"y\" %y\n}\n", "", (plan_options){ .panel_rows = 2 });
    assert_non_null(t.plan);
    assert_true(plan_test_value(&t, IR_MOVE, 0)->view);
    assert_int_equal(check(t.arena, t.plan).phases, 2);
    assert_int_equal(t.plan->frame_bytes, 2 * 12 * 8 * 4);
    plan_test_free(&t);
}

/* The same, of a whole value: the result follows in its place. */
static void a_value_is_followed_in_place_by_panel(void **state)
{
    (void)state;
    plan_test t = plan_test_of("function f(%x: f32[1,12,8], %w: f32[8,8]) {\n"
                               "  %h: f32[1,12,8] = linear(%x, %w)\n  %y: f32[1,12,8] = linear(%h, %w)\n  return \"y\" %y\n}\n"
                               "graph g(%x: f32[1,12,8]) {\n"
                               "  %w: f32[8,8] = const {bytes = noise 1 1}\n"
                               "  %a: f32[1,12,8] = linear(%x, %w)\n"
                               "  %b: f32[1,12,8] = call(%a, %w) {function = f}\n"
                               "  %y: f32[1,12,8] = call(%b, %w) {function = f}\n"
                               "  return \"y\" %y\n}\n", "",
                               (plan_options){ .panel_rows = 2 });
    assert_non_null(t.plan);
    assert_int_equal(check(t.arena, t.plan).calls, 2);
    assert_int_equal(t.plan->frame_bytes, 12 * 8 * 4);
    plan_test_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_two_live_values_overlap), cmocka_unit_test(half_a_value_is_not_followed_by_panel),
                                       cmocka_unit_test(a_value_is_followed_in_place_by_panel) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
