/* Status codes: their sentences and remedies, from status.def. */
#include "status.h"

const char *status_sentence(status s)
{
    switch (s) {
#define STATUS(name, number, sentence, remedy) case STATUS_##name: return sentence;
#include "status.def"
#undef STATUS
    }
    return "unknown error";
}

const char *status_remedy(status s)
{
    switch (s) {
#define STATUS(name, number, sentence, remedy) case STATUS_##name: return remedy;
#include "status.def"
#undef STATUS
    }
    return "";
}
