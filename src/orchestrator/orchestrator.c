/* The orchestrator on its loop: consumers, reports, start and end. */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define RECALLED 16384

void orchestrator_progress(struct orchestrator *o)
{
    atomic_store(&o->last_progress_ms, loop_now_ms(o->options.loop));
}

/* What was accepted before the shard was this orchestrator's, or was given to another before, may have been paused,
 * cancelled or handed out since: the store knows. That it was before is told by the queue's order, whatever the clocks
 * say, and by the clocks of what comes late. */
static void take_submission(const struct shard *shard, const struct json *item, bool redelivered,
                            struct submission *submission)
{
    struct orchestrator *o = shard->orchestrator;
    const char *id = json_get_str(item, "id");
    if (!redelivered && shard->caught_up && json_get_int(item, "createdMs", 0) > shard->owned_since_ms) {
        dispatch_submit(o, json_ref(item), submission);
        return;
    }
    apply_reassign(o, id, (int)json_get_int(item, "epoch", 1));
    dispatch_settle(o, submission);
}

void orchestrator_on_submission(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct shard *shard = user;
    struct orchestrator *o = shard->orchestrator;
    struct error error = {0};
    AUTO_JSON struct json *message = NULL;
    if (shard->submit_consumer != consumer || o->stopped) { /* on its way when the shard was left */
        broker_nack(consumer, delivery->tag, true);
        return;
    }
    if (message_parse(delivery->body, delivery->size, &message, &error) != ERR_OK) {
        broker_nack(consumer, delivery->tag, false);
        return;
    }
    const struct json *work = json_get(message, "work");
    struct submission *submission = mem_alloc(sizeof *submission);
    *submission = (struct submission){
        .orchestrator = o, .consumer = consumer, .tag = delivery->tag, .open = (unsigned)json_count(work)};
    if (submission->open == 0) {
        shards_marked(shard, json_get_str(message, "mark"));
        free(submission);
        broker_ack(consumer, delivery->tag);
        return;
    }
    for (size_t i = 0; i < json_count(work); i++)
        take_submission(shard, json_at(work, i), delivery->redelivered, submission);
    apply_pump(o);
    loop_timer_set(o->retry_timer, 0);
}

void orchestrator_on_events(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    struct shard *shard = user;
    struct orchestrator *o = shard->orchestrator;
    struct error error = {0};
    struct json *message = NULL;
    shards_delivered(shard);
    if (message_parse(delivery->body, delivery->size, &message, &error) != ERR_OK) {
        broker_nack(consumer, delivery->tag, false);
        return;
    }
    if (json_get_str(message, "from") != NULL && json_get_str(message, "reason") != NULL)
        dispatch_worker_returned(o, json_get_str(message, "from"), json_get_str(message, "reason"));
    apply_message(shard, consumer, message, delivery->tag);
    if (o->writing == NULL)
        loop_timer_set(o->gather_timer, 0); /* what else has arrived in this turn goes along */
}

static void on_report(void *user, const void *body, size_t size)
{
    AUTO_JSON struct json *report = message_parse_topic(body, size);
    if (report != NULL)
        dispatch_worker_report(user, report);
}

static void on_control(void *user, const void *body, size_t size)
{
    AUTO_JSON struct json *message = message_parse_topic(body, size);
    struct orchestrator *o = user;
    if (message == NULL)
        return;
    orders_hear(&o->orders, message);
    if (json_get_str(message, "cancel") != NULL)
        dispatch_forget(o, json_get_str(message, "cancel"), INT_MAX); /* its worker may be gone */
    if (json_get_str(message, "cancel") != NULL)
        admission_look(o->admission);
    if (json_get_bool(message, "settings", false))
        settings_load(o);
    if (json_get_str(message, "signals") != NULL)
        signals_look(o, json_get_str(message, "signals"));
    if ((json_get_bool(message, "wake", false) || json_has(message, "resume")))
        waking_at(o, loop_now_ms(o->options.loop));
}

struct orchestrator *orchestrator_new(const struct orchestrator_options *options)
{
    struct orchestrator *o = mem_alloc(sizeof *o);
    o->options = *options;
    o->wake_at_ms = INT64_MAX;
    map_init(&o->flights);
    map_init(&o->held);
    map_init(&o->reassigning);
    recall_init(&o->submitted, RECALLED);
    recall_init(&o->orders, RECALLED);
    recall_init(&o->suspects, RECALLED);
    recall_init(&o->signalled, RECALLED);
    poison_init(o, RECALLED);
    buf_init(&o->updates, 0);
    o->handover_timer = loop_timer_new(options->loop, dispatch_look, o);
    loop_timer_set(o->handover_timer, 1000);
    o->retry_timer = loop_timer_new(options->loop, dispatch_retry, o);
    o->gather_timer = loop_timer_new(options->loop, apply_pump, o);
    o->health_timer = loop_timer_new(options->loop, dispatch_check_health, o);
    shards_init(o);
    o->ended = ended_new(options->metrics);
    return o;
}

enum err orchestrator_set_strategy(struct orchestrator *o, const char *strategy, struct error *reterr)
{
    return dispatch_state_set(&o->strategy, strategy, reterr);
}

enum err orchestrator_start(struct orchestrator *o, struct error *reterr)
{
    enum err code = orchestrator_set_strategy(o, o->options.strategy, reterr);
    if (code != ERR_OK)
        return code;
    o->connection = broker_connect(o->options.broker, o->options.loop);
    broker_subscribe(o->connection, TOPIC_WORKERS, on_report, o);
    broker_subscribe(o->connection, TOPIC_CONTROL, on_control, o);
    o->wake_timer = loop_timer_new(o->options.loop, waking_look, o);
    code = shards_start(o, reterr);
    if (code != ERR_OK)
        return code;
    returning_start(o);
    letters_start(o);
    code = scaler_new(o, &o->scaler, reterr);
    if (code != ERR_OK)
        return code;
    settings_load(o);
    dispatch_check_health(o);
    static const char ask[] = "{\"v\":1,\"report\":true}";
    broker_broadcast(o->connection, TOPIC_CONTROL, ask, sizeof ask - 1);
    waking_start(o);
    if (o->options.schedules)
        o->scheduler = scheduler_new(o);
    if (o->options.retention)
        o->retention = retention_new(o);
    o->admission = admission_new(o);
    return ERR_OK;
}

/* Where there are other orchestrators, they take what is left. */
static bool are_events_left(const struct orchestrator *o)
{
    bool left = false;
    for (unsigned i = 0; i < o->shard_count && !left; i++) {
        const struct shard *shard = &o->shards[i];
        left = shard->unacked > 0 || (o->peer_count == 0 && shard->state == SHARD_OWNED &&
                                      broker_queue_depth(o->options.broker, shard->events_queue) > 0);
    }
    return left;
}

/* Submissions and wakings would begin something new; events are what remains to be done. */
static void on_drain(void *user)
{
    struct orchestrator *o = user;
    bool late = loop_monotonic_us(o->options.loop) >= o->drain_deadline_us;
    bool applying = o->writing != NULL || o->gathering != NULL || are_events_left(o) || letters_are_busy(o);
    if (!late && (applying || scheduler_is_busy(o->scheduler) || retention_is_busy(o->retention) ||
                  admission_is_busy(o->admission))) {
        loop_timer_set(o->drain_timer, 2);
        return;
    }
    o->on_drained(o->drained_user);
}

void orchestrator_drain(struct orchestrator *o, int64_t deadline_ms, void (*on_drained)(void *user), void *user)
{
    o->stopped = true;
    o->on_drained = on_drained;
    o->drained_user = user;
    o->drain_deadline_us = loop_monotonic_us(o->options.loop) + deadline_ms * 1000;
    for (unsigned i = 0; i < o->shard_count; i++) {
        if (o->shards[i].submit_consumer != NULL)
            broker_consumer_set_prefetch(o->shards[i].submit_consumer, 0);
        if (o->peer_count > 0)
            broker_consumer_set_prefetch(o->shards[i].events_consumer, 0);
    }
    shards_leave(o);
    o->drain_timer = loop_timer_new(o->options.loop, on_drain, o);
    loop_timer_set(o->drain_timer, 0);
}

void orchestrator_free(struct orchestrator *o)
{
    if (o == NULL)
        return;
    if (o->connection != NULL)
        broker_disconnect(o->connection);
    scheduler_free(o->scheduler);
    retention_free(o->retention);
    admission_free(o->admission);
    scaler_free(o->scaler);
    dispatch_free(o);
    returning_free(o);
    letters_free(o);
    recall_done(&o->submitted);
    poison_done(o);
    apply_free(o);
    loop_timer_free(o->retry_timer);
    loop_timer_free(o->gather_timer);
    loop_timer_free(o->wake_timer);
    loop_timer_free(o->sweep_timer);
    loop_timer_free(o->drain_timer);
    loop_timer_free(o->health_timer);
    shards_done(o);
    ended_free(o->ended);
    free(o);
}

void orchestrator_stats(const struct orchestrator *o, struct orchestrator_stats *ret)
{
    *ret = (struct orchestrator_stats){.pending = atomic_load(&o->stat_pending),
                                       .in_flight = atomic_load(&o->stat_in_flight),
                                       .workers = atomic_load(&o->stat_workers),
                                       .shards = atomic_load(&o->stat_shards),
                                       .wanted = atomic_load(&o->stat_target),
                                       .dispatched = atomic_load(&o->dispatched),
                                       .finished = atomic_load(&o->finished),
                                       .reassigned = atomic_load(&o->reassigned),
                                       .failed_writes = atomic_load(&o->failed_writes),
                                       .last_progress_ms = atomic_load(&o->last_progress_ms)};
}
