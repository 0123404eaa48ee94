/* Tensors of the file: initializers and tensor attributes of every numeric type, wherever their elements lie. */
#ifndef VITCC_FRONTEND_TENSOR_H
#define VITCC_FRONTEND_TENSOR_H

#include "../ir/ir.h"
#include "load.h"

typedef struct tensor_reader {
    arena *arena;
    mapping *mapping;
    const loaded *loaded;
    diag *diag;
} tensor_reader;

/* Type and elements, row-major and little-endian; the bytes lie in a mapped file or in the arena. False: reported at `place`. */
bool tensor_read(const tensor_reader *r, const Onnx__TensorProto *t, const diag_place *place, ir_type *type, scan_bytes *bytes);
/* The external data file that a tensor names; NULL: none. Nothing is reported. */
const char *tensor_location(const Onnx__TensorProto *t);
/* Elements by its dims; -1: they overflow or one is negative. */
int64_t tensor_elements(const Onnx__TensorProto *t);

#endif
