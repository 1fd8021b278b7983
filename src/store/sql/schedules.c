/* Schedules. */
#include "store/sql/sql_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define SCHEDULE_COLUMNS                                                                                               \
    "created_ms, id, flow_id, name, description, cron, timezone, enabled, max_retries, retry_delay, last_run_ms, "     \
    "next_run_ms, "                                                                                                    \
    "metadata, created_by, updated_ms, overlap, catch_up, catch_up_window"

static struct json *decode(struct sql_rows *q, bool *damaged)
{
    struct json *schedule = json_object_new();
    json_set_str(schedule, "id", sql_text(q, 1));
    json_set_str(schedule, "flowId", sql_text(q, 2));
    json_set_str(schedule, "name", sql_text(q, 3));
    json_set_str(schedule, "description", sql_text(q, 4));
    json_set_str(schedule, "cronExpression", sql_text(q, 5));
    json_set_str(schedule, "timezone", sql_text(q, 6));
    json_set_bool(schedule, "enabled", (int)sql_int(q, 7) != 0);
    json_set_int(schedule, "maxRetries", sql_int(q, 8));
    json_set_int(schedule, "retryDelay", sql_int(q, 9));
    store_set_time(schedule, "lastRun", sql_int(q, 10));
    store_set_time(schedule, "nextRun", sql_int(q, 11));
    json_set(schedule, "metadata", sql_json(q, 12, damaged));
    json_set_str(schedule, "createdBy", sql_text(q, 13));
    store_set_time(schedule, "createdAt", sql_int(q, 0));
    store_set_time(schedule, "updatedAt", sql_int(q, 14));
    json_set_str(schedule, "overlap", sql_text(q, 15));
    json_set_str(schedule, "catchUp", sql_text(q, 16));
    json_set(schedule, "catchUpWindow", sql_int(q, 17) < 0 ? NULL : json_int_new(sql_int(q, 17)));
    return schedule;
}

static enum err not_found(const char *id, struct error *reterr)
{
    return error_set(reterr, ERR_NOT_FOUND, "id", "There is no schedule %.60s.", id);
}

static enum err require_texts(const struct json *schedule, struct error *reterr)
{
    static const char *const keys[] = {"id", "flowId", "name", "cronExpression"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_get_str(schedule, keys[i]) == NULL)
            return error_set(reterr, ERR_VALIDATION, keys[i], "%s must be a text.", keys[i]);
    return ERR_OK;
}

static const char *timezone_of(const struct json *schedule)
{
    const char *zone = json_get_str(schedule, "timezone");
    return zone == NULL ? "UTC" : zone;
}

static const char *or_else(const struct json *schedule, const char *member, const char *otherwise)
{
    const char *text = json_get_str(schedule, member);
    return text == NULL ? otherwise : text;
}

static enum err parse_runs(const struct json *schedule, int64_t *ret_last, int64_t *ret_next, struct error *reterr)
{
    enum err code = store_time_parse(schedule, "lastRun", 0, ret_last, reterr);
    return code == ERR_OK ? store_time_parse(schedule, "nextRun", 0, ret_next, reterr) : code;
}

enum err sql_schedule_insert(struct store_session *s, const struct json *schedule, int64_t now_ms, struct error *reterr)
{
    int64_t last_ms = 0, next_ms = 0;
    enum err code = require_texts(schedule, reterr);
    if (code == ERR_OK)
        code = parse_runs(schedule, &last_ms, &next_ms, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *metadata = json_get(schedule, "metadata");
    AUTO_FREE char *text = metadata == NULL ? NULL : json_dup_text(metadata);
    const char *flow_id = json_get_str(schedule, "flowId");
    code = sql_run(
        s, reterr,
        "INSERT INTO schedules(id, flow_id, name, description, cron, timezone, enabled, max_retries, retry_delay,"
        " last_run_ms, next_run_ms, metadata, created_by, created_ms, updated_ms, overlap, catch_up, catch_up_window) "
        "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "ttttttdiippttiitti", json_get_str(schedule, "id"), flow_id, json_get_str(schedule, "name"),
        json_get_str(schedule, "description"), json_get_str(schedule, "cronExpression"), timezone_of(schedule),
        (int)json_get_bool(schedule, "enabled", true), json_get_int(schedule, "maxRetries", 3),
        json_get_int(schedule, "retryDelay", 300), last_ms, next_ms, text, json_get_str(schedule, "createdBy"), now_ms,
        now_ms, or_else(schedule, "overlap", "allow"), or_else(schedule, "catchUp", "last"),
        json_get_int(schedule, "catchUpWindow", -1));
    if (code == ERR_CONFLICT && sql_constraint(s) == SQL_CONSTRAINT_REFERENCE)
        return error_set(reterr, ERR_NOT_FOUND, "flowId", "There is no flow %.60s.", flow_id);
    if (code == ERR_CONFLICT && sql_constraint(s) != SQL_CONSTRAINT_NONE)
        return error_set(reterr, ERR_CONFLICT, "id", "The schedule %.60s is there already.",
                         json_get_str(schedule, "id"));
    return code;
}

enum err sql_schedule_load(struct store_session *s, const char *id, struct json **ret, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code =
        s->writable ? sql_query(s, &q, reterr, "SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE id=?{lock}", "t", id)
                    : sql_query(s, &q, reterr, "SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE id=?", "t", id);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && !row)
        return not_found(id, reterr);
    bool damaged = false;
    if (code != ERR_OK)
        return code;
    struct json *schedule = decode(q, &damaged);
    return sql_decoded(schedule, damaged, "schedule", id, ret, reterr);
}

static struct json *merge(const struct json *old, const struct json *changes)
{
    static const char *const keys[] = {"name",       "description", "cronExpression", "timezone", "enabled",
                                       "maxRetries", "retryDelay",  "lastRun",        "nextRun",  "metadata",
                                       "overlap",    "catchUp",     "catchUpWindow"};
    struct json *merged = json_dup(old);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_has(changes, keys[i]))
            json_set(merged, keys[i], json_dup(json_get(changes, keys[i])));
    return merged;
}

enum err sql_schedule_update(struct store_session *s, const char *id, const struct json *changes, int64_t now_ms,
                             struct error *reterr)
{
    int64_t last_ms = 0, next_ms = 0;
    AUTO_JSON struct json *old = NULL;
    enum err code = sql_schedule_load(s, id, &old, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_JSON struct json *merged = merge(old, changes);
    code = require_texts(merged, reterr);
    if (code == ERR_OK)
        code = parse_runs(merged, &last_ms, &next_ms, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *metadata = json_get(merged, "metadata");
    AUTO_FREE char *text = metadata == NULL ? NULL : json_dup_text(metadata);
    return sql_run(
        s, reterr,
        "UPDATE schedules SET name=?, description=?, cron=?, timezone=?, enabled=?, max_retries=?, retry_delay=?,"
        " last_run_ms=?, next_run_ms=?, metadata=?, updated_ms=?, overlap=?, catch_up=?, catch_up_window=? WHERE id=?",
        "ttttdiipptittit", json_get_str(merged, "name"), json_get_str(merged, "description"),
        json_get_str(merged, "cronExpression"), timezone_of(merged), (int)json_get_bool(merged, "enabled", true),
        json_get_int(merged, "maxRetries", 3), json_get_int(merged, "retryDelay", 300), last_ms, next_ms, text, now_ms,
        or_else(merged, "overlap", "allow"), or_else(merged, "catchUp", "last"),
        json_get_int(merged, "catchUpWindow", -1), id);
}

enum err sql_schedule_delete(struct store_session *s, const char *id, struct error *reterr)
{
    int64_t deleted = 0;
    enum err code = sql_change(s, &deleted, reterr, "DELETE FROM schedules WHERE id=?", "t", id);
    return code == ERR_OK && deleted == 0 ? not_found(id, reterr) : code;
}

enum err sql_schedules_due(struct store_session *s, int64_t now_ms, size_t limit, struct json **ret,
                           struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_JSON struct json *rows = json_array_new();
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr,
                  "SELECT " SCHEDULE_COLUMNS " FROM schedules WHERE enabled = 1 AND next_run_ms IS NOT NULL AND"
                  " next_run_ms <= ? ORDER BY next_run_ms, id LIMIT ?",
                  "ii", now_ms, (int64_t)limit);
    /* Damaged metadata must not keep this schedule and those behind it from firing: it plays no part in that. */
    bool ignored = false;
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row)
        json_push(rows, decode(q, &ignored));
    if (code == ERR_OK)
        *ret = json_ref(rows);
    return code;
}

/* true, false, "true" or "false". */
static enum err parse_enabled(const struct json *filter, int *ret, struct error *reterr)
{
    const struct json *value = json_get(filter, "enabled");
    const char *text = json_as_str(value);
    *ret = -1;
    if (value == NULL)
        return ERR_OK;
    if (json_is(value, JSON_BOOL))
        *ret = json_as_bool(value);
    else if (text != NULL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        *ret = text[0] == 't';
    else
        return error_set(reterr, ERR_VALIDATION, "enabled", "enabled must be true or false.");
    return ERR_OK;
}

enum err sql_schedule_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    static const struct sql_list list = {
        .table = "schedules", .noun = "schedule", .sort_key = "created_ms", .row = decode, .columns = SCHEDULE_COLUMNS};
    struct sql_where where = {0};
    int64_t before_ms = 0;
    int enabled = -1;
    enum err code = parse_enabled(filter, &enabled, reterr);
    if (code == ERR_OK)
        code = store_time_parse(filter, "nextRunBefore", INT64_MIN, &before_ms, reterr);
    if (code != ERR_OK)
        return code;
    const char *flow_id = json_get_str(filter, "flowId"), *search = json_get_str(filter, "search");
    if (flow_id != NULL)
        sql_where_text(&where, "flow_id = ?", flow_id);
    if (enabled >= 0)
        sql_where_number(&where, "enabled = ?", enabled);
    if (before_ms != INT64_MIN)
        sql_where_number(&where, "next_run_ms < ?", before_ms);
    if (search != NULL && search[0] != '\0')
        sql_where_text(&where, "contains(name || {newline} || coalesce(description, ''), ?)", search);
    return sql_list(s, &list, &where, filter, ret, reterr);
}
