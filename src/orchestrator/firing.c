/* Firing schedules and backfills: each instant once, since what became of it is inserted under a unique key together
 * with the schedule's next instant. */
#include "orchestrator/firing.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

#define MET_MAX 1000 /* unfinished executions of a schedule that are looked at */

void firing_done(struct firing *firing)
{
    json_unref(firing->cancelled);
    firing->cancelled = NULL;
}

void firing_row(const struct firing *firing, const struct firing_start *start, char input[FIRING_INPUT_BYTES],
                struct store_execution *ret)
{
    char at[ISO_TEXT_BYTES];
    bool backfill = firing->backfill_id[0] != '\0';
    clock_format_iso(start->instant_ms, at);
    (void)snprintf(input, FIRING_INPUT_BYTES, "{\"scheduleId\":\"%s\",\"scheduledTime\":\"%s\"%s%s%s}",
                   firing->schedule_id, at, backfill ? ",\"backfillId\":\"" : "", firing->backfill_id,
                   backfill ? "\"" : "");
    *ret = (struct store_execution){.id = start->id,
                                    .flow_id = firing->flow_id,
                                    .flow_version = firing->flow.version,
                                    .schedule_id = firing->schedule_id,
                                    .schedule_instant_ms = start->instant_ms,
                                    .trigger = "schedule",
                                    .priority = backfill ? 0 : firing->flow.priority,
                                    .unlimited = !firing->flow.limited,
                                    .input_json = input,
                                    .created_ms = firing->now_ms};
}

static void start_of(const struct firing *firing, int64_t instant_ms, struct firing_start *ret)
{
    struct rng rng = {.state = hash_str(firing->schedule_id) ^ ((uint64_t)instant_ms * UINT64_C(0x9e3779b97f4a7c15))};
    id_format(firing->now_ms, &rng, ret->id);
    ret->instant_ms = instant_ms;
}

/* An instant that was dealt with already is none of ours. */
static enum err tell(struct store_session *session, const struct firing *firing, const struct store_instant *instant,
                     bool *ret_ours, struct error *reterr)
{
    struct store_instant told = *instant;
    told.schedule_id = firing->schedule_id;
    told.backfill_id = firing->backfill_id[0] == '\0' ? NULL : firing->backfill_id;
    told.at_ms = firing->now_ms;
    enum err code = store_instant_insert(session, &told, reterr);
    *ret_ours = code == ERR_OK;
    return code == ERR_CONFLICT ? ERR_OK : code;
}

/* Of the time before outcomes were told: the execution itself stands for the instant. */
static enum err insert(struct store_session *session, struct firing *firing, const struct firing_start *start,
                       bool waits, struct error *reterr)
{
    char input[FIRING_INPUT_BYTES];
    struct store_execution row;
    struct error error = {0};
    firing_row(firing, start, input, &row);
    if (waits) {
        row.wake_ms = STORE_UNTIL_RELEASED_MS;
        row.waiting_for = "schedule";
    }
    row.ret_waits = &waits;
    enum err code = store_execution_insert(session, &row, &error);
    firing->inserted += code == ERR_OK;
    if (code == ERR_OK && !waits)
        firing->starts[firing->start_count++] = *start;
    if (code == ERR_OK || code == ERR_CONFLICT)
        return ERR_OK;
    *reterr = error;
    return code;
}

static enum err cancel_all(struct store_session *session, struct firing *firing, const struct json *unfinished,
                           struct error *reterr)
{
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < json_count(unfinished); i++) {
        AUTO_JSON struct json *ids = NULL;
        code = store_execution_cancel_all(session, json_get_str(json_at(unfinished, i), "id"), firing->now_ms, &ids,
                                          reterr);
        if (code == ERR_CONFLICT) /* it ended by itself */
            code = ERR_OK;
        if (firing->cancelled == NULL)
            firing->cancelled = json_array_new();
        for (size_t k = 0; k < json_count(ids); k++)
            json_push(firing->cancelled, json_ref(json_at(ids, k)));
    }
    return code;
}

static size_t count_waiting(const struct json *unfinished)
{
    size_t waiting = 0;
    for (size_t i = 0; i < json_count(unfinished); i++)
        waiting += json_get_bool(json_at(unfinished, i), "waiting", false);
    return waiting;
}

static enum err fire(struct store_session *session, struct firing *firing, enum schedule_overlap overlap,
                     int64_t instant_ms, struct error *reterr)
{
    AUTO_JSON struct json *unfinished = NULL;
    const char *reason;
    struct firing_start start;
    bool ours = false;
    enum err code = ERR_OK;
    if (overlap != SCHEDULE_ALLOW)
        code = store_schedule_unfinished(session, firing->schedule_id, MET_MAX, &unfinished, reterr);
    if (code != ERR_OK)
        return code;
    size_t waiting = count_waiting(unfinished);
    enum schedule_verdict verdict = schedule_meet(overlap, json_count(unfinished) - waiting, waiting, &reason);
    start_of(firing, instant_ms, &start);
    code = tell(session, firing,
                &(struct store_instant){.instant_ms = instant_ms,
                                        .outcome = verdict == SCHEDULE_PASS   ? "skipped"
                                                   : verdict == SCHEDULE_WAIT ? "waiting"
                                                                              : "fired",
                                        .reason = reason,
                                        .execution_id = verdict == SCHEDULE_PASS ? NULL : start.id},
                &ours, reterr);
    if (code != ERR_OK || !ours || verdict == SCHEDULE_PASS)
        return code;
    if (verdict == SCHEDULE_REPLACE)
        code = cancel_all(session, firing, unfinished, reterr);
    return code == ERR_OK ? insert(session, firing, &start, verdict == SCHEDULE_WAIT, reterr) : code;
}

static enum err take_step(struct store_session *session, struct firing *firing, const struct schedule_rule *rule,
                          const struct schedule_step *step, struct error *reterr)
{
    bool ours;
    if (step->kind == SCHEDULE_FIRE)
        return fire(session, firing, rule->overlap, step->instant_ms, reterr);
    return tell(session, firing,
                &(struct store_instant){.instant_ms = step->instant_ms,
                                        .last_ms = step->last_ms,
                                        .count = step->count,
                                        .more = step->more,
                                        .outcome = "skipped",
                                        .reason = step->reason},
                &ours, reterr);
}

static void set_time(struct json *changes, const char *key, int64_t ms)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(ms, at);
    json_set_str(changes, key, at);
}

/* A schedule without a further instant is switched off. */
static enum err move_on(struct store_session *session, const struct firing *firing, const struct schedule_plan *plan,
                        struct error *reterr)
{
    AUTO_JSON struct json *changes = json_object_new();
    int64_t last_ms = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->steps[i].kind == SCHEDULE_FIRE)
            last_ms = plan->steps[i].instant_ms;
    if (last_ms > 0)
        set_time(changes, "lastRun", last_ms);
    if (plan->next_ms == INT64_MAX) {
        json_set(changes, "nextRun", NULL);
        json_set_bool(changes, "enabled", false);
    } else {
        set_time(changes, "nextRun", plan->next_ms);
    }
    return store_schedule_update(session, firing->schedule_id, changes, firing->now_ms, reterr);
}

/* An expression that this program reads no longer (it was stored by another one) must not be tried for ever. */
static enum err switch_off(struct store_session *session, const struct firing *firing, struct error *reterr)
{
    AUTO_JSON struct json *changes = json_object_new();
    json_set_bool(changes, "enabled", false);
    return store_schedule_update(session, firing->schedule_id, changes, firing->now_ms, reterr);
}

static enum err write_schedule(struct store_session *session, struct firing *firing, const struct json *schedule,
                               struct error *reterr)
{
    struct schedule_rule rule;
    struct schedule_plan plan;
    int64_t next_ms = 0;
    const char *next = json_get_str(schedule, "nextRun");
    if (!json_get_bool(schedule, "enabled", false) || next == NULL || clock_parse_iso(next, &next_ms) != 0 ||
        next_ms != firing->next_ms)
        return ERR_OK;
    struct error unreadable;
    if (schedule_rule_parse(schedule, firing->window_ms, &rule, &unreadable) != ERR_OK)
        return switch_off(session, firing, reterr);
    schedule_plan(&rule, next_ms, firing->now_ms, &plan);
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < plan.count; i++)
        code = take_step(session, firing, &rule, &plan.steps[i], reterr);
    return code == ERR_OK ? move_on(session, firing, &plan, reterr) : code;
}

/* ---- backfills: {id, scheduleId, from, to, next, total, fired, skipped, concurrency, status, …}; executions go out
 * while fewer than `concurrency` are unfinished. */

static enum err put_backfill(struct store_session *session, const struct firing *firing, struct json *backfill,
                             const char *status, int64_t next_ms, struct error *reterr)
{
    json_set_str(backfill, "status", status);
    if (next_ms == INT64_MAX)
        json_set(backfill, "next", NULL);
    else
        set_time(backfill, "next", next_ms);
    set_time(backfill, "updatedAt", firing->now_ms);
    return store_put(session, STORE_BACKFILLS, firing->backfill_id, backfill, firing->now_ms, reterr);
}

static enum err fill_one(struct store_session *session, struct firing *firing, struct json *backfill, int64_t at_ms,
                         struct error *reterr)
{
    struct firing_start start;
    bool ours = false;
    start_of(firing, at_ms, &start);
    enum err code =
        tell(session, firing,
             &(struct store_instant){.instant_ms = at_ms, .outcome = "fired", .execution_id = start.id}, &ours, reterr);
    size_t before = firing->inserted;
    if (code == ERR_OK && ours)
        code = insert(session, firing, &start, false, reterr);
    const char *counter = firing->inserted > before ? "fired" : "skipped";
    json_set_int(backfill, counter, json_get_int(backfill, counter, 0) + 1);
    return code;
}

static enum err write_backfill(struct store_session *session, struct firing *firing, const struct json *schedule,
                               struct json *backfill, struct error *reterr)
{
    struct schedule_rule rule;
    int64_t at = INT64_MAX, to = 0, unfinished = 0, concurrency = json_get_int(backfill, "concurrency", 1);
    const char *next = json_get_str(backfill, "next"), *until = json_get_str(backfill, "to");
    if (next != NULL && clock_parse_iso(next, &at) != 0)
        at = INT64_MAX;
    enum err code = schedule_rule_parse(schedule, firing->window_ms, &rule, reterr);
    if (code == ERR_VALIDATION || until == NULL || clock_parse_iso(until, &to) != 0)
        return put_backfill(session, firing, backfill, "cancelled", INT64_MAX, reterr);
    if (code == ERR_OK)
        code = store_backfill_unfinished(session, firing->schedule_id, firing->backfill_id, &unfinished, reterr);
    int64_t room = concurrency - unfinished;
    for (int i = 0; code == ERR_OK && at <= to && at != INT64_MAX && i < SCHEDULE_STEPS_MAX; i++) {
        if ((int64_t)firing->inserted >= room)
            break;
        code = fill_one(session, firing, backfill, at, reterr);
        at = schedule_at_or_after(&rule, at + 1);
    }
    bool over = (at > to || at == INT64_MAX) && unfinished == 0 && firing->inserted == 0;
    return code == ERR_OK ? put_backfill(session, firing, backfill, over ? "done" : "running", at, reterr) : code;
}

static enum err load_schedule(struct store_session *session, struct firing *firing, struct json **ret,
                              struct error *reterr)
{
    enum err code = store_schedule_load(session, firing->schedule_id, ret, reterr);
    if (code != ERR_OK)
        return code;
    (void)snprintf(firing->flow_id, sizeof firing->flow_id, "%s", json_get_str(*ret, "flowId"));
    return store_flow_start(session, firing->flow_id, true, &firing->flow, reterr);
}

enum err firing_write(struct store_session *session, struct firing *firing, struct error *reterr)
{
    AUTO_JSON struct json *schedule = NULL;
    AUTO_JSON struct json *stored = NULL;
    AUTO_JSON struct json *backfill = NULL;
    firing->start_count = firing->inserted = 0;
    firing_done(firing);
    enum err code = load_schedule(session, firing, &schedule, reterr);
    if (firing->backfill_id[0] == '\0')
        return code == ERR_NOT_FOUND ? ERR_OK
               : code != ERR_OK      ? code
                                     : write_schedule(session, firing, schedule, reterr);
    bool gone = code == ERR_NOT_FOUND;
    if (code == ERR_OK || gone)
        code = store_get(session, STORE_BACKFILLS, firing->backfill_id, &stored, reterr);
    if (code == ERR_NOT_FOUND)
        return ERR_OK;
    if (code != ERR_OK)
        return code;
    const char *status = json_get_str(stored, "status");
    if (status == NULL || strcmp(status, "running") != 0)
        return ERR_OK;
    backfill = json_dup(stored);
    return gone ? put_backfill(session, firing, backfill, "cancelled", INT64_MAX, reterr)
                : write_backfill(session, firing, schedule, backfill, reterr);
}
