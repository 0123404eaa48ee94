/* A 128-bit digest of bytes, for pairing code with weights and naming constants in text. Not cryptographic. */
#ifndef VITCC_BASE_DIGEST_H
#define VITCC_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct digest { uint64_t low, high; } digest;

/* Digest of `n` bytes, continuing from `seed` ({0, 0} to start). The same on every machine. */
digest digest_bytes(digest seed, const void *bytes, size_t n);
/* Another digest, of many bytes, taken on all cores: digest_bytes of the digests of each 4 MB, one after another. */
digest digest_large(digest seed, const void *bytes, size_t n);
bool digest_equal(digest a, digest b);

#endif
