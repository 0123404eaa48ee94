/* Expressions as text. A tree is written as one, "add(in0, mul(in1, 0.5))"; where the tree would be deep or long (shared items), each operator is
 * named: "let t0 = mul(in0, in0); let t1 = add(t0, t0); mul(t1, t1)". */
#include "expr.h"

#include <string.h>

#include "text.h"

enum { DEPTH_MAX = 64, TREE_MAX = 512, NAMES_MAX = 1 << 20 };

/* ---- writing ---- */

static void put_type(strbuf *b, elem e)
{
    if (e != ELEM_F32) strbuf_printf(b, ":%s", elem_name(e));
}

/* name[i]: how item i is called where it is not written out; -1: it is written out. */
static void put_item(strbuf *b, const expr *e, int i, const int *name, bool here)
{
    const expr_item *item = &e->item[i];
    if (!here && name && name[i] >= 0) {
        strbuf_printf(b, "t%d", name[i]);
    } else if (item->op == EXPR_INPUT) {
        strbuf_printf(b, "in%d", item->index);
    } else if (item->op == EXPR_CONSTANT) {
        if (elem_is_float(item->elem)) text_put_number(b, item->elem, item->number);
        else text_put_integer(b, item->elem, item->integer);
        put_type(b, item->elem);
    } else {
        strbuf_printf(b, "%s(", expr_op_name(item->op));
        for (int k = 0; k < expr_arity(item->op); k++) {
            if (k > 0) strbuf_add(b, ", ");
            put_item(b, e, item->arg[k], name, false);
        }
        strbuf_add(b, ")");
        if (item->op == EXPR_CONVERT) put_type(b, item->elem);
    }
}

/* Whether the tree stays within DEPTH_MAX and TREE_MAX. */
static bool is_small_tree(arena *a, const expr *e)
{
    int *depth = arena_array(a, (size_t)e->count, sizeof *depth), *size = arena_array(a, (size_t)e->count, sizeof *size);
    for (int i = 0; i < e->count; i++) {
        depth[i] = size[i] = 1;
        for (int k = 0; k < expr_arity(e->item[i].op); k++) {
            int arg = e->item[i].arg[k];
            if (depth[arg] + 1 > depth[i]) depth[i] = depth[arg] + 1;
            size[i] += size[arg];
        }
        if (depth[i] > DEPTH_MAX || size[i] > TREE_MAX) return false;
    }
    return true;
}

const char *expr_text(arena *a, const expr *e)
{
    strbuf b = strbuf_in(a);
    if (is_small_tree(a, e)) {
        put_item(&b, e, e->count - 1, NULL, true);
        return b.text;
    }
    int *name = arena_array(a, (size_t)e->count, sizeof *name), names = 0;
    for (int i = 0; i < e->count; i++) {
        name[i] = -1;
        if (expr_arity(e->item[i].op) == 0 || i == e->count - 1) continue;
        strbuf_printf(&b, "let t%d = ", names);
        put_item(&b, e, i, name, true);
        strbuf_add(&b, "; ");
        name[i] = names++;
    }
    put_item(&b, e, e->count - 1, name, true);
    return b.text;
}

/* ---- reading ---- */

typedef struct reader {
    const char *at;
    const elem *input;
    int inputs, names;
    int *name;               /* items by the number of their name */
    expr_builder builder;
    const char *error;
} reader;

static int fail_at(reader *r, const char *error)
{
    if (!r->error) r->error = error;
    return -1;
}

/* "i64" behind a colon; `otherwise` without one. */
static elem read_type(reader *r, elem otherwise)
{
    if (*r->at != ':') return otherwise;
    r->at++;
    char word[16];
    return text_word(&r->at, word, sizeof word) ? elem_from_name(word) : ELEM_NONE;
}

static int read_constant(reader *r)
{
    const char *start = r->at, *rest = start;
    double number;
    if (!text_number(&rest, ELEM_F64, &number)) return fail_at(r, "neither an operator nor a constant");
    r->at = rest;
    elem e = read_type(r, ELEM_F32);
    if (e == ELEM_NONE) return fail_at(r, "a constant's type is unknown");
    const char *again = start;
    int64_t integer = 0;
    bool fine = elem_is_float(e) ? text_number(&again, e, &number) : text_integer(&again, e, &integer);
    if (!fine || again != rest) return fail_at(r, "a constant does not fit its type");
    return expr_constant(&r->builder, e, number, integer);
}

/* A name followed by digits only, as in0 and t3; -1: it is none. */
static int numbered(const char *word, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(word, prefix, n) != 0 || word[n] == 0 || strlen(word) > n + 7) return -1;
    int number = 0;
    for (const char *s = word + n; *s; s++) {
        if (*s < '0' || *s > '9') return -1;
        number = number * 10 + (*s - '0');
    }
    return number;
}

static int read_item(reader *r, int depth);

static int read_call(reader *r, expr_op op, int depth)
{
    int arg[3] = {-1, -1, -1}, arity = expr_arity(op);
    if (!text_accept(&r->at, "(")) return fail_at(r, "an operator needs operands in parentheses");
    for (int k = 0; k < arity; k++) {
        if (k > 0 && !text_accept(&r->at, ",")) return fail_at(r, "an operator has too few operands");
        arg[k] = read_item(r, depth + 1);
        if (arg[k] < 0) return -1;
    }
    if (!text_accept(&r->at, ")")) return fail_at(r, "an operand list does not end");
    if (op != EXPR_CONVERT) return expr_apply(&r->builder, op, arg[0], arg[1], arg[2]);
    elem e = read_type(r, ELEM_F32);
    return e == ELEM_NONE ? fail_at(r, "convert's type is unknown") : expr_convert(&r->builder, e, arg[0]);
}

static int read_item(reader *r, int depth)
{
    if (depth > DEPTH_MAX) return fail_at(r, "the expression is nested too deeply");
    const char *start = r->at;
    char word[24];
    text_skip(&start);
    const char *rest = start;
    if (!text_word(&rest, word, sizeof word) || strcmp(word, "nan") == 0 || strcmp(word, "inf") == 0) {
        r->at = start;
        return read_constant(r);
    }
    r->at = rest;
    int number = numbered(word, "in");
    if (number >= 0) {
        if (number >= r->inputs) return fail_at(r, "an input that is not there is read");
        return expr_input(&r->builder, number, r->input[number]);
    }
    number = numbered(word, "t");
    if (number >= 0) return number < r->names ? r->name[number] : fail_at(r, "a name is not defined");
    int op = expr_op_from_name(word);
    return op < 0 || expr_arity((expr_op)op) == 0 ? fail_at(r, "an operator is unknown") : read_call(r, (expr_op)op, depth);
}

static bool read_names(reader *r)
{
    while (text_accept(&r->at, "let")) {
        char word[24];
        bool named = text_word(&r->at, word, sizeof word) && numbered(word, "t") == r->names && r->names < NAMES_MAX && text_accept(&r->at, "=");
        if (!named) return fail_at(r, "names are t0, t1 and so on, each once") >= 0;
        int item = read_item(r, 1);
        if (item < 0) return false;
        if (!text_accept(&r->at, ";")) return fail_at(r, "a semicolon is missing") >= 0;
        r->name = arena_grow(r->builder.arena, r->name, (size_t)r->names, sizeof *r->name);
        r->name[r->names++] = item;
    }
    return true;
}

expr *expr_parse(arena *a, const char *text, const char **end, const elem *input, int inputs, const char **error)
{
    reader r = {.at = text, .input = input, .inputs = inputs, .builder = expr_begin(a)};
    int result = read_names(&r) ? read_item(&r, 1) : -1;
    expr *e = result >= 0 ? expr_end(&r.builder, result) : NULL;
    if (e) {
        r.error = expr_check(e, input, inputs);
        if (r.error) e = NULL;
    }
    if (error) *error = r.error;
    if (end) *end = r.at;
    return e;
}
