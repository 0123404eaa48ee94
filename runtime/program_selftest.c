/* Compares the model's outputs with stored ones. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "program_private.h"

typedef struct difference {
    double error, scale;       /* largest absolute error, largest magnitude expected (finite ones) */
    int64_t at, wrong_nans;    /* where the error is; NaN on one side only, or different infinities */
} difference;

static difference compare_floats(const program_tensor *t, const void *have, const void *want, int64_t elements)
{
    difference d = {0};
    for (int64_t i = 0; i < elements; i++) {
        const double x = program_float(t, have, i), y = program_float(t, want, i);
        if (isnan(x) && isnan(y)) continue;
        if (!isfinite(x) || !isfinite(y)) {
            d.wrong_nans += x != y;
            continue;
        }
        if (fabs(y) > d.scale) d.scale = fabs(y);
        if (fabs(x - y) > d.error) d.error = fabs(x - y), d.at = i;
    }
    return d;
}

/* One output against its file; prints a line. */
static bool compare_output(program *p, int index, int64_t batch, const npy_array *want)
{
    const program_tensor *t = &p->m->output[index];
    const int64_t elements = program_elements(p, t, batch);
    if (strcmp(want->type, t->type) != 0 || want->elements != elements) {
        printf("%s: FAILED: the stored output has another type or size\n", t->name);
        return false;
    }
    if (!program_is_float(t)) {
        int64_t different = 0;
        for (int64_t i = 0; i < elements; i++)
            different += memcmp((const char *)p->output[index] + (size_t)i * t->size, (const char *)want->data + (size_t)i * t->size, t->size) != 0;
        printf("%s: %s: %" PRId64 " of %" PRId64 " elements differ\n", t->name, different == 0 ? "good" : "FAILED", different, elements);
        return different == 0;
    }
    const difference d = compare_floats(t, p->output[index], want->data, elements);
    const double tolerance = p->options.tolerance >= 0 ? p->options.tolerance : t->size == 2 ? 2e-2 : 1e-4;
    const bool good = d.wrong_nans == 0 && d.error <= tolerance * d.scale;
    printf("%s: %s: largest error %.3g at element %" PRId64 ", of values up to %.3g", t->name, good ? "good" : "FAILED", d.error, d.at, d.scale);
    if (d.wrong_nans > 0) printf("; %" PRId64 " elements are NaN or infinite on one side only", d.wrong_nans);
    putchar('\n');
    return good;
}

static bool compare_outputs(program *p, int64_t batch)
{
    bool good = true;
    for (int i = 0; i < p->m->outputs; i++) {
        char path[PROGRAM_PATH];
        npy_array want;
        if (!program_tensor_path(p, p->options.selftest, "output_", p->m->output, i, path)) return false;
        if (!npy_read(path, &want, p->message, sizeof p->message)) return false;
        if (!compare_output(p, i, batch, &want)) good = false;
        free(want.data);
    }
    return good ? true : program_wrong(p, "the self-test failed");
}

static bool read_stored_inputs(program *p, int64_t *batch)
{
    const int inputs = p->m->inputs;
    char (*path)[PROGRAM_PATH] = calloc((size_t)inputs + 1, sizeof *path);
    const char **list = calloc((size_t)inputs + 1, sizeof *list);
    bool done = path != NULL && list != NULL ? true : program_wrong(p, "memory ran out");
    for (int i = 0; done && i < inputs; i++) {
        list[i] = path[i];
        done = program_tensor_path(p, p->options.selftest, "input_", p->m->input, i, path[i]);
    }
    done = done && program_read_inputs(p, list, batch);
    free(list);
    free(path);
    return done;
}

int program_selftest(program *p)
{
    int64_t batch;
    if (!read_stored_inputs(p, &batch) || !program_run(p, batch)) return PROGRAM_FAILED;
    return compare_outputs(p, batch) ? PROGRAM_OK : PROGRAM_FAILED;
}
