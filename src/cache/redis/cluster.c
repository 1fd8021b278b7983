/* Which server of a Redis Cluster has a key: the map of slots, loaded from any of them and mended by redirections
 * (Redis Cluster Specification). */
#include "cache/redis/redis_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_AGAIN_US 1000000

/* CRC-16/XMODEM. */
static unsigned crc16(const char *bytes, size_t size)
{
    unsigned crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned)(unsigned char)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    return crc & 0xffff;
}

unsigned redis_slot(const char *key, size_t size)
{
    const char *open = memchr(key, '{', size);
    const char *close = open == NULL ? NULL : memchr(open, '}', size - (size_t)(open - key));
    if (close != NULL && close > open + 1)
        return crc16(open + 1, (size_t)(close - open - 1)) % REDIS_SLOTS;
    return crc16(key, size) % REDIS_SLOTS;
}

static unsigned char number_of(const struct redis *redis, const struct redis_node *node)
{
    for (size_t i = 0; i < redis->node_count; i++)
        if (redis->nodes[i] == node)
            return (unsigned char)(i + 1);
    return 0;
}

/* [first slot, last slot, [host, port, …] of the master, …replicas] */
static void note_range(struct redis *redis, const struct redis_node *asked, const redisReply *range)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER)
        return;
    const redisReply *master = range->element[2];
    if (master->type != REDIS_REPLY_ARRAY || master->elements < 2 || master->element[1]->type != REDIS_REPLY_INTEGER ||
        master->element[1]->integer < 1 || master->element[1]->integer > 65535)
        return;
    const redisReply *host = master->element[0]; /* empty: the one that was asked */
    bool named = host->type == REDIS_REPLY_STRING && host->len > 0;
    struct redis_node *node = redis_node_find(redis, named ? host->str : asked->host, (int)master->element[1]->integer);
    long long first = range->element[0]->integer, last = range->element[1]->integer;
    pthread_mutex_lock(&redis->lock);
    unsigned char number = node == NULL ? 0 : number_of(redis, node);
    for (long long slot = first < 0 ? 0 : first; slot <= last && slot < REDIS_SLOTS; slot++)
        redis->slots[slot] = number;
    pthread_mutex_unlock(&redis->lock);
}

static bool load_from(struct redis *redis, struct redis_node *node)
{
    bool fresh;
    redisContext *context = redis_take(redis, node, &fresh);
    if (context == NULL)
        return false;
    redisReply *reply = redisCommand(context, "CLUSTER SLOTS");
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; good && i < reply->elements; i++)
        note_range(redis, node, reply->element[i]);
    if (reply == NULL)
        redis_failed(redis, node);
    else
        freeReplyObject(reply);
    redis_give(redis, node, context);
    return good;
}

void redis_map_load(struct redis *redis)
{
    pthread_mutex_lock(&redis->map_lock); /* who needs it while another loads it would else go on without */
    int64_t now_us = clock_monotonic_us();
    bool mine = now_us >= redis->map_again_us;
    if (mine)
        redis->map_again_us = now_us + MAP_AGAIN_US;
    pthread_mutex_lock(&redis->lock);
    size_t count = redis->node_count;
    pthread_mutex_unlock(&redis->lock);
    for (size_t i = 0; mine && i < count; i++)
        if (load_from(redis, redis->nodes[i]))
            break;
    pthread_mutex_unlock(&redis->map_lock);
}

struct redis_node *redis_node_for(struct redis *redis, const char *key, size_t size)
{
    unsigned slot = redis_slot(key, size);
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&redis->lock);
        unsigned char number = redis->slots[slot];
        struct redis_node *node = number == 0 ? NULL : redis->nodes[number - 1];
        pthread_mutex_unlock(&redis->lock);
        if (node != NULL)
            return node;
        if (i == 0)
            redis_map_load(redis);
    }
    return NULL;
}

struct redis_node *redis_redirect(struct redis *redis, const char *text, bool *ret_ask)
{
    char host[256];
    unsigned slot;
    int port;
    *ret_ask = strncmp(text, "ASK ", 4) == 0;
    if (!*ret_ask && strncmp(text, "MOVED ", 6) != 0)
        return NULL;
    const char *rest = strchr(text, ' ') + 1, *colon = strrchr(text, ':');
    if (colon == NULL || sscanf(rest, "%u %255s", &slot, host) != 2 || slot >= REDIS_SLOTS) /* NOLINT(cert-err34-c) */
        return NULL;
    char *end = strrchr(host, ':');
    port = atoi(colon + 1); /* NOLINT(cert-err34-c): 0 is refused */
    if (end == NULL || end == host || port < 1 || port > 65535)
        return NULL;
    *end = '\0';
    struct redis_node *node = redis_node_find(redis, host, port);
    if (node != NULL && !*ret_ask) {
        pthread_mutex_lock(&redis->lock);
        redis->slots[slot] = number_of(redis, node);
        pthread_mutex_unlock(&redis->lock);
    }
    return node;
}
