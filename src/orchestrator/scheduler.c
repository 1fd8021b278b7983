/* Looks which schedules are due, which backfills have room, and whose executions wait no longer; tells of what was
 * started and cancelled. What happens in the store stands in firing.c. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "orchestrator/firing.h"
#include "orchestrator/submission.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 500     /* how often due schedules are looked for */
#define FIRINGS_MAX 100 /* of one look */

struct scheduler {
    struct orchestrator *orchestrator;
    struct loop_timer *timer;
    struct pending_firing *firings; /* on their way */
    bool releasing;
    int64_t released, now_ms;
};

/* On its way into the store. */
struct pending_firing {
    struct pending_firing *next, **place;
    struct scheduler *scheduler;
    struct firing firing;
    enum err code;
    struct error error;
};

static void firing_free(struct pending_firing *pending)
{
    *pending->place = pending->next;
    if (pending->next != NULL)
        pending->next->place = pending->place;
    firing_done(&pending->firing);
    free(pending);
}

static void broadcast(struct orchestrator *o, const char *topic, struct json *take_message)
{
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    json_print(take_message, &body);
    json_unref(take_message);
    broker_broadcast(o->connection, topic, body.data, body.len);
}

/* Whoever runs it is told, and whoever watches it. */
static void tell_cancelled(struct orchestrator *o, const char *id, int64_t now_ms)
{
    struct json *order = json_object_new(),
                *live = message_update_new(id, NULL, run_status_name(RUN_CANCELLED), 0, now_ms);
    json_set_int(order, "v", 1);
    json_set_str(order, "cancel", id);
    broadcast(o, TOPIC_CONTROL, order);
    json_set_int(live, "progress", 100);
    json_set_str(live, "message", "Cancelled: the schedule's next instant has come.");
    json_set_str(live, "errorId", error_id(ERR_CANCELLED));
    json_set_str(live, "errorMessage", "The schedule's next instant has come.");
    broadcast(o, TOPIC_LIVE, live);
}

static void on_written(void *user)
{
    struct pending_firing *pending = user;
    const struct firing *firing = &pending->firing;
    struct orchestrator *o = pending->scheduler->orchestrator;
    if (pending->code != ERR_OK)
        log_event(LOG_WARN, "schedule did not fire, it is tried again", LOG_STR("scheduleId", firing->schedule_id),
                  LOG_STR("error", pending->error.message), LOG_END);
    for (size_t i = 0; pending->code == ERR_OK && i < json_count(firing->cancelled); i++)
        tell_cancelled(o, json_as_str(json_at(firing->cancelled, i)), firing->now_ms);
    for (size_t i = 0; pending->code == ERR_OK && i < firing->start_count; i++) {
        char input[FIRING_INPUT_BYTES];
        struct store_execution row;
        firing_row(firing, &firing->starts[i], input, &row);
        submission_publish(o->connection, o->shard_count, &row);
    }
    firing_free(pending);
}

static void on_committed(void *user, enum err code, const struct error *error)
{
    struct pending_firing *pending = user;
    pending->code = code;
    if (error != NULL)
        pending->error = *error;
    loop_post(pending->scheduler->orchestrator->options.loop, on_written, pending);
}

static enum err write_firing(struct store_session *session, void *arg, struct error *reterr)
{
    struct pending_firing *pending = arg;
    return firing_write(session, &pending->firing, reterr);
}

static void fire(struct scheduler *scheduler, const char *schedule_id, const char *backfill_id, int64_t next_ms,
                 int64_t now_ms)
{
    const struct orchestrator_options *options = &scheduler->orchestrator->options;
    struct pending_firing *pending = mem_alloc(sizeof *pending);
    *pending = (struct pending_firing){
        .next = scheduler->firings,
        .place = &scheduler->firings,
        .scheduler = scheduler,
        .firing = {.next_ms = next_ms, .now_ms = now_ms, .window_ms = options->schedule_window_ms}};
    (void)snprintf(pending->firing.schedule_id, sizeof pending->firing.schedule_id, "%s", schedule_id);
    (void)snprintf(pending->firing.backfill_id, sizeof pending->firing.backfill_id, "%s", backfill_id);
    if (pending->next != NULL)
        pending->next->place = &pending->next;
    scheduler->firings = pending;
    store_write_async(options->store, write_firing, pending, on_committed, pending);
}

static void fire_due(struct scheduler *scheduler, const struct json *due, int64_t now_ms)
{
    for (size_t i = 0; i < json_count(due); i++) {
        const struct json *schedule = json_at(due, i);
        const char *id = json_get_str(schedule, "id"), *next = json_get_str(schedule, "nextRun");
        int64_t next_ms;
        if (next != NULL && clock_parse_iso(next, &next_ms) == 0 && shards_own(scheduler->orchestrator, id))
            fire(scheduler, id, "", next_ms, now_ms);
    }
}

static void fill(struct scheduler *scheduler, const struct json *backfills, int64_t now_ms)
{
    for (size_t i = 0; i < json_count(backfills); i++) {
        const struct json *backfill = json_at(backfills, i);
        const char *status = json_get_str(backfill, "status"), *id = json_get_str(backfill, "id"),
                   *schedule = json_get_str(backfill, "scheduleId");
        if (status != NULL && strcmp(status, "running") == 0 && id != NULL && schedule != NULL &&
            shards_own(scheduler->orchestrator, schedule))
            fire(scheduler, schedule, id, 0, now_ms);
    }
}

/* ---- executions that waited for others of their schedule */

static enum err write_release(struct store_session *session, void *arg, struct error *reterr)
{
    struct scheduler *scheduler = arg;
    return store_schedules_release(session, scheduler->now_ms, &scheduler->released, reterr);
}

static void on_released(void *user)
{
    struct scheduler *scheduler = user;
    scheduler->releasing = false;
    if (scheduler->released == 0)
        return;
    struct json *wake = json_object_new(); /* whichever orchestrator has their shard */
    json_set_int(wake, "v", 1);
    json_set_bool(wake, "wake", true);
    broadcast(scheduler->orchestrator, TOPIC_CONTROL, wake);
}

static void on_release_committed(void *user, enum err code, const struct error *error)
{
    struct scheduler *scheduler = user;
    (void)error; /* looked at again soon */
    if (code != ERR_OK)
        scheduler->released = 0;
    loop_post(scheduler->orchestrator->options.loop, on_released, scheduler);
}

static void on_look(void *user)
{
    struct scheduler *scheduler = user;
    struct orchestrator *o = scheduler->orchestrator;
    loop_timer_set(scheduler->timer, LOOK_MS);
    if (scheduler_is_busy(scheduler) || o->stopped)
        return;
    struct store_session *session;
    struct error error;
    AUTO_JSON struct json *due = NULL;
    AUTO_JSON struct json *backfills = NULL;
    if (store_read_begin(o->options.store, &session, &error) != ERR_OK)
        return;
    int64_t now = loop_now_ms(o->options.loop);
    enum err code = store_schedules_due(session, now, FIRINGS_MAX, &due, &error);
    if (code == ERR_OK)
        code = store_all(session, STORE_BACKFILLS, &backfills, &error);
    bool waiting = code == ERR_OK && shards_lead(o) && store_schedules_waiting(session);
    store_read_end(o->options.store, session);
    if (code != ERR_OK)
        log_event(LOG_WARN, "due schedules cannot be read", LOG_STR("error", error.message), LOG_END);
    fire_due(scheduler, due, now);
    fill(scheduler, backfills, now);
    if (!waiting)
        return;
    scheduler->releasing = true;
    scheduler->released = 0;
    scheduler->now_ms = now;
    store_write_async(o->options.store, write_release, scheduler, on_release_committed, scheduler);
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
    return scheduler != NULL && (scheduler->firings != NULL || scheduler->releasing);
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    loop_timer_free(scheduler->timer);
    if (scheduler->releasing) /* committed, and not heard of yet; so are the firings */
        loop_unpost(scheduler->orchestrator->options.loop, on_released, scheduler);
    while (scheduler->firings != NULL) {
        loop_unpost(scheduler->orchestrator->options.loop, on_written, scheduler->firings);
        firing_free(scheduler->firings);
    }
    free(scheduler);
}
