/* Attention and the transposition of its keys: grouped heads, odd sizes, masks of each kind, rows without a key, NaN, probabilities. */
#include "level_test.h"

#include "attention_f32.h"
#include "attention_f32_reference.h"
#include "transpose_keys_f32.h"

typedef struct sizes { int queries, first, rows, heads, groups, keys, d, e, ldk, tile; } sizes;

static void check_rows_of(const sizes *s, const float *q, int ldq, const float *k, int ld_keys, const float *v, int ldv, const float *out, int ldo,
                          float scale, const attention_mask *mask, const float *probabilities)
{
    double *probability = malloc((size_t)s->keys * sizeof *probability), *expected = malloc((size_t)s->e * sizeof *expected);
    for (int r = 0; r < s->rows; r++)
        for (int h = 0; h < s->heads; h++) {
            const int g = h / (s->heads / s->groups), row = s->first + r;
            attention_f32_reference(q + r * ldq + h * s->d, k + g * s->d, ld_keys, v + g * s->e, ldv, s->keys, s->d, s->e, (double)scale, mask,
                                    (size_t)h, (size_t)row, probability, expected);
            for (int c = 0; c < s->e; c++) assert_near((double)out[r * ldo + h * s->e + c], expected[c], 4e-6);
            for (int j = 0; probabilities && j < s->keys; j++)
                assert_near((double)probabilities[(h * s->queries + row) * s->keys + j], probability[j], 4e-6);
        }
    free(probability);
    free(expected);
}

/* Keys are transposed in two panels, as concurrent threads do. */
static floats transposed_keys(const sizes *s, const float *k, int ld_keys)
{
    floats kt = floats_new((size_t)(s->groups * s->d) * (size_t)s->ldk);
    const int half = s->keys / 2;
    clear_keys_f32(kt.data, s->ldk, s->keys, s->groups, s->d);
    transpose_keys_f32(k, ld_keys, kt.data, s->ldk, 0, half, s->groups, s->d);
    transpose_keys_f32(k + half * ld_keys, ld_keys, kt.data, s->ldk, (size_t)half, s->keys - half, s->groups, s->d);
    for (int c = 0; c < s->groups * s->d; c++)
        for (int i = 0; i < s->ldk; i++) assert_true(kt.data[c * s->ldk + i] == (i < s->keys ? k[i * ld_keys + c] : 0));
    return kt;
}

static void check(const sizes *s, float scale, const attention_mask *mask)
{
    const int ldq = s->heads * s->d + 3, ld_keys = s->groups * s->d + 1, ldv = s->groups * s->e + 2, ldo = s->heads * s->e + 4;
    floats q = floats_random((size_t)(s->rows * ldq - 3), -2, 2), k = floats_random((size_t)(s->keys * ld_keys - 1), -2, 2);
    floats v = floats_random((size_t)(s->keys * ldv - 2), -1, 1);
    floats out = floats_new((size_t)(s->rows * ldo - 4)), probabilities = floats_new((size_t)(s->heads * s->queries * s->keys));
    const int tiles = tile_count(s->rows, s->tile), height = (s->rows + tiles - 1) / tiles;
    floats scratch = floats_new((size_t)(height * (s->ldk + 1))), kt = transposed_keys(s, k.data, ld_keys);
    for (int with = 0; with < 2; with++) {
        attention_f32(NULL, q.data, ldq, kt.data, v.data, ldv, out.data, ldo, s->rows, (size_t)s->first, s->heads, s->groups, s->keys, s->ldk, s->ldk % 32 ? s->ldk : 32,
                      with ? s->keys : (s->keys + 2) / 3, s->d, s->e, scale, mask, with ? probabilities.data : NULL, (size_t)s->queries, scratch.data, s->tile, 1);
        check_rows_of(s, q.data, ldq, k.data, ld_keys, v.data, ldv, out.data, ldo, scale, mask, with ? probabilities.data : NULL);
        for (int r = 0; r < s->rows - 1; r++) assert_true(out.data[r * ldo + ldo - 4] == GUARD_VALUE);
    }
    for (int h = 0; h < s->heads; h++)
        for (int i = 0; i < s->first * s->keys; i++) assert_true(probabilities.data[h * s->queries * s->keys + i] == GUARD_VALUE);
    floats_free(q), floats_free(k), floats_free(v), floats_free(out), floats_free(probabilities), floats_free(scratch), floats_free(kt);
}

static const sizes shapes[] = {
    { 1, 0, 1, 1, 1, 1, 1, 1, 1, 8 }, { 7, 2, 5, 2, 1, 7, 3, 5, 8, 2 }, { 20, 4, 16, 3, 3, 33, 17, 9, 64, 8 },
    { 60, 10, 50, 12, 12, 60, 64, 64, 64, 32 }, { 197, 150, 47, 4, 2, 197, 32, 40, 224, 24 },
};

static void test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check(&shapes[i], .125f, NULL);
        check(&shapes[i], -.1f, NULL);
    }
}

static void test_masks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const sizes *s = &shapes[i];
        const size_t queries = (size_t)s->queries, keys = (size_t)s->keys, all = (size_t)s->heads * queries * keys;
        floats add = floats_random(all, -3, 3);
        unsigned char *take = malloc(all);
        for (size_t j = 0; j < all; j++) take[j] = test_random(0, 1) > .4f;
        for (size_t j = 0; j < all; j += 7) add.data[j] = -INFINITY;
        const attention_mask masks[] = {
            { add.data, NULL, queries * keys, keys, 1, 0, 0, 0, NULL },
            { add.data, NULL, 0, keys, 1, 0, 0, 1, NULL },
            { add.data + 1 - (all == 1), NULL, 0, 0, 0, 0, 0, 0, NULL },
            { NULL, take, queries * keys, keys, 1, 0, 0, 0, NULL },
            { NULL, take, 0, 0, 1, 0, 0, 1, NULL },
            { NULL, take, queries * keys, 1, 0, 0, 0, 0, NULL },
            { add.data, take, 0, keys, 1, 1, s->keys - s->queries, 0, NULL },
            { NULL, NULL, 0, 0, 0, 1, s->keys - s->queries, 0, NULL },
            { NULL, NULL, 0, 0, 0, 1, -s->first - 2, 0, NULL },
            { NULL, NULL, 0, 0, 0, 1, -s->first - 2, 1, NULL },
        };
        for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) check(s, .3f, &masks[m]);
        floats_free(add);
        free(take);
    }
}

/* What is added by rows and by columns of the keys' grid, alone and with a mask. */
static void test_grids(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const sizes *s = &shapes[i];
        for (int columns = 1; columns <= s->keys; columns++) {
            if (s->keys % columns) continue;
            const size_t rows = (size_t)(s->keys / columns), queries = (size_t)(s->heads * s->queries);
            floats by_row = floats_random(queries * rows, -3, 3), by_column = floats_random(queries * (size_t)columns, -3, 3);
            floats add = floats_random((size_t)(s->queries * s->keys), -3, 3);
            const attention_grid grid = { by_row.data, by_column.data, (int)rows, columns, (size_t)s->queries };
            const attention_mask masks[] = {
                { NULL, NULL, 0, 0, 0, 0, 0, 1, &grid },
                { add.data, NULL, 0, (size_t)s->keys, 1, 1, s->keys - s->queries, 0, &grid },
            };
            for (size_t m = 0; m < 2; m++) check(s, m ? -.2f : .3f, &masks[m]);
            floats_free(by_row), floats_free(by_column), floats_free(add);
        }
    }
}

/* A NaN in one query spoils that row alone, even where every other score is -infinity. */
static void test_nan_stays(void **state)
{
    (void)state;
    enum { KEYS = 21, D = 4, ROWS = 3 };
    float q[ROWS * D], kt[D * 32] = { 0 }, v[KEYS * D], out[ROWS * D], scratch[ROWS * 33], add[KEYS];
    for (int i = 0; i < ROWS * D; i++) q[i] = i == D ? NAN : .5f;
    for (int i = 0; i < KEYS * D; i++) v[i] = 1;
    for (int i = 0; i < KEYS; i++) add[i] = i == 3 ? 0 : -INFINITY;
    const attention_mask mask = { add, NULL, 0, 0, 1, 0, 0, 0, NULL };
    attention_f32(NULL, q, D, kt, v, D, out, D, ROWS, 0, 1, 1, KEYS, 32, 16, KEYS, D, D, 1, &mask, NULL, ROWS, scratch, 32, 1);
    for (int i = 0; i < ROWS * D; i++) assert_near((double)out[i], i / D == 1 ? (double)NAN : 1, 1e-6);
}

#include "level_end.h"

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_plain), cmocka_unit_test(test_masks), cmocka_unit_test(test_grids),
                                        cmocka_unit_test(test_nan_stays) };
    return RUN_AT_LEVEL(tests);
}
