/* Loop, unrolled: the number of rounds and whether each goes on are known while compiling. */
#include <inttypes.h>
#include <string.h>

#include "import_body.h"

typedef struct loop { const Onnx__GraphProto *body; int carried, scanned; import_value **state; ir_value ***part; int rounds; } loop;

static bool read_loop(importer *im, import_node *n, loop *l)
{
    const Onnx__AttributeProto *a = import_attribute(n, "body");
    if (!a || !a->g) return import_fail(im, n, STATUS_BAD_FIELD, -1, "the body is missing");
    l->body = a->g;
    l->carried = (int)l->body->n_input - 2;
    l->scanned = (int)l->body->n_output - 1 - l->carried;
    if (l->carried < 0 || l->scanned < 0 || n->inputs > l->carried + 2 || n->outputs > l->carried + l->scanned) {
        return import_fail(im, n, STATUS_ARITY, -1, "inputs and outputs do not fit the body's");
    }
    l->state = arena_array(im->arena, (size_t)l->carried + 1, sizeof *l->state);
    l->part = arena_array(im->arena, (size_t)l->scanned + 1, sizeof *l->part);
    for (int i = 0; i < l->carried; i++)
        if (!(l->state[i] = import_has(n, i + 2) ? n->in[i + 2] : NULL)) return import_fail(im, n, STATUS_ARITY, i + 2, "the input is absent");
    return true;
}

/* A number or truth that is a value while compiling. */
static import_value *known_number(importer *im, elem e, int64_t number)
{
    import_value *v = arena_alloc(im->arena, sizeof *v);
    dim *content = arena_alloc(im->arena, sizeof *content);
    *content = dim_of(number);
    *v = (import_value){ .name = "", .known = true, .defined = true, .type = { .elem = e }, .content = content, .producer = -1, .owner = im };
    return v;
}

/* Whether a scalar says to go on; false: not known. */
static bool decided(importer *im, import_value *v, bool *on)
{
    double number;
    int64_t count, whole;
    if (v->tensor && ir_scalar(v->tensor, &number)) return *on = number != 0, true;
    const dim *content = v->tensor ? NULL : import_contents(im, v, &count);
    if (!content || count != 1 || !dim_is_constant(content[0], &whole)) return false;
    *on = whole != 0;
    return true;
}

/* One round: its state and scanned parts, and whether another follows. */
static bool run_round(importer *im, import_node *n, loop *l, bool *on)
{
    import_value **in = arena_array(im->arena, (size_t)l->carried + 2, sizeof *in);
    in[0] = known_number(im, ELEM_I64, l->rounds);
    in[1] = known_number(im, ELEM_BOOL, 1);
    for (int i = 0; i < l->carried; i++) in[i + 2] = l->state[i];
    importer *inner = body_import(im, n, l->body, in);
    import_value *next = inner ? body_output(inner, 0) : NULL;
    if (!next) return false;
    if (!decided(im, next, on)) return import_fail(im, n, STATUS_OPERATOR, -1, "a Loop whose end only a run knows");
    for (int i = 0; i < l->carried; i++)
        if (!(l->state[i] = body_output(inner, i + 1))) return false;
    for (int i = 0; i < l->scanned; i++) {
        l->part[i] = arena_grow(im->arena, l->part[i], (size_t)l->rounds, sizeof *l->part[i]);
        if (!(l->part[i][l->rounds] = body_part(inner, n, i + 1 + l->carried))) return false;
    }
    l->rounds++;
    return true;
}

static bool read_bounds(importer *im, import_node *n, int64_t *most, bool *on)
{
    double number = 0;
    *most = ROUNDS_MAX + 1;
    *on = true;
    if (import_has(n, 0) && !import_scalar(im, n, 0, &number)) return import_fail(im, n, STATUS_OPERATOR, 0, "a Loop whose rounds only a run knows");
    if (import_has(n, 0)) *most = number > ROUNDS_MAX ? ROUNDS_MAX + 1 : (int64_t)number;
    return !import_has(n, 1) || decided(im, n->in[1], on) || import_fail(im, n, STATUS_OPERATOR, 1, "a Loop whose end only a run knows");
}

bool import_loop(importer *im, import_node *n)
{
    loop *l = arena_alloc(im->arena, sizeof *l);
    int64_t most;
    bool on;
    *l = (loop){ 0 };
    if (!read_loop(im, n, l) || !read_bounds(im, n, &most, &on)) return false;
    while (on && l->rounds < most) {
        if (l->rounds == ROUNDS_MAX) return import_fail(im, n, STATUS_TOO_LARGE, -1, "a Loop of more than %d rounds", ROUNDS_MAX);
        if (!run_round(im, n, l, &on)) return false;
    }
    for (int k = 0; k < l->carried; k++) import_put_value(n, k, l->state[k]);
    for (int i = 0; i < l->scanned; i++) {
        if (!import_is_wanted(n, l->carried + i)) continue;
        if (!l->rounds) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, -1, "no round gives output %d a shape", l->carried + i);
        if (!import_put(im, n, l->carried + i, compose_concat(im, n, l->part[i], l->rounds, 0))) return false;
    }
    return true;
}
