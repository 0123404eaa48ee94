/* <name>.json: what each step stands for and where its data is, for tools and for the curious. */
#include "codegen_private.h"


/* Text inside a JSON string. */
static void print_string(strbuf *to, const char *text)
{
    strbuf_add(to, "\"");
    for (; text && *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') strbuf_printf(to, "\\%c", c);
        else if (c < 32) strbuf_printf(to, "\\u%04x", c);
        else strbuf_addn(to, text, 1);
    }
    strbuf_add(to, "\"");
}

static const char *space_name(const plan_value *base)
{
    static const char *const names[] = { [SPACE_CONSTANT] = "weights", [SPACE_ARGUMENT] = "argument", [SPACE_FRAME] = "frame",
                                         [SPACE_SCRATCH] = "scratch", [SPACE_SHARED] = "shared" };
    return base->argument_result ? "argument" : names[base->space];
}

static void print_step(strbuf *to, const plan_scope *s, const plan_step *t, bool last)
{
    const plan_value *x = plan_value_of(s, t->node->output[0]);
    strbuf_printf(to, "        {\"operator\": \"%s\", \"origins\": [", ir_op_name(t->node->op));
    for (int i = 0; i < t->node->origins; i++) {
        if (i) strbuf_add(to, ", ");
        print_string(to, t->node->origin[i]);
    }
    strbuf_printf(to, "], \"result\": \"%s\", \"space\": \"%s\", \"address\": %lld, \"bytes\": %lld, \"matrix_kernels\": %s}%s\n",
                  codegen_shape(to->arena, x), space_name(x->base), (long long)(x->base->address + x->offset * 4), (long long)x->base->bytes,
                  plan_is_product(t) ? "true" : "false", last ? "" : ",");
}

static void print_scope(strbuf *to, const plan_scope *s, const char *name, bool last)
{
    strbuf_printf(to, "    {\"name\": \"%s\", \"items\": [\n", name);
    for (int i = 0; i < s->items; i++) {
        const plan_item *t = &s->item[i];
        if (t->call) {
            strbuf_printf(to, "      {\"call\": %d}%s\n", t->function, i + 1 < s->items ? "," : "");
            continue;
        }
        strbuf_printf(to, "      {\"rows\": %lld, \"panels\": [%d, %d], \"steps\": [\n", (long long)t->phase->rows, t->phase->panels,
                      t->phase->tiles);
        for (int j = 0; j < t->phase->steps; j++) print_step(to, s, t->phase->step[j], j + 1 == t->phase->steps);
        strbuf_printf(to, "      ]}%s\n", i + 1 < s->items ? "," : "");
    }
    strbuf_printf(to, "    ]}%s\n", last ? "" : ",");
}

/* The buffers that end above the lower bound, and by how much: what the frame costs more. */
static void print_above(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    bool any = false;
    strbuf_add(to, "  \"above_lower_bound\": [");
    for (int i = 0; i < p->buffers; i++) {
        const long long above = (long long)(p->buffer[i].address + plan_round_up(p->buffer[i].bytes, PLAN_ALIGN) - p->frame_bound);
        if (above <= 0) continue;
        strbuf_printf(to, "%s{\"value\": \"%s\", \"bytes\": %lld}", any ? ", " : "", codegen_value_name(g, p->buffer[i].value->value), above);
        any = true;
    }
    strbuf_add(to, "],\n");
}

void codegen_report(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    strbuf_printf(to, "{\n  \"name\": \"%s\",\n  \"kernels\": \"%s\",\n", g->options->name, codegen_kernels_name[g->options->kernels]);
    strbuf_printf(to, "  \"frame_bytes\": %lld, \"frame_lower_bound\": %lld,\n"
                      "  \"scratch_bytes\": %lld, \"scratch_lower_bound\": %lld,\n"
                      "  \"shared_bytes\": %lld, \"shared_lower_bound\": %lld, \"once_a_run\": %d,\n"
                      "  \"images_together\": %d,\n", (long long)p->frame_bytes, (long long)p->frame_bound, (long long)p->scratch_bytes,
                  (long long)p->scratch_bound, (long long)p->shared_bytes, (long long)p->shared_bound, p->prelude, p->together);
    strbuf_printf(to, "  \"flop\": %.0f, \"matrix_kernel_flop\": %.0f, \"linear_flop\": %.0f, \"linear_matrix_kernel_flop\": %.0f, "
                      "\"linear_row_flop\": %.0f,\n", p->flop, p->gemm_flop, p->linear_flop,
                  g->options->kernels == KERNELS_PORTABLE ? 0.0 : p->linear_gemm_flop, p->linear_row_flop);
    print_above(g, to);
    strbuf_add(to, "  \"frame\": [\n");
    for (int i = 0; i < p->buffers; i++)
        strbuf_printf(to, "    {\"value\": \"%s\", \"address\": %lld, \"bytes\": %lld}%s\n",
                      codegen_value_name(g, p->buffer[i].value->value), (long long)p->buffer[i].address,
                      (long long)p->buffer[i].bytes, i + 1 < p->buffers ? "," : "");
    strbuf_add(to, "  ],\n  \"scopes\": [\n");
    print_scope(to, &p->main, "main", p->functions == 0);
    for (int f = 0; f < p->functions; f++)
        print_scope(to, &p->function[f], codegen_identifier(g->arena, p->function[f].graph->name), f + 1 == p->functions);
    strbuf_add(to, "  ]\n}\n");
}
