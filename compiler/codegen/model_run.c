/* What runs in <name>.c: a function for each phase and repeated block, with its pointers and its loop over panels. */
#include "codegen_private.h"
#include "codegen_steps.h"

#include <ctype.h>
#include <string.h>

int codegen_calls(const codegen *g, int scope)
{
    const plan *p = g->plan;
    int n = 0;
    for (int i = 0; scope && i < p->main.items; i++) n += p->main.item[i].call && p->main.item[i].function == scope - 1;
    return scope ? n : 1;
}

/* ---- phases ---- */

static void need_local(codegen *g, const plan_value *base, const plan_phase *f)
{
    codegen_locals *l = &g->locals;
    for (int i = 0; i < l->count; i++)
        if (l->base[i] == base) return;
    l->base = arena_grow(g->arena, l->base, (size_t)l->count, sizeof *l->base);
    l->joint = arena_grow(g->arena, l->joint, (size_t)l->count, sizeof *l->joint);
    l->joint[l->count] = f->joint;
    l->base[l->count++] = base;
}

static const char *base_text(codegen *g, const plan_scope *s, const plan_phase *f, const plan_value *base)
{
    if (base->argument_result) {
        for (int i = 0; i < s->graph->results; i++)
            if (plan_value_of(s, s->graph->result[i].value)->base == base) return arena_printf(g->arena, "out%d", i);
    }
    if (base->space != SPACE_ARGUMENT) {
        need_local(g, base, f);
        return codegen_value_name(g, base->value);
    }
    if (s->is_function) return arena_printf(g->arena, "in%d", base->value->index);
    return arena_printf(g->arena, "in->%s", codegen_port_names(g->arena, s->graph->parameter, s->graph->parameters)[base->value->index]);
}

const char *codegen_weight(codegen *g, const plan_scope *s, int scope, const ir_value *v, plan_layout layout, int block, const char *name)
{
    (void)s;
    const int before = g->plan->fields[scope].count;
    const char *unique = arena_printf(g->arena, "%s%d", name, before);
    const int i = plan_field_of(g->plan, scope, v, layout, block, unique);
    return arena_printf(g->arena, "c->%s", g->plan->fields[scope].field[i].name);
}

/* base + offset + row * elements of a row, leaving out what is zero. */
const char *codegen_with_offset(codegen *g, const char *base, int64_t offset, int64_t row)
{
    const char *text = base;
    if (offset) text = arena_printf(g->arena, "%s + %lld", text, (long long)offset);
    if (row) text = row == 1 ? arena_printf(g->arena, "%s + row", text) : arena_printf(g->arena, "%s + row * %lld", text, (long long)row);
    return text;
}

/* Elements of v from one row of the phase to the next. */
static int64_t row_elements(const plan_value *x, const plan_phase *f)
{
    const int64_t runs = x->row_elements && x->row_elements != x->row_stride ? x->elements / x->row_elements : 0;
    return runs ? runs / f->rows * x->row_stride : x->elements / f->rows;
}

const char *codegen_flags(codegen *g, const plan_scope *s, int scope, const plan_phase *f, const ir_value *v, bool by_panel)
{
    const int64_t row = by_panel ? row_elements(plan_value_of(s, v), f) : 0;
    return codegen_with_offset(g, codegen_weight(g, s, scope, v, LAYOUT_FLAGS, 0, "table"), 0, row);
}

const char *codegen_pointer(codegen *g, const plan_scope *s, int scope, const plan_phase *f, const ir_value *v, bool by_panel)
{
    const plan_value *x = plan_value_of(s, v);
    const int64_t row = row_elements(x, f);
    if (x->space == SPACE_CONSTANT) return codegen_with_offset(g, codegen_weight(g, s, scope, v, LAYOUT_PLAIN, 0, "table"), 0, by_panel ? row : 0);
    const char *base = base_text(g, s, f, x->base);
    const char *text = codegen_with_offset(g, base, x->offset, by_panel && x->base->space != SPACE_SCRATCH ? row : 0);
    const bool own = plan_is_of_images(g->plan, s, x->base) && (x->base->space != SPACE_SCRATCH || f->joint);
    if (!g->each || !own) return text;
    return arena_printf(g->arena, "%s + i * %lld", text, (long long)x->base->elements);
}

const char *codegen_scratch(codegen *g, const plan_phase *f, int64_t offset)
{
    return arena_printf(g->arena, "(float *)(scratch + %lld%s)", (long long)offset, offset && f->joint ? " * images" : "");
}

/* Where a value that is not the caller's lies. joint: the phase's images are one panel. */
static const char *place_text(codegen *g, const plan_value *base, bool joint)
{
    const bool many = base->space == SPACE_SCRATCH ? joint : base->space == SPACE_FRAME && g->plan->together > 1;
    const char *space = base->space == SPACE_SCRATCH ? "scratch" : base->space == SPACE_FRAME ? "frame" : "shared";
    return arena_printf(g->arena, "%s + %lld%s", space, (long long)base->address, base->address && many ? " * images" : "");
}

int codegen_output_of(const codegen *g, const plan_value *base)
{
    const plan *p = g->plan;
    for (int i = 0; p->together == 1 && base->space == SPACE_FRAME && i < p->graph->results; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->result[i].value);
        const bool sized = !codegen_length_axis(g, &x->value->type) || ir_producer(x->value, IR_SHRINK);   /* no longer than the run's */
        if (x->base == base && plan_is_whole(x) && !plan_is_interleaved(p, x) && sized) return i;
    }
    return -1;
}

const char *codegen_storage(codegen *g, const plan_value *base, bool joint)
{
    const int output = codegen_output_of(g, base);
    const char *own = arena_printf(g->arena, "(%s *)(%s)", codegen_c_type(base->value->type.elem), place_text(g, base, joint));
    if (output < 0) return own;
    const char *name = codegen_port_names(g->arena, g->plan->graph->result, g->plan->graph->results)[output];
    return arena_printf(g->arena, "out->%s ? out->%s : %s", name, name, own);
}

static void print_locals(codegen *g, strbuf *to)
{
    for (int i = 0; i < g->locals.count; i++) {
        const plan_value *x = g->locals.base[i];
        strbuf_printf(to, "    %s *const %s = %s;   /* %s%s */\n", codegen_c_type(x->value->type.elem), codegen_value_name(g, x->value),
                      codegen_storage(g, x, g->locals.joint[i]), codegen_shape(g->arena, x), x->space == SPACE_SCRATCH ? ", a panel of it" : "");
    }
}

bool codegen_mentions(const char *text, const char *word)
{
    const size_t length = strlen(word);
    bool inside = false;   /* an identifier */
    char before = 0, earlier = 0;
    for (const char *at = text; *at; at++) {
        const char *const end = !strncmp(at, "/*", 2) ? strstr(at + 2, "*/") : NULL;
        if (end) at = end + 1;
        else if (!inside && !strncmp(at, word, length) && !(isalnum((unsigned char)at[length]) || at[length] == '_')) {
            if (before != '.' && !(before == '>' && earlier == '-')) return true;   /* no field of that name */
        }
        inside = isalnum((unsigned char)*at) || *at == '_';
        earlier = before;
        before = *at;
    }
    return false;
}

/* The loop over the panels of one phase. */
static void print_phase_body(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f)
{
    const long long all = f->all_once ? 1 : f->rows;
    const int panels = f->all_once ? 1 : f->tiles;
    strbuf steps = strbuf_in(g->arena);
    for (int i = 0; i < f->steps; i++) {
        codegen_step(g, &steps, s, scope, f, f->step[i]);
        codegen_trace_step(g, &steps, s, scope, f, f->step[i], panels > 1);
    }
    const bool row = codegen_mentions(steps.text, "row"), together = codegen_mentions(steps.text, "all_rows"), rows = together || codegen_mentions(steps.text, "rows");
    const bool apart = g->plan->together > 1 && !f->joint;
    if (apart) strbuf_add(to, "    for (int64_t i = 0; i < images; i++) {\n");
    if (panels > 1)
        strbuf_printf(to, "    for (panel p; team_claim_rows(w, %lld, %d, %d, &p);) {   /* %lld rows in %d to %d panels */\n", all, f->tiles,
                      f->panels, all, f->panels, f->tiles);
    else strbuf_add(to, "    for (int64_t p; team_claim(w, 1, &p);) {\n");
    const char *from = panels > 1 ? "p.row" : "0";
    const char *count = panels > 1 ? "p.rows" : arena_printf(g->arena, "%lld", all);
    if (row && rows) strbuf_printf(to, "        const int64_t row = %s, rows = %s;\n", from, count);
    else if (row) strbuf_printf(to, "        const int64_t row = %s;\n", from);
    else if (rows) strbuf_printf(to, "        const int64_t rows = %s;\n", count);
    if (together) strbuf_add(to, "        const int64_t all_rows = rows * images;\n");
    strbuf_addn(to, steps.text, steps.length);
    strbuf_printf(to, "    }\n    team_barrier(w);\n%s", apart ? "    }\n" : "");
    codegen_trace_phase(g, to, s, scope, f);
}

/* "(void)c, (void)scratch;": the parameters that the body does not use. */
void codegen_print_unused(strbuf *to, const char *body, const char *const *names, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++) {
        if (codegen_mentions(body, names[i])) continue;
        strbuf_printf(to, "%s(void)%s", any ? ", " : "    ", names[i]);
        any = true;
    }
    if (any) strbuf_add(to, ";\n");
}

static bool reads_shared(const plan_scope *s, const plan_phase *f)
{
    for (int i = 0; i < f->steps; i++)
        for (int j = 0; j < f->step[i]->node->inputs; j++) {
            const plan_value *x = plan_value_of(s, plan_input(f->step[i]->node, j));
            if (x && x->base->space == SPACE_SHARED) return true;
        }
    return false;
}

bool codegen_is_output(const codegen *g, const plan_scope *s, const ir_value *v)
{
    return v && codegen_output_of(g, plan_value_of(s, v)->base) >= 0;
}

bool codegen_touches_output(const codegen *g, const plan_scope *s, const plan_phase *f)
{
    for (int i = 0; i < f->steps; i++) {
        const ir_node *n = f->step[i]->node;
        for (int j = 0; j < n->inputs; j++)
            if (codegen_is_output(g, s, plan_input(n, j))) return true;
        for (int j = 0; j < n->outputs; j++)
            if (codegen_is_output(g, s, n->output[j])) return true;
    }
    return false;
}

/* Which memory a function is handed: in the prelude there is no frame; what all images share, some of the main scope's phases read. */
enum { FRAME_ALONE, SHARED_ALONE, FRAME_AND_SHARED };

static int memory_of(const plan *p, const plan_scope *s, int item)
{
    if (s->is_function ? s->shared : item < p->prelude) return SHARED_ALONE;
    return !s->is_function && reads_shared(s, s->item[item].phase) ? FRAME_AND_SHARED : FRAME_ALONE;
}

static const char *const memory_declared[] = {
    [FRAME_ALONE] = "unsigned char *frame, unsigned char *scratch", [SHARED_ALONE] = "unsigned char *shared, unsigned char *scratch",
    [FRAME_AND_SHARED] = "unsigned char *frame, unsigned char *shared, unsigned char *scratch"
};

const char *codegen_memory_passed(const plan *p, const plan_scope *s, int item)
{
    static const char *const memory_passed[] = {
        [FRAME_ALONE] = "frame, scratch", [SHARED_ALONE] = "shared, scratch", [FRAME_AND_SHARED] = "frame, shared, scratch"
    };
    return memory_passed[memory_of(p, s, item)];
}

static void print_head(codegen *g, strbuf *to, const plan_scope *s, int scope, const char *name, int memory, bool outputs)
{
    const char *n = g->options->name;
    strbuf_printf(to, "static void %s(worker *w, const struct %s_model *m, const struct %s *c, %s%s", name, n, codegen_scope_name(g, scope),
                  memory_declared[memory], g->plan->together > 1 ? ", int64_t images" : "");
    if (!scope) strbuf_printf(to, ", const %s_inputs *in", n);
    if (outputs) strbuf_printf(to, ", const %s_outputs *out", n);
    if (scope) {
        for (int i = 0; i < s->graph->parameters; i++) {
            const plan_value *x = plan_value_of(s, s->graph->parameter[i].value);
            if (x->space != SPACE_ARGUMENT) continue;
            strbuf_printf(to, ",\n    const %s *in%d /* %s */", codegen_c_type(x->value->type.elem), i, codegen_shape(g->arena, x));
        }
        for (int i = 0; i < s->graph->results; i++) {
            const ir_value *v = s->graph->result[i].value;
            strbuf_printf(to, ",\n    %s *out%d /* %s */", codegen_c_type(v->type.elem), i, codegen_shape(g->arena, plan_value_of(s, v)));
        }
    }
    strbuf_add(to, ")\n{\n");
}

static void print_function(codegen *g, strbuf *to, const plan_scope *s, int scope, const char *name, int from, int end)
{
    g->locals = (codegen_locals){ 0 };
    strbuf body = strbuf_in(g->arena);
    for (int i = from; i < end; i++) print_phase_body(g, &body, s, scope, s->item[i].phase);
    strbuf declared = strbuf_in(g->arena), whole = strbuf_in(g->arena);
    print_locals(g, &declared);
    strbuf_printf(&whole, "%s%s", declared.text, body.text);
    const int memory = memory_of(g->plan, s, from);
    const bool outputs = !scope && codegen_touches_output(g, s, s->item[from].phase);
    print_head(g, to, s, scope, name, memory, outputs);
    const char *parameters[8] = { "m", "c" };
    int count = 2;
    if (memory != SHARED_ALONE) parameters[count++] = "frame";
    if (memory != FRAME_ALONE) parameters[count++] = "shared";
    parameters[count++] = "scratch";
    if (g->plan->together > 1) parameters[count++] = "images";
    if (!scope) parameters[count++] = "in";
    if (outputs) parameters[count++] = "out";
    const bool kernels = codegen_mentions(body.text, "k");
    if (kernels) strbuf_printf(to, "    const struct %s_kernels *const k = m->kernels;\n", g->options->name);
    codegen_print_unused(to, arena_printf(g->arena, "%s%s", whole.text, kernels ? " m " : ""), parameters, count);
    if (scope) {
        const char **argument = arena_array(g->arena, (size_t)(s->graph->parameters + s->graph->results) + 1, sizeof *argument);
        int arguments = 0;
        for (int i = 0; i < s->graph->parameters; i++)
            if (plan_value_of(s, s->graph->parameter[i].value)->space == SPACE_ARGUMENT) argument[arguments++] = arena_printf(g->arena, "in%d", i);
        for (int i = 0; i < s->graph->results; i++) argument[arguments++] = arena_printf(g->arena, "out%d", i);
        codegen_print_unused(to, whole.text, argument, arguments);
    }
    strbuf_addn(to, declared.text, declared.length);
    strbuf_addn(to, body.text, body.length);
    strbuf_add(to, "}\n\n");
}

void codegen_functions(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    for (int f = 0; f < p->functions; f++)
        if (codegen_calls(g, f + 1))
            print_function(g, to, &p->function[f], f + 1, arena_printf(g->arena, "%s_run", codegen_scope_name(g, f + 1)), 0, p->function[f].items);
    for (int i = 0; i < p->main.items; i++)
        if (p->main.item[i].phase) print_function(g, to, &p->main, 0, arena_printf(g->arena, "phase_%d", i + 1), i, i + 1);
    codegen_sequence(g, to);
}
