/* Reads and writes .npy files.
 * Source: NumPy's format description, numpy.lib.format. */
#include "npy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NPY_HEADER_MAX = 65536, NPY_ALIGN = 64 };

char *npy_shape_text(int rank, const int64_t *shape, char *text, size_t text_size)
{
    size_t used = (size_t)snprintf(text, text_size, "[");
    for (int i = 0; i < rank && used < text_size; i++)
        used += (size_t)snprintf(text + used, text_size - used, i > 0 ? ", %" PRId64 : "%" PRId64, shape[i]);
    if (used < text_size) snprintf(text + used, text_size - used, "]");
    return text;
}

/* ---- the header: a Python dictionary literal ---- */

static void skip_space(const char **p)
{
    while (isspace((unsigned char)**p)) ++*p;
}

static bool take(const char **p, char c)
{
    skip_space(p);
    if (**p != c) return false;
    ++*p;
    return true;
}

/* A quoted string of up to size - 1 characters without escapes. */
static bool take_string(const char **p, char *out, size_t size)
{
    skip_space(p);
    const char quote = **p;
    if (quote != '\'' && quote != '"') return false;
    const char *end = strchr(++*p, quote);
    if (end == NULL || (size_t)(end - *p) >= size) return false;
    memcpy(out, *p, (size_t)(end - *p));
    out[end - *p] = 0;
    *p = end + 1;
    return true;
}

static bool take_word(const char **p, const char *word)
{
    skip_space(p);
    const size_t n = strlen(word);
    if (strncmp(*p, word, n) != 0) return false;
    *p += n;
    return true;
}

static bool take_shape(const char **p, npy_array *a)
{
    if (!take(p, '(')) return false;
    for (a->rank = 0; !take(p, ')');) {
        skip_space(p);
        if (a->rank == NPY_RANK_MAX || !isdigit((unsigned char)**p)) return false;
        char *end;
        errno = 0;
        const long long size = strtoll(*p, &end, 10);
        if (errno != 0) return false;
        a->shape[a->rank++] = size;
        *p = *end == 'L' ? end + 1 : end;
        skip_space(p);
        if (**p != ')' && !take(p, ',')) return false;
    }
    return true;
}

/* NULL, or what is wrong. *fortran: the data is in Fortran order. */
static const char *parse_header(const char *p, npy_array *a, char descr[16], bool *fortran)
{
    bool has_descr = false, has_order = false, has_shape = false;
    const char *damaged = "its header is damaged";
    if (!take(&p, '{')) return damaged;
    while (!take(&p, '}')) {
        char key[16];
        if (!take_string(&p, key, sizeof key) || !take(&p, ':')) return damaged;
        if (strcmp(key, "descr") == 0) {
            skip_space(&p);
            if (*p == '[') return "it holds records, not numbers";
            if (!take_string(&p, descr, 16)) return damaged;
            has_descr = true;
        } else if (strcmp(key, "fortran_order") == 0) {
            *fortran = take_word(&p, "True");
            if (!*fortran && !take_word(&p, "False")) return damaged;
            has_order = true;
        } else if (strcmp(key, "shape") == 0) {
            if (!take_shape(&p, a)) return "its shape is damaged, or has more than 16 axes";
            has_shape = true;
        } else {
            return damaged;
        }
        skip_space(&p);
        if (*p != '}' && !take(&p, ',')) return damaged;
    }
    return has_descr && has_order && has_shape ? NULL : damaged;
}

static const char *parse_type(const char *descr, npy_array *a)
{
    static const char *const known[] = {"b1", "i1", "u1", "i2", "u2", "f2", "V2", "i4", "u4", "f4", "i8", "u8", "f8", "c8", "c16", "f16"};
    if (strchr("<>|=", descr[0]) == NULL || descr[0] == 0) return "its element type is not a number's";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(descr + 1, known[i]) != 0) continue;
        a->size = (size_t)atoi(known[i] + 1);
        if (a->size > 1 && descr[0] == '>') return "it is big-endian; save it little-endian";
        snprintf(a->type, sizeof a->type, "%c%s", a->size == 1 ? '|' : '<', known[i]);
        return NULL;
    }
    return "its element type is not a number's";
}

static const char *count_elements(npy_array *a, size_t *bytes)
{
    /* A size of 0 makes the product 0, whatever the others: only products without it can overflow. */
    int64_t product = 1;
    a->elements = 1;
    for (int i = 0; i < a->rank; i++) {
        a->elements = a->shape[i] == 0 ? 0 : a->elements;
        if (a->shape[i] > 0 && __builtin_mul_overflow(product, a->shape[i], &product)) return "its shape is too large";
    }
    if (a->elements != 0) a->elements = product;
    if (__builtin_mul_overflow((size_t)product, a->size, bytes) || *bytes > SIZE_MAX / 2) return "its shape is too large";
    *bytes = (size_t)a->elements * a->size;
    return NULL;
}

static const char *read_header(FILE *f, npy_array *a, bool *fortran)
{
    uint8_t start[8], length[4] = {0};
    if (fread(start, 1, 8, f) != 8 || memcmp(start, "\x93NUMPY", 6) != 0) return "it is not a .npy file";
    const int version = start[6];
    if (version < 1 || version > 3) return "its .npy version is not 1, 2 or 3";
    const size_t length_bytes = version == 1 ? 2 : 4;
    if (fread(length, 1, length_bytes, f) != length_bytes) return "it ends within its header";
    const size_t n = (size_t)length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 | (size_t)length[3] << 24;
    if (n > NPY_HEADER_MAX) return "its header is too long";
    char *text = malloc(n + 1), descr[16] = "";
    if (text == NULL) return "memory ran out";
    const char *wrong = "it ends within its header";
    if (fread(text, 1, n, f) == n) {
        text[n] = 0;
        wrong = parse_header(text, a, descr, fortran);
        if (wrong == NULL) wrong = parse_type(descr, a);
    }
    free(text);
    return wrong;
}

/* A matrix of at most one axis longer than 1 has the same bytes in both orders. */
static bool order_matters(const npy_array *a)
{
    int longer = 0;
    for (int i = 0; i < a->rank; i++) longer += a->shape[i] > 1;
    return longer > 1;
}

static const char *read_all(FILE *f, npy_array *a)
{
    bool fortran = false;
    size_t bytes = 0;
    const char *wrong = read_header(f, a, &fortran);
    if (wrong == NULL) wrong = count_elements(a, &bytes);
    if (wrong != NULL) return wrong;
    if (fortran && order_matters(a)) return "it is in Fortran order; save numpy.ascontiguousarray of it";
    /* A hostile shape must not make us ask for memory that the file does not fill. */
    struct stat about;
    const long at = ftell(f);
    if (at >= 0 && fstat(fileno(f), &about) == 0 && S_ISREG(about.st_mode)) {
        const size_t left = about.st_size > at ? (size_t)(about.st_size - at) : 0;
        if (left < bytes) return "it is shorter than its shape says";
        if (left > bytes) return "it is longer than its shape says";
    }
    a->data = aligned_alloc(NPY_ALIGN, (bytes / NPY_ALIGN + 1) * NPY_ALIGN);
    if (a->data == NULL) return "memory ran out";
    return fread(a->data, 1, bytes, f) == bytes ? NULL : "it is shorter than its shape says";
}

bool npy_read(const char *path, npy_array *a, char *message, size_t message_size)
{
    *a = (npy_array){0};
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        snprintf(message, message_size, "%s: %s", path, strerror(errno));
        return false;
    }
    const char *wrong = read_all(f, a);
    fclose(f);
    if (wrong == NULL) return true;
    free(a->data);
    a->data = NULL;
    snprintf(message, message_size, "%s: %s", path, wrong);
    return false;
}

/* ---- writing ---- */

/* The header with its padding: magic, version and text are a multiple of 64 bytes. Returns its length. */
static size_t write_header(char *out, size_t size, const char *type, int rank, const int64_t *shape)
{
    size_t n = 10 + (size_t)snprintf(out + 10, size - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(out + n, size - n, "%" PRId64 "%s", shape[i], i == 0 && rank == 1 ? "," : i + 1 < rank ? ", " : "");
    n += (size_t)snprintf(out + n, size - n, "), }");
    const size_t total = (n + 1 + NPY_ALIGN - 1) / NPY_ALIGN * NPY_ALIGN;
    memset(out + n, ' ', total - n);
    out[total - 1] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((total - 10) & 255);
    out[9] = (char)((total - 10) >> 8);
    return total;
}

bool npy_write(const char *path, const char *type, size_t size, int rank, const int64_t *shape, const void *data, char *message,
               size_t message_size)
{
    char header[1024];
    if (rank > NPY_RANK_MAX) {
        snprintf(message, message_size, "%s: more than %d axes", path, NPY_RANK_MAX);
        return false;
    }
    const size_t header_bytes = write_header(header, sizeof header, type, rank, shape);
    size_t bytes = size;
    for (int i = 0; i < rank; i++) bytes *= (size_t)shape[i];
    errno = 0;
    FILE *f = fopen(path, "wb");
    bool written = f != NULL && fwrite(header, 1, header_bytes, f) == header_bytes && (bytes == 0 || fwrite(data, 1, bytes, f) == bytes);
    if (f != NULL && fclose(f) != 0) written = false;
    if (!written) snprintf(message, message_size, "%s: %s", path, errno != 0 ? strerror(errno) : "cannot be written");
    return written;
}
