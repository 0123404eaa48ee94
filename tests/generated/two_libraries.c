/* Two generated libraries in one program: both run at once, each as it runs alone. Prints "fine". */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "other.h"

enum { DIGITS_PIXELS = 3 * 32 * 32, RUNS = 200 };

#define REQUIRE(what) do { if (!(what)) { printf("line %d: %s\n", __LINE__, #what); exit(1); } } while (0)

static float digits_in[DIGITS_PIXELS], *other_in, digits_first[10], other_first[64];
static int64_t other_classes;
static digits_model *digits;
static other_model *other;

static void *run_digits(void *unused)
{
    (void)unused;
    digits_session *s;
    const digits_options o = { .threads = 2 };
    REQUIRE(digits_start(&s, digits, &o) == DIGITS_OK);
    for (int i = 0; i < RUNS; i++) {
        float logits[10];
        REQUIRE(digits_run(s, 1, &(digits_inputs){ digits_in }, &(digits_outputs){ logits }) == DIGITS_OK);
        REQUIRE(!memcmp(logits, digits_first, sizeof logits));
    }
    digits_stop(s);
    return NULL;
}

static void *run_other(void *unused)
{
    (void)unused;
    other_session *s;
    REQUIRE(other_start(&s, other, NULL) == OTHER_OK);
    for (int i = 0; i < RUNS; i++) {
        float logits[64];
        REQUIRE(other_run(s, 1, &(other_inputs){ other_in }, &(other_outputs){ logits }) == OTHER_OK);
        REQUIRE(!memcmp(logits, other_first, (size_t)other_classes * sizeof *logits));
    }
    other_stop(s);
    return NULL;
}

static void check_arguments(void)
{
    digits_session *s;
    float logits[10];
    REQUIRE(digits_open(NULL, "x") == DIGITS_ARGUMENT);
    REQUIRE(digits_start(&s, NULL, NULL) == DIGITS_ARGUMENT);
    REQUIRE(digits_start(&s, digits, &(digits_options){ .threads = -1 }) == DIGITS_ARGUMENT);
    REQUIRE(digits_start(&s, digits, &(digits_options){ .max_batch = 2 }) == DIGITS_OK);
    REQUIRE(digits_run(s, 3, &(digits_inputs){ digits_in }, &(digits_outputs){ logits }) == DIGITS_BATCH);
    REQUIRE(digits_run(s, 0, &(digits_inputs){ digits_in }, &(digits_outputs){ logits }) == DIGITS_BATCH);
    REQUIRE(digits_run(s, 1, &(digits_inputs){ NULL }, &(digits_outputs){ logits }) == DIGITS_ARGUMENT);
    REQUIRE(digits_run(s, 1, &(digits_inputs){ digits_in }, &(digits_outputs){ NULL }) == DIGITS_OK);
    digits_stop(s);
    digits_stop(NULL);
    const digits_options o = { .threads = 2, .max_batch = 2, .memory = aligned_alloc(64, (digits_memory(&(digits_options){ .threads = 2, .max_batch = 2 }) + 63) / 64 * 64) };
    REQUIRE(digits_start(&s, digits, &o) == DIGITS_OK);
    REQUIRE(digits_run(s, 1, &(digits_inputs){ digits_in }, &(digits_outputs){ logits }) == DIGITS_OK);
    REQUIRE(!memcmp(logits, digits_first, sizeof logits));
    digits_stop(s);
    free(o.memory);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3);
    REQUIRE(digits_open(&digits, argv[1]) == DIGITS_OK && other_open(&other, argv[2]) == OTHER_OK);
    REQUIRE(digits_open(&(digits_model *){ NULL }, argv[2]) == DIGITS_WRONG_MODEL);
    int64_t pixels = 1;
    for (int i = 1; i < 4; i++) pixels *= other_tensor_info(0)->shape[i];
    other_classes = other_tensor_info(1)->shape[1];
    other_in = malloc((size_t)pixels * sizeof *other_in);
    for (int i = 0; i < DIGITS_PIXELS; i++) digits_in[i] = sinf((float)i);
    for (int64_t i = 0; i < pixels; i++) other_in[i] = cosf((float)i);
    digits_session *a;
    other_session *b;
    REQUIRE(digits_start(&a, digits, NULL) == DIGITS_OK && other_start(&b, other, NULL) == OTHER_OK);
    REQUIRE(digits_run(a, 1, &(digits_inputs){ digits_in }, &(digits_outputs){ digits_first }) == DIGITS_OK);
    REQUIRE(other_run(b, 1, &(other_inputs){ other_in }, &(other_outputs){ other_first }) == OTHER_OK);
    check_arguments();
    pthread_t thread[3];
    REQUIRE(!pthread_create(&thread[0], NULL, run_digits, NULL) && !pthread_create(&thread[1], NULL, run_other, NULL) && !pthread_create(&thread[2], NULL, run_digits, NULL));
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    digits_stop(a);
    other_stop(b);
    digits_close(digits);
    other_close(other);
    free(other_in);
    REQUIRE(fcntl(0, F_GETFD) >= 0 && !getenv("OMP_PROC_BIND"));
    puts("fine");
    return 0;
}
