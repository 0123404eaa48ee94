/* Convolution with channels last on kernels for its shape: a piece of a line of outputs at a time, whose windows have each place at the same distance
 * from one another, so that a kernel sums over several places of all of them (batch-reduce).
 * Shapes: x, rows: windows.h; w: k = kernel0 kernel1 (channels of a group) inputs, n outputs, each group's n / groups side by side, in blocks of bn
 *         outputs: block j at w + j bn k, laid out [k][width], width = bn, or what is left in the last block; y [rows][n].
 * Requires: first_row, rows: multiples of cut.piece; n / groups a multiple of bn where groups > 1; cut.taps > 1 only where groups and dilation1 are 1.
 *         code: NULL, or for each number of rows that occurs [rows - cut.low][0: whole block, 1: the last, narrower one][0: `part` inputs, 1: what is
 *         left of them], NULL where there is no kernel; kernels read and write every pixel, or with taps every ceil(kernel1 / stride1)'th. scratch,
 *         which overlaps nothing else: unless all windows are inside the image, the lines that the pieces done together read.
 * Numerics: sums of at most `part` products in order of kernel position and channel, as gemm_f32; then the sum of those. Windows read zeros outside
 *         the image. */
#ifndef VITCC_TEMPLATES_CONV_LAST_F32_H
#define VITCC_TEMPLATES_CONV_LAST_F32_H

#include "epilogue_f32.h"
#include "fetch.h"
#include "gemm_f32.h"
#include "windows.h"

/* How outputs and inputs are cut. */
typedef struct conv_cut {
    int piece;    /* pixels of a line that are one piece: a divisor of out1 */
    int pieces;   /* pieces at a time, at most; 1 unless a piece is a line */
    int tile;     /* pixels at a time, at most */
    int low;      /* the least rows for which there are kernels */
    int part;     /* products in one sum: several runs', or a share of one's */
    int taps;     /* places in a run: 1, or kernel1 where channels are few; windows may overlap then, and a kernel takes every so many'th pixel */
} conv_cut;

/* Where pieces read: a pixel's window is lines of runs of elements, as far apart in one pixel's as in any other's. */
typedef struct conv_inputs {
    const float *at;                /* the first pixel's first run */
    ptrdiff_t line, column, piece;  /* from a line of runs, a run, a piece to the next */
    int step;                       /* from a pixel to the next */
    int runs, across, run;          /* runs; in a line; elements in each */
    int phases;                     /* a run is not longer than so many steps: such pixels' runs do not overlap, as kernels want it */
} conv_inputs;

/* Are all windows inside the image? */
TEMPLATE int conv_is_inside(const windows_shape *s)
{
    int inside = 1;
    for (int a = 0; a < 2; a++) inside &= s->pad[a] == 0 && (s->out[a] - 1) * s->stride[a] + (s->kernel[a] - 1) * s->dilation[a] < s->size[a];
    return inside;
}

/* How many neighbouring places of the image along axis a `count` outputs read. */
TEMPLATE int conv_reach(const windows_shape *s, int a, int count)
{
    return (count - 1) * s->stride[a] + (s->kernel[a] - 1) * s->dilation[a] + 1;
}

/* The inputs of `count` pieces from this pixel on: where they lie in the image if all windows are inside; else copied to scratch, with zeros around
 * them. */
TEMPLATE conv_inputs conv_inputs_of(const windows_shape *s, conv_cut cut, const float *image, int oy, int ox, int count, float *scratch)
{
    const int inside = conv_is_inside(s), iy = oy * s->stride[0] - s->pad[0], ix = ox * s->stride[1] - s->pad[1];
    const int across = s->kernel[1] / cut.taps;
    const ptrdiff_t line = (ptrdiff_t)(inside ? s->size[1] : conv_reach(s, 1, cut.piece)) * s->channels;
    for (int i = 0; !inside && i < conv_reach(s, 0, count); i++) windows_line_run_f32(s, image, iy + i, ix, (int)line, scratch + i * line);
    const float *const at = inside ? image + iy * line + (ptrdiff_t)ix * s->channels : scratch;
    return (conv_inputs){ .at = at, .line = line * s->dilation[0], .column = (ptrdiff_t)s->dilation[1] * s->channels, .piece = line * s->stride[0],
                          .step = s->stride[1] * s->channels, .runs = s->kernel[0] * across, .across = across,
                          .run = cut.taps * (s->channels / s->groups), .phases = cut.taps > 1 ? (cut.taps + s->stride[1] - 1) / s->stride[1] : 1 };
}

/* The weights of one block, [k][width], and what is fetched meanwhile: `lines` a call. */
typedef struct conv_block {
    const float *w;
    int column, width, rest;        /* rest: 1: it is the last, narrower one */
    int lines;
    const float *ahead;
} conv_block;

/* Where each run's weights and inputs lie, in bytes. */
TEMPLATE void conv_places(const conv_inputs *in, int width, unsigned long long *weights, unsigned long long *inputs)
{
    for (int i = 0; i < in->runs; i++) {
        weights[i] = (unsigned long long)i * (unsigned long long)in->run * (unsigned long long)width * sizeof(float);
        inputs[i] = (unsigned long long)(i / in->across * in->line + i % in->across * in->column) * sizeof(float);
    }
}

/* sums [height][width] = the products of a tile whose first pixel's first run is at x. */
TEMPLATE void conv_tile_f32(gemm_code *const *code, conv_cut cut, const conv_inputs *in, const float *x, conv_block *b, const unsigned long long *weights,
                            const unsigned long long *inputs, int height, float *sums, float *more)
{
    const int together = in->run < cut.part ? cut.part / in->run : 1, shares = (in->runs + together - 1) / together;
    for (int i = 0, add = 0; i < shares; i++) {
        const int first = in->runs * i / shares, count = in->runs * (i + 1) / shares - first;
        for (int c = 0; c < in->run; c += cut.part, add = 1) {
            const int left = in->run - c, depth = left < cut.part ? left : cut.part;
            b->ahead = fetch_lines_f32(b->ahead, b->lines);
            for (int f = 0; f < in->phases && f < height; f++) {
                const int rows = (height - f + in->phases - 1) / in->phases, kind = ((rows - cut.low) * 2 + b->rest) * 2 + (c > 0 && left < cut.part);
                gemm_batch_f32(code ? code[kind] : NULL, b->w + (ptrdiff_t)c * b->width, x + c + (ptrdiff_t)f * in->step,
                               (add ? more : sums) + f * b->width, b->width, rows, depth, b->width, in->phases * in->step, in->phases * b->width,
                               (unsigned long long)count, weights + first, inputs + first);
            }
            for (int v = 0; add && v < height * b->width; v += LANES) vf_store(sums + v, vf_load(sums + v) + vf_load(more + v));
        }
    }
}

/* All features of `count` pieces; row: y's first among those that the epilogue sees. */
TEMPLATE void conv_pieces_f32(gemm_code *const *code, const windows_shape *s, conv_cut cut, const conv_inputs *in, const float *w, float *y, size_t row,
                              int count, int n, int bn, epilogue_f32 *epilogue, const void *operands)
{
    float sums[cut.tile * bn + LANES] __attribute__((aligned(64))), more[cut.tile * bn + LANES] __attribute__((aligned(64)));
    unsigned long long weights[in->runs], inputs[in->runs];
    const int each = n / s->groups, tiles = (cut.piece + cut.tile - 1) / cut.tile, k = in->runs * in->run;
    const int calls = count * tiles * (in->run < cut.part ? (k + cut.part - 1) / cut.part : in->runs * ((in->run + cut.part - 1) / cut.part));
    for (int c = 0; c < n; c += bn) {
        const int width = n - c < bn ? n - c : bn;
        conv_block b = { w + (ptrdiff_t)c * k, c, width, width != bn, fetch_share((ptrdiff_t)k * width, calls), w + (ptrdiff_t)(c + width) * k };
        conv_places(in, width, weights, inputs);
        for (int i = 0, r = 0; i < count * tiles; i++) {
            const int height = cut.piece / tiles + (i % tiles < cut.piece % tiles);
            const float *const x = in->at + i / tiles * in->piece + (ptrdiff_t)(r % cut.piece) * in->step + (ptrdiff_t)(c / each) * in->run;
            float *const to = y + (ptrdiff_t)r * n + c;
            const tile_f32 done = { sums, width, 1, 0, 0 };
            fetch_tile_f32(to, n, height, width);
            conv_tile_f32(code, cut, in, x, &b, weights, inputs, height, sums, more);
            epilogue(&done, to, n, height, width, row + (size_t)r, c, operands);
            r += height;
        }
    }
}

TEMPLATE void conv_last_f32(gemm_code *const *code, const windows_shape *s, const float *x, const float *w, float *scratch, float *y, size_t first_row,
                            int rows, int n, int bn, conv_cut cut, epilogue_f32 *epilogue, const void *operands)
{
    const int pixels = s->out[0] * s->out[1];
    const size_t image = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->channels;
    for (int r = 0, count; r < rows; r += count * cut.piece) {
        const size_t row = first_row + (size_t)r;
        const int pixel = (int)(row % (size_t)pixels), left = (pixels - pixel < rows - r ? pixels - pixel : rows - r) / cut.piece;
        count = left / ((left + cut.pieces - 1) / cut.pieces);
        const conv_inputs in = conv_inputs_of(s, cut, x + row / (size_t)pixels * image, pixel / s->out[1], pixel % s->out[1], count, scratch);
        conv_pieces_f32(code, s, cut, &in, w, y + (ptrdiff_t)r * n, (size_t)r, count, n, bn, epilogue, operands);
    }
}

#endif
