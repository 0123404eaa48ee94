/* <name>.c as a whole: its structs, the functions of model_run.c, and what the public functions need: tables, digests,
 * sizes, the sections of the fields. */
#include "codegen_private.h"

#include <string.h>

/* ---- structs: fields of weights ---- */

static void print_structs(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    for (int s = 0; s <= p->functions; s++) {
        const plan_scope *scope = s ? &p->function[s - 1] : &p->main;
        if (s && !codegen_calls(g, s)) continue;
        if (s)
            strbuf_printf(to, "/* What one call of %s reads. Packed: [N/block][K][block], as the matrix kernels take them. */\n"
                              "struct %s {\n", codegen_scope_name(g, s), codegen_scope_name(g, s));
        else strbuf_add(to, "/* The constants that are read outside the repeated blocks. */\nstruct constants {\n");
        for (int i = 0; i < p->fields[s].count; i++) {
            const plan_field *f = &p->fields[s].field[i];
            const plan_value *x = plan_value_of(scope, f->value);
            const char *type = f->layout == LAYOUT_PLAIN ? codegen_c_type(f->value->type.elem) : "float";
            const char *layout = f->layout == LAYOUT_PACKED ? ", packed" : f->layout == LAYOUT_WINOGRAD ? ", for Winograd's tiles, packed" : "";
            strbuf_printf(to, "    const %s *%s;   /* %s%s */\n", type, f->name, codegen_shape(g->arena, x), layout);
        }
        if (!p->fields[s].count) strbuf_add(to, "    const float *none;\n");
        strbuf_add(to, "};\n\n");
    }
    strbuf_printf(to, "struct %s_model {\n"
                      "    weights file;\n"
                      "    const struct %s_kernels *kernels;   /* of the best instruction-set level of this CPU */\n", n, n);
    strbuf_printf(to, "    gemm_code *code[%d];   /* matrix kernels; NULL: the portable one runs */\n"
                      "    int generated;\n"
                      "    struct constants constants;\n", p->gemms ? p->gemms : 1);
    for (int s = 1; s <= p->functions; s++) {
        const char *name = codegen_scope_name(g, s);
        if (codegen_calls(g, s)) strbuf_printf(to, "    struct %s %s[%d];\n", name, name, codegen_calls(g, s));
    }
    strbuf_add(to, "};\n\n");
    strbuf_printf(to, "struct %s_session {\n"
                      "    const %s_model *model;\n"
                      "    team team;\n"
                      "    int64_t max_batch, group;         /* images in a run, and that a thread runs at a time, at most */\n"
                      "    unsigned char *frame, *scratch;   /* of each thread, for `group` images each */\n%s"
                      "    void *owned;                      /* freed when the session stops */\n"
                      "    _Atomic int busy;\n"
                      "    /* of the running call */\n"
                      "    int64_t batch, alone, groups;     /* images in all; those that a thread does by itself, a group at a time */\n"
                      "    _Atomic int64_t next;\n"
                      "    %s_inputs in;\n"
                      "    %s_outputs out;\n", n, n, codegen_has_prelude(g) ? "    unsigned char *shared;            /* of all threads */\n" : "", n, n);
    strbuf_printf(to, "#ifdef %s_TRACE\n    trace trace;\n#endif\n};\n\n", codegen_upper(g->arena, n));
}

/* ---- the public functions: the same for every model but for names and sizes ---- */

static void print_shapes(strbuf *to, const char *level, const plan_gemm *gemm, int count)
{
    int printed = 0;
    strbuf_printf(to, "    {   /* %s */\n", level);
    for (int i = 0; i < count; i++) {
        const plan_gemm *s = &gemm[i];
        if (!s->m) continue;
        strbuf_printf(to, "        [%d] = { %3d, %2d, %4d, %4d, %4d, %4d, %d, %d },\n", i, s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->add,
                      s->batch);
        printed++;
    }
    strbuf_add(to, printed ? "    },\n" : "        { 0, 0, 0, 0, 0, 0, 0, 0 },\n    },\n");
}

static void print_gemms(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    strbuf_printf(to, "/* The matrix kernels: c[n][ldc] = b[n][ldb] a[k][lda], m features of a, n rows of b. "
                      "Heights that do not occur are left out. */\n"
                      "static const gemm_shape gemm_shapes[2][%d] = {\n"
                      "         /*   m,  n,    k,  lda,  ldb,  ldc, add, batch */\n", p->gemms ? p->gemms : 1);
    print_shapes(to, "SSE and AVX2", p->gemm, p->gemms);
    print_shapes(to, "AVX-512", p->wide_gemm, p->gemms);
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
        strbuf_printf(to, "        { \"%s\", \"%s\", %d, { ", codegen_escape(g->arena, port->name), codegen_numpy_type(port->value->type.elem),
                      port->value->type.rank);
        for (int j = 0; j < port->value->type.rank; j++) {
            const long long extent = codegen_extent(g, port->value->type.dim[j]);
            strbuf_printf(to, "%s%lld", j ? ", " : "", extent == -1 ? 0 : extent);
        }
        strbuf_add(to, port->value->type.rank ? " }" : "0 }");
        if (g->plan->length_symbol >= 0) strbuf_printf(to, ", %d", codegen_length_axis(g, &port->value->type));
        strbuf_add(to, " },\n");
    }
    strbuf_printf(to, "    };\n    return i >= 0 && i < %d ? &tensors[i] : NULL;\n}\n\n", count);
}

/* An input is there, or at this length has no elements. */
static void print_complete(codegen *g, strbuf *to, const ir_type *t, const char *name)
{
    const int axis = codegen_length_axis(g, t);
    long long more = 1;
    if (axis) codegen_of_length(g, t->dim[axis - 1], &more);
    if (more) strbuf_printf(to, " && in->%s", name);
    else strbuf_printf(to, " && (in->%s || !in->%s)", name, codegen_length_name(g));
}

/* Pointers of one image of a batch. */
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
            for (int i = 0; i < count; i++) print_complete(g, to, &port[i].value->type, name[i]);
            if (g->plan->length_symbol >= 0)
                strbuf_printf(to, " && in->%s >= 0 && in->%s <= %lld", codegen_length_name(g), codegen_length_name(g),
                              (long long)g->plan->symbol[g->plan->length_symbol]);
            strbuf_add(to, count ? ";\n}\n\n" : " && in;\n}\n\n");
        }
        const char *kind = o ? "outputs" : "inputs", *more = o ? arena_printf(g->arena, "const %s_inputs *in, ", n) : "";
        strbuf_printf(to, "static %s_%s %s_of(const %s_%s *all, %sint64_t image)\n{\n"
                          "    (void)image%s%s;\n"
                          "    return (%s_%s){\n", n, kind, kind, n, kind, more, o ? ", (void)in" : "", count ? "" : ", (void)all", n, kind);
        if (!count) strbuf_add(to, "        .none = 0\n");
        for (int i = 0; i < count; i++) {
            const plan_value *x = plan_value_of(&g->plan->main, port[i].value);
            if (plan_batch_axis(g->plan, x->value) < 0) strbuf_printf(to, "        .%s = all->%s,\n", name[i], name[i]);
            else
                strbuf_printf(to, "        .%s = all->%s ? all->%s + image * %s : NULL,\n", name[i], name[i], name[i],
                              codegen_piece(g, x, o ? "in" : "all"));
        }
        if (!o && g->plan->length_symbol >= 0) strbuf_printf(to, "        .%s = all->%s,\n", codegen_length_name(g), codegen_length_name(g));
        strbuf_add(to, "    };\n}\n\n");
    }
}

static void print_fill(codegen *g, strbuf *to)
{
    const plan *p = g->plan;
    strbuf_printf(to, "/* Points every field at its section of the weights. */\n"
                      "static void fill(struct %s_model *m)\n{\n"
                      "    int s = 0;\n", g->options->name);
    for (int i = 0; i < p->fields[0].count; i++)
        strbuf_printf(to, "    m->constants.%s = weights_section(&m->file, s++);\n", p->fields[0].field[i].name);
    int *number = arena_array(g->arena, (size_t)p->functions + 1, sizeof *number);
    for (int i = 0, count; i < p->main.items; i += count) {
        const plan_item *t = &p->main.item[i];
        for (count = 1; t->call && i + count < p->main.items && p->main.item[i + count].call && p->main.item[i + count].function == t->function;)
            count++;
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
    strbuf_printf(to, "/* The kernels' table for an instruction-set level. */\n"
                      "static const struct %s_kernels *kernels_of(int level)\n{\n"
                      "#if defined(__x86_64__)\n"
                      "    if (level >= CPU_AVX512) return &%s_kernels_avx512;\n"
                      "    if (level >= CPU_AVX2) return &%s_kernels_avx2;\n"
                      "#endif\n"
                      "    (void)level;\n"
                      "    return &%s_kernels_base;\n"
                      "}\n\n", n, n, n, n);
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
    strbuf functions = strbuf_in(g->arena);
    codegen_functions(g, &functions);
    strbuf_printf(to, "/* %s: the model, phase by phase. Between phases all threads wait; within one they claim panels of rows. */\n", n);
    strbuf_printf(to, "#include \"%s.h\"\n"
                      "#include \"%s_kernels.h\"\n"
                      "#include \"%s_trace.h\"\n\n"
                      "#include <stdatomic.h>\n"
                      "#include <stdlib.h>\n"
                      "#include <string.h>\n\n"
                      "#include \"runtime/cpu.h\"\n"
                      "%s#include \"runtime/team.h\"\n"
                      "#include \"runtime/weights.h\"\n\n", n, n, n, kernels_include(g));
    print_structs(g, to);
    strbuf_addn(to, functions.text, functions.length);
    print_gemms(g, to);
    print_fill(g, to);
    print_tensors(g, to);
    print_image_of(g, to);
    print_levels(g, to);
    print_digest(to, "model_digest", g->options->model);
    print_digest(to, "packing_digest", g->packing);
    const char *N = codegen_upper(g->arena, n);
    strbuf_printf(to, "\n"
                      "#define MODEL(name) %s_##name\n"
                      "#define STATUS(name) %s_##name\n"
                      "#define API %s_API\n"
                      "enum {\n"
                      "    FRAME_BYTES = %lld,\n"
                      "    SCRATCH_BYTES = %lld,\n"
                      "    SECTIONS = %d,\n"
                      "    GEMMS = %d,\n"
                      "    FIXED_BATCH = %lld,   /* 0: any */\n"
                      "    TOGETHER = %d   /* images that a thread runs at a time, at most */\n"
                      "};\n", n, N, N, (long long)plan_round_up(p->frame_bytes, 4096), (long long)plan_round_up(p->scratch_bytes, 4096), g->sections,
                  p->gemms, codegen_fixed_batch(g), p->together);
    if (g->options->embed_weights) strbuf_printf(to, "#define EMBEDDED %s_weights_range\n", n);
    if (g->options->kernels == KERNELS_AOT && p->gemms)
        strbuf_printf(to, "#if defined(AOT_HERE)   /* %s_gemm.S */\n"
                          "extern const int32_t %s_gemm_table[AOT_LEVELS * GEMMS] __attribute__((visibility(\"hidden\")));\n"
                          "#define AOT_TABLE %s_gemm_table\n"
                          "#endif\n", n, n, n);
    const bool interleaved = codegen_is_interleaved(g);
    if (codegen_has_prelude(g)) strbuf_printf(to, "#define SHARED_BYTES %lld   /* of what is computed once a run */\n", (long long)plan_round_up(p->shared_bytes, 4096));
    if (p->prelude || interleaved)
        strbuf_printf(to, "#define RUN_MORE %s%s\n", p->prelude ? ", s->shared" : "", interleaved ? ", s->batch" : "");
    strbuf_add(to, "#include \"runtime/interface.h\"\n");
}
