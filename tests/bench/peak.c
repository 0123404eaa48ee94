/* The FMA peak of this CPU: what threads reach that do nothing but multiply and add in registers, in the widest vectors the CPU has.
 *   peak [THREADS [SLOTS]]   one line of JSON: {"isa": "avx2", "threads": 1, "gflops": 117.1}
 * Each thread is bound to one of the CPUs that the process may use. All work through slots of about five milliseconds; the fastest slot counts. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { THREADS_MAX = 256, CHAINS = 12, SLOTS = 20 };   /* chains: more than latency times units (4 x 2), and they fit sixteen registers */

typedef struct kernel {
    const char *isa;
    int lanes;
    float (*run)(long iterations);   /* CHAINS multiply-adds of `lanes` elements an iteration */
} kernel;

/* The compiler must not know it: it would leave out a chain whose values it can foretell. */
static volatile float one_half = 0.5f;

/* Every chain nears 1: x = 0.5 x + 0.5 stays a normal number. The sum is returned so that nothing is left out. */
#define CHAINS_OF(name, attribute, vector, splat, step, lanes)                              \
    attribute static float name(long iterations)                                            \
    {                                                                                       \
        const float hidden = one_half;                                                      \
        const vector half = splat(hidden);                                                  \
        vector x[CHAINS];                                                                   \
        for (int c = 0; c < CHAINS; c++) x[c] = splat((float)c * hidden);                   \
        for (long i = 0; i < iterations; i++) {                                             \
            _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) x[c] = step(x[c], half, half); \
        }                                                                                   \
        float all[CHAINS * (lanes)], sum = 0;                                               \
        __builtin_memcpy(all, x, sizeof all);                                               \
        for (int i = 0; i < CHAINS * (lanes); i++) sum += all[i];                           \
        return sum;                                                                         \
    }

#if defined(__x86_64__)
#define SSE_STEP(x, a, b) _mm_add_ps(_mm_mul_ps(x, a), b)
CHAINS_OF(run_sse, , __m128, _mm_set1_ps, SSE_STEP, 4)
CHAINS_OF(run_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
CHAINS_OF(run_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)

static kernel best_kernel(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return (kernel){ "avx512", 16, run_avx512 };
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (kernel){ "avx2", 8, run_avx2 };
    return (kernel){ "sse", 4, run_sse };
}
#else
typedef float vector4 __attribute__((vector_size(16)));
#define SPLAT4(v) ((vector4){ v, v, v, v })
#define STEP4(x, a, b) ((x) * (a) + (b))
CHAINS_OF(run_vector, , vector4, SPLAT4, STEP4, 4)

static kernel best_kernel(void)
{
    return (kernel){ "vector of 4", 4, run_vector };
}
#endif

typedef struct work {
    pthread_t thread;
    pthread_barrier_t *barrier;
    kernel kernel;
    long iterations;
    unsigned cpu;
    int slots;
    double begun, ended;   /* the last slot, in seconds */
    float sum;
} work;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *worker(void *argument)
{
    work *w = argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(w->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    for (int slot = 0; slot < w->slots; slot++) {
        pthread_barrier_wait(w->barrier);
        w->begun = seconds();
        w->sum += w->kernel.run(w->iterations);
        w->ended = seconds();
        pthread_barrier_wait(w->barrier);
    }
    return NULL;
}

/* The CPU that thread t is bound to: the t-th of those allowed, from the start again where there are fewer. */
static unsigned allowed_cpu(int t)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    int index = t % CPU_COUNT(&set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set) && index-- == 0) return cpu;
    return 0;
}

/* Iterations that take about five milliseconds. */
static long calibrate(kernel k, float *sum)
{
    long iterations = 1000;
    for (;; iterations *= 2) {
        const double before = seconds();
        *sum += k.run(iterations);
        const double took = seconds() - before;
        if (took > 2.5e-3) return (long)((double)iterations * 5e-3 / took);
    }
}

/* From the first thread's start to the last one's end; between two slots, when all wait for this thread. */
static double slot_seconds(const work *w, int threads)
{
    double begun = w[0].begun, ended = w[0].ended;
    for (int t = 1; t < threads; t++) {
        if (w[t].begun < begun) begun = w[t].begun;
        if (w[t].ended > ended) ended = w[t].ended;
    }
    return ended - begun;
}

/* Seconds of the fastest slot, the sum of all results, or a negative number where a thread could not be started. */
static double fastest_slot(kernel k, long iterations, int threads, int slots, float *sum)
{
    static work workers[THREADS_MAX];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    for (int t = 0; t < threads; t++) {
        workers[t] = (work){ .barrier = &barrier, .kernel = k, .iterations = iterations, .cpu = allowed_cpu(t), .slots = slots };
        if (pthread_create(&workers[t].thread, NULL, worker, &workers[t]) != 0) return -1;
    }
    double least = 1e30;
    for (int slot = 0; slot < slots; slot++) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        const double took = slot_seconds(workers, threads);
        if (took < least) least = took;
    }
    for (int t = 0; t < threads; t++) {
        pthread_join(workers[t].thread, NULL);
        *sum += workers[t].sum;
    }
    pthread_barrier_destroy(&barrier);
    return least;
}

int main(int argc, char **argv)
{
    const long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 1, slots = argc > 2 ? strtol(argv[2], NULL, 10) : SLOTS;
    if (threads < 1 || threads > THREADS_MAX || slots < 1 || slots > 100000) {
        fprintf(stderr, "usage: peak [THREADS [SLOTS]]\n");
        return 2;
    }
    const kernel k = best_kernel();
    float sum = 0;
    const long iterations = calibrate(k, &sum);
    const double least = fastest_slot(k, iterations, (int)threads, (int)slots, &sum);
    if (least <= 0 || !(sum > 0)) return 1;
    const double flop = 2.0 * CHAINS * k.lanes * (double)iterations * (double)threads;
    printf("{\"isa\": \"%s\", \"threads\": %ld, \"gflops\": %.2f}\n", k.isa, threads, flop / least * 1e-9);
    return 0;
}
