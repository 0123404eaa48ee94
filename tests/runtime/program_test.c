/* The program, around a model of this file's: what it prints, writes and answers, and its exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/npy.h"
#include "runtime/program.h"

/* ---- the model: scores[n][i] = the sum of channel i; count[n] = 7, of type int64, named so that its file name collides ---- */

static int64_t session_batch;

static const char *model_open(void **model, const char *path)
{
    *model = &session_batch;
    return path != NULL && strstr(path, "bad.weights") != NULL ? "the weights are bad" : NULL;
}

static const char *model_verify(void *model)
{
    (void)model;
    return NULL;
}

static void model_close(void *model)
{
    (void)model;
}

static const char *model_start(void **session, void *model, int threads, int64_t max_batch)
{
    *session = model;
    session_batch = max_batch;
    return threads > 7 ? "too many threads for this model" : NULL;
}

static const char *model_run(void *session, int64_t batch, int64_t length, const void *const *input, void *const *output)
{
    (void)session, (void)length;
    if (batch > session_batch) return "the batch is too large";
    const float *x = input[0];
    for (int64_t n = 0; n < batch; n++) {
        for (int c = 0; c < 3; c++) {
            float sum = 0;
            for (int i = 0; i < 4; i++) sum += x[(n * 3 + c) * 4 + i];
            ((float *)output[0])[n * 3 + c] = sum;
        }
        ((int64_t *)output[1])[n] = 7;
    }
    return NULL;
}

static const int64_t picture_shape[] = {-1, 3, 2, 2}, score_shape[] = {-1, 3}, count_shape[] = {-1};
static const program_tensor model_input[] = {{"pixel/values", "<f4", 4, picture_shape, 4, 0}};
static const program_tensor model_output[] = {{"a/b", "<f4", 2, score_shape, 4, 0}, {"a_b", "<i8", 1, count_shape, 8, 0}};
static const program_preprocess preprocess = {.do_resize = 1, .height = 2, .width = 2, .resample = 2, .do_rescale = 1, .rescale = 1 / 255.0, .channels = 3};
static const char *const labels[] = {"red", "green"};
static const program_model fake = {
    .name = "fake", .version = "1.2", .inputs = 1, .outputs = 2, .input = model_input, .output = model_output, .preprocess = &preprocess,
    .labels = 2, .label = labels, .logits = 0, .weights = "fake.weights", .open = model_open, .verify = model_verify, .close = model_close,
    .start = model_start, .stop = model_close, .run = model_run,
};

/* ---- running it ---- */

static char folder[64], out[8192], error[4096];

static char *in_folder(const char *name)
{
    static char text[64][128];   /* enough for one test */
    static int next;
    char *path = text[next++ % 64];
    snprintf(path, sizeof text[0], "%s/%s", folder, name);
    return path;
}

static void slurp(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = 0;
    fclose(f);
}

/* Runs the program with arguments up to NULL in a process of its own; its output is in out and error. Returns the exit status. */
static int run_model(const program_model *m, ...)
{
    char *argv[32] = {(char *)"fake"};
    int argc = 1;
    va_list list;
    va_start(list, m);
    while ((argv[argc] = va_arg(list, char *)) != NULL) argc++;
    va_end(list);
    const char *out_path = in_folder("out"), *error_path = in_folder("error");
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen(out_path, "w", stdout) == NULL || freopen(error_path, "w", stderr) == NULL) _exit(99);
        exit(program_main(m, argc, argv));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    slurp(out_path, out, sizeof out);
    slurp(error_path, error, sizeof error);
    return WEXITSTATUS(status);
}
#define RUN(...) run_model(&fake, __VA_ARGS__, (char *)NULL)

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/program_test_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void write_array(const char *path, const char *type, size_t size, int rank, const int64_t *shape, const void *data)
{
    char message[300] = "";
    assert_true(npy_write(path, type, size, rank, shape, data, message, sizeof message));
}

/* A batch of two: sums 4, 8, -4 and 0, 0, 40 */
static const float images[24] = {1, 1, 1, 1, 2, 2, 2, 2, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10, 10};
static const float sums[6] = {4, 8, -4, 0, 0, 40};
static const int64_t images_shape[] = {2, 3, 2, 2}, sums_shape[] = {2, 3}, counts_shape[] = {2}, counts[] = {7, 7};

/* ---- tests ---- */

static void usage_errors(void **state)
{
    (void)state;
    assert_int_equal(run_model(&fake, (char *)NULL), 2);
    assert_non_null(strstr(error, "nothing to do"));
    assert_non_null(strstr(error, "--help"));
    assert_int_equal(RUN("--nonsense", "x"), 2);
    assert_non_null(strstr(error, "unknown option '--nonsense'"));
    assert_int_equal(RUN("--threads", "0", "x.png"), 2);
    assert_int_equal(RUN("--threads", "many", "x.png"), 2);
    assert_int_equal(RUN("--bench", "1x"), 2);
    assert_int_equal(RUN("--bench"), 2);
    assert_int_equal(RUN("--weights"), 2);
    assert_non_null(strstr(error, "--weights needs a value"));
    assert_int_equal(RUN("--json", "x.png"), 2);
    assert_int_equal(RUN("--bench", "1", "x.png"), 2);
    assert_int_equal(RUN("--input", "x.npy"), 2);
    assert_int_equal(RUN("--trace", "t", "x.png"), 2);
    assert_int_equal(RUN("--tolerance", "nan", "--selftest", "d"), 2);
    program_model blind = fake;
    blind.preprocess = NULL;
    assert_int_equal(run_model(&blind, "x.png", (char *)NULL), 2);
    assert_non_null(strstr(error, "takes no pictures"));
    program_model fixed = fake;
    fixed.batch = 2;
    assert_int_equal(run_model(&fixed, "--bench", "1", "--batch", "3", (char *)NULL), 2);
}

static void help_and_version(void **state)
{
    (void)state;
    assert_int_equal(RUN("--help"), 0);
    assert_non_null(strstr(out, "usage: fake"));
    assert_non_null(strstr(out, "pixel/values <f4"));
    assert_int_equal(RUN("--version"), 0);
    assert_string_equal(out, "fake 1.2\n");
}

static void arrays_in_and_out(void **state)
{
    (void)state;
    char *x = in_folder("x.npy"), *dir = in_folder("outputs");
    write_array(x, "<f4", 4, 4, images_shape, images);
    char named[200];
    snprintf(named, sizeof named, "pixel/values=%s", x);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(RUN("--input", i == 0 ? x : named, "--output-dir", dir), 0);
        npy_array a;
        char message[300];
        assert_true(npy_read(in_folder("outputs/a_b.npy"), &a, message, sizeof message));
        assert_string_equal(a.type, "<f4");
        assert_int_equal(a.rank, 2);
        assert_int_equal(a.shape[0], 2);
        assert_int_equal(a.shape[1], 3);
        assert_memory_equal(a.data, sums, sizeof sums);
        free(a.data);
        assert_true(npy_read(in_folder("outputs/a_b_1.npy"), &a, message, sizeof message));
        assert_string_equal(a.type, "<i8");
        assert_memory_equal(a.data, counts, sizeof counts);
        free(a.data);
    }
}

static void wrong_arrays_have_messages(void **state)
{
    (void)state;
    char *x = in_folder("wrong.npy"), *dir = in_folder("outputs");
    write_array(x, "<f8", 8, 4, (const int64_t[]){1, 3, 2, 1}, images);
    assert_int_equal(RUN("--input", x, "--output-dir", dir), 1);
    assert_non_null(strstr(error, "elements are '<f8', but 'pixel/values' takes '<f4'"));
    write_array(x, "<f4", 4, 4, (const int64_t[]){1, 3, 2, 4}, images);
    assert_int_equal(RUN("--input", x, "--output-dir", dir), 1);
    assert_non_null(strstr(error, "the shape is [1, 3, 2, 4], but 'pixel/values' takes ["));
    write_array(x, "<f4", 4, 3, (const int64_t[]){3, 2, 2}, images);
    assert_int_equal(RUN("--input", x, "--output-dir", dir), 1);
    write_array(x, "<f4", 4, 4, (const int64_t[]){0, 3, 2, 2}, images);
    assert_int_equal(RUN("--input", x, "--output-dir", dir), 1);
    assert_int_equal(RUN("--input", x, "--input", x, "--output-dir", dir), 1);
    assert_non_null(strstr(error, "no such input"));
    assert_int_equal(RUN("--input", "pixel/values=a", "--input", "pixel/values=b", "--output-dir", dir), 1);
    assert_non_null(strstr(error, "given twice"));
    assert_int_equal(RUN("--input", in_folder("absent.npy"), "--output-dir", dir), 1);
    assert_non_null(strstr(error, "No such file"));
}

static void self_test(void **state)
{
    (void)state;
    char *dir = in_folder("selftest");
    mkdir(dir, 0777);
    write_array(in_folder("selftest/input_pixel_values.npy"), "<f4", 4, 4, images_shape, images);
    write_array(in_folder("selftest/output_a_b_1.npy"), "<i8", 8, 1, counts_shape, counts);
    float want[6];
    memcpy(want, sums, sizeof want);
    want[1] += 0.003f;                     /* of 40: 7.5e-5 */
    write_array(in_folder("selftest/output_a_b.npy"), "<f4", 4, 2, sums_shape, want);
    assert_int_equal(RUN("--selftest", dir), 0);
    assert_non_null(strstr(out, "a/b: good: largest error 0.003 at element 1, of values up to 40"));
    assert_non_null(strstr(out, "a_b: good: 0 of 2 elements differ"));
    assert_int_equal(RUN("--selftest", dir, "--tolerance", "1e-5"), 1);
    assert_non_null(strstr(out, "a/b: FAILED"));
    memcpy(want, &(uint32_t){0x7fc00000}, 4);
    write_array(in_folder("selftest/output_a_b.npy"), "<f4", 4, 2, sums_shape, want);
    assert_int_equal(RUN("--selftest", dir, "--tolerance", "1000"), 1);
    assert_non_null(strstr(out, "1 elements are NaN"));
    write_array(in_folder("selftest/output_a_b.npy"), "<f4", 4, 2, sums_shape, sums);
    write_array(in_folder("selftest/output_a_b_1.npy"), "<i8", 8, 1, counts_shape, (const int64_t[]){7, 8});
    assert_int_equal(RUN("--selftest", dir), 1);
    assert_non_null(strstr(out, "a_b: FAILED: 1 of 2 elements differ"));
    write_array(in_folder("selftest/output_a_b_1.npy"), "<i8", 8, 1, (const int64_t[]){1}, counts);
    assert_int_equal(RUN("--selftest", dir), 1);
    assert_int_equal(RUN("--selftest", in_folder("absent")), 1);
}

static void bench(void **state)
{
    (void)state;
    double min, median, first, load;
    assert_int_equal(RUN("--bench", "5", "--json", "--batch", "3", "--threads", "2"), 0);
    assert_int_equal(sscanf(out, "{\"min_ms\": %lf, \"median_ms\": %lf, \"first_ms\": %lf, \"load_ms\": %lf}", &min, &median, &first, &load), 4);
    assert_true(min >= 0 && min <= median && first > 0 && load >= 0 && load < first);
    assert_string_equal(strchr(out, '\n'), "\n");
    assert_int_equal(RUN("--bench", "2"), 0);
    assert_non_null(strstr(out, "2 runs, batch 1"));
    char *x = in_folder("x.npy");
    write_array(x, "<f4", 4, 4, images_shape, images);
    assert_int_equal(RUN("--bench", "1", "--input", x), 0);
    assert_non_null(strstr(out, "1 runs, batch 2"));
    assert_int_equal(RUN("--bench", "1", "--threads", "8"), 1);
    assert_string_equal(error, "fake: too many threads for this model\n");
}

static void weights_are_checked(void **state)
{
    (void)state;
    assert_int_equal(RUN("--verify"), 0);
    assert_string_equal(out, "weights: good\n");
    assert_int_equal(RUN("--verify", "--weights", "x/bad.weights"), 1);
    assert_string_equal(error, "fake: x/bad.weights: the weights are bad\n");
}

/* A PNG of one pixel, colour c; the zlib stream is stored, not deflated. */
static void write_png(const char *path, const uint8_t c[3])
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (0xedb88320u & (0u - (table[i] & 1)));
    }
    const uint8_t row[4] = {0, c[0], c[1], c[2]};
    uint32_t a = 1, b = 0;
    for (int i = 0; i < 4; i++) a = (a + row[i]) % 65521, b = (b + a) % 65521;
    const uint8_t header[] = "IHDR\0\0\0\1\0\0\0\1\x08\2\0\0";
    const uint8_t body[] = {'I', 'D', 'A', 'T', 0x78, 1, 1, 4, 0, 0xfb, 0xff, 0, c[0], c[1], c[2], (uint8_t)(b >> 8), (uint8_t)b, (uint8_t)(a >> 8), (uint8_t)a};
    const struct { const uint8_t *bytes; uint32_t size; } chunks[] = {{header, 17}, {body, sizeof body}, {(const uint8_t *)"IEND", 4}};
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, f);
    for (int k = 0; k < 3; k++) {
        uint32_t crc = ~0u;
        for (uint32_t i = 0; i < chunks[k].size; i++) crc = table[(crc ^ chunks[k].bytes[i]) & 255] ^ crc >> 8;
        crc = ~crc;
        const uint32_t n = chunks[k].size - 4;
        const uint8_t length[] = {0, 0, 0, (uint8_t)n}, sum[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
        fwrite(length, 1, 4, f);
        fwrite(chunks[k].bytes, 1, chunks[k].size, f);
        fwrite(sum, 1, 4, f);
    }
    assert_int_equal(fclose(f), 0);
}

static void pictures(void **state)
{
    (void)state;
#ifdef HAVE_PNG
    char *red = in_folder("red.png"), *blue = in_folder("blue.png");
    write_png(red, (const uint8_t[]){255, 0, 0});
    write_png(blue, (const uint8_t[]){0, 0, 255});
    /* Scores 4, 0, 0: e^4 / (e^4 + 2) = 96.47 % */
    char expected[400];
    assert_int_equal(RUN(red, "--top", "2"), 0);
    assert_non_null(strstr(out, " ms)\n   96.47 %  red\n    1.77 %  green\n"));
    assert_null(strstr(out, "class 2"));
    for (int batch = 1; batch <= 3; batch++) {
        const char *const number[] = {"1", "2", "3"};
        float ms[3];
        assert_int_equal(RUN("--quiet", "--batch", number[batch - 1], red, blue, red), 0);
        char *line[3] = {out, strchr(out, '\n') + 1, NULL};
        line[2] = strchr(line[1], '\n') + 1;
        const char *const paths[] = {red, blue, red}, *const label[] = {"red", "class 2", "red"};
        for (int i = 0; i < 3; i++) {
            snprintf(expected, sizeof expected, "%s\t%s\t0.9647\t", paths[i], label[i]);
            assert_memory_equal(line[i], expected, strlen(expected));
            assert_int_equal(sscanf(line[i] + strlen(expected), "%f", &ms[i]), 1);
        }
    }
    program_model fixed = fake;
    fixed.batch = 2;
    assert_int_equal(run_model(&fixed, "--quiet", red, blue, blue, (char *)NULL), 0);
    assert_non_null(strstr(strstr(out, "red.png\tred\t0.9647"), "blue.png\tclass 2\t0.9647"));
    /* One that cannot be read does not stop the others. */
    assert_int_equal(RUN("--quiet", "--batch", "2", in_folder("absent.png"), blue), 1);
    assert_non_null(strstr(out, "blue.png\tclass 2\t0.9647"));
    assert_non_null(strstr(error, "absent.png: No such file"));
    assert_int_equal(RUN(red, blue, "--output-dir", in_folder("picture_outputs")), 0);
    npy_array a;
    char message[300];
    assert_true(npy_read(in_folder("picture_outputs/a_b.npy"), &a, message, sizeof message));
    assert_int_equal(a.shape[0], 2);
    assert_memory_equal(a.data, ((const float[]){4, 0, 0, 0, 0, 4}), 24);
    free(a.data);
    assert_int_equal(RUN("--batch", "1", red, blue, "--output-dir", in_folder("picture_outputs")), 2);
#else
    skip();
#endif
}

static void output_that_cannot_be_written(void **state)
{
    (void)state;
    char *argv[] = {(char *)"fake", (char *)"--version", NULL};
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen("/dev/full", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL) _exit(99);
        _exit(program_main(&fake, 2, argv));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_errors),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(arrays_in_and_out),
        cmocka_unit_test(wrong_arrays_have_messages),
        cmocka_unit_test(self_test),
        cmocka_unit_test(bench),
        cmocka_unit_test(weights_are_checked),
        cmocka_unit_test(pictures),
        cmocka_unit_test(output_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
