/* The weights file: mapped read-only, checked on opening, its sections handed out as pointers. Little-endian.
 *
 *     header 64 bytes | section table, 24 bytes an entry | padding | sections
 *
 * The first section lies at a multiple of 4096, each at a multiple of 64; sections do not overlap the table. Code and weights are a pair: the
 * header carries the digest of the model and the digest of the packing (which section holds what, in which layout). */
#ifndef VITCC_RUNTIME_WEIGHTS_H
#define VITCC_RUNTIME_WEIGHTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checksum.h"

#define WEIGHTS_MAGIC "VITCCWTS"
enum { WEIGHTS_FORMAT = 1, WEIGHTS_PAGE = 4096, WEIGHTS_ALIGN = 64 };

typedef struct weights_header {
    char magic[8];             /* WEIGHTS_MAGIC, not terminated */
    uint32_t format, sections;
    uint64_t bytes;            /* of the whole file */
    uint8_t model[16], packing[16];
    uint64_t table_checksum;   /* of the section table */
} weights_header;

typedef struct weights_entry {
    uint64_t offset;           /* from the start of the file */
    uint64_t bytes;
    uint64_t checksum;
} weights_entry;

_Static_assert(sizeof(weights_header) == 64 && sizeof(weights_entry) == 24, "the file's layout");

typedef enum weights_status {
    WEIGHTS_OK,
    WEIGHTS_NOT_FOUND,         /* no such file, or it cannot be read or mapped */
    WEIGHTS_NOT_WEIGHTS,       /* not a weights file */
    WEIGHTS_WRONG_VERSION,     /* of another format version */
    WEIGHTS_TRUNCATED,         /* shorter than its header says */
    WEIGHTS_WRONG_MODEL,       /* of another model, or packed for other code */
    WEIGHTS_CORRUPT,           /* table or section damaged */
    WEIGHTS_MISALIGNED         /* the caller's bytes do not start at a multiple of 64 */
} weights_status;

typedef struct weights {
    const uint8_t *bytes;      /* the whole file; NULL: closed */
    size_t size;
    const weights_entry *table;
    int sections;
    bool mapped;
} weights;

static inline weights_status weights_check_header(const weights_header *h, size_t size, const uint8_t model[16], const uint8_t packing[16],
                                                  int sections, const char **why)
{
    *why = "not a weights file";
    if (memcmp(h->magic, WEIGHTS_MAGIC, sizeof h->magic) != 0) return WEIGHTS_NOT_WEIGHTS;
    *why = "a weights file of another format version";
    if (h->format != WEIGHTS_FORMAT) return WEIGHTS_WRONG_VERSION;
    *why = "the file is shorter than its header says; copy it again";
    if (h->bytes > size) return WEIGHTS_TRUNCATED;
    *why = "the weights of another model";
    if (memcmp(h->model, model, 16) != 0) return WEIGHTS_WRONG_MODEL;
    *why = "weights packed for other code of this model; use those written together with it";
    if (memcmp(h->packing, packing, 16) != 0 || h->sections != (uint32_t)sections) return WEIGHTS_WRONG_MODEL;
    *why = "the file is longer than its header says";
    return h->bytes < size ? WEIGHTS_CORRUPT : WEIGHTS_OK;
}

static inline bool weights_entry_fits(const weights_entry *e, size_t table_end, size_t size)
{
    return e->offset % WEIGHTS_ALIGN == 0 && e->offset >= table_end && e->offset <= size && e->bytes <= size - e->offset;
}

/* Checks w->bytes and fills in the rest; *why tells what is wrong. Section contents are not read: see weights_verify. */
static inline weights_status weights_check(weights *w, const uint8_t model[16], const uint8_t packing[16], int sections, const char **why)
{
    *why = "not a weights file";
    if (w->size < sizeof(weights_header)) {
        const size_t magic = w->size < 8 ? w->size : 8;
        if (w->size == 0 || memcmp(w->bytes, WEIGHTS_MAGIC, magic) != 0) return WEIGHTS_NOT_WEIGHTS;
        *why = "the file ends within its header; copy it again";
        return WEIGHTS_TRUNCATED;
    }
    weights_header h;
    memcpy(&h, w->bytes, sizeof h);
    const weights_status status = weights_check_header(&h, w->size, model, packing, sections, why);
    if (status != WEIGHTS_OK) return status;
    *why = "the section table is damaged; copy the file again";
    if (h.sections > (w->size - sizeof h) / sizeof(weights_entry)) return WEIGHTS_CORRUPT;
    const size_t table_bytes = h.sections * sizeof(weights_entry);
    w->table = (const weights_entry *)(const void *)(w->bytes + sizeof h);
    if (checksum_bytes(w->table, table_bytes) != h.table_checksum) return WEIGHTS_CORRUPT;
    for (int i = 0; i < sections; i++)
        if (!weights_entry_fits(&w->table[i], sizeof h + table_bytes, w->size)) return WEIGHTS_CORRUPT;
    if (sections > 0 && w->table[0].offset % WEIGHTS_PAGE != 0) return WEIGHTS_CORRUPT;
    w->sections = sections;
    return WEIGHTS_OK;
}

static inline void weights_close(weights *w)
{
    if (w->mapped) munmap((void *)(uintptr_t)w->bytes, w->size);
    *w = (weights){0};
}

/* The same on bytes of the caller's (aligned to 64), which must stay until weights_close. */
static inline weights_status weights_open_memory(weights *w, const void *bytes, size_t size, const uint8_t model[16], const uint8_t packing[16],
                                                 int sections, char *message, size_t message_size)
{
    *w = (weights){.bytes = bytes, .size = size};
    const char *why = "not aligned to 64 bytes";
    weights_status status = WEIGHTS_MISALIGNED;
    if ((uintptr_t)bytes % WEIGHTS_ALIGN == 0) status = weights_check(w, model, packing, sections, &why);
    if (status == WEIGHTS_OK) return status;
    snprintf(message, message_size, "weights in memory: %s", why);
    weights_close(w);
    return status;
}

static inline weights_status weights_map(weights *w, const char *path)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return WEIGHTS_NOT_FOUND;
    struct stat about;
    weights_status status = WEIGHTS_NOT_FOUND;
    if (fstat(file, &about) == 0) {
        if (!S_ISREG(about.st_mode)) errno = S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
        else if (about.st_size == 0) status = WEIGHTS_NOT_WEIGHTS;
        else {
            void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
            if (bytes != MAP_FAILED) {
                *w = (weights){.bytes = bytes, .size = (size_t)about.st_size, .mapped = true};
                status = WEIGHTS_OK;
            }
        }
    }
    const int error = errno;
    close(file);
    errno = error;
    return status;
}

/* Maps `path` and checks magic, format, size, digests, table checksum and the bounds of each section. On failure *w is closed and `message`
 * (of message_size bytes) tells what is wrong. */
static inline weights_status weights_open(weights *w, const char *path, const uint8_t model[16], const uint8_t packing[16], int sections,
                                          char *message, size_t message_size)
{
    *w = (weights){0};
    weights_status status = weights_map(w, path);
    if (status == WEIGHTS_NOT_FOUND) {
        snprintf(message, message_size, "%s: %s", path, strerror(errno));
        return status;
    }
    const char *why = "not a weights file";
    if (status == WEIGHTS_OK) status = weights_check(w, model, packing, sections, &why);
    if (status == WEIGHTS_OK) {
        /* Section contents are read soon: let the kernel fetch them ahead, in large pages where it can. */
#if defined(MADV_HUGEPAGE)
        madvise((void *)(uintptr_t)w->bytes, w->size, MADV_HUGEPAGE);
#endif
        madvise((void *)(uintptr_t)w->bytes, w->size, MADV_WILLNEED);
        return status;
    }
    snprintf(message, message_size, "%s: %s", path, why);
    weights_close(w);
    return status;
}

/* The start of a section, aligned to 64 bytes. */
static inline const void *weights_section(const weights *w, int section)
{
    return w->bytes + w->table[section].offset;
}

/* Reads every section and compares checksums. */
static inline weights_status weights_verify(const weights *w, char *message, size_t message_size)
{
    for (int i = 0; i < w->sections; i++) {
        if (checksum_bytes(weights_section(w, i), w->table[i].bytes) == w->table[i].checksum) continue;
        snprintf(message, message_size, "section %d of the weights is damaged; copy the file again", i);
        return WEIGHTS_CORRUPT;
    }
    return WEIGHTS_OK;
}

#endif
