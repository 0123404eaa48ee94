/* Values by their names in the file: a hash table with open addressing. */
#include <string.h>

#include "import.h"

/* A value may have another name around the function or branch that it is bound in. */
typedef struct entry { const char *name; import_value *value; } entry;

struct name_table {
    size_t count, capacity;        /* a power of two */
    entry *slot;
};

static size_t hash(const char *name)
{
    return (size_t)digest_bytes((digest){ 0, 0 }, name, strlen(name)).low;
}

/* The slot that holds the name, or the free one where it belongs. */
static entry *find(const struct name_table *t, const char *name)
{
    size_t i = hash(name) & (t->capacity - 1);
    while (t->slot[i].value && strcmp(t->slot[i].name, name)) i = (i + 1) & (t->capacity - 1);
    return &t->slot[i];
}

static void grow(arena *a, struct name_table *t)
{
    struct name_table larger = { .count = t->count, .capacity = t->capacity ? 2 * t->capacity : 256 };
    larger.slot = arena_array(a, larger.capacity, sizeof *larger.slot);
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slot[i].value) *find(&larger, t->slot[i].name) = t->slot[i];
    *t = larger;
}

static entry *slot_of(importer *im, const char *name)
{
    if (!im->names) im->names = arena_alloc(im->arena, sizeof *im->names);
    if (2 * im->names->count >= im->names->capacity) grow(im->arena, im->names);
    return find(im->names, name);
}

import_value *import_own_value(importer *im, const char *name)
{
    entry *at = slot_of(im, name);
    if (at->value) return at->value;
    import_value *v = arena_alloc(im->arena, sizeof *v);
    *v = (import_value){ .name = name, .producer = -1, .owner = im };
    im->names->count++;
    *at = (entry){ name, v };
    return v;
}

import_value *import_value_named(importer *im, const char *name, bool create)
{
    import_value *own = slot_of(im, name)->value;
    import_value *around = !own && im->outer ? import_value_named(im->outer, name, false) : NULL;
    if (own || (around && around->defined)) return own ? own : around;
    return create ? import_own_value(im, name) : NULL;
}

bool import_bind_name(importer *inner, const import_node *n, const char *name, import_value *v)
{
    entry *at = slot_of(inner, name);
    if (at->value) return import_fail(inner, n, STATUS_DUPLICATE, -1, "'%.200s'", name);
    inner->names->count++;
    *at = (entry){ name, v };
    return true;
}
