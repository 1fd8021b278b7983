#include "base/base64.h"

#include "base/mem.h"
#include <nettle/base64.h>

void base64_add(struct buf *out, const void *bytes, size_t n)
{
    size_t size = BASE64_ENCODE_RAW_LENGTH(n);
    if (n == 0 || !buf_reserve(out, size))
        return;
    base64_encode_raw(out->data + out->len, n, bytes);
    out->len += size;
    out->data[out->len] = '\0';
}

bool base64_decode(const char *text, size_t n, struct buf *out)
{
    struct base64_decode_ctx decoder;
    size_t size = BASE64_DECODE_LENGTH(n), padding = 0;
    AUTO_FREE uint8_t *bytes = mem_resize(NULL, size + 1);
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
        padding++;
    base64_decode_init(&decoder);
    if (!base64_decode_update(&decoder, &size, bytes, n, text) || !base64_decode_final(&decoder) || n % 4 != 0 ||
        size != n / 4 * 3 - padding) /* white space is passed over */
        return false;
    buf_add(out, bytes, size);
    return true;
}
