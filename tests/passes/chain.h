/* Element-wise chains for the tests of fusing passes, written short: "A=mean(x); d=sub(x,A); y=mul(d,0.5)". One letter a value: x is the parameter,
 * f32[2,3,8]; g, h, k are constants f32[8]; capitals have one element a row, f32[2,3,1]; all else has x's type. mean, sum, meansq reduce the last
 * axis. */
#ifndef VITCC_TESTS_CHAIN_H
#define VITCC_TESTS_CHAIN_H

#include "pass_test.h"

enum { CHAIN_STATEMENTS = 24 };

typedef struct chain_statement { char result, op[12], arg[3][24]; int args; } chain_statement;

static inline int chain_split(const char *text, chain_statement *s)
{
    int count = 0;
    for (const char *p = text; *p; ) {
        while (*p == ' ' || *p == ';') p++;
        if (!*p) break;
        chain_statement *at = &s[count++];
        assert_in_range(count, 1, CHAIN_STATEMENTS);
        *at = (chain_statement){.result = *p++};
        assert_int_equal(*p++, '=');
        for (int n = 0; *p != '('; ) at->op[n++] = *p++;
        for (p++; *p != ')'; p += *p == ',') {
            for (int n = 0; *p != ',' && *p != ')'; ) at->arg[at->args][n++] = *p++;
            at->args++;
        }
        p++;
    }
    return count;
}

static inline bool chain_commutes(const chain_statement *s)
{
    return s->args == 2 && (strcmp(s->op, "add") == 0 || strcmp(s->op, "mul") == 0);
}

static inline const char *chain_type(char name)
{
    if (strchr("ghk", name)) return "f32[8]";
    return isupper((unsigned char)name) ? "f32[2,3,1]" : "f32[2,3,8]";
}

static inline void chain_reduce(strbuf *out, const chain_statement *s)
{
    const char *kind = strcmp(s->op, "meansq") == 0 ? "sumsq" : s->op;
    strbuf_printf(out, "  %%%c: %s = reduce(%%%s) {kind = %s, axes = [2], keep = 1}\n", s->result, chain_type(s->result), s->arg[0], kind);
}

static inline void chain_map(strbuf *out, const chain_statement *s, bool swap, bool constants, int *number)
{
    char list[3][40], input[3][40];
    int inputs = 0;
    for (int i = 0; i < s->args; i++) {
        const char *arg = s->arg[swap ? s->args - 1 - i : i];
        bool value = isalpha((unsigned char)arg[0]);
        if (!value && constants) strbuf_printf(out, "  %%c%d: f32[] = const {bytes = [%s]}\n", *number, arg);
        if (value || constants) {
            if (value) snprintf(input[inputs], sizeof input[0], "%%%s", arg);
            else snprintf(input[inputs], sizeof input[0], "%%c%d", (*number)++);
            snprintf(list[i], sizeof list[0], "in%d", inputs++);
        } else {
            snprintf(list[i], sizeof list[0], "%s", arg);
        }
    }
    strbuf_printf(out, "  %%%c: %s = map(", s->result, chain_type(s->result));
    for (int i = 0; i < inputs; i++) strbuf_printf(out, "%s%s", i ? ", " : "", input[i]);
    strbuf_printf(out, ") {expr = %s(", s->op);
    for (int i = 0; i < s->args; i++) strbuf_printf(out, "%s%s", i ? ", " : "", list[i]);
    strbuf_printf(out, ")}\n");
}

/* The chain as a graph with the results named in `results`. Bit i of `swaps` exchanges the operands of its i-th sum or product; `constants`: numbers
 * are const nodes, else part of the expression. */
static inline const char *chain_text(arena *a, const char *chain, const char *results, unsigned swaps, bool constants)
{
    chain_statement s[CHAIN_STATEMENTS] = {{0}};
    int count = chain_split(chain, s), commuting = 0, number = 0;
    strbuf out = strbuf_in(a);
    strbuf_printf(&out, "graph chain(%%x \"x\": f32[2,3,8], %%z \"z\": f32[2,3,8]) {\n");
    for (const char *v = "ghk"; *v; v++) strbuf_printf(&out, "  %%%c: f32[8] = const {bytes = noise %d 0.5}\n", *v, *v);
    for (int i = 0; i < count; i++) {
        bool reduce = strcmp(s[i].op, "mean") == 0 || strcmp(s[i].op, "sum") == 0 || strcmp(s[i].op, "meansq") == 0;
        bool swap = chain_commutes(&s[i]) && (swaps >> commuting++) % 2;
        if (reduce) chain_reduce(&out, &s[i]);
        else chain_map(&out, &s[i], swap, constants, &number);
    }
    strbuf_printf(&out, "  return");
    for (const char *r = results; *r; r++) strbuf_printf(&out, "%s \"%c\" %%%c", r > results ? "," : "", *r, *r);
    strbuf_printf(&out, "\n}\n");
    return out.text;
}

/* How many orders of operands a chain can be written in, as bits. */
static inline unsigned chain_orders(const char *chain)
{
    chain_statement s[CHAIN_STATEMENTS] = {{0}};
    int count = chain_split(chain, s), commuting = 0;
    for (int i = 0; i < count; i++) commuting += chain_commutes(&s[i]);
    return 1u << commuting;
}

#endif
