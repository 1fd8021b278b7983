/* UTF-8 (RFC 3629), one character at a time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The length (1..4) of the character at `bytes`, of which `n` > 0 are there, and its code point in *ret_code_point;
 * 0 when the bytes are no valid character: cut short, overlong, a surrogate or above U+10FFFF. */
size_t utf8_decode(const char *bytes, size_t n, uint32_t *ret_code_point);
