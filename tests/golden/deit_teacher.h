/* deit_teacher: a Vision Transformer as a C library. No global state; a model may be shared by any number of sessions, a session runs one call at a time. */
#ifndef VITCC_MODEL_DEIT_TEACHER_H
#define VITCC_MODEL_DEIT_TEACHER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(DEIT_TEACHER_API)
#define DEIT_TEACHER_API __attribute__((visibility("default")))
#elif !defined(DEIT_TEACHER_API)
#define DEIT_TEACHER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum deit_teacher_status {
    DEIT_TEACHER_OK,
    DEIT_TEACHER_ARGUMENT,   /* an argument is NULL or out of range */
    DEIT_TEACHER_MEMORY,   /* memory ran out */
    DEIT_TEACHER_NOT_FOUND,   /* the weights file cannot be read */
    DEIT_TEACHER_NOT_WEIGHTS,   /* not a weights file */
    DEIT_TEACHER_VERSION,   /* a weights file of another format version */
    DEIT_TEACHER_TRUNCATED,   /* the weights file is shorter than it says */
    DEIT_TEACHER_WRONG_MODEL,   /* weights of another model, or packed for other code */
    DEIT_TEACHER_CORRUPT,   /* the weights are damaged */
    DEIT_TEACHER_MISALIGNED,   /* weights in memory must be aligned to 64 bytes */
    DEIT_TEACHER_BATCH,   /* this batch is not possible: larger than the session's, or not the model's one */
    DEIT_TEACHER_BUSY,   /* the session is running another call */
    DEIT_TEACHER_THREADS,   /* a thread could not be started */
#ifdef DEIT_TEACHER_TRACE
    DEIT_TEACHER_NOT_WRITTEN,   /* a trace could not be written */
#endif
} deit_teacher_status;

typedef struct deit_teacher_model deit_teacher_model;       /* the weights, and kernels for this CPU */
typedef struct deit_teacher_session deit_teacher_session;   /* threads and memory of one running inference */

typedef struct deit_teacher_options {
    int threads;         /* 0: one */
    int64_t max_batch;   /* 0: one, or the model's one */
    void *memory;        /* NULL: allocated; else of deit_teacher_memory() bytes, aligned to 64 */
} deit_teacher_options;

typedef struct deit_teacher_inputs {
    const float *pixel_values;   /* [1,3,16,16] */
} deit_teacher_inputs;

/* An output left NULL is not written. They overlap neither inputs nor each other. */
typedef struct deit_teacher_outputs {
    float *logits;   /* [1,5] */
    float *cls_logits;   /* [1,5] */
    float *distillation_logits;   /* [1,5] */
} deit_teacher_outputs;

typedef struct deit_teacher_tensor {
    const char *name, *type;   /* as in the ONNX file; numpy's type, such as "<f4" */
    int rank;
    int64_t shape[8];          /* 0: the batch */
} deit_teacher_tensor;

/* Opens the weights, checks that they belong to this code, and prepares kernels for this CPU. */
DEIT_TEACHER_API deit_teacher_status deit_teacher_open(deit_teacher_model **model, const char *weights_path);
/* The same from bytes in memory, aligned to 64, which must outlive the model. */
DEIT_TEACHER_API deit_teacher_status deit_teacher_open_memory(deit_teacher_model **model, const void *weights, size_t bytes);
/* Reads all weights and compares their checksums. */
DEIT_TEACHER_API deit_teacher_status deit_teacher_verify(const deit_teacher_model *model);
DEIT_TEACHER_API void deit_teacher_close(deit_teacher_model *model);

/* Bytes of memory that a session with these options needs. options may be NULL. */
DEIT_TEACHER_API size_t deit_teacher_memory(const deit_teacher_options *options);
DEIT_TEACHER_API deit_teacher_status deit_teacher_start(deit_teacher_session **session, const deit_teacher_model *model, const deit_teacher_options *options);
/* Runs `batch` images. Allocates nothing; the calling thread is one of the workers. */
DEIT_TEACHER_API deit_teacher_status deit_teacher_run(deit_teacher_session *session, int64_t batch, const deit_teacher_inputs *inputs, const deit_teacher_outputs *outputs);
DEIT_TEACHER_API void deit_teacher_stop(deit_teacher_session *session);

/* Inputs, then outputs; NULL past the last. */
DEIT_TEACHER_API const deit_teacher_tensor *deit_teacher_tensor_info(int i);
/* What a status means, and how many of the model's matrix kernels this CPU runs as generated code. */
DEIT_TEACHER_API const char *deit_teacher_status_text(deit_teacher_status status);
DEIT_TEACHER_API int deit_teacher_generated_kernels(const deit_teacher_model *model);

#ifdef DEIT_TEACHER_TRACE   /* built with tracing */
/* Each run from now on writes what each step makes to a .npy file in the folder, which must exist; the text must stay. NULL: no more. */
DEIT_TEACHER_API deit_teacher_status deit_teacher_trace(deit_teacher_session *session, const char *folder);
#endif

#ifdef __cplusplus
}
#endif
#endif
