/* Text to graphs. One node a line; blank lines and lines that start with # are skipped. What is not understood is an E402 at its line. */
#include <inttypes.h>
#include <string.h>

#include "parse_private.h"
#include "text.h"

enum { NAME_LENGTH = 128, OUTPUTS_MAX = 256, ID_MAX = 1 << 22 };

bool parse_fail(parser *p, const char *format, ...)
{
    if (!p->diag) return false;
    va_list args;
    va_start(args, format);
    diag_place place = {.node = arena_printf(p->arena, "line %d", p->line), .input = -1};
    diag_error(p->diag, STATUS_TEXT, &place, "%s", arena_vprintf(p->arena, format, args));
    va_end(args);
    return false;
}

bool parse_expect(parser *p, const char *token)
{
    return text_accept(&p->at, token) || parse_fail(p, "'%s' is expected", token);
}

/* ---- lines ---- */

/* Moves to the first character of the next line that says something; false: the text is over. */
static bool next_line(parser *p)
{
    for (;;) {
        text_skip(&p->at);
        if (*p->at == 0) return false;
        if (*p->at == '#') p->at += strcspn(p->at, "\n");
        else if (*p->at == '\n') p->at++, p->line++;
        else if (*p->at == '\r') p->at++;
        else return true;
    }
}

static bool end_line(parser *p)
{
    text_skip(&p->at);
    if (*p->at == '#') p->at += strcspn(p->at, "\n");
    if (*p->at == '\r') p->at++;
    return *p->at == 0 || *p->at == '\n' || parse_fail(p, "the line should end here");
}

/* ---- names of values ---- */

static parse_name *place_of(const parser *p, const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *s = name; *s; s++) hash = (hash ^ (unsigned char)*s) * 1099511628211u;
    int i = (int)(hash % (uint64_t)p->capacity);
    while (p->table[i].name && strcmp(p->table[i].name, name) != 0) i = (i + 1) % p->capacity;
    return &p->table[i];
}

static void add_name(parser *p, const char *name, ir_value *v)
{
    if (2 * (p->names + 1) > p->capacity) {
        parse_name *old = p->table;
        int count = p->capacity;
        p->capacity = count ? 2 * count : 64;
        p->table = arena_array(p->arena, (size_t)p->capacity, sizeof *p->table);
        for (int i = 0; i < count; i++)
            if (old[i].name) *place_of(p, old[i].name) = old[i];
    }
    *place_of(p, name) = (parse_name){name, v};
    p->names++;
}

/* "%12" or "%word": what stands behind the sign. */
static const char *parse_name_of_value(parser *p)
{
    if (!parse_expect(p, "%")) return NULL;
    size_t n = strspn(p->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (n == 0 || n >= NAME_LENGTH) return parse_fail(p, "a value's name is expected") ? "" : NULL;
    const char *name = arena_strndup(p->arena, p->at, n);
    p->at += n;
    return name;
}

static bool is_number(const char *name)
{
    return *name >= '0' && *name <= '9';
}

/* The id of a new name: the number that it is, or the next free one. -1: reported. */
static int id_of(parser *p, const char *name)
{
    if (p->names > 0 && place_of(p, name)->name) return parse_fail(p, "%%%s is defined twice", name) - 1;
    if (!is_number(name)) return p->next_id++;
    const char *at = name;
    int64_t id;
    bool fine = text_int64(&at, &id) && *at == 0 && id <= ID_MAX && (name[0] != '0' || name[1] == 0);
    return fine ? (int)id : parse_fail(p, "%%%s is no number of a value", name) - 1;
}

/* The first id that no number in the text names. */
static int first_free_id(const char *text)
{
    int64_t most = -1;
    for (const char *s = strchr(text, '%'); s; s = strchr(s, '%')) {
        int64_t id;
        s++;
        const char *at = s;
        if (is_number(s) && text_int64(&at, &id) && id <= ID_MAX && id > most) most = id;
    }
    return (int)(most + 1);
}

/* A value that is defined; *absent where "_" stands. */
static ir_value *parse_value(parser *p, bool *absent)
{
    *absent = text_accept(&p->at, "_");
    if (*absent) return NULL;
    const char *name = parse_name_of_value(p);
    if (!name) return NULL;
    ir_value *v = p->names > 0 ? place_of(p, name)->value : NULL;
    if (!v) parse_fail(p, "%%%s is not defined before", name);
    return v;
}

/* ---- definitions ---- */

struct definition { const char *name, *given; int id; ir_type type; };

/* %x "name": f32[2] */
static bool parse_definition(parser *p, struct definition *def)
{
    *def = (struct definition){.name = parse_name_of_value(p)};
    if (!def->name) return false;
    def->id = id_of(p, def->name);
    if (def->id < 0) return false;
    text_skip(&p->at);
    if (*p->at == '"') {
        def->given = text_unquote(p->arena, &p->at);
        if (!def->given) return parse_fail(p, "a name does not end");
    }
    return parse_expect(p, ":") && parse_type(p, &def->type);
}

static void note_id(ir_graph *g, int id, int *end)
{
    if (id >= *end) *end = id + 1;
    g->next_id = *end;
}

/* ---- nodes ---- */

static bool parse_inputs(parser *p, ir_node *n)
{
    if (!parse_expect(p, "(")) return false;
    if (text_accept(&p->at, ")")) return true;
    do {
        bool absent;
        ir_value *v = parse_value(p, &absent);
        if (!v && !absent) return false;
        ir_input(n, v);
    } while (text_accept(&p->at, ","));
    return parse_expect(p, ")");
}

/* Ends the node; what inference says becomes an error of this line. */
static bool end_node(parser *p, ir_node *n, const struct definition *def, int count, const ir_type *type)
{
    diag *own = diag_new(p->arena, NULL);
    if (n->op == IR_ATTENTION) n->outputs = count;
    if (n->op == IR_CALL && count != ir_find(n, KEY_FUNCTION)->graph->results)
        return parse_fail(p, "the function has %d results", ir_find(n, KEY_FUNCTION)->graph->results);
    if (n->op != IR_CALL && count != n->outputs) return parse_fail(p, "%s has another number of results", ir_op_name(n->op));
    ir_end_as(n, type, count > 0 ? def[0].id : 0, NULL, own);
    if (diag_errors(own) > 0) return parse_fail(p, "%s", diag_line(own, 0));
    for (int i = 0; i < count; i++) {
        ir_value *v = n->output[i];
        v->id = def[i].id;
        v->name = def[i].given;
        if (!ir_type_equal(&v->type, &type[i])) return parse_fail(p, "%%%s is %s", def[i].name, ir_type_text(p->arena, p->symbols, &v->type));
        add_name(p, def[i].name, v);
    }
    return true;
}

static bool parse_node(parser *p, int *end)
{
    struct definition *def = arena_array(p->arena, OUTPUTS_MAX, sizeof *def);
    ir_type *type = arena_array(p->arena, OUTPUTS_MAX, sizeof *type);
    int count = 0;
    text_skip(&p->at);
    if (*p->at == '%') {
        do {
            if (count == OUTPUTS_MAX) return parse_fail(p, "a node has too many results");
            if (!parse_definition(p, &def[count])) return false;
            for (int i = 0; i < count; i++)
                if (def[i].id == def[count].id || strcmp(def[i].name, def[count].name) == 0)
                    return parse_fail(p, "%%%s is defined twice", def[count].name);
            type[count] = def[count].type;
            note_id(p->graph, def[count++].id, end);
        } while (text_accept(&p->at, ","));
        if (!parse_expect(p, "=")) return false;
    }
    char word[NAME_LENGTH];
    int op = text_word(&p->at, word, sizeof word) ? ir_op_from_name(word) : -1;
    if (op < 0) return parse_fail(p, "an operator is expected");
    ir_node *n = ir_begin(p->graph, (ir_op)op);
    text_skip(&p->at);
    if ((op != IR_CONST || *p->at == '(') && !parse_inputs(p, n)) return false;
    if (!parse_attributes(p, n, &type[0])) return false;
    for (int key = 0; key < IR_KEY_COUNT; key++) {
        bool required = false;
        if (ir_op_takes((ir_op)op, (ir_key)key, &required) && required && !ir_find(n, (ir_key)key))
            return parse_fail(p, "%s needs %s", word, ir_key_name((ir_key)key));
    }
    text_skip(&p->at);
    if (*p->at == '#') {
        p->at++;
        parse_origins(p, n);
        p->at += strcspn(p->at, "\n");
    }
    return end_line(p) && end_node(p, n, def, count, type);
}

/* ---- graphs ---- */

static bool parse_parameters(parser *p, int *end)
{
    if (!parse_expect(p, "(")) return false;
    if (!next_line(p)) return parse_fail(p, "the text ends in a list of parameters");
    if (!text_accept(&p->at, ")")) {
        do {
            struct definition def;
            if (!next_line(p)) return parse_fail(p, "the text ends in a list of parameters");
            if (!parse_definition(p, &def)) return false;
            p->graph->next_id = def.id;
            add_name(p, def.name, ir_add_parameter(p->graph, def.given, def.type));
            note_id(p->graph, def.id, end);
            next_line(p);
        } while (text_accept(&p->at, ","));
        if (!parse_expect(p, ")")) return false;
    }
    return parse_expect(p, "{") && end_line(p);
}

static bool parse_results(parser *p)
{
    text_skip(&p->at);
    if (*p->at != '%' && *p->at != '"') return end_line(p);
    do {
        const char *name = NULL;
        bool absent;
        text_skip(&p->at);
        if (*p->at == '"' && !(name = text_unquote(p->arena, &p->at))) return parse_fail(p, "a name does not end");
        ir_value *v = parse_value(p, &absent);
        if (!v) return absent ? parse_fail(p, "a result cannot be absent") : false;
        ir_add_result(p->graph, name, v);
    } while (text_accept(&p->at, ","));
    return end_line(p);
}

static ir_graph *parse_graph(parser *p, int first_free)
{
    char name[NAME_LENGTH];
    if (!text_word(&p->at, name, sizeof name)) return parse_fail(p, "a graph's name is expected") ? p->graph : NULL;
    for (int i = 0; i < p->functions; i++)
        if (strcmp(p->function[i]->name, name) == 0) return parse_fail(p, "%s is defined twice", name) ? p->graph : NULL;
    p->graph = ir_graph_new(p->arena, name, p->symbols);
    p->table = NULL;
    p->names = p->capacity = 0;
    p->next_id = first_free;
    int end = 0;
    if (!parse_parameters(p, &end)) return NULL;
    while (next_line(p)) {
        if (text_accept(&p->at, "return")) {
            if (!parse_results(p)) return NULL;
            next_line(p);
            if (!parse_expect(p, "}") || !end_line(p)) return NULL;
            p->graph->next_id = end;
            return p->graph;
        }
        if (!parse_node(p, &end)) return NULL;
    }
    return parse_fail(p, "the text ends before the graph's return") ? p->graph : NULL;
}

/* symbols N 1..16, P 0..48 length */
static bool parse_symbols(parser *p)
{
    do {
        char word[NAME_LENGTH];
        const char *name = word;
        int64_t min, max;
        text_skip(&p->at);
        if (*p->at == '"') name = text_unquote(p->arena, &p->at);
        else if (!text_word(&p->at, word, sizeof word)) name = NULL;
        if (!name) return parse_fail(p, "a symbol's name is expected");
        if (!text_int64(&p->at, &min) || !text_accept(&p->at, "..") || !text_int64(&p->at, &max) || min > max)
            return parse_fail(p, "a symbol's bounds are expected, as 1..16");
        if (dim_find(p->symbols, name) >= 0) return parse_fail(p, "symbol %s is declared twice", name);
        const int symbol = dim_declare(p->arena, p->symbols, name, min, max);
        p->symbols->symbol[symbol].length = text_accept(&p->at, "length");
    } while (text_accept(&p->at, ","));
    return end_line(p);
}

ir_graph *ir_parse(arena *a, const char *text, ir_resolve *resolve, void *context, diag *d)
{
    parser p = {.arena = a, .diag = d, .resolve = resolve, .context = context, .at = text, .line = 1};
    p.symbols = arena_alloc(a, sizeof *p.symbols);
    int first_free = first_free_id(text);
    while (next_line(&p)) {
        if (text_accept(&p.at, "symbols")) {
            if (!parse_symbols(&p)) return NULL;
        } else if (text_accept(&p.at, "function")) {
            ir_graph *f = parse_graph(&p, first_free);
            if (!f) return NULL;
            p.function = arena_grow(a, p.function, (size_t)p.functions, sizeof *p.function);
            p.function[p.functions++] = f;
        } else if (text_accept(&p.at, "graph")) {
            ir_graph *g = parse_graph(&p, first_free);
            if (!g) return NULL;
            g->functions = p.functions;
            g->function = p.function;
            return next_line(&p) && !parse_fail(&p, "nothing follows the graph") ? NULL : g;
        } else {
            parse_fail(&p, "symbols, a function or a graph is expected");
            return NULL;
        }
    }
    parse_fail(&p, "there is no graph");
    return NULL;
}
