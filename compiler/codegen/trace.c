/* Traces: <name>_trace.h, which says what each step makes, and the line behind a step of <name>.c that hands it over; without the option
 * that line is empty.
 * Results are numbered within their scope for the code; for the files, steps are numbered in the order in which they run. */
#include "codegen_private.h"

#include <string.h>

/* Complete only when all panels are done: attention's probabilities, transposed keys, a concatenation with parts that other steps put in place. */
static bool is_late(const plan_scope *s, const plan_step *t, int output)
{
    const bool joined = t->node->op == IR_CONCAT && plan_value_of(s, t->node->output[0])->base->space != SPACE_SCRATCH;
    return t->scattered || output > 0 || joined;
}

/* Outputs of a run's length are their sources without the slack, and as long as the caller's memory. */
static bool is_made(const plan_scope *s, const plan_step *t, int output)
{
    const plan_value *x = plan_value_of(s, t->node->output[output]);
    return x && x->value && !x->view && !x->assembled && t->node->op != IR_SHRINK;
}

/* How many results the scope has before this phase; NULL: in all. */
static int results_before(const plan_scope *s, const plan_phase *f)
{
    int n = 0;
    for (int i = 0; i < s->items && (!f || s->item[i].phase != f); i++) {
        const plan_phase *other = s->item[i].phase;
        for (int j = 0; other && j < other->steps; j++)
            for (int k = 0; k < other->step[j]->node->outputs; k++) n += is_made(s, other->step[j], k);
    }
    return n;
}

static void print_lines(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f, const plan_step *only, const char *macro,
                        bool late)
{
    int n = results_before(s, f);
    g->each = false;   /* while tracing images run one by one */
    for (int j = 0; j < f->steps; j++) {
        const plan_step *t = f->step[j];
        for (int k = 0; k < t->node->outputs; k++) {
            if (!is_made(s, t, k)) continue;
            if (is_late(s, t, k) == late && (!only || t == only))
                strbuf_printf(to, "%s(%s, %d, %s);\n", macro, codegen_scope_name(g, scope), n,
                              codegen_pointer(g, s, scope, f, t->node->output[k], false));
            n++;
        }
    }
}

void codegen_trace_step(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f, const plan_step *t, bool panel)
{
    print_lines(g, to, s, scope, f, t, panel ? "        TRACE_PANEL" : "        TRACE", false);
}

void codegen_trace_phase(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f)
{
    print_lines(g, to, s, scope, f, NULL, "    TRACE_LATE", true);
}

/* ---- the table ---- */

static bool has_origin(const ir_node *n, const char *origin)
{
    for (int i = 0; i < n->origins; i++)
        if (!strcmp(n->origin[i], origin)) return true;
    return false;
}

/* "node_add_178": the last ONNX node that the step stands for, in a repeated block that of this call; the operator's name where there is none. */
static const char *origin_name(codegen *g, const ir_node *n, const ir_node *call)
{
    const char *last = NULL;
    for (int i = 0; i < n->origins; i++)
        if (!call || has_origin(call, n->origin[i])) last = n->origin[i];
    const char *quoted = last ? strchr(last, '\'') : NULL;
    if (!quoted || !quoted[1]) return ir_op_name(n->op);
    return codegen_file_name(g->arena, arena_strndup(g->arena, quoted + 1, strlen(quoted + 1) - 1));
}

static void print_result(codegen *g, strbuf *to, const plan_scope *s, const plan_phase *f, const plan_step *t, int output, int number,
                         const ir_node *call)
{
    const ir_node *n = t->node;
    const plan_value *x = plan_value_of(s, n->output[output]);
    const elem e = x->value->type.elem;
    const int rank = x->value->type.rank;
    const char *more = !output ? "" : n->op == IR_ATTENTION ? "_probabilities" : arena_printf(g->arena, "_%d", output);
    const bool strided = x->row_elements && x->row_elements != x->row_stride, whole = t->once || f->all_once || is_late(s, t, output);
    strbuf_printf(to, "        { \"%03d_%s%s\", \"%s\", %d, %d, {", number, origin_name(g, n, call), more,
                  codegen_numpy_type(e), (int)elem_size(e), rank);
    for (int i = 0; i < rank; i++) strbuf_printf(to, "%s%lld", i ? ", " : " ", (long long)x->shape[i]);
    strbuf_printf(to, "%s }, %lld, %lld, %lld, %lld, %d },\n", rank ? "" : " 0", (long long)x->elements,
                  (long long)(strided ? x->row_elements : x->elements), (long long)(strided ? x->row_stride : x->elements),
                  (long long)(whole ? 0 : f->rows), !whole && x->base->space == SPACE_SCRATCH);
}

static void print_phase(codegen *g, strbuf *to, const plan_scope *s, const plan_phase *f, int number, const ir_node *call)
{
    for (int j = 0; j < f->steps; j++)
        for (int k = 0; k < f->step[j]->node->outputs; k++)
            if (is_made(s, f->step[j], k)) print_result(g, to, s, f, f->step[j], k, number + j, call);
}

/* A call's phases, if it is of the scope that is printed; returns how many steps they have. */
static int print_call(codegen *g, strbuf *to, const plan_item *t, int number, bool wanted)
{
    const plan_scope *s = &g->plan->function[t->function];
    const int first = number;
    if (wanted) strbuf_add(to, "    }, {\n");
    for (int i = 0; i < s->items; i++) {
        if (wanted) print_phase(g, to, s, s->item[i].phase, number, t->call);
        number += s->item[i].phase->steps;
    }
    return number - first;
}

/* A row of results for each time that the scope runs. */
static void print_table(codegen *g, strbuf *to, int scope)
{
    const plan *p = g->plan;
    strbuf rows = strbuf_in(g->arena);
    int number = 1, calls = 0;
    for (int i = 0; i < p->main.items; i++) {
        const plan_item *t = &p->main.item[i];
        if (t->phase) {
            if (!scope) print_phase(g, &rows, &p->main, t->phase, number, NULL);
            number += t->phase->steps;
        } else {
            const bool wanted = scope == 1 + t->function;
            number += print_call(g, &rows, t, number, wanted);
            calls += wanted;
        }
    }
    if (!rows.length) return;
    const plan_scope *s = scope ? &p->function[scope - 1] : &p->main;
    /* The rows of calls begin with the end of the one before. */
    strbuf_printf(to, "static const trace_step %s_steps[%d][%d] = {\n"
                      "    {\n"
                      "%s    },\n"
                      "};\n\n",
                  codegen_scope_name(g, scope), scope ? calls : 1, results_before(s, NULL), scope ? rows.text + strlen("    }, {\n") : rows.text);
}

void codegen_trace_header(codegen *g, strbuf *to)
{
    const char *n = g->options->name, *N = codegen_upper(g->arena, n);
    strbuf_printf(to, "/* What each step of %s makes, for a build with tracing (cmake -D%s_TRACE=ON); "
                      "without, tracing leaves nothing in the code. */\n", n, N);
    strbuf_printf(to, "#ifdef %s_TRACE\n#include \"runtime/trace.h\"\n\n", N);
    strbuf_add(to, "/* One row for each time that the steps run: file, type, bytes of an element, rank, shape; "
                   "elements, run, stride, rows; is a panel alone in memory? */\n");
    for (int scope = 0; scope <= g->plan->functions; scope++) print_table(g, to, scope);
    strbuf_printf(to, "#define TRACE_OF(w) (&((struct %s_session *)(w)->team->context)->trace)\n"
                      "#define TRACE_IMAGE(w, i) (void)(TRACE_OF(w)->image[(w)->id] = (i))\n", n);
    strbuf_add(to, "#define TRACE_STEP(scope, i) (&scope##_steps[c - (const struct scope *)&m->scope][i])\n"
                   "/* Result i of the scope's steps: the whole, panel p of it, or what is whole only behind the phase's barrier. */\n"
                   "#define TRACE(scope, i, result) trace_panel(TRACE_OF(w), w, TRACE_STEP(scope, i), result, 0, TRACE_STEP(scope, i)->rows)\n"
                   "#define TRACE_PANEL(scope, i, result) trace_panel(TRACE_OF(w), w, TRACE_STEP(scope, i), result, p.row, p.rows)\n"
                   "#define TRACE_LATE(scope, i, result) trace_late(TRACE_OF(w), w, TRACE_STEP(scope, i), result)\n"
                   "#else\n"
                   "#define TRACE_IMAGE(w, i)\n"
                   "#define TRACE(scope, i, result)\n"
                   "#define TRACE_PANEL(scope, i, result)\n"
                   "#define TRACE_LATE(scope, i, result)\n"
                   "#endif\n");
}
