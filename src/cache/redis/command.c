/* One command, at the server that has its key. */
#include "cache/redis/redis_int.h"

#include "base/log.h"
#include <string.h>

#define TRIES 6

static struct redis_node *any_node(struct redis *redis)
{
    for (size_t i = 0; i < redis->first_count; i++)
        if (redis_node_is_up(redis, redis->nodes[i]))
            return redis->nodes[i];
    return NULL;
}

static redisReply *ask(struct redis *redis, struct redis_node *node, bool asking, int argc, const char **argv,
                       const size_t *sizes)
{
    for (;;) {
        bool fresh;
        redisContext *context = redis_take(redis, node, &fresh);
        if (context == NULL)
            return NULL;
        if (asking) {
            redisReply *ready = redisCommand(context, "ASKING");
            if (ready != NULL)
                freeReplyObject(ready);
        }
        redisReply *reply = redisCommandArgv(context, argc, argv, sizes);
        bool closed = reply == NULL && context->err == REDIS_ERR_EOF;
        redis_give(redis, node, context);
        if (reply != NULL || fresh || !closed) {
            if (reply == NULL)
                redis_failed(redis, node);
            return reply;
        } /* one that was idle had been closed by the server: again, with another */
    }
}

/* The server cannot serve it now. */
static bool is_unwell(const char *text)
{
    static const char *const words[] = {"LOADING",  "CLUSTERDOWN", "MASTERDOWN", "READONLY",
                                        "TRYAGAIN", "OOM",         "MISCONF"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

redisReply *redis_run(struct redis *redis, const char *key, int argc, const char **argv, const size_t *sizes)
{
    bool asking = false;
    struct redis_node *node = redis->cluster ? redis_node_for(redis, key, strlen(key)) : any_node(redis);
    for (int i = 0; i < TRIES && node != NULL; i++) {
        redisReply *reply = ask(redis, node, asking, argc, argv, sizes);
        if (reply == NULL) { /* its slots may have gone to another */
            if (redis->cluster)
                redis_map_load(redis);
            struct redis_node *other = redis->cluster ? redis_node_for(redis, key, strlen(key)) : any_node(redis);
            node = other == node ? NULL : other;
            asking = false;
            continue;
        }
        if (reply->type != REDIS_REPLY_ERROR)
            return reply;
        struct redis_node *next = redis->cluster ? redis_redirect(redis, reply->str, &asking) : NULL;
        if (next == NULL)
            log_event(is_unwell(reply->str) ? LOG_DEBUG : LOG_WARN, "Redis refuses a command",
                      LOG_STR("error", reply->str), LOG_END);
        else if (!asking)
            redis_map_load(redis); /* where one slot went, others did */
        freeReplyObject(reply);
        node = next;
    }
    return NULL;
}
