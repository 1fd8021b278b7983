/* Hashes by nettle, encodings. */
#include "script/native.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <nettle/hmac.h>
#include <nettle/nettle-meta.h>
#include <stdlib.h>
#include <string.h>

static void add_hex(struct buf *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        buf_add_char(out, digits[bytes[i] >> 4]);
        buf_add_char(out, digits[bytes[i] & 15]);
    }
}

static void replace(char *text, char from, char to)
{
    for (; *text != '\0'; text++)
        *text = *text == from ? to : *text;
}

static bool encode(const char *encoding, const void *bytes, size_t n, struct buf *out)
{
    if (strcmp(encoding, "hex") == 0) {
        add_hex(out, bytes, n);
        return true;
    }
    bool url = strcmp(encoding, "base64url") == 0;
    if (!url && strcmp(encoding, "base64") != 0)
        return false;
    if (n > 0)
        base64_add(out, bytes, n);
    if (url && out->len > 0) {
        replace(out->data, '+', '-');
        replace(out->data, '/', '_');
        while (out->len > 0 && out->data[out->len - 1] == '=')
            out->data[--out->len] = '\0';
    }
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool decode_hex(const char *text, struct buf *out)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + 1 < n; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_add_char(out, (char)(high << 4 | low));
    }
    return n % 2 == 0;
}

static bool decode(const char *encoding, const char *text, struct buf *out)
{
    if (strcmp(encoding, "hex") == 0)
        return decode_hex(text, out);
    AUTO_BUF struct buf padded;
    buf_init(&padded, 0);
    buf_add_str(&padded, text);
    if (padded.len == 0)
        return true;
    replace(padded.data, '-', '+');
    replace(padded.data, '_', '/');
    while (padded.len % 4 != 0)
        buf_add_char(&padded, '=');
    return base64_decode(padded.data, padded.len, out);
}

static bool is_text(const struct buf *bytes)
{
    for (size_t i = 0, step; i < bytes->len; i += step) {
        uint32_t code_point;
        step = utf8_decode(bytes->data + i, bytes->len - i, &code_point);
        if (step == 0 || code_point == 0)
            return false;
    }
    return true;
}

static const struct nettle_hash *find_hash(const char *name, size_t len)
{
    for (const struct nettle_hash *const *hash = nettle_get_hashes(); *hash != NULL; hash++)
        if (strlen((*hash)->name) == len && memcmp((*hash)->name, name, len) == 0)
            return *hash;
    return NULL;
}

static bool digest(const char *kind, const char *text, const char *key, struct buf *out)
{
    size_t len = strcspn(kind, " ");
    const struct nettle_hash *hash = find_hash(kind, len);
    if (hash == NULL || hash->digest_size > 64 || kind[len] == '\0')
        return false;
    unsigned char result[64]; /* SHA-512 is the longest */
    AUTO_FREE char *contexts = mem_alloc(3 * (size_t)hash->context_size);
    void *outer = contexts, *inner = contexts + hash->context_size, *state = contexts + 2 * (size_t)hash->context_size;
    if (key == NULL) {
        hash->init(state);
        hash->update(state, strlen(text), (const uint8_t *)text);
        hash->digest(state, hash->digest_size, result);
    } else {
        hmac_set_key(outer, inner, state, hash, strlen(key), (const uint8_t *)key);
        hmac_update(state, hash, strlen(text), (const uint8_t *)text);
        hmac_digest(outer, inner, state, hash, hash->digest_size, result);
    }
    return encode(kind + len + 1, result, hash->digest_size, out);
}

bool native_call(const char *operation, const char *kind, const char *text, const char *key, struct buf *out)
{
    if (strcmp(operation, "hash") == 0)
        return digest(kind, text, NULL, out);
    if (strcmp(operation, "hmac") == 0)
        return digest(kind, text, key, out);
    if (strcmp(operation, "encode") == 0)
        return encode(kind, text, strlen(text), out);
    return strcmp(operation, "decode") == 0 && decode(kind, text, out) && is_text(out);
}
