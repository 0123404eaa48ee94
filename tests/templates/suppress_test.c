/* Boxes taken greedily: overlaps at the limit, NaN scores, boxes without an area, fewer left than asked for. */
#include "level_test.h"

#include "suppress.h"

enum { COUNT = 5, MOST = 4 };

/* 0 and 1 share two thirds of their union, 2 lies apart, 3 has no area, 4 is 0 again. */
static const float boxes[COUNT][SUPPRESS_COLUMNS] = {
    { 0, 0, 5, 1, 5 }, { 1, 0, 6, 1, 5 }, { 9, 9, 10, 10, 1 }, { 0, 0, 0, 1, 0 }, { 0, 0, 5, 1, 5 },
};

static void check(const float *scores, const int64_t *order, float limit, const int64_t *want)
{
    int64_t y[MOST];
    suppress_boxes(boxes, scores, order, y, 1, 1, COUNT, MOST, limit);
    assert_memory_equal(y, want, sizeof y);
}

static void test_limits(void **state)
{
    (void)state;
    const float scores[COUNT] = { 5, 4, 3, 2, 1 };
    const int64_t order[COUNT] = { 0, 1, 2, 3, 4 };
    check(scores, order, 0.5f, (const int64_t[]){ 0, 2, 3, 5 });
    check(scores, order, 0.67f, (const int64_t[]){ 0, 1, 2, 3 });
    check(scores, order, 2.0f / 3, (const int64_t[]){ 0, 1, 2, 3 });      /* not more than the limit */
    check(scores, (const int64_t[]){ 4, 3, 2, 1, 0 }, 0.9f, (const int64_t[]){ 4, 3, 2, 1 });
    check(scores, (const int64_t[]){ 4, 0, 1, 9, -1 }, 0.9f, (const int64_t[]){ 4, 1, 5, 5 });
}

static void test_scores(void **state)
{
    (void)state;
    const float scores[COUNT] = { NAN, 4, NAN, -INFINITY, 1 };
    check(scores, (const int64_t[]){ 0, 2, 1, 4, 3 }, 0.5f, (const int64_t[]){ 1, 3, 5, 5 });
}

static void test_classes(void **state)
{
    (void)state;
    const float scores[2][2][2] = { { { 1, 2 }, { 2, 1 } }, { { NAN, 1 }, { NAN, NAN } } }, two[2][2][SUPPRESS_COLUMNS] = {
        { { 0, 0, 1, 1, 1 }, { 0, 0, 1, 1, 1 } }, { { 0, 0, 1, 1, 1 }, { 5, 5, 6, 6, 1 } } };
    const int64_t order[2][2][2] = { { { 1, 0 }, { 0, 1 } }, { { 0, 1 }, { 0, 1 } } };
    const int64_t want[2][2][2] = { { { 1, 2 }, { 0, 2 } }, { { 1, 2 }, { 2, 2 } } };
    int64_t y[2][2][2];
    suppress_boxes(two, scores, order, &y[0][0][0], 2, 2, 2, 2, 0.5f);
    assert_memory_equal(y, want, sizeof y);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_limits), cmocka_unit_test(test_scores), cmocka_unit_test(test_classes) };
    return RUN_AT_LEVEL(tests);
}
