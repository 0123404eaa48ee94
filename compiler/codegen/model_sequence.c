/* What runs in <name>.c once all phases are there: the sequence that calls them, for what a run does once and for its images, and the copies of the
 * caller's inputs and outputs. */
#include "codegen_private.h"

#include <string.h>

static int64_t frame_offset(const plan_value *x)
{
    return x->base->address + x->offset * (int64_t)elem_size(x->value->type.elem);
}

static const char *argument(codegen *g, const ir_value *v)
{
    const plan_scope *s = &g->plan->main;
    const plan_value *x = plan_value_of(s, v);
    if (x->base->space == SPACE_ARGUMENT)
        return codegen_with_offset(
            g, arena_printf(g->arena, "in->%s", codegen_port_names(g->arena, s->graph->parameter, s->graph->parameters)[x->base->value->index]),
            x->offset, 0);
    const char *text = codegen_storage(g, x->base, false);
    return codegen_with_offset(g, codegen_is_output(g, s, v) ? arena_printf(g->arena, "(%s)", text) : text, x->offset, 0);
}

static const char *more_images(const codegen *g)
{
    return g->plan->together > 1 ? ", images" : "";
}

static void print_call(codegen *g, strbuf *to, const plan_item *t, int number)
{
    const plan_scope *f = &g->plan->function[t->function];
    const char *name = codegen_scope_name(g, t->function + 1);
    strbuf_printf(to, "    %s_run(w, m, &m->%s[%d], %s%s", name, name, number, codegen_memory_passed(g->plan, f, 0), more_images(g));
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
        if (codegen_is_output(g, &g->plan->main, i < t->call->inputs ? t->call->input[i] : t->call->output[i - t->call->inputs])) return false;
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
                  codegen_memory_passed(g->plan, f, 0), more_images(g));
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
            strbuf_printf(to, "    phase_%d(w, m, &m->constants, %s%s, in%s);\n", i + 1, codegen_memory_passed(p, &p->main, i), more_images(g),
                          codegen_touches_output(g, &p->main, t->phase) ? ", out" : "");
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
            codegen_output_of(g, plan_value_of(&p->main, p->graph->result[i].value)->base) != i)
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
    const bool images = g->plan->together > 1 && codegen_mentions(body.text, "images");
    static const char *const parameters[] = { "m", "shared", "scratch", "in", "out" };
    codegen_print_unused(to, body.text, parameters, 5);
    if (images) strbuf_add(to, "    const int64_t images = 1;\n");
    strbuf_addn(to, body.text, body.length);
    strbuf_add(to, "}\n\n");
}

void codegen_sequence(codegen *g, strbuf *to)
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
    codegen_print_unused(to, body.text, parameters, p->prelude ? 7 : 6);
    strbuf_addn(to, body.text, body.length);
}
