/* Steps that put elements elsewhere, whatever their type: moves that are copies, concat, gather, topk, pick, scatter, suppress, pad; and resample, which
 * sums a few of them. */
#include <string.h>

#include "codegen_private.h"
#include "codegen_steps.h"

static const char *type_of(const plan_value *x)
{
    return codegen_c_type(x->value->type.elem);
}

void codegen_move(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const move *m = ir_move(at->step->node);
    const plan_value *in = codegen_input_value(at, 0), *out = codegen_output_value(at);
    int64_t extent[MOVE_DIGITS_MAX], axis[MOVE_DIGITS_MAX], step[MOVE_DIGITS_MAX], stride[IR_RANK_MAX];
    for (int i = 0; i < m->digits; i++) {
        extent[i] = plan_dim(g->plan, m->digit[i].extent);
        axis[i] = m->digit[i].axis;
        step[i] = m->digit[i].step;
    }
    for (int i = 0; i < m->rank; i++) stride[i] = codegen_product(in, i + 1, m->rank);
    const int rank = out->value->type.rank;
    const long long last = rank ? out->shape[rank - 1] : 1;
    const char *parameters = arena_printf(a, "const %s *x, %s *y, int64_t first, int64_t rows", type_of(in), type_of(out));
    strbuf body = strbuf_in(a);
    strbuf_printf(&body, "static void $(%s)\n{\n    static const move_shape shape = { .digits = %d, .rank = %d", parameters, m->digits, m->rank);
    codegen_list(&body, "extent", extent, m->digits);
    codegen_list(&body, "axis", axis, m->digits);
    codegen_list(&body, "step", step, m->digits);
    codegen_list(&body, "offset", m->offset, m->rank);
    codegen_list(&body, "wrap", m->wrap, m->rank);
    codegen_list(&body, "stride", stride, m->rank);
    strbuf_printf(&body, " };\n    move_elements(&shape, sizeof(%s), x, y, (size_t)first * %lld, (size_t)(first + rows) * %lld);\n}\n", type_of(out),
                  last, last);
    const int64_t each = at->step->rows / at->phase->rows;
    const char *source = codegen_input(g, at, 0, false), *target = codegen_output(g, at, 0, true);
    const char *arguments = arena_printf(a, "%s, %s, %s, %s", source, target, codegen_first_row(g, each), codegen_times_rows(g, at, each));
    codegen_call(g, to, at, codegen_instance(g, "move", parameters, body.text), arguments);
}

/* Parts that were made in place are there already. */
void codegen_concat(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = codegen_output_value(at);
    const int axis = (int)ir_int(n, KEY_AXIS, 0), rank = out->value->type.rank;
    const int64_t inner = codegen_product(out, axis + 1, rank), whole = out->shape[axis] * inner;
    const bool panel = !at->step->once;
    const char *rows = panel ? codegen_times_rows(g, at, at->step->rows / at->phase->rows) : "1";
    const char *parameters = arena_printf(a, "const %s *x, %s *y, int64_t rows", type_of(out), type_of(out));
    int64_t offset = 0;
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = codegen_input_value(at, i);
        const int64_t part = x->shape[axis] * inner;
        if (part && (x->base != out->base || x->space == SPACE_CONSTANT)) {
            const char *body = arena_printf(a, "static void $(%s)\n{\n    copy_rows(x, %lld * sizeof *x, y + %lld, %lld * sizeof *y, (size_t)rows, "
                                            "%lld * sizeof *y);\n}\n", parameters, (long long)part, (long long)offset, (long long)whole, (long long)part);
            const char *arguments = arena_printf(a, "%s, %s, %s", codegen_input(g, at, i, panel), codegen_output(g, at, 0, panel), rows);
            codegen_call(g, to, at, codegen_instance(g, "concat_part", parameters, body), arguments);
        }
        offset += part;
    }
}

/* Rows of a panel, by a constant table. */
static void gather_rows(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = codegen_input_value(at, 0), *index = codegen_input_value(at, 1);
    const int rank = x->value->type.rank;
    const char *parameters = arena_printf(g->arena, "const %s *x, const %s *index, %s *y, int64_t first, int64_t rows", type_of(x), type_of(index),
                                          type_of(x));
    const char *body = arena_printf(g->arena, "static void $(%s)\n{\n"
                                              "    gather_slices(x, %s, index + first, y, 1, %lld, (size_t)rows, %lld * sizeof *y);\n}\n",
                                    parameters, codegen_element(g->arena, index->value->type.elem), (long long)x->shape[rank - 2],
                                    (long long)x->shape[rank - 1]);
    const int64_t each = at->step->rows / at->phase->rows;
    codegen_call(g, to, at, codegen_instance(g, "gather_rows", parameters, body),
                 arena_printf(g->arena, "%s, %s, %s, %s, %s", codegen_input(g, at, 0, false), codegen_input(g, at, 1, false),
                              codegen_output(g, at, 0, true), codegen_first_row(g, each), codegen_times_rows(g, at, each)));
}

void codegen_gather(codegen *g, strbuf *to, const step_site *at)
{
    if (plan_gathers_rows(at->scope, at->step->node) && codegen_input_value(at, 0)->shape[ir_int(at->step->node, KEY_AXIS, 0)]) {
        gather_rows(g, to, at);
        return;
    }
    const plan_value *x = codegen_input_value(at, 0), *index = codegen_input_value(at, 1);
    const int axis = (int)ir_int(at->step->node, KEY_AXIS, 0);
    if (!x->shape[axis]) {
        codegen_refuse(g, at->step->node, "a gather from an axis without elements");
        return;
    }
    const char *body = arena_printf(g->arena, "    gather_slices(x0, %s, x1, y, %lld, %lld, %lld, %lld * sizeof *y);\n",
                                    codegen_element(g->arena, index->value->type.elem), (long long)codegen_product(x, 0, axis),
                                    (long long)x->shape[axis], (long long)index->elements, (long long)codegen_product(x, axis + 1, x->value->type.rank));
    codegen_whole(g, to, at, "gather", body);
}

void codegen_resample(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const plan_value *x = codegen_input_value(at, 0), *index = codegen_input_value(at, 1), *out = codegen_output_value(at);
    const int axis = (int)ir_int(at->step->node, KEY_AXIS, 0), rank = out->value->type.rank;
    const long long inner = codegen_product(out, axis + 1, rank), in = x->shape[axis], places = out->shape[axis], taps = index->shape[1];
    const bool weights = at->step->node->inputs > 2;
    const char *parameters = arena_printf(a, "const float *x, const int64_t *index, %sfloat *y, int64_t row, int64_t rows",
                                          weights ? "const float *weight, " : "");
    const char *rest = axis == rank - 1 ? "" : arena_printf(a, "%lld, %lld, ", inner, (long long)out->shape[rank - 1]);
    const char *body = arena_printf(a, "static void $(%s)\n{\n    %s(x, index, %s, y, %lld, %lld, %lld, %s(size_t)row, (size_t)rows);\n}\n", parameters,
                                    axis == rank - 1 ? "resample_last_f32" : "resample_f32", weights ? "weight" : "NULL", taps, in, places, rest);
    const int64_t each = at->step->rows / at->phase->rows;
    const char *source = codegen_input(g, at, 0, false), *index_text = codegen_input(g, at, 1, false);
    const char *arguments = arena_printf(a, "%s, %s, %s%s, %s, %s", source, index_text,
                                         weights ? arena_printf(a, "%s, ", codegen_input(g, at, 2, false)) : "", codegen_output(g, at, 0, true),
                                         codegen_first_row(g, each), codegen_times_rows(g, at, each));
    const char *wish = arena_printf(a, "%s_%lld_to_%lld", weights ? "resample" : "max_pool", in, places);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters, body), arguments);
}

void codegen_topk(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = codegen_input_value(at, 0);
    const int last = x->value->type.rank - 1;
    const bool largest = !strcmp(ir_name(at->step->node, KEY_KIND, ""), "largest");
    const char *body = arena_printf(g->arena, "    top_k_places(%s, %s, x0, y, %lld, %lld, %lld);\n", codegen_element(g->arena, x->value->type.elem),
                                    largest ? "true" : "false", (long long)codegen_product(x, 0, last), (long long)x->shape[last],
                                    (long long)ir_int(at->step->node, KEY_COUNT, 0));
    codegen_whole(g, to, at, "top_k", body);
}

void codegen_pick(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = codegen_input_value(at, 0), *index = codegen_input_value(at, 1);
    const int axis = index->value->type.rank - 1;
    if (!x->shape[axis]) {
        codegen_refuse(g, at->step->node, "picking from an axis without elements");
        return;
    }
    const char *body = arena_printf(g->arena, "    pick_slices(x0, %s, x1, y, %lld, %lld, %lld, %lld * sizeof *y);\n",
                                    codegen_element(g->arena, index->value->type.elem), (long long)codegen_product(x, 0, axis),
                                    (long long)x->shape[axis], (long long)index->shape[axis],
                                    (long long)codegen_product(x, axis + 1, x->value->type.rank));
    codegen_whole(g, to, at, "pick", body);
}

void codegen_scatter(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = codegen_input_value(at, 0), *places = codegen_input_value(at, 1);
    const int axis = places->value->type.rank - 1;
    const char *body = arena_printf(g->arena, "    scatter_slices(SCATTER_%s, %s, x0, x1, x2, y, %lld, %lld, %lld, %lld);\n",
                                    codegen_upper(g->arena, ir_name(at->step->node, KEY_KIND, "none")),
                                    codegen_element(g->arena, x->value->type.elem), (long long)codegen_product(x, 0, axis), (long long)x->shape[axis],
                                    (long long)places->shape[axis], (long long)codegen_product(x, axis + 1, x->value->type.rank));
    codegen_whole(g, to, at, "scatter", body);
}

void codegen_suppress(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *scores = codegen_input_value(at, 1);
    const char *body = arena_printf(g->arena, "    suppress_boxes(x0, x1, x2, y, %lld, %lld, %lld, %lld, %s);\n", (long long)scores->shape[0],
                                    (long long)scores->shape[1], (long long)scores->shape[2], (long long)ir_int(at->step->node, KEY_COUNT, 0),
                                    codegen_float(g->arena, ir_number(at->step->node, KEY_LIMIT, 0)));
    codegen_whole(g, to, at, "suppress", body);
}

void codegen_pad(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0);
    const int rank = x->value->type.rank;
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item;
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const pad_shape shape = { .rank = %d", rank);
    codegen_list(&body, "extent", x->shape, rank);
    codegen_list(&body, "before", pads, rank);
    codegen_list(&body, "after", pads + rank, rank);
    strbuf_printf(&body, " };\n    pad_elements(&shape, sizeof *y, x0, y, %s);\n", n->inputs > 1 && n->input[1] ? "x1" : "NULL");
    codegen_whole(g, to, at, "pad", body.text);
}
