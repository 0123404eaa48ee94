/* If, where the condition is known while compiling: the branch taken becomes part of the graph around it. */
#include "import.h"

bool import_if(importer *im, import_node *n)
{
    double condition;
    if (import_type(n, 0)->elem != ELEM_BOOL) return import_fail(im, n, STATUS_TYPE, 0, "a condition must be bool");
    if (!import_scalar(im, n, 0, &condition)) return import_fail(im, n, STATUS_OPERATOR, 0, "If by a condition that only a run knows");
    const Onnx__AttributeProto *a = import_attribute(n, condition != 0 ? "then_branch" : "else_branch");
    if (!a || !a->g) return import_fail(im, n, STATUS_BAD_FIELD, -1, "a branch is missing");
    if ((int)a->g->n_output != n->outputs)
        return import_fail(im, n, STATUS_ARITY, -1, "outputs: %zu of the branch, %d of the node", a->g->n_output, n->outputs);
    importer *branch = import_inner(im, n, a->g, true);
    if (!import_branch(branch)) return false;
    for (int k = 0; k < n->outputs; k++)
        if (!import_take_output(branch, n, k, a->g->output[k]->name)) return false;
    return true;
}
