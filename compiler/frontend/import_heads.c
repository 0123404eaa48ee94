/* Attention over heads: the graph's operator where that says it all, else its parts one by one. */
#include "import_heads.h"

#include <inttypes.h>
#include <math.h>

ir_value *heads_split(importer *im, const import_node *n, ir_value *x, int64_t count)
{
    dim size;
    if (!x) return NULL;
    if (x->type.rank != 3 || count < 1 || !dim_div_exact(x->type.dim[2], dim_of(count), &size)) {
        import_fail(im, n, STATUS_SHAPE, -1, "%s has not %" PRId64 " heads", ir_type_text(im->arena, im->symbols, &x->type), count);
        return NULL;
    }
    return import_reshape(im, n, x, (const dim[]){ x->type.dim[0], x->type.dim[1], dim_of(count), size }, 4);
}

ir_value *heads_join(importer *im, const import_node *n, ir_value *x)
{
    dim width;
    if (!x) return NULL;
    if (!dim_mul(x->type.dim[2], x->type.dim[3], &width)) return import_fail(im, n, STATUS_SHAPE, 0, "its width is not affine"), NULL;
    return import_reshape(im, n, x, (const dim[]){ x->type.dim[0], x->type.dim[1], width }, 3);
}

ir_value *heads_append(importer *im, const import_node *n, ir_value *past, ir_value *x)
{
    int64_t length;
    if (!past || !x) return NULL;
    if (past->type.rank == 4 && dim_is_constant(past->type.dim[2], &length) && length == 0) return x;
    return compose_concat(im, n, (ir_value *const[]){ past, x }, 2, 2);
}

/* ---- masks ---- */

/* 0, 1, … as i64 [count, 1] or [count]. */
static ir_value *counting(importer *im, int64_t count, bool column)
{
    int64_t *list = arena_array(im->arena, (size_t)count + 1, sizeof *list);
    for (int64_t i = 0; i < count; i++) list[i] = i;
    const ir_type type = { ELEM_I64, column ? 2 : 1, { dim_of(count), dim_of(1) } };
    return ir_constant(im->graph, type, list, (size_t)count * sizeof *list, NULL);
}

/* mask AND left <= right */
static ir_value *restrict_to(importer *im, const import_node *n, ir_value *mask, ir_value *left, ir_value *right)
{
    ir_value *v = import_map2(im, n, EXPR_LESS_EQUAL, left, right);
    return mask && v ? import_map2(im, n, EXPR_AND, mask, v) : v;
}

/* Which keys each query sees by its place, bool; *mask NULL: all. */
static bool mask_by_place(importer *im, const import_node *n, const heads *h, ir_value **mask)
{
    int64_t queries, keys, past = 0;
    *mask = NULL;
    if (!h->causal && h->left < 0 && h->right < 0 && !h->valid) return true;
    if (!dim_is_constant(h->q->type.dim[1], &queries) || !dim_is_constant(h->k->type.dim[1], &keys) || !dim_is_constant(h->past, &past)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the numbers of queries and keys");
    }
    if (queries > 1 << 15 || keys > 1 << 15) return import_fail(im, n, STATUS_TOO_LARGE, 0, "a mask of this size");
    ir_value *key = counting(im, keys, false), *offset = import_number(im, ELEM_I64, (double)past), *valid = NULL;
    if (h->valid) {
        valid = import_reshape(im, n, import_convert(im, n, h->valid, ELEM_I64), (const dim[]){ h->valid->type.dim[0], dim_of(1), dim_of(1),
            dim_of(1) }, 4);
        offset = import_map2(im, n, EXPR_SUB, valid, import_number(im, ELEM_I64, (double)queries));
        if (!(*mask = restrict_to(im, n, NULL, import_map2(im, n, EXPR_ADD, key, import_number(im, ELEM_I64, 1)), valid))) return false;
    }
    ir_value *place = import_map2(im, n, EXPR_ADD, counting(im, queries, true), offset);
    if (h->causal && !(*mask = restrict_to(im, n, *mask, key, place))) return false;
    if (h->right >= 0 && !(*mask = restrict_to(im, n, *mask, key, import_map2(im, n, EXPR_ADD, place, import_number(im, ELEM_I64,
        (double)h->right))))) {
        return false;
    }
    return h->left < 0 ||
        (*mask = restrict_to(im, n, *mask, import_map2(im, n, EXPR_SUB, place, import_number(im, ELEM_I64, (double)h->left)), key)) != NULL;
}

/* Keys that a shorter mask does not mention are not seen. */
static ir_value *lengthen(importer *im, const import_node *n, ir_value *mask, dim keys)
{
    int64_t pads[2 * IR_RANK_MAX] = { 0 }, have, wanted;
    if (!mask || !mask->type.rank) return mask;
    const int last = mask->type.rank - 1;
    if (!dim_is_constant(mask->type.dim[last], &have) || !dim_is_constant(keys, &wanted) || have >= wanted || have == 1) return mask;
    pads[last + mask->type.rank] = wanted - have;
    return compose_pad(im, n, mask, pads, mask->type.elem == ELEM_BOOL ? 0 : -HUGE_VAL);
}

/* The given mask and that by place as one. */
static bool whole_mask(importer *im, const import_node *n, const heads *h, ir_value **out)
{
    ir_value *by_place, *given = lengthen(im, n, h->mask, h->k->type.dim[1]);
    if ((h->mask && !given) || !mask_by_place(im, n, h, &by_place)) return false;
    *out = given ? given : by_place;
    if (!given || !by_place) return true;
    if (given->type.elem == ELEM_BOOL) *out = import_map2(im, n, EXPR_AND, given, by_place);
    else *out = compose_select(im, n, by_place, given, import_number(im, given->type.elem, -HUGE_VAL));
    return *out != NULL;
}

/* ---- part by part ---- */

static ir_value *with_mask(importer *im, const import_node *n, ir_value *scores, ir_value *mask)
{
    if (!scores || !mask) return scores;
    if (mask->type.elem == ELEM_BOOL) return compose_select(im, n, mask, scores, import_number(im, scores->type.elem, -HUGE_VAL));
    return import_map2(im, n, EXPR_ADD, scores, mask);
}

/* Rows that see no key are zero, not NaN. */
static ir_value *guarded_softmax(importer *im, const import_node *n, ir_value *scores, elem precision, bool masked)
{
    ir_value *x = precision == ELEM_NONE ? scores : import_convert(im, n, scores, precision);
    if (!x || !masked) return import_convert(im, n, compose_softmax(im, n, x, 3), scores ? scores->type.elem : ELEM_NONE);
    ir_value *largest = compose_reduce(im, n, x, "max", (const int64_t[]){ 3 }, 1, true);
    ir_value *empty = import_map2(im, n, EXPR_EQUAL, largest, import_number(im, x->type.elem, -HUGE_VAL)), *zero = import_number(im, x->type.elem, 0);
    ir_value *v = compose_select(im, n, empty, zero, compose_softmax(im, n, compose_select(im, n, empty, zero, x), 3));
    return import_convert(im, n, v, scores->type.elem);
}

/* x [B, G, H / G * Tq, n] as [B, H, Tq, n], or back. */
static ir_value *regroup(importer *im, const import_node *n, ir_value *x, dim heads, dim rows)
{
    return x ? import_reshape(im, n, x, (const dim[]){ x->type.dim[0], heads, rows, x->type.dim[3] }, 4) : NULL;
}

static ir_value *by_parts(importer *im, const import_node *n, heads *h, ir_value *mask)
{
    static const int heads_first[] = { 0, 2, 1, 3 }, transposed[] = { 0, 2, 3, 1 };
    const dim count = h->q->type.dim[2], queries = h->q->type.dim[1], groups = h->k->type.dim[2];
    dim each, rows;
    if (!dim_div_exact(count, groups, &each) || !dim_mul(each, queries, &rows))
        return import_fail(im, n, STATUS_SHAPE, 1, "the heads do not fit"), NULL;
    const double root = sqrt(h->scale > 0 ? h->scale : 0);
    const bool split = h->scale > 0;   /* on either side, as the standard has it */
    ir_value *q = compose_with_number(im, n, EXPR_MUL, h->q, split ? root : h->scale), *k = split ? compose_with_number(im, n, EXPR_MUL, h->k,
        root) : h->k;
    q = q ? regroup(im, n, import_transpose(im, n, q, heads_first), groups, rows) : NULL;
    ir_value *stage[4];
    stage[0] = regroup(im, n, compose_matmul(im, n, q, k ? import_transpose(im, n, k, transposed) : NULL), count, queries);
    stage[1] = stage[0];
    if (h->softcap > 0) {
        ir_value *capped = import_map1(im, n, EXPR_TANH, compose_with_number(im, n, EXPR_DIV, stage[0], h->softcap));
        stage[1] = compose_with_number(im, n, EXPR_MUL, capped, h->softcap);
    }
    stage[2] = with_mask(im, n, stage[1], mask);
    stage[3] = stage[2] ? guarded_softmax(im, n, stage[2], h->precision, mask != NULL) : NULL;
    if (!stage[3]) return NULL;
    if (h->scores_mode >= 0) h->scores = stage[h->scores_mode];
    ir_value *v = compose_matmul(im, n, regroup(im, n, stage[3], groups, rows), import_transpose(im, n, h->v, heads_first));
    v = regroup(im, n, v, count, queries);
    return v ? import_transpose(im, n, v, heads_first) : NULL;
}

ir_value *heads_attend(importer *im, const import_node *n, heads *h)
{
    ir_value *mask;
    if (!h->q || !h->k || !h->v) return NULL;
    int64_t past;
    const bool square = h->causal && !h->valid && h->left < 0 && h->right < 0 && dim_is_constant(h->past, &past) && past == 0 &&
        dim_equal(h->q->type.dim[1], h->k->type.dim[1]);
    const bool whole = h->softcap == 0 && h->scores_mode < 0 && h->precision == ELEM_NONE;
    const bool causal = h->causal;
    h->causal &= !(square && whole);   /* the graph's operator says that itself */
    if (!whole_mask(im, n, h, &mask)) return NULL;
    if (!whole) return by_parts(im, n, h, mask);
    ir_node *node = import_begin(im, n, IR_ATTENTION);
    ir_value *const input[4] = { h->q, h->k, h->v, mask };
    for (int i = 0; i < (mask ? 4 : 3); i++) ir_input(node, input[i]);
    ir_set_number(node, KEY_SCALE, h->scale);
    if (causal && square) ir_set_int(node, KEY_CAUSAL, 1);
    if (mask) ir_set_name(node, KEY_EMPTY, "zero");
    return import_end(im, node);
}
