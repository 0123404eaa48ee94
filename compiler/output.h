/* The output folder: written beside, then moved into place, so that a failure leaves nothing half-written. */
#ifndef VITCC_OUTPUT_H
#define VITCC_OUTPUT_H

#include "base/diag.h"

typedef struct output { arena *arena; const char *folder, *temporary; } output;

/* Names of files, with the folder that they are in before them if there is one: "model.c", "runtime/team.h". Sorted. */
typedef struct output_files { int count; const char **name; } output_files;

/* Makes the temporary folder beside `folder`, which must not exist, be empty, or have been written by vitcc. */
status output_begin(output *o, arena *a, const char *folder, diag *d);
/* What has been written into it so far. */
output_files output_list(const output *o);
/* Moves the files into place; `record` becomes .vitcc. What was written `before` and is not written now is removed: files of an older name. */
status output_commit(output *o, const char *record, output_files before, diag *d);
void output_abandon(output *o);
void output_remove(const char *folder);   /* with all that it holds */

#endif
