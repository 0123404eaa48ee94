/* Convolution with channels last, with strides, padding wider than the kernel, dilation: by pieces of lines, in groups, runs of one place and of a line; of few rows;
 * channel by channel; by Winograd's tiles. */
#include "level_test.h"

#include "conv_few_f32.h"
#include "conv_last_f32_reference.h"
#include "depthwise_f32.h"
#include "winograd_f32.h"

static int between(int low, int high)
{
    return low + (int)test_random(0, (float)(high - low) + .99f);
}

/* A random window over channels; false: it does not fit. */
static bool make_shape(windows_shape *s, int most)
{
    for (int a = 0; a < 2; a++) {
        s->size[a] = between(1, most);
        s->kernel[a] = between(1, 4);
        s->stride[a] = between(1, 3);
        s->dilation[a] = between(1, 3);
        s->pad[a] = between(0, 5);
        const int room = s->size[a] + s->pad[a] + between(0, 5) - (s->kernel[a] - 1) * s->dilation[a] - 1;
        if (room < 0) return false;
        s->out[a] = room / s->stride[a] + 1;
    }
    return true;
}

/* Some rows of two images' results. */
static void some_rows(const windows_shape *s, int *first, int *rows)
{
    const int all = 2 * s->out[0] * s->out[1];
    *first = between(0, all - 1);
    *rows = between(1, all - *first);
}

static floats image_of(const windows_shape *s)
{
    return floats_random((size_t)(2 * s->size[0] * s->size[1] * s->channels), -1, 1);
}

static void pack(const float *w, float *to, int k, int n, int block)
{
    for (int j = 0; j < n; j += block) {
        const int width = n - j < block ? n - j : block;
        for (int i = 0; i < k; i++) memcpy(to + j * k + i * width, w + i * n + j, (size_t)width * sizeof *to);
    }
}

/* Floats, as whole lines. */
static size_t lines(int count)
{
    return ((size_t)count + 15) / 16 * 16;
}

static vf plus_operand(vf y, const operand_f32 *operands, size_t row, int column, int count)
{
    return y + operand_load(operands, row, column, count);
}

static void plus_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, const void *operands)
{
    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, plus_operand);
}

/* Some pieces of two images' results, to which something is added. */
static void check_pieces(const windows_shape *s, int each, int taps, int part, int bn)
{
    const int all = s->kernel[0] * s->kernel[1], k = all * s->channels / s->groups, n = each * s->groups, lines_of_images = 2 * s->out[0];
    conv_cut cut = { .piece = between(1, s->out[1]), .tile = between(1, 9), .low = 1, .part = part, .taps = taps };
    while (s->out[1] % cut.piece) cut.piece--;
    const int across = s->out[1] / cut.piece, first = between(0, lines_of_images * across - 1), count = between(1, lines_of_images * across - first);
    cut.pieces = across == 1 ? between(1, 4) : 1;
    const int rows = count * cut.piece, row = first * cut.piece;
    const int copies = conv_is_inside(s) ? 1 : conv_reach(s, 0, cut.pieces) * conv_reach(s, 1, cut.piece) * s->channels;
    floats x = image_of(s), w = floats_random((size_t)(k * n), -1, 1), packed = floats_new((size_t)(k * n)), y = floats_new((size_t)(rows * n));
    floats scratch = floats_new((size_t)copies), more = floats_random((size_t)(rows * n), -1, 1);
    const operand_f32 operand = { more.data, (size_t)n, 1 };
    pack(w.data, packed.data, k, n, bn);
    conv_last_f32(NULL, s, x.data, packed.data, scratch.data, y.data, (size_t)row, rows, n, bn, cut, plus_tile, &operand);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n; j++)
            assert_near((double)y.data[r * n + j], conv_last_f32_reference(s, x.data, w.data, n, row + r, j) + (double)more.data[r * n + j], 3e-7 * (k + 1));
    floats_free(x), floats_free(w), floats_free(packed), floats_free(scratch), floats_free(more), floats_free(y);
}

static void test_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < 800; i++) {
        windows_shape s = { .groups = i % 3 ? 1 : between(2, 3) };
        const int each = between(1, i % 5 ? 6 : 40), bn = s.groups > 1 ? each : between(1, i % 5 ? 7 : 40);
        s.channels = between(1, 9) * s.groups;
        if (!make_shape(&s, 9)) continue;
        if (i % 4 == 0) s.pad[0] = s.pad[1] = 0;   /* mostly inside */
        for (int a = 0; a < 2 && i % 4 == 0; a++) s.out[a] = s.size[a] > (s.kernel[a] - 1) * s.dilation[a] ? (s.size[a] - (s.kernel[a] - 1) * s.dilation[a] - 1) / s.stride[a] + 1 : 1;
        check_pieces(&s, each, s.groups == 1 && s.dilation[1] == 1 && i % 2 ? s.kernel[1] : 1, between(1, 40), bn);
    }
}

/* Some blocks of outputs of all rows. */
static void check_few(const windows_shape *s, int n, int part, int bn)
{
    const int k = s->kernel[0] * s->kernel[1] * s->channels, rows = 2 * s->out[0] * s->out[1], blocks = (n + bn - 1) / bn;
    const int first = between(0, blocks - 1), count = between(1, blocks - first), column = first * bn, columns = count * bn;
    const int tile = between(1, 20), steps = between(0, 3), step = steps ? part / steps : part, sum = steps ? step * steps : part;
    const linear_cut cut = { tile, 1, steps ? step : 0, tile + between(0, 60), tile, 1, 0 };
    floats x = image_of(s), w = floats_random((size_t)(k * n), -1, 1), packed = floats_new((size_t)(k * n)), y = floats_new((size_t)(rows * n));
    floats scratch = floats_new((size_t)((k + step - 1) / step * step * rows));
    pack(w.data, packed.data, k, n, bn);
    for (int i = 0; i < rows * n; i++) y.data[i] = 99;
    conv_few_f32(NULL, s, x.data, packed.data, scratch.data, y.data, rows, first, count, n, sum, bn, cut, tile_as_is_f32, NULL);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n; j++) {
            const bool made = j >= column && j < column + columns;
            if (made) assert_near((double)y.data[r * n + j], conv_last_f32_reference(s, x.data, w.data, n, r, j), 3e-7 * (k + 1));
            else assert_true(y.data[r * n + j] == 99);
        }
    floats_free(x), floats_free(w), floats_free(packed), floats_free(scratch), floats_free(y);
}

static void test_few(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        windows_shape s = { .channels = between(1, 20), .groups = 1 };
        if (make_shape(&s, 6)) check_few(&s, between(1, 70), between(3, 40), between(1, 40));
    }
}

static void test_depthwise(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        windows_shape s = { .channels = between(1, 70) };
        s.groups = s.channels;
        if (!make_shape(&s, 14)) continue;
        int first, rows;
        some_rows(&s, &first, &rows);
        floats x = image_of(&s), w = floats_random((size_t)(s.kernel[0] * s.kernel[1] * s.channels), -1, 1), b = floats_random((size_t)s.channels, -1, 1);
        floats y = floats_new((size_t)(rows * s.channels));
        depthwise_f32(&s, x.data, w.data, i & 1 ? b.data : NULL, y.data, (size_t)first, (size_t)rows);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < s.channels; c++)
                assert_near((double)y.data[r * s.channels + c],
                            conv_last_f32_reference(&s, x.data, w.data, s.channels, first + r, c) + (i & 1 ? (double)b.data[c] : 0), 6e-6);
        floats_free(x), floats_free(w), floats_free(b), floats_free(y);
    }
}

/* G g G' of the places of a channel's window for each output: w [9][channels][n] to [16][channels][n]. */
static void transform(const float *w, float *to, int inner)
{
    static const double G[4][3] = { { 1, 0, 0 }, { .5, .5, .5 }, { .5, -.5, .5 }, { 0, 0, 1 } };
    for (int p = 0; p < 16; p++)
        for (int i = 0; i < inner; i++) {
            double sum = 0;
            for (int y = 0; y < 3; y++)
                for (int x = 0; x < 3; x++) sum += G[p / 4][y] * G[p % 4][x] * (double)w[(3 * y + x) * inner + i];
            to[p * inner + i] = (float)sum;
        }
}

static int half_up(int n)
{
    return (n + 1) / 2;
}

/* Some blocks of outputs of some tiles of two images: those as by the definition, all others as they were. */
static void check_winograd(const windows_shape *s, int n, int part, int bn)
{
    const int channels = s->channels, across = half_up(s->out[1]), down = half_up(s->out[0]), all = 2 * across * down, pixels = s->out[0] * s->out[1];
    const int first = between(0, all - 1), tiles = between(1, all - first), tile = between(1, tiles), blocks = (n + bn - 1) / bn;
    const int column = between(0, blocks - 1) * bn, columns = between(1, blocks - column / bn) * bn;
    floats x = image_of(s), w = floats_random((size_t)(9 * channels * n), -1, 1), g = floats_new((size_t)(16 * channels * n));
    floats packed = floats_new((size_t)(16 * channels * n)), y = floats_new((size_t)(2 * pixels * n));
    floats scratch = floats_new(lines(channels) + 16 * (lines(tile * channels) + lines(tile * bn) + 32) + lines(4 * tile * bn));
    const int height = between(1, tile);
    const linear_cut cut = { height, 1, between(0, 2) ? 0 : part, between(height, tile), height, 0, 0 };
    transform(w.data, g.data, channels * n);
    pack(g.data, packed.data, 16 * channels, n, bn);
    for (int i = 0; i < 2 * pixels * n; i++) y.data[i] = 99;
    winograd_f32(NULL, s, x.data, packed.data, scratch.data, y.data, (size_t)first, tiles, column, columns, n, part, bn, tile, cut, tile_as_is_f32, NULL);
    for (int r = 0; r < 2 * pixels; r++) {
        const int t = r / pixels * across * down + r % pixels / s->out[1] / 2 * across + r % s->out[1] / 2;
        for (int j = 0; j < n; j++) {
            const bool made = t >= first && t < first + tiles && j >= column && j < column + columns;
            if (made) assert_near((double)y.data[r * n + j], conv_last_f32_reference(s, x.data, w.data, n, r, j), 3e-7 * (9 * channels + 1));
            else assert_true(y.data[r * n + j] == 99);
        }
    }
    floats_free(x), floats_free(w), floats_free(g), floats_free(packed), floats_free(scratch), floats_free(y);
}

static void test_winograd(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        windows_shape s = { .channels = between(1, 40), .groups = 1, .kernel = { 3, 3 }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
        for (int a = 0; a < 2; a++) {
            s.size[a] = between(1, 9);
            s.pad[a] = between(s.size[a] < 3 ? 2 : 0, 4);
            s.out[a] = s.size[a] + s.pad[a] - 2 + between(0, 4);
        }
        check_winograd(&s, between(1, 70), between(1, 50), between(1, 40));
    }
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces), cmocka_unit_test(test_few), cmocka_unit_test(test_depthwise), cmocka_unit_test(test_winograd) };
    return RUN_AT_LEVEL(tests);
}
