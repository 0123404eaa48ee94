/* digits: a Vision Transformer as a C library. No global state; a model may be shared by any number of sessions, a session runs one call at a time. */
#ifndef VITCC_MODEL_DIGITS_H
#define VITCC_MODEL_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(DIGITS_API)
#define DIGITS_API __attribute__((visibility("default")))
#elif !defined(DIGITS_API)
#define DIGITS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum digits_status {
    DIGITS_OK,
    DIGITS_ARGUMENT,   /* an argument is NULL or out of range */
    DIGITS_MEMORY,   /* memory ran out */
    DIGITS_NOT_FOUND,   /* the weights file cannot be read */
    DIGITS_NOT_WEIGHTS,   /* not a weights file */
    DIGITS_VERSION,   /* a weights file of another format version */
    DIGITS_TRUNCATED,   /* the weights file is shorter than it says */
    DIGITS_WRONG_MODEL,   /* weights of another model, or packed for other code */
    DIGITS_CORRUPT,   /* the weights are damaged */
    DIGITS_MISALIGNED,   /* weights in memory must be aligned to 64 bytes */
    DIGITS_BATCH,   /* this batch is not possible: larger than the session's, or not the model's one */
    DIGITS_BUSY,   /* the session is running another call */
    DIGITS_THREADS,   /* a thread could not be started */
#ifdef DIGITS_TRACE
    DIGITS_NOT_WRITTEN,   /* a trace could not be written */
#endif
} digits_status;

typedef struct digits_model digits_model;       /* the weights, and kernels for this CPU */
typedef struct digits_session digits_session;   /* threads and memory of one running inference */

typedef struct digits_options {
    int threads;         /* 0: one */
    int64_t max_batch;   /* 0: one, or the model's one */
    void *memory;        /* NULL: allocated; else of digits_memory() bytes, aligned to 64 */
} digits_options;

typedef struct digits_inputs {
    const float *pixel_values;   /* [batch,3,32,32] */
} digits_inputs;

/* An output left NULL is not written. They overlap neither inputs nor each other. */
typedef struct digits_outputs {
    float *logits;   /* [batch,10] */
} digits_outputs;

typedef struct digits_tensor {
    const char *name, *type;   /* as in the ONNX file; numpy's type, such as "<f4" */
    int rank;
    int64_t shape[8];          /* 0: the batch */
} digits_tensor;

/* Opens the weights, checks that they belong to this code, and prepares kernels for this CPU. */
DIGITS_API digits_status digits_open(digits_model **model, const char *weights_path);
/* The same from bytes in memory, aligned to 64, which must outlive the model. */
DIGITS_API digits_status digits_open_memory(digits_model **model, const void *weights, size_t bytes);
/* Reads all weights and compares their checksums. */
DIGITS_API digits_status digits_verify(const digits_model *model);
DIGITS_API void digits_close(digits_model *model);

/* Bytes of memory that a session with these options needs. options may be NULL. */
DIGITS_API size_t digits_memory(const digits_options *options);
DIGITS_API digits_status digits_start(digits_session **session, const digits_model *model, const digits_options *options);
/* Runs `batch` images. Allocates nothing; the calling thread is one of the workers. */
DIGITS_API digits_status digits_run(digits_session *session, int64_t batch, const digits_inputs *inputs, const digits_outputs *outputs);
DIGITS_API void digits_stop(digits_session *session);

/* Inputs, then outputs; NULL past the last. */
DIGITS_API const digits_tensor *digits_tensor_info(int i);
/* What a status means, and how many of the model's matrix kernels this CPU runs as generated code. */
DIGITS_API const char *digits_status_text(digits_status status);
DIGITS_API int digits_generated_kernels(const digits_model *model);

#ifdef DIGITS_TRACE   /* built with tracing */
/* Each run from now on writes what each step makes to a .npy file in the folder, which must exist; the text must stay. NULL: no more. */
DIGITS_API digits_status digits_trace(digits_session *session, const char *folder);
#endif

#ifdef __cplusplus
}
#endif
#endif
