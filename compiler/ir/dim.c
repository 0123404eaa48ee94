/* Dimensions: arithmetic of affine forms over the run-time symbols, comparison over all their values, and their text. */
#include "dim.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "../base/checked.h"
#include "text.h"

__extension__ typedef __int128 wide;

int dim_find(const dim_symbols *s, const char *name)
{
    for (int i = 0; s && i < s->count; i++)
        if (strcmp(s->symbol[i].name, name) == 0) return i;
    return -1;
}

int dim_declare(arena *a, dim_symbols *s, const char *name, int64_t min, int64_t max)
{
    int known = dim_find(s, name);
    if (known >= 0) return known;
    s->symbol = arena_grow(a, s->symbol, (size_t)s->count, sizeof *s->symbol);
    s->symbol[s->count] = (struct dim_symbol){arena_strdup(a, name), min, max, false};
    return s->count++;
}

int dim_declare_length(arena *a, dim_symbols *s, const char *name, int64_t capacity)
{
    const int i = dim_declare(a, s, name, 0, capacity);
    s->symbol[i].length = true;
    return i;
}

bool dim_is_length(const dim_symbols *s, dim d, int *symbol)
{
    const int found = d.term[0].symbol;
    if (!s || d.term[0].coefficient == 0 || d.term[1].coefficient != 0 || found >= s->count || !s->symbol[found].length) return false;
    if (symbol) *symbol = found;
    return true;
}

dim dim_of(int64_t constant)
{
    dim d;
    memset(&d, 0, sizeof d);
    d.constant = constant;
    return d;
}

dim dim_symbol_of(int symbol)
{
    dim d = dim_of(0);
    d.term[0].symbol = symbol;
    d.term[0].coefficient = 1;
    return d;
}

bool dim_is_constant(dim d, int64_t *value)
{
    if (d.term[0].coefficient != 0) return false;
    if (value) *value = d.constant;
    return true;
}

bool dim_is_one(dim d)
{
    return dim_equal(d, dim_of(1));
}

bool dim_equal(dim a, dim b)
{
    if (a.constant != b.constant) return false;
    for (int i = 0; i < DIM_TERMS; i++) {
        if (a.term[i].coefficient != b.term[i].coefficient) return false;
        if (a.term[i].coefficient != 0 && a.term[i].symbol != b.term[i].symbol) return false;
    }
    return true;
}

bool dim_mentions(dim d, int symbol)
{
    for (int i = 0; i < DIM_TERMS; i++)
        if (d.term[i].coefficient != 0 && d.term[i].symbol == symbol) return true;
    return false;
}

/* *out = a + factor * b, merging terms by symbol. */
static bool add_scaled(dim a, dim b, int64_t factor, dim *out)
{
    dim r = dim_of(0);
    int64_t scaled;
    if (!checked_mul(b.constant, factor, &scaled) || !checked_add(a.constant, scaled, &r.constant)) return false;
    int i = 0, j = 0, n = 0;
    for (;;) {
        bool has_a = i < DIM_TERMS && a.term[i].coefficient != 0, has_b = j < DIM_TERMS && b.term[j].coefficient != 0;
        if (!has_a && !has_b) break;
        bool take_a = has_a && (!has_b || a.term[i].symbol <= b.term[j].symbol), take_b = has_b && (!has_a || b.term[j].symbol <= a.term[i].symbol);
        int64_t coefficient = take_a ? a.term[i].coefficient : 0;
        int32_t symbol = take_a ? a.term[i].symbol : b.term[j].symbol;
        if (take_b && (!checked_mul(b.term[j].coefficient, factor, &scaled) || !checked_add(coefficient, scaled, &coefficient))) return false;
        i += take_a;
        j += take_b;
        if (coefficient == 0) continue;
        if (n == DIM_TERMS) return false;
        r.term[n].symbol = symbol;
        r.term[n++].coefficient = coefficient;
    }
    *out = r;
    return true;
}

bool dim_add(dim a, dim b, dim *out)
{
    return add_scaled(a, b, 1, out);
}

bool dim_sub(dim a, dim b, dim *out)
{
    return add_scaled(a, b, -1, out);
}

bool dim_mul(dim a, dim b, dim *out)
{
    int64_t factor;
    if (dim_is_constant(a, &factor)) return add_scaled(dim_of(0), b, factor, out);
    if (dim_is_constant(b, &factor)) return add_scaled(dim_of(0), a, factor, out);
    return false;
}

bool dim_product(const dim *d, int count, dim *out)
{
    dim product = dim_of(1);
    for (int i = 0; i < count; i++)
        if (!dim_mul(product, d[i], &product)) return false;
    *out = product;
    return true;
}

static bool divides(int64_t a, int64_t b)
{
    return b != 0 && !(a == INT64_MIN && b == -1) && a % b == 0;
}

bool dim_div_exact(dim a, dim b, dim *out)
{
    int64_t divisor;
    if (dim_is_constant(b, &divisor)) {
        if (!divides(a.constant, divisor)) return false;
        dim r = a;
        r.constant /= divisor;
        for (int i = 0; i < DIM_TERMS && a.term[i].coefficient != 0; i++) {
            if (!divides(a.term[i].coefficient, divisor)) return false;
            r.term[i].coefficient /= divisor;
        }
        *out = r;
        return true;
    }
    /* By a form only where a is a multiple of it. */
    if (!divides(a.term[0].coefficient, b.term[0].coefficient)) return false;
    int64_t quotient = a.term[0].coefficient / b.term[0].coefficient;
    dim product;
    if (quotient == 0 || !dim_mul(b, dim_of(quotient), &product) || !dim_equal(a, product)) return false;
    *out = dim_of(quotient);
    return true;
}

int dim_compare(const dim_symbols *s, dim a, dim b)
{
    if (dim_equal(a, b)) return 0;
    wide least = (wide)a.constant - b.constant, most = least;
    for (int side = 0; side < 2; side++) {
        dim d = side ? b : a, other = side ? a : b;
        for (int i = 0; i < DIM_TERMS && d.term[i].coefficient != 0; i++) {
            int symbol = d.term[i].symbol;
            wide coefficient = side ? -(wide)d.term[i].coefficient : d.term[i].coefficient;
            if (dim_mentions(other, symbol)) {
                if (side) continue;                         /* counted with a's */
                for (int j = 0; j < DIM_TERMS; j++)
                    if (other.term[j].coefficient != 0 && other.term[j].symbol == symbol) coefficient -= other.term[j].coefficient;
            }
            if (coefficient == 0) continue;
            if (!s || symbol < 0 || symbol >= s->count) return DIM_UNDECIDED;
            wide at_min = coefficient * s->symbol[symbol].min, at_max = coefficient * s->symbol[symbol].max;
            least += at_min < at_max ? at_min : at_max;
            most += at_min < at_max ? at_max : at_min;
        }
    }
    if (most < 0) return -1;
    if (least > 0) return 1;
    return least == 0 && most == 0 ? 0 : DIM_UNDECIDED;
}

int64_t dim_evaluate(dim d, const int64_t *value)
{
    wide r = d.constant;
    for (int i = 0; i < DIM_TERMS && d.term[i].coefficient != 0; i++) r += (wide)d.term[i].coefficient * value[d.term[i].symbol];
    return r > INT64_MAX ? INT64_MAX : r < INT64_MIN ? INT64_MIN : (int64_t)r;
}

bool dim_substitute(dim d, int symbol, dim by, dim *out)
{
    for (int i = 0; i < DIM_TERMS && d.term[i].coefficient != 0; i++) {
        if (d.term[i].symbol != symbol) continue;
        dim rest = d;
        for (int j = i; j + 1 < DIM_TERMS; j++) rest.term[j] = rest.term[j + 1];
        rest.term[DIM_TERMS - 1].symbol = 0;
        rest.term[DIM_TERMS - 1].coefficient = 0;
        return add_scaled(rest, by, d.term[i].coefficient, out);
    }
    *out = d;
    return true;
}

const char *dim_text(arena *a, const dim_symbols *s, dim d)
{
    strbuf b = strbuf_in(a);
    for (int i = 0; i < DIM_TERMS && d.term[i].coefficient != 0; i++) {
        int64_t coefficient = d.term[i].coefficient;
        if (i > 0 && coefficient > 0) strbuf_add(&b, "+");
        if (coefficient == -1) strbuf_add(&b, "-");
        else if (coefficient != 1) strbuf_printf(&b, "%" PRId64 "*", coefficient);
        bool known = s && d.term[i].symbol < s->count;
        const char *name = known ? s->symbol[d.term[i].symbol].name : NULL;
        if (!name) strbuf_printf(&b, "symbol%d", (int)d.term[i].symbol);
        else if (text_is_word(name)) strbuf_add(&b, name);
        else text_quote(&b, '"', name);
    }
    if (b.length == 0) return arena_printf(a, "%" PRId64, d.constant);
    if (d.constant != 0) strbuf_printf(&b, "%+" PRId64, d.constant);
    return b.text;
}

/* The symbol named at *at, a word or quoted; -1: none that is declared. */
static int parse_symbol(const dim_symbols *s, const char **at)
{
    text_skip(at);
    for (int i = 0; s && i < s->count; i++) {
        const char *name = s->symbol[i].name;
        if (text_is_word(name) ? text_accept(at, name) : text_accept_quoted(at, name)) return i;
    }
    return -1;
}

/* One term behind its sign: 12, N or 12*N. */
static bool parse_term(const dim_symbols *s, const char **at, int64_t sign, dim *sum)
{
    text_skip(at);
    int64_t number = 1;
    bool has_number = text_int64(at, &number);
    if (!checked_mul(number, sign, &number)) return false;
    if (has_number && !text_accept(at, "*")) return dim_add(*sum, dim_of(number), sum);
    int symbol = parse_symbol(s, at);
    return symbol >= 0 && add_scaled(*sum, dim_symbol_of(symbol), number, sum);
}

bool dim_parse(const dim_symbols *s, const char *text, const char **end, dim *out)
{
    const char *at = text;
    dim sum = dim_of(0);
    text_skip(&at);
    int64_t sign = 1;
    if (*at == '-' && !(at[1] >= '0' && at[1] <= '9')) at++, sign = -1;
    if (!parse_term(s, &at, sign, &sum)) return false;
    while (*at == '+' || *at == '-') {
        sign = *at++ == '-' ? -1 : 1;
        if (*at == '-' || *at == '+' || !parse_term(s, &at, sign, &sum)) return false;
    }
    if (end) *end = at;
    *out = sum;
    return true;
}
