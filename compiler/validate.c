/* See validate.h. .npy files are read and written by the runtime's npy.c, the one that generated programs use. */
#include "validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../runtime/npy.h"
#include "codegen/codegen.h"
#include "ir/eval.h"

struct validation {
    int inputs, outputs;
    eval_tensor *input, *output;
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Floats uniform in ±2, bytes 0 to 255, other integers 0 to 3, in double-mode storage. */
static bool random_tensor(const ir_graph *g, const ir_type *t, uint64_t seed, int64_t images, eval_tensor *out)
{
    int64_t batch[64];
    for (int i = 0; i < 64; i++) batch[i] = i < g->symbols->count && g->symbols->symbol[i].max >= images ? images : 1;
    *out = (eval_tensor){ .elem = t->elem, .rank = t->rank, .elements = 1 };
    for (int i = 0; i < t->rank; i++) {
        out->shape[i] = dim_evaluate(t->dim[i], batch);
        out->elements *= out->shape[i];
    }
    const size_t size = eval_size(EVAL_DOUBLE, t->elem);
    out->data = calloc((size_t)out->elements + 1, size);
    if (!out->data) return false;
    for (int64_t i = 0; i < out->elements; i++) {
        const uint64_t r = next_random(&seed);
        const double number = (double)(float)((double)r / (double)(1u << 30) - 1.0) * 2;
        if (t->elem == ELEM_F16) ((double *)out->data)[i] = (double)eval_from_f16(eval_to_f16(number));
        else if (t->elem == ELEM_BF16) ((double *)out->data)[i] = (double)eval_from_bf16(eval_to_bf16(number));
        else if (elem_is_float(t->elem)) ((double *)out->data)[i] = number;
        else ((unsigned char *)out->data)[(size_t)i * size] = (unsigned char)(r & (t->elem == ELEM_BOOL ? 1 : t->elem == ELEM_U8 ? 255 : 3));
    }
    return true;
}

/* Runs g on seeded random input of so many images; the caller ends it. */
static validation *run_on_random(const ir_graph *g, int64_t images, diag *d)
{
    validation *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    v->inputs = g->parameters;
    v->outputs = g->results;
    v->input = calloc((size_t)g->parameters + 1, sizeof *v->input);
    v->output = calloc((size_t)g->results + 1, sizeof *v->output);
    bool fine = v->input && v->output && g->symbols->count < 64;
    for (int i = 0; fine && i < g->parameters; i++) fine = random_tensor(g, &g->parameter[i].value->type, 17u + (uint64_t)i, images, &v->input[i]);
    if (fine && eval_run(g, EVAL_DOUBLE, v->input, v->output, NULL, NULL, d) == STATUS_OK) return v;
    validate_end(v);
    return NULL;
}

void validate_end(validation *v)
{
    if (!v) return;
    for (int i = 0; v->input && i < v->inputs; i++) free(v->input[i].data);
    for (int i = 0; v->output && i < v->outputs; i++) eval_free(&v->output[i]);
    free(v->input);
    free(v->output);
    free(v);
}

validation *validate_begin(const ir_graph *g, diag *d)
{
    return run_on_random(g, 2, d);
}

/* Largest difference of two outputs, relative to the scale of the first; infinite where only one is NaN. */
static double difference(const eval_tensor *a, const eval_tensor *b)
{
    double worst = 0, scale = 0;
    if (a->elements != b->elements || a->elem != b->elem) return INFINITY;
    for (int64_t i = 0; i < a->elements; i++) {
        const bool is_float = elem_is_float(a->elem);
        const double x = is_float ? eval_number(EVAL_DOUBLE, a, i) : (double)eval_integer(EVAL_DOUBLE, a, i);
        const double y = is_float ? eval_number(EVAL_DOUBLE, b, i) : (double)eval_integer(EVAL_DOUBLE, b, i);
        if (isnan(x) != isnan(y)) return INFINITY;
        if (isnan(x) || x == y) continue;
        if (fabs(x) > scale) scale = fabs(x);
        if (!(fabs(x - y) <= worst)) worst = fabs(x - y);
    }
    return worst / (scale > 0 ? scale : 1);
}

status validate_after(validation *v, const ir_graph *g, const char *pass, diag *d)
{
    const double tolerance = 1e-5;
    eval_tensor *output = calloc((size_t)g->results + 1, sizeof *output);
    if (!output) return diag_error(d, STATUS_MEMORY, NULL, "validating");
    status s = eval_run(g, EVAL_DOUBLE, v->input, output, NULL, NULL, d);
    for (int i = 0; s == STATUS_OK && i < g->results; i++) {
        const double moved = difference(&v->output[i], &output[i]);
        if (!(moved <= tolerance))
            s = diag_error(d, STATUS_VALIDATE, NULL, "after pass %s output '%s' differs by %.3g of its scale", pass, g->result[i].name, moved);
    }
    for (int i = 0; i < g->results; i++) eval_free(&output[i]);
    free(output);
    return s;
}

static bool write_tensor(const ir_graph *g, const char *folder, const char *what, const char *name, const eval_tensor *t, diag *d)
{
    char message[512];
    const char *path = arena_printf(g->arena, "%s/%s_%s.npy", folder, what, codegen_file_name(g->arena, name));
    const bool wide = elem_is_float(t->elem) && t->elem != ELEM_F64;   /* in memory, unlike in the file */
    void *narrow = wide ? malloc(((size_t)t->elements + 1) * sizeof(float)) : NULL;
    for (int64_t i = 0; narrow && i < t->elements; i++) {
        const double x = ((const double *)t->data)[i];
        if (t->elem == ELEM_F32) ((float *)narrow)[i] = (float)x;
        else ((uint16_t *)narrow)[i] = t->elem == ELEM_F16 ? eval_to_f16(x) : eval_to_bf16(x);
    }
    const bool fine = npy_write(path, validate_numpy_type(t->elem), elem_size(t->elem), t->rank, t->shape, narrow ? narrow : t->data, message,
                                sizeof message);
    free(narrow);
    if (!fine) diag_error(d, STATUS_WRITE, NULL, "%s", message);
    return fine;
}

status validate_selftest(const ir_graph *g, const char *folder, diag *d)
{
    validation *v = run_on_random(g, 1, NULL);
    if (!v) return STATUS_OK;   /* random integers are not indices of everything */
    bool fine = true;
    for (int i = 0; fine && i < v->inputs; i++) fine = write_tensor(g, folder, "input", g->parameter[i].name, &v->input[i], d);
    for (int i = 0; fine && i < v->outputs; i++) fine = write_tensor(g, folder, "output", g->result[i].name, &v->output[i], d);
    validate_end(v);
    return fine ? STATUS_OK : STATUS_WRITE;
}
