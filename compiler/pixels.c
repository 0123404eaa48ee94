/* See pixels.h. x = p * scale + shift, channel by channel, in double and rounded once: scale = rescale / std, shift = -mean / std. That is done as
 * the pixels lie, row by row; then they are turned to [batch, channels, height, width]. What can be folded into weights is the passes' work (passes/algebra_pixels.c). */
#include "pixels.h"

#include <inttypes.h>
#include <string.h>

enum { CHANNELS_MAX = 4 };   /* as many means as are read */

static const ir_port *named(const ir_graph *g, const char *name, size_t length)
{
    for (int i = 0; i < g->parameters; i++)
        if (strlen(g->parameter[i].name) == length && !strncmp(g->parameter[i].name, name, length)) return &g->parameter[i];
    return NULL;
}

static bool is_image(const ir_port *port)
{
    return port->value->type.rank == 4 && elem_is_float(port->value->type.elem);
}

/* The input meant; NULL: reported. */
static const ir_port *find_input(const ir_graph *g, const char *text, diag *d)
{
    const char *equals = strrchr(text, '=');
    const ir_port *found = equals ? named(g, text, (size_t)(equals - text)) : NULL;
    int images = 0;
    for (int i = 0; i < g->parameters && !equals; i++) {
        if (!is_image(&g->parameter[i])) continue;
        found = &g->parameter[i];
        images++;
    }
    if (equals && !found) diag_error(d, STATUS_PIXELS, NULL, "--input-type %.200s: no input of this name", text);
    else if (!found) diag_error(d, STATUS_PIXELS, NULL, "no input has four axes, [batch, channels, height, width], and a float type");
    else if (images > 1) diag_error(d, STATUS_PIXELS, NULL, "%d inputs may be images; name one, as in --input-type %.200s=uint8", images, found->name);
    return images > 1 ? NULL : found;
}

static status check_input(const ir_graph *g, const ir_port *port, int64_t *channels, diag *d)
{
    const ir_type *t = &port->value->type;
    const char *type = ir_type_text(g->arena, g->symbols, t);
    if (!is_image(port))
        return diag_error(d, STATUS_PIXELS, NULL, "input '%.200s' is %s, not [batch, channels, height, width] of a float type", port->name, type);
    if (!dim_is_constant(t->dim[1], channels) || *channels < 1 || *channels > CHANNELS_MAX)
        return diag_error(d, STATUS_PIXELS, NULL, "input '%.200s' is %s: its second axis is no number of channels, 1 to 4", port->name, type);
    return STATUS_OK;
}

/* One number a channel, again for each of `width` pixels: [width * channels]. */
static ir_value *row_of(ir_graph *g, int64_t width, int64_t channels, const double *number, ir_node *before)
{
    const ir_type type = { .elem = ELEM_F64, .rank = 1, .dim = { dim_of(width * channels) } };
    const size_t count = (size_t)(width * channels);
    double *data = arena_array(g->arena, count, sizeof *data);
    for (size_t i = 0; i < count; i++) data[i] = number[i % (size_t)channels];
    return ir_constant(g, type, data, count * sizeof *data, before);
}

/* bytes [N, H, W * C] as numbers of type `to`. */
static ir_value *converted(ir_graph *g, ir_value *bytes, elem to, int64_t channels, const codegen_preprocess *p, ir_node *before, diag *d)
{
    double scale[CHANNELS_MAX], shift[CHANNELS_MAX];
    int64_t row = 0;
    for (int c = 0; c < CHANNELS_MAX; c++) {
        scale[c] = (p->do_rescale ? p->rescale : 1) / (p->do_normalize ? p->std[c] : 1);
        shift[c] = p->do_normalize ? -p->mean[c] / p->std[c] : 0;
    }
    if (!dim_is_constant(bytes->type.dim[2], &row)) return NULL;
    expr_builder b = expr_begin(g->arena);
    ir_node *n = ir_begin(g, IR_MAP);
    ir_input(n, bytes);
    ir_input(n, row_of(g, row / channels, channels, scale, before));
    ir_input(n, row_of(g, row / channels, channels, shift, before));
    const int pixel = expr_convert(&b, ELEM_F64, expr_input(&b, 0, ELEM_U8));
    const int product = expr_apply(&b, EXPR_MUL, pixel, expr_input(&b, 1, ELEM_F64), -1);
    const int sum = expr_apply(&b, EXPR_ADD, product, expr_input(&b, 2, ELEM_F64), -1);
    ir_set_expr(n, KEY_EXPR, expr_end(&b, to == ELEM_F64 ? sum : expr_convert(&b, to, sum)));
    return n->input[1] && n->input[2] ? ir_end(n, before, d) : NULL;
}

static ir_value *reshaped(ir_graph *g, ir_value *x, const dim *shape, int rank, ir_node *before, diag *d)
{
    move m;
    ir_type to;
    return x && move_reshape(&x->type, shape, rank, &m, &to) ? ir_move_of(g, x, &m, &to, before, d) : NULL;
}

static ir_value *transposed(ir_graph *g, ir_value *x, const int *turn, ir_node *before, diag *d)
{
    move m;
    ir_type to;
    return x && move_transpose(&x->type, turn, &m, &to) ? ir_move_of(g, x, &m, &to, before, d) : NULL;
}

/* The parameter changes its type; its readers read what its pixels become. */
static bool rewrite(ir_graph *g, ir_value *x, int64_t channels, const codegen_preprocess *p, diag *d)
{
    const ir_type old = x->type;
    ir_node *first = g->first;
    dim rows[] = { old.dim[0], old.dim[2], old.dim[3] };
    x->type = (ir_type){ .elem = ELEM_U8, .rank = 4, .dim = { old.dim[0], old.dim[2], old.dim[3], old.dim[1] } };
    if (!dim_mul(old.dim[3], old.dim[1], &rows[2])) return false;
    ir_value *bytes = reshaped(g, x, rows, 3, first, d), *y = bytes ? converted(g, bytes, old.elem, channels, p, first, d) : NULL;
    y = reshaped(g, y, x->type.dim, 4, first, d);
    y = transposed(g, y, (int[]){ 0, 3, 1, 2 }, first, d);
    if (!y) return false;
    ir_replace(x, y);
    ir_set_input(bytes->def, 0, x);
    return true;
}

status pixels_take(ir_graph *g, const char *text, codegen_preprocess *p, diag *d)
{
    int64_t channels;
    if (!p->present) return diag_error(d, STATUS_PIXELS, NULL, "there is no preprocessor_config.json, so mean and std are not known; see --config");
    const ir_port *port = find_input(g, text, d);
    if (!port) return STATUS_PIXELS;
    const status s = check_input(g, port, &channels, d);
    if (s != STATUS_OK) return s;
    p->pixels = true;
    p->input = (int)(port - g->parameter);
    if (rewrite(g, port->value, channels, p, d)) return STATUS_OK;
    return diag_errors(d) ? diag_first(d) : diag_error(d, STATUS_PIXELS, NULL, "input '%.200s' cannot be turned", port->name);
}
