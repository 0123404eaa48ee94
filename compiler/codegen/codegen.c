/* codegen_write: makes every file of the folder, in the order in which they depend on one another. */
#include "codegen_private.h"

#include <stdarg.h>
#include <string.h>

const char *const codegen_kernels_name[KERNELS_KINDS] = { [KERNELS_JIT] = "jit", [KERNELS_AOT] = "aot", [KERNELS_PORTABLE] = "portable" };

status codegen_refuse(codegen *g, const ir_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(g->arena, format, args);
    va_end(args);
    g->failed = true;
    diag_place place = { .node = ir_describe(n), .input = -1 };
    return diag_error(g->diag, STATUS_CODEGEN, &place, "%s", text);
}

static int lines(const strbuf *b)
{
    int n = 0;
    for (size_t i = 0; i < b->length; i++) n += b->text[i] == '\n';
    return n;
}

static status write_text(codegen *g, const char *name, void (*make)(codegen *, strbuf *))
{
    strbuf b = strbuf_in(g->arena);
    make(g, &b);
    return g->failed ? STATUS_CODEGEN : codegen_file(g, name, b.text, b.length);
}

static status write_levels(codegen *g)
{
    static const struct { const char *name; int number; } levels[] = { { "avx2", 2 }, { "avx512", 5 } };
    for (int i = 0; i < 2; i++) {
        strbuf b = strbuf_in(g->arena);
        codegen_level_source(g, &b, levels[i].name, levels[i].number);
        const status fine = codegen_file(g, arena_printf(g->arena, "%s_kernels_%s.c", g->options->name, levels[i].name), b.text, b.length);
        if (fine != STATUS_OK) return fine;
    }
    return STATUS_OK;
}

static status write_embedding(codegen *g)
{
    const char *n = g->options->name;
    const char *text = arena_printf(g->arena,
        "/* The weights in the binary, and where they start and end: pointers, since a large file lies out of reach of short addresses. */\n"
        "    .section .lrodata.%s,\"a\"\n    .balign 4096\n1:  .incbin \"%s.weights\"\n2:\n"
        "    .section .data.rel.ro,\"aw\"\n"
        "    .balign 8\n"
        "    .globl %s_weights_range\n"
        "    .hidden %s_weights_range\n"
        "%s_weights_range:\n"
        "    .quad 1b, 2b\n"
        "    .section .note.GNU-stack,\"\"\n", n, n, n, n, n);
    return codegen_file(g, arena_printf(g->arena, "%s_weights.S", n), text, strlen(text));
}

/* The model is written after the weights, whose digest it names, and the weights after the model's fields are known: so its phases
 * are printed twice. */
status codegen_write(plan *p, const codegen_options *o, codegen_result *result, diag *d)
{
    codegen g = { .arena = p->arena, .plan = p, .options = o, .diag = d };
    const char *n = o->name;
    strbuf draft = strbuf_in(g.arena), model = strbuf_in(g.arena), kernels = strbuf_in(g.arena);
    codegen_model(&g, &draft);
    if (g.failed) return STATUS_CODEGEN;
    codegen_list_sections(&g);
    status fine = codegen_weights(&g, arena_printf(g.arena, "%s/%s.weights", o->folder, n), &result->weight_bytes);
    if (fine != STATUS_OK) return fine;
    for (int i = 0; i < g.instances; i++) g.instance[i].steps = 0, g.instance[i].flop = g.instance[i].bytes = 0;
    codegen_model(&g, &model);
    codegen_kernels_source(&g, &kernels);
    if ((fine = codegen_file(&g, arena_printf(g.arena, "%s.c", n), model.text, model.length)) != STATUS_OK) return fine;
    if ((fine = codegen_file(&g, arena_printf(g.arena, "%s_kernels.c", n), kernels.text, kernels.length)) != STATUS_OK) return fine;
    if ((fine = write_levels(&g)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, arena_printf(g.arena, "%s.h", n), codegen_header)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, arena_printf(g.arena, "%s_kernels.h", n), codegen_kernels_header)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, arena_printf(g.arena, "%s_trace.h", n), codegen_trace_header)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, arena_printf(g.arena, "%s_profile.c", n), codegen_profile)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, "main.c", codegen_main)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, "CMakeLists.txt", codegen_cmake)) != STATUS_OK) return fine;
    if ((fine = write_text(&g, arena_printf(g.arena, "%s.json", n), codegen_report)) != STATUS_OK) return fine;
    if (o->embed_weights && (fine = write_embedding(&g)) != STATUS_OK) return fine;
    if (o->kernels == KERNELS_AOT && (fine = codegen_aot(&g, &result->code_bytes)) != STATUS_OK) return fine;
    if ((fine = codegen_copy_embedded(&g)) != STATUS_OK) return fine;
    result->sections = g.sections;
    result->instances = g.instances;
    for (int i = 0; i < p->gemms; i++) result->kernels += p->gemm[i].m > 0;
    result->source_lines = lines(&model) + lines(&kernels);
    return STATUS_OK;
}
