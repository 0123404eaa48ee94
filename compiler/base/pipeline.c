/* Items made on all cores and taken one after another; see pipeline.h. */
#define _GNU_SOURCE   /* sched_getaffinity */
#include "pipeline.h"

#include <pthread.h>
#include <sched.h>

typedef struct pipeline {
    pthread_mutex_t lock;
    pthread_cond_t moved;            /* an item is made, or taken, or no more are wanted */
    int items, claimed, taken;       /* items below `claimed` are made or being made, those below `taken` are done */
    int slots;
    bool made[PIPELINE_SLOTS];
    pipeline_make *make;
    void *context;
} pipeline;

/* Makes item p->claimed; the lock is held before and after. */
static void make_next(pipeline *p)
{
    const int item = p->claimed++;
    pthread_mutex_unlock(&p->lock);
    p->make(p->context, item, item % p->slots);
    pthread_mutex_lock(&p->lock);
    p->made[item % p->slots] = true;
    pthread_cond_broadcast(&p->moved);
}

static void *work(void *argument)
{
    pipeline *p = argument;
    pthread_mutex_lock(&p->lock);
    while (p->claimed < p->items) {
        if (p->claimed < p->taken + p->slots) make_next(p);
        else pthread_cond_wait(&p->moved, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Makes item p->taken, or waits until it is made, and takes it. */
static bool take_next(pipeline *p, pipeline_take *take)
{
    const int item = p->taken, slot = item % p->slots;
    pthread_mutex_lock(&p->lock);
    if (p->claimed == item) make_next(p);
    while (!p->made[slot]) pthread_cond_wait(&p->moved, &p->lock);
    pthread_mutex_unlock(&p->lock);
    const bool more = take(p->context, item, slot);
    pthread_mutex_lock(&p->lock);
    p->made[slot] = false;
    p->taken++;
    if (!more) p->items = p->taken;
    pthread_cond_broadcast(&p->moved);
    pthread_mutex_unlock(&p->lock);
    return more;
}

/* As many as the process has cores, but no more than there are items beside the first. */
static int threads_for(int items)
{
    cpu_set_t set;
    int threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    if (threads > PIPELINE_SLOTS - 2) threads = PIPELINE_SLOTS - 2;
    return threads < items ? threads : items > 0 ? items - 1 : 0;
}

bool pipeline_run(int items, pipeline_make *make, pipeline_take *take, void *context)
{
    pthread_t thread[PIPELINE_SLOTS];
    const int wanted = threads_for(items);
    pipeline p = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .items = items, .slots = wanted + 2, .make = make,
        .context = context };
    int threads = 0;
    bool more = true;
    while (threads < wanted && pthread_create(&thread[threads], NULL, work, &p) == 0) threads++;
    while (more && p.taken < items) more = take_next(&p, take);
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    return more;
}
