/* Requires: nothing. Leaves: no map that returns an input unchanged, no two moves that compose, no move without effect, no expand in front of a map
 * that broadcasts anyway, no concatenation that is one move, biases inside their linears, zeros around images inside their convolutions, patch
 * convolutions as linears, no reduction of a move that could be one of its source. The rules are in simplify_map.c, simplify_move.c, simplify_concat.c,
 * simplify_reduce.c, fold_pads.c and patchify.c. */
#include "match.h"

enum { ROUNDS = 64 };

bool pass_simplify(ir_graph *g, pass_context *c)
{
    for (int round = 0; round < ROUNDS; round++) {
        bool changed = false;
        if (!simplify_maps(g, c, &changed) || !simplify_concats(g, c, &changed) || !simplify_moves(g, c, &changed)) return false;
        if (!simplify_reductions(g, c, &changed)) return false;
        if (!fold_pads(g, c, &changed) || !patchify(g, c, &changed)) return false;
        match_sweep_moves(g);
        if (!changed) return true;
    }
    return true;
}
