/* Requires: nothing. Leaves: no two nodes of one graph with the same operator, inputs and attributes, and no two constants with the same type and
 * bytes. */
#include <string.h>

#include "match.h"

typedef struct entry { ir_node *node; uint64_t hash; } entry;

typedef struct table {
    size_t slots;              /* a power of two */
    entry *entry;
} table;

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

/* Eight bytes in each of eight places: weights that differ at all differ in them, nearly always. */
static uint64_t hash_bytes(uint64_t h, const ir_bytes *b)
{
    enum { PLACES = 8 };
    h = mix(h, (uint64_t)b->size);
    for (size_t i = 0; i < PLACES && b->size >= sizeof h; i++) {
        uint64_t word;
        memcpy(&word, (const char *)b->data + (b->size - sizeof word) / (PLACES - 1) * i, sizeof word);
        h = mix(h, word);
    }
    return h;
}

/* Of what is cheap to tell apart; equality decides. Value ids are the same in every run. */
static uint64_t hash_node(const ir_node *n)
{
    uint64_t h = mix((uint64_t)n->op + 1, (uint64_t)n->inputs);
    for (int i = 0; i < n->inputs; i++) h = mix(h, n->input[i] ? (uint64_t)n->input[i]->id + 2 : 1);
    for (const ir_attribute *a = n->attributes; a; a = a->next) {
        h = mix(h, (uint64_t)a->key);
        switch (ir_key_kind(a->key)) {
        case KIND_INT: h = mix(h, (uint64_t)a->integer); break;
        case KIND_INTS: h = mix(h, a->list.count ? (uint64_t)a->list.item[0] : 0); break;
        case KIND_EXPR: h = mix(h, (uint64_t)a->expr->count); break;
        case KIND_MOVE: h = mix(h, (uint64_t)a->move->digits); break;
        case KIND_BYTES: h = hash_bytes(h, a->bytes); break;
        case KIND_FLOAT: case KIND_NAME: case KIND_GRAPH: break;
        }
    }
    return h;
}

static bool attribute_equal(const ir_attribute *a, const ir_attribute *b)
{
    if (a->key != b->key) return false;
    switch (ir_key_kind(a->key)) {
    case KIND_INT: return a->integer == b->integer;
    case KIND_INTS:
        return a->list.count == b->list.count &&
               (a->list.count == 0 || memcmp(a->list.item, b->list.item, (size_t)a->list.count * sizeof *a->list.item) == 0);
    case KIND_FLOAT: return memcmp(&a->number, &b->number, sizeof a->number) == 0;
    case KIND_NAME: return strcmp(a->name, b->name) == 0;
    case KIND_EXPR: return expr_equal(a->expr, b->expr);
    case KIND_MOVE: return move_equal(a->move, b->move);
    case KIND_BYTES: return a->bytes->size == b->bytes->size && (a->bytes->size == 0 || memcmp(a->bytes->data, b->bytes->data, a->bytes->size) == 0);
    case KIND_GRAPH: return a->graph == b->graph;
    }
    return false;
}

static bool node_equal(const ir_node *a, const ir_node *b)
{
    if (a->op != b->op || a->inputs != b->inputs || a->outputs != b->outputs) return false;
    for (int i = 0; i < a->inputs; i++)
        if (a->input[i] != b->input[i]) return false;
    for (int i = 0; i < a->outputs; i++)
        if (!ir_type_equal(&a->output[i]->type, &b->output[i]->type)) return false;
    const ir_attribute *x = a->attributes, *y = b->attributes;
    for (; x && y; x = x->next, y = y->next)
        if (!attribute_equal(x, y)) return false;
    return !x && !y;
}

/* The equal node that came first, or NULL and n is entered. */
static ir_node *find_or_enter(table *t, ir_node *n)
{
    const uint64_t hash = hash_node(n);
    size_t i = (size_t)hash & (t->slots - 1);
    for (; t->entry[i].node; i = (i + 1) & (t->slots - 1))
        if (t->entry[i].hash == hash && node_equal(t->entry[i].node, n)) return t->entry[i].node;
    t->entry[i] = (entry){n, hash};
    return NULL;
}

static int merge_graph(ir_graph *g, pass_context *c)
{
    size_t count = 0;
    for (ir_node *n = g->first; n; n = n->next) count++;
    table t = {.slots = 16};
    while (t.slots < 2 * count) t.slots *= 2;
    t.entry = arena_array(c->arena, t.slots, sizeof *t.entry);
    int merged = 0;
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        ir_node *first = find_or_enter(&t, n);
        if (!first) continue;
        for (int i = 0; i < n->outputs; i++) ir_replace(n->output[i], first->output[i]);
        ir_copy_origins(first, n);
        ir_remove(n);
        merged++;
    }
    return merged;
}

bool pass_merge_dup(ir_graph *g, pass_context *c)
{
    merge_graph(g, c);
    for (int i = 0; i < g->functions; i++) merge_graph(g->function[i], c);
    return true;
}
