/* The code generator's own parts. */
#ifndef VITCC_CODEGEN_PRIVATE_H
#define VITCC_CODEGEN_PRIVATE_H

#include "codegen.h"

/* A kernel of <name>_kernels.c: one template with all sizes fixed. */
typedef struct kernel_instance {
    const char *name, *parameters;   /* "linear_768_to_768_add", "gemm_code *const *code, const float *x, …" */
    const char *body;                /* everything that defines it, its own name written as $ */
    int steps;                       /* that it runs for one image */
    double flop, bytes;              /* of those */
} kernel_instance;

typedef struct section {             /* of the weights file */
    const ir_value *value;
    plan_layout layout;
    int block;
} section;

/* The values that lie in frame or scratch and that the function being printed touches: it has a pointer to each. */
typedef struct codegen_locals { int count; const plan_value **base; bool *joint; } codegen_locals;   /* joint: of a phase that is */

typedef struct codegen {
    arena *arena;
    plan *plan;
    const codegen_options *options;
    diag *diag;
    int instances;
    kernel_instance *instance;
    int sections;
    section *section;
    codegen_locals locals;
    bool each;                       /* the step being printed runs for image i of those that run together */
    digest packing;
    bool failed;
} codegen;

/* expr.c: the statements that compute e on vectors of floats, each line indented by four, then "return …;". Inputs are named by `input`. */
void codegen_expr(strbuf *to, const expr *e, const char *const *input);
/* Are there only floats and truth values inside, as vectors have them? NULL e: yes. */
bool codegen_expr_is_f32(const expr *e);

/* expr_scalar.c: the statements that compute e on one element of any types and store it as element `to` of `out`; input[i] is where
 * input i lies. */
void codegen_scalar_expr(strbuf *b, const expr *e, const char *const *input);
/* "ELEMENT_I64", as templates/element.h names the type. */
const char *codegen_element(arena *a, elem e);

/* kernels.c: the instance that runs a step; the call's arguments follow `arguments`. */
const char *codegen_instance(codegen *g, const char *wish, const char *parameters, const char *body);

/* steps.c: prints the statement that runs one step of a phase. */
void codegen_step(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f, const plan_step *t);

/* profile.c: adds a step's work to its kernel; <name>_profile.c. */
void codegen_count_work(codegen *g, const char *instance, const plan_scope *s, int scope, const ir_node *n);
void codegen_profile(codegen *g, strbuf *to);

/* trace.c: the lines that hand over what a step makes (of panel p), and what is complete behind a phase's barrier. */
void codegen_trace_step(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f, const plan_step *t, bool panel);
void codegen_trace_phase(codegen *g, strbuf *to, const plan_scope *s, int scope, const plan_phase *f);

/* model_sequence.c: run_prelude and run_images, which call the phases and copy what is the caller's. */
void codegen_sequence(codegen *g, strbuf *to);
/* Is there anything that a run does once for all its images: a step of the prelude, or an output without a batch? */
bool codegen_has_prelude(const codegen *g);
/* Do the images of an input or output lie in between one another? Then run_images is told the batch, too. */
bool codegen_is_interleaved(const codegen *g);

/* model_run.c: the functions of <name>.c; how often a scope runs for one image. */
void codegen_functions(codegen *g, strbuf *to);
int codegen_calls(const codegen *g, int scope);
/* The output that is made where the caller wants it, which is this storage; -1: none. Is v in such storage, or anything that a phase reads or writes? */
int codegen_output_of(const codegen *g, const plan_value *base);
bool codegen_is_output(const codegen *g, const plan_scope *s, const ir_value *v);
bool codegen_touches_output(const codegen *g, const plan_scope *s, const plan_phase *f);
/* A pointer to the first element of a value that is not the caller's, unless it is an output and the caller wants that; one to an element behind it. */
const char *codegen_storage(codegen *g, const plan_value *base, bool joint);
const char *codegen_with_offset(codegen *g, const char *base, int64_t offset, int64_t row);
/* "frame, scratch": the memory that the function of an item is handed. */
const char *codegen_memory_passed(const plan *p, const plan_scope *s, int item);
/* Does the C text use this identifier? Comments, which hold names of the model's author, do not count. "(void)" lines for those of these that it does not. */
bool codegen_mentions(const char *text, const char *word);
void codegen_print_unused(strbuf *to, const char *body, const char *const *names, int count);
/* How a value is spelled in C inside the function of a phase: a pointer to what the step reads or writes. by_panel: at the panel's first row. */
const char *codegen_pointer(codegen *g, const plan_scope *s, int scope, const plan_phase *f, const ir_value *v, bool by_panel);
/* "(float *)(scratch + 64)": a step's own scratch. */
const char *codegen_scratch(codegen *g, const plan_phase *f, int64_t offset);
/* The same of a constant of truth values, as floats 0 and 1. */
const char *codegen_flags(codegen *g, const plan_scope *s, int scope, const plan_phase *f, const ir_value *v, bool by_panel);
/* A constant through its field of the scope's weights. */
const char *codegen_weight(codegen *g, const plan_scope *s, int scope, const ir_value *v, plan_layout layout, int block, const char *name);

/* names.c. The struct of a scope's weights, and the model's field of that name. */
const char *codegen_scope_name(const codegen *g, int scope);
const char *codegen_value_name(codegen *g, const ir_value *v);
const char *codegen_shape(arena *a, const plan_value *x);
const char *codegen_upper(arena *a, const char *text);
const char *codegen_c_type(elem e);
const char *codegen_numpy_type(elem e);
/* An axis of an input or output; 0: the batch. */
long long codegen_extent(const codegen *g, dim d);
/* 1 + the axis of a run's length; 0: none. */
int codegen_length_axis(const codegen *g, const ir_type *t);
/* Is d the length and so much more? The length's field of the inputs. */
bool codegen_of_length(const codegen *g, dim d, long long *more);
const char *codegen_length_name(const codegen *g);
/* Elements of the axes from `from` up to `end`, for one image: "32", or of a length "(in->P + 1) * 32", `inputs` being what points to the inputs. */
const char *codegen_elements(codegen *g, const plan_value *x, const char *inputs, int from, int end);
/* The same of one image's part that lies in one piece, of an input or output with a batch; how many such pieces an image has. */
const char *codegen_piece(codegen *g, const plan_value *x, const char *inputs);
const char *codegen_pieces(codegen *g, const plan_value *x, const char *inputs);
long long codegen_fixed_batch(const codegen *g);
const char **codegen_port_names(arena *a, const ir_port *port, int count);

/* Each writes one file's text. */
void codegen_header(codegen *g, strbuf *to);
void codegen_kernels_source(codegen *g, strbuf *to);
void codegen_kernels_header(codegen *g, strbuf *to);
void codegen_model(codegen *g, strbuf *to);
void codegen_trace_header(codegen *g, strbuf *to);
void codegen_main(codegen *g, strbuf *to);
void codegen_cmake(codegen *g, strbuf *to);
void codegen_report(codegen *g, strbuf *to);
void codegen_level_source(codegen *g, strbuf *to, const char *level, int number);
enum { LARGE_PAGE = 2 << 20 };

/* The bytes of a section. */
typedef struct section_bytes {
    const void *bytes;               /* size of them, in `room` or in the model's file */
    size_t size, room_size;
    void *room;                      /* malloc'ed, kept for the next section */
} section_bytes;

/* pack.c: evaluates and packs section s; errors are told to d, if not NULL. For any thread, where it is NULL. Then gives the room back. */
status codegen_pack(const codegen *g, const section *s, section_bytes *to, diag *d);
void codegen_release(section_bytes *s);

/* weights.c: lists the sections; then writes the file. */
void codegen_list_sections(codegen *g);
status codegen_weights(codegen *g, const char *path, int64_t *bytes);

/* aot.c: <name>_gemm.S. */
status codegen_aot(codegen *g, int64_t *bytes);

/* files.c */
status codegen_file(codegen *g, const char *name, const char *text, size_t length);
status codegen_copy_embedded(codegen *g);

status codegen_refuse(codegen *g, const ir_node *n, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Text of the model's author as a C string literal's inside. */
const char *codegen_escape(arena *a, const char *text);
const char *codegen_float(arena *a, double x);
const char *codegen_double(arena *a, double x);

#endif
