/* Moves: the one-step ones, composition against a plain reference over random chains, normal forms, strides, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/move.h"

enum { ELEMENTS_MAX = 8192, CHAIN = 5, SEEDS = 1500 };

static uint64_t state;

static int64_t random_below(int64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((state >> 33) % (uint64_t)n);
}

static ir_type type_of(int rank, const int64_t *shape)
{
    ir_type t = {.elem = ELEM_F32, .rank = rank};
    for (int i = 0; i < rank; i++) t.dim[i] = dim_of(shape[i]);
    return t;
}

#define TYPE(...) type_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})

/* ---- a tensor that knows from which element of the source each of its own came ---- */

typedef struct tensor {
    int rank;
    int64_t shape[IR_RANK_MAX], elements;
    int from[ELEMENTS_MAX];
} tensor;

static void shape_tensor(tensor *t, const ir_type *type, const int64_t *symbol)
{
    t->rank = type->rank;
    t->elements = 1;
    for (int i = 0; i < type->rank; i++) t->elements *= t->shape[i] = dim_evaluate(type->dim[i], symbol);
}

static void unravel(const tensor *t, int64_t index, int64_t *at)
{
    for (int i = t->rank - 1; i >= 0; i--) {
        at[i] = index % t->shape[i];
        index /= t->shape[i];
    }
}

static int64_t ravel(const tensor *t, const int64_t *at)
{
    int64_t index = 0;
    for (int i = 0; i < t->rank; i++) index = index * t->shape[i] + at[i];
    return index;
}

/* ---- random steps, each as a move and as plain index arithmetic ---- */

enum step_kind { RESHAPE, TRANSPOSE, SLICE, EXPAND, ROLL, KINDS };

typedef struct step {
    enum step_kind kind;
    int permutation[IR_RANK_MAX], axis;
    int64_t start, stride, shift;
    ir_type from, to;
    move move;
} step;

static void random_shape(const ir_type *from, dim *shape, int *rank)
{
    /* The factors of the constant part, dealt to a few axes in order; the symbol, if there is one, stays in front. */
    int64_t rest = 1;
    bool symbolic = false;
    for (int i = 0; i < from->rank; i++) {
        int64_t size;
        if (dim_is_constant(from->dim[i], &size)) rest *= size;
        else {
            dim quotient;
            symbolic = true;
            for (size = 4096; size > 1 && !dim_div_exact(from->dim[i], dim_of(size), &quotient); size--) continue;
            rest *= size;
        }
    }
    *rank = 0;
    if (symbolic) shape[(*rank)++] = dim_symbol_of(0);
    while (rest > 1 && *rank < 5) {
        int64_t factor = 1 + random_below(rest);
        while (rest % factor != 0) factor--;
        if (factor == 1 && random_below(4) != 0) continue;
        shape[(*rank)++] = dim_of(factor);
        rest /= factor;
    }
    if (rest > 1 || *rank == 0) shape[(*rank)++] = dim_of(rest);
    if (symbolic && *rank > 1 && random_below(3) == 0) {      /* the symbol and the next axis as one */
        assert_true(dim_mul(shape[0], shape[1], &shape[0]));
        memmove(&shape[1], &shape[2], (size_t)(*rank - 2) * sizeof *shape);
        --*rank;
    }
}

static bool random_step(const ir_type *from, step *s)
{
    dim shape[IR_RANK_MAX];
    int rank;
    *s = (step){.kind = (enum step_kind)random_below(KINDS), .from = *from};
    s->axis = from->rank ? (int)random_below(from->rank) : 0;
    int64_t size = 0, count;
    bool known = from->rank > 0 && dim_is_constant(from->dim[s->axis], &size);
    switch (s->kind) {
    case RESHAPE:
        random_shape(from, shape, &rank);
        return move_reshape(from, shape, rank, &s->move, &s->to);
    case TRANSPOSE:
        for (int i = 0; i < from->rank; i++) s->permutation[i] = i;
        for (int i = from->rank - 1; i > 0; i--) {
            int k = (int)random_below(i + 1), swap = s->permutation[i];
            s->permutation[i] = s->permutation[k];
            s->permutation[k] = swap;
        }
        return move_transpose(from, s->permutation, &s->move, &s->to);
    case SLICE:
        if (!known || size < 2) return false;
        s->stride = 1 + random_below(random_below(3) ? 1 : 4);
        if (random_below(4) == 0) s->stride = -s->stride;
        s->start = random_below(size);
        count = s->stride > 0 ? (size - 1 - s->start) / s->stride + 1 : s->start / -s->stride + 1;
        if (random_below(2)) count = 1 + random_below(count);
        return move_slice(from, s->axis, s->start, s->stride, dim_of(count), &s->move, &s->to);
    case EXPAND:
        for (int i = 0; i < from->rank; i++) {
            bool one = dim_is_constant(from->dim[i], &size) && size == 1;
            shape[i] = one ? dim_of(1 + random_below(3)) : from->dim[i];
        }
        return from->rank > 0 && move_expand(from, shape, from->rank, &s->move, &s->to);
    case ROLL:
        s->shift = random_below(41) - 20;
        return from->rank > 0 && known && move_roll(from, s->axis, s->shift, &s->move, &s->to);
    default: return false;
    }
}

static void plain_step(const step *s, const tensor *x, const int64_t *symbol, tensor *y)
{
    shape_tensor(y, &s->to, symbol);
    for (int64_t i = 0; i < y->elements; i++) {
        int64_t at[IR_RANK_MAX], source[IR_RANK_MAX];
        unravel(y, i, at);
        memcpy(source, at, sizeof source);
        switch (s->kind) {
        case RESHAPE: unravel(x, i, source); break;
        case TRANSPOSE: for (int k = 0; k < x->rank; k++) source[s->permutation[k]] = at[k]; break;
        case SLICE: source[s->axis] = s->start + at[s->axis] * s->stride; break;
        case EXPAND: for (int k = 0; k < x->rank; k++) source[k] = x->shape[k] == 1 ? 0 : at[k]; break;
        case ROLL: source[s->axis] = ((at[s->axis] + s->shift) % x->shape[s->axis] + x->shape[s->axis]) % x->shape[s->axis]; break;
        default: fail();
        }
        y->from[i] = x->from[ravel(x, source)];
    }
}

static ir_type random_source(void)
{
    ir_type t = {.elem = ELEM_F32, .rank = 1 + (int)random_below(4)};
    for (int i = 0; i < t.rank; i++) {
        static const int64_t sizes[] = {1, 2, 3, 4, 6, 8, 5, 9};
        t.dim[i] = dim_of(sizes[random_below(8)]);
    }
    if (random_below(3) == 0) t.dim[0] = dim_symbol_of(0);
    return t;
}

static void expect_maps(const ir_type *source, const move *m, const tensor *t, const int64_t *symbol, uint64_t seed)
{
    for (int64_t i = 0; i < t->elements; i++) {
        int64_t index = move_source_index(source, m, symbol, i);
        if (index != t->from[i])
            fail_msg("seed %llu: element %lld comes from %d, the move says %lld", (unsigned long long)seed, (long long)i, t->from[i],
                     (long long)index);
    }
}

/* One chain, its moves composed as far as they go: what was composed reads what the plain steps read. Returns how many
 * compositions went and were tried. */
static void run_chain(const dim_symbols *symbols, uint64_t seed, int *composed, int *tried)
{
    static tensor current[CHAIN + 1];
    state = seed * 77 + 5;
    for (int k = 0; k < 9; k++) random_below(2);
    ir_type source = random_source(), type = source;
    int64_t symbol[1] = {1 + random_below(3)};
    shape_tensor(&current[0], &source, symbol);
    for (int i = 0; i < current[0].elements; i++) current[0].from[i] = i;
    move whole;
    assert_true(move_reshape(&source, source.dim, source.rank, &whole, &type));
    int at = 0;
    for (int tries = 0; at < CHAIN && tries < 40; tries++) {
        step s;
        if (!random_step(&type, &s)) continue;
        int64_t elements = 1;
        for (int i = 0; i < s.to.rank; i++) elements *= dim_evaluate(s.to.dim[i], symbol);
        if (elements > ELEMENTS_MAX) continue;
        assert_null(move_check(symbols, &s.from, &s.move, &s.to));
        plain_step(&s, &current[at], symbol, &current[at + 1]);
        at++;
        move both;
        ++*tried;
        if (!move_compose(&source, &whole, &s.from, &s.move, &both)) {
            source = s.from;                                   /* it takes two: the chain goes on from here */
            for (int i = 0; i < current[at - 1].elements; i++) current[at - 1].from[i] = i;
            plain_step(&s, &current[at - 1], symbol, &current[at]);
            whole = s.move;
        } else {
            ++*composed;
            whole = both;
        }
        type = s.to;
        expect_maps(&source, &whole, &current[at], symbol, seed);
        const char *error = move_check(symbols, &source, &whole, &type);
        if (error) fail_msg("seed %llu: %s", (unsigned long long)seed, error);
    }
}

static void random_chains(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    dim_symbols symbols = {0};
    dim_declare(a, &symbols, "N", 1, 64);
    int composed = 0, tried = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) run_chain(&symbols, seed, &composed, &tried);
    assert_true(tried > 4 * SEEDS);
    assert_true(composed * 100 > tried * 80);
    arena_free(a);
}

/* (a b) c and a (b c) have one normal form where both compose. */
static void composition_is_associative(void **unused)
{
    (void)unused;
    int compared = 0;
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        state = seed * 131 + 3;
        for (int k = 0; k < 9; k++) random_below(2);
        ir_type source = random_source();
        step s[3];
        bool made = true;
        for (int i = 0; i < 3 && made; i++) {
            made = false;
            for (int tries = 0; tries < 20 && !made; tries++) made = random_step(i ? &s[i - 1].to : &source, &s[i]);
        }
        move left, right, first, second;
        if (!made || !move_compose(&source, &s[0].move, &s[1].from, &s[1].move, &left) ||
            !move_compose(&source, &left, &s[2].from, &s[2].move, &first))
            continue;
        if (!move_compose(&s[1].from, &s[1].move, &s[2].from, &s[2].move, &right) || !move_compose(&source, &s[0].move, &s[1].from, &right, &second))
            continue;
        if (!move_equal(&first, &second)) fail_msg("seed %llu", (unsigned long long)seed);
        compared++;
    }
    assert_true(compared > SEEDS);
}

/* ---- particular moves ---- */

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
        cmocka_unit_test(random_chains), cmocka_unit_test(composition_is_associative),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
