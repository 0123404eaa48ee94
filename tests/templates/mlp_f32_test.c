/* MLPs: the hidden features whole and in parts, remainders of blocks, the choice of kernels, gates. */
#include "level_test.h"

#include "mlp_f32.h"
#include "mlp_f32_reference.h"

static vf bias_gelu(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    return vf_gelu(y + operand_load(&operands[0], row, column, count));
}

static void bias_gelu_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, bias_gelu);
}

static vf bias(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    return y + operand_load(&operands[0], row, column, count);
}

static void bias_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, bias);
}

/* w [k][n] in blocks of bn. */
static floats pack(const float *w, int k, int n, int bn)
{
    floats packed = floats_new((size_t)k * (size_t)n);
    for (int column = 0; column < n; column += bn) {
        const int width = n - column < bn ? n - column : bn;
        for (int i = 0; i < k; i++)
            for (int j = 0; j < width; j++) packed.data[column * k + i * width + j] = w[i * n + column + j];
    }
    return packed;
}

typedef struct sizes { int rows, k, up_part, h, chunk, down_part, n, up_width, down_width, tile; } sizes;

static void check(const sizes *s, linear_cut up_cut, linear_cut down_cut)
{
    const int ldx = s->k + 2, ldy = s->n + 3;
    floats x = floats_random((size_t)(s->rows * ldx), -1, 1), w1 = floats_random((size_t)(s->k * s->h), -.5f, .5f), w2 = floats_random((size_t)(s->h * s->n), -.5f, .5f);
    floats b1 = floats_random((size_t)s->h, -1, 1), b2 = floats_random((size_t)s->n, -1, 1), y = floats_new((size_t)(s->rows * ldy));
    floats hidden = floats_new((size_t)(s->rows * s->chunk)), p1 = pack(w1.data, s->k, s->h, s->up_width), p2 = pack(w2.data, s->h, s->n, s->down_width);
    const operand_f32 up[] = { { b1.data, 0, 1 } }, down[] = { { b2.data, 0, 1 } };
    const mlp_code code = { NULL, NULL };
    mlp_f32(&code, x.data, ldx, p1.data, hidden.data, p2.data, y.data, ldy, s->rows, s->k, s->up_part, s->h, s->chunk, s->down_part, s->n,
            s->up_width, s->down_width, up_cut, down_cut, bias_gelu_tile, up, bias_tile, down);
    double *middle = malloc((size_t)s->h * sizeof *middle), *expected = malloc((size_t)s->n * sizeof *expected);
    for (int r = 0; r < s->rows; r++) {
        mlp_reference_row(x.data + r * ldx, w1.data, b1.data, w2.data, b2.data, middle, expected, s->k, s->h, s->n);
        for (int i = 0; i < s->n; i++) assert_near((double)y.data[r * ldy + i], expected[i], 3e-7 * (s->k + s->h));
        for (int i = s->n; i < ldy; i++) assert_true(y.data[r * ldy + i] == GUARD_VALUE);
    }
    free(middle);
    free(expected);
    floats_free(x), floats_free(w1), floats_free(w2), floats_free(b1), floats_free(b2), floats_free(y), floats_free(hidden), floats_free(p1), floats_free(p2);
}

static void test_shapes(void **state)
{
    (void)state;
    static const sizes shapes[] = {
        { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, { 7, 5, 2, 12, 12, 12, 9, 8, 4, 3 }, { 10, 16, 16, 24, 8, 8, 20, 8, 8, 4 }, { 50, 33, 11, 96, 32, 12, 70, 32, 32, 33 },
        { 4, 20, 7, 50, 50, 17, 6, 32, 32, 33 },
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const sizes *const s = &shapes[i];
        for (int more = 0; more <= 20; more += 20) {
            const int share = s->tile + more;
            check(s, (linear_cut){ s->tile, 1, 0, share, s->tile, more > 0, 0 }, (linear_cut){ s->tile, 1, 0, share, s->tile, more > 0, 0 });
            check(s, (linear_cut){ s->tile, 1, s->up_part, share, s->tile, 0, 0 }, (linear_cut){ s->tile + 2, 1, s->down_part % 2 ? 1 : 2, share + 2, s->tile + 2, 0, 0 });
        }
    }
}

static int calls[3];
#define COUNTING(i) static void count_##i(const float *a, const float *b, float *c, ...) { (void)a, (void)b, (void)c; calls[i]++; }
COUNTING(0) COUNTING(1) COUNTING(2)

/* Reads no sums: kernels that count make none. */
static void ignore_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    (void)tile, (void)y, (void)ldy, (void)rows, (void)columns, (void)row, (void)column, (void)operands;
}

/* 6 rows in two tiles, 16 hidden features in four blocks, 4 outputs in one block, whose 16 inputs are summed 10 and 6 at a time. */
static void test_kernels(void **state)
{
    (void)state;
    gemm_code *const up[] = { count_0, NULL, NULL, NULL }, *const down[] = { count_1, count_2, NULL, NULL };
    float x[6] = { 0 }, w1[16] = { 0 }, w2[64] = { 0 }, hidden[96] = { 0 }, y[24] = { 0 };
    const mlp_code code = { up, down };
    const linear_cut cut = { 3, 3, 0, 3, 3, 0, 0 };
    mlp_f32(&code, x, 1, w1, hidden, w2, y, 4, 6, 1, 1, 16, 16, 10, 4, 4, 4, cut, cut, ignore_tile, NULL, ignore_tile, NULL);
    assert_int_equal(calls[0], 2 * 4);
    assert_int_equal(calls[1], 2);
    assert_int_equal(calls[2], 2);
}

/* y = (a * b) w2, where a and b are the halves of x w1. */
static vf gate(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    return y * operand_load(&operands[0], row, column, count);
}

static void gate_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, gate);
}

static void check_gate(linear_cut cut)
{
    enum { ROWS = 9, K = 6, H = 19, N = 5 };
    floats x = floats_random(ROWS * K, -1, 1), w1 = floats_random(K * 2 * H, -1, 1), w2 = floats_random(H * N, -1, 1), hidden = floats_new(ROWS * 2 * H), y = floats_new(ROWS * N);
    floats p1 = pack(w1.data, K, 2 * H, 8), p2 = pack(w2.data, H, N, 4);
    const operand_f32 up[] = { { hidden.data + H, 2 * H, 1 } };
    const mlp_code code = { NULL, NULL };
    gated_mlp_f32(&code, x.data, K, p1.data, hidden.data, p2.data, y.data, N, ROWS, K, 4, H, 8, N, 8, 4, cut, cut, gate_tile, up, tile_as_is_f32, NULL);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int j = 0; j < H; j++) {
                double a = 0, b = 0;
                for (int c = 0; c < K; c++) {
                    a += (double)x.data[r * K + c] * (double)w1.data[c * 2 * H + j];
                    b += (double)x.data[r * K + c] * (double)w1.data[c * 2 * H + H + j];
                }
                sum += a * b * (double)w2.data[j * N + i];
            }
            assert_near((double)y.data[r * N + i], sum, 2e-5);
        }
    floats_free(x), floats_free(w1), floats_free(w2), floats_free(hidden), floats_free(y), floats_free(p1), floats_free(p2);
}

static void test_gate(void **state)
{
    (void)state;
    check_gate((linear_cut){ 4, 1, 0, 4, 4, 0, 0 });
    check_gate((linear_cut){ 4, 1, 0, 9, 4, 0, 0 });
    check_gate((linear_cut){ 4, 1, 4, 4, 4, 0, 0 });
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_kernels), cmocka_unit_test(test_gate) };
    return RUN_AT_LEVEL(tests);
}
