/* Dimensions: affine forms over run-time symbols (the batch N, a cache's length P). Only dim.c looks inside one. */
#ifndef VITCC_IR_DIM_H
#define VITCC_IR_DIM_H

#include "../base/arena.h"

enum { DIM_TERMS = 2, DIM_UNDECIDED = 2 };

typedef struct dim {
    int64_t constant;
    struct { int32_t symbol; int64_t coefficient; } term[DIM_TERMS];   /* coefficient 0: unused; used ones first, by rising symbol */
} dim;

/* The run-time symbols of a graph, each a whole number from min to max. A length is planned at its maximum, the capacity; the batch one image at a time. */
typedef struct dim_symbols {
    int count;
    struct dim_symbol { const char *name; int64_t min, max; bool length; } *symbol;
} dim_symbols;

int dim_declare(arena *a, dim_symbols *s, const char *name, int64_t min, int64_t max);   /* its index; one declared before keeps its bounds */
int dim_declare_length(arena *a, dim_symbols *s, const char *name, int64_t capacity);
bool dim_is_length(const dim_symbols *s, dim d, int *symbol);   /* the one symbol of d is a length; symbol may be NULL */
int dim_find(const dim_symbols *s, const char *name);                                      /* -1: none */

dim dim_of(int64_t constant);
dim dim_symbol_of(int symbol);
bool dim_is_constant(dim d, int64_t *value);      /* value may be NULL */
bool dim_is_one(dim d);
bool dim_equal(dim a, dim b);                     /* the same form */
/* False: overflow, not affine, or more terms than fit; *out is untouched then. */
bool dim_add(dim a, dim b, dim *out);
bool dim_sub(dim a, dim b, dim *out);
bool dim_mul(dim a, dim b, dim *out);
bool dim_product(const dim *d, int count, dim *out);   /* of none: 1 */
bool dim_div_exact(dim a, dim b, dim *out);       /* only where b divides a for every value of the symbols */
/* -1, 0, 1 as a is below, equal to or above b for every value of the symbols; else DIM_UNDECIDED. */
int dim_compare(const dim_symbols *s, dim a, dim b);
/* The value with each symbol replaced by value[symbol]. */
int64_t dim_evaluate(dim d, const int64_t *value);
/* Replaces a symbol by a form. */
bool dim_substitute(dim d, int symbol, dim by, dim *out);
bool dim_mentions(dim d, int symbol);

/* "197", "N", "12*N", "2*N+3". The form is read back by dim_parse, which declares no symbols: unknown ones are refused. */
const char *dim_text(arena *a, const dim_symbols *s, dim d);
bool dim_parse(const dim_symbols *s, const char *text, const char **end, dim *out);

#endif
