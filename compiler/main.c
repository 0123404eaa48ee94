/* vitcc: the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "passes/passes.h"
#include "tune.h"

enum { EXIT_BAD_INPUT = 1, EXIT_USAGE = 2, LIST_MAX = 64 };

static const char help[] =
    "usage: vitcc compile MODEL.onnx -o FOLDER [options]   write a folder of C that runs the model\n"
    "       vitcc inspect MODEL.onnx [options]             inputs, outputs, operators, what would be fused\n"
    "       vitcc check MODEL.onnx [options]               is everything supported? all problems at once\n"
    "       vitcc evaluate MODEL.onnx -o FOLDER --input [NAME=]X.npy   run it in the evaluator\n"
    "       vitcc tune FOLDER [--threads T] [--batch B]    times other tile and panel rows here, writes the folder anew with the best\n"
    "       vitcc --help | --version\n"
    "\n"
    "  -o, --output FOLDER      where to write; made if missing, replaced if vitcc wrote it\n"
    "      --name NAME          prefix of every symbol and file (default: from the model's file name)\n"
    "      --shape [NAME=]D,…   bind an input's dimensions: a number fixes one, a word is decided at run time\n"
    "      --input-type [NAME=]uint8   the image input takes raw pixels, [batch, height, width, channels] of 0 to 255;\n"
    "                           mean and std of preprocessor_config.json go into the model\n"
    "      --bind NAME=FILE     make an input a constant, from .npy; what follows from it is computed now\n"
    "      --config FOLDER      where config.json and preprocessor_config.json are (default: beside the model)\n"
    "      --kernels KIND       jit: libxsmm makes the matrix kernels when the model opens (default);\n"
    "                           aot: it makes them now, and their machine code goes into the folder; portable: C alone\n"
    "      --embed-weights      put the weights into the binary\n"
    "      --panel-rows N, --tile-rows N   rows a panel and a tile (default: chosen)\n"
    "      --panel-images N     images of a batch that a thread runs together at most (default: chosen)\n"
    "      --no-pass NAME       leave a pass out; `all` leaves out every one\n"
    "      --dump-after NAME    print the IR after a pass, `load`, or `all`\n"
    "      --validate           compare the outputs before and after each pass on random input\n"
    "      --input [NAME=]FILE  evaluate: an input as .npy\n"
    "      --typed              evaluate: each element type as ONNX defines it (default: double precision)\n"
    "      --threads T          tune: threads (default: as many as the process may use cores)\n"
    "      --batch B            tune: images in a run (default: 1)\n"
    "  -q, --quiet              print errors only\n"
    "\n"
    "Exit status: 0 fine, 1 bad input, 2 bad usage.\n";

typedef struct command_line {
    driver_options options;
    const char *shape[LIST_MAX], *bind[LIST_MAX], *no_pass[LIST_MAX], *input[LIST_MAX];
    int inputs, threads, batch;
    bool typed;
} command_line;

static int usage(const char *what, const char *detail)
{
    fprintf(stderr, "vitcc: error E%d: %s: %s%s%s; %s\n", STATUS_USAGE, status_sentence(STATUS_USAGE), what, *detail ? " " : "", detail,
        status_remedy(STATUS_USAGE));
    return EXIT_USAGE;
}

/* What getopt did not take: by its letter where it has one. */
static int bad_option(char **argv)
{
    const char letter[] = { '-', (char)optopt, 0 };
    return usage("no such option, or its value is missing or not wanted:", optopt > 0 && optopt < 128 ? letter : argv[optind - 1]);
}

static bool known_pass(const char *name, const char *extra)
{
    if (!strcmp(name, "all") || !strcmp(name, extra)) return true;
    for (int i = 0; i < passes_count; i++)
        if (!strcmp(passes[i].name, name)) return true;
    return false;
}

static bool positive(const char *text, int *out)
{
    char *end;
    const long n = strtol(text, &end, 10);
    if (*end || end == text || n < 1 || n > 65536) return false;
    *out = (int)n;
    return true;
}

enum { NAME = 256, SHAPE, CONFIG, KERNELS, EMBED, PANEL, TILE, PANEL_IMAGES, NO_PASS, DUMP, VALIDATE, INPUT, TYPED, THREADS, BATCH, BIND, INPUT_TYPE };

static const struct option long_options[] = {
    { "output", required_argument, NULL, 'o' }, { "name", required_argument, NULL, NAME }, { "shape", required_argument, NULL, SHAPE },
    { "config", required_argument, NULL, CONFIG }, { "kernels", required_argument, NULL, KERNELS }, { "embed-weights", no_argument, NULL, EMBED },
    { "panel-rows", required_argument, NULL, PANEL }, { "tile-rows", required_argument, NULL, TILE }, { "panel-images", required_argument, NULL, PANEL_IMAGES },
    { "no-pass", required_argument, NULL, NO_PASS },
    { "dump-after", required_argument, NULL, DUMP }, { "validate", no_argument, NULL, VALIDATE }, { "input", required_argument, NULL, INPUT },
    { "typed", no_argument, NULL, TYPED }, { "threads", required_argument, NULL, THREADS }, { "batch", required_argument, NULL, BATCH },
    { "bind", required_argument, NULL, BIND }, { "input-type", required_argument, NULL, INPUT_TYPE },
    { "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

static bool take_kernels(const char *value, codegen_kernels *kernels)
{
    for (int i = 0; i < KERNELS_KINDS; i++) {
        if (strcmp(value, codegen_kernels_name[i])) continue;
        *kernels = (codegen_kernels)i;
        return true;
    }
    return false;
}

/* "[NAME=]uint8" */
static bool is_uint8(const char *value)
{
    const char *equals = strrchr(value, '=');
    return !strcmp(equals ? equals + 1 : value, "uint8");
}

/* One option; 0: fine, else the exit status. */
static int take_option(command_line *c, int option, const char *value)
{
    driver_options *o = &c->options;
    switch (option) {
    case 'o': o->out = value; return 0;
    case 'q': o->quiet = true; return 0;
    case NAME: o->name = value; return *value ? 0 : usage("--name is empty", "");
    case CONFIG: o->config = value; return 0;
    case EMBED: o->embed_weights = true; return 0;
    case VALIDATE: o->validate = true; return 0;
    case TYPED: c->typed = true; return 0;
    case SHAPE:
        if (o->shapes == LIST_MAX) return usage("too many --shape", "");
        c->shape[o->shapes++] = value;
        return 0;
    case BIND:
        if (o->binds == LIST_MAX) return usage("too many --bind", "");
        c->bind[o->binds++] = value;
        return 0;
    case INPUT_TYPE:
        o->input_type = value;
        return is_uint8(value) ? 0 : usage("--input-type is uint8 or NAME=uint8, not", value);
    case INPUT:
        if (c->inputs == LIST_MAX) return usage("too many --input", "");
        c->input[c->inputs++] = value;
        return 0;
    case KERNELS:
        return take_kernels(value, &o->kernels) ? 0 : usage("--kernels is jit, aot or portable, not", value);
    case PANEL: return positive(value, &o->panel_rows) ? 0 : usage("--panel-rows wants a number from 1 to 65536, not", value);
    case TILE: return positive(value, &o->tile_rows) ? 0 : usage("--tile-rows wants a number from 1 to 65536, not", value);
    case PANEL_IMAGES: return positive(value, &o->panel_images) ? 0 : usage("--panel-images wants a number from 1 to 65536, not", value);
    case THREADS: return positive(value, &c->threads) ? 0 : usage("--threads wants a number from 1 to 65536, not", value);
    case BATCH: return positive(value, &c->batch) ? 0 : usage("--batch wants a number from 1 to 65536, not", value);
    case NO_PASS:
        if (!known_pass(value, "all")) return usage("--no-pass: there is no pass", value);
        if (o->no_passes == LIST_MAX) return usage("too many --no-pass", "");
        c->no_pass[o->no_passes++] = value;
        return 0;
    case DUMP:
        if (!known_pass(value, "load")) return usage("--dump-after: there is no pass", value);
        o->dump_after = value;
        return 0;
    default: return EXIT_USAGE;   /* not reached: main takes what getopt refuses */
    }
}

static int run(command_line *c, const char *command)
{
    driver_options *o = &c->options;
    status s;
    o->shape = c->shape;
    o->bind = c->bind;
    o->no_pass = c->no_pass;
    if (!o->model) return usage(strcmp(command, "tune") ? "which model?" : "tune: which folder?", "");
    if (!strcmp(command, "compile")) {
        if (!o->out) return usage("compile: where to? -o FOLDER", "");
        s = driver_compile(o);
    } else if (!strcmp(command, "inspect")) {
        s = driver_inspect(o);
    } else if (!strcmp(command, "check")) {
        s = driver_check(o);
    } else if (!strcmp(command, "evaluate")) {
        if (!o->out) return usage("evaluate: where to? -o FOLDER", "");
        s = driver_evaluate(o, c->inputs, c->input, c->typed);
    } else if (!strcmp(command, "tune")) {
        s = tune(&(tune_options){ .folder = o->model, .threads = c->threads, .batch = c->batch, .quiet = o->quiet });
    } else {
        return usage("there is no command", command);
    }
    if (fflush(stdout) || ferror(stdout)) {
        s = STATUS_WRITE;
        fprintf(stderr, "vitcc: error E%d: %s: standard output; %s\n", s, status_sentence(s), status_remedy(s));
    }
    return s == STATUS_OK ? 0 : EXIT_BAD_INPUT;
}

int main(int argc, char **argv)
{
    static command_line c;
    if (argc < 2) return usage("what to do?", "");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) return fputs(help, stdout) < 0;
    if (!strcmp(argv[1], "--version")) return printf("vitcc %s\n", VITCC_VERSION) < 0;
    const char *command = argv[1];
    optind = 2;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "o:qh", long_options, NULL)) != -1;) {
        if (option == 'h') return fputs(help, stdout) < 0;
        const int wrong = option == '?' ? bad_option(argv) : take_option(&c, option, optarg);
        if (wrong) return wrong;
    }
    if (optind < argc) c.options.model = argv[optind++];
    if (optind < argc) return usage("one model at a time, not also", argv[optind]);
    return run(&c, command);
}
