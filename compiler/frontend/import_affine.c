/* Indices that are affine in their own place: a Range over a run-time dimension, and what is computed of it. A run need not make them: what gathers by
 * them is a move. */
#include "import_affine.h"

#include <string.h>

#include "../base/checked.h"
#include "import_length.h"

enum { COORDINATES_MAX = 4 };

/* The number at place p (one number an axis) is offset + sum of step[a] * p[a]. */
typedef struct affine_form { int64_t offset, step[IR_RANK_MAX]; } affine_form;

/* No form: only type and shape are known. One form: of all elements; more: form k is that of element k of the last axis. */
struct import_affine {
    int forms;
    affine_form form[COORDINATES_MAX];
};

static bool put(importer *im, import_node *n, int k, const ir_type *type, const import_affine *x)
{
    import_affine *kept = arena_alloc(im->arena, sizeof *kept);
    *kept = *x;
    import_put_contents(im, n, k, type, NULL);
    if (k < n->outputs && n->out[k]) n->out[k]->affine = kept;
    return true;
}

bool import_affine_steps(const import_value *v, int64_t *offset, const int64_t **step)
{
    if (!v->affine || v->affine->forms != 1) return false;
    *offset = v->affine->form[0].offset;
    *step = v->affine->form[0].step;
    return true;
}

/* Is it a form, and no tensor but one that was made of it? */
static bool is_lazy(const importer *im, const import_value *v)
{
    for (int a = 0; v->affine && v->tensor && a < v->type.rank; a++)
        if (dim_is_length(im->symbols, v->type.dim[a], NULL)) return true;
    return v->affine && !v->tensor;
}

/* Is what has no form better a tensor, since all that it is made of can be one? */
static bool is_tensor(importer *im, const import_node *n, const import_affine *out)
{
    for (int i = 0; i < n->inputs; i++)
        if (!import_length_fits(im, n->in[i])) return false;
    return out->forms == 0;
}

/* ---- where they come from ---- */

/* Few numbers from a start that follows a length. */
static bool short_range(importer *im, import_node *n, dim start, int64_t step, int64_t count)
{
    dim *content = arena_array(im->arena, (size_t)(count > 0 ? count : 0) + 1, sizeof *content);
    if (count < 0 || count > CONTENTS_MAX) return false;
    for (int64_t i = 0; i < count; i++)
        if (!dim_add(start, dim_of(i * step), &content[i])) return false;
    return import_put_contents(im, n, 0, &(ir_type){ .elem = ELEM_I64, .rank = 1, .dim = { dim_of(count) } }, content);
}

bool import_affine_range(importer *im, import_node *n)
{
    const dim *bound[3];
    int64_t count, start, step;
    dim length, rest;
    for (int i = 0; i < 3; i++)
        if (import_type(n, i)->elem != ELEM_I64 || !(bound[i] = import_contents(im, n->in[i], &count)) || count != 1) return false;
    if (!dim_is_constant(bound[2][0], &step) || !step) return false;
    if (!dim_sub(bound[1][0], bound[0][0], &rest) || !dim_div_exact(rest, dim_of(step), &length)) return false;
    if (dim_is_constant(length, &count) && step > -CONTENTS_MAX && step < CONTENTS_MAX) return short_range(im, n, bound[0][0], step, count);
    if (!dim_is_constant(bound[0][0], &start)) return false;
    if (dim_compare(im->symbols, length, dim_of(-1)) != 1) return false;
    const ir_type type = { .elem = ELEM_I64, .rank = 1, .dim = { length } };
    return put(im, n, 0, &type, &(import_affine){ .forms = 1, .form = { { start, { step } } } });
}

/* The form of constant contents; false: they have none. */
static bool form_of_contents(const ir_type *t, const dim *content, affine_form *f)
{
    int64_t size[IR_RANK_MAX], place[IR_RANK_MAX] = { 0 }, elements, stride = 1;
    if (!ir_dims_constant(t, size, &elements) || !elements || !dim_is_constant(content[0], &f->offset)) return false;
    for (int a = t->rank - 1; a >= 0; a--) {
        f->step[a] = 0;
        if (size[a] > 1 && (!dim_is_constant(content[stride], &f->step[a]) || !checked_sub(f->step[a], f->offset, &f->step[a]))) return false;
        stride *= size[a];
    }
    for (int64_t i = 0; i < elements; i++) {
        int64_t want = f->offset, have, part;
        for (int a = 0; a < t->rank; a++)
            if (!checked_mul(f->step[a], place[a], &part) || !checked_add(want, part, &want)) return false;
        if (!dim_is_constant(content[i], &have) || have != want) return false;
        for (int a = t->rank - 1; a >= 0 && ++place[a] == size[a]; a--) place[a] = 0;
    }
    return true;
}

/* A value's forms; false: it has none, not even unknown ones. */
static bool read(importer *im, import_value *v, import_affine *out)
{
    int64_t count;
    if (v->affine) return *out = *v->affine, true;
    const dim *content = v->type.elem == ELEM_I64 ? import_contents(im, v, &count) : NULL;
    *out = (import_affine){ .forms = 1 };
    return content && form_of_contents(&v->type, content, &out->form[0]);
}

/* ---- element by element ---- */

static bool broadcast_type(const import_node *n, expr_op op, ir_type *out)
{
    const bool truth = op == EXPR_EQUAL || op == EXPR_LESS || op == EXPR_LESS_EQUAL || op == EXPR_NOT || op == EXPR_AND || op == EXPR_OR ||
        op == EXPR_XOR;
    *out = (ir_type){ .elem = truth ? ELEM_BOOL : import_type(n, n->inputs - 1)->elem };
    for (int i = 0; i < n->inputs; i++)
        if (import_type(n, i)->rank > out->rank) out->rank = import_type(n, i)->rank;
    for (int a = 0; a < out->rank; a++) out->dim[a] = dim_of(1);
    for (int i = 0; i < n->inputs; i++) {
        const ir_type *t = import_type(n, i);
        for (int a = 0; a < t->rank; a++) {
            dim *d = &out->dim[a + out->rank - t->rank];
            if (!dim_is_one(*d) && !dim_is_one(t->dim[a]) && !dim_equal(*d, t->dim[a])) return false;
            if (dim_is_one(*d)) *d = t->dim[a];
        }
    }
    return true;
}

/* Steps along the axes of the broadcast result, of which the value has the last; an axis of one element stands still. */
static affine_form aligned(const affine_form *f, const ir_type *t, const ir_type *to)
{
    affine_form out = { .offset = f->offset };
    for (int a = 0; a < t->rank; a++) out.step[a + to->rank - t->rank] = dim_is_one(t->dim[a]) ? 0 : f->step[a];
    return out;
}

static bool stands_still(const affine_form *f)
{
    for (int a = 0; a < IR_RANK_MAX; a++)
        if (f->step[a]) return false;
    return true;
}

static bool combine(expr_op op, affine_form x, affine_form y, affine_form *out)
{
    if (op == EXPR_MUL && stands_still(&x)) return combine(op, y, x, out);
    if (op == EXPR_MUL) {
        if (!stands_still(&y) || !checked_mul(x.offset, y.offset, &out->offset)) return false;
        for (int a = 0; a < IR_RANK_MAX; a++)
            if (!checked_mul(x.step[a], y.offset, &out->step[a])) return false;
        return true;
    }
    bool (*const f)(int64_t, int64_t, int64_t *) = op == EXPR_SUB ? checked_sub : checked_add;
    if ((op != EXPR_ADD && op != EXPR_SUB) || !f(x.offset, y.offset, &out->offset)) return false;
    for (int a = 0; a < IR_RANK_MAX; a++)
        if (!f(x.step[a], y.step[a], &out->step[a])) return false;
    return true;
}

bool import_affine_map(importer *im, import_node *n, expr_op op)
{
    import_affine x, y, out = { 0 };
    ir_type type;
    bool lazy = false;
    for (int i = 0; i < n->inputs; i++) lazy |= is_lazy(im, n->in[i]);
    if (!lazy || !broadcast_type(n, op, &type)) return false;
    if (n->inputs == 2 && type.elem == ELEM_I64 && read(im, n->in[0], &x) && read(im, n->in[1], &y) && x.forms == 1 && y.forms == 1) {
        const affine_form left = aligned(&x.form[0], import_type(n, 0), &type), right = aligned(&y.form[0], import_type(n, 1), &type);
        out.forms = combine(op, left, right, &out.form[0]);
    }
    return !is_tensor(im, n, &out) && put(im, n, 0, &type, &out);
}

bool import_affine_cast(importer *im, import_node *n, elem to)
{
    ir_type type = *import_type(n, 0);
    if (!is_lazy(im, n->in[0])) return false;
    type.elem = to;
    const import_affine none = { 0 }, *kept = to == ELEM_I64 ? n->in[0]->affine : &none;
    return !is_tensor(im, n, kept) && put(im, n, 0, &type, kept);
}

/* ---- moved ---- */

typedef struct run { dim extent; int64_t step; } run;   /* a digit of the row-major place, and how far the number goes with it */

/* Neighbours that step as one are one; extents of 1 go. */
static int merged(run *r, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        int64_t size, way;
        if (dim_is_one(r[i].extent)) continue;
        const bool joins = kept && dim_is_constant(r[i].extent, &size) && checked_mul(r[i].step, size, &way) && r[kept - 1].step == way;
        if (joins && dim_mul(r[kept - 1].extent, r[i].extent, &r[kept - 1].extent)) r[kept - 1].step = r[i].step;
        else r[kept++] = r[i];
    }
    return kept;
}

/* The digits as one step an axis of `to`, from the last; false: an axis holds several. */
static bool steps_of(run *r, int count, const ir_type *to, affine_form *f)
{
    for (int a = to->rank - 1; a >= 0; a--) {
        int64_t size;
        f->step[a] = 0;
        if (dim_is_one(to->dim[a])) continue;
        if (!count) return false;
        run *last = &r[count - 1];
        f->step[a] = last->step;
        if (dim_equal(last->extent, to->dim[a])) {
            count--;
            continue;
        }
        if (!dim_is_constant(to->dim[a], &size) || !dim_div_exact(last->extent, to->dim[a], &last->extent)) return false;
        if (!checked_mul(last->step, size, &last->step)) return false;
    }
    return count == 0;
}

static bool moved(const affine_form *x, const move *m, const ir_type *to, affine_form *out)
{
    run r[MOVE_DIGITS_MAX];
    int64_t part;
    *out = (affine_form){ .offset = x->offset };
    for (int a = 0; a < m->rank; a++)
        if (m->wrap[a] || !checked_mul(x->step[a], m->offset[a], &part) || !checked_add(out->offset, part, &out->offset)) return false;
    for (int i = 0; i < m->digits; i++) {
        const move_digit *d = &m->digit[i];
        r[i] = (run){ d->extent, 0 };
        if (d->axis >= 0 && !checked_mul(x->step[d->axis], d->step, &r[i].step)) return false;
    }
    return steps_of(r, merged(r, m->digits), to, out);
}

bool import_affine_move(importer *im, import_node *n, int k, int i, const move *m, const ir_type *to)
{
    import_affine x, out = { 0 };
    if (!n->in[i]->affine && ir_dims_constant(to, NULL, NULL)) return false;
    if (!read(im, n->in[i], &x)) return false;
    out.forms = x.forms == 1 && moved(&x.form[0], m, to, &out.form[0]);
    if (out.forms == 0 && import_length_fits(im, n->in[i])) return false;
    return put(im, n, k, to, &out);
}

/* Coordinates side by side in the last axis. */
bool import_affine_concat(importer *im, import_node *n, int axis)
{
    import_affine x, out = { .forms = n->inputs };
    ir_type type = *import_type(n, 0);
    bool lazy = false;
    for (int i = 0; i < n->inputs; i++) lazy |= is_lazy(im, n->in[i]);
    if (!lazy || axis != type.rank - 1 || n->inputs > COORDINATES_MAX || type.elem != ELEM_I64) return false;
    for (int i = 0; i < n->inputs; i++) {
        const ir_type *t = import_type(n, i);
        for (int a = 0; a < axis; a++)
            if (!dim_equal(t->dim[a], type.dim[a])) return false;
        if (!dim_is_one(t->dim[axis]) || !read(im, n->in[i], &x) || x.forms != 1) return false;
        out.form[i] = x.form[0];
    }
    type.dim[axis] = dim_of(n->inputs);
    return put(im, n, 0, &type, &out);
}

/* ---- gathered by ---- */

/* Form k is the coordinate along axis + k of x, at the places that the first `places` axes of the indices have. */
static bool gathered(importer *im, import_node *n, int axis, int coordinates, int places)
{
    const ir_type *x = import_type(n, 0), *index = import_type(n, 1);
    const import_affine *f = n->in[1]->affine;
    move m = { .rank = x->rank };
    ir_type to = { .elem = x->elem };
    bool fits = f->forms == coordinates && x->rank - coordinates + places <= IR_RANK_MAX;
    for (int i = 0; i < axis && fits; i++) {
        m.digit[m.digits++] = (move_digit){ x->dim[i], i, 1 };
        to.dim[to.rank++] = x->dim[i];
    }
    for (int i = 0; i < places && fits; i++) {
        move_digit d = { index->dim[i], -1, 0 };
        for (int k = 0; k < coordinates; k++) {
            if (!f->form[k].step[i] || dim_is_one(d.extent)) continue;
            fits &= d.axis < 0;
            d = (move_digit){ d.extent, axis + k, f->form[k].step[i] };
        }
        m.digit[m.digits++] = d;
        to.dim[to.rank++] = d.extent;
    }
    for (int i = axis + coordinates; i < x->rank && fits; i++) {
        m.digit[m.digits++] = (move_digit){ x->dim[i], i, 1 };
        to.dim[to.rank++] = x->dim[i];
    }
    for (int k = 0; k < coordinates && fits; k++) m.offset[axis + k] = f->form[k].offset;
    if (fits) move_normalise(x, &m);
    if (!fits || move_check(im->symbols, x, &m, &to)) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the indices follow a dimension that only a run knows, and are no even steps through input 0");
    }
    return import_put_move(im, n, 0, 0, &m, &to);
}

bool import_affine_gather(importer *im, import_node *n, int axis)
{
    return gathered(im, n, axis, 1, import_type(n, 1)->rank);
}

bool import_affine_gather_nd(importer *im, import_node *n)
{
    int64_t depth;
    const ir_type *index = import_type(n, 1);
    const bool fits = index->rank && dim_is_constant(index->dim[index->rank - 1], &depth) && depth >= 1 && depth <= COORDINATES_MAX &&
        depth <= import_type(n, 0)->rank && !import_int(im, n, "batch_dims", 0);
    if (!fits) return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 1, "the indices follow a dimension that only a run knows");
    return gathered(im, n, 0, (int)depth, index->rank - 1);
}
