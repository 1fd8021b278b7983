/* SHA-256 and HMAC-SHA-256, through libsodium. */
#include "base/digest.h"

#include <sodium.h>

void digest_sha256(const void *bytes, size_t n, unsigned char ret[DIGEST_BYTES])
{
    (void)crypto_hash_sha256(ret, bytes, n);
}

void digest_hmac(const void *key, size_t key_size, const void *bytes, size_t n, unsigned char ret[DIGEST_BYTES])
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, key, key_size);
    (void)crypto_auth_hmacsha256_update(&state, bytes, n);
    (void)crypto_auth_hmacsha256_final(&state, ret);
    sodium_memzero(&state, sizeof state);
}

void digest_hex(const unsigned char digest[DIGEST_BYTES], char ret[DIGEST_HEX_BYTES])
{
    (void)sodium_bin2hex(ret, DIGEST_HEX_BYTES, digest, DIGEST_BYTES);
}

bool digest_equals(const char *a, const char *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}
