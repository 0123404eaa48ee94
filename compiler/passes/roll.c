/* Repeated blocks become one function and calls of it: runs of nodes, each block reading what the one before made, that differ in constants alone.
 * Any cut through the chain will do; a block with one attention starts at it, so that all that follows an attention up to the next one's queries,
 * keys and values is one piece. What makes the keys of a single query is one piece with it.
 * Requires: nothing. Blocks of other attributes or shapes stay as they are; one product or one repeat alone is no block.
 * Leaves: functions `encoder_block`, or `block` where there is no attention, whose parameters are the values, then the constants, in order of first
 *   use; values of a block that are read elsewhere (taps) are further results. Nodes stand in the order of a walk from the results up. */
#include "roll.h"

#include <limits.h>
#include <string.h>

enum { PERIOD_MAX = 4096, UNSEEN = -2, CONSTANT = -1, ENTERED = -3 };

int roll_place(const ir_value *v)
{
    return v->def ? v->def->mark : CONSTANT;
}

/* ---- order ---- */

typedef struct frame { ir_node *node; int next; } frame;

typedef struct walk {
    arena *arena;
    frame *stack;
    int depth, constants;
    ir_node **constant;
    roll_sequence sequence;
} walk;

static void enter(walk *w, const ir_value *v)
{
    if (!v || !v->def || v->def->mark != UNSEEN) return;
    v->def->mark = ENTERED;
    w->stack = arena_grow(w->arena, w->stack, (size_t)w->depth, sizeof *w->stack);
    w->stack[w->depth++] = (frame){v->def, 0};
}

static void leave(walk *w, ir_node *n)
{
    if (n->constant) {
        n->mark = CONSTANT;
        w->constant = arena_grow(w->arena, w->constant, (size_t)w->constants, sizeof *w->constant);
        w->constant[w->constants++] = n;
        return;
    }
    n->mark = w->sequence.count;
    w->sequence.node = arena_grow(w->arena, w->sequence.node, (size_t)w->sequence.count, sizeof *w->sequence.node);
    w->sequence.node[w->sequence.count++] = n;
}

/* Every node after its inputs, in an order that the file's own order has no part in. */
static walk order(ir_graph *g, arena *a)
{
    walk w = {.arena = a};
    for (ir_node *n = g->first; n; n = n->next) n->mark = UNSEEN;
    for (int i = 0; i < g->results; i++) {
        enter(&w, g->result[i].value);
        while (w.depth > 0) {
            frame *top = &w.stack[w.depth - 1];
            if (top->next < top->node->inputs) {
                enter(&w, top->node->input[top->next++]);
            } else {
                w.depth--;
                leave(&w, top->node);
            }
        }
    }
    return w;
}

static void put_in_order(const walk *w)
{
    for (int i = 0; i < w->constants; i++) ir_move_before(w->constant[i], NULL);
    for (int i = 0; i < w->sequence.count; i++) ir_move_before(w->sequence.node[i], NULL);
}

/* ---- equality ---- */

static bool attribute_equal(const ir_attribute *a, const ir_attribute *b)
{
    switch (ir_key_kind(a->key)) {
    case KIND_INT: return a->integer == b->integer;
    case KIND_FLOAT: return a->number == b->number;
    case KIND_NAME: return strcmp(a->name, b->name) == 0;
    case KIND_EXPR: return expr_equal(a->expr, b->expr);
    case KIND_MOVE: return move_equal(a->move, b->move);
    case KIND_GRAPH: return a->graph == b->graph;
    case KIND_BYTES: return a->bytes == b->bytes;
    case KIND_INTS: break;
    }
    return a->list.count == b->list.count && (a->list.count == 0 || memcmp(a->list.item, b->list.item, (size_t)a->list.count * sizeof(int64_t)) == 0);
}

static bool attributes_equal(const ir_node *a, const ir_node *b)
{
    const ir_attribute *x = a->attributes, *y = b->attributes;
    for (; x && y; x = x->next, y = y->next)
        if (x->key != y->key || !attribute_equal(x, y)) return false;
    return !x && !y;
}

/* What stands at a, `period` places on at b: the same place relative to the node, the same value, or a constant or parameter of the same type. What
 * the first block reads of another place, further up, the others may have from the block before: blocks_agree has the last word. */
static bool input_equal(const ir_value *a, const ir_value *b, int period)
{
    if (a == b) return true;
    if (!a || !b || !ir_type_equal(&a->type, &b->type)) return false;
    int x = roll_place(a), y = roll_place(b);
    bool constant = a->def && x == CONSTANT, other_constant = b->def && y == CONSTANT;
    if (constant || other_constant) return constant == other_constant;
    if (!a->def || !b->def) return !a->def;
    return x < y - period || (x == y - period && a->index == b->index);
}

static bool node_equal(const ir_node *a, const ir_node *b, int period)
{
    if (a->op != b->op || a->inputs != b->inputs || a->outputs != b->outputs) return false;
    for (int i = 0; i < a->outputs; i++)
        if (!ir_type_equal(&a->output[i]->type, &b->output[i]->type)) return false;
    for (int i = 0; i < a->inputs; i++)
        if (!input_equal(a->input[i], b->input[i], period)) return false;
    return attributes_equal(a, b);
}

/* Differs for nodes of different operators or sizes, mostly. */
static uint64_t fingerprint(const ir_node *n)
{
    uint64_t h = (uint64_t)n->op * 64 + (uint64_t)n->inputs;
    for (int o = 0; o < n->outputs; o++)
        for (int i = 0; i < n->output[o]->type.rank; i++) {
            int64_t size = 0;
            (void)dim_is_constant(n->output[o]->type.dim[i], &size);
            h = h * 1099511628211u + (uint64_t)size + 1;
        }
    return h;
}

/* ---- runs ---- */

static bool is_product(const ir_node *n)
{
    return n->op == IR_LINEAR || n->op == IR_MLP || n->op == IR_MATMUL || n->op == IR_ATTENTION || n->op == IR_CONV ||
           n->op == IR_CONV_LAST;
}

/* Worth a function: two products or more, and each block goes on from the one before. */
static bool is_block(const roll_sequence *s, const roll_run *run)
{
    int products = 0;
    bool chained = false;
    for (int i = run->first; i < run->first + run->period; i++) {
        const ir_node *second = s->node[i + run->period];
        products += is_product(s->node[i]);
        for (int k = 0; k < second->inputs; k++) {
            int place = second->input[k] ? roll_place(second->input[k]) : CONSTANT;
            chained |= place >= run->first && place < run->first + run->period;
        }
    }
    return products >= 2 && chained;
}

/* Each input of all blocks comes from the same place of its own block, or in all from outside it. */
static bool blocks_agree(const roll_sequence *s, const roll_run *run)
{
    for (int i = 0; i < run->repeats * run->period; i++) {
        int start = run->first + i / run->period * run->period, offset = i % run->period;
        const ir_node *a = s->node[run->first + offset], *b = s->node[start + offset];
        for (int k = 0; k < a->inputs; k++) {
            if (!a->input[k]) continue;
            int x = roll_place(a->input[k]) - run->first, y = roll_place(b->input[k]) - start;
            if ((x >= 0 || y >= 0) && x != y) return false;
        }
    }
    return true;
}

/* Cuts the nodes [start, end) into blocks, the first `step` nodes later each time until all agree. */
static bool cut_from(const roll_sequence *s, int start, int end, int period, int step, roll_run *run)
{
    for (; end - start >= 2 * period; start += step) {
        *run = (roll_run){start, period, (end - start) / period};
        if (is_block(s, run) && blocks_agree(s, run)) return true;
    }
    return false;
}

/* Is v read from this place on? */
static bool read_from(const ir_value *v, int place)
{
    for (int i = 0; i < v->uses; i++)
        if (v->user[i]->mark >= place) return true;
    return false;
}

/* How many values of a block that starts here are read behind it. */
static int values_left(const roll_sequence *s, int start, int period)
{
    int values = 0;
    for (int i = start; i < start + period; i++)
        for (int o = 0; o < s->node[i]->outputs; o++) values += read_from(s->node[i]->output[o], start + period);
    return values;
}

/* The last place where blocks leave least to one another: behind an MLP rather than an attention. */
static int narrowest(const roll_sequence *s, int first, int end, int period)
{
    int best = first;
    for (int i = first, least = INT_MAX; i < first + period && i + 2 * period <= end; i++) {
        const int values = values_left(s, i, period);
        if (values > least) continue;
        least = values;
        best = i;
    }
    return best;
}

/* Cuts the nodes [first, end), each of which equals that a period on: before a block's one attention, where
 * blocks leave least to one another if that has one query, else wherever most blocks agree. */
static bool cut(const roll_sequence *s, int first, int end, int period, roll_run *run)
{
    int attentions = 0, start = first;
    for (int i = first; i < first + period; i++) {
        if (s->node[i]->op != IR_ATTENTION) continue;
        if (attentions++ == 0) start = i;
    }
    if (attentions == 1 && dim_is_one(s->node[start]->input[0]->type.dim[1])) start = narrowest(s, first, end, period);
    return (attentions == 1 && cut_from(s, start, end, period, period, run)) || cut_from(s, first, end, period, 1, run);
}

/* The run that saves most nodes. */
static bool best_run(const roll_sequence *s, const uint64_t *print, roll_run *best)
{
    *best = (roll_run){0, 0, 1};
    for (int period = 2; period <= PERIOD_MAX && 2 * period <= s->count; period++) {
        int length = 0;   /* of the stretch of nodes that equal those a period on, up to i */
        for (int i = 0; i + period <= s->count; i++) {
            bool equal = i + period < s->count && print[i] == print[i + period] && node_equal(s->node[i], s->node[i + period], period);
            if (equal) {
                length++;
                continue;
            }
            roll_run run;
            int saved = length / period * period;
            if (saved > (best->repeats - 1) * best->period && cut(s, i - length, i + period, period, &run) &&
                (run.repeats - 1) * period > (best->repeats - 1) * best->period) {
                *best = run;
            }
            length = 0;
        }
    }
    return best->repeats > 1;
}

bool pass_roll(ir_graph *g, pass_context *c)
{
    ir_sweep(g);
    for (;;) {
        walk w = order(g, c->arena);
        const roll_sequence *s = &w.sequence;
        uint64_t *print = arena_array(c->arena, (size_t)s->count + 1, sizeof *print);
        for (int i = 0; i < s->count; i++) print[i] = fingerprint(s->node[i]);
        roll_run run;
        if (!best_run(s, print, &run)) return true;
        put_in_order(&w);
        if (!roll_into_calls(g, s, &run, c)) return false;
    }
}
