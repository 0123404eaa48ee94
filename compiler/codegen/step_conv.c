/* Convolutions with channels last: multiplied where the image lies, or channel by channel. */
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

/* "row, rows, 0, 512": a panel's pixels or tiles and all features; or all of an image's and "row * 32, rows * 32". */
static const char *range(codegen *g, const step_site *at)
{
    arena *a = g->arena;
    const plan_tiles *t = &at->step->tiles[0];
    const plan_value *out = codegen_output_value(at);
    const long long all = at->step->winograd ? plan_winograd_tiles(out) : out->elements / out->shape[3];
    if (at->step->columns) return arena_printf(a, "0, %lld, row * %d, rows * %d", all, t->width, t->width);
    if (at->step->winograd) return arena_printf(a, "%s, %s, 0, %d", codegen_first_row(g, 1), codegen_rows(g, at, false), t->n);
    return arena_printf(a, "%s, %s, 0, %d", first_row(g, at), codegen_rows(g, at, true), t->n);
}

/* Multiplied where the image lies, or tile by tile. */
static void print_product(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_tiles *t = &at->step->tiles[0];
    const bool tiles = at->step->winograd;
    const expr *e = ir_expr(n, KEY_EPILOGUE);
    const bool bias = has_bias(n);
    strbuf parameters = strbuf_in(a), operands = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    strbuf_printf(&parameters, "const float *x, const float *w, %s", bias ? "const float *bias, " : "");
    strbuf_printf(&arguments, "%s, %s, ", codegen_input(g, at, 0, false),
                  codegen_weight(g, at->scope, at->index, n->input[1], tiles ? LAYOUT_WINOGRAD : LAYOUT_PACKED, t->width, "w"));
    if (bias) {
        strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[2], LAYOUT_PLAIN, 0, "b"));
        strbuf_add(&operands, "{ bias, 0, 1 }");
    }
    codegen_extras(g, at, 3, &parameters, &operands, &arguments);
    strbuf_add(&parameters, "float *scratch, float *y, int64_t row, int64_t rows, int64_t column, int64_t columns");
    codegen_epilogue(g, &body, "out", e, bias, n->inputs > 3 ? n->inputs - 3 : 0);
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters.text);
    print_shape(&body, at);
    if (operands.length) strbuf_printf(&body, "    const operand_f32 operands[] = { %s };\n", operands.text);
    strbuf_printf(&body, "    %s(&shape, x, w, scratch, y, (size_t)row, (int)rows, (int)column, (int)columns, %d, ",
                  tiles ? "winograd_f32" : "conv_last_f32", t->n);
    if (!tiles) strbuf_printf(&body, "%d, ", t->taps);
    strbuf_printf(&body, "%d, %d, %d, %s, %s);\n}\n", t->part, t->width, t->cut.tile, e || bias ? "$_out_tile" : "tile_as_is_f32",
                  operands.length ? "operands" : "NULL");
    const int64_t *kernel = ir_find(n, KEY_KERNEL)->list.item;
    const char *wish = arena_printf(a, "%s_%lldx%lld_%lld_to_%d%s", tiles ? "winograd" : "conv", (long long)kernel[0], (long long)kernel[1],
                                    (long long)codegen_input_value(at, 0)->shape[3], t->n, codegen_suffix(a, e));
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text),
                 arena_printf(a, "%s%s, %s, %s", arguments.text, codegen_scratch(g, at->phase, at->step->scratch),
                              codegen_output(g, at, 0, !tiles && !at->step->columns), range(g, at)));
}

void codegen_conv_last(codegen *g, strbuf *to, const step_site *at)
{
    if (codegen_output_value(at)->value->type.rank != 4) codegen_refuse(g, at->step->node, "channels last over other than two axes");
    else if (plan_is_depthwise(at->step->node)) print_depthwise(g, to, at);
    else print_product(g, to, at);
}
