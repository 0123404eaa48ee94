/* What the file .vitcc of a folder tells: how it was made, so that `vitcc tune` can make it again. JSON; the one file that holds a path. */
#ifndef VITCC_RECORD_H
#define VITCC_RECORD_H

#include "driver.h"
#include "output.h"

/* The file's text. `name` is the one that the symbols have; files: what was written. Text that is not UTF-8 cannot be told in JSON: then the note stands alone. */
const char *record_text(arena *a, const driver_options *o, const char *name, digest model, output_files files);
/* The files that the folder's record names; none where there is no record, or one that names none. */
output_files record_files(arena *a, const char *folder);
/* Fills what decides about the code: model, name, configuration, shapes, passes, kernels, rows; and the model's digest. */
status record_read(arena *a, const char *folder, driver_options *o, digest *model, diag *d);

#endif
