/* Expressions: building with equal items shared, inlining, equality and types. */
#include "expr.h"

#include <math.h>
#include <string.h>

#include "text.h"

static const struct { const char *name; int arity; char result; } row[EXPR_OP_COUNT] = {
#define EXPR(NAME, name, arity, result) [EXPR_##NAME] = {#name, arity, result},
#include "exprs.def"
#undef EXPR
};

int expr_arity(expr_op op)
{
    return row[op].arity;
}

const char *expr_op_name(expr_op op)
{
    return row[op].name;
}

int expr_op_from_name(const char *name)
{
    for (int i = 0; i < EXPR_OP_COUNT; i++)
        if (strcmp(row[i].name, name) == 0) return i;
    return -1;
}

static bool same_number(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b && signbit(a) == signbit(b);
}

static bool item_equal(const expr_item *a, const expr_item *b)
{
    if (a->op != b->op || a->elem != b->elem) return false;
    if (a->op == EXPR_INPUT) return a->index == b->index;
    if (a->op == EXPR_CONSTANT) return elem_is_float(a->elem) ? same_number(a->number, b->number) : a->integer == b->integer;
    for (int i = 0; i < row[a->op].arity; i++)
        if (a->arg[i] != b->arg[i]) return false;
    return true;
}

bool expr_equal(const expr *a, const expr *b)
{
    if (!a || !b) return a == b;
    if (a->count != b->count) return false;
    for (int i = 0; i < a->count; i++)
        if (!item_equal(&a->item[i], &b->item[i])) return false;
    return true;
}

int expr_inputs(const expr *e)
{
    int inputs = 0;
    for (int i = 0; i < e->count; i++)
        if (e->item[i].op == EXPR_INPUT && e->item[i].index >= inputs) inputs = e->item[i].index + 1;
    return inputs;
}

/* ---- building ---- */

expr_builder expr_begin(arena *a)
{
    return (expr_builder){.arena = a};
}

static int append(expr_builder *b, expr_item item)
{
    for (int i = b->count - 1; i >= 0; i--)
        if (item_equal(&b->item[i], &item)) return i;
    b->item = arena_grow(b->arena, b->item, (size_t)b->count, sizeof *b->item);
    b->item[b->count] = item;
    return b->count++;
}

int expr_input(expr_builder *b, int index, elem e)
{
    return append(b, (expr_item){.op = EXPR_INPUT, .elem = e, .arg = {-1, -1, -1}, .index = index});
}

int expr_constant(expr_builder *b, elem e, double number, int64_t integer)
{
    expr_item item = {.op = EXPR_CONSTANT, .elem = e, .arg = {-1, -1, -1}};
    if (elem_is_float(e)) item.number = text_round(e, number);
    else item.integer = e == ELEM_BOOL ? integer != 0 : integer;
    return append(b, item);
}

int expr_convert(expr_builder *b, elem e, int x)
{
    return append(b, (expr_item){.op = EXPR_CONVERT, .elem = e, .arg = {x, -1, -1}});
}

int expr_apply(expr_builder *b, expr_op op, int x, int y, int z)
{
    expr_item item = {.op = op, .arg = {x, y, z}};
    int arity = row[op].arity;
    for (int i = arity; i < 3; i++) item.arg[i] = -1;
    item.elem = row[op].result == 'b' || arity == 0 ? ELEM_BOOL : b->item[item.arg[arity - 1]].elem;
    return append(b, item);
}

int expr_inline(expr_builder *b, const expr *e, const int *input)
{
    int *place = arena_array(b->arena, (size_t)e->count, sizeof *place);
    for (int i = 0; i < e->count; i++) {
        expr_item item = e->item[i];
        if (item.op == EXPR_INPUT) {
            place[i] = input[item.index];
            continue;
        }
        for (int k = 0; k < row[item.op].arity; k++) item.arg[k] = place[item.arg[k]];
        place[i] = append(b, item);
    }
    return place[e->count - 1];
}

/* Items come in the order in which the tree is written, operands first, so that equal trees are equal expressions. */
static int place_item(const expr_builder *from, int i, int *place, expr_item *to, int *count)
{
    /* An explicit stack: a model may chain thousands of operators. */
    int *stack = arena_array(from->arena, (size_t)from->count * 4 + 1, sizeof *stack), depth = 0;
    stack[depth++] = i;
    while (depth > 0) {
        int k = stack[depth - 1], arity = row[from->item[k].op].arity, waiting = depth;
        if (place[k] >= 0) {
            depth--;
            continue;
        }
        for (int j = arity - 1; j >= 0; j--)
            if (place[from->item[k].arg[j]] < 0) stack[depth++] = from->item[k].arg[j];
        if (depth > waiting) continue;
        to[*count] = from->item[k];
        for (int j = 0; j < arity; j++) to[*count].arg[j] = place[from->item[k].arg[j]];
        place[k] = (*count)++;
        depth--;
    }
    return place[i];
}

expr *expr_end(expr_builder *b, int result)
{
    int *place = arena_array(b->arena, (size_t)b->count, sizeof *place), count = 0;
    for (int i = 0; i < b->count; i++) place[i] = -1;
    expr_item *item = arena_array(b->arena, (size_t)b->count, sizeof *item);
    place_item(b, result, place, item, &count);
    expr *e = arena_alloc(b->arena, sizeof *e);
    *e = (expr){count, item};
    return e;
}

/* ---- types ---- */

static bool of_floats(expr_op op)
{
    switch (op) {
    case EXPR_SQRT: case EXPR_RECIPROCAL: case EXPR_EXP: case EXPR_LOG: case EXPR_SIN: case EXPR_COS: case EXPR_TANH: case EXPR_SIGMOID: case EXPR_ERF:
    case EXPR_FLOOR: case EXPR_CEIL: case EXPR_ROUND: case EXPR_GELU: case EXPR_GELU_TANH: case EXPR_SWISH: case EXPR_ISNAN: case EXPR_ISINF:
        return true;
    default:
        return false;
    }
}

static const char *check_operands(const expr *e, const expr_item *item)
{
    const expr_item *x = &e->item[item->arg[0]];
    int arity = row[item->op].arity;
    const expr_item *y = arity > 1 ? &e->item[item->arg[1]] : x, *z = arity > 2 ? &e->item[item->arg[2]] : y;
    if (item->op == EXPR_SELECT) {
        if (x->elem != ELEM_BOOL) return "select's first operand is not bool";
        return y->elem == z->elem ? NULL : "select's branches differ in type";
    }
    if (x->elem != y->elem) return "operands differ in type";
    if (of_floats(item->op)) {
        if (!elem_is_float(x->elem)) return "a float operator's operand is not a float";
        if (item->op == EXPR_SWISH && y->op != EXPR_CONSTANT) return "swish's second operand is not a constant";
        return NULL;
    }
    switch (item->op) {
    case EXPR_NOT: return x->elem == ELEM_BOOL ? NULL : "not's operand is not bool";
    case EXPR_AND: case EXPR_OR: case EXPR_XOR: return elem_is_float(x->elem) ? "a logical operator's operand is a float" : NULL;
    case EXPR_EQUAL: return NULL;
    default: return x->elem == ELEM_BOOL ? "an arithmetic operator's operand is bool" : NULL;
    }
}

static const char *check_item(const expr *e, int i, const elem *input, int inputs)
{
    const expr_item *item = &e->item[i];
    if ((int)item->op < 0 || item->op >= EXPR_OP_COUNT || item->elem <= ELEM_NONE || item->elem >= ELEM_COUNT)
        return "an item has no operator or no type";
    int arity = row[item->op].arity;
    for (int k = 0; k < arity; k++)
        if (item->arg[k] < 0 || item->arg[k] >= i) return "an operand does not come before its operator";
    if (item->op == EXPR_INPUT) {
        if (item->index < 0 || item->index >= inputs) return "an input that is not there is read";
        return input[item->index] == item->elem ? NULL : "an input is read as another type";
    }
    if (item->op == EXPR_CONSTANT) {
        if (!elem_is_float(item->elem)) return NULL;
        return same_number(item->number, text_round(item->elem, item->number)) ? NULL : "a constant is not rounded to its type";
    }
    if (item->op == EXPR_CONVERT) return NULL;
    const char *error = check_operands(e, item);
    if (error) return error;
    elem expected = row[item->op].result == 'b' ? ELEM_BOOL : e->item[item->arg[arity - 1]].elem;
    return item->elem == expected ? NULL : "an operator's type is not what its operands give";
}

const char *expr_check(const expr *e, const elem *input, int inputs)
{
    if (!e || e->count <= 0) return "the expression is empty";
    for (int i = 0; i < e->count; i++) {
        const char *error = check_item(e, i, input, inputs);
        if (error) return error;
    }
    return NULL;
}
