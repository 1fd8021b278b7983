/* Shared, fast, forgetful: everything in it can be computed again. Time is a parameter in milliseconds.
 *
 * Any value may be gone at any time: the memory: cache drops what was used longest ago to stay within its bytes, a
 * Redis may be away. Then nothing is there, cache_add counts in this process, and cache_put_if_absent lets everybody
 * be the first of his process: who uses them must be safe with that, and no call fails or waits for long.
 * Keys are text without a NUL, values any bytes. What is past its ttl is never seen again, whether or not its memory
 * is already free: who shares a cache agrees on the time. A time to live below 0 is already past. Thread-safe; each
 * call is atomic. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct cache;

/* url: memory: (in this process, at most max_bytes, keys and bookkeeping included), or
 * redis://user:password@host:port/db?timeout=ms, several separated by commas: the first that answers is used; who does
 * not within the timeout (250) is away. cluster: they are nodes of a Redis Cluster. VALIDATION names REDIS_URL or
 * CACHE_MAX_BYTES. Does not wait for Redis. */
enum err cache_open(const char *url, bool cluster, size_t max_bytes, struct cache **ret,
                    struct error *reterr) ERROR_MUST_CHECK;
void cache_close(struct cache *cache); /* when nobody uses it any more; NULL ok */

/* Replaces. ttl 0 = no expiry. A value too large for the cache is not kept, and the former one is gone. */
void cache_put(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms, int64_t now_ms);

/* Appends the value; false: not there, nothing appended. ret_value NULL: only asks. */
bool cache_get(struct cache *cache, const char *key, int64_t now_ms, struct buf *ret_value);
void cache_remove(struct cache *cache, const char *key);

/* Atomic; a fresh counter starts at 0 with the ttl, which later additions do not prolong. Returns the new value, which
 * stops at the ends of int64_t. cache_get shows a counter in decimal digits; a value that is no such number is replaced
 * by a fresh counter. */
int64_t cache_add(struct cache *cache, const char *key, int64_t delta, int64_t ttl_ms, int64_t now_ms);

/* True for exactly one of many callers until the value goes: put; false: somebody's value is there and stays. */
bool cache_put_if_absent(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms,
                         int64_t now_ms);

/* It answers now. For the health page: nobody needs to ask before using it. */
bool cache_is_ready(struct cache *cache);
