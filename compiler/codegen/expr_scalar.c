/* Prints expressions of the IR as scalar C for every element type: one call of the function of the same name (templates/scalar.h) an operator, then
 * its rounding or wrapping (templates/element.h), as the evaluator does both. */
#include "codegen_private.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *codegen_element(arena *a, elem e)
{
    return arena_printf(a, "ELEMENT_%s", codegen_upper(a, elem_name(e)));
}

const char *codegen_double(arena *a, double x)
{
    if (isnan(x)) return "(double)NAN";
    if (isinf(x)) return x > 0 ? "HUGE_VAL" : "-HUGE_VAL";
    const char *text = arena_printf(a, "%.17g", x);
    return strspn(text, "-0123456789") == strlen(text) ? arena_printf(a, "%s.", text) : text;
}

static const char *constant(arena *a, const expr_item *t)
{
    if (elem_is_float(t->elem)) return codegen_double(a, t->number);
    if (t->integer == INT64_MIN) return "INT64_MIN";
    return arena_printf(a, "INT64_C(%" PRId64 ")", t->integer);
}

/* Operators that read the sign: unsigned 64-bit integers, which are kept in signed ones, have their own. */
static bool reads_sign(expr_op op)
{
    switch (op) {
    case EXPR_ABS: case EXPR_SIGN: case EXPR_RELU: case EXPR_DIV: case EXPR_MOD: case EXPR_FMOD: case EXPR_POW: case EXPR_MIN: case EXPR_MAX:
    case EXPR_LESS: case EXPR_LESS_EQUAL:
        return true;
    default:
        return false;
    }
}

static const char *convert(arena *a, elem from, elem to, const char *x)
{
    const char *type = codegen_element(a, to);
    if (from == to) return x;
    if (elem_is_float(to) && elem_is_float(from)) return to == ELEM_F64 ? x : arena_printf(a, "element_round(%s, %s)", type, x);
    if (elem_is_float(to)) {
        const char *wide = arena_printf(a, "element_widen(%s, %s, %d)", to == ELEM_F64 ? type : "ELEMENT_F32", x, from == ELEM_U64);
        return to == ELEM_F64 || to == ELEM_F32 ? wide : arena_printf(a, "element_round(%s, %s)", type, wide);
    }
    return arena_printf(a, "element_%s(%s, %s)", elem_is_float(from) ? "saturate" : "wrap", type, x);
}

/* What one operator gives, as its type holds it. */
static const char *operator(arena *a, const expr *e, const expr_item *t, const char *const *name)
{
    const elem from = e->item[t->arg[expr_arity(t->op) - 1]].elem;
    if (t->op == EXPR_CONVERT) return convert(a, from, t->elem, name[t->arg[0]]);
    if (t->op == EXPR_SELECT) return arena_printf(a, "%s ? %s : %s", name[t->arg[0]], name[t->arg[1]], name[t->arg[2]]);
    const char *prefix = elem_is_float(from) ? "sf" : from == ELEM_U64 && reads_sign(t->op) ? "su" : "si";
    const char *text = arena_printf(a, "%s_%s(", prefix, expr_op_name(t->op));
    for (int i = 0; i < expr_arity(t->op); i++) text = arena_printf(a, "%s%s%s", text, i ? ", " : "", name[t->arg[i]]);
    text = arena_printf(a, "%s)", text);
    if (t->elem == ELEM_F64 || t->elem == ELEM_I64 || t->elem == ELEM_U64 || t->elem == ELEM_BOOL) return text;
    return arena_printf(a, "element_%s(%s, %s)", elem_is_float(t->elem) ? "round" : "wrap", codegen_element(a, t->elem), text);
}

void codegen_scalar_expr(strbuf *b, const expr *e, const char *const *input)
{
    arena *a = b->arena;
    const char **name = arena_array(a, (size_t)e->count, sizeof *name);
    for (int i = 0; i < e->count; i++) {
        const expr_item *t = &e->item[i];
        const bool is_float = elem_is_float(t->elem);
        const char *text = constant(a, t), *kind = is_float ? "float" : "integer";
        if (t->op == EXPR_INPUT) text = arena_printf(a, "element_%s(%s, %s)", kind, codegen_element(a, t->elem), input[t->index]);
        else if (t->op != EXPR_CONSTANT) text = operator(a, e, t, name);
        name[i] = arena_printf(a, "t%d", i);
        strbuf_printf(b, "    const %s %s = %s;\n", is_float ? "double" : "int64_t", name[i], text);
    }
    const elem last = e->item[e->count - 1].elem;
    const char *kind = elem_is_float(last) ? "float" : "integer";
    strbuf_printf(b, "    element_set_%s(%s, out, to, %s);\n", kind, codegen_element(a, last), name[e->count - 1]);
}
