/* Resize, centre crop, rescale, normalise: the first two on bytes, the others in float32 with the scale in double.
 * Source: Hugging Face transformers, image_transforms.py. */
#include "preprocess.h"

#include <stdlib.h>
#include <string.h>

#include "resize.h"

/* Pixels with their channels side by side. */
typedef struct pixels {
    int width, height, channels;
    uint8_t *data;             /* [height, width, channels] */
} pixels;

static void resized_size(const program_preprocess *p, int width, int height, int64_t *out_width, int64_t *out_height)
{
    *out_width = p->width;
    *out_height = p->height;
    if (p->shortest_edge == 0) return;
    const int64_t shorter = width <= height ? width : height, longer = width <= height ? height : width;
    const int64_t new_longer = (int64_t)((double)(p->shortest_edge * longer) / (double)shorter);
    *out_width = width <= height ? p->shortest_edge : new_longer;
    *out_height = width <= height ? new_longer : p->shortest_edge;
}

void preprocess_size(const program_preprocess *p, int width, int height, int *out_width, int *out_height)
{
    int64_t w = width, h = height;
    if (p->do_resize) resized_size(p, width, height, &w, &h);
    if (p->do_center_crop) w = p->crop_width, h = p->crop_height;
    *out_width = w > INT32_MAX ? INT32_MAX : (int)w;
    *out_height = h > INT32_MAX ? INT32_MAX : (int)h;
}

static const char *pixels_allocate(pixels *to, int64_t width, int64_t height, int channels)
{
    if (width < 1 || height < 1 || width > IMAGE_PIXELS_MAX || height > IMAGE_PIXELS_MAX / width)
        return "its sides are too unequal to be resized";
    *to = (pixels){.width = (int)width, .height = (int)height, .channels = channels};
    to->data = calloc((size_t)width * (size_t)height, (size_t)channels);
    return to->data != NULL ? NULL : "memory ran out";
}

/* convert("L"): ITU-R 601-2 luma in 16-bit fixed point. */
static void to_grey(const image *picture, uint8_t *out)
{
    const size_t count = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = picture->rgb + 3 * i;
        out[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
    }
}

static const char *from_picture(const program_preprocess *p, const image *picture, pixels *to)
{
    if (p->channels != 1 && p->channels != 3) return "the model's pictures have neither 1 nor 3 channels";
    const char *wrong = pixels_allocate(to, picture->width, picture->height, p->channels);
    if (wrong != NULL) return wrong;
    if (p->channels == 1) to_grey(picture, to->data);
    else memcpy(to->data, picture->rgb, (size_t)to->width * (size_t)to->height * 3);
    return NULL;
}

static const char *resize(const program_preprocess *p, pixels *x)
{
    int64_t width, height;
    resized_size(p, x->width, x->height, &width, &height);
    if (p->resample < 0 || p->resample >= RESIZE_FILTERS) return "the model's pictures are resized by an unknown filter";
    pixels to = {0};
    const char *wrong = pixels_allocate(&to, width, height, x->channels);
    if (wrong == NULL && !resize_u8(x->data, x->width, x->height, x->channels, to.data, to.width, to.height, p->resample))
        wrong = "memory ran out";
    free(x->data);
    *x = to;
    return wrong;
}

/* Where a span of `crop` lies in one of `size`, centred: copies from *from to *to. The odd element is cut before, and padded before. */
static int crop_span(int size, int crop, int *from, int *to)
{
    *from = size > crop ? (size - crop) / 2 : 0;
    *to = size < crop ? (crop - size + 1) / 2 : 0;
    return size < crop ? size : crop;
}

static const char *center_crop(const program_preprocess *p, pixels *x)
{
    pixels to = {0};
    const char *wrong = pixels_allocate(&to, p->crop_width, p->crop_height, x->channels);
    if (wrong == NULL) {
        int from_x, from_y, to_x, to_y;
        const int width = crop_span(x->width, to.width, &from_x, &to_x), height = crop_span(x->height, to.height, &from_y, &to_y);
        for (int y = 0; y < height; y++) {
            const size_t source = ((size_t)(from_y + y) * (size_t)x->width + (size_t)from_x) * (size_t)x->channels;
            const size_t target = ((size_t)(to_y + y) * (size_t)to.width + (size_t)to_x) * (size_t)x->channels;
            memcpy(to.data + target, x->data + source, (size_t)width * (size_t)x->channels);
        }
    }
    free(x->data);
    *x = to;
    return wrong;
}

/* x: [height, width, channels] → out: [channels, height, width]. A byte has 256 values: each is computed once a channel. */
static void to_floats(const program_preprocess *p, const pixels *x, float *out)
{
    const size_t count = (size_t)x->width * (size_t)x->height, channels = (size_t)x->channels;
    for (size_t c = 0; c < channels; c++) {
        float value[256];
        for (int i = 0; i < 256; i++) {
            value[i] = p->do_rescale ? (float)(i * p->rescale) : (float)i;
            if (p->do_normalize) value[i] = (value[i] - p->mean[c]) / p->std[c];
        }
        for (size_t i = 0; i < count; i++) out[c * count + i] = value[x->data[i * channels + c]];
    }
}

const char *preprocess_picture(const program_preprocess *p, const image *picture, void *out)
{
    pixels x = {0};
    const char *wrong = from_picture(p, picture, &x);
    if (wrong == NULL && p->do_resize) wrong = resize(p, &x);
    if (wrong == NULL && p->do_center_crop) wrong = center_crop(p, &x);
    if (wrong == NULL && p->pixels) memcpy(out, x.data, (size_t)x.width * (size_t)x.height * (size_t)x.channels);
    else if (wrong == NULL) to_floats(p, &x, out);
    free(x.data);
    return wrong;
}
