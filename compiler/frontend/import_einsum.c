/* Einsum of one or two operands: diagonals, transposes, a product over merged axes, and back. */
#include <ctype.h>
#include <string.h>

#include "import_compose.h"
#include "import_product.h"

/* Axes are known by labels: letters by their code, an ellipsis' axes from ELLIPSIS on, the last being the last. */
enum { ELLIPSIS = 128, LABELS = ELLIPSIS + IR_RANK_MAX };

typedef struct term { int rank; int label[IR_RANK_MAX]; bool ellipsis; } term;
typedef struct equation {
    int operands;
    term operand[2], result;
    dim size[LABELS];
    int seen[LABELS];          /* in how many operands */
    int times[LABELS];         /* and how often in all */
} equation;

static bool has(const term *t, int label)
{
    for (int i = 0; i < t->rank; i++)
        if (t->label[i] == label) return true;
    return false;
}

static bool add_label(term *t, int label)
{
    if (t->rank == IR_RANK_MAX) return false;
    t->label[t->rank++] = label;
    return true;
}

/* One term up to `end`; an ellipsis stands for `covered` axes. A label may stand in it twice, for a diagonal. */
static bool read_term(const char *at, const char *end, int covered, term *t)
{
    *t = (term){ 0 };
    for (; at < end; at++) {
        if (*at == ' ') continue;
        if (end - at >= 3 && !strncmp(at, "...", 3) && !t->ellipsis) {
            t->ellipsis = true;
            for (int i = 0; i < covered; i++)
                if (!add_label(t, ELLIPSIS + IR_RANK_MAX - covered + i)) return false;
            at += 2;
        } else if (!isalpha((unsigned char)*at) || !add_label(t, *at)) {
            return false;
        }
    }
    return true;
}

static int letters(const char *at, const char *end)
{
    int count = 0;
    for (; at < end; at++) count += isalpha((unsigned char)*at) != 0;
    return count;
}

static bool read_operand(const char *at, const char *end, const ir_type *type, equation *q)
{
    term *t = &q->operand[q->operands++];
    const int covered = type->rank - letters(at, end);
    if (covered < 0 || !read_term(at, end, covered, t) || t->rank != type->rank) return false;
    for (int i = 0; i < t->rank; i++) {
        const int label = t->label[i];
        bool again = false;
        for (int j = 0; j < i; j++) again |= t->label[j] == label;
        if (q->times[label]++ && !dim_equal(q->size[label], type->dim[i])) return false;
        q->seen[label] += !again;
        q->size[label] = type->dim[i];
    }
    return true;
}

/* Without "->": an ellipsis' axes, then the letters that occur once, in alphabetical order. */
static bool implicit_result(equation *q)
{
    for (int label = ELLIPSIS; label < LABELS; label++)
        if (q->seen[label] && !add_label(&q->result, label)) return false;
    for (int label = 0; label < ELLIPSIS; label++)
        if (q->times[label] == 1 && !add_label(&q->result, label)) return false;
    return true;
}

static bool read_equation(const char *text, const import_node *n, equation *q)
{
    const char *arrow = strstr(text, "->"), *end = arrow ? arrow : text + strlen(text);
    for (const char *at = text; q->operands < n->inputs; at++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if (!read_operand(at, comma ? comma : end, import_type(n, q->operands), q)) return false;
        if (!comma) break;
        at = comma;
        if (q->operands == n->inputs) return false;
    }
    if (q->operands != n->inputs) return false;
    if (!arrow) return implicit_result(q);
    int covered = 0;
    for (int label = ELLIPSIS; label < LABELS; label++) covered += q->seen[label] > 0;
    if (!read_term(arrow + 2, text + strlen(text), covered, &q->result)) return false;
    for (int i = 0; i < q->result.rank; i++) {
        if (!q->seen[q->result.label[i]]) return false;
        for (int j = 0; j < i; j++)
            if (q->result.label[j] == q->result.label[i]) return false;
    }
    return true;
}

/* x with its axes in the order of `wanted`, which has the same labels. */
static ir_value *arrange(importer *im, const import_node *n, ir_value *x, const term *own, const term *wanted)
{
    int permutation[IR_RANK_MAX];
    for (int i = 0; i < wanted->rank; i++)
        for (int j = 0; j < own->rank; j++)
            if (own->label[j] == wanted->label[i]) permutation[i] = j;
    return import_transpose(im, n, x, permutation);
}

/* x of labels t, axes i < j the same: their diagonal, put last. */
static ir_value *diagonal(importer *im, const import_node *n, ir_value *x, term *t, int i, int j)
{
    int permutation[IR_RANK_MAX], rank = 0;
    dim shape[IR_RANK_MAX];
    int64_t size;
    term rest = { 0 };
    if (!dim_is_constant(x->type.dim[i], &size) || size > INT32_MAX) {
        return import_fail(im, n, STATUS_SHAPE_UNKNOWN, -1, "the diagonal's length"), NULL;
    }
    for (int a = 0; a < t->rank; a++) {
        if (a == i || a == j) continue;
        shape[rank] = x->type.dim[a];
        permutation[rank++] = a;
        add_label(&rest, t->label[a]);
    }
    permutation[rank] = i;
    permutation[rank + 1] = j;
    shape[rank] = dim_of(size * size);
    add_label(&rest, t->label[i]);
    *t = rest;
    ir_value *flat = import_reshape(im, n, import_transpose(im, n, x, permutation), shape, rank + 1);
    return compose_slice(im, n, flat, rank, 0, size + 1, dim_of(size));
}

/* Of labels that stand twice in operand k the diagonals. */
static ir_value *take_diagonals(importer *im, const import_node *n, ir_value *x, term *t)
{
    for (int j = 1; x && j < t->rank; j++)
        for (int i = 0; i < j; i++) {
            if (t->label[i] != t->label[j]) continue;
            x = diagonal(im, n, x, t, i, j);
            j = 0;
            break;
        }
    return x;
}

/* Sums over the labels of operand k that occur nowhere else. */
static ir_value *sum_lone(importer *im, const import_node *n, ir_value *x, equation *q, int k)
{
    term *t = &q->operand[k], rest = { 0 };
    int64_t axes[IR_RANK_MAX];
    int count = 0;
    for (int i = 0; i < t->rank; i++) {
        const bool lone = q->seen[t->label[i]] == 1 && !has(&q->result, t->label[i]);
        if (lone) axes[count++] = i;
        else add_label(&rest, t->label[i]);
    }
    if (!count || !x) return x;
    *t = rest;
    ir_node *node = import_begin(im, n, IR_REDUCE);
    ir_input(node, x);
    ir_set_name(node, KEY_KIND, "sum");
    ir_set_ints(node, KEY_AXES, axes, count);
    ir_set_int(node, KEY_KEEP, 0);
    return import_end(im, node);
}

/* Labels of one operand by their part in the product. */
typedef struct parts { term batch, left, right, summed; } parts;

static parts divide(const equation *q)
{
    parts p = { 0 };
    for (int i = 0; i < q->operand[0].rank; i++) {
        const int label = q->operand[0].label[i];
        if (!has(&q->operand[1], label)) add_label(&p.left, label);
        else add_label(has(&q->result, label) ? &p.batch : &p.summed, label);
    }
    for (int i = 0; i < q->operand[1].rank; i++)
        if (!has(&q->operand[0], q->operand[1].label[i])) add_label(&p.right, q->operand[1].label[i]);
    return p;
}

static void append(term *to, const term *from)
{
    for (int i = 0; i < from->rank && to->rank < IR_RANK_MAX; i++) to->label[to->rank++] = from->label[i];
}

/* Appends the sizes of t to `shape`, as one axis if `merged`. */
static bool put_sizes(const equation *q, const term *t, bool merged, dim *shape, int *rank)
{
    dim all = dim_of(1);
    for (int i = 0; i < t->rank; i++) {
        if (merged ? !dim_mul(all, q->size[t->label[i]], &all) : *rank == IR_RANK_MAX) return false;
        if (!merged) shape[(*rank)++] = q->size[t->label[i]];
    }
    if (merged && *rank == IR_RANK_MAX) return false;
    if (merged) shape[(*rank)++] = all;
    return true;
}

/* x as [batch…, first, second]; the batch axes stay apart. */
static ir_value *as_matrix(importer *im, const import_node *n, ir_value *x, const equation *q, int k, const term *batch, const term *first, bool apart,
    const term *second)
{
    term wanted = *batch;
    dim shape[IR_RANK_MAX];
    int rank = 0;
    append(&wanted, first);
    append(&wanted, second);
    ir_value *v = arrange(im, n, x, &q->operand[k], &wanted);
    if (put_sizes(q, batch, false, shape, &rank) && put_sizes(q, first, !apart, shape, &rank) && put_sizes(q, second, true, shape, &rank)) {
        return import_reshape(im, n, v, shape, rank);
    }
    import_fail(im, n, STATUS_SHAPE, k, "its merged axes are not affine, or too many");
    return NULL;
}

static ir_value *product(importer *im, const import_node *n, ir_value *const *x, const equation *q)
{
    const parts p = divide(q);
    term order = p.batch;
    dim shape[IR_RANK_MAX];
    int rank = 0;
    append(&order, &p.left);
    append(&order, &p.right);
    const bool linear = !p.batch.rank && p.left.rank && ir_is_constant(x[1]);   /* the left axes may stay apart */
    ir_value *a = as_matrix(im, n, x[0], q, 0, &p.batch, &p.left, linear, &p.summed);
    ir_value *b = as_matrix(im, n, x[1], q, 1, &p.batch, &p.summed, false, &p.right);
    ir_value *v = a && b ? import_product(im, n, a, b, NULL) : NULL;
    if (!v) return NULL;
    for (int i = 0; i < order.rank && i < IR_RANK_MAX; i++) shape[rank++] = q->size[order.label[i]];
    return arrange(im, n, import_reshape(im, n, v, shape, rank), &order, &q->result);
}

bool import_einsum(importer *im, import_node *n)
{
    const char *text = import_string(im, n, "equation", "");
    equation *q = arena_alloc(im->arena, sizeof *q);
    ir_value *x[2] = { NULL };
    if (!import_check_floats(im, n)) return false;
    if (!read_equation(text, n, q)) return import_fail(im, n, STATUS_ATTRIBUTE, -1, "equation = '%.100s' on these inputs", text);
    for (int i = 0; i < n->inputs; i++)
        if (!(x[i] = sum_lone(im, n, take_diagonals(im, n, import_tensor(im, n, i), &q->operand[i]), q, i))) return false;
    return import_put(im, n, 0, n->inputs == 1 ? arrange(im, n, x[0], &q->operand[0], &q->result) : product(im, n, x, q));
}
