/* The program's frame: process, model and session, from start to exit status. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE   /* sched_getaffinity */
#endif
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "program_private.h"
#include "team.h"

static double clock_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double program_seconds(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}

bool program_wrong(program *p, const char *format, ...)
{
    char text[PROGRAM_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(p->message, text, sizeof text);
    return false;
}

/* "<folder of this program>/<m->weights>" */
static bool weights_path(program *p, const char *argv0, char path[PROGRAM_PATH])
{
    char self[PROGRAM_PATH];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) self[n] = 0;
    else snprintf(self, sizeof self, "%s", argv0);
    char *slash = strrchr(self, '/');
    if (slash != NULL) slash[1] = 0;
    else self[0] = 0;
    const int length = snprintf(path, PROGRAM_PATH, "%s%s", self, p->m->weights);
    return length < PROGRAM_PATH ? true : program_wrong(p, "the path of the weights file is too long; give it with --weights");
}

static bool open_model(program *p, const char *argv0)
{
    char path[PROGRAM_PATH];
    const char *weights = p->options.weights;
    if (weights == NULL && p->m->weights != NULL) {
        if (!weights_path(p, argv0, path)) return false;
        weights = path;
    }
    const double before = program_seconds();
    const char *wrong = p->m->open(&p->model, weights);
    p->load_ms = (program_seconds() - before) * 1e3;
    if (wrong != NULL) p->model = NULL;
    if (wrong == NULL) return true;
    return weights != NULL ? program_wrong(p, "%s: %s", weights, wrong) : program_wrong(p, "%s", wrong);
}

static int available_threads(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
    return count < 1 ? 1 : count > TEAM_MAX ? TEAM_MAX : (int)count;
}

bool program_start(program *p, int64_t max_batch)
{
    if (p->options.threads == 0) p->options.threads = available_threads();
    p->max_batch = max_batch;
    if (p->options.inputs == 0 && p->options.selftest == NULL) p->length = p->m->capacity;
    const double before = program_seconds();
    const char *wrong = p->m->start(&p->session, p->model, p->options.threads, max_batch);
    p->load_ms += (program_seconds() - before) * 1e3;
    if (wrong != NULL) {
        p->session = NULL;
        return program_wrong(p, "%s", wrong);
    }
    if (p->options.trace != NULL) {
        if (mkdir(p->options.trace, 0777) != 0 && errno != EEXIST) return program_wrong(p, "%s: %s", p->options.trace, strerror(errno));
        wrong = p->m->trace(p->session, p->options.trace);
        if (wrong != NULL) return program_wrong(p, "%s", wrong);
    }
    return program_allocate(p);
}

bool program_run(program *p, int64_t batch)
{
    const char *wrong = p->m->run(p->session, batch, p->length, (const void *const *)p->input, p->output);
    return wrong == NULL ? true : program_wrong(p, "%s", wrong);
}

static int verify(program *p)
{
    const char *wrong = p->m->verify(p->model);
    if (wrong == NULL) puts("weights: good");
    else program_wrong(p, "%s", wrong);
    return wrong == NULL ? PROGRAM_OK : PROGRAM_FAILED;
}

static int work(program *p, const char *argv0)
{
    const program_options *o = &p->options;
    if (!open_model(p, argv0)) return PROGRAM_FAILED;
    if (o->verify && verify(p) != PROGRAM_OK) return PROGRAM_FAILED;
    if (o->selftest != NULL) return program_selftest(p);
    if (o->bench > 0) return program_bench(p);
    if (o->inputs > 0) return program_files(p);
    return o->pictures > 0 ? program_pictures(p) : PROGRAM_OK;
}

static int parse_and_work(program *p, int argc, char **argv)
{
    if (!program_parse(p, argc, argv)) return PROGRAM_USAGE;
    if (p->options.help) {
        program_usage(p->m);
        return PROGRAM_OK;
    }
    if (p->options.version) {
        printf("%s %s\n", p->m->name, p->m->version);
        return PROGRAM_OK;
    }
    return work(p, argv[0]);
}

void program_unused(void)
{
    fputs("a part of a library was called that this program was linked without\n", stderr);
    abort();
}

int program_main(const program_model *m, int argc, char **argv)
{
    program p = {.m = m};
    /* CPU time spent so far is what loading this program took. */
    p.started = program_seconds() - clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    int status = parse_and_work(&p, argc, argv);
    if (status != PROGRAM_OK && p.message[0] != 0) fprintf(stderr, "%s: %s\n", m->name, p.message);
    if (status == PROGRAM_USAGE) fprintf(stderr, "see %s --help\n", m->name);
    if (p.session != NULL) m->stop(p.session);
    if (p.model != NULL) m->close(p.model);
    program_free(&p);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == PROGRAM_OK) {
        fprintf(stderr, "%s: standard output cannot be written\n", m->name);
        status = PROGRAM_FAILED;
    }
    return status;
}
