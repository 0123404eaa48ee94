/* What the textual forms share: quoting, words, numbers. */
#ifndef VITCC_IR_TEXT_H
#define VITCC_IR_TEXT_H

#include "../base/strbuf.h"
#include "elem.h"

/* A letter or underscore, then letters, digits, underscores. */
bool text_is_word(const char *s);
/* "…" or '…' with \" \\ \n \t \xHH; what is not printable ASCII is escaped. */
void text_quote(strbuf *b, char quote, const char *s);
/* Reads such a string at *at and moves behind it; NULL: there is none, or it is malformed. */
char *text_unquote(arena *a, const char **at);
bool text_accept_quoted(const char **at, const char *s);   /* moves behind "s" as text_quote writes it, if it is there */

void text_skip(const char **at);                            /* blanks and tabs */
bool text_accept(const char **at, const char *token);      /* skips blanks, then token if it is there; a word must end there */
/* Copies the word at *at; false: none, or longer than size - 1. */
bool text_word(const char **at, char *word, size_t size);
bool text_int64(const char **at, int64_t *out);

/* The shortest text that reads back as the same number of this float type: 0.1, 1e-12, nan, inf, -inf, -0. NaNs are one. */
void text_put_number(strbuf *b, elem e, double x);
/* Reads what text_put_number writes (and any decimal number), rounded to the type. */
bool text_number(const char **at, elem e, double *out);
double text_round(elem e, double x);                        /* to a float type */
void text_store_number(elem e, double x, void *bytes);      /* the bytes of a float */
void text_store_integer(elem e, int64_t x, void *bytes);
void text_put_integer(strbuf *b, elem e, int64_t x);        /* u64: the same bits, unsigned */
bool text_integer(const char **at, elem e, int64_t *out);   /* false: none, or it does not fit the type */

#endif
