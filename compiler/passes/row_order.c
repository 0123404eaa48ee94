/* Windows of pixels: what works row by row stays in the windows' order behind an attention over them, instead of being put back first. With M for
 * putting back, M⁻¹ x + y in place of x + M y; then norms, MLPs and maps of M s are M of theirs, so that one taking of rows a block is left, from
 * the order of one block's windows to that of the next. Chains of moves that take whole rows and do not compose become a gather with a constant
 * table.
 * Requires: fused norms and MLPs. M is a permutation of rows, x, y and M y have rows of one width, and the sum is all that reads M y.
 * Leaves: no two moves of whole rows one after another, where nothing else reads the value between; the sums are epilogues (fuse_epilogues). */
#include "row_chain.h"

#include <string.h>

#include "match.h"
#include "rebuild.h"

static bool same_table(const int64_t *a, const int64_t *b, int64_t rows)
{
    return memcmp(a, b, (size_t)rows * sizeof *a) == 0;
}

/* The chain that ends in v, if each row of v is one row of its source: heads put side by side are whole rows too, but several make one. */
static bool windows_of(arena *a, ir_value *v, row_chain *k)
{
    return row_chain_of(a, v, k) && dim_equal(v->type.dim[v->type.rank - 1], k->width);
}

static bool along_last(const ir_node *norm)
{
    return ir_int(norm, KEY_AXIS, 0) == norm->input[0]->type.rank - 1;
}

/* ---- M⁻¹ x, shared with the windows that the norm of x is read in ---- */

/* v, or what is left of it behind moves that alone read one another. */
static ir_value *last_move(ir_value *v)
{
    while (v->uses == 1 && !ir_is_result(v) && v->user[0]->op == IR_MOVE) v = v->user[0]->output[0];
    return v;
}

static bool comes_before(const ir_node *a, const ir_node *b)
{
    while (a && a != b) a = a->next;
    return a != NULL;
}

/* A norm of x alone, in front of `before`, read only through a chain of moves that takes rows by `table`. */
static ir_node *norm_of_rows(arena *a, const ir_value *x, const int64_t *table, int64_t rows, const ir_node *before, row_chain *windows)
{
    for (int i = 0; i < x->uses; i++) {
        ir_node *n = x->user[i];
        if (n->op != IR_NORM || n->input[0] != x || !along_last(n) || ir_is_result(n->output[0]) || n->output[0]->uses != 1) continue;
        if (!windows_of(a, last_move(n->output[0]), windows) || windows->source != n->output[0]) continue;
        if (windows->rows == rows && same_table(windows->row, table, rows) && comes_before(n, before)) return n;
    }
    return NULL;
}

/* norm(x) in the order of windows as the norm of x in that order: x so, which is what the norm then reads. NULL: reported. */
static ir_value *norm_behind_windows(ir_node *norm, const row_chain *windows, pass_context *c)
{
    ir_value *old = windows->move[0]->output[0], *x = row_chain_replay(windows, norm->input[0], norm, c);
    if (!x) return NULL;
    ir_node *n = rebuild_begin(norm->graph, norm);
    for (int i = 0; i < norm->inputs; i++) ir_input(n, i ? norm->input[i] : x);
    ir_set_int(n, KEY_AXIS, x->type.rank - 1);
    ir_value *v = ir_end(n, norm, c->diag);
    if (!v) return NULL;
    match_replace(old, v);
    return x;
}

/* Rows of x as the table says, where they are taken already in front of `before`. NULL: they are not. */
static ir_value *taken_rows(arena *a, const ir_value *x, const int64_t *table, int64_t rows, const ir_node *before)
{
    row_chain k;
    for (int i = 0; i < x->uses; i++) {
        ir_node *n = x->user[i];
        if (n->op != IR_MOVE || !row_chain_of(a, n->output[0], &k) || k.source != x || k.rows != rows) continue;
        if (same_table(k.row, table, rows) && comes_before(n, before)) return n->output[0];
    }
    return NULL;
}

/* ---- what works row by row, behind M ---- */

/* The source of input v of a node in whose other input is M: of the same M, or a row or number for all rows. NULL: it is neither. */
static ir_value *source_of(arena *a, ir_value *v, const row_chain *m)
{
    row_chain other;
    const dim *width = v->type.rank ? &v->type.dim[v->type.rank - 1] : NULL;
    if (match_is_row(&v->type) && ir_is_constant(v) && (!width || v->type.rank <= m->source->type.rank)) return v;
    if (!windows_of(a, v, &other) || other.moves != m->moves || !same_table(other.row, m->row, m->rows)) return NULL;
    return ir_type_equal(&v->type, &m->move[0]->output[0]->type) && ir_type_equal(&other.source->type, &m->source->type) ? other.source : NULL;
}

static bool reads_rows_only(const ir_value *v)
{
    row_chain next;
    for (int i = 0; i < v->uses; i++) {
        const ir_op op = v->user[i]->op;
        if (op != IR_MLP && op != IR_MAP && (op != IR_MOVE || !row_chain_climb(v->user[i]->output[0], &next))) return false;
    }
    return v->uses > 0 && !ir_is_result(v);
}

/* Operands of n from the first-th on must have n's own rows; before, weights. */
static int first_operand(const ir_node *n)
{
    return n->op == IR_MLP ? 5 : n->op == IR_MAP ? 0 : n->op == IR_NORM ? n->inputs : -1;
}

/* n, which reads M of something, as M of n of that: n's result in M's source's order, or NULL where n cannot be so. */
static ir_value *step_before(ir_node *n, const row_chain *m, pass_context *c)
{
    ir_value *input[MATCH_INPUTS];
    const int first = first_operand(n);
    if (first < 0 || n->inputs > MATCH_INPUTS || n->outputs != 1) return NULL;
    if (n->op == IR_NORM && (!along_last(n) || !reads_rows_only(n->output[0]))) return NULL;
    const ir_type *out = &n->output[0]->type, *in = &m->move[0]->output[0]->type;
    if (out->rank != in->rank || n->output[0]->type.elem != in->elem) return NULL;
    for (int i = 0; i + 1 < in->rank; i++)
        if (!dim_equal(out->dim[i], in->dim[i])) return NULL;
    for (int i = 0; i < n->inputs; i++) {
        input[i] = n->input[i];
        if (input[i] && (i >= first || (i == 0 && n->op != IR_MAP)) && !(input[i] = source_of(c->arena, n->input[i], m))) return NULL;
    }
    ir_node *copy = rebuild_begin(n->graph, n);
    for (int i = 0; i < n->inputs; i++) ir_input(copy, input[i]);
    if (n->op == IR_NORM) ir_set_int(copy, KEY_AXIS, m->source->type.rank - 1);
    return ir_end(copy, n, c->diag);
}

/* Moves M, which made v, behind all of v's readers that work row by row, and behind theirs. */
static bool sink(ir_value *v, pass_context *c)
{
    row_chain m;
    if (!windows_of(c->arena, v, &m)) return true;
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < v->uses && !again; i++) {
            ir_node *n = v->user[i];
            ir_value *made = step_before(n, &m, c), *back = made ? row_chain_replay(&m, made, n, c) : NULL;
            if (made && !back) return false;
            if (!back) continue;
            if (ir_is_result(n->output[0])) back->name = n->output[0]->name;
            match_replace(n->output[0], back);
            if (!sink(back, c)) return false;
            again = true;
        }
    }
    return diag_errors(c->diag) == 0;
}

/* ---- sums ---- */

/* norm(M y), which n reads, as M of the norm of y. */
static bool norm_first(ir_node *n, pass_context *c)
{
    row_chain m;
    for (int i = 0; i < n->inputs; i++) {
        ir_node *norm = ir_producer(n->input[i], IR_NORM);
        if (!norm || !ir_only_use(norm->input[0], norm) || !windows_of(c->arena, norm->input[0], &m) || row_chain_is_identity(&m)) continue;
        if (!ir_only_use(norm->output[0], n) || !ir_only_use(m.source, m.move[m.moves - 1]) || !row_chain_inverse(c->arena, &m)) continue;
        ir_value *made = step_before(norm, &m, c), *back = made ? row_chain_replay(&m, made, norm, c) : NULL;
        if (back) match_replace(norm->output[0], back);
    }
    return diag_errors(c->diag) == 0;
}

/* x + M y, y's own reader being the first move of M: M, and which input x is. */
static bool is_sum_of_windows(ir_node *n, pass_context *c, row_chain *m, ir_value **x)
{
    expr_op op;
    match_operand o[3];
    if (!match_map(n->output[0], &op, o) || op != EXPR_ADD || n->inputs != 2 || n->output[0]->type.elem != ELEM_F32) return false;
    for (int i = 0; i < 2; i++) {
        ir_value *moved = n->input[i];
        *x = n->input[1 - i];
        if (moved->uses != 1 || ir_is_result(moved) || !windows_of(c->arena, moved, m) || row_chain_is_identity(m)) continue;
        bool alone = m->source->uses == 1;
        for (int k = 0; k < m->moves; k++) alone &= m->move[k]->output[0]->uses == 1;
        if (alone && ir_type_equal(&(*x)->type, &n->output[0]->type) && ir_type_equal(&moved->type, &n->output[0]->type)) return true;
    }
    return false;
}

/* v in this shape: a move of its own, so that v stays what others read too. */
static ir_value *regrouped(ir_value *v, const ir_type *to, ir_node *before, pass_context *c)
{
    move m;
    ir_type type;
    if (ir_type_equal(&v->type, to)) return v;
    return move_reshape(&v->type, to->dim, to->rank, &m, &type) ? ir_move_of(before->graph, v, &m, &type, before, c->diag) : NULL;
}

static bool keep_order(ir_node *n, pass_context *c)
{
    row_chain m, windows, k;
    ir_value *x;
    if (!norm_first(n, c)) return false;
    if (!is_sum_of_windows(n, c, &m, &x)) return true;
    int64_t *row = row_chain_inverse(c->arena, &m), source_rows = m.rows;
    if (!row) return true;
    ir_value *source = x;
    if (windows_of(c->arena, x, &k) && k.rows == m.rows && dim_equal(k.images, m.images)) {
        source = k.source;
        source_rows = k.source_rows;
        for (int64_t i = 0; i < m.rows; i++) row[i] = k.row[row[i]];
    }
    ir_node *norm = norm_of_rows(c->arena, source, row, m.rows, n, &windows);
    ir_value *turned = norm ? norm_behind_windows(norm, &windows, c) : taken_rows(c->arena, source, row, m.rows, n);
    if (!turned && !norm) turned = row_chain_take(source, m.images, source_rows, row, m.rows, &m.source->type, n, c);
    if (turned) turned = regrouped(turned, &m.source->type, n, c);
    if (!turned) return false;
    ir_node *sum = rebuild_begin(n->graph, n);
    for (int i = 0; i < 2; i++) ir_input(sum, n->input[i] == x ? turned : m.source);
    ir_value *s = ir_end(sum, n, c->diag);
    ir_value *back = s ? row_chain_replay(&m, s, n, c) : NULL;
    if (!back) return false;
    match_replace(n->output[0], back);
    return sink(back, c);
}

/* ---- chains ---- */

static bool is_inside(const ir_value *v)
{
    row_chain next;
    for (int i = 0; i < v->uses; i++) {
        ir_node *n = v->user[i];
        if (n->op != IR_MOVE || !row_chain_climb(n->output[0], &next) || next.moves < 2) return false;
    }
    return v->uses > 0 && !ir_is_result(v);
}

/* Several moves that are no reshapes: one gather, or none at all. */
static bool shorten(ir_node *n, pass_context *c)
{
    row_chain k;
    ir_value *v = n->output[0];
    if (is_inside(v) || !row_chain_climb(v, &k) || !k.real || !row_chain_make_table(c->arena, &k)) return true;
    if (k.real < 2 && !row_chain_is_identity(&k)) return true;
    ir_value *taken = row_chain_take(k.source, k.images, k.source_rows, k.row, k.rows, &v->type, n, c);
    if (!taken) return false;
    for (int i = 0; i < k.moves && taken->def; i++) ir_copy_origins(taken->def, k.move[i]);
    match_replace(v, taken);
    return true;
}

bool pass_row_order(ir_graph *g, pass_context *c)
{
    int count;
    ir_node **map = match_list(c->arena, g, IR_MAP, &count);
    for (int i = 0; i < count; i++)
        if (!match_dead(map[i]) && !keep_order(map[i], c)) return false;
    ir_node **move = match_list(c->arena, g, IR_MOVE, &count);
    for (int i = 0; i < count; i++)
        if (!match_dead(move[i]) && !shorten(move[i], c)) return false;
    ir_sweep(g);
    return fuse_epilogues(g, c);
}
