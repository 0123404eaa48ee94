/* The frontend on graphs built by hand: names, order, what is refused and how it is said, operators. */
#define _GNU_SOURCE
#include "frontend_fixture.h"

/* ---- names and order ---- */

static void sorts_nodes(void **state)
{
    fixture *f = *state;
    onnx_input(f->file, "x", ONNX_F32, "2");
    onnx_node(f->file, "last", "Exp", "b", "y", NULL);
    onnx_node(f->file, "middle", "Neg", "a", "b", NULL);
    onnx_node(f->file, "first", "Abs", "x", "a", NULL);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_OK);
    assert_string_equal(f->model.graph->first->origin[0], "2 'first'");
    assert_string_equal(f->model.graph->last->origin[0], "0 'last'");
}

static void finds_cycles_and_loose_ends(void **state)
{
    fixture *f = *state;
    onnx_node(f->file, "p", "Neg", "b", "a", NULL);
    onnx_node(f->file, "q", "Neg", "a", "b", NULL);
    onnx_output(f->file, "b");
    assert_int_equal(load(f), STATUS_CYCLE);
    restart(f);
    small_model(f);
    onnx_node(f->file, "sum", "Add", "y,gone", "z", NULL);
    onnx_output(f->file, "z");
    onnx_output(f->file, "nowhere");
    assert_int_equal(load(f), STATUS_DANGLING);
    assert_said(f, "node 1 'sum' (Add) input 1", "gone");
    restart(f);
    onnx_input(f->file, "x", ONNX_F32, "2");
    onnx_output(f->file, "nowhere");
    assert_int_equal(load(f), STATUS_DANGLING);
    assert_said(f, "nowhere", "E303");
}

static void finds_duplicates(void **state)
{
    fixture *f = *state;
    small_model(f);
    onnx_node(f->file, "", "Neg", "x", "y", NULL);
    assert_int_equal(load(f), STATUS_DUPLICATE);
    restart(f);
    small_model(f);
    onnx_input(f->file, "x", ONNX_F32, "2");
    assert_int_equal(load(f), STATUS_DUPLICATE);
    restart(f);
    small_model(f);
    onnx_floats(f->file, "w", DIMS(1));
    onnx_floats(f->file, "w", DIMS(1));
    assert_int_equal(load(f), STATUS_DUPLICATE);
    restart(f);
    small_model(f);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_DUPLICATE);
}

/* An initializer that is also listed as an input is a constant; an input that nothing reads stays. */
static void tells_inputs_from_constants(void **state)
{
    fixture *f = *state;
    small_model(f);
    onnx_floats(f->file, "w", DIMS(3));
    onnx_input(f->file, "w", ONNX_F32, "3");
    onnx_input(f->file, "unread", ONNX_I32, "1");
    onnx_node(f->file, "", "Add", "y,w", "z", NULL);
    onnx_output(f->file, "z");
    assert_int_equal(load(f), STATUS_OK);
    assert_int_equal(f->model.graph->parameters, 2);
    assert_string_equal(f->model.graph->parameter[1].name, "unread");
    assert_true(ir_is_const(result(f, 1)->def->input[1]));
}

/* ---- what is not supported ---- */

static void names_all_unknown_operators(void **state)
{
    fixture *f = *state;
    onnx_input(f->file, "x", ONNX_F32, "2");
    onnx_node(f->file, "p\n", "Mystery", "x", "a", NULL);
    onnx_node(f->file, "q", "Riddle", "a", "b", NULL);
    onnx_node(f->file, "r", "Mystery", "b", "y", NULL);
    onnx_node(f->file, "dead", "Enigma", "x", "nobody", NULL);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_OPERATOR);
    assert_int_equal(diag_errors(f->diag), 2);
    assert_said(f, "node 0 'p", "Mystery of opset 20 (2 nodes)");
    assert_said(f, "node 1 'q' (Riddle)", "E300");
    assert_int_equal(f->model.operators, 3);
    assert_string_equal(f->model.op[1].name, "Mystery");
    assert_int_equal(f->model.op[1].nodes, 2);
    assert_false(f->model.op[1].supported);
}

static void checks_operator_set(void **state)
{
    fixture *f = *state;
    static const struct { int64_t opset; status code; } rows[] = { { 0, STATUS_OPSET }, { 1, STATUS_OPERATOR }, { 7, STATUS_OK }, { 28, STATUS_OK },
        { 29, STATUS_OPSET } };
    small_model(f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f->file->opset = rows[i].opset;
        assert_int_equal(load(f), rows[i].code);
    }
    restart(f);
    onnx_input(f->file, "x", ONNX_F32, "2");
    onnx_node(f->file, "", "Gelu", "x", "y", NULL);
    onnx_output(f->file, "y");
    f->file->opset = 19;
    assert_int_equal(load(f), STATUS_OPERATOR);
    assert_said(f, "node 0 'Gelu'", "Gelu of opset 19");
}

static status load_node(fixture *f, const char *op, const char *inputs, const strbuf *attributes)
{
    onnx_input(f->file, "x", ONNX_F32, "2,3");
    onnx_input(f->file, "z", ONNX_F32, "4,5");
    onnx_input(f->file, "i", ONNX_I64, "2,3");
    onnx_node(f->file, "n", op, inputs, "y", attributes);
    onnx_output(f->file, "y");
    const status s = load(f);
    restart(f);
    return s;
}

static void locates_errors_of_nodes(void **state)
{
    fixture *f = *state;
    assert_int_equal(load_node(f, "Add", "x,z", NULL), STATUS_SHAPE);
    assert_said(f, "node 0 'n' input 1 f32[4,5]", "E305");
    assert_int_equal(load_node(f, "MatMul", "x,z", NULL), STATUS_SHAPE);
    assert_int_equal(load_node(f, "Add", "x,i", NULL), STATUS_TYPE);
    assert_said(f, "node 0 'n' (Add) input 1 i64[2,3]", "E302");
    assert_int_equal(load_node(f, "Add", "x", NULL), STATUS_ARITY);
    assert_int_equal(load_node(f, "Add", ",x", NULL), STATUS_ARITY);
    assert_int_equal(load_node(f, "Reshape", "x,i", NULL), STATUS_SHAPE_UNKNOWN);
    strbuf a = strbuf_in(f->arena);
    attribute_float(&a, "axis", 1);
    assert_int_equal(load_node(f, "Softmax", "x", &a), STATUS_BAD_FIELD);
    a = strbuf_in(f->arena);
    attribute_int(&a, "axis", 2);
    assert_int_equal(load_node(f, "Softmax", "x", &a), STATUS_SHAPE);
    a = strbuf_in(f->arena);
    attribute_ints(&a, "perm", 2, (const int64_t[]){ 0, 0 });
    assert_int_equal(load_node(f, "Transpose", "x", &a), STATUS_ATTRIBUTE);
}

static void refuses_inputs_that_are_no_tensors(void **state)
{
    fixture *f = *state;
    strbuf v = strbuf_in(f->arena), type = strbuf_in(f->arena), empty = strbuf_in(f->arena);
    put_message(&type, 4, &empty);
    put_text(&v, 1, "s");
    put_message(&v, 2, &type);
    small_model(f);
    put_message(&f->file->graph, 11, &v);
    assert_int_equal(load(f), STATUS_TYPE);
    restart(f);
    small_model(f);
    onnx_input(f->file, "words", ONNX_STRING, "2");
    assert_int_equal(load(f), STATUS_TYPE);
    restart(f);
    small_model(f);
    onnx_input(f->file, "shapeless", ONNX_F32, NULL);
    assert_int_equal(load(f), STATUS_SHAPE_UNKNOWN);
}

/* A dropout's mask is not made: fine until somebody reads it. */
static void refuses_outputs_that_are_not_made(void **state)
{
    fixture *f = *state;
    for (int read = 0; read < 2; read++) {
        onnx_input(f->file, "x", ONNX_F32, "2,3");
        onnx_node(f->file, "dropout", "Dropout", "x", "y,mask", NULL);
        onnx_output(f->file, "y");
        if (read) onnx_output(f->file, "mask");
        assert_int_equal(load(f), read ? STATUS_OPERATOR : STATUS_OK);
        restart(f);
    }
    assert_said(f, "node 0 'dropout' (Dropout)", "output 1");
}

/* ---- operators ---- */

static void imports_products(void **state)
{
    fixture *f = *state;
    onnx_input(f->file, "x", ONNX_F32, "N,5,3");
    onnx_input(f->file, "z", ONNX_F32, "N,3,2");
    onnx_floats(f->file, "w", DIMS(3, 2));
    onnx_node(f->file, "", "MatMul", "x,w", "a", NULL);
    onnx_node(f->file, "", "MatMul", "x,z", "b", NULL);
    onnx_output(f->file, "a");
    onnx_output(f->file, "b");
    assert_int_equal(load(f), STATUS_OK);
    assert_int_equal(result(f, 0)->def->op, IR_LINEAR);
    assert_int_equal(result(f, 1)->def->op, IR_MATMUL);
    assert_string_equal(result_type(f, 1), "f32[N,5,2]");
}

/* y = 2·x·wᵀ + 3·c for x [1,2], w [2,2], c [2]. */
static void imports_gemm(void **state)
{
    fixture *f = *state;
    const float x[2] = { 1, 2 }, w[4] = { 1, 2, 3, 4 }, c[2] = { 10, 20 };
    onnx_input(f->file, "x", ONNX_F32, "1,2");
    onnx_raw(f->file, "w", ONNX_F32, DIMS(2, 2), w, sizeof w);
    onnx_raw(f->file, "c", ONNX_F32, DIMS(2), c, sizeof c);
    strbuf a = strbuf_in(f->arena);
    attribute_int(&a, "transB", 1);
    onnx_node(f->file, "", "Gemm", "x,w,c", "plain", &a);
    attribute_float(&a, "alpha", 2);
    attribute_float(&a, "beta", 3);
    onnx_node(f->file, "", "Gemm", "x,w,c", "scaled", &a);
    onnx_output(f->file, "plain");
    onnx_output(f->file, "scaled");
    assert_int_equal(load(f), STATUS_OK);
    assert_int_equal(result(f, 0)->def->op, IR_LINEAR);
    assert_int_equal(result(f, 0)->def->inputs, 3);
    eval_tensor in = { .elem = ELEM_F32, .rank = 2, .shape = { 1, 2 }, .elements = 2, .data = (void *)(uintptr_t)x }, out[2];
    assert_int_equal(eval_run(f->model.graph, EVAL_TYPED, &in, out, NULL, NULL, f->diag), STATUS_OK);
    const float *plain = out[0].data, *scaled = out[1].data;
    assert_true(plain[0] == 15 && plain[1] == 31);
    assert_true(scaled[0] == 40 && scaled[1] == 82);
    eval_free(&out[0]);
    eval_free(&out[1]);
}

/* Weight gathered by even steps, split and joined again: moves only, no copies of indices. */
static void imports_parts_as_moves(void **state)
{
    fixture *f = *state;
    strbuf axis = strbuf_in(f->arena);
    attribute_int(&axis, "axis", 1);
    onnx_input(f->file, "x", ONNX_F32, "N,6,4");
    onnx_ints(f->file, "odd", 2, (const int64_t[]){ -5, 3 });
    onnx_raw(f->file, "cls", ONNX_I64, NO_DIMS, &(int64_t){ 0 }, 8);
    onnx_node(f->file, "", "Gather", "x,odd", "a", &axis);
    onnx_node(f->file, "", "Gather", "x,cls", "b", &axis);
    onnx_node(f->file, "", "Split", "x", "c,d,e", &axis);
    const char *const names[] = { "a", "b", "c", "d", "e" }, *const types[] = { "f32[N,2,4]", "f32[N,4]", "f32[N,2,4]", "f32[N,2,4]", "f32[N,2,4]" };
    for (int i = 0; i < 5; i++) onnx_output(f->file, names[i]);
    assert_int_equal(load(f), STATUS_OK);
    assert_int_equal(count_nodes(f, IR_GATHER), 0);
    for (int i = 0; i < 5; i++) assert_string_equal(result_type(f, i), types[i]);
    const move *m = ir_move(result(f, 0)->def);
    assert_int_equal(m->offset[1], 1);
    onnx_ints(f->file, "far", 1, (const int64_t[]){ 6 });
    onnx_node(f->file, "", "Gather", "x,far", "g", &axis);
    onnx_output(f->file, "g");
    assert_int_equal(load(f), STATUS_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sorts_nodes), TEST(finds_cycles_and_loose_ends), TEST(finds_duplicates), TEST(tells_inputs_from_constants),
        TEST(names_all_unknown_operators), TEST(checks_operator_set), TEST(locates_errors_of_nodes),
        TEST(refuses_inputs_that_are_no_tensors), TEST(refuses_outputs_that_are_not_made), TEST(imports_products), TEST(imports_gemm),
        TEST(imports_parts_as_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
