/* Seals texts under secret keys (XChaCha20-Poly1305). Any thread; a ring is constant once made.
 *
 * A sealed text is "v1.<key id>.<base64 of nonce and ciphertext>". Its context (where it belongs) is authenticated with
 * it: a sealed text copied to another place does not open there. Key and key id are derived from the words of the ring,
 * which may be of any length; the id tells nothing of the key. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

#define SEAL_KEYS_MAX 8
#define SEAL_WORD_MIN 32 /* bytes of a key's word */
#define SEAL_KEY_BYTES 32
#define SEAL_ID_BYTES 17

struct seal_ring {
    struct {
        unsigned char key[SEAL_KEY_BYTES];
        char id[SEAL_ID_BYTES];
    } keys[SEAL_KEYS_MAX]; /* the first seals, all of them open */
    size_t count;
};

/* Adds the key of that word behind the others. VALIDATION: shorter than SEAL_WORD_MIN, or the ring is full. The same
 * word twice is one key. */
enum err seal_ring_add(struct seal_ring *ring, const char *word, size_t size, struct error *reterr) ERROR_MUST_CHECK;
void seal_ring_wipe(struct seal_ring *ring); /* empty afterwards */

/* Appends the sealed text. UNPROCESSABLE: the ring is empty. */
enum err seal_close(const struct seal_ring *ring, const char *context, const void *plain, size_t size, struct buf *out,
                    struct error *reterr) ERROR_MUST_CHECK;
/* Appends the plain text. UNPROCESSABLE: its key is not in the ring (the message names the id), or it was changed or
 * belongs elsewhere. */
enum err seal_open(const struct seal_ring *ring, const char *context, const char *sealed, struct buf *out,
                   struct error *reterr) ERROR_MUST_CHECK;
/* Whether it is sealed under the ring's first key. */
bool seal_is_current(const struct seal_ring *ring, const char *sealed);

/* A word for a new key, from the system's randomness. */
#define SEAL_WORD_BYTES 65
void seal_word_new(char out[SEAL_WORD_BYTES]);
