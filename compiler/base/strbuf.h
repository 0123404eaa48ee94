/* A growing string in an arena. */
#ifndef VITCC_BASE_STRBUF_H
#define VITCC_BASE_STRBUF_H

#include "arena.h"

typedef struct strbuf {
    arena *arena;
    char *text;        /* always terminated; "" while empty */
    size_t length, capacity;
} strbuf;

strbuf strbuf_in(arena *a);
void strbuf_add(strbuf *b, const char *text);
void strbuf_addn(strbuf *b, const char *text, size_t n);
void strbuf_printf(strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
