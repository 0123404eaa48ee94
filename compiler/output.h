/* The output folder: written beside, then moved into place, so that a failure leaves nothing half-written. */
#ifndef VITCC_OUTPUT_H
#define VITCC_OUTPUT_H

#include "base/diag.h"

typedef struct output { arena *arena; const char *folder, *temporary; } output;

/* Makes the temporary folder beside `folder`, which must not exist, be empty, or have been written by vitcc; `record` goes into .vitcc. */
status output_begin(output *o, arena *a, const char *folder, const char *record, diag *d);
status output_commit(output *o, diag *d);
void output_abandon(output *o);
void output_remove(const char *folder);   /* with all that it holds */

#endif
