/* The frontend on graphs built by hand: names, order, what is refused and how it is said, shapes and their arithmetic, operators. */
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

/* ---- shapes of inputs ---- */

static status load_image(fixture *f, const char *sizes, const char *shape)
{
    restart(f);
    onnx_input(f->file, "image", ONNX_F32, sizes);
    onnx_node(f->file, "", "Relu", "image", "y", NULL);
    onnx_output(f->file, "y");
    return load_with(f, shape);
}

static void binds_shapes(void **state)
{
    fixture *f = *state;
    static const struct { const char *sizes, *shape; status code; const char *type; } rows[] = {
        { "batch,3,8,8", NULL, STATUS_OK, "f32[batch,3,8,8]" },
        { "?,3,8,8", NULL, STATUS_OK, "f32[N,3,8,8]" },
        { "a-b.c,3", NULL, STATUS_OK, "f32[a_b_c,3]" },
        { "batch,3,h,w", NULL, STATUS_SHAPE_UNKNOWN, NULL },
        { "batch,3,h,w", "image=N,3,16,24", STATUS_OK, "f32[N,3,16,24]" },
        { "batch,3,h,w", "2,3,16,24", STATUS_OK, "f32[2,3,16,24]" },
        { "n,3,n", NULL, STATUS_OK, "f32[n,3,n]" },
        { "n,3,n", "4,3,4", STATUS_OK, "f32[4,3,4]" },
        { "n,3,n", "4,3,5", STATUS_BIND, NULL },
        { "1,3,8,8", "1,3,8,8", STATUS_OK, "f32[1,3,8,8]" },
        { "1,3,8,8", "2,3,8,8", STATUS_BIND, NULL },
        { "1,3,8,8", "N,3,8,8", STATUS_BIND, NULL },
        { "batch,3", "image=N,3,8", STATUS_BIND, NULL },
        { "batch,3", "picture=N,3", STATUS_BIND, NULL },
        { "batch,3", "0,3", STATUS_BIND, NULL },
        { "batch,3", "-1,3", STATUS_BIND, NULL },
        { "batch,3", "2 ,3", STATUS_BIND, NULL },
        { "batch,3", "", STATUS_BIND, NULL },
        { "6,batch,8", NULL, STATUS_OK, "f32[6,batch,8]" },        /* tokens, images, features */
        { "6,8,batch", NULL, STATUS_OK, "f32[6,8,batch]" },
        { "6,?,8", NULL, STATUS_SHAPE_UNKNOWN, NULL },
        { "6,batch,w", NULL, STATUS_SHAPE_UNKNOWN, NULL },
        { "1,length,8", NULL, STATUS_SHAPE_UNKNOWN, NULL },        /* of one image? */
        { "1,batch,8", "1,batch,8", STATUS_OK, "f32[1,batch,8]" },
        { "6,batch,8", "6,3,8", STATUS_OK, "f32[6,3,8]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(load_image(f, rows[i].sizes, rows[i].shape), rows[i].code);
        if (rows[i].type) assert_string_equal(result_type(f, 0), rows[i].type);
    }
    assert_int_equal(load_image(f, "batch,3,h,8", NULL), STATUS_SHAPE_UNKNOWN);
    assert_said(f, "image", "--shape");
}

/* Whichever input has it first; multiples and sums of it are told by their names. */
static void finds_the_batch_of_several_inputs(void **state)
{
    fixture *f = *state;
    static const struct { const char *a, *b; status code; const char *types[2]; } rows[] = {
        { "6,n,8", "n,6", STATUS_OK, { "f32[6,n,8]", "f32[n,6]" } },
        { "6,n,8", "4,n,8", STATUS_OK, { "f32[6,n,8]", "f32[4,n,8]" } },
        { "1,n,8", "4,n,8", STATUS_OK, { "f32[1,n,8]", "f32[4,n,8]" } },
        { "6,m,8", "n,6", STATUS_SHAPE_UNKNOWN, { NULL, NULL } },
        { "2*n,8", "n,6", STATUS_OK, { "f32[2*n,8]", "f32[n,6]" } },
        { "6,3 * n", "n,6", STATUS_OK, { "f32[6,3*n]", "f32[n,6]" } },
        { "6,n + 1", "n,6", STATUS_OK, { "f32[6,n+1]", "f32[n,6]" } },
        { "2*m,8", "n,6", STATUS_OK, { "f32[_2_m,8]", "f32[n,6]" } },
        { "2*n+1,8", "n,6", STATUS_OK, { "f32[_2_n_1,8]", "f32[n,6]" } },
        { "*n,8", "n,6", STATUS_OK, { "f32[_n,8]", "f32[n,6]" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        restart(f);
        onnx_input(f->file, "a", ONNX_F32, rows[i].a);
        onnx_input(f->file, "b", ONNX_F32, rows[i].b);
        onnx_node(f->file, "", "Relu", "a", "c", NULL);
        onnx_node(f->file, "", "Relu", "b", "d", NULL);
        onnx_output(f->file, "c");
        onnx_output(f->file, "d");
        assert_int_equal(load(f), rows[i].code);
        for (int r = 0; r < 2 && rows[i].types[r]; r++) assert_string_equal(result_type(f, r), rows[i].types[r]);
    }
}

static void tells_symbols_apart(void **state)
{
    fixture *f = *state;
    onnx_input(f->file, "a", ONNX_F32, "n,2");
    onnx_input(f->file, "b", ONNX_F32, "n,2");
    onnx_input(f->file, "c", ONNX_F32, "m,2");
    onnx_node(f->file, "", "Add", "a,b", "d", NULL);
    onnx_output(f->file, "d");
    assert_int_equal(load(f), STATUS_OK);
    assert_string_equal(result_type(f, 0), "f32[n,2]");
    assert_int_equal(f->model.graph->symbols->count, 2);
    onnx_node(f->file, "", "Add", "a,c", "e", NULL);
    onnx_output(f->file, "e");
    assert_int_equal(load(f), STATUS_SHAPE_UNKNOWN);       /* the two may differ */
    assert_int_equal(load_with(f, "c=3,2"), STATUS_SHAPE_UNKNOWN);
    assert_int_equal(load_with(f, "2,2"), STATUS_BIND);   /* which of the three? */
}

/* ---- shape arithmetic ---- */

static void folds_shapes_over_the_batch(void **state)
{
    fixture *f = *state;
    onnx_input(f->file, "x", ONNX_F32, "N,4,6");
    onnx_ints(f->file, "zero", 1, (const int64_t[]){ 0 });
    onnx_ints(f->file, "one", 1, (const int64_t[]){ 1 });
    onnx_ints(f->file, "rest", 1, (const int64_t[]){ -1 });
    onnx_node(f->file, "", "Shape", "x", "s", NULL);
    onnx_node(f->file, "", "Slice", "s,zero,one,zero", "n", NULL);
    strbuf axis = strbuf_in(f->arena);
    attribute_int(&axis, "axis", 0);
    onnx_node(f->file, "", "Concat", "n,rest", "wanted", &axis);
    onnx_node(f->file, "flat", "Reshape", "x,wanted", "y", NULL);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_OK);
    assert_string_equal(result_type(f, 0), "f32[N,24]");
    assert_ptr_equal(f->model.graph->first, f->model.graph->last);   /* one move is all that is left */
    assert_int_equal(f->model.graph->first->op, IR_MOVE);
    onnx_output(f->file, "s");                                        /* a shape as a tensor needs a number */
    assert_int_equal(load(f), STATUS_SHAPE_UNKNOWN);
    assert_said(f, "output 's'", "axis 0 of input 'x'");
    assert_int_equal(load_with(f, "5,4,6"), STATUS_OK);
    assert_memory_equal(ir_bytes_of(result(f, 1))->data, ((const int64_t[]){ 5, 4, 6 }), 24);
}

/* times * N + more, divided: only where every N has the same rest, and the sum is never negative. */
static void divides_sizes_of_the_run(void **state)
{
    fixture *f = *state;
    static const struct { int64_t times, more; const char *operator; int64_t by; const char *type; } rows[] = {
        { 2, 0, "Div", 2, "f32[N]" },  { 2, 1, "Div", 2, "f32[N]" },   { 2, -1, "Div", 2, "f32[N-1]" }, { 4, 3, "Div", 2, "f32[2*N+1]" },
        { 1, 1, "Div", 2, NULL },      { -2, 1, "Div", 2, NULL },      { 2, 1, "Div", -2, NULL },       { 2, 1, "Div", 0, NULL },
        { 2, 1, "Mod", 2, "f32[1]" },  { 2, -1, "Mod", 2, "f32[1]" },  { 3, 5, "Mod", 3, "f32[2]" },    { 2, 2, "Mod", 2, "f32[0]" },
        { 1, 1, "Mod", 2, NULL },      { -2, 1, "Mod", 2, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        restart(f);
        onnx_input(f->file, "x", ONNX_F32, "N");
        onnx_ints(f->file, "times", 1, &rows[i].times);
        onnx_ints(f->file, "more", 1, &rows[i].more);
        onnx_ints(f->file, "by", 1, &rows[i].by);
        onnx_node(f->file, "", "Shape", "x", "s", NULL);
        onnx_node(f->file, "", "Mul", "s,times", "p", NULL);
        onnx_node(f->file, "", "Add", "p,more", "a", NULL);
        onnx_node(f->file, "", rows[i].operator, "a,by", "d", NULL);
        onnx_node(f->file, "", "ConstantOfShape", "d", "y", NULL);
        onnx_output(f->file, "y");
        assert_int_equal(load(f), rows[i].type ? STATUS_OK : STATUS_SHAPE_UNKNOWN);
        if (rows[i].type) assert_string_equal(result_type(f, 0), rows[i].type);
    }
}

/* Whole parts of a size of the run, wherever they stand; what cuts one is refused. */
static void takes_parts_of_sizes_of_the_run(void **state)
{
    fixture *f = *state;
    static const struct { int64_t start, end; status code; const char *type; } rows[] = {   /* in N, of [3 N, 4] */
        { 0, 1, STATUS_OK, "f32[N,4]" },   { 1, 2, STATUS_OK, "f32[N,4]" },   { 1, 3, STATUS_OK, "f32[2*N,4]" }, { 2, 9, STATUS_OK, "f32[N,4]" },
        { -1, 3, STATUS_OK, "f32[N,4]" },  { -3, -1, STATUS_OK, "f32[2*N,4]" },   /* counted from the end */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        restart(f);
        onnx_input(f->file, "x", ONNX_F32, "N,4");
        onnx_ints(f->file, "zero", 1, (const int64_t[]){ 0 });
        onnx_ints(f->file, "one", 1, (const int64_t[]){ 1 });
        onnx_ints(f->file, "a", 1, &rows[i].start);
        onnx_ints(f->file, "b", 1, &rows[i].end);
        strbuf axis = strbuf_in(f->arena);
        attribute_int(&axis, "axis", 0);
        onnx_node(f->file, "", "Concat", "x,x,x", "c", &axis);
        onnx_node(f->file, "", "Shape", "x", "s", NULL);
        onnx_node(f->file, "", "Slice", "s,zero,one,zero", "n", NULL);
        onnx_node(f->file, "", "Mul", "n,a", "from", NULL);
        onnx_node(f->file, "", "Mul", "n,b", "to", NULL);
        onnx_node(f->file, "", "Slice", "c,from,to,zero", "y", NULL);
        onnx_output(f->file, "y");
        assert_int_equal(load(f), rows[i].code);
        if (rows[i].type) assert_string_equal(result_type(f, 0), rows[i].type);
    }
}

/* The class token as PyTorch's tracer writes it: [N,-1,-1], where -1 keeps what is there. */
static void expands_the_class_token(void **state)
{
    fixture *f = *state;
    strbuf axis = strbuf_in(f->arena);
    attribute_int(&axis, "axis", 0);
    onnx_input(f->file, "x", ONNX_F32, "N,4,6");
    onnx_floats(f->file, "token", DIMS(1, 1, 6));
    onnx_raw(f->file, "first", ONNX_I64, NO_DIMS, &(int64_t){ 0 }, 8);
    onnx_ints(f->file, "three", 1, (const int64_t[]){ 3 });
    onnx_ints(f->file, "zero", 1, (const int64_t[]){ 0 });
    onnx_ints(f->file, "minus", 1, (const int64_t[]){ -1 });
    strbuf one = strbuf_in(f->arena), body = strbuf_in(f->arena), tensor = onnx_tensor(f->arena, "", ONNX_I64, DIMS(1));
    put_bytes(&tensor, 9, &(int64_t){ 1 }, 8);
    put_message(&body, 5, &tensor);
    put_attribute(&one, "value", 4, &body);
    onnx_node(f->file, "", "Shape", "x", "s", NULL);
    onnx_node(f->file, "", "Gather", "s,first", "n", &axis);
    onnx_node(f->file, "", "Unsqueeze", "n,zero", "n1", NULL);
    onnx_node(f->file, "", "Concat", "n1,minus,minus", "list", &axis);
    onnx_node(f->file, "", "ConstantOfShape", "three", "ones", &one);
    onnx_node(f->file, "", "Mul", "ones,minus", "minuses", NULL);
    onnx_node(f->file, "", "Equal", "list,minuses", "free", NULL);
    onnx_node(f->file, "", "Where", "free,ones,list", "wanted", NULL);
    onnx_node(f->file, "", "Expand", "token,wanted", "y", NULL);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_OK);
    assert_string_equal(result_type(f, 0), "f32[N,1,6]");
    assert_int_equal(count_nodes(f, IR_MOVE), 1);
    assert_int_equal(count_nodes(f, IR_MAP), 0);
}

/* The scale of attention as the tracer writes it: Shape, Slice, Cast, Sqrt, Div on numbers known while compiling. */
static void folds_float_chains(void **state)
{
    fixture *f = *state;
    onnx_input(f->file, "q", ONNX_F32, "N,4,16");
    onnx_ints(f->file, "last", 1, (const int64_t[]){ -1 });
    onnx_ints(f->file, "end", 1, (const int64_t[]){ INT64_MAX });
    onnx_raw(f->file, "one", ONNX_F32, DIMS(1), &(float){ 1 }, 4);
    strbuf to = strbuf_in(f->arena);
    attribute_int(&to, "to", ONNX_F32);
    onnx_node(f->file, "", "Shape", "q", "s", NULL);
    onnx_node(f->file, "", "Slice", "s,last,end", "d", NULL);
    onnx_node(f->file, "", "Cast", "d", "df", &to);
    onnx_node(f->file, "", "Sqrt", "df", "root", NULL);
    onnx_node(f->file, "", "Div", "one,root", "scale", NULL);
    onnx_node(f->file, "", "Mul", "q,scale", "y", NULL);
    onnx_output(f->file, "y");
    assert_int_equal(load(f), STATUS_OK);
    double scale;
    assert_true(ir_scalar(result(f, 0)->def->input[1], &scale));
    assert_true(scale == 0.25);
    assert_int_equal(count_nodes(f, IR_MAP), 1);
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
        TEST(refuses_inputs_that_are_no_tensors), TEST(refuses_outputs_that_are_not_made), TEST(binds_shapes), TEST(finds_the_batch_of_several_inputs), TEST(tells_symbols_apart),
        TEST(folds_shapes_over_the_batch), TEST(divides_sizes_of_the_run),
        TEST(takes_parts_of_sizes_of_the_run), TEST(expands_the_class_token), TEST(folds_float_chains), TEST(imports_products),
        TEST(imports_gemm), TEST(imports_parts_as_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
