/* Nodes of the graph and outputs of the file's nodes. */
#include <string.h>

#include "../ir/eval.h"
#include "import_affine.h"

bool import_fail(importer *im, const import_node *n, status code, int i, const char *format, ...)
{
    const bool typed = i >= 0 && i < n->inputs && n->in[i] && n->in[i]->known;
    const diag_place place = { .node = n->place, .input = i, .shape = typed ? ir_type_text(im->arena, im->symbols, &n->in[i]->type) : NULL };
    va_list args;
    va_start(args, format);
    diag_error(im->diag, code, &place, "%s", arena_vprintf(im->arena, format, args));
    va_end(args);
    return false;
}

ir_node *import_begin(importer *im, const import_node *n, ir_op op)
{
    ir_node *node = ir_begin(im->graph, op);
    ir_add_origin(node, n->origin);
    return node;
}

/* ---- folding ---- */

static bool is_foldable(const ir_node *node)
{
    for (int i = 0; i < node->inputs; i++)
        if (node->input[i] && !ir_is_const(node->input[i])) return false;
    int64_t elements;
    return node->op != IR_CONST && node->outputs == 1 && ir_dims_constant(&node->output[0]->type, NULL, &elements) && elements <= FOLD_MAX;
}

static ir_value *fold(importer *im, ir_node *node)
{
    eval_tensor t;
    if (eval_node(node, &t, im->diag) != STATUS_OK) return NULL;
    const ir_type type = node->output[0]->type;
    const size_t size = (size_t)t.elements * elem_size(type.elem);
    void *data = arena_alloc(im->arena, size);
    if (size) memcpy(data, t.data, size);
    eval_free(&t);
    ir_value *constant = ir_constant(im->graph, type, data, size, NULL);
    ir_copy_origins(constant->def, node);
    ir_remove(node);
    return constant;
}

static ir_value *folded(importer *im, ir_value *v)
{
    return v && is_foldable(v->def) ? fold(im, v->def) : v;
}

ir_value *import_end(importer *im, ir_node *node)
{
    return folded(im, ir_end(node, NULL, im->diag));
}

/* ---- short forms; a NULL input stands for an error that was reported ---- */

ir_value *import_move(importer *im, const import_node *n, ir_value *x, const move *m, const ir_type *to)
{
    if (!x) return NULL;
    if (ir_type_equal(&x->type, to) && move_is_reshape(&x->type, m)) return x;
    ir_value *v = ir_move_of(im->graph, x, m, to, NULL, im->diag);
    if (v) ir_add_origin(v->def, n->origin);
    return folded(im, v);
}

ir_value *import_reshape(importer *im, const import_node *n, ir_value *x, const dim *shape, int rank)
{
    move m;
    ir_type to;
    if (!x) return NULL;
    if (move_reshape(&x->type, shape, rank, &m, &to)) return import_move(im, n, x, &m, &to);
    import_fail(im, n, STATUS_SHAPE, -1, "%s does not become %d axes", ir_type_text(im->arena, im->symbols, &x->type), rank);
    return NULL;
}

ir_value *import_transpose(importer *im, const import_node *n, ir_value *x, const int *permutation)
{
    move m;
    ir_type to;
    if (!x) return NULL;
    if (move_transpose(&x->type, permutation, &m, &to)) return import_move(im, n, x, &m, &to);
    import_fail(im, n, STATUS_ATTRIBUTE, -1, "not a permutation of the axes");
    return NULL;
}

ir_value *import_map(importer *im, const import_node *n, const expr *e, ir_value *const *input, int inputs)
{
    for (int i = 0; i < inputs; i++)
        if (!input[i]) return NULL;
    ir_node *node = import_begin(im, n, IR_MAP);
    for (int i = 0; i < inputs; i++) ir_input(node, input[i]);
    ir_set_expr(node, KEY_EXPR, e);
    return import_end(im, node);
}

ir_value *import_map1(importer *im, const import_node *n, expr_op op, ir_value *x)
{
    if (!x) return NULL;
    expr_builder b = expr_begin(im->arena);
    const int in = expr_input(&b, 0, x->type.elem);
    return import_map(im, n, expr_end(&b, expr_apply(&b, op, in, -1, -1)), &x, 1);
}

ir_value *import_map2(importer *im, const import_node *n, expr_op op, ir_value *x, ir_value *y)
{
    if (!x || !y) return NULL;
    expr_builder b = expr_begin(im->arena);
    const int left = expr_input(&b, 0, x->type.elem), right = expr_input(&b, 1, y->type.elem);
    ir_value *const both[2] = { x, y };
    return import_map(im, n, expr_end(&b, expr_apply(&b, op, left, right, -1)), both, 2);
}

ir_value *import_convert(importer *im, const import_node *n, ir_value *x, elem to)
{
    if (!x || x->type.elem == to) return x;
    expr_builder b = expr_begin(im->arena);
    return import_map(im, n, expr_end(&b, expr_convert(&b, to, expr_input(&b, 0, x->type.elem))), &x, 1);
}

ir_value *import_number(importer *im, elem e, double number)
{
    const float narrow = (float)number;
    const uint16_t half = e == ELEM_F16 ? eval_to_f16(number) : eval_to_bf16(number);
    const int64_t whole = elem_is_float(e) ? 0 : (int64_t)number;
    const void *from = e == ELEM_F32 ? (const void *)&narrow : e == ELEM_F64 ? (const void *)&number : elem_is_float(e) ? (const void *)&half
        : (const void *)&whole;
    void *data = arena_alloc(im->arena, 8);
    memcpy(data, from, elem_size(e));
    return ir_constant(im->graph, (ir_type){ .elem = e }, data, elem_size(e), NULL);
}

/* ---- outputs ---- */

bool import_is_wanted(const import_node *n, int k)
{
    return k < n->outputs && n->out[k] && n->out[k]->read;
}

static import_value *output(import_node *n, int k, const ir_type *type)
{
    import_value *v = k < n->outputs ? n->out[k] : NULL;
    if (!v) return NULL;
    v->known = true;
    v->type = *type;
    return v;
}

bool import_put(importer *im, import_node *n, int k, ir_value *v)
{
    (void)im;
    if (!v) return false;
    import_value *out = output(n, k, &v->type);
    if (!out) return true;
    out->tensor = v;
    if (!v->name && v->def) v->name = out->name;
    return true;
}

void import_put_value(import_node *n, int k, const import_value *v)
{
    import_value *out = output(n, k, &v->type);
    if (!out) return;
    out->tensor = v->tensor;
    out->content = v->content;
    out->affine = v->affine;
    out->below = v->below;
}

bool import_put_same(importer *im, import_node *n, int k, int i)
{
    (void)im;
    import_put_value(n, k, n->in[i]);
    return true;
}

bool import_put_contents(importer *im, import_node *n, int k, const ir_type *type, const dim *content)
{
    (void)im;
    import_value *out = output(n, k, type);
    if (out) out->content = content;
    return true;
}

bool import_put_move(importer *im, import_node *n, int k, int i, const move *m, const ir_type *to)
{
    int64_t count, elements;
    const ir_type *from = import_type(n, i);
    if (import_affine_move(im, n, k, i, m, to) && !n->in[i]->tensor && !n->in[i]->content) return true;
    const dim *content = import_contents(im, n->in[i], &count);
    if (!content || !ir_dims_constant(to, NULL, &elements) || elements > CONTENTS_MAX) {
        ir_value *x = import_tensor(im, n, i);
        if (k < n->outputs && n->out[k]) n->out[k]->below = n->in[i]->below;
        return x && import_put(im, n, k, import_move(im, n, x, m, to));
    }
    dim *moved = arena_array(im->arena, (size_t)elements + 1, sizeof *moved);
    for (int64_t j = 0; j < elements; j++) moved[j] = content[move_source_index(from, m, NULL, j)];
    return import_put_contents(im, n, k, to, moved);
}
