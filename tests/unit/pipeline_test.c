/* Pipelines: every item is made once and taken in order, whatever the threads do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pipeline.h"

enum { ITEMS = 500 };

typedef struct run {
    int made[ITEMS], slot[PIPELINE_SLOTS], taken, last;   /* made: how often; slot: the item in it */
    bool in_order, slots_kept;
} run;

/* Items take unequal times: the first of ten is the slowest. */
static void make(void *context, int item, int slot)
{
    run *r = context;
    if (item % 10 == 0) usleep(2000);
    r->made[item]++;
    r->slot[slot] = item;
}

static bool take(void *context, int item, int slot)
{
    run *r = context;
    r->in_order &= item == r->taken;
    r->slots_kept &= slot >= 0 && slot < PIPELINE_SLOTS && r->slot[slot] == item;
    if (item % 7 == 0) usleep(1000);
    r->taken++;
    return item != r->last;
}

static void items_are_taken_in_order(void **unused)
{
    (void)unused;
    static const int counts[] = {0, 1, 2, 3, PIPELINE_SLOTS, ITEMS};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        run r = {.in_order = true, .slots_kept = true, .last = -1};
        assert_true(pipeline_run(counts[k], make, take, &r));
        assert_int_equal(r.taken, counts[k]);
        assert_true(r.in_order && r.slots_kept);
        for (int i = 0; i < ITEMS; i++) assert_int_equal(r.made[i], i < counts[k]);
    }
}

/* What is made beyond the last is what the slots hold, and no more. */
static void taking_ends_it(void **unused)
{
    (void)unused;
    for (int last = 0; last < 40; last += 13) {
        run r = {.in_order = true, .slots_kept = true, .last = last};
        assert_false(pipeline_run(ITEMS, make, take, &r));
        assert_int_equal(r.taken, last + 1);
        assert_true(r.in_order && r.slots_kept);
        for (int i = 0; i < ITEMS; i++) assert_true(i <= last ? r.made[i] == 1 : r.made[i] <= (i < last + PIPELINE_SLOTS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_taken_in_order), cmocka_unit_test(taking_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
