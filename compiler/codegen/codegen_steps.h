/* What the files that print steps share. */
#ifndef VITCC_CODEGEN_STEPS_H
#define VITCC_CODEGEN_STEPS_H

#include "codegen_private.h"

typedef struct step_site {           /* where a step is printed */
    const plan_scope *scope;
    int index;                       /* 0: the main scope; 1 + f: function f */
    const plan_phase *phase;
    const plan_step *step;
} step_site;

/* Input i of the step's node, NULL where it is absent; its first output. */
const plan_value *codegen_input_value(const step_site *at, int i);
const plan_value *codegen_output_value(const step_site *at);
/* Pointer texts of input i and output i; by_panel: at the panel's first row. */
const char *codegen_input(codegen *g, const step_site *at, int i, bool by_panel);
const char *codegen_output(codegen *g, const step_site *at, int i, bool by_panel);
/* The rows of the panel: of the step's own rows, or (natural) of the rows of its last axis. */
const char *codegen_rows(codegen *g, const step_site *at, bool natural);
/* The panel's rows, each times so many: of all images that the step works on at once. */
const char *codegen_times_rows(codegen *g, const step_site *at, int64_t each);
/* "row * 7": the panel's first row, of so many rows each. */
const char *codegen_first_row(codegen *g, int64_t each);
/* "{ pointer, row stride, column stride }": x as an operand of a tile of out. */
const char *codegen_operand(codegen *g, const char *pointer, const plan_value *x, const plan_value *out);
/* Prints the call, with its origins as a comment. */
void codegen_call(codegen *g, strbuf *to, const step_site *at, const char *instance, const char *arguments);

/* Prints the call of a step that reads and writes everything at once: the body has inputs x0, x1, … and output y. */
void codegen_whole(codegen *g, strbuf *to, const step_site *at, const char *wish, const char *body);
/* Product of the sizes of axes from to to - 1; ", .name = { 1, 2 }" of an initialiser. */
int64_t codegen_product(const plan_value *x, int from, int to);
void codegen_list(strbuf *to, const char *name, const int64_t *value, int count);

/* step_products.c. "_gelu_add": an epilogue's operators, for names. Defines $_<part>_value and $_<part>_tile of it. Adds the extra inputs from the
 * first-th on to an instance's parameters, to its operands and to the call's arguments. */
const char *codegen_suffix(arena *a, const expr *e);
void codegen_epilogue(codegen *g, strbuf *to, const char *part, const expr *e, bool bias, int extras);
/* Defines how rows and inputs are cut, with AVX-512 maybe otherwise than without. */
void codegen_cut(strbuf *to, const char *name, const plan_tiles *t);
/* "code + 7": where the kernels of a product begin; "NULL": it has none. */
const char *codegen_code(arena *a, const plan_tiles *t);
void codegen_extras(codegen *g, const step_site *at, int first, strbuf *parameters, strbuf *operands, strbuf *arguments);

void codegen_linear(codegen *g, strbuf *to, const step_site *at);
void codegen_mlp(codegen *g, strbuf *to, const step_site *at);
void codegen_attention(codegen *g, strbuf *to, const step_site *at);
void codegen_keys(codegen *g, strbuf *to, const step_site *at);
void codegen_norm(codegen *g, strbuf *to, const step_site *at);
void codegen_moments(codegen *g, strbuf *to, const step_site *at);
void codegen_join_moments(codegen *g, strbuf *to, const step_site *at);
void codegen_softmax(codegen *g, strbuf *to, const step_site *at);
void codegen_map(codegen *g, strbuf *to, const step_site *at);
void codegen_move(codegen *g, strbuf *to, const step_site *at);
void codegen_concat(codegen *g, strbuf *to, const step_site *at);
void codegen_gather(codegen *g, strbuf *to, const step_site *at);
void codegen_resample(codegen *g, strbuf *to, const step_site *at);
void codegen_topk(codegen *g, strbuf *to, const step_site *at);
void codegen_pick(codegen *g, strbuf *to, const step_site *at);
void codegen_length(codegen *g, strbuf *to, const step_site *at);
void codegen_capacity(codegen *g, strbuf *to, const step_site *at);
void codegen_scatter(codegen *g, strbuf *to, const step_site *at);
void codegen_suppress(codegen *g, strbuf *to, const step_site *at);
void codegen_pad(codegen *g, strbuf *to, const step_site *at);
void codegen_matmul(codegen *g, strbuf *to, const step_site *at);
void codegen_reduce(codegen *g, strbuf *to, const step_site *at);
void codegen_conv(codegen *g, strbuf *to, const step_site *at);
void codegen_conv_last(codegen *g, strbuf *to, const step_site *at);

#endif
