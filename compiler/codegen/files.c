/* Files of the output folder: those made for the model, and those copied: the runtime and the templates, which the compiler carries. */
#include "codegen_private.h"
#include "embedded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

status codegen_file(codegen *g, const char *name, const char *text, size_t length)
{
    const char *path = arena_printf(g->arena, "%s/%s", g->options->folder, name);
    FILE *f = fopen(path, "wb");
    bool fine = f != NULL;
    if (f) {
        fine = fwrite(text, 1, length, f) == length;
        fine = fclose(f) == 0 && fine;
    }
    return fine ? STATUS_OK : diag_error(g->diag, STATUS_WRITE, NULL, "%s: %s", path, strerror(errno));
}

/* Is this file part of the output? jit.h, aot.h and libxsmm's notice only where kernels come that way; reference twins are for tests. */
static bool wanted(const codegen *g, const char *name)
{
    if (strstr(name, "_reference.h")) return false;
    if (!strcmp(name, "runtime/jit.h")) return g->options->kernels == KERNELS_JIT;
    if (!strcmp(name, "runtime/aot.h") || !strcmp(name, "LICENSE.libxsmm")) return g->options->kernels == KERNELS_AOT;
    return true;
}

status codegen_copy_embedded(codegen *g)
{
    static const char *const folders[] = { "runtime", "templates" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *path = arena_printf(g->arena, "%s/%s", g->options->folder, folders[i]);
        if (mkdir(path, 0777) && errno != EEXIST) return diag_error(g->diag, STATUS_WRITE, NULL, "%s: %s", path, strerror(errno));
    }
    for (int i = 0; i < embedded_count; i++) {
        const embedded_file *f = &embedded_files[i];
        if (!wanted(g, f->name)) continue;
        const status fine = codegen_file(g, f->name, (const char *)f->bytes, f->size);
        if (fine != STATUS_OK) return fine;
    }
    return STATUS_OK;
}
