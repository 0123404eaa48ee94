/* `vitcc evaluate`: the model in the evaluator, from .npy files to .npy files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../runtime/npy.h"
#include "codegen/codegen.h"
#include "ir/eval.h"
#include "validate.h"

const char *validate_numpy_type(elem e)
{
    static const char *const names[ELEM_COUNT] = { [ELEM_F32] = "<f4", [ELEM_F64] = "<f8", [ELEM_F16] = "<f2", [ELEM_BF16] = "<V2", [ELEM_I8] = "|i1",
                                                   [ELEM_I16] = "<i2", [ELEM_I32] = "<i4", [ELEM_I64] = "<i8", [ELEM_U8] = "|u1", [ELEM_U16] = "<u2",
                                                   [ELEM_U32] = "<u4", [ELEM_U64] = "<u8", [ELEM_BOOL] = "|b1" };
    return names[e];
}

/* Moves the array's data into a tensor; floats become doubles where the mode stores them so. */
static bool to_tensor(npy_array *a, eval_mode mode, elem e, eval_tensor *t)
{
    *t = (eval_tensor){ .elem = e, .rank = a->rank, .elements = a->elements, .data = a->data };
    if (a->rank > IR_RANK_MAX) return false;
    memcpy(t->shape, a->shape, (size_t)a->rank * sizeof *t->shape);
    if (mode == EVAL_TYPED || !elem_is_float(e)) return true;
    double *wide = malloc(((size_t)a->elements + 1) * sizeof *wide);
    for (int64_t i = 0; wide && i < a->elements; i++) wide[i] = eval_number(EVAL_TYPED, t, i);
    free(a->data);
    t->data = wide;
    return wide != NULL;
}

/* The file given for parameter i: by name, or the only one without. */
static const char *file_of(const ir_graph *g, int i, int inputs, const char *const *input)
{
    const char *name = g->parameter[i].name ? g->parameter[i].name : "";
    const size_t length = strlen(name);
    for (int k = 0; k < inputs; k++)
        if (!strncmp(input[k], name, length) && input[k][length] == '=') return input[k] + length + 1;
    return inputs == 1 && g->parameters == 1 && !strchr(input[0], '=') ? input[0] : NULL;
}

static status read_input(const ir_graph *g, int i, const char *path, eval_mode mode, eval_tensor *t, diag *d)
{
    char message[512];
    npy_array a;
    const elem e = g->parameter[i].value->type.elem;
    if (!path) return diag_error(d, STATUS_READ, NULL, "input '%s': no --input names it", g->parameter[i].name);
    if (!npy_read(path, &a, message, sizeof message)) return diag_error(d, STATUS_READ, NULL, "%s", message);
    if (strcmp(a.type, validate_numpy_type(e))) {
        free(a.data);
        return diag_error(d, STATUS_TYPE, NULL, "%s holds %s, input '%s' is %s", path, a.type, g->parameter[i].name, validate_numpy_type(e));
    }
    return to_tensor(&a, mode, e, t) ? STATUS_OK : diag_error(d, STATUS_MEMORY, NULL, "%s", path);
}

static status write_output(const ir_graph *g, int i, const char *folder, eval_mode mode, const eval_tensor *t, diag *d)
{
    char message[512];
    const char *name = codegen_file_name(g->arena, g->result[i].name);
    const bool wide = mode == EVAL_DOUBLE && elem_is_float(t->elem);
    const char *path = arena_printf(g->arena, "%s/%s.npy", folder, name);
    if (npy_write(path, wide ? "<f8" : validate_numpy_type(t->elem), eval_size(mode, t->elem), t->rank, t->shape, t->data, message, sizeof message))
        return STATUS_OK;
    return diag_error(d, STATUS_WRITE, NULL, "%s", message);
}

status validate_evaluate(const ir_graph *g, int inputs, const char *const *input, const char *folder, bool typed, diag *d)
{
    const eval_mode mode = typed ? EVAL_TYPED : EVAL_DOUBLE;
    eval_tensor *in = arena_array(g->arena, (size_t)g->parameters + 1, sizeof *in), *out = arena_array(g->arena, (size_t)g->results + 1, sizeof *out);
    status s = STATUS_OK;
    for (int i = 0; i < g->parameters && s == STATUS_OK; i++) s = read_input(g, i, file_of(g, i, inputs, input), mode, &in[i], d);
    if (s == STATUS_OK) s = eval_run(g, mode, in, out, NULL, NULL, d);
    if (s == STATUS_OK) mkdir(folder, 0777);
    for (int i = 0; i < g->results && s == STATUS_OK; i++) s = write_output(g, i, folder, mode, &out[i], d);
    for (int i = 0; i < g->parameters; i++) free(in[i].data);
    for (int i = 0; i < g->results; i++) eval_free(&out[i]);
    return s;
}
