/* Files as memory: the model and the external data beside it, mapped read-only for as long as the graph lives. */
#ifndef VITCC_FRONTEND_MAP_H
#define VITCC_FRONTEND_MAP_H

#include "../base/diag.h"

typedef struct mapped_file {
    const char *path;              /* resolved */
    const uint8_t *data;           /* [size] */
    size_t size;
    struct mapped_file *next;      /* in order of first use; the model is the first */
} mapped_file;

typedef struct mapping {
    arena *arena;
    const char *folder;            /* of the model, resolved */
    mapped_file *first, *last;
} mapping;

mapping *map_new(arena *a);
/* Maps the model and notes its folder. */
status map_model(mapping *m, const char *path, diag *d);
/* Maps an external data file, once however often it is named. `location` is relative to the model's folder and must not leave it, through
 * symbolic links neither. */
status map_external(mapping *m, const char *location, const diag_place *place, diag *d, const mapped_file **out);
void map_close(mapping *m);        /* NULL is fine */

#endif
