/* Scan, unrolled: the length of its sequences is known while compiling. Operator set 8 runs it image by image. */
#include <inttypes.h>

#include "import_body.h"

typedef struct scan {
    const Onnx__GraphProto *body;
    int first, states, sequences, results;      /* the first input that is a state; how many of each, results beside the states */
    int64_t length;
    const int64_t *in_axis, *out_axis, *in_reverse, *out_reverse;   /* NULL: all 0 */
} scan;

static bool read_body(importer *im, import_node *n, scan *s)
{
    const Onnx__AttributeProto *a = import_attribute(n, "body");
    const int64_t sequences = import_int(im, n, "num_scan_inputs", 0);
    if (!a || !a->g) return import_fail(im, n, STATUS_BAD_FIELD, -1, "the body is missing");
    s->body = a->g;
    s->first = n->row->detail;
    if (sequences < 1 || sequences > n->inputs - s->first) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "num_scan_inputs = %" PRId64, sequences);
    s->sequences = (int)sequences;
    s->states = n->inputs - s->first - s->sequences;
    s->results = (int)a->g->n_output - s->states;
    if ((int)a->g->n_input != s->states + s->sequences || s->results < 0 || n->outputs > s->states + s->results) {
        return import_fail(im, n, STATUS_ARITY, -1, "inputs and outputs do not fit the body's");
    }
    for (int i = s->first; i < n->inputs; i++)
        if (!import_has(n, i)) return import_fail(im, n, STATUS_ARITY, i, "the input is absent");
    return !s->first || !import_has(n, 0) || import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "sequences of several lengths");
}

/* A list attribute of `count` entries; *list NULL: absent. */
static bool read_list(importer *im, import_node *n, const char *name, int count, const int64_t **list)
{
    int given;
    *list = NULL;
    if (!import_ints(im, n, name, list, &given)) return !n->wrong;
    return given == count || import_fail(im, n, STATUS_ATTRIBUTE, -1, "%s has %d entries, not %d", name, given, count);
}

/* x with axis `from` moved to `to`. */
static ir_value *move_axis(importer *im, const import_node *n, ir_value *x, int from, int to)
{
    int permutation[IR_RANK_MAX], others = 0;
    if (!x) return NULL;
    for (int i = 0; i < x->type.rank; i++) {
        if (others == from) others++;
        permutation[i] = i == to ? from : others++;
    }
    return import_transpose(im, n, x, permutation);
}

/* Element `at` of axis 0, without the axis. */
static ir_value *item(importer *im, const import_node *n, ir_value *x, int64_t at)
{
    ir_value *v = x ? compose_slice(im, n, x, 0, at, 1, dim_of(1)) : NULL;
    return v ? import_reshape(im, n, v, v->type.dim + 1, v->type.rank - 1) : NULL;
}

/* The sequences with their axis first; all of one length. */
static bool read_sequences(importer *im, import_node *n, scan *s, int outer, ir_value **sequence)
{
    for (int i = 0; i < s->sequences; i++) {
        const int at = s->first + s->states + i;
        const ir_type *t = import_type(n, at);
        int axis;
        int64_t length;
        if (!import_axis(im, n, s->in_axis ? s->in_axis[i] : outer, t->rank, &axis)) return false;
        if (!dim_is_constant(t->dim[axis], &length)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, at, "a Scan whose rounds only a run knows");
        if (i && length != s->length) return import_fail(im, n, STATUS_SHAPE, at, "%" PRId64 " rounds, not %" PRId64, length, s->length);
        s->length = length;
        sequence[i] = import_tensor(im, n, at);
        if (!outer) sequence[i] = move_axis(im, n, sequence[i], axis, 0);
        if (!sequence[i]) return false;
    }
    if (s->length > ROUNDS_MAX) return import_fail(im, n, STATUS_TOO_LARGE, -1, "a Scan of more than %d rounds", ROUNDS_MAX);
    return s->length > 0 || s->results == 0 || import_fail(im, n, STATUS_SHAPE_UNKNOWN, -1, "no round gives output %d a shape", s->states);
}

/* All rounds: `value` holds the states and, behind them, room for a round's sequences; stack[i] becomes result i [length, …]. */
static bool run(importer *im, import_node *n, const scan *s, import_value **value, ir_value *const *sequence, ir_value **stack)
{
    const size_t rounds = (size_t)s->length;
    ir_value **part = arena_array(im->arena, rounds * (size_t)s->results + 1, sizeof *part);
    for (int64_t round = 0; round < s->length; round++) {
        for (int i = 0; i < s->sequences; i++) {
            ir_value *x = item(im, n, sequence[i], s->in_reverse && s->in_reverse[i] ? s->length - 1 - round : round);
            if (!x) return false;
            value[s->states + i] = body_value(im, x);
        }
        importer *inner = body_import(im, n, s->body, value);
        if (!inner) return false;
        for (int i = 0; i < s->results; i++) {
            const int64_t to = s->out_reverse && s->out_reverse[i] ? s->length - 1 - round : round;
            if (!(part[(size_t)i * rounds + (size_t)to] = body_part(inner, n, s->states + i))) return false;
        }
        for (int i = 0; i < s->states; i++)
            if (!(value[i] = body_output(inner, i))) return false;
    }
    for (int i = 0; i < s->results && rounds; i++)
        if (!(stack[i] = compose_concat(im, n, part + (size_t)i * rounds, (int)s->length, 0))) return false;
    return true;
}

/* ---- operator set 9 and later ---- */

static bool put_results(importer *im, import_node *n, const scan *s, ir_value *const *stack)
{
    for (int i = 0; i < s->results; i++) {
        int axis;
        if (!import_is_wanted(n, s->states + i)) continue;
        if (!import_axis(im, n, s->out_axis ? s->out_axis[i] : 0, stack[i]->type.rank, &axis)) return false;
        if (!import_put(im, n, s->states + i, move_axis(im, n, stack[i], 0, axis))) return false;
    }
    return true;
}

bool import_scan(importer *im, import_node *n)
{
    scan s = { 0 };
    if (!read_body(im, n, &s)) return false;
    if (!read_list(im, n, "scan_input_axes", s.sequences, &s.in_axis) || !read_list(im, n, "scan_output_axes", s.results, &s.out_axis)) return false;
    if (!read_list(im, n, "scan_input_directions", s.sequences, &s.in_reverse)) return false;
    if (!read_list(im, n, "scan_output_directions", s.results, &s.out_reverse)) return false;
    import_value **value = arena_array(im->arena, s.body->n_input + 1, sizeof *value);
    ir_value **sequence = arena_array(im->arena, s.body->n_input + 1, sizeof *sequence);
    ir_value **stack = arena_array(im->arena, s.body->n_output + 1, sizeof *stack);
    for (int i = 0; i < s.states; i++) value[i] = n->in[i];
    if (!read_sequences(im, n, &s, 0, sequence) || !run(im, n, &s, value, sequence, stack)) return false;
    for (int k = 0; k < s.states; k++) import_put_value(n, k, value[k]);
    return put_results(im, n, &s, stack);
}

/* ---- operator set 8: an outermost axis of images, the sequence behind it ---- */

typedef struct images { int64_t count; ir_value **state, **sequence, **made; } images;

/* Image b alone: its states and results, each with an axis of 1 before it, go to made[k * count + b]. */
static bool run_image(importer *im, import_node *n, const scan *s, const images *all, int64_t b)
{
    import_value **value = arena_array(im->arena, s->body->n_input + 1, sizeof *value);
    ir_value **sequence = arena_array(im->arena, s->body->n_input + 1, sizeof *sequence);
    ir_value **stack = arena_array(im->arena, s->body->n_output + 1, sizeof *stack);
    const diag_place place = { .node = n->place, .input = -1 };
    for (int i = 0; i < s->states; i++) {
        ir_value *x = item(im, n, all->state[i], b);
        if (!x) return false;
        value[i] = body_value(im, x);
    }
    for (int i = 0; i < s->sequences; i++)
        if (!(sequence[i] = item(im, n, all->sequence[i], b))) return false;
    if (!run(im, n, s, value, sequence, stack)) return false;
    for (int k = 0; k < s->states + s->results; k++) {
        ir_value *v = k < s->states ? import_tensor_of(im, value[k], &place) : stack[k - s->states];
        if (!(all->made[k * all->count + b] = compose_unsqueeze(im, n, v, 0))) return false;
    }
    return true;
}

bool import_scan_images(importer *im, import_node *n)
{
    scan s = { 0 };
    images all = { 0 };
    if (!read_body(im, n, &s) || !read_list(im, n, "directions", s.sequences, &s.in_reverse)) return false;
    const int first = s.first + s.states;
    const ir_type *sequence = import_type(n, first);
    if (sequence->rank < 2) return import_fail(im, n, STATUS_SHAPE, first, "two axes or more are needed");
    if (!dim_is_constant(sequence->dim[0], &all.count)) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, first, "the number of images");
    for (int i = s.first; i < n->inputs; i++) {
        const ir_type *t = import_type(n, i);
        if (t->rank && dim_equal(t->dim[0], dim_of(all.count))) continue;
        return import_fail(im, n, STATUS_SHAPE, i, "%" PRId64 " images are needed", all.count);
    }
    if (all.count < 1 || all.count > ROUNDS_MAX) return import_fail(im, n, STATUS_TOO_LARGE, first, "%" PRId64 " images", all.count);
    all.state = arena_array(im->arena, s.body->n_input + 1, sizeof *all.state);
    all.sequence = arena_array(im->arena, s.body->n_input + 1, sizeof *all.sequence);
    all.made = arena_array(im->arena, (s.body->n_output + 1) * (size_t)all.count, sizeof *all.made);
    for (int i = 0; i < s.states; i++)
        if (!(all.state[i] = import_tensor(im, n, s.first + i))) return false;
    if (!read_sequences(im, n, &s, 1, all.sequence)) return false;
    for (int64_t b = 0; b < all.count; b++)
        if (!run_image(im, n, &s, &all, b)) return false;
    for (int k = 0; k < s.states + s.results; k++)
        if (!import_put(im, n, k, compose_concat(im, n, all.made + k * all.count, (int)all.count, 0))) return false;
    return true;
}
