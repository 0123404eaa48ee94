/* The wire scan: one walk over the file that copies all but large raw_data. */
#include "scan.h"

#include <string.h>

#include "onnx.pb-c.h"

enum { DEPTH_MAX = 64, RAW_LEAST = 4096, LENGTH_BYTES = 5, TENSOR_RAW_DATA = 9 };
static const size_t COPY_MAX = (size_t)1 << 30;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct scan {
    arena *arena;
    diag *diag;
    const uint8_t *file, *file_end;
    uint8_t *copy;
    size_t size, capacity;
    scan_bytes *raw;
    int raws;
} scan;

typedef struct field {
    uint32_t number;
    int wire;
    const uint8_t *start, *body, *end;   /* body: the value, behind a length where there is one */
} field;

static status fail(const scan *s, status code, const uint8_t *at, const char *what)
{
    return diag_error(s->diag, code, NULL, "%s at byte %zu", what, (size_t)(at - s->file));
}

/* A varint of at most ten bytes; NULL: it does not end before `end`, or is longer. */
static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
        const uint8_t byte = *at++;
        *value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80)) return at;
    }
    return NULL;
}

/* What is wrong with a field that ends behind its message: the file was cut off, or a length lies. */
static status overrun(const scan *s, const uint8_t *at, const uint8_t *end)
{
    return end == s->file_end ? fail(s, STATUS_TRUNCATED, at, "a field") : fail(s, STATUS_BAD_FIELD, at, "a field ends behind its message,");
}

static status read_field(const scan *s, const uint8_t *at, const uint8_t *end, field *f)
{
    uint64_t tag, length = 0;
    f->start = at;
    const uint8_t *body = read_varint(at, end, &tag);
    if (!body) return overrun(s, at, end);
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return fail(s, STATUS_BAD_FIELD, at, "a field has no valid number,");
    f->number = (uint32_t)(tag >> 3);
    f->wire = (int)(tag & 7);
    f->body = body;
    if (f->wire == WIRE_VARINT) {
        f->end = read_varint(body, end, &length);
        return f->end ? STATUS_OK : overrun(s, at, end);
    }
    if (f->wire == WIRE_BYTES) {
        f->body = read_varint(body, end, &length);
        if (!f->body) return overrun(s, at, end);
    } else if (f->wire == WIRE_64 || f->wire == WIRE_32) {
        length = f->wire == WIRE_64 ? 8 : 4;
    } else {
        return fail(s, STATUS_BAD_FIELD, at, "a field is of no known kind,");
    }
    if (length > (uint64_t)(end - f->body)) return overrun(s, at, end);
    f->end = f->body + length;
    return STATUS_OK;
}

/* ---- the copy ---- */

static status put(scan *s, const uint8_t *bytes, size_t n)
{
    if (n > COPY_MAX || s->size > COPY_MAX - n) return diag_error(s->diag, STATUS_TOO_LARGE, NULL, "more than 1 GiB besides raw tensors");
    if (s->size + n > s->capacity) {
        size_t capacity = s->capacity ? s->capacity : 65536;
        while (capacity < s->size + n) capacity *= 2;
        uint8_t *moved = arena_alloc(s->arena, capacity);
        if (s->size) memcpy(moved, s->copy, s->size);
        s->copy = moved;
        s->capacity = capacity;
    }
    if (n) memcpy(s->copy + s->size, bytes, n);
    s->size += n;
    return STATUS_OK;
}

/* The value in `width` bytes, or as few as it takes for 0; lengths are written before they are known, so theirs is fixed. */
static size_t put_varint(uint8_t *to, uint64_t value, size_t width)
{
    size_t n = 0;
    do {
        const bool more = width ? n + 1 < width : value > 0x7f;
        to[n++] = (uint8_t)((value & 0x7f) | (more ? 0x80 : 0));
        value >>= 7;
    } while (width ? n < width : value != 0);
    return n;
}

static status put_raw(scan *s, const field *f)
{
    s->raw = arena_grow(s->arena, s->raw, (size_t)s->raws, sizeof *s->raw);
    s->raw[s->raws] = (scan_bytes){ f->body, (size_t)(f->end - f->body) };
    uint8_t bytes[20];
    size_t n = put_varint(bytes, (uint64_t)SCAN_RAW_FIELD << 3 | WIRE_VARINT, 0);
    n += put_varint(bytes + n, (uint64_t)s->raws++, 0);
    return put(s, bytes, n);
}

/* ---- the walk ---- */

static status scan_message(scan *s, const ProtobufCMessageDescriptor *m, const uint8_t *at, const uint8_t *end, int depth);

static status scan_submessage(scan *s, const field *f, const ProtobufCMessageDescriptor *m, int depth)
{
    uint8_t tag[10];
    static const uint8_t room[LENGTH_BYTES] = { 0 };
    if (depth >= DEPTH_MAX) return fail(s, STATUS_TOO_DEEP, f->start, "a message within 64 others");
    status e = put(s, tag, put_varint(tag, (uint64_t)f->number << 3 | WIRE_BYTES, 0));
    const size_t length_at = s->size;
    if (e == STATUS_OK) e = put(s, room, LENGTH_BYTES);
    if (e == STATUS_OK) e = scan_message(s, m, f->body, f->end, depth + 1);
    if (e == STATUS_OK) put_varint(s->copy + length_at, s->size - length_at - LENGTH_BYTES, LENGTH_BYTES);
    return e;
}

static status scan_field(scan *s, const ProtobufCMessageDescriptor *m, const field *f, int depth)
{
    const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(m, f->number);
    if (!known) return STATUS_OK;   /* newer than the schema: left out */
    if (f->wire == WIRE_BYTES) {
        if (known->type == PROTOBUF_C_TYPE_MESSAGE) return scan_submessage(s, f, known->descriptor, depth);
        if (known->type == PROTOBUF_C_TYPE_STRING && memchr(f->body, 0, (size_t)(f->end - f->body))) {
            return fail(s, STATUS_BAD_FIELD, f->start, "a name holds a zero byte,");
        }
        const bool raw = m == &onnx__tensor_proto__descriptor && f->number == TENSOR_RAW_DATA;
        if (raw && f->end - f->body > RAW_LEAST) return put_raw(s, f);
    }
    return put(s, f->start, (size_t)(f->end - f->start));
}

static status scan_message(scan *s, const ProtobufCMessageDescriptor *m, const uint8_t *at, const uint8_t *end, int depth)
{
    while (at < end) {
        field f = { 0 };
        status e = read_field(s, at, end, &f);
        if (e == STATUS_OK) e = scan_field(s, m, &f, depth);
        if (e != STATUS_OK) return e;
        at = f.end;
    }
    return STATUS_OK;
}

/* Every exporter begins with a field of ModelProto in its own wire type; other formats do not. */
static bool begins_like_model(const uint8_t *data, size_t size)
{
    uint64_t tag;
    if (!read_varint(data, data + size, &tag) || tag >> 3 > 0x1fffffff) return false;
    const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(&onnx__model_proto__descriptor, (unsigned)(tag >> 3));
    const bool number = known && (known->type == PROTOBUF_C_TYPE_INT64 || known->type == PROTOBUF_C_TYPE_INT32);
    return known && (tag & 7) == (number ? WIRE_VARINT : WIRE_BYTES);
}

status scan_model(arena *a, const uint8_t *data, size_t size, scan_result *out, diag *d)
{
    scan s = { .arena = a, .diag = d, .file = data, .file_end = data + size };
    if (!begins_like_model(data, size)) return diag_error(d, STATUS_NOT_ONNX, NULL, "%s", size ? "" : "it is empty");
    const status e = scan_message(&s, &onnx__model_proto__descriptor, data, data + size, 0);
    *out = (scan_result){ s.copy, s.size, s.raws, s.raw };
    return e;
}
