/* Parts of tensors and their joining: Slice, Split, Concat. */
#include <inttypes.h>
#include <string.h>

#include "import_affine.h"
#include "import_compose.h"

/* ---- Slice ---- */

typedef struct cut { dim start, end; int64_t step; } cut;

/* a <= b for every value of the symbols. */
static bool at_most(const dim_symbols *s, dim a, dim b)
{
    dim more;
    return dim_add(b, dim_of(1), &more) && dim_compare(s, a, more) == -1;
}

/* Into lowest..highest; false: undecided. */
static bool clamp(const dim_symbols *s, dim lowest, dim highest, dim *x)
{
    if (at_most(s, *x, lowest)) *x = lowest;
    else if (!at_most(s, lowest, *x)) return false;
    else if (at_most(s, highest, *x)) *x = highest;
    else if (!at_most(s, *x, highest)) return false;
    return true;
}

/* A bound as ONNX gives it, negative ones counted from the end, huge ones meaning all. */
static bool settle(const dim_symbols *s, dim size, dim lowest, dim highest, dim *bound)
{
    static const int64_t huge = (int64_t)1 << 40;
    int64_t value;
    if (dim_is_constant(*bound, &value)) {
        if (value < -huge) value = -huge;
        if (value > huge) value = huge;
        *bound = dim_of(value);
    }
    if (dim_compare(s, *bound, dim_of(0)) == -1 && !dim_add(*bound, size, bound)) return false;
    return clamp(s, lowest, highest, bound);
}

/* First element and number of elements of one axis; false: undecided. */
static bool measure(const dim_symbols *s, dim size, cut c, int64_t *first, dim *count)
{
    dim last, length;
    if (!dim_sub(size, dim_of(1), &last)) return false;
    const dim lowest = dim_of(c.step > 0 ? 0 : -1), highest = c.step > 0 ? size : last;
    if (!settle(s, size, c.step > 0 ? lowest : dim_of(0), highest, &c.start) || !settle(s, size, lowest, highest, &c.end)) return false;
    if (!dim_is_constant(c.start, first) || !dim_sub(c.end, c.start, &length)) return false;
    int64_t n;
    if (!dim_is_constant(length, &n)) {
        *count = length;
        return c.step == 1 && (*first == 0 || dim_is_length(s, length, NULL));
    }
    if (c.step < 0) n = -n;
    const int64_t stride = c.step < 0 ? -c.step : c.step;
    *count = dim_of(n <= 0 ? 0 : (n - 1) / stride + 1);
    if (n <= 0) *first = 0;
    return true;
}

/* ---- parts of a size of the run ---- */

static bool is_multiple(dim x, dim unit, int64_t *times)
{
    dim quotient;
    *times = 0;
    return dim_equal(x, dim_of(0)) || (dim_div_exact(x, unit, &quotient) && dim_is_constant(quotient, times));
}

/* `count` elements from `start` on, where an axis is several times a size of the run and these are whole ones of them, as the images [N, 2 N) of 2 N.
 * NULL: they are not. */
static ir_value *take_parts(importer *im, import_node *n, int axis, dim start, dim count)
{
    const ir_type *x = import_type(n, 0);
    const dim units[] = { count, start };
    int64_t all, first, parts;
    for (int u = 0; u < 2 && x->rank < IR_RANK_MAX; u++) {
        const dim unit = units[u];
        if (dim_is_constant(unit, NULL) || dim_is_length(im->symbols, unit, NULL)) continue;
        if (!is_multiple(x->dim[axis], unit, &all) || !is_multiple(start, unit, &first) || !is_multiple(count, unit, &parts)) continue;
        if (first < 0 || parts < 1 || first + parts > all) return NULL;
        ir_type apart = *x, to = *x;
        apart.rank++;
        for (int a = axis + 1; a < apart.rank; a++) apart.dim[a] = a == axis + 1 ? unit : x->dim[a - 1];
        apart.dim[axis] = dim_of(all);
        to.dim[axis] = count;
        ir_value *pieces = import_reshape(im, n, import_tensor(im, n, 0), apart.dim, apart.rank);
        return import_reshape(im, n, compose_slice(im, n, pieces, axis, first, 1, dim_of(parts)), to.dim, to.rank);
    }
    return NULL;
}

/* A slice of one axis alone; NULL: it is none of whole parts. */
static ir_value *slice_parts(importer *im, import_node *n, const cut *cuts, int axis)
{
    const ir_type *x = import_type(n, 0);
    cut c = cuts[axis];
    dim count;
    for (int a = 0; a < x->rank; a++)
        if (a != axis && cuts[a].step) return NULL;
    if (c.step != 1 || !settle(im->symbols, x->dim[axis], dim_of(0), x->dim[axis], &c.start)) return NULL;
    if (!settle(im->symbols, x->dim[axis], dim_of(0), x->dim[axis], &c.end) || !dim_sub(c.end, c.start, &count)) return NULL;
    return take_parts(im, n, axis, c.start, count);
}

/* ---- what is taken ---- */

/* Starts or ends: an input, or an attribute in older sets. */
static bool read_bounds(importer *im, import_node *n, int i, const char *name, const dim **list, int *count)
{
    const int64_t *given;
    if (import_has(n, i)) return import_dims(im, n, i, name, list, count);
    if (!import_ints(im, n, name, &given, count)) return n->wrong ? false : import_fail(im, n, STATUS_ATTRIBUTE, -1, "%s is missing", name);
    dim *dims = arena_array(im->arena, (size_t)*count + 1, sizeof *dims);
    for (int k = 0; k < *count; k++) dims[k] = dim_of(given[k]);
    *list = dims;
    return true;
}

static bool read_cuts(importer *im, import_node *n, cut *cuts)
{
    const dim *starts, *ends;
    const int64_t *axes = NULL, *steps = NULL;
    int count, ends_count, axes_count = 0, steps_count = 0;
    const int rank = import_type(n, 0)->rank;
    if (!read_bounds(im, n, 1, "starts", &starts, &count) || !read_bounds(im, n, 2, "ends", &ends, &ends_count)) return false;
    if (!import_numbers_or(im, n, 3, "axes", "axes", &axes, &axes_count)) return false;
    if (import_has(n, 4) && !import_numbers(im, n, 4, "steps", &steps, &steps_count)) return false;
    if (count != ends_count || (axes && axes_count != count) || (steps && steps_count != count) || (!axes && count > rank)) {
        return import_fail(im, n, STATUS_SHAPE, 1, "starts, ends, axes and steps differ in number");
    }
    for (int i = 0; i < count; i++) {
        int axis;
        if (!import_axis(im, n, axes ? axes[i] : i, rank, &axis)) return false;
        if (cuts[axis].step) return import_fail(im, n, STATUS_SHAPE, 3, "axis %d is named twice", axis);
        cuts[axis] = (cut){ starts[i], ends[i], steps ? steps[i] : 1 };
        if (!cuts[axis].step || cuts[axis].step < -INT32_MAX || cuts[axis].step > INT32_MAX) {
            return import_fail(im, n, STATUS_SHAPE, 4, "step %" PRId64, cuts[axis].step);
        }
    }
    return true;
}

bool import_slice(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    cut cuts[IR_RANK_MAX] = { 0 };
    move m = { .digits = x->rank, .rank = x->rank }, one;
    ir_type to = *x, part;
    if (!read_cuts(im, n, cuts)) return false;
    for (int a = 0; a < x->rank; a++) {
        int64_t first;
        dim count = dim_of(0);
        m.digit[a] = (move_digit){ x->dim[a], a, 1 };
        if (!cuts[a].step) continue;
        const bool measured = measure(im->symbols, x->dim[a], cuts[a], &first, &count);
        const bool follows = dim_is_length(im->symbols, count, NULL) || dim_is_length(im->symbols, x->dim[a], NULL);   /* its bounds are the move's check */
        if (!measured || (!follows && !move_slice(x, a, first, cuts[a].step, count, &one, &part))) {
            ir_value *taken = slice_parts(im, n, cuts, a);
            return taken ? import_put(im, n, 0, taken) : import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "the part taken of axis %d", a);
        }
        m.digit[a] = (move_digit){ count, a, cuts[a].step };
        m.offset[a] = first;
        to.dim[a] = count;
    }
    return import_put_move(im, n, 0, 0, &m, &to);
}

/* ---- Split ---- */

/* Sizes of the parts: given, or as equal as can be with a smaller last one. */
static bool split_sizes(importer *im, import_node *n, int64_t size, const int64_t **sizes)
{
    int count;
    if (import_has(n, 1) || import_attribute(n, "split")) {
        if (!import_numbers_or(im, n, 1, "split", "the sizes of the parts", sizes, &count)) return false;
        return count == n->outputs || import_fail(im, n, STATUS_SHAPE, 1, "%d sizes for %d outputs", count, n->outputs);
    }
    const int64_t parts = import_int(im, n, "num_outputs", n->outputs);
    if (parts != n->outputs || parts < 1) return import_fail(im, n, STATUS_ARITY, -1, "num_outputs = %" PRId64 " with %d outputs", parts, n->outputs);
    int64_t *list = arena_array(im->arena, (size_t)parts, sizeof *list);
    const int64_t whole = (size + parts - 1) / parts;
    for (int64_t i = 0; i < parts; i++) {
        const int64_t rest = size - i * whole;
        list[i] = rest < 0 ? 0 : rest < whole ? rest : whole;
    }
    *sizes = list;
    return true;
}

/* An axis that is several times a size of the run: each part is whole ones of them. */
static bool split_run(importer *im, import_node *n, int axis)
{
    const dim whole = import_type(n, 0)->dim[axis], *sizes = NULL;
    dim start = dim_of(0), each;
    int count = n->outputs;
    if (import_has(n, 1) && !import_dims(im, n, 1, "the sizes of the parts", &sizes, &count)) return false;
    bool fits = count == n->outputs && (sizes || (!import_attribute(n, "split") && dim_div_exact(whole, dim_of(count), &each)));
    for (int i = 0; i < n->outputs && fits; i++) {
        const dim size = sizes ? sizes[i] : each;
        ir_value *part = take_parts(im, n, axis, start, size);
        fits = part && dim_add(start, size, &start);
        if (fits && import_is_wanted(n, i) && !import_put(im, n, i, part)) return false;
    }
    return (fits && dim_equal(start, whole)) || import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "axis %d is split", axis);
}

bool import_split(importer *im, import_node *n)
{
    const ir_type *x = import_type(n, 0);
    int axis;
    int64_t size, start = 0;
    const int64_t *sizes;
    if (!import_axis(im, n, import_int(im, n, "axis", 0), x->rank, &axis)) return false;
    if (!dim_is_constant(x->dim[axis], &size)) return split_run(im, n, axis);
    if (!split_sizes(im, n, size, &sizes)) return false;
    for (int i = 0; i < n->outputs; i++) {
        move m;
        ir_type to;
        if (sizes[i] < 0 || sizes[i] > size - start) {
            return import_fail(im, n, STATUS_SHAPE, 0, "part %d of axis %d has size %" PRId64, i, axis, sizes[i]);
        }
        if (!move_slice(x, axis, sizes[i] ? start : 0, 1, dim_of(sizes[i]), &m, &to)) {
            return import_fail(im, n, STATUS_SHAPE, 0, "part %d of axis %d", i, axis);
        }
        if (import_is_wanted(n, i) && !import_put_move(im, n, i, 0, &m, &to)) return false;
        start += sizes[i];
    }
    return start == size || import_fail(im, n, STATUS_SHAPE, 0, "the parts make %" PRId64 " of axis %d", start, axis);
}

/* ---- Concat ---- */

static bool is_empty(const ir_type *t)
{
    for (int i = 0; i < t->rank; i++) {
        int64_t size;
        if (dim_is_constant(t->dim[i], &size) && size == 0) return true;
    }
    return false;
}

/* Lists of sizes, one after the other. */
static bool concat_contents(importer *im, import_node *n)
{
    int64_t total = 0, count;
    for (int i = 0; i < n->inputs; i++) {
        if (import_type(n, i)->rank != 1 || !import_contents(im, n->in[i], &count)) return false;
        total += count;
    }
    if (total > CONTENTS_MAX) return false;
    dim *out = arena_array(im->arena, (size_t)total + 1, sizeof *out);
    int64_t at = 0;
    for (int i = 0; i < n->inputs; i++) {
        const dim *part = import_contents(im, n->in[i], &count);
        if (count) memcpy(out + at, part, (size_t)count * sizeof *out);
        at += count;
    }
    return import_put_contents(im, n, 0, &(ir_type){ .elem = import_type(n, 0)->elem, .rank = 1, .dim = { dim_of(total) } }, out);
}

bool import_concat(importer *im, import_node *n)
{
    int axis, last = 0, parts = 0;
    for (int i = 0; i < n->inputs; i++) {
        if (!n->in[i]) return import_fail(im, n, STATUS_ARITY, i, "the input is absent");
        if (import_type(n, i)->elem != import_type(n, 0)->elem) return import_fail(im, n, STATUS_TYPE, i, "not the type of input 0");
        if (import_type(n, i)->rank != import_type(n, 0)->rank) return import_fail(im, n, STATUS_SHAPE, i, "not as many axes as input 0");
    }
    if (!import_attribute(n, "axis")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "axis is missing");
    if (!import_axis(im, n, import_int(im, n, "axis", 0), import_type(n, 0)->rank, &axis)) return false;
    if (concat_contents(im, n) || import_affine_concat(im, n, axis)) return true;
    ir_node *node = import_begin(im, n, IR_CONCAT);
    for (int i = 0; i < n->inputs; i++) {
        if (is_empty(import_type(n, i)) && (parts || i < n->inputs - 1)) continue;
        ir_value *x = import_tensor(im, n, i);
        if (!x) return false;
        ir_input(node, x);
        last = i;
        parts++;
    }
    if (parts == 1) return import_put_same(im, n, 0, last);
    ir_set_int(node, KEY_AXIS, axis);
    return import_put(im, n, 0, import_end(im, node));
}
