/* Traces: each step's result as a .npy file. Only builds with tracing include this. Panels of a result are written to their places in its file by the
 * threads that make them, so that nothing is kept in memory and no thread waits for another.
 * Needs POSIX. */
#ifndef VITCC_RUNTIME_TRACE_H
#define VITCC_RUNTIME_TRACE_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "team.h"

enum { TRACE_RANK_MAX = 8, TRACE_HEADER = 256, TRACE_BUFFER = 4096, TRACE_PATH = 4096 };

/* What one step makes, as the code generator knows it. */
typedef struct trace_step {
    const char *name;                  /* of the file, without what follows the image */
    const char *type;                  /* numpy's, such as "<f4" */
    int size;                          /* bytes of an element */
    int rank;
    int64_t shape[TRACE_RANK_MAX];
    int64_t elements, run, stride;     /* in memory, elements lie in runs of `run`, `stride` apart */
    int64_t rows;                      /* of the phase; 0: not made by rows */
    bool panel_alone;                  /* in memory there is a panel of it, not the whole */
} trace_step;

/* A session's traces. */
typedef struct trace {
    const char *folder;                /* NULL: none */
    _Atomic int failed;                /* a file could not be written */
    int64_t image[TEAM_MAX];           /* the one each thread works on; -1: there is one only, and file names do not tell it */
} trace;

/* The file's first TRACE_HEADER bytes. */
static inline void trace_header(const trace_step *s, char header[TRACE_HEADER])
{
    const int magic = 10, text = TRACE_HEADER - magic;
    char shape[TRACE_RANK_MAX * 24] = "";
    int n = 0;
    for (int i = 0; i < s->rank; i++) n += snprintf(shape + n, sizeof shape - (size_t)n, "%lld, ", (long long)s->shape[i]);
    memset(header, ' ', TRACE_HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)text;
    header[9] = 0;
    n = snprintf(header + magic, (size_t)text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", s->type, shape);
    if (n > 0 && n < text) header[magic + n] = ' ';
    header[TRACE_HEADER - 1] = '\n';
}

static inline bool trace_put(int file, const void *bytes, size_t size, int64_t at)
{
    const char *from = bytes;
    while (size > 0) {
        const ssize_t done = pwrite(file, from, size, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        from += done;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

/* Elements first to end - 1 to their places in the file. data: where element `origin` lies. */
static inline bool trace_elements(int file, const trace_step *s, const char *data, int64_t origin, int64_t first, int64_t end)
{
    char buffer[TRACE_BUFFER];
    const int64_t most = TRACE_BUFFER / s->size;
    while (first < end) {
        int64_t n = 0;
        const int64_t from = first;
        while (n < most && first < end) {
            const int64_t i = first - origin, left = s->run - i % s->run;
            int64_t count = left < most - n ? left : most - n;
            if (count > end - first) count = end - first;
            memcpy(buffer + n * s->size, data + (i / s->run * s->stride + i % s->run) * s->size, (size_t)(count * s->size));
            n += count;
            first += count;
        }
        if (!trace_put(file, buffer, (size_t)(n * s->size), TRACE_HEADER + from * s->size)) return false;
    }
    return true;
}

static inline bool trace_file(const trace *t, int64_t image, const trace_step *s, const void *data, int64_t origin, int64_t first, int64_t end)
{
    char path[TRACE_PATH], suffix[24] = "", header[TRACE_HEADER];
    if (image >= 0) snprintf(suffix, sizeof suffix, ".%lld", (long long)image);
    const int length = snprintf(path, sizeof path, "%s/%s%s.npy", t->folder, s->name, suffix);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return false;
    trace_header(s, header);
    /* Threads write one file at once; each brings it to its full size, whatever was there before. */
    bool done = ftruncate(file, (off_t)(TRACE_HEADER + s->elements * s->size)) == 0 && trace_put(file, header, sizeof header, 0);
    done = done && trace_elements(file, s, data, origin, first, end);
    return close(file) == 0 && done;
}

static inline void trace_write(trace *t, const worker *w, const trace_step *s, const void *data, int64_t origin, int64_t first, int64_t end)
{
    if (!trace_file(t, t->image[w->id], s, data, origin, first, end)) atomic_store(&t->failed, 1);
}

/* What the step made of `rows` rows from `row` on; of a result that is not made by rows the first panel has the whole. data: the whole
 * result, or the panel alone. */
static inline void trace_panel(trace *t, const worker *w, const trace_step *s, const void *data, int64_t row, int64_t rows)
{
    if (!t->folder) return;
    const int64_t each = s->rows ? s->elements / s->rows : 0, first = row * each;
    if (s->rows) trace_write(t, w, s, data, s->panel_alone ? first : 0, first, first + rows * each);
    else if (row == 0) trace_write(t, w, s, data, 0, 0, s->elements);
}

/* A result that is whole only behind the phase's barrier. The next phase may overwrite it, and so waits. */
static inline void trace_late(trace *t, worker *w, const trace_step *s, const void *data)
{
    if (t->folder && (w->alone || w->id == 0)) trace_write(t, w, s, data, 0, 0, s->elements);
    team_barrier(w);
}

#endif
