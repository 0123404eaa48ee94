/* What the parts of the program share. Functions that can fail return false and have put what is wrong into p->message, or NULL / the text itself. */
#ifndef VITCC_RUNTIME_PROGRAM_PRIVATE_H
#define VITCC_RUNTIME_PROGRAM_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "program.h"

enum { PROGRAM_OK = 0, PROGRAM_FAILED = 1, PROGRAM_USAGE = 2, PROGRAM_MESSAGE = 1024, PROGRAM_PATH = 4096 };

typedef struct program_options {
    int top, threads, bench;           /* threads 0: as many as there are cores */
    int64_t batch;                     /* 0: not given */
    double tolerance;                  /* of the self-test, relative; below 0: by element type */
    bool json, profile, verify, quiet, help, version;
    const char *weights, *output_dir, *trace, *selftest;
    int inputs, pictures;
    const char **input, **picture;     /* as on the command line */
} program_options;

typedef struct program {
    const program_model *m;
    program_options options;
    void *model, *session;
    double started, load_ms;           /* started: seconds, when the process began */
    int64_t max_batch, length;         /* length: the run's; the capacity, where no input says otherwise */
    void **input, **output;            /* one buffer a tensor, for max_batch */
    char message[PROGRAM_MESSAGE];
} program;

/* ---- program_options.c ---- */

bool program_parse(program *p, int argc, char **argv);
void program_usage(const program_model *m);

/* ---- program.c ---- */

double program_seconds(void);          /* monotonic */
bool program_start(program *p, int64_t max_batch);
bool program_run(program *p, int64_t batch);
/* Puts a formatted text into p->message; returns false. */
bool program_wrong(program *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- program_tensors.c ---- */

int64_t program_elements(const program *p, const program_tensor *t, int64_t batch);   /* at the run's length */
/* Float types: float16, bfloat16 ("<V2"), float32, float64; element i, as double. */
bool program_is_float(const program_tensor *t);
double program_float(const program_tensor *t, const void *data, int64_t i);
void program_set_float(const program_tensor *t, void *data, int64_t i, double x);
bool program_allocate(program *p);     /* buffers for max_batch */
void program_free(program *p);
/* "<dir>/<prefix><name>.npy", characters outside A-Za-z0-9_.- as _; names that become equal get _<index>. False: too long. */
bool program_tensor_path(program *p, const char *dir, const char *prefix, const program_tensor *all, int index, char path[PROGRAM_PATH]);
/* Reads path[i] for input i, checks types and shapes, starts the session for their batch and fills the inputs. */
bool program_read_inputs(program *p, const char *const *path, int64_t *batch);
bool program_write_outputs(program *p, int64_t batch);

/* ---- program_inputs.c ---- */

/* Starts the session and fills the inputs from the files of --input. */
bool program_given_inputs(program *p, int64_t *batch);

/* ---- what the program does; each returns the exit status ---- */

int program_files(program *p);
int program_pictures(program *p);
int program_bench(program *p);
int program_selftest(program *p);
/* The runs of --bench once more, clocked kernel by kernel; the inputs are there and the session is started. */
int program_profile(program *p, int64_t batch);

#endif
