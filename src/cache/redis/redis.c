/* The cache over Redis. An entry is a hash: v its value, e the instant at which it is gone, on the clock of those who
 * share it (empty: never). Redis itself removes it LINGER_MS later: its clock is another. While Redis is away, counters
 * and claims are those of this process, and nothing else is there. */
#include "cache/redis/redis_int.h"

#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "caudal:"
#define LINGER_MS 60000
#define VALUE_BYTES_MAX ((size_t)8 << 20)
#define ALONE_BYTES ((size_t)8 << 20)
#define NUMBER_TEXT 24

/* KEYS[1]; ARGV: value, e, ms for Redis (0: stays), now */
#define STORE                                                                                                          \
    "redis.call('DEL',KEYS[1]) redis.call('HSET',KEYS[1],'v',ARGV[1],'e',ARGV[2]) "                                    \
    "if ARGV[3]~='0' then redis.call('PEXPIRE',KEYS[1],ARGV[3]) end "
#define IS_THERE "local e=redis.call('HGET',KEYS[1],'e') local there=e and (e=='' or tonumber(e)>tonumber(ARGV[4])) "
static const char put_script[] = STORE "return 1";
static const char put_if_absent_script[] = IS_THERE "if there then return 0 end " STORE "return 1";
static const char add_script[] =
    IS_THERE "if there then local r=redis.pcall('HINCRBY',KEYS[1],'v',ARGV[1]) "
             "if type(r)=='table' and r.err then if string.find(r.err,'overflow') then redis.call('HSET',KEYS[1],'v',"
             "string.sub(ARGV[1],1,1)=='-' and '-9223372036854775808' or '9223372036854775807') "
             "else there=false end end end "
             "if not there then " STORE "end return redis.call('HGET',KEYS[1],'v')";

static enum err redis_open(const char *url, bool cluster, size_t max_bytes, struct cache **ret, struct error *reterr)
{
    (void)max_bytes; /* Redis has its own maxmemory */
    struct redis *redis = mem_alloc(sizeof *redis);
    redis->base.ops = &cache_redis_ops;
    redis->cluster = cluster;
    pthread_mutex_init(&redis->lock, NULL);
    pthread_mutex_init(&redis->map_lock, NULL);
    enum err code = redis_url_parse(redis, url, reterr);
    if (code == ERR_OK)
        code = cache_memory_ops.open("memory:", false, ALONE_BYTES, &redis->alone, reterr);
    if (code != ERR_OK) {
        cache_redis_ops.close(&redis->base);
        return code;
    }
    *ret = &redis->base;
    return ERR_OK;
}

static void redis_close(struct cache *cache)
{
    struct redis *redis = (struct redis *)cache;
    redis_nodes_free(redis);
    cache_close(redis->alone);
    free(redis->settings.user);
    free(redis->settings.password);
    pthread_mutex_destroy(&redis->lock);
    pthread_mutex_destroy(&redis->map_lock);
    free(redis);
}

static redisReply *run_script(struct redis *redis, const char *script, const char *name, const void *value, size_t size,
                              int64_t ttl_ms, int64_t now_ms)
{
    char expires[NUMBER_TEXT] = "", stays[NUMBER_TEXT] = "0", now[NUMBER_TEXT];
    AUTO_FREE char *key = mem_printf(KEY_PREFIX "%s", name);
    if (ttl_ms != 0 && !(ttl_ms > 0 && now_ms > INT64_MAX - LINGER_MS - ttl_ms)) {
        (void)snprintf(expires, sizeof expires, "%" PRId64, now_ms + ttl_ms);
        (void)snprintf(stays, sizeof stays, "%" PRId64, (ttl_ms > 0 ? ttl_ms : 0) + LINGER_MS);
    }
    (void)snprintf(now, sizeof now, "%" PRId64, now_ms);
    const char *argv[] = {"EVAL", script, "1", key, size == 0 ? "" : value, expires, stays, now};
    const size_t sizes[] = {4, strlen(script), 1, strlen(key), size, strlen(expires), strlen(stays), strlen(now)};
    return redis_run(redis, key, 8, argv, sizes);
}

static bool free_reply(redisReply *reply)
{
    if (reply != NULL)
        freeReplyObject(reply);
    return reply != NULL;
}

static void redis_remove(struct cache *cache, const char *name)
{
    struct redis *redis = (struct redis *)cache;
    AUTO_FREE char *key = mem_printf(KEY_PREFIX "%s", name);
    const char *argv[] = {"DEL", key};
    const size_t sizes[] = {3, strlen(key)};
    cache_remove(redis->alone, name);
    (void)free_reply(redis_run(redis, key, 2, argv, sizes));
}

static void redis_put(struct cache *cache, const char *name, const void *value, size_t size, int64_t ttl_ms,
                      int64_t now_ms)
{
    struct redis *redis = (struct redis *)cache;
    cache_remove(redis->alone, name);
    if (size > VALUE_BYTES_MAX)
        redis_remove(cache, name); /* the former one would be stale */
    else
        (void)free_reply(run_script(redis, put_script, name, value, size, ttl_ms, now_ms));
}

static bool is_alive(const redisReply *reply, int64_t now_ms)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return false;
    const char *expires = reply->element[1]->str;
    return *expires == '\0' || strtoll(expires, NULL, 10) > now_ms;
}

static bool redis_get(struct cache *cache, const char *name, int64_t now_ms, struct buf *ret_value)
{
    struct redis *redis = (struct redis *)cache;
    AUTO_FREE char *key = mem_printf(KEY_PREFIX "%s", name);
    const char *argv[] = {"HMGET", key, "v", "e"};
    const size_t sizes[] = {5, strlen(key), 1, 1};
    redisReply *reply = redis_run(redis, key, 4, argv, sizes);
    if (reply == NULL)
        return cache_get(redis->alone, name, now_ms, ret_value);
    bool alive = is_alive(reply, now_ms);
    if (alive && ret_value != NULL)
        buf_add(ret_value, reply->element[0]->str, reply->element[0]->len);
    return free_reply(reply) && alive;
}

static int64_t redis_add(struct cache *cache, const char *name, int64_t delta, int64_t ttl_ms, int64_t now_ms)
{
    struct redis *redis = (struct redis *)cache;
    char text[NUMBER_TEXT];
    int size = snprintf(text, sizeof text, "%" PRId64, delta);
    redisReply *reply = run_script(redis, add_script, name, text, (size_t)size, ttl_ms, now_ms);
    if (reply == NULL)
        return cache_add(redis->alone, name, delta, ttl_ms, now_ms);
    int64_t value = reply->type == REDIS_REPLY_STRING ? (int64_t)strtoll(reply->str, NULL, 10) : delta;
    (void)free_reply(reply);
    return value;
}

static bool redis_put_if_absent(struct cache *cache, const char *name, const void *value, size_t size, int64_t ttl_ms,
                                int64_t now_ms)
{
    struct redis *redis = (struct redis *)cache;
    redisReply *reply =
        size > VALUE_BYTES_MAX ? NULL : run_script(redis, put_if_absent_script, name, value, size, ttl_ms, now_ms);
    if (reply == NULL)
        return cache_put_if_absent(redis->alone, name, value, size, ttl_ms, now_ms);
    bool first = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    return free_reply(reply) && first;
}

static bool redis_is_ready(struct cache *cache)
{
    struct redis *redis = (struct redis *)cache;
    static const char key[] = KEY_PREFIX "ready";
    const char *argv[] = {"EXISTS", key};
    const size_t sizes[] = {6, sizeof key - 1};
    return free_reply(redis_run(redis, key, 2, argv, sizes));
}

const struct cache_ops cache_redis_ops = {.scheme = "redis",
                                          .open = redis_open,
                                          .close = redis_close,
                                          .put = redis_put,
                                          .get = redis_get,
                                          .remove = redis_remove,
                                          .add = redis_add,
                                          .put_if_absent = redis_put_if_absent,
                                          .is_ready = redis_is_ready};
