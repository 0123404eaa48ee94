/* norm, softmax and reduce: means, variances and sums in double. */
#include "eval_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* row [width] normalised, times gamma, plus beta (either may be NULL). */
static void normalise(double *row, int64_t width, bool rms, double epsilon, const double *gamma, const double *beta)
{
    double mean = 0, square = 0;
    if (!rms) {
        for (int64_t i = 0; i < width; i++) mean += row[i];
        mean /= (double)width;
    }
    for (int64_t i = 0; i < width; i++) square += (row[i] - mean) * (row[i] - mean);
    double scale = sqrt(square / (double)width + epsilon);
    for (int64_t i = 0; i < width; i++) {
        row[i] = (row[i] - mean) / scale;
        if (gamma) row[i] *= gamma[i];
        if (beta) row[i] += beta[i];
    }
}

static status check_axis(const eval_context *c, const ir_node *n, const eval_value *x, int64_t axis, const eval_value *out)
{
    if (axis < 0 || axis >= x->rank) return eval_fail(c, n, 0, STATUS_SHAPE, "it has no axis %lld", (long long)axis);
    return eval_shape_is(out, x->rank, x->shape) ? STATUS_OK : eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
}

status eval_norm(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0];
    int64_t axis = ir_int(n, KEY_AXIS, x->rank - 1);
    status s = check_axis(c, n, x, axis, out);
    if (s != STATUS_OK) return s;
    int64_t width = eval_product_of(x->shape, (int)axis, x->rank);
    bool rms = ir_is_name(n, KEY_KIND, "rms");
    eval_operand factor[3];
    for (int i = 1; i < n->inputs; i++) {
        if (in[i] && !eval_operand_broadcast(in[i], x->rank, x->shape, &factor[i])) return eval_fail(c, n, i, STATUS_SHAPE, "it does not broadcast");
    }
    double epsilon = ir_number(n, KEY_EPSILON, 0), *room = eval_allocate(3, (size_t)width * sizeof *room), *line[3] = {room, NULL, NULL};
    if (!room) return eval_out_of_memory(c, n);
    for (int64_t i = 0; i < x->elements; i += width) {
        eval_load_floats(x->stored, x->data, i, 1, width, room);
        for (int k = 1; k < n->inputs; k++) {
            if (in[k]) eval_operand_load_floats(&factor[k], i, width, line[k] = room + k * width);
        }
        normalise(room, width, rms, epsilon, line[1], line[2]);
        eval_store_floats(out->stored, out->owned, i, width, room);
    }
    free(room);
    return STATUS_OK;
}

/* x [N, …, C]: rows of moments, each of a run of places. */
status eval_moments(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0];
    const int64_t count = ir_int(n, KEY_COUNT, 1), channels = x->rank ? x->shape[x->rank - 1] : 0;
    const int64_t run = eval_product_of(x->shape, 1, x->rank - 1) / count, rows = x->shape[0] * count;
    if (x->rank < 3 || out->elements != rows * 2 * channels) return eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
    double *line = eval_allocate(3, (size_t)channels * sizeof *line), *mean = line + channels, *square = mean + channels;
    if (!line) return eval_out_of_memory(c, n);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < 2 * channels; j++) mean[j] = 0;
        for (int64_t i = 0; i < 2 * run; i++) {   /* all places for the mean, then for the squares */
            eval_load_floats(x->stored, x->data, (r * run + i % run) * channels, 1, channels, line);
            for (int64_t j = 0; j < channels; j++) {
                if (i < run) mean[j] += line[j] / (double)run;
                else square[j] += (line[j] - mean[j]) * (line[j] - mean[j]) / (double)run;
            }
        }
        eval_store_floats(out->stored, out->owned, r * 2 * channels, 2 * channels, mean);
    }
    free(line);
    return STATUS_OK;
}

/* The mean and variance of all runs of a group's channels: line [runs][2][channels], the group's first channel. */
static void join_group(const double *line, int64_t runs, int64_t channels, int64_t width, double *mean, double *variance)
{
    const double all = (double)(runs * width);
    *mean = *variance = 0;
    for (int64_t t = 0; t < runs; t++)
        for (int64_t j = 0; j < width; j++) *mean += line[2 * t * channels + j] / all;
    for (int64_t t = 0; t < runs; t++)
        for (int64_t j = 0; j < width; j++) {
            const double apart = line[2 * t * channels + j] - *mean;
            *variance += (line[(2 * t + 1) * channels + j] + apart * apart) / all;
        }
}

status eval_join_moments(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0], *gamma = n->inputs > 1 ? in[1] : NULL;
    const int64_t images = x->shape[0], runs = x->shape[1], channels = x->shape[3], width = channels / ir_int(n, KEY_GROUP, 1);
    const double epsilon = ir_number(n, KEY_EPSILON, 0);
    if (out->elements != images * 2 * channels || (gamma && gamma->elements != channels)) return eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
    double *line = eval_allocate(runs + 2, 2 * (size_t)channels * sizeof *line), *result = line + runs * 2 * channels, *factor = result + 2 * channels;
    if (!line) return eval_out_of_memory(c, n);
    for (int64_t j = 0; j < channels; j++) factor[j] = 1;
    if (gamma) eval_load_floats(gamma->stored, gamma->data, 0, 1, channels, factor);
    for (int64_t i = 0; i < images; i++) {
        eval_load_floats(x->stored, x->data, i * runs * 2 * channels, 1, runs * 2 * channels, line);
        for (int64_t j = 0; j < channels; j++) {
            double variance;
            if (j % width) {
                result[j] = result[j - 1];
                variance = result[channels + j - 1];
            } else join_group(line + j, runs, channels, width, &result[j], &variance);
            result[channels + j] = variance;
        }
        for (int64_t j = 0; j < channels; j++) result[channels + j] = factor[j] / sqrt(result[channels + j] + epsilon);
        eval_store_floats(out->stored, out->owned, i * 2 * channels, 2 * channels, result);
    }
    free(line);
    return STATUS_OK;
}

/* A row all -inf is NaN, as in ONNX. */
static void softmax_row(double *row, int64_t width)
{
    double largest = (double)-INFINITY, sum = 0;
    for (int64_t i = 0; i < width; i++) {
        if (row[i] > largest) largest = row[i];
    }
    for (int64_t i = 0; i < width; i++) sum += row[i] = exp(row[i] - largest);
    for (int64_t i = 0; i < width; i++) row[i] /= sum;
}

status eval_softmax(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0];
    int64_t axis = ir_int(n, KEY_AXIS, x->rank - 1);
    status s = check_axis(c, n, x, axis, out);
    if (s != STATUS_OK) return s;
    int64_t width = x->shape[axis], step = eval_product_of(x->shape, (int)axis + 1, x->rank);
    double *row = eval_allocate(width, sizeof *row);
    if (!row) return eval_out_of_memory(c, n);
    size_t size = elem_size(out->stored);
    for (int64_t i = 0; width > 0 && i < x->elements / width; i++) {
        int64_t start = i / step * step * width + i % step;
        eval_load_floats(x->stored, x->data, start, step, width, row);
        softmax_row(row, width);
        if (step == 1) eval_store_floats(out->stored, out->owned, start, width, row);
        else for (int64_t j = 0; j < width; j++) eval_store_floats(out->stored, (char *)out->owned + (size_t)(start + j * step) * size, 0, 1, &row[j]);
    }
    free(row);
    return STATUS_OK;
}

typedef enum reduction { SUM, MEAN, MAX, MIN, PROD, SUMSQ, L1, L2, REDUCTIONS } reduction;

static reduction reduction_of(const ir_node *n)
{
    static const char *const name[REDUCTIONS] = {"sum", "mean", "max", "min", "prod", "sumsq", "l1", "l2"};
    int i = 0;
    while (i < REDUCTIONS && !ir_is_name(n, KEY_KIND, name[i])) i++;
    return (reduction)i;
}

static double fold_float(reduction kind, double sum, double x)
{
    switch (kind) {
    case MAX: return isnan(x) || x > sum ? x : sum;
    case MIN: return isnan(x) || x < sum ? x : sum;
    case PROD: return sum * x;
    case SUMSQ: case L2: return sum + x * x;
    case L1: return sum + fabs(x);
    default: return sum + x;
    }
}

static int64_t fold_integer(reduction kind, bool is_u64, int64_t sum, int64_t x)
{
    bool below = is_u64 ? (uint64_t)x < (uint64_t)sum : x < sum, negative = !is_u64 && x < 0;
    uint64_t s = (uint64_t)sum, v = (uint64_t)x;
    switch (kind) {
    case MAX: return below ? sum : x;
    case MIN: return below ? x : sum;
    case PROD: return (int64_t)(s * v);
    case SUMSQ: case L2: return (int64_t)(s + v * v);
    case L1: return (int64_t)(negative ? s - v : s + v);
    default: return (int64_t)(s + v);
    }
}

static double first_float(reduction kind)
{
    return kind == MAX ? (double)-INFINITY : kind == MIN ? (double)INFINITY : kind == PROD ? 1 : 0;
}

static int64_t first_integer(reduction kind, elem e)
{
    if (kind == MAX) return eval_saturate(e == ELEM_BOOL ? ELEM_U8 : e, (double)-INFINITY);
    if (kind == MIN) return e == ELEM_BOOL ? 1 : eval_saturate(e, (double)INFINITY);
    return kind == PROD;
}

static int64_t finish_integer(reduction kind, bool is_u64, int64_t sum, int64_t count)
{
    if (kind == MEAN) return count == 0 ? 0 : is_u64 ? (int64_t)((uint64_t)sum / (uint64_t)count) : sum / count;
    return kind == L2 ? eval_saturate(ELEM_I64, sqrt(eval_widen(sum, is_u64))) : sum;
}

/* stays: how far one step along each axis of x moves in the output, 0 along a reduced one; count: how many elements make one. */
static bool reduced_strides(const ir_node *n, const eval_value *x, int64_t *stays, int64_t *count)
{
    const ir_attribute *a = ir_find(n, KEY_AXES);
    bool reduced[IR_RANK_MAX] = {false};
    for (int i = 0; a && i < a->list.count; i++) {
        if (a->list.item[i] < 0 || a->list.item[i] >= x->rank) return false;
        reduced[a->list.item[i]] = true;
    }
    int64_t step = 1;
    *count = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        stays[i] = reduced[i] ? 0 : step;
        if (reduced[i]) *count *= x->shape[i];
        else step *= x->shape[i];
    }
    return true;
}

typedef union total { double number; int64_t integer; } total;

enum { BLOCK = 256 };

/* Takes x's elements in order, each into its output's total. */
static void fold(reduction kind, const eval_value *x, const int64_t *stays, total *sum)
{
    int64_t last = x->rank > 0 ? x->shape[x->rank - 1] : 1, step = x->rank > 0 ? stays[x->rank - 1] : 0;
    union { double number[BLOCK]; int64_t integer[BLOCK]; } block;
    bool is_float = elem_is_float(x->elem);
    for (int64_t row = 0; row < x->elements; row += last) {
        int64_t at = 0, outer = row / last;
        for (int i = x->rank - 2; i >= 0; i--) {
            at += outer % x->shape[i] * stays[i];
            outer /= x->shape[i];
        }
        for (int64_t j = 0, n; j < last; j += n) {
            n = last - j < BLOCK ? last - j : BLOCK;
            total *t = sum + at + j * step;
            if (is_float) {
                eval_load_floats(x->stored, x->data, row + j, 1, n, block.number);
                for (int64_t i = 0; i < n; i++) t[i * step].number = fold_float(kind, t[i * step].number, block.number[i]);
            } else {
                eval_load_integers(x->stored, x->data, row + j, 1, n, block.integer);
                for (int64_t i = 0; i < n; i++) t[i * step].integer = fold_integer(kind, x->elem == ELEM_U64, t[i * step].integer, block.integer[i]);
            }
        }
    }
}

status eval_reduce(const eval_context *c, const ir_node *n, const eval_value *const *in, eval_value *out)
{
    const eval_value *x = in[0];
    reduction kind = reduction_of(n);
    int64_t stays[IR_RANK_MAX], count;
    bool is_float = elem_is_float(x->elem), is_u64 = x->elem == ELEM_U64;
    if (kind == REDUCTIONS) return eval_fail(c, n, -1, STATUS_ATTRIBUTE, "no such reduction");
    if (!reduced_strides(n, x, stays, &count)) return eval_fail(c, n, 0, STATUS_SHAPE, "it has no such axis");
    if (x->elements != out->elements * count && count != 0) return eval_fail(c, n, 0, STATUS_SHAPE, "the output is of another shape");
    total *sum = eval_allocate(out->elements, sizeof *sum);
    if (!sum) return eval_out_of_memory(c, n);
    for (int64_t i = 0; i < out->elements; i++) {
        if (is_float) sum[i].number = first_float(kind);
        else sum[i].integer = first_integer(kind, x->elem);
    }
    fold(kind, x, stays, sum);
    for (int64_t i = 0; i < out->elements; i++) {
        if (is_float) {
            double r = kind == MEAN ? sum[i].number / (double)count : kind == L2 ? sqrt(sum[i].number) : sum[i].number;
            eval_store_floats(out->stored, out->owned, i, 1, &r);
        } else {
            int64_t r = finish_integer(kind, is_u64, sum[i].integer, count);
            eval_store_integers(out->stored, out->owned, i, 1, &r);
        }
    }
    free(sum);
    return STATUS_OK;
}
