/* See record.h. JSON is written and read by jansson. */
#define _GNU_SOURCE
#include "record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char note[] = "Written by vitcc: files here are replaced when the model is compiled again.";

/* The path from anywhere. The file's own name stays, though it be a link: the configuration and external data are looked for beside it. */
static const char *absolute(arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = realpath(slash ? arena_strndup(a, path, (size_t)(slash - path) + 1) : ".", NULL);
    if (!folder) return path;
    const char *whole = arena_printf(a, "%s/%s", strcmp(folder, "/") ? folder : "", slash ? slash + 1 : path);
    free(folder);
    return whole;
}

static json_t *list(int count, const char *const *text)
{
    json_t *j = json_array();
    for (int i = 0; i < count; i++)
        if (json_array_append_new(j, json_string(text[i]))) {
            json_decref(j);
            return NULL;
        }
    return j;
}

/* "input=file" with the file's path made absolute. */
static const char *absolute_binding(arena *a, const char *text)
{
    const char *equals = strchr(text, '=');
    return equals ? arena_printf(a, "%.*s%s", (int)(equals + 1 - text), text, absolute(a, equals + 1)) : text;
}

const char *record_text(arena *a, const driver_options *o, const char *name, digest model, output_files files)
{
    const char *path = absolute(a, o->model), *config = o->config ? absolute(a, arena_printf(a, "%s/.", o->config)) : NULL;
    const char **bind = arena_array(a, (size_t)o->binds + 1, sizeof *bind);
    for (int i = 0; i < o->binds; i++) bind[i] = absolute_binding(a, o->bind[i]);
    const char *sum = arena_printf(a, "%016" PRIx64 "%016" PRIx64, model.high, model.low);
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:s, s:b, s:i, s:i, s:i, s:o}",
        "note", note, "version", VITCC_VERSION, "model", path, "digest", sum, "name", name, "config", config,
        "input_type", o->input_type, "shape", list(o->shapes, o->shape), "bind", list(o->binds, bind), "no_pass", list(o->no_passes, o->no_pass), "kernels", codegen_kernels_name[o->kernels],
        "embed_weights", o->embed_weights, "panel_rows", o->panel_rows, "tile_rows", o->tile_rows,
        "panel_images", o->panel_images, "files", list(files.count, files.name));
    if (!j) j = json_pack("{s:s}", "note", note);
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    const char *copy = arena_printf(a, "%s\n", text ? text : note);
    free(text);
    return copy;
}

/* An array of strings, copied; false if it is something else. */
static bool take_list(arena *a, const json_t *j, int *count, const char ***text)
{
    *count = 0;
    *text = arena_array(a, json_array_size(j) + 1, sizeof **text);
    for (size_t i = 0; i < json_array_size(j); i++) {
        const char *s = json_string_value(json_array_get(j, i));
        if (!s) return false;
        (*text)[(*count)++] = arena_strdup(a, s);
    }
    return json_is_array(j);
}

static bool take(arena *a, json_t *j, driver_options *o, digest *model)
{
    const char *path, *sum, *name, *kernels;
    json_t *config, *input_type = NULL, *shape, *bind, *no_pass;
    int embed, kind = 0;
    if (json_unpack(j, "{s:s, s:s, s:s, s:o, s?:o, s:o, s:o, s:o, s:s, s:b, s:i, s:i, s?:i}",
            "model", &path, "digest", &sum, "name", &name, "config", &config, "input_type", &input_type, "shape", &shape, "bind", &bind, "no_pass", &no_pass,
            "kernels", &kernels, "embed_weights", &embed, "panel_rows", &o->panel_rows, "tile_rows", &o->tile_rows,
            "panel_images", &o->panel_images))
        return false;
    while (kind < KERNELS_KINDS && strcmp(kernels, codegen_kernels_name[kind])) kind++;
    if (kind == KERNELS_KINDS || !*name || sscanf(sum, "%16" SCNx64 "%16" SCNx64, &model->high, &model->low) != 2) return false;
    const int rows_max = 65536;
    const int rows[] = { o->panel_rows, o->tile_rows, o->panel_images };
    for (int i = 0; i < 3; i++)
        if (rows[i] < 0 || rows[i] > rows_max) return false;
    o->model = arena_strdup(a, path);
    o->name = arena_strdup(a, name);
    o->config = json_is_string(config) ? arena_strdup(a, json_string_value(config)) : NULL;
    o->input_type = json_is_string(input_type) ? arena_strdup(a, json_string_value(input_type)) : NULL;
    o->kernels = (codegen_kernels)kind;
    o->embed_weights = embed;
    return take_list(a, shape, &o->shapes, &o->shape) && take_list(a, bind, &o->binds, &o->bind) && take_list(a, no_pass, &o->no_passes, &o->no_pass);
}

output_files record_files(arena *a, const char *folder)
{
    output_files files = { 0 };
    json_t *j = json_load_file(arena_printf(a, "%s/.vitcc", folder), JSON_REJECT_DUPLICATES, NULL);
    if (!take_list(a, json_object_get(j, "files"), &files.count, &files.name)) files.count = 0;
    json_decref(j);
    return files;
}

status record_read(arena *a, const char *folder, driver_options *o, digest *model, diag *d)
{
    const char *path = arena_printf(a, "%s/.vitcc", folder);
    json_error_t error;
    if (access(path, R_OK)) return diag_error(d, STATUS_RECORD, NULL, "it holds no file .vitcc that can be read");
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    const bool told = j && take(a, j, o, model);
    if (!j) diag_error(d, STATUS_RECORD, NULL, ".vitcc: line %d: %s", error.line, error.text);
    else if (!told) diag_error(d, STATUS_RECORD, NULL, ".vitcc: a field is missing or not as vitcc writes it");
    json_decref(j);
    return told ? STATUS_OK : STATUS_RECORD;
}
