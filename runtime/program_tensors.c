/* Inputs and outputs of the model: buffers, .npy files and their names. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "half.h"
#include "npy.h"
#include "program_private.h"

enum { BUFFER_ALIGN = 64, NAME_MAX_BYTES = 200 };

/* Size of axis i. */
static int64_t axis_size(const program *p, const program_tensor *t, int i, int64_t batch)
{
    int64_t size;
    if (t->length == i + 1) return t->shape[i] - p->m->capacity + p->length;
    if (t->shape[i] >= 0) return t->shape[i];
    return __builtin_mul_overflow(-t->shape[i], batch, &size) ? INT64_MAX : size;
}

int64_t program_elements(const program *p, const program_tensor *t, int64_t batch)
{
    int64_t product = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(product, axis_size(p, t, i, batch), &product)) return -1;
    return product;
}

bool program_is_float(const program_tensor *t)
{
    return t->type[1] == 'f' || t->type[1] == 'V';
}

double program_float(const program_tensor *t, const void *data, int64_t i)
{
    if (t->size == 8) return ((const double *)data)[i];
    if (t->size == 4) return (double)((const float *)data)[i];
    const uint16_t bits = ((const uint16_t *)data)[i];
    return t->type[1] == 'V' ? half_to_double(bits, 8, 7) : half_to_double(bits, 5, 10);
}

void program_set_float(const program_tensor *t, void *data, int64_t i, double x)
{
    if (t->size == 8) ((double *)data)[i] = x;
    else if (t->size == 4) ((float *)data)[i] = (float)x;
    else ((uint16_t *)data)[i] = t->type[1] == 'V' ? half_from_double(x, 8, 7) : half_from_double(x, 5, 10);
}

static void *allocate_one(const program *p, const program_tensor *t, int64_t batch)
{
    const int64_t elements = program_elements(p, t, batch);
    size_t bytes;
    if (elements < 0 || __builtin_mul_overflow((size_t)elements, t->size, &bytes) || bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes / BUFFER_ALIGN + 1) * BUFFER_ALIGN;
    void *data = aligned_alloc(BUFFER_ALIGN, bytes);
    if (data != NULL) memset(data, 0, bytes);
    return data;
}

bool program_allocate(program *p)
{
    const program_model *m = p->m;
    p->input = calloc((size_t)m->inputs + 1, sizeof *p->input);
    p->output = calloc((size_t)m->outputs + 1, sizeof *p->output);
    bool made = p->input != NULL && p->output != NULL;
    for (int i = 0; made && i < m->inputs; i++) made = (p->input[i] = allocate_one(p, &m->input[i], p->max_batch)) != NULL;
    for (int i = 0; made && i < m->outputs; i++) made = (p->output[i] = allocate_one(p, &m->output[i], p->max_batch)) != NULL;
    return made ? true : program_wrong(p, "memory ran out");
}

void program_free(program *p)
{
    for (int i = 0; p->input != NULL && i < p->m->inputs; i++) free(p->input[i]);
    for (int i = 0; p->output != NULL && i < p->m->outputs; i++) free(p->output[i]);
    free(p->input);
    free(p->output);
    free(p->options.input);
    free(p->options.picture);
}

/* ---- names ---- */

static void file_name(const char *name, char out[NAME_MAX_BYTES])
{
    size_t n = 0;
    for (; name[n] != 0 && n < NAME_MAX_BYTES - 1; n++) {
        const unsigned char c = (unsigned char)name[n];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
        out[n] = plain ? (char)c : '_';
    }
    out[n] = 0;
}

bool program_tensor_path(program *p, const char *dir, const char *prefix, const program_tensor *all, int index, char path[PROGRAM_PATH])
{
    char name[NAME_MAX_BYTES], other[NAME_MAX_BYTES], suffix[16] = "";
    file_name(all[index].name, name);
    for (int i = 0; i < index; i++) {
        file_name(all[i].name, other);
        if (strcmp(name, other) == 0) snprintf(suffix, sizeof suffix, "_%d", index);
    }
    const int length = snprintf(path, PROGRAM_PATH, "%s/%s%s%s.npy", dir, prefix, name, suffix);
    return length < PROGRAM_PATH ? true : program_wrong(p, "%s: the path is too long", dir);
}

/* ---- files ---- */

/* Whether an array fits a tensor; *batch 0: not known yet. */
static bool check_shape(program *p, const program_tensor *t, const npy_array *a, const char *path, int64_t *batch)
{
    char have[400], want[400];
    if (strcmp(t->type, a->type) != 0 && !(t->size == 1 && a->size == 1 && t->type[1] == a->type[1]))
        return program_wrong(p, "%s: elements are '%s', but '%s' takes '%s'", path, a->type, t->name, t->type);
    bool fits = t->rank == a->rank;
    int64_t found = *batch;
    if (fits && t->length && p->length < 0) {
        const int64_t size = a->shape[t->length - 1], more = t->shape[t->length - 1] - p->m->capacity;
        if (size < more || size - more > p->m->capacity)
            return program_wrong(p, "%s: axis %d of '%s' has %" PRId64 " to %" PRId64 " elements, not %" PRId64, path, t->length - 1, t->name, more,
                                 more + p->m->capacity, size);
        p->length = size - more;
    }
    for (int i = 0; fits && i < t->rank; i++) {
        if (t->shape[i] < 0 && found == 0) found = a->shape[i] / -t->shape[i];
        fits = a->shape[i] == axis_size(p, t, i, found) && (t->shape[i] >= 0 || found > 0);
    }
    if (fits) {
        *batch = found;
        return true;
    }
    size_t used = (size_t)snprintf(want, sizeof want, "[");
    for (int i = 0; i < t->rank && used < sizeof want; i++) {
        char size[24] = "N";
        if (t->shape[i] >= 0 || *batch != 0) snprintf(size, sizeof size, "%" PRId64, axis_size(p, t, i, *batch));
        used += (size_t)snprintf(want + used, sizeof want - used, "%s%s", i > 0 ? ", " : "", size);
    }
    if (used < sizeof want) snprintf(want + used, sizeof want - used, "]");
    return program_wrong(p, "%s: the shape is %s, but '%s' takes %s", path, npy_shape_text(a->rank, a->shape, have, sizeof have), t->name, want);
}

static bool read_arrays(program *p, const char *const *path, npy_array *a, int64_t *batch)
{
    *batch = 0;
    p->length = p->m->capacity ? -1 : 0;   /* not known yet */
    for (int i = 0; i < p->m->inputs; i++) {
        if (!npy_read(path[i], &a[i], p->message, sizeof p->message)) return false;
        if (!check_shape(p, &p->m->input[i], &a[i], path[i], batch)) return false;
    }
    if (*batch == 0) *batch = p->m->batch > 0 ? p->m->batch : 1;
    if (*batch > 1 << 20) return program_wrong(p, "a batch of %" PRId64 " is too large", *batch);
    return p->m->batch == 0 || *batch == p->m->batch ? true : program_wrong(p, "this model's batch is %" PRId64, p->m->batch);
}

bool program_read_inputs(program *p, const char *const *path, int64_t *batch)
{
    const int inputs = p->m->inputs;
    npy_array *a = calloc((size_t)inputs + 1, sizeof *a);
    if (a == NULL) return program_wrong(p, "memory ran out");
    const bool done = read_arrays(p, path, a, batch) && program_start(p, *batch);
    for (int i = 0; i < inputs; i++) {
        if (done) memcpy(p->input[i], a[i].data, (size_t)a[i].elements * a[i].size);
        free(a[i].data);
    }
    free(a);
    return done;
}

bool program_write_outputs(program *p, int64_t batch)
{
    const char *dir = p->options.output_dir;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) return program_wrong(p, "%s: %s", dir, strerror(errno));
    for (int i = 0; i < p->m->outputs; i++) {
        const program_tensor *t = &p->m->output[i];
        int64_t shape[NPY_RANK_MAX];
        if (t->rank > NPY_RANK_MAX) return program_wrong(p, "output '%s' has too many axes for a .npy file", t->name);
        for (int axis = 0; axis < t->rank; axis++) shape[axis] = axis_size(p, t, axis, batch);
        char path[PROGRAM_PATH];
        if (!program_tensor_path(p, dir, "", p->m->output, i, path)) return false;
        if (!npy_write(path, t->type, t->size, t->rank, shape, p->output[i], p->message, sizeof p->message)) return false;
    }
    return true;
}
