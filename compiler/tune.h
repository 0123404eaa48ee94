/* Tries rows a panel and a tile on this machine, and writes the folder anew with those that are faster than what it has. */
#ifndef VITCC_TUNE_H
#define VITCC_TUNE_H

#include <stdbool.h>

#include "base/status.h"

typedef struct tune_options {
    const char *folder;      /* that vitcc compile wrote */
    int threads, batch;      /* 0: the program's own choice, all cores it may use and one image (or the model's fixed batch) */
    bool quiet;
} tune_options;

status tune(const tune_options *o);

#endif
