/* Bodies of Loop and Scan, imported once a round: values go in by position and come out by position. */
#ifndef VITCC_FRONTEND_IMPORT_BODY_H
#define VITCC_FRONTEND_IMPORT_BODY_H

#include "import_compose.h"

enum { ROUNDS_MAX = 4096 };

/* A tensor as a value that a body can be given. */
import_value *body_value(importer *im, ir_value *tensor);
/* Imports the body with in[i] as its i-th input; NULL: reported. */
importer *body_import(importer *im, import_node *n, const Onnx__GraphProto *body, import_value *const *in);
/* The body's output k; NULL: reported where it was made. */
import_value *body_output(importer *inner, int k);
/* The same as a tensor, an axis of 1 put before it: one round's part of what is stacked. */
ir_value *body_part(importer *inner, import_node *n, int k);

#endif
