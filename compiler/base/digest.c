/* The digest of bytes: four independent lanes of 64-bit multiplies over blocks of 64 bytes, mixed down at the end. Each step is a bijection of a
 * lane's state for given bytes, and of the bytes for a given state: no single difference is ever lost. */
#include "digest.h"

#include <string.h>

#include "pipeline.h"

enum { LANES = 4, BLOCK = LANES * 16, AHEAD = 2048 };   /* fetched so many bytes ahead, large inputs take half the time */

static const uint64_t key[8] = {
    0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu, 0x165667b19e3779f9u, 0xd6e8feb86659fd93u,
    0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu, 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u,
};

static inline uint64_t read64(const unsigned char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* Adds 16 bytes to a lane. */
static inline void absorb(uint64_t *low, uint64_t *high, uint64_t x, uint64_t y)
{
    *low = rotate(*low ^ x * key[0], 31) * key[1];
    *high = (rotate(*high ^ y * key[2], 29) + *low) * key[3];
}

static inline uint64_t finish(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 29;
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

digest digest_bytes(digest seed, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t low[LANES], high[LANES];
    for (int i = 0; i < LANES; i++) {
        low[i] = seed.low + key[i];
        high[i] = seed.high ^ key[i + 4];
    }
    size_t left = n;
    for (; left >= BLOCK; left -= BLOCK, p += BLOCK) {
        if (left > AHEAD) __builtin_prefetch(p + AHEAD);
        for (int i = 0; i < LANES; i++) absorb(&low[i], &high[i], read64(p + 16 * i), read64(p + 16 * i + 8));
    }
    if (left) {
        unsigned char last[BLOCK] = {0};
        memcpy(last, p, left);
        for (int i = 0; i < LANES; i++) absorb(&low[i], &high[i], read64(last + 16 * i), read64(last + 16 * i + 8));
    }
    digest d = {finish(seed.low ^ (uint64_t)n), finish(seed.high + (uint64_t)n)};
    for (int i = 0; i < LANES; i++) {
        absorb(&d.low, &d.high, low[i], high[i]);
        d.high = finish(d.high + d.low);
        d.low = finish(d.low ^ d.high);
    }
    return (digest){finish(d.low), finish(d.high)};
}

enum { PART = 4 << 20 };

typedef struct parts {
    const unsigned char *bytes;
    size_t size;
    digest part[PIPELINE_SLOTS], whole;
} parts;

static void make_part(void *context, int item, int slot)
{
    parts *p = context;
    const size_t at = (size_t)item * PART, left = p->size - at;
    p->part[slot] = digest_bytes((digest){0, 0}, p->bytes + at, left < PART ? left : PART);
}

static bool take_part(void *context, int item, int slot)
{
    (void)item;
    parts *p = context;
    p->whole = digest_bytes(p->whole, &p->part[slot], sizeof p->part[slot]);
    return true;
}

digest digest_large(digest seed, const void *bytes, size_t n)
{
    parts p = {.bytes = bytes, .size = n, .whole = seed};
    pipeline_run((int)(n / PART) + 1, make_part, take_part, &p);
    return p.whole;
}

bool digest_equal(digest a, digest b)
{
    return a.low == b.low && a.high == b.high;
}
