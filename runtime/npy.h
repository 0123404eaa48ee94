/* .npy files: versions 1 to 3 are read, version 1 is written. Numbers and booleans in little-endian C order only. */
#ifndef VITCC_RUNTIME_NPY_H
#define VITCC_RUNTIME_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NPY_RANK_MAX = 16, NPY_TYPE_MAX = 8 };

typedef struct npy_array {
    char type[NPY_TYPE_MAX];           /* "<f4", "|u1": '|' for one byte, else '<'; bfloat16 is "<V2", as ml_dtypes writes it */
    size_t size;                       /* bytes of an element */
    int rank;
    int64_t shape[NPY_RANK_MAX];
    int64_t elements;
    void *data;                        /* aligned to 64, the caller frees it */
} npy_array;

/* False: `message` tells what is wrong, with the file's name. */
bool npy_read(const char *path, npy_array *a, char *message, size_t message_size);
bool npy_write(const char *path, const char *type, size_t size, int rank, const int64_t *shape, const void *data, char *message,
               size_t message_size);
/* "[1, 3, 224, 224]"; returns text. */
char *npy_shape_text(int rank, const int64_t *shape, char *text, size_t text_size);

#endif
