/* Moves: the one-step ones and what they compose to, their normal forms, strides and text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/move.h"

static ir_type type_of(int rank, const int64_t *shape)
{
    ir_type t = {.elem = ELEM_F32, .rank = rank};
    for (int i = 0; i < rank; i++) t.dim[i] = dim_of(shape[i]);
    return t;
}

#define TYPE(...) type_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})

static arena *memory;
static dim_symbols symbols;

static int set_up(void **unused)
{
    (void)unused;
    memory = arena_new();
    symbols = (dim_symbols){0};
    dim_declare(memory, &symbols, "N", 1, 64);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    arena_free(memory);
    return 0;
}

#define EXPECT_MOVE(m, text) assert_string_equal(move_text(memory, &symbols, m), text)

/* Steps one after another, composed; fails where they do not compose. */
typedef struct chain { ir_type source, type; move m; } chain;

static chain chain_of(ir_type source)
{
    chain c = {.source = source};
    assert_true(move_reshape(&source, source.dim, source.rank, &c.m, &c.type));
    return c;
}

static bool chain_add(chain *c, const move *m, const ir_type *to)
{
    move both;
    if (!move_compose(&c->source, &c->m, &c->type, m, &both)) return false;
    c->m = both;
    c->type = *to;
    return true;
}

static bool then_reshape(chain *c, ir_type to)
{
    move m;
    ir_type t;
    assert_true(move_reshape(&c->type, to.dim, to.rank, &m, &t));
    return chain_add(c, &m, &t);
}

static bool then_transpose(chain *c, const int *permutation)
{
    move m;
    ir_type t;
    assert_true(move_transpose(&c->type, permutation, &m, &t));
    return chain_add(c, &m, &t);
}

static bool then_slice(chain *c, int axis, int64_t start, int64_t step, int64_t count)
{
    move m;
    ir_type t;
    assert_true(move_slice(&c->type, axis, start, step, dim_of(count), &m, &t));
    return chain_add(c, &m, &t);
}

static bool then_roll(chain *c, int axis, int64_t shift)
{
    move m;
    ir_type t;
    assert_true(move_roll(&c->type, axis, shift, &m, &t));
    return chain_add(c, &m, &t);
}

static void heads_split(void **unused)
{
    (void)unused;
    ir_type x = TYPE(1, 197, 768), split = TYPE(1, 197, 12, 64);
    x.dim[0] = split.dim[0] = dim_symbol_of(0);
    chain c = chain_of(x);
    EXPECT_MOVE(&c.m, "[N@0, 197@1, 768@2]");
    assert_true(then_reshape(&c, split));
    EXPECT_MOVE(&c.m, "[N@0, 197@1, 768@2]");
    assert_true(move_is_reshape(&c.source, &c.m));
    assert_true(then_transpose(&c, (const int[]){0, 2, 1, 3}));
    EXPECT_MOVE(&c.m, "[N@0, 12@2*64, 197@1, 64@2]");
    assert_false(move_is_reshape(&c.source, &c.m));
    int64_t offset, stride[4], n = 3;
    assert_true(move_strides(&c.source, &c.m, &c.type, &n, &offset, stride));
    assert_int_equal(offset, 0);
    assert_int_equal(stride[0], 197 * 768);
    assert_int_equal(stride[1], 64);
    assert_int_equal(stride[2], 768);
    assert_int_equal(stride[3], 1);
    assert_true(then_transpose(&c, (const int[]){0, 2, 1, 3}));
    assert_true(then_reshape(&c, x));
    EXPECT_MOVE(&c.m, "[N@0, 197@1, 768@2]");
}

static void qkv_slices(void **unused)
{
    (void)unused;
    chain c = chain_of(TYPE(197, 2304));
    assert_true(then_reshape(&c, TYPE(197, 3, 12, 64)));
    assert_true(then_transpose(&c, (const int[]){1, 2, 0, 3}));
    assert_true(then_slice(&c, 0, 1, 1, 1));
    EXPECT_MOVE(&c.m, "[12@1*64, 197@0, 64@1] +[0, 768]");
    assert_true(then_slice(&c, 3, 63, -1, 64));
    EXPECT_MOVE(&c.m, "[12@1*64, 197@0, 64@1*-1] +[0, 831]");
    assert_true(then_slice(&c, 3, 1, 3, 21));
    EXPECT_MOVE(&c.m, "[12@1*64, 197@0, 21@1*-3] +[0, 830]");
}

/* Swin: a roll, then windows of 7 x 7; and back. */
static void windows(void **unused)
{
    (void)unused;
    ir_type image = TYPE(56, 56, 96);
    chain c = chain_of(image);
    assert_true(then_roll(&c, 0, 3));
    assert_true(then_roll(&c, 1, 3));
    EXPECT_MOVE(&c.m, "[56@0, 56@1, 96@2] +[3, 3, 0] %[56, 56, 0]");
    assert_true(then_reshape(&c, TYPE(8, 7, 8, 7, 96)));
    assert_true(then_transpose(&c, (const int[]){0, 2, 1, 3, 4}));
    assert_true(then_reshape(&c, TYPE(64, 49, 96)));
    EXPECT_MOVE(&c.m, "[8@0*7, 8@1*7, 7@0, 7@1, 96@2] +[3, 3, 0] %[56, 56, 0]");
    chain back = chain_of(c.type);
    assert_true(then_reshape(&back, TYPE(8, 8, 7, 7, 96)));
    assert_true(then_transpose(&back, (const int[]){0, 2, 1, 3, 4}));
    assert_true(then_reshape(&back, image));
    assert_false(then_roll(&back, 0, -3));                    /* carries from one window into the next */
    assert_true(chain_add(&c, &back.m, &image));
    assert_true(then_roll(&c, 0, -3));
    assert_true(then_roll(&c, 1, -3));
    EXPECT_MOVE(&c.m, "[56@0, 56@1, 96@2]");
}

static void rolls(void **unused)
{
    (void)unused;
    chain c = chain_of(TYPE(10));
    assert_true(then_roll(&c, 0, 7));
    assert_true(then_roll(&c, 0, -2));
    EXPECT_MOVE(&c.m, "[10@0] +[5] %[10]");
    assert_true(then_slice(&c, 0, 0, 1, 5));                  /* does not come round: no wrap is left */
    EXPECT_MOVE(&c.m, "[5@0] +[5]");
    assert_true(then_slice(&c, 0, 4, -2, 3));
    EXPECT_MOVE(&c.m, "[3@0*-2] +[9]");
    c = chain_of(TYPE(10));
    assert_true(then_roll(&c, 0, 7));
    assert_true(then_slice(&c, 0, 3, 1, 5));
    EXPECT_MOVE(&c.m, "[5@0]");
    c = chain_of(TYPE(10));
    assert_true(then_slice(&c, 0, 0, 1, 8));
    assert_false(then_roll(&c, 0, 1));                        /* wraps at 8, the source at 10 */
    c = chain_of(TYPE(10));
    assert_true(then_slice(&c, 0, 9, -1, 10));
    assert_true(then_roll(&c, 0, 1));
    EXPECT_MOVE(&c.m, "[10@0*-1] +[8] %[10]");
}

static void merged_axes(void **unused)
{
    (void)unused;
    chain c = chain_of(TYPE(4, 6));
    assert_true(then_reshape(&c, TYPE(24)));
    assert_false(then_slice(&c, 0, 1, 1, 12));                /* from the middle of a row into the next */
    assert_true(then_slice(&c, 0, 6, 1, 12));
    EXPECT_MOVE(&c.m, "[2@0, 6@1] +[1, 0]");
    c = chain_of(TYPE(4, 6));
    assert_true(then_reshape(&c, TYPE(24)));
    assert_true(then_slice(&c, 0, 1, 3, 8));
    EXPECT_MOVE(&c.m, "[4@0, 2@1*3] +[0, 1]");
    c = chain_of(TYPE(4, 6));
    assert_true(then_transpose(&c, (const int[]){1, 0}));
    assert_false(then_reshape(&c, TYPE(3, 8)) && then_slice(&c, 1, 3, 1, 4));
    c = chain_of(TYPE(4, 6));
    assert_true(then_transpose(&c, (const int[]){1, 0}));
    assert_true(then_reshape(&c, TYPE(2, 12)));
    EXPECT_MOVE(&c.m, "[6@1, 4@0]");
    c = chain_of(TYPE(3, 4));
    assert_true(then_transpose(&c, (const int[]){1, 0}));
    assert_true(then_reshape(&c, TYPE(12)));
    assert_false(then_reshape(&c, TYPE(6, 2)) && then_slice(&c, 1, 0, 1, 1));
}

static void symbolic(void **unused)
{
    (void)unused;
    dim n = dim_symbol_of(0), rows;
    assert_true(dim_mul(n, dim_of(12), &rows));
    ir_type x = TYPE(1, 12, 5), merged = TYPE(1, 5), again = TYPE(1, 3, 4, 5);
    x.dim[0] = again.dim[0] = n;
    merged.dim[0] = rows;
    chain c = chain_of(x);
    assert_true(then_reshape(&c, merged));
    EXPECT_MOVE(&c.m, "[N@0, 12@1, 5@2]");
    assert_true(then_reshape(&c, again));
    assert_true(then_transpose(&c, (const int[]){2, 0, 1, 3}));
    EXPECT_MOVE(&c.m, "[4@1, N@0, 3@1*4, 5@2]");
    move m;
    ir_type t;
    ir_type other = TYPE(12, 6);
    other.dim[0] = n;
    assert_false(move_reshape(&x, other.dim, other.rank, &m, &t));
    assert_true(move_slice(&x, 0, 0, 1, dim_of(1), &m, &t));      /* there is at least one image */
    assert_false(move_slice(&x, 0, 1, 1, dim_of(1), &m, &t));
    assert_false(move_roll(&x, 0, 1, &m, &t));
    assert_true(move_roll(&x, 0, 0, &m, &t));
    EXPECT_MOVE(&m, "[N@0, 12@1, 5@2]");
    ir_type row = TYPE(1, 12, 5);
    assert_true(move_expand(&row, x.dim, 3, &m, &t));
    EXPECT_MOVE(&m, "[N@_, 12@1, 5@2]");
    assert_int_equal(t.rank, 3);
    assert_true(dim_equal(t.dim[0], n));
    assert_false(move_expand(&x, (const dim[]){dim_of(2), dim_of(12), dim_of(5)}, 3, &m, &t));
}

static void bounds(void **unused)
{
    (void)unused;
    ir_type x = TYPE(4, 6), t;
    move m;
    assert_false(move_slice(&x, 2, 0, 1, dim_of(1), &m, &t));
    assert_false(move_slice(&x, 1, 0, 1, dim_of(7), &m, &t));
    assert_false(move_slice(&x, 1, 0, 0, dim_of(2), &m, &t));
    assert_false(move_slice(&x, 1, 1, -1, dim_of(3), &m, &t));
    assert_false(move_slice(&x, 1, -1, 1, dim_of(1), &m, &t));
    assert_false(move_slice(&x, 1, 5, INT64_MAX, dim_of(3), &m, &t));
    assert_true(move_slice(&x, 1, 5, INT64_MAX, dim_of(1), &m, &t));
    EXPECT_MOVE(&m, "[4@0] +[0, 5]");
    assert_true(move_slice(&x, 1, 6, 1, dim_of(0), &m, &t));
    EXPECT_MOVE(&m, "[0@_]");
    assert_false(move_transpose(&x, (const int[]){0, 0}, &m, &t));
    assert_false(move_transpose(&x, (const int[]){0, 2}, &m, &t));
    assert_false(move_reshape(&x, (const dim[]){dim_of(5), dim_of(5)}, 2, &m, &t));
    assert_false(move_reshape(&x, (const dim[]){dim_of(-4), dim_of(-6)}, 2, &m, &t));
    assert_false(move_expand(&x, (const dim[]){dim_of(5), dim_of(6)}, 2, &m, &t));
    assert_true(move_expand(&x, (const dim[]){dim_of(3), dim_of(1), dim_of(6)}, 3, &m, &t));
    EXPECT_MOVE(&m, "[3@_, 4@0, 6@1]");
    ir_type to = TYPE(4, 6);
    assert_true(move_reshape(&x, to.dim, 2, &m, &t));
    m.offset[0] = 1;
    assert_string_equal(move_check(&symbols, &x, &m, &to), "it reads outside its source");
    m.offset[0] = 0;
    m.wrap[1] = 5;
    assert_string_equal(move_check(&symbols, &x, &m, &to), "a wrap is not its axis' size");
    m.wrap[1] = 6;
    assert_string_equal(move_check(&symbols, &x, &m, &to), "it is not in normal form");
    m.wrap[1] = 0;
    to = TYPE(4, 5);
    assert_string_equal(move_check(&symbols, &x, &m, &to), "its elements are not as many as its result's");
}

static void text(void **unused)
{
    (void)unused;
    const char *forms[] = {"[N@0, 197@1, 12@2*64, 64@2] +[0, 1, 0]", "[]", "[8@0*7, 7@0] +[3] %[56]", "[N@_, 2*N+3@1*-2] +[0, -5]", "[0@_]"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        move m;
        const char *end;
        assert_true(move_parse(&symbols, forms[i], &end, &m));
        assert_int_equal(*end, 0);
        if (i == 0 || i == 2) assert_int_equal(m.rank, i == 0 ? 3 : 1);
        EXPECT_MOVE(&m, forms[i]);
    }
    move m, n;
    assert_true(move_parse(&symbols, "[N, 197, 12@2*64]", NULL, &m) && move_parse(&symbols, "[N@0, 197@1, 12@2*64]", NULL, &n));
    assert_true(move_equal(&m, &n));
    const char *bad[] = {"", "[", "[M@0]", "[3@9]", "[3@0*]", "[3@0*0]", "[3@0] +[", "[3@0] +[1, 2, 3, 4, 5, 6, 7, 8, 9]", "[3@0] %[-3]",
                         "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(move_parse(&symbols, bad[i], NULL, &m));
}

static void strides(void **unused)
{
    (void)unused;
    int64_t offset, stride[IR_RANK_MAX], n = 2;
    chain c = chain_of(TYPE(4, 6));
    assert_true(then_slice(&c, 1, 5, -2, 3));
    assert_true(move_strides(&c.source, &c.m, &c.type, &n, &offset, stride));
    assert_int_equal(offset, 5);
    assert_int_equal(stride[0], 6);
    assert_int_equal(stride[1], -2);
    assert_true(then_transpose(&c, (const int[]){1, 0}));
    assert_true(then_reshape(&c, TYPE(12)));
    assert_false(move_strides(&c.source, &c.m, &c.type, &n, &offset, stride));
    c = chain_of(TYPE(4, 6));                                  /* two axes that step as one */
    assert_true(then_reshape(&c, TYPE(2, 12)));
    assert_true(move_strides(&c.source, &c.m, &c.type, &n, &offset, stride));
    assert_int_equal(stride[0], 12);
    assert_int_equal(stride[1], 1);
    assert_true(then_roll(&c, 0, 0));
    c = chain_of(TYPE(8));
    assert_true(then_roll(&c, 0, 1));
    assert_false(move_strides(&c.source, &c.m, &c.type, &n, &offset, stride));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_split), cmocka_unit_test(qkv_slices), cmocka_unit_test(windows), cmocka_unit_test(rolls),
        cmocka_unit_test(merged_axes), cmocka_unit_test(symbolic), cmocka_unit_test(bounds), cmocka_unit_test(text), cmocka_unit_test(strides),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
