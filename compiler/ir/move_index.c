/* Moves with the symbols' values known: the source index of an element, and strides. */
#include "move_private.h"

static int64_t evaluate(dim d, const int64_t *value)
{
    int64_t constant;
    return dim_is_constant(d, &constant) ? constant : dim_evaluate(d, value);
}

bool move_range(const move *m, int axis, const int64_t *value, int64_t *low, int64_t *high)
{
    *low = *high = m->offset[axis];
    for (int i = 0; i < m->digits; i++) {
        int64_t size;
        if (m->digit[i].axis != axis) continue;
        if (value) size = dim_evaluate(m->digit[i].extent, value);
        else if (!dim_is_constant(m->digit[i].extent, &size)) return false;
        const int64_t way = m->digit[i].step * (size - 1);
        *(way < 0 ? low : high) += way;
    }
    return !m->wrap[axis];
}

int64_t move_source_index(const ir_type *source, const move *m, const int64_t *value, int64_t index)
{
    int64_t coordinate[IR_RANK_MAX];
    for (int i = 0; i < m->rank; i++) coordinate[i] = m->offset[i];
    for (int i = m->digits - 1; i >= 0; i--) {
        const move_digit *d = &m->digit[i];
        int64_t extent = evaluate(d->extent, value);
        if (extent <= 0) return 0;
        if (d->axis >= 0) coordinate[d->axis] += index % extent * d->step;
        index /= extent;
    }
    int64_t result = 0;
    for (int i = 0; i < m->rank; i++) {
        if (m->wrap[i] > 0) {
            coordinate[i] %= m->wrap[i];
            if (coordinate[i] < 0) coordinate[i] += m->wrap[i];
        }
        result = result * evaluate(source->dim[i], value) + coordinate[i];
    }
    return result;
}

bool move_strides(const ir_type *source, const move *m, const ir_type *to, const int64_t *value, int64_t *offset, int64_t *stride)
{
    int64_t pitch[IR_RANK_MAX], elements = 1;               /* pitch: of the source's axes */
    for (int i = source->rank - 1; i >= 0; i--) {
        pitch[i] = elements;
        elements *= evaluate(source->dim[i], value);
    }
    *offset = 0;
    for (int i = 0; i < m->rank; i++) {
        if (m->wrap[i] > 0) return false;
        *offset += m->offset[i] * pitch[i];
    }
    for (int i = 0; i < to->rank; i++) stride[i] = 0;
    for (int i = 0; i < to->rank; i++)
        if (evaluate(to->dim[i], value) == 0) return true;
    int next = m->digits - 1;
    int64_t left = 1, step = 0;                             /* of the digit being cut */
    for (int a = to->rank - 1; a >= 0; a--) {
        int64_t taken = 1, size = evaluate(to->dim[a], value);
        while (taken < size) {
            if (left == 1) {
                if (next < 0) return false;
                const move_digit *d = &m->digit[next--];
                left = evaluate(d->extent, value);
                step = d->axis < 0 ? 0 : d->step * pitch[d->axis];
                continue;
            }
            int64_t room = size / taken, take = left < room ? left : room;
            if (room % take != 0 || left % take != 0) return false;
            if (taken == 1) stride[a] = step;
            else if (stride[a] * taken != step) return false;
            taken *= take;
            left /= take;
            step *= take;
        }
    }
    return true;
}
