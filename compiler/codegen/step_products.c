/* Steps that run on matrix kernels: linear, mlp, attention. */
#include "codegen_private.h"
#include "codegen_steps.h"

#include <string.h>

/* "_gelu", "_add": the operators of an epilogue, for the instance's name. */
const char *codegen_suffix(arena *a, const expr *e)
{
    const char *text = "";
    int named = 0;
    for (int i = 0; e && i < e->count && named < 3; i++) {
        if (expr_arity(e->item[i].op) == 0) continue;
        text = arena_printf(a, "%s_%s", text, expr_op_name(e->item[i].op));
        named++;
    }
    return text;
}

static void print_tile(strbuf *to, const char *part)
{
    strbuf_printf(to, "static inline void $_%s_tile(const tile_f32 *tile, float *y, int ldy, int rows, int columns, size_t row, int column, "
                      "const void *operands)\n{\n"
                      "    tile_map_f32(tile, y, ldy, rows, columns, row, column, operands, $_%s_value);\n}\n\n", part, part);
}

/* Defines $_<part>_value and $_<part>_tile: bias (if any) is operand 0, then the extras; the expression has in0 = the product with its bias. */
void codegen_epilogue(codegen *g, strbuf *to, const char *part, const expr *e, bool bias, int extras)
{
    arena *a = g->arena;
    if (!e && !bias) return;
    const char **input = arena_array(a, (size_t)extras + 2, sizeof *input);
    strbuf_printf(to, "static inline vf $_%s_value(vf y, const operand_f32 *operands, size_t row, int column, int count)\n{\n", part);
    input[0] = bias ? "in0" : "y";
    if (bias) strbuf_add(to, "    const vf in0 = vf_add(y, operand_load(&operands[0], row, column, count));\n");
    for (int i = 0; i < extras; i++) {
        input[i + 1] = arena_printf(a, "in%d", i + 1);
        strbuf_printf(to, "    const vf in%d = operand_load(&operands[%d], row, column, count);\n", i + 1, i + bias);
    }
    if (!bias && !extras) strbuf_add(to, "    (void)operands, (void)row, (void)column, (void)count;\n");
    if (e) codegen_expr(to, e, input);
    else strbuf_add(to, "    return in0;\n");
    strbuf_add(to, "}\n\n");
    print_tile(to, part);
}

const char *codegen_operand(codegen *g, const char *pointer, const plan_value *x, const plan_value *out)
{
    const int rank = x->value->type.rank;
    const int64_t columns = rank ? x->shape[rank - 1] : 1, rows = columns ? x->elements / columns : 0;
    const int64_t width = out->value->type.rank ? out->shape[out->value->type.rank - 1] : 1;
    const bool images = g->plan->together > 1 && !g->each && x->space != SPACE_CONSTANT;   /* one row of each */
    return arena_printf(g->arena, "{ %s, %lld, %d }", pointer, (long long)(rows > 1 || images ? columns : 0), columns == width && width > 1);
}

/* Parameters "const float *e1, …", operand rows "{ e1, 768, 1 }, …" and arguments of the extra inputs from the first-th on. */
void codegen_extras(codegen *g, const step_site *at, int first, strbuf *parameters, strbuf *operands, strbuf *arguments)
{
    const ir_node *n = at->step->node;
    const plan_value *out = plan_value_of(at->scope, n->output[0]);
    for (int i = first; i < n->inputs; i++) {
        const plan_value *x = plan_value_of(at->scope, n->input[i]);
        const char *name = arena_printf(g->arena, "e%d", i - first + 1);
        strbuf_printf(parameters, "const float *%s, ", name);
        strbuf_printf(operands, "%s%s", operands->length ? ", " : "", codegen_operand(g, name, x, out));
        strbuf_printf(arguments, "%s, ", codegen_input(g, at, i, at->step->aligned[i]));
    }
}

void codegen_cut(strbuf *to, const char *name, const plan_tiles *t)
{
    const plan_cut *c = &t->cut, *w = &t->wide;
    strbuf_printf(to, "    const linear_cut %s = ", name);
    if (c->tile != w->tile || c->low != w->low || c->step != w->step || c->share != w->share || c->few != w->few || c->row != w->row)
        strbuf_printf(to, "LANES == 16 ? (linear_cut){ %d, %d, %d, %d, %d, %d, 0 } : (linear_cut)", w->tile, w->low, w->step, w->share, w->few, w->row);
    strbuf_printf(to, "{ %d, %d, %d, %d, %d, %d, 0 };\n", c->tile, c->low, c->step, c->share, c->few, c->row);
}

const char *codegen_code(arena *a, const plan_tiles *t)
{
    return t->gemm >= 0 ? arena_printf(a, "code + %d", t->gemm) : "NULL";
}

/* "1, row, rows": all rows, and which blocks of columns. */
static const char *column_rows(codegen *g, const step_site *at)
{
    const plan_value *out = codegen_output_value(at);
    const long long rows = out->elements / out->shape[out->value->type.rank - 1];
    const char *all = at->phase->joint && !g->each ? arena_printf(g->arena, "%lld * images", rows) : arena_printf(g->arena, "%lld", rows);
    return arena_printf(g->arena, "%s, row, rows", all);
}

void codegen_linear(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_tiles *t = &at->step->tiles[0];
    const expr *e = ir_expr(n, KEY_EPILOGUE);
    const bool bias = n->inputs > 2 && n->input[2];
    strbuf parameters = strbuf_in(a), operands = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    const bool columns = at->step->columns, code = t->gemm >= 0;
    strbuf_printf(&parameters, "%sconst float *x, const float *w, %s", code ? "gemm_code *const *code, " : "", bias ? "const float *bias, " : "");
    strbuf_printf(&arguments, "%s%s, %s, ", code ? "m->code, " : "", codegen_input(g, at, 0, !columns),
                  codegen_weight(g, at->scope, at->index, n->input[1], LAYOUT_PACKED, t->width, "w"));
    if (bias) {
        strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[2], LAYOUT_PLAIN, 0, "b"));
        strbuf_add(&operands, "{ bias, 0, 1 }");
    }
    codegen_extras(g, at, 3, &parameters, &operands, &arguments);
    strbuf_printf(&parameters, "float *y, int64_t rows%s", columns ? ", int64_t first, int64_t blocks" : "");
    codegen_epilogue(g, &body, "out", e, bias, n->inputs > 3 ? n->inputs - 3 : 0);
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters.text);
    if (operands.length) strbuf_printf(&body, "    const operand_f32 operands[] = { %s };\n", operands.text);
    codegen_cut(&body, "cut", t);
    strbuf_printf(&body, "    %s(%s, x, %d, w, y, %d, (int)rows, 0, %s%d, %d, %d, %d, cut, %s, %s);\n}\n",
                  columns ? "linear_columns_f32" : "linear_f32", codegen_code(a, t), t->ldx, t->ldy,
                  columns ? "(int)first, (int)blocks, " : "", t->n, t->k, t->part, t->width, e || bias ? "$_out_tile" : "tile_as_is_f32", operands.length ? "operands" : "NULL");
    const char *wish = arena_printf(a, "linear_%d_to_%d%s%s", t->k, t->n, codegen_suffix(a, e), columns ? "_columns" : "");
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text),
                 arena_printf(a, "%s%s, %s", arguments.text, codegen_output(g, at, 0, !columns), columns ? column_rows(g, at) : codegen_rows(g, at, true)));
}

/* Defines $_up_value and $_up_tile of a gated MLP: in0 is the first half with its bias, in1 the second, which operand 0 points at. */
static void print_gate(strbuf *to, const expr *e, bool bias)
{
    const char *const input[] = { "in0", "in1" };
    strbuf_add(to, "static inline vf $_up_value(vf y, const operand_f32 *operands, size_t row, int column, int count)\n{\n");
    strbuf_printf(to, "    const vf in0 = %s;\n", bias ? "vf_add(y, operand_load(&operands[1], row, column, count))" : "y");
    strbuf_add(to, "    const vf in1 = ");
    strbuf_add(to, bias ? "vf_add(operand_load(&operands[0], row, column, count), operand_load(&operands[2], row, column, count));\n"
                        : "operand_load(&operands[0], row, column, count);\n");
    codegen_expr(to, e, input);
    strbuf_add(to, "}\n\n");
    print_tile(to, "up");
}

/* The body of an MLP's instance: which kernels, and the template's call. */
static void print_mlp(strbuf *to, const plan_step *step, bool gated, bool finish, const char *up_operands, const char *down_operands)
{
    const plan_tiles *up = &step->tiles[0], *down = &step->tiles[1];
    if (up->gemm >= 0) strbuf_printf(to, "    const mlp_code products = { code + %d, code + %d };\n", up->gemm, down->gemm);
    else strbuf_add(to, "    static const mlp_code products = { NULL, NULL };\n");
    codegen_cut(to, "up_cut", up);
    codegen_cut(to, "down_cut", down);
    strbuf_printf(to, "    %s(&products, x, %d, w1, hidden, w2, y, %d, (int)rows, %d, %d, %d, ", gated ? "gated_mlp_f32" : "mlp_f32", up->ldx,
                  down->ldy, up->k, up->part, down->k);
    if (!gated) strbuf_printf(to, "%d, ", up->chunk);
    strbuf_printf(to, "%d, %d, %d, %d, up_cut, down_cut, $_up_tile, %s, %s, %s);\n", down->part, down->n, up->width, down->width, up_operands, finish ? "$_down_tile" : "tile_as_is_f32", down_operands);
}

void codegen_mlp(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_tiles *up = &at->step->tiles[0], *down = &at->step->tiles[1];
    const expr *activation = ir_expr(n, KEY_EXPR), *e = ir_expr(n, KEY_EPILOGUE);
    const bool b1 = n->input[2] != NULL, b2 = n->input[4] != NULL, gated = down->k != up->n;
    strbuf parameters = strbuf_in(a), up_operands = strbuf_in(a), operands = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    const bool code = up->gemm >= 0;
    strbuf_printf(&parameters, "%sconst float *x, const float *w1, %sconst float *w2, %s", code ? "gemm_code *const *code, " : "",
                  b1 ? "const float *b1, " : "", b2 ? "const float *b2, " : "");
    strbuf_printf(&arguments, "%s%s, %s, ", code ? "m->code, " : "", codegen_input(g, at, 0, true),
                  codegen_weight(g, at->scope, at->index, n->input[1], LAYOUT_PACKED, up->width, "up_w"));
    if (b1) strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[2], LAYOUT_PLAIN, 0, "up_b"));
    strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[3], LAYOUT_PACKED, down->width, "down_w"));
    if (b2) strbuf_printf(&arguments, "%s, ", codegen_weight(g, at->scope, at->index, n->input[4], LAYOUT_PLAIN, 0, "down_b"));
    if (gated) strbuf_printf(&up_operands, "{ hidden + %d, %d, 1 }", down->k, up->n);
    if (b1) strbuf_printf(&up_operands, "%s{ b1, 0, 1 }", gated ? ", " : "");
    if (b1 && gated) strbuf_printf(&up_operands, ", { b1 + %d, 0, 1 }", down->k);
    if (b2) strbuf_add(&operands, "{ b2, 0, 1 }");
    codegen_extras(g, at, 5, &parameters, &operands, &arguments);
    strbuf_add(&parameters, "float *hidden, float *y, int64_t rows");
    if (gated) print_gate(&body, activation, b1);
    else codegen_epilogue(g, &body, "up", activation, b1, 0);
    codegen_epilogue(g, &body, "down", e, b2, n->inputs > 5 ? n->inputs - 5 : 0);
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters.text);
    if (up_operands.length) strbuf_printf(&body, "    const operand_f32 up[] = { %s };\n", up_operands.text);
    if (operands.length) strbuf_printf(&body, "    const operand_f32 down[] = { %s };\n", operands.text);
    print_mlp(&body, at->step, gated, e || b2, up_operands.length ? "up" : "NULL", operands.length ? "down" : "NULL");
    strbuf_add(&body, "}\n");
    const char *wish = arena_printf(a, "mlp_%d_%d_%d%s%s", up->k, up->n, down->n, codegen_suffix(a, activation), codegen_suffix(a, e));
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text),
                 arena_printf(a, "%s%s, %s, %s", arguments.text, codegen_scratch(g, at->phase, at->step->scratch), codegen_output(g, at, 0, true),
                              codegen_rows(g, at, true)));
}
