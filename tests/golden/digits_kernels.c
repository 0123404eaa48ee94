/* digits: every kernel of the model, each a template with its sizes fixed. Compiled once for each instruction-set level: digits_kernels_avx2.c and digits_kernels_avx512.c include this file. */
#include "digits_kernels.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "templates/level.h"
#include "templates/attention_f32.h"
#include "templates/concat.h"
#include "templates/conv_f32.h"
#include "templates/epilogue_f32.h"
#include "templates/gather.h"
#include "templates/gemm_f32.h"
#include "templates/linear_f32.h"
#include "templates/map_f32.h"
#include "templates/math_f32.h"
#include "templates/matmul_f32.h"
#include "templates/mlp_f32.h"
#include "templates/move.h"
#include "templates/norm_f32.h"
#include "templates/reduce_f32.h"
#include "templates/softmax_f32.h"
#include "templates/transpose_keys_f32.h"

#if !defined(KERNEL_TABLE)
#define KERNEL_TABLE digits_kernels_base
#endif

static void norm_48(const float *x, float *y, int64_t rows)
{
    layer_norm_f32(x, 48, y, 48, (int)rows, 48, NULL, NULL, 9.99999996e-13f);
}

static inline vf linear_48_to_48_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return in0;
}

static inline void linear_48_to_48_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_48_to_48_out_value);
}

static void linear_48_to_48(gemm_code *const *code, const float *x, const float *w, const float *bias, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 } };
    const linear_cut cut = { 33, 17, 0, 33, 33, 0, 0 };
    linear_f32(code + 8, x, 48, w, y, 48, (int)rows, 0, 48, 48, 48, 32, cut, linear_48_to_48_out_tile, operands);
}

static void linear_48_to_48_v2(gemm_code *const *code, const float *x, const float *w, float *y, int64_t rows)
{
    const linear_cut cut = { 33, 17, 0, 33, 33, 0, 0 };
    linear_f32(code + 8, x, 48, w, y, 48, (int)rows, 0, 48, 48, 48, 32, cut, tile_as_is_f32, NULL);
}

static void keys_4x12(const float *k, float *keys, int64_t row, int64_t rows)
{
    if (row == 0) clear_keys_f32(keys, 32, 17, 4, 12);
    transpose_keys_f32(k, 48, keys, 32, (size_t)row, (int)rows, 4, 12);
}

static void attention_4x12_over_17(gemm_code *const *code, const float *q, const float *k, const float *v, float *out, float *scratch, int64_t row, int64_t rows)
{
    const attention_code products = { code + 26, code + 27, NULL };
    attention_f32(&products, q, 48, k, v, 48, out, 48, (int)rows, (size_t)row, 4, 4, 17, 32, 32, 17, 12, 12, 0.288675129f, NULL, NULL, 17, scratch, 66, 17);
}

static inline vf linear_48_to_48_add_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void linear_48_to_48_add_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_48_to_48_add_out_value);
}

static void linear_48_to_48_add(gemm_code *const *code, const float *x, const float *w, const float *bias, const float *e1, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 }, { e1, 48, 1 } };
    const linear_cut cut = { 33, 17, 0, 33, 33, 0, 0 };
    linear_f32(code + 8, x, 48, w, y, 48, (int)rows, 0, 48, 48, 48, 32, cut, linear_48_to_48_add_out_tile, operands);
}

static inline vf mlp_48_96_48_gelu_add_up_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return vf_gelu(in0);
}

static inline void mlp_48_96_48_gelu_add_up_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_48_96_48_gelu_add_up_value);
}

static inline vf mlp_48_96_48_gelu_add_down_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void mlp_48_96_48_gelu_add_down_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_48_96_48_gelu_add_down_value);
}

static void mlp_48_96_48_gelu_add(gemm_code *const *code, const float *x, const float *w1, const float *b1, const float *w2, const float *b2, const float *e1, float *hidden, float *y, int64_t rows)
{
    const operand_f32 up[] = { { b1, 0, 1 } };
    const operand_f32 down[] = { { b2, 0, 1 }, { e1, 48, 1 } };
    const mlp_code products = { code + 28, code + 32 };
    const linear_cut up_cut = { 33, 17, 0, 33, 33, 0, 0 };
    const linear_cut down_cut = { 33, 17, 0, 33, 33, 0, 0 };
    mlp_f32(&products, x, 48, w1, hidden, w2, y, 48, (int)rows, 48, 48, 96, 96, 96, 48, 32, 32, up_cut, down_cut, mlp_48_96_48_gelu_add_up_tile, up, mlp_48_96_48_gelu_add_down_tile, down);
}

static void move(const float *x, float *y, int64_t first, int64_t rows)
{
    static const move_shape shape = { .digits = 6, .rank = 4, .extent = { 1, 4, 4, 3, 8, 8 }, .axis = { 0, 2, 3, 1, 2, 3 }, .step = { 1, 8, 8, 1, 1, 1 }, .offset = { 0, 0, 0, 0 }, .wrap = { 0, 0, 0, 0 }, .stride = { 3072, 1024, 32, 1 } };
    move_elements(&shape, sizeof(float), x, y, (size_t)first * 192, (size_t)(first + rows) * 192);
}

static inline vf linear_192_to_48_add_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in1 = operand_load(&operands[0], row, column, count);
    return vf_add(y, in1);
}

static inline void linear_192_to_48_add_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_192_to_48_add_out_value);
}

static void linear_192_to_48_add(gemm_code *const *code, const float *x, const float *w, const float *e1, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { e1, 48, 1 } };
    const linear_cut cut = { 33, 16, 0, 33, 33, 0, 0 };
    linear_f32(code + 0, x, 192, w, y, 48, (int)rows, 0, 48, 192, 192, 32, cut, linear_192_to_48_add_out_tile, operands);
}

static void concat_part(const float *x, float *y, int64_t rows)
{
    copy_rows(x, 48 * sizeof *x, y + 0, 816 * sizeof *y, (size_t)rows, 48 * sizeof *y);
}

static inline vf linear_48_to_48_v3_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return in0;
}

static inline void linear_48_to_48_v3_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_48_to_48_v3_out_value);
}

static void linear_48_to_48_v3(gemm_code *const *code, const float *x, const float *w, const float *bias, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 } };
    const linear_cut cut = { 33, 1, 0, 33, 33, 0, 0 };
    linear_f32(code + 4, x, 48, w, y, 48, (int)rows, 0, 48, 48, 48, 32, cut, linear_48_to_48_v3_out_tile, operands);
}

static void attention_4x12_over_17_v2(gemm_code *const *code, const float *q, const float *k, const float *v, float *out, float *scratch, int64_t row, int64_t rows)
{
    const attention_code products = { code + 12, code + 13, NULL };
    attention_f32(&products, q, 48, k, v, 48, out, 48, (int)rows, (size_t)row, 4, 4, 17, 32, 32, 17, 12, 12, 0.288675129f, NULL, NULL, 1, scratch, 66, 1);
}

static inline vf linear_48_to_48_add_v2_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void linear_48_to_48_add_v2_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_48_to_48_add_v2_out_value);
}

static void linear_48_to_48_add_v2(gemm_code *const *code, const float *x, const float *w, const float *bias, const float *e1, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 }, { e1, 0, 1 } };
    const linear_cut cut = { 33, 1, 0, 33, 33, 0, 0 };
    linear_f32(code + 4, x, 48, w, y, 48, (int)rows, 0, 48, 48, 48, 32, cut, linear_48_to_48_add_v2_out_tile, operands);
}

static inline vf mlp_48_96_48_gelu_add_v2_up_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return vf_gelu(in0);
}

static inline void mlp_48_96_48_gelu_add_v2_up_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_48_96_48_gelu_add_v2_up_value);
}

static inline vf mlp_48_96_48_gelu_add_v2_down_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void mlp_48_96_48_gelu_add_v2_down_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_48_96_48_gelu_add_v2_down_value);
}

static void mlp_48_96_48_gelu_add_v2(gemm_code *const *code, const float *x, const float *w1, const float *b1, const float *w2, const float *b2, const float *e1, float *hidden, float *y, int64_t rows)
{
    const operand_f32 up[] = { { b1, 0, 1 } };
    const operand_f32 down[] = { { b2, 0, 1 }, { e1, 0, 1 } };
    const mlp_code products = { code + 14, code + 18 };
    const linear_cut up_cut = { 33, 1, 0, 33, 33, 0, 0 };
    const linear_cut down_cut = { 33, 1, 0, 33, 33, 0, 0 };
    mlp_f32(&products, x, 48, w1, hidden, w2, y, 48, (int)rows, 48, 48, 96, 96, 96, 48, 32, 32, up_cut, down_cut, mlp_48_96_48_gelu_add_v2_up_tile, up, mlp_48_96_48_gelu_add_v2_down_tile, down);
}

static inline vf linear_48_to_10_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return in0;
}

static inline void linear_48_to_10_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_48_to_10_out_value);
}

static void linear_48_to_10(gemm_code *const *code, const float *x, const float *w, const float *bias, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 } };
    const linear_cut cut = { 33, 1, 0, 33, 33, 0, 0 };
    linear_f32(code + 22, x, 48, w, y, 10, (int)rows, 0, 10, 48, 48, 10, cut, linear_48_to_10_out_tile, operands);
}

const struct digits_kernels KERNEL_TABLE = {
    .norm_48 = norm_48,
    .linear_48_to_48 = linear_48_to_48,
    .linear_48_to_48_v2 = linear_48_to_48_v2,
    .keys_4x12 = keys_4x12,
    .attention_4x12_over_17 = attention_4x12_over_17,
    .linear_48_to_48_add = linear_48_to_48_add,
    .mlp_48_96_48_gelu_add = mlp_48_96_48_gelu_add,
    .move = move,
    .linear_192_to_48_add = linear_192_to_48_add,
    .concat_part = concat_part,
    .linear_48_to_48_v3 = linear_48_to_48_v3,
    .attention_4x12_over_17_v2 = attention_4x12_over_17_v2,
    .linear_48_to_48_add_v2 = linear_48_to_48_add_v2,
    .mlp_48_96_48_gelu_add_v2 = mlp_48_96_48_gelu_add_v2,
    .linear_48_to_10 = linear_48_to_10,
};

#include "templates/level_end.h"
