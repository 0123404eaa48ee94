/* The team of threads: every item once, phases in order, any number of threads and items, delayed threads, whole images done alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__linux__)
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#endif

#include <cmocka.h>

/* Sanitizers make system calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#ifdef TEAM_DELAY
static _Atomic int delayed_worker = -1;        /* atomic: threads look once more after a run's last barrier */
static _Atomic uint32_t delayed_phase;

void team_delay(int worker, uint32_t phase)
{
    if (worker != delayed_worker || phase != delayed_phase) return;
    const struct timespec pause = {.tv_nsec = 3000000};
    nanosleep(&pause, NULL);
}
#endif

#include "runtime/team.h"

enum { ITEMS_MAX = 64 };

/* Each phase adds 1 to every item, and each item's new value depends on its neighbour's value of the phase before. */
typedef struct chain {
    int phases;
    int64_t items;
    uint64_t value[2][ITEMS_MAX];
    _Atomic int claims;
} chain;

static void chain_work(void *context, worker *w)
{
    chain *c = context;
    for (int phase = 0; phase < c->phases; phase++) {
        const uint64_t *from = c->value[phase % 2];
        uint64_t *to = c->value[(phase + 1) % 2];
        for (int64_t i; team_claim(w, c->items, &i);) {
            to[i] = from[i] * 3 + from[(i + 1) % c->items] + 1;
            atomic_fetch_add_explicit(&c->claims, 1, memory_order_relaxed);
        }
        team_barrier(w);
    }
}

static void chain_expect(int phases, int64_t items, uint64_t *value)
{
    uint64_t before[ITEMS_MAX];
    for (int64_t i = 0; i < items; i++) value[i] = (uint64_t)i;
    for (int phase = 0; phase < phases; phase++) {
        memcpy(before, value, sizeof before);
        for (int64_t i = 0; i < items; i++) value[i] = before[i] * 3 + before[(i + 1) % items] + 1;
    }
}

static void check_chain(team *t, int phases, int64_t items)
{
    chain c = {.phases = phases, .items = items};
    for (int64_t i = 0; i < items; i++) c.value[0][i] = (uint64_t)i;
    team_run(t, chain_work, &c);
    uint64_t expected[ITEMS_MAX] = {0};
    chain_expect(phases, items, expected);
    assert_memory_equal(c.value[phases % 2], expected, (size_t)items * sizeof *expected);
    assert_int_equal(atomic_load(&c.claims), phases * items);
}

static team *new_team(int threads)
{
    team *t = aligned_alloc(TEAM_LINE, sizeof *t);
    assert_non_null(t);
    assert_true(team_start(t, threads));
    assert_int_equal(t->threads, threads);
    return t;
}

static void free_team(team *t)
{
    team_stop(t);
    free(t);
}

static void phases_see_each_other(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        team *t = new_team(threads);
        check_chain(t, 3000 / threads, 1);
        check_chain(t, 3000 / threads, 3);
        check_chain(t, 2000 / threads, 50);
        free_team(t);
    }
}

static void many_short_runs(void **state)
{
    (void)state;
    team *t = new_team(4);
    for (int run = 0; run < 1500; run++) check_chain(t, run % 4, 1 + run % 5);
    free_team(t);
}

static void idle_threads_sleep_and_wake(void **state)
{
    (void)state;
    team *t = new_team(3);
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int run = 0; run < 20; run++) {
        nanosleep(&pause, NULL);
        check_chain(t, 5, 7);
    }
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    const struct timespec long_pause = {.tv_nsec = 100000000};
    nanosleep(&long_pause, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    const int64_t spent = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    assert_true(spent < 50000000);
    free_team(t);
}

/* One whole image an item, done alone, then a phase together. */
typedef struct batch {
    int64_t images, panels;
    int sum[ITEMS_MAX];
    bool alone_was_right;
} batch;

static void batch_work(void *context, worker *w)
{
    batch *b = context;
    for (int64_t image; team_claim(w, b->images, &image);) {
        worker alone;
        team_alone(&alone, w);
        if (!alone.alone || alone.id != w->id || alone.team != w->team) b->alone_was_right = false;
        for (int phase = 0; phase < 10; phase++) {
            for (int64_t panel; team_claim(&alone, b->panels, &panel);) b->sum[image] += (int)panel + phase;
            team_barrier(&alone);
        }
    }
    team_barrier(w);
    for (int64_t image; team_claim(w, b->images, &image);) b->sum[image] *= 2;
}

static void images_done_alone(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        team *t = new_team(threads);
        batch b = {.images = 11, .panels = 6, .alone_was_right = true};
        team_run(t, batch_work, &b);
        assert_true(b.alone_was_right);
        for (int i = 0; i < 11; i++) assert_int_equal(b.sum[i], 2 * (10 * 15 + 6 * 45));
        free_team(t);
    }
}

static void ids_work(void *context, worker *w)
{
    _Atomic int *seen = context;
    atomic_fetch_add(&seen[w->id], 1);
}

static void every_worker_runs_once(void **state)
{
    (void)state;
    team *t = new_team(8);
    _Atomic int seen[8] = {0};
    team_run(t, ids_work, seen);
    for (int i = 0; i < 8; i++) assert_int_equal(atomic_load(&seen[i]), 1);
    free_team(t);
}

static void one_thread_makes_no_system_call(void **state)
{
    (void)state;
#if defined(__linux__) && !defined(SANITIZED)
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        team *t = new_team(1);
        chain c = {.phases = 100, .items = 5};
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);   /* read, write and exit only: all else kills */
        team_run(t, chain_work, &c);
        syscall(SYS_exit, atomic_load(&c.claims) == 500 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#else
    skip();
#endif
}

/* Panels of tiles: every row once, in whole tiles, never fewer panels than asked, and as many for every thread where that can be. Threads that claim
 * at one pace end at most a tile apart, and a row for each panel of theirs. */
static void panels_share_out_rows(void **state)
{
    (void)state;
    static const int64_t cases[][3] = { { 1, 1, 1 }, { 197, 6, 1 }, { 197, 6, 2 }, { 577, 18, 3 }, { 1370, 42, 7 }, { 50176, 1520, 251 }, { 7, 7, 7 } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int threads = 1; threads < 12; threads++) {
            const int64_t rows = cases[c][0], tiles = cases[c][1], least = cases[c][2];
            team t = { .threads = threads };
            worker w = { .team = &t, .alone = threads == 1 };
            int64_t next = 0, panels = 0, done[12] = { 0 };
            for (panel p; team_claim_rows(&w, rows, tiles, least, &p); panels++) {
                assert_int_equal(p.row, next);
                assert_true(p.rows > 0);
                next += p.rows;
                int first = 0;       /* the thread that is done first claims it */
                for (int i = 1; i < threads; i++) first = done[i] < done[first] ? i : first;
                done[first] += p.rows;
                bool edge = false;   /* ends where a tile ends */
                for (int64_t i = 1; i <= tiles; i++) edge |= next == rows * i / tiles;
                assert_true(edge);
            }
            assert_int_equal(next, rows);
            assert_true(panels >= least && panels <= tiles && (panels == tiles || panels % threads == 0));
            assert_true(panels == tiles || panels < least + threads);
            for (int i = 0; i < threads; i++)
                for (int j = 0; j < i; j++) assert_true(llabs(done[i] - done[j]) <= rows / tiles + 1 + panels / threads);
        }
}

static void wrong_thread_counts_are_refused(void **state)
{
    (void)state;
    team *t = aligned_alloc(TEAM_LINE, sizeof *t);
    assert_non_null(t);
    assert_false(team_start(t, 0));
    assert_false(team_start(t, -3));
    assert_false(team_start(t, TEAM_MAX + 1));
    assert_int_equal(t->threads, 0);
    team_stop(t);
    free(t);
}

static void delays_change_nothing(void **state)
{
    (void)state;
#ifdef TEAM_DELAY
    team *t = new_team(3);
    for (delayed_worker = 0; delayed_worker < 3; delayed_worker++)
        for (delayed_phase = 0; delayed_phase < 6; delayed_phase++) check_chain(t, 6, 4);
    delayed_worker = -1;
    free_team(t);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_see_each_other),
        cmocka_unit_test(many_short_runs),
        cmocka_unit_test(idle_threads_sleep_and_wake),
        cmocka_unit_test(images_done_alone),
        cmocka_unit_test(every_worker_runs_once),
        cmocka_unit_test(one_thread_makes_no_system_call),
        cmocka_unit_test(panels_share_out_rows),
        cmocka_unit_test(wrong_thread_counts_are_refused),
        cmocka_unit_test(delays_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
