/* Chains of moves that take whole rows, such as windows of pixels and back: which row of the source each row of the result is. */
#ifndef VITCC_PASSES_ROW_CHAIN_H
#define VITCC_PASSES_ROW_CHAIN_H

#include "passes.h"

enum { ROW_MOVES = 8 };

typedef struct row_chain {
    ir_value *source;
    int moves;
    const ir_node *move[ROW_MOVES];    /* the last one first */
    int real;                          /* of them, those that are no reshapes */
    dim images, width;                 /* of the source, [images source_rows, width]; the result is [images rows, width] */
    int64_t source_rows, rows;
    int64_t *row;                      /* [rows]: of an image of the source */
} row_chain;

/* The longest chain that ends in v, without its table; false: v is no move of whole rows. Then the table; false: rows of images mix, or are too
 * many. */
bool row_chain_climb(ir_value *v, row_chain *chain);
bool row_chain_make_table(arena *a, row_chain *chain);
/* Both. */
bool row_chain_of(arena *a, ir_value *v, row_chain *chain);
bool row_chain_is_identity(const row_chain *chain);
/* Each row of the source once: then [rows], for each row of the source which of the result it is; else NULL. */
int64_t *row_chain_inverse(arena *a, const row_chain *chain);
/* The same rows of another source of as many, of any width. NULL: reported. */
ir_value *row_chain_replay(const row_chain *chain, ir_value *source, ir_node *before, pass_context *c);
/* Rows of x, [images chain rows, width], as a table says, in the shape of `to`. NULL: reported. */
ir_value *row_chain_take(ir_value *x, dim images, int64_t x_rows, const int64_t *row, int64_t rows, const ir_type *to, ir_node *before,
                         pass_context *c);

#endif
