/* From a path to a graph: map, scan, unpack, import. */
#include "frontend.h"

#include <stdlib.h>
#include <string.h>

#include "import.h"

/* ---- what the file holds ---- */

static int by_operator(const void *a, const void *b)
{
    const frontend_operator *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->domain, y->domain);
}

static bool is_function(const Onnx__ModelProto *p, const frontend_operator *op)
{
    for (size_t i = 0; i < p->n_functions; i++)
        if (!strcmp(load_text(p->functions[i]->name), op->name) && !strcmp(load_text(p->functions[i]->domain), op->domain)) return true;
    return false;
}

static void count_operators(arena *a, const Onnx__ModelProto *p, frontend_model *m)
{
    const Onnx__GraphProto *g = p->graph;
    frontend_operator *op = arena_array(a, g->n_node + 1, sizeof *op);
    for (size_t i = 0; i < g->n_node; i++) {
        const char *domain = load_text(g->node[i]->domain);
        op[i] = (frontend_operator){ .domain = strcmp(domain, "ai.onnx") ? domain : "", .name = load_text(g->node[i]->op_type) };
    }
    qsort(op, g->n_node, sizeof *op, by_operator);
    for (size_t i = 0; i < g->n_node; i++) {
        if (!m->operators || by_operator(&op[m->operators - 1], &op[i])) op[m->operators++] = op[i];
        op[m->operators - 1].nodes++;
    }
    for (int i = 0; i < m->operators; i++) op[i].supported = is_function(p, &op[i]) || import_find_operator(op[i].domain, op[i].name, m->opset);
    m->op = op;
}

static void describe(arena *a, const Onnx__ModelProto *p, frontend_model *m)
{
    const Onnx__GraphProto *g = p->graph;
    m->producer = load_text(p->producer_name);
    m->producer_version = load_text(p->producer_version);
    m->ir_version = p->ir_version;
    m->opset = load_opset(p);
    m->nodes = (int)g->n_node;
    m->initializers = (int)g->n_initializer;
    count_operators(a, p, m);
    for (size_t i = 0; i < g->n_initializer; i++) {
        const int64_t elements = tensor_elements(g->initializer[i]);
        if (elem_is_float(elem_from_onnx(g->initializer[i]->data_type)) && elements > 0 && elements < INT64_MAX - m->parameters) {
            m->parameters += elements;
        }
    }
}

/* The model's bytes, then those of its external data in the order of first use. */
static void digest_files(const mapping *files, frontend_model *m)
{
    for (const mapped_file *f = files->first; f; f = f->next) {
        m->digest = digest_large(m->digest, f->data, f->size);
        m->bytes += f->size;
    }
}

/* ---- loading ---- */

static bool check_model(const frontend_model *m, const Onnx__ModelProto *p, diag *d)
{
    enum { OPSET_OLDEST = 1, OPSET_NEWEST = 28, NODES_MAX = 200000, INPUTS_MAX = 1000 };
    if (p->graph->n_node > NODES_MAX) diag_error(d, STATUS_TOO_LARGE, NULL, "it has more than %d nodes", NODES_MAX);
    else if (p->graph->n_input > p->graph->n_initializer + INPUTS_MAX) diag_error(d, STATUS_TOO_LARGE, NULL, "it has more than %d inputs", INPUTS_MAX);
    else if (m->opset < OPSET_OLDEST || m->opset > OPSET_NEWEST) diag_error(d, STATUS_OPSET, NULL, "version %lld", (long long)m->opset);
    else return true;
    return false;
}

static void import_model(arena *a, mapping *files, const loaded *l, const frontend_options *options, frontend_model *model, diag *d)
{
    dim_symbols *symbols = arena_alloc(a, sizeof *symbols);
    int inlined = 0;
    importer im = { .arena = a, .diag = d, .reader = { a, files, l, d }, .source = l->model->graph, .options = options, .opset = model->opset,
        .symbols = symbols, .inlined = &inlined };
    im.graph = ir_graph_new(a, "model", symbols);
    import_graph(&im);
    if (diag_first(d) == STATUS_OK) model->graph = im.graph;
}

status frontend_load(arena *a, const char *path, const frontend_options *options, frontend_model *model, diag *d)
{
    static const frontend_options none = { 0 };
    loaded l;
    *model = (frontend_model){ 0 };
    mapping *files = map_new(a);
    model->mapping = files;
    status s = map_model(files, path, d);
    if (s == STATUS_OK) s = load_model(a, files->first, &l, d);
    if (s != STATUS_OK) return s;
    describe(a, l.model, model);
    if (check_model(model, l.model, d)) import_model(a, files, &l, options ? options : &none, model, d);
    digest_files(files, model);
    return diag_first(d);
}

void frontend_close(frontend_model *model)
{
    map_close(model->mapping);
    model->mapping = NULL;
}
