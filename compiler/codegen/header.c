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

static void print_ports(codegen *g, strbuf *to, const ir_port *port, int count, bool constant)
{
    const char **name = codegen_port_names(g->arena, port, count);
    if (!count) strbuf_add(to, "    char none;   /* there are none */\n");
    for (int i = 0; i < count; i++) {
        const ir_value *v = port[i].value;
        strbuf_printf(to, "    %s%s *%s;   /* ", constant ? "const " : "", codegen_c_type(v->type.elem), name[i]);
        strbuf_add(to, "[");
        for (int j = 0; j < v->type.rank; j++) {
            const int64_t n = plan_dim(g->plan, v->type.dim[j]);
            const bool batch = g->plan->batch_symbol >= 0 && dim_mentions(v->type.dim[j], g->plan->batch_symbol);
            if (batch && n == 1) strbuf_printf(to, "%sbatch", j ? "," : "");
            else strbuf_printf(to, "%s%lld%s", j ? "," : "", (long long)n, batch ? "*batch" : "");
        }
        strbuf_add(to, "] */\n");
    }
}

/* Has an output more than one row of its outermost axis for each image? */
static bool has_multiples(const codegen *g)
{
    const ir_graph *graph = g->plan->graph;
    for (int i = 0; i < graph->results && g->plan->batch_symbol >= 0; i++) {
        const ir_type *t = &graph->result[i].value->type;
        for (int j = 0; j < t->rank; j++)
            if (dim_mentions(t->dim[j], g->plan->batch_symbol) && plan_dim(g->plan, t->dim[j]) != 1) return true;
    }
    return false;
}

void codegen_header(codegen *g, strbuf *to)
{
    const char *n = g->options->name, *N = codegen_upper(g->arena, n);
    const ir_graph *graph = g->plan->graph;
    strbuf_printf(to, "/* %s: a Vision Transformer as a C library. No global state; a model may be shared by any number of sessions, a session runs one call at a time. */\n", n);
    strbuf_printf(to, "#ifndef VITCC_MODEL_%s_H\n#define VITCC_MODEL_%s_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n", N, N);
    strbuf_printf(to, "#if defined(__GNUC__) && !defined(%s_API)\n#define %s_API __attribute__((visibility(\"default\")))\n#elif !defined(%s_API)\n#define %s_API\n#endif\n\n", N, N, N, N);
    strbuf_add(to, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    strbuf_printf(to, "typedef enum %s_status {\n", n);
    static const char *const statuses[][2] = {
        { "OK", "" }, { "ARGUMENT", "an argument is NULL or out of range" }, { "MEMORY", "memory ran out" }, { "NOT_FOUND", "the weights file cannot be read" },
        { "NOT_WEIGHTS", "not a weights file" }, { "VERSION", "a weights file of another format version" }, { "TRUNCATED", "the weights file is shorter than it says" },
        { "WRONG_MODEL", "weights of another model, or packed for other code" }, { "CORRUPT", "the weights are damaged" }, { "MISALIGNED", "weights in memory must be aligned to 64 bytes" },
        { "BATCH", "this batch is not possible: larger than the session's, or not the model's one" }, { "BUSY", "the session is running another call" }, { "THREADS", "a thread could not be started" },
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        strbuf_printf(to, "    %s_%s,%s%s%s\n", N, statuses[i][0], *statuses[i][1] ? "   /* " : "", statuses[i][1], *statuses[i][1] ? " */" : "");
    strbuf_printf(to, "#ifdef %s_TRACE\n    %s_NOT_WRITTEN,   /* a trace could not be written */\n#endif\n} %s_status;\n\n", N, N, n);
    strbuf_printf(to, "typedef struct %s_model %s_model;       /* the weights, and kernels for this CPU */\ntypedef struct %s_session %s_session;   /* threads and memory of one running inference */\n\n", n, n, n, n);
    strbuf_printf(to, "typedef struct %s_options {\n    int threads;         /* 0: one */\n    int64_t max_batch;   /* 0: one, or the model's one */\n    void *memory;        /* NULL: allocated; else of %s_memory() bytes, aligned to 64 */\n} %s_options;\n\n", n, n, n);
    strbuf_printf(to, "typedef struct %s_inputs {\n", n);
    print_ports(g, to, graph->parameter, graph->parameters, true);
    strbuf_printf(to, "} %s_inputs;\n\n/* An output left NULL is not copied. */\ntypedef struct %s_outputs {\n", n, n);
    print_ports(g, to, graph->result, graph->results, false);
    strbuf_printf(to, "} %s_outputs;\n\n", n);
    strbuf_printf(to, "typedef struct %s_tensor {\n    const char *name, *type;   /* as in the ONNX file; numpy's type, such as \"<f4\" */\n    int rank;\n    int64_t shape[8];          /* %s */\n} %s_tensor;\n\n", n,
                  has_multiples(g) ? "0: the batch; -k: k times the batch" : "0: the batch", n);
    strbuf_printf(to, "/* Opens the weights%s, checks that they belong to this code, and prepares kernels for this CPU. */\n", g->options->embed_weights ? " (embedded: path may be NULL)" : "");
    strbuf_printf(to, "%s_API %s_status %s_open(%s_model **model, const char *weights_path);\n", N, n, n, n);
    strbuf_printf(to, "/* The same from bytes in memory, aligned to 64, which must outlive the model. */\n%s_API %s_status %s_open_memory(%s_model **model, const void *weights, size_t bytes);\n", N, n, n, n);
    strbuf_printf(to, "/* Reads all weights and compares their checksums. */\n%s_API %s_status %s_verify(const %s_model *model);\n%s_API void %s_close(%s_model *model);\n\n", N, n, n, n, N, n, n);
    strbuf_printf(to, "/* Bytes of memory that a session with these options needs. options may be NULL. */\n%s_API size_t %s_memory(const %s_options *options);\n", N, n, n);
    strbuf_printf(to, "%s_API %s_status %s_start(%s_session **session, const %s_model *model, const %s_options *options);\n", N, n, n, n, n, n);
    strbuf_printf(to, "/* Runs `batch` images. Allocates nothing; the calling thread is one of the workers. */\n%s_API %s_status %s_run(%s_session *session, int64_t batch, const %s_inputs *inputs, const %s_outputs *outputs);\n", N, n, n, n, n, n);
    strbuf_printf(to, "%s_API void %s_stop(%s_session *session);\n\n", N, n, n);
    strbuf_printf(to, "/* Inputs, then outputs; NULL past the last. */\n%s_API const %s_tensor *%s_tensor_info(int i);\n", N, n, n);
    strbuf_printf(to, "/* What a status means, and how many of the model's matrix kernels this CPU runs as generated code. */\n%s_API const char *%s_status_text(%s_status status);\n%s_API int %s_generated_kernels(const %s_model *model);\n\n", N, n, n, N, n, n);
    strbuf_printf(to, "#ifdef %s_TRACE   /* built with tracing */\n/* Each run from now on writes what each step makes to a .npy file in the folder, which must exist; the text must stay. NULL: no more. */\n", N);
    strbuf_printf(to, "%s_API %s_status %s_trace(%s_session *session, const char *folder);\n#endif\n\n", N, n, n, n);
    strbuf_add(to, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
