/* The in-process cache: shards, each a lock, a hash table and a list in order of use, each within its part of the
 * bytes. */
#include "cache/cache_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS_MAX 16
#define SHARD_BYTES_MIN (4u << 20) /* a small cache is not cut up: its order of use stays exact */
#define BUCKETS_FIRST 64
#define SWEEP_BUCKETS 2 /* looked at for expired entries by each write: dead ones go, and no write waits for it */
#define NEVER INT64_MAX
#define COUNTER_TEXT 24

struct entry {
    struct entry *chain;         /* of its bucket */
    struct entry *newer, *older; /* by last use */
    uint64_t hash;
    int64_t expires_ms; /* NEVER, or the first instant at which it is gone */
    size_t size, bytes; /* of the value; of all that it costs */
    unsigned char *value;
    char key[];
};

struct shard {
    pthread_mutex_t lock;
    struct entry **buckets;
    size_t bucket_count, count, hand; /* hand: the next bucket to sweep */
    size_t bytes, max_bytes;          /* the table of buckets included */
    struct entry *newest, *oldest;
};

struct memory {
    struct cache base;
    size_t shard_count; /* a power of two */
    struct shard shards[];
};

/* ---- one shard, its lock held */

static struct entry **place_of(struct shard *shard, const char *key, uint64_t hash)
{
    struct entry **place = &shard->buckets[hash & (shard->bucket_count - 1)];
    while (*place != NULL && ((*place)->hash != hash || strcmp((*place)->key, key) != 0))
        place = &(*place)->chain;
    return place;
}

static void unlink_use(struct shard *shard, struct entry *entry)
{
    *(entry->newer == NULL ? &shard->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &shard->oldest : &entry->older->newer) = entry->newer;
}

static void link_newest(struct shard *shard, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    *(shard->newest == NULL ? &shard->oldest : &shard->newest->newer) = entry;
    shard->newest = entry;
}

static void touch(struct shard *shard, struct entry *entry)
{
    unlink_use(shard, entry);
    link_newest(shard, entry);
}

static void drop(struct shard *shard, struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->chain;
    unlink_use(shard, entry);
    shard->count--;
    shard->bytes -= entry->bytes;
    free(entry->value);
    free(entry);
}

static void drop_oldest(struct shard *shard)
{
    drop(shard, place_of(shard, shard->oldest->key, shard->oldest->hash));
}

/* The live entry, now the newest; an expired one is dropped on the way. */
static struct entry *find(struct shard *shard, const char *key, uint64_t hash, int64_t now_ms)
{
    struct entry **place = place_of(shard, key, hash);
    if (*place == NULL)
        return NULL;
    if (now_ms >= (*place)->expires_ms) {
        drop(shard, place);
        return NULL;
    }
    touch(shard, *place);
    return *place;
}

static void sweep(struct shard *shard, int64_t now_ms)
{
    for (int i = 0; i < SWEEP_BUCKETS; i++) {
        struct entry **place = &shard->buckets[shard->hand];
        while (*place != NULL)
            if (now_ms >= (*place)->expires_ms)
                drop(shard, place);
            else
                place = &(*place)->chain;
        shard->hand = (shard->hand + 1) & (shard->bucket_count - 1);
    }
}

static void set_buckets(struct shard *shard, size_t count)
{
    struct entry **buckets = mem_array(count, sizeof(struct entry *));
    for (struct entry *entry = shard->newest; entry != NULL; entry = entry->older) {
        struct entry **bucket = &buckets[entry->hash & (count - 1)];
        entry->chain = *bucket;
        *bucket = entry;
    }
    free(shard->buckets);
    shard->bytes += (count - shard->bucket_count) * sizeof(struct entry *);
    shard->buckets = buckets;
    shard->bucket_count = count;
    shard->hand = 0;
}

static int64_t expiry(int64_t ttl_ms, int64_t now_ms)
{
    if (ttl_ms == 0)
        return NEVER;
    return ttl_ms > 0 && now_ms > NEVER - ttl_ms ? NEVER : now_ms + ttl_ms;
}

/* A new entry in place of a former one; nothing when it alone is more than the shard may hold. */
static void store(struct shard *shard, const char *key, uint64_t hash, const void *value, size_t size,
                  int64_t expires_ms, int64_t now_ms)
{
    struct entry **place = place_of(shard, key, hash);
    if (*place != NULL)
        drop(shard, place);
    sweep(shard, now_ms);
    size_t key_size = strlen(key) + 1, fixed = sizeof(struct entry) + key_size;
    size_t table = shard->bucket_count * sizeof(struct entry *);
    if (size > shard->max_bytes || fixed > shard->max_bytes - size || table > shard->max_bytes - size - fixed)
        return;
    if (shard->count >= shard->bucket_count && 2 * table + fixed + size <= shard->max_bytes)
        set_buckets(shard, shard->bucket_count * 2);
    while (shard->bytes > shard->max_bytes - size - fixed)
        drop_oldest(shard);
    struct entry *entry = mem_alloc(fixed);
    *entry = (struct entry){.hash = hash, .expires_ms = expires_ms, .size = size, .bytes = fixed + size};
    entry->value = mem_alloc(size);
    if (size > 0)
        memcpy(entry->value, value, size);
    memcpy(entry->key, key, key_size);
    place = &shard->buckets[hash & (shard->bucket_count - 1)];
    entry->chain = *place;
    *place = entry;
    link_newest(shard, entry);
    shard->count++;
    shard->bytes += entry->bytes;
}

/* ---- operations */

static struct shard *lock_shard(struct cache *cache, const char *key, uint64_t *ret_hash)
{
    struct memory *memory = (struct memory *)cache;
    *ret_hash = hash_str(key);
    struct shard *shard = &memory->shards[(*ret_hash >> 48) & (memory->shard_count - 1)]; /* buckets use the low bits */
    pthread_mutex_lock(&shard->lock);
    return shard;
}

static enum err memory_open(const char *url, bool cluster, size_t max_bytes, struct cache **ret, struct error *reterr)
{
    (void)cluster;
    if (strcmp(url, "memory:") != 0)
        return error_set(
            reterr, ERR_VALIDATION, "REDIS_URL",
            "REDIS_URL must be exactly memory: for the cache in the process, without anything after the colon.");
    if (max_bytes < 4096)
        return error_set(reterr, ERR_VALIDATION, "CACHE_MAX_BYTES",
                         "CACHE_MAX_BYTES must be at least 4096 bytes, not %zu.", max_bytes);
    size_t shards = 1;
    while (shards < SHARDS_MAX && max_bytes / (2 * shards) >= SHARD_BYTES_MIN)
        shards *= 2;
    struct memory *memory = mem_alloc(sizeof *memory + shards * sizeof memory->shards[0]);
    memory->base.ops = &cache_memory_ops;
    memory->shard_count = shards;
    for (size_t i = 0; i < shards; i++) {
        pthread_mutex_init(&memory->shards[i].lock, NULL);
        memory->shards[i].max_bytes = max_bytes / shards;
        set_buckets(&memory->shards[i], BUCKETS_FIRST);
    }
    *ret = &memory->base;
    return ERR_OK;
}

static void memory_close(struct cache *cache)
{
    struct memory *memory = (struct memory *)cache;
    for (size_t i = 0; i < memory->shard_count; i++) {
        struct shard *shard = &memory->shards[i];
        while (shard->oldest != NULL)
            drop_oldest(shard);
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(memory);
}

static void memory_put(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms,
                       int64_t now_ms)
{
    uint64_t hash;
    struct shard *shard = lock_shard(cache, key, &hash);
    store(shard, key, hash, value, size, expiry(ttl_ms, now_ms), now_ms);
    pthread_mutex_unlock(&shard->lock);
}

static bool memory_get(struct cache *cache, const char *key, int64_t now_ms, struct buf *ret_value)
{
    uint64_t hash;
    struct shard *shard = lock_shard(cache, key, &hash);
    const struct entry *entry = find(shard, key, hash, now_ms);
    if (entry != NULL && ret_value != NULL)
        buf_add(ret_value, entry->value, entry->size);
    pthread_mutex_unlock(&shard->lock);
    return entry != NULL;
}

static void memory_remove(struct cache *cache, const char *key)
{
    uint64_t hash;
    struct shard *shard = lock_shard(cache, key, &hash);
    struct entry **place = place_of(shard, key, hash);
    if (*place != NULL)
        drop(shard, place);
    pthread_mutex_unlock(&shard->lock);
}

static bool parse_counter(const struct entry *entry, int64_t *ret)
{
    char text[COUNTER_TEXT], again[COUNTER_TEXT];
    if (entry->size == 0 || entry->size >= sizeof text)
        return false;
    memcpy(text, entry->value, entry->size);
    text[entry->size] = '\0';
    *ret = (int64_t)strtoll(text, NULL, 10);
    (void)snprintf(again, sizeof again, "%lld", (long long)*ret);
    return strlen(again) == entry->size &&
           memcmp(text, again, entry->size) == 0; /* one form only: no blanks, no +, no 007 */
}

static int64_t memory_add(struct cache *cache, const char *key, int64_t delta, int64_t ttl_ms, int64_t now_ms)
{
    uint64_t hash;
    struct shard *shard = lock_shard(cache, key, &hash);
    const struct entry *entry = find(shard, key, hash, now_ms);
    int64_t value = 0, sum, expires_ms = expiry(ttl_ms, now_ms);
    if (entry != NULL && parse_counter(entry, &value))
        expires_ms = entry->expires_ms;
    else
        value = 0;
    if (__builtin_add_overflow(value, delta, &sum))
        sum = delta > 0 ? INT64_MAX : INT64_MIN;
    char text[COUNTER_TEXT];
    int size = snprintf(text, sizeof text, "%lld", (long long)sum);
    store(shard, key, hash, text, (size_t)size, expires_ms, now_ms);
    pthread_mutex_unlock(&shard->lock);
    return sum;
}

static bool memory_put_if_absent(struct cache *cache, const char *key, const void *value, size_t size, int64_t ttl_ms,
                                 int64_t now_ms)
{
    uint64_t hash;
    struct shard *shard = lock_shard(cache, key, &hash);
    bool absent = find(shard, key, hash, now_ms) == NULL;
    if (absent)
        store(shard, key, hash, value, size, expiry(ttl_ms, now_ms), now_ms);
    pthread_mutex_unlock(&shard->lock);
    return absent;
}

static bool memory_is_ready(struct cache *cache)
{
    (void)cache;
    return true;
}

const struct cache_ops cache_memory_ops = {.scheme = "memory:",
                                           .open = memory_open,
                                           .close = memory_close,
                                           .put = memory_put,
                                           .get = memory_get,
                                           .remove = memory_remove,
                                           .add = memory_add,
                                           .is_ready = memory_is_ready,
                                           .put_if_absent = memory_put_if_absent};
