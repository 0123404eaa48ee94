/* deit_teacher: every kernel of the model, each a template with its sizes fixed. Compiled once for each instruction-set level: deit_teacher_kernels_avx2.c and deit_teacher_kernels_avx512.c include this file. */
#include "deit_teacher_kernels.h"

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
#define KERNEL_TABLE deit_teacher_kernels_base
#endif

static void move(const float *x, float *y, int64_t first, int64_t rows)
{
    static const move_shape shape = { .digits = 5, .rank = 4, .extent = { 4, 4, 3, 4, 4 }, .axis = { 2, 3, 1, 2, 3 }, .step = { 4, 4, 1, 1, 1 }, .offset = { 0, 0, 0, 0 }, .wrap = { 0, 0, 0, 0 }, .stride = { 768, 256, 16, 1 } };
    move_elements(&shape, sizeof(float), x, y, (size_t)first * 48, (size_t)(first + rows) * 48);
}

static inline vf linear_48_to_32_add_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in1 = operand_load(&operands[0], row, column, count);
    return vf_add(y, in1);
}

static inline void linear_48_to_32_add_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_48_to_32_add_out_value);
}

static void linear_48_to_32_add(gemm_code *const *code, const float *x, const float *w, const float *e1, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { e1, 32, 1 } };
    const linear_cut cut = { 33, 16, 0, 33, 33, 0, 0 };
    linear_f32(code + 0, x, 48, w, y, 32, (int)rows, 0, 32, 48, 48, 32, cut, linear_48_to_32_add_out_tile, operands);
}

static void concat_part(const float *x, float *y, int64_t rows)
{
    copy_rows(x, 32 * sizeof *x, y + 0, 576 * sizeof *y, (size_t)rows, 32 * sizeof *y);
}

static void concat_part_v2(const float *x, float *y, int64_t rows)
{
    copy_rows(x, 32 * sizeof *x, y + 32, 576 * sizeof *y, (size_t)rows, 32 * sizeof *y);
}

static void norm_32(const float *x, float *y, int64_t rows)
{
    layer_norm_f32(x, 32, y, 32, (int)rows, 32, NULL, NULL, 9.99999996e-13f);
}

static inline vf linear_32_to_32_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return in0;
}

static inline void linear_32_to_32_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_32_to_32_out_value);
}

static void linear_32_to_32(gemm_code *const *code, const float *x, const float *w, const float *bias, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 } };
    const linear_cut cut = { 33, 18, 0, 33, 33, 0, 0 };
    linear_f32(code + 4, x, 32, w, y, 32, (int)rows, 0, 32, 32, 32, 32, cut, linear_32_to_32_out_tile, operands);
}

static void linear_32_to_32_v2(gemm_code *const *code, const float *x, const float *w, float *y, int64_t rows)
{
    const linear_cut cut = { 33, 18, 0, 33, 33, 0, 0 };
    linear_f32(code + 4, x, 32, w, y, 32, (int)rows, 0, 32, 32, 32, 32, cut, tile_as_is_f32, NULL);
}

static void keys_2x16(const float *k, float *keys, int64_t row, int64_t rows)
{
    if (row == 0) clear_keys_f32(keys, 32, 18, 2, 16);
    transpose_keys_f32(k, 32, keys, 32, (size_t)row, (int)rows, 2, 16);
}

static void attention_2x16_over_18(gemm_code *const *code, const float *q, const float *k, const float *v, float *out, float *scratch, int64_t row, int64_t rows)
{
    const attention_code products = { code + 8, code + 9, NULL };
    attention_f32(&products, q, 32, k, v, 32, out, 32, (int)rows, (size_t)row, 2, 2, 18, 32, 32, 18, 16, 16, 0.25f, NULL, NULL, 18, scratch, 66, 18);
}

static inline vf linear_32_to_32_add_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void linear_32_to_32_add_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_32_to_32_add_out_value);
}

static void linear_32_to_32_add(gemm_code *const *code, const float *x, const float *w, const float *bias, const float *e1, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 }, { e1, 32, 1 } };
    const linear_cut cut = { 33, 18, 0, 33, 33, 0, 0 };
    linear_f32(code + 4, x, 32, w, y, 32, (int)rows, 0, 32, 32, 32, 32, cut, linear_32_to_32_add_out_tile, operands);
}

static inline vf mlp_32_64_32_gelu_add_up_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return vf_gelu(in0);
}

static inline void mlp_32_64_32_gelu_add_up_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_32_64_32_gelu_add_up_value);
}

static inline vf mlp_32_64_32_gelu_add_down_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void mlp_32_64_32_gelu_add_down_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_32_64_32_gelu_add_down_value);
}

static void mlp_32_64_32_gelu_add(gemm_code *const *code, const float *x, const float *w1, const float *b1, const float *w2, const float *b2, const float *e1, float *hidden, float *y, int64_t rows)
{
    const operand_f32 up[] = { { b1, 0, 1 } };
    const operand_f32 down[] = { { b2, 0, 1 }, { e1, 32, 1 } };
    const mlp_code products = { code + 10, code + 14 };
    const linear_cut up_cut = { 33, 18, 0, 33, 33, 0, 0 };
    const linear_cut down_cut = { 33, 18, 0, 33, 33, 0, 0 };
    mlp_f32(&products, x, 32, w1, hidden, w2, y, 32, (int)rows, 32, 32, 64, 64, 64, 32, 32, 32, up_cut, down_cut, mlp_32_64_32_gelu_add_up_tile, up, mlp_32_64_32_gelu_add_down_tile, down);
}

static inline vf linear_32_to_32_v3_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return in0;
}

static inline void linear_32_to_32_v3_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_32_to_32_v3_out_value);
}

static void linear_32_to_32_v3(gemm_code *const *code, const float *x, const float *w, const float *bias, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 } };
    const linear_cut cut = { 33, 2, 0, 33, 33, 0, 0 };
    linear_f32(code + 18, x, 32, w, y, 32, (int)rows, 0, 32, 32, 32, 32, cut, linear_32_to_32_v3_out_tile, operands);
}

static void attention_2x16_over_18_v2(gemm_code *const *code, const float *q, const float *k, const float *v, float *out, float *scratch, int64_t row, int64_t rows)
{
    const attention_code products = { code + 22, code + 23, NULL };
    attention_f32(&products, q, 32, k, v, 32, out, 32, (int)rows, (size_t)row, 2, 2, 18, 32, 32, 18, 16, 16, 0.25f, NULL, NULL, 2, scratch, 66, 2);
}

static inline vf linear_32_to_32_add_v2_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void linear_32_to_32_add_v2_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_32_to_32_add_v2_out_value);
}

static void linear_32_to_32_add_v2(gemm_code *const *code, const float *x, const float *w, const float *bias, const float *e1, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 }, { e1, 32, 1 } };
    const linear_cut cut = { 33, 2, 0, 33, 33, 0, 0 };
    linear_f32(code + 18, x, 32, w, y, 32, (int)rows, 0, 32, 32, 32, 32, cut, linear_32_to_32_add_v2_out_tile, operands);
}

static inline vf mlp_32_64_32_gelu_add_v2_up_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return vf_gelu(in0);
}

static inline void mlp_32_64_32_gelu_add_v2_up_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_32_64_32_gelu_add_v2_up_value);
}

static inline vf mlp_32_64_32_gelu_add_v2_down_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    const vf in1 = operand_load(&operands[1], row, column, count);
    return vf_add(in0, in1);
}

static inline void mlp_32_64_32_gelu_add_v2_down_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, mlp_32_64_32_gelu_add_v2_down_value);
}

static void mlp_32_64_32_gelu_add_v2(gemm_code *const *code, const float *x, const float *w1, const float *b1, const float *w2, const float *b2, const float *e1, float *hidden, float *y, int64_t rows)
{
    const operand_f32 up[] = { { b1, 0, 1 } };
    const operand_f32 down[] = { { b2, 0, 1 }, { e1, 32, 1 } };
    const mlp_code products = { code + 24, code + 28 };
    const linear_cut up_cut = { 33, 2, 0, 33, 33, 0, 0 };
    const linear_cut down_cut = { 33, 2, 0, 33, 33, 0, 0 };
    mlp_f32(&products, x, 32, w1, hidden, w2, y, 32, (int)rows, 32, 32, 64, 64, 64, 32, 32, 32, up_cut, down_cut, mlp_32_64_32_gelu_add_v2_up_tile, up, mlp_32_64_32_gelu_add_v2_down_tile, down);
}

static inline vf linear_32_to_5_out_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));
    return in0;
}

static inline void linear_32_to_5_out_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, linear_32_to_5_out_value);
}

static void linear_32_to_5(gemm_code *const *code, const float *x, const float *w, const float *bias, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { bias, 0, 1 } };
    const linear_cut cut = { 33, 1, 0, 33, 33, 0, 0 };
    linear_f32(code + 32, x, 32, w, y, 5, (int)rows, 0, 5, 32, 32, 5, cut, linear_32_to_5_out_tile, operands);
}

static inline vf map_add_div_5_value(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    (void)y;
    const vf in0 = operand_load(&operands[0], row, column, count);
    const vf in1 = operand_load(&operands[1], row, column, count);
    const vf in2 = operand_load(&operands[2], row, column, count);
    return vf_div(vf_add(in0, in1), in2);
}

static void map_add_div_5(const float *x0, const float *x1, const float *x2, float *y, int64_t rows)
{
    const operand_f32 operands[] = { { x0, 0, 1 }, { x1, 0, 1 }, { x2, 0, 0 } };
    const tile_f32 tile = { y, 5, 1, 0, 0 };
    tile_map_f32(&tile, y, 5, (int)rows, 5, 0, 0, operands, map_add_div_5_value);
}

const struct deit_teacher_kernels KERNEL_TABLE = {
    .move = move,
    .linear_48_to_32_add = linear_48_to_32_add,
    .concat_part = concat_part,
    .concat_part_v2 = concat_part_v2,
    .norm_32 = norm_32,
    .linear_32_to_32 = linear_32_to_32,
    .linear_32_to_32_v2 = linear_32_to_32_v2,
    .keys_2x16 = keys_2x16,
    .attention_2x16_over_18 = attention_2x16_over_18,
    .linear_32_to_32_add = linear_32_to_32_add,
    .mlp_32_64_32_gelu_add = mlp_32_64_32_gelu_add,
    .linear_32_to_32_v3 = linear_32_to_32_v3,
    .attention_2x16_over_18_v2 = attention_2x16_over_18_v2,
    .linear_32_to_32_add_v2 = linear_32_to_32_add_v2,
    .mlp_32_64_32_gelu_add_v2 = mlp_32_64_32_gelu_add_v2,
    .linear_32_to_5 = linear_32_to_5,
    .map_add_div_5 = map_add_div_5,
};

#include "templates/level_end.h"
