/* An MLP on packed weights: y = down(activation(up(x))), some hidden features at a time, so that they are read while they are near the core.
 * Shapes: x [rows][ldx], y [rows][ldy], k inputs, h hidden features, n outputs; w1 packed in blocks of up_width, w2 of down_width,
 *         as linear_f32 has it; hidden [rows][chunk]. up, down: how rows and inputs of each are cut.
 * Requires: h a multiple of chunk; chunk = h, or a multiple of up_width. code: NULL, or kernels as linear_f32's: up (k inputs, up_part at a time),
 *         down (chunk inputs, down_part at a time; they write y itself if chunk = h <= down_part). y overlaps neither x nor hidden.
 * Numerics: as linear_f32, the chunks' sums added up. */
#ifndef VITCC_TEMPLATES_MLP_F32_H
#define VITCC_TEMPLATES_MLP_F32_H

#include "linear_f32.h"

typedef struct mlp_code {
    gemm_code *const *up, *const *down;
} mlp_code;

/* Where the weights of w2's block of outputs c on begin, for hidden features `first` on. */
TEMPLATE const float *mlp_down_f32(const float *w2, int c, int first, int h, int n, int down_width)
{
    return w2 + (ptrdiff_t)c * h + (ptrdiff_t)first * (n - c < down_width ? n - c : down_width);
}

/* activate: what is done to a tile of hidden features, finish: to a tile of the result. */
TEMPLATE void mlp_f32(const mlp_code *code, const float *x, int ldx, const float *w1, float *hidden, const float *w2, float *y, int ldy, int rows,
                      int k, int up_part, int h, int chunk, int down_part, int n, int up_width, int down_width, linear_cut up, linear_cut down,
                      epilogue_f32 *activate, const void *up_operands, epilogue_f32 *finish, const void *down_operands)
{
    for (int first = 0; first < h; first += chunk) {
        for (int c = 0; c < chunk; c += up_width) {
            const int width = chunk - c < up_width ? chunk - c : up_width, column = first + c;
            const float *const block = w1 + (ptrdiff_t)column * k;
            const float *const next = c + width < chunk ? block + (ptrdiff_t)width * k : mlp_down_f32(w2, 0, first, h, n, down_width);
            linear_block_f32(code->up, x, ldx, block, hidden + c, chunk, rows, 0, k, up_part, width, width != up_width, up, k <= up_part, 0, column,
                             next, activate, up_operands);
        }
        const bool last = first + chunk == h;
        for (int c = 0; c < n; c += down_width) {
            const int width = n - c < down_width ? n - c : down_width;
            const float *const block = mlp_down_f32(w2, c, first, h, n, down_width);
            const float *const next = c + width < n ? mlp_down_f32(w2, c + width, first, h, n, down_width)
                                    : last ? block + (ptrdiff_t)chunk * width : w1 + (ptrdiff_t)(first + chunk) * k;
            linear_block_f32(code->down, hidden, chunk, block, y + c, ldy, rows, 0, chunk, down_part, width, width != down_width, down,
                             chunk == h && h <= down_part, first > 0, c, next, last ? finish : tile_as_is_f32, down_operands);
        }
    }
}

/* The same with a gate: w1 makes 2 h features, of which `gate` makes h from the first half (its y) and the second (operand 0 points at it).
 * hidden [rows][2 h]. */
TEMPLATE void gated_mlp_f32(const mlp_code *code, const float *x, int ldx, const float *w1, float *hidden, const float *w2, float *y, int ldy,
                            int rows, int k, int up_part, int h, int down_part, int n, int up_width, int down_width, linear_cut up,
                            linear_cut down, epilogue_f32 *gate, const void *up_operands, epilogue_f32 *finish, const void *down_operands)
{
    const tile_f32 whole = { hidden, 2 * h, 1, 0, 0 };
    linear_f32(code->up, x, ldx, w1, hidden, 2 * h, rows, 0, 2 * h, k, up_part, up_width, up, tile_as_is_f32, NULL);
    gate(&whole, hidden, 2 * h, rows, h, 0, 0, up_operands);
    linear_f32(code->down, hidden, 2 * h, w2, y, ldy, rows, 0, n, h, down_part, down_width, down, finish, down_operands);
}

#endif
