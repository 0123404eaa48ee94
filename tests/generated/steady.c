/* Runs the digits model again and again, for what may be counted of its steady state: page faults here, instructions from outside.
 *   steady WEIGHTS THREADS BATCH RUNS   prints the least number of page faults that RUNS runs in a row caused, over three rows */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "digits.h"

enum { BATCH_MAX = 64, PIXELS = 3 * 32 * 32, LABELS = 10, ROWS = 3 };

static float pixels[BATCH_MAX * PIXELS], logits[BATCH_MAX * LABELS];

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

static int run(digits_session *session, int64_t batch, long runs)
{
    for (long i = 0; i < runs; i++)
        if (digits_run(session, batch, &(digits_inputs){ pixels }, &(digits_outputs){ logits }) != DIGITS_OK) return 0;
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    const long threads = strtol(argv[2], NULL, 10), batch = strtol(argv[3], NULL, 10), runs = strtol(argv[4], NULL, 10);
    if (batch < 1 || batch > BATCH_MAX) return 2;
    for (int i = 0; i < BATCH_MAX * PIXELS; i++) pixels[i] = (float)(i * 37 % 101) / 50 - 1;
    digits_model *model;
    digits_session *session;
    if (digits_open(&model, argv[1]) != DIGITS_OK) return 1;
    if (digits_start(&session, model, &(digits_options){ .threads = (int)threads, .max_batch = batch }) != DIGITS_OK) return 1;
    long least = -1;
    if (!run(session, batch, 2)) return 1;
    for (int row = 0; row < ROWS; row++) {
        const long before = page_faults();
        if (!run(session, batch, runs)) return 1;
        const long faults = page_faults() - before;
        if (least < 0 || faults < least) least = faults;
    }
    printf("%ld\n", least);
    digits_stop(session);
    digits_close(model);
    return 0;
}
