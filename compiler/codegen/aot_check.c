/* What shows that machine code may be moved: it came out the same elsewhere, and no address is in it. */
#include "aot.h"

#include <string.h>

bool aot_holds_address(const unsigned char *code, size_t size, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i + sizeof(uint64_t) <= size; i++) {
        uint64_t word;
        memcpy(&word, code + i, sizeof word);
        if (word >= first && word < last) return true;
    }
    return false;
}

bool aot_independent(const aot_code *x, const uintptr_t *at_x, const aot_code *y, const uintptr_t *at_y, int count)
{
    for (int i = 0; i < count; i++) {
        if (x[i].size != y[i].size || (x[i].size && memcmp(x[i].bytes, y[i].bytes, x[i].size))) return false;
        if (x[i].size && at_x[i] == at_y[i]) return false;
    }
    return true;
}
