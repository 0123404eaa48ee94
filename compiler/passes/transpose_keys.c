/* Hands attention its keys transposed and padded, [B, G, d, T]: the form its first product wants. Made once where the keys are made, not by every
 * reader.
 * Requires: nothing. Leaves: every attention with keys of known number and head size `transposed`; T is rounded up to KEY_BLOCK, and
 *   one block more where rows would fall on the same lines of a cache; what is beyond the keys is zero. */
#include "passes.h"

enum {
    KEY_BLOCK = 32,     /* rows of scores stay aligned for every instruction set */
    CACHE_PERIOD = 256  /* elements: rows a multiple of a kilobyte apart share few sets of a cache */
};

static int64_t padding_of(int64_t keys)
{
    const int64_t pad = (KEY_BLOCK - keys % KEY_BLOCK) % KEY_BLOCK;
    return keys > CACHE_PERIOD && (keys + pad) % CACHE_PERIOD == 0 ? pad + KEY_BLOCK : pad;
}

static bool transpose(ir_node *n, pass_context *c)
{
    static const int order[4] = { 0, 2, 3, 1 };
    ir_graph *g = n->graph;
    ir_value *k = n->input[1];
    int64_t keys;
    move m;
    ir_type to;
    if (ir_int(n, KEY_TRANSPOSED, 0) || !dim_is_constant(k->type.dim[1], &keys) || !move_transpose(&k->type, order, &m, &to)) return true;
    ir_value *transposed = ir_move_of(g, k, &m, &to, n, c->diag);
    if (!transposed) return false;
    const int64_t pads[8] = { 0, 0, 0, 0, 0, 0, 0, padding_of(keys) };
    ir_node *pad = ir_begin(g, IR_PAD);
    ir_input(pad, transposed);
    ir_set_ints(pad, KEY_PADS, pads, 8);
    ir_copy_origins(pad, n);
    ir_copy_origins(transposed->def, n);
    ir_value *padded = ir_end(pad, n, c->diag);
    if (!padded) return false;
    ir_set_input(n, 1, padded);
    ir_set_int(n, KEY_TRANSPOSED, 1);
    return true;
}

bool pass_transpose_keys(ir_graph *g, pass_context *c)
{
    for (ir_node *n = g->first; n; n = n->next)
        if (n->op == IR_ATTENTION && !transpose(n, c)) return false;
    return true;
}
