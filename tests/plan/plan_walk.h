/* A plan seen as the code that is written from it: which panel of which step reads and writes which float, and where that float lies. It uses the
 * plan's addresses, views and panels as codegen does, and nothing of how the planner came by them. Every value that a step touches is f32; other
 * types occur as constants only. */
#ifndef VITCC_TESTS_PLAN_WALK_H
#define VITCC_TESTS_PLAN_WALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/plan.h"

/* Where a value of the caller lies: a function's parameter or result. key: which value it is, whatever scope asks. */
typedef struct walk_argument { int64_t place; uint64_t key; const ir_value *constant; } walk_argument;

/* One run of a phase: of the main scope, or of a function during one call. Places are floats from the first of one memory: inputs, then the frame,
 * then scratch. */
typedef struct walk_site {
    const plan *plan;
    const plan_scope *scope;
    const plan_phase *phase;
    int call;                             /* 0: the main scope */
    const walk_argument *in, *out;        /* of a function; of the main scope `in` has its parameters */
    int64_t frame, scratch;               /* places of the frame and of the thread's scratch */
} walk_site;

enum { WALK_NOWHERE = -1 };

/* First and last row of panel `p`, as elements of a value with so many. */
static inline int64_t walk_from(const plan_phase *f, int64_t elements, int p)
{
    return plan_panel_row(f, p) * (elements / f->rows);
}

/* Element e of a value, counted in its base. */
static inline int64_t walk_in_base(const plan_value *x, int64_t e)
{
    return x->offset + e / x->row_elements * x->row_stride + e % x->row_elements;
}

static inline uint64_t walk_key(const walk_site *at, const plan_value *base)
{
    return (uint64_t)(uintptr_t)base ^ (uint64_t)at->call << 56;
}

/* Which result of the function lies in this storage. */
static inline int walk_result(const walk_site *at, const plan_value *base)
{
    for (int i = 0; i < at->scope->graph->results; i++)
        if (plan_value_of(at->scope, at->scope->graph->result[i].value)->base == base) return i;
    fail_msg("a value is marked as result that is none");
    return 0;
}

/* The place of element e of x, and whose it is; WALK_NOWHERE for what lies outside the panel's part of the scratch. */
static inline int64_t walk_place(const walk_site *at, const plan_value *x, int64_t e, int panel, uint64_t *key)
{
    const plan_value *base = x->base;
    const int64_t index = walk_in_base(x, e);
    assert_true(index >= 0 && index < base->elements);
    *key = walk_key(at, base);
    if (base->argument_result) {
        const walk_argument *a = &at->out[walk_result(at, base)];
        *key = a->key;
        return a->place + index;
    }
    switch (base->space) {
    case SPACE_ARGUMENT:
        *key = at->in[base->value->index].key;
        return at->in[base->value->index].place + index;
    case SPACE_FRAME:
        assert_int_equal(base->address % PLAN_ALIGN, 0);
        assert_true(base->address >= 0 && base->address + base->bytes <= at->plan->frame_bytes);
        assert_int_equal(base->bytes, base->elements * 4);
        return at->frame + base->address / 4 + index;
    case SPACE_SHARED:   /* behind the frame */
        assert_int_equal(base->address % PLAN_ALIGN, 0);
        assert_true(base->address >= 0 && base->address + base->bytes <= at->plan->shared_bytes);
        return at->frame + at->plan->frame_bytes / 4 + base->address / 4 + index;
    case SPACE_SCRATCH: {
        const int64_t from = walk_from(at->phase, base->elements, panel), end = walk_from(at->phase, base->elements, panel + 1);
        if (index < from || index >= end) return WALK_NOWHERE;
        assert_true(base->address >= 0 && base->address + base->bytes <= at->plan->scratch_bytes && (end - from) * 4 <= base->bytes);
        return at->scratch + base->address / 4 + index - from;
    }
    default: fail_msg("a constant has no place");
    }
    return WALK_NOWHERE;
}

static inline bool walk_is_constant(const plan_value *x)
{
    return x->space == SPACE_CONSTANT;
}

/* Does the step read this input at all? Parts of a concatenation made in place it does not. */
static inline bool walk_reads(const plan_step *t, int i)
{
    const ir_value *v = plan_input(t->node, i);
    if (!v || walk_is_constant(plan_value_of(t->scope, v))) return false;
    return t->node->op != IR_CONCAT || plan_value_of(t->scope, v)->base != plan_value_of(t->scope, t->node->output[0])->base;
}

static inline bool walk_runs(const plan_step *t, int panel)
{
    return !t->once || panel == 0;
}

/* What the panel reads of an input: elements [*from, *end). */
static inline void walk_read_range(const plan_phase *f, const plan_step *t, int i, int panel, int64_t *from, int64_t *end)
{
    const int64_t elements = plan_value_of(t->scope, plan_input(t->node, i))->elements;
    const bool by_panel = t->aligned[i] && !t->once;
    *from = by_panel ? walk_from(f, elements, panel) : 0;
    *end = by_panel ? walk_from(f, elements, panel + 1) : elements;
}

/* Does the panel write element e of output o? */
static inline bool walk_writes(const plan_phase *f, const plan_step *t, int o, int panel, int64_t e)
{
    const plan_value *x = plan_value_of(t->scope, t->node->output[o]);
    if (t->once) {
        if (t->node->op != IR_CONCAT) return panel == 0;
        const int axis = (int)ir_int(t->node, KEY_AXIS, 0);
        int64_t inner = 1, before = 0;
        for (int i = axis + 1; i < x->value->type.rank; i++) inner *= x->shape[i];
        const int64_t along = e / inner % x->shape[axis];
        for (int i = 0; i < t->node->inputs; before += plan_value_of(t->scope, t->node->input[i++])->shape[axis]) {
            const plan_value *part = plan_value_of(t->scope, t->node->input[i]);
            if (along >= before && along < before + part->shape[axis]) return panel == 0 && (walk_is_constant(part) || part->base != x->base);
        }
        return false;
    }
    if (t->columns) {
        const int64_t block = e % x->shape[x->value->type.rank - 1] / PLAN_BLOCK;
        return block >= plan_panel_row(f, panel) && block < plan_panel_row(f, panel + 1);
    }
    if (!t->scattered && o == 0) return e >= walk_from(f, x->elements, panel) && e < walk_from(f, x->elements, panel + 1);
    const int64_t first = plan_panel_row(f, panel), end = plan_panel_row(f, panel + 1);
    const int64_t image = e / (x->elements / x->shape[0]);
    if (x->shape[0] > 1) return image >= first && image < end;
    if (!t->scattered)
        return e / x->shape[3] % x->shape[2] >= first && e / x->shape[3] % x->shape[2] < end;   /* the softmax [B, H, Tq, Tk] of an attention */
    const int64_t key = e % x->shape[3], keys = plan_value_of(t->scope, plan_input(t->node, 0))->shape[1];
    return key < keys ? key >= first && key < end : first == 0;
}

/* The argument that a call of the main scope passes. */
static inline walk_argument walk_pass(const walk_site *main, const ir_value *v)
{
    const plan_value *x = plan_value_of(main->scope, v);
    walk_argument a = { .place = WALK_NOWHERE };
    if (walk_is_constant(x)) {
        a.constant = v;
        return a;
    }
    assert_true(x->row_elements == x->row_stride && x->base->space != SPACE_SCRATCH);
    a.place = walk_place(main, x, 0, 0, &a.key);
    return a;
}

/* Visits every phase in order, those of calls from inside. */
typedef void walk_visit(void *context, const walk_site *at);

static inline void walk_phases(const plan *p, const walk_argument *parameter, int64_t frame, int64_t scratch, walk_visit *visit, void *context)
{
    walk_site main = { .plan = p, .scope = &p->main, .in = parameter, .frame = frame, .scratch = scratch };
    for (int i = 0, calls = 0; i < p->main.items; i++) {
        const plan_item *t = &p->main.item[i];
        if (t->phase) {
            main.phase = t->phase;
            visit(context, &main);
            continue;
        }
        walk_argument in[64], out[64];
        assert_in_range(t->call->inputs, 0, 64);
        for (int j = 0; j < t->call->inputs; j++) in[j] = walk_pass(&main, t->call->input[j]);
        for (int j = 0; j < t->call->outputs; j++) out[j] = walk_pass(&main, t->call->output[j]);
        walk_site inside = { .plan = p, .scope = &p->function[t->function], .call = ++calls, .in = in, .out = out, .frame = frame,
                             .scratch = scratch };
        for (int j = 0; j < inside.scope->items; j++) {
            inside.phase = inside.scope->item[j].phase;
            visit(context, &inside);
        }
    }
}

#endif
