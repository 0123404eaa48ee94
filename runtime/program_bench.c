/* Times the model. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program_private.h"

/* xorshift64*: the same numbers everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

/* Floats from -1 to 1, bytes of pixels from 0 to 255; anything else is 0 or 1, which suits flags, masks and token numbers. */
static void fill_random(const program *p, const program_tensor *t, bool pixels, int64_t batch, void *data)
{
    uint64_t state = 1;
    const int64_t elements = program_elements(p, t, batch);
    for (int64_t i = 0; i < elements; i++) {
        const uint64_t bits = next_random(&state);
        const double number = (double)(bits >> 11) * 0x1p-52 - 1;
        char *at = (char *)data + (size_t)i * t->size;
        if (t->type[1] == 'f' && t->size == 4) memcpy(at, &(float){(float)number}, 4);
        else if (t->type[1] == 'f' && t->size == 8) memcpy(at, &number, 8);
        else if (t->type[1] == 'f' && t->size == 2)
            memcpy(at, &(uint16_t){(uint16_t)(0x3800 | (bits >> 48 & 0x83ff))}, 2);   /* 0.5 to 1, either sign */
        else if (t->type[1] == 'V' && t->size == 2)
            memcpy(at, &(uint16_t){(uint16_t)(0x3f00 | (bits >> 48 & 0x807f))}, 2);   /* the same as bfloat16 */
        else if (pixels) memcpy(at, &(uint8_t){(uint8_t)(bits >> 56)}, 1);
        else memcpy(at, &(uint64_t){bits >> 63}, t->size < 8 ? t->size : 8);
    }
}

static bool prepare(program *p, int64_t *batch)
{
    if (p->options.inputs > 0) return program_given_inputs(p, batch);
    *batch = p->m->batch > 0 ? p->m->batch : p->options.batch > 0 ? p->options.batch : 1;
    if (!program_start(p, *batch)) return false;
    for (int i = 0; i < p->m->inputs; i++) {
        const program_tensor *t = &p->m->input[i];
        const bool pixels = p->m->preprocess != NULL && p->m->preprocess->pixels && t->rank == 4 && t->size == 1 && t->type[1] == 'u';
        fill_random(p, t, pixels, *batch, p->input[i]);
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const program *p, const double *ms, int runs, double first_ms, int64_t batch)
{
    const double median = runs % 2 == 1 ? ms[runs / 2] : (ms[runs / 2 - 1] + ms[runs / 2]) / 2;
    if (p->options.json)
        printf("{\"min_ms\": %.6f, \"median_ms\": %.6f, \"first_ms\": %.4f, \"load_ms\": %.4f}\n", ms[0], median, first_ms, p->load_ms);
    else
        printf("%d runs, batch %" PRId64 ", %d thread%s: min %.3f ms, median %.3f ms; first result after %.1f ms, of which loading %.1f ms\n", runs,
               batch, p->options.threads, p->options.threads == 1 ? "" : "s", ms[0], median, first_ms, p->load_ms);
}

int program_bench(program *p)
{
    int64_t batch;
    if (!prepare(p, &batch)) return PROGRAM_FAILED;
    if (!program_run(p, batch)) return PROGRAM_FAILED;
    const double first_ms = (program_seconds() - p->started) * 1e3;
    const int runs = p->options.bench;
    double *ms = malloc((size_t)runs * sizeof *ms);
    if (ms == NULL) {
        program_wrong(p, "memory ran out");
        return PROGRAM_FAILED;
    }
    bool done = true;
    for (int i = 0; done && i < runs; i++) {
        const double before = program_seconds();
        done = program_run(p, batch);
        ms[i] = (program_seconds() - before) * 1e3;
    }
    if (done) {
        qsort(ms, (size_t)runs, sizeof *ms, compare);
        report(p, ms, runs, first_ms, batch);
    }
    free(ms);
    if (done && p->options.output_dir != NULL) done = program_write_outputs(p, batch);
    if (done && p->options.profile) return program_profile(p, batch);
    return done ? PROGRAM_OK : PROGRAM_FAILED;
}
