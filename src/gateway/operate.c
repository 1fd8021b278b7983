/* Routes of operation: health, workers, dead letters, settings, metrics. */
#include "gateway/api_int.h"

#include "base/base64.h"
#include "broker/messages.h"
#include "cache/cache.h"
#include "orchestrator/orchestrator.h"
#include <stdio.h>
#include <stdlib.h>

struct operate_access {
    const char *id;
    const struct json *filter, *document;
    struct json *loaded;
    int64_t now_ms;
};

/* ---- health */

static enum err read_anything(struct store_session *session, void *arg, struct error *reterr)
{
    (void)reterr;
    int64_t *due = arg;
    *due = store_executions_next_due_ms(session);
    return ERR_OK;
}

static bool store_answers(struct api *api, int64_t *ret_due_ms)
{
    struct error error;
    return api_read(api, read_anything, ret_due_ms, &error) == ERR_OK;
}

/* Work moves unless something waits, or is due, and nothing has happened for a while. */
#define STILL_MS 30000
static bool work_moves(struct api *api, int64_t due_ms, struct orchestrator_stats *ret)
{
    int64_t now = clock_now_ms();
    api_cluster_stats(api, ret);
    bool waiting = ret->pending > 0 || ret->in_flight > 0 || due_ms < now - STILL_MS;
    return !waiting || now - ret->last_progress_ms < STILL_MS || now - api->started_ms < STILL_MS;
}

static struct json *health_of(struct api *api)
{
    struct json *health = json_object_new(), *dependencies = json_object_new(), *work = json_object_new();
    struct orchestrator_stats stats = {0};
    int64_t due = INT64_MAX;
    bool cache = cache_is_ready(api->options.cache), broker = broker_is_ready(api->options.broker);
    bool database = store_answers(api, &due), moving = work_moves(api, due, &stats);
    char at[ISO_TEXT_BYTES];
    clock_format_iso(clock_now_ms(), at);
    json_set_str(health, "status", database && broker && moving ? "healthy" : database ? "degraded" : "unhealthy");
    json_set_str(health, "timestamp", at);
    json_set_str(dependencies, "database", database ? "healthy" : "unhealthy");
    /* without a server of that kind: the cache and the queues inside this process. Work goes on without Redis. */
    json_set_str(dependencies, "redis", cache ? "healthy" : "unhealthy");
    json_set_str(dependencies, "rabbitmq", broker ? "healthy" : "unhealthy");
    json_set(health, "dependencies", dependencies);
    json_set_bool(work, "moving", moving);
    json_set_int(work, "waiting", (int64_t)stats.pending);
    json_set_int(work, "running", (int64_t)stats.in_flight);
    json_set_int(work, "workers", (int64_t)stats.workers);
    json_set(health, "work", work);
    json_set_int(health, "uptime", clock_now_ms() - api->started_ms);
    json_set_str(health, "version", CAUDAL_VERSION);
    return health;
}

static enum err get_health(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_flat(request, 200, health_of(api));
    return ERR_OK;
}

static enum err get_live(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    (void)reterr;
    struct json *answer = json_object_new();
    json_set_bool(answer, "alive", true);
    http_reply_flat(request, 200, answer);
    return ERR_OK;
}

/* Ready: the store answers, and so does the broker; in a single process there is a worker to run things on, too. */
static enum err get_ready(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    struct json *answer = json_object_new();
    struct orchestrator_stats stats;
    int64_t due;
    api_cluster_stats(api, &stats);
    bool ready = store_answers(api, &due) && broker_is_ready(api->options.broker) &&
                 (api->options.orchestrator == NULL || stats.workers > 0);
    json_set_bool(answer, "ready", ready);
    http_reply_flat(request, ready ? 200 : 503, answer);
    return ERR_OK;
}

static enum err get_work(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    struct json *health = health_of(api), *work = json_ref(json_get(health, "work"));
    json_unref(health);
    http_reply_flat(request, json_get_bool(work, "moving", false) ? 200 : 503, work);
    return ERR_OK;
}

/* ---- dead letters */

static enum err read_letters(struct store_session *session, void *arg, struct error *reterr)
{
    struct operate_access *access = arg;
    return store_dead_letter_list(session, access->filter, &access->loaded, reterr);
}

static enum err list_letters(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char *const names[] = {"status", NULL};
    static const char *const known[] = {"open", "retried", "discarded", NULL};
    AUTO_JSON struct json *filter = NULL;
    enum err code = api_filter(request, names, 20, &filter, reterr);
    const char *status = json_get_str(filter, "status");
    bool good = status == NULL;
    for (size_t i = 0; status != NULL && known[i] != NULL; i++)
        good |= strcmp(status, known[i]) == 0;
    if (code == ERR_OK && !good)
        code = error_set(reterr, ERR_VALIDATION, "status", "status must be open, retried or discarded, not \"%.40s\".",
                         status);
    struct operate_access access = {.filter = filter};
    if (code == ERR_OK)
        code = api_read(api, read_letters, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

static enum err read_letter(struct store_session *session, void *arg, struct error *reterr)
{
    struct operate_access *access = arg;
    return store_get(session, STORE_DEAD_LETTERS, access->id, &access->loaded, reterr);
}

static enum err get_letter(struct api *api, struct http_request *request, struct error *reterr)
{
    struct operate_access access = {.id = request->params[0]};
    enum err code = api_read(api, read_letter, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

static enum err check_open(const struct json *letter, struct error *reterr)
{
    const char *status = json_get_str(letter, "status");
    if (status != NULL && strcmp(status, "open") == 0)
        return ERR_OK;
    return error_set(reterr, ERR_CONFLICT, "status", "The dead letter is %s already.",
                     status == NULL ? "closed" : status);
}

static enum err write_letter(struct store_session *session, void *arg, struct error *reterr)
{
    struct operate_access *access = arg;
    AUTO_JSON struct json *present = NULL;
    enum err code = store_get(session, STORE_DEAD_LETTERS, access->id, &present, reterr);
    if (code == ERR_OK)
        code = check_open(present, reterr);
    if (code != ERR_OK)
        return code;
    return store_put(session, STORE_DEAD_LETTERS, access->id, access->document, access->now_ms, reterr);
}

/* The very bytes that were in the queue. False: they are not all there, or nobody knows where they came from. */
static bool letter_payload(const struct json *letter, struct buf *out)
{
    const char *text = json_get_str(letter, "payload"), *encoding = json_get_str(letter, "payloadEncoding");
    if (text == NULL || encoding == NULL || json_get_str(letter, "queue") == NULL ||
        json_get_bool(letter, "payloadTruncated", false))
        return false;
    if (strcmp(encoding, "base64") == 0)
        return base64_decode(text, strlen(text), out);
    buf_add_str(out, text);
    return true;
}

static enum err can_be_sent(struct api *api, const struct json *letter, struct error *reterr)
{
    struct buf payload;
    buf_init(&payload, 0);
    bool known = letter_payload(letter, &payload);
    buf_done(&payload);
    if (!known)
        return error_set(reterr, ERR_CONFLICT, "payload",
                         "Only a letter whose whole payload and queue were kept can be sent again; discard this one.");
    if (!broker_is_ready(api->options.broker))
        return error_set(reterr, ERR_UNAVAILABLE, NULL, "The broker takes no messages now; try again later.");
    return ERR_OK;
}

/* Of work that was given up: its execution has failed, so that the message would move nothing. */
static bool is_of_failed(const struct json *letter)
{
    return json_get_str(letter, "executionId") != NULL && json_get_str(letter, "queue") == NULL;
}

/* What was kept is not done again. However often it is asked for, it is one execution. */
static enum err run_again(struct api *api, struct json *letter, struct error *reterr)
{
    char id[ID_TEXT_BYTES];
    AUTO_FREE char *key = mem_printf("dead letter %s", json_get_str(letter, "id"));
    enum err code = api_retry(api, json_get_str(letter, "executionId"), true, key, id, reterr);
    if (code == ERR_OK)
        json_set_str(letter, "retriedAs", id);
    return code;
}

static enum err load_open(struct api *api, struct http_request *request, struct json **ret, struct error *reterr)
{
    struct operate_access access = {.id = request->params[0]};
    enum err code = api_read(api, read_letter, &access, reterr);
    if (code != ERR_OK)
        return code;
    code = check_open(access.loaded, reterr);
    if (code == ERR_OK)
        *ret = json_dup(access.loaded);
    json_unref(access.loaded);
    return code;
}

static enum err close_letter(struct api *api, struct json *letter, const char *status, struct error *reterr)
{
    json_set_str(letter, "status", status);
    AUTO_JSON struct json *document = json_dup(letter); /* the writer's thread has its own */
    struct operate_access access = {.id = json_get_str(letter, "id"), .document = document, .now_ms = clock_now_ms()};
    return store_write(api->options.store, write_letter, &access, reterr);
}

static void letter_send(struct api *api, const struct json *letter)
{
    struct buf payload;
    buf_init(&payload, 0);
    if (letter_payload(letter, &payload))
        broker_publish(api->connection, json_get_str(letter, "queue"), (int)json_get_int(letter, "priority", 1),
                       buf_str(&payload), payload.len, NULL, NULL);
    buf_done(&payload);
}

static enum err retry_letter(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *letter = NULL;
    enum err code = load_open(api, request, &letter, reterr);
    if (code != ERR_OK)
        return code;
    bool failed = is_of_failed(letter);
    code = failed ? run_again(api, letter, reterr) : can_be_sent(api, letter, reterr);
    if (code == ERR_OK) /* before it is sent: a message is never sent twice */
        code = close_letter(api, letter, "retried", reterr);
    if (code != ERR_OK)
        return code;
    if (!failed)
        letter_send(api, letter);
    http_reply(request, 202, json_ref(letter));
    return ERR_OK;
}

static enum err discard_letter(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *letter = NULL;
    enum err code = load_open(api, request, &letter, reterr);
    if (code == ERR_OK)
        code = close_letter(api, letter, "discarded", reterr);
    if (code == ERR_OK)
        http_reply(request, 200, json_ref(letter));
    return code;
}

/* ---- metrics */

static enum err get_metrics(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    request->response.content_type = METRICS_CONTENT_TYPE;
    metrics_print(api->options.metrics, &request->response.body);
    return ERR_OK;
}

void api_collect(void *user, struct metrics_writer *writer)
{
    static const struct metric_desc commits = {
        .name = "caudal_store_commits_total", .help = "Transactions committed.", .kind = METRIC_COUNTER};
    static const struct metric_desc bytes = {
        .name = "caudal_store_bytes", .help = "Size of the database, its log included.", .kind = METRIC_GAUGE};
    struct api *api = user;
    struct store_stats store;
    store_stats(api->options.store, &store);
    metrics_emit_with(writer, &commits, store.commits, NULL);
    metrics_emit_with(writer, &bytes, store.db_bytes + store.wal_bytes, NULL);
}

#define BASE "/api/v1"
const struct route operate_routes[] = {
    {"GET", BASE "/health", ROLE_NONE, ROUTE_UNLIMITED | ROUTE_FLAT, NULL, NULL, 200, "health",
     "State of the service and what it depends on", get_health, &answer_health},
    {"GET", BASE "/health/live", ROLE_NONE, ROUTE_INLINE | ROUTE_UNLIMITED | ROUTE_FLAT, NULL, NULL, 200, "health",
     "The process answers", get_live, &answer_live},
    {"GET", BASE "/health/ready", ROLE_NONE, ROUTE_UNLIMITED | ROUTE_FLAT, NULL, NULL, 200, "health",
     "Requests can be served; 503 while they cannot", get_ready, &answer_ready},
    {"GET", BASE "/health/work", ROLE_NONE, ROUTE_UNLIMITED | ROUTE_FLAT, NULL, NULL, 200, "health",
     "Work is moving; 503 when something waits and nothing happens", get_work, &answer_work},
    {"GET", BASE "/dead-letters", ROLE_OPERATOR, ROUTE_LIST, NULL, NULL, 200, "operation",
     "List messages that could not be handled", list_letters, &answer_dead_letter_page},
    {"GET", BASE "/dead-letters/:id", ROLE_OPERATOR, 0, NULL, NULL, 200, "operation", "Get a dead letter", get_letter,
     &answer_dead_letter},
    {"POST", BASE "/dead-letters/:id/retry", ROLE_OPERATOR, 0, NULL, NULL, 202, "operation",
     "Send a dead letter again; of an execution that was given up: go on from the node that failed", retry_letter,
     &answer_dead_letter},
    {"POST", BASE "/dead-letters/:id/discard", ROLE_OPERATOR, 0, NULL, NULL, 200, "operation",
     "Close a dead letter without sending it", discard_letter, &answer_dead_letter},
    {"GET", "/metrics", ROLE_NONE, ROUTE_UNLIMITED, NULL, NULL, 200, "operation",
     "Metrics in the Prometheus text format", get_metrics, NULL},
    {0}};
