/* Chains of maps: what is joined, and what must not be. */
#include "pass_test.h"

static void test_chain(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,3,4], %s \"s\": f32[2,3,4], %f \"f\": f32[3,1], %g \"g\": f32[3,1], %r \"r\": f32[4]) {\n"
                    "  %a: f32[2,3,4] = map(%x, %f) {expr = mul(in0, in1)}\n"
                    "  %b: f32[2,3,4] = map(%a, %g) {expr = add(in0, in1)}\n"
                    "  %c: f32[2,3,4] = map(%s, %r) {expr = sub(in0, in1)}\n"
                    "  %d: f32[2,3,4] = map(%b, %c) {expr = add(in0, in1)}\n"
                    "  %y: f32[2,3,4] = map(%d) {expr = relu(in0)}\n"
                    "  return \"y\" %y\n}\n", "join_maps dce",
                    "graph t(%x \"x\": f32[2,3,4], %s \"s\": f32[2,3,4], %f \"f\": f32[3,1], %g \"g\": f32[3,1], %r \"r\": f32[4]) {\n"
                    "  %y: f32[2,3,4] = map(%s, %r, %x, %f, %g) {expr = relu(add(add(mul(in2, in3), in4), sub(in0, in1)))}\n"
                    "  return \"y\" %y\n}\n");
}

/* The value once for both of its places. */
static void test_read_twice(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[8]) {\n"
                    "  %a: f32[8] = map(%x) {expr = tanh(in0)}\n"
                    "  %y: f32[8] = map(%a, %x, %a) {expr = add(mul(in0, in1), in2)}\n"
                    "  return \"y\" %y\n}\n", "join_maps dce",
                    "graph t(%x \"x\": f32[8]) {\n"
                    "  %y: f32[8] = map(%x) {expr = add(mul(tanh(in0), in0), tanh(in0))}\n"
                    "  return \"y\" %y\n}\n");
}

/* Others read it, or the caller; another shape; another type; operands that repeat in two ways; nine inputs. */
static void test_left_apart(void **state)
{
    (void)state;
    static const char *const text[] = {
        "  %a: f32[2,3,4] = map(%x) {expr = neg(in0)}\n  %y: f32[2,3,4] = map(%a) {expr = relu(in0)}\n  %z: f32[2,3,4] = softmax(%a) {axis = 2}\n"
        "  return \"y\" %y, \"z\" %z\n}\n",
        "  %a: f32[2,3,4] = map(%x) {expr = neg(in0)}\n  %y: f32[2,3,4] = map(%a) {expr = relu(in0)}\n  return \"y\" %y, \"z\" %a\n}\n",
        "  %a: f32[3,1] = map(%f) {expr = neg(in0)}\n  %y: f32[2,3,4] = map(%x, %a) {expr = mul(in0, in1)}\n  return \"y\" %y\n}\n",
        "  %a: f64[2,3,4] = map(%x) {expr = convert(in0):f64}\n  %y: f32[2,3,4] = map(%a) {expr = convert(in0)}\n  return \"y\" %y\n}\n",
        "  %a: f32[2,3,4] = map(%x, %f) {expr = mul(in0, in1)}\n  %y: f32[2,3,4] = map(%a, %h) {expr = add(in0, in1)}\n  return \"y\" %y\n}\n",
        "  %a: f32[2,3,4] = map(%x, %p1, %p2, %p3, %p4) {expr = add(add(add(add(in0, in1), in2), in3), in4)}\n"
        "  %y: f32[2,3,4] = map(%a, %p5, %p6, %p7, %p8) {expr = add(add(add(add(in0, in1), in2), in3), in4)}\n  return \"y\" %y\n}\n",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        arena *a = arena_new();
        const char *row = "f32[4]", *whole = arena_printf(a, "graph t(%%x \"x\": f32[2,3,4], %%f \"f\": f32[3,1], %%h \"h\": f32[2,1,4], %%p1 \"p1\": %s, %%p2 \"p2\": %s, "
                                                             "%%p3 \"p3\": %s, %%p4 \"p4\": %s, %%p5 \"p5\": %s, %%p6 \"p6\": %s, %%p7 \"p7\": %s, %%p8 \"p8\": %s) {\n%s",
                                                          row, row, row, row, row, row, row, row, text[i]);
        pass_test_leaves(whole, "join_maps dce", IR_MAP, 2);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_chain), cmocka_unit_test(test_read_twice), cmocka_unit_test(test_left_apart) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
