/* Growing strings. */
#include "strbuf.h"

#include <stdio.h>
#include <string.h>

strbuf strbuf_in(arena *a)
{
    static char empty[1];
    return (strbuf){.arena = a, .text = empty};
}

static void make_room(strbuf *b, size_t n)
{
    if (n < b->capacity - b->length && b->capacity) return;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity <= b->length + n) {
        if (capacity > SIZE_MAX / 2) {                      /* arena_array exhausts */
            arena_array(b->arena, SIZE_MAX, 2);
            return;
        }
        capacity *= 2;
    }
    char *larger = arena_alloc(b->arena, capacity);
    if (b->length) memcpy(larger, b->text, b->length);
    b->text = larger;
    b->capacity = capacity;
}

void strbuf_addn(strbuf *b, const char *text, size_t n)
{
    if (n == 0) return;
    make_room(b, n);
    memcpy(b->text + b->length, text, n);
    b->length += n;
    b->text[b->length] = 0;
}

void strbuf_add(strbuf *b, const char *text)
{
    strbuf_addn(b, text, strlen(text));
}

void strbuf_printf(strbuf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        make_room(b, (size_t)length);
        vsnprintf(b->text + b->length, (size_t)length + 1, format, again);
        b->length += (size_t)length;
    }
    va_end(again);
}
