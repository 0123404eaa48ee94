/* Reductions of any element type over any axes.
 * Shapes: element (i, j) of x, i in mixed radix by kept_extent, j by reduced_extent, lies at the sum of index times stride; y[i] is the reduction
 *         over j.
 * Requires: y does not overlap x. Without elements to reduce: as the evaluator has it, 0 for sums, 1 for prod, the type's least for max, its largest
 *         for min; the mean NaN, of integers 0.
 * Numerics: floats are held in double; integers wrap at 64 bits, then to their type; the mean of integers and their L2 norm are rounded towards
 *         zero. */
#ifndef VITCC_TEMPLATES_REDUCE_ANY_H
#define VITCC_TEMPLATES_REDUCE_ANY_H

#include "element.h"
#include "reduce_f32.h"
#include "scalar.h"

enum { REDUCE_ANY_RANK = 8 };

typedef struct reduce_any_shape {
    int kept, reduced;
    ptrdiff_t kept_extent[REDUCE_ANY_RANK], kept_stride[REDUCE_ANY_RANK], reduced_extent[REDUCE_ANY_RANK], reduced_stride[REDUCE_ANY_RANK];
} reduce_any_shape;

TEMPLATE int64_t reduce_start_integer(reduce_kind kind, element e)
{
    if (kind == REDUCE_MAX) return element_saturate(e == ELEMENT_BOOL ? ELEMENT_U8 : e, -HUGE_VAL);
    if (kind == REDUCE_MIN) return element_saturate(e == ELEMENT_BOOL ? ELEMENT_U8 : e, HUGE_VAL);
    return kind == REDUCE_PROD;
}

TEMPLATE int64_t reduce_step_integer(reduce_kind kind, bool is_u64, int64_t so_far, int64_t x)
{
    switch (kind) {
    case REDUCE_PROD: return si_mul(so_far, x);
    case REDUCE_MAX: return is_u64 ? su_max(so_far, x) : si_max(so_far, x);
    case REDUCE_MIN: return is_u64 ? su_min(so_far, x) : si_min(so_far, x);
    case REDUCE_SUMSQ: case REDUCE_L2: return si_add(so_far, si_mul(x, x));
    case REDUCE_L1: return si_add(so_far, is_u64 ? x : si_abs(x));
    default: return si_add(so_far, x);
    }
}

TEMPLATE int64_t reduce_end_integer(reduce_kind kind, bool is_u64, int64_t total, ptrdiff_t count)
{
    if (kind == REDUCE_MEAN) return is_u64 ? su_div(total, count) : si_div(total, count);
    return kind == REDUCE_L2 ? element_saturate(ELEMENT_I64, sqrt(element_widen(ELEMENT_F64, total, is_u64))) : total;
}

TEMPLATE ptrdiff_t reduce_offset(int rank, const ptrdiff_t *extent, const ptrdiff_t *stride, ptrdiff_t i)
{
    ptrdiff_t at = 0;
    for (int a = rank - 1; a >= 0; a--) {
        at += i % extent[a] * stride[a];
        i /= extent[a];
    }
    return at;
}

TEMPLATE void reduce_any(reduce_kind kind, element e, const reduce_any_shape *s, const void *x, void *y)
{
    ptrdiff_t kept = 1, count = 1;
    for (int a = 0; a < s->kept; a++) kept *= s->kept_extent[a];
    for (int a = 0; a < s->reduced; a++) count *= s->reduced_extent[a];
    for (ptrdiff_t i = 0; i < kept; i++) {
        const ptrdiff_t from = reduce_offset(s->kept, s->kept_extent, s->kept_stride, i);
        double number = reduce_start(kind);
        int64_t integer = element_is_float(e) ? 0 : reduce_start_integer(kind, e);
        for (ptrdiff_t j = 0; j < count; j++) {
            const ptrdiff_t at = from + reduce_offset(s->reduced, s->reduced_extent, s->reduced_stride, j);
            if (element_is_float(e)) number = reduce_step(kind, number, element_float(e, x, at));
            else integer = reduce_step_integer(kind, e == ELEMENT_U64, integer, element_integer(e, x, at));
        }
        if (kind == REDUCE_MEAN) number /= (double)count;
        if (kind == REDUCE_L2) number = sqrt(number);
        if (element_is_float(e)) element_set_float(e, y, i, number);
        else element_set_integer(e, y, i, reduce_end_integer(kind, e == ELEMENT_U64, integer, count));
    }
}

#endif
