/* Connections to a Redis server: taken for one command, given back; a server that failed is left alone for a while. */
#include "cache/redis/redis_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000

static bool succeeded(redisReply *reply)
{
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

static bool log_in(redisContext *context, const struct redis *redis)
{
    const struct redis_settings *settings = &redis->settings;
    bool good = true;
    if (settings->password != NULL)
        good =
            succeeded(settings->user == NULL ? redisCommand(context, "AUTH %s", settings->password)
                                             : redisCommand(context, "AUTH %s %s", settings->user, settings->password));
    if (good && settings->db != 0)
        good = succeeded(redisCommand(context, "SELECT %d", settings->db));
    return good;
}

static redisContext *connect_node(const struct redis *redis, const struct redis_node *node)
{
    int timeout_ms = redis->settings.timeout_ms;
    const struct timeval within = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    redisContext *context = redisConnectWithTimeout(node->host, node->port, within);
    if (context == NULL)
        return NULL;
    if (context->err == 0 && redisSetTimeout(context, within) == REDIS_OK && log_in(context, redis)) {
        (void)redisEnableKeepAlive(context);
        return context;
    }
    redisFree(context);
    return NULL;
}

bool redis_node_is_up(struct redis *redis, struct redis_node *node)
{
    pthread_mutex_lock(&redis->lock);
    bool up = clock_monotonic_us() >= node->down_until_us;
    pthread_mutex_unlock(&redis->lock);
    return up;
}

redisContext *redis_take(struct redis *redis, struct redis_node *node, bool *ret_fresh)
{
    pthread_mutex_lock(&redis->lock);
    redisContext *context = NULL;
    bool down = clock_monotonic_us() < node->down_until_us;
    if (!down && node->idle_count > 0)
        context = node->idle[--node->idle_count];
    if (!down && context == NULL && node->failures > 0) /* one tries, the others go on without */
        node->down_until_us = clock_monotonic_us() + INT64_C(2000) * redis->settings.timeout_ms;
    pthread_mutex_unlock(&redis->lock);
    *ret_fresh = context == NULL;
    if (context != NULL || down)
        return context;
    context = connect_node(redis, node);
    if (context == NULL)
        redis_failed(redis, node);
    return context;
}

void redis_give(struct redis *redis, struct redis_node *node, redisContext *context)
{
    bool broken = context->err != 0, back = false;
    pthread_mutex_lock(&redis->lock);
    if (!broken) {
        back = node->failures > 0;
        node->failures = 0;
        node->down_until_us = 0;
    }
    if (!broken && node->idle_count < REDIS_IDLE_MAX) {
        node->idle[node->idle_count++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&redis->lock);
    if (context != NULL)
        redisFree(context);
    if (back)
        log_event(LOG_INFO, "Redis answers again", LOG_STR("host", node->host), LOG_INT("port", node->port), LOG_END);
}

void redis_failed(struct redis *redis, struct redis_node *node)
{
    pthread_mutex_lock(&redis->lock);
    bool first = node->failures == 0;
    int64_t wait_ms = (int64_t)BACKOFF_FIRST_MS << (node->failures < 6 ? node->failures : 6);
    node->failures++;
    node->down_until_us = clock_monotonic_us() + (wait_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait_ms) * 1000;
    while (node->idle_count > 0)
        redisFree(node->idle[--node->idle_count]);
    pthread_mutex_unlock(&redis->lock);
    if (first)
        log_event(LOG_WARN, "Redis does not answer; going on without", LOG_STR("host", node->host),
                  LOG_INT("port", node->port), LOG_END);
}

struct redis_node *redis_node_find(struct redis *redis, const char *host, int port)
{
    struct redis_node *node = NULL;
    pthread_mutex_lock(&redis->lock);
    for (size_t i = 0; i < redis->node_count && node == NULL; i++)
        if (redis->nodes[i]->port == port && strcasecmp(redis->nodes[i]->host, host) == 0)
            node = redis->nodes[i];
    if (node == NULL && redis->node_count < REDIS_NODES_MAX) {
        node = mem_alloc(sizeof *node);
        *node = (struct redis_node){.host = mem_dup(host), .port = port};
        redis->nodes[redis->node_count++] = node;
    }
    pthread_mutex_unlock(&redis->lock);
    return node;
}

void redis_nodes_free(struct redis *redis)
{
    for (size_t i = 0; i < redis->node_count; i++) {
        struct redis_node *node = redis->nodes[i];
        while (node->idle_count > 0)
            redisFree(node->idle[--node->idle_count]);
        free(node->host);
        free(node);
    }
}
