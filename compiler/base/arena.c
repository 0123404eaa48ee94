/* Arenas: chunks of growing size, never moved, freed as a whole. Exhaustion leaves by longjmp; what was allocated stays valid for arena_free. */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

enum { ALIGNMENT = 16, CHUNK_LEAST = 64 * 1024, CHUNK_MOST = 16 * 1024 * 1024 };

/* The bytes follow the header, which is a multiple of 16 long. */
struct chunk {
    struct chunk *next;
    size_t size, used;
    size_t unused;
};

_Static_assert(sizeof(struct chunk) % ALIGNMENT == 0, "a chunk's bytes start aligned");

struct arena {
    struct chunk *chunk;     /* the newest */
    size_t used, limit, next_size;
};

static jmp_buf *exhaustion_handler;
static long failing_after = -1;

jmp_buf *arena_on_exhaustion(jmp_buf *handler)
{
    jmp_buf *const before = exhaustion_handler;
    exhaustion_handler = handler;
    return before;
}

void arena_fail_after(long allocations)
{
    failing_after = allocations;
}

static _Noreturn void exhausted(void)
{
    if (exhaustion_handler) longjmp(*exhaustion_handler, 1);
    fprintf(stderr, "vitcc: error E%d: %s; %s\n", STATUS_MEMORY, status_sentence(STATUS_MEMORY), status_remedy(STATUS_MEMORY));
    exit(1);
}

static void count_allocation(void)
{
    if (failing_after < 0) return;
    if (failing_after == 0) {
        failing_after = -1;
        exhausted();
    }
    failing_after--;
}

arena *arena_new(void)
{
    count_allocation();
    arena *a = calloc(1, sizeof *a);
    if (!a) exhausted();
    a->next_size = CHUNK_LEAST;
    return a;
}

void arena_free(arena *a)
{
    if (!a) return;
    for (struct chunk *c = a->chunk, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void arena_set_limit(arena *a, size_t bytes)
{
    a->limit = bytes;
}

size_t arena_used(const arena *a)
{
    return a->used;
}

static void add_chunk(arena *a, size_t bytes)
{
    size_t size = a->next_size;
    if (size < bytes) size = bytes;
    else if (a->next_size < CHUNK_MOST) a->next_size *= 2;
    if (size > SIZE_MAX - sizeof(struct chunk)) exhausted();
    struct chunk *c = malloc(sizeof *c + size);
    if (!c) exhausted();
    *c = (struct chunk){.size = size};
    /* A chunk made for one large allocation goes behind the newest one, whose rest is still good. */
    if (a->chunk && size == bytes && size > CHUNK_LEAST && a->chunk->size - a->chunk->used > CHUNK_LEAST / 4) {
        c->next = a->chunk->next;
        a->chunk->next = c;
    } else {
        c->next = a->chunk;
        a->chunk = c;
    }
}

void *arena_alloc(arena *a, size_t bytes)
{
    count_allocation();
    if (bytes > SIZE_MAX - ALIGNMENT) exhausted();
    size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size == 0) size = ALIGNMENT;
    if (a->limit && (a->used > a->limit || size > a->limit - a->used)) exhausted();
    struct chunk *c = a->chunk;
    if (!c || size > c->size - c->used) {
        add_chunk(a, size);
        c = a->chunk;
        if (size > c->size - c->used) c = c->next;
    }
    void *p = (char *)(c + 1) + c->used;
    c->used += size;
    a->used += size;
    return memset(p, 0, size);
}

void *arena_array(arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) exhausted();
    return arena_alloc(a, bytes);
}

void *arena_grow(arena *a, void *array, size_t count, size_t size)
{
    if (count & (count - 1)) return array;                  /* between two powers of two: room is left */
    if (count == 1 || count == 2) return array;             /* the first array has room for four */
    if (count > SIZE_MAX / 2) exhausted();
    void *larger = arena_array(a, count ? 2 * count : 4, size);
    if (count) memcpy(larger, array, count * size);
    return larger;
}

char *arena_strndup(arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX) exhausted();
    char *copy = arena_alloc(a, n + 1);
    if (n) memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) length = 0;
    char *text = arena_alloc(a, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}
