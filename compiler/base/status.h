/* Status codes of the compiler, from status.def. */
#ifndef VITCC_BASE_STATUS_H
#define VITCC_BASE_STATUS_H

typedef enum status {
#define STATUS(name, number, sentence, remedy) STATUS_##name = number,
#include "status.def"
#undef STATUS
} status;

/* What went wrong, one sentence without a full stop. */
const char *status_sentence(status s);
/* What to do about it; "" where nothing can be. */
const char *status_remedy(status s);

#endif
