/* The pipeline, in order. */
#define _GNU_SOURCE
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "bind.h"
#include "config.h"
#include "frontend/frontend.h"
#include "output.h"
#include "passes/lower.h"
#include "passes/passes.h"
#include "pixels.h"
#include "plan/plan.h"
#include "record.h"
#include "summary.h"
#include "validate.h"

typedef struct driver {
    const driver_options *options;
    arena *arena;
    diag *diag;
    frontend_model model;
    ir_graph *graph;
    codegen_options code;
    pass_report report;
    double started;
    bool program;   /* the graph becomes one: the pass of lengths must run */
} driver;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A line on stderr once the work has taken over a second. */
static void progress(const driver *d, const char *what)
{
    if (!d->options->quiet && now() - d->started > 1) fprintf(stderr, "vitcc: %s (%.1f s)\n", what, now() - d->started);
}

static bool left_out(const driver *d, const char *pass)
{
    const driver_options *o = d->options;
    if (d->program && !strcmp(pass, "lengths")) return false;
    for (int i = 0; i < o->no_passes; i++)
        if (!strcmp(o->no_pass[i], pass) || !strcmp(o->no_pass[i], "all")) return true;
    return false;
}

static void dump(const driver *d, const char *stage)
{
    const char *wanted = d->options->dump_after;
    if (!wanted || (strcmp(wanted, stage) && strcmp(wanted, "all"))) return;
    strbuf text = strbuf_in(d->arena);
    ir_print(d->graph, &text);
    printf("# after %s\n%s", stage, text.text);
}

static status configure(driver *d)
{
    return config_read(d->arena, d->options->config, d->options->model, &d->code, d->diag);
}

static status take_pixels(driver *d)
{
    const status s = configure(d);
    return s == STATUS_OK ? pixels_take(d->graph, d->options->input_type, &d->code.preprocess, d->diag) : s;
}

static status load(driver *d)
{
    frontend_binding *binding;
    const int bindings = d->options->binds;
    status s = bind_read(d->arena, bindings, d->options->bind, &binding, d->diag);
    if (s != STATUS_OK) return s;
    const frontend_options o = { .shape = d->options->shape, .shapes = d->options->shapes, .binding = binding, .bindings = bindings };
    s = frontend_load(d->arena, d->options->model, &o, &d->model, d->diag);
    if (s != STATUS_OK) return s;
    d->model.digest = bind_digest(d->model.digest, bindings, binding);
    const digest *wanted = d->options->digest;
    if (wanted && !digest_equal(*wanted, d->model.digest)) return diag_error(d->diag, STATUS_MODEL, NULL, "its content has changed");
    d->graph = d->model.graph;
    if (d->options->input_type) s = take_pixels(d);
    if (s != STATUS_OK) return s;
    if (!ir_verify(d->graph, d->diag)) return STATUS_VERIFY;
    dump(d, "load");
    return STATUS_OK;
}

static status run_passes(driver *d)
{
    pass_context c = { .arena = d->arena, .diag = d->diag, .report = &d->report };
    validation *v = d->options->validate ? validate_begin(d->graph, d->diag) : NULL;
    status s = STATUS_OK;
    if (d->options->validate && !v) return diag_errors(d->diag) ? diag_first(d->diag) : diag_error(d->diag, STATUS_MEMORY, NULL, "validating");
    for (int i = 0; i < passes_count && s == STATUS_OK; i++) {
        if (left_out(d, passes[i].name)) continue;
        progress(d, passes[i].name);
        if (!passes[i].run(d->graph, &c))
            s = diag_errors(d->diag) ? diag_first(d->diag) : diag_error(d->diag, STATUS_VERIFY, NULL, "pass %s", passes[i].name);
        else if (!ir_verify(d->graph, d->diag)) {
            diag_note(d->diag, NULL, "found after pass %s", passes[i].name);
            s = STATUS_VERIFY;
        } else {
            dump(d, passes[i].name);
            if (v) s = validate_after(v, d->graph, passes[i].name, d->diag);
        }
    }
    validate_end(v);
    return s;
}

/* Everything before the plan, for a program: the passes, between what is needed for correctness. */
static status prepare(driver *d)
{
    pass_context c = { .arena = d->arena, .diag = d->diag, .report = &d->report };
    d->program = true;
    status s = load(d);
    if (s == STATUS_OK && !widen_halves(d->graph, d->diag)) s = STATUS_TYPE;
    if (s == STATUS_OK) s = run_passes(d);
    if (s == STATUS_OK && !lower_types(d->graph, &c)) s = STATUS_CODEGEN;
    if (s == STATUS_OK && !lower_few_rows(d->graph, &c, PLAN_FEW_ROWS, PLAN_MANY_WEIGHTS)) s = STATUS_CODEGEN;
    if (s == STATUS_OK && !ir_verify(d->graph, d->diag)) s = STATUS_VERIFY;
    if (s != STATUS_OK && !diag_errors(d->diag)) diag_error(d->diag, s, NULL, "element types");
    return s == STATUS_OK ? s : diag_first(d->diag);
}

static const char *model_name(const driver *d)
{
    if (d->options->name) return codegen_identifier(d->arena, d->options->name);
    const char *slash = strrchr(d->options->model, '/'), *base = slash ? slash + 1 : d->options->model;
    const char *dot = strrchr(base, '.');
    return codegen_identifier(d->arena, arena_strndup(d->arena, base, dot ? (size_t)(dot - base) : strlen(base)));
}

/* The stored test of the generated program, where running the model in the evaluator takes no time worth mentioning. */
static status write_selftest(driver *d, const plan *p, const char *folder)
{
    const double flop_max = 1e9;
    if (p->flop > flop_max) return STATUS_OK;
    const char *path = arena_printf(d->arena, "%s/selftest", folder);
    if (mkdir(path, 0777)) return diag_error(d->diag, STATUS_WRITE, NULL, "%s", path);
    const status s = validate_selftest(d->graph, path, d->diag);
    rmdir(path);   /* if it is empty */
    return s;
}

static status write_code(driver *d, plan *p)
{
    status s = d->options->input_type ? STATUS_OK : configure(d);
    if (s != STATUS_OK) return s;
    codegen_options o = d->code;
    o.name = model_name(d);
    o.kernels = d->options->kernels;
    o.embed_weights = d->options->embed_weights;
    o.model = d->model.digest;
    codegen_result result = { 0 };
    output folder;
    if ((s = output_begin(&folder, d->arena, d->options->out, d->diag)) != STATUS_OK) return s;
    o.folder = folder.temporary;
    s = codegen_write(p, &o, &result, d->diag);
    if (s == STATUS_OK) s = write_selftest(d, p, folder.temporary);
    if (s == STATUS_OK) {
        const char *record = record_text(d->arena, d->options, o.name, d->model.digest, output_list(&folder));
        s = output_commit(&folder, record, record_files(d->arena, folder.folder), d->diag);
    } else {
        output_abandon(&folder);
    }
    if (s == STATUS_OK && !d->options->quiet) summary_print(d->options, &d->model, &d->report, p, &result, o.name, now() - d->started);
    return s;
}

static status compile(driver *d)
{
    const status s = prepare(d);
    if (s != STATUS_OK) return s;
    progress(d, "plan");
    const plan_options o = { .panel_rows = d->options->panel_rows, .tile_rows = d->options->tile_rows,
                             .panel_images = d->options->panel_images };
    plan *p = plan_make(d->arena, d->graph, &o, d->diag);
    if (!p) return diag_first(d->diag);
    progress(d, "code and weights");
    return write_code(d, p);
}

static status inspect(driver *d)
{
    status s = load(d);
    if (s != STATUS_OK && !d->model.nodes) return s;
    summary_inspect(d->options, &d->model);
    if (s == STATUS_OK && !widen_halves(d->graph, d->diag)) s = diag_first(d->diag);
    if (s == STATUS_OK) s = run_passes(d);
    if (s == STATUS_OK) summary_fusion(&d->report);
    return s;
}

static status check(driver *d)
{
    status s = prepare(d);
    if (s == STATUS_OK && !plan_make(d->arena, d->graph, &(plan_options){ 0 }, d->diag)) s = diag_first(d->diag);
    if (s == STATUS_OK) printf("%s: every operator is supported\n", d->options->model);
    return s;
}

static status memory_ran_out(const driver_options *o)
{
    fprintf(stderr, "%s: error E%d: %s; %s\n", o->model, STATUS_MEMORY, status_sentence(STATUS_MEMORY), status_remedy(STATUS_MEMORY));
    return STATUS_MEMORY;
}

/* Runs one command with an arena of its own; memory that runs out ends it as any other error does. */
static status with_driver(const driver_options *o, status (*command)(driver *))
{
    jmp_buf exhausted, *volatile before = NULL;
    arena *volatile a = arena_new();
    if (!a) return memory_ran_out(o);
    driver *volatile d = NULL;
    volatile status s;
    if (setjmp(exhausted)) {
        s = memory_ran_out(o);
    } else {
        before = arena_on_exhaustion(&exhausted);
        d = arena_alloc(a, sizeof *d);
        d->options = o;
        d->arena = a;
        d->diag = diag_new(a, o->model);
        d->started = now();
        s = command(d);
        diag_print(d->diag, stderr);
    }
    arena_on_exhaustion(before);
    if (d) frontend_close(&d->model);
    arena_free(a);
    return s;
}

status driver_compile(const driver_options *o)
{
    return with_driver(o, compile);
}

status driver_inspect(const driver_options *o)
{
    return with_driver(o, inspect);
}

status driver_check(const driver_options *o)
{
    return with_driver(o, check);
}

/* ---- evaluate ---- */

static int evaluate_inputs;
static const char *const *evaluate_input;
static bool evaluate_typed;

static status evaluate(driver *d)
{
    status s = load(d);
    if (s == STATUS_OK) s = run_passes(d);
    return s == STATUS_OK ? validate_evaluate(d->graph, evaluate_inputs, evaluate_input, d->options->out, evaluate_typed, d->diag) : s;
}

status driver_evaluate(const driver_options *o, int inputs, const char *const *input, bool typed)
{
    evaluate_inputs = inputs;
    evaluate_input = input;
    evaluate_typed = typed;
    return with_driver(o, evaluate);
}
