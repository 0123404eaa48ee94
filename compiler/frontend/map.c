/* Mapping of the model and of the external data in its folder. */
#define _GNU_SOURCE
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

mapping *map_new(arena *a)
{
    mapping *m = arena_alloc(a, sizeof *m);
    m->arena = a;
    return m;
}

/* Maps a regular file; on failure errno tells why. */
static bool map_file(mapping *m, const char *path, mapped_file **out)
{
    mapped_file *f = arena_alloc(m->arena, sizeof *f);
    f->path = arena_strdup(m->arena, path);
    f->data = (const uint8_t *)"";
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a pipe must not block */
    struct stat st;
    if (fd < 0) return false;
    int problem = fstat(fd, &st) ? errno : S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (!problem && st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) problem = errno;
        else {
            f->data = p;
            f->size = (size_t)st.st_size;
        }
    }
    close(fd);
    if (problem) {
        errno = problem;
        return false;
    }
    *(m->last ? &m->last->next : &m->first) = f;
    m->last = f;
    *out = f;
    return true;
}

status map_model(mapping *m, const char *path, diag *d)
{
    char *resolved = arena_alloc(m->arena, PATH_MAX);
    const char *slash = strrchr(path, '/');
    const char *folder = !slash ? "." : slash == path ? "/" : arena_strndup(m->arena, path, (size_t)(slash - path));
    mapped_file *model;
    if (!realpath(folder, resolved) || !map_file(m, path, &model)) return diag_error(d, STATUS_READ, NULL, "%s", strerror(errno));
    m->folder = resolved;
    return STATUS_OK;
}

/* No absolute path and no step upwards, even one that comes back. */
static bool stays_below(const char *location)
{
    if (!*location || *location == '/') return false;
    for (const char *at = location; *at;) {
        const size_t n = strcspn(at, "/");
        if (n == 2 && at[0] == '.' && at[1] == '.') return false;
        at += n + (at[n] == '/');
    }
    return true;
}

static bool is_inside(const char *folder, const char *path)
{
    const size_t n = strlen(folder);
    return !strncmp(path, folder, n) && (path[n] == '/' || folder[n - 1] == '/');
}

status map_external(mapping *m, const char *location, const diag_place *place, diag *d, const mapped_file **out)
{
    if (!stays_below(location)) return diag_error(d, STATUS_EXTERNAL_PATH, place, "'%.300s'", location);
    char *resolved = arena_alloc(m->arena, PATH_MAX);
    if (!realpath(arena_printf(m->arena, "%s/%s", m->folder, location), resolved)) {
        return diag_error(d, STATUS_EXTERNAL_MISSING, place, "'%.300s': %s", location, strerror(errno));
    }
    if (!is_inside(m->folder, resolved)) return diag_error(d, STATUS_EXTERNAL_PATH, place, "'%.300s' is a link to another folder", location);
    for (const mapped_file *f = m->first->next; f; f = f->next) {
        if (strcmp(f->path, resolved)) continue;
        *out = f;
        return STATUS_OK;
    }
    mapped_file *file;
    if (!map_file(m, resolved, &file)) return diag_error(d, STATUS_READ, place, "'%.300s': %s", location, strerror(errno));
    *out = file;
    return STATUS_OK;
}

void map_close(mapping *m)
{
    for (mapped_file *f = m ? m->first : NULL; f; f = f->next) {
        if (f->size) munmap((void *)(uintptr_t)f->data, f->size);
        f->data = (const uint8_t *)"";
        f->size = 0;
    }
}
