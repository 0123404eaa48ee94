/* How the rows of a phase are cut: into panels, those into tiles, and layers of many weights into steps. */
#include <stdio.h>

#include "plan_cuts.h"

/* A linear layer of many token counts, in panels and tiles of many heights. */
static void every_height_has_its_kernel(void **state)
{
    (void)state;
    static const struct { int rows, panel, tile; } cases[] = { { 197, 0, 0 }, { 577, 0, 0 }, { 1370, 0, 0 }, { 50, 0, 0 }, { 1, 0, 0 },
                                                               { 197, 24, 5 }, { 90, 7, 7 }, { 31, 30, 4 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena *a = arena_new();
        const int n = cases[i].rows;
        plan_test t = plan_test_of(arena_printf(a, "symbols N 1..64\ngraph g(%%x: f32[N,%d,32]) {\n  %%w: f32[32,32] = const {bytes = noise 1 1}\n"
                                                   "  %%k: f32[N,%d,32] = linear(%%x, %%w)\n  return \"y\" %%k\n}\n", n, n), "",
                                                   (plan_options){ .panel_rows = cases[i].panel, .tile_rows = cases[i].tile });
        assert_non_null(t.plan);
        check_heights(t.plan, &t.plan->main);
        plan_test_free(&t);
        arena_free(a);
    }
}

/* Many weights: with AVX-512 low tiles, and kernels that take equal shares of a part's inputs; 1,100 are parts of 224 and one of 204. */
static void many_weights_are_multiplied_in_steps(void **state)
{
    (void)state;
    plan_test t = plan_test_fine("graph g(%x: f32[197,1100]) {\n  %w: f32[1100,1000] = const {bytes = noise 1 1}\n"
                                 "  %y: f32[197,1000] = linear(%x, %w)\n  return \"y\" %y\n}\n", "");
    check_heights(t.plan, &t.plan->main);
    const plan_tiles *tiles = &t.plan->main.item[0].phase->step[0]->tiles[0];
    assert_int_equal(tiles->cut.step, 0);
    assert_int_equal(tiles->part, 224);
    assert_int_equal(tiles->wide.step, 56);
    assert_true(tiles->wide.tile < tiles->cut.tile);
    const plan_gemm *first = t.plan->wide_gemm + tiles->gemm + 8 * (tiles->wide.tile - tiles->wide.low);   /* [whole block, last one][first step, adding][56 inputs, 36 left] */
    const struct { int m, k, add; } expected[] = { { 32, 56, 0 }, { 0, 0, 0 }, { 32, 56, 1 }, { 32, 36, 1 }, { 8, 56, 0 }, { 0, 0, 0 }, { 8, 56, 1 }, { 8, 36, 1 } };
    for (int i = 0; i < 8; i++)
        assert_true(first[i].m == expected[i].m && first[i].k == expected[i].k && first[i].add == expected[i].add);
    plan_test_free(&t);
}

static const char *norms(arena *a, int rows)
{
    return arena_printf(a, "symbols N 1..64\ngraph g(%%x: f32[N,%d,8]) {\n  %%g: f32[8] = const {bytes = noise 1 1}\n"
                           "  %%y: f32[N,%d,8] = norm(%%x, %%g) {kind = layer, axis = 2, epsilon = 1e-06}\n  return \"y\" %%y\n}\n", rows, rows);
}

static void panels_are_balanced(void **state)
{
    (void)state;
    static const struct { int rows, height, panels; } cases[] = { { 197, 50, 4 }, { 197, 24, 9 }, { 50, 50, 1 }, { 51, 50, 2 }, { 577, 50, 12 },
                                                                  { 7, 1, 7 }, { 1, 50, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena *a = arena_new();
        plan_test t = plan_test_of(norms(a, cases[i].rows), "", (plan_options){ .panel_rows = cases[i].height });
        assert_non_null(t.plan);
        assert_int_equal(t.plan->main.items, 1);
        assert_int_equal(t.plan->main.item[0].phase->panels, cases[i].panels);
        check_panels(&t.plan->main, cases[i].height);
        assert_true(t.plan->main.item[0].phase->tiles >= cases[i].panels && t.plan->main.item[0].phase->tiles <= cases[i].rows);
        plan_test_free(&t);
        arena_free(a);
    }
}

/* Whatever number of tiles the rows make, two threads have half of them each. */
static void two_threads_have_equal_shares(void **state)
{
    (void)state;
    for (int rows = 34; rows <= 200; rows++) {
        char text[256];
        snprintf(text, sizeof text, "graph g(%%x: f32[1,%d,8]) {\n  %%w: f32[8,8] = const {bytes = noise 1 1}\n"
                                    "  %%y: f32[1,%d,8] = linear(%%x, %%w)\n  return \"y\" %%y\n}\n", rows, rows);
        plan_test t = plan_test_fine(text, "");
        plan_phase cut = *t.plan->main.item[0].phase;
        assert_int_equal(cut.panels, 1);
        cut.panels = 2;
        assert_int_equal(plan_panel_row(&cut, 1), rows / 2);
        check_heights(t.plan, &t.plan->main);
        plan_test_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_height_has_its_kernel), cmocka_unit_test(many_weights_are_multiplied_in_steps),
        cmocka_unit_test(panels_are_balanced), cmocka_unit_test(two_threads_have_equal_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
