/* Indices that are affine in their own place: a Range over a run-time dimension, and what is computed of it. A run need not make them: what gathers
 * by them is a move, or a pick within each image where indices of the run are added. */
#include "import_affine.h"

#include <string.h>

#include "../base/checked.h"
#include "import_compose.h"
#include "import_length.h"

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
    if (!v->affine || v->affine->forms != 1 || v->affine->form[0].added) return false;
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

/* Does the form count rows of a fixed number for each place along a length, and a row among them? */
static bool counts_rows(const importer *im, const ir_type *t, const affine_form *f)
{
    for (int a = 0; f->below && a < t->rank; a++)
        if (f->step[a] >= f->below && dim_is_length(im->symbols, t->dim[a], NULL)) return true;
    return false;
}

/* Is what has no form, or one with a tensor inside, better a tensor, since all that it is made of can be one? */
static bool is_tensor(importer *im, const import_node *n, const ir_type *t, const import_affine *out)
{
    for (int i = 0; i < n->inputs; i++)
        if (!import_length_fits(im, n->in[i])) return false;
    return out->forms == 0 || (out->form[0].added && !counts_rows(im, t, &out->form[0]));
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
    return put(im, n, 0, &type, &(import_affine){ .forms = 1, .form = { { .offset = start, .step = { step } } } });
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

/* One more than the largest of constant contents; 0: one is negative. */
static int64_t bound_of(const dim *content, int64_t count)
{
    int64_t below = 1, number;
    for (int64_t i = 0; i < count; i++) {
        if (!dim_is_constant(content[i], &number) || number < 0 || number == INT64_MAX) return 0;
        if (number >= below) below = number + 1;
    }
    return below;
}

/* The same for an operand: what has no form of its own is a tensor of the run, or any constant. */
static bool read_any(importer *im, import_value *v, import_affine *out)
{
    int64_t count;
    if (read(im, v, out)) return true;
    if (v->type.elem != ELEM_I64) return false;
    const dim *content = import_contents(im, v, &count);
    const bool known = content && bound_of(content, count) > 0;
    const diag_place place = { .input = -1 };
    if (!v->tensor && !known) return false;
    *out = (import_affine){ .forms = 1 };
    out->form[0].added = import_tensor_of(im, v, &place);
    out->form[0].below = known ? bound_of(content, count) : v->below;
    return out->form[0].added != NULL;
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
static affine_form aligned(importer *im, const import_node *n, const affine_form *f, const ir_type *t, const ir_type *to)
{
    affine_form out = { .offset = f->offset, .added = f->added ? compose_expand(im, n, f->added, to->dim, to->rank) : NULL, .below = f->below };
    for (int a = 0; a < t->rank; a++) out.step[a + to->rank - t->rank] = dim_is_one(t->dim[a]) ? 0 : f->step[a];
    return out;
}

static bool stands_still(const affine_form *f)
{
    for (int a = 0; a < IR_RANK_MAX; a++)
        if (f->step[a]) return false;
    return true;
}

/* The sum of both tensors of the run, and its bound. */
static bool sum_of_added(importer *im, const import_node *n, const affine_form *x, const affine_form *y, affine_form *out)
{
    out->added = x->added ? x->added : y->added;
    out->below = x->added ? x->below : y->below;
    if (!x->added || !y->added) return true;
    out->added = import_map2(im, n, EXPR_ADD, x->added, y->added);
    if (!x->below || !y->below || !checked_add(x->below, y->below - 1, &out->below)) out->below = 0;
    return out->added != NULL;
}

static bool combine(importer *im, const import_node *n, expr_op op, affine_form x, affine_form y, affine_form *out)
{
    if (op == EXPR_MUL && stands_still(&x)) return combine(im, n, EXPR_MUL, y, x, out);
    if (op != EXPR_ADD && (x.added || y.added)) return false;
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
    return sum_of_added(im, n, &x, &y, out);
}

bool import_affine_map(importer *im, import_node *n, expr_op op)
{
    import_affine x, y, out = { 0 };
    ir_type type;
    bool lazy = false;
    for (int i = 0; i < n->inputs; i++) lazy |= is_lazy(im, n->in[i]);
    if (!lazy || !broadcast_type(n, op, &type)) return false;
    if (n->inputs == 2 && type.elem == ELEM_I64 && read_any(im, n->in[0], &x) && read_any(im, n->in[1], &y) && x.forms == 1 && y.forms == 1) {
        const affine_form left = aligned(im, n, &x.form[0], import_type(n, 0), &type), right = aligned(im, n, &y.form[0], import_type(n, 1), &type);
        out.forms = combine(im, n, op, left, right, &out.form[0]);
    }
    return !is_tensor(im, n, &type, &out) && put(im, n, 0, &type, &out);
}

bool import_affine_cast(importer *im, import_node *n, elem to)
{
    ir_type type = *import_type(n, 0);
    if (!is_lazy(im, n->in[0])) return false;
    type.elem = to;
    const import_affine none = { 0 }, *kept = to == ELEM_I64 ? n->in[0]->affine : &none;
    return !is_tensor(im, n, &type, kept) && put(im, n, 0, &type, kept);
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

static bool moved(importer *im, const import_node *n, const affine_form *x, const move *m, const ir_type *to, affine_form *out)
{
    run r[MOVE_DIGITS_MAX];
    int64_t part;
    *out = (affine_form){ .offset = x->offset, .added = import_move(im, n, x->added, m, to), .below = x->below };
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
    out.forms = x.forms == 1 && moved(im, n, &x.form[0], m, to, &out.form[0]);
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
        if (!dim_is_one(t->dim[axis]) || !read_any(im, n->in[i], &x) || x.forms != 1) return false;
        out.form[i] = x.form[0];
        if (x.form[0].added) out.form[i].added = import_reshape(im, n, x.form[0].added, type.dim, axis);
    }
    type.dim[axis] = dim_of(n->inputs);
    return put(im, n, 0, &type, &out);
}
