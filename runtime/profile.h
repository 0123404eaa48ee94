/* What --profile counts: for each kernel the time that threads spent in it. */
#ifndef VITCC_RUNTIME_PROFILE_H
#define VITCC_RUNTIME_PROFILE_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

typedef struct profile_row {
    const char *name;
    int steps;                      /* of the model, for which this kernel runs */
    double flop, bytes;             /* of one image, all steps together; a multiply-add is 2 */
    _Atomic int64_t nanoseconds;    /* of all threads */
} profile_row;

static inline int64_t profile_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void profile_add(profile_row *row, int64_t start)
{
    atomic_fetch_add_explicit(&row->nanoseconds, profile_now() - start, memory_order_relaxed);
}

#endif
