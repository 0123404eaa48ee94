/* <name>_kernels.c and .h: every instance of a template that the model uses, and the table through which <name>.c calls them. */
#include "codegen_private.h"

#include <string.h>

/* An instance is known by its parameters and body; `wish` is numbered where another body has the name. */
const char *codegen_instance(codegen *g, const char *wish, const char *parameters, const char *body)
{
    int same_name = 0;
    for (int i = 0; i < g->instances; i++) {
        const kernel_instance *k = &g->instance[i];
        if (!strcmp(k->parameters, parameters) && !strcmp(k->body, body)) return k->name;
        const size_t length = strlen(wish);
        if (!strncmp(k->name, wish, length) && (!k->name[length] || (k->name[length] == '_' && k->name[length + 1] == 'v'))) same_name++;
    }
    g->instance = arena_grow(g->arena, g->instance, (size_t)g->instances, sizeof *g->instance);
    const char *name = same_name ? arena_printf(g->arena, "%s_v%d", wish, same_name + 1) : wish;
    g->instance[g->instances++] = (kernel_instance){ .name = name, .parameters = parameters, .body = body };
    return name;
}

static void print_instance(strbuf *to, const kernel_instance *k)
{
    for (const char *c = k->body; *c; c++) {
        if (*c == '$') strbuf_add(to, k->name);
        else strbuf_addn(to, c, 1);
    }
    strbuf_add(to, "\n");
}

static bool is_named(const codegen *g, const char *word)
{
    for (int i = 0; i < g->instances; i++)
        if (strstr(g->instance[i].body, word)) return true;
    return false;
}

void codegen_kernels_source(codegen *g, strbuf *to)
{
    static const char *const templates[] = { "attention_f32", "concat", "conv_f32", "epilogue_f32", "gather", "gemm_f32", "linear_f32", "map_f32",
                                             "math_f32", "matmul_f32", "mlp_f32", "move", "norm_f32", "reduce_f32", "softmax_f32",
                                             "transpose_keys_f32" };
    /* Only where an instance has this word. */
    static const struct { const char *file, *word; } others[] = {
        { "conv_f64", "conv_f64" }, { "conv_few_f32", "conv_few_f32" }, { "conv_last_f32", "conv_last_f32" },
        { "depthwise_f32", "depthwise_f32" }, { "length", "length" }, { "map_any", "map_any" },
        { "matmul_any", "matmul_any" }, { "moments_f32", "moments_f32" }, { "norm_f64", "norm_f64" }, { "reduce_any", "reduce_any" },
        { "resample_f32", "resample_" }, { "scatter", "scatter" }, { "softmax_f64", "softmax_f64" }, { "suppress", "suppress" },
        { "top_k", "top_k" }, { "winograd_f32", "winograd_f32" },
    };
    const char *n = g->options->name;
    strbuf_printf(to, "/* %s: every kernel of the model, each a template with its sizes fixed. "
                      "Compiled once for each instruction-set level: %s_kernels_avx2.c and %s_kernels_avx512.c include this file. */\n", n, n, n);
    strbuf_printf(to, "#include \"%s_kernels.h\"\n\n"
                      "#include <float.h>\n"
                      "#include <math.h>\n"
                      "#include <stdbool.h>\n"
                      "#include <stddef.h>\n"
                      "#include <stdint.h>\n"
                      "#include <string.h>\n\n"
                      "#include \"templates/level.h\"\n", n);
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) strbuf_printf(to, "#include \"templates/%s.h\"\n", templates[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is_named(g, others[i].word)) strbuf_printf(to, "#include \"templates/%s.h\"\n", others[i].file);
    strbuf_printf(to, "\n#if !defined(KERNEL_TABLE)\n#define KERNEL_TABLE %s_kernels_base\n#endif\n\n", n);
    for (int i = 0; i < g->instances; i++) print_instance(to, &g->instance[i]);
    strbuf_printf(to, "const struct %s_kernels KERNEL_TABLE = {\n", n);
    for (int i = 0; i < g->instances; i++) strbuf_printf(to, "    .%s = %s,\n", g->instance[i].name, g->instance[i].name);
    if (!g->instances) strbuf_add(to, "    .none = 0\n");
    strbuf_add(to, "};\n\n#include \"templates/level_end.h\"\n");
}

void codegen_kernels_header(codegen *g, strbuf *to)
{
    const char *n = g->options->name, *N = codegen_upper(g->arena, n);
    strbuf_printf(to, "/* The kernels of %s, one table an instruction-set level. */\n"
                      "#ifndef VITCC_%s_KERNELS_H\n"
                      "#define VITCC_%s_KERNELS_H\n\n"
                      "#include <stdint.h>\n\n"
                      "#include \"runtime/gemm.h\"\n\n"
                      "struct %s_kernels {\n", n, N, N, n);
    for (int i = 0; i < g->instances; i++) strbuf_printf(to, "    void (*%s)(%s);\n", g->instance[i].name, g->instance[i].parameters);
    if (!g->instances) strbuf_add(to, "    char none;   /* nothing is computed */\n");
    strbuf_printf(to, "};\n\nextern const struct %s_kernels %s_kernels_base, %s_kernels_avx2, %s_kernels_avx512;\n\n", n, n, n, n);
    strbuf_printf(to, "/* Where the model keeps its table, for %s_profile.c. */\n"
                      "const struct %s_kernels **%s_kernels_of(void *model);\n\n"
                      "#endif\n", n, n, n);
}
