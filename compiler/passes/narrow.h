/* What narrow's two halves share: narrow.c finds which rows live, narrow_rebuild.c computes no others. */
#ifndef VITCC_PASSES_NARROW_H
#define VITCC_PASSES_NARROW_H

#include "passes.h"

typedef enum live_kind { LIVE_NONE, LIVE_SOME, LIVE_ALL } live_kind;

/* The rows of a value that are read: indices along one axis, rising. */
typedef struct live {
    live_kind kind;
    int axis, count;
    const int64_t *index;
} live;

typedef struct narrow_selection { const ir_value *value; live rows; ir_value *selected; struct narrow_selection *next; } narrow_selection;

typedef struct narrow {
    ir_graph *graph;
    pass_context *context;
    int ids;                           /* values made since then are new */
    live *live;                        /* by id of the value */
    ir_value **now;                    /* by id: the value with its live rows alone; NULL: it has all */
    narrow_selection *selections;
} narrow;

bool narrow_same(const live *a, const live *b);
/* Which of the rows of input i node n reads when of its result only `out` is read. */
live narrow_demand(const narrow *s, const ir_node *n, int i, const live *out);
/* The axis of a move's source along which it reads the few rows *rows when its result is read as `out`, in the order of the result: *axis -1 none.
 * The digit that steps along it: *digit, -1: none, one row. */
typedef struct narrow_path { int axis, digit, count; int64_t *row; } narrow_path;
narrow_path narrow_path_of(const narrow *s, const ir_node *n, const live *out);
/* The indices of a gather whose rows are read as `out`, from 0; count -1: not constant, or of the other axes. */
int narrow_indices(const narrow *s, const ir_node *n, const live *out, int64_t **index);

/* Splits linears whose readers take few rows of some columns and all of others: the rows that live are to be found again then. */
bool narrow_split(narrow *s, bool *changed);
/* Makes what n computes of its live rows; false: reported. */
bool narrow_rebuild(narrow *s, ir_node *n);

#endif
