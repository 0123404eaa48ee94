/* Resizing in two passes, along rows and along columns, with fixed-point weights. The filter's support grows with the scale when shrinking.
 * Source: Pillow's Resample.c (weights in double, rounded to 22 bits, each pass rounded to 8 bits) and Geometry.c (nearest). */
#include "resize.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION_BITS = 32 - 8 - 2 };

static const double pi = 3.14159265358979323846;

typedef struct filter {
    double (*weight)(double x);
    double support;
} filter;

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= pi;
    return sin(x) / x * (0.54f + 0.46f * cos(x));   /* float constants, as Pillow's */
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x *= pi;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

static const filter filters[RESIZE_FILTERS] = {
    [RESIZE_LANCZOS] = {lanczos, 3.0}, [RESIZE_BILINEAR] = {bilinear, 1.0}, [RESIZE_BICUBIC] = {bicubic, 2.0},
    [RESIZE_BOX] = {box, 0.5},         [RESIZE_HAMMING] = {hamming, 1.0},
};

/* For each output position: its first input, how many, and their weights. */
typedef struct weights {
    int taps;                  /* weights an output position, the unused ones zero */
    int *first, *count;
    int32_t *weight;           /* [out][taps] */
} weights;

static void weights_free(weights *w)
{
    free(w->first);
    free(w->count);
    free(w->weight);
}

/* The weights of one output position; `sum` normalises them. */
static void weigh(const filter *f, double center, double scale, double support, int in, int *first, int *count, double *k)
{
    int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
    if (low < 0) low = 0;
    if (high > in) high = in;
    double sum = 0.0;
    for (int x = 0; x < high - low; x++) {
        k[x] = f->weight((x + low - center + 0.5) * (1.0 / scale));
        sum += k[x];
    }
    for (int x = 0; x < high - low; x++)
        if (sum != 0.0) k[x] /= sum;
    *first = low;
    *count = high - low;
}

static bool weights_make(weights *w, int in, int out, const filter *f)
{
    const double scale = (double)in / out, filter_scale = scale < 1.0 ? 1.0 : scale, support = f->support * filter_scale;
    w->taps = (int)ceil(support) * 2 + 1;
    w->first = malloc((size_t)out * sizeof *w->first);
    w->count = malloc((size_t)out * sizeof *w->count);
    w->weight = calloc((size_t)out * (size_t)w->taps, sizeof *w->weight);
    double *k = malloc((size_t)w->taps * sizeof *k);
    const bool made = w->first != NULL && w->count != NULL && w->weight != NULL && k != NULL;
    for (int i = 0; made && i < out; i++) {
        weigh(f, (i + 0.5) * scale, filter_scale, support, in, &w->first[i], &w->count[i], k);
        for (int x = 0; x < w->count[i]; x++)
            w->weight[(ptrdiff_t)i * w->taps + x] = (int32_t)((k[x] < 0 ? -0.5 : 0.5) + k[x] * (1 << PRECISION_BITS));
    }
    free(k);
    return made;
}

static uint8_t clip(int32_t sum)
{
    const int32_t value = sum >> PRECISION_BITS;
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

/* in: [rows, in width, channels] → out: [rows, out width, channels] */
static void resize_columns(const uint8_t *in, int in_width, int rows, int channels, uint8_t *out, int out_width, const weights *w)
{
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < out_width; x++) {
            const int32_t *k = w->weight + (ptrdiff_t)x * w->taps;
            const uint8_t *from = in + ((ptrdiff_t)y * in_width + w->first[x]) * channels;
            for (int c = 0; c < channels; c++) {
                int32_t sum = 1 << (PRECISION_BITS - 1);
                for (int i = 0; i < w->count[x]; i++) sum += from[(ptrdiff_t)i * channels + c] * k[i];
                *out++ = clip(sum);
            }
        }
}

/* in: [in rows, row] → out: [out rows, row]; a row is width * channels bytes. `sum` is one row. */
static void resize_rows(const uint8_t *in, ptrdiff_t row, uint8_t *out, int out_height, const weights *w, int32_t *sum)
{
    for (int y = 0; y < out_height; y++) {
        for (ptrdiff_t x = 0; x < row; x++) sum[x] = 1 << (PRECISION_BITS - 1);
        for (int i = 0; i < w->count[y]; i++) {
            const int32_t k = w->weight[(ptrdiff_t)y * w->taps + i];
            const uint8_t *from = in + (ptrdiff_t)(w->first[y] + i) * row;
            for (ptrdiff_t x = 0; x < row; x++) sum[x] += from[x] * k;
        }
        for (ptrdiff_t x = 0; x < row; x++) *out++ = clip(sum[x]);
    }
}

static bool pass_over_columns(const uint8_t *in, int width, int height, int channels, uint8_t *out, int out_width, const filter *f)
{
    weights w = {0};
    const bool made = weights_make(&w, width, out_width, f);
    if (made) resize_columns(in, width, height, channels, out, out_width, &w);
    weights_free(&w);
    return made;
}

static bool pass_over_rows(const uint8_t *in, int width, int height, int channels, uint8_t *out, int out_height, const filter *f)
{
    weights w = {0};
    const ptrdiff_t row = (ptrdiff_t)width * channels;
    int32_t *sum = malloc((size_t)row * sizeof *sum);
    const bool made = sum != NULL && weights_make(&w, height, out_height, f);
    if (made) resize_rows(in, row, out, out_height, &w, sum);
    free(sum);
    weights_free(&w);
    return made;
}

/* Positions are summed up step by step: that rounds as Pillow does. */
static bool resize_nearest(const uint8_t *in, int width, int height, int channels, uint8_t *out, int out_width, int out_height)
{
    int *column = calloc((size_t)out_width, sizeof *column);
    if (column == NULL) return false;
    const double step_x = (double)width / out_width, step_y = (double)height / out_height;
    double at = step_x * 0.5;
    for (int x = 0; x < out_width; x++, at += step_x) column[x] = (int)at < width ? (int)at : width - 1;
    at = step_y * 0.5;
    for (int y = 0; y < out_height; y++, at += step_y) {
        const int row = (int)at < height ? (int)at : height - 1;
        for (int x = 0; x < out_width; x++, out += channels)
            memcpy(out, in + ((ptrdiff_t)row * width + column[x]) * channels, (size_t)channels);
    }
    free(column);
    return true;
}

/* Bytes are rounded between the passes, so their order shows. */
static bool rows_come_first(int width, int height, int out_width, int out_height)
{
    return out_height < height && 2 * ((int64_t)width - out_width) < (int64_t)height - out_height;
}

static bool resize_filtered(const uint8_t *in, int width, int height, int channels, uint8_t *out, int out_width, int out_height, const filter *f)
{
    if (out_width == width && out_height == height) {
        memcpy(out, in, (size_t)width * (size_t)height * (size_t)channels);
        return true;
    }
    if (out_height == height) return pass_over_columns(in, width, height, channels, out, out_width, f);
    if (out_width == width) return pass_over_rows(in, width, height, channels, out, out_height, f);
    const bool rows_first = rows_come_first(width, height, out_width, out_height);
    const size_t pixels = rows_first ? (size_t)width * (size_t)out_height : (size_t)out_width * (size_t)height;
    uint8_t *between = malloc(pixels * (size_t)channels);
    bool done = between != NULL;
    if (rows_first)
        done = done && pass_over_rows(in, width, height, channels, between, out_height, f)
            && pass_over_columns(between, width, out_height, channels, out, out_width, f);
    else
        done = done && pass_over_columns(in, width, height, channels, between, out_width, f)
            && pass_over_rows(between, out_width, height, channels, out, out_height, f);
    free(between);
    return done;
}

bool resize_u8(const uint8_t *in, int width, int height, int channels, uint8_t *out, int out_width, int out_height, int filter)
{
    if (filter == RESIZE_NEAREST) return resize_nearest(in, width, height, channels, out, out_width, out_height);
    return resize_filtered(in, width, height, channels, out, out_width, out_height, &filters[filter]);
}
