/* Rewrites that are exact in real arithmetic and that only weights pay for. The new weights are recipes: expressions over constants, evaluated when
 * packed; small ones (biases) are evaluated at once.
 * Requires: norm, attention, linear and mlp nodes as the fusing passes leave them; what each rewrite needs stands in its file.
 * Leaves: no layer scale, no gamma or beta before products alone, no key bias, no value bias, patches that add their table themselves. */
#include "algebra.h"

algebra_slots algebra_in(const ir_node *n)
{
    return n->op == IR_LINEAR ? (algebra_slots){1, 2, 3} : (algebra_slots){1, 2, 5};
}

algebra_slots algebra_out(const ir_node *n)
{
    return n->op == IR_LINEAR ? (algebra_slots){1, 2, 3} : (algebra_slots){3, 4, 5};
}

ir_value *algebra_input(const ir_node *n, int i)
{
    return i < n->inputs ? n->input[i] : NULL;
}

ir_node *algebra_set_input(ir_node *n, int i, ir_value *v, diag *d)
{
    if (i < n->inputs) {
        ir_set_input(n, i, v);
        return n;
    }
    if (!v) return n;
    ir_node *copy = rebuild_begin(n->graph, n);
    for (int k = 0; k <= i; k++) ir_input(copy, k == i ? v : algebra_input(n, k));
    ir_value *out = ir_end(copy, n, d);
    if (!out) return NULL;
    out->name = n->output[0]->name;
    ir_replace(n->output[0], out);
    ir_remove(n);
    return copy;
}

int algebra_reads(const ir_node *n, const ir_value *v)
{
    int reads = 0;
    for (int i = 0; i < n->inputs; i++) reads += n->input[i] == v;
    return reads;
}

bool algebra_is_row(const ir_value *v, int64_t n)
{
    int64_t elements, last;
    return v && ir_is_constant(v) && ir_dims_constant(&v->type, NULL, &elements) && elements == n && v->type.rank > 0 &&
           dim_is_constant(v->type.dim[v->type.rank - 1], &last) && last == n;
}

ir_value *algebra_shifted(ir_node *n, ir_value *row, pass_context *c)
{
    ir_value *w = n->input[1], *b = algebra_input(n, 2);
    row = match_reshape(c, row, (dim[]){dim_of(1), w->type.dim[0]}, 2, n);
    if (!row) return NULL;
    ir_node *product = ir_begin(n->graph, IR_LINEAR);
    ir_input(product, row);
    ir_input(product, w);
    ir_copy_origins(product, n);
    ir_value *sum = ir_end(product, n, c->diag);
    if (!sum || !(sum = match_reshape(c, sum, &w->type.dim[1], 1, n))) return NULL;
    if (b && !(sum = ir_map2(n->graph, EXPR_ADD, b, sum, n, c->diag))) return NULL;
    return rebuild_folded(sum, n, c);
}

bool pass_algebra(ir_graph *g, pass_context *c)
{
    bool changed = false;
    if (!algebra_pixels(g, c) || !algebra_scale(g, c) || !algebra_norm(g, c) || !algebra_attention(g, c) || !algebra_table(g, c)) return false;
    if (!simplify_concats(g, c, &changed)) return false;   /* whoever takes the class token only */
    ir_sweep(g);
    return true;
}
