/* Prints a step: which operator, with which pointers and rows. */
#include "codegen_steps.h"

#include <string.h>

const plan_value *codegen_input_value(const step_site *at, int i)
{
    return i < at->step->node->inputs ? plan_value_of(at->scope, at->step->node->input[i]) : NULL;
}

const plan_value *codegen_output_value(const step_site *at)
{
    return plan_value_of(at->scope, at->step->node->output[0]);
}

const char *codegen_input(codegen *g, const step_site *at, int i, bool by_panel)
{
    return codegen_pointer(g, at->scope, at->index, at->phase, plan_input(at->step->node, i), by_panel);
}

const char *codegen_output(codegen *g, const step_site *at, int i, bool by_panel)
{
    return codegen_pointer(g, at->scope, at->index, at->phase, at->step->node->output[i], by_panel);
}

const char *codegen_rows(codegen *g, const step_site *at, bool natural)
{
    const plan_value *out = codegen_output_value(at);
    const int rank = out->value->type.rank;
    const int64_t last = rank ? out->shape[rank - 1] : 1;
    const int64_t all = natural ? (last ? out->elements / last : 0) : at->step->rows, each = all / at->phase->rows;
    return codegen_times_rows(g, at, each);
}

const char *codegen_times_rows(codegen *g, const step_site *at, int64_t each)
{
    const char *rows = at->phase->joint && !g->each ? "all_rows" : "rows";
    return each == 1 ? rows : arena_printf(g->arena, "%s * %lld", rows, (long long)each);
}

const char *codegen_first_row(codegen *g, int64_t each)
{
    return each == 1 ? "row" : arena_printf(g->arena, "row * %lld", (long long)each);
}

/* Origins come escaped from the frontend; only the end of a comment must not appear in them. */
static const char *origins(codegen *g, const ir_node *n)
{
    strbuf b = strbuf_in(g->arena);
    for (int i = 0; i < n->origins && i < 3; i++) strbuf_printf(&b, "%s%s", i ? ", " : "", n->origin[i]);
    if (n->origins > 3) strbuf_printf(&b, " and %d more", n->origins - 3);
    for (char *c = b.text; *c; c++)
        if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*')) *c = '_';
    return b.text;
}

void codegen_call(codegen *g, strbuf *to, const step_site *at, const char *instance, const char *arguments)
{
    const char *once = at->step->once ? "if (row == 0) " : "", *each = at->phase->joint && g->each ? "for (int64_t i = 0; i < images; i++) " : "";
    strbuf_printf(to, "        %s%sk->%s(%s);", once, each, instance, arguments);
    if (at->step->node->origins) strbuf_printf(to, "   /* %s */", origins(g, at->step->node));
    strbuf_add(to, "\n");
    codegen_count_work(g, instance, at->scope, at->index, at->step->node);
}

void codegen_whole(codegen *g, strbuf *to, const step_site *at, const char *wish, const char *body)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    strbuf parameters = strbuf_in(a), arguments = strbuf_in(a);
    for (int i = 0; i < n->inputs; i++) {
        if (!n->input[i]) continue;
        strbuf_printf(&parameters, "const void *x%d, ", i);
        strbuf_printf(&arguments, "%s, ", codegen_input(g, at, i, false));
    }
    strbuf_printf(&parameters, "%s *y", codegen_c_type(n->output[0]->type.elem));
    strbuf_add(&arguments, codegen_output(g, at, 0, false));
    const char *text = arena_printf(a, "static void $(%s)\n{\n%s}\n", parameters.text, body);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, text), arguments.text);
}

int64_t codegen_product(const plan_value *x, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= x->shape[i];
    return n;
}

void codegen_list(strbuf *to, const char *name, const int64_t *value, int count)
{
    strbuf_printf(to, ", .%s = {", name);
    for (int i = 0; i < count; i++) strbuf_printf(to, "%s%lld", i ? ", " : " ", (long long)value[i]);
    strbuf_add(to, count ? " }" : " 0 }");
}

/* Is x, read or written by rows, one array of rows over all images that run together? */
static bool joins_images(const codegen *g, const step_site *at, const plan_value *x)
{
    return plan_is_of_images(g->plan, at->scope, x->base) && plan_is_whole(x);
}

static bool is_for_all_rows(const plan_value *x, int64_t columns)
{
    return x->elements == 1 || (x->elements == columns && x->shape[x->value->type.rank - 1] == columns);
}

/* Does the step's kernel take rows and nothing else, so that it may take those of several images at once? Constants must be the same for all rows. */
static bool spans_images(const codegen *g, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *out = codegen_output_value(at);
    const int weights = n->op == IR_LINEAR || n->op == IR_NORM ? 3 : n->op == IR_MLP ? 5 : 0;
    if (!weights || at->step->once || !joins_images(g, at, out)) return false;
    const int64_t columns = out->shape[out->value->type.rank - 1];
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = codegen_input_value(at, i);
        const bool weight = i > 0 && i < weights, by_rows = at->step->aligned[i] || at->step->columns;
        if (!x) continue;
        if (x->space == SPACE_CONSTANT ? !weight && (i == 0 || !is_for_all_rows(x, columns)) : weight || !by_rows || !joins_images(g, at, x)) return false;
    }
    return true;
}

void codegen_step(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f, const plan_step *t)
{
    const step_site at = { s, scope, f, t };
    g->each = g->plan->together > 1 && !(f->joint && spans_images(g, &at));
    switch (t->node->op) {
    case IR_LINEAR: codegen_linear(g, to, &at); return;
    case IR_MLP: codegen_mlp(g, to, &at); return;
    case IR_ATTENTION: codegen_attention(g, to, &at); return;
    case IR_NORM: codegen_norm(g, to, &at); return;
    case IR_MOMENTS: codegen_moments(g, to, &at); return;
    case IR_JOIN_MOMENTS: codegen_join_moments(g, to, &at); return;
    case IR_SOFTMAX: codegen_softmax(g, to, &at); return;
    case IR_MAP: codegen_map(g, to, &at); return;
    case IR_MOVE: codegen_move(g, to, &at); return;
    case IR_CONCAT: codegen_concat(g, to, &at); return;
    case IR_GATHER: codegen_gather(g, to, &at); return;
    case IR_RESAMPLE: codegen_resample(g, to, &at); return;
    case IR_TOPK: codegen_topk(g, to, &at); return;
    case IR_PICK: codegen_pick(g, to, &at); return;
    case IR_LENGTH: codegen_length(g, to, &at); return;
    case IR_EXTEND: case IR_SHRINK: codegen_capacity(g, to, &at); return;
    case IR_SCATTER: codegen_scatter(g, to, &at); return;
    case IR_SUPPRESS: codegen_suppress(g, to, &at); return;
    case IR_PAD: plan_is_key_transpose(t->node) ? codegen_keys(g, to, &at) : codegen_pad(g, to, &at); return;
    case IR_MATMUL: codegen_matmul(g, to, &at); return;
    case IR_REDUCE: codegen_reduce(g, to, &at); return;
    case IR_CONV: codegen_conv(g, to, &at); return;
    case IR_CONV_LAST: codegen_conv_last(g, to, &at); return;
    default: codegen_refuse(g, t->node, "%s cannot be emitted yet", ir_op_name(t->node->op));
    }
}
