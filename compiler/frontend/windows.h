/* Sliding windows, as Conv and the pools have them. */
#ifndef VITCC_FRONTEND_WINDOWS_H
#define VITCC_FRONTEND_WINDOWS_H

#include "import.h"

typedef struct windows {
    int axes;                                                  /* spatial */
    int64_t size[IR_RANK_MAX];                                 /* of the input; 0: not known */
    int64_t kernel[IR_RANK_MAX], strides[IR_RANK_MAX], dilations[IR_RANK_MAX];
    int64_t pads[2 * IR_RANK_MAX];                             /* begins, then ends */
} windows;

/* Reads strides, dilations, pads and auto_pad; `kernel` and `axes` are set already. False: reported. */
bool windows_read(importer *im, import_node *n, windows *w);
/* One entry an axis, within bounds; absent: all `otherwise`. False: reported. */
bool windows_list(importer *im, import_node *n, const char *name, int count, int64_t least, int64_t otherwise, int64_t *to);
/* All of a convolution with its weights at input `weights`. False: reported. */
bool windows_read_conv(importer *im, import_node *n, int weights, windows *w, int64_t *group);
/* The graph's convolution; bias may be NULL, NULL inputs and results are reported. */
ir_value *windows_conv(importer *im, const import_node *n, ir_value *x, ir_value *weights, ir_value *bias, const windows *w, int64_t group);

#endif
