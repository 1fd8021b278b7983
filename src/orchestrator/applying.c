/* Events into the store: one write at a time, in order; acknowledged after the commit. */
#include "orchestrator/failures.h"
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_AGAIN_MS 200

/* Whoever looks for what nobody is at finds the same until it is written: once is enough. NULL: what is gathered. */
static void reassign(struct orchestrator *o, struct batch *batch, const char *id, int epoch)
{
    if ((intptr_t)map_get(&o->reassigning, id) >= epoch)
        return;
    (void)map_put(&o->reassigning, id, (void *)(intptr_t)epoch); /* NOLINT(performance-no-int-to-ptr) */
    struct entry *entry = batch_add(batch == NULL ? batch_gathering(o) : batch);
    entry->reassign_id = mem_dup(id);
    entry->reassign_epoch = epoch;
}

void apply_reassign(struct orchestrator *o, const char *id, int epoch)
{
    reassign(o, NULL, id, epoch);
}

/* Work that came back goes out again, but for what brings its workers down. */
static void take_back(struct orchestrator *o, struct batch *batch, const struct json *item, const char *reason)
{
    const char *id = json_get_str(item, "id");
    int epoch = (int)json_get_int(item, "epoch", 1);
    dispatch_forget(o, id, epoch);
    if (!poison_is_limit(o, reason, item)) {
        reassign(o, batch, id, epoch);
        return;
    }
    struct entry *entry = batch_add(batch);
    entry->event = entry->given_up = poison_event(o, item);
    entry->decoded = event_decode(entry->event, NULL);
    entry->letter = letter_of_lost(o, item, json_get_str(entry->event, "errorMessage"));
}

void apply_message(struct shard *shard, struct broker_consumer *consumer, struct json *take_message, uint64_t tag)
{
    struct orchestrator *o = shard->orchestrator;
    struct batch *batch = batch_gathering(o);
    if (batch->message_count == batch->message_cap) {
        batch->message_cap = batch->tag_cap = batch->message_cap == 0 ? 32 : batch->message_cap * 2;
        batch->messages = mem_resize(batch->messages, batch->message_cap * sizeof(struct json *));
        batch->tags = mem_resize(batch->tags, batch->tag_cap * sizeof *batch->tags);
    }
    batch->messages[batch->message_count++] = take_message;
    batch->tags[batch->tag_count++] = (struct delivered){.shard = shard, .consumer = consumer, .tag = tag};
    shard->unacked++;
    const struct json *events = json_get(take_message, "events"), *work = json_get(take_message, "work");
    const char *worker = json_get_str(take_message, "worker");
    for (size_t i = 0; i < json_count(events); i++) {
        struct entry *entry = batch_add(batch);
        entry->event = json_at(events, i);
        entry->decoded = event_decode(entry->event, worker);
        poison_note(o, entry->event);
        if (shard->state == SHARD_OWNED)
            dispatch_adopt(o, worker, entry->event);
    }
    for (size_t i = 0; i < json_count(work); i++)
        take_back(o, batch, json_at(work, i), json_get_str(take_message, "reason"));
}

void apply_cancel(struct orchestrator *o, const char *id)
{
    batch_add(batch_gathering(o))->cancel_id = mem_dup(id);
}

static struct json *parse_text(const char *text)
{
    struct json *value = NULL;
    return text != NULL && json_parse(text, strlen(text), &value, NULL) == ERR_OK ? value : NULL;
}

static struct json *dispatch_item(const struct store_dispatch *dispatch)
{
    struct json *item = json_object_new();
    json_set_str(item, "id", dispatch->id);
    json_set_str(item, "flowId", dispatch->flow_id);
    json_set_int(item, "flowVersion", dispatch->flow_version);
    json_set_int(item, "epoch", dispatch->epoch);
    json_set_int(item, "priority", dispatch->priority);
    json_set_str(item, "trigger", dispatch->trigger);
    json_set_str(item, "triggerNode", dispatch->trigger_node);
    json_set_int(item, "createdMs", dispatch->created_ms);
    json_set_bool(item, "paused", dispatch->paused);
    json_set_bool(item, "lostEpoch", dispatch->lost_epochs != 0); /* for workers of the version before */
    json_set_int(item, "lostEpochs", dispatch->lost_epochs);
    json_set(item, "input", parse_text(dispatch->input_json));
    json_set(item, "restore", parse_text(dispatch->restore_json));
    json_set(item, "options", parse_text(dispatch->options_json));
    json_set(item, "checkpoints", parse_text(dispatch->checkpoints_json));
    if (dispatch->signals > 0) {
        json_set(item, "signals", parse_text(dispatch->signals_json));
        json_set_int(item, "seen", dispatch->signals);
    }
    if (dispatch->body != NULL)
        json_set_str(item, "body", dispatch->body);
    if (dispatch->parent_id != NULL)
        json_set_str(item, "parentId", dispatch->parent_id);
    if (dispatch->depth > 0)
        json_set_int(item, "depth", dispatch->depth);
    return item;
}

/* What concerns one execution only (it is gone, or final) must not hold up the others. */
static bool concerns_store(enum err code)
{
    return code == ERR_STORE_BUSY || code == ERR_STORE_FULL || code == ERR_STORE_UNKNOWN || code == ERR_IO;
}

/* Promise 2: what can never go on does not stay unfinished. */
static enum err give_up(struct store_session *session, const char *id, int64_t now_ms, bool *ret_wakes,
                        struct error *why)
{
    struct error damage = *why;
    log_event(LOG_ERROR, "an execution is given up", LOG_STR("executionId", id), LOG_CAUSE(&damage), LOG_END);
    enum err code = store_execution_fail(session, id, now_ms, &damage, why);
    *ret_wakes = code == ERR_OK; /* its parent, perhaps */
    return code == ERR_OK ? failures_start(session, id, now_ms, ret_wakes, why) : code;
}

static enum err apply_event(struct store_session *session, struct entry *entry, struct error *reterr)
{
    if (entry->decoded == NULL)
        return ERR_OK;
    const struct store_event *event = &entry->decoded->event;
    enum err code = store_event_apply(session, event, &entry->applied, reterr);
    if (code == ERR_OK && entry->applied && entry->letter != NULL)
        code = letter_put(session, entry->letter, event->at_ms, reterr);
    if (code != ERR_OK || !entry->applied)
        return code;
    if (event->kind == STORE_EVENT_FINISHED) {
        code = schedule_retry(session, event, &entry->retry_at_ms, reterr);
        bool failed = event->finish->status == RUN_FAILED || event->finish->status == RUN_TIMEOUT;
        if (code == ERR_OK && failed && entry->retry_at_ms == 0)
            code = failures_start(session, event->execution_id, event->at_ms, &entry->wakes, reterr);
        return code;
    }
    return event->checkpoint_waiting_json == NULL ? ERR_OK : children_start(session, event, &entry->wakes, reterr);
}

static bool is_kind(const struct json *event, const char *kind)
{
    const char *its = json_get_str(event, "kind");
    return its != NULL && strcmp(its, kind) == 0;
}

static enum err apply_entry(struct store_session *session, struct entry *entry, int64_t now_ms, struct error *reterr)
{
    struct error error = {0};
    enum err code = ERR_OK;
    json_unref(entry->dispatch);
    json_unref(entry->cancelled);
    entry->dispatch = entry->cancelled = NULL;
    entry->applied = entry->wakes = false;
    entry->retry_at_ms = 0;
    if (entry->cancel_id != NULL) {
        code = store_execution_cancel_all(session, entry->cancel_id, now_ms, &entry->cancelled, &error);
    } else if (is_kind(entry->event, "cancelChild")) {
        code = children_drop(session, entry->event, now_ms, &entry->cancelled, &error);
    } else if (entry->reassign_id != NULL) {
        AUTO_ARENA struct arena arena;
        arena_init(&arena);
        struct store_dispatch dispatch;
        code = store_execution_reassign(session, entry->reassign_id, entry->reassign_epoch, &arena, &dispatch, &error);
        if (code == ERR_OK)
            entry->dispatch = dispatch_item(&dispatch);
        else if (code == ERR_INTERNAL) /* damaged: it would be refused each time */
            code = give_up(session, entry->reassign_id, now_ms, &entry->wakes, &error);
    } else {
        code = apply_event(session, entry, &error);
    }
    if (!concerns_store(code))
        return ERR_OK;
    *reterr = error;
    return code;
}

/* On the store's writer thread; repeatable. */
static enum err write_batch(struct store_session *session, void *arg, struct error *reterr)
{
    struct batch *batch = arg;
    for (batch->reached = 0; batch->reached < batch->count; batch->reached++) {
        struct entry *entry = &batch->entries[batch->reached];
        enum err code = entry->skip ? ERR_OK : apply_entry(session, entry, batch->at_ms, reterr);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* One that waits for a person may have been resumed before it was parked; one that was sent a signal may not have seen
 * it. */
static int64_t parked_until(struct orchestrator *o, const struct json *event)
{
    int64_t wake = json_get_int(event, "wakeMs", INT64_MAX);
    const char *id = json_get_str(event, "id");
    bool signalled = recall_get(&o->signalled, id) > 0;
    if (signalled)
        recall_put(&o->signalled, id, 0);
    return signalled || wake == INT64_MAX ? loop_now_ms(o->options.loop) : wake;
}

static void tell_control(struct orchestrator *o, const char *format, const char *id)
{
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    buf_printf(&body, format, id);
    broker_broadcast(o->connection, TOPIC_CONTROL, body.data, body.len);
}

static void note_ended(struct orchestrator *o, const struct json *event)
{
    enum run_status status;
    int64_t at = json_get_int(event, "at", 0);
    if (run_status_parse(json_get_str(event, "status"), &status) == ERR_OK)
        ended_note(o->ended, status, json_get_int(event, "startedMs", at), at);
}

static void conclude_entry(struct orchestrator *o, struct entry *entry)
{
    if (entry->reassign_id != NULL && (intptr_t)map_get(&o->reassigning, entry->reassign_id) <= entry->reassign_epoch)
        (void)map_put(&o->reassigning, entry->reassign_id, NULL);
    children_tell_cancelled(o, entry->cancelled);
    if (entry->dispatch != NULL) {
        dispatch_submit(o, entry->dispatch, NULL);
        entry->dispatch = NULL;
        atomic_fetch_add(&o->reassigned, 1);
        return;
    }
    if (entry->reassign_id != NULL) /* it is final, or another epoch's */
        dispatch_forget(o, entry->reassign_id, entry->reassign_epoch);
    if (entry->event == NULL)
        return;
    const char *kind = json_get_str(entry->event, "kind"), *id = json_get_str(entry->event, "id");
    bool finished = kind != NULL && strcmp(kind, "finished") == 0, parked = kind != NULL && strcmp(kind, "parked") == 0;
    if (finished || parked)
        dispatch_forget(o, id, (int)json_get_int(entry->event, "epoch", 0));
    if (parked && entry->applied)
        waking_at(o, parked_until(o, entry->event));
    if (entry->retry_at_ms > 0)
        waking_at(o, entry->retry_at_ms);
    if (finished && entry->applied) {
        atomic_fetch_add(&o->finished, 1);
        note_ended(o, entry->event);
        admission_look(o->admission);
    }
    if (finished && entry->applied && json_get_str(entry->event, "parentId") != NULL)
        tell_control(o, "{\"signals\":\"%s\"}", json_get_str(entry->event, "parentId"));
    bool progress = kind != NULL && strcmp(kind, "progress") == 0,
         started = kind != NULL && strcmp(kind, "started") == 0;
    if (progress || (entry->applied && (started || finished))) /* a checkpoint's node has told its progress already */
        announcing_add(o, entry->event);
}

/* With the 1st, 2nd, 4th … failure: an outage fills no disk, and what is never taken shows. The entry is the one that
 * was refused, if it was one and not the commit. */
static void tell_failed(struct batch *batch)
{
    batch->failures++;
    if ((batch->failures & (batch->failures - 1)) != 0)
        return;
    const struct entry *entry = batch->reached < batch->count ? &batch->entries[batch->reached] : NULL;
    const struct json *event = entry == NULL ? NULL : entry->event;
    const char *id = event != NULL ? json_get_str(event, "id") : entry != NULL ? entry->reassign_id : NULL;
    log_event(LOG_WARN, "events are not written; trying on", LOG_UINT("failures", batch->failures),
              LOG_UINT("events", batch->count), LOG_STR("executionId", id),
              LOG_STR("kind", event == NULL ? NULL : json_get_str(event, "kind")), LOG_CAUSE(&batch->error), LOG_END);
}

static void on_written(void *user)
{
    struct batch *batch = user;
    struct orchestrator *o = batch->orchestrator;
    o->write_under_way = false;
    if (batch->code != ERR_OK) { /* the same again, in the same order, until the store takes it */
        atomic_fetch_add(&o->failed_writes, 1);
        tell_failed(batch);
        loop_timer_set(o->gather_timer, WRITE_AGAIN_MS);
        return;
    }
    o->writing = NULL;
    orchestrator_progress(o);
    for (size_t i = 0; i < batch->tag_count; i++) {
        batch->tags[i].shard->unacked--;
        broker_ack(batch->tags[i].consumer, batch->tags[i].tag);
        shards_settled(batch->tags[i].shard);
    }
    bool wakes = false;
    for (size_t i = 0; i < batch->count; i++) {
        wakes |= batch->entries[i].wakes;
        conclude_entry(o, &batch->entries[i]);
    }
    announcing_send(o);
    if (wakes)
        broker_broadcast(o->connection, TOPIC_CONTROL, "{\"wake\":true}", sizeof "{\"wake\":true}" - 1);
    batch_free(batch);
    dispatch_pump(o);
    apply_pump(o);
}

/* On the store's writer thread. */
static void on_committed(void *user, enum err code, const struct error *error)
{
    struct batch *batch = user;
    batch->code = code;
    if (error != NULL)
        batch->error = *error;
    loop_post(batch->orchestrator->options.loop, on_written, batch);
}

void apply_pump(void *user)
{
    struct orchestrator *o = user;
    if (o->write_under_way)
        return;
    if (o->writing == NULL) {
        if (o->gathering == NULL)
            return;
        o->writing = o->gathering;
        o->gathering = o->writing->next;
        batch_prepare(o->writing);
    }
    o->write_under_way = true;
    o->writing->at_ms = loop_now_ms(o->options.loop);
    batch_forget_orders(o->writing);
    store_write_async(o->options.store, write_batch, o->writing, on_committed, o->writing);
}

void apply_free(struct orchestrator *o)
{
    if (o->write_under_way) /* committed, and not heard of yet */
        loop_unpost(o->options.loop, on_written, o->writing);
    while (o->gathering != NULL) {
        struct batch *batch = o->gathering;
        o->gathering = batch->next;
        batch_free(batch);
    }
    batch_free(o->writing);
    map_done(&o->reassigning);
}
