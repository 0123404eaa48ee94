/* <name>.c: the model itself. One function a phase or repeated block, the sequence that runs them, and the public functions. */
#include "codegen_private.h"

#include <ctype.h>
#include <string.h>

/* ---- structs: fields of weights ---- */

const char *codegen_scope_name(const codegen *g, int scope)
{
    return scope ? codegen_identifier(g->arena, g->plan->function[scope - 1].graph->name) : "constants";
}

static int calls_of(const plan *p, int function)
{
    int n = 0;
    for (int i = 0; i < p->main.items; i++) n += p->main.item[i].call && p->main.item[i].function == function;
    return n;
}

static void print_structs(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    for (int s = 0; s <= p->functions; s++) {
        const plan_scope *scope = s ? &p->function[s - 1] : &p->main;
        if (s && !calls_of(p, s - 1)) continue;
        if (s) strbuf_printf(to, "/* What one call of %s reads. Packed: [N/block][K][block], as the matrix kernels take them. */\nstruct %s {\n", codegen_scope_name(g, s), codegen_scope_name(g, s));
        else strbuf_add(to, "/* The constants that are read outside the repeated blocks. */\nstruct constants {\n");
        for (int i = 0; i < p->fields[s].count; i++) {
            const plan_field *f = &p->fields[s].field[i];
            const plan_value *x = plan_value_of(scope, f->value);
            const char *type = f->layout == LAYOUT_PLAIN ? codegen_c_type(f->value->type.elem) : "float";
            strbuf_printf(to, "    const %s *%s;   /* %s%s */\n", type, f->name, codegen_shape(g->arena, x), f->layout == LAYOUT_PACKED ? ", packed" : "");
        }
        if (!p->fields[s].count) strbuf_add(to, "    const float *none;\n");
        strbuf_add(to, "};\n\n");
    }
    strbuf_printf(to, "struct %s_model {\n    weights file;\n    const struct %s_kernels *kernels;   /* of the best instruction-set level of this CPU */\n", n, n);
    strbuf_printf(to, "    gemm_code *code[%d];   /* matrix kernels; NULL: the portable one runs */\n    int generated;\n    struct constants constants;\n", p->gemms ? p->gemms : 1);
    for (int f = 0; f < p->functions; f++)
        if (calls_of(p, f)) strbuf_printf(to, "    struct %s %s[%d];\n", codegen_scope_name(g, f + 1), codegen_scope_name(g, f + 1), calls_of(p, f));
    strbuf_add(to, "};\n\n");
    strbuf_printf(to, "struct %s_session {\n    const %s_model *model;\n    team team;\n    int64_t max_batch;\n    unsigned char *frame, *scratch;   /* one of each a thread */\n    void *owned;                      /* freed when the session stops */\n    _Atomic int busy;\n    /* of the running call */\n    int64_t batch, alone;             /* images in all; those that a thread does by itself */\n    _Atomic int64_t next;\n    %s_inputs in;\n    %s_outputs out;\n", n, n, n, n);
    strbuf_printf(to, "#ifdef %s_TRACE\n    trace trace;\n#endif\n};\n\n", codegen_upper(g->arena, n));
}

/* ---- phases ---- */

typedef struct locals { int count; const plan_value **base; } locals;

static locals *current;

static void need_local(codegen *g, const plan_value *base)
{
    for (int i = 0; i < current->count; i++)
        if (current->base[i] == base) return;
    current->base = arena_grow(g->arena, current->base, (size_t)current->count, sizeof *current->base);
    current->base[current->count++] = base;
}

static const char *base_text(codegen *g, const plan_scope *s, const plan_value *base)
{
    if (base->argument_result) {
        for (int i = 0; i < s->graph->results; i++)
            if (plan_value_of(s, s->graph->result[i].value)->base == base) return arena_printf(g->arena, "out%d", i);
    }
    if (base->space != SPACE_ARGUMENT) {
        need_local(g, base);
        return codegen_value_name(g, s, base->value);
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
    return with_offset(g, codegen_weight(g, s, scope, v, LAYOUT_FLAGS, 0, "table"), 0, by_panel ? row_elements(plan_value_of(s, v), f) : 0);
}

const char *codegen_pointer(codegen *g, const plan_scope *s, int scope, const plan_phase *f, const ir_value *v, bool by_panel)
{
    const plan_value *x = plan_value_of(s, v);
    const int64_t row = row_elements(x, f);
    if (x->space == SPACE_CONSTANT) return with_offset(g, codegen_weight(g, s, scope, v, LAYOUT_PLAIN, 0, "table"), 0, by_panel ? row : 0);
    const char *base = base_text(g, s, x->base);
    return with_offset(g, base, x->offset, by_panel && x->base->space != SPACE_SCRATCH ? row : 0);
}

static void print_locals(codegen *g, strbuf *to, const plan_scope *s, const locals *l)
{
    for (int i = 0; i < l->count; i++) {
        const plan_value *x = l->base[i];
        const bool scratch = x->space == SPACE_SCRATCH;
        const char *type = codegen_c_type(x->value->type.elem);
        strbuf_printf(to, "    %s *const %s = (%s *)(%s + %lld);   /* %s%s */\n", type, codegen_value_name(g, s, x->value), type,
                      scratch ? "scratch" : "frame", (long long)x->address, codegen_shape(g->arena, x), scratch ? ", a panel of it" : "");
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
    const bool row = mentions(steps.text, "row"), rows = mentions(steps.text, "rows");
    if (panels > 1) strbuf_printf(to, "    for (panel p; team_claim_rows(w, %lld, %d, %d, &p);) {   /* %lld rows in %d to %d panels */\n", all, f->tiles, f->panels, all, f->panels, f->tiles);
    else strbuf_add(to, "    for (int64_t p; team_claim(w, 1, &p);) {\n");
    const char *from = panels > 1 ? "p.row" : "0";
    const char *count = panels > 1 ? "p.rows" : arena_printf(g->arena, "%lld", all);
    if (row && rows) strbuf_printf(to, "        const int64_t row = %s, rows = %s;\n", from, count);
    else if (row) strbuf_printf(to, "        const int64_t row = %s;\n", from);
    else if (rows) strbuf_printf(to, "        const int64_t rows = %s;\n", count);
    strbuf_addn(to, steps.text, steps.length);
    strbuf_add(to, "    }\n    team_barrier(w);\n");
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
    strbuf_printf(to, "static void %s(worker *w, const struct %s_model *m, const struct %s *c, unsigned char *frame, unsigned char *scratch", name, n, codegen_scope_name(g, scope));
    if (!scope) strbuf_printf(to, ", const %s_inputs *in", n);
    else {
        for (int i = 0; i < s->graph->parameters; i++) {
            const plan_value *x = plan_value_of(s, s->graph->parameter[i].value);
            if (x->space == SPACE_ARGUMENT) strbuf_printf(to, ",\n    const %s *in%d /* %s */", codegen_c_type(x->value->type.elem), i, codegen_shape(g->arena, x));
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
    locals l = { 0 };
    current = &l;
    strbuf body = strbuf_in(g->arena);
    for (int i = from; i < end; i++) print_phase_body(g, &body, s, scope, s->item[i].phase);
    strbuf declared = strbuf_in(g->arena), whole = strbuf_in(g->arena);
    print_locals(g, &declared, s, &l);
    strbuf_printf(&whole, "%s%s", declared.text, body.text);
    print_head(g, to, s, scope, name);
    static const char *const parameters[] = { "m", "c", "frame", "scratch", "in" };
    const bool kernels = mentions(body.text, "k");
    if (kernels) strbuf_printf(to, "    const struct %s_kernels *const k = m->kernels;\n", g->options->name);
    print_unused(to, arena_printf(g->arena, "%s%s", whole.text, kernels ? " m " : ""), parameters, scope ? 4 : 5);
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
    current = NULL;
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
        return with_offset(g, arena_printf(g->arena, "in->%s", codegen_port_names(g->arena, s->graph->parameter, s->graph->parameters)[x->base->value->index]), x->offset, 0);
    return arena_printf(g->arena, "(%s *)(frame + %lld)", codegen_c_type(v->type.elem), (long long)frame_offset(x));
}

static void print_call(codegen *g, strbuf *to, const plan_item *t, int number)
{
    const plan_scope *f = &g->plan->function[t->function];
    const char *name = codegen_scope_name(g, t->function + 1);
    strbuf_printf(to, "    %s_run(w, m, &m->%s[%d], frame, scratch", name, name, number);
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT) strbuf_printf(to, ", %s", argument(g, t->call->input[i]));
    for (int i = 0; i < t->call->outputs; i++) strbuf_printf(to, ", %s", argument(g, t->call->output[i]));
    strbuf_add(to, ");\n");
}

static bool all_in_frame(const codegen *g, const plan_item *t)
{
    const plan_scope *f = &g->plan->function[t->function];
    for (int i = 0; i < t->call->inputs; i++)
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT && plan_value_of(&g->plan->main, t->call->input[i])->base->space == SPACE_ARGUMENT) return false;
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
        if (plan_value_of(f, f->graph->parameter[i].value)->space == SPACE_ARGUMENT) type[arguments++] = codegen_c_type(t->call->input[i]->type.elem);
    for (int i = 0; i < t->call->outputs; i++) type[arguments++] = codegen_c_type(t->call->output[i]->type.elem);
    strbuf_printf(to, "    static const size_t %s_at[%d][%d] = {   /* where each call reads, then writes: bytes in the frame */\n", name, count, arguments);
    for (int i = 0; i < count; i++) print_offsets(g, to, &t[i]);
    strbuf_printf(to, "    };\n    for (int i = 0; i < %d; i++) {\n        const size_t *const at = %s_at[i];\n        %s_run(w, m, &m->%s[%si], frame, scratch", count, name, name, name,
                  number ? arena_printf(g->arena, "%d + ", number) : "");
    for (int i = 0; i < arguments; i++) strbuf_printf(to, ",%s(%s *)(frame + at[%d])", i % 4 ? " " : "\n            ", type[i], i);
    strbuf_add(to, ");\n    }\n");
}

static void print_sequence(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    int *number = arena_array(g->arena, (size_t)p->functions + 1, sizeof *number);
    strbuf_printf(to, "/* One image. frame: %lld bytes that the image's values share; scratch: %lld bytes of this worker. */\nstatic void run_image(worker *w, const struct %s_model *m, unsigned char *frame, unsigned char *scratch, const %s_inputs *in, const %s_outputs *out)\n{\n",
                  (long long)p->frame_bytes, (long long)p->scratch_bytes, n, n, n);
    strbuf body = strbuf_in(g->arena);
    for (int i = 0, count; i < p->main.items; i += count) {
        const plan_item *t = &p->main.item[i];
        count = 1;
        if (t->phase) {
            strbuf_printf(&body, "    phase_%d(w, m, &m->constants, frame, scratch, in);\n", i + 1);
            continue;
        }
        while (all_in_frame(g, t) && i + count < p->main.items && p->main.item[i + count].call && p->main.item[i + count].function == t->function && all_in_frame(g, &p->main.item[i + count])) count++;
        if (count > 1) print_loop(g, &body, t, count, number[t->function]);
        else print_call(g, &body, t, number[t->function]);
        number[t->function] += count;
    }
    const char **name = codegen_port_names(g->arena, p->graph->result, p->graph->results);
    strbuf_printf(&body, "\n    for (int64_t i; team_claim(w, %d, &i);) {\n", p->graph->results);
    for (int i = 0; i < p->graph->results; i++) {
        const plan_value *x = plan_value_of(&p->main, p->graph->result[i].value);
        const char *from = x->space == SPACE_CONSTANT ? NULL : argument(g, p->graph->result[i].value);
        if (!from) from = arena_printf(g->arena, "m->constants.%s", strchr(codegen_weight(g, &p->main, 0, p->graph->result[i].value, LAYOUT_PLAIN, 0, "result"), '>') + 1);
        strbuf_printf(&body, "        if (i == %d && out->%s) memcpy(out->%s, %s, %lld * sizeof(%s));\n", i, name[i], name[i], from,
                      (long long)x->elements, codegen_c_type(x->value->type.elem));
    }
    strbuf_add(&body, "    }\n    team_barrier(w);\n}\n\n");
    static const char *const parameters[] = { "m", "frame", "scratch", "in", "out" };
    print_unused(to, body.text, parameters, 5);
    strbuf_addn(to, body.text, body.length);
}

/* ---- the public functions: the same for every model but for names and sizes ---- */

static void print_gemms(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    strbuf_printf(to, "/* The matrix kernels: c[n][ldc] = b[n][ldb] a[k][lda], m features of a, n rows of b. Heights that do not occur are left out. */\nstatic const gemm_shape gemm_shapes[%d] = {\n    /*   m,  n,    k,  lda,  ldb,  ldc, add */\n", p->gemms ? p->gemms : 1);
    for (int i = 0; i < p->gemms; i++) {
        const plan_gemm *s = &p->gemm[i];
        if (s->m) strbuf_printf(to, "    [%d] = { %3d, %2d, %4d, %4d, %4d, %4d, %d },\n", i, s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->add);
    }
    if (!p->gemms) strbuf_add(to, "    { 0, 0, 0, 0, 0, 0, 0 },\n");
    strbuf_add(to, "};\n\n");
}

static void print_digest(strbuf *to, const char *name, digest d)
{
    unsigned char bytes[16];
    memcpy(bytes, &d, sizeof bytes);
    strbuf_printf(to, "static const uint8_t %s[16] = {", name);
    for (int i = 0; i < 16; i++) strbuf_printf(to, "%s0x%02x", i ? ", " : " ", bytes[i]);
    strbuf_add(to, " };\n");
}

static void print_tensors(codegen *g, strbuf *to)
{
    const ir_graph *graph = g->plan->graph;
    const int count = graph->parameters + graph->results;
    const char *n = g->options->name;
    strbuf_printf(to, "const %s_tensor *%s_tensor_info(int i)\n{\n    static const %s_tensor tensors[] = {\n", n, n, n);
    for (int i = 0; i < count; i++) {
        const ir_port *port = i < graph->parameters ? &graph->parameter[i] : &graph->result[i - graph->parameters];
        strbuf_printf(to, "        { \"%s\", \"%s\", %d, { ", codegen_escape(g->arena, port->name), codegen_numpy_type(port->value->type.elem), port->value->type.rank);
        for (int j = 0; j < port->value->type.rank; j++) {
            const bool batch = g->plan->batch_symbol >= 0 && dim_mentions(port->value->type.dim[j], g->plan->batch_symbol);
            const int64_t size = plan_dim(g->plan, port->value->type.dim[j]);
            strbuf_printf(to, "%s%lld", j ? ", " : "", (long long)(!batch ? size : size == 1 ? 0 : -size));
        }
        strbuf_add(to, port->value->type.rank ? " } },\n" : "0 } },\n");
    }
    strbuf_printf(to, "    };\n    return i >= 0 && i < %d ? &tensors[i] : NULL;\n}\n\n", count);
}

/* Pointers of image i of a batch. */
static void print_image_of(codegen *g, strbuf *to)
{
    const ir_graph *graph = g->plan->graph;
    const char *n = g->options->name;
    for (int o = 0; o < 2; o++) {
        const ir_port *port = o ? graph->result : graph->parameter;
        const int count = o ? graph->results : graph->parameters;
        const char **name = codegen_port_names(g->arena, port, count);
        if (!o) {
            strbuf_printf(to, "static int inputs_complete(const %s_inputs *in)\n{\n    return 1", n);
            for (int i = 0; i < count; i++) strbuf_printf(to, " && in->%s", name[i]);
            strbuf_add(to, count ? ";\n}\n\n" : " && in;\n}\n\n");
        }
        const char *kind = o ? "outputs" : "inputs";
        strbuf_printf(to, "static %s_%s %s_of(const %s_%s *all, int64_t image)\n{\n    (void)image%s;\n    return (%s_%s){\n", n, kind, kind, n, kind,
                      count ? "" : ", (void)all", n, kind);
        if (!count) strbuf_add(to, "        .none = 0\n");
        for (int i = 0; i < count; i++) {
            const plan_value *x = plan_value_of(&g->plan->main, port[i].value);
            const bool batched = g->plan->batch_symbol >= 0 && x->value->type.rank && dim_mentions(x->value->type.dim[0], g->plan->batch_symbol);
            if (!batched) strbuf_printf(to, "        .%s = all->%s,\n", name[i], name[i]);
            else strbuf_printf(to, "        .%s = all->%s ? all->%s + image * %lld : NULL,\n", name[i], name[i], name[i], (long long)x->elements);
        }
        strbuf_add(to, "    };\n}\n\n");
    }
}

static void print_fill(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    strbuf_printf(to, "/* Points every field at its section of the weights. */\nstatic void fill(struct %s_model *m)\n{\n    int s = 0;\n", g->options->name);
    for (int i = 0; i < p->fields[0].count; i++) strbuf_printf(to, "    m->constants.%s = weights_section(&m->file, s++);\n", p->fields[0].field[i].name);
    int *number = arena_array(g->arena, (size_t)p->functions + 1, sizeof *number);
    for (int i = 0, count; i < p->main.items; i += count) {
        const plan_item *t = &p->main.item[i];
        for (count = 1; t->call && i + count < p->main.items && p->main.item[i + count].call && p->main.item[i + count].function == t->function;) count++;
        if (!t->call) continue;
        const plan_fields *f = &p->fields[1 + t->function];
        const char *name = codegen_scope_name(g, t->function + 1);
        strbuf_printf(to, "    for (int i = %d; i < %d; i++) {\n", number[t->function], number[t->function] + count);
        for (int j = 0; j < f->count; j++) strbuf_printf(to, "        m->%s[i].%s = weights_section(&m->file, s++);\n", name, f->field[j].name);
        strbuf_add(to, "    }\n");
        number[t->function] += count;
    }
    strbuf_add(to, g->sections ? "    (void)s;\n}\n\n" : "    (void)s, (void)m;\n}\n\n");
}

static void print_levels(codegen *g, strbuf *to)
{
    const char *n = g->options->name;
    strbuf_printf(to, "/* The kernels' table for an instruction-set level. */\nstatic const struct %s_kernels *kernels_of(int level)\n{\n#if defined(__x86_64__)\n    if (level >= CPU_AVX512) return &%s_kernels_avx512;\n    if (level >= CPU_AVX2) return &%s_kernels_avx2;\n#endif\n    (void)level;\n    return &%s_kernels_base;\n}\n\n", n, n, n, n);
    strbuf_printf(to, "const struct %s_kernels **%s_kernels_of(void *model)\n{\n    return &((%s_model *)model)->kernels;\n}\n\n", n, n, n);
}

static const char *kernels_include(const codegen *g)
{
    static const char *const line[KERNELS_KINDS] = { "#include \"runtime/jit.h\"\n", "#include \"runtime/aot.h\"\n", "" };
    return line[g->options->kernels];
}

void codegen_model(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    strbuf phases = strbuf_in(g->arena), sequence = strbuf_in(g->arena);
    for (int f = 0; f < p->functions; f++)
        if (calls_of(p, f)) print_function(g, &phases, &p->function[f], f + 1, arena_printf(g->arena, "%s_run", codegen_scope_name(g, f + 1)), 0, p->function[f].items);
    for (int i = 0; i < p->main.items; i++)
        if (p->main.item[i].phase) print_function(g, &phases, &p->main, 0, arena_printf(g->arena, "phase_%d", i + 1), i, i + 1);
    print_sequence(g, &sequence);

    strbuf_printf(to, "/* %s: the model, phase by phase. Between phases all threads wait; within one they claim panels of rows. */\n", n);
    strbuf_printf(to, "#include \"%s.h\"\n#include \"%s_kernels.h\"\n#include \"%s_trace.h\"\n\n#include <stdatomic.h>\n#include <stdlib.h>\n#include <string.h>\n\n#include \"runtime/cpu.h\"\n%s#include \"runtime/team.h\"\n#include \"runtime/weights.h\"\n\n", n, n, n,
                  kernels_include(g));
    print_structs(g, to);
    strbuf_addn(to, phases.text, phases.length);
    strbuf_addn(to, sequence.text, sequence.length);
    print_gemms(g, to);
    print_fill(g, to);
    print_tensors(g, to);
    print_image_of(g, to);
    print_levels(g, to);
    print_digest(to, "model_digest", g->options->model);
    print_digest(to, "packing_digest", g->packing);
    const char *N = codegen_upper(g->arena, n);
    strbuf_printf(to, "\n#define MODEL(name) %s_##name\n#define STATUS(name) %s_##name\n#define API %s_API\nenum {\n    FRAME_BYTES = %lld,\n    SCRATCH_BYTES = %lld,\n    SECTIONS = %d,\n    GEMMS = %d,\n    FIXED_BATCH = %lld   /* 0: any */\n};\n",
                  n, N, N, (long long)plan_round_up(p->frame_bytes, 4096), (long long)plan_round_up(p->scratch_bytes, 4096), g->sections, p->gemms, codegen_fixed_batch(g));
    if (g->options->embed_weights) strbuf_printf(to, "#define EMBEDDED %s_weights_range\n", n);
    if (g->options->kernels == KERNELS_AOT && p->gemms)
        strbuf_printf(to, "#if defined(AOT_HERE)   /* %s_gemm.S */\nextern const int32_t %s_gemm_table[AOT_LEVELS * GEMMS] __attribute__((visibility(\"hidden\")));\n#define AOT_TABLE %s_gemm_table\n#endif\n", n, n, n);
    strbuf_add(to, "#include \"runtime/interface.h\"\n");
}
