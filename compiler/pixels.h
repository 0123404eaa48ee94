/* --input-type uint8: the image input becomes raw pixels, [batch, height, width, channels] of 0 to 255, with mean and std inside the model. */
#ifndef VITCC_PIXELS_H
#define VITCC_PIXELS_H

#include "codegen/codegen.h"

/* Makes the input that `text`, "[NAME=]uint8", means one of pixels: g begins with their conversion as `p` prepares them. Sets p->pixels and
 * p->input. */
status pixels_take(ir_graph *g, const char *text, codegen_preprocess *p, diag *d);

#endif
