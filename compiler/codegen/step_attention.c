/* Steps of attention: the attention itself, and the transposition of its keys. */
#include "codegen_private.h"
#include "codegen_steps.h"

#include <string.h>

typedef struct attention_shape { int64_t batch, queries, heads, d, keys, groups, e, ldk; bool transposed; } attention_shape;

static attention_shape shape_of(const step_site *at)
{
    const ir_node *n = at->step->node;
    const plan_value *q = plan_value_of(at->scope, n->input[0]), *v = plan_value_of(at->scope, n->input[2]);
    return (attention_shape){ .batch = q->shape[0], .queries = q->shape[1], .heads = q->shape[2], .d = q->shape[3], .keys = v->shape[1],
                              .groups = v->shape[2], .e = v->shape[3], .ldk = at->step->tiles[0].n, .transposed = ir_int(n, KEY_TRANSPOSED, 0) != 0 };
}

/* An input that is read as a whole, of the image that a unit step works on. */
static const char *of_image(codegen *g, const char *pointer, const plan_value *x, int64_t batch)
{
    const int64_t runs = x->row_elements != x->row_stride ? x->elements / x->row_elements * x->row_stride : x->elements;
    return batch == 1 ? pointer : arena_printf(g->arena, "%s + row * %lld", pointer, (long long)(runs / batch));
}

/* Does the attention add values by rows and columns of its keys? */
static bool has_grid(const ir_node *n)
{
    return n->inputs > 5 && n->input[4];
}

/* Whether a mask has values of its own for each of the batch: rank 4, and not 1 along the first axis. */
static bool mask_by_batch(const plan_value *mask)
{
    return mask && mask->value->type.rank == 4 && mask->shape[0] != 1;
}

/* Strides of a mask that broadcasts to [B, H, Tq, Tk], of one of the batch; false: there is none. */
static bool print_mask(strbuf *to, const step_site *at, const attention_shape *a)
{
    const ir_node *n = at->step->node;
    const ir_value *mask = n->inputs > 3 ? n->input[3] : NULL;
    const bool causal = ir_int(n, KEY_CAUSAL, 0) != 0, zero = ir_is_name(n, KEY_EMPTY, "zero");
    if (!mask && !causal && !zero && !has_grid(n)) return false;
    if (has_grid(n))
        strbuf_printf(to, "    const attention_grid grid = { by_row, by_column, %lld, %lld, %lld };\n",
                      (long long)plan_value_of(at->scope, n->input[4])->shape[3], (long long)plan_value_of(at->scope, n->input[5])->shape[3],
                      (long long)a->queries);
    const plan_value *x = plan_value_of(at->scope, mask);
    int64_t size[4] = { 1, 1, 1, 1 };
    for (int i = 0; x && i < mask->type.rank; i++) size[4 - mask->type.rank + i] = x->shape[i];
    const int64_t row = size[2] > 1 ? size[3] : 0, head = size[1] > 1 ? size[2] * size[3] : 0;
    const bool boolean = x && !elem_is_float(mask->type.elem);
    strbuf_printf(to, "    const attention_mask mask = { %s, %s, %lld, %lld, %d, %d, %lld, %d, %s };\n", x && !boolean ? "mask_values" : "NULL",
                  boolean ? "mask_values" : "NULL", (long long)head, (long long)row, size[3] > 1 || a->keys == 1, causal,
                  (long long)(a->keys - a->queries), !zero, has_grid(n) ? "&grid" : "NULL");
    return true;
}

void codegen_attention(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const attention_shape s = shape_of(at);
    const plan_tiles *scores = &at->step->tiles[0], *values = &at->step->tiles[1];
    const plan_value *k = plan_value_of(at->scope, n->input[1]), *v = plan_value_of(at->scope, n->input[2]);
    const bool has_mask = n->inputs > 3 && n->input[3], probabilities = n->outputs > 1;
    strbuf parameters = strbuf_in(a), arguments = strbuf_in(a), body = strbuf_in(a);
    strbuf_printf(&parameters,
                  "gemm_code *const *code, const float *q, const float *k, const float *v, %s%s%sfloat *out, float *scratch, int64_t row, int64_t rows",
                  has_mask ? arena_printf(a, "const %s *mask_values, ", codegen_c_type(n->input[3]->type.elem)) : "",
                  has_grid(n) ? "const float *by_row, const float *by_column, " : "", probabilities ? "float *probabilities, " : "");
    strbuf_printf(&arguments, "m->code, %s, %s, %s, ", codegen_input(g, at, 0, true), of_image(g, codegen_input(g, at, 1, false), k, s.batch),
                  of_image(g, codegen_input(g, at, 2, false), v, s.batch));
    if (has_mask) {
        const plan_value *mask = plan_value_of(at->scope, n->input[3]);
        const char *pointer = codegen_input(g, at, 3, false);
        strbuf_printf(&arguments, "%s, ", mask_by_batch(mask) ? of_image(g, pointer, mask, s.batch) : pointer);
    }
    for (int i = 4; has_grid(n) && i < 6; i++)
        strbuf_printf(&arguments, "%s, ", of_image(g, codegen_input(g, at, i, false), plan_value_of(at->scope, n->input[i]), s.batch));
    if (probabilities)
        strbuf_printf(&arguments, "%s, ", of_image(g, codegen_output(g, at, 1, false), plan_value_of(at->scope, n->output[1]), s.batch));
    strbuf_printf(&arguments, "%s, %s, %s, %s", codegen_output(g, at, 0, true), codegen_scratch(g, at->phase, at->step->scratch),
                  s.batch == 1 ? "row" : "0", s.batch == 1 ? "rows" : arena_printf(a, "%lld", (long long)s.queries));
    strbuf_printf(&body, "static void $(%s)\n{\n"
                         "    const attention_code products = { code + %d, code + %d, ", parameters.text, scores->gemm, values->gemm);
    strbuf_printf(&body, values->gemm_add < 0 ? "NULL };\n" : "code + %d };\n", values->gemm_add);
    const bool masked = print_mask(&body, at, &s);
    const char *keys = "k";
    if (!s.transposed) {
        const int ld = (int)(k->row_elements == k->row_stride ? s.groups * s.d : k->row_stride);
        strbuf_printf(&body, "    float *const keys = scratch;\n"
                             "    clear_keys_f32(keys, %d, %d, %d, %d);\n"
                             "    transpose_keys_f32(k, %d, keys, %d, 0, %d, %d, %d);\n"
                             "    scratch += %lld;\n",
                      (int)s.ldk, (int)s.keys, (int)s.groups, (int)s.d, ld, (int)s.ldk, (int)s.keys, (int)s.groups, (int)s.d,
                      (long long)plan_round_up(s.groups * s.d * s.ldk, 16));
        keys = "keys";
    }
    strbuf_printf(&body, "    attention_f32(&products, q, %d, %s, v, %d, out, %d, (int)rows, (size_t)row, "
                         "%d, %d, %d, %d, %d, %d, %d, %d, %s, %s, %s, %d, scratch, %d, %d);\n}\n",
                  scores->ldx, keys, (int)(v->row_elements == v->row_stride ? s.groups * s.e : v->row_stride), values->ldy,
                  (int)s.heads, (int)s.groups, (int)s.keys, (int)s.ldk, scores->width, values->chunk, (int)s.d, (int)s.e,
                  codegen_float(a, ir_number(n, KEY_SCALE, 1)), masked ? "&mask" : "NULL", probabilities ? "probabilities" : "NULL",
                  (int)s.queries, scores->tile, scores->low);
    const char *wish = arena_printf(a, "attention_%dx%d_over_%d", (int)s.heads, (int)s.d, (int)s.keys);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters.text, body.text), arguments.text);
}

/* [B, T, G, d] to [B, G, d, T padded]; the panel with the first row clears the padding. */
void codegen_keys(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const plan_value *in = plan_value_of(at->scope, plan_input(at->step->node, 0)), *out = plan_value_of(at->scope, at->step->node->output[0]);
    const int64_t batch = in->shape[0], keys = in->shape[1], groups = in->shape[2], d = in->shape[3], ldk = out->shape[3];
    const int64_t ld = in->row_elements == in->row_stride ? groups * d : in->row_stride;
    const char *parameters = "const float *k, float *keys, int64_t row, int64_t rows";
    const char *body = arena_printf(a, "static void $(%s)\n{\n"
                                       "    if (row == 0) clear_keys_f32(keys, %lld, %lld, %lld, %lld);\n"
                                       "    transpose_keys_f32(k, %lld, keys, %lld, (size_t)row, (int)rows, %lld, %lld);\n"
                                       "}\n",
                                    parameters, (long long)ldk, (long long)keys, (long long)groups, (long long)d, (long long)ld, (long long)ldk,
                                    (long long)groups, (long long)d);
    const char *name = codegen_instance(g, arena_printf(a, "keys_%lldx%lld", (long long)groups, (long long)d), parameters, body);
    codegen_call(g, to, at, name, arena_printf(a, "%s, %s, %s, %s", codegen_input(g, at, 0, true),
                                               of_image(g, codegen_output(g, at, 0, false), out, batch), batch == 1 ? "row" : "0",
                                               batch == 1 ? "rows" : arena_printf(a, "%lld", (long long)keys)));
}
