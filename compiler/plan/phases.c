/* Steps into phases, phases into panels of tiles. A step joins the phase before it if all that it reads of that phase it reads by panel; if it does
 * not depend on that phase at all, it may join the one before that in the same way; else it starts a new one. */
#include "plan_private.h"

#include <limits.h>

enum {
    TILE_ROWS = 33,    /* about so many in the smallest panel */
    SHARES = 6,        /* an odd number of tiles becomes a multiple of it: equal for two, three and six threads */
    SHARED_ROWS = 16,  /* a phase of fewer rows cannot be shared out well: a step of many rows had better not join it… */
    TILE_BLOCKS = 2,   /* blocks of output features in the smallest panel, where threads share those */
    FEW_ROWS = 48      /* …but one of so few is not worth a barrier */
};

static bool has_work(const plan_scope *s, const ir_node *n)
{
    const plan_value *out = plan_value_of(s, n->output[0]);
    if (out->space == SPACE_CONSTANT || plan_is_folded(n) || !out->elements) return false;
    return !out->view && !out->assembled;
}

/* Is each of the phase's steps made of rows that may as well be taken many at a time? */
static bool takes_groups(const plan_phase *f)
{
    for (int i = 0; i < f->steps; i++) {
        const plan_step *t = f->step[i];
        const ir_op op = t->node->op;
        const bool by_rows = op == IR_LINEAR || op == IR_MLP || op == IR_NORM || op == IR_MAP || op == IR_MOVE || op == IR_GATHER || op == IR_CONV_LAST;
        if (!by_rows || t->unit || t->scattered || t->once || t->columns) return false;
    }
    return true;
}

/* Do the step's rows fall into the phase's? Attentions and transpositions of keys count their rows one by one. Of windows, the phase's rows may be
 * taken together, one window's at a time. */
static bool rows_suit(const plan_phase *f, const plan_step *t)
{
    if (t->columns != f->step[0]->columns) return false;
    if (t->rows == f->rows) return true;
    if (t->window && t->rows >= SHARED_ROWS && f->rows % t->rows == 0) return takes_groups(f);
    if (t->unit || t->scattered || t->window || t->node->op == IR_ATTENTION || t->rows % f->rows) return false;
    return f->rows >= SHARED_ROWS || t->rows <= FEW_ROWS;
}

/* May the step run in the phase, which so far makes the values whose item is `item`? */
static bool joins(const plan_scope *s, const plan_phase *f, const plan_step *t, int item)
{
    if (!f || !f->steps) return true;
    bool dependent = false;
    for (int i = 0; i < t->node->inputs; i++) {
        const plan_value *x = plan_value_of(s, plan_input(t->node, i));
        if (!x || x->space == SPACE_CONSTANT || x->base->written != item) continue;
        if (t->node->op == IR_CONCAT && x->base == plan_value_of(s, t->node->output[0])->base) continue;   /* made in place: not read */
        dependent = true;
        if (!t->aligned[i] || !x->base->def_by_panel || !plan_is_panel_of_base(x)) return false;
    }
    if (t->once) return !dependent;
    return f->all_once || rows_suit(f, t);
}

static void add_step(arena *a, plan_phase *f, plan_step *t)
{
    f->step = arena_grow(a, f->step, (size_t)f->steps, sizeof *f->step);
    f->step[f->steps++] = t;
    if (f->steps == 1 || f->all_once) f->rows = t->once ? 1 : t->rows;
    else if (t->window && t->rows < f->rows) f->rows = t->rows;
    f->all_once = (f->steps == 1 || f->all_once) && t->once;
}

static void mark_outputs(plan_scope *s, const plan_step *t, const plan_phase *f, int item)
{
    for (int i = 0; i < t->node->outputs; i++) {
        plan_value *x = plan_value_at(s, t->node->output[i]), *base = x->base;
        const plan_time now = { item, f->steps - 1 };
        if (base->def.item < 0) base->def = now;
        if (base->last.item < now.item) base->last = now;
        base->def_by_panel = base == x && i == 0 && !t->once && !t->scattered;
        base->written = item;
    }
}

static void add_item(arena *a, plan_scope *s, plan_item item)
{
    s->item = arena_grow(a, s->item, (size_t)s->items, sizeof *s->item);
    s->item[s->items++] = item;
    s->ticks++;
}

static int function_index(const plan *p, const ir_graph *function)
{
    for (int i = 0; i < p->functions; i++)
        if (p->graph->function[i] == function) return i;
    return -1;
}

static void add_call(plan *p, plan_scope *s, const ir_node *n)
{
    add_item(p->arena, s, (plan_item){ .call = n, .function = function_index(p, ir_find(n, KEY_FUNCTION)->graph) });
    for (int i = 0; i < n->outputs; i++) {
        plan_value *x = plan_value_at(s, n->output[i])->base;
        x->def = x->last = (plan_time){ s->items - 1, 0 };
        x->written = s->items - 1;
    }
}

static int64_t ceiling(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

/* So many tiles, or a few more where two threads would have unequal shares of them. */
static int64_t evenly(int64_t tiles)
{
    return tiles == 1 || tiles % 2 == 0 ? tiles : ceiling(tiles, SHARES) * SHARES;
}

/* As few balanced panels as rows of `height` allow, each of balanced tiles; in a phase with a unit step every row is a panel. */
static void cut_panels(plan_phase *f, int height, int tile)
{
    bool unit = false;
    int64_t scale = 1;
    if (f->step[0]->columns) height = INT_MAX, tile = TILE_BLOCKS;
    for (int i = 0; i < f->steps; i++) {
        const plan_step *t = f->step[i];
        unit |= t->unit;
        const int64_t each = t->once ? 1 : t->rows / f->rows * (t->window ? t->window : t->piece ? t->piece : 1);
        if (each > scale) scale = each;
    }
    const int64_t most = unit || height < scale ? 1 : height / scale, least = tile < scale ? 1 : tile / scale;
    f->panels = (int)ceiling(f->rows, most);
    const int64_t tiles = f->panels * evenly(ceiling(ceiling(f->rows, f->panels), least));
    f->tiles = (int)(tiles < f->rows ? tiles : f->rows);
    f->panel_rows = ceiling(ceiling(f->tiles, f->panels) * f->rows, f->tiles);
}

int64_t plan_panel_row(const plan_phase *f, int i)
{
    const int larger = f->tiles % f->panels, tile = f->tiles / f->panels * i + (i < larger ? i : larger);
    return f->rows * tile / f->tiles;
}

/* Does the step neither read nor write anything that item `item` writes? */
static bool is_independent(const plan_scope *s, const plan_step *t, int item)
{
    for (int i = 0; i < t->node->inputs; i++) {
        const plan_value *x = plan_value_of(s, plan_input(t->node, i));
        if (x && x->space != SPACE_CONSTANT && x->base->written == item) return false;
    }
    for (int i = 0; i < t->node->outputs; i++)
        if (plan_value_of(s, t->node->output[i])->base->def.item >= 0) return false;
    return true;
}

/* The item from `first` on whose phase the step joins; -1: none. */
static int phase_of(const plan_scope *s, const plan_step *t, int first)
{
    const int last = s->items - 1;
    if (last < first || !s->item[last].phase) return -1;
    if (joins(s, s->item[last].phase, t, last)) return last;
    const bool before = last > first && s->item[last - 1].phase && !t->once && is_independent(s, t, last);
    return before && !s->item[last - 1].phase->all_once && joins(s, s->item[last - 1].phase, t, last - 1) ? last - 1 : -1;
}

/* The steps of the prelude, or all others, as further items. */
static void add_steps(plan *p, plan_scope *s, const plan_options *o, bool prelude)
{
    const int first = s->items;
    for (const ir_node *n = s->graph->first; n; n = n->next) {
        if (plan_is_prelude(p, s, n) != prelude) continue;
        if (n->op == IR_CALL) {
            add_call(p, s, n);
            continue;
        }
        if (!has_work(s, n)) continue;
        plan_step *t = arena_alloc(p->arena, sizeof *t);
        t->node = n;
        t->scope = s;
        t->aligned = arena_array(p->arena, (size_t)n->inputs + 1, sizeof *t->aligned);
        plan_describe_step(t, o);
        int item = phase_of(s, t, first);
        if (item < 0) {
            add_item(p->arena, s, (plan_item){ .phase = arena_alloc(p->arena, sizeof(plan_phase)), .function = -1 });
            item = s->items - 1;
        }
        add_step(p->arena, s->item[item].phase, t);
        mark_outputs(s, t, s->item[item].phase, item);
    }
}

/* The prelude ends here, and inputs whose images lie in between one another are gathered. */
static void start_images(plan *p, plan_scope *s)
{
    p->prelude = s->items;
    for (int i = 0; i < s->graph->parameters; i++) {
        plan_value *x = plan_value_at(s, s->graph->parameter[i].value);
        if (x->space == SPACE_FRAME) x->def = x->last = (plan_time){ p->prelude, -1 };
    }
}

void plan_make_phases(plan *p, plan_scope *s, const plan_options *o)
{
    for (int i = 0; i < s->values; i++) {
        s->value[i].def = s->value[i].last = (plan_time){ -1, -1 };
        s->value[i].written = -1;
    }
    add_steps(p, s, o, true);
    if (!s->is_function) start_images(p, s);
    for (int i = 0; i < s->items; i++)
        if (s->item[i].call) p->function[s->item[i].function].shared = true;
    add_steps(p, s, o, false);
    for (int i = 0; i < s->items; i++)
        if (s->item[i].phase) cut_panels(s->item[i].phase, o->panel_rows ? o->panel_rows : PLAN_PANEL_ROWS, o->tile_rows ? o->tile_rows : TILE_ROWS);
}
