/* See config.h. JSON is read by jansson. */
#include "config.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

enum { LABELS_MAX = 1 << 20 };

static json_t *read_json(arena *a, const char *folder, const char *name, diag *d)
{
    const char *path = arena_printf(a, "%s/%s", folder, name);
    json_error_t error;
    if (access(path, F_OK)) return NULL;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!j) diag_error(d, STATUS_READ, NULL, "%s: line %d: %s", path, error.line, error.text);
    else if (!json_is_object(j)) diag_error(d, STATUS_READ, NULL, "%s: it is no JSON object", path);
    return j;
}

/* id2label: {"0": "zero", …}; ids from 0 without a gap. */
static void read_labels(arena *a, json_t *config, codegen_options *o)
{
    json_t *labels = json_object_get(config, "id2label");
    const size_t count = json_object_size(labels);
    if (!count || count > LABELS_MAX) return;
    const char **label = arena_array(a, count, sizeof *label);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_object_get(labels, arena_printf(a, "%zu", i)));
        if (!text) return;
        label[i] = arena_strdup(a, text);
    }
    o->label = label;
    o->labels = (int)count;
}

static bool flag(json_t *j, const char *name, bool otherwise)
{
    json_t *v = json_object_get(j, name);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

/* A size: a number, {"height", "width"} or {"shortest_edge"}. */
static bool read_size(json_t *size, int *height, int *width, bool *shortest)
{
    *shortest = false;
    if (json_is_integer(size)) {
        *height = *width = (int)json_integer_value(size);
    } else if (json_is_integer(json_object_get(size, "shortest_edge"))) {
        *height = *width = (int)json_integer_value(json_object_get(size, "shortest_edge"));
        *shortest = true;
    } else {
        *height = (int)json_integer_value(json_object_get(size, "height"));
        *width = (int)json_integer_value(json_object_get(size, "width"));
    }
    return *height > 0 && *width > 0 && *height <= 65536 && *width <= 65536;
}

static void read_channels(json_t *list, double *to, double otherwise)
{
    for (size_t i = 0; i < 4; i++) {
        json_t *v = json_array_get(list, i);
        to[i] = json_is_number(v) ? json_number_value(v) : otherwise;
    }
}

static status read_preprocess(json_t *j, codegen_preprocess *p, diag *d)
{
    bool unused;
    *p = (codegen_preprocess){ .present = true, .channels = 3 };
    p->do_resize = flag(j, "do_resize", true);
    p->do_center_crop = flag(j, "do_center_crop", false);
    p->do_rescale = flag(j, "do_rescale", true);
    p->do_normalize = flag(j, "do_normalize", true);
    json_t *resample = json_object_get(j, "resample"), *factor = json_object_get(j, "rescale_factor");
    p->resample = json_is_integer(resample) ? (int)json_integer_value(resample) : 2;
    p->rescale = json_is_number(factor) ? json_number_value(factor) : 1.0 / 255;
    read_channels(json_object_get(j, "image_mean"), p->mean, 0.5);
    read_channels(json_object_get(j, "image_std"), p->std, 0.5);
    if (p->do_resize && !read_size(json_object_get(j, "size"), &p->height, &p->width, &p->shortest_edge))
        return diag_error(d, STATUS_READ, NULL, "preprocessor_config.json: size is not understood");
    if (p->do_center_crop && !read_size(json_object_get(j, "crop_size"), &p->crop_height, &p->crop_width, &unused))
        return diag_error(d, STATUS_READ, NULL, "preprocessor_config.json: crop_size is not understood");
    if (p->resample < 0 || p->resample > 3)
        return diag_error(d, STATUS_READ, NULL,
                          "preprocessor_config.json: resample %d is not supported (0 nearest, 1 lanczos, 2 bilinear, 3 bicubic)", p->resample);
    for (int i = 0; i < 4; i++)
        if (p->std[i] == 0) return diag_error(d, STATUS_READ, NULL, "preprocessor_config.json: image_std is zero");
    return STATUS_OK;
}

status config_read(arena *a, const char *folder, const char *model, codegen_options *o, diag *d)
{
    const char *slash = strrchr(model, '/');
    if (!folder) folder = slash ? arena_strndup(a, model, (size_t)(slash - model)) : ".";
    if (!*folder) folder = "/";
    const int errors = diag_errors(d);
    json_t *config = read_json(a, folder, "config.json", d), *preprocessor = read_json(a, folder, "preprocessor_config.json", d);
    if (config) read_labels(a, config, o);
    if (preprocessor && diag_errors(d) == errors) read_preprocess(preprocessor, &o->preprocess, d);
    json_decref(config);
    json_decref(preprocessor);
    return diag_errors(d) == errors ? STATUS_OK : STATUS_READ;
}
