/* If: where the condition is known while compiling, the branch taken becomes part of the graph around it; else both do, and their outputs are
 * chosen among. */
#include "import_compose.h"

/* Imports a branch; NULL: reported. */
static importer *branch_of(importer *im, import_node *n, const char *name)
{
    const Onnx__AttributeProto *a = import_attribute(n, name);
    if (!a || !a->g) return import_fail(im, n, STATUS_BAD_FIELD, -1, "a branch is missing"), NULL;
    if ((int)a->g->n_output != n->outputs) {
        return import_fail(im, n, STATUS_ARITY, -1, "outputs: %zu of the branch, %d of the node", a->g->n_output, n->outputs), NULL;
    }
    importer *branch = import_inner(im, n, a->g, true);
    return import_branch(branch) ? branch : NULL;
}

/* Output k of a branch as a tensor; NULL: reported. */
static ir_value *tensor_of(importer *branch, const import_node *n, int k)
{
    const diag_place place = { .node = n->place, .input = -1 };
    import_value *v = import_value_named(branch, load_text(branch->source->output[k]->name), true);
    return v->known ? import_tensor_of(branch, v, &place) : NULL;
}

/* Both branches are computed; a run chooses. */
static bool choose(importer *im, import_node *n)
{
    int64_t elements;
    if (!ir_dims_constant(import_type(n, 0), NULL, &elements) || elements != 1) return import_fail(im, n, STATUS_SHAPE, 0, "one condition is needed");
    ir_value *condition = import_reshape(im, n, import_tensor(im, n, 0), NULL, 0);
    importer *branch[2] = { condition ? branch_of(im, n, "then_branch") : NULL, condition ? branch_of(im, n, "else_branch") : NULL };
    if (!branch[0] || !branch[1]) return false;
    for (int k = 0; k < n->outputs; k++) {
        if (!import_is_wanted(n, k)) continue;
        ir_value *x = tensor_of(branch[0], n, k), *y = tensor_of(branch[1], n, k);
        if (!x || !y) return false;
        if (!ir_type_equal(&x->type, &y->type)) {
            return import_fail(im, n, STATUS_SHAPE_UNKNOWN, 0, "by a condition of the run output %d is %s or %s", k,
                ir_type_text(im->arena, im->symbols, &x->type), ir_type_text(im->arena, im->symbols, &y->type));
        }
        if (!import_put(im, n, k, compose_select(im, n, condition, x, y))) return false;
    }
    return true;
}

bool import_if(importer *im, import_node *n)
{
    double condition;
    if (import_type(n, 0)->elem != ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "a condition must be bool");
    if (!import_scalar(im, n, 0, &condition)) return choose(im, n);
    importer *branch = branch_of(im, n, condition != 0 ? "then_branch" : "else_branch");
    if (!branch) return false;
    for (int k = 0; k < n->outputs; k++)
        if (!import_take_output(branch, n, k, branch->source->output[k]->name)) return false;
    return true;
}
