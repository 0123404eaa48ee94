/* The graph: values by name, nodes in topological order, each handed to its operator's importer. */
#include "import.h"

#include <inttypes.h>
#include <string.h>

#include "../ir/text.h"

const char *import_origin(arena *a, int index, const Onnx__NodeProto *n)
{
    strbuf b = strbuf_in(a);
    const char *name = n->name && *n->name ? n->name : load_text(n->op_type);
    strbuf_printf(&b, "%d ", index);
    text_quote(&b, '\'', arena_strndup(a, name, strlen(name) < 200 ? strlen(name) : 200));
    return b.text;
}

/* ---- names ---- */

static void duplicate(importer *im, const char *place, const char *name)
{
    const diag_place at = { .node = place, .input = -1 };
    diag_error(im->diag, STATUS_DUPLICATE, place ? &at : NULL, "'%.200s'", name);
}

static void define_initializers(importer *im)
{
    const Onnx__GraphProto *g = im->source;
    for (size_t i = 0; i < g->n_initializer; i++) {
        const char *name = load_text(g->initializer[i]->name);
        import_value *v = import_own_value(im, name);
        if (v->defined) duplicate(im, NULL, name);
        v->defined = true;
        v->initializer = g->initializer[i];
    }
    for (size_t i = 0; i < g->n_sparse_initializer; i++) {
        const Onnx__TensorProto *t = g->sparse_initializer[i]->values;
        const char *name = t ? load_text(t->name) : "";
        import_value *v = import_value_named(im, name, true);
        v->defined = v->failed = true;
        diag_error(im->diag, STATUS_TYPE, NULL, "sparse initializer '%.200s'", name);
    }
}

static void define_inputs(importer *im)
{
    const Onnx__GraphProto *g = im->source;
    for (size_t i = 0; i < g->n_input; i++) {
        const char *name = load_text(g->input[i]->name);
        if (!*name) {
            diag_error(im->diag, STATUS_BAD_FIELD, NULL, "input %zu has no name", i);
            continue;
        }
        import_value *v = import_value_named(im, name, true);
        if (v->is_input) duplicate(im, NULL, name);
        v->defined = v->is_input = true;
    }
}

static import_value **name_list(importer *im, char *const *names, size_t count, bool own)
{
    import_value **list = arena_array(im->arena, count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        if (names[i] && *names[i]) list[i] = own ? import_own_value(im, names[i]) : import_value_named(im, names[i], true);
    return list;
}

static void define_node(importer *im, import_node *n, int index)
{
    const Onnx__NodeProto *p = im->source->node[index];
    const char *origin = import_origin(im->arena, index, p);
    n->proto = p;
    n->index = index;
    n->origin = im->inside ? im->inside->origin : origin;
    n->place = arena_printf(im->arena, "node %s%s", origin, p->name && *p->name ? arena_printf(im->arena, " (%.100s)", load_text(p->op_type)) : "");
    if (im->inside) n->place = arena_printf(im->arena, "%s branch %s", im->inside->place, n->place);
    n->inputs = (int)p->n_input;
    n->outputs = (int)p->n_output;
    n->in = name_list(im, p->input, p->n_input, false);
    n->out = name_list(im, p->output, p->n_output, true);
    for (int i = 0; i < n->outputs; i++) {
        if (!n->out[i]) continue;
        if (n->out[i]->defined) duplicate(im, n->place, n->out[i]->name);
        else n->out[i]->producer = index;
        n->out[i]->defined = true;
    }
    while (n->inputs && !n->in[n->inputs - 1]) n->inputs--;   /* trailing absent inputs */
}

/* ---- what branches read from around them ---- */

/* The names that a branch defines, and the branches around it: they hide those of the graph. */
static void define_names(importer *branch, const Onnx__GraphProto *g)
{
    for (size_t i = 0; i < g->n_input; i++) import_own_value(branch, load_text(g->input[i]->name))->defined = true;
    for (size_t i = 0; i < g->n_initializer; i++) import_own_value(branch, load_text(g->initializer[i]->name))->defined = true;
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_output; k++) import_own_value(branch, load_text(g->node[i]->output[k]))->defined = true;
}

static void capture_name(importer *im, import_node *n, importer *branch, const char *name)
{
    if (!name || !*name || import_value_named(branch, name, false)) return;
    import_value *v = import_value_named(im, name, false);
    if (!v || !v->defined) return;
    n->capture = arena_grow(im->arena, n->capture, (size_t)n->captures, sizeof(import_value *));
    n->capture[n->captures++] = v;
}

static void capture_graph(importer *im, import_node *n, const Onnx__GraphProto *g, importer *around)
{
    importer branch = { .arena = im->arena, .outer = around };
    define_names(&branch, g);
    for (size_t i = 0; i < g->n_output; i++) capture_name(im, n, &branch, g->output[i]->name);
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *p = g->node[i];
        for (size_t k = 0; k < p->n_input; k++) capture_name(im, n, &branch, p->input[k]);
        for (size_t k = 0; k < p->n_attribute; k++)
            if (p->attribute[k]->g) capture_graph(im, n, p->attribute[k]->g, &branch);
    }
}

static void capture(importer *im, import_node *n)
{
    for (size_t k = 0; k < n->proto->n_attribute; k++)
        if (n->proto->attribute[k]->g) capture_graph(im, n, n->proto->attribute[k]->g, NULL);
}

/* ---- order ---- */

typedef struct sorter {
    importer *im;
    import_node *node;
    int nodes;
    enum { UNSEEN, OPEN, DONE } *state;
    struct frame { int node, next; } *stack;
    int *order, sorted;
} sorter;

/* Visits a node and all it depends on, producers first. */
static void visit(sorter *s, int root)
{
    int depth = 0;
    s->stack[depth++] = (struct frame){ root, 0 };
    s->state[root] = OPEN;
    while (depth) {
        struct frame *f = &s->stack[depth - 1];
        const import_node *n = &s->node[f->node];
        if (f->next == n->inputs + n->captures) {
            s->state[f->node] = DONE;
            s->order[s->sorted++] = f->node;
            depth--;
            continue;
        }
        const import_value *v = f->next < n->inputs ? n->in[f->next] : n->capture[f->next - n->inputs];
        f->next++;
        if (!v || v->owner != s->im || v->producer < 0 || s->state[v->producer] == DONE) continue;
        if (s->state[v->producer] == OPEN) import_fail(s->im, n, STATUS_CYCLE, f->next <= n->inputs ? f->next - 1 : -1,
            "'%.200s' depends on this node", v->name);
        else {
            s->state[v->producer] = OPEN;
            s->stack[depth++] = (struct frame){ v->producer, 0 };
        }
    }
}

static int *sort(importer *im, import_node *node, int nodes)
{
    arena *a = im->arena;
    const size_t room = (size_t)nodes + 1;
    sorter s = { im, node, nodes, arena_array(a, room, sizeof *s.state), arena_array(a, room, sizeof *s.stack), arena_array(a, room, sizeof *s.order),
        0 };
    for (int i = 0; i < nodes; i++)
        if (s.state[i] == UNSEEN) visit(&s, i);
    return s.order;
}

/* ---- use ---- */

static void check_inputs(importer *im, import_node *n)
{
    for (int i = 0; i < n->inputs; i++) {
        import_value *v = n->in[i];
        if (!v || v->defined) continue;
        import_fail(im, n, STATUS_DANGLING, i, "'%.200s'", v->name);
        v->failed = true;
        v->defined = true;   /* told once */
    }
}

/* Marks what the graph's outputs need; nodes that nobody needs are not imported. */
static bool *mark_live(importer *im, import_node *node, const int *order, int nodes)
{
    bool *live = arena_array(im->arena, (size_t)nodes + 1, sizeof *live);
    for (size_t i = 0; i < im->source->n_output; i++) import_value_named(im, load_text(im->source->output[i]->name), true)->read = true;
    for (int i = nodes - 1; i >= 0; i--) {
        const import_node *n = &node[order[i]];
        for (int k = 0; k < n->outputs; k++) live[n->index] |= n->out[k] && n->out[k]->read;
        for (int k = 0; k < n->inputs && live[n->index]; k++)
            if (n->in[k]) n->in[k]->read = true;
        for (int k = 0; k < n->captures && live[n->index]; k++) n->capture[k]->read = true;
    }
    return live;
}

/* ---- nodes ---- */

static void read_initializer(importer *im, import_value *v, const diag_place *place)
{
    ir_type type;
    scan_bytes bytes;
    if (!v->initializer || v->known || v->failed) return;
    if (!tensor_read(&im->reader, v->initializer, place, &type, &bytes)) {
        v->failed = true;
        return;
    }
    v->known = true;
    v->type = type;
    v->tensor = ir_constant(im->graph, type, bytes.data, bytes.size, NULL);
    v->tensor->name = v->name;
}

/* False: an input's maker has failed. */
static bool inputs_ready(importer *im, const import_node *n)
{
    bool ready = true;
    for (int i = 0; i < n->inputs; i++) {
        const diag_place place = { .node = n->place, .input = i };
        if (!n->in[i]) continue;
        read_initializer(im, n->in[i], &place);
        ready &= n->in[i]->known;
    }
    return ready;
}

static bool check_arity(importer *im, const import_node *n)
{
    const import_operator *o = n->row;
    if (n->inputs < o->least || (o->most >= 0 && n->inputs > o->most))
        return import_fail(im, n, STATUS_ARITY, -1, "it has %d input%s", n->inputs, n->inputs == 1 ? "" : "s");
    for (int i = 0; i < o->least; i++)
        if (!n->in[i]) return import_fail(im, n, STATUS_ARITY, i, "the input is absent");
    return true;
}

static bool import_one(importer *im, import_node *n)
{
    if (!inputs_ready(im, n) || !n->row || !check_arity(im, n)) return false;
    if (!n->row->handler(im, n) || n->wrong) return false;
    for (int k = 0; k < n->outputs; k++)
        if (import_is_wanted(n, k) && !n->out[k]->known) return import_fail(im, n, STATUS_OPERATOR, -1, "its output %d is read", k);
    return true;
}

typedef struct unsupported { const import_node *first; int nodes; } unsupported;

static bool same_operator(const Onnx__NodeProto *a, const Onnx__NodeProto *b)
{
    return !strcmp(load_text(a->op_type), load_text(b->op_type)) && !strcmp(load_text(a->domain), load_text(b->domain));
}

static void report_unsupported(importer *im, const unsupported *u)
{
    const Onnx__NodeProto *p = u->first->proto;
    const char *domain = load_text(p->domain), *name = load_text(p->op_type);
    const char *more = u->nodes > 1 ? arena_printf(im->arena, " (%d nodes)", u->nodes) : "";
    import_fail(im, u->first, STATUS_OPERATOR, -1, "%.100s%s%.100s of opset %" PRId64 "%s", domain, *domain ? "::" : "", name, im->opset, more);
}

/* A function of the model comes before an operator of the same name. */
static const import_operator *operator_of(const importer *im, const Onnx__NodeProto *p)
{
    static const import_operator call = { "", "", 0, 0, 0, -1, import_call_function, 0 };
    return import_function_of(im, p) ? &call : import_find_operator(load_text(p->domain), load_text(p->op_type), im->opset);
}

/* Finds each node's operator; what is not supported is told once an operator, with its first node. */
static void find_operators(importer *im, import_node *node, const bool *live, int nodes)
{
    enum { KINDS_MAX = 64 };       /* more would tell nothing new */
    unsupported list[KINDS_MAX];
    int kinds = 0;
    for (int i = 0; i < nodes; i++) {
        const Onnx__NodeProto *p = node[i].proto;
        int k = 0;
        node[i].row = operator_of(im, p);
        if (node[i].row || !live[i]) continue;
        while (k < kinds && !same_operator(list[k].first->proto, p)) k++;
        if (k == KINDS_MAX) continue;
        if (k == kinds) list[kinds++] = (unsupported){ &node[i], 0 };
        list[k].nodes++;
    }
    for (int k = 0; k < kinds; k++) report_unsupported(im, &list[k]);
}

static void import_results(importer *im)
{
    for (size_t i = 0; i < im->source->n_output; i++) {
        const char *name = load_text(im->source->output[i]->name);
        import_value *v = import_value_named(im, name, true);
        if (v->is_output) duplicate(im, NULL, name);
        v->is_output = true;
        if (!v->defined) diag_error(im->diag, STATUS_DANGLING, NULL, "output '%.200s'", name);
        read_initializer(im, v, NULL);
        if (!v->known) continue;
        const diag_place place = { .node = arena_printf(im->arena, "output '%.200s'", name), .input = -1,
            .shape = ir_type_text(im->arena, im->symbols, &v->type) };
        ir_value *t = import_tensor_of(im, v, &place);
        if (t) ir_add_result(im->graph, name, t);
    }
    if (!im->source->n_output) diag_error(im->diag, STATUS_BAD_FIELD, NULL, "the graph has no output");
}

/* Defines, sorts and imports the nodes; inputs are declared in between, when it is known that names and order are sound. */
static void import_nodes(importer *im, void (*declare)(importer *))
{
    const int nodes = (int)im->source->n_node, errors = diag_errors(im->diag);
    import_node *node = arena_array(im->arena, (size_t)nodes + 1, sizeof *node);
    for (int i = 0; i < nodes; i++) define_node(im, &node[i], i);
    for (int i = 0; i < nodes; i++) check_inputs(im, &node[i]);
    for (int i = 0; i < nodes; i++) capture(im, &node[i]);
    const int *order = sort(im, node, nodes);
    if (diag_errors(im->diag) > errors) return;   /* without a sound graph all else would be noise */
    const bool *live = mark_live(im, node, order, nodes);
    if (declare) declare(im);
    find_operators(im, node, live, nodes);
    for (int i = 0; i < nodes; i++) {
        import_node *n = &node[order[i]];
        if (!live[n->index] || import_one(im, n)) continue;
        for (int k = 0; k < n->outputs; k++)
            if (n->out[k]) n->out[k]->known = false;
    }
}

bool import_branch(importer *branch)
{
    const int errors = diag_errors(branch->diag);
    define_initializers(branch);
    import_nodes(branch, NULL);
    for (size_t i = 0; i < branch->source->n_output; i++) {
        import_value *v = import_value_named(branch, load_text(branch->source->output[i]->name), true);
        read_initializer(branch, v, NULL);
        if (!v->defined) diag_error(branch->diag, STATUS_DANGLING, NULL, "output '%.200s' of a branch of %s", v->name, branch->inside->place);
    }
    return diag_errors(branch->diag) == errors;
}

void import_graph(importer *im)
{
    define_initializers(im);
    define_inputs(im);
    if (diag_errors(im->diag)) return;
    import_nodes(im, import_inputs);
    import_results(im);
    if (!diag_errors(im->diag)) ir_sweep(im->graph);
}
