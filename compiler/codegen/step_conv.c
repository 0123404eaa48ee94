/* Convolutions with channels last: on matrix kernels, of few rows, by Winograd's tiles, or channel by channel. */
#include "codegen_private.h"
#include "codegen_steps.h"

static void print_shape(strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0), *out = codegen_output_value(at);
    strbuf_printf(to, "    static const windows_shape shape = { .channels = %lld, .groups = %lld", (long long)x->shape[3], (long long)ir_int(n, KEY_GROUP, 1));
    codegen_list(to, "size", x->shape + 1, 2);
    codegen_list(to, "kernel", ir_find(n, KEY_KERNEL)->list.item, 2);
    codegen_list(to, "out", out->shape + 1, 2);
    codegen_list(to, "stride", ir_find(n, KEY_STRIDES)->list.item, 2);
    codegen_list(to, "pad", ir_find(n, KEY_PADS)->list.item, 2);
    codegen_list(to, "dilation", ir_find(n, KEY_DILATIONS)->list.item, 2);
    strbuf_add(to, " };\n");
}

static bool has_bias(const ir_node *n)
{
    return n->inputs > 2 && n->input[2];
}

/* "row * 7": the first row of the panel among the step's pixels. */
static const char *first_row(codegen *g, const step_site *at)
{
    const plan_value *out = codegen_output_value(at);
    const int64_t each = out->elements / out->shape[3] / at->phase->rows;
    return codegen_first_row(g, each);
}

static void print_depthwise(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const bool bias = has_bias(n);
    strbuf body = strbuf_in(a);
    const char *parameters = arena_printf(a, "const float *x, const float *w, %sfloat *y, int64_t row, int64_t rows", bias ? "const float *bias, " : "");
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters);
    print_shape(&body, at);
    strbuf_printf(&body, "    depthwise_f32(&shape, x, w, %s, y, (size_t)row, (size_t)rows);\n}\n", bias ? "bias" : "NULL");
    const char *weights = codegen_weight(g, at->scope, at->index, n->input[1], LAYOUT_PLAIN, 0, "w");
    if (bias) weights = arena_printf(a, "%s, %s", weights, codegen_weight(g, at->scope, at->index, n->input[2], LAYOUT_PLAIN, 0, "b"));
    const int64_t *kernel = ir_find(n, KEY_KERNEL)->list.item;
    const char *wish = arena_printf(a, "depthwise_%lldx%lld_%lld", (long long)kernel[0], (long long)kernel[1],
                                    (long long)codegen_input_value(at, 0)->shape[3]);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters, body.text),
                 arena_printf(a, "%s, %s, %s, %s, %s", codegen_input(g, at, 0, false), weights, codegen_output(g, at, 0, true), first_row(g, at),
                              codegen_rows(g, at, true)));
}

static void print_cut(strbuf *to, const plan_step *t, const plan_cut *c)
{
    const plan_tiles *k = &t->tiles[0];
    strbuf_printf(to, "{ %lld, %d, %d, %d, %d, %d }", (long long)t->piece, k->chunk, c->tile, c->low, k->part, k->taps);
}

/* On matrix kernels: parameters, arguments and the template's call up to the epilogue. */
static void print_pieces(codegen *g, const step_site *at, strbuf *parameters, strbuf *arguments, strbuf *body)
{
    const plan_tiles *t = &at->step->tiles[0];
    strbuf_add(parameters, "float *y, int64_t row, int64_t rows");
    strbuf_printf(arguments, "%s, %s, %s", codegen_output(g, at, 0, true), first_row(g, at), codegen_rows(g, at, true));
    strbuf_add(body, "    const conv_cut cut = ");
    if (t->cut.tile != t->wide.tile || t->cut.low != t->wide.low) {
        strbuf_add(body, "LANES == 16 ? (conv_cut)");
        print_cut(body, at->step, &t->wide);
        strbuf_add(body, " : (conv_cut)");
    }
    print_cut(body, at->step, &t->cut);
    strbuf_printf(body, ";\n    conv_last_f32(code + %d, &shape, x, w, scratch, y, (size_t)row, (int)rows, %d, %d, cut, ", t->gemm, t->n, t->width);
}

/* Of few rows, by blocks of features: the same. */
static void print_few(codegen *g, const step_site *at, strbuf *parameters, strbuf *arguments, strbuf *body)
{
    const plan_tiles *t = &at->step->tiles[0];
    const plan_value *out = codegen_output_value(at);
    strbuf_add(parameters, "float *y, int64_t first, int64_t blocks");
    strbuf_printf(arguments, "%s, row, rows", codegen_output(g, at, 0, false));
    codegen_cut(body, "cut", t);
    strbuf_printf(body, "    conv_few_f32(%s, &shape, x, w, scratch, y, %lld, (int)first, (int)blocks, %d, %d, %d, cut, ", codegen_code(g->arena, t),
                  (long long)(out->elements / out->shape[3]), t->n, t->part, t->width);
}

/* Tile by tile: the same. */
static void print_winograd(codegen *g, const step_site *at, strbuf *parameters, strbuf *arguments, strbuf *body)
{
    const plan_tiles *t = &at->step->tiles[0];
    strbuf_add(parameters, "float *y, int64_t row, int64_t rows, int64_t column, int64_t columns");
    strbuf_printf(arguments, "%s, ", codegen_output(g, at, 0, false));
    const long long all = plan_winograd_tiles(codegen_output_value(at));
    if (at->step->columns) strbuf_printf(arguments, "0, %lld, row * %d, rows * %d", all, t->width, t->width);
    else strbuf_printf(arguments, "%s, %s, 0, %d", codegen_first_row(g, 1), codegen_rows(g, at, false), t->n);
    codegen_cut(body, "cut", t);
    strbuf_printf(body, "    winograd_f32(code + %d, &shape, x, w, scratch, y, (size_t)row, (int)rows, (int)column, (int)columns, %d, %d, %d, %d, cut, ",
                  t->gemm, t->n, t->part, t->width, t->chunk);
}

static void print_product(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_tiles *t = &at->step->tiles[0];
    const bool winograd = at->step->winograd, code = t->gemm >= 0, bias = has_bias(n);
    const expr *e = ir_expr(n, KEY_EPILOGUE);
    strbuf parameters = strbuf_in(a), operands = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    strbuf_printf(&parameters, "%sconst float *x, const float *w, %s", code ? "gemm_code *const *code, " : "", bias ? "const float *bias, " : "");
    strbuf_printf(&arguments, "%s%s, %s, ", code ? "m->code, " : "", codegen_input(g, at, 0, false),
                  codegen_weight(g, at->scope, at->index, n->input[1], winograd ? LAYOUT_WINOGRAD : LAYOUT_PACKED, t->width, "w"));
    if (bias) {
        strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[2], LAYOUT_PLAIN, 0, "b"));
        strbuf_add(&operands, "{ bias, 0, 1 }");
    }
    codegen_extras(g, at, 3, &parameters, &operands, &arguments);
    strbuf_add(&parameters, "float *scratch, ");
    strbuf_printf(&arguments, "%s, ", codegen_scratch(g, at->phase, at->step->scratch));
    codegen_epilogue(g, &body, "out", e, bias, n->inputs > 3 ? n->inputs - 3 : 0);
    strbuf call = strbuf_in(a);
    (winograd ? print_winograd : at->step->columns ? print_few : print_pieces)(g, at, &parameters, &arguments, &call);
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters.text);
    print_shape(&body, at);
    if (operands.length) strbuf_printf(&body, "    const operand_f32 operands[] = { %s };\n", operands.text);
    strbuf_printf(&body, "%s%s, %s);\n}\n", call.text, e || bias ? "$_out_tile" : "tile_as_is_f32", operands.length ? "operands" : "NULL");
    const int64_t *kernel = ir_find(n, KEY_KERNEL)->list.item;
    const char *wish = arena_printf(a, "%s_%lldx%lld_%lld_to_%d%s", winograd ? "winograd" : "conv", (long long)kernel[0], (long long)kernel[1],
                                    (long long)codegen_input_value(at, 0)->shape[3], t->n, codegen_suffix(a, e));
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text), arguments.text);
}

void codegen_conv_last(codegen *g, strbuf *to, const step_site *at)
{
    if (codegen_output_value(at)->value->type.rank != 4) codegen_refuse(g, at->step->node, "channels last over other than two axes");
    else if (plan_is_depthwise(at->step->node)) print_depthwise(g, to, at);
    else print_product(g, to, at);
}
