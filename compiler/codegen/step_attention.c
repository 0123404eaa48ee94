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

/* Elements of x from one window to the next. */
static int64_t window_elements(const plan_value *x, int64_t batch)
{
    const int64_t runs = x->row_elements != x->row_stride ? x->elements / x->row_elements * x->row_stride : x->elements;
    return runs / batch;
}

/* An input that is read as a whole, at the panel's first window. */
static const char *of_windows(codegen *g, const char *pointer, const plan_value *x, int64_t batch)
{
    return batch == 1 ? pointer : arena_printf(g->arena, "%s + row * %lld", pointer, (long long)window_elements(x, batch));
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

/* Defines $_window, which is $ of one window, and begins $, which runs it for each; `parameters` and `each` are the pointers' declarations, and their
 * names with the way from one window to the next. */
static void print_windows(strbuf *body, const char *parameters, const char *each, const char *scratch)
{
    strbuf_printf(body, "static void $(%s%sint64_t windows)\n{\n"
                        "    for (int64_t i = 0; i < windows; i++) $_window(%s%s);\n"
                        "}\n", parameters, *scratch ? "float *scratch, " : "", each, scratch);
}

/* The pointers of an attention: their declarations, the arguments, and the arguments from window to window. */
typedef struct pointers { strbuf parameters, arguments, each; } pointers;

static void add_pointer(codegen *g, pointers *p, const char *type, const char *name, const char *pointer, const plan_value *x, int64_t batch)
{
    const long long step = x && batch > 1 ? (long long)window_elements(x, batch) : 0;
    strbuf_printf(&p->parameters, "%s *%s, ", type, name);
    strbuf_printf(&p->arguments, "%s, ", pointer);
    strbuf_add(&p->each, step ? arena_printf(g->arena, ", %s + i * %lld", name, step) : arena_printf(g->arena, ", %s", name));
}

static void add_pointers(codegen *g, const step_site *at, const attention_shape *s, pointers *p)
{
    static const char *const name[] = { "q", "k", "v", "mask_values", "by_row", "by_column" };
    const ir_node *n = at->step->node;
    for (int i = 0; i < n->inputs; i++) {
        const plan_value *x = codegen_input_value(at, i);
        if (!x) continue;
        const char *type = arena_printf(g->arena, "const %s", codegen_c_type(n->input[i]->type.elem));
        const bool shared = i == 3 && !mask_by_batch(x), panel = at->step->aligned[i];
        const char *pointer = codegen_input(g, at, i, panel);
        add_pointer(g, p, type, name[i], panel || shared ? pointer : of_windows(g, pointer, x, s->batch), shared ? NULL : x, s->batch);
    }
    if (n->outputs > 1) {
        const plan_value *x = plan_value_of(at->scope, n->output[1]);
        add_pointer(g, p, "float", "probabilities", of_windows(g, codegen_output(g, at, 1, false), x, s->batch), x, s->batch);
    }
    add_pointer(g, p, "float", "out", codegen_output(g, at, 0, true), codegen_output_value(at), s->batch);
}

/* Transposes the keys into the scratch; the name of what it made. */
static const char *print_own_keys(strbuf *body, const plan_value *k, const attention_shape *s)
{
    if (s->transposed) return "k";
    const int ld = (int)(k->row_elements == k->row_stride ? s->groups * s->d : k->row_stride);
    strbuf_printf(body, "    float *const keys = scratch;\n"
                        "    clear_keys_f32(keys, %d, %d, %d, %d);\n"
                        "    transpose_keys_f32(k, %d, keys, %d, 0, %d, %d, %d);\n"
                        "    scratch += %lld;\n",
                  (int)s->ldk, (int)s->keys, (int)s->groups, (int)s->d, ld, (int)s->ldk, (int)s->keys, (int)s->groups, (int)s->d,
                  (long long)plan_round_up(s->groups * s->d * s->ldk, 16));
    return "keys";
}

void codegen_attention(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const attention_shape s = shape_of(at);
    const plan_tiles *scores = &at->step->tiles[0], *values = &at->step->tiles[1];
    const plan_value *k = plan_value_of(at->scope, n->input[1]), *v = plan_value_of(at->scope, n->input[2]);
    const bool windows = s.batch > 1;
    pointers p = { strbuf_in(a), strbuf_in(a), strbuf_in(a) };
    strbuf body = strbuf_in(a);
    add_pointers(g, at, &s, &p);
    const char *parameters = arena_printf(a, "gemm_code *const *code, %s", p.parameters.text);
    const char *whole = arena_printf(a, "%sfloat *scratch%s", parameters, windows ? "" : ", int64_t row, int64_t rows");
    strbuf_printf(&body, "static void $%s(%s)\n{\n    const attention_code products = { code + %d, code + %d, ", windows ? "_window" : "", whole,
                  scores->gemm, values->gemm);
    strbuf_printf(&body, values->gemm_add < 0 ? "NULL };\n" : "code + %d };\n", values->gemm_add);
    const bool masked = print_mask(&body, at, &s);
    const char *keys = print_own_keys(&body, k, &s), *rows = windows ? arena_printf(a, "%d, 0", (int)s.queries) : "(int)rows, (size_t)row";
    strbuf_printf(&body, "    attention_f32(&products, q, %d, %s, v, %d, out, %d, %s, "
                         "%d, %d, %d, %d, %d, %d, %d, %d, %s, %s, %s, %d, scratch, %d, %d);\n}\n",
                  scores->ldx, keys, (int)(v->row_elements == v->row_stride ? s.groups * s.e : v->row_stride), values->ldy, rows,
                  (int)s.heads, (int)s.groups, (int)s.keys, (int)s.ldk, scores->width, values->chunk, (int)s.d, (int)s.e,
                  codegen_float(a, ir_number(n, KEY_SCALE, 1)), masked ? "&mask" : "NULL", n->outputs > 1 ? "probabilities" : "NULL",
                  (int)s.queries, scores->cut.tile, scores->cut.low);
    if (windows) {
        strbuf_add(&body, "\n");
        print_windows(&body, parameters, arena_printf(a, "code%s", p.each.text), ", scratch");
        whole = arena_printf(a, "%sfloat *scratch, int64_t windows", parameters);
    }
    const char *wish = arena_printf(a, "attention_%dx%d_over_%d", (int)s.heads, (int)s.d, (int)s.keys);
    const char *scratch = codegen_scratch(g, at->phase, at->step->scratch), *count = codegen_times_rows(g, at, 1);
    codegen_call(g, to, at, codegen_instance(g, wish, whole, body.text),
                 arena_printf(a, "m->code, %s%s, %s", p.arguments.text, scratch, windows ? count : arena_printf(a, "row, %s", count)));
}

/* [B, T, G, d] to [B, G, d, T padded], window by window; or of one, the panel with the first row clearing the padding. */
void codegen_keys(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const plan_value *in = plan_value_of(at->scope, plan_input(at->step->node, 0)), *out = plan_value_of(at->scope, at->step->node->output[0]);
    const int64_t batch = in->shape[0], keys = in->shape[1], groups = in->shape[2], d = in->shape[3], ldk = out->shape[3];
    const int64_t ld = in->row_elements == in->row_stride ? groups * d : in->row_stride;
    const bool windows = batch > 1;
    const char *parameters = windows ? "const float *k, float *keys, int64_t windows" : "const float *k, float *keys, int64_t row, int64_t rows";
    strbuf body = strbuf_in(a);
    strbuf_printf(&body, "static void $%s(const float *k, float *keys%s)\n{\n", windows ? "_window" : "",
                  windows ? "" : ", int64_t row, int64_t rows");
    strbuf_printf(&body, "    %sclear_keys_f32(keys, %lld, %lld, %lld, %lld);\n", windows ? "" : "if (row == 0) ", (long long)ldk, (long long)keys,
                  (long long)groups, (long long)d);
    strbuf_printf(&body, "    transpose_keys_f32(k, %lld, keys, %lld, %s, %lld, %lld);\n}\n", (long long)ld, (long long)ldk,
                  windows ? arena_printf(a, "0, %lld", (long long)keys) : "(size_t)row, (int)rows", (long long)groups, (long long)d);
    if (windows) {
        strbuf_add(&body, "\n");
        print_windows(&body, "const float *k, float *keys, ", arena_printf(a, "k + i * %lld, keys + i * %lld", (long long)window_elements(in, batch),
                                                                         (long long)window_elements(out, batch)), "");
    }
    const char *name = codegen_instance(g, arena_printf(a, "keys_%lldx%lld", (long long)groups, (long long)d), parameters, body.text);
    codegen_call(g, to, at, name, arena_printf(a, "%s, %s, %s%s", codegen_input(g, at, 0, true), codegen_output(g, at, 0, windows),
                                               windows ? "" : "row, ", codegen_times_rows(g, at, 1)));
}
