/* Delays each thread before and behind each barrier in turn, and demands the bits of one thread; and calls a session while it runs. Built with TEAM_DELAY. Prints "fine". */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "host.h"

enum { NONE = -1, PAUSE = 2000000 /* ns: many times a phase of these models */ };

static _Atomic int delayed_worker = NONE, delayed_phase, last_phase;
static model_session *_Atomic disturbed;   /* called from another thread while it runs */
static _Atomic int refusals;
static host_buffers other;

static void *disturb(void *session)
{
    if (host_run(session, &other) == MODEL_BUSY) atomic_fetch_add(&refusals, 1);
    return NULL;
}

void team_delay(int worker, uint32_t phase);
void team_delay(int worker, uint32_t phase)
{
    if (worker == 0 && (int)phase > last_phase) last_phase = (int)phase;
    model_session *s = worker == 0 && phase == 1 ? atomic_exchange(&disturbed, NULL) : NULL;
    if (s) {
        pthread_t thread;
        REQUIRE(!pthread_create(&thread, NULL, disturb, s) && !pthread_join(thread, NULL));
    }
    if (worker != delayed_worker || (int)phase != delayed_phase) return;
    const struct timespec pause = { .tv_nsec = PAUSE };
    nanosleep(&pause, NULL);
}

static int delay_all(const model_model *m, int threads, int64_t batch)
{
    host_buffers want = host_expect(m, batch, 7), got = host_make(batch, 7);
    const model_options o = { .threads = threads, .max_batch = batch };
    model_session *s;
    REQUIRE(model_start(&s, m, &o) == MODEL_OK);
    last_phase = 0;
    REQUIRE(host_run(s, &got) == MODEL_OK && host_same(&got, &want));
    const int phases = last_phase;
    for (int worker = 0; worker < threads; worker++)
        for (int phase = 0; phase <= phases; phase++) {
            delayed_phase = phase;
            delayed_worker = worker;
            host_clear(&got);
            REQUIRE(host_run(s, &got) == MODEL_OK);
            if (!host_same(&got, &want)) fprintf(stderr, "%d threads, batch %d, thread %d late at barrier %d: other bits\n", threads, (int)batch, worker, phase), exit(1);
            delayed_worker = NONE;
        }
    model_stop(s);
    host_free(&want);
    host_free(&got);
    return phases;
}

static void disturb_runs(const model_model *m, int64_t batch)
{
    host_buffers want = host_expect(m, batch, 3), got = host_make(batch, 3);
    other = host_make(batch, 4);
    for (int i = 0; i < HOST_OUTPUTS; i++) memset(other.out[i], 0x11, other.out_bytes[i]);
    model_session *s;
    REQUIRE(model_start(&s, m, &(model_options){ .threads = 2, .max_batch = batch }) == MODEL_OK);
    for (int i = 0; i < 20; i++) {
        host_clear(&got);
        disturbed = s;
        REQUIRE(host_run(s, &got) == MODEL_OK && host_same(&got, &want));
        REQUIRE(refusals == i + 1);
    }
    for (int i = 0; i < HOST_OUTPUTS; i++)
        for (size_t j = 0; j < other.out_bytes[i]; j++) REQUIRE(((unsigned char *)other.out[i])[j] == 0x11);   /* refused: untouched */
    REQUIRE(host_run(s, &other) == MODEL_OK);   /* free again */
    model_stop(s);
    host_free(&want);
    host_free(&got);
    host_free(&other);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    model_model *m = host_open(argv[1]);
    const int64_t fixed = host_fixed_batch();
    for (int threads = 2; threads <= 3; threads++)
        for (int64_t batch = fixed ? fixed : 1; batch <= (fixed ? fixed : 3); batch += 2) {
            const int barriers = delay_all(m, threads, batch), together = batch % threads || fixed;
            REQUIRE(barriers >= (together ? 4 : 1));   /* whole images are done alone */
        }
    disturb_runs(m, fixed ? fixed : 1);
    model_close(m);
    puts("fine");
    return 0;
}
