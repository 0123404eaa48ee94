/* Runs the model once on inputs from .npy files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program_private.h"

/* The input that "NAME=FILE" names; -1: the text is a path alone. */
static int named_input(const program_model *m, const char *text, const char **path)
{
    *path = text;
    for (int i = 0; i < m->inputs; i++) {
        const size_t n = strlen(m->input[i].name);
        if (strncmp(text, m->input[i].name, n) != 0 || text[n] != '=') continue;
        *path = text + n + 1;
        return i;
    }
    return -1;
}

/* path[i]: the file of input i. Files without a name go to the inputs that are left, in order. */
static bool assign_inputs(program *p, const char **path)
{
    const program_model *m = p->m;
    const program_options *o = &p->options;
    for (int k = 0; k < o->inputs; k++) {
        const char *file;
        const int i = named_input(m, o->input[k], &file);
        if (i < 0) continue;
        if (path[i] != NULL) return program_wrong(p, "input '%s' is given twice", m->input[i].name);
        path[i] = file;
    }
    for (int k = 0; k < o->inputs; k++) {
        const char *file;
        if (named_input(m, o->input[k], &file) >= 0) continue;
        int i = 0;
        while (i < m->inputs && path[i] != NULL) i++;
        if (i == m->inputs) return program_wrong(p, "--input %s: the model has no such input, and %d in all", file, m->inputs);
        path[i] = file;
    }
    for (int i = 0; i < m->inputs; i++)
        if (path[i] == NULL) return program_wrong(p, "input '%s' is missing: give it with --input %s=FILE.npy", m->input[i].name, m->input[i].name);
    return true;
}

bool program_given_inputs(program *p, int64_t *batch)
{
    const char **path = calloc((size_t)p->m->inputs + 1, sizeof *path);
    if (path == NULL) return program_wrong(p, "memory ran out");
    const bool done = assign_inputs(p, path) && program_read_inputs(p, path, batch);
    free(path);
    return done;
}

int program_files(program *p)
{
    int64_t batch;
    if (!program_given_inputs(p, &batch)) return PROGRAM_FAILED;
    const double before = program_seconds();
    if (!program_run(p, batch)) return PROGRAM_FAILED;
    const double ms = (program_seconds() - before) * 1e3;
    if (p->options.output_dir != NULL && !program_write_outputs(p, batch)) return PROGRAM_FAILED;
    if (!p->options.quiet) printf("%.1f ms\n", ms);
    return PROGRAM_OK;
}
