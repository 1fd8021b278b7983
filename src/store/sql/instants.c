/* What became of the instants of schedules, and what their executions wait for. */
#include "store/sql/sql_int.h"

#include "base/clock.h"
#include <string.h>

/* The id of the row is made of its key: pages go by it. */
enum err sql_instant_insert(struct store_session *s, const struct store_instant *instant, struct error *reterr)
{
    int64_t told = 0;
    enum err code =
        sql_number(s, &told, reterr, "SELECT count(*) FROM schedule_instants WHERE schedule_id=? AND instant_ms=?",
                   "ti", instant->schedule_id, instant->instant_ms);
    if (code == ERR_OK && told == 0)
        code =
            sql_run(s, reterr,
                    "INSERT INTO schedule_instants(schedule_id, instant_ms, id, last_ms, outcome, reason, count, more, "
                    "execution_id, backfill_id, at_ms) VALUES(?1,?2,?1,?3,?4,?5,?6,?7,?8,?9,?10)",
                    "tiittidtti", instant->schedule_id, instant->instant_ms,
                    instant->last_ms == 0 ? instant->instant_ms : instant->last_ms, instant->outcome, instant->reason,
                    instant->count == 0 ? (int64_t)1 : instant->count, (int)instant->more, instant->execution_id,
                    instant->backfill_id, instant->at_ms);
    if (told > 0 || (code == ERR_CONFLICT && sql_constraint(s) != SQL_CONSTRAINT_REFERENCE))
        return error_set(reterr, ERR_CONFLICT, "scheduleInstant", "The schedule has dealt with that instant already.");
    if (code == ERR_CONFLICT)
        return error_set(reterr, ERR_NOT_FOUND, "scheduleId", "There is no schedule %.60s.", instant->schedule_id);
    return code;
}

static struct json *decode(struct sql_rows *q, bool *damaged)
{
    (void)damaged; /* no JSON among its columns */
    struct json *instant = json_object_new();
    store_set_time(instant, "instant", sql_int(q, 0));
    store_set_time(instant, "last", sql_int(q, 2));
    json_set_int(instant, "count", sql_int(q, 3));
    json_set_bool(instant, "more", sql_int(q, 4) != 0);
    json_set_str(instant, "outcome", sql_text(q, 5));
    json_set_str(instant, "reason", sql_text(q, 6));
    json_set_str(instant, "executionId", sql_text(q, 7));
    json_set_str(instant, "backfillId", sql_text(q, 8));
    store_set_time(instant, "at", sql_int(q, 9));
    return instant;
}

enum err sql_instant_list(struct store_session *s, const struct json *filter, struct json **ret, struct error *reterr)
{
    static const struct sql_list list = {
        .table = "schedule_instants",
        .noun = "schedule",
        .sort_key = "instant_ms",
        .row = decode,
        .columns = "instant_ms, id, last_ms, count, more, outcome, reason, execution_id, backfill_id, at_ms"};
    struct sql_where where = {0};
    const char *schedule = json_get_str(filter, "scheduleId"), *outcome = json_get_str(filter, "outcome");
    if (schedule != NULL)
        sql_where_text(&where, "schedule_id = ?", schedule);
    if (outcome != NULL)
        sql_where_text(&where, "outcome = ?", outcome);
    return sql_list(s, &list, &where, filter, ret, reterr);
}

enum err sql_instants_prune(struct store_session *s, int64_t before_ms, struct error *reterr)
{
    return sql_run(s, reterr, "DELETE FROM schedule_instants WHERE at_ms < ?", "i", before_ms);
}

#define OF_BACKFILL                                                                                                    \
    "EXISTS(SELECT 1 FROM schedule_instants i WHERE i.schedule_id=e.schedule_id AND"                                   \
    " i.instant_ms=e.schedule_instant_ms AND i.backfill_id IS NOT NULL)"

enum err sql_schedule_unfinished(struct store_session *s, const char *schedule_id, size_t limit, struct json **ret,
                                 struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_JSON struct json *rows = json_array_new();
    bool row = false;
    enum err code = sql_query(s, &q, reterr,
                              "SELECT e.id, e.waiting_for FROM executions e WHERE e.schedule_id=? AND e.status <= 2"
                              " AND NOT " OF_BACKFILL " ORDER BY e.created_ms, e.id LIMIT ?",
                              "ti", schedule_id, (int64_t)limit);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *execution = json_object_new();
        json_set_str(execution, "id", sql_text(q, 0));
        const char *what = sql_text(q, 1);
        json_set_bool(execution, "waiting", what != NULL && strcmp(what, "schedule") == 0);
        json_push(rows, execution);
    }
    if (code == ERR_OK)
        *ret = json_ref(rows);
    return code;
}

enum err sql_backfill_unfinished(struct store_session *s, const char *schedule_id, const char *backfill_id,
                                 int64_t *ret, struct error *reterr)
{
    *ret = 0;
    return sql_number(s, ret, reterr,
                      "SELECT count(*) FROM executions e JOIN schedule_instants i ON i.schedule_id=e.schedule_id AND"
                      " i.instant_ms=e.schedule_instant_ms WHERE e.schedule_id=? AND e.status <= 2 AND i.backfill_id=?",
                      "tt", schedule_id, backfill_id);
}

enum err sql_schedules_release(struct store_session *s, int64_t now_ms, int64_t *ret_released, struct error *reterr)
{
    return sql_change(s, ret_released, reterr,
                      "UPDATE executions SET wake_ms=?, waiting_for=NULL WHERE waiting_for='schedule' AND status=0 AND"
                      " NOT EXISTS(SELECT 1 FROM executions e WHERE e.schedule_id=executions.schedule_id AND"
                      " e.status <= 2 AND coalesce(e.waiting_for, '') <> 'schedule' AND NOT " OF_BACKFILL ")",
                      "i", now_ms);
}

bool sql_schedules_waiting(struct store_session *s)
{
    int64_t waiting = 0;
    struct error ignored; /* asked again soon */
    return sql_number(s, &waiting, &ignored,
                      "SELECT count(*) FROM executions WHERE waiting_for='schedule' AND status <= 2", "") == ERR_OK &&
           waiting > 0;
}
