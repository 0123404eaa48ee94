/* The table of ONNX operators. */
#include <limits.h>
#include <string.h>

#include "import.h"

static const import_operator rows[] = {
#define OPERATOR(name, oldest, newest, least, most, handler, detail) { "", #name, oldest, newest, least, most, handler, detail },
#define MICROSOFT(name, least, most, handler, detail) { "com.microsoft", #name, INT_MIN, INT_MAX, least, most, handler, detail },
#include "operators.def"
#undef MICROSOFT
#undef OPERATOR
};

const import_operator *import_find_operator(const char *domain, const char *name, int64_t opset)
{
    if (!strcmp(domain, "ai.onnx")) domain = "";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const import_operator *o = &rows[i];
        if (!strcmp(o->name, name) && !strcmp(o->domain, domain) && opset >= o->oldest && opset <= o->newest) return o;
    }
    return NULL;
}
