/* What the parts of a service share. */
#pragma once
#include "base/loop.h"
#include "broker/broker.h"
#include "cache/cache.h"
#include "gateway/api.h"
#include "gateway/auth.h"
#include "gateway/engine.h"
#include "gateway/ws.h"
#include "service/service.h"
#include "store/store.h"
#include "worker/vault.h"
#include <pthread.h>

struct service_state {
    struct service_options options;
    struct config config;
    char *instance; /* its name among others of its kind */
    unsigned shards;
    char *files; /* directory for files of nodes */
    struct store *store;
    struct vault *vault;
    struct broker *broker;
    struct cache *cache;
    struct auth *auth;
    struct metrics *metrics;
    struct engine *engine;
    struct loop *loop; /* the gateway's own */
    pthread_t loop_thread;
    bool loop_runs;
    struct api *api;
    struct ws_hub *ws;
    struct health *health;
    struct http_server *http, *ws_http, *metrics_http, *health_http;
    const char **origins; /* in the configuration's arena */
};

/* open: its own work, after the parts before it. drain: from now on nothing new; what is under way ends. close: gives
 * back what was opened, also when that failed half-way. drain and close may be NULL. */
struct part {
    const char *name;
    enum err (*open)(struct service_state *state, struct error *reterr);
    void (*drain)(struct service_state *state);
    void (*close)(struct service_state *state);
};
extern const struct part part_files, part_store, part_vault, part_broker, part_cache, part_auth, part_metrics,
    part_engine, part_gateway, part_health, part_gateway_http, part_health_http;

/* health.c: what a service without an API answers: health and metrics */
struct health;
struct health *health_new(struct service_state *state);
void health_free(struct health *health); /* NULL ok */
enum err health_admit(void *health, struct http_request *request, bool *ret_inline, struct error *reterr);
int health_handle(void *health, struct http_request *request);
