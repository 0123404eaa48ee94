/* Part of simplify: zeros put around an image that a convolution reads are pads of its own. */
#include "match.h"
#include "rebuild.h"

/* Pads with zeros along spatial axes only: begins and ends of all axes; NULL: n is no such. */
static const int64_t *zeros_around(const ir_node *n)
{
    double fill = 0;
    const int rank = n ? n->output[0]->type.rank : 0;
    if (!n || (n->inputs > 1 && n->input[1] && (!ir_scalar(n->input[1], &fill) || fill != 0))) return NULL;
    const int64_t *pads = ir_find(n, KEY_PADS)->list.item;
    for (int a = 0; a < 2; a++)
        if (pads[a] || pads[a + rank]) return NULL;
    return pads;
}

/* All pads of the convolution; false: a window would lie in zeros alone, which some kernels have no way for. */
static bool joined(const ir_node *conv, const int64_t *around, int64_t *pads)
{
    const ir_type *w = &conv->input[1]->type;
    const int spatial = w->rank - 2;
    const int64_t *own = ir_find(conv, KEY_PADS)->list.item, *dilation = ir_find(conv, KEY_DILATIONS)->list.item;
    for (int i = 0; i < spatial; i++) {
        int64_t taps;
        if (!dim_is_constant(w->dim[2 + i], &taps)) return false;
        pads[i] = own[i] + around[2 + i];
        pads[i + spatial] = own[i + spatial] + around[2 + i + w->rank];
        if (pads[i] > dilation[i] * (taps - 1) || pads[i + spatial] > dilation[i] * (taps - 1)) return false;
    }
    return true;
}

bool fold_pads(ir_graph *g, pass_context *c, bool *changed)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        int64_t pads[2 * IR_RANK_MAX];
        ir_node *pad = n->op == IR_CONV ? ir_producer(n->input[0], IR_PAD) : NULL;
        const int64_t *around = zeros_around(pad);
        if (!around || !joined(n, around, pads)) continue;
        ir_node *conv = rebuild_begin(g, n);
        ir_input(conv, pad->input[0]);
        for (int i = 1; i < n->inputs; i++) ir_input(conv, n->input[i]);
        ir_set_ints(conv, KEY_PADS, pads, 2 * (n->input[1]->type.rank - 2));
        ir_copy_origins(conv, pad);
        ir_value *v = ir_end(conv, n, c->diag);
        if (!v) return false;
        match_replace(n->output[0], v);
        *changed = true;
    }
    return true;
}
