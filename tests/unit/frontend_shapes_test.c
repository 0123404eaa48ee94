/* The frontend on shapes: those of inputs, bound and told apart, and the arithmetic of shapes that exporters write. */
#define _GNU_SOURCE
#include "frontend_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(binds_shapes), TEST(finds_the_batch_of_several_inputs), TEST(tells_symbols_apart), TEST(folds_shapes_over_the_batch),
        TEST(divides_sizes_of_the_run), TEST(takes_parts_of_sizes_of_the_run), TEST(expands_the_class_token), TEST(folds_float_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
