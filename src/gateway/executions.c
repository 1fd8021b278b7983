/* Routes of executions (api-contract 1.4). */
#include "gateway/api_int.h"

#include "broker/messages.h"
#include "orchestrator/submission.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

struct access {
    const char *id, *level, *node_id;
    const struct json *filter;
    struct json *loaded, *cancelled;
    int64_t now_ms;
    enum err (*write)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
    int version;
};

struct insertion {
    struct store_execution row;
    bool wants_present; /* the flow's version of that moment */
    bool published;     /* the published one, if there is one */
    int priority;       /* -1: the flow's */
    bool waits;         /* for its turn, under the limits of its flow */
    char id[ID_TEXT_BYTES];
};

static bool has_node(const struct json *nodes, const char *id)
{
    for (size_t i = 0; i < json_count(nodes); i++) {
        const char *other = json_get_str(json_at(nodes, i), "id");
        if (other != NULL && strcmp(other, id) == 0)
            return true;
    }
    return false;
}

static enum err check_nodes(const struct json *nodes, const struct json *options, struct error *reterr)
{
    const char *until = json_get_str(options, "untilNode");
    struct json_iter pin;
    if (until != NULL && !has_node(nodes, until))
        return error_set(reterr, ERR_VALIDATION, "untilNode", "untilNode: the flow has no node \"%.64s\".", until);
    JSON_EACH(json_get(options, "pins"), pin)
    {
        if (!has_node(nodes, pin.key))
            return error_set(reterr, ERR_VALIDATION, "pins", "pins: the flow has no node \"%.64s\".", pin.key);
        if (!json_is(pin.value, JSON_OBJECT))
            return error_set(reterr, ERR_VALIDATION, "pins",
                             "pins.%.64s must be an object with a value for each output, such as {\"output\": 1}.",
                             pin.key);
    }
    return ERR_OK;
}

/* Nodes that a run by hand names must be there. On the writer's thread: the text is parsed for it alone. */
static enum err check_options(struct store_session *session, const struct insertion *insertion, struct error *reterr)
{
    const struct store_execution *row = &insertion->row;
    AUTO_JSON struct json *flow = NULL;
    AUTO_JSON struct json *options = NULL;
    enum err code = insertion->wants_present
                        ? store_flow_load(session, row->flow_id, &flow, reterr)
                        : store_flow_load_version(session, row->flow_id, row->flow_version, &flow, reterr);
    if (code == ERR_OK)
        code = json_parse(row->options_json, strlen(row->options_json), &options, reterr);
    return code == ERR_OK ? check_nodes(json_get(flow, "nodes"), options, reterr) : code;
}

static enum err write_start(struct store_session *session, void *arg, struct error *reterr)
{
    struct insertion *insertion = arg;
    enum err code = ERR_OK;
    if (insertion->row.options_json != NULL)
        code = check_options(session, insertion, reterr);
    struct store_flow_start flow;
    if (code == ERR_OK)
        code = store_flow_start(session, insertion->row.flow_id, insertion->published, &flow, reterr);
    if (code != ERR_OK)
        return code;
    if (insertion->wants_present)
        insertion->row.flow_version = flow.version;
    insertion->row.priority = insertion->priority < 0 ? flow.priority : insertion->priority;
    insertion->row.unlimited = !flow.limited;
    return store_execution_insert(session, &insertion->row, reterr);
}

enum err api_check_load(struct api *api, struct error *reterr)
{
    int64_t mark = config_int(api->options.config, CONFIG_QUEUE_HIGH_WATER_MARK);
    size_t waiting = api_cluster_waiting(api);
    if (broker_is_blocked(api->options.broker)) /* its row would only wait; away altogether, it is back in a moment */
        return error_set(reterr, ERR_BROKER, NULL,
                         "RabbitMQ takes no messages now, because its disk or memory is short; try again later.");
    if ((int64_t)waiting < mark)
        return ERR_OK;
    return error_set(reterr, ERR_UNAVAILABLE, NULL,
                     "%zu executions wait already (QUEUE_HIGH_WATER_MARK is %lld); try again later.", waiting,
                     (long long)mark);
}

/* What `start` points to must live as long as the insertion. */
static void insertion_fill(struct insertion *insertion, const struct start_request *start)
{
    id_new(insertion->id);
    insertion->wants_present = start->flow_version == 0;
    insertion->published = start->published;
    insertion->priority = start->priority;
    insertion->row = (struct store_execution){.id = insertion->id,
                                              .flow_id = start->flow_id,
                                              .flow_version = start->flow_version,
                                              .schedule_id = start->schedule_id,
                                              .trigger = start->trigger,
                                              .trigger_node = start->trigger_node,
                                              .ret_waits = &insertion->waits,
                                              .input_json = start->input_json,
                                              .metadata_json = start->metadata_json,
                                              .restore_json = start->restore_json,
                                              .idempotency_key = start->idempotency_key,
                                              .request_hash = start->request_hash,
                                              .options_json = start->options_json,
                                              .created_ms = clock_now_ms(),
                                              .retry_count = start->retry_count};
}

enum err api_start(struct api *api, const struct start_request *start, char ret_id[ID_TEXT_BYTES], struct error *reterr)
{
    struct insertion insertion = {0};
    enum err code = api_check_load(api, reterr);
    if (code != ERR_OK)
        return code;
    insertion_fill(&insertion, start);
    struct error error = {0};
    code = store_write(api->options.store, write_start, &insertion, &error);
    if (code == ERR_CONFLICT && start->idempotency_key != NULL && id_is_valid(error.field)) {
        memcpy(ret_id, error.field, ID_TEXT_BYTES);
        return ERR_OK;
    }
    if (code != ERR_OK) {
        *reterr = error;
        return code;
    }
    if (!insertion.waits)
        submissions_add(api->submissions, &insertion.row);
    memcpy(ret_id, insertion.id, ID_TEXT_BYTES);
    return ERR_OK;
}

static void reply_started(struct http_request *request, int status, const char *id, const char *message)
{
    struct json *payload = json_object_new();
    json_set_str(payload, "executionId", id);
    json_set_str(payload, "status", "pending");
    if (message != NULL)
        json_set_str(payload, "message", message);
    http_reply(request, status, payload);
}

static const char *const priorities[] = {"low", "normal", "high", NULL};
#define START_MEMBERS                                                                                                  \
    {.name = "input", .kind = FIELD_ANY, .help = "What the trigger hands to the flow."},                               \
        {.name = "metadata", .kind = FIELD_OBJECT, .nullable = true, .help = "Kept with the execution."},              \
        {.name = "priority",                                                                                           \
         .kind = FIELD_ENUM,                                                                                           \
         .nullable = true,                                                                                             \
         .values = priorities,                                                                                         \
         .help = "Higher ones are started first; absent: as the flow's settings say."},                                \
        {.name = "triggerNode",                                                                                        \
         .kind = FIELD_STRING,                                                                                         \
         .nullable = true,                                                                                             \
         .min = 1,                                                                                                     \
         .max = LIMIT_NODE_ID_BYTES,                                                                                   \
         .help = "Which trigger fires, of several."},                                                                  \
        {.name = "untilNode",                                                                                          \
         .kind = FIELD_STRING,                                                                                         \
         .nullable = true,                                                                                             \
         .min = 1,                                                                                                     \
         .max = LIMIT_NODE_ID_BYTES,                                                                                   \
         .help = "Run only what this node needs, and the node."},                                                      \
        {.name = "pins",                                                                                               \
         .kind = FIELD_OBJECT,                                                                                         \
         .nullable = true,                                                                                             \
         .help = "Outputs by node id: such a node is not executed, these stand for its outputs."},                     \
    {                                                                                                                  \
        .name = "idempotencyKey", .kind = FIELD_STRING, .nullable = true, .min = 1, .max = 200,                        \
        .help = "A second start with the same key and body answers with the first execution."                          \
    }
static const struct field start_fields[] = {
    {.name = "flowId", .kind = FIELD_STRING, .required = true, .min = 1, .max = 40, .help = "The flow."},
    START_MEMBERS,
    {0}};
static const struct field run_fields[] = {START_MEMBERS, {0}};

static int priority_of(const char *name)
{
    for (int i = 0; name != NULL && priorities[i] != NULL; i++)
        if (strcmp(name, priorities[i]) == 0)
            return i;
    return -1;
}

/* A start whose request waits for the commit, and no thread with it. */
struct pending_start {
    struct api *api;
    struct http_request *request;
    char *input, *metadata, *options;
    struct insertion insertion;
};

/* On the store's writer thread. */
static void on_started(void *user, enum err code, const struct error *error)
{
    struct pending_start *pending = user;
    const struct store_execution *row = &pending->insertion.row;
    if (code == ERR_OK)
        reply_started(pending->request, 201, row->id, NULL);
    else if (code == ERR_CONFLICT && row->idempotency_key != NULL && id_is_valid(error->field))
        reply_started(pending->request, 201, error->field, NULL); /* the first one with that key */
    else
        http_reply_error(pending->request, error, NULL);
    if (code == ERR_OK && !pending->insertion.waits)
        submissions_add(pending->api->submissions, row);
    struct http_request *request = pending->request;
    free(pending->input);
    free(pending->metadata);
    free(pending->options);
    free(pending);
    http_complete(request);
}

static char *options_of(const struct json *body)
{
    static const char *const names[] = {"untilNode", "pins"};
    AUTO_JSON struct json *options = json_object_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_get(body, names[i]) != NULL)
            json_set(options, names[i], json_ref(json_get(body, names[i])));
    return json_count(options) == 0 ? NULL : json_dup_text(options);
}

/* Of everything that makes another execution; never 0. */
static int64_t request_hash(const struct json *body)
{
    static const char *const names[] = {"input", "priority", "triggerNode", "untilNode", "pins"};
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_print(json_get(body, names[i]), &text);
        buf_add_char(&text, '\n');
    }
    return (int64_t)(hash_bytes(text.data, text.len) | 1);
}

static enum err start(struct api *api, struct http_request *request, const char *flow_id, struct error *reterr)
{
    const struct json *body = request->json, *metadata = json_get(body, "metadata");
    const char *key = json_get_str(body, "idempotencyKey"), *at = json_get_str(metadata, "triggeredAt");
    if (!id_is_valid(flow_id))
        return error_set(reterr, ERR_NOT_FOUND, "flowId", "There is no flow %.60s.", flow_id);
    if (key == NULL)
        key = http_request_header(request, "Idempotency-Key");
    if (key == NULL &&
        at != NULL) /* the plan's page sends the same call again after a dropped connection (contract 1.4) */
        key = arena_printf(&request->arena, "triggeredAt:%.60s", at);
    enum err code = api_check_load(api, reterr);
    if (code != ERR_OK)
        return code;
    struct pending_start *pending = mem_alloc(sizeof *pending);
    *pending = (struct pending_start){.api = api,
                                      .request = request,
                                      .input = json_has(body, "input") ? json_dup_text(json_get(body, "input")) : NULL,
                                      .metadata = metadata == NULL ? NULL : json_dup_text(metadata),
                                      .options = options_of(body)};
    insertion_fill(&pending->insertion,
                   &(struct start_request){.flow_id = flow_id,
                                           .trigger = "manual",
                                           .trigger_node = json_get_str(body, "triggerNode"),
                                           .idempotency_key = key,
                                           .request_hash = key == NULL ? 0 : request_hash(body),
                                           .options_json = pending->options,
                                           .input_json = pending->input,
                                           .metadata_json = pending->metadata,
                                           .priority = priority_of(json_get_str(body, "priority"))});
    api_later(request);
    store_write_async(api->options.store, write_start, &pending->insertion, on_started, pending);
    return ERR_OK;
}

static enum err start_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    return start(api, request, json_get_str(request->json, "flowId"), reterr);
}

static enum err run_flow(struct api *api, struct http_request *request, struct error *reterr)
{
    return start(api, request, request->params[0], reterr);
}

static enum err read_page(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_execution_list(session, access->filter, &access->loaded, reterr);
}

static enum err check_list(const struct json *filter, struct error *reterr)
{
    static const char *const times[] = {"startTimeFrom", "startTimeTo"};
    enum run_status status;
    const char *text = json_get_str(filter, "status");
    if (text != NULL && run_status_parse(text, &status) != ERR_OK)
        return error_set(
            reterr, ERR_VALIDATION, "status",
            "status must be pending, running, paused, success, failed, cancelled or timeout, not \"%.40s\".", text);
    for (size_t i = 0; i < 2; i++) {
        int64_t ms;
        if ((text = json_get_str(filter, times[i])) != NULL && clock_parse_iso(text, &ms) != 0)
            return error_set(reterr, ERR_VALIDATION, times[i],
                             "%s must be an ISO 8601 time such as 2026-01-02T03:04:05Z, not \"%.40s\".", times[i],
                             text);
    }
    return ERR_OK;
}

static enum err list_executions(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char *const names[] = {"flowId", "scheduleId",    "parentExecutionId", "status",
                                        "search", "startTimeFrom", "startTimeTo",       NULL};
    AUTO_JSON struct json *filter = NULL;
    enum err code = api_filter(request, names, 20, &filter, reterr);
    if (code == ERR_OK)
        code = check_list(filter, reterr);
    struct access access = {.filter = filter};
    if (code == ERR_OK)
        code = api_read(api, read_page, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

static enum err read_detail(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_execution_load_detail(session, access->id, &access->loaded, reterr);
}

static enum err load_detail(struct api *api, const char *id, struct json **ret, struct error *reterr)
{
    struct access access = {.id = id};
    enum err code = api_read(api, read_detail, &access, reterr);
    if (code != ERR_OK)
        return code;
    api_show_links(api, json_get(access.loaded, "waits"));
    *ret = access.loaded;
    return ERR_OK;
}

enum err api_execution_detail(struct api *api, const char *id, struct json **ret, struct error *reterr)
{
    return load_detail(api, id, ret, reterr);
}

static enum err get_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *detail = NULL;
    enum err code = load_detail(api, request->params[0], &detail, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *waits = json_get(detail, "waits");
    for (size_t i = 0; request->principal->role < ROLE_OPERATOR && i < json_count(waits); i++)
        json_remove(json_at(waits, i), "url"); /* whoever has the link may answer */
    http_reply(request, 200, detail);
    return ERR_OK;
}

static enum err get_node(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *detail = NULL;
    enum err code = load_detail(api, request->params[0], &detail, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *nodes = json_get(detail, "nodeExecutions");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (strcmp(json_get_str(json_at(nodes, i), "nodeId"), request->params[1]) == 0) {
            http_reply(request, 200, json_ref(json_at(nodes, i)));
            return ERR_OK;
        }
    return error_set(reterr, ERR_NOT_FOUND, "nodeId", "Node %.64s has not run in this execution.", request->params[1]);
}

static enum err read_logs(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_execution_logs(session, access->id, access->level, access->node_id, &access->loaded, reterr);
}

static enum err get_logs(struct api *api, struct http_request *request, struct error *reterr)
{
    struct access access = {.id = request->params[0],
                            .level = http_request_query(request, "level"),
                            .node_id = http_request_query(request, "nodeId")};
    enum log_level level;
    if (access.level != NULL && !log_level_parse(access.level, &level))
        return error_set(reterr, ERR_VALIDATION, "level", "level must be debug, info, warn or error, not \"%.40s\".",
                         access.level);
    enum err code = api_read(api, read_logs, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

static enum err write_control(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    json_unref(access->loaded);
    json_unref(access->cancelled);
    access->loaded = access->cancelled = NULL;
    if (access->write != store_execution_cancel)
        return access->write(session, access->id, access->now_ms, reterr);
    enum err code = store_execution_cancel_all(session, access->id, access->now_ms, &access->cancelled, reterr);
    return code == ERR_OK ? store_execution_load(session, access->id, &access->loaded, reterr) : code;
}

/* Those that went along with it, and who waited for it. */
static void tell_relatives(struct api *api, const struct access *access)
{
    const char *parent = json_get_str(access->loaded, "parentExecutionId");
    for (size_t i = 1; i < json_count(access->cancelled); i++)
        api_control(api, "cancel", json_as_str(json_at(access->cancelled, i)));
    if (parent != NULL)
        api_control(api, "signals", parent);
}

void api_announce(struct api *api, const struct live_update *update)
{
    char id[ID_TEXT_BYTES] = "";
    for (size_t i = 0; i < sizeof id - 1 && update->id[i] != '\0'; i++)
        id[i] = (char)tolower((unsigned char)update->id[i]);
    AUTO_JSON struct json *live =
        message_update_new(id, NULL, run_status_name(update->status), update->records, update->at_ms);
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    if (run_status_is_final(update->status))
        json_set_int(live, "progress", 100);
    json_set_str(live, "message", update->message);
    if (update->error_id != NULL) {
        json_set_str(live, "errorId", update->error_id);
        json_set_str(live, "errorMessage", update->error_message);
    }
    json_print(live, &body);
    broker_broadcast(api->connection, TOPIC_LIVE, body.data, body.len);
}

/* No worker tells what the store did at a person's word. */
static void announce_control(struct api *api, const struct access *access, enum run_status status)
{
    struct live_update update = {.id = access->id,
                                 .status = status,
                                 .at_ms = access->now_ms,
                                 .message = "Execution resumed."}; /* records: 0 changes nothing in the page */
    if (status == RUN_PAUSED)
        update.message = "Execution paused.";
    if (status == RUN_CANCELLED) {
        update.message = "Execution cancelled.";
        update.error_id = error_id(ERR_CANCELLED);
        update.error_message = "The execution was cancelled.";
    }
    api_announce(api, &update);
}

/* The store first; then whoever runs it is told, and whoever watches it. */
static bool stands_at(struct api *api, const char *id, enum run_status status)
{
    AUTO_JSON struct json *detail = NULL;
    struct error error;
    return load_detail(api, id, &detail, &error) == ERR_OK &&
           strcmp(json_get_str(detail, "status"), run_status_name(status)) == 0;
}

static enum err control_one(struct api *api, const char *id, const char *verb, enum run_status status,
                            enum err (*write)(struct store_session *s, const char *id, int64_t now_ms,
                                              struct error *reterr),
                            struct error *reterr)
{
    struct access access = {.id = id, .write = write, .now_ms = clock_now_ms()};
    enum err code = store_write(api->options.store, write_control, &access, reterr);
    if (code == ERR_STORE_UNKNOWN && stands_at(api, access.id, status))
        code = ERR_OK; /* it was committed after all: whoever runs it must hear of it */
    if (code == ERR_OK) {
        api_control(api, verb, access.id);
        tell_relatives(api, &access);
        announce_control(api, &access, status);
    }
    json_unref(access.loaded);
    json_unref(access.cancelled);
    return code;
}

enum err api_cancel(struct api *api, const char *id, struct error *reterr)
{
    return control_one(api, id, "cancel", RUN_CANCELLED, store_execution_cancel, reterr);
}

static enum err control(struct api *api, struct http_request *request, const char *verb, enum run_status status,
                        enum err (*write)(struct store_session *s, const char *id, int64_t now_ms,
                                          struct error *reterr),
                        struct error *reterr)
{
    enum err code = control_one(api, request->params[0], verb, status, write, reterr);
    return code == ERR_OK ? get_execution(api, request, reterr) : code;
}

static enum err cancel_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    return control(api, request, "cancel", RUN_CANCELLED, store_execution_cancel, reterr);
}

static enum err pause_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    return control(api, request, "pause", RUN_PAUSED, store_execution_pause, reterr);
}

static enum err resume_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    return control(api, request, "resume", RUN_RUNNING, store_execution_resume, reterr);
}

static enum err write_delete(struct store_session *session, void *arg, struct error *reterr)
{
    struct access *access = arg;
    return store_execution_delete(session, access->id, reterr);
}

enum err api_delete(struct api *api, const char *id, struct error *reterr)
{
    struct access access = {.id = id};
    return store_write(api->options.store, write_delete, &access, reterr);
}

static enum err delete_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    enum err code = api_delete(api, request->params[0], reterr);
    if (code == ERR_OK)
        http_reply_empty(request);
    return code;
}

static const char *const retry_modes[] = {"whole", "failed", NULL};
static const struct field retry_fields[] = {
    {.name = "from",
     .kind = FIELD_ENUM,
     .values = retry_modes,
     .default_json = "\"whole\"",
     .help = "whole: everything again; failed: nodes that succeeded keep their result."},
    {0}};

enum err api_retry(struct api *api, const char *execution_id, bool failed_only, const char *key,
                   char ret_id[ID_TEXT_BYTES], struct error *reterr)
{
    AUTO_JSON struct json *old = NULL;
    enum err code = load_detail(api, execution_id, &old, reterr);
    if (code != ERR_OK)
        return code;
    const char *status = json_get_str(old, "status");
    if (strcmp(status, "failed") != 0 && strcmp(status, "timeout") != 0)
        return error_set(reterr, ERR_VALIDATION, "status", "Only a failed execution can be retried; this one is %s.",
                         status);
    AUTO_JSON struct json *known = failed_only ? flow_run_known(json_get(old, "nodeExecutions")) : NULL;
    AUTO_FREE char *input =
        json_has(old, "input") && json_get(old, "input") != NULL ? json_dup_text(json_get(old, "input")) : NULL;
    AUTO_FREE char *metadata = json_get(old, "metadata") != NULL ? json_dup_text(json_get(old, "metadata")) : NULL;
    AUTO_FREE char *restore = known != NULL ? json_dup_text(known) : NULL;
    struct start_request wanted = {.flow_id = json_get_str(old, "flowId"),
                                   .trigger = json_get_str(old, "trigger"),
                                   .schedule_id = json_get_str(old, "scheduleId"),
                                   .trigger_node = json_get_str(old, "triggerNode"),
                                   .input_json = input,
                                   .metadata_json = metadata,
                                   .restore_json = restore,
                                   .idempotency_key = key,
                                   .priority = (int)json_get_int(old, "priority", 1),
                                   .retry_count = (int)json_get_int(old, "retryCount", 0) + 1};
    return api_start(api, &wanted, ret_id, reterr);
}

static enum err retry_execution(struct api *api, struct http_request *request, struct error *reterr)
{
    const char *from = json_get_str(request->json, "from");
    bool failed_only = from != NULL && strcmp(from, "failed") == 0;
    char id[ID_TEXT_BYTES];
    enum err code = api_retry(api, request->params[0], failed_only, NULL, id, reterr);
    if (code == ERR_OK)
        reply_started(request, 202, id,
                      failed_only ? "The execution goes on from the node that failed."
                                  : "The execution was started again.");
    return code;
}

enum err api_job_stats(struct store *store, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *counts = NULL;
    enum err code = store_counts(store, &counts, reterr);
    if (code != ERR_OK)
        return code;
    struct json *stats = json_object_new();
    json_set_int(stats, "waiting", json_get_int(counts, "pending", 0));
    json_set_int(stats, "active", json_get_int(counts, "running", 0));
    json_set_int(stats, "completed", json_get_int(counts, "success", 0));
    json_set_int(stats, "failed", json_get_int(counts, "failed", 0) + json_get_int(counts, "timeout", 0));
    json_set_int(stats, "delayed", json_get_int(counts, "waiting", 0));
    json_set_int(stats, "paused", json_get_int(counts, "paused", 0));
    *ret = stats;
    return ERR_OK;
}

static enum err job_stats(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *stats = NULL;
    enum err code = api_job_stats(api->options.store, &stats, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, stats);
    return code;
}

const struct route execution_routes[] = {
    {"GET", "/api/v1/scheduler/executions", ROLE_VIEWER, ROUTE_LIST, NULL, NULL, 200, "executions", "List executions",
     list_executions, &answer_execution_page},
    {"POST", "/api/v1/scheduler/executions", ROLE_OPERATOR, ROUTE_INLINE | ROUTE_UNAUDITED, start_fields, NULL, 201,
     "executions", "Start an execution of the stored flow", start_execution, &answer_execution_start},
    {"POST", "/api/v1/flows/:id/run", ROLE_OPERATOR, ROUTE_ID | ROUTE_INLINE | ROUTE_UNAUDITED, run_fields, NULL, 201,
     "executions", "Start an execution of this flow", run_flow, &answer_execution_start},
    {"GET", "/api/v1/scheduler/executions/:id", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "executions",
     "Get an execution with its nodes", get_execution, &answer_execution},
    {"DELETE", "/api/v1/scheduler/executions/:id", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 204, "executions",
     "Delete a finished execution", delete_execution, NULL},
    {"GET", "/api/v1/scheduler/executions/:id/logs", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "executions",
     "Log lines, newest first", get_logs, &answer_execution_logs},
    {"GET", "/api/v1/scheduler/executions/:id/nodes/:nodeId", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "executions",
     "Input, output and attempts of one node", get_node, &answer_node_execution},
    {"POST", "/api/v1/scheduler/executions/:id/retry", ROLE_OPERATOR, ROUTE_ID, retry_fields, NULL, 202, "executions",
     "Run a failed execution again, whole or from the failed node", retry_execution, &answer_execution_start},
    {"POST", "/api/v1/scheduler/executions/:id/cancel", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 200, "executions",
     "Cancel an execution", cancel_execution, &answer_execution},
    {"POST", "/api/v1/scheduler/executions/:id/pause", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 200, "executions",
     "Pause an execution after the nodes that run", pause_execution, &answer_execution},
    {"POST", "/api/v1/scheduler/executions/:id/resume", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 200, "executions",
     "Resume a paused execution", resume_execution, &answer_execution},
    {"GET", "/api/v1/scheduler/jobs/stats", ROLE_VIEWER, 0, NULL, NULL, 200, "executions", "Executions by state",
     job_stats, &answer_job_stats},
    {0}};
