/* The link of an approval, and what stands for it wherever it is stored or travels. */
#include "flow/approval.h"

#include <stdio.h>
#include <string.h>

#define MARK '~' /* no token contains it */
#define HEX_BYTES (DIGEST_HEX_BYTES - 1)

void approval_reference(const char *token, char ret[APPROVAL_REFERENCE_BYTES])
{
    unsigned char digest[DIGEST_BYTES];
    digest_sha256(token, strlen(token), digest);
    ret[0] = MARK;
    digest_hex(digest, ret + 1);
}

/* Tokens of sessions are signed under the same key; none of them begins like this. */
static void sign(const char *key, const char *reference, char ret[DIGEST_HEX_BYTES])
{
    char text[32 + APPROVAL_REFERENCE_BYTES];
    unsigned char digest[DIGEST_BYTES];
    int size = snprintf(text, sizeof text, "link of a wait\n%s", reference);
    digest_hmac(key, strlen(key), text, (size_t)size, digest);
    digest_hex(digest, ret);
}

bool approval_link(const char *key, const char *reference, char ret[APPROVAL_LINK_BYTES])
{
    char signature[DIGEST_HEX_BYTES];
    if (reference[0] != MARK || strlen(reference) != APPROVAL_REFERENCE_BYTES - 1)
        return false;
    sign(key, reference, signature);
    (void)snprintf(ret, APPROVAL_LINK_BYTES, "%s.%s", reference + 1, signature);
    return true;
}

bool approval_link_read(const char *key, const char *link, char ret[APPROVAL_REFERENCE_BYTES])
{
    char expected[APPROVAL_LINK_BYTES];
    if (strlen(link) != APPROVAL_LINK_BYTES - 1 || link[HEX_BYTES] != '.')
        return false;
    (void)snprintf(ret, APPROVAL_REFERENCE_BYTES, "%c%.*s", MARK, HEX_BYTES, link);
    return approval_link(key, ret, expected) && digest_equals(expected, link, APPROVAL_LINK_BYTES - 1);
}

bool approval_is_token(const char *text)
{
    return strpbrk(text, "~.") == NULL;
}
