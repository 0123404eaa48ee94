/* Attributes of nodes, by name and kind. */
#include <inttypes.h>
#include <string.h>

#include "import.h"

const Onnx__AttributeProto *import_attribute(const import_node *n, const char *name)
{
    for (size_t i = 0; i < n->proto->n_attribute; i++) {
        const Onnx__AttributeProto *a = n->proto->attribute[i];
        if (a->name && !strcmp(a->name, name)) return a;
    }
    return NULL;
}

static bool refuse(importer *im, import_node *n, const char *name, const char *what)
{
    n->wrong = true;
    return import_fail(im, n, STATUS_BAD_FIELD, -1, "attribute %s is not %s", name, what);
}

int64_t import_int(importer *im, import_node *n, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *a = import_attribute(n, name);
    if (!a) return otherwise;
    if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT) return a->i;
    refuse(im, n, name, "a whole number");
    return otherwise;
}

double import_float(importer *im, import_node *n, const char *name, double otherwise)
{
    const Onnx__AttributeProto *a = import_attribute(n, name);
    if (!a) return otherwise;
    if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT) return (double)a->f;
    refuse(im, n, name, "a number");
    return otherwise;
}

const char *import_string(importer *im, import_node *n, const char *name, const char *otherwise)
{
    const Onnx__AttributeProto *a = import_attribute(n, name);
    if (!a) return otherwise;
    if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING && (!a->s.len || !memchr(a->s.data, 0, a->s.len))) {
        return arena_strndup(im->arena, a->s.len ? (const char *)a->s.data : "", a->s.len);
    }
    refuse(im, n, name, "a string");
    return otherwise;
}

bool import_ints(importer *im, import_node *n, const char *name, const int64_t **list, int *count)
{
    const Onnx__AttributeProto *a = import_attribute(n, name);
    *list = NULL;
    *count = 0;
    if (!a) return false;
    if (a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS || a->n_ints > CONTENTS_MAX) return refuse(im, n, name, "a list of whole numbers");
    *list = a->ints;
    *count = (int)a->n_ints;
    return true;
}

bool import_flag(importer *im, import_node *n, const char *name, int64_t supported)
{
    const int64_t value = import_int(im, n, name, supported);
    if (value == supported) return true;
    n->wrong = true;
    return import_fail(im, n, STATUS_ATTRIBUTE, -1, "%s = %" PRId64, name, value);
}
