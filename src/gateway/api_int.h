/* Shared by the files of routes. */
#pragma once
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "gateway/answers.h"
#include "gateway/api.h"
#include "gateway/auth.h"
#include "nodes/node.h"
#include "script/desk.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Returns HTTP_DONE or HTTP_PENDING through *ret when it answers by itself; an error is answered by the caller. */
typedef enum err (*route_fn)(struct api *api, struct http_request *request, struct error *reterr);

enum {
    ROUTE_INLINE = 1,
    ROUTE_ID = 2 /* the first parameter is a UUID */,
    ROUTE_LIST = 4 /* page, limit, cursor */,
    ROUTE_FLAT = 8,
    ROUTE_UNLIMITED = 16 /* API_RATE_LIMIT does not count it */,
    ROUTE_UNAUDITED = 32 /* writes, but leaves traces of its own */,
    ROUTE_WEBHOOK = 64 /* inline unless the store must be asked first */,
    ROUTE_PAGE = 128 /* answers, refusals too, with HTML */
};

struct route {
    const char *method, *pattern; /* :name segments; a trailing * takes the rest */
    enum role role;
    unsigned flags;
    const struct field *body, *query;
    int status; /* of success */
    const char *tag, *summary;
    route_fn handle;
    const struct answer *answer; /* what stands under `data`; NULL: an answer without JSON, or a free one */
};
extern const struct route *const route_tables[]; /* each ends with method NULL; the list with NULL */

struct api {
    struct api_options options;
    struct broker_connection *connection;
    unsigned shards;
    char **submit_queues; /* of each shard */
    struct submissions *submissions;
    int64_t started_ms;
    atomic_uint generation; /* rises when a flow changes: compiled flows and webhook paths are looked up anew */
    pthread_mutex_t lock;
    struct map waiters; /* execution id -> struct waiter: webhooks that answer with the result */
    struct loop_timer *waiter_timer;
    struct ended_search *ended_search;
    struct webhook_index *webhooks;
    pthread_mutex_t activation; /* of two flows with one webhook path only one becomes active */
    struct map workers, orchestrators,
        gateways;           /* id -> what it last told of itself (cluster.c); gateways: the others */
    char id[ID_TEXT_BYTES]; /* among gateways */
    struct ended *ended;    /* executions that ended in this process */
    struct monitor *monitor;
    struct timeline *timeline;
    struct script_desk *desk; /* JavaScript that is checked and tried out */
    struct page *page;        /* NULL: there is none */
    struct network *proxies;  /* TRUSTED_PROXIES */
    size_t proxy_count;
    int64_t rate_limit; /* requests a minute; 0: none */
    struct metric_family *requests, *durations;
};

/* A handler that answers later says so by this, before it hands the request on; then it is http_complete's. */
void api_later(struct http_request *request);

/* Reading and writing the store from a handler thread. */
typedef enum err (*api_read_fn)(struct store_session *session, void *arg, struct error *reterr);
enum err api_read(struct api *api, api_read_fn fn, void *arg, struct error *reterr) ERROR_MUST_CHECK;

/* page, limit, cursor and the named text parameters as a filter object; VALIDATION with the parameter's name. */
enum err api_filter(struct http_request *request, const char *const *names, int64_t default_limit, struct json **ret,
                    struct error *reterr) ERROR_MUST_CHECK;
int64_t api_query_int(struct http_request *request, const char *name, int64_t min, int64_t max, int64_t otherwise,
                      struct error *reterr);                                   /* reterr->code set when bad */
void api_changed(struct api *api);                                             /* flows changed */
void api_control(struct api *api, const char *verb, const char *execution_id); /* cancel, pause, resume */

/* executions.c */
struct start_request {
    const char *flow_id, *trigger, *trigger_node, *schedule_id, *idempotency_key;
    const char *input_json, *metadata_json, *restore_json;
    const char *options_json; /* {untilNode, pins}: checked when it is inserted */
    int64_t request_hash;
    bool published;                          /* with version 0: the published one, if there is one */
    int priority, retry_count, flow_version; /* priority -1: the flow's; version 0: the present one */
};
/* Accepts an execution: committed when this returns OK. A known idempotency key gives the former execution's id. */
enum err api_start(struct api *api, const struct start_request *start, char ret_id[ID_TEXT_BYTES],
                   struct error *reterr) ERROR_MUST_CHECK;

/* What routes for one and for several executions share; the caller answers. */
enum err api_cancel(struct api *api, const char *id, struct error *reterr) ERROR_MUST_CHECK;
enum err api_delete(struct api *api, const char *id, struct error *reterr) ERROR_MUST_CHECK;
/* failed_only: nodes that succeeded keep their result. key: as api_start has it, or NULL. */
enum err api_retry(struct api *api, const char *id, bool failed_only, const char *key, char ret_id[ID_TEXT_BYTES],
                   struct error *reterr) ERROR_MUST_CHECK;
enum err api_execution_detail(struct api *api, const char *id, struct json **ret,
                              struct error *reterr) ERROR_MUST_CHECK;

/* Of an execution's waits: the link of each that has one, in place of what the store knows it by. */
void api_show_links(const struct api *api, const struct json *waits);

/* Executions by state, as jobs/stats and channel system show them (api-contract 1.4, 2a); yours. */
enum err api_job_stats(struct store *store, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;

/* Tells pages and whoever waits for a result (TOPIC_LIVE) of what no worker tells. Any thread. */
struct live_update {
    const char *id, *message, *error_id, *error_message; /* the last two may be NULL */
    enum run_status status;
    int64_t at_ms, records;
};
void api_announce(struct api *api, const struct live_update *update);

/* UNAVAILABLE while more executions wait than QUEUE_HIGH_WATER_MARK. */
enum err api_check_load(struct api *api, struct error *reterr) ERROR_MUST_CHECK;

/* cluster.c */
void api_cluster_start(struct api *api);
void api_cluster_free(struct api *api);
struct orchestrator_stats;
/* Of all orchestrators together, as of a moment ago; counters are of the one in this process only. Any thread. */
void api_cluster_stats(struct api *api, struct orchestrator_stats *ret);
/* Calls `fn` with what each orchestrator, and each other gateway, last told of itself; not for an orchestrator in this
 * process, which tells nothing. On the gateway's loop. */
void api_cluster_each(struct api *api, void (*fn)(void *user, const struct json *report), void *user);
/* Tells the other gateways how the executions ended that were run here. On the gateway's loop. */
void api_cluster_tell(struct api *api);
size_t api_cluster_waiting(struct api *api); /* for a worker, everywhere */
/* autoScaling as the orchestrators tell it: {driver,enabled,min,max}, and the leader's {target,…}; yours. */
struct json *api_cluster_scaling(struct api *api);
const char *api_cluster_strategy(struct api *api, struct arena *arena); /* in force */

/* operate.c */
void api_collect(void *api, struct metrics_writer *writer);

/* monitoring.c */
void api_monitor_start(struct api *api);
void api_monitor_free(struct api *api);

/* timeline.c */
void api_timeline_start(struct api *api);
void api_timeline_free(struct api *api);

/* audit.c */
struct audit {
    const char *actor, *action, *target; /* the last may be NULL */
};
/* Stored soon after; the request's client address is added. */
void api_audit(struct api *api, const struct http_request *request, const struct audit *audit);

/* webhooks.c */
bool api_webhook_is_at_hand(struct api *api, const struct http_request *request); /* no need to ask the store */
/* From here on flows are known that any gateway changed before that time. */
enum err api_webhooks_renew(struct api *api, int64_t since_us, struct error *reterr) ERROR_MUST_CHECK;
void api_waiters_start(struct api *api);
void api_waiters_free(struct api *api);
