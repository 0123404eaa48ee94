/* The textual form: what is printed is read back byte for byte; what is malformed is refused at its line and never crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

/* Every operator, every kind of attribute, functions, names, origins. */
static const char whole[] =
    "symbols N 1..64, \"seq len\" 2..16\n"
    "function encoder_block(%0: f32[N,5,8], %1: f32[8,8], %2: f32[8]) {\n"
    "  %3: f32[N,5,8] = norm(%0, %2) {axis = 2, kind = rms, epsilon = 1e-06}   # 3 'norm'\n"
    "  %4: f32[N,5,8] = linear(%3, %1, _, %0) {epilogue = add(in0, in1)}   # 17 'attn/MatMul' | 18 'it\\'s | Add'\n"
    "  return %4, %3\n"
    "}\n"
    "graph vit(%0 \"pixel \\\"values\\\"\": f32[N,3,4,4], %1: i64[N,\"seq len\"], %2 \"\\xe2\\x98\\x83\": bool[1,1,1,5]) {\n"
    "  %3: f32[] = const {bytes = [0.5]}\n"
    "  %4: f32[2] = const {bytes = [nan, -inf]}\n"
    "  %5: i64[3] = const {bytes = [-9223372036854775808, 0, 9223372036854775807]}\n"
    "  %6: bool[2] = const {bytes = [0, 1]}\n"
    "  %7: bf16[2] = const {bytes = [1, 0.0078]}\n"
    "  %8: u64[1] = const {bytes = [18446744073709551615]}\n"
    "  %9: f32[0] = const {bytes = []}\n"
    "  %10: f64[1] = const {bytes = [0.1]}\n"
    "  %11: f32[8,3,4,4] = const {bytes = digest 00112233445566778899aabbccddeeff}\n"
    "  %12 \"conv\": f32[N,8,1,1] = conv(%0, %11) {pads = [0, 0, 0, 0], strides = [4, 4], dilations = [1, 1], group = 1}   # 1\n"
    "  %13: f32[N,1,8] = move(%12) {move = [N@0, 8@1]}\n"
    "  %14: f32[N,5,8] = pad(%13, %3) {pads = [0, 2, 0, 0, 2, 0]}\n"
    "  %15: f32[8,8] = const {bytes = digest 0123456789abcdef0123456789abcdef}\n"
    "  %16: f32[8] = const {bytes = [0, -0, 1, 2, 3, 1e-45, 3.4028235e+38, 0.1]}\n"
    "  %17: f32[N,5,8], %18: f32[N,5,8] = call(%14, %15, %16) {function = encoder_block}\n"
    "  %19: f32[N,5,2,4] = move(%17) {move = [N@0, 5@1, 8@2]}\n"
    "  %20: f32[N,2,4,5] = move(%18) {move = [N@0, 8@2, 5@1]}\n"
    "  %21: f32[N,5,2,4], %22: f32[N,2,5,5] = attention(%19, %20, %19, %2) {scale = 0.5, causal = 1, transposed = 1, empty = zero, elem = f32}\n"
    "  %23: f32[N,5,8] = mlp(%14, %15, _, %15, %16, %14) {expr = swish(in0, 1), epilogue = add(in0, mul(in1, 0.1))}\n"
    "  %32: f32[N,2,5,4] = move(%21) {move = [N@0, 2@2, 5@1, 4@3]}\n"
    "  %24: f32[N,2,5,4] = matmul(%22, %32)\n"
    "  %25: f32[N,5] = reduce(%23) {axes = [2], keep = 0, kind = mean}\n"
    "  %26: f32[N,5,8] = softmax(%23) {axis = 1}\n"
    "  %27: f32[N,10,8] = concat(%26, %14) {axis = 1}\n"
    "  %28: f32[N,3,8] = gather(%27, %5) {axis = 1}\n"
    "  %29: bool[N,3,8] = map(%28, %3) {expr = lt(in0, mul(in1, 2))}\n"
    "  %30: f32[N,5,8] = move(%26) {move = [N@0, 5@1, 8@2] +[0, 1, 0] %[0, 5, 0]}\n"
    "  %31: f32[N,2,5,4] = norm(%24) {axis = 3, kind = layer, epsilon = 9.999999960041972e-13}\n"
    "  %33: i32[N,\"seq len\"] = map(%1) {expr = convert(in0):i32}\n"
    "  return \"logits\" %25, \"x\\n\" %29, %30, %31, %33\n"
    "}\n";

/* Bytes of any digest: zeros. */
static const void *zeros(void *context, digest d, size_t size)
{
    (void)d;
    *(int *)context += 1;
    static const char bytes[8192];
    return size <= sizeof bytes ? bytes : NULL;
}

static const char *printed(const ir_graph *g)
{
    strbuf b = strbuf_in(g->arena);
    ir_print(g, &b);
    return b.text;
}

static void expect_verified(const ir_graph *g, diag *d)
{
    if (ir_verify(g, d)) return;
    diag_print(d, stderr);
    fail();
}

static void what_is_printed_is_read_back(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    diag *d = diag_new(a, "t.ir");
    int asked = 0;
    ir_graph *g = ir_parse(a, whole, zeros, &asked, d);
    if (!g) diag_print(d, stderr);
    assert_non_null(g);
    expect_verified(g, d);
    assert_int_equal(asked, 2);
    assert_string_equal(printed(g), whole);
    assert_string_equal(printed(ir_clone(g, a)), whole);
    assert_string_equal(g->parameter[0].name, "pixel \"values\"");
    assert_string_equal(g->parameter[2].name, "\xe2\x98\x83");
    assert_string_equal(g->result[1].name, "x\n");
    assert_null(g->result[2].name);
    assert_string_equal(g->function[0]->last->origin[1], "18 'it\\'s | Add'");
    assert_int_equal(g->next_id, 34);
    arena_free(a);
}

static void words_are_names(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    diag *d = diag_new(a, "t.ir");
    const char *text = "# a comment\n\nsymbols N 1..4\r\n"
                       "graph t(%x: f32[N, 3],\n  %_y: f32) {   # the inputs\n"
                       "\t%sum :f32[N,3]=map( %x , %_y ){ expr=add(in0,in1) } # no origin\n"
                       "  %5: f32[N,3] = map(%sum) {expr = neg(in0)}\n"
                       "  return %5\n} # the end\n\n";
    ir_graph *g = ir_parse(a, text, NULL, NULL, d);
    if (!g) diag_print(d, stderr);
    assert_non_null(g);
    assert_string_equal(printed(g), "symbols N 1..4\ngraph t(%6: f32[N,3], %7: f32[]) {\n  %8: f32[N,3] = map(%6, %7) {expr = add(in0, in1)}\n"
                                    "  %5: f32[N,3] = map(%8) {expr = neg(in0)}\n  return %5\n}\n");
    assert_int_equal(g->first->origins, 0);
    arena_free(a);
}

static void constants_for_tests(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    const char *text = "graph t() {\n  %a: f32[100,10] = const {bytes = noise 7 0.05}\n  %b: f32[100,10] = const {bytes = noise 8 0.05}\n"
                       "  %c: f16[3] = const {bytes = splat 0.1}\n"
                       "  %d: i8[2] = const {bytes = splat -7}\n"
                       "  %e: f32[100,10] = const {bytes = noise 7 0.05}\n"
                       "  return %a, %b, %c, %d, %e\n}\n";
    ir_graph *g = ir_parse(a, text, NULL, NULL, diag_new(a, "t.ir"));
    assert_non_null(g);
    const ir_value *v[5];
    for (int i = 0; i < 5; i++) v[i] = g->result[i].value;
    float x[1000];
    memcpy(x, ir_bytes_of(v[0])->data, sizeof x);
    double sum = 0, least = 1, most = -1;
    for (int i = 0; i < 1000; i++) {
        sum += (double)x[i];
        least = fmin(least, (double)x[i]);
        most = fmax(most, (double)x[i]);
    }
    assert_true(least >= -0.05 && least < -0.049 && most <= 0.05 && most > 0.049 && fabs(sum) < 3);
    assert_true(digest_equal(ir_bytes_digest(v[0]), ir_bytes_digest(v[4])));
    assert_false(digest_equal(ir_bytes_digest(v[0]), ir_bytes_digest(v[1])));
    double number;
    assert_true(ir_splat(v[2], &number));
    assert_true(fabs(number - 0.1) < 1e-4 && number != 0.1);
    assert_true(ir_splat(v[3], &number) && number == -7);
    assert_false(ir_splat(v[0], &number));
    arena_free(a);
}

/* A constant is found again by the digest that was printed for it. */
typedef struct known { digest d; const void *data; size_t size; } known;

static const void *look_up(void *context, digest d, size_t size)
{
    const known *k = context;
    return digest_equal(k->d, d) && k->size == size ? k->data : NULL;
}

static void digests_resolve(void **unused)
{
    (void)unused;
    arena *a = arena_new();
    diag *d = diag_new(a, "t.ir");
    ir_graph *g = ir_parse(a, "graph t() {\n  %0: f32[5,7] = const {bytes = noise 7 1}\n  return %0\n}\n", NULL, NULL, d);
    const ir_value *v = g->result[0].value;
    known k = {ir_bytes_digest(v), ir_bytes_of(v)->data, ir_bytes_of(v)->size};
    const char *text = printed(g);
    assert_non_null(strstr(text, "digest "));
    ir_graph *again = ir_parse(a, text, look_up, &k, d);
    assert_non_null(again);
    assert_ptr_equal(ir_bytes_of(again->result[0].value)->data, k.data);
    assert_string_equal(printed(again), text);
    k.d.low ^= 1;
    assert_null(ir_parse(a, text, look_up, &k, d));
    assert_string_equal(diag_line(d, 0), "t.ir: line 2: error E402: the textual IR is not understood: the bytes of a digest are not known; "
                                         "see docs/design.md for its grammar");
    arena_free(a);
}

#define NODE(text) "graph t(%x: f32[2,3], %i: i64[2]) {\n" text "\n  return %x\n}\n"

static void errors_name_their_line(void **unused)
{
    (void)unused;
    static const struct { const char *text; int line; } bad[] = {
        {"", 1}, {"\n\n", 3}, {"graph", 1}, {"nonsense", 1}, {"graph t(", 1}, {"graph t() {\n", 2}, {"graph t() {\n  return\n", 3},
        {"graph t() {\n  return\n}\nmore\n", 4}, {"graph t() {\n  return %x\n}\n", 2}, {"graph t(%x: f31[2]) {\n", 1},
        {"graph t(%x: f32[2,M]) {\n", 1}, {"graph t(%x: f32[2], %x: f32) {\n", 1}, {"graph t(%x: f32[1,1,1,1,1,1,1,1,1]) {\n", 1},
        {"symbols N 4..1\n", 1}, {"symbols N 1..4, N 1..4\n", 1}, {"symbols 1..4\n", 1}, {"function f() {\n  return\n}\n", 4},
        {"function f() {\n  return\n}\nfunction f() {\n  return\n}\n", 4}, {NODE("  %y: f32[2,3] = foo(%x)"), 2},
        {NODE("  %y: f32[2,3] = softmax(%x)"), 2}, {NODE("  %y: f32[2,3] = softmax(%x) {axis = 2}"), 2},
        {NODE("  %y: f32[2,4] = softmax(%x) {axis = 1}"), 2}, {NODE("  %y: f32[2,3] = softmax(%x) {axis = 1, axis = 1}"), 2},
        {NODE("  %y: f32[2,3] = softmax(%x) {axis = 1, scale = 1}"), 2}, {NODE("  %y: f32[2,3] = softmax(%x) {axis = 1} trailing"), 2},
        {NODE("  %y: f32[2,3] = softmax(%x, %x) {axis = 1}"), 2}, {NODE("  %y: f32[2,3] = softmax(_) {axis = 1}"), 2},
        {NODE("  %y: f32[2,3] = softmax(%z) {axis = 1}"), 2}, {NODE("  %x: f32[2,3] = softmax(%x) {axis = 1}"), 2},
        {NODE("  %07: f32[2,3] = softmax(%x) {axis = 1}"), 2}, {NODE("  %99999999: f32[2,3] = softmax(%x) {axis = 1}"), 2},
        {NODE("  %y: f32[2,3], %z: f32[2,3] = softmax(%x) {axis = 1}"), 2}, {NODE("  %y: f32[2,3] = map(%x) {expr = add(in0)}"), 2},
        {NODE("  %y: f32[2,3] = map(%x, %i) {expr = add(in0, in1)}"), 2}, {NODE("  %y: f32[2,3] = map(%x, _) {expr = in0}"), 2},
        {NODE("  %y: f32[2,3] = move(%x) {move = [2@0, 4@1]}"), 2}, {NODE("  %y: f32[2,3] = move(%x) {move = [2@0, 3@2]}"), 2},
        {NODE("  %y: f32[6] = move(%x) {move = [2@0, 3]} {"), 2}, {NODE("  %y: f32[2,3] = call(%x) {function = g}"), 2},
        {NODE("  %y: f32[2] = const"), 2}, {NODE("  %y: f32[2] = const {bytes = [1]}"), 2}, {NODE("  %y: f32[2] = const {bytes = [1, 2, 3]}"), 2},
        {NODE("  %y: u8[1] = const {bytes = [256]}"), 2}, {NODE("  %y: i64[1] = const {bytes = noise 1 1}"), 2},
        {NODE("  %y: f32[2] = const {bytes = digest 0123}"), 2}, {NODE("  %y: f32[99999999999,9] = const {bytes = splat 0}"), 2},
        {NODE("  %y \"open: f32[2] = const {bytes = splat 0}"), 2}, {NODE("  %y: f32[2,3] = matmul(%x, %x)"), 2},
        {NODE("  %y: f32[2,3] = reduce(%x) {axes = [1, 0], kind = sum}"), 2}, {NODE("\n\n  oops"), 4},
    };
    arena *a = arena_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        diag *d = diag_new(a, "t.ir");
        if (ir_parse(a, bad[i].text, NULL, NULL, d)) fail_msg("accepted: %s", bad[i].text);
        const char *expected = arena_printf(a, "t.ir: line %d: error E402: ", bad[i].line), *line = diag_line(d, 0);
        assert_int_equal(diag_errors(d), 1);
        if (strncmp(line, expected, strlen(expected)) != 0) fail_msg("%s\nsays: %s", bad[i].text, line);
        assert_null(ir_parse(a, bad[i].text, NULL, NULL, NULL));
    }
    arena_free(a);
}

/* Text with bytes changed, dropped and doubled: refused, or a graph that verifies and prints as something that reads back. */
static void mutations_never_crash(void **unused)
{
    (void)unused;
    static const char letters[] = "0123456789%_[]{}()@*+-,.:= \n\"'#abNxf";
    uint64_t state = 1;
    int accepted = 0, refused = 0;
    for (int round = 0; round < 3000; round++) {
        arena *a = arena_new();
        size_t length = sizeof whole - 1;
        char *text = arena_strdup(a, whole);
        int asked = 0, changes = 1 + round % 3;
        for (int k = 0; k < changes; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            size_t at = (size_t)((state >> 33) % length), n = 1 + (size_t)(state >> 20) % 8;
            switch (state >> 60 & 3) {
            case 0: text[at] = letters[(state >> 40) % (sizeof letters - 1)]; break;
            case 1: memmove(text + at, text + at + (at + n <= length ? n : 0), length - at); break;
            case 2: text[at] = text[(at * 7 + 11) % length]; break;
            default:
                while (text[at] && !strchr("0123456789", text[at])) at++;
                text[at] = round % 8 && text[at] ? letters[(state >> 40) % 10] : 0;                   /* another number, or the end */
                break;
            }
            length = strlen(text);
            if (length == 0) break;
        }
        diag *d = diag_new(a, "t.ir");
        ir_graph *g = ir_parse(a, text, zeros, &asked, d);
        assert_int_equal(g != NULL, diag_errors(d) == 0);
        if (g) {
            accepted++;
            expect_verified(g, d);
            const char *once = printed(g);
            ir_graph *again = ir_parse(a, once, zeros, &asked, d);
            if (!again) fail_msg("not read back: %s\n%s", diag_line(d, 0), once);
            assert_string_equal(printed(again), once);
        } else {
            refused++;
            assert_int_equal(diag_first(d), STATUS_TEXT);
        }
        arena_free(a);
    }
    if (accepted < 150 || refused < 1000) fail_msg("%d accepted, %d refused", accepted, refused);
}

/* Reads, verifies, clones and prints; false: memory ran out on the way. */
static bool work_within(arena *a, long allocations)
{
    jmp_buf handler;
    bool volatile done = false;
    arena_on_exhaustion(&handler);
    if (setjmp(handler) == 0) {
        int asked = 0;
        arena_fail_after(allocations);
        diag *d = diag_new(a, "t.ir");
        ir_graph *g = ir_parse(a, whole, zeros, &asked, d);
        assert_true(g && ir_verify(g, d));
        assert_string_equal(printed(ir_clone(g, a)), whole);
        done = true;
    }
    arena_fail_after(-1);
    arena_on_exhaustion(NULL);
    return done;
}

/* Whichever allocation fails, control comes back and nothing is lost. */
static void memory_may_run_out_anywhere(void **unused)
{
    (void)unused;
    long allocations = 0;
    for (bool done = false; !done; allocations++) {
        arena *a = arena_new();
        done = work_within(a, allocations);
        arena_free(a);
    }
    assert_true(allocations > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_read_back), cmocka_unit_test(words_are_names), cmocka_unit_test(constants_for_tests),
        cmocka_unit_test(digests_resolve), cmocka_unit_test(errors_name_their_line), cmocka_unit_test(mutations_never_crash),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
