/* simplify: concatenations and reductions of what is moved, with near misses beside matches. */
#include "pass_test.h"

/* ---- concatenations of pieces of one value ---- */

static void test_rolls(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,6,4]) {\n"
                    "  %a: f32[2,4,4] = move(%x) {move = [2@0, 4@1, 4@2] +[0, 2, 0]}\n"
                    "  %b: f32[2,2,4] = move(%x) {move = [2@0, 2@1, 4@2]}\n"
                    "  %c: f32[2,6,4] = concat(%a, %b) {axis = 1}\n"
                    "  %y: f32[2,3,2,4] = move(%c) {move = [2@0, 3@1, 2@1*3, 4@2]}\n"
                    "  return \"y\" %y\n}\n", "simplify dce",
                    "graph t(%x \"x\": f32[2,6,4]) {\n"
                    "  %y: f32[2,3,2,4] = move(%x) {move = [2@0, 3@1, 2@1*3, 4@2] +[0, 2, 0] %[0, 6, 0]}\n"
                    "  return \"y\" %y\n}\n");
}

/* Neighbouring pixels side by side, the lower one first; and the same pieces of a value that was a move already. */
static void test_merged_patches(void **state)
{
    (void)state;
    pass_test_check("symbols N 1..64\ngraph t(%x \"x\": f32[N,24,3]) {\n"
                    "  %v: f32[N,4,6,3] = move(%x) {move = [N@0, 24@1, 3@2]}\n"
                    "  %a: f32[N,2,3,3] = move(%v) {move = [N@0, 2@1*2, 3@2*2, 3@3]}\n"
                    "  %b: f32[N,2,3,3] = move(%v) {move = [N@0, 2@1*2, 3@2*2, 3@3] +[0, 1, 0, 0]}\n"
                    "  %d: f32[N,2,3,3] = move(%v) {move = [N@0, 2@1*2, 3@2*2, 3@3] +[0, 0, 1, 0]}\n"
                    "  %e: f32[N,2,3,3] = move(%v) {move = [N@0, 2@1*2, 3@2*2, 3@3] +[0, 1, 1, 0]}\n"
                    "  %c: f32[N,2,3,12] = concat(%a, %b, %d, %e) {axis = 3}\n"
                    "  %y: f32[N,6,12] = move(%c) {move = [N@0, 2@1, 3@2, 12@3]}\n"
                    "  return \"y\" %y\n}\n", "simplify dce",
                    "symbols N 1..64\ngraph t(%x \"x\": f32[N,24,3]) {\n"
                    "  %y: f32[N,6,12] = move(%x) {move = [N@0, 2@1*12, 6@1, 2@1*6, 3@2]}\n"
                    "  return \"y\" %y\n}\n");
}

/* Pieces that follow no rule; a roll that leaves an element out; pieces of two values. */
static void test_other_concats(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "  %a: f32[4] = move(%x) {move = [4@0] +[2]}\n  %b: f32[2] = move(%x) {move = [2@0] +[1]}\n",
        "  %a: f32[2] = move(%x) {move = [2@0] +[4]}\n  %b: f32[4] = move(%z) {move = [4@0]}\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        arena *a = arena_new();
        const char *text = arena_printf(a, "symbols N 1..64\ngraph t(%%x \"x\": f32[6], %%z \"z\": f32[6]) {\n%s"
                                           "  %%y: f32[6] = concat(%%a, %%b) {axis = 0}\n  return \"y\" %%y\n}\n", parts[i]);
        pass_test_leaves(text, "simplify dce", IR_CONCAT, 1);
        arena_free(a);
    }
    pass_test_leaves("graph t(%x \"x\": f32[8]) {\n"
                     "  %a: f32[1] = move(%x) {move = [1@0]}\n  %b: f32[1] = move(%x) {move = [1@0] +[1]}\n"
                     "  %d: f32[1] = move(%x) {move = [1@0] +[4]}\n  %e: f32[1] = move(%x) {move = [1@0] +[6]}\n"
                     "  %y: f32[4] = concat(%a, %b, %d, %e) {axis = 0}\n  return \"y\" %y\n}\n", "simplify dce", IR_CONCAT, 1);
}

/* What is taken from one part of a concatenation is taken from that part: the class tokens of the first N of 2 N rows, two rows of the last part. */
static void test_parts_of_concats(void **state)
{
    (void)state;
    pass_test_check("symbols N 1..64\ngraph t(%x \"x\": f32[2*N,4,3], %t \"t\": f32[2*N,1,3]) {\n"
                    "  %c: f32[2*N,5,3] = concat(%t, %x) {axis = 1}\n"
                    "  %y: f32[N,3] = move(%c) {move = [N@0, 3@2]}\n"
                    "  %z: f32[2*N,2,3] = move(%c) {move = [2*N@0, 2@1*-2, 3@2] +[0, 4, 0]}\n"
                    "  return \"y\" %y, \"z\" %z\n}\n", "simplify dce",
                    "symbols N 1..64\ngraph t(%x \"x\": f32[2*N,4,3], %t \"t\": f32[2*N,1,3]) {\n"
                    "  %y: f32[N,3] = move(%t) {move = [N@0, 3@2]}\n"
                    "  %z: f32[2*N,2,3] = move(%x) {move = [2*N@0, 2@1*-2, 3@2] +[0, 3, 0]}\n"
                    "  return \"y\" %y, \"z\" %z\n}\n");
}

/* Elements of two parts; such that wrap round; parts of sizes not known. */
static void test_more_than_one_part(void **state)
{
    (void)state;
    static const char *const moves[] = { "[2@0] +[3]", "[3@0*-2] +[4]", "[4@0] +[4] %[6]", "[N@0]" };
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        arena *a = arena_new();
        const char *const size[] = { "2", "3", "4", "N" };
        const char *text = arena_printf(a, "symbols N 1..2\ngraph t(%%x \"x\": f32[4], %%z \"z\": f32[2]) {\n"
                                           "  %%c: f32[6] = concat(%%x, %%z) {axis = 0}\n  %%y: f32[%s] = move(%%c) {move = %s}\n"
                                           "  return \"y\" %%y\n}\n", size[i], moves[i]);
        pass_test_leaves(text, "simplify dce", IR_CONCAT, 1);
        arena_free(a);
    }
}

/* A concatenation of moves, and of such concatenations, that is moved itself: its parts are. */
static void test_moved_concats(void **state)
{
    (void)state;
    pass_test_check("graph t(%x \"x\": f32[2,5,4], %z \"z\": f32[2,3,4]) {\n"
                    "  %a: f32[1,2,4] = move(%x) {move = [2@0, 4@2]}\n"
                    "  %b: f32[2,2,4] = move(%x) {move = [2@1, 2@0, 4@2] +[0, 2, 0]}\n"
                    "  %d: f32[3,2,4] = concat(%a, %b) {axis = 0}\n"
                    "  %e: f32[3,2,4] = move(%z) {move = [3@1, 2@0, 4@2]}\n"
                    "  %c: f32[6,2,4] = concat(%d, %e) {axis = 0}\n"
                    "  %y: f32[2,6,4] = move(%c) {move = [2@1, 6@0, 4@2]}\n"
                    "  return \"y\" %y\n}\n", "simplify dce",
                    "graph t(%x \"x\": f32[2,5,4], %z \"z\": f32[2,3,4]) {\n"
                    "  %a: f32[2,1,4] = move(%x) {move = [2@0, 4@2]}\n"
                    "  %b: f32[2,2,4] = move(%x) {move = [2@0, 2@1, 4@2] +[0, 2, 0]}\n"
                    "  %d: f32[2,3,4] = concat(%a, %b) {axis = 1}\n"
                    "  %y: f32[2,6,4] = concat(%d, %z) {axis = 1}\n"
                    "  return \"y\" %y\n}\n");
}

/* A part is no move, or would be taken in shorter runs; a digit runs over two axes; others read the concatenation. */
static void test_concats_that_are_moved(void **state)
{
    (void)state;
    static const struct { const char *a, *move, *to, *more; } of[] = {
        { "map(%x) {expr = neg(in0)}", "[2@1, 4@0, 4@2]", "2,4,4", "" },
        { "move(%x) {move = [2@1, 2@0, 4@2]}", "[4@2, 4@0, 2@1]", "4,4,2", "" },
        { "move(%x) {move = [2@1, 2@0, 4@2]}", "[2@0*2, 2@1, 2@0, 4@2]", "2,2,2,4", "" },
        { "move(%x) {move = [2@1, 2@0, 4@2]}", "[2@1, 4@0, 4@2]", "2,4,4", ", \"c\" %c" },
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        arena *a = arena_new();
        const char *text = arena_printf(a, "graph t(%%x \"x\": f32[2,2,4], %%z \"z\": f32[2,2,4]) {\n"
                                           "  %%a: f32[2,2,4] = %s\n"
                                           "  %%b: f32[2,2,4] = move(%%z) {move = [2@1, 2@0, 4@2]}\n"
                                           "  %%c: f32[4,2,4] = concat(%%a, %%b) {axis = 0}\n"
                                           "  %%y: f32[%s] = move(%%c) {move = %s}\n"
                                           "  return \"y\" %%y%s\n}\n", of[i].a, of[i].to, of[i].move, of[i].more);
        pass_test_check(text, "simplify", text);
        arena_free(a);
    }
}

/* ---- reductions of moves ---- */

typedef struct reduced_move { const char *move, *between, *reduce, *to, *left; } reduced_move;

/* x [batch, 6, 4], moved, then reduced. */
static const char *reduced_text(arena *a, const char *symbols, const char *batch, const reduced_move *of)
{
    return arena_printf(a, "%sgraph t(%%x \"x\": f32[%s,6,4]) {\n"
                           "  %%a: f32[%s] = move(%%x) {move = %s}\n"
                           "  %%y: f32[%s] = reduce(%%a) {%s}\n"
                           "  return \"y\" %%y\n}\n", symbols, batch, of->between, of->move, of->to, of->reduce);
}

/* The mean of tokens that were moved last, of a grid of tokens, and of tokens whose axes are all turned round. */
static void test_reduced_moves(void **state)
{
    (void)state;
    static const reduced_move of[] = {
        { "[N@0, 4@2, 6@1]", "N,4,6", "axes = [2], keep = 0, kind = mean", "N,4", "[N@0, 4@2]" },
        { "[N@0, 6@1, 4@2]", "N,1,6,4", "axes = [1, 2], keep = 1, kind = max", "N,1,1,4", "[N@0, 4@2]" },
        { "[N@0, 6@1, 4@2]", "N,2,3,4", "axes = [1, 2], keep = 0, kind = sumsq", "N,4", "[N@0, 4@2]" },
        { "[N@0, 3@1, 4@2, 2@1*3]", "N,3,4,2", "axes = [1, 3], keep = 1, kind = sum", "N,1,4,1", "[N@0, 4@2]" },
        { "[4@2, 6@1, N@0]", "4,6,N", "axes = [1], keep = 0, kind = mean", "4,N", "[4@2, N@0]" },
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        arena *a = arena_new();
        const char *const kind = strstr(of[i].reduce, "kind");
        const char *expected = arena_printf(a, "symbols N 1..64\ngraph t(%%x \"x\": f32[N,6,4]) {\n"
                                               "  %%a: f32[N,1,4] = reduce(%%x) {axes = [1], keep = 1, %s}\n"
                                               "  %%y: f32[%s] = move(%%a) {move = %s}\n"
                                               "  return \"y\" %%y\n}\n", kind, of[i].to, of[i].left);
        pass_test_check(reduced_text(a, "symbols N 1..64\n", "N", &of[i]), "simplify dce", expected);
        arena_free(a);
    }
}

/* A part of an axis, or of two that were one; elements left out, taken again, rolled or repeated; what is moved is read by others. */
static void test_reductions_that_stay(void **state)
{
    (void)state;
    static const reduced_move of[] = {
        { "[2@0, 6@1, 4@2]", "2,2,3,4", "axes = [1], keep = 0, kind = mean", "2,3,4", NULL },
        { "[48@_]", "2,6,4", "axes = [1], keep = 0, kind = mean", "2,4", NULL },
        { "[2@0, 5@1, 4@2] +[0, 1, 0]", "2,5,4", "axes = [1], keep = 0, kind = mean", "2,4", NULL },
        { "[2@0, 4@2, 6@1] +[0, 2, 0] %[0, 6, 0]", "2,4,6", "axes = [2], keep = 0, kind = mean", "2,4", NULL },
        { "[2@0, 3@1, 2@1, 4@2]", "2,3,2,4", "axes = [1, 2], keep = 0, kind = mean", "2,4", NULL },
        { "[2@0, 4@2, 6@1, 3@_]", "2,4,18", "axes = [2], keep = 0, kind = sum", "2,4", NULL },
        { "[2@0, 4@2, 6@1*-1] +[0, 5, 0]", "2,4,6", "axes = [2], keep = 0, kind = sum", "2,4", NULL },
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        arena *a = arena_new();
        const char *text = reduced_text(a, "", "2", &of[i]);
        pass_test_check(text, "simplify", text);
        arena_free(a);
    }
    static const char twice[] = "graph t(%x \"x\": f32[2,6,4]) {\n"
                                "  %a: f32[2,4,6] = move(%x) {move = [2@0, 4@2, 6@1]}\n"
                                "  %b: f32[2,4,1] = reduce(%a) {axes = [2], keep = 1, kind = mean}\n"
                                "  %y: f32[2,4,6] = map(%a, %b) {expr = sub(in0, in1)}\n"
                                "  return \"y\" %y\n}\n";
    pass_test_check(twice, "simplify", twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rolls), cmocka_unit_test(test_merged_patches), cmocka_unit_test(test_other_concats),
        cmocka_unit_test(test_parts_of_concats), cmocka_unit_test(test_more_than_one_part), cmocka_unit_test(test_moved_concats),
        cmocka_unit_test(test_concats_that_are_moved), cmocka_unit_test(test_reduced_moves), cmocka_unit_test(test_reductions_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
