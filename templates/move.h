/* Copies elements by digits: transpositions, slices, window partitions, rolls and their chains, as compiler/ir/move.h describes them.
 * Shapes: element i of the output, i written in mixed radix by `extent` (the most significant digit first), is the source's element at
 *         sum over the axes a of stride[a] ((offset[a] + sum over the digits d on axis a of digit_d step[d]) mod wrap[a]); wrap 0: not wrapped.
 *         Elements first to last - 1 of the output are written from target on. size: 1, 2, 4 or 8 bytes.
 * Requires: every coordinate inside the source; target overlaps nothing that is read. axis -1: the digit repeats the same element. */
#ifndef VITCC_TEMPLATES_MOVE_H
#define VITCC_TEMPLATES_MOVE_H

#include "level.h"

enum { MOVE_SHAPE_DIGITS = 16, MOVE_SHAPE_RANK = 8, MOVE_LINE = 64 /* bytes */ };

typedef struct move_shape {
    int digits, rank;
    size_t extent[MOVE_SHAPE_DIGITS];
    int axis[MOVE_SHAPE_DIGITS];
    ptrdiff_t step[MOVE_SHAPE_DIGITS];
    ptrdiff_t offset[MOVE_SHAPE_RANK], wrap[MOVE_SHAPE_RANK], stride[MOVE_SHAPE_RANK];   /* stride: of the source's axes, in elements */
} move_shape;

/* count elements, `step` elements apart in the source, side by side in the target. */
TEMPLATE void move_run(const unsigned char *from, ptrdiff_t step, unsigned char *to, size_t count, size_t size)
{
    if (step == 1) {
        memcpy(to, from, count * size);
        return;
    }
    const ptrdiff_t bytes = step * (ptrdiff_t)size;
    for (size_t i = 0; i < count; i++) memcpy(to + i * size, from + (ptrdiff_t)i * bytes, size);
}

TEMPLATE ptrdiff_t move_wrapped(ptrdiff_t coordinate, ptrdiff_t wrap)
{
    if (wrap == 0) return coordinate;
    const ptrdiff_t rest = coordinate % wrap;
    return rest < 0 ? rest + wrap : rest;
}

/* Source index of the element with these digits, leaving out axis `without` (-1: none). */
TEMPLATE ptrdiff_t move_index(const move_shape *m, const size_t *digit, int without)
{
    ptrdiff_t coordinate[MOVE_SHAPE_RANK] = { 0 }, index = 0;
    for (int d = 0; d < m->digits; d++)
        if (m->axis[d] >= 0) coordinate[m->axis[d]] += (ptrdiff_t)digit[d] * m->step[d];
    for (int a = 0; a < m->rank; a++)
        if (a != without) index += m->stride[a] * move_wrapped(m->offset[a] + coordinate[a], m->wrap[a]);
    return index;
}

/* Coordinate of axis a, before it wraps. */
TEMPLATE ptrdiff_t move_coordinate(const move_shape *m, const size_t *digit, int a)
{
    ptrdiff_t coordinate = m->offset[a];
    for (int d = 0; d < m->digits; d++)
        if (m->axis[d] == a) coordinate += (ptrdiff_t)digit[d] * m->step[d];
    return coordinate;
}

/* `count` elements along the last digit, from the given digits on. */
TEMPLATE void move_last_digit(const move_shape *m, const size_t *digit, const unsigned char *source, unsigned char *target, size_t count, size_t size)
{
    const int last = m->digits - 1, axis = m->axis[last];
    if (axis < 0 || m->wrap[axis] == 0) {
        move_run(source + move_index(m, digit, -1) * (ptrdiff_t)size, axis < 0 ? 0 : m->step[last] * m->stride[axis], target, count, size);
        return;
    }
    const unsigned char *from = source + move_index(m, digit, axis) * (ptrdiff_t)size;
    const ptrdiff_t wrap = m->wrap[axis], start = move_coordinate(m, digit, axis);
    for (size_t done = 0; done < count;) {
        const ptrdiff_t c = move_wrapped(start + (ptrdiff_t)done * m->step[last], wrap);
        size_t run = m->step[last] == 1 ? (size_t)(wrap - c) : 1;
        if (run > count - done) run = count - done;
        move_run(from + c * m->stride[axis] * (ptrdiff_t)size, m->stride[axis], target + done * size, run, size);
        done += run;
    }
}

/* The digit whose neighbours lie side by side in the source while those of the last digit do not, -1: none; *below: elements of the output below it. */
TEMPLATE int move_turning_digit(const move_shape *m, size_t *below)
{
    const int last = m->digits - 1, inner = m->axis[last];
    *below = 1;
    if (inner < 0 || m->wrap[inner] || m->step[last] * m->stride[inner] == 1) return -1;
    for (int d = last; d >= 0; d--) {
        const int a = m->axis[d];
        if (d < last && a >= 0 && !m->wrap[a] && m->step[d] * m->stride[a] == 1) return d;
        *below *= m->extent[d];
    }
    return -1;
}

/* `count` neighbours along digit `turning` from the given digits on, those below it zero, and all that is below: lines of the source are read once. */
TEMPLATE void move_turned(const move_shape *m, size_t *digit, int turning, size_t below, size_t count, const unsigned char *source, unsigned char *target,
                          size_t size)
{
    const int last = m->digits - 1;
    const size_t extent = m->extent[last];
    const ptrdiff_t bytes = m->step[last] * m->stride[m->axis[last]] * (ptrdiff_t)size;
    for (size_t done = 0; done < below; done += extent) {
        const unsigned char *from = source + move_index(m, digit, -1) * (ptrdiff_t)size;
        unsigned char *const to = target + done * size;
        for (size_t i = 0; i < extent; i++)
            for (size_t j = 0; j < count; j++) memcpy(to + (j * below + i) * size, from + (ptrdiff_t)i * bytes + (ptrdiff_t)(j * size), size);
        for (int d = last - 1; d > turning; d--) {
            if (++digit[d] < m->extent[d]) break;
            digit[d] = 0;
        }
    }
}

TEMPLATE void move_elements(const move_shape *m, size_t size, const void *source, void *target, size_t first, size_t last)
{
    unsigned char *to = target;
    size_t digit[MOVE_SHAPE_DIGITS] = { 0 };
    if (m->digits == 0) {
        if (first < last) memcpy(to, (const unsigned char *)source + move_index(m, digit, -1) * (ptrdiff_t)size, size);
        return;
    }
    size_t rest = first;
    for (int d = m->digits - 1; d >= 0; d--) {
        digit[d] = rest % m->extent[d];
        rest /= m->extent[d];
    }
    const int inner = m->digits - 1;
    size_t below;
    const int turning = move_turning_digit(m, &below);
    for (size_t i = first; i < last;) {
        size_t count = turning >= 0 && i % below == 0 ? (last - i) / below : 0;
        if (count > 1) {
            const size_t left = m->extent[turning] - digit[turning], line = MOVE_LINE / size;
            count = count < left ? count : left;
            count = count < line ? count : line;
            move_turned(m, digit, turning, below, count, source, to, size);
            to += count * below * size;
            i += count * below;
            digit[turning] += count - 1;
            for (int d = turning; d >= 0; d--) {
                if (++digit[d] < m->extent[d]) break;
                digit[d] = 0;
            }
            continue;
        }
        size_t run = m->extent[inner] - digit[inner];
        if (run > last - i) run = last - i;
        move_last_digit(m, digit, source, to, run, size);
        to += run * size;
        i += run;
        digit[inner] = 0;
        for (int d = inner - 1; d >= 0; d--) {
            if (++digit[d] < m->extent[d]) break;
            digit[d] = 0;
        }
    }
}

#endif
