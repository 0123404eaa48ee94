/* What the tests of the planner share: textual IR in, a plan or its error out, and phases as words. */
#ifndef VITCC_TESTS_PLAN_TEST_H
#define VITCC_TESTS_PLAN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "plan/plan.h"

typedef struct plan_test {
    arena *arena;
    diag *diag;
    ir_graph *graph;
    plan *plan;                /* NULL: refused */
} plan_test;

/* Plans the text after the passes named, with blanks between. */
static inline plan_test plan_test_of(const char *text, const char *names, plan_options options)
{
    arena *a = arena_new();
    plan_test t = { .arena = a, .diag = diag_new(a, "test.ir") };
    t.graph = ir_parse(a, text, NULL, NULL, t.diag);
    if (!t.graph || !ir_verify(t.graph, t.diag)) {
        diag_print(t.diag, stderr);
        fail_msg("the text is no valid graph");
    }
    pass_report report = { 0 };
    pass_context c = { a, t.diag, &report };
    char *list = arena_strdup(a, names);
    for (char *name = strtok(list, " "); name; name = strtok(NULL, " "))
        for (int i = 0; i < passes_count; i++)
            if (strcmp(passes[i].name, name) == 0) assert_true(passes[i].run(t.graph, &c) && ir_verify(t.graph, t.diag));
    t.plan = plan_make(a, t.graph, &options, t.diag);
    if (!t.plan) assert_true(diag_errors(t.diag) > 0);
    return t;
}

static inline plan_test plan_test_fine(const char *text, const char *names)
{
    plan_test t = plan_test_of(text, names, (plan_options){ 0 });
    if (!t.plan) diag_print(t.diag, stderr);
    assert_non_null(t.plan);
    return t;
}

static inline void plan_test_free(plan_test *t)
{
    arena_free(t->arena);
}

/* "norm linear | attention linear | call": operators of the steps, phases and calls divided by bars. */
static inline const char *plan_test_words(const plan_test *t, const plan_scope *s)
{
    strbuf b = strbuf_in(t->arena);
    for (int i = 0; i < s->items; i++) {
        const plan_phase *f = s->item[i].phase;
        if (i) strbuf_add(&b, " | ");
        if (!f) strbuf_add(&b, "call");
        for (int j = 0; f && j < f->steps; j++) strbuf_printf(&b, "%s%s", j ? " " : "", ir_op_name(f->step[j]->node->op));
    }
    return b.text;
}

/* The planned value of the n-th node with this operator in the main scope. */
static inline const plan_value *plan_test_value(const plan_test *t, ir_op op, int n)
{
    for (const ir_node *k = t->graph->first; k; k = k->next)
        if (k->op == op && n-- == 0) return plan_value_of(&t->plan->main, k->output[0]);
    fail_msg("there are not so many nodes of %s", ir_op_name(op));
    return NULL;
}

/* The text is refused with this code, and this word is in the message. */
static inline void plan_test_refused(const char *text, status code, const char *word)
{
    plan_test t = plan_test_of(text, "", (plan_options){ 0 });
    if (t.plan) fail_msg("this was to be refused: %s", word);
    assert_int_equal(diag_first(t.diag), code);
    if (!strstr(diag_line(t.diag, 0), word)) fail_msg("'%s' is not in: %s", word, diag_line(t.diag, 0));
    plan_test_free(&t);
}

#endif
