/* Sealed texts, by libsodium. */
#include "base/seal.h"

#include "base/base64.h"
#include "base/mem.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "v1."
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

/* Two values from one word that tell nothing of one another: the purpose is the hash's key. */
static void derive(const char *purpose, const char *word, size_t size, unsigned char *out, size_t out_bytes)
{
    unsigned char key[crypto_generichash_KEYBYTES] = {0};
    memcpy(key, purpose, strlen(purpose) < sizeof key ? strlen(purpose) : sizeof key);
    if (crypto_generichash(out, out_bytes, (const unsigned char *)word, size, key, sizeof key) != 0)
        abort(); /* only for sizes out of range */
}

enum err seal_ring_add(struct seal_ring *ring, const char *word, size_t size, struct error *reterr)
{
    unsigned char id[crypto_generichash_BYTES_MIN]; /* half of it is enough of a name */
    char id_text[SEAL_ID_BYTES];
    if (sodium_init() < 0)
        return error_set(reterr, ERR_IO, NULL, "The system gives no randomness.");
    if (size < SEAL_WORD_MIN)
        return error_set(reterr, ERR_VALIDATION, NULL, "a key has %zu characters, it needs at least %d", size,
                         SEAL_WORD_MIN);
    derive("caudal seal id", word, size, id, sizeof id);
    (void)sodium_bin2hex(id_text, sizeof id_text, id, (SEAL_ID_BYTES - 1) / 2);
    for (size_t i = 0; i < ring->count; i++)
        if (strcmp(ring->keys[i].id, id_text) == 0)
            return ERR_OK;
    if (ring->count == SEAL_KEYS_MAX)
        return error_set(reterr, ERR_VALIDATION, NULL, "there are more than %d keys", SEAL_KEYS_MAX);
    memcpy(ring->keys[ring->count].id, id_text, sizeof id_text);
    derive("caudal seal key", word, size, ring->keys[ring->count].key, SEAL_KEY_BYTES);
    ring->count++;
    return ERR_OK;
}

void seal_ring_wipe(struct seal_ring *ring)
{
    sodium_memzero(ring, sizeof *ring);
}

enum err seal_close(const struct seal_ring *ring, const char *context, const void *plain, size_t size, struct buf *out,
                    struct error *reterr)
{
    if (ring->count == 0)
        return error_set(reterr, ERR_UNPROCESSABLE, NULL, "There is no key to seal secrets with: set SECRETS_KEY.");
    unsigned char *bytes = mem_alloc(NONCE_BYTES + size + TAG_BYTES);
    unsigned long long sealed_bytes = 0;
    randombytes_buf(bytes, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + NONCE_BYTES, &sealed_bytes, plain, size,
                                                     (const unsigned char *)context, strlen(context), NULL, bytes,
                                                     ring->keys[0].key); /* cannot fail */
    buf_add_str(out, VERSION);
    buf_add_str(out, ring->keys[0].id);
    buf_add_char(out, '.');
    base64_add(out, bytes, NONCE_BYTES + (size_t)sealed_bytes);
    free(bytes);
    return ERR_OK;
}

/* Where the key's id stands; NULL: it is no sealed text. */
static const char *id_of(const char *sealed)
{
    size_t prefix = sizeof VERSION - 1;
    if (strncmp(sealed, VERSION, prefix) != 0 || strlen(sealed) < prefix + SEAL_ID_BYTES ||
        sealed[prefix + SEAL_ID_BYTES - 1] != '.')
        return NULL;
    return sealed + prefix;
}

static const unsigned char *key_of(const struct seal_ring *ring, const char *id)
{
    for (size_t i = 0; i < ring->count; i++)
        if (memcmp(ring->keys[i].id, id, SEAL_ID_BYTES - 1) == 0)
            return ring->keys[i].key;
    return NULL;
}

static enum err damaged(struct error *reterr)
{
    return error_set(reterr, ERR_UNPROCESSABLE, NULL,
                     "What is sealed was changed, or belongs elsewhere: give the secret its value again.");
}

enum err seal_open(const struct seal_ring *ring, const char *context, const char *sealed, struct buf *out,
                   struct error *reterr)
{
    AUTO_BUF struct buf bytes = {0};
    const char *id = id_of(sealed);
    if (id == NULL || !base64_decode(id + SEAL_ID_BYTES, strlen(id + SEAL_ID_BYTES), &bytes) ||
        bytes.len < NONCE_BYTES + TAG_BYTES)
        return damaged(reterr);
    const unsigned char *key = key_of(ring, id);
    if (key == NULL)
        return error_set(reterr, ERR_UNPROCESSABLE, NULL,
                         "It is sealed under the key %.16s, which SECRETS_KEY of this service does not hold.", id);
    size_t size = bytes.len - NONCE_BYTES - TAG_BYTES;
    unsigned char *plain = mem_alloc(size + 1);
    unsigned long long opened = 0;
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        plain, &opened, NULL, (const unsigned char *)bytes.data + NONCE_BYTES, bytes.len - NONCE_BYTES,
        (const unsigned char *)context, strlen(context), (const unsigned char *)bytes.data, key);
    if (failed == 0)
        buf_add(out, plain, (size_t)opened);
    sodium_memzero(plain, size + 1);
    free(plain);
    return failed == 0 ? ERR_OK : damaged(reterr);
}

bool seal_is_current(const struct seal_ring *ring, const char *sealed)
{
    const char *id = id_of(sealed);
    return id != NULL && ring->count > 0 && memcmp(ring->keys[0].id, id, SEAL_ID_BYTES - 1) == 0;
}

void seal_word_new(char out[SEAL_WORD_BYTES])
{
    unsigned char bytes[(SEAL_WORD_BYTES - 1) / 2];
    if (sodium_init() < 0)
        abort(); /* no randomness: nothing may be sealed */
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2hex(out, SEAL_WORD_BYTES, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
}
