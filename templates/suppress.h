/* Greedy choice of boxes, class by class: the boxes in the order given, each unless it overlaps one that was taken before by more than the limit.
 * Shapes: boxes [images][count][5]: lower and upper ends (y0, x0, y1, x1) and area; scores, order [images][classes][count];
 *         y [images][classes][most].
 * Requires: order holds places 0..count-1; y overlaps nothing that is read.
 * Numerics: each operation is rounded to float, as of ONNX Runtime. A box whose score is NaN is not taken; one without an area overlaps nothing.
 * Errors: where fewer boxes are left than `most`, the places behind them are `count`. A place outside is passed over. */
#ifndef VITCC_TEMPLATES_SUPPRESS_H
#define VITCC_TEMPLATES_SUPPRESS_H

#include "level.h"
#include "scalar.h"

enum { SUPPRESS_Y0, SUPPRESS_X0, SUPPRESS_Y1, SUPPRESS_X1, SUPPRESS_AREA, SUPPRESS_COLUMNS };

/* How far two spans reach into each other; in double, rounded: a product is not fused with what follows. */
TEMPLATE double suppress_shared(const float *a, const float *b, int low, int high)
{
    const double top = sf_min((double)a[high], (double)b[high]), bottom = sf_max((double)a[low], (double)b[low]);
    return (double)(float)(top - bottom);
}

TEMPLATE bool suppress_overlaps(const float *box, const float *taken, float limit)
{
    const double high = suppress_shared(box, taken, SUPPRESS_Y0, SUPPRESS_Y1), wide = suppress_shared(box, taken, SUPPRESS_X0, SUPPRESS_X1);
    const double own = (double)box[SUPPRESS_AREA], other = (double)taken[SUPPRESS_AREA], both = (double)(float)(high * wide);
    const double all = (double)(float)((double)(float)(own + other) - both);
    if (!(high > 0 && wide > 0 && own > 0 && other > 0 && all > 0)) return false;
    return (float)(both / all) > limit;
}

TEMPLATE void suppress_boxes(const void *boxes, const void *scores, const void *order, int64_t *y, size_t images, size_t classes, size_t count,
                             size_t most, float limit)
{
    const float *table = boxes, *score = scores;
    const int64_t *place = order;
    for (size_t i = 0; i < images; i++, table += count * SUPPRESS_COLUMNS) {
        for (size_t c = 0; c < classes; c++, score += count, place += count, y += most) {
            size_t taken = 0;
            for (size_t b = 0; b < count && taken < most; b++) {
                const size_t at = (size_t)place[b];
                if (at >= count || score[at] != score[at]) continue;
                const float *const box = table + at * SUPPRESS_COLUMNS;
                size_t before = 0;
                while (before < taken && !suppress_overlaps(box, table + (size_t)y[before] * SUPPRESS_COLUMNS, limit)) before++;
                if (before == taken) y[taken++] = place[b];
            }
            while (taken < most) y[taken++] = (int64_t)count;
        }
    }
}

#endif
