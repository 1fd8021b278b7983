/* Routes of schedules (api-contract 1.3). */
#include "gateway/api_int.h"

#include "flow/schedule.h"
#include <stdio.h>
#include <stdlib.h>

struct schedule_access {
    const char *id;
    const struct json *document, *filter;
    struct json *loaded;
    int64_t now_ms;
};

#define SCHEDULE_MEMBERS(needed)                                                                                       \
    {.name = "flowId",                                                                                                 \
     .kind = FIELD_STRING,                                                                                             \
     .required = (needed),                                                                                             \
     .min = 1,                                                                                                         \
     .max = 40,                                                                                                        \
     .help = "The flow that it starts."},                                                                              \
        {.name = "name",                                                                                               \
         .kind = FIELD_STRING,                                                                                         \
         .required = (needed),                                                                                         \
         .min = 1,                                                                                                     \
         .max = LIMIT_NAME_CHARS,                                                                                      \
         .help = "Its name."},                                                                                         \
        {.name = "description",                                                                                        \
         .kind = FIELD_STRING,                                                                                         \
         .nullable = true,                                                                                             \
         .max = LIMIT_DESCRIPTION_CHARS,                                                                               \
         .help = "What it is for."},                                                                                   \
        {.name = "cronExpression",                                                                                     \
         .kind = FIELD_STRING,                                                                                         \
         .required = (needed),                                                                                         \
         .min = 1,                                                                                                     \
         .max = CRON_TEXT_MAX,                                                                                         \
         .help = "Five or six cron fields, or a macro such as @daily."},                                               \
        {.name = "timezone",                                                                                           \
         .kind = FIELD_STRING,                                                                                         \
         .nullable = true,                                                                                             \
         .min = 1,                                                                                                     \
         .max = 64,                                                                                                    \
         .default_json = "\"UTC\"",                                                                                    \
         .help = "IANA time zone of the expression."},                                                                 \
        {.name = "enabled", .kind = FIELD_BOOL, .default_json = "true", .help = "Whether it fires."},                  \
        {.name = "maxRetries",                                                                                         \
         .kind = FIELD_INT,                                                                                            \
         .max = 10,                                                                                                    \
         .default_json = "3",                                                                                          \
         .help = "How often a failed execution is started again."},                                                    \
        {.name = "retryDelay",                                                                                         \
         .kind = FIELD_INT,                                                                                            \
         .min = 1,                                                                                                     \
         .max = 86400,                                                                                                 \
         .default_json = "300",                                                                                        \
         .help = "Seconds before the first of these; it doubles each time."},                                          \
        {.name = "overlap",                                                                                            \
         .kind = FIELD_ENUM,                                                                                           \
         .values = schedule_overlaps,                                                                                  \
         .default_json = "\"allow\"",                                                                                  \
         .help = "When an execution of it is unfinished: allow both, skip the new one, queue one, cancel the other."}, \
        {.name = "catchUp",                                                                                            \
         .kind = FIELD_ENUM,                                                                                           \
         .values = schedule_catch_ups,                                                                                 \
         .default_json = "\"last\"",                                                                                   \
         .help = "Of instants that were missed fires none, the last one, or all."},                                    \
        {.name = "catchUpWindow",                                                                                      \
         .kind = FIELD_INT,                                                                                            \
         .nullable = true,                                                                                             \
         .max = SCHEDULE_WINDOW_MAX_S,                                                                                 \
         .help = "Seconds after which a missed instant is too old for that; SCHEDULE_WINDOW_MS if absent."},           \
    {                                                                                                                  \
        .name = "metadata", .kind = FIELD_OBJECT, .nullable = true, .help = "Yours; kept as it is."                    \
    }
static const struct field new_fields[] = {SCHEDULE_MEMBERS(true), {0}};
static const struct field change_fields[] = {SCHEDULE_MEMBERS(false), {0}};
static const struct field bulk_fields[] = {
    {.name = "scheduleIds", .kind = FIELD_STRINGS, .required = true, .min = 1, .max = 100, .help = "Ids of schedules."},
    {0}};
static const struct field preview_fields[] = {
    {.name = "cronExpression",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = CRON_TEXT_MAX,
     .help = "Five or six cron fields, or a macro such as @daily."},
    {.name = "timezone",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 64,
     .default_json = "\"UTC\"",
     .help = "IANA time zone of the expression."},
    {.name = "count", .kind = FIELD_INT, .min = 1, .max = 100, .default_json = "5", .help = "How many instants."},
    {.name = "after",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 40,
     .help = "Instants after this ISO time; now if absent."},
    {0}};

static enum err read_schedule(struct store_session *session, void *arg, struct error *reterr)
{
    struct schedule_access *access = arg;
    return store_schedule_load(session, access->id, &access->loaded, reterr);
}

static enum err load(struct api *api, const char *id, struct json **ret, struct error *reterr)
{
    struct schedule_access access = {.id = id};
    enum err code = api_read(api, read_schedule, &access, reterr);
    if (code == ERR_OK)
        *ret = access.loaded;
    return code;
}

static enum err read_page(struct store_session *session, void *arg, struct error *reterr)
{
    struct schedule_access *access = arg;
    return store_schedule_list(session, access->filter, &access->loaded, reterr);
}

static enum err list_schedules(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char *const names[] = {"flowId", "enabled", "nextRunBefore", "search", NULL};
    AUTO_JSON struct json *filter = NULL;
    enum err code = api_filter(request, names, 20, &filter, reterr);
    if (code != ERR_OK)
        return code;
    const char *enabled = json_get_str(filter, "enabled"), *before = json_get_str(filter, "nextRunBefore");
    int64_t ms;
    if (before != NULL && clock_parse_iso(before, &ms) != 0)
        return error_set(reterr, ERR_VALIDATION, "nextRunBefore",
                         "nextRunBefore must be an ISO 8601 time such as 2026-01-02T03:04:05Z, not \"%.40s\".", before);
    if (enabled != NULL && strcmp(enabled, "true") != 0 && strcmp(enabled, "false") != 0)
        return error_set(reterr, ERR_VALIDATION, "enabled", "enabled must be true or false, not \"%.40s\".", enabled);
    if (enabled != NULL)
        json_set_bool(filter, "enabled", *enabled == 't');
    struct schedule_access access = {.filter = filter};
    code = api_read(api, read_page, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

/* nextRun of an enabled schedule; also the check of both texts. A disabled one has none. */
static enum err set_next_run(struct json *document, const struct json *merged, int64_t now_ms, struct error *reterr)
{
    int64_t next = 0;
    char at[ISO_TEXT_BYTES];
    enum err code =
        cron_next_text(json_get_str(merged, "cronExpression"), json_get_str(merged, "timezone"), now_ms, &next, reterr);
    if (code != ERR_OK)
        return code == ERR_NOT_FOUND ? error_set(reterr, ERR_VALIDATION, "cronExpression",
                                                 "The expression has no instant in the next hundred years.")
                                     : code;
    clock_format_iso(next, at);
    json_set_str(document, "nextRun", json_get_bool(merged, "enabled", true) ? at : NULL);
    return ERR_OK;
}

static enum err write_new(struct store_session *session, void *arg, struct error *reterr)
{
    struct schedule_access *access = arg;
    return store_schedule_insert(session, access->document, access->now_ms, reterr);
}

static enum err create_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *document = json_object_new();
    char id[ID_TEXT_BYTES];
    for (const struct field *field = new_fields; field->name != NULL; field++)
        if (json_get(request->json, field->name) != NULL)
            json_set(document, field->name, json_ref(json_get(request->json, field->name)));
    fields_apply_defaults(new_fields, document);
    id_new(id);
    json_set_str(document, "id", id);
    struct schedule_access access = {.id = id, .document = document, .now_ms = clock_now_ms()};
    enum err code = set_next_run(document, document, access.now_ms, reterr);
    if (code == ERR_OK)
        code = store_write(api->options.store, write_new, &access, reterr);
    struct json *schedule = NULL;
    if (code == ERR_OK)
        code = load(api, id, &schedule, reterr);
    if (code == ERR_OK)
        http_reply(request, 201, schedule);
    return code;
}

static enum err get_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    struct json *schedule = NULL;
    enum err code = load(api, request->params[0], &schedule, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, schedule);
    return code;
}

/* On the writer's thread, so that two changes at once cannot lose one another. */
static enum err write_change(struct store_session *session, void *arg, struct error *reterr)
{
    struct schedule_access *access = arg;
    AUTO_JSON struct json *merged = NULL;
    AUTO_JSON struct json *changes = json_dup(access->document);
    enum err code = store_schedule_load(session, access->id, &merged, reterr);
    if (code != ERR_OK)
        return code;
    bool timing = json_has(changes, "enabled") || json_has(changes, "cronExpression") || json_has(changes, "timezone");
    struct json_iter member;
    JSON_EACH(changes, member) json_set(merged, member.key, json_ref(member.value));
    if (timing && (code = set_next_run(changes, merged, access->now_ms, reterr)) != ERR_OK)
        return code;
    return store_schedule_update(session, access->id, changes, access->now_ms, reterr);
}

static enum err change(struct api *api, const char *id, const struct json *changes, struct json **ret,
                       struct error *reterr)
{
    /* A copy of its own: the writer's thread works on it. */
    AUTO_JSON struct json *document = json_dup(changes);
    struct schedule_access access = {.id = id, .document = document, .now_ms = clock_now_ms()};
    enum err code = store_write(api->options.store, write_change, &access, reterr);
    return code == ERR_OK ? load(api, id, ret, reterr) : code;
}

static enum err update_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *changes = json_object_new();
    struct json *schedule = NULL;
    for (const struct field *field = change_fields; field->name != NULL; field++)
        if (json_has(request->json, field->name) &&
            (json_get(request->json, field->name) != NULL || strcmp(field->name, "timezone") != 0))
            json_set(changes, field->name, json_ref(json_get(request->json, field->name)));
    if (json_has(changes, "flowId")) {
        enum err code = load(api, request->params[0], &schedule, reterr);
        if (code != ERR_OK)
            return code;
        bool same = strcmp(json_get_str(schedule, "flowId"), json_get_str(changes, "flowId")) == 0;
        json_unref(schedule);
        if (!same)
            return error_set(reterr, ERR_VALIDATION, "flowId",
                             "A schedule stays with its flow; create another schedule for the other flow.");
        json_remove(changes, "flowId");
    }
    enum err code = change(api, request->params[0], changes, &schedule, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, schedule);
    return code;
}

static enum err write_delete(struct store_session *session, void *arg, struct error *reterr)
{
    struct schedule_access *access = arg;
    return store_schedule_delete(session, access->id, reterr);
}

static enum err delete_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    struct schedule_access access = {.id = request->params[0]};
    enum err code = store_write(api->options.store, write_delete, &access, reterr);
    if (code == ERR_OK)
        http_reply_empty(request);
    return code;
}

static enum err switch_to(struct api *api, const char *id, bool enabled, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *changes = json_object_new();
    json_set_bool(changes, "enabled", enabled);
    return change(api, id, changes, ret, reterr);
}

static enum err switch_one(struct api *api, struct http_request *request, bool enabled, struct error *reterr)
{
    struct json *schedule = NULL;
    enum err code = switch_to(api, request->params[0], enabled, &schedule, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, schedule);
    return code;
}

static enum err enable_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    return switch_one(api, request, true, reterr);
}

static enum err disable_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    return switch_one(api, request, false, reterr);
}

static enum err enable_by_id(void *api, const char *id, struct error *reterr)
{
    AUTO_JSON struct json *schedule = NULL;
    return switch_to(api, id, true, &schedule, reterr);
}

static enum err disable_by_id(void *api, const char *id, struct error *reterr)
{
    AUTO_JSON struct json *schedule = NULL;
    return switch_to(api, id, false, &schedule, reterr);
}

static enum err enable_many(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_each(request, "scheduleId", enable_by_id, api);
    return ERR_OK;
}

static enum err disable_many(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_each(request, "scheduleId", disable_by_id, api);
    return ERR_OK;
}

/* At once, whether it is enabled or not. */
static enum err execute_schedule(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *schedule = NULL;
    enum err code = load(api, request->params[0], &schedule, reterr);
    if (code != ERR_OK)
        return code;
    char at[ISO_TEXT_BYTES], id[ID_TEXT_BYTES];
    clock_format_iso(clock_now_ms(), at);
    const char *input = arena_printf(&request->arena, "{\"scheduleId\":\"%s\",\"scheduledTime\":\"%s\"}",
                                     json_get_str(schedule, "id"), at);
    struct start_request wanted = {.flow_id = json_get_str(schedule, "flowId"),
                                   .trigger = "schedule",
                                   .schedule_id = json_get_str(schedule, "id"),
                                   .idempotency_key = http_request_header(request, "Idempotency-Key"),
                                   .input_json = input,
                                   .priority = -1};
    code = api_start(api, &wanted, id, reterr);
    if (code != ERR_OK)
        return code;
    struct json *payload = json_object_new();
    json_set_str(payload, "executionId", id);
    json_set_str(payload, "status", "pending");
    http_reply(request, 201, payload);
    return ERR_OK;
}

static enum err preview(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)api;
    const struct json *body = request->json;
    int64_t at = clock_now_ms(), count = json_get_int(body, "count", 5);
    const char *after = json_get_str(body, "after");
    if (after != NULL && clock_parse_iso(after, &at) != 0)
        return error_set(reterr, ERR_VALIDATION, "after",
                         "after must be an ISO 8601 time such as 2026-01-02T03:04:05Z, not \"%.40s\".", after);
    struct json *runs = json_array_new();
    for (int64_t i = 0; i < count; i++) {
        char text[ISO_TEXT_BYTES];
        struct error error = {0};
        enum err code =
            cron_next_text(json_get_str(body, "cronExpression"), json_get_str(body, "timezone"), at, &at, &error);
        if (code == ERR_NOT_FOUND)
            break;
        if (code != ERR_OK) {
            json_unref(runs);
            *reterr = error;
            return code;
        }
        clock_format_iso(at, text);
        json_push(runs, json_string_new(text));
    }
    struct json *answer = json_object_new();
    json_set(answer, "nextRuns", runs);
    http_reply(request, 200, answer);
    return ERR_OK;
}

#define BASE "/api/v1/scheduler/schedules"
const struct route schedule_routes[] = {
    {"GET", BASE, ROLE_VIEWER, ROUTE_LIST, NULL, NULL, 200, "schedules", "List schedules", list_schedules,
     &answer_schedule_page},
    {"POST", BASE, ROLE_EDITOR, 0, new_fields, NULL, 201, "schedules", "Create a schedule", create_schedule,
     &answer_schedule},
    {"POST", BASE "/preview", ROLE_VIEWER, 0, preview_fields, NULL, 200, "schedules",
     "The next instants of an expression", preview, &answer_schedule_instants},
    {"POST", BASE "/bulk/enable", ROLE_EDITOR, 0, bulk_fields, NULL, 200, "schedules", "Enable several schedules",
     enable_many, &answer_bulk_switch},
    {"POST", BASE "/bulk/disable", ROLE_EDITOR, 0, bulk_fields, NULL, 200, "schedules", "Disable several schedules",
     disable_many, &answer_bulk_switch},
    {"GET", BASE "/:id", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "schedules", "Get a schedule", get_schedule,
     &answer_schedule},
    {"PUT", BASE "/:id", ROLE_EDITOR, ROUTE_ID, change_fields, NULL, 200, "schedules",
     "Change a schedule; only the given members change", update_schedule, &answer_schedule},
    {"DELETE", BASE "/:id", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 204, "schedules", "Delete a schedule", delete_schedule,
     NULL},
    {"POST", BASE "/:id/enable", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 200, "schedules", "Enable a schedule",
     enable_schedule, &answer_schedule},
    {"POST", BASE "/:id/disable", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 200, "schedules", "Disable a schedule",
     disable_schedule, &answer_schedule},
    {"POST", BASE "/:id/execute", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 201, "schedules",
     "Start the schedule's flow now", execute_schedule, &answer_execution_start},
    {0}};
