/* See tune.h. Candidates are compiled and built in a folder beside and timed in turn, round by round, so that noise hits all alike. The fastest is
 * then timed against what is there once more, on figures of their own: the best of several looks better than it is. */
#define _GNU_SOURCE
#include "tune.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "process.h"
#include "record.h"

enum { ROUNDS = 7, RUNS_MAX = 10000, LINES = 12 };

static const double round_ms = 300;      /* about so long a candidate runs in a round */
static const double least_gain = 0.01;   /* less is not worth other code */

/* Rows a panel and a tile, images run together; 0: the planner's. Few, since each is built: around the planner's choice, small tiles for models of few
 * tokens, and of images only what a batch has. */
typedef struct rows { int panel, tile, images; } rows;

static const rows choice[] = {
    { 0, 0, 0 }, { 0, 12, 0 }, { 0, 25, 0 }, { 0, 50, 0 }, { 0, 66, 0 }, { 66, 0, 0 }, { 100, 0, 0 }, { 400, 0, 0 }, { 0, 0, 1 }, { 0, 0, 2 }, { 0, 0, 4 },
};

enum { CHOICES = sizeof choice / sizeof *choice };

typedef struct candidate {
    driver_options made;
    const char *folder, *build;
    digest code;
    double ms[ROUNDS], median_ms, ratio, spread;   /* ratio to what is there, median of the rounds; spread: of the middle rounds' ratios */
} candidate;

typedef struct tuner {
    const tune_options *options;
    arena *arena;
    diag *diag;
    digest model;
    char *temporary;
    candidate candidate[CHOICES + 1];   /* the first: what is there */
    int candidates, runs;
} tuner;

static const char *options_text(tuner *t, const candidate *c)
{
    const char *panel = c->made.panel_rows ? arena_printf(t->arena, " --panel-rows %d", c->made.panel_rows) : "";
    const char *tile = c->made.tile_rows ? arena_printf(t->arena, " --tile-rows %d", c->made.tile_rows) : "";
    const char *images = c->made.panel_images ? arena_printf(t->arena, " --panel-images %d", c->made.panel_images) : "";
    const char *all = arena_printf(t->arena, "%s%s%s", panel, tile, images);
    return *all ? all + 1 : "no option";
}

static void progress(tuner *t, const char *what, const candidate *c)
{
    if (!t->options->quiet) fprintf(stderr, "vitcc: %s %s\n", what, options_text(t, c));
}

/* ---- candidates: compiled, told apart, built ---- */

static status digest_file(tuner *t, const char *path, digest *sum)
{
    static char block[1 << 16];
    FILE *f = fopen(path, "rb");
    if (!f) return diag_error(t->diag, STATUS_READ, NULL, "%s: %s", path, strerror(errno));
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) *sum = digest_bytes(*sum, block, n);
    const bool bad = ferror(f);
    fclose(f);
    return bad ? diag_error(t->diag, STATUS_READ, NULL, "%s", path) : STATUS_OK;
}

/* Weights do not depend on rows: all candidates have the same file, once on disk and in memory. */
static status share_weights(tuner *t, const candidate *c)
{
    digest sum[2] = { { 0, 0 }, { 0, 0 } };
    const char *path[2];
    for (int i = 0; i < 2; i++) {
        const candidate *of = i ? c : t->candidate;
        path[i] = arena_printf(t->arena, "%s/%s.weights", of->folder, of->made.name);
        const status s = digest_file(t, path[i], &sum[i]);
        if (s != STATUS_OK) return s;
    }
    if (!digest_equal(sum[0], sum[1]) || unlink(path[1])) return STATUS_OK;
    return link(path[0], path[1]) ? diag_error(t->diag, STATUS_WRITE, NULL, "%s: %s", path[1], strerror(errno)) : STATUS_OK;
}

/* Compiles a candidate; one whose code another has already is dropped. */
static status compile(tuner *t, rows r, const driver_options *made)
{
    candidate *c = &t->candidate[t->candidates];
    *c = (candidate){ .made = *made, .folder = arena_printf(t->arena, "%s/%d", t->temporary, t->candidates) };
    c->build = arena_printf(t->arena, "%s.build", c->folder);
    c->made.panel_rows = r.panel;
    c->made.tile_rows = r.tile;
    c->made.panel_images = r.images;
    c->made.out = c->folder;
    status s = driver_compile(&c->made);
    static const char *const parts[] = { ".c", "_kernels.c", "_kernels.h" };
    for (int i = 0; s == STATUS_OK && i < 3; i++)
        s = digest_file(t, arena_printf(t->arena, "%s/%s%s", c->folder, c->made.name, parts[i]), &c->code);
    if (s != STATUS_OK) return s;
    for (int i = 0; i < t->candidates; i++) {
        if (!digest_equal(t->candidate[i].code, c->code)) continue;
        output_remove(c->folder);
        return STATUS_OK;
    }
    t->candidates++;
    return t->candidates > 1 ? share_weights(t, c) : STATUS_OK;
}

/* The last lines that a command printed, as notes. */
static void note_lines(tuner *t, const process_result *r)
{
    const char *from = r->text + strlen(r->text);
    for (int lines = 0; from > r->text && (from[-1] != '\n' || !*from || ++lines < LINES); from--) continue;
    for (const char *end; *from; from = *end ? end + 1 : end) {
        end = strchrnul(from, '\n');
        if (end > from) diag_note(t->diag, NULL, "%.*s", (int)(end - from), from);
    }
}

/* Runs a command; what goes wrong is an error of this code. */
static status run(tuner *t, const char *const *argv, status code, process_result *r)
{
    process_run(argv, r);
    if (r->status == 0 || process_stopped()) return r->status == 0 ? STATUS_OK : code;
    if (r->status < 0) return diag_error(t->diag, code, NULL, "%s: %s", argv[0], strerror(errno));
    const bool killed = r->status > 128;
    diag_error(t->diag, code, NULL, "%s ends with %s %d", argv[0], killed ? "signal" : "status", killed ? r->status - 128 : r->status);
    note_lines(t, r);
    return code;
}

static status build(tuner *t, const candidate *c)
{
    process_result r;
    const char *cores = arena_printf(t->arena, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    progress(t, "building with", c);
    const status s = run(t, (const char *[]){ "cmake", "-S", c->folder, "-B", c->build, NULL }, STATUS_BUILD, &r);
    if (s != STATUS_OK) return s;
    return run(t, (const char *[]){ "cmake", "--build", c->build, "--target", c->made.name, "--parallel", cores, NULL }, STATUS_BUILD, &r);
}

/* ---- timing ---- */

static status bench(tuner *t, const candidate *c, int runs, double *ms)
{
    const tune_options *o = t->options;
    const char *argv[10] = { arena_printf(t->arena, "%s/%s", c->build, c->made.name), "--bench", arena_printf(t->arena, "%d", runs), "--json" };
    int n = 4;
    if (o->threads) argv[n++] = "--threads", argv[n++] = arena_printf(t->arena, "%d", o->threads);
    if (o->batch) argv[n++] = "--batch", argv[n++] = arena_printf(t->arena, "%d", o->batch);
    process_result r;
    const status s = run(t, argv, STATUS_PROGRAM, &r);
    if (s != STATUS_OK) return s;
    json_t *j = json_loads(r.text, 0, NULL);
    *ms = json_number_value(json_object_get(j, "median_ms"));
    json_decref(j);
    return *ms > 0 ? STATUS_OK : diag_error(t->diag, STATUS_PROGRAM, NULL, "%s: it does not print median_ms", argv[0]);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of the rounds' ratios, and how far the middle of them lie apart: all but a slow and a fast one. */
static void compute(candidate *c, const candidate *base)
{
    double ms[ROUNDS], ratio[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) ms[i] = c->ms[i], ratio[i] = c->ms[i] / base->ms[i];
    qsort(ms, ROUNDS, sizeof *ms, compare);
    qsort(ratio, ROUNDS, sizeof *ratio, compare);
    c->median_ms = ms[ROUNDS / 2];
    c->ratio = ratio[ROUNDS / 2];
    c->spread = ratio[ROUNDS - 2] - ratio[1];
}

/* Times these candidates, the first of which is what is there: every second round in the other order. */
static status measure(tuner *t, candidate **list, int count)
{
    status s = STATUS_OK;
    for (int i = 0; i < ROUNDS && s == STATUS_OK; i++)
        for (int j = 0; j < count && s == STATUS_OK; j++) {
            candidate *c = list[i % 2 ? count - 1 - j : j];
            s = bench(t, c, t->runs, &c->ms[i]);
        }
    for (int j = 0; j < count && s == STATUS_OK; j++) compute(list[j], list[0]);
    return s;
}

static void print_row(tuner *t, const candidate *c)
{
    if (t->options->quiet) return;
    printf("  %-32s %10.4f  %6.3f  %6.3f%s\n", options_text(t, c), c->median_ms, c->ratio, c->spread, c == t->candidate ? "   as it is" : "");
}

/* Writes the folder anew if the winner holds what it promised. */
static status decide(tuner *t, candidate *best)
{
    const char *folder = t->options->folder;
    status s = STATUS_OK;
    if (best != t->candidate) {
        if ((s = measure(t, (candidate *[]){ t->candidate, best }, 2)) != STATUS_OK) return s;
        if (!t->options->quiet) printf("  once more:\n");
        print_row(t, t->candidate);
        print_row(t, best);
    }
    const double gain = 1 - best->ratio;
    if (gain <= least_gain || gain <= best->spread) {
        if (!t->options->quiet) printf("%s: left as it is: nothing is faster by more than the rounds differ, and one per cent\n", folder);
        return STATUS_OK;
    }
    driver_options made = best->made;
    made.out = folder;
    s = process_stopped() ? STATUS_PROGRAM : driver_compile(&made);
    if (s != STATUS_OK || t->options->quiet) return s;
    printf("%s: written with %s, %.1f %% faster\n", folder, options_text(t, best), 100 * (1 / best->ratio - 1));
    return STATUS_OK;
}

static status choose(tuner *t)
{
    candidate *list[CHOICES + 1], *best = t->candidate;
    double once;
    status s = STATUS_OK;
    if (t->candidates == 1) {
        if (!t->options->quiet) printf("%s: left as it is: other rows give the same code\n", t->options->folder);
        return STATUS_OK;
    }
    for (int i = 0; i < t->candidates && s == STATUS_OK; i++) s = build(t, list[i] = &t->candidate[i]);
    if (s == STATUS_OK) s = bench(t, best, 3, &once);
    if (s != STATUS_OK) return s;
    t->runs = once * RUNS_MAX < round_ms ? RUNS_MAX : once > round_ms ? 1 : (int)(round_ms / once);
    if ((s = measure(t, list, t->candidates)) != STATUS_OK) return s;
    if (!t->options->quiet) printf("  %-32s %10s  %6s  %6s\n", "", "median ms", "ratio", "spread");
    for (int i = 0; i < t->candidates; i++) {
        print_row(t, list[i]);
        if (list[i]->ratio < best->ratio) best = list[i];
    }
    return decide(t, best);
}

static status work(tuner *t)
{
    driver_options made = { .quiet = true, .digest = &t->model };
    status s = record_read(t->arena, t->options->folder, &made, &t->model, t->diag);
    if (s != STATUS_OK) return s;
    if (access(made.model, R_OK)) return diag_error(t->diag, STATUS_MODEL, NULL, "%s: %s", made.model, strerror(errno));
    made.name = codegen_identifier(t->arena, made.name);
    size_t length = strlen(t->options->folder);
    while (length > 1 && t->options->folder[length - 1] == '/') length--;
    char *temporary = arena_printf(t->arena, "%.*s.tune-XXXXXX", (int)length, t->options->folder);
    if (!mkdtemp(temporary)) return diag_error(t->diag, STATUS_WRITE, NULL, "%s: %s", temporary, strerror(errno));
    t->temporary = temporary;
    s = compile(t, (rows){ made.panel_rows, made.tile_rows, made.panel_images }, &made);
    for (int i = 0; i < CHOICES && s == STATUS_OK && !process_stopped(); i++)
        if (!choice[i].images || (t->options->batch > 1 && choice[i].images <= t->options->batch)) s = compile(t, choice[i], &made);
    if (s != STATUS_OK || process_stopped()) return s;
    return choose(t);
}

status tune(const tune_options *o)
{
    static tuner t;
    jmp_buf exhausted;
    volatile status s = STATUS_MEMORY;
    t = (tuner){ .options = o };
    process_begin();
    if (!setjmp(exhausted)) {
        arena_on_exhaustion(&exhausted);
        t.arena = arena_new();
        t.diag = diag_new(t.arena, o->folder);
        s = work(&t);
        diag_print(t.diag, stderr);
    } else {
        fprintf(stderr, "%s: error E%d: %s; %s\n", o->folder, STATUS_MEMORY, status_sentence(STATUS_MEMORY), status_remedy(STATUS_MEMORY));
    }
    arena_on_exhaustion(NULL);
    if (t.temporary) output_remove(t.temporary);
    arena_free(t.arena);
    process_end();
    return s;
}
