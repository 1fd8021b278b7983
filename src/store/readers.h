/* The sessions that read, at most so many at once. A new one costs a database more than many reads (a connection, and
 * each statement planned anew), so they stay open, the one given back last is taken first, and another is opened only
 * by who has waited for a while, one at a time: a burst of short reads shares those that are there. What a whole minute
 * had no use for is closed. Private to src/store/. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum {
    READERS_GROW_AFTER_MS = 10,
    READERS_GROW_REST_MS = 100, /* from one opening to the next */
    READERS_WAIT_MS = 5000,
    READERS_LOOK_MS = 60000 /* so long a session must have been idle beside others to be closed */
};

struct store_session;
struct readers_options {
    size_t most;
    enum err (*open)(void *user, struct store_session **ret, struct error *reterr);
    void (*close)(void *user, struct store_session *session);
    int64_t wait_ms;         /* 0: READERS_WAIT_MS */
    int64_t (*now_us)(void); /* by which sessions are closed; NULL: the monotonic clock */
    void *user;
};

struct readers; /* any thread */
struct readers *readers_new(const struct readers_options *options);
void readers_free(struct readers *readers); /* NULL: nothing. All have been given back. */
/* Yours until readers_give. STORE_BUSY when none became free in time; what `open` answered when it
 * failed. */
enum err readers_take(struct readers *readers, struct store_session **ret, struct error *reterr) ERROR_MUST_CHECK;
void readers_give(struct readers *readers, struct store_session *session);
