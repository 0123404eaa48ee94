/* The source index of one element of a move, by the definition, for tests. */
#ifndef VITCC_TEMPLATES_MOVE_REFERENCE_H
#define VITCC_TEMPLATES_MOVE_REFERENCE_H

#include "move.h"

static inline size_t move_index_reference(const move_shape *m, size_t element)
{
    ptrdiff_t index = 0;
    for (int a = 0; a < m->rank; a++) {
        ptrdiff_t coordinate = m->offset[a];
        size_t rest = element;
        for (int d = m->digits - 1; d >= 0; d--) {
            if (m->axis[d] == a) coordinate += (ptrdiff_t)(rest % m->extent[d]) * m->step[d];
            rest /= m->extent[d];
        }
        while (m->wrap[a] && coordinate < 0) coordinate += m->wrap[a];
        while (m->wrap[a] && coordinate >= m->wrap[a]) coordinate -= m->wrap[a];
        index += coordinate * m->stride[a];
    }
    return (size_t)index;
}

#endif
