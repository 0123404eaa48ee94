/* Bodies of Loop and Scan, imported in place once a round. */
#include "import_body.h"

import_value *body_value(importer *im, ir_value *tensor)
{
    import_value *v = arena_alloc(im->arena, sizeof *v);
    *v = (import_value){ .name = "", .known = true, .defined = true, .type = tensor->type, .tensor = tensor, .producer = -1, .owner = im };
    return v;
}

importer *body_import(importer *im, import_node *n, const Onnx__GraphProto *body, import_value *const *in)
{
    if (!import_may_inline(im, n, body->n_node)) return NULL;
    importer *inner = import_inner(im, n, body, true);
    for (size_t i = 0; i < body->n_input; i++)
        if (!import_bind_name(inner, n, load_text(body->input[i]->name), in[i])) return NULL;
    return import_branch(inner) ? inner : NULL;
}

import_value *body_output(importer *inner, int k)
{
    import_value *v = import_value_named(inner, load_text(inner->source->output[k]->name), true);
    return v->known ? v : NULL;
}

ir_value *body_part(importer *inner, import_node *n, int k)
{
    const diag_place place = { .node = n->place, .input = -1 };
    import_value *v = body_output(inner, k);
    return v ? compose_unsqueeze(inner, n, import_tensor_of(inner, v, &place), 0) : NULL;
}
