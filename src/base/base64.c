#include "base/base64.h"

#include "base/mem.h"
#include <sodium.h>

void base64_add(struct buf *out, const void *bytes, size_t n)
{
    size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
    AUTO_FREE char *text = mem_resize(NULL, room);
    (void)sodium_bin2base64(text, room, bytes, n, sodium_base64_VARIANT_ORIGINAL);
    buf_add(out, text, room - 1); /* without its NUL */
}

bool base64_decode(const char *text, size_t n, struct buf *out)
{
    AUTO_FREE unsigned char *bytes = mem_resize(NULL, n / 4 * 3 + 3);
    size_t size = 0;
    if (sodium_base642bin(bytes, n / 4 * 3 + 3, text, n, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    buf_add(out, bytes, size);
    return true;
}
