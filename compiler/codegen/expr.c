/* Prints expressions of the IR as C: one call of the vector function of the same name (templates/math_f32.h) an operator. */
#include "codegen_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *codegen_float(arena *a, double x)
{
    if (isnan(x)) return "NAN";
    if (isinf(x)) return x > 0 ? "INFINITY" : "-INFINITY";
    char *text = arena_printf(a, "%.9g", (double)(float)x);
    const bool plain = strspn(text, "-0123456789") == strlen(text);
    return arena_printf(a, "%s%sf", text, plain ? "." : "");
}

typedef struct printer { strbuf *to; const expr *e; const char *const *input; const int *uses; const char **name; } printer;

static const char *print_item(printer *p, int i);

static const char *call(printer *p, const expr_item *t)
{
    arena *a = p->to->arena;
    const char *text = arena_printf(a, "vf_%s(", expr_op_name(t->op));
    for (int i = 0; i < expr_arity(t->op); i++) text = arena_printf(a, "%s%s%s", text, i ? ", " : "", print_item(p, t->arg[i]));
    return arena_printf(a, "%s)", text);
}

/* The text of item i; what is read twice is computed once, in a variable. */
static const char *print_item(printer *p, int i)
{
    arena *a = p->to->arena;
    const expr_item *t = &p->e->item[i];
    if (p->name[i]) return p->name[i];
    if (t->op == EXPR_INPUT) return p->name[i] = t->elem == ELEM_BOOL ? arena_printf(a, "vf_to_bool(%s)", p->input[t->index]) : p->input[t->index];
    if (t->op == EXPR_CONSTANT && t->elem == ELEM_BOOL) return p->name[i] = arena_printf(a, "vi_splat(%d)", t->integer ? -1 : 0);
    if (t->op == EXPR_CONSTANT) return p->name[i] = arena_printf(a, "vf_splat(%s)", codegen_float(a, t->number));
    if (t->op == EXPR_CONVERT) {
        const bool from = p->e->item[t->arg[0]].elem == ELEM_BOOL, to = t->elem == ELEM_BOOL;
        const char *x = print_item(p, t->arg[0]);
        return p->name[i] = from == to ? x : arena_printf(a, "%s(%s)", from ? "vf_of_bool" : "vf_to_bool", x);
    }
    const char *text = call(p, t);
    if (p->uses[i] < 2) return text;
    p->name[i] = arena_printf(a, "t%d", i);
    strbuf_printf(p->to, "    const %s t%d = %s;\n", t->elem == ELEM_BOOL ? "vi" : "vf", i, text);
    return p->name[i];
}

bool codegen_expr_is_f32(const expr *e)
{
    for (int i = 0; e && i < e->count; i++)
        if (e->item[i].elem != ELEM_F32 && e->item[i].elem != ELEM_BOOL) return false;
    return true;
}

void codegen_expr(strbuf *to, const expr *e, const char *const *input)
{
    arena *a = to->arena;
    int *uses = arena_array(a, (size_t)e->count, sizeof *uses);
    for (int i = 0; i < e->count; i++)
        for (int j = 0; j < expr_arity(e->item[i].op); j++) uses[e->item[i].arg[j]]++;
    printer p = { to, e, input, uses, arena_array(a, (size_t)e->count, sizeof *p.name) };
    const char *result = print_item(&p, e->count - 1);
    const bool truth = e->item[e->count - 1].elem == ELEM_BOOL;   /* kept as 0 or 1 */
    strbuf_printf(to, truth ? "    return vf_of_bool(%s);\n" : "    return %s;\n", result);
}
