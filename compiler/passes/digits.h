/* Which digits of a move make up which axes of its result. */
#ifndef VITCC_PASSES_DIGITS_H
#define VITCC_PASSES_DIGITS_H

#include "../ir/ir.h"

/* The digits [*low, *high) run over exactly the axes [first, end) of the result, of type `to`. False: some digit runs over these and others. */
bool digits_of_axes(const ir_type *to, const move *m, int first, int end, int *low, int *high);

#endif
