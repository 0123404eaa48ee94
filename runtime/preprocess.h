/* From a picture to a model's input, as Hugging Face's image processors do on Pillow and NumPy. */
#ifndef VITCC_RUNTIME_PREPROCESS_H
#define VITCC_RUNTIME_PREPROCESS_H

#include "image.h"
#include "program.h"

/* The size that a picture of width x height has afterwards. */
void preprocess_size(const program_preprocess *p, int width, int height, int *out_width, int *out_height);
/* out: floats [channels, height, width], or bytes [height, width, channels] (p->pixels), of the size above, which must be the one expected by the
 * caller. NULL, or what is wrong. */
const char *preprocess_picture(const program_preprocess *p, const image *picture, void *out);

#endif
