/* A back end's table. */
#pragma once
#include "cache/cache.h"

struct cache {
    const struct cache_ops *ops;
};

struct cache_ops {
    const char *scheme; /* of its URL, as far as it is the same */
    enum err (*open)(const char *url, bool cluster, size_t max_bytes, struct cache **ret, struct error *reterr);
    void (*close)(struct cache *cache);
    void (*put)(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms, int64_t now_ms);
    bool (*get)(struct cache *cache, const char *key, int64_t now_ms, struct buf *ret_value);
    void (*remove)(struct cache *cache, const char *key);
    int64_t (*add)(struct cache *cache, const char *key, int64_t delta, int64_t ttl_ms, int64_t now_ms);
    bool (*put_if_absent)(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms,
                          int64_t now_ms);
    bool (*is_ready)(struct cache *cache);
};

extern const struct cache_ops cache_memory_ops, cache_redis_ops;
