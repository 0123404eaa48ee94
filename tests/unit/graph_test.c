/* Graphs: building and use lists, constants, types and their errors, changing, cloning, inlining, and every violation that the verifier knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

static arena *memory;
static diag *errors;
static dim_symbols *symbols;

static int set_up(void **unused)
{
    (void)unused;
    memory = arena_new();
    errors = diag_new(memory, "t.ir");
    symbols = arena_alloc(memory, sizeof *symbols);
    dim_declare(memory, symbols, "N", 1, 64);
    dim_declare(memory, symbols, "M", 1, 64);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    arena_free(memory);
    return 0;
}

static ir_graph *read(const char *text)
{
    ir_graph *g = ir_parse(memory, text, NULL, NULL, errors);
    if (g && ir_verify(g, errors)) return g;
    diag_print(errors, stderr);
    fail();
    return NULL;
}

static const char *printed(const ir_graph *g)
{
    strbuf b = strbuf_in(memory);
    ir_print(g, &b);
    return b.text;
}

static ir_value *by_id(const ir_graph *g, int id)
{
    for (const ir_node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->outputs; i++)
            if (n->output[i]->id == id) return n->output[i];
    for (int i = 0; i < g->parameters; i++)
        if (g->parameter[i].value->id == id) return g->parameter[i].value;
    fail_msg("there is no %%%d", id);
    return NULL;
}

static ir_type type_of(const char *text)
{
    ir_type t = {.elem = ELEM_F32};
    const char *open = strchr(text, '[');
    char name[8] = {0};
    memcpy(name, text, (size_t)(open - text));
    t.elem = elem_from_name(name);
    assert_int_not_equal(t.elem, ELEM_NONE);
    for (text = open; *text != ']' && text[1] != ']';) assert_true(dim_parse(symbols, text + 1, &text, &t.dim[t.rank++]));
    return t;
}

/* ---- building and looking ---- */

static void use_lists_follow(void **unused)
{
    (void)unused;
    ir_graph *g = ir_graph_new(memory, "t", symbols);
    ir_value *x = ir_add_parameter(g, "x", type_of("f32[N,8]"));
    ir_value *two = ir_constant_f32(g, 2, NULL), *y = ir_map2(g, EXPR_MUL, x, two, NULL, errors), *z = ir_map2(g, EXPR_ADD, y, y, NULL, errors);
    ir_add_result(g, "z", z);
    assert_int_equal(x->uses, 1);
    assert_int_equal(y->uses, 1);                              /* one input, read twice by the expression */
    assert_string_equal(expr_text(memory, ir_expr(z->def, KEY_EXPR)), "add(in0, in0)");
    assert_true(ir_only_use(y, z->def));
    assert_true(ir_is_result(z) && !ir_is_result(y) && !ir_is_result(x));
    assert_true(ir_is_const(two) && ir_is_constant(two) && !ir_is_constant(y) && !ir_is_constant(x));
    double number;
    assert_true(ir_scalar(two, &number) && number == 2);
    assert_false(ir_scalar(x, &number));
    assert_ptr_equal(ir_producer(y, IR_MAP), y->def);
    assert_null(ir_producer(y, IR_LINEAR));
    assert_null(ir_producer(NULL, IR_MAP));
    assert_true(ir_verify(g, errors));
    ir_set_input(y->def, 1, x);
    assert_int_equal(two->uses, 0);
    assert_int_equal(x->uses, 2);
    ir_replace(y, x);
    assert_int_equal(x->uses, 3);
    assert_ptr_equal(z->def->input[0], x);
    assert_int_equal(ir_sweep(g), 2);
    assert_int_equal(x->uses, 1);
    ir_replace(z, x);
    assert_ptr_equal(g->result[0].value, x);
    assert_int_equal(ir_sweep(g), 1);
    assert_null(g->first);
    assert_null(g->last);
    assert_true(ir_verify(g, errors));
}

static void constants_spread(void **unused)
{
    (void)unused;
    ir_graph *g = read("graph t(%0: f32[2]) {\n  %1: f32[2] = const {bytes = [1, 2]}\n  %2: f32[2] = map(%1) {expr = neg(in0)}\n"
                       "  %3: f32[2] = map(%2) {expr = exp(in0)}\n  %4: f32[2] = map(%3, %0) {expr = add(in0, in1)}\n  return %4, %3\n}\n");
    assert_true(ir_is_constant(by_id(g, 3)) && !ir_is_const(by_id(g, 3)) && !ir_is_constant(by_id(g, 4)));
    ir_set_input(by_id(g, 2)->def, 0, by_id(g, 0));
    assert_false(ir_is_constant(by_id(g, 2)) || ir_is_constant(by_id(g, 3)));
    assert_true(ir_verify(g, errors));
    ir_replace(by_id(g, 0), by_id(g, 1));
    assert_true(ir_is_constant(by_id(g, 3)) && ir_is_constant(by_id(g, 4)));
    assert_true(ir_verify(g, errors));
}

static void attributes_and_origins(void **unused)
{
    (void)unused;
    ir_graph *g = ir_graph_new(memory, "t", symbols);
    ir_node *n = ir_begin(g, IR_NORM);
    assert_string_equal(ir_describe(n), "node norm");
    ir_set_number(n, KEY_EPSILON, 1e-6);
    ir_set_name(n, KEY_KIND, "rms");
    ir_set_int(n, KEY_AXIS, 1);
    ir_set_int(n, KEY_AXIS, 2);
    assert_int_equal(n->attributes->key, KEY_AXIS);
    assert_int_equal(ir_int(n, KEY_AXIS, 7), 2);
    assert_int_equal(ir_int(n, KEY_GROUP, 7), 7);
    assert_true(ir_number(n, KEY_EPSILON, 0) == 1e-6);
    assert_true(ir_is_name(n, KEY_KIND, "rms") && !ir_is_name(n, KEY_KIND, "layer") && !ir_is_name(n, KEY_EMPTY, "rms"));
    ir_remove_attribute(n, KEY_KIND);
    assert_null(ir_find(n, KEY_KIND));
    assert_string_equal(ir_name(n, KEY_KIND, "layer"), "layer");
    ir_add_origin(n, "18 'b'");
    ir_add_origin(n, "9 'a'");
    ir_add_origin(n, "18 'b'");
    ir_add_origin(n, "100 'c'");
    assert_int_equal(n->origins, 3);
    assert_string_equal(n->origin[0], "9 'a'");
    assert_string_equal(n->origin[2], "100 'c'");
    assert_string_equal(ir_describe(n), "node 9 'a' and 2 more");
    for (int i = 0; i < IR_KEY_COUNT; i++) assert_int_equal(ir_key_from_name(ir_key_name((ir_key)i)), i);
    for (int i = 0; i < IR_OP_COUNT; i++) assert_int_equal(ir_op_from_name(ir_op_name((ir_op)i)), i);
}

static void types(void **unused)
{
    (void)unused;
    int64_t shape[IR_RANK_MAX], elements;
    ir_type t = type_of("f32[2,3,4]");
    assert_true(ir_dims_constant(&t, shape, &elements) && elements == 24 && shape[2] == 4);
    t = type_of("f32[N,3]");
    assert_false(ir_dims_constant(&t, NULL, NULL));
    assert_string_equal(ir_type_text(memory, symbols, &t), "f32[N,3]");
    t = type_of("f32[4294967296,4294967296]");
    assert_false(ir_dims_constant(&t, shape, &elements));
    t = type_of("f32[4294967296,4294967296,0]");
    assert_true(ir_dims_constant(&t, shape, &elements) && elements == 0);
    t = type_of("i64[]");
    assert_true(ir_dims_constant(&t, NULL, &elements) && elements == 1);
    assert_string_equal(ir_type_text(memory, symbols, &t), "i64[]");
}

/* ---- inference ---- */

/* The type that a node infers, or the number of the error. Inputs as types, attributes as text. */
static const char *inferred(const char *node, const char *inputs)
{
    strbuf b = strbuf_in(memory);
    strbuf_printf(&b, "symbols N 1..64, M 1..64\n"
                      "function f(%%p: f32[N,4]) {\n"
                      "  return %%p\n}\n"
                      "graph t(%s) {\n"
                      "  %%y: f32[7,7,7,7,7] = %s\n"
                      "  return %%y\n}\n", inputs, node);
    diag *d = diag_new(memory, "");
    assert_null(ir_parse(memory, b.text, NULL, NULL, d));
    const char *line = diag_line(d, 0), *is = strstr(line, "%y is "), *inner = strstr(line, "node %");
    if (is) return arena_strndup(memory, is + 6, strcspn(is + 6, ";"));
    const char *code = inner ? strstr(inner, "error E") : NULL;
    return code ? arena_strndup(memory, code + 6, 4) : line;
}

static void every_operator_has_its_type(void **unused)
{
    (void)unused;
#define QKV "%q: f32[N,197,12,64], %k: f32[N,197,12,64], %v: f32[N,197,12,32]"
    static const struct { const char *inputs, *node, *type; } cases[] = {
        {"%a: f32[N,1,8], %b: f32[5,1]", "map(%a, %b) {expr = add(in0, in1)}", "f32[N,5,8]"},
        {"%a: f32[N,1,8]", "map(%a) {expr = lt(in0, 0)}", "bool[N,1,8]"},
        {"%a: f32[N], %b: f32[M]", "map(%a, %b) {expr = add(in0, in1)}", "E306"},
        {"%a: f32[N], %b: f32[65]", "map(%a, %b) {expr = add(in0, in1)}", "E305"},
        {"%a: f32[N], %b: f32[N]", "map(%a, %b) {expr = add(in0, in1)}", "f32[N]"},
        {"%a: f32[N], %b: f32[3]", "map(%a, %b) {expr = add(in0, in1)}", "E306"},
        {"%a: f32[2], %b: f32[3]", "map(%a, %b) {expr = add(in0, in1)}", "E305"},
        {"%x: f32[N,5,8], %w: f32[8,6], %b: f32[6]", "linear(%x, %w, %b)", "f32[N,5,6]"},
        {"%x: f32[N,5,8], %w: f32[8,6], %e: f32[1,6]", "linear(%x, %w, _, %e) {epilogue = gt}", ""},
        {"%x: f32[N,5,8], %w: f32[8,6], %e: f32[1,6]", "linear(%x, %w, _, %e) {epilogue = add(in0, in1)}", "f32[N,5,6]"},
        {"%x: f32[N,5,8], %w: f32[8,6], %e: f32[1,6]", "linear(%x, %w, _, %e)", "E309"},
        {"%x: f32[1,5,8], %w: f32[8,6], %e: f32[N,5,6]", "linear(%x, %w, _, %e) {epilogue = add(in0, in1)}", "E305"},
        {"%x: f32[N,5,8], %w: f32[7,6]", "linear(%x, %w)", "E305"},
        {"%x: f32[N,5,8], %w: f64[8,6]", "linear(%x, %w)", "E302"},
        {"%x: f32[N,5,8], %w: f32[8,6], %b: f32[5]", "linear(%x, %w, %b)", "E305"},
        {"%x: f32[N,8], %u: f32[8,32], %d: f32[32,8]", "mlp(%x, %u, _, %d, _) {expr = gelu(in0)}", "f32[N,8]"},
        {"%x: f32[N,8], %u: f32[8,32], %d: f32[16,8]", "mlp(%x, %u, _, %d, _) {expr = mul(swish(in0, 1), in1)}", "f32[N,8]"},
        {"%x: f32[N,8], %u: f32[8,32], %d: f32[16,8]", "mlp(%x, %u, _, %d, _) {expr = gelu(in0)}", "E305"},
        {"%x: f32[N,8], %u: f32[8,33], %d: f32[16,8]", "mlp(%x, %u, _, %d, _) {expr = mul(in0, in1)}", "E305"},
        {"%a: f32[N,2,3,4], %b: f32[2,4,5]", "matmul(%a, %b)", "f32[N,2,3,5]"},
        {"%a: f32[3,4], %b: f32[5,6]", "matmul(%a, %b)", "E305"},
        {"%a: f32[4], %b: f32[4,6]", "matmul(%a, %b)", "E305"},
        {QKV, "attention(%q, %k, %v) {scale = 1}", "f32[N,197,12,32]"},
        {QKV ", %m: bool[N,1,1,197]", "attention(%q, %k, %v, %m) {scale = 1}", "f32[N,197,12,32]"},
        {QKV ", %m: f64[197]", "attention(%q, %k, %v, %m) {scale = 1}", "E302"},
        {QKV ", %m: f32[196]", "attention(%q, %k, %v, %m) {scale = 1}", "E305"},
        {QKV, "attention(%q, %k, %v)", ""},
        {QKV, "attention(%q, %k, %v) {scale = 1, empty = one}", "E301"},
        {"%q: f32[N,5,6,4], %k: f32[N,7,4,4], %v: f32[N,7,4,4]", "attention(%q, %k, %v) {scale = 1}", "E305"},
        {"%q: f32[N,5,8,4], %k: f32[N,4,4,16], %v: f32[N,7,4,4]", "attention(%q, %k, %v) {scale = 1, transposed = 1}", "f32[N,5,8,4]"},
        {"%q: f32[N,5,8,4], %k: f32[N,4,4,6], %v: f32[N,7,4,4]", "attention(%q, %k, %v) {scale = 1, transposed = 1}", "E305"},
        {"%x: f32[N,5,8], %g: f32[8]", "norm(%x, %g) {axis = 2, kind = layer, epsilon = 1}", "f32[N,5,8]"},
        {"%x: f32[N,5,8], %g: f32[5,8]", "norm(%x, %g) {axis = 1, kind = layer, epsilon = 1}", "f32[N,5,8]"},
        {"%x: f32[N,5,8], %g: f32[1]", "norm(%x, %g) {axis = 2, kind = layer, epsilon = 1}", "E305"},
        {"%x: f32[N,5,8], %g: f32[8]", "norm(%x, _, %g) {axis = 2, kind = rms, epsilon = 1}", "E309"},
        {"%x: f32[N,5,8]", "norm(%x) {axis = 3, kind = rms, epsilon = 1}", "E305"},
        {"%x: f32[N,5,8]", "norm(%x) {axis = 2, kind = group, epsilon = 1}", "E301"},
        {"%x: i64[N,5]", "softmax(%x) {axis = 1}", "E302"},
        {"%x: f32[N,5,8]", "reduce(%x) {axes = [1, 2], kind = sum}", "f32[N,1,1]"},
        {"%x: f32[N,5,8]", "reduce(%x) {axes = [0], keep = 0, kind = max}", "f32[5,8]"},
        {"%x: f32[N,5,8]", "reduce(%x) {axes = [2, 1], kind = sum}", "E305"},
        {"%x: f32[N,5,8]", "reduce(%x) {axes = [1], kind = median}", "E301"},
        {"%x: f32[N,5]", "pad(%x) {pads = [0, 1, 0, 2]}", "f32[N,8]"},
        {"%x: f32[N,5]", "pad(%x) {pads = [0, -1, 0, 2]}", "E305"},
        {"%x: f32[N,5]", "pad(%x) {pads = [0, 1]}", "E305"},
        {"%x: f32[N,5], %v: f32[1]", "pad(%x, %v) {pads = [0, 1, 0, 2]}", "E302"},
        {"%a: f32[N,5], %b: f32[M,5]", "concat(%a, %b) {axis = 0}", "f32[N+M,5]"},
        {"%a: f32[N,5], %b: f32[N,6]", "concat(%a, %b, %a) {axis = 1}", "f32[N,16]"},
        {"%a: f32[N,5], %b: f32[N,6]", "concat(%a, %b) {axis = 0}", "E305"},
        {"%a: f32[N,5], %b: i64[N,5]", "concat(%a, %b) {axis = 0}", "E302"},
        {"%x: f32[N,5,8], %i: i64[2,3]", "gather(%x, %i) {axis = 1}", "f32[N,2,3,8]"},
        {"%x: f32[N,5,8], %i: i64[7,2], %w: f32[7,2]", "resample(%x, %i, %w) {axis = 1, kind = sum}", "f32[N,7,8]"},
        {"%x: f32[N,5,8], %i: i64[7,2], %w: f32[7,3]", "resample(%x, %i, %w) {axis = 1, kind = sum}", "E305"},
        {"%x: f32[N,5,8], %i: i32[7,2], %w: f32[7,2]", "resample(%x, %i, %w) {axis = 1, kind = sum}", "E302"},
        {"%x: f32[N,5,8], %i: i64[7,2]", "resample(%x, %i) {axis = 1, kind = max}", "f32[N,7,8]"},
        {"%x: f32[N,5,8], %i: i64[7,2]", "resample(%x, %i) {axis = 1, kind = least}", "E301"},
        {"%x: f32[N,5,8], %i: i32[]", "gather(%x, %i) {axis = 2}", "f32[N,5]"},
        {"%x: f32[N,5,8], %i: f32[2]", "gather(%x, %i) {axis = 1}", "E302"},
        {"%x: f32[N,5]", "topk(%x) {kind = largest, count = 3}", "i64[N,3]"},
        {"%x: f32[N,5]", "topk(%x) {kind = least, count = 6}", "E305"},
        {"%x: f32[N,5]", "topk(%x) {kind = some, count = 3}", "E301"},
        {"%x: bool[N,5]", "topk(%x) {kind = least, count = 3}", "E302"},
        {"%x: f32[5,N]", "topk(%x) {kind = least, count = 3}", "E306"},
        {"%x: f32[N,5], %i: i32[N,7]", "pick(%x, %i)", "f32[N,7]"},
        {"%x: f32[N,5], %i: i32[2,7]", "pick(%x, %i)", "E306"},
        {"%x: f32[N,5], %i: i32[7]", "pick(%x, %i)", "f32[7,5]"},
        {"%x: f32[N,5,3,2], %i: i32[N,7]", "pick(%x, %i)", "f32[N,7,3,2]"},
        {"%x: f32[5], %i: i32[5,7]", "pick(%x, %i)", "E305"},
        {"%x: f32[N,5], %i: f32[N,7]", "pick(%x, %i)", "E302"},
        {"%b: f32[N,9,5], %s: f32[N,3,9], %o: i64[N,3,9]", "suppress(%b, %s, %o) {count = 4, limit = 0.5}", "i64[N,3,4]"},
        {"%b: f32[N,9,5], %s: f32[N,3,9], %o: i64[N,3,9]", "suppress(%b, %s, %o) {count = 10, limit = 0.5}", "E305"},
        {"%b: f32[N,9,4], %s: f32[N,3,9], %o: i64[N,3,9]", "suppress(%b, %s, %o) {count = 4, limit = 0.5}", "E305"},
        {"%b: f32[N,9,5], %s: f32[N,3,8], %o: i64[N,3,9]", "suppress(%b, %s, %o) {count = 4, limit = 0.5}", "E305"},
        {"%b: f32[N,9,5], %s: f32[N,3,9], %o: f32[N,3,9]", "suppress(%b, %s, %o) {count = 4, limit = 0.5}", "E302"},
        {"%x: f32[N,5,3], %i: i64[N,7], %u: f32[N,7,3]", "scatter(%x, %i, %u) {kind = add}", "f32[N,5,3]"},
        {"%x: f32[N,5,3], %i: i64[N,7], %u: f32[N,6,3]", "scatter(%x, %i, %u) {kind = add}", "E305"},
        {"%x: f32[N,5,3], %i: i64[2,7], %u: f32[N,7,3]", "scatter(%x, %i, %u) {kind = none}", "E306"},
        {"%x: f32[N,5,3], %i: i32[N,7], %u: f32[N,7,3]", "scatter(%x, %i, %u) {kind = none}", "E302"},
        {"%x: f32[N,5,3], %i: i64[N,7], %u: i64[N,7,3]", "scatter(%x, %i, %u) {kind = none}", "E302"},
        {"%x: bool[N,5], %i: i64[N,7], %u: bool[N,7]", "scatter(%x, %i, %u) {kind = max}", "E301"},
        {"%x: f32[N,3,224,224], %w: f32[768,3,16,16]", "conv(%x, %w) {pads = [0, 0, 0, 0], strides = [16, 16], dilations = [1, 1], group = 1}",
         "f32[N,768,14,14]"},
        {"%x: f32[N,4,9,9], %w: f32[8,2,3,3], %b: f32[8]", "conv(%x, %w, %b) {pads = [1, 1, 1, 1], strides = [2, 2], dilations = [2, 1], group = 2}",
         "f32[N,8,4,5]"},
        {"%x: f32[N,4,9,9], %w: f32[8,3,3,3]", "conv(%x, %w) {pads = [1, 1, 1, 1], strides = [2, 2], dilations = [2, 1], group = 2}", "E305"},
        {"%x: f32[N,4,2,9], %w: f32[8,4,3,3]", "conv(%x, %w) {pads = [0, 0, 0, 0], strides = [1, 1], dilations = [1, 1], group = 1}", "E305"},
        {"%x: f32[N,4,16*M], %w: f32[8,4,16]", "conv(%x, %w) {pads = [0, 0], strides = [16], dilations = [1], group = 1}", "f32[N,8,M]"},
        {"%x: f32[N,4,M], %w: f32[8,4,16]", "conv(%x, %w) {pads = [0, 0], strides = [16], dilations = [1], group = 1}", "E306"},
        {"%x: f32[N,4]", "call(%x) {function = f}", "f32[N,4]"},
        {"%x: f32[N,5]", "call(%x) {function = f}", "E305"},
        {"%x: f32[N,4]", "call(%x, %x) {function = f}", "E309"},
        {"%x: f32[1,1,1,1,2], %i: i64[1,1,1,1,1]", "gather(%x, %i) {axis = 1}", "E305"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *type = inferred(cases[i].node, cases[i].inputs);
        if (cases[i].type[0] && strcmp(type, cases[i].type) != 0)
            fail_msg("%s of %s: %s, not %s", cases[i].node, cases[i].inputs, type, cases[i].type);
    }
}

static void errors_are_located(void **unused)
{
    (void)unused;
    ir_graph *g = ir_graph_new(memory, "t", symbols);
    ir_value *x = ir_add_parameter(g, "x", type_of("f32[N,12,8]")), *w = ir_add_parameter(g, "w", type_of("f32[16,8]"));
    ir_node *n = ir_begin(g, IR_LINEAR);
    ir_input(n, x);
    ir_input(n, w);
    ir_add_origin(n, "17 'attn/MatMul'");
    diag *d = diag_new(memory, "m.onnx");
    assert_null(ir_end(n, NULL, d));
    assert_string_equal(diag_line(d, 0), "m.onnx: node 17 'attn/MatMul' input 1 f32[16,8]: error E305: shapes contradict each other: "
                                         "linear: weights and input do not fit: 16 and 8; check the exporter's example input, or --shape");
    assert_null(g->first);
    assert_int_equal(x->uses, 0);
    assert_null(ir_map2(g, EXPR_ADD, x, w, NULL, NULL));
    const int64_t one = 1;
    assert_null(ir_constant(g, type_of("i64[2]"), &one, sizeof one, NULL));
}

/* ---- changing ---- */

static const char with_function[] =
    "symbols N 1..64\n"
    "function inner(%0: f32[N,4]) {\n  %1: f32[N,4] = map(%0) {expr = neg(in0)}\n  return %1\n}\n"
    "function block(%0: f32[N,4], %1: f32[4]) {\n"
    "  %2: f32[N,4] = call(%0) {function = inner}\n  %3: f32[N,4] = map(%2, %1) {expr = mul(in0, in1)}   # 4 'Mul'\n  return %3, %0\n}\n"
    "function unused(%0: f32[N,4]) {\n  %1: f32[N,4] = call(%0) {function = inner}\n  return %1\n}\n"
    "graph t(%0 \"x\": f32[N,4]) {\n"
    "  %1: f32[4] = const {bytes = [1, 2, 3, 4]}\n"
    "  %2 \"first\": f32[N,4], %3: f32[N,4] = call(%0, %1) {function = block}\n"
    "  %4: f32[N,4], %5: f32[N,4] = call(%2, %1) {function = block}\n"
    "  %6: f32[N,4] = map(%4) {expr = exp(in0)}\n"
    "  return \"y\" %4, \"x\" %5\n}\n";

static void calls_are_inlined(void **unused)
{
    (void)unused;
    ir_graph *g = read(with_function);
    ir_graph *copy = ir_clone(g, memory);
    assert_int_equal(ir_sweep(g), 1);
    assert_int_equal(g->functions, 2);
    assert_true(ir_inline_call(by_id(g, 2)->def, errors));
    assert_true(ir_verify(g, errors));
    assert_true(ir_inline_call(by_id(g, 4)->def, errors));
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op == IR_CALL) assert_true(ir_inline_call(n, errors));
    }
    assert_true(ir_verify(g, errors));
    assert_int_equal(ir_sweep(g), 0);
    assert_int_equal(g->functions, 0);
    assert_string_equal(printed(g), "symbols N 1..64\ngraph t(%0 \"x\": f32[N,4]) {\n  %1: f32[4] = const {bytes = [1, 2, 3, 4]}\n"
                                    "  %11: f32[N,4] = map(%0) {expr = neg(in0)}\n"
                                    "  %8 \"first\": f32[N,4] = map(%11, %1) {expr = mul(in0, in1)}   # 4 'Mul'\n"
                                    "  %12: f32[N,4] = map(%8) {expr = neg(in0)}\n  %10: f32[N,4] = map(%12, %1) {expr = mul(in0, in1)}   # 4 'Mul'\n"
                                    "  return \"y\" %10, \"x\" %8\n}\n");
    assert_true(ir_verify(copy, errors));                      /* untouched by what became of the original */
    assert_string_equal(printed(copy), with_function);
    assert_ptr_not_equal(copy->symbols, g->symbols);
    assert_ptr_equal(ir_bytes_of(by_id(copy, 1)), ir_bytes_of(by_id(g, 1)));
}

static void nodes_move(void **unused)
{
    (void)unused;
    ir_graph *g = read("graph t(%0: f32[2]) {\n"
                       "  %1: f32[2] = map(%0) {expr = neg(in0)}\n"
                       "  %2: f32[2] = map(%0) {expr = exp(in0)}\n"
                       "  %3: f32[2] = map(%0) {expr = abs(in0)}\n"
                       "  return %1, %2, %3\n}\n");
    ir_node *a = by_id(g, 1)->def, *b = by_id(g, 2)->def, *c = by_id(g, 3)->def;
    ir_move_before(c, a);
    assert_true(g->first == c && c->next == a && a->previous == c && g->last == b);
    ir_move_before(c, NULL);
    assert_true(g->first == a && g->last == c && b->next == c && !c->next);
    ir_move_before(b, b);
    assert_true(ir_verify(g, errors));
}

static void moves_are_normalised(void **unused)
{
    (void)unused;
    ir_graph *g = ir_graph_new(memory, "t", symbols);
    ir_value *x = ir_add_parameter(g, "x", type_of("f32[N,1,12]"));
    move m = {.digits = 4, .rank = 3, .digit = {{dim_symbol_of(0), 0, 1}, {dim_of(1), 1, 1}, {dim_of(3), 2, 4}, {dim_of(4), 2, 1}}};
    ir_type to = type_of("f32[N,3,4]");
    ir_value *y = ir_move_of(g, x, &m, &to, NULL, errors);
    assert_non_null(y);
    assert_string_equal(move_text(memory, symbols, ir_move(y->def)), "[N@0, 12@2]");
    ir_node *n = ir_begin(g, IR_MOVE);                         /* nobody says the shape: an axis a digit */
    ir_input(n, x);
    ir_set_move(n, &m);
    y = ir_end(n, NULL, errors);
    assert_string_equal(ir_type_text(memory, symbols, &y->type), "f32[N,1,3,4]");
    to = type_of("f32[N,3,5]");
    assert_null(ir_move_of(g, x, &m, &to, NULL, NULL));
}

/* ---- the verifier ---- */

static const char valid[] =
    "symbols N 1..64\n"
    "function f(%0: f32[N,4]) {\n  %1: f32[N,4] = map(%0) {expr = neg(in0)}\n  return %1\n}\n"
    "graph t(%0: f32[N,4]) {\n  %1: f32[4] = const {bytes = [1, 2, 3, 4]}\n  %2: f32[N,4] = map(%0, %1) {expr = add(in0, in1)}\n"
    "  %3: f32[4,N] = move(%2) {move = [4@1, N@0]}\n  %4: f32[N,4] = call(%2) {function = f}\n  return %3, %4\n}\n";

static void break_order(ir_graph *g) { ir_move_before(by_id(g, 1)->def, NULL); }
static void break_type(ir_graph *g) { by_id(g, 2)->type.dim[1] = dim_of(5); }
static void break_elem(ir_graph *g) { by_id(g, 2)->type.elem = ELEM_F64; }
static void break_uses(ir_graph *g) { by_id(g, 1)->uses = 0; }
static void break_user(ir_graph *g) { by_id(g, 1)->user[0] = by_id(g, 3)->def; }
static void break_id(ir_graph *g) { by_id(g, 3)->id = 2; }
static void break_range(ir_graph *g) { g->next_id = 3; }
static void break_index(ir_graph *g) { by_id(g, 2)->index = 1; }
static void break_links(ir_graph *g) { by_id(g, 2)->def->previous = NULL; }
static void break_last(ir_graph *g) { g->last = g->first; }
static void break_constant(ir_graph *g) { by_id(g, 2)->def->constant = true; }
static void break_result(ir_graph *g) { g->result[0].value = g->function[0]->result[0].value; }
static void break_functions(ir_graph *g) { g->functions = 0; }
static void break_name(ir_graph *g) { g->name = "no name"; }
static void break_function_name(ir_graph *g) { g->function[0]->name = "9f"; }
static void break_input(ir_graph *g) { by_id(g, 2)->def->input[0] = NULL; }
static void break_attribute(ir_graph *g) { ir_set_int(by_id(g, 2)->def, KEY_AXIS, 1); }
static void break_missing(ir_graph *g) { ir_remove_attribute(by_id(g, 2)->def, KEY_EXPR); }
static void break_bytes(ir_graph *g) { by_id(g, 1)->type.dim[0] = dim_of(3); }
static void break_symbols(ir_graph *g) { g->function[0]->symbols = symbols; }
static void break_outputs(ir_graph *g) { by_id(g, 4)->def->outputs = 0; }

static void break_move(ir_graph *g)
{
    move m = *ir_move(by_id(g, 3)->def);
    m.digit[m.digits++] = (move_digit){dim_of(1), -1, 0};
    ir_set_move(by_id(g, 3)->def, &m);
}

static void break_bounds(ir_graph *g)
{
    move m = *ir_move(by_id(g, 3)->def);
    m.offset[1] = 1;
    ir_set_move(by_id(g, 3)->def, &m);
}

static void break_function_order(ir_graph *g)
{
    ir_node *n = ir_begin(g->function[0], IR_CALL);            /* a function that calls itself */
    ir_input(n, g->function[0]->parameter[0].value);
    ir_set_function(n, g->function[0]);
    assert_non_null(ir_end(n, NULL, errors));
}

static void violations_are_found(void **unused)
{
    (void)unused;
    static const struct { void (*change)(ir_graph *); const char *says; } cases[] = {
        {break_order, "reads a value that is not defined before it"}, {break_type, "has not the type"}, {break_elem, "has not the type"},
        {break_uses, "is read 1 times, its list says 0"}, {break_user, "lists a reader that does not read it"}, {break_id, "defined twice"},
        {break_range, "out of range"}, {break_index, "does not know where it is defined"}, {break_links, "the list of nodes is broken"},
        {break_last, "does not end at its last"}, {break_constant, "whether it is constant"}, {break_result, "result 0 is not defined"},
        {break_functions, "calls a function that is not before it"}, {break_name, "no identifier"}, {break_function_name, "no identifier"},
        {break_input, "type-check"}, {break_attribute, "type-check"}, {break_missing, "type-check"}, {break_bytes, "type-check"},
        {break_symbols, "other symbols"}, {break_outputs, "type-check"}, {break_move, "type-check"}, {break_bounds, "type-check"},
        {break_function_order, "calls a function that is not before it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ir_graph *g = read(valid);
        cases[i].change(g);
        diag *d = diag_new(memory, "t.ir");
        bool found = false, reported = false;
        assert_false(ir_verify(g, d));
        for (int k = 0; diag_line(d, k); k++) {
            found |= strstr(diag_line(d, k), cases[i].says) != NULL;
            reported |= strstr(diag_line(d, k), "error E400") != NULL;
        }
        if (!found) fail_msg("case %zu: %s", i, diag_line(d, 0));
        assert_true(reported);
        assert_false(ir_verify(g, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(use_lists_follow), cmocka_unit_test(constants_spread), cmocka_unit_test(attributes_and_origins), cmocka_unit_test(types),
        cmocka_unit_test(every_operator_has_its_type), cmocka_unit_test(errors_are_located), cmocka_unit_test(calls_are_inlined),
        cmocka_unit_test(nodes_move), cmocka_unit_test(moves_are_normalised), cmocka_unit_test(violations_are_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
