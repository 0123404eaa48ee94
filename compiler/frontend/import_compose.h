/* Short forms of the graph's operators, for operators that are composed of them. A NULL operand stands for an error that was reported; so does a NULL
 * result. */
#ifndef VITCC_FRONTEND_IMPORT_COMPOSE_H
#define VITCC_FRONTEND_IMPORT_COMPOSE_H

#include "import.h"

ir_value *compose_gather(importer *im, const import_node *n, ir_value *x, ir_value *indices, int axis);
/* first + i * step for all i, of at least one. */
bool compose_runs_evenly(const int64_t *list, int64_t count);
/* By constant places, counted from 0 and in range: a move where they run evenly. */
ir_value *compose_gather_known(importer *im, const import_node *n, ir_value *x, int axis, const int64_t *place, int64_t count);
/* The places of the first k elements of each row of x [..., n], and what is at such places. */
ir_value *compose_top_k(importer *im, const import_node *n, ir_value *x, int64_t k, bool largest);
ir_value *compose_pick(importer *im, const import_node *n, ir_value *x, ir_value *indices);
/* Along an axis of x: of `out` results, place and weight [out, taps], their sums; without weights the largest. */
ir_value *compose_resample(importer *im, const import_node *n, ir_value *x, int axis, const int64_t *place, const float *weight, int64_t out, int64_t taps);
ir_value *compose_scatter(importer *im, const import_node *n, const char *kind, ir_value *x, ir_value *places, ir_value *updates);
/* `count` elements of an axis from `start` on, `step` apart. */
ir_value *compose_slice(importer *im, const import_node *n, ir_value *x, int axis, int64_t start, int64_t step, dim count);
/* Pads of at least 0 as begins and ends of all axes, filled with a number. */
ir_value *compose_pad(importer *im, const import_node *n, ir_value *x, const int64_t *pads, double fill);
/* Pads as above, of which negative ones cut off. */
ir_value *compose_pad_or_crop(importer *im, const import_node *n, ir_value *x, const int64_t *pads, double fill);
ir_value *compose_concat(importer *im, const import_node *n, ir_value *const *part, int parts, int axis);
ir_value *compose_reduce(importer *im, const import_node *n, ir_value *x, const char *kind, const int64_t *axes, int count, bool keep);
ir_value *compose_softmax(importer *im, const import_node *n, ir_value *x, int axis);
ir_value *compose_matmul(importer *im, const import_node *n, ir_value *x, ir_value *y);
ir_value *compose_norm(importer *im, const import_node *n, ir_value *x, ir_value *gamma, ir_value *beta, const char *kind, int axis, double epsilon);
ir_value *compose_expand(importer *im, const import_node *n, ir_value *x, const dim *shape, int rank);
/* x op number, the number of x's type. */
ir_value *compose_with_number(importer *im, const import_node *n, expr_op op, ir_value *x, double number);
ir_value *compose_select(importer *im, const import_node *n, ir_value *condition, ir_value *x, ir_value *y);
/* An axis of 1 put in before `axis`. */
ir_value *compose_unsqueeze(importer *im, const import_node *n, ir_value *x, int axis);
/* x with an axis and the last exchanged. */
ir_value *compose_exchange(importer *im, const import_node *n, ir_value *x, int axis);
/* 0, 1, … count - 1 as i64 [count, 1, …], `behind` axes of 1 behind it. */
ir_value *compose_count(importer *im, int64_t count, int behind);
/* Indices of any type of number into an axis of `size`, of which those below 0 count from the end: counted from 0, as i64. */
ir_value *compose_from_start(importer *im, const import_node *n, ir_value *index, int64_t size);
/* The same, one out of range becoming the nearest there is. */
ir_value *compose_nearest(importer *im, const import_node *n, ir_value *index, int64_t size);
/* high * size + low: the place of two coordinates, the second of an axis of `size`. */
ir_value *compose_place(importer *im, const import_node *n, ir_value *high, int64_t size, ir_value *low);

#endif
