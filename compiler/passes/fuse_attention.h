/* Between the two halves of fuse_attention: what was found, and its building. */
#ifndef VITCC_PASSES_FUSE_ATTENTION_H
#define VITCC_PASSES_FUSE_ATTENTION_H

#include "match.h"

enum { ATTENTION_MASKS = 4 };

/* Something added to the scores, or a choice between them and a very negative number. */
typedef struct attention_mask {
    ir_value *value;          /* added, or a bool */
    bool choice, keeps;       /* choice: value is a bool; keeps: where it is true scores stay */
    double low;               /* choice: what the other scores become; -inf or about the lowest float */
    double factor;            /* of the scores between here and the softmax, which the mask gets too */
    ir_type view;             /* the scores' type here */
    bool flipped;             /* the view's last axes are keys, queries */
} attention_mask;

typedef struct attention_match {
    pass_context *context;
    ir_node *softmax, *scores, *product;   /* scores, product: matmul, or a plain linear */
    ir_value *probabilities;               /* the softmax's result, behind the guard if there is one */
    bool guarded, tapped;                  /* NaN become zero; the probabilities are read by others too */
    bool flipped;                          /* the scores are [.., keys, queries] */
    bool turned;                           /* the product is that of values [.., d, keys] and probabilities [.., keys, queries] */
    double scale;
    int masks;
    attention_mask mask[ATTENTION_MASKS];
    ir_value *row_factor;                  /* a factor that is the same for all keys, as seen at row_view; NULL: none */
    ir_type row_view;
    bool row_flipped;
    bool has_view;                         /* somewhere the scores are [batch, heads, .., ..] */
    dim view_batch, view_heads;
    int nodes;
    ir_node *node[MATCH_NODES];            /* what else is covered */
    const char *reason;                    /* why it is no attention; NULL: none yet */
} attention_match;

typedef enum attention_turn { TURN_OTHER, TURN_RESHAPE, TURN_SWAP } attention_turn;

/* What a move does to scores: nothing to their order, swap the last two axes, or something else. */
attention_turn attention_turn_of(const ir_node *n);
/* Says why once; returns false. */
bool attention_refuse(attention_match *m, const char *reason);
void attention_cover(attention_match *m, ir_node *n);
/* Scores that are put together from parts of one product's result, that result; and what is added to one part, with zeros around it (NULL: nothing
 * is). NULL: they are not, or several parts have something added. */
ir_value *attention_parts(attention_match *m, ir_node *concat, ir_value **added);
/* Puts the attention in the place of what m covers. False: m->reason says why not, or an error was reported. */
bool attention_build(attention_match *m);
/* fuse_blend.c: parts probabilities from constant ones that they are blended with. False: reported. */
bool fuse_blend(ir_node *softmax, pass_context *c);
/* Drops the mask of an attention that was in the file, where it does nothing or `causal` says it. */
bool attention_tidy(ir_node *n, pass_context *c);

#endif
