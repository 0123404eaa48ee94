/* ONNX files written byte by byte, for tests: sound ones and others. Field numbers are onnx.proto's. */
#ifndef VITCC_TESTS_ONNX_BYTES_H
#define VITCC_TESTS_ONNX_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"

/* A ModelProto under construction; the parts are put together by onnx_model. */
typedef struct onnx_file {
    arena *arena;
    strbuf graph;
    int64_t opset;             /* 0: none is imported */
} onnx_file;

enum { ONNX_F32 = 1, ONNX_U8, ONNX_I8, ONNX_U16, ONNX_I16, ONNX_I32, ONNX_I64, ONNX_STRING, ONNX_BOOL, ONNX_F16, ONNX_F64, ONNX_U32, ONNX_U64,
    ONNX_BF16 = 16 };

/* ---- the wire format ---- */

static inline void put_varint(strbuf *b, uint64_t x)
{
    do {
        const char byte = (char)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));
        strbuf_addn(b, &byte, 1);
        x >>= 7;
    } while (x);
}

static inline void put_int(strbuf *b, int field, int64_t x)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, (uint64_t)x);
}

static inline void put_bytes(strbuf *b, int field, const void *bytes, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    strbuf_addn(b, bytes, n);
}

static inline void put_text(strbuf *b, int field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

static inline void put_message(strbuf *b, int field, const strbuf *message)
{
    put_bytes(b, field, message->length ? message->text : "", message->length);
}

/* ---- parts of a graph ---- */

static inline onnx_file *onnx_begin(arena *a)
{
    onnx_file *f = arena_alloc(a, sizeof *f);
    *f = (onnx_file){ .arena = a, .graph = strbuf_in(a), .opset = 20 };
    return f;
}

/* A ValueInfoProto of a tensor; sizes as "2,N,?": numbers, names, unknown ones; NULL: no shape at all. */
static inline strbuf onnx_value(arena *a, const char *name, int type, const char *sizes)
{
    strbuf shape = strbuf_in(a), tensor = strbuf_in(a), kind = strbuf_in(a), value = strbuf_in(a);
    for (const char *at = sizes; at && *at;) {
        const size_t n = strcspn(at, ",");
        strbuf d = strbuf_in(a);
        const char *word = arena_strndup(a, at, n);
        if (n && strspn(word, "0123456789") == n) put_int(&d, 1, atoll(word));
        else if (*word != '?') put_text(&d, 2, word);
        put_message(&shape, 1, &d);
        at += n + (at[n] == ',');
    }
    put_int(&tensor, 1, type);
    if (sizes) put_message(&tensor, 2, &shape);
    put_message(&kind, 1, &tensor);
    put_text(&value, 1, name);
    put_message(&value, 2, &kind);
    return value;
}

static inline void onnx_input(onnx_file *f, const char *name, int type, const char *sizes)
{
    const strbuf v = onnx_value(f->arena, name, type, sizes);
    put_message(&f->graph, 11, &v);
}

static inline void onnx_output(onnx_file *f, const char *name)
{
    const strbuf v = onnx_value(f->arena, name, ONNX_F32, NULL);
    put_message(&f->graph, 12, &v);
}

/* A TensorProto but for its elements. */
static inline strbuf onnx_tensor(arena *a, const char *name, int type, int rank, const int64_t *dims)
{
    strbuf t = strbuf_in(a);
    for (int i = 0; i < rank; i++) put_int(&t, 1, dims[i]);
    put_int(&t, 2, type);
    put_text(&t, 8, name);
    return t;
}

static inline void onnx_initializer(onnx_file *f, const strbuf *tensor)
{
    put_message(&f->graph, 5, tensor);
}

#define DIMS(...) (int)(sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[]){ __VA_ARGS__ }
#define NO_DIMS 0, NULL

static inline void onnx_raw(onnx_file *f, const char *name, int type, int rank, const int64_t *dims, const void *bytes, size_t n)
{
    strbuf t = onnx_tensor(f->arena, name, type, rank, dims);
    put_bytes(&t, 9, bytes, n);
    onnx_initializer(f, &t);
}

/* An i64 [count] initializer. */
static inline void onnx_ints(onnx_file *f, const char *name, int count, const int64_t *x)
{
    onnx_raw(f, name, ONNX_I64, 1, (const int64_t[]){ count }, x, (size_t)count * sizeof *x);
}

/* An f32 initializer whose elements count up from 0 in steps of 1/8. */
static inline void onnx_floats(onnx_file *f, const char *name, int rank, const int64_t *dims)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    float *x = arena_array(f->arena, (size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)i / 8;
    onnx_raw(f, name, ONNX_F32, rank, dims, x, (size_t)n * sizeof *x);
}

/* ---- attributes, to be joined into one strbuf for onnx_node ---- */

static inline void put_attribute(strbuf *to, const char *name, int type, strbuf *body)
{
    put_text(body, 1, name);
    put_int(body, 20, type);
    put_message(to, 5, body);
}

static inline void attribute_int(strbuf *to, const char *name, int64_t x)
{
    strbuf b = strbuf_in(to->arena);
    put_int(&b, 3, x);
    put_attribute(to, name, 2, &b);
}

static inline void attribute_float(strbuf *to, const char *name, float x)
{
    strbuf b = strbuf_in(to->arena);
    put_varint(&b, 2 << 3 | 5);
    strbuf_addn(&b, (const char *)&x, sizeof x);
    put_attribute(to, name, 1, &b);
}

static inline void attribute_ints(strbuf *to, const char *name, int count, const int64_t *x)
{
    strbuf b = strbuf_in(to->arena);
    for (int i = 0; i < count; i++) put_int(&b, 8, x[i]);
    put_attribute(to, name, 7, &b);
}

static inline void put_list(strbuf *b, int field, const char *names)
{
    for (const char *at = names; at;) {
        const size_t n = strcspn(at, ",");
        put_bytes(b, field, at, n);
        at = at[n] ? at + n + 1 : NULL;
    }
}

/* inputs and outputs as "a,b"; an empty word is an absent one; NULL: none. */
static inline void onnx_node(onnx_file *f, const char *name, const char *op, const char *inputs, const char *outputs, const strbuf *attributes)
{
    strbuf n = strbuf_in(f->arena);
    put_list(&n, 1, inputs);
    put_list(&n, 2, outputs);
    if (*name) put_text(&n, 3, name);
    put_text(&n, 4, op);
    if (attributes) strbuf_addn(&n, attributes->text, attributes->length);
    put_message(&f->graph, 1, &n);
}

/* The whole file: the graph first, so that every cut before its end leaves none. */
static inline strbuf onnx_model(const onnx_file *f)
{
    strbuf m = strbuf_in(f->arena), set = strbuf_in(f->arena);
    put_int(&m, 1, 9);
    put_text(&m, 2, "by hand");
    put_message(&m, 7, &f->graph);
    put_text(&set, 1, "");
    put_int(&set, 2, f->opset);
    if (f->opset) put_message(&m, 8, &set);
    return m;
}

#endif
