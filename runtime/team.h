/* A team of threads that walk the same sequence of phases. Items of a phase are claimed from a counter, never dealt: shared cores are noisy.
 *
 *     static void work(void *context, worker *w)
 *     {
 *         for (int64_t item; team_claim(w, items, &item);) …
 *         team_barrier(w);                        the phase's results are visible to all
 *         …
 *     }
 *     team_run(&t, work, &context);               the caller is worker 0
 *
 * Requires: every worker passes the same barriers, and between two of them claims from one number of items only. One run at a time a team.
 * Needs POSIX threads and GNU C11 atomics; no global state. */
#ifndef VITCC_RUNTIME_TEAM_H
#define VITCC_RUNTIME_TEAM_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__linux__)
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

enum { TEAM_MAX = 256, TEAM_LINE = 64, TEAM_SPINS = 1500 };

typedef struct team team;

typedef struct worker {
    team *team;
    int id;                    /* 0 to threads - 1: which scratch is this worker's */
    bool alone;                /* claims from its own counter, and its barriers do nothing */
    uint32_t phase;            /* barriers passed in this run */
    int64_t next;              /* the next item, if alone */
} worker;

typedef void team_work(void *context, worker *w);

/* One thread's place, on cache lines of its own. */
typedef struct team_seat {
    _Alignas(TEAM_LINE) worker worker;
    pthread_t thread;
} team_seat;

/* A word that threads wait to see changed. */
typedef struct team_word {
    _Alignas(TEAM_LINE) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
} team_word;

struct team {
    int threads;
    int spins;                 /* pauses before a waiting thread sleeps */
    bool stopping;             /* read by others after `start` changed */
    team_work *work;
    void *context;
    team_word start;           /* changes when a run begins */
    team_word barrier;         /* changes when the last worker arrives */
    _Alignas(TEAM_LINE) _Atomic int32_t arrived;
    _Alignas(TEAM_LINE) _Atomic int64_t next;
#if !defined(__linux__)
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
    team_seat seat[TEAM_MAX];
};

#ifdef TEAM_DELAY
extern void team_delay(int worker, uint32_t phase);   /* the test's: called before and after each barrier */
#endif

static inline void team_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Sleeps while the word is `old`. Sequentially consistent on both sides: either the sleeper sees the change or the changer sees the sleeper. */
static inline void team_sleep(team *t, team_word *w, uint32_t old)
{
    atomic_fetch_add(&w->sleepers, 1);
#if defined(__linux__)
    (void)t;
    while (atomic_load(&w->value) == old) syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
#else
    pthread_mutex_lock(&t->mutex);
    while (atomic_load(&w->value) == old) pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
#endif
    atomic_fetch_sub(&w->sleepers, 1);
}

static inline void team_wait(team *t, team_word *w, uint32_t old)
{
    for (int i = 0; i < t->spins; i++) {
        if (atomic_load_explicit(&w->value, memory_order_acquire) != old) return;
        team_pause();
    }
    team_sleep(t, w, old);
}

static inline void team_change(team *t, team_word *w)
{
    atomic_fetch_add(&w->value, 1);
    if (atomic_load(&w->sleepers) == 0) return;
#if defined(__linux__)
    (void)t;
    syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
    pthread_mutex_lock(&t->mutex);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
#endif
}

/* Hands out the items 0 to items - 1 of this phase, each once; false: none is left. */
static inline bool team_claim(worker *w, int64_t items, int64_t *item)
{
    const int64_t mine = w->alone ? w->next++ : atomic_fetch_add_explicit(&w->team->next, 1, memory_order_relaxed);
    *item = mine;
    return mine < items;
}

/* Neighbouring rows of a phase, for one worker at a time. */
typedef struct panel { int64_t row, rows; } panel;

/* Claims the next panel of a phase of `rows` rows in `tiles` tiles that differ by one row at most. A panel is whole tiles: there are at least `least`
 * panels, and as many as share out evenly among the threads, the larger ones first. Requires: 1 <= least <= tiles <= rows. */
static inline bool team_claim_rows(worker *w, int64_t rows, int64_t tiles, int64_t least, panel *p)
{
    const int64_t threads = w->alone ? 1 : w->team->threads, even = (least + threads - 1) / threads * threads, panels = even < tiles ? even : tiles;
    int64_t i;
    if (!team_claim(w, panels, &i)) return false;
    const int64_t each = tiles / panels, larger = tiles % panels, first = each * i + (i < larger ? i : larger);
    p->row = rows * first / tiles;
    p->rows = rows * (first + each + (i < larger)) / tiles - p->row;
    return true;
}

/* Returns when all workers are here. What any of them wrote before is then seen by all; claiming starts again from 0. */
static inline void team_barrier(worker *w)
{
    if (w->alone) {
        w->next = 0;
        return;
    }
    team *t = w->team;
#ifdef TEAM_DELAY
    team_delay(w->id, w->phase);
#endif
    /* No one can pass this barrier before this worker arrives, so the word still has its old value. */
    const uint32_t old = atomic_load_explicit(&t->barrier.value, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&t->arrived, 1, memory_order_acq_rel) + 1 == t->threads) {
        /* All others wait and claim nothing: the counters can be reset without a race. */
        atomic_store_explicit(&t->next, 0, memory_order_relaxed);
        atomic_store_explicit(&t->arrived, 0, memory_order_relaxed);
        team_change(t, &t->barrier);
    } else {
        team_wait(t, &t->barrier, old);
    }
    w->phase++;
#ifdef TEAM_DELAY
    team_delay(w->id, w->phase);
#endif
}

/* Makes `alone`, a worker that does a whole image by itself within one item of w: it claims all items and waits for no one. */
static inline void team_alone(worker *alone, const worker *w)
{
    *alone = (worker){.team = w->team, .id = w->id, .alone = true};
}

static inline void *team_thread(void *seat)
{
    worker *w = &((team_seat *)seat)->worker;
    team *t = w->team;
    for (uint32_t seen = 0;; seen++) {
        team_wait(t, &t->start, seen);
        if (t->stopping) return NULL;
        w->phase = 0;
        t->work(t->context, w);
        team_barrier(w);
    }
}

/* Ends the threads. Requires: no run is under way. A team that did not start, or was zeroed, may be stopped. */
static inline void team_stop(team *t)
{
    if (t->threads > 1) {
        t->stopping = true;
        team_change(t, &t->start);
        for (int i = 1; i < t->threads; i++) pthread_join(t->seat[i].thread, NULL);
#if !defined(__linux__)
        pthread_cond_destroy(&t->changed);
        pthread_mutex_destroy(&t->mutex);
#endif
    }
    t->threads = 0;
}

/* Starts threads - 1 threads; 1: none, and no system call later. False: threads is not in 1 to TEAM_MAX, or the system gives no more threads
 * (those made are ended again). The team must not be moved afterwards. */
static inline bool team_start(team *t, int threads)
{
    t->threads = 0;
    if (threads < 1 || threads > TEAM_MAX) return false;
    /* With more threads than cores, spinning keeps the awaited one from running. */
    t->spins = threads > sysconf(_SC_NPROCESSORS_ONLN) ? 0 : TEAM_SPINS;
    t->stopping = false;
    atomic_init(&t->start.value, 0);
    atomic_init(&t->start.sleepers, 0);
    atomic_init(&t->barrier.value, 0);
    atomic_init(&t->barrier.sleepers, 0);
    atomic_init(&t->arrived, 0);
    atomic_init(&t->next, 0);
    for (int i = 0; i < threads; i++) t->seat[i].worker = (worker){.team = t, .id = i, .alone = threads == 1};
    if (threads > 1) {
        /* Signals are the host's: its own threads handle them. */
        sigset_t all, before;
        sigfillset(&all);
        if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
#if !defined(__linux__)
        pthread_mutex_init(&t->mutex, NULL);
        pthread_cond_init(&t->changed, NULL);
#endif
        int made = 1;
        while (made < threads && pthread_create(&t->seat[made].thread, NULL, team_thread, &t->seat[made]) == 0) made++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        t->threads = made;
        if (made < threads) {
            team_stop(t);
            return false;
        }
    }
    t->threads = threads;
    return true;
}

/* Runs `work` once in every thread of the team and returns when all have finished. */
static inline void team_run(team *t, team_work *work, void *context)
{
    worker *w = &t->seat[0].worker;
    w->phase = 0;
    w->next = 0;
    t->work = work;
    t->context = context;
    if (t->threads > 1) team_change(t, &t->start);
    work(context, w);
    team_barrier(w);
}

#endif
