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

status output_begin(output *o, arena *a, const char *folder, diag *d)
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
    return STATUS_OK;
}

/* ---- lists of files ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the files below `folder`; prefix: what their names begin with. */
static void add_files(arena *a, const char *folder, const char *prefix, output_files *files)
{
    int count;
    const char **name = names_in(a, folder, &count);
    for (int i = 0; i < count; i++) {
        const char *path = arena_printf(a, "%s/%s", folder, name[i]), *own = arena_printf(a, "%s%s", prefix, name[i]);
        struct stat st;
        if (lstat(path, &st)) continue;
        if (S_ISDIR(st.st_mode)) {
            add_files(a, path, arena_printf(a, "%s/", own), files);
            continue;
        }
        files->name = arena_grow(a, files->name, (size_t)files->count, sizeof *files->name);
        files->name[files->count++] = own;
    }
}

output_files output_list(const output *o)
{
    output_files files = { 0 };
    add_files(o->arena, o->temporary, "", &files);
    if (files.count) qsort(files.name, (size_t)files.count, sizeof *files.name, compare);
    return files;
}

/* One part of a name that vitcc gives: nothing that leads out of the folder. */
static bool is_plain(const char *part, size_t length)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return length && *part != '.' && strspn(part, allowed) >= length;
}

/* Removes a file that an older compilation wrote, and its folder if that is empty then. Links and what is not a plain file stay. */
static void remove_old(const output *o, const char *name)
{
    const char *slash = strchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *path = arena_printf(o->arena, "%s/%s", o->folder, name), *in = NULL;
    struct stat st;
    if (!is_plain(base, strlen(base)) || (slash && !is_plain(name, (size_t)(slash - name)))) return;
    if (slash) {
        in = arena_printf(o->arena, "%s/%.*s", o->folder, (int)(slash - name), name);
        if (lstat(in, &st) || !S_ISDIR(st.st_mode)) return;
    }
    if (!lstat(path, &st) && S_ISREG(st.st_mode)) unlink(path);
    if (in) rmdir(in);
}

static void remove_others(const output *o, output_files before, output_files now)
{
    for (int i = 0; i < before.count; i++)
        if (!now.count || !bsearch(&before.name[i], now.name, (size_t)now.count, sizeof *now.name, compare)) remove_old(o, before.name[i]);
}

/* ---- commit ---- */

static status write_record(const output *o, const char *record, diag *d)
{
    const char *path = arena_printf(o->arena, "%s/%s", o->temporary, marker);
    FILE *f = fopen(path, "w");
    if (!f) return fail(d, path);
    const bool written = fputs(record, f) >= 0;
    return fclose(f) || !written ? fail(d, path) : STATUS_OK;
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

status output_commit(output *o, const char *record, output_files before, diag *d)
{
    const output_files now = output_list(o);
    status s = write_record(o, record, d);
    if (s == STATUS_OK && rename(o->temporary, o->folder)) {
        if (move_all(o->arena, o->temporary, o->folder)) remove_others(o, before, now);
        else s = fail(d, o->folder);
    }
    if (s != STATUS_OK) output_abandon(o);
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
