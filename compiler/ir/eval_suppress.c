/* Greedy choice of boxes, class by class. */
#include <stdlib.h>

#include "eval_private.h"

enum { Y0, X0, Y1, X1, AREA, COLUMNS };

typedef struct boxes {
    const double *column;      /* [boxes, COLUMNS] of one image */
    bool single;               /* every result is rounded to single precision */
    double limit;
} boxes;

static double rounded(const boxes *b, double x)
{
    return b->single ? (double)(float)x : x;
}

static double shared(const boxes *b, const double *x, const double *y, int low, int high)
{
    const double top = x[high] != x[high] || x[high] < y[high] ? x[high] : y[high], bottom = x[low] != x[low] || x[low] > y[low] ? x[low] : y[low];
    return rounded(b, top - bottom);
}

static bool overlaps(const boxes *b, int64_t box, int64_t taken)
{
    const double *x = b->column + box * COLUMNS, *y = b->column + taken * COLUMNS;
    const double high = shared(b, x, y, Y0, Y1), wide = shared(b, x, y, X0, X1), both = rounded(b, high * wide);
    const double all = rounded(b, rounded(b, x[AREA] + y[AREA]) - both);
    if (!(high > 0 && wide > 0 && x[AREA] > 0 && y[AREA] > 0 && all > 0)) return false;
    return rounded(b, both / all) > b->limit;
}

/* The boxes that one class takes: place [most], `count` where none is left. */
static void take(const boxes *b, const double *score, const int64_t *order, int64_t count, int64_t *place, int64_t most)
{
    int64_t taken = 0;
    for (int64_t i = 0; i < count && taken < most; i++) {
        int64_t before = 0;
        if (order[i] < 0 || order[i] >= count || score[order[i]] != score[order[i]]) continue;
        while (before < taken && !overlaps(b, order[i], place[before])) before++;
        if (before == taken) place[taken++] = order[i];
    }
    while (taken < most) place[taken++] = count;
}

status eval_suppress(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const int64_t images = in[1]->shape[0], classes = in[1]->shape[1], count = in[1]->shape[2], most = ir_int(n, KEY_COUNT, 0);
    if (in[0]->elements != images * count * COLUMNS || in[2]->elements != in[1]->elements || out->elements != images * classes * most) {
        return eval_fail(c, n, 0, STATUS_SHAPE, "it is of another shape");
    }
    double *number = eval_allocate(count * (COLUMNS + 1) + 1, sizeof *number);
    int64_t *place = eval_allocate(count + most + 1, sizeof *place);
    const boxes b = { number, c->mode == EVAL_TYPED, (double)(float)ir_number(n, KEY_LIMIT, 0) };
    for (int64_t i = 0; number && place && i < images; i++) {
        eval_load_floats(in[0]->stored, in[0]->data, i * count * COLUMNS, 1, count * COLUMNS, number);
        for (int64_t k = i * classes; k < (i + 1) * classes; k++) {
            eval_load_floats(in[1]->stored, in[1]->data, k * count, 1, count, number + count * COLUMNS);
            eval_load_integers(in[2]->stored, in[2]->data, k * count, 1, count, place);
            take(&b, number + count * COLUMNS, place, count, place + count, most);
            eval_store_integers(out->stored, out->owned, k * most, most, place + count);
        }
    }
    const bool done = number && place;
    free(number);
    free(place);
    return done ? STATUS_OK : eval_out_of_memory(c, n);
}
