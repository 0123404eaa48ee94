/* What hosts of a generated library named "model" share: buffers for any inputs and outputs, and runs on them. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define REQUIRE(what) do { if (!(what)) { fprintf(stderr, "%s line %d: %s\n", __FILE__, __LINE__, #what); exit(1); } } while (0)

/* The structs of inputs and outputs hold nothing but pointers. */
enum { HOST_INPUTS = sizeof(model_inputs) / sizeof(void *), HOST_OUTPUTS = sizeof(model_outputs) / sizeof(void *) };

typedef struct host_buffers {
    int64_t batch;
    void *in[HOST_INPUTS], *out[HOST_OUTPUTS];
    size_t out_bytes[HOST_OUTPUTS];
} host_buffers;

static inline size_t host_elements(const model_tensor *t, int64_t batch)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)(t->shape[i] ? t->shape[i] : batch);
    return n;
}

/* The one batch of a static model; 0: any. */
static inline int64_t host_fixed_batch(void)
{
    return model_tensor_info(0)->shape[0];
}

/* Buffers for float tensors, the inputs filled with numbers between -1 and 1 that depend on the seed. */
static inline host_buffers host_make(int64_t batch, uint32_t seed)
{
    host_buffers b = { .batch = batch };
    for (int i = 0; i < HOST_INPUTS; i++) {
        const size_t n = host_elements(model_tensor_info(i), batch);
        float *x = malloc(n * sizeof *x);
        REQUIRE(x);
        for (size_t j = 0; j < n; j++) {
            seed = seed * 1664525u + 1013904223u;
            x[j] = (float)(int32_t)seed * 0x1p-31f;
        }
        b.in[i] = x;
    }
    for (int i = 0; i < HOST_OUTPUTS; i++) {
        b.out_bytes[i] = host_elements(model_tensor_info(HOST_INPUTS + i), batch) * sizeof(float);
        REQUIRE(b.out[i] = calloc(1, b.out_bytes[i]));
    }
    return b;
}

static inline void host_free(host_buffers *b)
{
    for (int i = 0; i < HOST_INPUTS; i++) free(b->in[i]);
    for (int i = 0; i < HOST_OUTPUTS; i++) free(b->out[i]);
}

/* Whatever the outputs held before is gone, so that a result is surely this run's. */
static inline void host_clear(host_buffers *b)
{
    for (int i = 0; i < HOST_OUTPUTS; i++) memset(b->out[i], 0x55, b->out_bytes[i]);
}

static inline model_status host_run(model_session *s, host_buffers *b)
{
    model_inputs in;
    model_outputs out;
    memcpy(&in, b->in, sizeof in);
    memcpy(&out, b->out, sizeof out);
    return model_run(s, b->batch, &in, &out);
}

/* Equal bits. */
static inline int host_same(const host_buffers *a, const host_buffers *b)
{
    for (int i = 0; i < HOST_OUTPUTS; i++)
        if (a->out_bytes[i] != b->out_bytes[i] || memcmp(a->out[i], b->out[i], a->out_bytes[i])) return 0;
    return 1;
}

static inline model_model *host_open(const char *weights)
{
    model_model *m;
    const model_status s = model_open(&m, weights);
    if (s != MODEL_OK) {
        fprintf(stderr, "%s: %s\n", weights, model_status_text(s));
        exit(1);
    }
    return m;
}

/* The answer of one thread to the inputs of this seed. */
static inline host_buffers host_expect(const model_model *m, int64_t batch, uint32_t seed)
{
    model_session *s;
    host_buffers b = host_make(batch, seed);
    const model_options o = { .max_batch = batch };
    REQUIRE(model_start(&s, m, &o) == MODEL_OK && host_run(s, &b) == MODEL_OK);
    model_stop(s);
    return b;
}

#endif
