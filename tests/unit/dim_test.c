/* Dimensions: arithmetic against evaluation, comparison over bounds, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir/dim.h"

static arena *memory;
static dim_symbols symbols;

static int set_up(void **unused)
{
    (void)unused;
    memory = arena_new();
    symbols = (dim_symbols){0};
    assert_int_equal(dim_declare(memory, &symbols, "N", 1, 16), 0);
    assert_int_equal(dim_declare(memory, &symbols, "past", 0, 1024), 1);
    assert_int_equal(dim_declare(memory, &symbols, "batch size", 2, 2), 2);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    arena_free(memory);
    return 0;
}

static dim form(const char *text)
{
    dim d;
    const char *end;
    assert_true(dim_parse(&symbols, text, &end, &d));
    assert_int_equal(*end, 0);
    return d;
}

#define EXPECT(d, text) assert_string_equal(dim_text(memory, &symbols, d), text)

static void symbols_are_declared_once(void **unused)
{
    (void)unused;
    assert_int_equal(dim_declare(memory, &symbols, "N", 5, 6), 0);
    assert_int_equal(symbols.symbol[0].max, 16);
    assert_int_equal(dim_find(&symbols, "past"), 1);
    assert_int_equal(dim_find(&symbols, "n"), -1);
}

static void lengths_have_a_capacity(void **unused)
{
    (void)unused;
    int symbol = -1;
    const int length = dim_declare_length(memory, &symbols, "P", 48);
    assert_true(symbols.symbol[length].min == 0 && symbols.symbol[length].max == 48);
    assert_true(dim_is_length(&symbols, form("2*P+1"), &symbol) && symbol == length);
    assert_false(dim_is_length(&symbols, form("past"), NULL) || dim_is_length(&symbols, form("N+P"), NULL) || dim_is_length(&symbols, form("7"), NULL));
}

static void text_is_read_back(void **unused)
{
    (void)unused;
    const char *forms[] = {"197", "0", "-3", "N", "12*N", "2*N+3", "-N+7", "N+past", "N-2*past-1", "\"batch size\"", "3*\"batch size\"+1"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) EXPECT(form(forms[i]), forms[i]);
    EXPECT(form("3+N"), "N+3");
    EXPECT(form("past+N+past-1+2"), "N+2*past+1");
    EXPECT(form("N-N"), "0");
    dim d;
    const char *bad[] = {"", "M", "N*2", "*N", "N+", "N+past+\"batch size\"", "9223372036854775808", "N--1", "9223372036854775807+1", "\"batch",
                         "\"past\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *end = "";
        assert_true(!dim_parse(&symbols, bad[i], &end, &d) || *end != 0);
    }
}

static void arithmetic(void **unused)
{
    (void)unused;
    dim d = form("7");
    assert_true(dim_add(form("2*N+3"), form("past-N"), &d));
    EXPECT(d, "N+past+3");
    assert_true(dim_sub(d, form("N+past"), &d));
    EXPECT(d, "3");
    assert_true(dim_mul(form("N+2"), form("12"), &d));
    EXPECT(d, "12*N+24");
    assert_true(dim_mul(form("0"), form("N"), &d));
    EXPECT(d, "0");
    assert_false(dim_mul(form("N"), form("N"), &d));
    assert_false(dim_mul(form("N"), form("past"), &d));
    assert_false(dim_add(form("N+past"), form("\"batch size\""), &d));
    assert_false(dim_add(form("9223372036854775807"), form("1"), &d));
    assert_false(dim_mul(form("4611686018427387904*N"), form("2"), &d));
    EXPECT(d, "0");                                            /* untouched by what failed */
}

static void exact_quotients(void **unused)
{
    (void)unused;
    dim d = form("7");
    assert_true(dim_div_exact(form("12*N+24"), form("12"), &d));
    EXPECT(d, "N+2");
    assert_true(dim_div_exact(form("12*N+24"), form("N+2"), &d));
    EXPECT(d, "12");
    assert_true(dim_div_exact(form("0"), form("5"), &d));
    EXPECT(d, "0");
    assert_false(dim_div_exact(form("12*N+6"), form("12"), &d));
    assert_false(dim_div_exact(form("12*N+6"), form("N"), &d));
    assert_false(dim_div_exact(form("12"), form("N"), &d));
    assert_false(dim_div_exact(form("N"), form("2*N"), &d));
    assert_false(dim_div_exact(form("5"), form("0"), &d));
    assert_false(dim_div_exact(form("N+past"), form("N"), &d));
}

static void comparison(void **unused)
{
    (void)unused;
    static const struct { const char *a, *b; int order; } cases[] = {
        {"3", "4", -1}, {"4", "4", 0}, {"N", "N", 0}, {"N", "0", 1}, {"N", "1", DIM_UNDECIDED}, {"N", "17", -1}, {"N", "16", DIM_UNDECIDED},
        {"2*N", "N", 1}, {"N+past", "N", DIM_UNDECIDED}, {"N+past", "0", 1}, {"past", "0", DIM_UNDECIDED}, {"past-N", "1024", -1},
        {"N", "past", DIM_UNDECIDED}, {"\"batch size\"", "2", 0}, {"\"batch size\"", "3", -1}, {"2*N", "N+1", DIM_UNDECIDED},
        {"N+past", "past+17", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dim a = form(cases[i].a), b = form(cases[i].b);
        assert_int_equal(dim_compare(&symbols, a, b), cases[i].order);
        assert_int_equal(dim_compare(&symbols, b, a), cases[i].order == DIM_UNDECIDED ? DIM_UNDECIDED : -cases[i].order);
    }
    dim big = form("N");
    assert_true(dim_mul(big, form("9223372036854775807"), &big));
    assert_int_equal(dim_compare(&symbols, big, form("-9223372036854775807")), 1);
    assert_int_equal(dim_compare(NULL, form("N"), form("5")), DIM_UNDECIDED);
}

static void substitution(void **unused)
{
    (void)unused;
    dim d;
    assert_true(dim_substitute(form("3*N+past+1"), 0, form("4"), &d));
    EXPECT(d, "past+13");
    assert_true(dim_substitute(form("3*N+past+1"), 1, form("N+2"), &d));
    EXPECT(d, "4*N+3");
    assert_true(dim_substitute(form("N"), 1, form("9"), &d));
    EXPECT(d, "N");
    assert_true(dim_mentions(form("N+past"), 1));
    assert_false(dim_mentions(form("N+3"), 1));
    int64_t value;
    assert_true(dim_is_constant(form("5"), &value));
    assert_int_equal(value, 5);
    assert_false(dim_is_constant(form("N"), NULL));
}

/* Whatever is computed on forms is right for their values. */
static void forms_agree_with_values(void **unused)
{
    (void)unused;
    uint64_t state = 5;
    for (int i = 0; i < 20000; i++) {
        int64_t number[8];
        for (int k = 0; k < 8; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            number[k] = (int64_t)(state >> 60) - 6;
        }
        dim a = dim_of(number[0]), b = dim_of(number[1]), t, r;
        assert_true(dim_mul(dim_symbol_of(0), dim_of(number[2]), &t) && dim_add(a, t, &a));
        assert_true(dim_mul(dim_symbol_of(1), dim_of(number[3]), &t) && dim_add(a, t, &a));
        assert_true(dim_mul(dim_symbol_of(number[5] & 1), dim_of(number[4]), &t) && dim_add(b, t, &b));
        const int64_t value[3] = {number[6], number[7], 2};
        int64_t x = dim_evaluate(a, value), y = dim_evaluate(b, value);
        assert_int_equal(x, number[0] + number[2] * number[6] + number[3] * number[7]);
        if (dim_add(a, b, &r)) assert_int_equal(dim_evaluate(r, value), x + y);
        if (dim_sub(a, b, &r)) assert_int_equal(dim_evaluate(r, value), x - y);
        if (dim_mul(a, b, &r)) assert_int_equal(dim_evaluate(r, value), x * y);
        if (dim_div_exact(a, b, &r)) assert_int_equal(dim_evaluate(r, value) * y, x);
        assert_true(dim_equal(form(dim_text(memory, &symbols, a)), a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_are_declared_once),
        cmocka_unit_test(lengths_have_a_capacity), cmocka_unit_test(text_is_read_back), cmocka_unit_test(arithmetic),
        cmocka_unit_test(exact_quotients), cmocka_unit_test(comparison), cmocka_unit_test(substitution), cmocka_unit_test(forms_agree_with_values),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
