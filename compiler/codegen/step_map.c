/* Steps of maps: vectors of floats where there is nothing else, row by row or broadcasting; any other element types one element at a time. */
#include "codegen_private.h"
#include "codegen_steps.h"

enum { VECTOR_INPUTS = 8 };   /* MAP_INPUTS of templates/map_f32.h */

static bool is_flags(const plan_value *x)
{
    return x->value->type.elem == ELEM_BOOL && x->space == SPACE_CONSTANT;
}

/* Floats in, floats out; constants that are truth values are stored as floats for it. */
static bool runs_in_vectors(const step_site *at)
{
    const ir_node *n = at->step->node;
    if (n->output[0]->type.elem != ELEM_F32 || !codegen_expr_is_f32(ir_expr(n, KEY_EXPR))) return false;
    for (int i = 0; i < n->inputs; i++)
        if (n->input[i]->type.elem != ELEM_F32 && !is_flags(codegen_input_value(at, i))) return false;
    return true;
}

/* Rows on which every operand is the same row or one for all: then a map is a tile of whole rows. */
static bool follows_rows(const step_site *at, const plan_value *out)
{
    const ir_node *n = at->step->node;
    const int rank = out->value->type.rank;
    const int64_t last = rank ? out->shape[rank - 1] : 1, per_step = last ? out->elements / last / at->step->rows : 0;
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = codegen_input_value(at, i);
        const int own = x->value->type.rank;
        const int64_t columns = own ? x->shape[own - 1] : 1, rows = columns ? x->elements / columns : 0;
        if (columns != last && columns != 1) return false;
        if (at->step->aligned[i] || rows == 1) continue;
        if (rows != per_step) return false;
    }
    return true;
}

/* "map_add_mul" */
static const char *map_name(arena *a, const expr *e)
{
    const char *text = "map";
    for (int i = 0, named = 0; i < e->count && named < 3; i++)
        if (expr_arity(e->item[i].op)) text = arena_printf(a, "%s_%s", text, expr_op_name(e->item[i].op)), named++;
    return text;
}

static int64_t last_size(const plan_value *x)
{
    return x->value->type.rank ? x->shape[x->value->type.rank - 1] : 1;
}

/* "const float *x0, " and its argument, for every input; by_panel: as the step reads it. */
static void print_inputs(codegen *g, const step_site *at, bool vectors, bool by_panel, strbuf *parameters, strbuf *arguments)
{
    const ir_node *n = at->step->node;
    for (int i = 0; i < n->inputs; i++) {
        const bool panel = by_panel && at->step->aligned[i], flags = vectors && is_flags(codegen_input_value(at, i));
        strbuf_printf(parameters, "const %s *x%d, ", flags ? "float" : codegen_c_type(n->input[i]->type.elem), i);
        if (flags) strbuf_printf(arguments, "%s, ", codegen_flags(g, at->scope, at->index, at->phase, n->input[i], panel));
        else strbuf_printf(arguments, "%s, ", codegen_input(g, at, i, panel));
    }
}

/* ---- vectors ---- */

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

static void row_map(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = codegen_output_value(at);
    const long long last = last_size(out);
    strbuf parameters = strbuf_in(a), operands = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    print_inputs(g, at, true, true, &parameters, &arguments);
    for (int i = 0; i < n->inputs; i++)
        strbuf_printf(&operands, "%s%s", i ? ", " : "", codegen_operand(g, arena_printf(a, "x%d", i), codegen_input_value(at, i), out));
    strbuf_add(&parameters, "float *y, int64_t rows");
    strbuf_printf(&arguments, "%s, %s", codegen_output(g, at, 0, true), codegen_rows(g, at, true));
    print_value(&body, n);
    strbuf_printf(&body, "static void $(%s)\n{\n    const operand_f32 operands[] = { %s };\n    const tile_f32 tile = { y, %lld, 1, 0, 0 };\n",
                  parameters.text, operands.text, last);
    strbuf_printf(&body, "    tile_map_f32(&tile, y, %lld, (int)rows, %lld, 0, 0, operands, $_value);\n}\n", last, last);
    const char *wish = arena_printf(a, "%s_%lld", map_name(a, ir_expr(n, KEY_EXPR)), last);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text), arguments.text);
}

/* Distance of input x, broadcast to out, along axis j of out. */
static int64_t broadcast_stride(const plan_value *x, const plan_value *out, int j)
{
    const int own = x->value->type.rank, k = j - (out->value->type.rank - own);
    return k < 0 || x->shape[k] == 1 ? 0 : codegen_product(x, k + 1, own);
}

static void broadcast_map(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = codegen_output_value(at);
    const int rank = out->value->type.rank;
    strbuf body = strbuf_in(a), parameters = strbuf_in(a), arguments = strbuf_in(a), pointers = strbuf_in(a);
    const char **input = arena_array(a, (size_t)n->inputs + 1, sizeof *input);
    for (int i = 0; i < n->inputs; i++) {
        input[i] = arena_printf(a, "in[%d]", i);
        strbuf_printf(&pointers, "%sx%d", i ? ", " : "", i);
    }
    print_inputs(g, at, true, false, &parameters, &arguments);
    strbuf_add(&parameters, "float *y");
    strbuf_add(&arguments, codegen_output(g, at, 0, false));
    strbuf_add(&body, "static inline vf $_value(const vf *in)\n{\n");
    codegen_expr(&body, ir_expr(n, KEY_EXPR), input);
    strbuf_printf(&body, "}\n\nstatic void $(%s)\n{\n    static const map_shape shape = { .rank = %d, .inputs = %d", parameters.text, rank,
                  n->inputs);
    int64_t stride[IR_RANK_MAX];
    for (int j = 0; j < rank; j++) stride[j] = codegen_product(out, j + 1, rank);
    codegen_list(&body, "extent", out->shape, rank);
    codegen_list(&body, "out_stride", stride, rank);
    strbuf_add(&body, ", .stride = {");
    for (int i = 0; i < n->inputs; i++) {
        strbuf_printf(&body, "%s{", i ? ", " : " ");
        for (int j = 0; j < rank; j++) strbuf_printf(&body, "%s%lld", j ? ", " : " ", (long long)broadcast_stride(codegen_input_value(at, i), out, j));
        strbuf_add(&body, " }");
    }
    strbuf_printf(&body, " } };\n    const float *const in[] = { %s };\n    map_f32(&shape, in, y, 0, %lld, $_value);\n}\n", pointers.text,
                  (long long)out->shape[0]);
    codegen_call(g, to, at, codegen_instance(g, "map_broadcast", parameters.text, body.text), arguments.text);
}

/* ---- any types ---- */

/* How a map of any types is looped over: by rows of the last axis, or in all axes of the result. */
typedef struct any_loop { bool rows; int rank; int64_t extent[IR_RANK_MAX], stride[IR_RANK_MAX]; } any_loop;

static any_loop loop_of(const step_site *at, const plan_value *out)
{
    any_loop l = { .rows = follows_rows(at, out), .rank = out->value->type.rank };
    for (int i = 0; i < l.rank; i++) l.extent[i] = out->shape[i];
    if (l.rows) {
        l.rank = 2;
        l.extent[0] = out->elements / last_size(out);
        l.extent[1] = last_size(out);
    }
    return l;
}

static void set_strides(any_loop *l, const plan_value *x, const plan_value *out)
{
    for (int j = 0; j < l->rank && !l->rows; j++) l->stride[j] = broadcast_stride(x, out, j);
    if (!l->rows) return;
    const int64_t columns = last_size(x);
    l->stride[0] = x->elements > columns ? columns : 0;
    l->stride[1] = columns > 1;
}

/* Defines $_value, which makes one element. */
static void print_any_value(strbuf *body, const step_site *at, any_loop *l, const plan_value *out)
{
    arena *a = body->arena;
    const ir_node *n = at->step->node;
    const char **input = arena_array(a, (size_t)n->inputs + 1, sizeof *input);
    bool moves = false;
    for (int i = 0; i < n->inputs; i++) {
        set_strides(l, codegen_input_value(at, i), out);
        const long long step = l->stride[l->rank - 1];
        const char *along = step == 0 ? "" : step == 1 ? " + i" : arena_printf(a, " + %lld * i", step);
        input[i] = arena_printf(a, "in[%d], at[%d]%s", i, i, along);
        moves |= step != 0;
    }
    strbuf_add(body, "static inline void $_value(const void *const *in, const ptrdiff_t *at, ptrdiff_t i, void *out, ptrdiff_t to)\n{\n");
    if (!moves) strbuf_add(body, "    (void)i;\n");
    codegen_scalar_expr(body, ir_expr(n, KEY_EXPR), input);
    strbuf_add(body, "}\n\n");
}

static void any_map(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = codegen_output_value(at);
    any_loop l = loop_of(at, out);
    strbuf parameters = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    print_inputs(g, at, false, l.rows, &parameters, &arguments);
    strbuf_printf(&parameters, "%s *y%s", codegen_c_type(n->output[0]->type.elem), l.rows ? ", int64_t rows" : "");
    strbuf_add(&arguments, codegen_output(g, at, 0, l.rows));
    if (l.rows) strbuf_printf(&arguments, ", %s", codegen_rows(g, at, true));
    print_any_value(&body, at, &l, out);
    strbuf_printf(&body, "static void $(%s)\n{\n    static const ptrdiff_t stride[][MAP_ANY_RANK] = {", parameters.text);
    for (int i = 0; i < n->inputs; i++) {
        set_strides(&l, codegen_input_value(at, i), out);
        strbuf_printf(&body, "%s{", i ? ", " : " ");
        for (int j = 0; j < l.rank; j++) strbuf_printf(&body, "%s%lld", j ? ", " : " ", (long long)l.stride[j]);
        strbuf_add(&body, " }");
    }
    strbuf_printf(&body, " };\n    static const map_any_shape shape = { .rank = %d, .inputs = %d, .stride = stride", l.rank, n->inputs);
    codegen_list(&body, "extent", l.extent, l.rank);
    strbuf_add(&body, " };\n    const void *const in[] = { ");
    for (int i = 0; i < n->inputs; i++) strbuf_printf(&body, "%sx%d", i ? ", " : "", i);
    const char *last = l.rows ? "rows" : arena_printf(a, "%lld", (long long)l.extent[0]);
    strbuf_printf(&body, " };\n    ptrdiff_t at[%d];\n    map_any(&shape, in, at, y, 0, %s, $_value);\n}\n", n->inputs, last);
    const char *wish = arena_printf(a, "%s_to_%s", map_name(a, ir_expr(n, KEY_EXPR)), elem_name(n->output[0]->type.elem));
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text), arguments.text);
}

void codegen_map(codegen *g, strbuf *to, const step_site *at)
{
    const bool rows = follows_rows(at, codegen_output_value(at));
    if (!runs_in_vectors(at) || (!rows && at->step->node->inputs > VECTOR_INPUTS)) any_map(g, to, at);
    else if (rows) row_map(g, to, at);
    else broadcast_map(g, to, at);
}
