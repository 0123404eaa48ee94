/* The rest of the folder: main.c (the program's tables), CMakeLists.txt, and the instruction-set levels' files. */
#include "codegen_private.h"

#include <string.h>

static void print_tensor_table(codegen *g, strbuf *to, const char *name, const ir_port *port, int count)
{
    for (int i = 0; i < count; i++) {
        const ir_type *t = &port[i].value->type;
        strbuf_printf(to, "static const int64_t %s_shape_%d[] = {", name, i);
        for (int j = 0; j < t->rank; j++) strbuf_printf(to, "%s%lld", j ? ", " : " ", codegen_extent(g, t->dim[j]));
        strbuf_add(to, t->rank ? " };\n" : " 1 };\n");
    }
    strbuf_printf(to, "static const program_tensor %s[] = {\n", name);
    for (int i = 0; i < count; i++)
        strbuf_printf(to, "    { \"%s\", \"%s\", %d, %s_shape_%d, %d, %d },\n", codegen_escape(g->arena, port[i].name),
                      codegen_numpy_type(port[i].value->type.elem), port[i].value->type.rank, name, i, (int)elem_size(port[i].value->type.elem),
                      codegen_length_axis(g, &port[i].value->type));
    if (!count) strbuf_add(to, "    { 0 }   /* there are none */\n");
    strbuf_add(to, "};\n\n");
}

static void print_preprocess(codegen *g, strbuf *to)
{
    const codegen_preprocess *p = &g->options->preprocess;
    if (!p->present) return;
    strbuf_add(to, "/* From preprocessor_config.json. */\nstatic const program_preprocess preprocess = {\n");
    strbuf_printf(to, "    .do_resize = %d, .height = %d, .width = %d, .shortest_edge = %d, .resample = %d,\n", p->do_resize, p->height, p->width,
                  p->shortest_edge, p->resample);
    strbuf_printf(to, "    .do_center_crop = %d, .crop_height = %d, .crop_width = %d,\n"
                      "    .do_rescale = %d, .do_normalize = %d, .rescale = %.17g, .channels = %d,\n",
                  p->do_center_crop, p->crop_height, p->crop_width, p->do_rescale, p->do_normalize, p->rescale, p->channels);
    for (int k = 0; k < 2; k++) {
        strbuf_printf(to, "    .%s = {", k ? "std" : "mean");
        for (int i = 0; i < 4; i++) strbuf_printf(to, "%s%s", i ? ", " : " ", codegen_float(g->arena, (k ? p->std : p->mean)[i]));
        strbuf_add(to, " },\n");
    }
    if (p->pixels) strbuf_add(to, "    .pixels = 1,\n");
    strbuf_add(to, "};\n\n");
}

static void print_labels(codegen *g, strbuf *to)
{
    if (!g->options->labels) return;
    strbuf_add(to, "/* From config.json. */\nstatic const char *const labels[] = {\n");
    for (int i = 0; i < g->options->labels; i++) strbuf_printf(to, "    \"%s\",\n", codegen_escape(g->arena, g->options->label[i]));
    strbuf_add(to, "};\n\n");
}

/* The output that holds class scores: [batch, classes], the first of them. */
static int logits_output(const codegen *g)
{
    const ir_graph *graph = g->plan->graph;
    for (int i = 0; i < graph->results; i++) {
        const plan_value *x = plan_value_of(&g->plan->main, graph->result[i].value);
        const bool rows = x->value->type.rank == 2 && x->shape[0] == 1 && plan_batch_axis(g->plan, x->value) <= 0;
        if (rows && elem_is_float(x->value->type.elem)) return i;
    }
    return -1;
}

static void print_adapter(codegen *g, strbuf *to)
{
    const char *n = g->options->name, *N = codegen_upper(g->arena, n);
    const ir_graph *graph = g->plan->graph;
    strbuf_printf(to, "static const char *message(%s_status s)\n{\n    return s == %s_OK ? NULL : %s_status_text(s);\n}\n\n", n, N, n);
    strbuf_printf(to, "static const char *open_model(void **model, const char *path)\n{\n"
                      "    return message(%s_open((%s_model **)model, path));\n"
                      "}\n\n", n, n);
    strbuf_printf(to, "static const char *verify_model(void *model)\n{\n    return message(%s_verify(model));\n}\n\n", n);
    strbuf_printf(to, "static void close_model(void *model)\n{\n    %s_close(model);\n}\n\n", n);
    strbuf_printf(to, "static const char *start_session(void **session, void *model, int threads, int64_t max_batch)\n{\n"
                      "    const %s_options options = { .threads = threads, .max_batch = max_batch };\n"
                      "    return message(%s_start((%s_session **)session, model, &options));\n"
                      "}\n\n", n, n, n);
    strbuf_printf(to, "static void stop_session(void *session)\n{\n    %s_stop(session);\n}\n\n", n);
    strbuf_printf(to, "static const char *run_session(void *session, int64_t batch, int64_t length, const void *const *input, void *const *output)\n{\n"
                      "    const %s_inputs in = {\n", n);
    const char **name = codegen_port_names(g->arena, graph->parameter, graph->parameters);
    for (int i = 0; i < graph->parameters; i++) strbuf_printf(to, "        .%s = input[%d],\n", name[i], i);
    if (!graph->parameters) strbuf_add(to, "        .none = 0\n");
    if (g->plan->length_symbol >= 0) strbuf_printf(to, "        .%s = length,\n", codegen_length_name(g));
    strbuf_printf(to, "    };\n    const %s_outputs out = {\n", n);
    name = codegen_port_names(g->arena, graph->result, graph->results);
    for (int i = 0; i < graph->results; i++) strbuf_printf(to, "        .%s = output[%d],\n", name[i], i);
    strbuf_printf(to, "    };\n    %sreturn message(%s_run(session, batch, &in, &out));\n}\n\n",
                  arena_printf(g->arena, "%s%s", graph->parameters ? "" : "(void)input;\n    ", g->plan->length_symbol >= 0 ? "" : "(void)length;\n    "), n);
    strbuf_printf(to, "#ifdef %s_TRACE\n"
                      "static const char *trace_session(void *session, const char *folder)\n{\n"
                      "    return message(%s_trace(session, folder));\n"
                      "}\n"
                      "#endif\n\n", N, n);
}

long long codegen_extent(const codegen *g, dim d)
{
    const bool batch = g->plan->batch_symbol >= 0 && dim_mentions(d, g->plan->batch_symbol);
    return (batch ? -1 : 1) * (long long)plan_dim(g->plan, d);
}

/* The static model's one batch, the first dimension of its first input (1 where that is a length); 0: any. */
long long codegen_fixed_batch(const codegen *g)
{
    const ir_graph *graph = g->plan->graph;
    if (g->plan->batch_symbol >= 0) return 0;
    const ir_type *first = graph->parameters ? &graph->parameter[0].value->type : NULL;
    const bool follows = first && codegen_length_axis(g, first) == 1;
    const long long size = first && first->rank && !follows ? (long long)plan_dim(g->plan, first->dim[0]) : 1;
    return size ? size : 1;
}

void codegen_main(codegen *g, strbuf *to)
{
    const codegen_options *o = g->options;
    const ir_graph *graph = g->plan->graph;
    strbuf_printf(to, "/* The program: pictures or .npy files in, classes or .npy files out. "
                      "What it does is in runtime/program.c; here is what it knows of the model. */\n"
                      "#include \"%s.h\"\n"
                      "#include \"runtime/profile.h\"\n"
                      "#include \"runtime/program.h\"\n\n"
                      "profile_row *%s_profile(void *model, int *count);\n\n", o->name, o->name);
    print_tensor_table(g, to, "inputs", graph->parameter, graph->parameters);
    print_tensor_table(g, to, "outputs", graph->result, graph->results);
    print_preprocess(g, to);
    print_labels(g, to);
    print_adapter(g, to);
    strbuf_printf(to, "static const program_model model = {\n    .name = \"%s\", .version = \"vitcc\",\n", o->name);
    if (o->embed_weights) strbuf_add(to, "    .weights = NULL,   /* in the binary */\n");
    else strbuf_printf(to, "    .weights = \"%s.weights\",\n", o->name);
    strbuf_printf(to, "    .inputs = %d, .outputs = %d, .input = inputs, .output = outputs,\n"
                      "    .batch = %lld,\n", graph->parameters, graph->results, codegen_fixed_batch(g));
    if (g->plan->length_symbol >= 0) strbuf_printf(to, "    .capacity = %lld,\n", (long long)g->plan->symbol[g->plan->length_symbol]);
    if (o->preprocess.present) strbuf_add(to, "    .preprocess = &preprocess,\n");
    if (o->labels) strbuf_printf(to, "    .labels = %d, .label = labels,\n", o->labels);
    strbuf_printf(to, "    .logits = %d,\n"
                      "    .open = open_model, .verify = verify_model, .close = close_model, "
                      ".start = start_session, .stop = stop_session, .run = run_session,\n"
                      "    .profile = %s_profile,\n"
                      "#ifdef %s_TRACE\n"
                      "    .trace = trace_session,\n"
                      "#endif\n"
                      "};\n\n", logits_output(g), o->name, codegen_upper(g->arena, o->name));
    strbuf_add(to, "int main(int argc, char **argv)\n{\n    return program_main(&model, argc, argv);\n}\n");
}

/* The project: $ is the model's name, ^ the same in capitals; lines behind @jit and @aot are for kernels that come so, @embed for weights in the
 * binary, @file for others, @asm for assembly. */
static const char cmake_library[] =
    "# Builds the $ library (static and shared) and the $ program.\n"
    "cmake_minimum_required(VERSION 3.16)\n"
    "project($ C)\n"
    "\n"
    "if(NOT CMAKE_BUILD_TYPE)\n"
    "  set(CMAKE_BUILD_TYPE Release)\n"
    "endif()\n"
    "set(CMAKE_C_STANDARD 11)\n"
    "set(CMAKE_C_EXTENSIONS ON)\n"
    "set(CMAKE_POSITION_INDEPENDENT_CODE ON)\n"
    "set(CMAKE_C_VISIBILITY_PRESET hidden)\n"
    "set(THREADS_PREFER_PTHREAD_FLAG ON)\n"
    "find_package(Threads REQUIRED)\n"
    "include(GNUInstallDirs)\n"
    "\n"
    "# Products may be contracted and reordered in vectors; no errno, no traps. No instruction-set flags: the code chooses when it starts.\n"
    "set(math_flags -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math)\n"
    "set(sources $.c $_kernels.c $_kernels_avx2.c $_kernels_avx512.c)\n"
    "@aot # C computes products only where there is no machine code: one copy of that a level is enough.\n"
    "@aot list(APPEND math_flags $<$<C_COMPILER_ID:GNU>:-fno-ipa-cp-clone>)\n"
    "@asm enable_language(ASM)\n"
    "@aot list(APPEND sources $_gemm.S)\n"
    "@embed list(APPEND sources $_weights.S)\n"
    "@embed set_source_files_properties($_weights.S PROPERTIES OBJECT_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/$.weights)\n"
    "\n"
    "add_library($_objects OBJECT ${sources})\n"
    "target_compile_options($_objects PRIVATE $<$<COMPILE_LANGUAGE:C>:${math_flags}>)\n"
    "target_include_directories($_objects PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})\n"
    "option(^_TRACE \"the program can write what each step makes (--trace)\" OFF)\n"
    "if(^_TRACE)\n"
    "  target_compile_definitions($_objects PRIVATE ^_TRACE)\n"
    "endif()\n"
    "add_library($_static STATIC $<TARGET_OBJECTS:$_objects>)\n"
    "add_library($_shared SHARED $<TARGET_OBJECTS:$_objects>)\n"
    "set_target_properties($_static $_shared PROPERTIES OUTPUT_NAME $)\n"
    "target_include_directories($_static INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})\n"
    "target_include_directories($_shared INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})\n"
    "set(libraries Threads::Threads -lm)\n"
    "@jit # libxsmm generates the matrix kernels when a model is opened; it is linked statically, and the shared library shows none of it.\n"
    "@jit find_library(XSMM libxsmm.a REQUIRED)\n"
    "@jit find_library(XSMMNOBLAS libxsmmnoblas.a REQUIRED)\n"
    "@jit list(PREPEND libraries ${XSMM} ${XSMMNOBLAS} ${CMAKE_DL_LIBS})\n"
    "target_link_libraries($_static PUBLIC ${libraries})\n"
    "target_link_libraries($_shared PRIVATE ${libraries})\n"
    "target_link_options($_shared PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,nodelete)\n"
    "\n";

static const char cmake_program[] =
    "file(GLOB program_sources ${CMAKE_CURRENT_SOURCE_DIR}/runtime/*.c)\n"
    "add_executable($ main.c $_profile.c ${program_sources})\n"
    "target_compile_options($ PRIVATE -O2)\n"
    "target_link_libraries($ PRIVATE $_static -lm)\n"
    "target_link_options($ PRIVATE -Wl,--gc-sections)\n"
    "# Libraries have parts that the program never calls, but that others of their functions name: the tables by which libjpeg encodes\n"
    "@jit # and what libxsmm generates besides dense products\n"
    "# would be a third of it. Those names lead to a function that stops, and the parts stay out.\n"
    "set(unused jsimd_huff_encode_one_block_sse2 jconst_huff_encode_one_block)\n"
    "@jit foreach(kind getrf matcopy mateltwise pgemm spgemm_csc_soa spgemm_csr_reg spgemm_csr_soa transpose trmm trsm)\n"
    "@jit   list(APPEND unused libxsmm_generator_${kind}_kernel)\n"
    "@jit endforeach()\n"
    "@jit list(APPEND unused libxsmm_generator_packed_gemm_ac_rm libxsmm_generator_packed_gemm_bc_rm)\n"
    "foreach(name ${unused})\n"
    "  target_link_options($ PRIVATE -Wl,--defsym=${name}=program_unused)\n"
    "endforeach()\n"
    "if(^_TRACE)\n"
    "  target_compile_definitions($ PRIVATE ^_TRACE)\n"
    "endif()\n"
    "# Pictures: JPEG and PNG where their static libraries are there; without, the program still runs .npy files.\n"
    "find_library(JPEG_STATIC libjpeg.a)\n"
    "find_library(PNG_STATIC libpng16.a)\n"
    "find_library(Z_STATIC libz.a)\n"
    "if(JPEG_STATIC)\n"
    "  target_compile_definitions($ PRIVATE HAVE_JPEG)\n"
    "  target_link_libraries($ PRIVATE ${JPEG_STATIC})\n"
    "endif()\n"
    "if(PNG_STATIC AND Z_STATIC)\n"
    "  target_compile_definitions($ PRIVATE HAVE_PNG)\n"
    "  target_link_libraries($ PRIVATE ${PNG_STATIC} ${Z_STATIC} -lm)\n"
    "endif()\n"
    "@file # The program finds its weights beside itself.\n"
    "@file add_custom_command(TARGET $ POST_BUILD COMMAND ${CMAKE_COMMAND} -E create_hardlink "
    "${CMAKE_CURRENT_SOURCE_DIR}/$.weights $<TARGET_FILE_DIR:$>/$.weights\n"
    "@file   || ${CMAKE_COMMAND} -E copy_if_different ${CMAKE_CURRENT_SOURCE_DIR}/$.weights $<TARGET_FILE_DIR:$>/$.weights VERBATIM)\n"
    "\n"
    "set(private_libraries \"-lpthread -lm\")\n"
    "@jit string(PREPEND private_libraries \"-lxsmm -lxsmmnoblas -ldl \")\n"
    "# What is installed may be moved, and installed elsewhere than was said when configuring.\n"
    "file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})\n"
    "file(CONFIGURE OUTPUT $.pc @ONLY CONTENT [[\n"
    "prefix=${pcfiledir}/@up@\n"
    "libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@\n"
    "includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@\n"
    "\n"
    "Name: $\n"
    "Description: A Vision Transformer as a C library\n"
    "Version: 1\n"
    "Libs: -L${libdir} -l$\n"
    "Libs.private: @private_libraries@\n"
    "Cflags: -I${includedir}\n"
    "]])\n"
    "install(TARGETS $ $_static $_shared)\n"
    "install(FILES $.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})\n"
    "install(FILES ${CMAKE_CURRENT_BINARY_DIR}/$.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)\n"
    "@file install(FILES $.weights DESTINATION ${CMAKE_INSTALL_BINDIR})\n";

/* Is this line of the template for the options at hand? *line moves past the mark. */
static bool line_applies(const codegen_options *o, const char **line)
{
    static const char *const marks[] = { "@jit ", "@aot ", "@embed ", "@file ", "@asm " };
    const bool on[] = { o->kernels == KERNELS_JIT, o->kernels == KERNELS_AOT, o->embed_weights, !o->embed_weights,
                        o->embed_weights || o->kernels == KERNELS_AOT };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const size_t length = strlen(marks[i]);
        if (strncmp(*line, marks[i], length)) continue;
        *line += length;
        return on[i];
    }
    return true;
}

static void print_cmake(codegen *g, strbuf *to, const char *template)
{
    for (const char *line = template; *line;) {
        const char *end = strchr(line, '\n');
        if (line_applies(g->options, &line))
            for (const char *c = line; c <= end; c++) {
                if (*c == '$' && c[1] != '{' && c[1] != '<') strbuf_add(to, g->options->name);
                else if (*c == '^') strbuf_add(to, codegen_upper(g->arena, g->options->name));
                else strbuf_addn(to, c, 1);
            }
        line = end + 1;
    }
}

void codegen_cmake(codegen *g, strbuf *to)
{
    print_cmake(g, to, cmake_library);
    print_cmake(g, to, cmake_program);
}

void codegen_level_source(codegen *g, strbuf *to, const char *level, int number)
{
    const char *n = g->options->name;
    strbuf_printf(to, "/* The kernels of %s for CPUs with %s. */\n"
                      "#if defined(__x86_64__)\n"
                      "#define VITCC_LEVEL %d\n"
                      "#define KERNEL_TABLE %s_kernels_%s\n"
                      "#include \"%s_kernels.c\"\n"
                      "#else\n"
                      "typedef int no_%s_here;\n"
                      "#endif\n", n, number == 2 ? "AVX2 and FMA" : "AVX-512", number, n, level, n, level);
}
