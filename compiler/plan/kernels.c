/* Tiles and matrix kernels: for each product, how rows are cut into tiles of nearly equal height, and the fixed-shape kernels those tiles need. */
#include "plan_private.h"

enum {
    TILE_ROWS = 33,      /* tallest tile of a linear layer: a multiple of the 3 rows that AVX2 kernels hold in registers; 50 or 99 are no faster */
    QUERY_ROWS = 66,     /* of attention, whose kernels read as many keys for fewer sums: 8 per cent faster than 33 on Zen 3… */
    LONG_ROWS = 28,      /* …but where their scores are more than NEAR_SCORES bytes, a tenth slower than 28 (1,370 keys, AVX-512) */
    NEAR_SCORES = 1 << 18,   /* of a tile, in bytes: half of a small second-level cache */
    TALL_ROWS = 24,      /* such tiles are as fast as taller ones, within 1 % */
    KEY_BLOCK = 32,      /* keys a block of scores, for the same reason; keys are padded to a multiple */
    VALUE_KEYS = 192,    /* keys whose values are summed at a time: so many stay near the core; 4 per cent faster with 577 keys, 16 with 1,370 */
    PARTS = 8,           /* at most, since their sums stand on the stack */
    LINE = 16,           /* elements of a cache line */
    STREAM_ROWS = 16,    /* of a linear layer that fetches its next weights; fewer take them in short steps */
    WIDE_ROWS = 14,      /* tallest tile with AVX-512 and steps: as many rows as its kernels hold in registers at a time */
    STEP = 64,           /* inputs a call there; 128 are 5 per cent slower on two threads, 256 lose half of what fetching brings */
    FEW_ROWS = 9,        /* tallest tile where rows wait for weights: of little that is fetched at a time, little stands in the way of the kernel's reads */
    FEW_STEP = 32,       /* inputs a call there, 4 KB of weights. 64 are 10 to 30 per cent slower, 16 up to 20… */
    SHORT_STEP = 16,     /* …but of less than STREAM_ROWS rows 15 to 25 per cent faster */
    HIDDEN = 768         /* hidden features of an MLP at a time, so that they stay near the core: 7 per cent faster than 3,072 */
};

/* Marks the heights of the tiles that a panel of so many rows is cut into. */
static void mark_heights(bool *occurs, int64_t rows, plan_tallest tallest)
{
    const int most = rows > PLAN_FEW_ROWS ? tallest.tile : tallest.few;
    const int64_t tiles = (rows + most - 1) / most;
    occurs[rows / tiles] = occurs[(rows + tiles - 1) / tiles] = true;
}

int64_t plan_float_bytes(int64_t floats)
{
    return plan_round_up(floats * 4, PLAN_ALIGN);
}

plan_cut plan_cut_of(const bool *occurs, plan_tallest tallest)
{
    plan_cut c = { .tile = tallest.tile, .low = 1, .share = tallest.tile, .few = tallest.few };
    int high = tallest.tile;
    while (!occurs[c.low]) c.low++;
    while (!occurs[high]) high--;
    c.heights = high - c.low + 1;
    c.occurs = occurs + c.low;
    return c;
}

/* The same of even shares of at most `share` rows. */
static void mark_shares(bool *occurs, int64_t rows, int64_t share, plan_tallest tallest)
{
    const int64_t shares = (rows + share - 1) / share;
    mark_heights(occurs, rows / shares, tallest);
    mark_heights(occurs, (rows + shares - 1) / shares, tallest);
}

plan_cut plan_cut_tiles(plan *p, const plan_phase *f, int64_t scale, int64_t share, plan_tallest tallest, int together)
{
    bool *const occurs = arena_array(p->arena, (size_t)tallest.tile + 1, sizeof *occurs);
    for (int64_t panels = f->panels, before = 0; panels <= f->tiles; panels++) {
        const int64_t least = f->tiles / panels;
        if (least == before && f->tiles % panels == 0) continue;
        for (int64_t tiles = least; tiles <= least + (f->tiles % panels > 0); tiles++) {
            mark_shares(occurs, tiles * f->rows / f->tiles * scale, share, tallest);
            mark_shares(occurs, (tiles * f->rows + f->tiles - 1) / f->tiles * scale, share, tallest);
        }
        before = least;
    }
    for (int64_t images = 2; images <= together; images++) mark_shares(occurs, images * f->rows * scale, share, tallest);
    return plan_cut_of(occurs, tallest);
}

plan_cut plan_cut_whole(plan *p, int64_t rows, plan_tallest tallest, int together)
{
    bool *const occurs = arena_array(p->arena, (size_t)tallest.tile + 1, sizeof *occurs);
    for (int images = 1; images <= together; images++) mark_heights(occurs, images * rows, tallest);
    return plan_cut_of(occurs, tallest);
}

plan_cut plan_cut_waiting(plan_cut c, int64_t rows)
{
    c.share = PLAN_FEW_ROWS;
    c.step = rows < STREAM_ROWS ? SHORT_STEP : FEW_STEP;
    c.row = rows == 1;
    return c;
}

static bool same_gemm(const plan_gemm *a, const plan_gemm *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && a->lda == b->lda && a->ldb == b->ldb && a->ldc == b->ldc && a->add == b->add &&
           a->batch == b->batch;
}

/* With AVX-512 libxsmm 1.17 computes at most 16 features of 2 to 11 rows in several sums each, how many depends on the rows. There is no kernel then:
 * bits would depend on how rows are cut. Those of convolutions are always cut alike. */
static plan_gemm of_one_sum(plan_gemm g)
{
    return !g.batch && g.m <= 16 && g.n >= 2 && g.n <= 11 ? (plan_gemm){ 0 } : g;
}

int plan_add_gemms(plan *p, const plan_gemm *g, const plan_gemm *for_wide, int count)
{
    plan_gemm *wide = arena_array(p->arena, (size_t)count, sizeof *wide);
    for (int i = 0; i < count; i++) wide[i] = of_one_sum(for_wide[i]);
    for (int i = 0; i + count <= p->gemms; i++) {
        int same = 0;
        while (same < count && same_gemm(&p->gemm[i + same], &g[same]) && same_gemm(&p->wide_gemm[i + same], &wide[same])) same++;
        if (same == count) return i;
    }
    const int first = p->gemms;
    for (int i = 0; i < count; i++) {
        p->gemm = arena_grow(p->arena, p->gemm, (size_t)p->gemms, sizeof *p->gemm);
        p->wide_gemm = arena_grow(p->arena, p->wide_gemm, (size_t)p->gemms, sizeof *p->wide_gemm);
        p->gemm[p->gemms] = g[i];
        p->wide_gemm[p->gemms++] = wide[i];
    }
    return first;
}

int plan_part_of(int depth, int part)
{
    const int least = (depth + part - 1) / part, parts = least < PARTS ? least : PARTS;
    return parts > 1 ? (int)plan_round_up((depth + parts - 1) / parts, LINE) : depth;
}

/* The largest share of a part, all shares alike, of at most so many inputs; 0: none is worth a call. */
static int step_of(int part, int most)
{
    for (int n = (part + most - 1) / most; part / n >= most / 2; n++)
        if (part % n == 0) return part / n;
    return 0;
}

/* Kernels of one cut for a product with packed weights that sums `depth` inputs, a part at a time: to g, [height - low][remainder of blocks]
 * [remainder of parts]; or with steps [height - low][remainder of blocks][adding to the steps before][remainder of steps]. With `direct` a single
 * part goes to the result itself, otherwise into a tile of sums. Heights that do not occur have no kernel. */
static void fill_linear(plan_gemm *g, const plan_tiles *t, const plan_cut *c, int depth, bool direct)
{
    const int widths[] = { t->width, t->n % t->width }, once = c->step ? c->step : t->part, last = depth % t->part, ways = c->step ? 2 : 1;
    for (int i = 0; i < c->heights * 4 * ways; i++) {
        const bool rest = i % 2, add = i / 2 % ways;
        const int height = i / (4 * ways), m = widths[i / (2 * ways) % 2], k = rest ? last % once : once;
        const bool occurs = rest ? add == (last > once) : !add || t->part > once;
        if (c->occurs[height] && m && k && occurs) g[i] = (plan_gemm){ m, c->low + height, k, m, t->ldx, direct && depth <= t->part ? t->ldy : m, add, 0 };
    }
}

int plan_linear_kernels(plan *p, plan_tiles *t, int depth, int part, bool direct)
{
    t->part = plan_part_of(depth, part);
    if (t->cut.step) t->cut.step = step_of(t->part, t->cut.step);
    if (t->wide.step) t->wide.step = step_of(t->part, t->wide.step);
    if (!t->wide.step) t->wide = t->cut;
    if (!t->ldx) t->ldx = t->cut.step ? t->cut.step : t->part;
    if (t->cut.row && t->cut.low + t->cut.heights == 2 && t->width == PLAN_BLOCK && t->n % PLAN_BLOCK == 0) return -1;   /* row_f32 makes all */
    const int narrow = t->cut.heights * (t->cut.step ? 8 : 4), wide = t->wide.heights * (t->wide.step ? 8 : 4);
    const int count = narrow > wide ? narrow : wide;
    plan_gemm *g = arena_array(p->arena, (size_t)count, sizeof *g), *w = arena_array(p->arena, (size_t)count, sizeof *w);
    fill_linear(g, t, &t->cut, depth, direct);
    fill_linear(w, t, &t->wide, depth, direct);
    return plan_add_gemms(p, g, w, count);
}

static void set_shape(plan_tiles *t, int n, int k, int ldx, int ldy)
{
    t->width = n < PLAN_BLOCK ? n : PLAN_BLOCK;
    t->n = n, t->k = k, t->ldx = ldx, t->ldy = ldy;
}

/* Scores: ldk of them for each query, `KEY_BLOCK` at a time. */
static void score_kernels(plan *p, plan_tiles *t, int ldk, int d, int ldq)
{
    plan_gemm *g = arena_array(p->arena, (size_t)t->cut.heights, sizeof *g);
    t->width = KEY_BLOCK;
    t->n = ldk, t->k = d, t->ldx = ldq, t->ldy = ldk;
    for (int h = 0; h < t->cut.heights; h++)
        if (t->cut.occurs[h]) g[h] = (plan_gemm){ KEY_BLOCK, t->cut.low + h, d, ldk, ldq, ldk, 0, 0 };
    t->gemm = plan_add_gemms(p, g, g, t->cut.heights);
}

/* Sums of values by share: of the first keys, then [height - low][rest] adding those of further ones. */
static void value_kernels(plan *p, plan_tiles *t, int e, int keys, int ldv, int ldk, int ldo)
{
    const int heights = t->cut.heights, low = t->cut.low;
    plan_gemm *first = arena_array(p->arena, (size_t)heights, sizeof *first), *add = arena_array(p->arena, (size_t)heights * 2, sizeof *add);
    t->chunk = keys < VALUE_KEYS + VALUE_KEYS / 3 ? keys : VALUE_KEYS;
    t->n = e, t->k = keys, t->ldx = ldk, t->ldy = ldo;
    const int rest = keys % t->chunk;
    for (int h = 0; h < heights; h++) {
        if (!t->cut.occurs[h]) continue;
        first[h] = (plan_gemm){ e, low + h, t->chunk, ldv, ldk, ldo, 0, 0 };
        if (keys >= 2 * t->chunk) add[2 * h] = (plan_gemm){ e, low + h, t->chunk, ldv, ldk, ldo, 1, 0 };
        if (rest) add[2 * h + 1] = (plan_gemm){ e, low + h, rest, ldv, ldk, ldo, 1, 0 };
    }
    t->gemm = plan_add_gemms(p, first, first, heights);
    if (t->chunk < keys) t->gemm_add = plan_add_gemms(p, add, add, heights * 2);
}

/* A part of the hidden features that is whole blocks, all parts alike, near HIDDEN; all of them if there is no such part. */
static int hidden_chunk(int hidden)
{
    for (int parts = (hidden + HIDDEN - 1) / HIDDEN; hidden / parts >= HIDDEN / 3; parts++)
        if (hidden % (parts * PLAN_BLOCK) == 0) return hidden / parts;
    return hidden;
}

static int row_stride(const plan_value *x, int64_t row)
{
    return (int)(x->row_elements == x->row_stride ? row : x->row_stride);
}

static int last_size(const plan_value *x)
{
    return (int)x->shape[x->value->type.rank - 1];
}

void plan_set_cuts(plan_step *t, plan_cut cut, plan_cut wide)
{
    for (int i = 0; i < 2; i++) t->tiles[i] = (plan_tiles){ .cut = cut, .wide = wide, .gemm = -1, .gemm_add = -1 };
}

static void attention_kernels(plan *p, plan_step *t, const plan_phase *f, int set)
{
    const plan_scope *s = t->scope;
    const plan_value *q = plan_value_of(s, t->node->input[0]), *k = plan_value_of(s, t->node->input[1]), *v = plan_value_of(s, t->node->input[2]);
    const bool transposed = ir_int(t->node, KEY_TRANSPOSED, 0) != 0;
    const int heads = (int)q->shape[2], d = (int)q->shape[3], keys = (int)v->shape[1], groups = (int)v->shape[2], e = (int)v->shape[3];
    const int ldk = transposed ? (int)k->shape[3] : (int)plan_round_up(keys, KEY_BLOCK);
    const int tile = set ? set : (int64_t)QUERY_ROWS * ldk * 4 > NEAR_SCORES ? LONG_ROWS : QUERY_ROWS;
    const plan_tallest tallest = plan_tallest_of(tile);
    const plan_cut cut = t->window ? plan_cut_whole(p, t->window, tallest, 1) : plan_cut_tiles(p, f, 1, f->rows, tallest, 1);
    plan_set_cuts(t, cut, cut);
    score_kernels(p, &t->tiles[0], ldk, d, row_stride(q, heads * d));
    value_kernels(p, &t->tiles[1], e, keys, row_stride(v, groups * e), ldk, heads * e);
    const int rows = cut.low + cut.heights - 1;
    t->scratch_bytes = plan_float_bytes((int64_t)rows * ldk) + plan_float_bytes(rows);
    if (!transposed) t->scratch_bytes += plan_float_bytes((int64_t)groups * d * ldk);
}

bool plan_is_product(const plan_step *t)
{
    return t->tiles[0].gemm >= 0 || t->tiles[0].cut.row;
}

/* The rows of a linear layer or MLP, `natural` an image. */
static plan_cut cut_rows(plan *p, const plan_step *t, const plan_phase *f, int64_t natural, plan_tallest tallest)
{
    const int together = f->joint ? p->together : 1;
    return t->columns ? plan_cut_whole(p, natural, tallest, together)
                      : plan_cut_tiles(p, f, natural / f->rows, natural * together, tallest, together);
}

/* Tiles of a linear layer or MLP. Those of several images together are as those of one. */
static void cut_linear(plan *p, plan_step *t, const plan_phase *f, int64_t natural, int tile, int wide_tile, int few_tile, int64_t weights)
{
    const int own = (int)((natural + tile - 1) / tile), even = own ? (int)((natural + own - 1) / own) : tile;
    const int height = f->joint && even >= TALL_ROWS && even < tile ? even : tile;
    const bool waits = natural <= PLAN_FEW_ROWS && weights >= PLAN_MANY_WEIGHTS;
    const bool several = f->joint && p->together > 1, streams = p->streams && natural >= STREAM_ROWS;
    plan_cut cut, wide;
    if (waits) {
        cut = plan_cut_waiting(cut_rows(p, t, f, natural, (plan_tallest){ several ? height : few_tile, few_tile }), natural);
        wide = plan_cut_waiting(cut_rows(p, t, f, natural, (plan_tallest){ several ? wide_tile : few_tile, few_tile }), natural);
    } else {
        cut = wide = cut_rows(p, t, f, natural, plan_tallest_of(height));
        if (streams) wide = cut_rows(p, t, f, natural, plan_tallest_of(wide_tile)), wide.step = STEP;
    }
    plan_set_cuts(t, cut, wide);
}

static void choose(plan *p, plan_step *t, const plan_phase *f, const plan_options *o)
{
    const plan_scope *s = t->scope;
    const ir_node *n = t->node;
    const int set = o->tile_rows, tile = set ? set : TILE_ROWS, wide = set ? set : WIDE_ROWS, few = set ? set : FEW_ROWS;
    t->tiles[0].gemm = t->tiles[1].gemm = -1;
    const int64_t natural = n->op == IR_LINEAR || n->op == IR_MLP || n->op == IR_CONV_LAST
                                ? plan_value_of(s, n->output[0])->elements / last_size(plan_value_of(s, n->output[0])) : t->rows;
    const int64_t scale = natural / f->rows;
    if (n->op == IR_LINEAR) {
        const plan_value *x = plan_value_of(s, n->input[0]);
        const int k = last_size(x), out = last_size(plan_value_of(s, n->output[0]));
        cut_linear(p, t, f, natural, tile, wide, few, (int64_t)k * out);
        set_shape(&t->tiles[0], out, k, row_stride(x, k), out);
        t->tiles[0].gemm = plan_linear_kernels(p, &t->tiles[0], k, PLAN_PART, true);
    } else if (n->op == IR_MLP) {
        const plan_value *x = plan_value_of(s, n->input[0]), *up = plan_value_of(s, n->input[1]);
        const int k = last_size(x), hidden = last_size(up), out = last_size(plan_value_of(s, n->output[0]));
        const int activated = (int)plan_value_of(s, n->input[3])->shape[0];
        const int chunk = activated == hidden ? hidden_chunk(hidden) : hidden;
        cut_linear(p, t, f, natural, tile, wide, few, (int64_t)k * hidden);
        t->tiles[0].chunk = t->tiles[1].chunk = chunk;
        set_shape(&t->tiles[0], hidden, k, row_stride(x, k), chunk);
        set_shape(&t->tiles[1], out, activated, chunk, out);
        t->tiles[0].gemm = plan_linear_kernels(p, &t->tiles[0], k, PLAN_PART, true);
        t->tiles[1].gemm = plan_linear_kernels(p, &t->tiles[1], activated == hidden ? chunk : activated, PLAN_PART, chunk == hidden);
        t->scratch_bytes = plan_float_bytes(f->panel_rows * scale * chunk);
    } else if (t->winograd) {
        plan_winograd_kernels(p, t, f, wide);
    } else if (n->op == IR_CONV_LAST && !plan_is_depthwise(n)) {
        plan_conv_kernels(p, t, t->columns ? natural : f->panel_rows * scale, tile, t->columns ? few : wide);
    } else if (n->op == IR_ATTENTION) {
        attention_kernels(p, t, f, set);
    }
}

void plan_choose_kernels(plan *p, plan_scope *s, const plan_options *o)
{
    for (int i = 0; i < s->items; i++) {
        plan_phase *f = s->item[i].phase;
        for (int j = 0; f && j < f->steps; j++) choose(p, f->step[j], f, o);
    }
}
