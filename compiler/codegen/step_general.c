/* Steps of the general operators, which fused graphs hardly have: moves that are copies, broadcasting maps, concat, gather, pad, matmul, reduce, conv. */
#include "codegen_private.h"
#include "codegen_steps.h"

#include <string.h>

static const plan_value *input_value(const step_site *at, int i)
{
    return plan_value_of(at->scope, at->step->node->input[i]);
}

static const plan_value *output_value(const step_site *at)
{
    return plan_value_of(at->scope, at->step->node->output[0]);
}

static int64_t product(const plan_value *x, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= x->shape[i];
    return n;
}

static void print_list(strbuf *to, const char *name, const int64_t *value, int count)
{
    strbuf_printf(to, ", .%s = {", name);
    for (int i = 0; i < count; i++) strbuf_printf(to, "%s%lld", i ? ", " : " ", (long long)value[i]);
    strbuf_add(to, count ? " }" : " 0 }");
}

/* Defines the instance with this body and prints the call: inputs as a whole, the output as a whole. */
static void call_whole(codegen *g, strbuf *to, const step_site *at, const char *wish, const char *body)
{
    static const char *const letters[] = { "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7" };
    arena *a = g->arena;
    strbuf parameters = strbuf_in(a), arguments = strbuf_in(a);
    for (int i = 0; i < at->step->node->inputs && i < 8; i++) {
        if (!at->step->node->input[i]) continue;
        strbuf_printf(&parameters, "const void *%s, ", letters[i]);
        strbuf_printf(&arguments, "%s, ", codegen_input(g, at, i, false));
    }
    strbuf_add(&parameters, "float *y");
    strbuf_add(&arguments, codegen_output(g, at, 0, false));
    const char *text = arena_printf(a, "static void $(%s)\n{\n%s}\n", parameters.text, body);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, text), arguments.text);
}

void codegen_move(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const move *m = ir_move(n);
    const plan_value *in = input_value(at, 0), *out = output_value(at);
    int64_t extent[MOVE_DIGITS_MAX], axis[MOVE_DIGITS_MAX], step[MOVE_DIGITS_MAX], stride[IR_RANK_MAX];
    for (int i = 0; i < m->digits; i++) {
        extent[i] = plan_dim(g->plan, m->digit[i].extent);
        axis[i] = m->digit[i].axis;
        step[i] = m->digit[i].step;
    }
    for (int i = 0; i < m->rank; i++) stride[i] = product(in, i + 1, m->rank);
    const int rank = out->value->type.rank;
    const int64_t last = rank ? out->shape[rank - 1] : 1;
    const char *parameters = "const float *x, float *y, int64_t first, int64_t rows";
    strbuf body = strbuf_in(a);
    strbuf_printf(&body, "static void $(%s)\n{\n    static const move_shape shape = { .digits = %d, .rank = %d", parameters, m->digits, m->rank);
    print_list(&body, "extent", extent, m->digits);
    print_list(&body, "axis", axis, m->digits);
    print_list(&body, "step", step, m->digits);
    print_list(&body, "offset", m->offset, m->rank);
    print_list(&body, "wrap", m->wrap, m->rank);
    print_list(&body, "stride", stride, m->rank);
    strbuf_printf(&body, " };\n    move_elements(&shape, sizeof(float), x, y, (size_t)first * %lld, (size_t)(first + rows) * %lld);\n}\n", (long long)last, (long long)last);
    const int64_t each = at->step->rows / at->phase->rows;
    const char *scale = each == 1 ? "" : arena_printf(a, " * %lld", (long long)each);
    codegen_call(g, to, at, codegen_instance(g, "move", parameters, body.text), arena_printf(a, "%s, %s, row%s, rows%s", codegen_input(g, at, 0, false), codegen_output(g, at, 0, true), scale, scale));
}

void codegen_broadcast_map(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = output_value(at);
    const int rank = out->value->type.rank;
    if (n->inputs > 8) {
        codegen_refuse(g, n, "a map of more than 8 inputs");
        return;
    }
    strbuf body = strbuf_in(a), parameters = strbuf_in(a), arguments = strbuf_in(a), pointers = strbuf_in(a);
    const char **input = arena_array(a, (size_t)n->inputs + 1, sizeof *input);
    for (int i = 0; i < n->inputs; i++) {
        input[i] = arena_printf(a, "in[%d]", i);
        strbuf_printf(&parameters, "const float *x%d, ", i);
        strbuf_printf(&pointers, "%sx%d", i ? ", " : "", i);
        strbuf_printf(&arguments, "%s, ", codegen_input(g, at, i, false));
    }
    strbuf_add(&parameters, "float *y");
    strbuf_add(&arguments, codegen_output(g, at, 0, false));
    strbuf_add(&body, "static inline vf $_value(const vf *in)\n{\n");
    codegen_expr(&body, ir_expr(n, KEY_EXPR), input);
    strbuf_printf(&body, "}\n\nstatic void $(%s)\n{\n    static const map_shape shape = { .rank = %d, .inputs = %d", parameters.text, rank, n->inputs);
    int64_t stride[IR_RANK_MAX];
    print_list(&body, "extent", out->shape, rank);
    for (int i = 0; i < rank; i++) stride[i] = product(out, i + 1, rank);
    print_list(&body, "out_stride", stride, rank);
    strbuf_add(&body, ", .stride = {");
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = input_value(at, i);
        const int own = x->value->type.rank;
        strbuf_printf(&body, "%s{", i ? ", " : " ");
        for (int j = 0; j < rank; j++) {
            const int k = j - (rank - own);
            strbuf_printf(&body, "%s%lld", j ? ", " : " ", k < 0 || x->shape[k] == 1 ? 0LL : (long long)product(x, k + 1, own));
        }
        strbuf_add(&body, " }");
    }
    strbuf_printf(&body, " } };\n    const float *const in[] = { %s };\n    map_f32(&shape, in, y, 0, %lld, $_value);\n}\n", pointers.text, (long long)out->shape[0]);
    codegen_call(g, to, at, codegen_instance(g, "map_broadcast", parameters.text, body.text), arguments.text);
}

/* Parts that were made in place are there already. */
void codegen_concat(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const plan_value *out = output_value(at);
    const int axis = (int)ir_int(n, KEY_AXIS, 0), rank = out->value->type.rank;
    const int64_t outer = product(out, 0, axis), inner = product(out, axis + 1, rank), whole = out->shape[axis] * inner;
    const char *parameters = "const float *x, float *y";
    int64_t offset = 0;
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = input_value(at, i);
        const int64_t part = x->shape[axis] * inner;
        if (x->base != out->base || x->space == SPACE_CONSTANT) {
            const char *body = arena_printf(a, "static void $(%s)\n{\n    copy_rows(x, %lld * sizeof *x, y + %lld, %lld * sizeof *y, %lld, %lld * sizeof *y);\n}\n", parameters, (long long)part, (long long)offset, (long long)whole,
                                            (long long)outer, (long long)part);
            codegen_call(g, to, at, codegen_instance(g, "concat_part", parameters, body), arena_printf(a, "%s, %s", codegen_input(g, at, i, false), codegen_output(g, at, 0, false)));
        }
        offset += part;
    }
}

void codegen_gather(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = input_value(at, 0), *index = input_value(at, 1);
    const int axis = (int)ir_int(at->step->node, KEY_AXIS, 0);
    const size_t size = elem_size(index->value->type.elem);
    if (size != 4 && size != 8) {
        codegen_refuse(g, at->step->node, "gather by %s indices", elem_name(index->value->type.elem));
        return;
    }
    call_whole(g, to, at, "gather", arena_printf(g->arena, "    gather_slices(x0, x1, %d, y, %lld, %lld, %lld, %lld * sizeof *y);\n", (int)size, (long long)product(x, 0, axis), (long long)x->shape[axis],
                                                 (long long)index->elements, (long long)product(x, axis + 1, x->value->type.rank)));
}

void codegen_pad(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = input_value(at, 0);
    const int rank = x->value->type.rank;
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item;
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const pad_shape shape = { .rank = %d", rank);
    print_list(&body, "extent", x->shape, rank);
    print_list(&body, "before", pads, rank);
    print_list(&body, "after", pads + rank, rank);
    strbuf_printf(&body, " };\n    pad_elements(&shape, sizeof *y, x0, y, %s);\n", n->inputs > 1 && n->input[1] ? "x1" : "NULL");
    call_whole(g, to, at, "pad", body.text);
}

void codegen_matmul(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = input_value(at, 0), *w = input_value(at, 1), *out = output_value(at);
    const int rank = out->value->type.rank, batch = rank - 2, rank_a = x->value->type.rank, rank_b = w->value->type.rank;
    const int64_t m = out->shape[rank - 2], n = out->shape[rank - 1], k = x->shape[rank_a - 1];
    int64_t a_stride[IR_RANK_MAX] = { 0 }, b_stride[IR_RANK_MAX] = { 0 };
    for (int i = 0; i < batch; i++) {
        const int ia = i - (rank - rank_a), ib = i - (rank - rank_b);
        a_stride[i] = ia < 0 || x->shape[ia] == 1 ? 0 : product(x, ia + 1, rank_a);
        b_stride[i] = ib < 0 || w->shape[ib] == 1 ? 0 : product(w, ib + 1, rank_b);
    }
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const matmul_shape shape = { .m = %lld, .n = %lld, .k = %lld, .rank = %d", (long long)m, (long long)n, (long long)k, batch);
    print_list(&body, "extent", out->shape, batch);
    print_list(&body, "a_stride", a_stride, batch);
    print_list(&body, "b_stride", b_stride, batch);
    strbuf_printf(&body, " };\n    matmul_f32(&shape, NULL, x0, x1, y, 0, %lld);\n", (long long)product(out, 0, batch));
    call_whole(g, to, at, arena_printf(g->arena, "matmul_%lldx%lldx%lld", (long long)m, (long long)k, (long long)n), body.text);
}

void codegen_reduce(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = input_value(at, 0);
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    const int rank = x->value->type.rank;
    bool reduced[IR_RANK_MAX] = { false };
    int first = rank, last = -1;
    for (int i = 0; i < axes->list.count; i++) reduced[axes->list.item[i]] = true;
    for (int i = 0; i < rank; i++)
        if (reduced[i] && x->shape[i] != 1) {
            if (i < first) first = i;
            last = i;
        }
    for (int i = first; i <= last; i++)
        if (!reduced[i] && x->shape[i] != 1) {
            codegen_refuse(g, n, "reduce over axes that are not neighbours");
            return;
        }
    const int64_t outer = last < 0 ? x->elements : product(x, 0, first), inner = last < 0 ? 1 : product(x, last + 1, rank), axis = last < 0 ? 1 : product(x, first, last + 1);
    call_whole(g, to, at, arena_printf(g->arena, "reduce_%s", ir_name(n, KEY_KIND, "sum")),
               arena_printf(g->arena, "    reduce_f32(REDUCE_%s, x0, y, %lld, %lld, %lld);\n", codegen_upper(g->arena, ir_name(n, KEY_KIND, "sum")), (long long)outer, (long long)axis, (long long)inner));
}

void codegen_conv(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = input_value(at, 0), *w = input_value(at, 1), *out = output_value(at);
    const int space = x->value->type.rank - 2;
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item, *strides = ir_find(n, KEY_STRIDES)->list.item, *dilations = ir_find(n, KEY_DILATIONS)->list.item;
    if (space > 3) {
        codegen_refuse(g, n, "convolution over more than three axes");
        return;
    }
    int64_t size[3] = { 1, 1, 1 }, kernel[3] = { 1, 1, 1 }, result[3] = { 1, 1, 1 }, stride[3] = { 1, 1, 1 }, pad[3] = { 0, 0, 0 }, dilation[3] = { 1, 1, 1 };
    for (int i = 0; i < space; i++) {
        const int j = 3 - space + i;
        size[j] = x->shape[i + 2], kernel[j] = w->shape[i + 2], result[j] = out->shape[i + 2], stride[j] = strides[i], pad[j] = pads[i], dilation[j] = dilations[i];
    }
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const conv_shape shape = { .channels = %lld, .outputs = %lld, .groups = %lld", (long long)x->shape[1], (long long)out->shape[1], (long long)ir_int(n, KEY_GROUP, 1));
    print_list(&body, "size", size, 3);
    print_list(&body, "kernel", kernel, 3);
    print_list(&body, "out", result, 3);
    print_list(&body, "stride", stride, 3);
    print_list(&body, "pad", pad, 3);
    print_list(&body, "dilation", dilation, 3);
    strbuf_printf(&body, " };\n    conv_f32(&shape, x0, x1, %s, y, 0, %lld);\n", n->inputs > 2 && n->input[2] ? "x2" : "NULL", (long long)(out->shape[0] * out->shape[1]));
    call_whole(g, to, at, "conv", body.text);
}
