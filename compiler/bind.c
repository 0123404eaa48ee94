/* Reads the values that --bind gives inputs. */
#include "bind.h"

#include <stdlib.h>
#include <string.h>

#include "../runtime/npy.h"
#include "validate.h"

static elem type_of(const char *numpy)
{
    for (int e = 0; e < ELEM_COUNT; e++)
        if (validate_numpy_type((elem)e) && !strcmp(validate_numpy_type((elem)e), numpy)) return (elem)e;
    return ELEM_NONE;
}

/* A truth value is 0 or 1, whatever the file says of true. */
static void tidy(uint8_t *truth, size_t count)
{
    for (size_t i = 0; i < count; i++) truth[i] = truth[i] != 0;
}

static status read_one(arena *a, const char *text, frontend_binding *b, diag *d)
{
    char message[512];
    npy_array array;
    const char *equals = strchr(text, '=');
    if (!equals) return diag_error(d, STATUS_BIND, NULL, "--bind %.200s: which input it means must be said, as in name=%.200s", text, text);
    if (!npy_read(equals + 1, &array, message, sizeof message)) return diag_error(d, STATUS_READ, NULL, "%s", message);
    *b = (frontend_binding){ .name = arena_strndup(a, text, (size_t)(equals - text)), .elem = type_of(array.type), .rank = array.rank,
        .size = (size_t)array.elements * array.size };
    status s = STATUS_OK;
    if (b->elem == ELEM_NONE) s = diag_error(d, STATUS_TYPE, NULL, "%s holds %s", equals + 1, array.type);
    else if (b->rank > IR_RANK_MAX) s = diag_error(d, STATUS_TOO_LARGE, NULL, "%s has more than 8 axes", equals + 1);
    else {
        memcpy(b->shape, array.shape, (size_t)b->rank * sizeof *b->shape);
        void *data = arena_alloc(a, b->size + 1);
        if (b->size) memcpy(data, array.data, b->size);
        if (b->elem == ELEM_BOOL) tidy(data, b->size);
        b->data = data;
    }
    free(array.data);
    return s;
}

status bind_read(arena *a, int count, const char *const *text, frontend_binding **out, diag *d)
{
    frontend_binding *list = arena_array(a, (size_t)count + 1, sizeof *list);
    status first = STATUS_OK;
    for (int i = 0; i < count; i++) {
        const status s = read_one(a, text[i], &list[i], d);
        if (first == STATUS_OK) first = s;
    }
    *out = list;
    return first;
}

digest bind_digest(digest model, int count, const frontend_binding *binding)
{
    for (int i = 0; i < count; i++) {
        model = digest_bytes(model, binding[i].name, strlen(binding[i].name));
        model = digest_bytes(model, binding[i].shape, (size_t)binding[i].rank * sizeof *binding[i].shape);
        model = digest_bytes(model, binding[i].data, binding[i].size);
    }
    return model;
}
