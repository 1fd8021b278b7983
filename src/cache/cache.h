/* Shared, fast, forgetful: everything in it can be computed again. Thread-safe. Time is a parameter in milliseconds. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

struct cache;
enum err cache_open(const char *url, size_t max_bytes, struct cache **ret, struct error *reterr) ERROR_MUST_CHECK; /* memory: */
void cache_close(struct cache *cache);
void cache_put(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms, int64_t now_ms); /* ttl 0 = no expiry */
bool cache_get(struct cache *cache, const char *key, int64_t now_ms, struct buf *ret_value); /* appends; false: not there */
void cache_remove(struct cache *cache, const char *key);
/* Atomic; a fresh counter starts at 0 with the ttl, which later additions do not prolong. Returns the new value. */
int64_t cache_add(struct cache *cache, const char *key, int64_t delta, int64_t ttl_ms, int64_t now_ms);
bool cache_put_if_absent(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms, int64_t now_ms);
