/* Convolutions with channels last on matrix kernels (templates/conv_last_f32.h), and those of few rows (templates/conv_few_f32.h): rows of the step, how
 * pixels and inputs are cut, kernels, scratch. */
#include "plan_private.h"

enum {
    FEW_CHANNELS = 16,    /* with fewer, a line of a window is taken at a time */
    NEAR_BYTES = 1 << 20, /* of an image, copied at a time */
    FEW_LINES = 16,       /* so many are hard to share out */
    SHORT_PIECE = 32,     /* pixels of a line in a piece of a convolution, at most, if lines are few… */
    LONG_PIECE = 256,     /* …and otherwise */
    LEAST_PIECE = 14      /* with fewer, a line that has no such divisor is one piece */
};

bool plan_is_depthwise(const ir_node *n)
{
    int64_t channels;
    return n->op == IR_CONV_LAST && dim_is_constant(n->input[0]->type.dim[n->input[0]->type.rank - 1], &channels) && channels > 1 &&
           ir_int(n, KEY_GROUP, 1) == channels;
}

void plan_describe_conv(plan_step *s)
{
    const plan_value *out = plan_value_of(s->scope, s->node->output[0]);
    const int64_t most = out->shape[0] * out->shape[1] < FEW_LINES ? SHORT_PIECE : LONG_PIECE;
    int64_t piece = out->shape[2] < most ? out->shape[2] : most;
    while (out->shape[2] % piece) piece--;
    s->piece = piece < LEAST_PIECE ? out->shape[2] : piece;
    if (!s->unit) s->rows /= s->piece;
}

static int largest_divisor(int n, int most)
{
    int d = n < most ? n : most;
    while (n % d) d--;
    return d;
}

static int channels_of(const plan_value *x)
{
    return (int)x->shape[3];
}

/* All rows at once, as those of a linear layer; the scratch is as templates/conv_few_f32.h wants it. */
static void few_rows(plan *p, plan_step *t, int64_t rows, int tile)
{
    plan_tiles *const to = &t->tiles[0];
    const plan_cut cut = plan_cut_waiting(plan_cut_whole(p, rows, plan_tallest_of(tile), 1), rows);
    plan_set_cuts(t, cut, cut);
    to->k = (int)plan_value_of(t->scope, t->node->input[1])->shape[0];
    to->n = to->ldy = channels_of(plan_value_of(t->scope, t->node->output[0]));
    to->width = to->n < PLAN_BLOCK ? to->n : PLAN_BLOCK;
    to->gemm = plan_linear_kernels(p, to, to->k, PLAN_PART, true);
    t->scratch_bytes = plan_float_bytes(plan_round_up(to->k, to->ldx) * rows);
}

/* How many places of the image along this axis (0: lines) so many outputs read. */
static int64_t reach(const ir_node *n, int axis, int64_t count)
{
    const int64_t kernel = ir_find(n, KEY_KERNEL)->list.item[axis], dilation = ir_find(n, KEY_DILATIONS)->list.item[axis];
    return (count - 1) * ir_find(n, KEY_STRIDES)->list.item[axis] + (kernel - 1) * dilation + 1;
}

static bool windows_are_inside(const ir_node *n, const plan_value *x, const plan_value *out)
{
    for (int a = 0; a < 2; a++)
        if (ir_find(n, KEY_PADS)->list.item[a] || reach(n, a, out->shape[1 + a]) > x->shape[1 + a]) return false;
    return true;
}

/* Rows that kernels take of a piece, cut into tiles of which each has at most `rows` in each phase. */
static plan_cut cut_piece(plan *p, int64_t piece, int rows, int phases)
{
    bool *const occurs = arena_array(p->arena, (size_t)rows + 1, sizeof *occurs);
    const int64_t tile = (int64_t)rows * phases, tiles = (piece + tile - 1) / tile, height[] = { piece / tiles, (piece + tiles - 1) / tiles };
    for (int i = 0; i < 2; i++) occurs[height[i] / phases] = occurs[(height[i] + phases - 1) / phases] = true;
    occurs[0] = false;
    plan_cut c = plan_cut_of(occurs, plan_tallest_of(rows));
    c.tile = (int)tile;
    return c;
}

/* Kernels of one cut: to g, [rows - low][remainder of blocks][remainder of parts]. */
static void fill_windows(plan_gemm *g, const plan_tiles *t, const plan_cut *c, int run)
{
    const int widths[] = { t->width, t->n % t->width }, depths[] = { run < t->part ? run : t->part, run > t->part ? run % t->part : 0 };
    for (int i = 0; i < c->heights * 4; i++) {
        const int m = widths[i / 2 % 2], k = depths[i % 2];
        if (c->occurs[i / 4] && m && k) g[i] = (plan_gemm){ m, c->low + i / 4, k, m, t->ldx, t->phases * m, 0, 1 };
    }
}

/* Copies of the lines that pieces read which are done together, unless all windows are inside the image. */
static void choose_pieces(plan_step *t, int64_t rows)
{
    const ir_node *n = t->node;
    const plan_value *x = plan_value_of(t->scope, n->input[0]), *out = plan_value_of(t->scope, n->output[0]);
    int *const pieces = &t->tiles[0].chunk;
    *pieces = out->shape[2] == t->piece ? (int)(rows / t->piece) : 1;
    while (!windows_are_inside(n, x, out)) {
        t->scratch_bytes = plan_float_bytes(reach(n, 0, *pieces) * reach(n, 1, t->piece) * channels_of(x));
        if (*pieces == 1 || t->scratch_bytes <= NEAR_BYTES) break;
        (*pieces)--;
    }
}

/* Pieces of lines, as templates/conv_last_f32.h wants them; kernels [rows - low][remainder of blocks][remainder of parts], each a sum over several runs
 * of the window or over a part of one. */
static void batch_kernels(plan *p, plan_step *t, int tile, int wide_tile)
{
    const ir_node *n = t->node;
    const plan_value *x = plan_value_of(t->scope, n->input[0]), *out = plan_value_of(t->scope, n->output[0]);
    const int groups = (int)ir_int(n, KEY_GROUP, 1), channels = channels_of(x) / groups, stride = (int)ir_find(n, KEY_STRIDES)->list.item[1];
    const bool lines_are_runs = channels < FEW_CHANNELS && groups == 1 && ir_find(n, KEY_DILATIONS)->list.item[1] == 1;
    const int taps = lines_are_runs ? (int)ir_find(n, KEY_KERNEL)->list.item[1] : 1, phases = taps > 1 ? (taps + stride - 1) / stride : 1;
    const int run = taps * channels;
    const int features = channels_of(out), most = features < PLAN_BLOCK ? features : PLAN_BLOCK;
    plan_tiles *const to = &t->tiles[0];
    plan_set_cuts(t, cut_piece(p, t->piece, tile, phases), cut_piece(p, t->piece, wide_tile, phases));
    to->width = groups > 1 ? largest_divisor(features / groups, most) : most;
    to->n = features, to->k = (int)plan_value_of(t->scope, n->input[1])->shape[0], to->ldx = phases * stride * channels_of(x), to->ldy = features;
    to->part = run > PLAN_PART ? plan_part_of(run, PLAN_PART) : PLAN_PART;
    to->taps = taps, to->phases = phases;
    const int heights = to->cut.heights > to->wide.heights ? to->cut.heights : to->wide.heights;
    plan_gemm *g = arena_array(p->arena, (size_t)heights * 4, sizeof *g), *w = arena_array(p->arena, (size_t)heights * 4, sizeof *w);
    fill_windows(g, to, &to->cut, run);
    fill_windows(w, to, &to->wide, run);
    to->gemm = plan_add_gemms(p, g, w, heights * 4);
}

void plan_conv_kernels(plan *p, plan_step *t, int64_t rows, int tile, int wide_tile)
{
    if (t->columns) {
        few_rows(p, t, rows, wide_tile);
    } else {
        batch_kernels(p, t, tile, wide_tile);
        choose_pieces(t, rows);
    }
}
