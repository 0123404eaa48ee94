/* Steps that work row by row: norm, moments, softmax. */
#include "codegen_private.h"
#include "codegen_steps.h"

/* How far apart rows of n elements of the input are. */
static int64_t row_distance(const plan_value *x, int64_t n)
{
    return x->row_elements == x->row_stride ? n : x->row_stride;
}

void codegen_norm(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0);
    const int rank = x->value->type.rank;
    const long long size = codegen_product(x, (int)ir_int(n, KEY_AXIS, rank - 1), rank);
    const bool rms = ir_is_name(n, KEY_KIND, "rms"), narrow = x->value->type.elem == ELEM_F32;
    const char *type = codegen_c_type(x->value->type.elem);
    static const char *const names[] = { "x", "gamma", "beta" };
    strbuf parameters = strbuf_in(a), arguments = strbuf_in(a);
    strbuf_printf(&parameters, "const %s *x, ", type);
    strbuf_printf(&arguments, "%s, ", codegen_input(g, at, 0, true));
    for (int i = 1; i < 3; i++) {
        const plan_value *factor = codegen_input_value(at, i);
        if (!factor) continue;
        if (factor->elements != size) codegen_refuse(g, n, "gamma or beta that broadcasts within the normalised shape");
        strbuf_printf(&parameters, "const %s *%s, ", type, names[i]);
        if (factor->space == SPACE_CONSTANT) strbuf_add(&arguments, codegen_weight(g, at->scope, at->index, n->input[i], LAYOUT_PLAIN, 0, names[i]));
        else strbuf_add(&arguments, codegen_input(g, at, i, false));
        strbuf_add(&arguments, ", ");
    }
    strbuf_printf(&parameters, "%s *y, int64_t rows", type);
    const int64_t each = at->step->rows / at->phase->rows;
    strbuf_printf(&arguments, "%s, %s", codegen_output(g, at, 0, true), codegen_times_rows(g, at, each));
    const char *gamma = codegen_input_value(at, 1) ? "gamma" : "NULL", *beta = codegen_input_value(at, 2) ? "beta" : "NULL";
    const double epsilon = ir_number(n, KEY_EPSILON, 0);
    const long long distance = row_distance(x, size);
    strbuf body = strbuf_in(a);
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters.text);
    if (!narrow)
        strbuf_printf(&body, "    norm_f64(x, %lld, y, (size_t)rows, %lld, %d, %s, %s, %s);\n}\n", distance, size, !rms, gamma, beta,
                      codegen_double(a, epsilon));
    else
        strbuf_printf(&body, "    %s(x, %lld, y, %lld, (int)rows, %lld, %s, %s);\n}\n", rms ? "rms_norm_f32" : "layer_norm_f32", distance, size, size,
                      rms ? gamma : arena_printf(a, "%s, %s", gamma, beta), codegen_float(a, epsilon));
    const char *wish = arena_printf(a, "%s_%lld", rms ? "rms_norm" : "norm", size);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text), arguments.text);
}

void codegen_moments(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const plan_value *out = codegen_output_value(at);
    const char *parameters = "const float *x, float *y, int64_t rows";
    const char *body = arena_printf(a, "static void $(%s)\n{\n    moments_f32(x, y, (int)rows, %lld, %lld);\n}\n", parameters,
                                    (long long)at->step->window, (long long)out->shape[3]);
    const char *wish = arena_printf(a, "moments_%lldx%lld", (long long)at->step->window, (long long)out->shape[3]);
    const char *arguments = arena_printf(a, "%s, %s, %s", codegen_input(g, at, 0, true), codegen_output(g, at, 0, true),
                                         codegen_times_rows(g, at, at->step->rows / at->phase->rows));
    codegen_call(g, to, at, codegen_instance(g, wish, parameters, body), arguments);
}

void codegen_join_moments(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0);
    const char *gamma = n->inputs > 1 && n->input[1] ? "x1" : "NULL";
    const char *body = arena_printf(g->arena, "    join_moments_f32(x0, %s, y, %lld, %lld, %lld, %lld, %s);\n", gamma,
                                    (long long)x->shape[0], (long long)x->shape[1], (long long)x->shape[3], (long long)ir_int(n, KEY_GROUP, 1),
                                    codegen_float(g->arena, ir_number(n, KEY_EPSILON, 0)));
    codegen_whole(g, to, at, arena_printf(g->arena, "join_moments_%lldx%lld", (long long)x->shape[1], (long long)x->shape[3]), body);
}

void codegen_softmax(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0);
    const int rank = x->value->type.rank, axis = (int)ir_int(n, KEY_AXIS, rank - 1);
    const bool narrow = x->value->type.elem == ELEM_F32, last = axis == rank - 1;
    const char *type = codegen_c_type(x->value->type.elem);
    const char *parameters = arena_printf(a, "const %s *x, %s *y, int64_t rows", type, type);
    const long long distance = row_distance(x, x->shape[axis]), size = x->shape[axis], inner = codegen_product(x, axis + 1, rank), outer = codegen_product(x, 0, axis);
    strbuf body = strbuf_in(a);
    strbuf_printf(&body, "static void $(%s)\n{\n", parameters);
    if (!last) strbuf_add(&body, "    (void)rows;\n");
    if (last && narrow) strbuf_printf(&body, "    softmax_f32(x, %lld, y, %lld, (int)rows, %lld);\n}\n", distance, size, size);
    else if (last) strbuf_printf(&body, "    softmax_f64(x, y, (size_t)rows, %lld, 1);\n}\n", size);
    else strbuf_printf(&body, "    softmax_%s(x, y, %lld, %lld, %lld);\n}\n", narrow ? "axis_f32" : "f64", outer, size, inner);
    const char *wish = last ? arena_printf(a, "softmax_%lld", size) : "softmax_of_axis";
    const bool panels = at->step->aligned[0];
    const char *source = codegen_input(g, at, 0, panels), *target = codegen_output(g, at, 0, panels);
    const char *arguments = arena_printf(a, "%s, %s, %s", source, target, codegen_rows(g, at, panels));
    codegen_call(g, to, at, codegen_instance(g, wish, parameters, body.text), arguments);
}
