/* The table of passes, in the order of passes.def, and what they write into the report. */
#include "passes.h"

#define PASS(name, summary) bool pass_##name(ir_graph *g, pass_context *c);
#include "passes.def"
#undef PASS

const pass passes[] = {
#define PASS(name, summary) {#name, summary, pass_##name},
#include "passes.def"
#undef PASS
};

const int passes_count = (int)(sizeof passes / sizeof passes[0]);

const char *fusion_name(fusion_kind kind)
{
    static const char *const name[FUSION_KINDS] = {
        [FUSION_ATTENTION] = "attention", [FUSION_MLP] = "mlp", [FUSION_NORM] = "norm", [FUSION_GELU] = "gelu",
    };
    return name[kind];
}

void pass_note(pass_context *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(c->arena, format, args);
    va_end(args);
    pass_report *r = c->report;
    r->note = arena_grow(c->arena, r->note, (size_t)r->notes, sizeof *r->note);
    r->note[r->notes++] = text;
}

void pass_miss(pass_context *c, fusion_kind kind, const ir_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *reason = arena_vprintf(c->arena, format, args);
    va_end(args);
    pass_report *r = c->report;
    r->miss = arena_grow(c->arena, r->miss, (size_t)r->misses, sizeof *r->miss);
    r->miss[r->misses++] = (fusion_miss){kind, arena_strdup(c->arena, ir_describe(n)), reason};
}
