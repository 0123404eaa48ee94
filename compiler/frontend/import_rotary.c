/* RotaryEmbedding of opset 23: the first features of each head turn by angles that their places give. */
#include <inttypes.h>

#include "import_heads.h"
#include "import_product.h"

typedef struct rotary { int64_t heads, size, turned; bool interleaved; } rotary;

/* Cosines or sines as [B or 1, T, 1, turned / 2]: rows of the cache by position, or given for each place. NULL: reported. */
static ir_value *angles(importer *im, import_node *n, int i, const rotary *r)
{
    ir_value *v = import_tensor(im, n, i);
    if (v && import_has(n, 3)) {
        if (v->type.rank != 2 || import_type(n, 3)->rank != 2 || !elem_is_integer(import_type(n, 3)->elem)) {
            return import_fail(im, n, STATUS_SHAPE, i, "a cache of two axes and positions of two are needed"), NULL;
        }
        v = compose_gather(im, n, v, import_tensor(im, n, 3), 0);
    }
    if (!v) return NULL;
    if (v->type.rank != 3 || !dim_equal(v->type.dim[2], dim_of(r->turned / 2)))
        return import_fail(im, n, STATUS_SHAPE, i, "does not fit the heads"), NULL;
    return compose_unsqueeze(im, n, v, 2);
}

/* x [B, T, H, turned]: even and odd features, or the two halves, turned as points of a plane. */
static ir_value *turn(importer *im, const import_node *n, ir_value *x, ir_value *cosine, ir_value *sine, const rotary *r)
{
    const dim half = dim_of(r->turned / 2);
    if (!x || !cosine || !sine) return NULL;
    ir_value *a = compose_slice(im, n, x, 3, 0, r->interleaved ? 2 : 1, half);
    ir_value *b = compose_slice(im, n, x, 3, r->interleaved ? 1 : r->turned / 2, r->interleaved ? 2 : 1, half);
    ir_value *real = import_map2(im, n, EXPR_SUB, import_map2(im, n, EXPR_MUL, a, cosine), import_map2(im, n, EXPR_MUL, b, sine));
    ir_value *imaginary = import_map2(im, n, EXPR_ADD, import_map2(im, n, EXPR_MUL, a, sine), import_map2(im, n, EXPR_MUL, b, cosine));
    if (!r->interleaved) return compose_concat(im, n, (ir_value *const[]){ real, imaginary }, 2, 3);
    ir_value *const pair[2] = { compose_unsqueeze(im, n, real, 4), compose_unsqueeze(im, n, imaginary, 4) };
    return import_reshape(im, n, compose_concat(im, n, pair, 2, 4), x->type.dim, 4);
}

static bool read_rotary(importer *im, import_node *n, const ir_type *x, rotary *r)
{
    if (!dim_is_constant(x->dim[3], &r->size) || r->size < 2) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the size of a head");
    r->turned = import_int(im, n, "rotary_embedding_dim", 0);
    r->interleaved = import_int(im, n, "interleaved", 0) != 0;
    if (!r->turned) r->turned = r->size;
    return (r->turned > 0 && r->turned <= r->size && r->turned % 2 == 0) || import_fail(im, n, STATUS_ATTRIBUTE, -1,
        "rotary_embedding_dim = %" PRId64, r->turned);
}

bool import_rotary_embedding(importer *im, import_node *n)
{
    static const int swap[] = { 0, 2, 1, 3 };
    rotary r = { 0 };
    const bool flat = import_type(n, 0)->rank == 3;
    for (int i = 0; i < 3; i++)
        if (!elem_is_float(import_type(n, i)->elem) || import_type(n, i)->elem != import_type(n, 0)->elem) {
            return import_fail(im, n, STATUS_TYPE, i, "floats of one type are needed");
        }
    if (!flat && import_type(n, 0)->rank != 4) return import_fail(im, n, STATUS_SHAPE, 0, "three or four axes are needed");
    ir_value *x = import_tensor(im, n, 0);
    x = flat ? heads_split(im, n, x, import_int(im, n, "num_heads", 0)) : x ? import_transpose(im, n, x, swap) : NULL;
    if (!x || !read_rotary(im, n, &x->type, &r)) return false;
    ir_value *first = compose_slice(im, n, x, 3, 0, 1, dim_of(r.turned));
    ir_value *parts[2] = { turn(im, n, first, angles(im, n, 1, &r), angles(im, n, 2, &r), &r) };
    if (r.turned < r.size) parts[1] = compose_slice(im, n, x, 3, r.turned, 1, dim_of(r.size - r.turned));
    ir_value *out = compose_concat(im, n, parts, r.turned < r.size ? 2 : 1, 3);
    return import_put(im, n, 0, flat ? heads_join(im, n, out) : out ? import_transpose(im, n, out, swap) : NULL);
}
