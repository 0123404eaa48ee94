/* The model file as protobuf-c structures. */
#ifndef VITCC_FRONTEND_LOAD_H
#define VITCC_FRONTEND_LOAD_H

#include "map.h"
#include "onnx.pb-c.h"
#include "scan.h"

typedef struct loaded {
    const Onnx__ModelProto *model;
    const scan_bytes *raw;         /* large raw_data; see SCAN_RAW_FIELD */
    int raws;
} loaded;

/* Strings may be NULL in what comes back: absent fields are, and load_text reads them as empty. */
status load_model(arena *a, const mapped_file *file, loaded *out, diag *d);
static inline const char *load_text(const char *s)
{
    return s ? s : "";
}

/* The raw_data of a tensor, wherever it lies; false: it has none. */
bool load_raw(const loaded *l, const Onnx__TensorProto *t, scan_bytes *out);
/* Version of the default operator set; 0: the model imports none. */
int64_t load_opset(const Onnx__ModelProto *m);

#endif
