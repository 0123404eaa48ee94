/* Convolutions that templates/winograd_f32.h runs: which, how threads share them, and the scratch. A step's rows are tiles of 2 x 2 pixels, or, where
 * an image has few of them and the weights are many, blocks of output features: then every thread transforms all inputs and reads its own weights. */
#include "plan_private.h"

enum {
    PLACES = 16,              /* products of a tile */
    LEAST_CHANNELS = 16,      /* with fewer channels or features, transforming costs what it saves */
    LEAST_FEATURES = 32,
    LEAST_TILES = 16,         /* of an image: with fewer, reading 16 weights where 9 would do costs what multiplying less saves */
    SHARED_TILES = 64,        /* so few are one thread's at a time */
    TALL_TILES = 24,          /* at a time, where the weights allow no more; taller is no faster */
    PART = 64,                /* products in one float sum: with 256 of them the error was up to 2.3 times that of the definition, now 1.3 */
    NEAR = 1 << 16            /* transformed inputs that stay near the core: 256 KB */
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

/* So many floats as whole cache lines. */
static int64_t line(int64_t floats)
{
    return plan_round_up(floats, PLAN_ALIGN / 4);
}

void plan_winograd_kernels(plan_step *t, const plan_phase *f)
{
    const plan_value *x = plan_value_of(t->scope, t->node->input[0]), *out = plan_value_of(t->scope, t->node->output[0]);
    const int64_t channels = x->shape[3], near = NEAR / (PLACES * channels), tall = near < TALL_TILES ? TALL_TILES : near;
    const int64_t tiles = t->columns ? plan_winograd_tiles(out) : f->panel_rows < tall ? f->panel_rows : tall;
    plan_tiles *const to = &t->tiles[0];
    to->cut.tile = (int)tiles;
    to->n = (int)out->shape[3], to->k = (int)(PLACES * channels);
    to->part = PART;
    to->width = PLAN_BLOCK;
    const int64_t inputs = line(tiles * channels) + PLAN_ALIGN / 4, sums = line(tiles * PLAN_BLOCK) + PLAN_ALIGN / 4;
    t->scratch_bytes = 4 * (line(channels) + PLACES * (inputs + sums) + line(4 * tiles * PLAN_BLOCK)) + plan_round_up(tiles * 8, PLAN_ALIGN);
}
