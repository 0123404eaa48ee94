/* ScatterND whose places are a box of the data. */
#ifndef VITCC_FRONTEND_IMPORT_SCATTER_BOX_H
#define VITCC_FRONTEND_IMPORT_SCATTER_BOX_H

#include "import.h"

/* Of the first `depth` axes of the data, of these sizes: from `begin` on, `size` each. */
typedef struct scatter_box {
    int depth;
    int64_t shape[IR_RANK_MAX], begin[IR_RANK_MAX], size[IR_RANK_MAX];
} scatter_box;

/* Do the indices name the places of a box in order? False: they do not, or are not constant; nothing is reported. */
bool import_find_box(importer *im, import_node *n, int depth, scatter_box *b);
/* Puts the updates there. */
bool import_scatter_into_box(importer *im, import_node *n, const scatter_box *b);

#endif
