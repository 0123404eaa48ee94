/* Random moves: composition against a plain reference over random chains, and normal forms that do not depend on the order of composing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_chains), cmocka_unit_test(composition_is_associative) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
