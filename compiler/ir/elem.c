/* Element types, from elem.def. */
#include "elem.h"

#include <string.h>

static const struct { const char *name; size_t size; char class; int onnx; } row[ELEM_COUNT] = {
    [ELEM_NONE] = {"none", 0, '-', 0},
#define ELEM(NAME, name, bytes, class, onnx) [ELEM_##NAME] = {#name, bytes, class, onnx},
#include "elem.def"
#undef ELEM
};

const char *elem_name(elem e)
{
    return row[e].name;
}

elem elem_from_name(const char *name)
{
    for (int i = ELEM_NONE + 1; i < ELEM_COUNT; i++)
        if (strcmp(row[i].name, name) == 0) return (elem)i;
    return ELEM_NONE;
}

elem elem_from_onnx(int data_type)
{
    for (int i = ELEM_NONE + 1; i < ELEM_COUNT; i++)
        if (row[i].onnx == data_type) return (elem)i;
    return ELEM_NONE;
}

size_t elem_size(elem e)
{
    return row[e].size;
}

bool elem_is_float(elem e)
{
    return row[e].class == 'f';
}

bool elem_is_signed(elem e)
{
    return row[e].class == 's';
}

bool elem_is_integer(elem e)
{
    return row[e].class == 's' || row[e].class == 'u';
}
