/* The weights file: every constant that the code reads, evaluated tensor by tensor, packed for the kernels, equal ones stored once. */
#include "codegen_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/weights.h"
#include "../ir/eval.h"

/* Written that many bytes at a time, from multiples of it on, a file lies in the page cache in pages of that size where the system has them: memory is
 * then read 25 per cent faster than through pages of 4 KB. */
enum { HUGE_PAGE = 2 << 20 };

static void add_section(codegen *g, const ir_value *v, const plan_field *f)
{
    g->section = arena_grow(g->arena, g->section, (size_t)g->sections, sizeof *g->section);
    g->section[g->sections++] = (section){ v, f->layout, f->block };
}

/* Sections in the order of the code's fields: the main sequence's, then each call's. */
void codegen_list_sections(codegen *g)
{
    const plan *p = g->plan;
    for (int i = 0; i < p->fields[0].count; i++) add_section(g, p->fields[0].field[i].value, &p->fields[0].field[i]);
    for (int c = 0; c < p->main.items; c++) {
        const plan_item *t = &p->main.item[c];
        if (!t->call) continue;
        const plan_fields *f = &p->fields[1 + t->function];
        for (int i = 0; i < f->count; i++) {
            const ir_value *v = f->field[i].value;
            add_section(g, v->def ? v : t->call->input[v->index], &f->field[i]);
        }
    }
}

/* w [K, N] into blocks of `block` columns, each [K][columns of the block]. */
static void pack(const float *w, float *to, int64_t k, int64_t n, int64_t block)
{
    for (int64_t j = 0; j < n; j += block) {
        const int64_t width = n - j < block ? n - j : block;
        for (int64_t i = 0; i < k; i++) memcpy(to + j * k + i * width, w + i * n + j, (size_t)width * sizeof *to);
    }
}

/* G g of three weights `apart` apart, as templates/winograd_f32.h has it. */
static void winograd_line(const double *g, int apart, double *to)
{
    const double even = g[0] + g[2 * apart], odd = g[apart];
    to[0] = g[0], to[1] = (even + odd) / 2, to[2] = (even - odd) / 2, to[3] = g[2 * apart];
}

/* w [9 C, N], places of a 3 x 3 window outermost, to [16 C, N]: G g G' of each channel's places. */
static void winograd(const float *w, float *to, int64_t inputs, int64_t n)
{
    const int64_t size = inputs / 9 * n;
    for (int64_t i = 0; i < size; i++) {
        double place[9], half[3 * 4], whole[4];
        for (int p = 0; p < 9; p++) place[p] = (double)w[p * size + i];
        for (int x = 0; x < 3; x++) winograd_line(place + x, 3, half + 4 * x);
        for (int y = 0; y < 4; y++) {
            winograd_line(half + y, 4, whole);
            for (int x = 0; x < 4; x++) to[(4 * y + x) * size + i] = (float)whole[x];
        }
    }
}

/* The section's bytes in malloc'ed memory. */
static status section_bytes(codegen *g, const section *s, void **bytes, size_t *size)
{
    eval_tensor t;
    const status fine = eval_constant_at(s->value, g->plan->symbol, &t, g->diag);
    if (fine != STATUS_OK) return fine;
    *size = (size_t)t.elements * (s->layout == LAYOUT_FLAGS ? sizeof(float) : elem_size(t.elem));
    *bytes = t.data;
    if (s->layout == LAYOUT_FLAGS) {
        float *flag = malloc(*size + 1);
        for (int64_t i = 0; flag && i < t.elements; i++) flag[i] = eval_integer(EVAL_TYPED, &t, i) ? 1 : 0;
        free(t.data);
        *bytes = flag;
    }
    if (*bytes && s->layout == LAYOUT_WINOGRAD) {
        *size = *size / 9 * 16;
        float *transformed = malloc(*size + 1);
        if (transformed) winograd(*bytes, transformed, t.shape[0], t.shape[1]);
        free(*bytes);
        *bytes = transformed;
        t.shape[0] = t.shape[0] / 9 * 16;
    }
    if (*bytes && (s->layout == LAYOUT_PACKED || s->layout == LAYOUT_WINOGRAD)) {
        float *packed = malloc(*size + 1);
        if (packed) pack(*bytes, packed, t.shape[0], t.shape[1], s->block);
        free(*bytes);
        *bytes = packed;
    }
    return *bytes ? STATUS_OK : diag_error(g->diag, STATUS_MEMORY, NULL, "packing weights");
}

typedef struct writer { codegen *g; FILE *file; uint64_t at; weights_entry *entry; digest *content; } writer;

static bool pad_to(writer *w, uint64_t align)
{
    static const char zeros[WEIGHTS_PAGE];
    const uint64_t gap = (align - w->at % align) % align;
    w->at += gap;
    return fwrite(zeros, 1, gap, w->file) == gap;
}

/* Section i is the same as an earlier one: by value and layout, known without evaluating. */
static int same_section(const codegen *g, int i)
{
    for (int j = 0; j < i; j++)
        if (g->section[j].value == g->section[i].value && g->section[j].layout == g->section[i].layout && g->section[j].block == g->section[i].block)
            return j;
    return -1;
}

static status write_section(writer *w, int i)
{
    const int twin = same_section(w->g, i);
    if (twin >= 0) {
        w->entry[i] = w->entry[twin];
        w->content[i] = w->content[twin];
        return STATUS_OK;
    }
    void *bytes;
    size_t size;
    const status fine = section_bytes(w->g, &w->g->section[i], &bytes, &size);
    if (fine != STATUS_OK) return fine;
    w->content[i] = digest_bytes((digest){ 0, 0 }, bytes, size);
    bool stored = false, written = true;
    for (int j = 0; j < i && !stored; j++)
        if (digest_equal(w->content[j], w->content[i]) && w->entry[j].bytes == size) {
            w->entry[i] = w->entry[j];
            stored = true;
        }
    if (!stored) {
        written = pad_to(w, WEIGHTS_ALIGN);
        w->entry[i] = (weights_entry){ w->at, size, checksum_bytes(bytes, size) };
        written = written && fwrite(bytes, 1, size, w->file) == size;
        w->at += size;
    }
    free(bytes);
    return written ? STATUS_OK : STATUS_WRITE;
}

static status write_all(writer *w)
{
    codegen *g = w->g;
    weights_header h = { .format = WEIGHTS_FORMAT, .sections = (uint32_t)g->sections };
    const size_t table = (size_t)g->sections * sizeof *w->entry;
    memcpy(h.magic, WEIGHTS_MAGIC, sizeof h.magic);
    memcpy(h.model, &g->options->model, sizeof h.model);
    w->at = sizeof h + table;
    if (fwrite(&h, sizeof h, 1, w->file) != 1 || fwrite(w->entry, 1, table, w->file) != table || !pad_to(w, WEIGHTS_PAGE)) return STATUS_WRITE;
    for (int i = 0; i < g->sections; i++) {
        const status fine = write_section(w, i);
        if (fine != STATUS_OK) return fine;
        g->packing = digest_bytes(g->packing, &w->content[i], sizeof w->content[i]);
        g->packing = digest_bytes(g->packing, &w->entry[i].offset, sizeof w->entry[i].offset);
    }
    if (!pad_to(w, WEIGHTS_ALIGN)) return STATUS_WRITE;
    h.bytes = w->at;
    memcpy(h.packing, &g->packing, sizeof h.packing);
    h.table_checksum = checksum_bytes(w->entry, table);
    if (fseek(w->file, 0, SEEK_SET) || fwrite(&h, sizeof h, 1, w->file) != 1 || fwrite(w->entry, 1, table, w->file) != table) return STATUS_WRITE;
    return STATUS_OK;
}

status codegen_weights(codegen *g, const char *path, int64_t *bytes)
{
    writer w = { .g = g, .file = fopen(path, "wb") };
    if (!w.file) return diag_error(g->diag, STATUS_WRITE, NULL, "%s: %s", path, strerror(errno));
    setvbuf(w.file, arena_alloc(g->arena, HUGE_PAGE), _IOFBF, HUGE_PAGE);
    w.entry = arena_array(g->arena, (size_t)g->sections + 1, sizeof *w.entry);
    w.content = arena_array(g->arena, (size_t)g->sections + 1, sizeof *w.content);
    const int errors = diag_errors(g->diag);
    status fine = write_all(&w);
    if (fclose(w.file) && fine == STATUS_OK) fine = STATUS_WRITE;
    if (fine != STATUS_OK && diag_errors(g->diag) == errors) diag_error(g->diag, fine, NULL, "%s: %s", path, strerror(errno));
    *bytes = (int64_t)w.at;
    return fine;
}
