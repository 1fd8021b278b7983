/* Who else is there: workers and orchestrators as they tell of themselves. */
#include "gateway/api_int.h"

#include "broker/messages.h"
#include "gateway/answers.h"
#include "orchestrator/ended.h"
#include "orchestrator/orchestrator.h"
#include <stdio.h>
#include <stdlib.h>

#define REPORT "{\"v\":1,\"report\":true}"
#define INTERVAL_MS 15000 /* of a worker that does not say how often it reports */
#define LATE_INTERVALS 3  /* reports that may be missing before it counts as gone */
#define ORCHESTRATOR_LATE_MS 5000
#define FORGET_MS 3600000 /* what has been gone for so long is not listed any more */

struct seen {
    char *report; /* JSON text */
    int64_t seen_ms, moved_ms, progress;
    int64_t waiting; /* an orchestrator's: executions that wait for a worker */
};

static void seen_free(struct seen *seen)
{
    if (seen != NULL)
        free(seen->report);
    free(seen);
}

/* On the gateway's loop. */
static void keep(struct api *api, struct map *all, const void *body, size_t size)
{
    AUTO_JSON struct json *report = message_parse_topic(body, size);
    if (json_get_str(report, "id") == NULL || strcmp(json_get_str(report, "id"), api->id) == 0)
        return;
    struct seen *seen = json_get_bool(report, "leaving", false) ? NULL : mem_alloc(sizeof *seen);
    int64_t now = clock_now_ms(), progress = json_get_int(report, "progress", 0);
    if (seen != NULL)
        *seen = (struct seen){.report = mem_dup_n(body, size),
                              .seen_ms = now,
                              .moved_ms = now,
                              .progress = progress,
                              .waiting = json_get_int(report, "waiting", 0)};
    pthread_mutex_lock(&api->lock);
    struct seen *former = map_put(all, json_get_str(report, "id"), seen);
    if (seen != NULL && former != NULL && former->progress == progress && json_get_int(report, "active", 0) > 0)
        seen->moved_ms = former->moved_ms;
    pthread_mutex_unlock(&api->lock);
    seen_free(former);
}

static void on_worker(void *user, const void *body, size_t size)
{
    struct api *api = user;
    keep(api, &api->workers, body, size);
}

static void on_orchestrator(void *user, const void *body, size_t size)
{
    struct api *api = user;
    keep(api, &api->orchestrators, body, size);
}

static void on_gateway(void *user, const void *body, size_t size)
{
    struct api *api = user;
    keep(api, &api->gateways, body, size);
}

void api_cluster_tell(struct api *api)
{
    if (api->options.orchestrator != NULL) /* it is alone */
        return;
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    buf_printf(&body, "{\"v\":1,\"id\":\"%s\"", api->id);
    ended_print(api->ended, &body);
    buf_add_char(&body, '}');
    broker_broadcast(api->connection, TOPIC_GATEWAYS, body.data, body.len);
}

static void free_seen(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    seen_free(value);
}

void api_cluster_start(struct api *api)
{
    map_init(&api->workers);
    map_init(&api->orchestrators);
    map_init(&api->gateways);
    broker_subscribe(api->connection, TOPIC_WORKERS, on_worker, api);
    broker_subscribe(api->connection, TOPIC_ORCHESTRATORS, on_orchestrator, api);
    broker_subscribe(api->connection, TOPIC_GATEWAYS, on_gateway, api);
    broker_broadcast(api->connection, TOPIC_CONTROL, REPORT, sizeof REPORT - 1);
}

void api_cluster_free(struct api *api)
{
    map_each(&api->workers, free_seen, NULL);
    map_done(&api->workers);
    map_each(&api->orchestrators, free_seen, NULL);
    map_done(&api->orchestrators);
    map_each(&api->gateways, free_seen, NULL);
    map_done(&api->gateways);
}

/* ---- orchestrators */

struct summing {
    struct orchestrator_stats *stats;
    struct arena *arena; /* NULL: no strategy is wanted */
    const char *strategy;
    int64_t now_ms;
};

static void add_orchestrator(void *user, const char *key, void *value)
{
    (void)key;
    struct summing *summing = user;
    const struct seen *seen = value;
    AUTO_JSON struct json *report = NULL;
    if (summing->now_ms - seen->seen_ms > ORCHESTRATOR_LATE_MS ||
        json_parse(seen->report, strlen(seen->report), &report, NULL) != ERR_OK)
        return;
    struct orchestrator_stats *stats = summing->stats;
    size_t workers = (size_t)json_get_int(report, "workers", 0);
    int64_t moved = json_get_int(report, "lastProgressMs", 0);
    stats->pending += (size_t)json_get_int(report, "pending", 0);
    stats->in_flight += (size_t)json_get_int(report, "inFlight", 0);
    stats->shards += json_count(json_get(report, "shards"));
    stats->workers = workers > stats->workers ? workers : stats->workers;
    stats->last_progress_ms = moved > stats->last_progress_ms ? moved : stats->last_progress_ms;
    if (summing->arena != NULL && json_get_str(report, "strategy") != NULL)
        summing->strategy = arena_dup(summing->arena, json_get_str(report, "strategy"));
}

static void sum(struct api *api, struct summing *summing)
{
    summing->now_ms = clock_now_ms();
    pthread_mutex_lock(&api->lock);
    map_each(&api->orchestrators, add_orchestrator, summing);
    pthread_mutex_unlock(&api->lock);
}

void api_cluster_stats(struct api *api, struct orchestrator_stats *ret)
{
    *ret = (struct orchestrator_stats){0};
    if (api->options.orchestrator != NULL)
        orchestrator_stats(api->options.orchestrator, ret);
    else
        sum(api, &(struct summing){.stats = ret});
}

struct visit {
    void (*fn)(void *user, const struct json *report);
    void *user;
};

static void visit_seen(void *user, const char *key, void *value)
{
    (void)key;
    const struct visit *visit = user;
    const struct seen *seen = value;
    AUTO_JSON struct json *report = NULL;
    if (json_parse(seen->report, strlen(seen->report), &report, NULL) == ERR_OK)
        visit->fn(visit->user, report);
}

void api_cluster_each(struct api *api, void (*fn)(void *user, const struct json *report), void *user)
{
    pthread_mutex_lock(&api->lock);
    map_each(&api->orchestrators, visit_seen, &(struct visit){fn, user});
    map_each(&api->gateways, visit_seen, &(struct visit){fn, user});
    pthread_mutex_unlock(&api->lock);
}

struct backlog {
    int64_t now_ms, waiting;
};

static void add_waiting(void *user, const char *key, void *value)
{
    (void)key;
    struct backlog *backlog = user;
    const struct seen *seen = value;
    if (backlog->now_ms - seen->seen_ms <= ORCHESTRATOR_LATE_MS)
        backlog->waiting += seen->waiting;
}

/* Asked by each start. */
size_t api_cluster_waiting(struct api *api)
{
    struct orchestrator_stats stats = {0};
    if (api->options.orchestrator == NULL) {
        struct backlog backlog = {.now_ms = clock_now_ms()};
        pthread_mutex_lock(&api->lock);
        map_each(&api->orchestrators, add_waiting, &backlog);
        pthread_mutex_unlock(&api->lock);
        return backlog.waiting > 0 ? (size_t)backlog.waiting : 0;
    }
    orchestrator_stats(api->options.orchestrator, &stats);
    size_t waiting = stats.pending;
    for (unsigned i = 0; i < api->shards; i++)
        waiting += broker_queue_depth(api->options.broker, api->submit_queues[i]);
    return waiting;
}

const char *api_cluster_strategy(struct api *api, struct arena *arena)
{
    struct orchestrator_stats stats = {0};
    struct summing summing = {.stats = &stats, .arena = arena};
    if (api->options.orchestrator != NULL)
        return config_str(api->options.config, CONFIG_LOAD_BALANCE_STRATEGY);
    sum(api, &summing);
    return summing.strategy != NULL ? summing.strategy
                                    : "round_robin"; /* what one begins with, unless told otherwise */
}

/* The leader's word, else any. */
struct scaling_told {
    struct json *told;
    int64_t now_ms;
};

static void find_scaling(void *user, const char *key, void *value)
{
    (void)key;
    struct scaling_told *found = user;
    const struct seen *seen = value;
    AUTO_JSON struct json *report = NULL;
    if (found->now_ms - seen->seen_ms > ORCHESTRATOR_LATE_MS ||
        json_parse(seen->report, strlen(seen->report), &report, NULL) != ERR_OK)
        return;
    const struct json *scaling = json_get(report, "scaling");
    if (scaling == NULL || (found->told != NULL && !json_get_bool(scaling, "leads", false)))
        return;
    json_unref(found->told);
    found->told = json_ref(scaling);
}

static void set_told(struct json *scaling, const struct json *told)
{
    static const char *const members[] = {"target", "workers", "starting", "reason", "error"};
    char at[ISO_TEXT_BYTES];
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_set(scaling, members[i], json_ref(json_get(told, members[i])));
    int64_t decided_ms = json_get_int(told, "decidedMs", 0);
    clock_format_iso(decided_ms, at);
    json_set(scaling, "decidedAt", decided_ms > 0 ? json_string_new(at) : NULL);
}

struct json *api_cluster_scaling(struct api *api)
{
    struct scaling_told found = {.now_ms = clock_now_ms()};
    struct json *scaling = json_object_new();
    pthread_mutex_lock(&api->lock);
    map_each(&api->orchestrators, find_scaling, &found);
    pthread_mutex_unlock(&api->lock);
    const char *driver = json_get_str(found.told, "driver");
    json_set_str(scaling, "driver", driver == NULL ? "none" : driver);
    json_set_bool(scaling, "enabled", json_get_bool(found.told, "enabled", false));
    json_set_int(scaling, "min", json_get_int(found.told, "min", 1));
    json_set_int(scaling, "max", json_get_int(found.told, "max", 20));
    set_told(scaling, found.told);
    json_unref(found.told);
    return scaling;
}

/* ---- lists */

struct listing {
    struct json *list;
    int64_t now_ms;
    void (*describe)(struct json *entry, const struct seen *seen, int64_t now_ms);
};

static void describe_worker(struct json *worker, const struct seen *seen, int64_t now_ms)
{
    int64_t late_ms = LATE_INTERVALS * json_get_int(worker, "intervalMs", INTERVAL_MS);
    const char *status = "online";
    if (now_ms - seen->seen_ms > late_ms)
        status = "offline";
    else if (json_get_bool(worker, "draining", false))
        status = "draining";
    else if (seen->seen_ms - seen->moved_ms > late_ms)
        status = "unhealthy"; /* it has work, and moves nothing */
    json_set_str(worker, "status", status);
    json_set_bool(worker, "scaled", scaler_started(json_get_str(worker, "id")));
}

static void describe_orchestrator(struct json *orchestrator, const struct seen *seen, int64_t now_ms)
{
    bool late = now_ms - seen->seen_ms > ORCHESTRATOR_LATE_MS, leaving = json_get_bool(orchestrator, "leaving", false);
    json_set_str(orchestrator, "status", late || leaving ? "offline" : "online");
}

static void add_entry(void *user, const char *key, void *value)
{
    (void)key;
    struct listing *listing = user;
    const struct seen *seen = value;
    struct json *entry = NULL;
    char at[ISO_TEXT_BYTES];
    if (listing->now_ms - seen->seen_ms > FORGET_MS ||
        json_parse(seen->report, strlen(seen->report), &entry, NULL) != ERR_OK)
        return;
    clock_format_iso(seen->seen_ms, at);
    listing->describe(entry, seen, listing->now_ms);
    json_set_str(entry, "lastHeartbeat", at);
    json_push(listing->list, entry);
}

static struct json *list_of(struct api *api, const struct map *all,
                            void (*describe)(struct json *entry, const struct seen *seen, int64_t now_ms))
{
    struct listing listing = {.list = json_array_new(), .now_ms = clock_now_ms(), .describe = describe};
    pthread_mutex_lock(&api->lock);
    map_each(all, add_entry, &listing);
    pthread_mutex_unlock(&api->lock);
    return listing.list;
}

static enum err list_workers(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply(request, 200, list_of(api, &api->workers, describe_worker));
    return ERR_OK;
}

static enum err list_orchestrators(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply(request, 200, list_of(api, &api->orchestrators, describe_orchestrator));
    return ERR_OK;
}

static enum err find_worker(struct api *api, const char *id, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *list = list_of(api, &api->workers, describe_worker);
    for (size_t i = 0; i < json_count(list); i++)
        if (strcmp(json_get_str(json_at(list, i), "id"), id) == 0) {
            *ret = json_ref(json_at(list, i));
            return ERR_OK;
        }
    return error_set(reterr, ERR_NOT_FOUND, "id", "No worker \"%.100s\" has reported.", id);
}

static enum err get_worker(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *worker = NULL;
    enum err code = find_worker(api, request->params[0], &worker, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, worker);
    return code;
}

static enum err drain_worker(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *worker = NULL;
    enum err code = find_worker(api, request->params[0], &worker, reterr);
    if (code != ERR_OK)
        return code;
    const char *status = json_get_str(worker, "status");
    if (api->options.orchestrator != NULL)
        code = error_set(reterr, ERR_CONFLICT, "id", "This worker is part of the only process; stop that instead.");
    else if (strcmp(status, "offline") == 0)
        code = error_set(reterr, ERR_CONFLICT, "id", "The worker is offline.");
    if (code != ERR_OK) {
        json_unref(worker);
        return code;
    }
    AUTO_JSON struct json *message = json_object_new();
    json_set_int(message, "v", 1);
    json_set_str(message, "drain", request->params[0]);
    AUTO_FREE char *text = json_dup_text(message);
    broker_broadcast(api->connection, TOPIC_CONTROL, text, strlen(text));
    http_reply(request, 202, worker);
    return ERR_OK;
}

#define BASE "/api/v1"
const struct route cluster_routes[] = {{"GET", BASE "/workers", ROLE_VIEWER, 0, NULL, NULL, 200, "operation",
                                        "List workers", list_workers, &answer_workers},
                                       {"GET", BASE "/workers/:id", ROLE_VIEWER, 0, NULL, NULL, 200, "operation",
                                        "Get a worker", get_worker, &answer_worker},
                                       {"POST", BASE "/workers/:id/drain", ROLE_OPERATOR, 0, NULL, NULL, 202,
                                        "operation", "Let a worker finish what it has, take nothing more and end",
                                        drain_worker, &answer_worker},
                                       {"GET", BASE "/orchestrators", ROLE_VIEWER, 0, NULL, NULL, 200, "operation",
                                        "List orchestrators", list_orchestrators, &answer_orchestrators},
                                       {0}};
