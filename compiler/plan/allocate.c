/* Addresses for buffers with known times. Each buffer gets the lowest address that fits, in several orders; the best order stays. The lower bound is
 * the heaviest set found of buffers of which no two may touch the same byte. */
#include "plan_private.h"

#include <stdlib.h>

typedef enum relation { APART, SAME_PLACE, CONFLICT } relation;

typedef struct placement {
    const plan_buffers *all;
    int count;
    unsigned char *relation;     /* [count][count] */
    int64_t *size, *address;
    int *order, *near;           /* near: those placed already that may not lie just anywhere, by address */
} placement;

static relation relate_intervals(const plan_interval *a, const plan_interval *b, bool sequential)
{
    if (a->from > b->from) {
        const plan_interval *t = a;
        a = b;
        b = t;
    }
    if (b->from <= a->to) return CONFLICT;
    if (sequential) return a->to_in_place && b->from == a->to + 1 ? SAME_PLACE : APART;
    if (a->to / PLAN_MOMENTS != b->from / PLAN_MOMENTS) return APART;
    return a->to_panel && b->from_panel ? SAME_PLACE : CONFLICT;
}

static relation relate(const plan_memory_buffer *a, const plan_memory_buffer *b, bool sequential)
{
    relation worst = APART;
    for (int i = 0; i < a->intervals; i++)
        for (int j = 0; j < b->intervals; j++) {
            const relation r = relate_intervals(&a->interval[i], &b->interval[j], sequential);
            if (r > worst) worst = r;
        }
    return worst == SAME_PLACE && a->bytes != b->bytes ? CONFLICT : worst;
}

static relation related(const placement *p, int i, int j)
{
    return (relation)p->relation[(size_t)i * (size_t)p->count + (size_t)j];
}

/* May b lie at this address, beside those of `near`? */
static bool fits(const placement *p, int nears, int b, int64_t address)
{
    for (int i = 0; i < nears; i++) {
        const int q = p->near[i];
        if (address >= p->address[q] + p->size[q] || p->address[q] >= address + p->size[b]) continue;
        if (related(p, b, q) == CONFLICT || address != p->address[q]) return false;
    }
    return true;
}

/* The lowest address at which b is clear of `near`, or just where one of them is that b may follow in place. */
static int64_t lowest(const placement *p, int nears, int b)
{
    int64_t best = 0;
    for (int i = 0; i < nears; i++) {
        const int q = p->near[i];
        if (p->address[q] >= best + p->size[b]) break;
        if (p->address[q] + p->size[q] > best) best = p->address[q] + p->size[q];
    }
    for (int i = 0; i < nears; i++) {
        const int q = p->near[i];
        if (related(p, b, q) == SAME_PLACE && p->address[q] < best && fits(p, nears, b, p->address[q])) best = p->address[q];
    }
    return best;
}

/* Those of the first `placed` in order that b minds, by rising address. */
static int find_near(placement *p, int placed, int b)
{
    int nears = 0;
    for (int i = 0; i < placed; i++) {
        const int q = p->order[i];
        if (related(p, b, q) == APART) continue;
        int at = nears++;
        for (; at > 0 && p->address[p->near[at - 1]] > p->address[q]; at--) p->near[at] = p->near[at - 1];
        p->near[at] = q;
    }
    return nears;
}

/* Places all in p->order; returns the end of the highest, whose place in the order is *highest. */
static int64_t place_in_order(placement *p, int *highest)
{
    int64_t end = 0;
    *highest = 0;
    for (int i = 0; i < p->count; i++) {
        const int b = p->order[i];
        p->address[b] = lowest(p, find_near(p, i, b), b);
        if (p->address[b] + p->size[b] <= end) continue;
        end = p->address[b] + p->size[b];
        *highest = i;
    }
    return end;
}

static const plan_buffers *sorted;   /* qsort has no context */

static int by_size(const void *a, const void *b)
{
    const plan_memory_buffer *x = &sorted->item[*(const int *)a], *y = &sorted->item[*(const int *)b];
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    if (x->interval[0].from != y->interval[0].from) return x->interval[0].from < y->interval[0].from ? -1 : 1;
    return *(const int *)a - *(const int *)b;
}

static int by_start(const void *a, const void *b)
{
    const plan_memory_buffer *x = &sorted->item[*(const int *)a], *y = &sorted->item[*(const int *)b];
    if (x->interval[0].from != y->interval[0].from) return x->interval[0].from < y->interval[0].from ? -1 : 1;
    return by_size(a, b);
}

static int64_t span(const plan_memory_buffer *b)
{
    int64_t n = 0;
    for (int i = 0; i < b->intervals; i++) n += b->interval[i].to - b->interval[i].from + 1;
    return n;
}

static int by_span(const void *a, const void *b)
{
    const int64_t x = span(&sorted->item[*(const int *)a]), y = span(&sorted->item[*(const int *)b]);
    return x != y ? (x < y ? 1 : -1) : by_size(a, b);
}

/* The buffer that ends highest goes before all others in the next attempt. */
static void promote(placement *p, int at)
{
    const int b = p->order[at];
    for (int i = at; i > 0; i--) p->order[i] = p->order[i - 1];
    p->order[0] = b;
}

/* The heaviest set that grows from the buffers live at one moment, by adding what conflicts with all of it. */
static int64_t weight_at(placement *p, int64_t now)
{
    int members = 0;
    int64_t weight = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < p->count; i++) {
            const int b = p->order[i];
            const plan_memory_buffer *x = &p->all->item[b];
            bool joins = pass == 1;
            for (int j = 0; j < x->intervals && !joins; j++) joins = x->interval[j].from <= now && now <= x->interval[j].to;
            for (int j = 0; j < members && joins; j++) joins = p->near[j] != b && related(p, b, p->near[j]) == CONFLICT;
            if (!joins) continue;
            p->near[members++] = b;
            weight += p->size[b];
        }
    return weight;
}

static int64_t lower_bound(placement *p)
{
    int64_t most = 0;
    for (int i = 0; i < p->count; i++)
        for (int j = 0; j < p->all->item[i].intervals; j++) {
            const int64_t weight = weight_at(p, p->all->item[i].interval[j].from);
            if (weight > most) most = weight;
        }
    return most;
}

static void begin(placement *p, const plan_buffers *all)
{
    const size_t n = (size_t)all->count + 1;
    *p = (placement){ .all = all, .count = all->count };
    p->relation = arena_array(all->arena, n, n);
    p->size = arena_array(all->arena, n, sizeof *p->size);
    p->address = arena_array(all->arena, n, sizeof *p->address);
    p->order = arena_array(all->arena, n, sizeof *p->order);
    p->near = arena_array(all->arena, n, sizeof *p->near);
    for (int i = 0; i < p->count; i++) {
        p->size[i] = plan_round_up(all->item[i].bytes, PLAN_ALIGN);
        for (int j = 0; j < i; j++) {
            const unsigned char r = (unsigned char)relate(&all->item[i], &all->item[j], all->sequential);
            p->relation[(size_t)i * (size_t)p->count + (size_t)j] = p->relation[(size_t)j * (size_t)p->count + (size_t)i] = r;
        }
    }
}

static void sort(placement *p, int (*compare)(const void *, const void *))
{
    for (int i = 0; i < p->count; i++) p->order[i] = i;
    sorted = p->all;
    qsort(p->order, (size_t)p->count, sizeof *p->order, compare);
}

int64_t plan_allocate(plan_buffers *all, int64_t *bound)
{
    enum { ATTEMPTS = 200, MANY = 300 };
    int (*const compare[])(const void *, const void *) = { by_size, by_start, by_span };
    placement p;
    begin(&p, all);
    sort(&p, by_size);
    *bound = lower_bound(&p);
    int64_t best = INT64_MAX;
    const int attempts = p.count > MANY ? 1 : ATTEMPTS;
    for (int c = 0; c < 3 && best > *bound; c++) {
        sort(&p, compare[c]);
        for (int i = 0, highest; i < attempts && best > *bound; i++) {
            const int64_t end = place_in_order(&p, &highest);
            if (end < best) {
                best = end;
                for (int j = 0; j < p.count; j++) all->item[j].address = p.address[j];
            }
            promote(&p, highest);
        }
    }
    return p.count ? best : 0;
}
