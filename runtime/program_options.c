/* The command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program_private.h"
#include "team.h"

void program_usage(const program_model *m)
{
    printf("usage: %s [options] picture.jpg more.png ...\n"
           "       %s [options] --input [NAME=]FILE.npy ... --output-dir DIR\n\n", m->name, m->name);
    fputs("  --top N            labels printed for a picture (5)\n"
          "  --quiet            one line a picture: file, label, probability, milliseconds, between tabs\n"
          "  --input [NAME=]F   an input from a .npy file; once for each input\n"
          "  --output-dir DIR   writes each output to DIR/<name>.npy\n"
          "  --batch B          pictures in one run; the batch of --bench\n"
          "  --threads T        threads (as many as the process may use cores)\n"
          "  --bench N          times N runs after a first one; random input unless --input gives it\n"
          "  --json             --bench prints one line of JSON: min_ms, median_ms, first_ms, load_ms\n"
          "                     first_ms: from the start of the process to the end of the first run\n"
          "                     load_ms: opening the weights and starting a session\n"
          "  --profile          --bench prints a table, too: time, FLOP, bytes and share of peak of every kernel\n"
          "  --weights FILE     the weights file; without it, the one beside this program\n"
          "  --verify           checks the weights file whole\n"
          "  --selftest DIR     runs DIR/input_<name>.npy, compares with DIR/output_<name>.npy\n"
          "  --tolerance X      largest error of --selftest, relative to the output's largest magnitude\n"
          "                     (1e-4; 2e-2 where elements have two bytes)\n", stdout);
    if (m->trace != NULL) puts("  --trace DIR        writes what each step makes to DIR/<number>_<node>.npy; of a batch .<image>.npy");
    fputs("  --help, --version\n\n"
          "exit status: 0 done, 1 something failed, 2 the command line is not understood\n", stdout);
    if (m->inputs > 0) puts("\ninputs:");
    for (int i = 0; i < m->inputs; i++) printf("  %s %s\n", m->input[i].name, m->input[i].type);
    if (m->outputs > 0) puts("outputs:");
    for (int i = 0; i < m->outputs; i++) printf("  %s %s\n", m->output[i].name, m->output[i].type);
}

static bool parse_count(const char *text, int64_t low, int64_t high, int64_t *value)
{
    char *end;
    errno = 0;
    const long long n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || n < low || n > high) return false;
    *value = n;
    return true;
}

/* The options that take a whole number. */
static bool parse_number(program *p, const char *name, const char *text, bool *known)
{
    program_options *o = &p->options;
    const struct { const char *name; int64_t low, high; } numbers[] = {
        {"--top", 1, 1 << 20}, {"--threads", 1, TEAM_MAX}, {"--bench", 1, 1 << 30}, {"--batch", 1, 1 << 20},
    };
    int64_t value = 0;
    *known = false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(name, numbers[i].name) != 0) continue;
        *known = true;
        if (!parse_count(text, numbers[i].low, numbers[i].high, &value))
            return program_wrong(p, "%s takes a number from %lld to %lld, not '%s'", name, (long long)numbers[i].low,
                                 (long long)numbers[i].high, text);
        if (i == 0) o->top = (int)value;
        if (i == 1) o->threads = (int)value;
        if (i == 2) o->bench = (int)value;
        if (i == 3) o->batch = value;
    }
    return true;
}

static bool parse_text(program *p, const char *name, const char *text)
{
    program_options *o = &p->options;
    if (strcmp(name, "--input") == 0) o->input[o->inputs++] = text;
    else if (strcmp(name, "--output-dir") == 0) o->output_dir = text;
    else if (strcmp(name, "--weights") == 0) o->weights = text;
    else if (strcmp(name, "--trace") == 0) o->trace = text;
    else if (strcmp(name, "--selftest") == 0) o->selftest = text;
    else if (strcmp(name, "--tolerance") == 0) {
        char *end;
        o->tolerance = strtod(text, &end);
        if (end == text || *end != 0 || !(o->tolerance >= 0)) return program_wrong(p, "--tolerance takes a number of at least 0, not '%s'", text);
    } else return false;
    return true;
}

static bool parse_flag(program_options *o, const char *name)
{
    const struct { const char *name; bool *flag; } flags[] = {
        {"--json", &o->json}, {"--profile", &o->profile}, {"--verify", &o->verify}, {"--quiet", &o->quiet}, {"-q", &o->quiet},
        {"--help", &o->help}, {"-h", &o->help},         {"--version", &o->version},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(name, flags[i].name) != 0) continue;
        *flags[i].flag = true;
        return true;
    }
    return false;
}

/* What does not go together. */
static bool check(program *p)
{
    const program_options *o = &p->options;
    const program_model *m = p->m;
    const int modes = (o->pictures > 0) + (o->inputs > 0 && o->bench == 0) + (o->bench > 0) + (o->selftest != NULL);
    if (o->help || o->version) return true;
    if (modes == 0 && !o->verify) return program_wrong(p, "nothing to do");
    if (modes > 1) return program_wrong(p, "pictures, --input, --bench and --selftest do not go together (but --bench with --input does)");
    if (o->json && o->bench == 0) return program_wrong(p, "--json goes with --bench");
    if (o->profile && (o->bench == 0 || o->json)) return program_wrong(p, "--profile goes with --bench, and not with --json");
    if (o->profile && m->profile == NULL) return program_wrong(p, "this program cannot clock its kernels");
    if (o->pictures > 0 && m->preprocess == NULL) return program_wrong(p, "this model takes no pictures; give it --input");
    if (o->inputs > 0 && o->bench == 0 && o->output_dir == NULL && o->trace == NULL) return program_wrong(p, "--input needs --output-dir");
    if (o->inputs > 0 && o->batch > 0) return program_wrong(p, "--batch does not go with --input: the files tell");
    if (m->batch > 0 && o->batch > 0 && o->batch != m->batch) return program_wrong(p, "this model's batch is %lld", (long long)m->batch);
    if (o->trace != NULL && m->trace == NULL) return program_wrong(p, "this program was built without tracing");
    return true;
}

bool program_parse(program *p, int argc, char **argv)
{
    program_options *o = &p->options;
    *o = (program_options){.top = 5, .tolerance = -1};
    o->input = calloc((size_t)argc + 1, sizeof *o->input);
    o->picture = calloc((size_t)argc + 1, sizeof *o->picture);
    if (o->input == NULL || o->picture == NULL) return program_wrong(p, "memory ran out");
    bool only_pictures = false;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (only_pictures || name[0] != '-' || name[1] == 0) {
            o->picture[o->pictures++] = name;
            continue;
        }
        if (strcmp(name, "--") == 0) {
            only_pictures = true;
            continue;
        }
        if (parse_flag(o, name)) continue;
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool known;
        p->message[0] = 0;
        if (!parse_number(p, name, value, &known)) return false;
        if (!known && !parse_text(p, name, value)) return p->message[0] != 0 ? false : program_wrong(p, "unknown option '%s'", name);
        if (i + 1 == argc) return program_wrong(p, "%s needs a value", name);
        i++;
    }
    return check(p);
}
