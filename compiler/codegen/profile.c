/* <name>_profile.c, which only the program has: every kernel once more, clocked, in a table that can stand in for the model's own. */
#include "codegen_private.h"

#include <ctype.h>
#include <string.h>

#include "../ir/flop.h"

static double bytes_of(const plan_scope *s, const ir_node *n)
{
    double bytes = 0;
    for (int i = 0; i < n->inputs + n->outputs; i++) {
        const plan_value *x = plan_value_of(s, i < n->inputs ? n->input[i] : n->output[i - n->inputs]);
        if (x && x->value) bytes += (double)x->elements * (double)elem_size(x->value->type.elem);
    }
    return bytes;
}

void codegen_count_work(codegen *g, const char *instance, const plan_scope *s, int scope, const ir_node *n)
{
    const int times = codegen_calls(g, scope);
    for (int i = 0; i < g->instances; i++) {
        if (strcmp(g->instance[i].name, instance)) continue;
        g->instance[i].steps += times;
        g->instance[i].flop += times * ir_flop(n);
        g->instance[i].bytes += times * bytes_of(s, n);
    }
}

/* "code, x, w, y, rows" of "gemm_code *const *code, const float *x, …": the last identifier of each parameter. */
static void print_arguments(strbuf *to, const char *parameters)
{
    for (const char *at = parameters; *at;) {
        const char *end = strchr(at, ',');
        if (!end) end = at + strlen(at);
        const char *from = end;
        while (from > at && (isalnum((unsigned char)from[-1]) || from[-1] == '_')) from--;
        strbuf_addn(to, from, (size_t)(end - from));
        if (*end) strbuf_add(to, ", ");
        at = *end ? end + 1 : end;
    }
}

void codegen_profile(codegen *g, strbuf *to)
{
    const char *n = g->options->name;
    strbuf_printf(to, "/* The kernels of %s, clocked: only the program has them, and only --profile puts them in the place of the model's own. */\n"
                      "#include \"%s_kernels.h\"\n"
                      "#include \"runtime/profile.h\"\n\n"
                      "static const struct %s_kernels *clocked;   /* the model's own */\n\n", n, n, n);
    strbuf_printf(to, "/* Each kernel's work for one image. */\n"
                      "static profile_row profile_rows[%d] = {\n"
                      "    /* name, steps, FLOP, bytes read and written */\n", g->instances ? g->instances : 1);
    for (int i = 0; i < g->instances; i++) {
        const kernel_instance *k = &g->instance[i];
        strbuf_printf(to, "    { .name = \"%s\", .steps = %d, .flop = %.0f, .bytes = %.0f },\n", k->name, k->steps, k->flop, k->bytes);
    }
    if (!g->instances) strbuf_add(to, "    { .name = \"none\" }\n");
    strbuf_add(to, "};\n\n");
    for (int i = 0; i < g->instances; i++) {
        const kernel_instance *k = &g->instance[i];
        strbuf_printf(to, "static void %s(%s)\n{\n    const int64_t start = profile_now();\n    clocked->%s(", k->name, k->parameters, k->name);
        print_arguments(to, k->parameters);
        strbuf_printf(to, ");\n    profile_add(&profile_rows[%d], start);\n}\n\n", i);
    }
    strbuf_printf(to, "static const struct %s_kernels profile_table = {\n", n);
    for (int i = 0; i < g->instances; i++) strbuf_printf(to, "    .%s = %s,\n", g->instance[i].name, g->instance[i].name);
    if (!g->instances) strbuf_add(to, "    .none = 0\n");
    strbuf_printf(to, "};\n\nprofile_row *%s_profile(void *model, int *count)\n{\n    const struct %s_kernels **const own = %s_kernels_of(model);\n"
                      "    clocked = *own;\n    *own = &profile_table;\n    *count = %d;\n    return profile_rows;\n}\n", n, n, n, g->instances);
}
