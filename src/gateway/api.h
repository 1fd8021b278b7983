/* The HTTP API: one route table drives dispatch, validation, authorisation and the OpenAPI document. */
#pragma once
#include "broker/broker.h"
#include "config/config.h"
#include "gateway/http.h"
#include "metrics/metrics.h"
#include "store/store.h"

struct api;
struct auth;
struct cache;
struct orchestrator;
struct vault;
struct ws_hub;

struct api_options {
    const struct config *config;
    struct store *store;
    struct vault *vault; /* variables and secrets */
    struct broker *broker;
    unsigned shards;                         /* EVENT_SHARDS; 0: one */
    struct loop *loop;                       /* the gateway's own: live events and answers that wait */
    const struct orchestrator *orchestrator; /* NULL: in other processes */
    struct metrics *metrics;
    struct auth *auth;          /* who may do what */
    struct cache *cache;        /* rate limits */
    const char *const *origins; /* WS_CORS_ORIGINS, NULL-terminated */
    struct ws_hub *ws;          /* who serves /ws; NULL: nobody */
};

/* The routes' work needs store, broker and loop; http_start gets the callbacks below. */
struct api *api_new(const struct api_options *options);
void api_free(struct api *api); /* after http_stop, with the loop stopped */
enum err api_admit(void *api, struct http_request *request, bool *ret_inline, struct error *reterr);
int api_handle(void *api, struct http_request *request);
void api_finished(void *api, const struct http_request *request);
void api_quiesced(void *api);   /* no request comes any more: those that wait are answered */
struct json *api_openapi(void); /* OpenAPI 3.1, yours */
