/* Routes about the instants of schedules: the next ones, what became of former ones, backfills of a period. */
#include "gateway/api_int.h"

#include "flow/schedule.h"
#include <stdio.h>
#include <stdlib.h>

#define BACKFILL_INSTANTS_MAX 10000
#define BACKFILLS_KEPT 50 /* of one schedule, the running ones not counted */

struct times_access {
    const char *schedule_id, *backfill_id;
    const struct json *filter;
    struct json *document, *loaded;
    int64_t now_ms;
};

static enum err read_schedule(struct store_session *session, void *arg, struct error *reterr)
{
    struct times_access *access = arg;
    return store_schedule_load(session, access->schedule_id, &access->loaded, reterr);
}

static enum err load(struct api *api, const char *id, struct json **ret, struct error *reterr)
{
    struct times_access access = {.schedule_id = id};
    enum err code = api_read(api, read_schedule, &access, reterr);
    if (code == ERR_OK)
        *ret = access.loaded;
    return code;
}

static void set_time(struct json *object, const char *key, int64_t ms)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(ms, at);
    json_set_str(object, key, at);
}

static enum err next_instants(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *schedule = NULL;
    struct schedule_rule rule;
    struct error bad = {0};
    int64_t count = api_query_int(request, "count", 1, 100, 5, &bad), at = clock_now_ms();
    if (bad.code != ERR_OK) {
        *reterr = bad;
        return bad.code;
    }
    enum err code = load(api, request->params[0], &schedule, reterr);
    if (code == ERR_OK)
        code = schedule_rule_parse(schedule, 0, &rule, reterr);
    if (code != ERR_OK)
        return code;
    struct json *answer = json_object_new(), *runs = json_array_new();
    for (int64_t i = 0; i < count && (at = schedule_at_or_after(&rule, at + 1)) != INT64_MAX; i++) {
        char text[ISO_TEXT_BYTES];
        clock_format_iso(at, text);
        json_push(runs, json_string_new(text));
    }
    json_set(answer, "nextRuns", runs);
    http_reply(request, 200, answer);
    return ERR_OK;
}

static enum err read_instants(struct store_session *session, void *arg, struct error *reterr)
{
    struct times_access *access = arg;
    struct json *schedule = NULL;
    enum err code = store_schedule_load(session, access->schedule_id, &schedule, reterr);
    json_unref(schedule);
    return code == ERR_OK ? store_instant_list(session, access->filter, &access->loaded, reterr) : code;
}

static enum err list_instants(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char *const names[] = {"outcome", NULL};
    AUTO_JSON struct json *filter = NULL;
    enum err code = api_filter(request, names, 20, &filter, reterr);
    const char *outcome = json_get_str(filter, "outcome");
    if (code == ERR_OK && outcome != NULL && strcmp(outcome, "fired") != 0 && strcmp(outcome, "waiting") != 0 &&
        strcmp(outcome, "skipped") != 0)
        code = error_set(reterr, ERR_VALIDATION, "outcome", "outcome must be fired, waiting or skipped, not \"%.40s\".",
                         outcome);
    if (code != ERR_OK)
        return code;
    json_set_str(filter, "scheduleId", request->params[0]);
    struct times_access access = {.schedule_id = request->params[0], .filter = filter};
    code = api_read(api, read_instants, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

/* ---- backfills */

static const struct field backfill_fields[] = {
    {.name = "from",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 40,
     .help = "Instants from this ISO time on."},
    {.name = "to",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 40,
     .help = "And until this one, which is past."},
    {.name = "concurrency",
     .kind = FIELD_INT,
     .min = 1,
     .max = 100,
     .default_json = "1",
     .help = "Executions of the backfill that may be unfinished at the same time."},
    {0}};

static enum err parse_time(const struct json *body, const char *name, int64_t *ret, struct error *reterr)
{
    const char *text = json_get_str(body, name);
    if (text != NULL && clock_parse_iso(text, ret) == 0)
        return ERR_OK;
    return error_set(reterr, ERR_VALIDATION, name,
                     "%s must be an ISO 8601 time such as 2026-01-02T03:04:05Z, not \"%.40s\".", name,
                     text == NULL ? "" : text);
}

/* The period's instants, which must be some, and not too many. */
static enum err check_period(const struct schedule_rule *rule, int64_t from, int64_t to, int64_t now,
                             int64_t *ret_total, struct error *reterr)
{
    if (from > to)
        return error_set(reterr, ERR_VALIDATION, "from", "from must not be after to.");
    if (to > now)
        return error_set(reterr, ERR_VALIDATION, "to", "to must be past: what is to come the schedule fires itself.");
    *ret_total = schedule_count(rule, from, to, BACKFILL_INSTANTS_MAX);
    if (*ret_total == 0)
        return error_set(reterr, ERR_VALIDATION, "from", "The schedule has no instant in this period.");
    if (*ret_total > BACKFILL_INSTANTS_MAX)
        return error_set(reterr, ERR_VALIDATION, "to",
                         "The period has more than %d instants: fill it in parts, each with fewer.",
                         BACKFILL_INSTANTS_MAX);
    return ERR_OK;
}

static bool belongs(const struct json *backfill, const char *schedule_id)
{
    const char *owner = json_get_str(backfill, "scheduleId");
    return owner != NULL && strcmp(owner, schedule_id) == 0;
}

static bool runs(const struct json *backfill)
{
    const char *status = json_get_str(backfill, "status");
    return status != NULL && strcmp(status, "running") == 0;
}

/* Newest first, as ids grow with time. */
static enum err all_of(struct store_session *session, const char *schedule_id, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *all = NULL;
    enum err code = store_all(session, STORE_BACKFILLS, &all, reterr);
    if (code != ERR_OK)
        return code;
    struct json *own = json_array_new();
    for (size_t i = json_count(all); i-- > 0;)
        if (belongs(json_at(all, i), schedule_id))
            json_push(own, json_ref(json_at(all, i)));
    *ret = own;
    return ERR_OK;
}

static enum err write_backfill(struct store_session *session, void *arg, struct error *reterr)
{
    struct times_access *access = arg;
    AUTO_JSON struct json *own = NULL;
    size_t kept = 0;
    enum err code = all_of(session, access->schedule_id, &own, reterr);
    for (size_t i = 0; code == ERR_OK && i < json_count(own); i++) {
        const struct json *other = json_at(own, i);
        if (runs(other))
            return error_set(reterr, ERR_CONFLICT, "from",
                             "A backfill of this schedule runs already: wait for its end, or cancel it.");
        if (++kept >= BACKFILLS_KEPT)
            code = store_remove(session, STORE_BACKFILLS, json_get_str(other, "id"), reterr);
    }
    return code == ERR_OK
               ? store_put(session, STORE_BACKFILLS, access->backfill_id, access->document, access->now_ms, reterr)
               : code;
}

static struct json *new_backfill(const struct http_request *request, const char *id, int64_t from, int64_t to,
                                 int64_t first, int64_t total, int64_t now)
{
    struct json *backfill = json_object_new();
    json_set_str(backfill, "id", id);
    json_set_str(backfill, "scheduleId", request->params[0]);
    set_time(backfill, "from", from);
    set_time(backfill, "to", to);
    set_time(backfill, "next", first);
    json_set_int(backfill, "total", total);
    json_set_int(backfill, "fired", 0);
    json_set_int(backfill, "skipped", 0);
    json_set_int(backfill, "concurrency", json_get_int(request->json, "concurrency", 1));
    json_set_str(backfill, "status", "running");
    json_set_str(backfill, "createdBy", request->principal->name);
    set_time(backfill, "createdAt", now);
    set_time(backfill, "updatedAt", now);
    return backfill;
}

static enum err start_backfill(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *schedule = NULL;
    AUTO_JSON struct json *backfill = NULL;
    struct schedule_rule rule;
    char id[ID_TEXT_BYTES];
    int64_t from = 0, to = 0, total = 0, now = clock_now_ms();
    enum err code = load(api, request->params[0], &schedule, reterr);
    if (code == ERR_OK)
        code = schedule_rule_parse(schedule, 0, &rule, reterr);
    if (code == ERR_OK)
        code = parse_time(request->json, "from", &from, reterr);
    if (code == ERR_OK)
        code = parse_time(request->json, "to", &to, reterr);
    if (code == ERR_OK)
        code = check_period(&rule, from, to, now, &total, reterr);
    if (code != ERR_OK)
        return code;
    id_new(id);
    backfill = new_backfill(request, id, from, to, schedule_at_or_after(&rule, from), total, now);
    struct times_access access = {
        .schedule_id = request->params[0], .backfill_id = id, .document = backfill, .now_ms = now};
    code = store_write(api->options.store, write_backfill, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 201, json_ref(backfill));
    return code;
}

static enum err read_backfills(struct store_session *session, void *arg, struct error *reterr)
{
    struct times_access *access = arg;
    struct json *schedule = NULL;
    enum err code = store_schedule_load(session, access->schedule_id, &schedule, reterr);
    json_unref(schedule);
    return code == ERR_OK ? all_of(session, access->schedule_id, &access->loaded, reterr) : code;
}

static enum err list_backfills(struct api *api, struct http_request *request, struct error *reterr)
{
    struct times_access access = {.schedule_id = request->params[0]};
    enum err code = api_read(api, read_backfills, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.loaded);
    return code;
}

static enum err write_cancel(struct store_session *session, void *arg, struct error *reterr)
{
    struct times_access *access = arg;
    AUTO_JSON struct json *stored = NULL;
    enum err code = store_get(session, STORE_BACKFILLS, access->backfill_id, &stored, reterr);
    if (code == ERR_NOT_FOUND || (code == ERR_OK && !belongs(stored, access->schedule_id)))
        return error_set(reterr, ERR_NOT_FOUND, "backfillId", "The schedule has no backfill %.60s.",
                         access->backfill_id);
    if (code == ERR_OK && !runs(stored))
        return error_set(reterr, ERR_CONFLICT, "status", "The backfill has ended (%s).",
                         json_get_str(stored, "status"));
    if (code != ERR_OK)
        return code;
    json_unref(access->document);
    access->document = json_dup(stored);
    json_set_str(access->document, "status", "cancelled");
    json_set(access->document, "next", NULL);
    set_time(access->document, "updatedAt", access->now_ms);
    return store_put(session, STORE_BACKFILLS, access->backfill_id, access->document, access->now_ms, reterr);
}

/* No further instant is fired; executions that were started go on. */
static enum err cancel_backfill(struct api *api, struct http_request *request, struct error *reterr)
{
    struct times_access access = {
        .schedule_id = request->params[0], .backfill_id = request->params[1], .now_ms = clock_now_ms()};
    enum err code = store_write(api->options.store, write_cancel, &access, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, access.document);
    else
        json_unref(access.document);
    return code;
}

#define BASE "/api/v1/scheduler/schedules/:id"
static const struct field next_query[] = {
    {.name = "count", .kind = FIELD_INT, .min = 1, .max = 100, .default_json = "5", .help = "How many instants."}, {0}};
const struct route schedule_time_routes[] = {
    {"GET", BASE "/next", ROLE_VIEWER, ROUTE_ID, NULL, next_query, 200, "schedules", "The schedule's next instants",
     next_instants, &answer_schedule_instants},
    {"GET", BASE "/instants", ROLE_VIEWER, ROUTE_ID | ROUTE_LIST, NULL, NULL, 200, "schedules",
     "What became of the schedule's instants, newest first: fired, waiting, or skipped and why", list_instants,
     &answer_schedule_history},
    {"POST", BASE "/backfill", ROLE_EDITOR, ROUTE_ID, backfill_fields, NULL, 201, "schedules",
     "Fire the instants of a past period that were not fired yet", start_backfill, &answer_backfill},
    {"GET", BASE "/backfills", ROLE_VIEWER, ROUTE_ID, NULL, NULL, 200, "schedules", "Backfills and how far they are",
     list_backfills, &answer_backfills},
    {"POST", BASE "/backfills/:backfillId/cancel", ROLE_EDITOR, ROUTE_ID, NULL, NULL, 200, "schedules",
     "Stop a backfill", cancel_backfill, &answer_backfill},
    {0}};
