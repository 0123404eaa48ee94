/* See output.h. A folder that vitcc wrote holds the file .vitcc. */
#define _GNU_SOURCE
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char marker[] = ".vitcc";

static status fail(diag *d, const char *path)
{
    return diag_error(d, STATUS_WRITE, NULL, "%s: %s", path, strerror(errno));
}

/* Names in a folder, "." and ".." left out; count is -1 where it cannot be read. */
static const char **names_in(arena *a, const char *folder, int *count)
{
    const char **name = NULL;
    DIR *dir = opendir(folder);
    *count = dir ? 0 : -1;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        name = arena_grow(a, name, (size_t)*count, sizeof *name);
        name[(*count)++] = arena_strdup(a, e->d_name);
    }
    if (dir) closedir(dir);
    return name;
}

static status check_target(output *o, diag *d)
{
    struct stat st;
    int count;
    if (lstat(o->folder, &st)) return errno == ENOENT ? STATUS_OK : fail(d, o->folder);
    names_in(o->arena, o->folder, &count);
    if (count < 0) return fail(d, o->folder);
    if (count == 0 || !access(arena_printf(o->arena, "%s/%s", o->folder, marker), F_OK)) return STATUS_OK;
    return diag_error(d, STATUS_EXISTS, NULL, "%s", o->folder);
}

status output_begin(output *o, arena *a, const char *folder, const char *record, diag *d)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') length--;
    *o = (output){ .arena = a, .folder = arena_strndup(a, folder, length) };
    const status s = check_target(o, d);
    if (s != STATUS_OK) return s;
    char *temporary = arena_printf(a, "%s.partial-XXXXXX", o->folder);
    if (!mkdtemp(temporary)) return fail(d, folder);
    o->temporary = temporary;
    chmod(temporary, 0755);
    FILE *f = fopen(arena_printf(a, "%s/%s", temporary, marker), "w");
    if (!f) return fail(d, temporary);
    const bool written = fputs(record, f) >= 0;
    return fclose(f) || !written ? fail(d, temporary) : STATUS_OK;
}

/* Moves every file of `from` into `to`, folder by folder. */
static bool move_all(arena *a, const char *from, const char *to)
{
    int count;
    const char **name = names_in(a, from, &count);
    if (mkdir(to, 0755) && errno != EEXIST) return false;
    for (int i = 0; i < count; i++) {
        const char *source = arena_printf(a, "%s/%s", from, name[i]), *target = arena_printf(a, "%s/%s", to, name[i]);
        struct stat st;
        if (stat(source, &st)) return false;
        if (S_ISDIR(st.st_mode) ? !move_all(a, source, target) : rename(source, target) != 0) return false;
    }
    return rmdir(from) == 0;
}

status output_commit(output *o, diag *d)
{
    if (!rename(o->temporary, o->folder)) return STATUS_OK;
    if (move_all(o->arena, o->temporary, o->folder)) return STATUS_OK;
    const status s = fail(d, o->folder);
    output_abandon(o);
    return s;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void output_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void output_abandon(output *o)
{
    if (o->temporary) output_remove(o->temporary);
}
