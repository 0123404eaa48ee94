/* What tests of the plan check of any phase: how its rows are cut into panels and tiles, and that each height has its kernel. */
#ifndef VITCC_TESTS_PLAN_CUTS_H
#define VITCC_TESTS_PLAN_CUTS_H

#include "plan_test.h"

/* Every phase covers its rows once, by panels that differ by one row at most and are not taller than asked. */
static inline void check_panels(const plan_scope *s, int height)
{
    for (int i = 0; i < s->items; i++) {
        const plan_phase *f = s->item[i].phase;
        if (!f) continue;
        int64_t least = INT64_MAX, most = 0;
        assert_int_equal(plan_panel_row(f, 0), 0);
        assert_int_equal(plan_panel_row(f, f->panels), f->rows);
        for (int p = 0; p < f->panels; p++) {
            const int64_t rows = plan_panel_row(f, p + 1) - plan_panel_row(f, p);
            if (rows < least) least = rows;
            if (rows > most) most = rows;
        }
        assert_true(least >= 1 && most - least <= 1 && most == f->panel_rows && most <= height);
    }
}

/* A tile of each height that a panel of so many rows may have has its kernel, `each` to a height; none of 2 to `without` rows. */
static inline void check_cut(const plan_cut *c, const plan_gemm *gemm, int each, int rows, int without)
{
    const int tiles = (rows + c->tile - 1) / c->tile;
    for (int height = rows / tiles; height <= (rows + tiles - 1) / tiles; height++) {
        assert_in_range(height, c->low, c->low + c->heights - 1);
        assert_true(c->occurs[height - c->low]);
        assert_int_equal(gemm[each * (height - c->low)].n, height > 1 && height <= without ? 0 : height);
    }
}

/* Every height that a tile of some panel has, for any number of threads, has its kernel, with and without AVX-512. */
static inline void check_heights(const plan *p, const plan_scope *s)
{
    for (int i = 0; i < s->items; i++) {
        const plan_phase *const f = s->item[i].phase;
        for (int j = 0; f && j < f->steps; j++) {
            const plan_tiles *t = &f->step[j]->tiles[0];
            if (t->gemm < 0 || f->step[j]->rows != f->rows) continue;
            const int each = f->step[j]->node->op == IR_ATTENTION ? 1 : 4;
            for (int panels = f->panels; panels <= f->tiles; panels++) {
                plan_phase cut = *f;
                cut.panels = panels;
                for (int k = 0; k < panels; k++) {
                    const int rows = (int)(plan_panel_row(&cut, k + 1) - plan_panel_row(&cut, k));
                    check_cut(&t->cut, p->gemm + t->gemm, each, rows, 0);
                    check_cut(&t->wide, p->wide_gemm + t->gemm, each * (t->wide.step ? 2 : 1), rows, t->width <= 16 ? 11 : 0);
                }
            }
        }
    }
}

#endif
