/* What the evaluator's tests share: a graph whose operands are constants or parameters, run in either mode, and comparison of its results. */
#ifndef VITCC_TESTS_EVAL_FIXTURE_H
#define VITCC_TESTS_EVAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"

enum { VARIANTS = 4, OPERANDS_MAX = 8 };

/* Variants 0 and 1 are typed, 2 and 3 double; 0 and 2 take operands as constants, 1 and 3 as parameters. */
typedef struct fixture {
    arena *arena;
    diag *diag;
    dim_symbols symbols;
    ir_graph *g;
    eval_mode mode;
    bool parameters;
    int inputs;
    eval_tensor input[OPERANDS_MAX];
    uint64_t state;            /* of the pseudo-random numbers */
} fixture;

#define SHAPE(...) (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
#define SCALAR 0, NULL
#define NUMBERS(...) (const double[]){__VA_ARGS__}
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static inline fixture *fixture_new(int variant)
{
    arena *a = arena_new();
    fixture *f = arena_alloc(a, sizeof *f);
    *f = (fixture){.arena = a, .diag = diag_new(a, "test.onnx"), .parameters = variant % 2 != 0, .state = 7};
    f->mode = variant < 2 ? EVAL_TYPED : EVAL_DOUBLE;
    f->g = ir_graph_new(a, "test", &f->symbols);
    return f;
}

static inline void fixture_free(fixture *f)
{
    arena_free(f->arena);
}

static inline ir_type type_of(elem e, int rank, const int64_t *shape)
{
    ir_type t = {.elem = e, .rank = rank};
    for (int i = 0; i < rank; i++) t.dim[i] = dim_of(shape[i]);
    return t;
}

static inline int64_t elements_of(int rank, const int64_t *shape)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
}

/* Writes x as element i. Not the evaluator's own conversion, but for half precision, which has tests of its own. */
static inline void put(elem stored, void *data, int64_t i, double x)
{
    switch (stored) {
    case ELEM_F32: ((float *)data)[i] = (float)x; break;
    case ELEM_F64: ((double *)data)[i] = x; break;
    case ELEM_F16: ((uint16_t *)data)[i] = eval_to_f16(x); break;
    case ELEM_BF16: ((uint16_t *)data)[i] = eval_to_bf16(x); break;
    case ELEM_I8: ((int8_t *)data)[i] = (int8_t)x; break;
    case ELEM_I16: ((int16_t *)data)[i] = (int16_t)x; break;
    case ELEM_I32: ((int32_t *)data)[i] = (int32_t)x; break;
    case ELEM_I64: ((int64_t *)data)[i] = (int64_t)x; break;
    case ELEM_U8: case ELEM_BOOL: ((uint8_t *)data)[i] = (uint8_t)x; break;
    case ELEM_U16: ((uint16_t *)data)[i] = (uint16_t)x; break;
    case ELEM_U32: ((uint32_t *)data)[i] = (uint32_t)x; break;
    case ELEM_U64: ((uint64_t *)data)[i] = (uint64_t)x; break;
    default: fail();
    }
}

static inline eval_tensor tensor_of(fixture *f, elem e, elem stored, int rank, const int64_t *shape, const double *number)
{
    eval_tensor t = {.elem = e, .rank = rank, .elements = elements_of(rank, shape)};
    for (int i = 0; i < rank; i++) t.shape[i] = shape[i];
    t.data = arena_array(f->arena, (size_t)t.elements + 1, 8);
    for (int64_t i = 0; i < t.elements; i++) put(stored, t.data, i, number[i]);
    return t;
}

static inline elem stored_in(eval_mode mode, elem e)
{
    return mode == EVAL_DOUBLE && elem_is_float(e) ? ELEM_F64 : e;
}

/* A constant whose bytes lie at an odd address. */
static inline ir_value *constant(fixture *f, elem e, int rank, const int64_t *shape, const double *number)
{
    eval_tensor t = tensor_of(f, e, e, rank, shape, number);
    size_t size = (size_t)t.elements * elem_size(e);
    char *odd = arena_alloc(f->arena, size + 1);
    memcpy(odd + 1, t.data, size);
    return ir_constant(f->g, type_of(e, rank, shape), odd + 1, size, NULL);
}

static inline ir_value *parameter(fixture *f, elem e, int rank, const int64_t *shape, const double *number)
{
    assert_true(f->inputs < OPERANDS_MAX);
    f->input[f->inputs++] = tensor_of(f, e, stored_in(f->mode, e), rank, shape, number);
    return ir_add_parameter(f->g, "x", type_of(e, rank, shape));
}

static inline ir_value *operand(fixture *f, elem e, int rank, const int64_t *shape, const double *number)
{
    return f->parameters ? parameter(f, e, rank, shape, number) : constant(f, e, rank, shape, number);
}

/* n numbers that every float type holds exactly: multiples of 1/64 below 1 in size. */
static inline double *random_numbers(fixture *f, int64_t n)
{
    double *x = arena_array(f->arena, (size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        f->state = f->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = (double)((int64_t)(f->state >> 57) - 64) / 64;
    }
    return x;
}

static inline ir_value *add(ir_node *n, fixture *f)
{
    ir_value *v = ir_end(n, NULL, f->diag);
    if (!v) {
        diag_print(f->diag, stderr);
        fail();
    }
    return v;
}

/* Runs the graph; its results are in output, to be freed with eval_free. */
static inline void run(fixture *f, eval_tensor *output)
{
    status s = eval_run(f->g, f->mode, f->input, output, NULL, NULL, f->diag);
    if (s != STATUS_OK) diag_print(f->diag, stderr);
    assert_int_equal(s, STATUS_OK);
}

/* How far a rounded number of the type may be off, relative. */
static inline double unit_of(eval_mode mode, elem e)
{
    if (mode == EVAL_DOUBLE) return 1e-12;
    return e == ELEM_F32 ? 0x1p-24 : e == ELEM_F16 ? 0x1p-11 : e == ELEM_BF16 ? 0x1p-8 : 1e-12;
}

static inline void check_tensor(const fixture *f, const eval_tensor *t, elem e, int rank, const int64_t *shape, const double *expected)
{
    assert_int_equal(t->elem, e);
    assert_int_equal(t->rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(t->shape[i], shape[i]);
    assert_int_equal(t->elements, elements_of(rank, shape));
    for (int64_t i = 0; i < t->elements; i++) {
        double x = eval_number(f->mode, t, i), y = expected[i];
        bool same = isnan(x) ? isnan(y) : isinf(x) || isinf(y) ? x == y : fabs(x - y) <= 1.01 * unit_of(f->mode, e) * fabs(y) + 1e-12;
        if (!same) fail_msg("element %lld is %.17g, not %.17g", (long long)i, x, y);
    }
}

/* Runs the graph with v as its one result and compares. Frees the fixture. */
static inline void expect(fixture *f, ir_value *v, elem e, int rank, const int64_t *shape, const double *expected)
{
    eval_tensor out;
    ir_add_result(f->g, "y", v);
    run(f, &out);
    check_tensor(f, &out, e, rank, shape, expected);
    eval_free(&out);
    fixture_free(f);
}

#endif
