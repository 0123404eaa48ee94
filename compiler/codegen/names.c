/* Names and literals: C identifiers and strings from text that the model's author controls. */
#include "codegen_private.h"

#include <ctype.h>
#include <string.h>

static bool is_keyword(const char *word)
{
    static const char *const keywords[] = {
        "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "class", "compl",
        "concept", "const", "const_cast", "constexpr", "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum",
        "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
        "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
        "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template",
        "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "union", "unsigned", "using", "virtual", "void",
        "volatile", "wchar_t", "while", "xor", "xor_eq", "main", "errno", "NULL", "linux", "unix",
    };
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (!strcmp(word, keywords[i])) return true;
    return false;
}

const char *codegen_identifier(arena *a, const char *text)
{
    strbuf b = strbuf_in(a);
    if (!*text || isdigit((unsigned char)*text)) strbuf_add(&b, "_");
    for (; *text && b.length < 60; text++) {
        const char c = *text;
        const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        strbuf_addn(&b, fine ? text : "_", 1);
    }
    if (b.text[0] == '_' && (b.text[1] == '_' || isupper((unsigned char)b.text[1])))
        return arena_printf(a, "x%s", b.text);   /* reserved for the implementation */
    return is_keyword(b.text) ? arena_printf(a, "%s_", b.text) : b.text;
}

const char *codegen_file_name(arena *a, const char *text)
{
    char *safe = arena_strdup(a, text);
    for (char *c = safe; *c; c++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", *c)) *c = '_';
    return safe;
}

const char *codegen_escape(arena *a, const char *text)
{
    strbuf b = strbuf_in(a);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\' || c == '?') strbuf_printf(&b, "\\%c", c);
        else if (c < 32 || c > 126) strbuf_printf(&b, "\\%03o", c);
        else strbuf_addn(&b, text, 1);
    }
    return b.text;
}

const char *codegen_shape(arena *a, const plan_value *x)
{
    const char *text = "[";
    for (int i = 0; i < x->value->type.rank; i++) text = arena_printf(a, "%s%s%lld", text, i ? "," : "", (long long)x->shape[i]);
    return arena_printf(a, "%s]", text);
}

const char *codegen_scope_name(const codegen *g, int scope)
{
    return scope ? codegen_identifier(g->arena, g->plan->function[scope - 1].graph->name) : "constants";
}

/* "linear_12": operator and number in its graph. */
const char *codegen_value_name(codegen *g, const ir_value *v)
{
    if (!v->def) return arena_printf(g->arena, "in%d", v->index);
    const char *op = v->def->op == IR_ATTENTION ? (v->index ? "probabilities" : "attention") : ir_op_name(v->def->op);
    if (v->def->op == IR_PAD && plan_is_key_transpose(v->def)) op = "keys";
    return arena_printf(g->arena, "%s%d", op, v->id);
}
