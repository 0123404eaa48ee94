/* Moves: an output whose elements are elements of the source: reshape, transpose, slice, expand, window partition, roll and their chains.
 * The row-major index of the output is written in mixed radix (digits, the most significant first). Each digit steps along one axis of the source:
 *     coordinate[a] = (offset[a] + sum over the digits d with axis a of d.value * d.step) mod wrap[a], if wrap[a] > 0 */
#ifndef VITCC_IR_MOVE_H
#define VITCC_IR_MOVE_H

#include "dim.h"
#include "elem.h"

enum { IR_RANK_MAX = 8, MOVE_DIGITS_MAX = 16 };

typedef struct ir_type {
    elem elem;
    int rank;
    dim dim[IR_RANK_MAX];
} ir_type;

typedef struct move_digit {
    dim extent;
    int axis;             /* of the source; -1: the same element again (expand) */
    int64_t step;         /* in elements along the axis; may be negative */
} move_digit;

typedef struct move {
    int digits;
    move_digit digit[MOVE_DIGITS_MAX];
    int rank;                          /* of the source */
    int64_t offset[IR_RANK_MAX];
    int64_t wrap[IR_RANK_MAX];         /* the axis' size where coordinates wrap round; 0: they do not */
} move;

/* One-step moves of a source of type `from`. False: it has no such move (checks bounds, products, permutation). *to gets the result's type. */
bool move_reshape(const ir_type *from, const dim *shape, int rank, move *m, ir_type *to);
bool move_transpose(const ir_type *from, const int *permutation, move *m, ir_type *to);
bool move_slice(const ir_type *from, int axis, int64_t start, int64_t step, dim count, move *m, ir_type *to);   /* start: first element taken */
bool move_expand(const ir_type *from, const dim *shape, int rank, move *m, ir_type *to);                        /* numpy broadcasting */
bool move_roll(const ir_type *from, int axis, int64_t shift, move *m, ir_type *to);                             /* out[i] = in[i + shift mod size] */

/* outer after inner as one move. `source` is inner's source's type, `between` inner's result. False: it takes two. */
bool move_compose(const ir_type *source, const move *inner, const ir_type *between, const move *outer, move *out);
/* Merges digits that step as one, drops extents of 1: the normal form. Equal moves have equal normal forms. */
void move_normalise(const ir_type *source, move *m);
bool move_equal(const move *a, const move *b);
/* NULL where m is in normal form, stays within the source for every value of the symbols, and has as many elements as `to`; else what is wrong with
 * it. */
const char *move_check(const dim_symbols *s, const ir_type *source, const move *m, const ir_type *to);
/* Whether two lists of dimensions have the same product, whatever the symbols. */
bool move_same_elements(const dim *a, int a_count, const dim *b, int b_count);
/* Reads every element of the source once, in order. */
bool move_is_reshape(const ir_type *source, const move *m);
/* As one stride (in elements of a row-major source) an axis of the result `to`, all symbols replaced by `value`. False: no such strides (a wrap,
 * or an axis made of several digits). */
bool move_strides(const ir_type *source, const move *m, const ir_type *to, const int64_t *value, int64_t *offset, int64_t *stride);
/* The elements along an axis of the source that m takes, the first and the last, all symbols replaced by `value`. False: they wrap round; or a symbol
 * counts them, and value is NULL. */
bool move_range(const move *m, int axis, const int64_t *value, int64_t *low, int64_t *high);
/* Row-major source index of the output's element `index`, symbols replaced by `value`. */
int64_t move_source_index(const ir_type *source, const move *m, const int64_t *value, int64_t index);

/* "[N, 197@1, 12@2*64, 64@2] +[0, 1, 0] %[…]": digits extent@axis*step (@_ for none), offsets (absent: zeros), wraps (absent: none). */
const char *move_text(arena *a, const dim_symbols *s, const move *m);
bool move_parse(const dim_symbols *s, const char *text, const char **end, move *out);

#endif
