/* The output folder: written beside, then moved into place, so that a failure leaves nothing half-written. */
#ifndef VITCC_OUTPUT_H
#define VITCC_OUTPUT_H

#include "base/diag.h"

typedef struct output { arena *arena; const char *folder, *temporary; } output;

/* Makes the temporary folder beside `folder`, which must not exist, be empty, or have been written by vitcc. */
status output_begin(output *o, arena *a, const char *folder, diag *d);
status output_commit(output *o, diag *d);
void output_abandon(output *o);

#endif
