/* The values of a graph's run-time symbols, from the shapes of its inputs. */
#include "eval_private.h"

#include <stdlib.h>

/* The one symbol of d whose value is not known; -1: none, -2: several. */
static int unknown_symbol(const ir_graph *g, dim d, const bool *known)
{
    int found = -1;
    for (int i = 0; i < g->symbols->count; i++) {
        if (known[i] || !dim_mentions(d, i)) continue;
        if (found >= 0) return -2;
        found = i;
    }
    return found;
}

/* Solves d = size for `symbol`, all others being known. False: no whole number does it. */
static bool solve(dim d, int symbol, int64_t size, int64_t *value)
{
    value[symbol] = 0;
    int64_t rest = dim_evaluate(d, value), step, left;
    value[symbol] = 1;
    if (__builtin_sub_overflow(dim_evaluate(d, value), rest, &step) || __builtin_sub_overflow(size, rest, &left)) return false;
    if (step == 0 || step == -1 || left % step != 0) return false;
    value[symbol] = left / step;
    return true;
}

static status check_inputs(const eval_context *c, const ir_graph *g, const eval_tensor *input)
{
    for (int i = 0; i < g->parameters; i++) {
        const ir_type *t = &g->parameter[i].value->type;
        const char *name = g->parameter[i].name ? g->parameter[i].name : "";
        if (input[i].elem != t->elem) return eval_fail(c, NULL, -1, STATUS_TYPE, "input '%.100s' is of type %s", name, elem_name(t->elem));
        if (input[i].rank != t->rank) return eval_fail(c, NULL, -1, STATUS_SHAPE, "input '%.100s' has %d axes, not %d", name, t->rank, input[i].rank);
        eval_value declared;
        status s = eval_describe(c, NULL, t, &declared);
        if (s != STATUS_OK) return s;
        for (int a = 0; a < t->rank; a++) {
            if (input[i].shape[a] == declared.shape[a]) continue;
            return eval_fail(c, NULL, -1, STATUS_SHAPE, "input '%.100s' axis %d has size %lld, not %lld", name, a, (long long)declared.shape[a],
                             (long long)input[i].shape[a]);
        }
    }
    for (int i = 0; i < g->symbols->count; i++) {
        const struct dim_symbol *s = &g->symbols->symbol[i];
        if (c->symbol[i] >= s->min && c->symbol[i] <= s->max) continue;
        return eval_fail(c, NULL, -1, STATUS_SHAPE, "%.100s is %lld, outside of %lld to %lld", s->name, (long long)c->symbol[i], (long long)s->min,
                         (long long)s->max);
    }
    return STATUS_OK;
}

/* value [symbols]: from the dimensions that determine them, in as many rounds as it takes; one that no input mentions gets its minimum. */
static status bind_symbols(const eval_context *c, const ir_graph *g, const eval_tensor *input, int64_t *value, bool *known)
{
    for (int i = 0; i < g->symbols->count; i++) value[i] = g->symbols->symbol[i].min;
    for (bool found = true; found; ) {
        found = false;
        for (int i = 0; i < g->parameters; i++) {
            const ir_type *t = &g->parameter[i].value->type;
            for (int a = 0; a < t->rank && a < input[i].rank; a++) {
                int symbol = unknown_symbol(g, t->dim[a], known);
                if (symbol < 0) continue;
                if (!solve(t->dim[a], symbol, input[i].shape[a], value)) {
                    const char *name = g->parameter[i].name ? g->parameter[i].name : "";
                    return eval_fail(c, NULL, -1, STATUS_SHAPE, "input '%.100s' axis %d cannot be %lld", name, a, (long long)input[i].shape[a]);
                }
                known[symbol] = found = true;
            }
        }
    }
    return STATUS_OK;
}

status eval_bind(const eval_context *c, const ir_graph *g, const eval_tensor *input, int64_t *value)
{
    bool *known = calloc((size_t)g->symbols->count + 1, sizeof *known);
    status s = known ? bind_symbols(c, g, input, value, known) : eval_out_of_memory(c, NULL);
    free(known);
    return s == STATUS_OK ? check_inputs(c, g, input) : s;
}
