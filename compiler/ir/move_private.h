/* What the files of moves share: moves with more digits than the final form has. */
#ifndef VITCC_IR_MOVE_PRIVATE_H
#define VITCC_IR_MOVE_PRIVATE_H

#include "move.h"

enum { DIGITS_WIDE = 64 };

/* A move while it is made: room for the digits that merge again. */
typedef struct wide_move {
    int digits;
    move_digit digit[DIGITS_WIDE];
    int rank;
    int64_t offset[IR_RANK_MAX], wrap[IR_RANK_MAX];
} wide_move;

static inline bool dim_is(dim d, int64_t value)
{
    int64_t constant;
    return dim_is_constant(d, &constant) && constant == value;
}

bool wide_add(wide_move *m, dim extent, int axis, int64_t step);     /* appends a digit; false: no room */
/* Brings into normal form. */
void wide_normalise(const ir_type *source, wide_move *m);
bool wide_finish(const ir_type *source, wide_move *m, move *out);   /* normalises; false: more digits than a move has */

#endif
