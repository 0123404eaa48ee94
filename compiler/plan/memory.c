/* Liveness over the concurrent schedule, then addresses. Time is a phase (a tick) and a step in it. What a phase reads other than by panel lives for
 * all of that phase, since a fast thread is at its last step while a slow one is at its first. What it reads by panel may be overwritten by a later
 * step of the same panel: then both must have the same rows and lie at the same address. */
#include "plan_private.h"

static plan_memory_buffer *add_buffer(plan_buffers *all, plan_scope *s, plan_value *v, int64_t bytes)
{
    all->item = arena_grow(all->arena, all->item, (size_t)all->count, sizeof *all->item);
    plan_memory_buffer *b = &all->item[all->count++];
    *b = (plan_memory_buffer){ .scope = s, .value = v, .bytes = bytes };
    return b;
}

static void add_interval(arena *a, plan_memory_buffer *b, plan_interval i)
{
    b->interval = arena_grow(a, b->interval, (size_t)b->intervals, sizeof *b->interval);
    b->interval[b->intervals++] = i;
}

/* ---- who reads what, and when ---- */

static void read_at(plan_value *base, plan_time at, bool by_panel, bool in_place)
{
    if (base->last.item < at.item || base->last.step < 0) {
        base->last_by_panel = by_panel;
        base->last_in_place = in_place;
        base->last = at;
        return;
    }
    if (base->last.item > at.item) return;
    if (!by_panel) base->last_by_panel = false;
    if (at.step > base->last.step || (at.step == base->last.step && !in_place)) base->last_in_place = in_place;
    if (at.step > base->last.step) base->last.step = at.step;
}

/* A product is written before its epilogue reads the other inputs: only a map reads each element before it writes it. */
static bool may_overwrite(const plan_scope *s, const ir_node *n, const plan_value *x)
{
    const plan_value *out = plan_value_of(s, n->output[0]);
    return n->op == IR_MAP && x->elements == out->elements && elem_size(x->value->type.elem) == elem_size(out->value->type.elem);
}

static void read_steps(plan_scope *s, const plan_phase *f, int item)
{
    for (int j = 0; j < f->steps; j++) {
        const plan_step *t = f->step[j];
        for (int i = 0; i < t->node->inputs; i++) {
            const ir_value *v = plan_input(t->node, i);
            if (!v) continue;
            plan_value *x = plan_value_at(s, v), *base = x->base;
            if (x->space == SPACE_CONSTANT) continue;
            const bool by_panel = t->aligned[i] && !t->once && plan_is_panel_of_base(x);
            if (base->def.item != item || !by_panel) base->local = false;
            read_at(base, (plan_time){ item, j }, by_panel, may_overwrite(s, t->node, x));
        }
    }
}

static void find_readers(plan_scope *s)
{
    for (int i = 0; i < s->values; i++) {
        plan_value *x = &s->value[i];
        if (!x->value || x->base != x) continue;
        x->local = x->def_by_panel && (x->space == SPACE_FRAME || x->space == SPACE_SHARED);
        x->last_by_panel = x->def_by_panel;
        x->last_in_place = false;
    }
    for (int i = 0; i < s->items; i++) {
        if (s->item[i].phase) {
            read_steps(s, s->item[i].phase, i);
            continue;
        }
        const ir_node *call = s->item[i].call;
        for (int j = 0; j < call->inputs; j++) {
            plan_value *base = plan_base(s, call->input[j]);
            if (base->space == SPACE_CONSTANT) continue;
            base->local = false;
            read_at(base, (plan_time){ i, 0 }, false, false);
        }
        for (int j = 0; j < call->outputs; j++) plan_base(s, call->output[j])->local = false;
    }
    for (int i = 0; i < s->graph->results; i++) {
        plan_value *base = plan_base(s, s->graph->result[i].value);
        base->local = false;
        if (s->is_function) base->argument_result = true;
        else read_at(base, (plan_time){ s->items, 0 }, false, false);
    }
}

/* ---- the frame ---- */

static int64_t moment_from(int64_t tick, plan_time t, bool by_panel)
{
    return tick * PLAN_MOMENTS + (by_panel ? 2 * t.step + 1 : 0);
}

static int64_t moment_to(int64_t tick, plan_time t, bool by_panel, bool in_place)
{
    return tick * PLAN_MOMENTS + (by_panel ? 2 * t.step + (in_place ? 0 : 1) : PLAN_MOMENTS - 1);
}

/* The tick at which each item of the main scope starts: calls take as many as their function has phases. */
static int64_t *item_ticks(plan *p)
{
    int64_t *tick = arena_array(p->arena, (size_t)p->main.items + 2, sizeof *tick);
    for (int i = 0; i < p->main.items; i++) {
        const plan_item *t = &p->main.item[i];
        tick[i + 1] = tick[i] + (t->phase ? 1 : p->function[t->function].items);
    }
    tick[p->main.items + 1] = tick[p->main.items] + 1;
    return tick;
}

/* Of a call that reads `x` as parameter j: when it does last. What is only a part of its storage cannot be followed by panel. */
static void call_end(const plan_scope *f, int64_t tick, int j, const plan_value *x, plan_interval *i)
{
    const plan_value *v = &f->value[f->graph->parameter[j].value->id];
    const bool by_panel = v->last_by_panel && plan_is_panel_of_base(x);
    const int64_t to = v->last.item < 0 ? tick * PLAN_MOMENTS : moment_to(tick + v->last.item, v->last, by_panel, v->last_in_place);
    if (to < i->to) return;
    i->to = to;
    i->to_panel = by_panel && v->last.item >= 0;
}

/* Of a call: from when on its result j is written. */
static void call_start(const plan_scope *f, int64_t tick, int j, plan_interval *i)
{
    const plan_value *v = f->value[f->graph->result[j].value->id].base;
    i->from = moment_from(tick + v->def.item, v->def, v->def_by_panel);
    i->from_panel = v->def_by_panel;
    i->to = moment_to(tick + v->last.item, v->last, v->last_by_panel, false);
    i->to_panel = v->last_by_panel;
}

/* From the first writing to the last reading inside a scope that starts at this tick. */
static plan_interval interval_of(const plan_value *x, int64_t from_tick, int64_t to_tick)
{
    return (plan_interval){ .from = moment_from(from_tick, x->def, x->def_by_panel),
                            .to = moment_to(to_tick, x->last, x->last_by_panel, x->last_in_place),
                            .from_panel = x->def_by_panel, .to_panel = x->last_by_panel };
}

/* When a value of the main scope lives, calls seen from inside. */
static plan_interval main_interval(plan *p, const int64_t *tick, plan_value *x)
{
    plan_scope *s = &p->main;
    const int first = x->def.item, last = x->last.item;
    plan_interval i = interval_of(x, tick[first], tick[last]);
    if (x->value->def && s->item[first].call) {
        const ir_node *call = s->item[first].call;
        plan_interval made = i;
        for (int j = 0; j < call->outputs; j++)
            if (plan_base(s, call->output[j]) == x) call_start(&p->function[s->item[first].function], tick[first], j, &made);
        if (last == first) return made;
        i.from = made.from;
        i.from_panel = made.from_panel;
    }
    if (last < s->items && s->item[last].call) {
        const ir_node *call = s->item[last].call;
        i.to = tick[last] * PLAN_MOMENTS;
        i.to_panel = false;
        for (int j = 0; j < call->inputs; j++)
            if (plan_base(s, call->input[j]) == x)
                call_end(&p->function[s->item[last].function], tick[last], j, plan_value_of(s, call->input[j]), &i);
    }
    return i;
}

static bool lives_in(const plan_value *x, plan_space space)
{
    return x->value && x->base == x && x->space == space && !x->local && !x->argument_result && x->def.item >= 0;
}

/* The buffers of frame or shared memory: values of the main scope, and those inside functions. */
static void space_buffers(plan *p, const int64_t *tick, plan_space space, plan_buffers *all)
{
    for (int i = 0; i < p->main.values; i++) {
        plan_value *x = &p->main.value[i];
        if (!lives_in(x, space)) continue;
        add_interval(p->arena, add_buffer(all, &p->main, x, x->bytes), main_interval(p, tick, x));
    }
    for (int f = 0; f < p->functions; f++)
        for (int i = 0; i < p->function[f].values; i++) {
            plan_scope *s = &p->function[f];
            plan_value *x = &s->value[i];
            if (!lives_in(x, space)) continue;
            plan_memory_buffer *b = add_buffer(all, s, x, x->bytes);
            for (int c = 0; c < p->main.items; c++)
                if (p->main.item[c].call && p->main.item[c].function == f)
                    add_interval(p->arena, b, interval_of(x, tick[c] + x->def.item, tick[c] + x->last.item));
            if (!b->intervals) all->count--;
        }
}

/* ---- the scratch ---- */

static void place_scratch(plan *p, plan_scope *s, plan_phase *f, int item)
{
    plan_buffers all = { .arena = p->arena, .sequential = true };
    for (int i = 0; i < s->values; i++) {
        plan_value *x = &s->value[i];
        if (!x->value || x->base != x || !x->local || x->def.item != item) continue;
        x->space = SPACE_SCRATCH;
        x->bytes = x->elements / f->rows * f->panel_rows * (int64_t)elem_size(x->value->type.elem);
        add_interval(p->arena, add_buffer(&all, s, x, x->bytes),
                     (plan_interval){ .from = 2 * x->def.step + 1, .to = 2 * x->last.step + (x->last_in_place ? 0 : 1),
                                      .to_in_place = x->last_in_place });
    }
    for (int j = 0; j < f->steps; j++) {
        if (!f->step[j]->scratch_bytes) continue;
        plan_memory_buffer *b = add_buffer(&all, NULL, NULL, f->step[j]->scratch_bytes);
        b->step = f->step[j];
        add_interval(p->arena, b, (plan_interval){ .from = 2 * j, .to = 2 * j + 1 });
    }
    f->scratch_bytes = plan_allocate(&all, &f->scratch_bound);
    for (int i = 0; i < all.count; i++) {
        if (all.item[i].step) all.item[i].step->scratch = all.item[i].address;
        else all.item[i].value->address = all.item[i].address;
    }
    if (f->scratch_bytes > p->scratch_bytes) p->scratch_bytes = f->scratch_bytes;
    if (f->scratch_bound > p->scratch_bound) p->scratch_bound = f->scratch_bound;
}

static void place_scope_scratch(plan *p, plan_scope *s)
{
    for (int i = 0; i < s->items; i++)
        if (s->item[i].phase) place_scratch(p, s, s->item[i].phase, i);
}

/* What functions of the prelude hold inside is shared, too. */
static void share_functions(plan *p)
{
    for (int f = 0; f < p->functions; f++)
        for (int i = 0; p->function[f].shared && i < p->function[f].values; i++)
            if (p->function[f].value[i].space == SPACE_FRAME) p->function[f].value[i].space = SPACE_SHARED;
}

void plan_assign_memory(plan *p)
{
    share_functions(p);
    for (int f = 0; f < p->functions; f++) find_readers(&p->function[f]);
    find_readers(&p->main);
    for (int f = 0; f < p->functions; f++) place_scope_scratch(p, &p->function[f]);
    place_scope_scratch(p, &p->main);

    const int64_t *tick = item_ticks(p);
    plan_buffers shared = { .arena = p->arena }, all = { .arena = p->arena };
    space_buffers(p, tick, SPACE_SHARED, &shared);
    p->shared_bytes = plan_allocate(&shared, &p->shared_bound);
    for (int i = 0; i < shared.count; i++) shared.item[i].value->address = shared.item[i].address;
    space_buffers(p, tick, SPACE_FRAME, &all);
    p->frame_bytes = plan_allocate(&all, &p->frame_bound);
    p->buffers = all.count;
    p->buffer = arena_array(p->arena, (size_t)all.count + 1, sizeof *p->buffer);
    for (int i = 0; i < all.count; i++) {
        const plan_memory_buffer *b = &all.item[i];
        b->value->address = b->address;
        p->buffer[i] = (plan_buffer){ b->scope, b->value, b->address, b->bytes };
    }
}
