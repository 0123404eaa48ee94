/* Decodes JPEG by libjpeg-turbo, with the library's defaults, as Pillow does: accurate integer transform, smooth upsampling of colours. */
#include "image.h"

#ifdef HAVE_JPEG

#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>
#include <stdlib.h>

enum { SCANS_MAX = 500 };   /* a progressive file may repeat scans without end */

/* What outlives a jump out of the library. */
typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const char *wrong;
    char *text;
    size_t text_size;
    JSAMPLE *row;
} decoder;

static void on_error(j_common_ptr common)
{
    decoder *d = common->client_data;
    char text[JMSG_LENGTH_MAX];
    d->errors.format_message(common, text);
    snprintf(d->text, d->text_size, "the JPEG file is damaged: %s", text);
    d->wrong = d->text;
    longjmp(d->escape, 1);
}

static void on_message(j_common_ptr common, int level)
{
    decoder *d = common->client_data;
    if (level >= 0) return;
    if (d->errors.msg_code == JWRN_JPEG_EOF) {
        d->wrong = "the JPEG file is cut short";
        longjmp(d->escape, 1);
    }
}

static void on_progress(j_common_ptr common)
{
    decoder *d = common->client_data;
    if (d->jpeg.input_scan_number <= SCANS_MAX) return;
    d->wrong = "the JPEG file has too many scans";
    longjmp(d->escape, 1);
}

static uint8_t multiply_255(int a, int b)
{
    const int product = a * b + 128;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

static uint8_t subtract(int a, int b)
{
    return a < b ? 0 : (uint8_t)(a - b);
}

/* row: the decoder's components → out: [width, 3]. Four components are stored inverted. */
static void convert_row(const JSAMPLE *row, int components, int width, uint8_t *out)
{
    for (int x = 0; x < width; x++, row += components, out += 3) {
        if (components == 4) {
            const int white = row[3];   /* 255 - black */
            for (int c = 0; c < 3; c++) out[c] = subtract(white, multiply_255(255 - row[c], white));
        } else {
            for (int c = 0; c < 3; c++) out[c] = row[components == 1 ? 0 : c];
        }
    }
}

static void decode(decoder *d, FILE *f, image *out)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &d->progress;
    jpeg_stdio_src(jpeg, f);
    jpeg_read_header(jpeg, TRUE);
    const int components = jpeg->num_components;
    if (components != 1 && components != 3 && components != 4) {
        d->wrong = "the JPEG file has neither 1, 3 nor 4 components";
        return;
    }
    jpeg->out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    d->wrong = image_allocate(out, jpeg->image_width, jpeg->image_height);
    if (d->wrong != NULL) return;
    jpeg_start_decompress(jpeg);
    d->row = malloc((size_t)out->width * (size_t)components * sizeof *d->row);
    if (d->row == NULL) {
        d->wrong = "memory ran out";
        return;
    }
    while (jpeg->output_scanline < jpeg->output_height) {
        const size_t y = jpeg->output_scanline;
        JSAMPLE *rows[1] = {d->row};
        if (jpeg_read_scanlines(jpeg, rows, 1) == 1) convert_row(d->row, components, out->width, out->rgb + y * (size_t)out->width * 3);
    }
    jpeg_finish_decompress(jpeg);
}

const char *image_read_jpeg(FILE *f, image *out, char *text, size_t text_size)
{
    decoder *d = calloc(1, sizeof *d);
    if (d == NULL) return "memory ran out";
    d->text = text;
    d->text_size = text_size;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    d->progress.progress_monitor = on_progress;
    d->jpeg.client_data = d;
    if (setjmp(d->escape) == 0) decode(d, f, out);
    const char *wrong = d->wrong;
    jpeg_destroy_decompress(&d->jpeg);
    free(d->row);
    free(d);
    return wrong;
}

#endif
