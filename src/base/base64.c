#include "base/base64.h"

#include "base/mem.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define CHARS(n) (((n) + 2) / 3 * 4)

void base64_add(struct buf *out, const void *bytes, size_t n)
{
    if (n > BASE64_MOST)
        abort();
    if (n == 0 || !buf_reserve(out, CHARS(n)))
        return;
    out->len += (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, bytes, (int)n);
}

/* libcrypto passes over space and dashes at the ends, takes = for A, and any bits behind the last byte. */
static bool is_exact(const char *text, size_t n, const uint8_t *bytes, size_t size)
{
    char last[CHARS(3) + 1];
    size_t rest = size - (n / 4 - 1) * 3;
    (void)EVP_EncodeBlock((unsigned char *)last, bytes + size - rest, (int)rest);
    return memcmp(last, text + n - 4, 4) == 0 && memchr(text, '=', n - 4) == NULL;
}

bool base64_decode(const char *text, size_t n, struct buf *out)
{
    size_t padding = 0;
    if (n == 0)
        return true;
    if (n % 4 != 0 || n > CHARS(BASE64_MOST))
        return false;
    while (padding < 2 && text[n - 1 - padding] == '=')
        padding++;
    AUTO_FREE uint8_t *bytes = mem_resize(NULL, n / 4 * 3);
    size_t size = n / 4 * 3 - padding;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)n) != (int)(n / 4 * 3) ||
        !is_exact(text, n, bytes, size))
        return false;
    buf_add(out, bytes, size);
    return true;
}
