/* Finds out a picture's format and has it decoded. */
#include "image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *image_allocate(image *out, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0) return "it has no pixels";
    if (width > IMAGE_PIXELS_MAX || height > IMAGE_PIXELS_MAX / width) return "it has more pixels than are allowed (178,956,970)";
    out->width = (int)width;
    out->height = (int)height;
    out->rgb = malloc((size_t)width * (size_t)height * 3);
    return out->rgb != NULL ? NULL : "memory ran out";
}

static const char *read_any(FILE *f, image *out, char *text, size_t text_size)
{
    uint8_t start[8];
    const size_t n = fread(start, 1, sizeof start, f);
    rewind(f);
    if (n >= 3 && memcmp(start, "\xff\xd8\xff", 3) == 0) {
#ifdef HAVE_JPEG
        return image_read_jpeg(f, out, text, text_size);
#else
        return "this program was built without JPEG";
#endif
    }
    if (n == 8 && memcmp(start, "\x89PNG\r\n\x1a\n", 8) == 0) {
#ifdef HAVE_PNG
        return image_read_png(f, out, text, text_size);
#else
        return "this program was built without PNG";
#endif
    }
    (void)out;
    (void)text;
    (void)text_size;
    return "neither a JPEG nor a PNG file";
}

bool image_read(const char *path, image *out, char *message, size_t message_size)
{
    *out = (image){0};
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        snprintf(message, message_size, "%s: %s", path, strerror(errno));
        return false;
    }
    char text[300] = "";
    const char *wrong = read_any(f, out, text, sizeof text);
    fclose(f);
    if (wrong == NULL) return true;
    image_free(out);
    snprintf(message, message_size, "%s: %s", path, wrong);
    return false;
}

void image_free(image *i)
{
    free(i->rgb);
    *i = (image){0};
}
