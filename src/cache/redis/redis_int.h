/* The Redis back end's inner structures. */
#pragma once
#include "cache/cache_int.h"
#include <hiredis/hiredis.h>
#include <pthread.h>

#define REDIS_SLOTS 16384
#define REDIS_NODES_MAX 128
#define REDIS_IDLE_MAX 16

/* A server, with the connections to it that nobody uses just now. */
struct redis_node {
    char *host;
    int port;
    redisContext *idle[REDIS_IDLE_MAX];
    unsigned idle_count, failures;
    int64_t down_until_us; /* nobody tries before */
};

struct redis_settings {
    char *user, *password; /* NULL: none */
    int db, timeout_ms;    /* timeout_ms: of a connection, and of an answer */
};

struct redis {
    struct cache base;
    struct redis_settings settings;
    bool cluster;
    pthread_mutex_t lock;
    struct redis_node *nodes[REDIS_NODES_MAX]; /* only ever added to */
    size_t node_count, first_count;            /* first_count: those of the URL */
    unsigned char slots[REDIS_SLOTS];          /* node + 1; 0: not known */
    pthread_mutex_t map_lock;                  /* held by who loads them; taken before the other */
    int64_t map_again_us;
    struct cache *alone; /* counts while Redis is away */
};

/* connection.c */
redisContext *redis_take(struct redis *redis, struct redis_node *node, bool *ret_fresh); /* NULL: not now */
void redis_give(struct redis *redis, struct redis_node *node, redisContext *context);    /* broken ones are closed */
void redis_failed(struct redis *redis, struct redis_node *node);
bool redis_node_is_up(struct redis *redis, struct redis_node *node);
struct redis_node *redis_node_find(struct redis *redis, const char *host, int port); /* or a new one; NULL: too many */
void redis_nodes_free(struct redis *redis);

/* cluster.c */
unsigned redis_slot(const char *key, size_t size); /* of the hash tag, if the key has one */
struct redis_node *redis_node_for(struct redis *redis, const char *key, size_t size);
void redis_map_load(struct redis *redis); /* or waits for who loads it; not again right after */
/* What an answer of the kind MOVED or ASK leads to. */
struct redis_node *redis_redirect(struct redis *redis, const char *text, bool *ret_ask);

/* url.c */
enum err redis_url_parse(struct redis *redis, const char *url, struct error *reterr) ERROR_MUST_CHECK;

/* command.c: NULL: Redis is away. */
redisReply *redis_run(struct redis *redis, const char *key, int argc, const char **argv, const size_t *sizes);
