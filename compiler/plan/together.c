/* Images of a batch that a worker runs together. A panel reads all weights; where an image has too few rows to fill one, several images share it. */
#include "plan_private.h"

enum {
    IMAGES = 8,                /* at most: each has its own frame */
    WEIGHTS = 4 << 20          /* bytes; fewer stay near the core from one image to the next */
};

int plan_batch_axis(const plan *p, const ir_value *v)
{
    for (int i = 0; p->batch_symbol >= 0 && i < v->type.rank; i++)
        if (dim_mentions(v->type.dim[i], p->batch_symbol)) return i;
    return -1;
}

int64_t plan_image_places(const plan *p, const plan_value *x)
{
    const int axis = plan_batch_axis(p, x->value);
    int64_t below = 1;
    for (int i = axis + 1; i < x->value->type.rank; i++) below *= x->shape[i];
    return p->inner[x->value->id] && below ? p->inner[x->value->id] / below : x->shape[axis];
}

bool plan_is_interleaved(const plan *p, const plan_value *x)
{
    const int axis = plan_batch_axis(p, x->value);
    int64_t outside = 1;
    for (int i = 0; i < axis; i++) outside *= x->shape[i];
    return outside > 1 || (axis >= 0 && plan_image_places(p, x) < x->shape[axis]);
}

bool plan_is_of_images(const plan *p, const plan_scope *s, const plan_value *base)
{
    if (base->space == SPACE_CONSTANT || base->space == SPACE_SHARED) return false;
    return base->space != SPACE_ARGUMENT || s->is_function || plan_batch_axis(p, base->value) >= 0;
}

bool plan_is_whole(const plan_value *x)
{
    return !x->offset && x->elements == x->base->elements && x->row_elements == x->row_stride;
}

/* What a function is given and gives must be whole values, each image with its own. */
static bool calls_are_whole(const plan *p)
{
    const plan_scope *s = &p->main;
    for (int i = p->prelude; i < s->items; i++) {
        const ir_node *n = s->item[i].call;
        for (int j = 0; n && j < n->inputs + n->outputs; j++) {
            const plan_value *x = plan_value_of(s, j < n->inputs ? n->input[j] : n->output[j - n->inputs]);
            if (x->space == SPACE_CONSTANT) continue;
            if (!plan_is_whole(x) || !plan_is_of_images(p, s, x->base)) return false;
        }
    }
    return true;
}

typedef struct joint_work { int64_t rows, weights; } joint_work;   /* most rows of a linear layer or MLP, elements of all their weights */

static void add_step(joint_work *w, const plan_step *t, int64_t times)
{
    const bool mlp = t->node->op == IR_MLP;
    if (!mlp && t->node->op != IR_LINEAR) return;
    const plan_value *out = plan_value_of(t->scope, t->node->output[0]);
    const int64_t rows = out->elements / out->shape[out->value->type.rank - 1];
    if (rows > w->rows) w->rows = rows;
    w->weights += times * plan_value_of(t->scope, t->node->input[1])->elements;
    if (mlp) w->weights += times * plan_value_of(t->scope, t->node->input[3])->elements;
}

/* Marks the phases that may hold several images in a panel: those of few rows, which one worker runs as one panel. */
static void mark_phases(plan_scope *s, int from, int64_t rows, joint_work *w, joint_work *apart, int64_t times)
{
    for (int i = from; i < s->items; i++) {
        plan_phase *f = s->item[i].phase;
        joint_work own = { 0, 0 };
        for (int j = 0; f && j < f->steps; j++) add_step(&own, f->step[j], times);
        if (f) f->joint = f->panels == 1 && own.rows <= rows;
        joint_work *to = f && f->joint ? w : apart;
        to->weights += own.weights;
        if (own.rows > to->rows) to->rows = own.rows;
    }
}

static void separate_phases(plan_scope *s)
{
    for (int i = 0; i < s->items; i++)
        if (s->item[i].phase) s->item[i].phase->joint = false;
}

static int64_t calls_of(const plan *p, int function)
{
    int64_t n = 0;
    for (int i = 0; i < p->main.items; i++) n += p->main.item[i].call && p->main.item[i].function == function;
    return n;
}

void plan_join_images(plan *p, const plan_options *o)
{
    p->together = 1;
    joint_work all = { 0, 0 }, apart = { 0, 0 };
    const int64_t most = o->panel_images ? INT64_MAX : PLAN_PANEL_ROWS / 2;
    mark_phases(&p->main, p->prelude, most, &all, &apart, 1);
    for (int i = 0; i < p->functions; i++)
        if (!p->function[i].shared) mark_phases(&p->function[i], 0, most, &all, &apart, calls_of(p, i));
    p->streams = (all.weights + apart.weights) * 4 > WEIGHTS;
    const bool may = p->batch_symbol >= 0 && calls_are_whole(p);
    if (may && o->panel_images) p->together = o->panel_images;
    else if (may && all.weights * 4 > WEIGHTS && all.weights > apart.weights) {
        const int fill = PLAN_PANEL_ROWS / (int)all.rows;
        p->together = fill < IMAGES ? fill : IMAGES;
    }
    if (p->together > 1) return;
    separate_phases(&p->main);
    for (int i = 0; i < p->functions; i++) separate_phases(&p->function[i]);
}
