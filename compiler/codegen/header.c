/* <name>.h: the public interface of a generated library. */
#include "codegen_private.h"

#include <ctype.h>
#include <string.h>

const char *codegen_upper(arena *a, const char *text)
{
    char *upper = arena_strdup(a, text);
    for (char *c = upper; *c; c++) *c = (char)toupper((unsigned char)*c);
    return upper;
}

const char *codegen_c_type(elem e)
{
    switch (e) {
    case ELEM_F32: return "float";
    case ELEM_F64: return "double";
    case ELEM_I8: return "int8_t";
    case ELEM_I16: return "int16_t";
    case ELEM_I32: return "int32_t";
    case ELEM_I64: return "int64_t";
    case ELEM_U8: case ELEM_BOOL: return "uint8_t";
    case ELEM_U16: case ELEM_F16: case ELEM_BF16: return "uint16_t";
    case ELEM_U32: return "uint32_t";
    case ELEM_U64: return "uint64_t";
    default: return "void";
    }
}

const char *codegen_numpy_type(elem e)
{
    switch (e) {
    case ELEM_F32: return "<f4";
    case ELEM_F64: return "<f8";
    case ELEM_F16: return "<f2";
    case ELEM_I8: return "|i1";
    case ELEM_I16: return "<i2";
    case ELEM_I32: return "<i4";
    case ELEM_I64: return "<i8";
    case ELEM_U8: return "|u1";
    case ELEM_U16: return "<u2";
    case ELEM_BF16: return "<V2";
    case ELEM_U32: return "<u4";
    case ELEM_U64: return "<u8";
    case ELEM_BOOL: return "|b1";
    default: return "|V1";
    }
}

/* Field names of the inputs' or outputs' struct: sanitised, unique. */
const char **codegen_port_names(arena *a, const ir_port *port, int count)
{
    const char **name = arena_array(a, (size_t)count + 1, sizeof *name);
    for (int i = 0; i < count; i++) {
        name[i] = codegen_identifier(a, port[i].name);
        for (int j = 0, again = 2; j < i; j++)
            if (!strcmp(name[i], name[j])) {
                name[i] = arena_printf(a, "%s_%d", codegen_identifier(a, port[i].name), again++);
                j = -1;
            }
    }
    return name;
}

/* What the input of raw pixels takes. */
static const char pixels_note[] = ": raw pixels, [batch, height, width, channels] of 0 to 255; mean and std are inside";

bool codegen_of_length(const codegen *g, dim d, long long *more)
{
    const int symbol = g->plan->length_symbol;
    if (symbol < 0 || !dim_mentions(d, symbol)) return false;
    *more = (long long)(plan_dim(g->plan, d) - g->plan->symbol[symbol]);
    return true;
}

int codegen_length_axis(const codegen *g, const ir_type *t)
{
    long long more;
    for (int i = 0; i < t->rank; i++)
        if (codegen_of_length(g, t->dim[i], &more)) return i + 1;
    return 0;
}

const char *codegen_length_name(const codegen *g)
{
    const ir_graph *graph = g->plan->graph;
    const char **port = codegen_port_names(g->arena, graph->parameter, graph->parameters);
    const char *base = codegen_identifier(g->arena, graph->symbols->symbol[g->plan->length_symbol].name), *name = base;
    for (int i = 0, again = 2; i < graph->parameters; i++)
        if (!strcmp(name, port[i])) {
            name = arena_printf(g->arena, "%s_%d", base, again++);
            i = -1;
        }
    return name;
}

/* `rest` times the elements of these axes. */
static const char *elements_times(codegen *g, const plan_value *x, const char *inputs, int from, int end, long long rest)
{
    const char *length = NULL;
    long long more;
    for (int i = from; i < end; i++) {
        if (!codegen_of_length(g, x->value->type.dim[i], &more)) {
            rest *= (long long)x->shape[i];
            continue;
        }
        length = arena_printf(g->arena, "%s->%s", inputs, codegen_length_name(g));
        if (more) length = arena_printf(g->arena, "(%s + %lld)", length, more);
    }
    if (!length) return arena_printf(g->arena, "%lld", rest);
    return rest == 1 ? length : arena_printf(g->arena, "%s * %lld", length, rest);
}

const char *codegen_elements(codegen *g, const plan_value *x, const char *inputs, int from, int end)
{
    return elements_times(g, x, inputs, from, end, 1);
}

const char *codegen_piece(codegen *g, const plan_value *x, const char *inputs)
{
    return elements_times(g, x, inputs, plan_batch_axis(g->plan, x->value) + 1, x->value->type.rank, plan_image_places(g->plan, x));
}

const char *codegen_pieces(codegen *g, const plan_value *x, const char *inputs)
{
    const int axis = plan_batch_axis(g->plan, x->value);
    const int64_t places = plan_image_places(g->plan, x);
    return elements_times(g, x, inputs, 0, axis, places ? x->shape[axis] / places : 0);
}

static void print_ports(codegen *g, strbuf *to, const ir_port *port, int count, bool constant)
{
    const codegen_preprocess *p = &g->options->preprocess;
    const char **name = codegen_port_names(g->arena, port, count);
    if (!count) strbuf_add(to, "    char none;   /* there are none */\n");
    for (int i = 0; i < count; i++) {
        const ir_value *v = port[i].value;
        strbuf_printf(to, "    %s%s *%s;   /* ", constant ? "const " : "", codegen_c_type(v->type.elem), name[i]);
        strbuf_add(to, "[");
        for (int j = 0; j < v->type.rank; j++) {
            const int64_t n = plan_dim(g->plan, v->type.dim[j]);
            const bool batch = g->plan->batch_symbol >= 0 && dim_mentions(v->type.dim[j], g->plan->batch_symbol);
            long long more;
            if (codegen_of_length(g, v->type.dim[j], &more))
                strbuf_printf(to, more ? "%s%s+%lld" : "%s%s", j ? "," : "", codegen_length_name(g), more);
            else if (batch && n == 1) strbuf_printf(to, "%sbatch", j ? "," : "");
            else strbuf_printf(to, "%s%lld%s", j ? "," : "", (long long)n, batch ? "*batch" : "");
        }
        strbuf_printf(to, "]%s */\n", constant && p->pixels && i == p->input ? pixels_note : "");
    }
    if (constant && g->plan->length_symbol >= 0)
        strbuf_printf(to, "    int64_t %s;   /* 0 to %lld */\n", codegen_length_name(g), (long long)g->plan->symbol[g->plan->length_symbol]);
}

/* Has an input or output more than one place of its batch's axis for each image? */
static bool has_multiples(const codegen *g)
{
    const ir_graph *graph = g->plan->graph;
    for (int i = 0; i < graph->parameters + graph->results; i++) {
        const plan_value *x = plan_value_of(&g->plan->main, i < graph->parameters ? graph->parameter[i].value : graph->result[i - graph->parameters].value);
        const int axis = plan_batch_axis(g->plan, x->value);
        if (axis >= 0 && x->shape[axis] != 1) return true;
    }
    return false;
}

/* Prints text, $ standing for the model's name and ^ for the same in capitals. */
static void print_named(const codegen *g, strbuf *to, const char *text)
{
    const char *capitals = codegen_upper(g->arena, g->options->name);
    for (; *text; text++) {
        if (*text == '$') strbuf_add(to, g->options->name);
        else if (*text == '^') strbuf_add(to, capitals);
        else strbuf_addn(to, text, 1);
    }
}

static const char opening[] =
    "/* $: a Vision Transformer as a C library. No global state; a model may be shared by any number of sessions, "
    "a session runs one call at a time. */\n"
    "#ifndef VITCC_MODEL_^_H\n#define VITCC_MODEL_^_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n"
    "#if defined(__GNUC__) && !defined(^_API)\n#define ^_API __attribute__((visibility(\"default\")))\n"
    "#elif !defined(^_API)\n#define ^_API\n#endif\n\n"
    "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
    "typedef enum $_status {\n"
    "    ^_OK,\n"
    "    ^_ARGUMENT,   /* an argument is NULL or out of range */\n"
    "    ^_MEMORY,   /* memory ran out */\n"
    "    ^_NOT_FOUND,   /* the weights file cannot be read */\n"
    "    ^_NOT_WEIGHTS,   /* not a weights file */\n"
    "    ^_VERSION,   /* a weights file of another format version */\n"
    "    ^_TRUNCATED,   /* the weights file is shorter than it says */\n"
    "    ^_WRONG_MODEL,   /* weights of another model, or packed for other code */\n"
    "    ^_CORRUPT,   /* the weights are damaged */\n"
    "    ^_MISALIGNED,   /* weights in memory must be aligned to 64 bytes */\n"
    "    ^_BATCH,   /* this batch is not possible: larger than the session's, or not the model's one */\n"
    "    ^_BUSY,   /* the session is running another call */\n"
    "    ^_THREADS,   /* a thread could not be started */\n"
    "#ifdef ^_TRACE\n    ^_NOT_WRITTEN,   /* a trace could not be written */\n#endif\n} $_status;\n\n"
    "typedef struct $_model $_model;       /* the weights, and kernels for this CPU */\n"
    "typedef struct $_session $_session;   /* threads and memory of one running inference */\n\n"
    "typedef struct $_options {\n"
    "    int threads;         /* 0: one */\n"
    "    int64_t max_batch;   /* 0: one, or the model's one */\n"
    "    void *memory;        /* NULL: allocated; else of $_memory() bytes, aligned to 64 */\n"
    "} $_options;\n\n"
    "typedef struct $_inputs {\n";

static const char functions[] =
    "^_API $_status $_open($_model **model, const char *weights_path);\n"
    "/* The same from bytes in memory, aligned to 64, which must outlive the model. */\n"
    "^_API $_status $_open_memory($_model **model, const void *weights, size_t bytes);\n"
    "/* Reads all weights and compares their checksums. */\n"
    "^_API $_status $_verify(const $_model *model);\n"
    "^_API void $_close($_model *model);\n\n"
    "/* Bytes of memory that a session with these options needs. options may be NULL. */\n"
    "^_API size_t $_memory(const $_options *options);\n"
    "^_API $_status $_start($_session **session, const $_model *model, const $_options *options);\n"
    "/* Runs `batch` images. Allocates nothing; the calling thread is one of the workers. */\n"
    "^_API $_status $_run($_session *session, int64_t batch, const $_inputs *inputs, const $_outputs *outputs);\n"
    "^_API void $_stop($_session *session);\n\n"
    "/* Inputs, then outputs; NULL past the last. */\n"
    "^_API const $_tensor *$_tensor_info(int i);\n"
    "/* What a status means, and how many of the model's matrix kernels this CPU runs as generated code. */\n"
    "^_API const char *$_status_text($_status status);\n"
    "^_API int $_generated_kernels(const $_model *model);\n\n"
    "#ifdef ^_TRACE   /* built with tracing */\n"
    "/* Each run from now on writes what each step makes to a .npy file in the folder, which must exist; the text must stay. NULL: no more. */\n"
    "^_API $_status $_trace($_session *session, const char *folder);\n#endif\n\n"
    "#ifdef __cplusplus\n}\n#endif\n#endif\n";

void codegen_header(codegen *g, strbuf *to)
{
    const ir_graph *graph = g->plan->graph;
    print_named(g, to, opening);
    print_ports(g, to, graph->parameter, graph->parameters, true);
    print_named(g, to, "} $_inputs;\n\n/* An output left NULL is not written. They overlap neither inputs nor each other. */\ntypedef struct $_outputs {\n");
    print_ports(g, to, graph->result, graph->results, false);
    print_named(g, to, "} $_outputs;\n\ntypedef struct $_tensor {\n"
                       "    const char *name, *type;   /* as in the ONNX file; numpy's type, such as \"<f4\" */\n    int rank;\n");
    strbuf_printf(to, "    int64_t shape[8];          /* %s */\n", has_multiples(g) ? "0: the batch; -k: k times the batch" : "0: the batch");
    if (g->plan->length_symbol >= 0)
        strbuf_printf(to, "    int length;                /* 1 + the axis whose size follows the inputs' %s, its shape being the capacity; 0: none */\n",
                      codegen_length_name(g));
    strbuf_printf(to, "} %s_tensor;\n\n/* Opens the weights%s, checks that they belong to this code, and prepares kernels for this CPU. */\n",
                  g->options->name, g->options->embed_weights ? " (embedded: path may be NULL)" : "");
    print_named(g, to, functions);
}
