/* Tiles and matrix kernels: for each product, how rows are cut into tiles of nearly equal height, and the fixed-shape kernels those tiles need. */
#include "plan_private.h"

enum {
    TILE_ROWS = 50,      /* tallest tile: 25 to 64 rows run within a few per cent of each other */
    BLOCK = 32,          /* output features a block of weights: on AVX2 (Zen 3) 80 GF/s where 64 gives 67; AVX-512 does not mind */
    KEY_BLOCK = 32       /* keys are padded to a multiple of this, so that rows of scores stay aligned */
};

/* The heights that balanced tiles have over all the panels of a phase. */
static plan_tiles cut_tiles(const plan_phase *f, int64_t scale, int tile)
{
    plan_tiles t = { .tile = tile, .low = 1 << 30, .gemm = -1 };
    int high = 0;
    for (int i = 0; i < f->panels; i++) {
        const int rows = (int)((plan_panel_row(f, i + 1) - plan_panel_row(f, i)) * scale);
        const int tiles = (rows + tile - 1) / tile;
        const int low = rows / tiles, top = (rows + tiles - 1) / tiles;
        if (low < t.low) t.low = low;
        if (top > high) high = top;
    }
    t.heights = high - t.low + 1;
    return t;
}

static bool same_gemm(const plan_gemm *a, const plan_gemm *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && a->lda == b->lda && a->ldb == b->ldb && a->ldc == b->ldc && a->add == b->add;
}

/* Index of these kernels side by side, added if they are new. */
static int add_gemms(plan *p, const plan_gemm *g, int count)
{
    for (int i = 0; i + count <= p->gemms; i++) {
        int same = 0;
        while (same < count && same_gemm(&p->gemm[i + same], &g[same])) same++;
        if (same == count) return i;
    }
    const int first = p->gemms;
    for (int i = 0; i < count; i++) {
        p->gemm = arena_grow(p->arena, p->gemm, (size_t)p->gemms, sizeof *p->gemm);
        p->gemm[p->gemms++] = g[i];
    }
    return first;
}

/* Kernels [height - low][remainder] of a product with packed weights. */
static void linear_kernels(plan *p, plan_tiles *t, int n, int k, int ldx, int ldy)
{
    t->width = n < BLOCK ? n : BLOCK;
    t->n = n, t->k = k, t->ldx = ldx, t->ldy = ldy;
    plan_gemm *g = arena_array(p->arena, (size_t)t->heights * 2, sizeof *g);
    const int rest = n % t->width;
    for (int h = 0; h < t->heights; h++) {
        g[2 * h] = (plan_gemm){ t->width, t->low + h, k, t->width, ldx, ldy, 0 };
        if (rest) g[2 * h + 1] = (plan_gemm){ rest, t->low + h, k, rest, ldx, ldy, 0 };
    }
    t->gemm = add_gemms(p, g, t->heights * 2);
}

static void product_kernels(plan *p, plan_tiles *t, int m, int k, int lda, int ldb, int ldc)
{
    plan_gemm *g = arena_array(p->arena, (size_t)t->heights, sizeof *g);
    t->n = m, t->k = k, t->ldx = ldb, t->ldy = ldc;
    for (int h = 0; h < t->heights; h++) g[h] = (plan_gemm){ m, t->low + h, k, lda, ldb, ldc, 0 };
    t->gemm = add_gemms(p, g, t->heights);
}

static int row_stride(const plan_value *x, int64_t row)
{
    return (int)(x->row_elements == x->row_stride ? row : x->row_stride);
}

static int last_size(const plan_value *x)
{
    return (int)x->shape[x->value->type.rank - 1];
}

static void attention_kernels(plan *p, plan_step *t, const plan_phase *f, int tile)
{
    const plan_scope *s = t->scope;
    const plan_value *q = plan_value_of(s, t->node->input[0]), *k = plan_value_of(s, t->node->input[1]), *v = plan_value_of(s, t->node->input[2]);
    const bool transposed = ir_int(t->node, KEY_TRANSPOSED, 0) != 0;
    const int heads = (int)q->shape[2], d = (int)q->shape[3], keys = (int)v->shape[1], groups = (int)v->shape[2], e = (int)v->shape[3];
    const int ldk = transposed ? (int)k->shape[3] : (int)plan_round_up(keys, KEY_BLOCK);
    const int64_t scale = q->shape[0] == 1 ? 1 : q->shape[1];
    t->tiles[0] = t->tiles[1] = cut_tiles(f, scale, tile);
    product_kernels(p, &t->tiles[0], ldk, d, ldk, row_stride(q, heads * d), ldk);
    product_kernels(p, &t->tiles[1], e, keys, row_stride(v, groups * e), ldk, heads * e);
    const int rows = t->tiles[0].low + t->tiles[0].heights;
    t->scratch_bytes = plan_round_up((int64_t)rows * ldk * 4, PLAN_ALIGN) + plan_round_up(rows * 4, PLAN_ALIGN);
    if (!transposed) t->scratch_bytes += plan_round_up((int64_t)groups * d * ldk * 4, PLAN_ALIGN);
}

static void choose(plan *p, plan_step *t, const plan_phase *f, int tile)
{
    const plan_scope *s = t->scope;
    const ir_node *n = t->node;
    t->tiles[0].gemm = t->tiles[1].gemm = -1;
    const int64_t natural = n->op == IR_LINEAR || n->op == IR_MLP ? plan_value_of(s, n->output[0])->elements / last_size(plan_value_of(s, n->output[0])) : t->rows;
    const int64_t scale = natural / f->rows;
    if (n->op == IR_LINEAR) {
        const plan_value *x = plan_value_of(s, n->input[0]);
        const int k = last_size(x), out = last_size(plan_value_of(s, n->output[0]));
        t->tiles[0] = cut_tiles(f, scale, tile);
        linear_kernels(p, &t->tiles[0], out, k, row_stride(x, k), out);
    } else if (n->op == IR_MLP) {
        const plan_value *x = plan_value_of(s, n->input[0]), *up = plan_value_of(s, n->input[1]);
        const int k = last_size(x), hidden = last_size(up), out = last_size(plan_value_of(s, n->output[0]));
        const int activated = (int)plan_value_of(s, n->input[3])->shape[0];
        t->tiles[0] = t->tiles[1] = cut_tiles(f, scale, tile);
        linear_kernels(p, &t->tiles[0], hidden, k, row_stride(x, k), hidden);
        linear_kernels(p, &t->tiles[1], out, activated, hidden, out);
        t->scratch_bytes = plan_round_up((int64_t)f->panel_rows * scale * hidden * 4, PLAN_ALIGN);
    } else if (n->op == IR_ATTENTION) {
        attention_kernels(p, t, f, tile);
    }
}

void plan_choose_kernels(plan *p, plan_scope *s, const plan_options *o)
{
    for (int i = 0; i < s->items; i++) {
        plan_phase *f = s->item[i].phase;
        for (int j = 0; f && j < f->steps; j++) choose(p, f->step[j], f, o->tile_rows ? o->tile_rows : TILE_ROWS);
    }
}
