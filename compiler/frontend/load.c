/* Unpacking with protobuf-c, whose memory is bounded by what was read. */
#include "load.h"

#include <string.h>

/* Small messages grow when unpacked: an empty node of two bytes takes over a hundred. */
static const size_t BUDGET_LEAST = (size_t)64 << 20, BUDGET_FACTOR = 12;

typedef struct budget {
    arena *arena;
    size_t left;
} budget;

static void *budget_alloc(void *data, size_t size)
{
    budget *b = data;
    if (size > b->left) return NULL;
    b->left -= size;
    return arena_alloc(b->arena, size);
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

status load_model(arena *a, const mapped_file *file, loaded *out, diag *d)
{
    scan_result s;
    const status e = scan_model(a, file->data, file->size, &s, d);
    if (e != STATUS_OK) return e;
    budget b = { a, BUDGET_LEAST + BUDGET_FACTOR * s.size };
    ProtobufCAllocator allocator = { budget_alloc, budget_free, &b };
    const Onnx__ModelProto *m = onnx__model_proto__unpack(&allocator, s.size, s.message);
    if (!m && b.left < BUDGET_LEAST / 4) return diag_error(d, STATUS_TOO_LARGE, NULL, "its messages take more memory than their size explains");
    if (!m) return diag_error(d, STATUS_BAD_FIELD, NULL, "a field is of another type than ONNX says");
    if (!m->graph) return diag_error(d, STATUS_NOT_ONNX, NULL, "it holds no graph");
    *out = (loaded){ m, s.raw, s.raws };
    return STATUS_OK;
}

bool load_raw(const loaded *l, const Onnx__TensorProto *t, scan_bytes *out)
{
    for (unsigned i = 0; i < t->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *u = &t->base.unknown_fields[i];
        if (u->tag != SCAN_RAW_FIELD) continue;
        uint64_t index = 0;
        for (size_t j = 0; j < u->len && j < 9; j++) index |= (uint64_t)(u->data[j] & 0x7f) << 7 * j;
        if (index >= (uint64_t)l->raws) return false;
        *out = l->raw[index];
        return true;
    }
    *out = (scan_bytes){ t->raw_data.data, t->raw_data.len };
    return t->has_raw_data;
}

int64_t load_opset(const Onnx__ModelProto *m)
{
    int64_t version = 0;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = m->opset_import[i]->domain;
        if (!domain || !*domain || !strcmp(domain, "ai.onnx")) version = m->opset_import[i]->version;
    }
    return version;
}
