/* Operators that the graph has no node for: what they become computes what ONNX says. */
#define _GNU_SOURCE
#include "frontend_fixture.h"

/* Evaluates the loaded model on f32 inputs and compares result 0, to 1e-6 of each number or of 1. */
static void assert_computes(fixture *f, const float *const *inputs, const float *wanted, int64_t count)
{
    eval_tensor in[4] = { 0 }, out;
    const ir_graph *g = f->model.graph;
    assert_in_range(g->parameters, 0, 4);
    assert_int_equal(g->results, 1);
    for (int i = 0; i < g->parameters; i++) {
        const ir_type *t = &g->parameter[i].value->type;
        in[i] = (eval_tensor){ .elem = t->elem, .rank = t->rank, .data = (void *)(uintptr_t)inputs[i] };
        assert_true(ir_dims_constant(t, in[i].shape, &in[i].elements));
    }
    assert_int_equal(eval_run(g, EVAL_TYPED, in, &out, NULL, NULL, f->diag), STATUS_OK);
    assert_int_equal(out.elem, ELEM_F32);
    assert_int_equal(out.elements, count);
    for (int64_t i = 0; i < count; i++) {
        const float got = ((const float *)out.data)[i];
        if (!(fabsf(got - wanted[i]) <= 1e-6f * fmaxf(1, fabsf(wanted[i])))) {
            fail_msg("element %d is %g, not %g", (int)i, (double)got, (double)wanted[i]);
        }
    }
    eval_free(&out);
}

#define LIST(...) (const float[]){ __VA_ARGS__ }, (int64_t)(sizeof((const float[]){ __VA_ARGS__ }) / sizeof(float))

/* x of these sizes -> op -> y; further inputs are initializers made before. */
static void run(fixture *f, const char *op, const char *sizes, const char *inputs, const strbuf *attributes, const float *x, const float *wanted,
    int64_t count)
{
    onnx_input(f->file, "x", ONNX_F32, sizes);
    onnx_node(f->file, "n", op, inputs, "y", attributes);
    onnx_output(f->file, "y");
    if (load(f) != STATUS_OK) fail_msg("%s", diag_line(f->diag, 0));
    assert_computes(f, &x, wanted, count);
    restart(f);
}

static strbuf text_attribute(arena *a, const char *name, const char *value)
{
    strbuf to = strbuf_in(a), body = strbuf_in(a);
    put_text(&body, 4, value);
    put_attribute(&to, name, 3, &body);
    return to;
}

static void resizes(void **state)
{
    fixture *f = *state;
    const float x[2] = { 0, 4 };
    strbuf a = text_attribute(f->arena, "mode", "linear");
    onnx_ints(f->file, "sizes", 4, (const int64_t[]){ 1, 1, 1, 4 });
    run(f, "Resize", "1,1,1,2", "x,,,sizes", &a, x, LIST(0, 1, 3, 4));
    const strbuf corners = text_attribute(f->arena, "coordinate_transformation_mode", "align_corners");
    strbuf_addn(&a, corners.text, corners.length);
    onnx_ints(f->file, "sizes", 4, (const int64_t[]){ 1, 1, 1, 5 });
    run(f, "Resize", "1,1,1,2", "x,,,sizes", &a, x, LIST(0, 1, 2, 3, 4));
    onnx_raw(f->file, "scales", ONNX_F32, DIMS(4), (const float[]){ 1, 1, 1, 2 }, 16);
    run(f, "Resize", "1,1,1,2", "x,,scales", NULL, x, LIST(0, 0, 4, 4));                     /* nearest */
    /* the cubic of position embeddings, a = -0.75, at 0.25 before and after each element, edges repeated */
    a = text_attribute(f->arena, "mode", "cubic");
    onnx_raw(f->file, "scales", ONNX_F32, DIMS(4), (const float[]){ 1, 1, 1, 2 }, 16);
    run(f, "Resize", "1,1,1,2", "x,,scales", &a, x, LIST(-0.421875f, 0.90625f, 3.09375f, 4.421875f));
}

static void pools(void **state)
{
    fixture *f = *state;
    const float x[4] = { 1, 2, 3, 6 };
    strbuf a = strbuf_in(f->arena);
    attribute_ints(&a, "kernel_shape", 1, (const int64_t[]){ 3 });
    attribute_ints(&a, "pads", 2, (const int64_t[]){ 1, 1 });
    run(f, "AveragePool", "1,1,4", "x", &a, x, LIST(1.5f, 2, 11.f / 3, 4.5f));              /* pads do not count */
    run(f, "MaxPool", "1,1,4", "x", &a, (const float[]){ -1, -2, -3, -6 }, LIST(-1, -1, -2, -3));
    attribute_int(&a, "count_include_pad", 1);
    run(f, "AveragePool", "1,1,4", "x", &a, x, LIST(1, 2, 11.f / 3, 3));
    a = strbuf_in(f->arena);
    attribute_ints(&a, "kernel_shape", 1, (const int64_t[]){ 2 });
    attribute_ints(&a, "strides", 1, (const int64_t[]){ 3 });
    attribute_int(&a, "ceil_mode", 1);
    run(f, "MaxPool", "1,1,4", "x", &a, x, LIST(2, 6));                                      /* the last window is cut off */
}

static void normalises_by_channel(void **state)
{
    fixture *f = *state;
    static const char *const names[] = { "scale", "bias", "mean", "variance" };
    static const float values[][2] = { { 2, 3 }, { 1, -1 }, { 1, 2 }, { 4, 9 } };
    for (int i = 0; i < 4; i++) onnx_raw(f->file, names[i], ONNX_F32, DIMS(2), values[i], 8);
    strbuf a = strbuf_in(f->arena);
    attribute_float(&a, "epsilon", 0);
    run(f, "BatchNormalization", "1,2,2", "x,scale,bias,mean,variance", &a, (const float[]){ 1, 3, 2, 5 }, LIST(1, 3, -1, 2));
    for (int i = 0; i < 2; i++) onnx_raw(f->file, names[i], ONNX_F32, DIMS(2), values[i], 8);
    run(f, "InstanceNormalization", "1,2,2", "x,scale,bias", &a, (const float[]){ 1, 3, 2, 6 }, LIST(-1, 3, -4, 2));
}

static void dequantizes(void **state)
{
    fixture *f = *state;
    const int8_t w[4] = { -128, 127, 3, 5 }, zero[2] = { 0, 3 };
    const float scale[2] = { 0.5f, 2 };
    onnx_raw(f->file, "w", ONNX_I8, DIMS(2, 2), w, 4);
    onnx_raw(f->file, "scale", ONNX_F32, DIMS(2), scale, 8);
    onnx_raw(f->file, "zero", ONNX_I8, DIMS(2), zero, 2);
    strbuf a = strbuf_in(f->arena);
    attribute_int(&a, "axis", 0);
    onnx_node(f->file, "", "DequantizeLinear", "w,scale,zero", "d", &a);
    run(f, "Add", "2,2", "x,d", NULL, (const float[4]){ 0 }, LIST(-64, 63.5f, 0, 4));
}

static void contracts_by_equation(void **state)
{
    fixture *f = *state;
    const float x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };           /* [b=1, h=2, w=2, c=2] */
    const float r[8] = { 1, 0, 0, 1, 1, 1, 2, -1 };          /* [h=2, k=2, c=2] */
    onnx_raw(f->file, "r", ONNX_F32, DIMS(2, 2, 2), r, sizeof r);
    const strbuf a = text_attribute(f->arena, "equation", "bhwc, hkc -> bhwk");
    run(f, "Einsum", "1,2,2,2", "x,r", &a, x, LIST(1, 2, 3, 4, 11, 4, 15, 6));
    const strbuf sum = text_attribute(f->arena, "equation", "...ij->...j");
    run(f, "Einsum", "1,2,2,2", "x", &sum, x, LIST(4, 6, 12, 14));
}

/* One head of size 1, two tokens; scores 0 where the mask lets them, so that the visible values are averaged. */
static void attends(void **state)
{
    fixture *f = *state;
    const uint8_t seen[4] = { 1, 0, 1, 1 };
    f->file->opset = 23;
    onnx_raw(f->file, "q", ONNX_F32, DIMS(1, 1, 2, 1), (const float[2]){ 0 }, 8);
    onnx_raw(f->file, "k", ONNX_F32, DIMS(1, 1, 2, 1), (const float[2]){ 1, 2 }, 8);
    onnx_raw(f->file, "seen", ONNX_BOOL, DIMS(2, 2), seen, 4);
    run(f, "Attention", "1,1,2,1", "q,k,x,seen", NULL, (const float[]){ 3, 5 }, LIST(3, 4));
    f->file->opset = 23;
    strbuf a = strbuf_in(f->arena);
    attribute_int(&a, "q_num_heads", 1);
    attribute_int(&a, "kv_num_heads", 1);
    attribute_int(&a, "is_causal", 1);
    onnx_raw(f->file, "q", ONNX_F32, DIMS(1, 2, 1), (const float[2]){ 0 }, 8);
    onnx_raw(f->file, "k", ONNX_F32, DIMS(1, 2, 1), (const float[2]){ 1, 2 }, 8);
    run(f, "Attention", "1,2,1", "q,k,x", &a, (const float[]){ 3, 5 }, LIST(3, 4));
}

/* If with both branches; they read a value from around them and share names inside. */
static void takes_the_branch_that_is_known(void **state)
{
    fixture *f = *state;
    static const char *const attribute[] = { "then_branch", "else_branch" }, *const op[] = { "Neg", "Abs" };
    for (uint8_t condition = 0; condition < 2; condition++) {
        strbuf a = strbuf_in(f->arena);
        for (int i = 0; i < 2; i++) {
            onnx_file branch = { f->arena, strbuf_in(f->arena), 20 };
            strbuf body = strbuf_in(f->arena);
            onnx_node(&branch, "inner", op[i], "doubled", "t", NULL);
            onnx_node(&branch, "", "Exp", "t", "e", NULL);
            onnx_output(&branch, "t");
            put_message(&body, 6, &branch.graph);
            put_attribute(&a, attribute[i], 5, &body);
        }
        onnx_raw(f->file, "c", ONNX_BOOL, NO_DIMS, &condition, 1);
        onnx_node(f->file, "", "Add", "x,x", "doubled", NULL);
        const float sign = condition ? -1 : 1;
        run(f, "If", "2", "c", &a, (const float[]){ 1, 3 }, LIST(sign * 2, sign * 6));
    }
    onnx_input(f->file, "c", ONNX_BOOL, "1");
    onnx_node(f->file, "", "If", "c", "y", NULL);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_BAD_FIELD);
    assert_said(f, "node 0 'If'", "a branch is missing");
}

static void pads_in_every_mode(void **state)
{
    fixture *f = *state;
    static const char *const modes[] = { "constant", "edge", "reflect", "wrap" };
    static const float wanted[][6] = { { 0, 1, 2, 3, 0, 0 }, { 1, 1, 2, 3, 3, 3 }, { 2, 1, 2, 3, 2, 1 }, { 3, 1, 2, 3, 1, 2 } };
    for (int i = 0; i < 4; i++) {
        const strbuf a = text_attribute(f->arena, "mode", modes[i]);
        onnx_ints(f->file, "pads", 2, (const int64_t[]){ 1, 2 });
        run(f, "Pad", "3", "x,pads", &a, (const float[]){ 1, 2, 3 }, wanted[i], 6);
    }
    onnx_ints(f->file, "pads", 2, (const int64_t[]){ -1, 1 });
    onnx_raw(f->file, "value", ONNX_F32, NO_DIMS, &(float){ 9 }, 4);
    run(f, "Pad", "3", "x,pads,value", NULL, (const float[]){ 1, 2, 3 }, LIST(2, 3, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(resizes), TEST(pools), TEST(normalises_by_channel), TEST(dequantizes), TEST(contracts_by_equation), TEST(attends),
        TEST(takes_the_branch_that_is_known), TEST(pads_in_every_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
