/* Reads an ONNX file into a graph. */
#ifndef VITCC_FRONTEND_FRONTEND_H
#define VITCC_FRONTEND_FRONTEND_H

#include "../ir/ir.h"

/* An input that --bind makes a constant; bytes row-major, valid as long as the graph. */
typedef struct frontend_binding {
    const char *name;
    elem elem;
    int rank;
    int64_t shape[IR_RANK_MAX];
    const void *data;
    size_t size;
} frontend_binding;

typedef struct frontend_options {
    const char *const *shape;      /* "--shape" arguments: "input=N,3,224,224"; a word is a run-time symbol, a number fixes the dimension */
    int shapes;
    const frontend_binding *binding;
    int bindings;
} frontend_options;

/* What the file holds, for `inspect` and the report; strings as in the file, hostile. */
typedef struct frontend_operator { const char *domain, *name; int nodes; bool supported; } frontend_operator;
typedef struct frontend_model {
    ir_graph *graph;               /* NULL: errors were reported */
    const char *producer, *producer_version;
    int64_t ir_version, opset;     /* opset of the default domain */
    int operators;                 /* by name */
    frontend_operator *op;
    int nodes, initializers;
    int64_t parameters;            /* elements of all float initializers */
    uint64_t bytes;                /* of the model and its external data */
    digest digest;                 /* of the model file and the external data it names */
    void *mapping;                 /* the mapped files; graph constants point into them */
} frontend_model;

/* Loads, checks and imports. All problems of the model are reported to d. The mapping must outlive the graph: frontend_close. */
status frontend_load(arena *a, const char *path, const frontend_options *options, frontend_model *model, diag *d);
void frontend_close(frontend_model *model);

#endif
