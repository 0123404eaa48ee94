/* What the tests of passes share: textual IR in, some passes, textual IR out; and the graph's results on random inputs, equal before and after. */
#ifndef VITCC_TESTS_PASS_TEST_H
#define VITCC_TESTS_PASS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"
#include "passes/passes.h"

typedef struct pass_test {
    arena *arena;
    diag *diag;
    ir_graph *g;               /* after the passes */
    pass_report report;
} pass_test;

enum { PASS_TEST_BATCH = 2, PASS_TEST_PORTS = 16 };

static inline ir_graph *pass_test_parse(pass_test *t, const char *text)
{
    ir_graph *g = ir_parse(t->arena, text, NULL, NULL, t->diag);
    if (!g || !ir_verify(g, t->diag)) {
        diag_print(t->diag, stderr);
        fail_msg("the text is no valid graph");
    }
    return g;
}

static inline void pass_test_run(pass_test *t, const char *name)
{
    for (int i = 0; i < passes_count; i++) {
        if (strcmp(passes[i].name, name) != 0) continue;
        pass_context c = {t->arena, t->diag, &t->report};
        bool fine = passes[i].run(t->g, &c) && ir_verify(t->g, t->diag) && diag_errors(t->diag) == 0;
        if (fine) return;
        diag_print(t->diag, stderr);
        fail_msg("pass %s failed, or left an invalid graph", name);
    }
    fail_msg("there is no pass %s", name);
}

/* ---- results ---- */

/* Parameter i of g: floats in (-1, 1), integers 0 or 1, bools; the same for equal `seed`. */
static inline void pass_test_fill(const ir_graph *g, int i, uint64_t seed, eval_tensor *x)
{
    int64_t symbol[8];
    for (int k = 0; k < 8; k++) symbol[k] = PASS_TEST_BATCH;
    const ir_type *type = &g->parameter[i].value->type;
    *x = (eval_tensor){.elem = type->elem, .rank = type->rank, .elements = 1};
    for (int k = 0; k < type->rank; k++) x->elements *= x->shape[k] = dim_evaluate(type->dim[k], symbol);
    size_t size = eval_size(EVAL_DOUBLE, type->elem);
    unsigned char *data = calloc((size_t)x->elements + 1, size);
    uint64_t state = seed + (uint64_t)i * 977 + 1;
    for (int64_t k = 0; k < x->elements; k++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double number = (double)(state >> 11) / 4503599627370496.0 - 1;
        if (elem_is_float(type->elem)) memcpy(data + (size_t)k * size, &number, size);
        else data[(size_t)k * size] = number > -0.4;
    }
    x->data = data;
}

static inline void pass_test_evaluate(pass_test *t, const ir_graph *g, eval_tensor *output)
{
    eval_tensor input[PASS_TEST_PORTS];
    assert_in_range(g->parameters, 0, PASS_TEST_PORTS);
    for (int i = 0; i < g->parameters; i++) pass_test_fill(g, i, 11, &input[i]);
    status s = eval_run(g, EVAL_DOUBLE, input, output, NULL, NULL, t->diag);
    if (s != STATUS_OK) diag_print(t->diag, stderr);
    assert_int_equal(s, STATUS_OK);
    for (int i = 0; i < g->parameters; i++) free(input[i].data);
}

static inline void pass_test_compare(const eval_tensor *a, const eval_tensor *b, double tolerance)
{
    assert_int_equal(a->elem, b->elem);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
    for (int64_t i = 0; i < a->elements; i++) {
        if (!elem_is_float(a->elem)) {
            assert_int_equal(eval_integer(EVAL_DOUBLE, a, i), eval_integer(EVAL_DOUBLE, b, i));
            continue;
        }
        double x = eval_number(EVAL_DOUBLE, a, i), y = eval_number(EVAL_DOUBLE, b, i);
        if (x == y || (isnan(x) && isnan(y))) continue;
        if (!(fabs(x - y) <= tolerance * fmax(1, fabs(x)))) fail_msg("element %lld: %.17g before, %.17g after", (long long)i, x, y);
    }
}

/* Both graphs give the same results. */
static inline void pass_test_same(pass_test *t, const ir_graph *before, const ir_graph *after, double tolerance)
{
    eval_tensor a[PASS_TEST_PORTS], b[PASS_TEST_PORTS];
    assert_int_equal(before->results, after->results);
    assert_in_range(before->results, 1, PASS_TEST_PORTS);
    pass_test_evaluate(t, before, a);
    pass_test_evaluate(t, after, b);
    for (int i = 0; i < before->results; i++) {
        pass_test_compare(&a[i], &b[i], tolerance);
        eval_free(&a[i]);
        eval_free(&b[i]);
    }
}

/* ---- running and comparing ---- */

/* Runs the passes named in `names`, with blanks between; the results must stay equal within 1e-9, or `tolerance` where it is larger. */
static inline pass_test *pass_test_within(const char *text, const char *names, double tolerance)
{
    arena *a = arena_new();
    pass_test *t = arena_alloc(a, sizeof *t);
    *t = (pass_test){.arena = a, .diag = diag_new(a, "test.ir")};
    ir_graph *before = pass_test_parse(t, text);
    t->g = pass_test_parse(t, text);
    char *list = arena_strdup(a, names);
    for (char *name = strtok(list, " "); name; name = strtok(NULL, " ")) pass_test_run(t, name);
    pass_test_same(t, before, t->g, tolerance);
    return t;
}

static inline pass_test *pass_test_new(const char *text, const char *names)
{
    return pass_test_within(text, names, 1e-9);
}

static inline void pass_test_free(pass_test *t)
{
    arena_free(t->arena);
}

/* Text with values numbered in the order in which they appear, and without origins. */
static inline const char *pass_test_canonical(arena *a, const ir_graph *g)
{
    strbuf raw = strbuf_in(a), out = strbuf_in(a);
    ir_print(g, &raw);
    const char *name[512];
    size_t length[512];
    int names = 0;
    bool quoted = false;
    for (const char *p = raw.text; *p;) {
        if (*p == '"') quoted = !quoted;
        if (!quoted && *p == '#') {
            while (*p && *p != '\n') p++;
            while (out.length > 0 && out.text[out.length - 1] == ' ') out.text[--out.length] = 0;
        } else if (!quoted && *p == '%' && (isalnum((unsigned char)p[1]) || p[1] == '_')) {
            size_t n = 1;
            while (isalnum((unsigned char)p[n]) || p[n] == '_') n++;
            int k = 0;
            while (k < names && (length[k] != n || memcmp(name[k], p, n) != 0)) k++;
            if (k == names) {
                assert_in_range(names, 0, 511);
                name[names] = p;
                length[names++] = n;
            }
            strbuf_printf(&out, "%%%d", k);
            p += n;
        } else {
            strbuf_addn(&out, p++, 1);
        }
    }
    return out.text;
}

/* The graph equals this text, up to the values' numbers and origins. */
static inline void pass_test_expect(pass_test *t, const char *text)
{
    const char *expected = pass_test_canonical(t->arena, pass_test_parse(t, text)), *got = pass_test_canonical(t->arena, t->g);
    assert_string_equal(got, expected);
}

/* One case: text, passes, text. */
static inline void pass_test_check(const char *text, const char *names, const char *expected)
{
    pass_test *t = pass_test_new(text, names);
    pass_test_expect(t, expected);
    pass_test_free(t);
}

/* ---- looking ---- */

static inline int pass_test_count(const pass_test *t, ir_op op)
{
    int count = 0;
    for (const ir_node *n = t->g->first; n; n = n->next) count += n->op == op;
    return count;
}

/* The passes leave `count` nodes with the operator. */
static inline void pass_test_leaves(const char *text, const char *names, ir_op op, int count)
{
    pass_test *t = pass_test_new(text, names);
    assert_int_equal(pass_test_count(t, op), count);
    pass_test_free(t);
}

/* The first node with the operator; fails if there is none. */
static inline const ir_node *pass_test_find(const pass_test *t, ir_op op)
{
    for (const ir_node *n = t->g->first; n; n = n->next)
        if (n->op == op) return n;
    fail_msg("no node is a %s", ir_op_name(op));
    return NULL;
}

#endif
