/* Fires schedules: each instant once, by inserting (schedule, instant) under a unique key together with the next
 * instant. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/cron.h"
#include "orchestrator/submission.h"
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 500     /* how often due schedules are looked for */
#define FIRINGS_MAX 100 /* of one look */

struct scheduler {
    struct orchestrator *orchestrator;
    struct loop_timer *timer;
    struct firing *firings; /* on their way */
};

/* One instant of one schedule on its way into the store. */
struct firing {
    struct firing *next, **place;
    struct scheduler *scheduler;
    struct json *schedule;
    char id[ID_TEXT_BYTES];
    int64_t instant_ms, now_ms;
    int flow_version;
    bool duplicate;
    enum err code;
    struct error error;
};

static const char input_format[] = "{\"scheduleId\":\"%s\",\"scheduledTime\":\"%s\"}";

static void row_of(const struct firing *firing, char *input, size_t size, struct store_execution *row)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(firing->instant_ms, at);
    (void)snprintf(input, size, input_format, json_get_str(firing->schedule, "id"), at);
    *row = (struct store_execution){.id = firing->id,
                                    .flow_id = json_get_str(firing->schedule, "flowId"),
                                    .flow_version = firing->flow_version,
                                    .schedule_id = json_get_str(firing->schedule, "id"),
                                    .schedule_instant_ms = firing->instant_ms,
                                    .trigger = "schedule",
                                    .priority = 1,
                                    .input_json = input,
                                    .created_ms = firing->now_ms};
}

static void set_time(struct json *changes, const char *key, int64_t ms)
{
    char at[ISO_TEXT_BYTES];
    clock_format_iso(ms, at);
    json_set_str(changes, key, at);
}

/* On the writer's thread; repeatable. A schedule without a further instant is switched off. */
static enum err write_firing(struct store_session *session, void *arg, struct error *reterr)
{
    struct firing *firing = arg;
    const char *id = json_get_str(firing->schedule, "id");
    AUTO_JSON struct json *flow = NULL;
    AUTO_JSON struct json *changes = json_object_new();
    int64_t next;
    enum err code = store_flow_load(session, json_get_str(firing->schedule, "flowId"), &flow, reterr);
    if (code != ERR_OK)
        return code;
    firing->flow_version = (int)json_get_int(flow, "version", 1);
    char input[256];
    struct store_execution row;
    row_of(firing, input, sizeof input, &row);
    code = store_execution_insert(session, &row, reterr);
    firing->duplicate = code == ERR_CONFLICT;
    if (code != ERR_OK && code != ERR_CONFLICT)
        return code;
    if (cron_next_text(json_get_str(firing->schedule, "cronExpression"), json_get_str(firing->schedule, "timezone"),
                       firing->now_ms, &next, reterr) == ERR_OK)
        set_time(changes, "nextRun", next);
    else
        json_set_bool(changes, "enabled", false);
    set_time(changes, "lastRun", firing->instant_ms);
    return store_schedule_update(session, id, changes, firing->now_ms, reterr);
}

static void firing_free(struct firing *firing)
{
    *firing->place = firing->next;
    if (firing->next != NULL)
        firing->next->place = firing->place;
    json_unref(firing->schedule);
    free(firing);
}

static void on_written(void *user)
{
    struct firing *firing = user;
    struct scheduler *scheduler = firing->scheduler;
    if (firing->code != ERR_OK) {
        log_event(LOG_WARN, "schedule did not fire, it is tried again",
                  LOG_STR("scheduleId", json_get_str(firing->schedule, "id")), LOG_STR("error", firing->error.message),
                  LOG_END);
    } else if (!firing->duplicate) {
        char input[256];
        struct store_execution row;
        row_of(firing, input, sizeof input, &row);
        submission_publish(scheduler->orchestrator->connection, scheduler->orchestrator->shard_count, &row);
    }
    firing_free(firing);
}

static void on_committed(void *user, enum err code, const struct error *error)
{
    struct firing *firing = user;
    firing->code = code;
    if (error != NULL)
        firing->error = *error;
    loop_post(firing->scheduler->orchestrator->options.loop, on_written, firing);
}

static void fire(struct scheduler *scheduler, const struct json *schedule, int64_t now_ms)
{
    struct firing *firing = mem_alloc(sizeof *firing);
    *firing = (struct firing){.next = scheduler->firings,
                              .place = &scheduler->firings,
                              .scheduler = scheduler,
                              .schedule = json_dup(schedule),
                              .now_ms = now_ms};
    if (firing->next != NULL)
        firing->next->place = &firing->next;
    scheduler->firings = firing;
    id_new(firing->id);
    const char *next = json_get_str(schedule, "nextRun");
    if (next == NULL || clock_parse_iso(next, &firing->instant_ms) != 0)
        firing->instant_ms = now_ms;
    store_write_async(scheduler->orchestrator->options.store, write_firing, firing, on_committed, firing);
}

/* An instant that passed while nobody looked is fired once, late; those before it are not made up for. */
static void on_look(void *user)
{
    struct scheduler *scheduler = user;
    struct orchestrator *o = scheduler->orchestrator;
    loop_timer_set(scheduler->timer, LOOK_MS);
    if (scheduler->firings != NULL || o->stopped)
        return;
    struct store_session *session;
    struct error error;
    struct json *due = NULL;
    if (store_read_begin(o->options.store, &session, &error) != ERR_OK)
        return;
    int64_t now = loop_now_ms(o->options.loop);
    if (store_schedules_due(session, now, FIRINGS_MAX, &due, &error) == ERR_OK) {
        for (size_t i = 0; i < json_count(due); i++)
            if (shards_own(o, json_get_str(json_at(due, i), "id")))
                fire(scheduler, json_at(due, i), now);
    } else {
        log_event(LOG_WARN, "due schedules cannot be read", LOG_STR("error", error.message), LOG_END);
    }
    json_unref(due);
    store_read_end(o->options.store, session);
}

struct scheduler *scheduler_new(struct orchestrator *orchestrator)
{
    struct scheduler *scheduler = mem_alloc(sizeof *scheduler);
    scheduler->orchestrator = orchestrator;
    scheduler->timer = loop_timer_new(orchestrator->options.loop, on_look, scheduler);
    loop_timer_set(scheduler->timer, 0);
    return scheduler;
}

bool scheduler_is_busy(const struct scheduler *scheduler)
{
    return scheduler != NULL && scheduler->firings != NULL;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    loop_timer_free(scheduler->timer);
    while (scheduler->firings != NULL) { /* committed, and not heard of yet */
        loop_unpost(scheduler->orchestrator->options.loop, on_written, scheduler->firings);
        firing_free(scheduler->firings);
    }
    free(scheduler);
}
