/* Numbers that follow a run's length, as tensors. */
#ifndef VITCC_FRONTEND_IMPORT_LENGTH_H
#define VITCC_FRONTEND_IMPORT_LENGTH_H

#include "import.h"

/* Can v be a tensor, all that it counts along being lengths? */
bool import_length_fits(importer *im, import_value *v);
/* As a tensor of the graph; NULL: it does not fit, or does not type-check. */
ir_value *import_length_tensor(importer *im, import_value *v);

#endif
