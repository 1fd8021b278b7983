/* What a pool and its runners tell each other over a socket: frames of a length, a head and texts.
 *
 *     u32 bytes of what follows | u32 call | u8 kind | u8 count | count times (u32 bytes, bytes, NUL)
 *
 * Numbers in the machine's order: both ends are the same program on the same machine. */
#pragma once
#include "base/buf.h"
#include <stdint.h>

#define FRAME_TEXTS_MAX 3
#define FRAME_HEAD_BYTES 10
/* Three texts and their lengths. */
#define FRAME_BYTES_MAX ((size_t)(36 << 20))

enum frame_kind {
    /* to the runner */
    FRAME_EXPRESSIONS, /* realm, program, data */
    FRAME_CODE,
    FRAME_MAP,
    FRAME_CHECK,
    FRAME_CANCEL, /* no texts: the call is not wanted any more */
    /* to the pool */
    FRAME_READY,   /* it takes calls; text: why it cannot */
    FRAME_RETIRE,  /* it ends: calls without an answer have not begun */
    FRAME_DROPPED, /* the call was cancelled before it began */
    FRAME_ANSWER,  /* log lines as JSON or nothing, a line feed, the result as JSON */
    FRAME_KIND_COUNT
};

struct frame_text {
    const char *bytes; /* a NUL follows them in a decoded frame */
    size_t len;
};

struct frame {
    uint32_t call;
    enum frame_kind kind;
    unsigned count;
    struct frame_text texts[FRAME_TEXTS_MAX];
};

void frame_encode(const struct frame *frame, struct buf *out);

enum frame_outcome { FRAME_WHOLE, FRAME_PARTIAL, FRAME_BROKEN };
/* Looks at the beginning of `bytes`. The texts are borrowed from it. *ret_used: bytes of the frame. */
enum frame_outcome frame_decode(const char *bytes, size_t len, struct frame *ret, size_t *ret_used);
