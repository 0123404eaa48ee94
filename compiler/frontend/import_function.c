/* Functions of the model, inlined at each call: the body's nodes are copied with their attributes' references replaced by the call's attributes. */
#include <inttypes.h>
#include <string.h>

#include "import.h"

static const char *domain_of(const char *s)
{
    return !s || !strcmp(s, "ai.onnx") ? "" : s;
}

const Onnx__FunctionProto *import_function_of(const importer *im, const Onnx__NodeProto *p)
{
    const Onnx__ModelProto *m = im->reader.loaded->model;
    for (size_t i = 0; i < m->n_functions; i++) {
        const Onnx__FunctionProto *f = m->functions[i];
        const bool same = !strcmp(load_text(f->overload), load_text(p->overload));
        if (same && !strcmp(load_text(f->name), load_text(p->op_type)) && !strcmp(domain_of(f->domain), domain_of(p->domain))) return f;
    }
    return NULL;
}

importer *import_inner(importer *im, import_node *n, const Onnx__GraphProto *source, bool sees_around)
{
    importer *inner = arena_alloc(im->arena, sizeof *inner);
    *inner = *im;
    inner->source = source;
    inner->names = NULL;
    inner->outer = sees_around ? im : NULL;
    inner->inside = n;
    return inner;
}

bool import_may_inline(importer *im, const import_node *n, size_t nodes)
{
    enum { NODES_MAX = 200000 };
    if (nodes >= NODES_MAX || *im->inlined + (int)nodes > NODES_MAX) {
        return import_fail(im, n, STATUS_TOO_LARGE, -1, "functions and loops make more than %d nodes", NODES_MAX);
    }
    *im->inlined += (int)nodes + 1;
    return true;
}

bool import_take_output(importer *inner, import_node *n, int k, const char *name)
{
    const import_value *from = import_value_named(inner, load_text(name), true);
    if (!n->out[k]) return true;
    if (!from->known) return false;   /* reported where it was made */
    import_put_value(n, k, from);
    return true;
}

/* ---- copies of the body ---- */

typedef struct body { importer *im; import_node *call; const Onnx__FunctionProto *function; bool *absent; } body;

static Onnx__GraphProto *copy_graph(const body *b, const Onnx__GraphProto *g);

/* What the attribute stands for in this call, under its own name; NULL: it is absent. */
static Onnx__AttributeProto *resolve(const body *b, Onnx__AttributeProto *a)
{
    const Onnx__AttributeProto *given = a;
    if (a->ref_attr_name && *a->ref_attr_name) {
        given = import_attribute(b->call, a->ref_attr_name);
        for (size_t i = 0; i < b->function->n_attribute_proto && !given; i++) {
            const Onnx__AttributeProto *otherwise = b->function->attribute_proto[i];
            if (!strcmp(load_text(otherwise->name), a->ref_attr_name)) given = otherwise;
        }
        if (!given) return NULL;
    }
    Onnx__AttributeProto *copy = arena_alloc(b->im->arena, sizeof *copy);
    *copy = *given;
    copy->name = a->name;
    if (given == a && a->g) copy->g = copy_graph(b, a->g);   /* a graph that the call gives refers to nothing in here */
    return copy;
}

static bool is_absent(const body *b, const char *name)
{
    for (size_t i = 0; i < b->function->n_input; i++)
        if (b->absent[i] && !strcmp(load_text(b->function->input[i]), load_text(name))) return true;
    return false;
}

static Onnx__NodeProto *copy_node(const body *b, const Onnx__NodeProto *p)
{
    Onnx__NodeProto *copy = arena_alloc(b->im->arena, sizeof *copy);
    *copy = *p;
    copy->attribute = arena_array(b->im->arena, p->n_attribute + 1, sizeof *copy->attribute);
    copy->input = arena_array(b->im->arena, p->n_input + 1, sizeof *copy->input);
    copy->n_attribute = 0;
    for (size_t i = 0; i < p->n_attribute; i++) {
        Onnx__AttributeProto *a = resolve(b, p->attribute[i]);
        if (a) copy->attribute[copy->n_attribute++] = a;
    }
    for (size_t i = 0; i < p->n_input; i++) copy->input[i] = is_absent(b, p->input[i]) ? NULL : p->input[i];
    return copy;
}

static Onnx__NodeProto **copy_nodes(const body *b, Onnx__NodeProto *const *node, size_t count)
{
    Onnx__NodeProto **copy = arena_array(b->im->arena, count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++) copy[i] = copy_node(b, node[i]);
    return copy;
}

static Onnx__GraphProto *copy_graph(const body *b, const Onnx__GraphProto *g)
{
    Onnx__GraphProto *copy = arena_alloc(b->im->arena, sizeof *copy);
    *copy = *g;
    copy->node = copy_nodes(b, g->node, g->n_node);
    return copy;
}

/* The body as a graph. Its outputs are those that the call reads. */
static Onnx__GraphProto *graph_of(const body *b)
{
    const Onnx__FunctionProto *f = b->function;
    Onnx__GraphProto *g = arena_alloc(b->im->arena, sizeof *g);
    onnx__graph_proto__init(g);
    g->node = copy_nodes(b, f->node, f->n_node);
    g->n_node = f->n_node;
    g->output = arena_array(b->im->arena, f->n_output + 1, sizeof *g->output);
    for (size_t i = 0; i < f->n_output; i++) {
        if (!import_is_wanted(b->call, (int)i)) continue;
        Onnx__ValueInfoProto *out = arena_alloc(b->im->arena, sizeof *out);
        onnx__value_info_proto__init(out);
        out->name = f->output[i];
        g->output[g->n_output++] = out;
    }
    return g;
}

/* ---- calls ---- */

static bool check_call(importer *im, const import_node *n, const Onnx__FunctionProto *f)
{
    if (n->inputs > (int)f->n_input || n->outputs > (int)f->n_output) {
        return import_fail(im, n, STATUS_ARITY, -1, "%d inputs and %d outputs of a function of %zu and %zu", n->inputs, n->outputs, f->n_input,
            f->n_output);
    }
    for (const import_call *c = im->call; c; c = c->outer)
        if (c->function == f) return import_fail(im, n, STATUS_CYCLE, -1, "function '%.100s' calls itself", load_text(f->name));
    return import_may_inline(im, n, f->n_node);
}

/* The version of the default domain that the function states, or the caller's. */
static int64_t opset_of(const importer *im, const Onnx__FunctionProto *f)
{
    for (size_t i = 0; i < f->n_opset_import; i++)
        if (!*domain_of(f->opset_import[i]->domain)) return f->opset_import[i]->version;
    return im->opset;
}

bool import_call_function(importer *im, import_node *n)
{
    const Onnx__FunctionProto *f = import_function_of(im, n->proto);
    if (!check_call(im, n, f)) return false;
    body b = { im, n, f, arena_array(im->arena, f->n_input + 1, sizeof(bool)) };
    for (size_t i = 0; i < f->n_input; i++) b.absent[i] = !import_has(n, (int)i);
    import_call call = { f, im->call };
    importer *inner = import_inner(im, n, graph_of(&b), false);
    inner->call = &call;
    inner->opset = opset_of(im, f);
    for (size_t i = 0; i < f->n_input; i++)
        if (!b.absent[i] && !import_bind_name(inner, n, load_text(f->input[i]), n->in[i])) return false;
    if (!import_branch(inner)) return false;
    for (int k = 0; k < n->outputs; k++)
        if (import_is_wanted(n, k) && !import_take_output(inner, n, k, f->output[k])) return false;
    return true;
}
