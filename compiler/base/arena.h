/* The compiler's memory: arenas, grown in chunks and freed as a whole. An allocation never returns NULL: when memory runs out (or the arena's
 * limit is reached) control goes to the handler set with arena_on_exhaustion, which each command sets; without one the program ends with E103. */
#ifndef VITCC_BASE_ARENA_H
#define VITCC_BASE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arena arena;

arena *arena_new(void);
void arena_free(arena *a);                         /* NULL is fine */
void arena_set_limit(arena *a, size_t bytes);      /* 0: none */
jmp_buf *arena_on_exhaustion(jmp_buf *handler);    /* process-wide; NULL: end the program; returns the handler so far */
void arena_fail_after(long allocations);           /* tests: the allocation after so many fails; -1: never */

void *arena_alloc(arena *a, size_t bytes);         /* zeroed, aligned to 16; exhausts on overflow too */
void *arena_array(arena *a, size_t count, size_t size);   /* count * size, checked */
/* Makes room for one more element in a growing array of `count` elements; returns the array, moved if need be. Capacities are powers of two. */
void *arena_grow(arena *a, void *array, size_t count, size_t size);
char *arena_strdup(arena *a, const char *s);
char *arena_strndup(arena *a, const char *s, size_t n);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
size_t arena_used(const arena *a);                 /* bytes handed out */

#endif
