/* What runs in <name>.c: a function for each phase and repeated block, with its pointers and its loop over panels, and the sequence
 * that calls them. */
#include "codegen_private.h"

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

/* "frame + 64", "frame + 64 * images". */
static const char *frame_text(codegen *g, const char *space, int64_t address, bool joint)
{
    return arena_printf(g->arena, "%s + %lld%s", space, (long long)address, address && joint ? " * images" : "");
}

static void print_locals(codegen *g, strbuf *to)
{
    for (int i = 0; i < g->locals.count; i++) {
        const plan_value *x = g->locals.base[i];
        const bool scratch = x->space == SPACE_SCRATCH;
        const char *type = codegen_c_type(x->value->type.elem);
        strbuf_printf(to, "    %s *const %s = (%s *)(%s);   /* %s%s */\n", type, codegen_value_name(g, x->value), type,
                      frame_text(g, scratch ? "scratch" : "frame", x->address, scratch ? g->locals.joint[i] : g->plan->together > 1),
                      codegen_shape(g->arena, x), scratch ? ", a panel of it" : "");
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

static void print_head(codegen *g, strbuf *to, const plan_scope *s, int scope, const char *name)
{
    const char *n = g->options->name;
    strbuf_printf(to, "static void %s(worker *w, const struct %s_model *m, const struct %s *c, unsigned char *frame, unsigned char *scratch%s", name, n,
                  codegen_scope_name(g, scope), g->plan->together > 1 ? ", int64_t images" : "");
    if (!scope) strbuf_printf(to, ", const %s_inputs *in", n);
    else {
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
    print_head(g, to, s, scope, name);
    const char *parameters[6] = { "m", "c", "frame", "scratch" };
    int count = 4;
    if (g->plan->together > 1) parameters[count++] = "images";
    if (!scope) parameters[count++] = "in";
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
    const char *base = frame_text(g, "frame", x->base->address, g->plan->together > 1);
    return with_offset(g, arena_printf(g->arena, "(%s *)(%s)", codegen_c_type(v->type.elem), base), x->offset, 0);
}

static const char *more_images(const codegen *g)
{
    return g->plan->together > 1 ? ", images" : "";
}

static void print_call(codegen *g, strbuf *to, const plan_item *t, int number)
{
    const plan_scope *f = &g->plan->function[t->function];
    const char *name = codegen_scope_name(g, t->function + 1);
    strbuf_printf(to, "    %s_run(w, m, &m->%s[%d], frame, scratch%s", name, name, number, more_images(g));
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT) strbuf_printf(to, ", %s", argument(g, t->call->input[i]));
    for (int i = 0; i < t->call->outputs; i++) strbuf_printf(to, ", %s", argument(g, t->call->output[i]));
    strbuf_add(to, ");\n");
}

static bool all_in_frame(const codegen *g, const plan_item *t)
{
    const plan_scope *f = &g->plan->function[t->function];
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT &&
            plan_value_of(&g->plan->main, t->call->input[i])->base->space == SPACE_ARGUMENT)
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
    strbuf_printf(to, "    static const size_t %s_at[%d][%d] = {   /* where each call reads, then writes: bytes in the frame */\n", name, count,
                  arguments);
    for (int i = 0; i < count; i++) print_offsets(g, to, &t[i]);
    strbuf_printf(to, "    };\n"
                      "    for (int i = 0; i < %d; i++) {\n"
                      "        const size_t *const at = %s_at[i];\n"
                      "        %s_run(w, m, &m->%s[%si], frame, scratch%s", count, name, name, name,
                  number ? arena_printf(g->arena, "%d + ", number) : "", more_images(g));
    const char *times = g->plan->together > 1 ? " * (size_t)images" : "";
    for (int i = 0; i < arguments; i++) strbuf_printf(to, ",%s(%s *)(frame + at[%d]%s)", i % 4 ? " " : "\n            ", type[i], i, times);
    strbuf_add(to, ");\n    }\n");
}

/* "32", or of a length "(in->P + 1) * 32": elements of an output. */
static const char *elements_text(codegen *g, const plan_value *x)
{
    const ir_type *t = &x->value->type;
    const int axis = codegen_length_axis(g, t);
    long long more, rest = 1;
    if (!axis) return arena_printf(g->arena, "%lld", (long long)x->elements);
    codegen_of_length(g, t->dim[axis - 1], &more);
    for (int i = 0; i < t->rank; i++)
        if (i != axis - 1) rest *= (long long)x->shape[i];
    const char *length = arena_printf(g->arena, "in->%s", codegen_length_name(g));
    if (more) length = arena_printf(g->arena, "(%s + %lld)", length, more);
    return arena_printf(g->arena, "(size_t)%s * %lld", length, rest);
}

/* Output i to where the caller wants it; below the outermost axis, the images of a batch lie side by side in each row of the axes above. */
static void print_copy(codegen *g, strbuf *to, int i, const char *name, const char *from, const plan_value *x)
{
    const char *type = codegen_c_type(x->value->type.elem);
    const long long size = x->elements, inner = g->plan->result_inner[i];
    if (!inner || (g->plan->together == 1 && inner == size)) {
        strbuf_printf(to, "        if (i == %d && out->%s) memcpy(out->%s, %s, %s * sizeof(%s));\n", i, name, name, from, elements_text(g, x), type);
        return;
    }
    const long long own = plan_is_of_images(g->plan, &g->plan->main, x->base) ? (long long)x->base->elements : 0LL;
    strbuf_printf(to, "        for (int64_t j = 0; i == %d && out->%s && j < images; j++)", i, name);
    if (inner == size)
        strbuf_printf(to, " memcpy(out->%s + j * %lld, %s + j * %lld, %lld * sizeof(%s));\n", name, size, from, own, size, type);
    else
        strbuf_printf(to, "\n            for (int64_t o = 0; o < %lld; o++)\n"
                          "                memcpy(out->%s + (o * batch + j) * %lld, %s + j * %lld + o * %lld, %lld * sizeof(%s));\n",
                      size / inner, name, inner, from, own, inner, inner, type);
}

static void print_sequence(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    int *number = arena_array(g->arena, (size_t)p->functions + 1, sizeof *number);
    strbuf_printf(to, "/* %s. frame: %lld bytes that %s values share; scratch: %lld bytes of this worker%s. */\n"
                      "static void run_images(worker *w, const struct %s_model *m, unsigned char *frame, unsigned char *scratch, int64_t images, "
                      "int64_t batch, const %s_inputs *in, const %s_outputs *out)\n{\n",
                  p->together > 1 ? arena_printf(g->arena, "One to %d images", p->together) : "One image", (long long)p->frame_bytes,
                  p->together > 1 ? "each image's" : "the image's", (long long)p->scratch_bytes, p->together > 1 ? ", times the images" : "", n, n, n);
    strbuf body = strbuf_in(g->arena);
    for (int i = 0, count; i < p->main.items; i += count) {
        const plan_item *t = &p->main.item[i];
        count = 1;
        if (t->phase) {
            strbuf_printf(&body, "    phase_%d(w, m, &m->constants, frame, scratch%s, in);\n", i + 1, more_images(g));
            continue;
        }
        while (all_in_frame(g, t) && i + count < p->main.items && p->main.item[i + count].call && p->main.item[i + count].function == t->function &&
               all_in_frame(g, &p->main.item[i + count]))
            count++;
        if (count > 1) print_loop(g, &body, t, count, number[t->function]);
        else print_call(g, &body, t, number[t->function]);
        number[t->function] += count;
    }
    const char **name = codegen_port_names(g->arena, p->graph->result, p->graph->results);
    strbuf_printf(&body, "\n    for (int64_t i; team_claim(w, %d, &i);) {\n", p->graph->results);
    for (int i = 0; i < p->graph->results; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->result[i].value);
        const char *from = x->space == SPACE_CONSTANT ? NULL : argument(g, p->graph->result[i].value);
        if (!from)
            from = arena_printf(g->arena, "m->constants.%s",
                                strchr(codegen_weight(g, &p->main, 0, p->graph->result[i].value, LAYOUT_PLAIN, 0, "result"), '>') + 1);
        print_copy(g, &body, i, name[i], from, x);
    }
    strbuf_add(&body, "    }\n    team_barrier(w);\n}\n\n");
    static const char *const parameters[] = { "m", "frame", "scratch", "images", "batch", "in", "out" };
    print_unused(to, body.text, parameters, 7);
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
