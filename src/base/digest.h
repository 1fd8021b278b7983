/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104). */
#pragma once
#include "base/buf.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX_BYTES 65 /* with the NUL */

void digest_sha256(const void *bytes, size_t n, unsigned char ret[DIGEST_BYTES]);
void digest_hmac(const void *key, size_t key_size, const void *bytes, size_t n, unsigned char ret[DIGEST_BYTES]);
/* In a time that does not tell where they differ. */
bool digest_equals(const char *a, const char *b, size_t n);
void digest_hex(const unsigned char digest[DIGEST_BYTES], char ret[DIGEST_HEX_BYTES]); /* lower case */
