/* --bind NAME=FILE.npy: inputs that become constants. */
#ifndef VITCC_BIND_H
#define VITCC_BIND_H

#include "frontend/frontend.h"

/* Reads the files of all arguments into the arena; reports what cannot be read. */
status bind_read(arena *a, int count, const char *const *text, frontend_binding **out, diag *d);
/* The model's digest with what is bound: a program of other values is another program. */
digest bind_digest(digest model, int count, const frontend_binding *binding);

#endif
