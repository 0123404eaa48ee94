/* Steps that work row by row: norm, softmax, map. */
#include "codegen_private.h"
#include "codegen_steps.h"

#include <string.h>

/* Elements from the first normalised axis on, and how far apart rows of the input are. */
static int64_t row_size(const plan_value *x, int axis)
{
    int64_t n = 1;
    for (int i = axis; i < x->value->type.rank; i++) n *= x->shape[i];
    return n;
}

static int64_t row_distance(const plan_value *x, int64_t n)
{
    return x->row_elements == x->row_stride ? n : x->row_stride;
}

void codegen_norm(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *x = plan_value_of(at->scope, n->input[0]);
    const int axis = (int)ir_int(n, KEY_AXIS, x->value->type.rank - 1);
    const int64_t size = row_size(x, axis);
    const bool rms = ir_is_name(n, KEY_KIND, "rms"), gamma = n->inputs > 1 && n->input[1], beta = n->inputs > 2 && n->input[2];
    for (int i = 1; i < n->inputs; i++)
        if (n->input[i] && plan_value_of(at->scope, n->input[i])->elements != size) codegen_refuse(g, n, "gamma or beta that broadcasts within the normalised shape");
    strbuf parameters = strbuf_in(a), arguments = strbuf_in(a);
    strbuf_printf(&parameters, "const float *x, %s%sfloat *y, int64_t rows", gamma ? "const float *gamma, " : "", beta ? "const float *beta, " : "");
    strbuf_printf(&arguments, "%s, ", codegen_input(g, at, 0, true));
    if (gamma) strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[1], LAYOUT_PLAIN, 0, "gamma"));
    if (beta) strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[2], LAYOUT_PLAIN, 0, "beta"));
    const int64_t each = at->step->rows / at->phase->rows;
    strbuf_printf(&arguments, "%s, %s", codegen_output(g, at, 0, true), each == 1 ? "rows" : arena_printf(a, "rows * %lld", (long long)each));
    const char *call = rms ? "rms_norm_f32" : "layer_norm_f32";
    const char *extras = rms ? (gamma ? "gamma" : "NULL") : arena_printf(a, "%s, %s", gamma ? "gamma" : "NULL", beta ? "beta" : "NULL");
    const char *body = arena_printf(a, "static void $(%s)\n{\n    %s(x, %lld, y, %lld, (int)rows, %lld, %s, %s);\n}\n", parameters.text, call, (long long)row_distance(x, size), (long long)size, (long long)size, extras,
                                    codegen_float(a, ir_number(n, KEY_EPSILON, 0)));
    codegen_call(g, to, at, codegen_instance(g, arena_printf(a, "%s_%lld", rms ? "rms_norm" : "norm", (long long)size), parameters.text, body), arguments.text);
}

void codegen_softmax(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *x = plan_value_of(at->scope, n->input[0]);
    const int rank = x->value->type.rank, axis = (int)ir_int(n, KEY_AXIS, rank - 1);
    const char *parameters = "const float *x, float *y, int64_t rows", *body, *wish;
    if (axis == rank - 1) {
        const int64_t size = x->shape[axis];
        body = arena_printf(a, "static void $(%s)\n{\n    softmax_f32(x, %lld, y, %lld, (int)rows, %lld);\n}\n", parameters, (long long)row_distance(x, size), (long long)size, (long long)size);
        wish = arena_printf(a, "softmax_%lld", (long long)size);
    } else {
        const int64_t inner = row_size(x, axis + 1), outer = x->elements / (inner * x->shape[axis]);
        body = arena_printf(a, "static void $(%s)\n{\n    (void)rows;\n    softmax_axis_f32(x, y, %lld, %lld, %lld);\n}\n", parameters, (long long)outer, (long long)x->shape[axis], (long long)inner);
        wish = "softmax_of_axis";
    }
    const bool panels = at->step->aligned[0];
    codegen_call(g, to, at, codegen_instance(g, wish, parameters, body), arena_printf(a, "%s, %s, %s", codegen_input(g, at, 0, panels), codegen_output(g, at, 0, panels), codegen_rows(g, at, panels)));
}

/* Rows on which every operand is the same row or one for all: then a map is a tile of whole rows. */
static bool follows_rows(const step_site *at, const plan_value *out)
{
    const ir_node *n = at->step->node;
    const int rank = out->value->type.rank;
    const int64_t last = rank ? out->shape[rank - 1] : 1, per_step = last ? out->elements / last / at->step->rows : 0;
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = plan_value_of(at->scope, n->input[i]);
        const int own = x->value->type.rank;
        const int64_t columns = own ? x->shape[own - 1] : 1, rows = columns ? x->elements / columns : 0;
        if (columns != last && columns != 1) return false;
        if (at->step->aligned[i] || rows == 1) continue;
        if (rows != per_step) return false;
    }
    return true;
}

static void print_value(strbuf *body, const ir_node *n)
{
    arena *a = body->arena;
    const char **input = arena_array(a, (size_t)n->inputs + 1, sizeof *input);
    strbuf_add(body, "static inline vf $_value(vf y, const operand_f32 *operands, size_t row, int column, int count)\n{\n    (void)y;\n");
    for (int i = 0; i < n->inputs; i++) {
        input[i] = arena_printf(a, "in%d", i);
        strbuf_printf(body, "    const vf in%d = operand_load(&operands[%d], row, column, count);\n", i, i);
    }
    codegen_expr(body, ir_expr(n, KEY_EXPR), input);
    strbuf_add(body, "}\n\n");
}

/* "map_add_mul" */
static const char *map_name(arena *a, const expr *e)
{
    const char *text = "map";
    for (int i = 0, named = 0; i < e->count && named < 3; i++)
        if (expr_arity(e->item[i].op)) text = arena_printf(a, "%s_%s", text, expr_op_name(e->item[i].op)), named++;
    return text;
}

void codegen_map(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = plan_value_of(at->scope, n->output[0]);
    const int rank = out->value->type.rank;
    const int64_t last = rank ? out->shape[rank - 1] : 1;
    if (!follows_rows(at, out)) {
        codegen_broadcast_map(g, to, at);
        return;
    }
    strbuf parameters = strbuf_in(a), operands = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = plan_value_of(at->scope, n->input[i]);
        const char *name = arena_printf(a, "x%d", i);
        strbuf_printf(&parameters, "const float *%s, ", name);
        strbuf_printf(&operands, "%s%s", i ? ", " : "", codegen_operand(g, name, x, out));
        strbuf_printf(&arguments, "%s, ", codegen_input(g, at, i, at->step->aligned[i]));
    }
    strbuf_add(&parameters, "float *y, int64_t rows");
    strbuf_printf(&arguments, "%s, %s", codegen_output(g, at, 0, true), codegen_rows(g, at, true));
    print_value(&body, n);
    strbuf_printf(&body, "static void $(%s)\n{\n    const operand_f32 operands[] = { %s };\n    const tile_f32 tile = { y, %lld, 1, 0, 0 };\n    tile_map_f32(&tile, y, %lld, (int)rows, %lld, 0, 0, operands, $_value);\n}\n", parameters.text, operands.text,
                  (long long)last, (long long)last, (long long)last);
    codegen_call(g, to, at, codegen_instance(g, arena_printf(a, "%s_%lld", map_name(a, ir_expr(n, KEY_EXPR)), (long long)last), parameters.text, body.text), arguments.text);
}
