/* What JavaScript's helpers are given by C: hashes and encodings of texts. Pure. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

/* hash "sha256 hex", hmac "sha256 hex" with a key, encode "base64|base64url|hex", decode likewise. False: unknown, or
 * the text is not decodable to UTF-8 without NUL. */
bool native_call(const char *operation, const char *kind, const char *text, const char *key, struct buf *out);
