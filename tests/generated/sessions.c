/* Sessions: memory of the caller's, filled with NaN before each run; many of them on one model at once. Prints "fine". */
#include <pthread.h>

#include "host.h"

enum { SESSIONS = 6, RUNS = 15, SEEDS = 3 };

static model_model *model;
static int64_t largest;                    /* batch */
static host_buffers expected[4][SEEDS];    /* [batch][seed] */

static void poisoned(int threads, int64_t batch)
{
    model_options o = { .threads = threads, .max_batch = batch };
    const size_t bytes = (model_memory(&o) + 63) / 64 * 64;
    o.memory = aligned_alloc(64, bytes);
    REQUIRE(o.memory);
    model_session *s;
    REQUIRE(model_start(&s, model, &o) == MODEL_OK);
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        host_buffers b = host_make(batch, seed);
        host_clear(&b);
        memset(o.memory, 0xff, bytes);     /* every float a NaN */
        REQUIRE(host_run(s, &b) == MODEL_OK && host_same(&b, &expected[batch][seed]));
        host_free(&b);
    }
    model_stop(s);
    free(o.memory);
}

/* Runs all seeds in turn, beginning with another one in every session. */
static void *share(void *number)
{
    const int me = *(const int *)number;
    const int64_t batch = largest;
    model_session *s;
    REQUIRE(model_start(&s, model, &(model_options){ .threads = 1 + me % 3, .max_batch = batch }) == MODEL_OK);
    for (int i = 0; i < RUNS; i++) {
        const uint32_t seed = (uint32_t)(me + i) % SEEDS;
        host_buffers b = host_make(batch, seed);
        REQUIRE(host_run(s, &b) == MODEL_OK && host_same(&b, &expected[batch][seed]));
        host_free(&b);
    }
    model_stop(s);
    return NULL;
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    model = host_open(argv[1]);
    const int64_t fixed = host_fixed_batch();
    REQUIRE(fixed <= 3);
    largest = fixed ? fixed : 3;
    for (int64_t batch = fixed ? fixed : 1; batch <= largest; batch++)
        for (uint32_t seed = 0; seed < SEEDS; seed++) expected[batch][seed] = host_expect(model, batch, seed);
    REQUIRE(!host_same(&expected[largest][0], &expected[largest][1]));
    for (int threads = 1; threads <= 3; threads++)
        for (int64_t batch = fixed ? fixed : 1; batch <= largest; batch++) poisoned(threads, batch);
    pthread_t thread[SESSIONS];
    int number[SESSIONS];
    for (int i = 0; i < SESSIONS; i++) {
        number[i] = i;
        REQUIRE(!pthread_create(&thread[i], NULL, share, &number[i]));
    }
    for (int i = 0; i < SESSIONS; i++) pthread_join(thread[i], NULL);
    for (int64_t batch = fixed ? fixed : 1; batch <= largest; batch++)
        for (int seed = 0; seed < SEEDS; seed++) host_free(&expected[batch][seed]);
    model_close(model);
    puts("fine");
    return 0;
}
