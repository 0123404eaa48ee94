/* Products as MatMul, Gemm and Einsum share them. */
#ifndef VITCC_FRONTEND_IMPORT_PRODUCT_H
#define VITCC_FRONTEND_IMPORT_PRODUCT_H

#include "import.h"

/* All inputs are floats of one type; false: reported. */
bool import_check_floats(importer *im, const import_node *n);
/* x·w as `linear` where w is a constant [K, N], with its bias or NULL; else as `matmul`. NULL inputs and results: reported. */
ir_value *import_product(importer *im, const import_node *n, ir_value *x, ir_value *w, ir_value *bias);

#endif
