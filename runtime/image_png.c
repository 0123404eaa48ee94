/* Decodes PNG by libpng: every depth and colour type to 8-bit RGB. Alpha, transparency, gamma and profiles are ignored, as convert("RGB") does. */
#include "image.h"

#ifdef HAVE_PNG

#include <png.h>
#include <stdlib.h>
#include <string.h>

/* What outlives a jump out of the library. */
typedef struct decoder {
    png_structp png;
    png_infop info;
    const char *wrong;
    char *text;
    size_t text_size;
    uint8_t *pixels;           /* [height, row_bytes], as the library gives them */
    png_bytep *row;
    bool grey16;
} decoder;

static void on_error(png_structp png, png_const_charp message)
{
    decoder *d = png_get_error_ptr(png);
    snprintf(d->text, d->text_size, "the PNG file is damaged: %s", message);
    d->wrong = d->text;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Asks for 8 bits and three colours; only 16-bit grey stays, for clipping. */
static void ask_for_rgb(decoder *d)
{
    const int colour = png_get_color_type(d->png, d->info), depth = png_get_bit_depth(d->png, d->info);
    d->grey16 = colour == PNG_COLOR_TYPE_GRAY && depth == 16;
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(d->png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(d->png);
    if (depth == 16 && !d->grey16) png_set_strip_16(d->png);
    if ((colour & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(d->png, d->info, PNG_INFO_tRNS) != 0) png_set_strip_alpha(d->png);
    if ((colour & PNG_COLOR_MASK_COLOR) == 0 && !d->grey16) png_set_gray_to_rgb(d->png);
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
}

/* Pillow reads 16-bit grey as numbers and clips them to 255. */
static void clip_grey16(const uint8_t *pixels, const image *out)
{
    const size_t count = (size_t)out->width * (size_t)out->height;
    for (size_t i = 0; i < count; i++) memset(out->rgb + 3 * i, pixels[2 * i] != 0 ? 255 : pixels[2 * i + 1], 3);
}

static void decode(decoder *d, FILE *f, image *out)
{
    png_init_io(d->png, f);
    png_set_user_limits(d->png, IMAGE_PIXELS_MAX, IMAGE_PIXELS_MAX);
    png_set_chunk_malloc_max(d->png, 64 << 20);
    png_read_info(d->png, d->info);
    d->wrong = image_allocate(out, png_get_image_width(d->png, d->info), png_get_image_height(d->png, d->info));
    if (d->wrong != NULL) return;
    ask_for_rgb(d);
    const size_t row_bytes = png_get_rowbytes(d->png, d->info), height = (size_t)out->height;
    if (row_bytes != (size_t)out->width * (d->grey16 ? 2 : 3)) {
        d->wrong = "the PNG file's pixels have an unknown layout";
        return;
    }
    if (d->grey16) d->pixels = malloc(row_bytes * height);
    d->row = malloc(height * sizeof *d->row);
    if (d->row == NULL || (d->grey16 && d->pixels == NULL)) {
        d->wrong = "memory ran out";
        return;
    }
    for (size_t y = 0; y < height; y++) d->row[y] = (d->grey16 ? d->pixels : out->rgb) + y * row_bytes;
    png_read_image(d->png, d->row);
    png_read_end(d->png, NULL);
    if (d->grey16) clip_grey16(d->pixels, out);
}

const char *image_read_png(FILE *f, image *out, char *text, size_t text_size)
{
    decoder *d = calloc(1, sizeof *d);
    if (d == NULL) return "memory ran out";
    d->text = text;
    d->text_size = text_size;
    d->wrong = "memory ran out";
    d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, on_error, on_warning);
    if (d->png != NULL) d->info = png_create_info_struct(d->png);
    if (d->info != NULL) {
        d->wrong = NULL;
        if (setjmp(png_jmpbuf(d->png)) == 0) decode(d, f, out);
    }
    const char *wrong = d->wrong;
    png_destroy_read_struct(&d->png, &d->info, NULL);
    free(d->pixels);
    free(d->row);
    free(d);
    return wrong;
}

#endif
