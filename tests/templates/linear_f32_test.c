/* Linear layers: tiles, blocks and remainders, epilogues with operands, addition to what is there, the choice of kernels by height and step. */
#include "level_test.h"

#include "linear_f32.h"
#include "linear_f32_reference.h"

static vf bias_gelu_add(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    const vf activated = vf_gelu(y + operand_load(&operands[0], row, column, count));
    return activated * operand_load(&operands[1], row, column, count) + operand_load(&operands[2], row, column, count);
}

static void bias_gelu_add_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, bias_gelu_add);
}

static double gelu_of(double x)
{
    return .5 * x * erfc(-x / sqrt(2));
}

static void check(linear_cut cut, int rows, int n, int k, int part, int bn)
{
    const int ldx = k + 3, ldy = n + 5;
    const size_t first_row = 4;
    floats x = floats_random((size_t)(rows - 1) * (size_t)ldx + (size_t)k, -1, 1), w = floats_random((size_t)n * (size_t)k, -.5f, .5f);
    floats y = floats_new((size_t)(rows - 1) * (size_t)ldy + (size_t)n), bias = floats_random((size_t)n, -1, 1);
    floats factor = floats_random(first_row + (size_t)rows, -1, 1), table = floats_random((first_row + (size_t)rows) * (size_t)n, -1, 1);
    const operand_f32 operands[] = { { bias.data, 0, 1 }, { factor.data, 1, 0 }, { table.data, (size_t)n, 1 } };
    linear_f32(NULL, x.data, ldx, w.data, y.data, ldy, rows, first_row, n, k, part, bn, cut, bias_gelu_add_tile, operands);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < ldy && (r < rows - 1 || i < n); i++) {
            if (i >= n) {
                assert_true(y.data[r * ldy + i] == GUARD_VALUE);
                continue;
            }
            double bound;
            const double product = linear_f32_reference(x.data, ldx, w.data, n, k, bn, r, i, 0, &bound);
            const size_t row = first_row + (size_t)r;
            const double expected = gelu_of(product + (double)bias.data[i]) * (double)factor.data[row] + (double)table.data[row * (size_t)n + (size_t)i];
            assert_near((double)y.data[r * ldy + i], expected, 3e-7 * (bound + 2));
        }
    floats_free(x), floats_free(w), floats_free(y), floats_free(bias), floats_free(factor), floats_free(table);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int rows = 1; rows < 40; rows += 4)
        for (int n = 1; n < 80; n += 13) {
            check((linear_cut){ 8, 1, 0, 8 + n % 2 * 12, 8 - n % 3, n % 3 == 0, 0 }, rows, n, 17, 4 + rows % 15, 32);
            check((linear_cut){ 5, 1, 3, 5 + n % 3 * 6, 5 - n % 2, n % 2, 0 }, rows, n, 17, 3 + rows % 5 * 3, 32);
        }
    for (int share = 32; share <= 64; share += 32) {
        check((linear_cut){ 32, 1, 0, share, 32, 0, 0 }, 50, 200, 100, 100, 64);
        check((linear_cut){ 25, 1, 0, share, 25, 0, 0 }, 50, 192, 64, 16, 64);
        check((linear_cut){ 32, 1, 0, share, 32, 1, 0 }, 1, 1000, 96, 40, ROW_WIDTH);
        check((linear_cut){ 14, 1, 20, share, 14, 0, 0 }, 50, 200, 100, 100, 64);
    }
}

enum { KINDS = 8 };
static int calls[KINDS];
#define COUNTING(i) static void count_##i(const float *a, const float *b, float *c, ...) { (void)a, (void)b, (void)c; calls[i]++; }
COUNTING(0) COUNTING(1) COUNTING(2) COUNTING(3) COUNTING(4) COUNTING(5) COUNTING(6) COUNTING(7)

/* Reads no sums: kernels that count make none. */
static void ignore_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    (void)tile, (void)y, (void)ldy, (void)rows, (void)columns, (void)row, (void)column, (void)operands;
}

/* 10 rows in tiles of at most 4: 4, 3, 3; 20 features in blocks of 8: two whole ones and one of 4; 5 inputs, 2 at a time: twice 2 and once 1. */
static void test_kernels_by_height(void **state)
{
    (void)state;
    gemm_code *const code[] = { count_0, count_1, count_2, count_3, count_4, count_5, count_6, count_7 };
    float x[50] = { 0 }, w[100] = { 0 }, y[200] = { 0 };
    linear_f32(code, x, 5, w, y, 20, 10, 0, 20, 5, 2, 8, (linear_cut){ 4, 3, 0, 4, 4, 0, 0 }, ignore_tile, NULL);
    const int expected[KINDS] = { 8, 4, 4, 2, 4, 2, 2, 1 };
    for (int i = 0; i < KINDS; i++) assert_int_equal(calls[i], expected[i]);
}

/* 6 rows in two tiles of 3; the same blocks; 11 inputs in parts of 4, 4 and 3, each in steps of 2: five whole ones, two of which add, and an adding one of 1. */
static void test_kernels_by_step(void **state)
{
    (void)state;
    gemm_code *const code[] = { count_0, count_1, count_2, count_3, count_4, count_5, count_6, count_7 };
    float x[66] = { 0 }, w[220] = { 0 }, y[120] = { 0 };
    memset(calls, 0, sizeof calls);
    linear_f32(code, x, 11, w, y, 20, 6, 0, 20, 11, 4, 8, (linear_cut){ 4, 3, 2, 4, 4, 0, 0 }, ignore_tile, NULL);
    const int expected[KINDS] = { 12, 0, 8, 4, 6, 0, 4, 2 };
    for (int i = 0; i < KINDS; i++) assert_int_equal(calls[i], expected[i]);
}

static const float *weights_read[16];
static int reads;

static void note_weights(const float *a, const float *b, float *c, ...)
{
    (void)b, (void)c;
    weights_read[reads++] = a;
}

/* 5 rows in tiles of 2, 2 and 1; one block of 3 outputs; 8 inputs in parts of 4, each in steps of 2. Rows of one share: each step's weights for all
 * tiles, which are as tall as few rows' are, before the next step's. More rows: all of a tile's first. */
static void test_order_of_weights(void **state)
{
    (void)state;
    gemm_code *const code[] = { note_weights, note_weights, note_weights, note_weights, note_weights, note_weights, note_weights, note_weights,
                                note_weights, note_weights, note_weights, note_weights, note_weights, note_weights, note_weights, note_weights };
    float x[40] = { 0 }, w[24] = { 0 }, y[15] = { 0 };
    for (int share = 2; share <= 5; share += 3) {
        const int tile = share == 5 ? 5 : 2, few = share == 5 ? 2 : 1;
        reads = 0;
        linear_f32(code, x, 8, w, y, 3, 5, 0, 3, 8, 4, 3, (linear_cut){ tile, 1, 2, share, few, 0, 0 }, ignore_tile, NULL);
        assert_int_equal(reads, 12);
        for (int i = 0; i < reads; i++) assert_int_equal(weights_read[i] - w, (share == 5 ? i / 3 : i % 4) * 6);
    }
}

/* A row alone reads the parts of its sum side by side; as one of two rows it does not. */
static void test_one_row_has_the_bits_of_several(void **state)
{
    (void)state;
    for (int parts = 1; parts <= 9; parts++)
        for (int part = 3; part <= 20; part += 17)
            for (int rest = 0; rest <= 2; rest += 2) {
                const int k = parts * part + rest, n = 80;
                floats x = floats_random((size_t)k, -1, 1), w = floats_random((size_t)n * (size_t)k, -1, 1);
                floats one = floats_new((size_t)n), two = floats_new((size_t)n * 2);
                const linear_cut cut = { 33, 1, 0, 33, 33, 1, 0 };
                linear_f32(NULL, x.data, k, w.data, one.data, n, 1, 0, n, k, part, 32, cut, tile_as_is_f32, NULL);
                linear_f32(NULL, x.data, 0, w.data, two.data, n, 2, 0, n, k, part, 32, cut, tile_as_is_f32, NULL);
                for (int i = 0; i < n; i++) {
                    double bound;
                    const double expected = linear_f32_reference(x.data, k, w.data, n, k, 32, 0, i, 0, &bound);
                    assert_near((double)one.data[i], expected, 3e-7 * (bound + 2));
                    assert_true(one.data[i] == two.data[i] && one.data[i] == two.data[n + i]);
                }
                floats_free(x), floats_free(w), floats_free(one), floats_free(two);
            }
}

static void test_no_rows(void **state)
{
    (void)state;
    float y = GUARD_VALUE;
    for (int step = 0; step <= 1; step++) linear_f32(NULL, NULL, 1, NULL, &y, 1, 0, 0, 1, 1, 1, 64, (linear_cut){ 32, 1, step, 32, 32, 0, 0 }, tile_as_is_f32, NULL);
    assert_true(y == GUARD_VALUE);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_kernels_by_height), cmocka_unit_test(test_kernels_by_step),
                                       cmocka_unit_test(test_order_of_weights),
                                       cmocka_unit_test(test_one_row_has_the_bits_of_several), cmocka_unit_test(test_no_rows) };
    return RUN_AT_LEVEL(tests);
}
