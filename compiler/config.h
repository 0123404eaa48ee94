/* Reads config.json (labels) and preprocessor_config.json, as HuggingFace writes them beside a model. Both may be missing. */
#ifndef VITCC_CONFIG_H
#define VITCC_CONFIG_H

#include "base/diag.h"
#include "codegen/codegen.h"

/* folder: where they are; NULL: the model's own folder. Fills in the labels and the preprocessing of *o. */
status config_read(arena *a, const char *folder, const char *model, codegen_options *o, diag *d);

#endif
