/* Steps of the general operators that compute, which fused graphs hardly have: matmul, reduce, conv. */
#include "codegen_private.h"
#include "codegen_steps.h"

void codegen_matmul(codegen *g, strbuf *to, const step_site *at)
{
    const plan_value *x = codegen_input_value(at, 0), *w = codegen_input_value(at, 1), *out = codegen_output_value(at);
    const int rank = out->value->type.rank, batch = rank - 2, rank_a = x->value->type.rank, rank_b = w->value->type.rank;
    const int64_t m = out->shape[rank - 2], n = out->shape[rank - 1], k = x->shape[rank_a - 1];
    int64_t a_stride[IR_RANK_MAX] = { 0 }, b_stride[IR_RANK_MAX] = { 0 };
    for (int i = 0; i < batch; i++) {
        const int ia = i - (rank - rank_a), ib = i - (rank - rank_b);
        a_stride[i] = ia < 0 || x->shape[ia] == 1 ? 0 : codegen_product(x, ia + 1, rank_a);
        b_stride[i] = ib < 0 || w->shape[ib] == 1 ? 0 : codegen_product(w, ib + 1, rank_b);
    }
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const matmul_shape shape = { .m = %lld, .n = %lld, .k = %lld, .rank = %d",
                  (long long)m, (long long)n, (long long)k, batch);
    codegen_list(&body, "extent", out->shape, batch);
    codegen_list(&body, "a_stride", a_stride, batch);
    codegen_list(&body, "b_stride", b_stride, batch);
    const elem e = out->value->type.elem;
    const long long products = codegen_product(out, 0, batch);
    if (e == ELEM_F32) strbuf_printf(&body, " };\n    matmul_f32(&shape, NULL, x0, x1, y, 0, %lld);\n", products);
    else strbuf_printf(&body, " };\n    matmul_any(%s, &shape, x0, x1, y, 0, %lld);\n", codegen_element(g->arena, e), products);
    codegen_whole(g, to, at, arena_printf(g->arena, "matmul_%lldx%lldx%lld", (long long)m, (long long)k, (long long)n), body.text);
}

/* Of x: which axes are reduced; sizes of 1 count as neither. */
typedef struct reduced_axes { bool reduced[IR_RANK_MAX]; int first, last; bool neighbours; } reduced_axes;

static reduced_axes axes_of(const ir_node *n, const plan_value *x)
{
    const ir_attribute *axes = ir_find(n, KEY_AXES);
    const int rank = x->value->type.rank;
    reduced_axes r = { .first = rank, .last = -1, .neighbours = true };
    for (int i = 0; i < axes->list.count; i++) r.reduced[axes->list.item[i]] = true;
    for (int i = 0; i < rank; i++) {
        if (!r.reduced[i] || x->shape[i] == 1) continue;
        if (i < r.first) r.first = i;
        r.last = i;
    }
    for (int i = r.first; i <= r.last; i++)
        if (!r.reduced[i] && x->shape[i] != 1) r.neighbours = false;
    return r;
}

/* Any axes, any type. */
static const char *reduce_any(codegen *g, const plan_value *x, const reduced_axes *r, const char *kind)
{
    int64_t extent[2][IR_RANK_MAX], stride[2][IR_RANK_MAX];
    int count[2] = { 0, 0 };
    for (int i = 0; i < x->value->type.rank; i++) {
        const bool gone = r->reduced[i];
        extent[gone][count[gone]] = x->shape[i];
        stride[gone][count[gone]++] = codegen_product(x, i + 1, x->value->type.rank);
    }
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const reduce_any_shape shape = { .kept = %d, .reduced = %d", count[0], count[1]);
    codegen_list(&body, "kept_extent", extent[0], count[0]);
    codegen_list(&body, "kept_stride", stride[0], count[0]);
    codegen_list(&body, "reduced_extent", extent[1], count[1]);
    codegen_list(&body, "reduced_stride", stride[1], count[1]);
    strbuf_printf(&body, " };\n    reduce_any(REDUCE_%s, %s, &shape, x0, y);\n", kind, codegen_element(g->arena, x->value->type.elem));
    return body.text;
}

void codegen_reduce(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0);
    const reduced_axes r = axes_of(n, x);
    const char *kind = codegen_upper(g->arena, ir_name(n, KEY_KIND, "sum")), *body;
    if (!r.neighbours || x->value->type.elem != ELEM_F32) body = reduce_any(g, x, &r, kind);
    else {
        const int rank = x->value->type.rank;
        const bool none = r.last < 0;
        const long long outer = none ? x->elements : codegen_product(x, 0, r.first), axis = none ? 1 : codegen_product(x, r.first, r.last + 1);
        const long long inner = none ? 1 : codegen_product(x, r.last + 1, rank);
        body = arena_printf(g->arena, "    reduce_f32(REDUCE_%s, x0, y, %lld, %lld, %lld);\n", kind, outer, axis, inner);
    }
    codegen_whole(g, to, at, arena_printf(g->arena, "reduce_%s", ir_name(n, KEY_KIND, "sum")), body);
}

void codegen_conv(codegen *g, strbuf *to, const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *x = codegen_input_value(at, 0), *w = codegen_input_value(at, 1), *out = codegen_output_value(at);
    const int space = x->value->type.rank - 2;
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item, *strides = ir_find(n, KEY_STRIDES)->list.item;
    const int64_t *dilations = ir_find(n, KEY_DILATIONS)->list.item;
    if (space > 3) {
        codegen_refuse(g, n, "convolution over more than three axes");
        return;
    }
    int64_t size[3] = { 1, 1, 1 }, kernel[3] = { 1, 1, 1 }, result[3] = { 1, 1, 1 }, stride[3] = { 1, 1, 1 }, pad[3] = { 0, 0, 0 };
    int64_t dilation[3] = { 1, 1, 1 };
    for (int i = 0; i < space; i++) {
        const int j = 3 - space + i;
        size[j] = x->shape[i + 2], kernel[j] = w->shape[i + 2], result[j] = out->shape[i + 2];
        stride[j] = strides[i], pad[j] = pads[i], dilation[j] = dilations[i];
    }
    strbuf body = strbuf_in(g->arena);
    strbuf_printf(&body, "    static const conv_shape shape = { .channels = %lld, .outputs = %lld, .groups = %lld", (long long)x->shape[1],
                  (long long)out->shape[1], (long long)ir_int(n, KEY_GROUP, 1));
    codegen_list(&body, "size", size, 3);
    codegen_list(&body, "kernel", kernel, 3);
    codegen_list(&body, "out", result, 3);
    codegen_list(&body, "stride", stride, 3);
    codegen_list(&body, "pad", pad, 3);
    codegen_list(&body, "dilation", dilation, 3);
    const char *type = out->value->type.elem == ELEM_F32 ? "f32" : "f64", *bias = n->inputs > 2 && n->input[2] ? "x2" : "NULL";
    strbuf_printf(&body, " };\n    conv_%s(&shape, x0, x1, %s, y, 0, %lld);\n", type, bias, (long long)(out->shape[0] * out->shape[1]));
    codegen_whole(g, to, at, "conv", body.text);
}
