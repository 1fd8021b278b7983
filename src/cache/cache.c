/* Chooses the back end by URL and passes calls on to it. */
#include "cache/cache_int.h"

#include <string.h>

static const struct cache_ops *const backends[] = {&cache_memory_ops, &cache_redis_ops};

enum err cache_open(const char *url, bool cluster, size_t max_bytes, struct cache **ret, struct error *reterr)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strncmp(url, backends[i]->scheme, strlen(backends[i]->scheme)) == 0)
            return backends[i]->open(url, cluster, max_bytes, ret, reterr);
    return error_set(reterr, ERR_VALIDATION, "REDIS_URL", "REDIS_URL must begin with memory: or redis://.");
}

void cache_close(struct cache *cache)
{
    if (cache != NULL)
        cache->ops->close(cache);
}

void cache_put(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms, int64_t now_ms)
{
    cache->ops->put(cache, key, value, size, ttl_ms, now_ms);
}

bool cache_get(struct cache *cache, const char *key, int64_t now_ms, struct buf *ret_value)
{
    return cache->ops->get(cache, key, now_ms, ret_value);
}

void cache_remove(struct cache *cache, const char *key)
{
    cache->ops->remove(cache, key);
}

int64_t cache_add(struct cache *cache, const char *key, int64_t delta, int64_t ttl_ms, int64_t now_ms)
{
    return cache->ops->add(cache, key, delta, ttl_ms, now_ms);
}

bool cache_put_if_absent(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms,
                         int64_t now_ms)
{
    return cache->ops->put_if_absent(cache, key, value, size, ttl_ms, now_ms);
}

bool cache_is_ready(struct cache *cache)
{
    return cache->ops->is_ready(cache);
}
