/* Steps of a run's length: its value, and copies between the caller's memory and the capacity. */
#include "codegen_private.h"
#include "codegen_steps.h"

void codegen_length(codegen *g, strbuf *to, const step_site *at)
{
    const char *parameters = "int64_t length, int64_t *y";
    if (at->scope->is_function) {
        codegen_refuse(g, at->step->node, "a length inside a repeated block");
        return;
    }
    const char *body = arena_printf(g->arena, "static void $(%s)\n{\n    *y = length;\n}\n", parameters);
    codegen_call(g, to, at, codegen_instance(g, "length", parameters, body),
                 arena_printf(g->arena, "in->%s, %s", codegen_length_name(g), codegen_output(g, at, 0, false)));
}

/* extend, shrink: rows are those outside the axis. */
void codegen_capacity(codegen *g, strbuf *to, const step_site *at)
{
    arena *a = g->arena;
    const ir_node *n = at->step->node;
    const bool extends = n->op == IR_EXTEND;
    const plan_value *whole = extends ? codegen_output_value(at) : codegen_input_value(at, 0);
    const int axis = (int)ir_int(n, KEY_AXIS, 0);
    const int64_t capacity = whole->shape[axis], more = capacity - g->plan->symbol[ir_int(n, KEY_SYMBOL, 0)];
    const char *parameters = "const void *x, const int64_t *length, void *y, int64_t row, int64_t rows";
    const char *body = arena_printf(a, "static void $(%s)\n{\n    %s_rows(x, y, row, rows, *length%s, %lld, %lld);\n}\n", parameters, ir_op_name(n->op),
                                    more ? arena_printf(a, " + %lld", (long long)more) : "", (long long)capacity,
                                    (long long)(codegen_product(whole, axis + 1, whole->value->type.rank) * (int64_t)elem_size(whole->value->type.elem)));
    const char *wish = arena_printf(a, "%s_%lldx%lld", ir_op_name(n->op), (long long)codegen_product(whole, 0, axis), (long long)capacity);
    codegen_call(g, to, at, codegen_instance(g, wish, parameters, body),
                 arena_printf(a, "%s, %s, %s, row, rows", codegen_input(g, at, 0, false), codegen_input(g, at, 1, false), codegen_output(g, at, 0, false)));
}
