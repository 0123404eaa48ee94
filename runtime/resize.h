/* Resizing of 8-bit pictures, to the bit as Pillow 13 does. Pillow 10 to 12 differ only where the height shrinks by more than twice what the width
 * does: they still took the columns first, which moves some bytes by one or two. */
#ifndef VITCC_RUNTIME_RESIZE_H
#define VITCC_RUNTIME_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

/* Pillow's numbers. */
enum { RESIZE_NEAREST, RESIZE_LANCZOS, RESIZE_BILINEAR, RESIZE_BICUBIC, RESIZE_BOX, RESIZE_HAMMING, RESIZE_FILTERS };

/* in: [height, width, channels], out: [out_height, out_width, channels]; all sizes at least 1. False: memory ran out. */
bool resize_u8(const uint8_t *in, int width, int height, int channels, uint8_t *out, int out_width, int out_height, int filter);

#endif
