/* A bounded reading of the wire format before anything else reads it: nesting, lengths and strings are checked, fields that the schema does not know
 * are left out, and large raw_data stays in the mapped file; a number in its place says where. */
#ifndef VITCC_FRONTEND_SCAN_H
#define VITCC_FRONTEND_SCAN_H

#include "../base/diag.h"

enum { SCAN_RAW_FIELD = 1000 };    /* a varint in a TensorProto: index into `raw` */

typedef struct scan_bytes { const uint8_t *data; size_t size; } scan_bytes;

typedef struct scan_result {
    const uint8_t *message;        /* [size] a ModelProto that is safe to unpack */
    size_t size;
    int raws;
    const scan_bytes *raw;         /* in the file */
} scan_result;

status scan_model(arena *a, const uint8_t *data, size_t size, scan_result *out, diag *d);

#endif
