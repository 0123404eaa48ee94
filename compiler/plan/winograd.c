/* Convolutions that templates/winograd_f32.h runs: which, how threads share them, and the scratch. A step's rows are tiles of 2 x 2 pixels, or, where
 * an image has few of them and the weights are many, blocks of output features: then every thread transforms all inputs and reads its own weights. */
#include "plan_private.h"

enum {
    PLACES = 16,              /* products of a tile */
    LEAST_CHANNELS = 16,      /* with fewer channels or features, transforming costs what it saves */
    LEAST_FEATURES = 32,
    LEAST_TILES = 16,         /* of an image: with fewer, reading 16 weights where 9 would do costs what multiplying less saves */
    SHARED_TILES = 64,        /* so few are one thread's at a time */
    TALL_TILES = 32,          /* at a time, where channels are so many that no more stay near the core */
    PART = 64,                /* products in one float sum: with 256 of them the error was up to 2.3 times that of the definition, now 1.3 */
    STEP = 32,                /* in a kernel's call, if not all are one sum: all tiles take a step's weights before the next step's are read */
    NEAR = 1 << 17            /* transformed inputs that stay near the core: 512 KB */
};

static bool all_are(const ir_node *n, ir_key key, int64_t value)
{
    const ir_attribute *a = ir_find(n, key);
    return a->list.item[0] == value && a->list.item[1] == value;
}

int64_t plan_winograd_tiles(const plan_value *out)
{
    return out->shape[0] * ((out->shape[1] + 1) / 2) * ((out->shape[2] + 1) / 2);
}

void plan_describe_winograd(plan_step *s)
{
    const ir_node *n = s->node;
    const plan_value *x = plan_value_of(s->scope, n->input[0]), *w = plan_value_of(s->scope, n->input[1]);
    const plan_value *out = plan_value_of(s->scope, n->output[0]);
    if (out->value->type.rank != 4 || s->unit || ir_int(n, KEY_GROUP, 1) != 1) return;
    if (!all_are(n, KEY_KERNEL, 3) || !all_are(n, KEY_STRIDES, 1) || !all_are(n, KEY_DILATIONS, 1)) return;
    const int64_t tiles = plan_winograd_tiles(out), features = out->shape[3];
    if (x->shape[3] < LEAST_CHANNELS || features < LEAST_FEATURES || tiles < LEAST_TILES) return;
    s->winograd = s->scattered = true;
    s->columns = tiles <= SHARED_TILES && w->elements >= PLAN_MANY_WEIGHTS;
    s->rows = s->columns ? (features + PLAN_BLOCK - 1) / PLAN_BLOCK : tiles;
    for (int i = 0; i < n->inputs; i++) s->aligned[i] = false;
}

void plan_winograd_kernels(plan *p, plan_step *t, const plan_phase *f, int tile)
{
    const plan_value *x = plan_value_of(t->scope, t->node->input[0]), *out = plan_value_of(t->scope, t->node->output[0]);
    const int64_t channels = x->shape[3], all = t->columns ? plan_winograd_tiles(out) : f->panel_rows, near = NEAR / (PLACES * channels);
    const int64_t tall = near < TALL_TILES ? TALL_TILES : near, tiles = t->columns || all < tall ? all : tall;
    const plan_tallest tallest = plan_tallest_of(tile);
    plan_cut cut = t->columns ? plan_cut_whole(p, tiles, tallest, 1) : plan_cut_tiles(p, f, 1, tiles, tallest, 1);
    cut.step = channels > PART ? STEP : PART;
    if (channels > PART) cut.share = (int)tiles;
    plan_set_cuts(t, cut, cut);
    plan_tiles *const to = &t->tiles[0];
    to->n = (int)out->shape[3], to->k = (int)(PLACES * channels), to->ldx = (int)channels, to->ldy = to->n;
    to->chunk = (int)tiles;
    to->width = PLAN_BLOCK;
    to->gemm = plan_linear_kernels(p, to, (int)channels, PART, false);
    const int64_t inputs = plan_float_bytes(tiles * channels) + PLAN_ALIGN, sums = plan_float_bytes(tiles * PLAN_BLOCK) + PLAN_ALIGN;
    t->scratch_bytes = plan_float_bytes(channels) + PLACES * (inputs + sums) + plan_float_bytes(4 * tiles * PLAN_BLOCK);
}
