/* What runs in <name>.c: a function for each phase and repeated block, with its pointers and its loop over panels, and the sequence
 * that calls them. */
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
static const char *with_offset(codegen *g, const char *base, int64_t offset, int64_t row)
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
    return with_offset(g, codegen_weight(g, s, scope, v, LAYOUT_FLAGS, 0, "table"), 0, row);
}

const char *codegen_pointer(codegen *g, const plan_scope *s, int scope, const plan_phase *f, const ir_value *v, bool by_panel)
{
    const plan_value *x = plan_value_of(s, v);
    const int64_t row = row_elements(x, f);
    if (x->space == SPACE_CONSTANT) return with_offset(g, codegen_weight(g, s, scope, v, LAYOUT_PLAIN, 0, "table"), 0, by_panel ? row : 0);
    const char *base = base_text(g, s, f, x->base);
    const char *text = with_offset(g, base, x->offset, by_panel && x->base->space != SPACE_SCRATCH ? row : 0);
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

/* The output that is made where the caller wants it, which is this storage; -1: none. */
static int output_of(const codegen *g, const plan_value *base)
{
    const plan *p = g->plan;
    for (int i = 0; p->together == 1 && base->space == SPACE_FRAME && i < p->graph->results; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->result[i].value);
        const bool sized = !codegen_length_axis(g, &x->value->type) || ir_producer(x->value, IR_SHRINK);   /* no longer than the run's */
        if (x->base == base && plan_is_whole(x) && !plan_is_interleaved(p, x) && sized) return i;
    }
    return -1;
}

/* A pointer to the first element of a value that is not the caller's, unless it is an output and the caller wants that. */
static const char *storage(codegen *g, const plan_value *base, bool joint)
{
    const int output = output_of(g, base);
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
                      storage(g, x, g->locals.joint[i]), codegen_shape(g->arena, x), x->space == SPACE_SCRATCH ? ", a panel of it" : "");
    }
}

/* Does the C text use this identifier? Comments, which hold names of the model's author, do not count. */
static bool mentions(const char *text, const char *word)
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
    const bool row = mentions(steps.text, "row"), together = mentions(steps.text, "all_rows"), rows = together || mentions(steps.text, "rows");
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
static void print_unused(strbuf *to, const char *body, const char *const *names, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++) {
        if (mentions(body, names[i])) continue;
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

static bool is_output(const codegen *g, const plan_scope *s, const ir_value *v)
{
    return v && output_of(g, plan_value_of(s, v)->base) >= 0;
}

/* Does a phase of the main scope read or write an output's storage? */
static bool touches_output(const codegen *g, const plan_scope *s, const plan_phase *f)
{
    for (int i = 0; i < f->steps; i++) {
        const ir_node *n = f->step[i]->node;
        for (int j = 0; j < n->inputs; j++)
            if (is_output(g, s, plan_input(n, j))) return true;
        for (int j = 0; j < n->outputs; j++)
            if (is_output(g, s, n->output[j])) return true;
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
static const char *const memory_passed[] = {
    [FRAME_ALONE] = "frame, scratch", [SHARED_ALONE] = "shared, scratch", [FRAME_AND_SHARED] = "frame, shared, scratch"
};

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
    const bool outputs = !scope && touches_output(g, s, s->item[from].phase);
    print_head(g, to, s, scope, name, memory, outputs);
    const char *parameters[8] = { "m", "c" };
    int count = 2;
    if (memory != SHARED_ALONE) parameters[count++] = "frame";
    if (memory != FRAME_ALONE) parameters[count++] = "shared";
    parameters[count++] = "scratch";
    if (g->plan->together > 1) parameters[count++] = "images";
    if (!scope) parameters[count++] = "in";
    if (outputs) parameters[count++] = "out";
    const bool kernels = mentions(body.text, "k");
    if (kernels) strbuf_printf(to, "    const struct %s_kernels *const k = m->kernels;\n", g->options->name);
    print_unused(to, arena_printf(g->arena, "%s%s", whole.text, kernels ? " m " : ""), parameters, count);
    if (scope) {
        const char **argument = arena_array(g->arena, (size_t)(s->graph->parameters + s->graph->results) + 1, sizeof *argument);
        int arguments = 0;
        for (int i = 0; i < s->graph->parameters; i++)
            if (plan_value_of(s, s->graph->parameter[i].value)->space == SPACE_ARGUMENT) argument[arguments++] = arena_printf(g->arena, "in%d", i);
        for (int i = 0; i < s->graph->results; i++) argument[arguments++] = arena_printf(g->arena, "out%d", i);
        print_unused(to, whole.text, argument, arguments);
    }
    strbuf_addn(to, declared.text, declared.length);
    strbuf_addn(to, body.text, body.length);
    strbuf_add(to, "}\n\n");
}

/* ---- the sequence ---- */

static int64_t frame_offset(const plan_value *x)
{
    return x->base->address + x->offset * (int64_t)elem_size(x->value->type.elem);
}

static const char *argument(codegen *g, const ir_value *v)
{
    const plan_scope *s = &g->plan->main;
    const plan_value *x = plan_value_of(s, v);
    if (x->base->space == SPACE_ARGUMENT)
        return with_offset(g, arena_printf(g->arena, "in->%s",
                                           codegen_port_names(g->arena, s->graph->parameter, s->graph->parameters)[x->base->value->index]),
                           x->offset, 0);
    const char *text = storage(g, x->base, false);
    return with_offset(g, is_output(g, s, v) ? arena_printf(g->arena, "(%s)", text) : text, x->offset, 0);
}

static const char *more_images(const codegen *g)
{
    return g->plan->together > 1 ? ", images" : "";
}

static void print_call(codegen *g, strbuf *to, const plan_item *t, int number)
{
    const plan_scope *f = &g->plan->function[t->function];
    const char *name = codegen_scope_name(g, t->function + 1);
    strbuf_printf(to, "    %s_run(w, m, &m->%s[%d], %s%s", name, name, number, memory_passed[memory_of(g->plan, f, 0)], more_images(g));
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT) strbuf_printf(to, ", %s", argument(g, t->call->input[i]));
    for (int i = 0; i < t->call->outputs; i++) strbuf_printf(to, ", %s", argument(g, t->call->output[i]));
    strbuf_add(to, ");\n");
}

/* Does the call read and write nothing but the frame, or in the prelude the shared memory? */
static bool all_in_frame(const codegen *g, const plan_item *t)
{
    const plan_scope *f = &g->plan->function[t->function];
    for (int i = 0; i < t->call->inputs + t->call->outputs; i++)
        if (is_output(g, &g->plan->main, i < t->call->inputs ? t->call->input[i] : t->call->output[i - t->call->inputs])) return false;
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT &&
            plan_value_of(&g->plan->main, t->call->input[i])->base->space != (f->shared ? SPACE_SHARED : SPACE_FRAME))
            return false;
    return true;
}

static void print_offsets(codegen *g, strbuf *to, const plan_item *t)
{
    const plan_scope *s = &g->plan->main, *f = &g->plan->function[t->function];
    strbuf_add(to, "        {");
    bool first = true;
    for (int i = 0; i < t->call->inputs + t->call->outputs; i++) {
        const bool input = i < t->call->inputs;
        if (input && plan_value_of(f, f->graph->parameter[i].value)->space != SPACE_ARGUMENT) continue;
        const plan_value *x = plan_value_of(s, input ? t->call->input[i] : t->call->output[i - t->call->inputs]);
        strbuf_printf(to, "%s%lld", first ? " " : ", ", (long long)frame_offset(x));
        first = false;
    }
    strbuf_add(to, " },\n");
}

/* Consecutive calls of one function: a loop over a table of where each reads and writes in the frame. */
static void print_loop(codegen *g, strbuf *to, const plan_item *t, int count, int number)
{
    const plan_scope *f = &g->plan->function[t->function];
    const char *name = codegen_scope_name(g, t->function + 1);
    const char **type = arena_array(g->arena, (size_t)(t->call->inputs + t->call->outputs) + 1, sizeof *type);
    int arguments = 0;
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT)
            type[arguments++] = codegen_c_type(t->call->input[i]->type.elem);
    for (int i = 0; i < t->call->outputs; i++) type[arguments++] = codegen_c_type(t->call->output[i]->type.elem);
    strbuf_printf(to, "    static const size_t %s_at[%d][%d] = {   /* where each call reads, then writes: bytes in %s */\n", name, count, arguments,
                  f->shared ? "the shared memory" : "the frame");
    for (int i = 0; i < count; i++) print_offsets(g, to, &t[i]);
    strbuf_printf(to, "    };\n"
                      "    for (int i = 0; i < %d; i++) {\n"
                      "        const size_t *const at = %s_at[i];\n"
                      "        %s_run(w, m, &m->%s[%si], %s%s", count, name, name, name, number ? arena_printf(g->arena, "%d + ", number) : "",
                  memory_passed[memory_of(g->plan, f, 0)], more_images(g));
    const char *times = g->plan->together > 1 && !f->shared ? " * (size_t)images" : "", *space = f->shared ? "shared" : "frame";
    for (int i = 0; i < arguments; i++) strbuf_printf(to, ",%s(%s *)(%s + at[%d]%s)", i % 4 ? " " : "\n            ", type[i], space, i, times);
    strbuf_add(to, ");\n    }\n");
}

static bool is_gathered(const codegen *g, int input)
{
    return plan_is_interleaved(g->plan, plan_value_of(&g->plan->main, g->plan->graph->parameter[input].value));
}

bool codegen_is_interleaved(const codegen *g)
{
    const plan *p = g->plan;
    for (int i = 0; i < p->graph->parameters; i++)
        if (is_gathered(g, i)) return true;
    for (int i = 0; i < p->graph->results; i++)
        if (plan_is_interleaved(p, plan_value_of(&p->main, p->graph->result[i].value))) return true;
    return false;
}

/* Input or output i of the caller, `port`, from or to where its images lie, `place`: whole, or image by image, which have parts of each place of the
 * axes before the batch's. */
static void print_copy(codegen *g, strbuf *to, int i, const char *port, const char *place, const plan_value *x, bool input)
{
    const int axis = plan_batch_axis(g->plan, x->value);
    const char *type = codegen_c_type(x->value->type.elem);
    const char *size = axis < 0 ? codegen_elements(g, x, "in", 0, x->value->type.rank) : codegen_piece(g, x, "in");
    const char *bytes = arena_printf(g->arena, codegen_length_axis(g, &x->value->type) ? "(size_t)(%s) * sizeof(%s)" : "%s * sizeof(%s)", size, type);
    const bool apart = plan_is_interleaved(g->plan, x), many = g->plan->together > 1 && axis >= 0;
    if (!apart && !many) {
        strbuf_printf(to, "        if (i == %d && %s) memcpy(%s, %s, %s);\n", i, port, port, place, bytes);
        return;
    }
    const bool own = plan_is_of_images(g->plan, &g->plan->main, x->base);
    const char *image = many ? arena_printf(g->arena, "%s + j * %lld", place, own ? (long long)x->base->elements : 0LL) : place;
    if (many) strbuf_printf(to, "        for (int64_t j = 0; i == %d && %s && j < images; j++)%s", i, port, apart ? "\n    " : "");
    if (!apart) {
        strbuf_printf(to, " memcpy(%s + j * %s, %s, %s);\n", port, size, image, bytes);
        return;
    }
    const char *times = strcmp(size, "1") ? arena_printf(g->arena, " * %s", size) : "";
    const char *outside = arena_printf(g->arena, "%s + (r * batch%s)%s", port, many ? " + j" : "", times);
    const char *own_part = arena_printf(g->arena, "%s + r%s", image, times);
    strbuf_printf(to, "        for (int64_t r = 0; %sr < %s; r++) memcpy(%s, %s, %s);\n", many ? "" : arena_printf(g->arena, "i == %d && %s && ", i, port),
                  codegen_pieces(g, x, "in"), input ? own_part : outside, input ? outside : own_part, bytes);
}

bool codegen_has_prelude(const codegen *g)
{
    const plan *p = g->plan;
    for (int i = 0; p->batch_symbol >= 0 && i < p->graph->results; i++)
        if (plan_batch_axis(p, p->graph->result[i].value) < 0) return true;
    return p->prelude > 0;
}

/* The calls of items [from, end); *number: how often each function has been called. */
static void print_items(codegen *g, strbuf *to, int from, int end, int *number)
{
    const plan *p = g->plan;
    for (int i = from, count; i < end; i += count) {
        const plan_item *t = &p->main.item[i];
        count = 1;
        if (t->phase) {
            strbuf_printf(to, "    phase_%d(w, m, &m->constants, %s%s, in%s);\n", i + 1, memory_passed[memory_of(p, &p->main, i)], more_images(g),
                          touches_output(g, &p->main, t->phase) ? ", out" : "");
            continue;
        }
        while (all_in_frame(g, t) && i + count < end && p->main.item[i + count].call && p->main.item[i + count].function == t->function &&
               all_in_frame(g, &p->main.item[i + count]))
            count++;
        if (count > 1) print_loop(g, to, t, count, number[t->function]);
        else print_call(g, to, t, number[t->function]);
        number[t->function] += count;
    }
}

/* Copies the outputs that have images, or those that have none, or all, but those that were made in place. */
static void print_copies(codegen *g, strbuf *to, bool images, bool none)
{
    const plan *p = g->plan;
    const char **name = codegen_port_names(g->arena, p->graph->result, p->graph->results);
    int *output = arena_array(g->arena, (size_t)p->graph->results + 1, sizeof *output), outputs = 0;
    for (int i = 0; i < p->graph->results; i++)
        if ((plan_batch_axis(p, p->graph->result[i].value) < 0 ? none : images) &&
            output_of(g, plan_value_of(&p->main, p->graph->result[i].value)->base) != i)
            output[outputs++] = i;
    if (!outputs) return;
    strbuf_printf(to, "\n    for (int64_t i; team_claim(w, %d, &i);) {\n", outputs);
    for (int i = 0; i < outputs; i++) {
        const ir_value *v = p->graph->result[output[i]].value;
        const plan_value *x = plan_value_of(&p->main, v);
        const char *from = x->space == SPACE_CONSTANT ? NULL : argument(g, v);
        if (!from)
            from = arena_printf(g->arena, "m->constants.%s", strchr(codegen_weight(g, &p->main, 0, v, LAYOUT_PLAIN, 0, "result"), '>') + 1);
        print_copy(g, to, i, arena_printf(g->arena, "out->%s", name[output[i]]), from, x, false);
    }
    strbuf_add(to, "    }\n    team_barrier(w);\n");
}

/* Gathers the inputs whose images lie in between one another. */
static void print_gathers(codegen *g, strbuf *to)
{
    const ir_graph *graph = g->plan->graph;
    const char **name = codegen_port_names(g->arena, graph->parameter, graph->parameters);
    strbuf copies = strbuf_in(g->arena);
    int inputs = 0;
    for (int i = 0; i < graph->parameters; i++) {
        const ir_value *v = graph->parameter[i].value;
        if (is_gathered(g, i)) print_copy(g, &copies, inputs++, arena_printf(g->arena, "in->%s", name[i]), argument(g, v), plan_value_of(&g->plan->main, v), true);
    }
    if (inputs) strbuf_printf(to, "    for (int64_t i; team_claim(w, %d, &i);) {\n%s    }\n    team_barrier(w);\n\n", inputs, copies.text);
}

/* What is computed once a run, for all its images. */
static void print_prelude(codegen *g, strbuf *to, int *number)
{
    const char *n = g->options->name;
    strbuf_printf(to, "/* Once a run: what no image has a part in. shared: %lld bytes of all threads; scratch: of this worker. */\n"
                      "static void run_prelude(worker *w, const struct %s_model *m, unsigned char *shared, unsigned char *scratch, const %s_inputs *in, "
                      "const %s_outputs *out)\n{\n", (long long)g->plan->shared_bytes, n, n, n);
    strbuf body = strbuf_in(g->arena);
    print_items(g, &body, 0, g->plan->prelude, number);
    print_copies(g, &body, false, true);
    const bool images = g->plan->together > 1 && mentions(body.text, "images");
    static const char *const parameters[] = { "m", "shared", "scratch", "in", "out" };
    print_unused(to, body.text, parameters, 5);
    if (images) strbuf_add(to, "    const int64_t images = 1;\n");
    strbuf_addn(to, body.text, body.length);
    strbuf_add(to, "}\n\n");
}

static void print_sequence(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    const bool prelude = codegen_has_prelude(g);
    int *number = arena_array(g->arena, (size_t)p->functions + 1, sizeof *number);
    if (prelude) print_prelude(g, to, number);
    strbuf_printf(to, "/* %s. frame: %lld bytes that %s values share; %sscratch: %lld bytes of this worker%s. */\n"
                      "static void run_images(worker *w, const struct %s_model *m, unsigned char *frame, unsigned char *scratch, int64_t images, "
                      "const %s_inputs *in, const %s_outputs *out%s%s)\n{\n",
                  p->together > 1 ? arena_printf(g->arena, "One to %d images", p->together) : "One image", (long long)p->frame_bytes,
                  p->together > 1 ? "each image's" : "the image's", p->prelude ? "shared: what run_prelude made; " : "", (long long)p->scratch_bytes,
                  p->together > 1 ? ", times the images" : "", n, n, n, p->prelude ? ", unsigned char *shared" : "",
                  codegen_is_interleaved(g) ? ", int64_t batch" : "");
    strbuf body = strbuf_in(g->arena);
    print_gathers(g, &body);
    print_items(g, &body, p->prelude, p->main.items, number);
    print_copies(g, &body, true, !prelude);
    strbuf_add(&body, "}\n\n");
    static const char *const parameters[] = { "m", "frame", "scratch", "images", "in", "out", "shared" };
    print_unused(to, body.text, parameters, p->prelude ? 7 : 6);
    strbuf_addn(to, body.text, body.length);
}

void codegen_functions(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    for (int f = 0; f < p->functions; f++)
        if (codegen_calls(g, f + 1))
            print_function(g, to, &p->function[f], f + 1, arena_printf(g->arena, "%s_run", codegen_scope_name(g, f + 1)), 0, p->function[f].items);
    for (int i = 0; i < p->main.items; i++)
        if (p->main.item[i].phase) print_function(g, to, &p->main, 0, arena_printf(g->arena, "phase_%d", i + 1), i, i + 1);
    print_sequence(g, to);
}
