/* Writes the folder of C that runs one model. */
#ifndef VITCC_CODEGEN_CODEGEN_H
#define VITCC_CODEGEN_CODEGEN_H

#include "../plan/plan.h"

typedef enum codegen_kernels { KERNELS_JIT, KERNELS_PORTABLE } codegen_kernels;

/* What the program does with a picture before the model sees it: preprocessor_config.json. */
typedef struct codegen_preprocess {
    bool present;
    bool do_resize, do_center_crop, do_rescale, do_normalize;
    bool shortest_edge;                  /* resize the shorter side to `height`, keeping the aspect */
    int height, width, crop_height, crop_width;
    int resample;                        /* Pillow's: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic */
    double rescale, mean[4], std[4];
    int channels;
} codegen_preprocess;

typedef struct codegen_options {
    const char *name;                    /* a C identifier: prefix of every symbol */
    const char *folder;                  /* where to write; exists and is empty */
    codegen_kernels kernels;
    bool embed_weights;
    digest model;                        /* of the ONNX file */
    codegen_preprocess preprocess;
    int labels;
    const char *const *label;            /* hostile */
} codegen_options;

/* What was written, for the compile report. */
typedef struct codegen_result {
    int64_t weight_bytes;                /* of the weights file */
    int sections, kernels, instances;
    int source_lines;                    /* of <name>.c and <name>_kernels.c */
} codegen_result;

status codegen_write(plan *p, const codegen_options *o, codegen_result *result, diag *d);

/* A C identifier made of `text`: other characters become '_', a leading digit gets one before it. Never a keyword of C or C++. */
const char *codegen_identifier(arena *a, const char *text);

#endif
