/* The weights file: every constant that the code reads, packed for the kernels, equal ones stored once. */
#include "codegen_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/weights.h"
#include "../base/pipeline.h"

enum { KEPT_ROOM = 32 << 20 };       /* rooms of so many bytes at most are kept from section to section: there may be several */

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

/* In a slot of the pipeline, until it is written. */
typedef struct made_section {
    int twin;                        /* the same section before it; -1: none, and bytes and checksum are made */
    section_bytes bytes;
    uint64_t checksum;
    status fine;
} made_section;

typedef struct writer {
    codegen *g;
    FILE *file;
    uint64_t at;
    weights_entry *entry;
    made_section slot[PIPELINE_SLOTS];
    section_bytes again;             /* of an earlier section, to be compared */
    int failed;                      /* the section that could not be made; -1: none */
} writer;

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

static void make_section(void *context, int i, int slot)
{
    writer *w = context;
    made_section *s = &w->slot[slot];
    s->fine = STATUS_OK;
    s->twin = same_section(w->g, i);
    if (s->twin >= 0) return;
    s->fine = codegen_pack(w->g, &w->g->section[i], &s->bytes, NULL);
    if (s->fine == STATUS_OK) s->checksum = checksum_bytes(s->bytes.bytes, s->bytes.size);
}

/* An earlier section with the bytes of s, or -1. Those of equal checksum are made again and compared. */
static int equal_section(writer *w, int i, const made_section *s)
{
    const section_bytes *b = &s->bytes;
    for (int j = 0; j < i; j++) {
        if (w->entry[j].checksum != s->checksum || w->entry[j].bytes != b->size) continue;
        if (codegen_pack(w->g, &w->g->section[j], &w->again, NULL) == STATUS_OK && memcmp(w->again.bytes, b->bytes, b->size) == 0) return j;
    }
    return -1;
}

static bool take_section(void *context, int i, int slot)
{
    writer *w = context;
    made_section *s = &w->slot[slot];
    if (s->fine != STATUS_OK) {
        w->failed = i;
        return false;
    }
    const int twin = s->twin >= 0 ? s->twin : equal_section(w, i, s);
    if (twin >= 0) {
        w->entry[i] = w->entry[twin];
        return true;
    }
    if (!pad_to(w, WEIGHTS_ALIGN)) return false;
    w->entry[i] = (weights_entry){ w->at, s->bytes.size, s->checksum };
    w->at += s->bytes.size;
    const bool written = fwrite(s->bytes.bytes, 1, s->bytes.size, w->file) == s->bytes.size;
    if (s->bytes.room_size > KEPT_ROOM) codegen_release(&s->bytes);
    return written;
}

static status write_sections(writer *w)
{
    codegen *g = w->g;
    w->failed = -1;
    const bool written = pipeline_run(g->sections, make_section, take_section, w);
    status fine = written ? STATUS_OK : STATUS_WRITE;
    if (w->failed >= 0) {            /* again, where errors can be told */
        const int errors = diag_errors(g->diag);
        fine = codegen_pack(g, &g->section[w->failed], &w->again, g->diag);
        if (diag_errors(g->diag) == errors) fine = diag_error(g->diag, STATUS_MEMORY, NULL, "packing weights");
    }
    for (int i = 0; i < PIPELINE_SLOTS; i++) codegen_release(&w->slot[i].bytes);
    codegen_release(&w->again);
    return fine;
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
    const status fine = write_sections(w);
    if (fine != STATUS_OK) return fine;
    if (!pad_to(w, WEIGHTS_ALIGN)) return STATUS_WRITE;
    g->packing = digest_bytes((digest){ 0, 0 }, w->entry, table);
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
    /* Written so many bytes at a time, from multiples of it on, a file lies in the page cache in pages of that size where the system has them: memory
     * is then read 25 per cent faster than through pages of 4 KB. */
    setvbuf(w.file, arena_alloc(g->arena, LARGE_PAGE), _IOFBF, LARGE_PAGE);
    w.entry = arena_array(g->arena, (size_t)g->sections + 1, sizeof *w.entry);
    const int errors = diag_errors(g->diag);
    status fine = write_all(&w);
    if (fclose(w.file) && fine == STATUS_OK) fine = STATUS_WRITE;
    if (fine != STATUS_OK && diag_errors(g->diag) == errors) diag_error(g->diag, fine, NULL, "%s: %s", path, strerror(errno));
    *bytes = (int64_t)w.at;
    return fine;
}
