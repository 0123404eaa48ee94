/* <name>_gemm.S: the matrix kernels' machine code for each instruction-set level, equal code once, and the table through which runtime/aot.h finds
 * it. */
#include "aot.h"

#include <string.h>

#include "codegen_private.h"

/* The kernels of a level. */
static const plan_gemm *gemms_of(const plan *p, int level)
{
    return level == AOT_LEVEL_COUNT - 1 ? p->wide_gemm : p->gemm;
}

/* Index of the first entry with the same code. */
static int first_with(const aot_code *code, int i)
{
    for (int j = 0; j < i; j++)
        if (code[j].size == code[i].size && !memcmp(code[j].bytes, code[i].bytes, code[i].size)) return j;
    return i;
}

/* Which kernels this code is. */
static void print_users(strbuf *to, const plan *p, const int *first, int entry)
{
    for (int i = entry; i < AOT_LEVEL_COUNT * p->gemms; i++) {
        if (first[i] != entry) continue;
        const plan_gemm *g = &gemms_of(p, i / p->gemms)[i % p->gemms];
        strbuf_printf(to, "%s%s: m %d, n %d, k %d, ", i > entry ? ";\n   " : "", aot_level_name[i / p->gemms], g->m, g->n, g->k);
        strbuf_printf(to, "lda %d, ldb %d, ldc %d%s%s", g->lda, g->ldb, g->ldc, g->add ? ", added" : "", g->batch ? ", of a batch" : "");
    }
}

static void print_bytes(strbuf *to, const aot_code *c)
{
    size_t i = 0;
    for (; i + 8 <= c->size; i += 8) {
        unsigned long long word = 0;
        for (int j = 7; j >= 0; j--) word = word << 8 | c->bytes[i + (size_t)j];
        strbuf_printf(to, "%s0x%016llx%s", i % 32 ? ", " : "    .quad ", word, i % 32 == 24 || i + 16 > c->size ? "\n" : "");
    }
    for (size_t j = i; j < c->size; j++) strbuf_printf(to, "%s0x%02x%s", j > i ? ", " : "    .byte ", c->bytes[j], j + 1 == c->size ? "\n" : "");
}

static void print_code(codegen *g, strbuf *to, const aot_code *code, const int *first, int entry, int number)
{
    const char *n = g->options->name;
    strbuf_add(to, "\n/* ");
    print_users(to, g->plan, first, entry);
    strbuf_printf(to, ": %d bytes */\n    .balign 64\n    .type %s_gemm_%d, @function\n%s_gemm_%d:\n", (int)code[entry].size, n, number, n, number);
    print_bytes(to, &code[entry]);
    strbuf_printf(to, "    .size %s_gemm_%d, . - %s_gemm_%d\n", n, number, n, number);
}

static void print_table(codegen *g, strbuf *to, const int *first, const int *number)
{
    const char *n = g->options->name;
    const int entries = AOT_LEVEL_COUNT * g->plan->gemms;
    strbuf_add(to, "\n/* Where each level's kernels start, from the entry itself; 0: there is none. */\n");
    strbuf_printf(to, "    .section .rodata.%s_gemm,\"a\",@progbits\n    .balign 4\n    .globl %s_gemm_table\n    .hidden %s_gemm_table\n", n, n, n);
    strbuf_printf(to, "    .type %s_gemm_table, @object\n    .size %s_gemm_table, %d\n%s_gemm_table:\n", n, n, 4 * entries, n);
    for (int i = 0; i < entries; i++) {
        if (i % g->plan->gemms == 0) strbuf_printf(to, "    /* %s */\n", aot_level_name[i / g->plan->gemms]);
        if (first[i] >= 0) strbuf_printf(to, "    .long %s_gemm_%d - .\n", n, number[first[i]]);
        else strbuf_add(to, "    .long 0\n");
    }
}

/* What the CPU runs is libxsmm's work, bytes in .quad lines; its notice lies beside it. */
status codegen_aot(codegen *g, int64_t *bytes)
{
    const plan *p = g->plan;
    const char *n = g->options->name;
    const int entries = AOT_LEVEL_COUNT * p->gemms;
    aot_code *code = arena_array(g->arena, (size_t)entries + 1, sizeof *code);
    int *first = arena_array(g->arena, (size_t)entries + 1, sizeof *first), *number = arena_array(g->arena, (size_t)entries + 1, sizeof *number);
    const plan_gemm *gemm[AOT_LEVEL_COUNT];
    for (int i = 0; i < AOT_LEVEL_COUNT; i++) gemm[i] = gemms_of(p, i);
    const status made = aot_generate(g->arena, gemm, p->gemms, code, g->diag);
    if (made != STATUS_OK) return made;

    strbuf to = strbuf_in(g->arena);
    strbuf_printf(&to, "/* %s: machine code of the matrix kernels, made by libxsmm's generator (see LICENSE.libxsmm), used through", n);
    strbuf_add(&to, " runtime/aot.h.\n"
                    "   c[n][ldc] = b[n][ldb] a[k][lda]: m features of a, n rows of b. It runs wherever it lies, and refers to nothing else. */\n"
                    "#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__)\n");
    strbuf_printf(&to, "    .section .text.%s_gemm,\"ax\",@progbits\n", n);
    int kernels = 0;
    *bytes = 0;
    for (int i = 0; i < entries; i++) {
        first[i] = code[i].size ? first_with(code, i) : -1;
        if (first[i] != i) continue;
        number[i] = kernels++;
        *bytes += (int64_t)code[i].size;
    }
    for (int i = 0; i < entries; i++)
        if (first[i] == i) print_code(g, &to, code, first, i, number[i]);
    print_table(g, &to, first, number);
    strbuf_add(&to, "#endif\n\n#if defined(__ELF__)\n    .section .note.GNU-stack,\"\"\n#endif\n");
    return codegen_file(g, arena_printf(g->arena, "%s_gemm.S", n), to.text, to.length);
}
