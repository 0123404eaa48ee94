/* The pipeline: load, passes, plan, code. Each command of vitcc is one call. */
#ifndef VITCC_DRIVER_H
#define VITCC_DRIVER_H

#include <stdbool.h>

#include "base/status.h"
#include "codegen/codegen.h"

typedef struct driver_options {
    const char *model;                  /* path of the .onnx file */
    const char *out;                    /* compile: the folder to write */
    const char *name;                   /* NULL: from the file's name */
    const char *config;                 /* folder of config.json and preprocessor_config.json; NULL: beside the model */
    int shapes;
    const char **shape;
    int binds;
    const char **bind;                  /* "input=file.npy" */
    const char *input_type;             /* "[input=]uint8": that input takes raw pixels; NULL: as the file has it */
    int no_passes;
    const char **no_pass;               /* "all": every pass */
    const char *dump_after;             /* a pass's name, "load" or "all"; NULL: none */
    codegen_kernels kernels;
    bool validate, embed_weights, quiet;
    int panel_rows, tile_rows, panel_images;          /* 0: the planner's choice */
    const digest *digest;               /* the model's, which it must have; NULL: any */
} driver_options;

status driver_compile(const driver_options *o);
status driver_inspect(const driver_options *o);   /* what the file holds and what would be fused */
status driver_check(const driver_options *o);     /* every problem at once */
/* Evaluates the model on .npy inputs in the evaluator: "name=file.npy"; writes <output>.npy into o->out. Double precision,
 * or as ONNX defines each type. */
status driver_evaluate(const driver_options *o, int inputs, const char *const *input, bool typed);

#endif
