/* Reading of TensorProto: from raw_data, from the typed fields, from external files. */
#include "tensor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"

int64_t tensor_elements(const Onnx__TensorProto *t)
{
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || !checked_mul(n, t->dims[i], &n)) return -1;
    return n;
}

static const char *external_value(const Onnx__TensorProto *t, const char *key)
{
    for (size_t i = 0; i < t->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = t->external_data[i];
        if (e->key && e->value && !strcmp(e->key, key)) return e->value;
    }
    return NULL;
}

static bool is_external(const Onnx__TensorProto *t)
{
    return t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

const char *tensor_location(const Onnx__TensorProto *t)
{
    return is_external(t) ? external_value(t, "location") : NULL;
}

static bool fail(const tensor_reader *r, const Onnx__TensorProto *t, const diag_place *place, status code, const char *what)
{
    diag_error(r->diag, code, place, "tensor '%.200s': %s", t->name ? t->name : "", what);
    return false;
}

static bool read_type(const tensor_reader *r, const Onnx__TensorProto *t, const diag_place *place, ir_type *type)
{
    *type = (ir_type){ .elem = elem_from_onnx(t->data_type), .rank = (int)t->n_dims };
    if (type->elem == ELEM_NONE) return fail(r, t, place, STATUS_TYPE, arena_printf(r->arena, "its data type is %" PRId32, t->data_type));
    if (t->n_dims > IR_RANK_MAX) return fail(r, t, place, STATUS_TOO_LARGE, "it has more than 8 axes");
    if (t->segment) return fail(r, t, place, STATUS_BAD_FIELD, "it is only a segment");
    for (size_t i = 0; i < t->n_dims; i++) type->dim[i] = dim_of(t->dims[i]);
    return true;
}

/* A decimal number as in external_data; false: it is none. */
static bool read_number(const char *text, uint64_t *value)
{
    *value = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        if (__builtin_mul_overflow(*value, 10u, value) || __builtin_add_overflow(*value, (uint64_t)(*text - '0'), value)) return false;
    }
    return true;
}

static bool read_external(const tensor_reader *r, const Onnx__TensorProto *t, const diag_place *place, size_t size, scan_bytes *bytes)
{
    const char *location = external_value(t, "location"), *offset_text = external_value(t, "offset"), *length_text = external_value(t, "length");
    uint64_t offset = 0, length = size;
    if (!location) return fail(r, t, place, STATUS_BAD_FIELD, "its external data names no file");
    if ((offset_text && !read_number(offset_text, &offset)) || (length_text && !read_number(length_text, &length))) {
        return fail(r, t, place, STATUS_BAD_FIELD, "the offset or length of its external data is no number");
    }
    if (length != size) {
        return fail(r, t, place, STATUS_BAD_FIELD, arena_printf(r->arena, "its shape takes %zu bytes, its external data %" PRIu64, size, length));
    }
    const mapped_file *file;
    if (map_external(r->mapping, location, place, r->diag, &file) != STATUS_OK) return false;
    if (offset > file->size || size > file->size - offset) {
        return fail(r, t, place, STATUS_EXTERNAL_RANGE,
            arena_printf(r->arena, "%zu bytes at %" PRIu64 " of '%.200s', which has %zu", size, offset, location, file->size));
    }
    *bytes = (scan_bytes){ file->data + offset, size };
    return true;
}

/* How many elements the typed field of this element type holds. */
static size_t typed_count(const Onnx__TensorProto *t, elem e)
{
    switch (e) {
    case ELEM_F32: return t->n_float_data;
    case ELEM_F64: return t->n_double_data;
    case ELEM_I64: return t->n_int64_data;
    case ELEM_U32: case ELEM_U64: return t->n_uint64_data;
    default: return t->n_int32_data;
    }
}

/* Narrow types travel in wider fields: 16-bit floats as their bits in int32_data, unsigned ones in uint64_data. */
static void copy_typed(const Onnx__TensorProto *t, elem e, uint8_t *to)
{
    const size_t size = elem_size(e), count = typed_count(t, e);
    const uint8_t *from = (const uint8_t *)t->int32_data;
    size_t step = sizeof(int32_t);
    if (e == ELEM_F32) from = (const uint8_t *)t->float_data;
    if (e == ELEM_F64) from = (const uint8_t *)t->double_data, step = size;
    if (e == ELEM_I64) from = (const uint8_t *)t->int64_data, step = size;
    if (e == ELEM_U32 || e == ELEM_U64) from = (const uint8_t *)t->uint64_data, step = sizeof(uint64_t);
    for (size_t i = 0; i < count; i++) memcpy(to + i * size, from + i * step, size);   /* little-endian: the low bytes first */
}

static bool read_typed(const tensor_reader *r, const Onnx__TensorProto *t, const diag_place *place, elem e, size_t size, scan_bytes *bytes)
{
    const size_t count = typed_count(t, e);
    if (count * elem_size(e) != size) {
        return fail(r, t, place, STATUS_BAD_FIELD, arena_printf(r->arena, "its shape takes %zu elements, it holds %zu", size / elem_size(e), count));
    }
    uint8_t *data = arena_alloc(r->arena, size);
    copy_typed(t, e, data);
    *bytes = (scan_bytes){ data, size };
    return true;
}

/* Truth is any byte but zero in the file, and 1 behind it. */
static void normalise_bools(arena *a, scan_bytes *bytes)
{
    size_t odd = 0;
    while (odd < bytes->size && bytes->data[odd] <= 1) odd++;
    if (odd == bytes->size) return;
    uint8_t *data = arena_alloc(a, bytes->size);
    for (size_t i = 0; i < bytes->size; i++) data[i] = bytes->data[i] != 0;
    bytes->data = data;
}

bool tensor_read(const tensor_reader *r, const Onnx__TensorProto *t, const diag_place *place, ir_type *type, scan_bytes *bytes)
{
    if (!read_type(r, t, place, type)) return false;
    int64_t elements = tensor_elements(t), size;
    if (elements < 0 || !checked_mul(elements, (int64_t)elem_size(type->elem), &size)) {
        return fail(r, t, place, STATUS_BAD_FIELD, "its dimensions are negative or overflow");
    }
    scan_bytes raw;
    if (is_external(t)) {
        if (!read_external(r, t, place, (size_t)size, bytes)) return false;
    } else if (load_raw(r->loaded, t, &raw)) {
        if (raw.size != (size_t)size) {
            return fail(r, t, place, STATUS_BAD_FIELD, arena_printf(r->arena, "its shape takes %" PRId64 " bytes, it holds %zu", size, raw.size));
        }
        *bytes = raw;
    } else if (!read_typed(r, t, place, type->elem, (size_t)size, bytes)) {
        return false;
    }
    if (!bytes->data) bytes->data = (const uint8_t *)"";
    if (type->elem == ELEM_BOOL) normalise_bools(r->arena, bytes);
    return true;
}
