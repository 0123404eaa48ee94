/* Classifies pictures: decode, prepare, run, print the best labels. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preprocess.h"
#include "program_private.h"

/* Index of the input that takes pictures: the one of shape [N, C, H, W]; of pixels, [N, H, W, C]. */
static int picture_input(program *p)
{
    const program_model *m = p->m;
    const bool pixels = m->preprocess->pixels;
    int found = -1;
    for (int i = 0; i < m->inputs && found < 0; i++)
        if (m->input[i].rank == 4 && (pixels ? m->input[i].type[1] == 'u' : program_is_float(&m->input[i]))) found = i;
    if (found < 0) program_wrong(p, "the model has no input of four axes and a float type, as pictures need");
    else if (m->inputs > 1) program_wrong(p, "the model has %d inputs; give them with --input", m->inputs);
    return m->inputs == 1 ? found : -1;
}

/* Image `slot` of the batch from a picture that is prepared as float32 or as bytes. NULL, or what is wrong. */
static const char *put_picture(program *p, const image *picture, int input, int64_t slot)
{
    const program_tensor *t = &p->m->input[input];
    const int64_t elements = t->shape[1] * t->shape[2] * t->shape[3];
    if (t->size == 4 || p->m->preprocess->pixels)
        return preprocess_picture(p->m->preprocess, picture, (char *)p->input[input] + slot * elements * (int64_t)t->size);
    float *prepared = malloc((size_t)elements * sizeof *prepared);
    if (prepared == NULL) return "memory ran out";
    const char *wrong = preprocess_picture(p->m->preprocess, picture, prepared);
    for (int64_t i = 0; wrong == NULL && i < elements; i++) program_set_float(t, p->input[input], slot * elements + i, (double)prepared[i]);
    free(prepared);
    return wrong;
}

/* Fills image `slot` of the batch. */
static bool load_picture(program *p, const char *path, int input, int64_t slot)
{
    const bool pixels = p->m->preprocess->pixels;
    const int64_t *shape = p->m->input[input].shape, high = shape[pixels ? 1 : 2], wide = shape[pixels ? 2 : 3], channels = shape[pixels ? 3 : 1];
    image picture;
    if (!image_read(path, &picture, p->message, sizeof p->message)) return false;
    int width, height;
    preprocess_size(p->m->preprocess, picture.width, picture.height, &width, &height);
    const char *wrong = NULL;
    bool done = true;
    if (width != wide || height != high || p->m->preprocess->channels != channels) {
        done = program_wrong(p, "%s: prepared it has %d x %d pixels and %d channels, but the model takes %" PRId64 " x %" PRId64 " and %" PRId64,
                             path, width, height, p->m->preprocess->channels, wide, high, channels);
    } else {
        wrong = put_picture(p, &picture, input, slot);
        if (wrong != NULL) done = program_wrong(p, "%s: %s", path, wrong);
    }
    image_free(&picture);
    return done;
}

/* ---- what is printed ---- */

typedef struct candidate {
    int64_t index;
    double score;
} candidate;

/* The greatest score first, NaN last; equal scores by index. */
static int compare(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    if (isnan(a->score) != isnan(b->score)) return isnan(a->score) ? 1 : -1;
    if (a->score != b->score && !isnan(a->score)) return a->score > b->score ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void print_label(const program_model *m, int64_t index)
{
    if (index < m->labels && m->label[index] != NULL) fputs(m->label[index], stdout);
    else printf("class %" PRId64, index);
}

/* scores become probabilities, in place. */
static void softmax(candidate *c, int64_t count)
{
    double largest = -HUGE_VAL, sum = 0;
    for (int64_t i = 0; i < count; i++) largest = c[i].score > largest ? c[i].score : largest;
    for (int64_t i = 0; i < count; i++) sum += c[i].score = exp(c[i].score - largest);
    for (int64_t i = 0; i < count; i++) c[i].score /= sum;
}

static bool print_classes(program *p, const char *path, int64_t batch, int64_t slot, double ms)
{
    const program_model *m = p->m;
    const program_tensor *t = &m->output[m->logits];
    const int64_t classes = program_elements(p, t, batch) / batch;
    candidate *c = malloc((size_t)(classes + 1) * sizeof *c);
    if (c == NULL) return program_wrong(p, "memory ran out");
    for (int64_t i = 0; i < classes; i++) c[i] = (candidate){i, program_float(t, p->output[m->logits], slot * classes + i)};
    softmax(c, classes);
    qsort(c, (size_t)classes, sizeof *c, compare);
    if (p->options.quiet) {
        printf("%s\t", path);
        print_label(m, c[0].index);
        printf("\t%.4f\t%.1f\n", c[0].score, ms);
    } else {
        printf("%s (%.1f ms)\n", path, ms);
        for (int64_t i = 0; i < classes && i < p->options.top; i++) {
            printf("  %6.2f %%  ", c[i].score * 100);
            print_label(m, c[i].index);
            putchar('\n');
        }
    }
    free(c);
    return true;
}

static bool has_scores(const program *p)
{
    const program_model *m = p->m;
    if (m->logits < 0) return false;
    const program_tensor *t = &m->output[m->logits];
    return program_is_float(t) && program_elements(p, t, 1) > 0;
}

/* ---- batches ---- */

/* Runs the `count` pictures that loaded, of which path[i] lies at slot i. */
static bool run_batch(program *p, const char *const *path, int64_t count)
{
    const int64_t batch = p->m->batch > 0 ? p->m->batch : count;
    const double before = program_seconds();
    if (!program_run(p, batch)) return false;
    const double ms = (program_seconds() - before) * 1e3 / (double)count;
    for (int64_t i = 0; i < count; i++) {
        if (!has_scores(p)) printf(p->options.quiet ? "%s\t\t\t%.1f\n" : "%s (%.1f ms)\n", path[i], ms);
        else if (!print_classes(p, path[i], batch, i, ms)) return false;
    }
    return p->options.output_dir == NULL || program_write_outputs(p, batch);
}

/* A picture that cannot be read is reported and left out. */
static int run_all(program *p, int input, int64_t batch, const char **loaded)
{
    const program_options *o = &p->options;
    int status = PROGRAM_OK;
    int64_t count = 0;
    for (int i = 0; i < o->pictures; i++) {
        if (load_picture(p, o->picture[i], input, count)) {
            loaded[count++] = o->picture[i];
        } else {
            fflush(stdout);
            fprintf(stderr, "%s: %s\n", p->m->name, p->message);
            p->message[0] = 0;
            status = PROGRAM_FAILED;
        }
        if (count == batch || (count > 0 && i + 1 == o->pictures)) {
            if (!run_batch(p, loaded, count)) return PROGRAM_FAILED;
            count = 0;
        }
    }
    return status;
}

int program_pictures(program *p)
{
    const program_options *o = &p->options;
    const int input = picture_input(p);
    if (input < 0) return PROGRAM_FAILED;
    int64_t batch = p->m->batch > 0 ? p->m->batch : o->batch > 0 ? o->batch : o->output_dir != NULL ? o->pictures : 1;
    if (o->output_dir != NULL && batch < o->pictures) {
        program_wrong(p, "--output-dir holds one run's outputs, of %" PRId64 " pictures", batch);
        return PROGRAM_USAGE;
    }
    if (p->m->batch == 0 && batch > o->pictures) batch = o->pictures;
    const char **loaded = calloc((size_t)batch, sizeof *loaded);
    if (loaded == NULL || !program_start(p, batch)) {
        free(loaded);
        if (p->message[0] == 0) program_wrong(p, "memory ran out");
        return PROGRAM_FAILED;
    }
    const int status = run_all(p, input, batch, loaded);
    free(loaded);
    return status;
}
