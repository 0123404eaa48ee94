/* Which digits of a move make up which axes of its result; see digits.h. */
#include "digits.h"

/* Steps *digit down over the digits that make up the axes [first, end), from the least significant on. */
static bool step_down(const ir_type *to, const move *m, int first, int end, int *digit)
{
    dim wanted = dim_of(1), product = dim_of(1);
    for (int i = first; i < end; i++)
        if (!dim_mul(wanted, to->dim[i], &wanted)) return false;
    while (!dim_equal(product, wanted))
        if (*digit == 0 || !dim_mul(product, m->digit[--*digit].extent, &product)) return false;
    return true;
}

bool digits_of_axes(const ir_type *to, const move *m, int first, int end, int *low, int *high)
{
    *high = m->digits;
    if (!step_down(to, m, end, to->rank, high)) return false;
    *low = *high;
    return step_down(to, m, first, end, low);
}
