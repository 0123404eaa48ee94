/* Pictures from files: JPEG (compiled with HAVE_JPEG) and PNG (with HAVE_PNG). The pixels are those of Pillow's Image.open(path).convert("RGB"). */
#ifndef VITCC_RUNTIME_IMAGE_H
#define VITCC_RUNTIME_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Pixels a picture may have; Pillow refuses larger ones too. */
#define IMAGE_PIXELS_MAX 178956970

typedef struct image {
    int width, height;
    uint8_t *rgb;              /* [height, width, 3] */
} image;

/* False: `message` tells what is wrong, with the file's name. Orientation in EXIF data is ignored, as Image.open does. */
bool image_read(const char *path, image *out, char *message, size_t message_size);
void image_free(image *i);

/* The decoders, for image_read: f is at its start. NULL, or what is wrong, possibly written to text (of text_size bytes). */
const char *image_read_jpeg(FILE *f, image *out, char *text, size_t text_size);
const char *image_read_png(FILE *f, image *out, char *text, size_t text_size);
/* Sets the size and allocates the pixels; NULL, or what is wrong. */
const char *image_allocate(image *out, uint64_t width, uint64_t height);

#endif
