/* The link of an approval, and what stands for it wherever it is stored or travels.
 *
 * A wait is known by its reference: a mark and the SHA-256 of its token, or a token in clear in what was stored before
 * references were. Two links lead to it: the token itself, which the store does not know, and the reference with a
 * signature (HMAC-SHA-256) under the key of the gateways, which is not in the store either. */
#pragma once
#include "base/digest.h"
#include <stdbool.h>

#define APPROVAL_REFERENCE_BYTES (DIGEST_HEX_BYTES + 1)
#define APPROVAL_LINK_BYTES (2 * DIGEST_HEX_BYTES)

void approval_reference(const char *token, char ret[APPROVAL_REFERENCE_BYTES]);
/* The last part of a link that can be shown again and again; false: the reference is a token in clear, and its link. */
bool approval_link(const char *key, const char *reference, char ret[APPROVAL_LINK_BYTES]);
/* The reference of such a link; false: it is none, or of another key. */
bool approval_link_read(const char *key, const char *link, char ret[APPROVAL_REFERENCE_BYTES]);
/* Whether it may be a token; a reference that somebody has read in the store is none. */
bool approval_is_token(const char *text);
