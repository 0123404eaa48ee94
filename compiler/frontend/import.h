/* What the importers of operators share. A value of the file is a tensor of the graph, or its contents (shape arithmetic: whole numbers over the
 * run-time symbols, evaluated while importing), or both; or indices that only a move is made of (import_affine.h). */
#ifndef VITCC_FRONTEND_IMPORT_H
#define VITCC_FRONTEND_IMPORT_H

#include "frontend.h"
#include "tensor.h"

enum { CONTENTS_MAX = 4096, FOLD_MAX = 65536 };

typedef struct import_affine import_affine;

typedef struct import_value {
    const char *name;                       /* as in the file; hostile */
    bool known, failed;                     /* type is set; or whoever makes it has reported an error */
    ir_type type;
    ir_value *tensor;                       /* NULL: only contents, so far */
    const dim *content;                     /* row-major; NULL: not known, or not yet read from the constant */
    const import_affine *affine;            /* import_affine.h; NULL: none */
    int64_t below;                          /* the tensor's elements are 0 to below - 1; 0: that is not known */
    const Onnx__TensorProto *initializer;   /* NULL: none; read when first needed */
    int producer;                           /* index of the node; -1: input, initializer or nothing */
    bool defined, read;                     /* produced by something; read by a live node or the graph's outputs */
    bool is_input, is_output;               /* of the file's graph */
    const struct importer *owner;           /* of the graph or branch that defines it */
} import_value;

typedef struct import_node {
    const Onnx__NodeProto *proto;
    const struct import_operator *row;
    int index;                              /* in the file */
    const char *place, *origin;             /* "node 17 'attn/Softmax' (Softmax)", "17 'attn/Softmax'"; escaped */
    int inputs, outputs;
    import_value **in, **out;               /* NULL: absent */
    int captures;                           /* values that the node's branches read from the graph around them */
    import_value **capture;
    bool wrong;                             /* an attribute was refused */
} import_node;

typedef struct importer {
    arena *arena;
    diag *diag;
    tensor_reader reader;
    const Onnx__GraphProto *source;
    const frontend_options *options;
    int64_t opset;
    dim_symbols *symbols;
    ir_graph *graph;
    struct name_table *names;
    struct importer *outer;                 /* of a branch: what is around it */
    const import_node *inside;              /* and the node that it belongs to */
    const struct import_call *call;         /* the functions of the model that are being inlined; NULL: none */
    int *inlined;                           /* how many nodes functions and loops have added so far */
} importer;

typedef struct import_call { const Onnx__FunctionProto *function; const struct import_call *outer; } import_call;

/* An operator: handler returns false after reporting. `detail` tells apart those that share one. */
typedef bool import_handler(importer *im, import_node *n);
typedef struct import_operator {
    const char *domain, *name;
    int oldest, newest;                     /* operator set versions with this meaning */
    int least, most;                        /* inputs; most -1: any number */
    import_handler *handler;
    int detail;
} import_operator;

/* NULL: not supported in this version. */
const import_operator *import_find_operator(const char *domain, const char *name, int64_t opset);
/* "17 'attn/Softmax'"; shared with nobody. */
const char *import_origin(arena *a, int index, const Onnx__NodeProto *n);

/* ---- import.c, import_inputs.c, import_names.c ---- */

/* Imports im->source into im->graph; all its problems are reported. */
void import_graph(importer *im);
/* Declares the graph's inputs as parameters, their symbols bound by --shape. */
void import_inputs(importer *im);
/* Imports a branch's nodes behind those of the graph around it; false: some were refused. */
bool import_branch(importer *branch);
/* The function of the model that a node calls; NULL: none. */
const Onnx__FunctionProto *import_function_of(const importer *im, const Onnx__NodeProto *p);
import_handler import_call_function;
/* An importer of a graph that a node holds. `sees_around`: names that it does not define are looked up around the node. */
importer *import_inner(importer *im, import_node *n, const Onnx__GraphProto *source, bool sees_around);
/* Counts nodes that are added; false: too many, reported. */
bool import_may_inline(importer *im, const import_node *n, size_t nodes);
/* Lets a name of a branch or function stand for a value around it; false: reported. */
bool import_bind_name(importer *inner, const import_node *n, const char *name, import_value *v);
/* Output k of the node becomes the inner graph's value of this name. */
bool import_take_output(importer *inner, import_node *n, int k, const char *name);
/* The value of this name, made where `create` asks for it; NULL: there is none. A branch sees what is around it. */
import_value *import_value_named(importer *im, const char *name, bool create);
import_value *import_own_value(importer *im, const char *name);   /* in this graph or branch itself */

/* ---- import_values.c: inputs ---- */

bool import_has(const import_node *n, int i);
const ir_type *import_type(const import_node *n, int i);
/* As a tensor of the graph; NULL: reported (E306 where contents are known only at run time). */
ir_value *import_tensor(importer *im, import_node *n, int i);
ir_value *import_tensor_of(importer *im, import_value *v, const diag_place *place);
/* As contents, in row-major order; NULL: not known, nothing reported. */
const dim *import_contents(importer *im, import_value *v, int64_t *count);
/* As constant whole numbers; false: reported, `what` tells what they are for. */
bool import_numbers(importer *im, import_node *n, int i, const char *what, const int64_t **list, int *count);
/* The same, or where the input is absent the attribute's, as older operator sets have it; *list NULL: neither is there. */
bool import_numbers_or(importer *im, import_node *n, int i, const char *attribute, const char *what, const int64_t **list, int *count);
/* As dimensions; false: reported. */
bool import_dims(importer *im, import_node *n, int i, const char *what, const dim **list, int *count);
/* All of an input's elements as one number each, from a constant; false: it is no small constant, nothing reported. */
bool import_scalar(importer *im, import_node *n, int i, double *number);
/* The axis in 0..rank-1; false: reported. */
bool import_axis(importer *im, import_node *n, int64_t axis, int rank, int *out);

/* ---- import_emit.c: nodes and outputs ---- */

/* Reports an error of the node, at input i (-1: none); returns false. */
bool import_fail(importer *im, const import_node *n, status code, int i, const char *format, ...) __attribute__((format(printf, 5, 6)));
ir_node *import_begin(importer *im, const import_node *n, ir_op op);
/* Ends a node; one of small constants only is evaluated at once. NULL: reported. */
ir_value *import_end(importer *im, ir_node *node);
ir_value *import_move(importer *im, const import_node *n, ir_value *x, const move *m, const ir_type *to);
ir_value *import_reshape(importer *im, const import_node *n, ir_value *x, const dim *shape, int rank);
ir_value *import_transpose(importer *im, const import_node *n, ir_value *x, const int *permutation);
ir_value *import_map(importer *im, const import_node *n, const expr *e, ir_value *const *input, int inputs);
ir_value *import_map1(importer *im, const import_node *n, expr_op op, ir_value *x);
ir_value *import_map2(importer *im, const import_node *n, expr_op op, ir_value *x, ir_value *y);
ir_value *import_convert(importer *im, const import_node *n, ir_value *x, elem to);
ir_value *import_number(importer *im, elem e, double number);      /* a scalar */
/* Output k; each returns whether it was made. A NULL value stands for an error that was reported. */
bool import_put(importer *im, import_node *n, int k, ir_value *v);
bool import_put_same(importer *im, import_node *n, int k, int i);  /* input i itself */
void import_put_value(import_node *n, int k, const import_value *v);   /* a known value of this graph or an inner one */
bool import_put_contents(importer *im, import_node *n, int k, const ir_type *type, const dim *content);
bool import_put_move(importer *im, import_node *n, int k, int i, const move *m, const ir_type *to);   /* of input i, contents too */
bool import_is_wanted(const import_node *n, int k);

/* ---- import_attributes.c: an attribute of another kind is E203 and sets n->wrong ---- */

const Onnx__AttributeProto *import_attribute(const import_node *n, const char *name);   /* NULL: absent */
int64_t import_int(importer *im, import_node *n, const char *name, int64_t otherwise);
double import_float(importer *im, import_node *n, const char *name, double otherwise);
const char *import_string(importer *im, import_node *n, const char *name, const char *otherwise);
bool import_ints(importer *im, import_node *n, const char *name, const int64_t **list, int *count);   /* false: absent */
bool import_flag(importer *im, import_node *n, const char *name, int64_t supported);      /* any other value is E301 */

/* ---- import_contents.c ---- */

/* Evaluates the element-wise operator `op` over contents; false: some input has none, or the result is undecided. */
bool import_fold_contents(importer *im, import_node *n, expr_op op);

/* ---- import_scatter.c ---- */

/* ScatterND of constants alone, without a reduction. */
bool import_scatter_constants(importer *im, import_node *n);

/* ---- handlers, by operators.def ---- */

enum { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_SUMSQ, REDUCE_L1, REDUCE_L2 };
enum { FORMULA_SWISH, FORMULA_HARD_SWISH, FORMULA_HARD_SIGMOID, FORMULA_LEAKY_RELU, FORMULA_ELU, FORMULA_SOFTPLUS, FORMULA_SOFTSIGN,
       FORMULA_SELU, FORMULA_CELU, FORMULA_MISH, FORMULA_THRESHOLDED_RELU, FORMULA_ERFC };

#define OPERATOR(name, oldest, newest, least, most, handler, detail) import_handler handler;
#define MICROSOFT(name, least, most, handler, detail) import_handler handler;
#include "operators.def"
#undef MICROSOFT
#undef OPERATOR

#endif
