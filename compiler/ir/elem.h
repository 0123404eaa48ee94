/* Element types. */
#ifndef VITCC_IR_ELEM_H
#define VITCC_IR_ELEM_H

#include <stdbool.h>
#include <stddef.h>

typedef enum elem {
    ELEM_NONE,
#define ELEM(NAME, name, bytes, class, onnx) ELEM_##NAME,
#include "elem.def"
#undef ELEM
    ELEM_COUNT
} elem;

const char *elem_name(elem e);            /* "f32", "i64", … */
elem elem_from_name(const char *name);    /* ELEM_NONE: no such type */
elem elem_from_onnx(int data_type);       /* TensorProto.DataType; ELEM_NONE: not supported */
size_t elem_size(elem e);                 /* bytes */
bool elem_is_float(elem e);
bool elem_is_signed(elem e);              /* a signed integer */
bool elem_is_integer(elem e);             /* signed or not; bool is neither integer nor float */

#endif
