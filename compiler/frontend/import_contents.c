/* Element-wise operators over contents: dimensions in, dimensions out. What comparisons decide, they decide for every value of the symbols. */
#include <string.h>

#include "import_affine.h"

/* A comparison that holds for all values of the symbols, or for none; false: undecided. */
static bool compare(const dim_symbols *s, expr_op op, dim x, dim y, dim *out)
{
    const int order = dim_compare(s, x, y);
    if (order == DIM_UNDECIDED) return false;
    *out = dim_of(op == EXPR_EQUAL ? order == 0 : op == EXPR_LESS ? order < 0 : order <= 0);
    return true;
}

/* x = quotient * by + rest, 0 <= rest < by, for every value of the symbols, of which each has a multiple of `by`; false: there is no such form, or x
 * may be negative. */
static bool divide_with_rest(const dim_symbols *s, dim x, int64_t by, dim *quotient, int64_t *rest)
{
    dim whole;
    if (by <= 0 || dim_compare(s, x, dim_of(-1)) != 1) return false;
    *rest = (x.constant % by + by) % by;
    return dim_sub(x, dim_of(*rest), &whole) && dim_div_exact(whole, dim_of(by), quotient);
}

static bool divide(const dim_symbols *s, dim x, dim y, dim *out)
{
    int64_t a, b, rest;
    if (!dim_is_constant(y, &b)) return dim_div_exact(x, y, out);
    if (!dim_is_constant(x, &a)) return dim_div_exact(x, y, out) || divide_with_rest(s, x, b, out, &rest);
    if (b == 0 || (b == -1 && a == INT64_MIN)) return false;
    *out = dim_of(a / b);
    return true;
}

static bool modulo(const dim_symbols *s, expr_op op, dim x, dim y, dim *out)
{
    int64_t a, b, rest;
    dim quotient;
    if (!dim_is_constant(x, &a) && dim_is_constant(y, &b) && divide_with_rest(s, x, b, &quotient, &rest)) {
        *out = dim_of(rest);
        return true;
    }
    if (!dim_is_constant(x, &a) || !dim_is_constant(y, &b)) {
        *out = dim_of(0);
        return dim_div_exact(x, y, &quotient);
    }
    if (b == 0 || (b == -1 && a == INT64_MIN)) return false;
    int64_t r = a % b;
    if (op == EXPR_MOD && r != 0 && (r < 0) != (b < 0)) r += b;
    *out = dim_of(r);
    return true;
}

static bool choose(const dim_symbols *s, bool largest, dim x, dim y, dim *out)
{
    const int order = dim_compare(s, x, y);
    if (order == DIM_UNDECIDED) return false;
    *out = (order > 0) == largest ? x : y;
    return true;
}

static bool absolute(const dim_symbols *s, dim x, dim *out)
{
    const int order = dim_compare(s, x, dim_of(0));
    *out = x;
    return order != DIM_UNDECIDED && (order >= 0 || dim_sub(dim_of(0), x, out));
}

static bool logic(expr_op op, dim x, dim y, dim *out)
{
    int64_t a, b;
    if (!dim_is_constant(x, &a) || !dim_is_constant(y, &b)) return false;
    *out = dim_of(op == EXPR_AND ? a && b : op == EXPR_OR ? a || b : !a != !b);
    return true;
}

/* One element; false: undecided, overflow, or not an operator of whole numbers. */
static bool apply(const dim_symbols *s, expr_op op, const dim *x, dim *out)
{
    int64_t condition;
    switch (op) {
    case EXPR_NEG: return dim_sub(dim_of(0), x[0], out);
    case EXPR_ABS: return absolute(s, x[0], out);
    case EXPR_ADD: return dim_add(x[0], x[1], out);
    case EXPR_SUB: return dim_sub(x[0], x[1], out);
    case EXPR_MUL: return dim_mul(x[0], x[1], out);
    case EXPR_DIV: return divide(s, x[0], x[1], out);
    case EXPR_MOD: case EXPR_FMOD: return modulo(s, op, x[0], x[1], out);
    case EXPR_MIN: case EXPR_MAX: return choose(s, op == EXPR_MAX, x[0], x[1], out);
    case EXPR_EQUAL: case EXPR_LESS: case EXPR_LESS_EQUAL: return compare(s, op, x[0], x[1], out);
    case EXPR_AND: case EXPR_OR: case EXPR_XOR: return logic(op, x[0], x[1], out);
    case EXPR_NOT:
        if (!dim_is_constant(x[0], &condition)) return false;
        *out = dim_of(!condition);
        return true;
    case EXPR_SELECT:
        if (!dim_is_constant(x[0], &condition)) return false;
        *out = condition ? x[1] : x[2];
        return true;
    default: return false;
    }
}

/* Narrower types than i64 would wrap; such a value is left to the evaluator. */
static bool fits(elem e, dim d)
{
    int64_t x;
    if (!dim_is_constant(d, &x) || e == ELEM_I64) return true;
    return e == ELEM_I32 ? x >= INT32_MIN && x <= INT32_MAX : e == ELEM_BOOL && (x == 0 || x == 1);
}

static bool result_type(const import_node *n, expr_op op, ir_type *out)
{
    const bool is_bool = op == EXPR_EQUAL || op == EXPR_LESS || op == EXPR_LESS_EQUAL || op == EXPR_NOT || op == EXPR_AND || op == EXPR_OR ||
        op == EXPR_XOR;
    *out = (ir_type){ .elem = is_bool ? ELEM_BOOL : n->in[n->inputs - 1]->type.elem };
    if (out->elem != ELEM_I64 && out->elem != ELEM_I32 && out->elem != ELEM_BOOL) return false;
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i]->type.rank > out->rank) out->rank = n->in[i]->type.rank;
    for (int a = 0; a < out->rank; a++) out->dim[a] = dim_of(1);
    for (int i = 0; i < n->inputs; i++) {
        const ir_type *t = &n->in[i]->type;
        for (int a = 0; a < t->rank; a++) {
            int64_t size, have;
            dim *d = &out->dim[a + out->rank - t->rank];
            if (!dim_is_constant(t->dim[a], &size) || !dim_is_constant(*d, &have)) return false;
            if (have != 1 && size != 1 && have != size) return false;
            if (have == 1) *d = dim_of(size);
        }
    }
    return true;
}

/* Row-major index in a tensor of type t of element `index` of its broadcast `to`. */
static int64_t broadcast_index(const ir_type *t, const ir_type *to, int64_t index)
{
    int64_t result = 0, stride = 1;
    for (int a = to->rank - 1; a >= 0; a--) {
        int64_t size = 1, own = 1;
        dim_is_constant(to->dim[a], &size);
        const int axis = a - (to->rank - t->rank);
        if (axis >= 0) dim_is_constant(t->dim[axis], &own);
        if (own != 1) result += index % size * stride;
        stride *= own;
        index /= size;
    }
    return result;
}

static bool fold_each(importer *im, import_node *n, expr_op op)
{
    enum { OPERANDS = 3 };
    const dim *content[OPERANDS];
    ir_type type;
    int64_t count;
    if (n->inputs > OPERANDS || !result_type(n, op, &type)) return false;
    for (int i = 0; i < n->inputs; i++)
        if (!(content[i] = import_contents(im, n->in[i], &count))) return false;
    if (!ir_dims_constant(&type, NULL, &count) || count > CONTENTS_MAX) return false;
    dim *out = arena_array(im->arena, (size_t)count + 1, sizeof *out);
    for (int64_t e = 0; e < count; e++) {
        dim x[OPERANDS];
        for (int i = 0; i < n->inputs; i++) x[i] = content[i][broadcast_index(&n->in[i]->type, &type, e)];
        if (!apply(im->symbols, op, x, &out[e]) || !fits(type.elem, out[e])) return false;
    }
    return import_put_contents(im, n, 0, &type, out);
}

bool import_fold_contents(importer *im, import_node *n, expr_op op)
{
    return fold_each(im, n, op) || import_affine_map(im, n, op);
}
