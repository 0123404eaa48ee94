/* plan_make: the parts of the planner in order, the fields of weights, and the count of arithmetic. */
#include "plan_private.h"

int plan_field_of(plan *p, int index, const ir_value *v, plan_layout layout, int block, const char *name)
{
    plan_fields *f = &p->fields[index];
    for (int i = 0; i < f->count; i++)
        if (f->field[i].value == v && f->field[i].layout == layout && f->field[i].block == block) return i;
    f->field = arena_grow(p->arena, f->field, (size_t)f->count, sizeof *f->field);
    f->field[f->count] = (plan_field){ v, layout, block, name };
    return f->count++;
}

static double leading_rows(const plan_value *x)
{
    const int rank = x->value->type.rank;
    return rank && x->shape[rank - 1] ? (double)x->elements / (double)x->shape[rank - 1] : 0;
}

/* Multiply-adds of a node, times two, for one image. */
static double node_flop(const plan_scope *s, const ir_node *n)
{
    const plan_value *out = plan_value_of(s, n->output[0]), *a = n->inputs > 0 ? plan_value_of(s, n->input[0]) : NULL;
    const plan_value *b = n->inputs > 1 ? plan_value_of(s, n->input[1]) : NULL;
    switch (n->op) {
    case IR_LINEAR: return 2 * leading_rows(a) * (double)b->elements;
    case IR_MLP: return 2 * leading_rows(a) * ((double)b->elements + (double)plan_value_of(s, n->input[3])->elements);
    case IR_MATMUL: return 2 * (double)out->elements * (double)a->shape[n->input[0]->type.rank - 1];
    case IR_CONV_LAST: return 2 * (double)out->elements * (double)b->shape[0];
    case IR_CONV: return 2 * (double)out->elements * (double)(b->elements / (b->shape[0] ? b->shape[0] : 1));
    case IR_ATTENTION: {
        const plan_value *v = plan_value_of(s, n->input[2]);
        return 2 * (double)a->shape[0] * (double)a->shape[1] * (double)a->shape[2] * (double)v->shape[1] * (double)(a->shape[3] + v->shape[3]);
    }
    default: return 0;
    }
}

static void count_flop(plan *p, const plan_scope *s, double times)
{
    for (int i = 0; i < s->items; i++) {
        const plan_phase *f = s->item[i].phase;
        if (!f) count_flop(p, &p->function[s->item[i].function], times);
        for (int j = 0; f && j < f->steps; j++) {
            const plan_step *t = f->step[j];
            const double flop = node_flop(s, t->node) * times;
            const bool linear = t->node->op == IR_LINEAR || t->node->op == IR_MLP;
            p->flop += flop;
            if (plan_is_product(t)) p->gemm_flop += flop;
            if (linear) p->linear_flop += flop;
            if (linear && t->tiles[0].cut.row) p->linear_row_flop += flop;
            else if (linear && t->tiles[0].gemm >= 0) p->linear_gemm_flop += flop;
        }
    }
}

plan *plan_make(arena *a, const ir_graph *g, const plan_options *o, diag *d)
{
    plan *p = arena_alloc(a, sizeof *p);
    p->arena = a;
    p->graph = g;
    p->symbol = arena_array(a, (size_t)g->symbols->count + 1, sizeof *p->symbol);
    p->length_symbol = -1;
    for (int i = 0; i < g->symbols->count; i++) {
        const struct dim_symbol *s = &g->symbols->symbol[i];
        p->symbol[i] = s->length ? s->max : 1;
        if (s->length) p->length_symbol = i;
    }
    if (!plan_check_batch(p, d) || !plan_check_graph(p, d)) return NULL;
    p->functions = g->functions;
    p->function = arena_array(a, (size_t)g->functions + 1, sizeof *p->function);
    p->fields = arena_array(a, (size_t)g->functions + 1, sizeof *p->fields);
    p->main.graph = g;
    for (int i = 0; i < g->functions; i++) {
        p->function[i].graph = g->function[i];
        p->function[i].is_function = true;
    }
    for (int i = 0; i < g->functions; i++) plan_place_values(p, &p->function[i]);
    plan_place_values(p, &p->main);
    plan_make_phases(p, &p->main, o);
    for (int i = 0; i < g->functions; i++) plan_make_phases(p, &p->function[i], o);
    plan_join_images(p, o);
    plan_choose_kernels(p, &p->main, o);
    for (int i = 0; i < g->functions; i++) plan_choose_kernels(p, &p->function[i], o);
    for (int i = 0; i < g->functions; i++)
        if (!plan_check_steps(&p->function[i], d)) return NULL;
    if (!plan_check_steps(&p->main, d)) return NULL;
    plan_assign_memory(p);
    count_flop(p, &p->main, 1);
    return p;
}
