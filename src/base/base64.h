/* Bytes as text (RFC 4648, section 4, with padding). */
#pragma once
#include "base/buf.h"

#define BASE64_MOST ((size_t)1 << 30) /* bytes; far more than any message or body may hold */
void base64_add(struct buf *out, const void *bytes, size_t n);
/* Appends the bytes of a text; false: it is no base64, nothing is appended. What out has no room for is
 * noted in it (overflow). */
bool base64_decode(const char *text, size_t n, struct buf *out);
