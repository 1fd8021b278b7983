/* /webhooks/…: a request starts the flow that listens there, and is answered at once or with the flow's result.
 *
 * A flow of pure nodes runs on the server's thread: its execution is stored once, finished, and the answer is given
 * after the commit. Every other flow goes the way of all executions; whoever waits for its result waits in `waiters`.
 */
#include "gateway/webhooks.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "gateway/api_int.h"
#include "gateway/ended_search.h"
#include "gateway/form.h"
#include "gateway/ws.h"
#include "broker/messages.h"
#include "orchestrator/ended.h"
#include "orchestrator/failures.h"
#include "orchestrator/submission.h"
#include "worker/pure_run.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ANSWER_WITHIN_MS 30000 /* then the caller gets 202 and the execution's id */
#define LOOK_MS 500
/* What was told and not heard (the broker was away, its sender died) is looked up in the store: not sooner than this,
 * and for so many at a time. */
#define SEARCH_EVERY_US INT64_C(1000000)
#define SEARCH_MAX 1000
#define FLOWS_KEPT 256 /* compiled, of one thread */

/* A webhook's request between its commit and its answer. */
struct waiter {
    struct api *api;
    struct http_request *request;
    struct webhook *webhook;
    char id[ID_TEXT_BYTES];
    char *input_json;
    const char *idempotency_key;
    int64_t created_ms, deadline_us, search_us; /* search_us: its end is looked up then */
    struct store_finish finish;
    struct pure_result result;
    bool finished; /* it ran here: `finish` is stored with the row */
    bool heard;    /* its failure has started flows that listen */
    bool waits;    /* it is in api->waiters */
    bool missed;   /* its execution is not in the store any more */
    bool queued;   /* its execution waits for its turn, under the limits of its flow */
};

static void waiter_free(struct waiter *waiter)
{
    webhook_release(waiter->webhook);
    pure_result_done(&waiter->result);
    free(waiter->input_json);
    free(waiter);
}

/* ---- the request as the flow's input */

static void add_header(void *user, const char *name, const char *value)
{
    char lower[128];
    size_t n = 0;
    for (; name[n] != '\0' && n < sizeof lower - 1; n++)
        lower[n] = (char)tolower((unsigned char)name[n]);
    lower[n] = '\0';
    form_add_value(user, lower, json_string_new(value));
}

static void add_query(void *user, const char *name, const char *value)
{
    form_add_value(user, name, json_string_new(value));
}

/* What is no text arrives as base64, said so by bodyEncoding. */
static struct json *binary_body(struct http_request *request, struct json *input)
{
    AUTO_BUF struct buf text = {0};
    base64_add(&text, request->body, request->size);
    json_set_str(input, "bodyEncoding", "base64");
    return json_string_new_n(buf_str(&text), text.len);
}

static bool is_utf8(const char *bytes, size_t size)
{
    uint32_t ignored;
    for (size_t at = 0, n; at < size; at += n)
        if ((n = utf8_decode(bytes + at, size - at, &ignored)) == 0)
            return false;
    return true;
}

static struct json *input_of(struct http_request *request)
{
    struct json *input = json_object_new(), *headers = json_object_new(), *query = json_object_new();
    http_request_each_header(request, add_header, headers);
    http_request_each_query(request, add_query, query);
    json_remove(headers, "authorization");
    json_set_str(input, "method", request->method);
    json_set_str(input, "path", request->rest);
    json_set(input, "headers", headers);
    json_set(input, "query", query);
    struct json *body = NULL;
    if (request->json != NULL)
        body = json_ref(request->json);
    else if (form_is_sent(request))
        body = form_body(request);
    else if (request->size > 0 &&
             (memchr(request->body, '\0', request->size) != NULL || !is_utf8(request->body, request->size)))
        body = binary_body(request, input);
    else if (request->size > 0)
        body = json_string_new_n(request->body, request->size);
    json_set(input, "body", body);
    return input;
}

/* ---- compiled flows, of each thread */

struct thread_flows {
    struct map flows; /* "id/version" -> struct flow */
};
static pthread_key_t flows_key;
static pthread_once_t flows_once = PTHREAD_ONCE_INIT;

static void free_flow(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    flow_free(value);
}

static void free_flows(void *user)
{
    struct thread_flows *mine = user;
    map_each(&mine->flows, free_flow, NULL);
    map_done(&mine->flows);
    free(mine);
}

static void make_key(void)
{
    if (pthread_key_create(&flows_key, free_flows) != 0)
        abort();
}

static struct flow *compile(const struct webhook *webhook, struct error *reterr)
{
    AUTO_JSON struct json *definition = NULL;
    struct flow *flow = NULL;
    enum err code = json_parse(webhook->definition, strlen(webhook->definition), &definition, reterr);
    if (code == ERR_OK)
        code =
            flow_compile(webhook->flow_id, webhook->version, definition, node_registry_catalog(), &flow, NULL, reterr);
    return code == ERR_OK ? flow : NULL;
}

/* NULL: the flow does not compile, reterr says why. */
static const struct flow *flow_of(const struct webhook *webhook, struct error *reterr)
{
    (void)pthread_once(&flows_once, make_key);
    struct thread_flows *mine = pthread_getspecific(flows_key);
    if (mine == NULL) {
        mine = mem_alloc(sizeof *mine);
        map_init(&mine->flows);
        (void)pthread_setspecific(flows_key, mine);
    }
    char key[80];
    (void)snprintf(key, sizeof key, "%.60s/%d", webhook->flow_id, webhook->version);
    struct flow *flow = map_get(&mine->flows, key);
    if (flow != NULL)
        return flow;
    flow = compile(webhook, reterr);
    if (flow == NULL)
        return NULL;
    if (mine->flows.count >= FLOWS_KEPT) {
        map_each(&mine->flows, free_flow, NULL);
        map_done(&mine->flows);
        map_init(&mine->flows);
    }
    (void)map_put(&mine->flows, key, flow);
    return flow;
}

/* ---- answers */

static void add_id(struct http_request *request, const char *id)
{
    http_response_header(request, "X-Execution-Id", id);
}

static void answer_accepted(struct http_request *request, const char *id, const char *status)
{
    struct json *payload = json_object_new();
    json_set_str(payload, "executionId", id);
    json_set_str(payload, "status", status);
    add_id(request, id);
    http_reply(request, 202, payload);
}

static void add_response_headers(struct http_request *request, const struct json *headers)
{
    struct json_iter header;
    JSON_EACH(headers, header)
    {
        char number[40];
        const char *text = json_as_str(header.value);
        if (text == NULL)
            (void)snprintf(number, sizeof number, "%.15g", json_as_double(header.value));
        if (strcasecmp(header.key, "content-type") == 0)
            request->response.content_type = arena_dup(&request->arena, text == NULL ? number : text);
        else if (strcasecmp(header.key, "content-length") != 0 && strcasecmp(header.key, "transfer-encoding") != 0 &&
                 strcasecmp(header.key, "connection") != 0)
            http_response_header(request, header.key, text == NULL ? number : text);
    }
}

/* A respond node's {statusCode, headers, body}. A text goes out as it is, everything else as JSON. */
static void answer_response(struct http_request *request, const struct json *response)
{
    const struct json *body = json_get(response, "body");
    request->response.status = (int)json_get_int(response, "statusCode", 200);
    if (json_is(body, JSON_STRING)) {
        request->response.content_type = "text/plain; charset=utf-8";
        buf_add(&request->response.body, json_as_str(body), json_as_str_len(body));
    } else {
        json_print(body, &request->response.body);
    }
    add_response_headers(request, json_get(response, "headers"));
}

static void answer_result(struct http_request *request, const char *id, const char *result_json, bool responded)
{
    add_id(request, id);
    request->response.status = 200;
    if (result_json == NULL) {
        buf_add_str(&request->response.body, "null");
        return;
    }
    AUTO_JSON struct json *result = NULL;
    if (responded && json_parse(result_json, strlen(result_json), &result, NULL) == ERR_OK)
        answer_response(request, result);
    else
        buf_add_str(&request->response.body, result_json);
}

static void answer_failure(struct http_request *request, const char *id, const char *error_code, const char *message)
{
    struct error error = {0};
    enum err code = error_code == NULL ? ERR_INTERNAL : error_parse_id(error_code);
    (void)error_set(&error, code == ERR_OK || error_http_status(code) < 500 ? ERR_UNPROCESSABLE : code, NULL, "%s",
                    message == NULL ? "The execution failed." : message);
    add_id(request, id);
    http_reply_error(request, &error, NULL);
}

/* ---- those who wait for a result */

static struct waiter *take_waiter(struct api *api, const char *id)
{
    pthread_mutex_lock(&api->lock);
    struct waiter *waiter = map_put(&api->waiters, id, NULL);
    pthread_mutex_unlock(&api->lock);
    return waiter;
}

static void complete(struct waiter *waiter)
{
    struct http_request *request = waiter->request;
    waiter_free(waiter);
    http_complete(request);
}

static void answer_end(struct waiter *waiter, enum run_status status, const char *result_json, const struct json *told)
{
    if (status == RUN_SUCCESS)
        answer_result(waiter->request, waiter->id, result_json, json_get_bool(told, "responded", false));
    else
        answer_failure(waiter->request, waiter->id, json_get_str(told, "errorId"), json_get_str(told, "errorMessage"));
    complete(waiter);
}

static void answer_waiter(struct api *api, const struct json *update)
{
    enum run_status status;
    if (json_get_str(update, "status") == NULL)
        return;
    if (run_status_parse(json_get_str(update, "status"), &status) != ERR_OK || !run_status_is_final(status))
        return;
    const char *id = json_get_str(update, "executionId");
    struct waiter *waiter = id == NULL ? NULL : take_waiter(api, id);
    if (waiter != NULL)
        answer_end(waiter, status, json_get_str(update, "result"), update);
}

/* Without history there is nothing left of a success: who did not hear of it, though there was time, is told that much.
 */
static bool is_missing_still(struct api *api, const char *id)
{
    pthread_mutex_lock(&api->lock);
    struct waiter *waiter = map_get(&api->waiters, id);
    bool still = waiter != NULL && waiter->missed;
    if (waiter != NULL)
        waiter->missed = true;
    pthread_mutex_unlock(&api->lock);
    return still;
}

static void on_ended(void *user, const struct json *ended)
{
    struct api *api = user;
    const char *id = json_get_str(ended, "id"), *name = json_get_str(ended, "status");
    enum run_status status;
    struct waiter *waiter = NULL;
    if (name == NULL) {
        if (is_missing_still(api, id) && (waiter = take_waiter(api, id)) != NULL) {
            answer_accepted(waiter->request, id, "discarded");
            complete(waiter);
        }
        return;
    }
    if (run_status_parse(name, &status) != ERR_OK || (waiter = take_waiter(api, id)) == NULL)
        return;
    const struct json *result = json_get(ended, "result");
    AUTO_FREE char *text = result == NULL ? NULL : json_dup_text(result);
    answer_end(waiter, status, text, ended);
}

struct due {
    int64_t now_us, again_us;
    struct json *ids;
};

static void find_due(void *user, const char *key, void *value)
{
    struct due *due = user;
    struct waiter *waiter = value;
    if (waiter->search_us > due->now_us || json_count(due->ids) == SEARCH_MAX)
        return;
    waiter->search_us = due->again_us;
    json_push(due->ids, json_string_new(key));
}

/* The more wait, the less often each is looked for. */
static void search_ended(struct api *api)
{
    struct due due = {.now_us = clock_monotonic_us(), .ids = json_array_new()};
    pthread_mutex_lock(&api->lock);
    due.again_us = due.now_us + SEARCH_EVERY_US * (int64_t)(1 + api->waiters.count / SEARCH_MAX);
    map_each(&api->waiters, find_due, &due);
    pthread_mutex_unlock(&api->lock);
    ended_search_start(api->ended_search, due.ids);
}

static void on_live(void *user, const void *body, size_t size)
{
    struct api *api = user;
    AUTO_JSON struct json *live = NULL;
    pthread_mutex_lock(&api->lock);
    size_t waiting = api->waiters.count;
    pthread_mutex_unlock(&api->lock);
    if (waiting > 0)
        live = message_parse_topic(body, size);
    for (size_t i = 0; message_update(live, i) != NULL; i++)
        answer_waiter(api, message_update(live, i));
}

struct late {
    int64_t now_us;
    char id[ID_TEXT_BYTES];
};

static void find_late(void *user, const char *key, void *value)
{
    struct late *late = user;
    if (((struct waiter *)value)->deadline_us <= late->now_us)
        (void)snprintf(late->id, sizeof late->id, "%s", key);
}

static void on_look(void *user)
{
    struct api *api = user;
    loop_timer_set(api->waiter_timer, LOOK_MS);
    search_ended(api);
    for (;;) {
        struct late late = {.now_us = clock_monotonic_us()};
        pthread_mutex_lock(&api->lock);
        map_each(&api->waiters, find_late, &late);
        pthread_mutex_unlock(&api->lock);
        if (late.id[0] == '\0')
            return;
        struct waiter *waiter = take_waiter(api, late.id);
        if (waiter == NULL)
            continue;
        answer_accepted(waiter->request, late.id, "running");
        complete(waiter);
    }
}

void api_waiters_start(struct api *api)
{
    api->webhooks = webhook_index_new();
    broker_subscribe(api->connection, TOPIC_LIVE, on_live, api);
    api->ended_search = ended_search_new(api->options.store, api->options.loop, on_ended, api);
    api->waiter_timer = loop_timer_new(api->options.loop, on_look, api);
    loop_timer_set(api->waiter_timer, LOOK_MS);
}

/* Whoever still waits is told that the execution goes on. */
void api_quiesced(void *user)
{
    struct api *api = user;
    for (;;) {
        struct late late = {.now_us = INT64_MAX - 1};
        pthread_mutex_lock(&api->lock);
        map_each(&api->waiters, find_late, &late);
        pthread_mutex_unlock(&api->lock);
        struct waiter *waiter = late.id[0] == '\0' ? NULL : take_waiter(api, late.id);
        if (waiter == NULL)
            return;
        answer_accepted(waiter->request, late.id, "running");
        complete(waiter);
    }
}

void api_waiters_free(struct api *api)
{
    loop_timer_free(api->waiter_timer);
    ended_search_free(api->ended_search);
    webhook_index_free(api->webhooks);
}

/* ---- acceptance */

static struct store_execution row_of(const struct waiter *waiter)
{
    return (struct store_execution){.id = waiter->id,
                                    .flow_id = waiter->webhook->flow_id,
                                    .flow_version = waiter->webhook->version,
                                    .trigger = "webhook",
                                    .trigger_node = waiter->webhook->node_id,
                                    .priority = waiter->webhook->priority,
                                    .unlimited = !waiter->webhook->limited,
                                    .input_json = waiter->input_json,
                                    .idempotency_key = waiter->idempotency_key,
                                    .created_ms = waiter->created_ms,
                                    .finish = waiter->finished ? &waiter->finish : NULL};
}

static enum err write_row(struct store_session *session, void *arg, struct error *reterr)
{
    struct waiter *waiter = arg;
    struct store_execution row = row_of(waiter);
    row.ret_waits = &waiter->queued;
    waiter->heard = false;
    enum err code = store_execution_insert(session, &row, reterr);
    bool failed = waiter->finished && (waiter->finish.status == RUN_FAILED || waiter->finish.status == RUN_TIMEOUT);
    return code == ERR_OK && failed
               ? failures_start(session, waiter->id, waiter->finish.ended_ms, &waiter->heard, reterr)
               : code;
}

static void answer_finished(struct waiter *waiter)
{
    if (!waiter->webhook->answers)
        answer_accepted(waiter->request, waiter->id, run_status_name(waiter->result.status));
    else if (waiter->result.status == RUN_SUCCESS)
        answer_result(waiter->request, waiter->id, waiter->result.result_json, waiter->result.responded);
    else
        answer_failure(waiter->request, waiter->id, error_id(waiter->result.error.code), waiter->result.error.message);
}

static void note_ended(const struct waiter *waiter)
{
    ended_note(waiter->api->ended, waiter->finish.status, waiter->finish.started_ms, waiter->finish.ended_ms);
}

/* What ran here no orchestrator tells. Nobody can know its id beforehand, so it concerns followers of all executions
 * only. */
static void announce_finished(const struct waiter *waiter)
{
    const struct store_finish *finish = &waiter->finish;
    char message[640];
    if (waiter->api->options.ws == NULL || !ws_follows_all(waiter->api->options.ws))
        return;
    (void)snprintf(message, sizeof message, "Execution %s%s%s", run_status_name(finish->status),
                   finish->error_message == NULL ? "." : ": ",
                   finish->error_message == NULL ? "" : finish->error_message);
    api_announce(waiter->api, &(struct live_update){.id = waiter->id,
                                                    .status = finish->status,
                                                    .at_ms = finish->ended_ms,
                                                    .records = finish->records,
                                                    .message = message,
                                                    .error_id = finish->error_id,
                                                    .error_message = finish->error_message});
}

/* On the writer's thread. A waiter that is in the map may be taken and gone as soon as its message is out. */
static void on_committed(void *user, enum err code, const struct error *error)
{
    struct waiter *waiter = user;
    struct api *api = waiter->api;
    if (code == ERR_OK && !waiter->finished) {
        struct store_execution row = row_of(waiter);
        bool waits = waiter->waits, queued = waiter->queued;
        pthread_mutex_lock(&api->lock);
        waiter->deadline_us = clock_monotonic_us() + ANSWER_WITHIN_MS * 1000;
        waiter->search_us = clock_monotonic_us() + SEARCH_EVERY_US;
        pthread_mutex_unlock(&api->lock);
        if (!waits)
            answer_accepted(waiter->request, waiter->id, "pending");
        if (!queued)
            submissions_add(api->submissions, &row);
        if (!waits)
            complete(waiter);
        return;
    }
    if (waiter->waits)
        (void)take_waiter(api, waiter->id);
    if (code == ERR_OK) {
        if (waiter->heard) /* flows that listen for failures are due */
            broker_broadcast(api->connection, TOPIC_CONTROL, "{\"v\":1,\"wake\":true}",
                             sizeof "{\"v\":1,\"wake\":true}" - 1);
        note_ended(waiter);
        announce_finished(waiter);
        answer_finished(waiter);
    } else if (code == ERR_CONFLICT && waiter->idempotency_key != NULL && id_is_valid(error->field)) {
        answer_accepted(waiter->request, error->field, "duplicate");
    } else {
        http_reply_error(waiter->request, error, NULL);
    }
    complete(waiter);
}

/* True: it ran to its end, and either nothing is to be stored or `finish` is filled. */
static bool run_here(struct waiter *waiter, const struct json *input)
{
    struct error error;
    const struct flow *flow = flow_of(waiter->webhook, &error);
    if (flow == NULL || waiter->webhook->limited || !pure_run_is_possible(flow))
        return false;
    struct run_options options = {.execution_id = waiter->id,
                                  .trigger = "webhook",
                                  .trigger_node = waiter->webhook->node_id,
                                  .created_ms = waiter->created_ms,
                                  .seed = hash_str(waiter->id),
                                  .epoch = 1};
    if (!pure_run(flow, &options, input, &waiter->result))
        return false;
    struct pure_result *result = &waiter->result;
    waiter->finish = (struct store_finish){.status = result->status,
                                           .started_ms = result->started_ms,
                                           .ended_ms = result->ended_ms,
                                           .records = result->records,
                                           .document_packed = result->document.data,
                                           .document_packed_bytes = result->document.len,
                                           .result_json = result->result_json};
    if (result->error.code != ERR_OK) {
        waiter->finish.error_id = error_id(result->error.code);
        waiter->finish.error_message = result->error.message;
    }
    return true;
}

static void wait_for_result(struct waiter *waiter)
{
    waiter->waits = true;
    waiter->deadline_us = waiter->search_us = INT64_MAX; /* until its row is committed nobody takes it */
    pthread_mutex_lock(&waiter->api->lock);
    (void)map_put(&waiter->api->waiters, waiter->id, waiter);
    pthread_mutex_unlock(&waiter->api->lock);
}

/* Flows that another gateway changed: a path that is not known is asked for at once, one that is at the latest after
 * this time. */
#define FLOWS_KNOWN_US INT64_C(1000000)

bool api_webhook_is_at_hand(struct api *api, const struct http_request *request)
{
    bool alone = api->options.orchestrator != NULL;
    return alone || webhook_is_at_hand(api->webhooks, atomic_load(&api->generation), request->method, request->rest,
                                       request->received_us - FLOWS_KNOWN_US);
}

enum err api_webhooks_renew(struct api *api, int64_t since_us, struct error *reterr)
{
    if (api->options.orchestrator != NULL)
        return ERR_OK;
    return webhook_renew(api->webhooks, api->options.store, since_us, &api->generation, reterr);
}

static enum err find(struct api *api, const struct http_request *request, struct webhook **ret, struct error *reterr)
{
    const char *method = request->method, *path = request->rest;
    struct store *store = api->options.store;
    if (!api_webhook_is_at_hand(api, request)) {
        bool known = webhook_is_at_hand(api->webhooks, atomic_load(&api->generation), method, path, INT64_MIN);
        int64_t since_us = request->received_us - (known ? FLOWS_KNOWN_US : 0);
        enum err code = api_webhooks_renew(api, since_us, reterr);
        if (code != ERR_OK && !known)
            return code;
    }
    return webhook_find(api->webhooks, store, atomic_load(&api->generation), method, path, ret, reterr);
}

static enum err receive(struct api *api, struct http_request *request, struct error *reterr)
{
    struct webhook *webhook = NULL;
    const char *key = http_request_header(request, "Idempotency-Key");
    enum err code = find(api, request, &webhook, reterr);
    if (code == ERR_OK && key != NULL && strlen(key) > 200)
        code =
            error_set(reterr, ERR_VALIDATION, "Idempotency-Key", "Idempotency-Key must have at most 200 characters.");
    if (code == ERR_OK)
        code = api_check_load(api, reterr);
    if (code != ERR_OK) {
        webhook_release(webhook);
        return code;
    }
    AUTO_JSON struct json *input = input_of(request);
    struct waiter *waiter = mem_alloc(sizeof *waiter);
    *waiter = (struct waiter){
        .api = api, .request = request, .webhook = webhook, .idempotency_key = key, .created_ms = clock_now_ms()};
    id_new(waiter->id);
    waiter->finished = run_here(waiter, input);
    if (waiter->finished && waiter->finish.document_packed == NULL && key == NULL) { /* history: none or errors */
        note_ended(waiter);
        answer_finished(waiter);
        waiter_free(waiter);
        return ERR_OK;
    }
    waiter->input_json = json_dup_text(input);
    if (!waiter->finished && webhook->answers)
        wait_for_result(waiter);
    api_later(request);
    store_write_async(api->options.store, write_row, waiter, on_committed, waiter);
    return ERR_OK;
}

static enum err list_webhooks(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *list = NULL;
    enum err code = api_webhooks_renew(api, request->received_us, reterr);
    if (code == ERR_OK)
        code = webhook_list(api->webhooks, api->options.store, atomic_load(&api->generation), &list, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, list);
    return code;
}

const struct route webhook_routes[] = {{"*", "/webhooks/*", ROLE_NONE, ROUTE_INLINE | ROUTE_UNLIMITED | ROUTE_WEBHOOK,
                                        NULL, NULL, 200, "webhooks", "Start the flow that listens on this path",
                                        receive, NULL},
                                       {"GET", "/api/v1/webhooks", ROLE_VIEWER, 0, NULL, NULL, 200, "webhooks",
                                        "List the paths that flows listen on", list_webhooks, &answer_webhooks},
                                       {0}};
