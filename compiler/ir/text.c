/* Quoting, words and numbers of the textual forms. */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool text_is_word(const char *s)
{
    if (!is_letter(*s)) return false;
    while (is_letter(*s) || is_digit(*s)) s++;
    return *s == 0;
}

void text_quote(strbuf *b, char quote, const char *s)
{
    strbuf_addn(b, &quote, 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (*s == quote || *s == '\\') strbuf_printf(b, "\\%c", *s);
        else if (*s == '\n') strbuf_add(b, "\\n");
        else if (*s == '\t') strbuf_add(b, "\\t");
        else if (c < 0x20 || c >= 0x7f) strbuf_printf(b, "\\x%02x", c);
        else strbuf_addn(b, s, 1);
    }
    strbuf_addn(b, &quote, 1);
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character at *s, which may be written as an escape, and moves behind it; -1: malformed, or the end of the line. */
static int unescape(const char **s)
{
    unsigned char c = (unsigned char)*(*s)++;
    if (c == 0 || c == '\n') return -1;
    if (c != '\\') return c;
    c = (unsigned char)*(*s)++;
    if (c == 'n') return '\n';
    if (c == 't') return '\t';
    if (c == '"' || c == '\'' || c == '\\') return c;
    int high = c == 'x' ? hex_digit((*s)[0]) : -1, low = high < 0 ? -1 : hex_digit((*s)[1]);
    if (low < 0 || (high == 0 && low == 0)) return -1;
    *s += 2;
    return high * 16 + low;
}

char *text_unquote(arena *a, const char **at)
{
    text_skip(at);
    char quote = **at;
    if (quote != '"' && quote != '\'') return NULL;
    strbuf b = strbuf_in(a);
    const char *s = *at + 1;
    while (*s != quote) {
        int c = unescape(&s);
        if (c < 0) return NULL;
        strbuf_addn(&b, &(char){(char)(unsigned char)c}, 1);
    }
    *at = s + 1;
    return b.length ? b.text : arena_strdup(a, "");
}

bool text_accept_quoted(const char **at, const char *s)
{
    text_skip(at);
    if (**at != '"') return false;
    const char *p = *at + 1;
    for (; *p != '"'; s++) {
        int c = unescape(&p);
        if (c < 0 || *s == 0 || c != (unsigned char)*s) return false;
    }
    if (*s != 0) return false;
    *at = p + 1;
    return true;
}

void text_skip(const char **at)
{
    while (**at == ' ' || **at == '\t') ++*at;
}

bool text_accept(const char **at, const char *token)
{
    text_skip(at);
    size_t n = strlen(token);
    if (strncmp(*at, token, n) != 0) return false;
    char next = (*at)[n];
    if ((is_letter(token[n - 1]) || is_digit(token[n - 1])) && (is_letter(next) || is_digit(next))) return false;
    *at += n;
    return true;
}

bool text_word(const char **at, char *word, size_t size)
{
    text_skip(at);
    size_t n = 0;
    while (is_letter((*at)[n]) || (n > 0 && is_digit((*at)[n]))) n++;
    if (n == 0 || n >= size) return false;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
    return true;
}

bool text_int64(const char **at, int64_t *out)
{
    return text_integer(at, ELEM_I64, out);
}

double text_round(elem e, double x)
{
    if (isnan(x)) return (double)NAN;
    switch (e) {
    case ELEM_F32: return (double)(float)x;
    case ELEM_F16: return (double)eval_from_f16(eval_to_f16(x));
    case ELEM_BF16: return (double)eval_from_bf16(eval_to_bf16(x));
    default: return x;
    }
}

void text_store_number(elem e, double x, void *bytes)
{
    if (isnan(x)) x = (double)NAN;
    float single = (float)x;
    uint16_t half = e == ELEM_F16 ? eval_to_f16(x) : eval_to_bf16(x);
    if (e == ELEM_F64) memcpy(bytes, &x, sizeof x);
    else if (e == ELEM_F32) memcpy(bytes, &single, sizeof single);
    else memcpy(bytes, &half, sizeof half);
}

void text_store_integer(elem e, int64_t x, void *bytes)
{
    int8_t one = (int8_t)x;
    int16_t two = (int16_t)x;
    int32_t four = (int32_t)x;
    switch (elem_size(e)) {
    case 1: memcpy(bytes, &one, sizeof one); break;
    case 2: memcpy(bytes, &two, sizeof two); break;
    case 4: memcpy(bytes, &four, sizeof four); break;
    default: memcpy(bytes, &x, sizeof x); break;
    }
}

/* Reads a decimal number of the type; strtof for f32, as rounding twice would be wrong. */
static double read_number(elem e, const char *s, char **end)
{
    return e == ELEM_F32 ? (double)strtof(s, end) : text_round(e, strtod(s, end));
}

void text_put_number(strbuf *b, elem e, double x)
{
    if (isnan(x)) {
        strbuf_add(b, "nan");
    } else if (isinf(x)) {
        strbuf_add(b, x < 0 ? "-inf" : "inf");
    } else {
        char text[40];
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, x);
            char *end;
            if (read_number(e, text, &end) == x) break;
        }
        strbuf_add(b, text);
    }
}

bool text_number(const char **at, elem e, double *out)
{
    text_skip(at);
    const char *s = *at + (**at == '-');
    if (strncmp(s, "nan", 3) == 0 || strncmp(s, "inf", 3) == 0) {
        if (is_letter(s[3]) || is_digit(s[3])) return false;
        *out = s[0] == 'n' ? (double)NAN : **at == '-' ? -(double)INFINITY : (double)INFINITY;
        *at = s + 3;
        return true;
    }
    if (!is_digit(*s) && !(*s == '.' && is_digit(s[1]))) return false;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) return false;
    char *end;
    *out = read_number(e, *at, &end);
    *at = end;
    return true;
}

void text_put_integer(strbuf *b, elem e, int64_t x)
{
    if (e == ELEM_U64) strbuf_printf(b, "%" PRIu64, (uint64_t)x);
    else strbuf_printf(b, "%" PRId64, x);
}

bool text_integer(const char **at, elem e, int64_t *out)
{
    text_skip(at);
    bool negative = **at == '-';
    const char *s = *at + negative;
    if (!is_digit(*s)) return false;
    errno = 0;
    char *end;
    unsigned long long magnitude = strtoull(s, &end, 10);
    if (errno == ERANGE) return false;
    int bits = e == ELEM_BOOL ? 1 : (int)elem_size(e) * 8 - elem_is_signed(e);
    if (negative ? !elem_is_signed(e) || (magnitude && (magnitude - 1) >> bits) : bits < 64 && magnitude >> bits) return false;
    *out = (int64_t)(negative ? 0 - magnitude : magnitude);
    *at = end;
    return true;
}
