/* Convolution of 3 x 3 places with channels last, by Winograd's F(2 x 2, 3 x 3): 16 products where the definition has 36.
 * Shapes: x [N][height][width][channels], y [N][out0][out1][n]; tile t: 2 x 2 pixels (fewer where a line or a column ends), those of an image line by
 *         line, image after image; w: 16 channels inputs, n outputs, in blocks of bn: the block of outputs c on at w + 16 channels c, laid out
 *         [16][channels][width], width = bn, or what is left in the last block. Of the 16 places, (i, j) is (G g G') of the weights g [3][3] of a
 *         channel, G = { { 1, 0, 0 }, { 1/2, 1/2, 1/2 }, { 1/2, -1/2, 1/2 }, { 0, 0, 1 } }.
 * Requires: kernel 3 x 3, strides, dilations and groups 1; tiles, columns, part, tile, bn >= 1; cut, code: as linear_f32's for `channels` inputs and
 *         rows that are tiles, `tile` at most; column, columns: multiples of bn, the end may lie behind n. scratch overlaps nothing else: in whole
 *         lines of 16 floats, channels, then 16 times tile channels and a line, 16 times tile bn and a line, 4 tile bn.
 * Numerics: inputs and sums are transformed by additions alone; sums of at most `part` products in order of channel, then the sum of those. What is
 *         not finite spreads over its tiles as NaN.
 * Source: Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, 2015. */
#ifndef VITCC_TEMPLATES_WINOGRAD_F32_H
#define VITCC_TEMPLATES_WINOGRAD_F32_H

#include "linear_f32.h"
#include "windows.h"

enum { WINOGRAD_PLACES = 16 };   /* of the 4 x 4 inputs of a tile */

/* From one place's rows to the next's, in floats; a line more, so that not all places fall on the same lines of the cache. */
TEMPLATE ptrdiff_t winograd_apart(int rows, int columns)
{
    return windows_line(rows * columns) + 16;
}

/* `count` lanes of a tile's inputs at[place], transformed: place p to to + p apart. */
TEMPLATE void winograd_input_lanes_f32(const float *const *at, ptrdiff_t c, float *to, ptrdiff_t apart, int count)
{
    vf half[WINOGRAD_PLACES];
    UNROLL
    for (int j = 0; j < 4; j++) {
        const vf d0 = vf_load_part(at[j] + c, count), d1 = vf_load_part(at[4 + j] + c, count), d2 = vf_load_part(at[8 + j] + c, count);
        const vf d3 = vf_load_part(at[12 + j] + c, count);
        half[j] = d0 - d2, half[4 + j] = d1 + d2, half[8 + j] = d2 - d1, half[12 + j] = d1 - d3;
    }
    UNROLL
    for (int i = 0; i < WINOGRAD_PLACES; i += 4) {
        float *const line = to + i * apart + c;
        vf_store_part(line, half[i] - half[i + 2], count);
        vf_store_part(line + apart, half[i + 1] + half[i + 2], count);
        vf_store_part(line + 2 * apart, half[i + 2] - half[i + 1], count);
        vf_store_part(line + 3 * apart, half[i + 1] - half[i + 3], count);
    }
}

/* Where a tile's first pixel is. */
typedef struct winograd_place {
    size_t image;
    int oy, ox;
} winograd_place;

TEMPLATE winograd_place winograd_place_of(const windows_shape *s, size_t tile)
{
    const size_t across = (size_t)(s->out[1] + 1) / 2, down = (size_t)(s->out[0] + 1) / 2, line = tile / across;
    return (winograd_place){ line / down, (int)(line % down) * 2, (int)(tile % across) * 2 };
}

/* The inputs of the tile at this place of an image. Outside the image are zeros. */
TEMPLATE void winograd_input_f32(const windows_shape *s, const float *image, const float *zeros, winograd_place place, float *to, ptrdiff_t apart)
{
    const float *at[WINOGRAD_PLACES];
    for (int i = 0; i < WINOGRAD_PLACES; i++) {
        const int iy = place.oy - s->pad[0] + i / 4, ix = place.ox - s->pad[1] + i % 4;
        const int inside = iy >= 0 && iy < s->size[0] && ix >= 0 && ix < s->size[1];
        at[i] = inside ? image + ((ptrdiff_t)iy * s->size[1] + ix) * s->channels : zeros;
    }
    int c = 0;
    for (; c + LANES <= s->channels; c += LANES) winograd_input_lanes_f32(at, c, to, apart, LANES);
    if (c < s->channels) winograd_input_lanes_f32(at, c, to, apart, s->channels - c);
}

/* `count` lanes of a tile's sums, transformed: its pixels, the second line's `line` floats behind the first's, the second column's `width`. */
TEMPLATE void winograd_output_lanes_f32(const float *sums, ptrdiff_t apart, float *to, ptrdiff_t line, int width, int count)
{
    vf half[8];
    UNROLL
    for (int j = 0; j < 4; j++) {
        const vf m0 = vf_load_part(sums + j * apart, count), m1 = vf_load_part(sums + (4 + j) * apart, count);
        const vf m2 = vf_load_part(sums + (8 + j) * apart, count), m3 = vf_load_part(sums + (12 + j) * apart, count);
        half[j] = m0 + m1 + m2, half[4 + j] = m1 - m2 - m3;
    }
    UNROLL
    for (int i = 0; i < 2; i++) {
        const vf *const h = half + 4 * i;
        vf_store_part(to + i * line, h[0] + h[1] + h[2], count);
        vf_store_part(to + i * line + width, h[1] - h[2] - h[3], count);
    }
}

/* sums [16][rows][width] = for each place the products of its rows with block w [16][channels][width]. */
TEMPLATE void winograd_product_f32(gemm_code *const *code, const float *w, int width, int rest, const float *inputs, ptrdiff_t inputs_apart, int channels,
                                   int rows, int part, linear_cut cut, float *sums, ptrdiff_t sums_apart)
{
    for (int p = 0; p < WINOGRAD_PLACES; p++, inputs += inputs_apart, sums += sums_apart, w += (ptrdiff_t)channels * width)
        linear_block_f32(code, inputs, channels, w, sums, width, rows, 0, channels, part, width, rest, cut, channels <= part, 0, 0,
                         w + (ptrdiff_t)channels * width, tile_as_is_f32, NULL);
}

/* `width` outputs from column c on of `count` tiles side by side, from this place on. out: [2][2 count][width]. */
TEMPLATE void winograd_line_f32(const windows_shape *s, const float *sums, ptrdiff_t apart, int width, winograd_place place, int count, float *out,
                                float *y, int n, int c, epilogue_f32 *epilogue, const void *operands)
{
    const ptrdiff_t line = (ptrdiff_t)2 * count * width;
    const int left = s->out[1] - place.ox, pixels = left < 2 * count ? left : 2 * count, lines = s->out[0] - place.oy < 2 ? 1 : 2;
    for (int t = 0; t < count; t++) {
        const float *const from = sums + (ptrdiff_t)t * width;
        float *const to = out + (ptrdiff_t)2 * t * width;
        int v = 0;
        for (; v + LANES <= width; v += LANES) winograd_output_lanes_f32(from + v, apart, to + v, line, width, LANES);
        if (v < width) winograd_output_lanes_f32(from + v, apart, to + v, line, width, width - v);
    }
    for (int i = 0; i < lines; i++) {
        const tile_f32 done = { out + i * line, width, 1, 0, 0 };
        const size_t row = (place.image * (size_t)s->out[0] + (size_t)(place.oy + i)) * (size_t)s->out[1] + (size_t)place.ox;
        epilogue(&done, y + row * (size_t)n + c, n, pixels, width, row, c, operands);
    }
}

/* The same of `count` tiles from tile `first` on, line by line. */
TEMPLATE void winograd_lines_f32(const windows_shape *s, const float *sums, ptrdiff_t apart, int width, size_t first, int count, float *out, float *y,
                                 int n, int c, epilogue_f32 *epilogue, const void *operands)
{
    for (int t = 0, together; t < count; t += together) {
        const winograd_place place = winograd_place_of(s, first + (size_t)t);
        const int left = (s->out[1] - place.ox + 1) / 2;
        together = left < count - t ? left : count - t;
        winograd_line_f32(s, sums + (ptrdiff_t)t * width, apart, width, place, together, out, y, n, c, epilogue, operands);
    }
}

/* Outputs column to column + columns - 1 of tiles first to first + tiles - 1, at most `tile` of them at a time. */
TEMPLATE void winograd_f32(gemm_code *const *code, const windows_shape *s, const float *x, const float *w, float *scratch, float *y, size_t first, int tiles,
                           int column, int columns, int n, int part, int bn, int tile, linear_cut cut, epilogue_f32 *epilogue, const void *operands)
{
    const int shares = (tiles + tile - 1) / tile, end = column + columns < n ? column + columns : n;
    const ptrdiff_t apart = winograd_apart(tile, s->channels), sums_apart = winograd_apart(tile, bn);
    const size_t image = (size_t)s->size[0] * (size_t)s->size[1] * (size_t)s->channels;
    float *const zeros = scratch, *const inputs = zeros + windows_line(s->channels), *const sums = inputs + WINOGRAD_PLACES * apart;
    float *const out = sums + WINOGRAD_PLACES * sums_apart;
    memset(zeros, 0, (size_t)s->channels * sizeof *zeros);
    for (int i = 0; i < shares; i++) {
        const int from = (int)((int64_t)tiles * i / shares), count = (int)((int64_t)tiles * (i + 1) / shares) - from;
        for (int t = 0; t < count; t++) {
            const winograd_place place = winograd_place_of(s, first + (size_t)(from + t));
            winograd_input_f32(s, x + place.image * image, zeros, place, inputs + (ptrdiff_t)t * s->channels, apart);
        }
        for (int c = column; c < end; c += bn) {
            const int width = n - c < bn ? n - c : bn;
            winograd_product_f32(code, w + (ptrdiff_t)c * WINOGRAD_PLACES * s->channels, width, width != bn, inputs, apart, s->channels, count, part, cut,
                                 sums, sums_apart);
            winograd_lines_f32(s, sums, sums_apart, width, first + (size_t)from, count, out, y, n, c, epilogue, operands);
        }
    }
}

#endif
