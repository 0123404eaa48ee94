/* Attention of a panel of query rows to all keys, head by head: scores, mask, softmax, values.
 * Shapes: q [rows][ldq], head h at h d; kt [groups][d][ldk], the keys transposed, columns from `keys` on ignored; v [keys][ldv], group g at g e;
 *         out [rows][ldo], head h at h e; probabilities (or NULL) [heads][probability_rows][keys], of which rows first_row on are written.
 *         scratch: height (ldk + 1) floats for the largest tile height. Rows are cut into ceil(rows / tile) tiles of nearly equal height.
 * Requires: heads a multiple of groups; ldk >= keys >= 1; code.scores, code.values: NULL, or [height - low] for every height that occurs, each a
 *         kernel or NULL. scores: m = width, a divisor of ldk, k = d, lda = ldk, ldb = ldq, ldc = ldk. The values of `part` keys at a time: m = e,
 *         k = part, or keys if there are fewer, lda = ldv, ldb = ldk, ldc = ldo. code.add: NULL, or as values, adding: [height - low][0: part
 *         keys, 1: what is left of them].
 * Numerics: the largest of a row is subtracted before the exponential; out is divided by the row's sum after the product with v. A NaN in a row of
 *         q, or in a key it sees, gives NaN. A row all of -infinity gives zeros, or NaN, as mask.empty_is_nan says.
 * Source: Vaswani et al., "Attention Is All You Need", 2017. */
#ifndef VITCC_TEMPLATES_ATTENTION_F32_H
#define VITCC_TEMPLATES_ATTENTION_F32_H

#include "linear_f32.h"
#include "softmax_f32.h"

enum { ATTENTION_NEAR = 1 << 21 };   /* bytes of keys and values that stay in the second-level cache */

typedef struct attention_code {
    gemm_code *const *scores, *const *values, *const *add;
} attention_code;

/* The keys are a grid, to which values by its rows and others by its columns are added: by_row [heads][queries][rows],
 * by_column [heads][queries][columns]. */
typedef struct attention_grid {
    const float *by_row, *by_column;
    int rows, columns;
    size_t queries;
} attention_grid;

/* What is added to the scaled scores or takes keys out. Element (head, row, key) is at
 * head head_stride + row row_stride + key key_stride (0 or 1). */
typedef struct attention_mask {
    const float *add;            /* NULL: nothing is added */
    const unsigned char *take;   /* 0: the key is taken out; NULL: all take part */
    size_t head_stride, row_stride;
    int key_stride;
    int causal;                  /* 1: query i sees keys up to i + offset */
    int offset;                  /* keys - queries */
    int empty_is_nan;            /* a row without any key: 1: NaN, 0: zeros */
    const attention_grid *grid;  /* NULL: nothing is added by rows and columns of keys */
} attention_mask;

/* s = s scale + mask, on `count` keys. */
TEMPLATE vf attention_masked_f32(vf s, const attention_mask *mask, size_t at, int key, int last_key, int count)
{
    if (mask->add) s += mask->key_stride ? vf_load_part(mask->add + at + key, count) : vf_splat(mask->add[at]);
    if (mask->take) {
        vi taken = vi_splat(mask->take[at]);
        if (mask->key_stride)
            for (int i = 0; i < LANES; i++) taken[i] = i < count ? mask->take[at + (size_t)(key + i)] : 0;
        s = vf_select(taken != 0, s, vf_splat(-INFINITY));
    }
    if (mask->causal) s = vf_select(vi_lanes() + key <= last_key, s, vf_splat(-INFINITY));
    return s;
}

/* s = s scale + what is added by row and by column of the grid. Returns the largest, NaN passed over or returned. */
TEMPLATE float attention_grid_row_f32(float *s, float scale, const attention_grid *grid, size_t head, size_t row)
{
    const int columns = grid->columns;
    const size_t query = head * grid->queries + row;
    vf top = vf_splat(-INFINITY);
    const float *const by_row = grid->by_row + query * (size_t)grid->rows, *const by_column = grid->by_column + query * (size_t)columns;
    for (int r = 0; r < grid->rows; r++, s += columns) {
        const vf add = vf_splat(by_row[r]);
        int c = 0;
        for (; c + LANES <= columns; c += LANES) {
            const vf sum = vf_fma(vf_load(s + c), vf_splat(scale), add + vf_load(by_column + c));
            vf_store(s + c, sum);
            top = vf_larger(sum, top);
        }
        const int rest = columns - c;
        if (rest) {
            const vf sum = vf_fma(vf_load_part(s + c, rest), vf_splat(scale), add + vf_load_part(by_column + c, rest));
            vf_store_part(s + c, sum, rest);
            top = vf_larger(vf_select(vi_first(rest), sum, top), top);
        }
    }
    return vf_largest(top);
}

/* s = s scale + mask. Returns the largest, as above. */
TEMPLATE float attention_mask_row_f32(float *s, int keys, float scale, const attention_mask *mask, size_t head, size_t row)
{
    const size_t at = head * mask->head_stride + row * mask->row_stride;
    const int last_key = (int)row + mask->offset;
    vf top = vf_splat(-INFINITY);
    int i = 0;
    for (; i + LANES <= keys; i += LANES) {
        const vf masked = attention_masked_f32(vf_load(s + i) * scale, mask, at, i, last_key, LANES);
        vf_store(s + i, masked);
        top = vf_larger(masked, top);
    }
    const int rest = keys - i;
    if (rest) {
        const vf masked = attention_masked_f32(vf_load_part(s + i, rest) * scale, mask, at, i, last_key, rest);
        vf_store_part(s + i, masked, rest);
        top = vf_larger(vf_select(vi_first(rest), masked, top), top);
    }
    return vf_largest(top);
}

static inline bool row_has_nan(const float *s, int n)
{
    for (int i = 0; i < n; i++)
        if (s[i] != s[i]) return true;
    return false;
}

/* Turns scores into e^(score - largest); returns what the products with v are multiplied by. */
TEMPLATE float attention_softmax_row_f32(float *s, int keys, float scale, const attention_mask *mask, size_t head, size_t row)
{
    const bool grid = mask && mask->grid, masked = mask && (mask->add || mask->take || mask->causal), plain = !masked && !grid && scale > 0;
    if (!plain && !grid && !masked) row_scale_f32(s, s, keys, scale);
    float top = grid ? attention_grid_row_f32(s, scale, mask->grid, head, row) : masked ? 0 : row_largest_f32(s, keys);
    if (masked) top = attention_mask_row_f32(s, keys, grid ? 1 : scale, mask, head, row);
    if (top == -INFINITY && !row_has_nan(s, keys)) {
        memset(s, 0, (size_t)keys * sizeof *s);
        return mask && !mask->empty_is_nan ? 0 : NAN;
    }
    return 1 / row_exp_f32(s, s, keys, top, plain ? scale : 1);
}

/* The keys and values that are read after this head's, NULL: none need be fetched; and of its tiles, how many there are and which this is. */
typedef struct attention_next {
    const float *kt, *v;
    int tile, tiles;
} attention_next;

/* Fetches the share that falls to the tile's scores of `width` keys from `key` on. */
TEMPLATE void attention_fetch_f32(const attention_next *next, int key, int width, int keys, int ldk, int ldv, int d, int e)
{
    const int blocks = (keys + width - 1) / width;
    const ptrdiff_t calls = (ptrdiff_t)next->tiles * blocks, call = (ptrdiff_t)next->tile * blocks + key / width, lines = (ptrdiff_t)d * ldk * 4 / FETCH_LINE;
    if (!next->kt) return;
    fetch_lines_f32(next->kt + lines * call / calls * (FETCH_LINE / 4), (int)(lines * (call + 1) / calls - lines * call / calls));
    for (ptrdiff_t i = keys * call / calls; i < keys * (call + 1) / calls; i++) fetch_lines_f32(next->v + i * ldv, (e * 4 + FETCH_LINE - 1) / FETCH_LINE);
}

/* rows of one head: q, out and probabilities at the tile's first row. */
TEMPLATE void attention_tile_f32(const attention_code *code, int kernel, const float *q, int ldq, const float *kt, const float *v, int ldv,
                                 float *out, int ldo, int rows, size_t row, size_t head, int keys, int ldk, int width, int part, int d, int e,
                                 float scale, const attention_mask *mask, float *probabilities, float *scratch, const attention_next *next)
{
    gemm_code *const scores = code && code->scores ? code->scores[kernel] : NULL;
    float *s = scratch, *factor = scratch + (ptrdiff_t)rows * ldk;
    for (int key = 0; key < keys; key += width) {
        attention_fetch_f32(next, key, width, keys, ldk, ldv, d, e);
        gemm_f32(scores, kt + key, q, s + key, width, rows, d, ldk, ldq, ldk, 0);
    }
    for (int r = 0; r < rows; r++) factor[r] = attention_softmax_row_f32(s + (ptrdiff_t)r * ldk, keys, scale, mask, head, row + (size_t)r);
    for (int key = 0; key < keys; key += part) {
        const int count = keys - key < part ? keys - key : part;
        gemm_code *const *values = !code ? NULL : !key ? code->values : code->add;
        gemm_f32(values ? values[key ? 2 * kernel + (count < part) : kernel] : NULL, v + (ptrdiff_t)key * ldv, s + key, out, e, rows, count, ldv, ldk,
                 ldo, key > 0);
    }
    for (int r = 0; r < rows; r++) {
        row_scale_f32(out + (ptrdiff_t)r * ldo, out + (ptrdiff_t)r * ldo, e, factor[r]);
        if (probabilities) row_scale_f32(s + (ptrdiff_t)r * ldk, probabilities + (ptrdiff_t)r * keys, keys, factor[r]);
    }
}

/* mask: NULL: none, and an empty row is NaN. first_row: the query index of the panel's first row, for mask and probabilities. */
TEMPLATE void attention_f32(const attention_code *code, const float *q, int ldq, const float *kt, const float *v, int ldv, float *out, int ldo,
                            int rows, size_t first_row, int heads, int groups, int keys, int ldk, int width, int part, int d, int e, float scale,
                            const attention_mask *mask, float *probabilities, size_t probability_rows, float *scratch, int tile, int low)
{
    const int tiles = tile_count(rows, tile), each = heads / groups;
    for (int h = 0; h < heads; h++) {
        const int g = h / each, after = h + 1 < heads ? (h + 1) / each : 0;   /* behind the last, the next panel begins anew */
        const bool far = after != g && (size_t)keys * (size_t)(groups * (d + e)) * sizeof *kt > ATTENTION_NEAR;
        for (int i = 0, r = 0; i < tiles; i++) {
            const int height = tile_height(rows, tiles, i);
            const size_t row = first_row + (size_t)r;
            const attention_next next = { far ? kt + (ptrdiff_t)after * d * ldk : NULL, v + after * e, i, tiles };
            float *const p = probabilities ? probabilities + ((size_t)h * probability_rows + row) * (size_t)keys : NULL;
            attention_tile_f32(code, height - low, q + (ptrdiff_t)r * ldq + h * d, ldq, kt + (ptrdiff_t)g * d * ldk, v + g * e, ldv,
                               out + (ptrdiff_t)r * ldo + h * e, ldo, height, row, (size_t)h, keys, ldk, width, part, d, e, scale, mask, p, scratch,
                               &next);
            r += height;
        }
    }
}

#endif
