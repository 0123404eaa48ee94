/* Located diagnostics: collected while working, printed at the end. One line each:
 *   m.onnx: node 17 'attn/Softmax' input 0 [1,12,197,197]: error E305: shapes contradict each other: 12 and 16 heads; check …
 */
#ifndef VITCC_BASE_DIAG_H
#define VITCC_BASE_DIAG_H

#include <stdio.h>

#include "arena.h"
#include "status.h"

typedef struct diag diag;

typedef struct diag_place {
    const char *node;     /* "node 17 'attn/Softmax'"; NULL: the file as a whole */
    int input;            /* index of the node's input; -1: none */
    const char *shape;    /* that input's type and shape, printed; NULL: not known */
} diag_place;

diag *diag_new(arena *a, const char *file);
/* Reports an error. `place` may be NULL; `format` tells the particulars and may be "". What comes from the model is printed with control characters
 * escaped. Returns code. */
status diag_error(diag *d, status code, const diag_place *place, const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_note(diag *d, const diag_place *place, const char *format, ...) __attribute__((format(printf, 3, 4)));
int diag_errors(const diag *d);
status diag_first(const diag *d);                       /* code of the first error; STATUS_OK: none */
const char *diag_line(const diag *d, int i);            /* the i-th line, without newline; NULL past the end */
void diag_print(const diag *d, FILE *to);

#endif
