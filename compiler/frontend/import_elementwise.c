/* Element-wise operators: each becomes a `map`, or is evaluated over contents. */
#include <string.h>

#include "import_affine.h"

/* ---- types ---- */

static bool is_logic(expr_op op)
{
    return op == EXPR_AND || op == EXPR_OR || op == EXPR_XOR || op == EXPR_NOT;
}

static bool takes_any_number(expr_op op)
{
    return op == EXPR_NEG || op == EXPR_ABS || op == EXPR_SIGN || op == EXPR_RELU;
}

static bool check_unary(importer *im, const import_node *n, expr_op op)
{
    const elem e = import_type(n, 0)->elem;
    const bool fine = is_logic(op) ? e == ELEM_BOOL : takes_any_number(op) ? e != ELEM_BOOL : elem_is_float(e);
    return fine || import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
}

static bool check_same(importer *im, const import_node *n, int from)
{
    const elem first = import_type(n, from)->elem;
    for (int i = from; i < n->inputs; i++) {
        if (!n->in[i]) return import_fail(im, n, STATUS_ARITY, i, "the input is absent");
        if (import_type(n, i)->elem != first) return import_fail(im, n, STATUS_TYPE, i, "not %s, as input %d", elem_name(first), from);
    }
    return true;
}

static bool check_binary(importer *im, const import_node *n, expr_op op)
{
    const elem e = import_type(n, 0)->elem;
    if (!check_same(im, n, 0)) return false;
    const bool fine = is_logic(op) ? e == ELEM_BOOL : op == EXPR_EQUAL || e != ELEM_BOOL;
    return fine || import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
}

/* ---- plain operators ---- */

bool import_unary(importer *im, import_node *n)
{
    const expr_op op = (expr_op)n->row->detail;
    if (!check_unary(im, n, op)) return false;
    return import_fold_contents(im, n, op) || import_put(im, n, 0, import_map1(im, n, op, import_tensor(im, n, 0)));
}

static bool binary(importer *im, import_node *n, expr_op op)
{
    if (!check_binary(im, n, op)) return false;
    if (import_fold_contents(im, n, op)) return true;
    ir_value *x = import_tensor(im, n, 0), *y = import_tensor(im, n, 1);
    return import_put(im, n, 0, import_map2(im, n, op, x, y));
}

bool import_binary(importer *im, import_node *n)
{
    return binary(im, n, (expr_op)n->row->detail);
}

/* a > b as b < a. */
bool import_swapped(importer *im, import_node *n)
{
    import_value *first = n->in[0];
    n->in[0] = n->in[1];
    n->in[1] = first;
    return binary(im, n, (expr_op)n->row->detail);
}

bool import_mod(importer *im, import_node *n)
{
    const bool truncated = import_int(im, n, "fmod", 0) != 0;
    if (!truncated && elem_is_float(import_type(n, 0)->elem)) {
        return import_fail(im, n, STATUS_ATTRIBUTE, 0, "fmod = 0 on %s", elem_name(import_type(n, 0)->elem));
    }
    return binary(im, n, truncated ? EXPR_FMOD : EXPR_MOD);
}

/* x * 2^y or x / 2^y, y below the type's bits; with more, zero. */
bool import_bit_shift(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    const char *direction = import_string(im, n, "direction", "");
    const bool left = !strcmp(direction, "LEFT");
    if (!left && strcmp(direction, "RIGHT")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "direction = '%.60s'", direction);
    if (!elem_is_integer(e) || elem_is_signed(e)) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
    if (!check_same(im, n, 0)) return false;
    ir_value *const input[2] = { import_tensor(im, n, 0), import_tensor(im, n, 1) };
    const int bits = 8 * (int)elem_size(e);
    expr_builder b = expr_begin(im->arena);
    const int count = expr_input(&b, 1, e);
    int x = expr_input(&b, 0, e);
    for (int k = 0; 1 << k < bits; k++) {   /* by 2^k where that bit of the count is set */
        const int64_t factor = (int64_t)((uint64_t)1 << (1 << k));
        const int halved = expr_apply(&b, EXPR_DIV, count, expr_constant(&b, e, 0, (int64_t)1 << k), -1);
        const int bit = expr_apply(&b, EXPR_MOD, halved, expr_constant(&b, e, 0, 2), -1);
        const int set = expr_apply(&b, EXPR_EQUAL, bit, expr_constant(&b, e, 0, 1), -1);
        x = expr_apply(&b, EXPR_SELECT, set, expr_apply(&b, left ? EXPR_MUL : EXPR_DIV, x, expr_constant(&b, e, 0, factor), -1), x);
    }
    const int within = expr_apply(&b, EXPR_LESS, count, expr_constant(&b, e, 0, bits), -1);
    const int result = expr_apply(&b, EXPR_SELECT, within, x, expr_constant(&b, e, 0, 0));
    return import_put(im, n, 0, import_map(im, n, expr_end(&b, result), input, 2));
}

/* The exponent may be of another type than the base. */
bool import_pow(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    if (e == ELEM_BOOL || import_type(n, 1)->elem == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "bool");
    ir_value *x = import_tensor(im, n, 0), *y = import_tensor(im, n, 1);
    return import_put(im, n, 0, import_map2(im, n, EXPR_POW, x, import_convert(im, n, y, e)));
}

static ir_value *variadic(importer *im, import_node *n, expr_op op)
{
    ir_value **input = arena_array(im->arena, (size_t)n->inputs, sizeof *input);
    expr_builder b = expr_begin(im->arena);
    int all = -1;
    for (int i = 0; i < n->inputs; i++) {
        if (!(input[i] = import_tensor(im, n, i))) return NULL;
        const int item = expr_input(&b, i, input[i]->type.elem);
        all = i ? expr_apply(&b, op, all, item, -1) : item;
    }
    return import_map(im, n, expr_end(&b, all), input, n->inputs);
}

bool import_variadic(importer *im, import_node *n)
{
    const expr_op op = (expr_op)n->row->detail;
    if (!check_binary(im, n, op)) return false;
    if (n->inputs == 1) return import_put_same(im, n, 0, 0);
    return (n->inputs == 2 && import_fold_contents(im, n, op)) || import_put(im, n, 0, variadic(im, n, op));
}

bool import_mean(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    if (!check_same(im, n, 0)) return false;
    if (!elem_is_float(e)) return import_fail(im, n, STATUS_TYPE, 0, "%s", elem_name(e));
    ir_value *sum = variadic(im, n, EXPR_ADD);
    return import_put(im, n, 0, import_map2(im, n, EXPR_DIV, sum, import_number(im, e, n->inputs)));
}

bool import_where(importer *im, import_node *n)
{
    if (import_type(n, 0)->elem != ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "a condition must be bool");
    if (!check_same(im, n, 1)) return false;
    if (import_fold_contents(im, n, EXPR_SELECT)) return true;
    ir_value *const input[3] = { import_tensor(im, n, 0), import_tensor(im, n, 1), import_tensor(im, n, 2) };
    expr_builder b = expr_begin(im->arena);
    int item[3];
    for (int i = 0; i < 3; i++) item[i] = expr_input(&b, i, import_type(n, i)->elem);
    return import_put(im, n, 0, import_map(im, n, expr_end(&b, expr_apply(&b, EXPR_SELECT, item[0], item[1], item[2])), input, 3));
}

/* ---- bounds ---- */

/* A bound of Clip: a number in the expression where it is one, else a further input. */
static int bound(importer *im, import_node *n, int i, expr_builder *b, ir_value **input, int *inputs)
{
    double number;
    const elem e = import_type(n, 0)->elem;
    if (elem_is_float(e) && import_scalar(im, n, i, &number)) return expr_constant(b, e, number, 0);
    input[*inputs] = import_tensor(im, n, i);
    return expr_input(b, (*inputs)++, e);
}

bool import_clip(importer *im, import_node *n)
{
    const elem e = import_type(n, 0)->elem;
    ir_value *input[3] = { import_tensor(im, n, 0) };
    int inputs = 1;
    if (e == ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "bool");
    expr_builder b = expr_begin(im->arena);
    int result = expr_input(&b, 0, e);
    for (int i = 1; i <= 2; i++) {
        if (!import_has(n, i)) continue;
        if (import_type(n, i)->elem != e) return import_fail(im, n, STATUS_TYPE, i, "not the type of input 0");
        result = expr_apply(&b, i == 1 ? EXPR_MAX : EXPR_MIN, result, bound(im, n, i, &b, input, &inputs), -1);
    }
    if (im->opset < 11 && import_attribute(n, "min")) result = expr_apply(&b, EXPR_MAX, result, expr_constant(&b, e, import_float(im, n, "min", 0),
        0), -1);
    if (im->opset < 11 && import_attribute(n, "max")) result = expr_apply(&b, EXPR_MIN, result, expr_constant(&b, e, import_float(im, n, "max", 0),
        0), -1);
    return import_put(im, n, 0, import_map(im, n, expr_end(&b, result), input, inputs));
}

/* ---- activations ---- */

bool import_gelu(importer *im, import_node *n)
{
    const char *approximate = import_string(im, n, "approximate", "none");
    const bool by_tanh = !strcmp(approximate, "tanh");
    if (!by_tanh && strcmp(approximate, "none")) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "approximate = '%.60s'", approximate);
    if (!check_unary(im, n, EXPR_GELU)) return false;
    return import_put(im, n, 0, import_map1(im, n, by_tanh ? EXPR_GELU_TANH : EXPR_GELU, import_tensor(im, n, 0)));
}

/* An expression of x alone under construction. */
typedef struct formula { expr_builder b; elem elem; int x; } formula;

static int number(formula *f, double value)
{
    return expr_constant(&f->b, f->elem, value, 0);
}

static int apply(formula *f, expr_op op, int x, int y)
{
    return expr_apply(&f->b, op, x, y, -1);
}

static int hard_sigmoid(formula *f, double alpha, double beta)
{
    const int line = apply(f, EXPR_ADD, apply(f, EXPR_MUL, f->x, number(f, alpha)), number(f, beta));
    return apply(f, EXPR_MAX, apply(f, EXPR_MIN, line, number(f, 1)), number(f, 0));
}

/* x where it is not negative, else `negative`. */
static int where_negative(formula *f, int negative)
{
    return expr_apply(&f->b, EXPR_SELECT, apply(f, EXPR_LESS, f->x, number(f, 0)), negative, f->x);
}

/* x where it is not negative, else alpha * (exp(x / divisor) - 1). */
static int elu(formula *f, double alpha, double divisor)
{
    const int x = divisor != 1 ? apply(f, EXPR_DIV, f->x, number(f, divisor)) : f->x;
    const int rise = apply(f, EXPR_SUB, apply(f, EXPR_EXP, x, -1), number(f, 1));
    return where_negative(f, apply(f, EXPR_MUL, rise, number(f, alpha)));
}

/* log(1 + exp x) that does not overflow. */
static int softplus(formula *f)
{
    const int small = apply(f, EXPR_EXP, apply(f, EXPR_NEG, apply(f, EXPR_ABS, f->x, -1), -1), -1);
    return apply(f, EXPR_ADD, apply(f, EXPR_RELU, f->x, -1), apply(f, EXPR_LOG, apply(f, EXPR_ADD, number(f, 1), small), -1));
}

static int build(formula *f, importer *im, import_node *n)
{
    switch (n->row->detail) {
    case FORMULA_SWISH: return apply(f, EXPR_SWISH, f->x, number(f, import_float(im, n, "alpha", 1)));
    case FORMULA_HARD_SWISH: return apply(f, EXPR_MUL, f->x, hard_sigmoid(f, 1.0 / 6, 0.5));
    case FORMULA_HARD_SIGMOID: return hard_sigmoid(f, import_float(im, n, "alpha", 0.2), import_float(im, n, "beta", 0.5));
    case FORMULA_LEAKY_RELU: return where_negative(f, apply(f, EXPR_MUL, f->x, number(f, import_float(im, n, "alpha", 0.01))));
    case FORMULA_ELU: return elu(f, import_float(im, n, "alpha", 1), 1);
    case FORMULA_CELU: return elu(f, import_float(im, n, "alpha", 1), import_float(im, n, "alpha", 1));
    case FORMULA_SELU: {
        const double alpha = import_float(im, n, "alpha", 1.67326319217681884765625);
        return apply(f, EXPR_MUL, number(f, import_float(im, n, "gamma", 1.05070102214813232421875)), elu(f, alpha, 1));
    }
    case FORMULA_MISH: return apply(f, EXPR_MUL, f->x, apply(f, EXPR_TANH, softplus(f), -1));
    case FORMULA_THRESHOLDED_RELU: {
        const int above = apply(f, EXPR_LESS, number(f, import_float(im, n, "alpha", 1)), f->x);
        return expr_apply(&f->b, EXPR_SELECT, above, f->x, number(f, 0));
    }
    case FORMULA_SOFTPLUS: return softplus(f);
    case FORMULA_SOFTSIGN: return apply(f, EXPR_DIV, f->x, apply(f, EXPR_ADD, number(f, 1), apply(f, EXPR_ABS, f->x, -1)));
    default: return apply(f, EXPR_SUB, number(f, 1), apply(f, EXPR_ERF, f->x, -1));   /* FORMULA_ERFC */
    }
}

bool import_formula(importer *im, import_node *n)
{
    if (!check_unary(im, n, EXPR_EXP)) return false;
    ir_value *x = import_tensor(im, n, 0);
    formula f = { .b = expr_begin(im->arena), .elem = import_type(n, 0)->elem };
    f.x = expr_input(&f.b, 0, f.elem);
    const int result = build(&f, im, n);
    return import_put(im, n, 0, import_map(im, n, expr_end(&f.b, result), &x, 1));
}

bool import_prelu(importer *im, import_node *n)
{
    if (!check_same(im, n, 0) || !check_unary(im, n, EXPR_EXP)) return false;
    ir_value *const input[2] = { import_tensor(im, n, 0), import_tensor(im, n, 1) };
    formula f = { .b = expr_begin(im->arena), .elem = import_type(n, 0)->elem };
    f.x = expr_input(&f.b, 0, f.elem);
    const int result = where_negative(&f, apply(&f, EXPR_MUL, f.x, expr_input(&f.b, 1, f.elem)));
    return import_put(im, n, 0, import_map(im, n, expr_end(&f.b, result), input, 2));
}

/* Either sign can be left out. */
bool import_isinf(importer *im, import_node *n)
{
    const bool negative = import_int(im, n, "detect_negative", 1) != 0, positive = import_int(im, n, "detect_positive", 1) != 0;
    if (!check_unary(im, n, EXPR_ISINF)) return false;
    ir_value *x = import_tensor(im, n, 0);
    formula f = { .b = expr_begin(im->arena), .elem = import_type(n, 0)->elem };
    f.x = expr_input(&f.b, 0, f.elem);
    int result = apply(&f, EXPR_ISINF, f.x, -1);
    if (!negative) result = apply(&f, EXPR_AND, result, apply(&f, EXPR_LESS, number(&f, 0), f.x));
    if (!positive) result = apply(&f, EXPR_AND, result, apply(&f, EXPR_LESS, f.x, number(&f, 0)));
    return import_put(im, n, 0, import_map(im, n, expr_end(&f.b, result), &x, 1));
}

/* ---- types of elements ---- */

/* Contents stay contents between whole numbers; to bool where it is decided whether they are zero. */
static bool cast_contents(importer *im, import_node *n, elem to)
{
    int64_t count;
    const dim *content = import_contents(im, n->in[0], &count);
    if (!content || (to != ELEM_I64 && to != ELEM_I32 && to != ELEM_BOOL)) return false;
    dim *out = arena_array(im->arena, (size_t)count + 1, sizeof *out);
    ir_type type = *import_type(n, 0);
    type.elem = to;
    for (int64_t i = 0; i < count; i++) {
        int64_t x;
        const bool constant = dim_is_constant(content[i], &x);
        const int zero = dim_compare(im->symbols, content[i], dim_of(0));
        out[i] = content[i];
        if (to == ELEM_I32 && constant && (x < INT32_MIN || x > INT32_MAX)) return false;
        if (to == ELEM_BOOL && zero == DIM_UNDECIDED) return false;
        if (to == ELEM_BOOL) out[i] = dim_of(zero != 0);
    }
    return import_put_contents(im, n, 0, &type, out);
}

static bool cast(importer *im, import_node *n, elem to)
{
    if (import_type(n, 0)->elem == to) return import_put_same(im, n, 0, 0);
    if (cast_contents(im, n, to) || import_affine_cast(im, n, to)) return true;
    const bool same = elem_is_integer(import_type(n, 0)->elem) && (to == ELEM_I64 || to == ELEM_I32);
    if (same && n->out[0] && n->in[0]->below <= INT32_MAX) n->out[0]->below = n->in[0]->below;
    return import_put(im, n, 0, import_convert(im, n, import_tensor(im, n, 0), to));
}

bool import_cast(importer *im, import_node *n)
{
    const int64_t to = import_int(im, n, "to", 0);
    const elem e = to > 0 && to < 100 ? elem_from_onnx((int)to) : ELEM_NONE;
    return e == ELEM_NONE ? import_fail(im, n, STATUS_TYPE, -1, "to data type %lld", (long long)to) : cast(im, n, e);
}

bool import_cast_like(importer *im, import_node *n)
{
    return cast(im, n, import_type(n, 1)->elem);
}

bool import_identity(importer *im, import_node *n)
{
    return import_put_same(im, n, 0, 0);
}

bool import_dropout(importer *im, import_node *n)
{
    double training = 0;
    if (import_has(n, 2) && (!import_scalar(im, n, 2, &training) || training != 0)) {
        return import_fail(im, n, STATUS_ATTRIBUTE, 2, "it is in training mode");
    }
    return import_put_same(im, n, 0, 0);
}
