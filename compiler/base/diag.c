/* Diagnostics: one escaped line each, kept in the order they came. */
#include "diag.h"

#include <string.h>

#include "strbuf.h"

struct diag {
    arena *arena;
    const char *file;
    int lines, errors;
    const char **line;
    status first;
};

diag *diag_new(arena *a, const char *file)
{
    diag *d = arena_alloc(a, sizeof *d);
    d->arena = a;
    d->file = file ? arena_strdup(a, file) : "";
    return d;
}

/* Names come from the model: a terminal must not obey them. UTF-8 passes, control characters (C0, DEL, C1) and malformed bytes do not. */
static int utf8_length(const unsigned char *s)
{
    int length = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (length == 1 && (s[0] < 0x20 || s[0] == 0x7f)) return 0;
    if (length == 2 && s[0] == 0xc2 && s[1] < 0xa0) return 0;
    return length;
}

static const char *escaped(arena *a, const char *text)
{
    strbuf b = strbuf_in(a);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int length = utf8_length(s);
        if (length) {
            strbuf_addn(&b, (const char *)s, (size_t)length);
            s += length;
        } else {
            if (*s == '\n') strbuf_add(&b, "\\n");
            else if (*s == '\t') strbuf_add(&b, "\\t");
            else strbuf_printf(&b, "\\x%02x", *s);
            s++;
        }
    }
    return b.text;
}

static void add_line(diag *d, const char *text)
{
    d->line = arena_grow(d->arena, d->line, (size_t)d->lines, sizeof *d->line);
    d->line[d->lines++] = escaped(d->arena, text);
}

static void put_place(strbuf *b, const diag *d, const diag_place *place)
{
    if (d->file[0]) strbuf_printf(b, "%s: ", d->file);
    if (!place) return;
    if (place->node) strbuf_add(b, place->node);
    if (place->input >= 0) strbuf_printf(b, "%sinput %d", place->node ? " " : "", place->input);
    if (place->shape) strbuf_printf(b, "%s%s", place->node || place->input >= 0 ? " " : "", place->shape);
    if (place->node || place->input >= 0 || place->shape) strbuf_add(b, ": ");
}

status diag_error(diag *d, status code, const diag_place *place, const char *format, ...)
{
    strbuf b = strbuf_in(d->arena);
    put_place(&b, d, place);
    strbuf_printf(&b, "error E%d: %s", (int)code, status_sentence(code));
    va_list args;
    va_start(args, format);
    const char *particulars = arena_vprintf(d->arena, format, args);
    va_end(args);
    if (particulars[0]) strbuf_printf(&b, ": %s", particulars);
    if (status_remedy(code)[0]) strbuf_printf(&b, "; %s", status_remedy(code));
    add_line(d, b.text);
    if (d->errors++ == 0) d->first = code;
    return code;
}

void diag_note(diag *d, const diag_place *place, const char *format, ...)
{
    strbuf b = strbuf_in(d->arena);
    put_place(&b, d, place);
    va_list args;
    va_start(args, format);
    strbuf_printf(&b, "note: %s", arena_vprintf(d->arena, format, args));
    va_end(args);
    add_line(d, b.text);
}

int diag_errors(const diag *d)
{
    return d->errors;
}

status diag_first(const diag *d)
{
    return d->first;
}

const char *diag_line(const diag *d, int i)
{
    return i >= 0 && i < d->lines ? d->line[i] : NULL;
}

void diag_print(const diag *d, FILE *to)
{
    for (int i = 0; i < d->lines; i++) fprintf(to, "%s\n", d->line[i]);
}
