/* Broadcasting maps of every rank against the definition; ranges of rows; in place. */
#include "level_test.h"

#include "map_f32.h"

static vf fused(const vf *in)
{
    return vf_add(vf_mul(in[0], in[1]), vf_relu(in[2]));
}

static int below(int n)
{
    return (int)test_random(0, (float)n - .01f);
}

static void check(int rank, size_t first, size_t last, const size_t *extent)
{
    map_shape s = { .rank = rank, .inputs = 3 };
    size_t total = 1, size[3] = { 1, 1, 1 };
    for (int a = rank - 1; a >= 0; a--) {
        s.extent[a] = extent[a];
        s.out_stride[a] = (ptrdiff_t)total;
        total *= extent[a];
        for (int i = 0; i < 3; i++) {
            if (i && below(3) == 0) continue;   /* broadcast */
            s.stride[i][a] = (ptrdiff_t)size[i];
            size[i] *= extent[a];
        }
    }
    const size_t row = total / extent[0];
    floats in[3], out = floats_new(total);
    const float *pointers[3];
    for (int i = 0; i < 3; i++) pointers[i] = (in[i] = floats_random(size[i], -1, 1)).data;
    map_f32(&s, pointers, out.data, first, last, fused);
    for (size_t n = 0; n < total; n++) {
        size_t at[3] = { 0 }, rest = n;
        for (int a = rank - 1; a >= 0; a--) {
            for (int i = 0; i < 3; i++) at[i] += rest % extent[a] * (size_t)s.stride[i][a];
            rest /= extent[a];
        }
        const float c = in[2].data[at[2]];
        const double expected = (double)in[0].data[at[0]] * (double)in[1].data[at[1]] + (c > 0 ? (double)c : 0);
        if (n / row < first || n / row >= last) assert_true(out.data[n] == GUARD_VALUE);
        else assert_near((double)out.data[n], expected, 2.4e-7);
    }
    for (int i = 0; i < 3; i++) floats_free(in[i]);
    floats_free(out);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) {
        const int rank = 1 + below(5);
        size_t extent[MAP_RANK];
        for (int a = 0; a < rank; a++) extent[a] = (size_t)(1 + below(a == rank - 1 ? 40 : 5));
        const size_t first = (size_t)below((int)extent[0] + 1);
        check(rank, 0, extent[0], extent);
        check(rank, first, first + (size_t)below((int)(extent[0] - first) + 1), extent);
    }
}

/* Inputs whose last axis steps by more than one element. */
static void test_transposed_input(void **state)
{
    (void)state;
    enum { ROWS = 5, COLUMNS = 19 };
    const map_shape s = { .rank = 2, .inputs = 3, .extent = { ROWS, COLUMNS }, .out_stride = { COLUMNS, 1 },
                          .stride = { { 1, ROWS }, { 0, 1 }, { 1, 0 } } };
    floats x = floats_random(ROWS * COLUMNS, -1, 1), y = floats_random(COLUMNS, -1, 1), z = floats_random(ROWS, -1, 1);
    floats out = floats_new(ROWS * COLUMNS);
    const float *const in[] = { x.data, y.data, z.data };
    map_f32(&s, in, out.data, 0, ROWS, fused);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            assert_near((double)out.data[r * COLUMNS + c], (double)x.data[c * ROWS + r] * (double)y.data[c] + fmax((double)z.data[r], 0), 2.4e-7);
    floats_free(x), floats_free(y), floats_free(z), floats_free(out);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_transposed_input) };
    return RUN_AT_LEVEL(tests);
}
