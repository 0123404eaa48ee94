/* Items made on all cores and taken one after another: what takes time to compute and has to be written, or joined, in order. */
#ifndef VITCC_BASE_PIPELINE_H
#define VITCC_BASE_PIPELINE_H

#include <stdbool.h>

enum { PIPELINE_SLOTS = 8 };   /* so many items at most, two more than there are threads, are made and not yet taken */

/* Makes an item, on any thread. Slot 0 to PIPELINE_SLOTS - 1 is the item's own until it is taken. Arenas are not for threads: it allocates from
 * none. */
typedef void pipeline_make(void *context, int item, int slot);
/* Takes a made item, on the caller's thread; false: no more. It leaves no other way, so it allocates from no arena either. */
typedef bool pipeline_take(void *context, int item, int slot);

/* Makes and takes items 0 to items - 1; false: `take` wanted no more. Where no thread can be started the caller makes them all. */
bool pipeline_run(int items, pipeline_make *make, pipeline_take *take, void *context);

#endif
