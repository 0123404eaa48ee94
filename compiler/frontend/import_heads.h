/* Attention over heads, as the operators of both domains share it. */
#ifndef VITCC_FRONTEND_IMPORT_HEADS_H
#define VITCC_FRONTEND_IMPORT_HEADS_H

#include "import_compose.h"

typedef struct heads {
    ir_value *q, *k, *v;         /* [B, Tq, H, d], [B, Tk, G, d], [B, Tk, G, e] */
    ir_value *mask;              /* bool or added, broadcasts to [B, H, Tq, Tk]; its last axis may be shorter than Tk. NULL: none */
    ir_value *valid;             /* i64 [B]: keys that count; NULL: all */
    double scale, softcap;       /* softcap 0: none */
    bool causal;
    int64_t left, right;         /* how far a query sees; -1: all */
    dim past;                    /* keys before the first query */
    elem precision;              /* of softmax; ELEM_NONE: the scores' */
    int scores_mode;             /* -1: not asked for */
    ir_value *scores;            /* out, [B, H, Tq, Tk]: 0: products, 1: after softcap, 2: with mask, 3: after softmax */
} heads;

/* [B, Tq, H, e]; NULL: reported. */
ir_value *heads_attend(importer *im, const import_node *n, heads *h);
/* x [B, T, heads * d] as [B, T, heads, d]. */
ir_value *heads_split(importer *im, const import_node *n, ir_value *x, int64_t count);
/* Back. */
ir_value *heads_join(importer *im, const import_node *n, ir_value *x);
/* x [B, G, T, d] behind `past` of the same form. */
ir_value *heads_append(importer *im, const import_node *n, ir_value *past, ir_value *x);

#endif
