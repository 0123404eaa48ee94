/* The public functions of a generated library, the same for every model. <name>.c includes this last, having defined
 * MODEL(x), STATUS(x), API; FRAME_BYTES, SCRATCH_BYTES, SECTIONS, GEMMS, FIXED_BATCH (0: any), TOGETHER; model_digest, packing_digest; struct MODEL(model) and
 * struct MODEL(session); run_images, fill, kernels_of, inputs_of, outputs_of; TRACE_IMAGE; for kernels made ahead of time, AOT_TABLE; for weights in
 * the binary, EMBEDDED; with tracing, TRACE_OF; RUN_MORE, a comma and what else run_images takes;
 * where something is done once a run, SHARED_BYTES and run_prelude. */

#if !defined(RUN_MORE)
#define RUN_MORE
#endif
#if defined(SHARED_BYTES)
#define PRELUDE
#else
#define SHARED_BYTES 0
#endif

typedef enum weights_status weights_result;

static MODEL(status) status_of(weights_result r)
{
    switch (r) {
    case WEIGHTS_OK: return STATUS(OK);
    case WEIGHTS_NOT_FOUND: return STATUS(NOT_FOUND);
    case WEIGHTS_NOT_WEIGHTS: return STATUS(NOT_WEIGHTS);
    case WEIGHTS_WRONG_VERSION: return STATUS(VERSION);
    case WEIGHTS_TRUNCATED: return STATUS(TRUNCATED);
    case WEIGHTS_WRONG_MODEL: return STATUS(WRONG_MODEL);
    case WEIGHTS_MISALIGNED: return STATUS(MISALIGNED);
    default: return STATUS(CORRUPT);
    }
}

/* A model whose weights are open gets its kernels. */
static void prepare(MODEL(model) *m)
{
    fill(m);
    m->kernels = kernels_of(cpu_level());
#if defined(VITCC_RUNTIME_JIT_H)
    m->generated = jit_dispatch(gemm_shapes[cpu_level() == CPU_AVX512], GEMMS, m->code);
#elif defined(AOT_TABLE)
    m->generated = aot_kernels(AOT_TABLE, GEMMS, cpu_level(), m->code);
    (void)gemm_shapes;
#else
    (void)gemm_shapes;
#endif
}

#if defined(EMBEDDED)
extern const unsigned char *const EMBEDDED[2];   /* start and end, in the binary */
#endif

API MODEL(status) MODEL(open)(MODEL(model) **model, const char *weights_path)
{
    char message[256];
    if (!model) return STATUS(ARGUMENT);
    *model = NULL;
    MODEL(model) *m = calloc(1, sizeof *m);
    if (!m) return STATUS(MEMORY);
    weights_result r = WEIGHTS_NOT_FOUND;
    if (weights_path) r = weights_open(&m->file, weights_path, model_digest, packing_digest, SECTIONS, message, sizeof message);
#if defined(EMBEDDED)
    else
        r = weights_open_memory(&m->file, EMBEDDED[0], (size_t)(EMBEDDED[1] - EMBEDDED[0]), model_digest, packing_digest, SECTIONS, message,
                                sizeof message);
#endif
    if (r != WEIGHTS_OK) {
        free(m);
        return status_of(r);
    }
    prepare(m);
    *model = m;
    return STATUS(OK);
}

API MODEL(status) MODEL(open_memory)(MODEL(model) **model, const void *weights, size_t bytes)
{
    char message[256];
    if (!model || !weights) return STATUS(ARGUMENT);
    *model = NULL;
    MODEL(model) *m = calloc(1, sizeof *m);
    if (!m) return STATUS(MEMORY);
    const weights_result r = weights_open_memory(&m->file, weights, bytes, model_digest, packing_digest, SECTIONS, message, sizeof message);
    if (r != WEIGHTS_OK) {
        free(m);
        return status_of(r);
    }
    prepare(m);
    *model = m;
    return STATUS(OK);
}

API MODEL(status) MODEL(verify)(const MODEL(model) *model)
{
    char message[256];
    return model ? status_of(weights_verify(&model->file, message, sizeof message)) : STATUS(ARGUMENT);
}

API void MODEL(close)(MODEL(model) *model)
{
    if (!model) return;
    weights_close(&model->file);
    free(model);
}

API int MODEL(generated_kernels)(const MODEL(model) *model)
{
    return model ? model->generated : 0;
}

static int threads_of(const MODEL(options) *o)
{
    return o && o->threads > 0 ? o->threads : 1;
}

static int64_t max_batch_of(const MODEL(options) *o)
{
    return !FIXED_BATCH && o && o->max_batch > 1 ? o->max_batch : 1;
}

/* Images that one thread runs at a time, at most. */
static int64_t group_of(const MODEL(options) *o)
{
#if defined(TRACE_OF)
    (void)o;
    return 1;
#else
    const int64_t each = max_batch_of(o) / threads_of(o);
    return each < 1 ? 1 : each < TOGETHER ? each : TOGETHER;
#endif
}

/* Frames: one an image in flight. */
static size_t frames_of(const MODEL(options) *o)
{
    const int64_t batch = max_batch_of(o);
    return (size_t)(batch < threads_of(o) ? batch : threads_of(o) * group_of(o));
}

API size_t MODEL(memory)(const MODEL(options) *options)
{
    return SHARED_BYTES + frames_of(options) * FRAME_BYTES + (size_t)(threads_of(options) * group_of(options)) * SCRATCH_BYTES + 64;
}

/* Memory of so many bytes for free(), NULL if there is none; several megabytes in large pages where the system has them. */
static void *session_memory(size_t bytes)
{
    const size_t large_page = 2 << 20, align = bytes < 2 * large_page ? 4096 : large_page;
    void *memory;
    if (posix_memalign(&memory, align, bytes)) return NULL;
#if defined(MADV_HUGEPAGE)
    if (align == large_page) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

API MODEL(status) MODEL(start)(MODEL(session) **session, const MODEL(model) *model, const MODEL(options) *options)
{
    if (!session) return STATUS(ARGUMENT);
    *session = NULL;
    if (!model || (options && (options->threads < 0 || options->threads > TEAM_MAX || options->max_batch < 0)) ||
        (options && (uintptr_t)options->memory % 64))
        return STATUS(ARGUMENT);
    if (FIXED_BATCH > 0 && options && options->max_batch > FIXED_BATCH) return STATUS(BATCH);
    MODEL(session) *s = NULL;
    if (posix_memalign((void **)&s, 64, sizeof *s)) return STATUS(MEMORY);
    memset(s, 0, sizeof *s);
    s->model = model;
    s->group = group_of(options);
    s->max_batch = FIXED_BATCH ? FIXED_BATCH : max_batch_of(options);
    s->frame = options ? options->memory : NULL;
    if (!s->frame) s->frame = s->owned = session_memory(MODEL(memory)(options));
    if (!s->frame) {
        free(s);
        return STATUS(MEMORY);
    }
    memset(s->frame, 0, MODEL(memory)(options));   /* no page fault while running */
    s->scratch = s->frame + frames_of(options) * FRAME_BYTES;
#if defined(PRELUDE)
    s->shared = s->scratch + (size_t)(threads_of(options) * group_of(options)) * SCRATCH_BYTES;
#endif
    if (!team_start(&s->team, threads_of(options))) {
        free(s->owned);
        free(s);
        return STATUS(THREADS);
    }
    *session = s;
    return STATUS(OK);
}

API void MODEL(stop)(MODEL(session) *session)
{
    if (!session) return;
    team_stop(&session->team);
    free(session->owned);
    free(session);
}

/* What is done once; then whole images while there is one for every thread, a group of them at a time, then the rest one by one, panels shared out. */
static void work(void *context, worker *w)
{
    MODEL(session) *s = context;
    const size_t first = (size_t)w->id * (size_t)s->group;
    unsigned char *const scratch = s->scratch + first * SCRATCH_BYTES;
#if defined(PRELUDE)
    TRACE_IMAGE(w, -1);
    run_prelude(w, s->model, s->shared, scratch, &s->in, &s->out);
#endif
    if (s->alone) {
        worker alone;
        team_alone(&alone, w);
        for (int64_t g; (g = atomic_fetch_add(&s->next, 1)) < s->groups;) {
            const int64_t i = s->alone * g / s->groups, images = s->alone * (g + 1) / s->groups - i;
            TRACE_IMAGE(w, s->batch > 1 ? i : -1);
            const MODEL(inputs) in = inputs_of(&s->in, i);
            const MODEL(outputs) out = outputs_of(&s->out, &s->in, i);
            run_images(&alone, s->model, s->frame + first * FRAME_BYTES, scratch, images, &in, &out RUN_MORE);
        }
        team_barrier(w);
    }
    for (int64_t i = s->alone; i < s->batch; i++) {
        TRACE_IMAGE(w, s->batch > 1 ? i : -1);
        const MODEL(inputs) in = inputs_of(&s->in, i);
        const MODEL(outputs) out = outputs_of(&s->out, &s->in, i);
        run_images(w, s->model, s->frame, scratch, 1, &in, &out RUN_MORE);
    }
}

API MODEL(status) MODEL(run)(MODEL(session) *session, int64_t batch, const MODEL(inputs) *inputs, const MODEL(outputs) *outputs)
{
    if (!session || !inputs || !outputs || !inputs_complete(inputs)) return STATUS(ARGUMENT);
    if (batch < 1 || batch > session->max_batch || (FIXED_BATCH > 0 && batch != FIXED_BATCH)) return STATUS(BATCH);
    if (FIXED_BATCH) batch = 1;   /* the plan is for all of it */
    int idle = 0;
    if (!atomic_compare_exchange_strong(&session->busy, &idle, 1)) return STATUS(BUSY);
    session->in = *inputs;
    session->out = *outputs;
    session->batch = batch;
    session->alone = batch / session->team.threads * session->team.threads;
    if (session->team.threads == 1) session->alone = batch;
    if (batch < session->team.threads) session->alone = 0;
    const int64_t round = session->group * session->team.threads;
    session->groups = (session->alone + round - 1) / round * session->team.threads;   /* as many for every thread */
    atomic_store(&session->next, 0);
    team_run(&session->team, work, session);
#if defined(TRACE_OF)
    const int failed = atomic_exchange(&session->trace.failed, 0);
    atomic_store(&session->busy, 0);
    return failed ? STATUS(NOT_WRITTEN) : STATUS(OK);
#else
    atomic_store(&session->busy, 0);
    return STATUS(OK);
#endif
}

#if defined(TRACE_OF)
API MODEL(status) MODEL(trace)(MODEL(session) *session, const char *folder)
{
    if (!session) return STATUS(ARGUMENT);
    session->trace.folder = folder;
    return STATUS(OK);
}
#endif

API const char *MODEL(status_text)(MODEL(status) status)
{
    static const char *const text[] = {
        [STATUS(OK)] = "fine",
        [STATUS(ARGUMENT)] = "an argument is NULL or out of range",
        [STATUS(MEMORY)] = "memory ran out",
        [STATUS(NOT_FOUND)] = "the weights file cannot be read",
        [STATUS(NOT_WEIGHTS)] = "not a weights file",
        [STATUS(VERSION)] = "a weights file of another format version; compile the model again",
        [STATUS(TRUNCATED)] = "the weights file is shorter than it says; copy it again",
        [STATUS(WRONG_MODEL)] = "weights of another model, or packed for other code; keep code and weights together",
        [STATUS(CORRUPT)] = "the weights are damaged; copy the file again",
        [STATUS(MISALIGNED)] = "weights in memory must be aligned to 64 bytes",
        [STATUS(BATCH)] = "this batch is not possible: larger than the session's, or not the model's one",
        [STATUS(BUSY)] = "the session is running another call",
        [STATUS(THREADS)] = "a thread could not be started",
#if defined(TRACE_OF)
        [STATUS(NOT_WRITTEN)] = "a trace could not be written",
#endif
    };
    return (unsigned)status < sizeof text / sizeof *text && text[status] ? text[status] : "not a status";
}
