/* The program around a generated library: command line, pictures, .npy files, timing. main.c fills in a program_model and calls program_main. */
#ifndef VITCC_RUNTIME_PROGRAM_H
#define VITCC_RUNTIME_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct program_tensor {
    const char *name, *type;     /* type: numpy's descr, such as "<f4" */
    int rank;
    const int64_t *shape;        /* -k: k times the batch */
    size_t size;                 /* bytes of an element */
    int length;                  /* 1 + the axis whose size follows the run's length, its shape being for the capacity; 0: none */
} program_tensor;

/* What a Hugging Face image processor does, in this order: resize, centre crop, rescale, normalise. */
typedef struct program_preprocess {
    int do_resize, height, width, shortest_edge;   /* shortest_edge 0: exactly height and width */
    int resample;                                  /* Pillow's: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic */
    int do_center_crop, crop_height, crop_width;
    int do_rescale, do_normalize;
    double rescale;
    int channels;                                  /* 3, or 1: grey */
    float mean[4], std[4];
    int pixels;                                    /* 1: the model takes [height, width, channels] of uint8, and does the last two steps itself */
} program_preprocess;

/* All functions return NULL, or what went wrong. */
typedef struct program_model {
    const char *name, *version;
    const char *weights;                           /* file name beside the program; NULL: embedded */
    int inputs, outputs;
    const program_tensor *input, *output;
    int64_t batch;                                 /* the one batch of a static model; 0: any */
    int64_t capacity;                              /* of the run's length; 0: there is none */
    const program_preprocess *preprocess;          /* NULL: no pictures */
    int labels;
    const char *const *label;                      /* index → label */
    int logits;                                    /* index of the output that holds class scores; -1: none */
    const char *(*open)(void **model, const char *weights_path);
    const char *(*verify)(void *model);
    void (*close)(void *model);
    const char *(*start)(void **session, void *model, int threads, int64_t max_batch);
    void (*stop)(void *session);
    const char *(*run)(void *session, int64_t batch, int64_t length, const void *const *input, void *const *output);
    struct profile_row *(*profile)(void *model, int *rows);    /* from now on clocks every kernel; NULL: cannot */
    const char *(*trace)(void *session, const char *folder);   /* NULL: not built with tracing */
} program_model;

/* What the linker puts in place of parts of libraries that the program does not use: see CMakeLists.txt. Says so and aborts. */
void program_unused(void) __attribute__((noreturn));

/* Returns the exit status: 0, 1 (something failed), 2 (the command line is not understood). */
int program_main(const program_model *m, int argc, char **argv);

#endif
