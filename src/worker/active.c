/* One execution on this worker: from a work item to its last event. */
#include "worker/worker_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "flow/part.h"
#include "worker/run_log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS_KEPT 1000
#define FLOW_KEY_BYTES 160
#define LINGER_MS 1000 /* a child's end may be near: so long a run that waits for one stays, when there is room */

static enum err load_definition(struct worker *worker, const char *flow_id, int version, struct json **ret,
                                struct error *reterr)
{
    struct store_session *session;
    enum err code = store_read_begin(worker->options.store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = store_flow_load_version(session, flow_id, version, ret, reterr);
    store_read_end(worker->options.store, session);
    return code;
}

struct oldest {
    const char *key;
    const struct flow_entry *entry;
};

static void find_oldest(void *user, const char *key, void *value)
{
    struct oldest *oldest = user;
    struct flow_entry *entry = value;
    if (entry->users == 0 && (oldest->entry == NULL || entry->used_at < oldest->entry->used_at))
        *oldest = (struct oldest){.key = key, .entry = entry};
}

static void make_room(struct worker *worker)
{
    struct oldest oldest = {0};
    map_each(&worker->flows, find_oldest, &oldest);
    if (oldest.key == NULL)
        return;
    char key[FLOW_KEY_BYTES];
    (void)snprintf(key, sizeof key, "%s", oldest.key);
    struct flow_entry *entry = map_put(&worker->flows, key, NULL);
    flow_free(entry->flow);
    free(entry);
}

static enum err cut(const char *until_node, struct json **definition, struct error *reterr)
{
    struct json *part = NULL;
    enum err code = until_node == NULL ? ERR_OK : flow_part_until(*definition, until_node, &part, reterr);
    if (part != NULL) {
        json_unref(*definition);
        *definition = part;
    }
    return code;
}

struct flow_entry *flow_entry_get(struct worker *worker, const char *flow_id, int version, const char *until_node,
                                  struct error *reterr)
{
    char key[FLOW_KEY_BYTES];
    (void)snprintf(key, sizeof key, "%.60s/%d/%.64s", flow_id, version, until_node == NULL ? "" : until_node);
    struct flow_entry *entry = map_get(&worker->flows, key);
    if (entry == NULL) {
        struct json *definition = NULL;
        struct flow *flow = NULL;
        if (load_definition(worker, flow_id, version, &definition, reterr) != ERR_OK)
            return NULL;
        enum err code = cut(until_node, &definition, reterr);
        if (code == ERR_OK)
            code = flow_compile(flow_id, version, definition, worker->options.catalog, &flow, NULL, reterr);
        json_unref(definition);
        if (code != ERR_OK)
            return NULL;
        if (worker->flows.count >= FLOWS_KEPT)
            make_room(worker);
        entry = mem_alloc(sizeof *entry);
        entry->flow = flow;
        (void)map_put(&worker->flows, key, entry);
    }
    entry->users++;
    entry->used_at = ++worker->flow_clock;
    return entry;
}

void flow_entry_release(struct worker *worker, struct flow_entry *entry)
{
    (void)worker;
    entry->users--;
}

void active_free(struct active *active)
{
    struct worker *worker = active->worker;
    calls_abort(active, NULL);
    if (map_get(&worker->active, active->id) == active)
        (void)map_put(&worker->active, active->id, NULL);
    atomic_store(&worker->active_count, (unsigned)worker->active.count);
    loop_timer_free(active->timer);
    live_free(active);
    flow_run_free(active->run);
    flow_entry_release(worker, active->flow);
    json_unref(active->logs);
    mask_done(&active->mask);
    json_unref(active->options);
    json_unref(active->unsent);
    free(active->parent_id);
    free(active->id);
    free(active);
}

void active_look(void *user)
{
    struct active *active = user;
    active_advance(active,
                   &(struct run_event){.kind = RUN_EVENT_TIME, .now_ms = loop_now_ms(active->worker->options.loop)});
}

static bool ends_attempt(const struct run_event *event)
{
    return event->kind == RUN_EVENT_NODE_DONE || event->kind == RUN_EVENT_NODE_FAILED;
}

/* One log line for each attempt that ended (contract 5.5). */
static void note_event(struct active *active, const struct run_event *event)
{
    if (ends_attempt(event))
        run_log_attempt(active->logs, &flow_run_flow(active->run)->nodes[event->node], event);
}

/* A live progress event when the node took a visible time; it counts itself. */
static void note_progress(struct active *active, const struct run_event *event)
{
    const struct flow_node *node = ends_attempt(event) ? &flow_run_flow(active->run)->nodes[event->node] : NULL;
    if (node != NULL && node->spec != NULL && !node->spec->pure)
        event_progress(active, event->node);
}

/* Carries out what the run commands until it commands nothing more. Inline nodes advance the run from within. */
static void drive(struct active *active)
{
    struct run_command command;
    active->busy = true;
    while (flow_run_next_command(active->run, &command)) {
        switch (command.kind) {
        case RUN_COMMAND_START_NODE:
            calls_start(active, &command);
            break;
        case RUN_COMMAND_ABORT_NODE:
            calls_abort(active, &command);
            break;
        case RUN_COMMAND_CHECKPOINT:
            if (json_get_str(command.checkpoint.waiting, "childId") != NULL)
                active->linger_until_ms = loop_now_ms(active->worker->options.loop) + LINGER_MS;
            event_checkpoint(active, &command.checkpoint);
            break;
        case RUN_COMMAND_CANCEL_CHILD:
            event_cancel_child(active, &command.checkpoint);
            break;
        case RUN_COMMAND_FINISH:
            break;
        }
    }
    active->busy = false;
    live_changed(active);
}

static bool may_linger(const struct active *active, int64_t now)
{
    const struct worker *worker = active->worker;
    return now < active->linger_until_ms && !worker->draining && flow_run_status(active->run) != RUN_PAUSED &&
           worker->active.count * 2 <= worker->options.capacity;
}

/* After the run came to rest: is it over, does it leave the worker, or when shall it be looked at again? */
static void settle(struct active *active)
{
    struct worker *worker = active->worker;
    int64_t now = loop_now_ms(worker->options.loop), due = flow_run_due_ms(active->run);
    bool leaves = flow_run_is_parkable(active->run) && (due - now > PARK_AFTER_MS || worker->draining);
    if (leaves && may_linger(active, now)) {
        due = active->linger_until_ms;
        leaves = false;
    }
    if (run_status_is_final(flow_run_status(active->run))) {
        atomic_fetch_add(flow_run_status(active->run) == RUN_SUCCESS ? &worker->finished : &worker->failed, 1);
        event_finished(active);
        active_free(active);
    } else if (leaves) {
        live_flush(active);
        event_parked(active, flow_run_status(active->run) == RUN_PAUSED ? INT64_MAX : due);
        orders_forget(&active->worker->orders, active->id); /* the resume may never be heard here */
        active_free(active);
    } else if (due != INT64_MAX) {
        if (active->timer == NULL)
            active->timer = loop_timer_new(worker->options.loop, active_look, active);
        loop_timer_set(active->timer, due > now ? due - now : 0);
    }
}

void active_advance(struct active *active, const struct run_event *event)
{
    note_event(active, event);
    flow_run_advance(active->run, event);
    note_progress(active, event);
    if (active->busy)
        return;
    drive(active);
    settle(active);
}

static void feed(struct active *active, const struct json *signals)
{
    for (size_t i = 0; i < json_count(signals); i++) {
        const struct json *entry = json_at(signals, i);
        const struct run_signal signal = {.id = json_get_int(entry, "id", 0),
                                          .of_child = json_get_bool(entry, "child", false),
                                          .name = json_get_str(entry, "name"),
                                          .node_id = json_get_str(entry, "nodeId"),
                                          .iteration = json_get_str(entry, "iteration"),
                                          .payload = json_get(entry, "payload")};
        if (signal.id > active->signals_seen)
            flow_run_advance(active->run, &(struct run_event){.kind = RUN_EVENT_SIGNAL,
                                                              .now_ms = loop_now_ms(active->worker->options.loop),
                                                              .signal = &signal});
    }
}

/* The list is complete up to `seen`. */
void active_signals(struct active *active, const struct json *message)
{
    int64_t seen = json_get_int(message, "seen", 0);
    if (seen <= active->signals_seen)
        return;
    feed(active, json_get(message, "signals"));
    active->signals_seen = seen;
    if (active->busy)
        return;
    drive(active);
    settle(active);
}

static void restore(struct active *active, const struct json *list, bool former)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *entry = json_at(list, i);
        AUTO_JSON struct json *parsed = NULL;
        const struct json *outputs = json_get(entry, "outputs");
        const char *text = json_as_str(outputs);
        if (text != NULL && json_parse(text, strlen(text), &parsed, NULL) == ERR_OK)
            outputs = parsed;
        struct run_checkpoint checkpoint = {
            .node_id = json_get_str(entry, "nodeId"),
            .iteration = json_get_str(entry, "iteration"),
            .former = former,
            .waiting = json_get(entry, "waiting"),
            .attempt = (int)json_get_int(entry, "attempt", 1),
            .epoch = (int)json_get_int(entry, "epoch", 0),
            .unknown = (int)json_get_int(entry, "unknown", 0),
            .outputs = outputs,
            .records = json_get_int(entry, "records", 0),
            .started_ms = json_get_int(entry, "startedMs", 0),
            .ended_ms = json_get_int(entry, "endedMs", 0),
            .wake_ms = json_get_int(entry, "wakeMs", 0),
            .error_id = json_get_str(entry, "errorId"),
            .error_message = json_get_str(entry, "errorMessage"),
            .evaluated = json_get(entry, "evaluated"),
        };
        if (checkpoint.node_id != NULL && node_state_parse(json_get_str(entry, "state"), &checkpoint.state) == ERR_OK)
            flow_run_restore(active->run, &checkpoint);
    }
}

void active_start(struct worker *worker, const struct json *item, struct delivery_group *group)
{
    const char *id = json_get_str(item, "id"), *flow_id = json_get_str(item, "flowId");
    int epoch = (int)json_get_int(item, "epoch", 1);
    struct error error = {0};
    struct flow_entry *flow = flow_id == NULL
                                  ? NULL
                                  : flow_entry_get(worker, flow_id, (int)json_get_int(item, "flowVersion", 1),
                                                   json_get_str(json_get(item, "options"), "untilNode"), &error);
    if (flow == NULL) {
        outbox_settle(outbox_of(worker, id), group);
        event_refused(worker, item, RUN_FAILED, &error);
        return;
    }
    const char *trigger = json_get_str(item, "trigger"), *parent_id = json_get_str(item, "parentId");
    struct active *active = mem_alloc(sizeof *active);
    *active = (struct active){.worker = worker,
                              .id = mem_dup(id),
                              .epoch = epoch,
                              .outbox = outbox_of(worker, id),
                              .flow = flow,
                              .group = group,
                              .logs = json_array_new(),
                              .options = json_ref(json_get(item, "options")),
                              .pins = json_get(json_get(item, "options"), "pins"),
                              .parent_id = mem_dup(parent_id),
                              .awaited = parent_id != NULL || (trigger != NULL && strcmp(trigger, "webhook") == 0),
                              .depth = (int)json_get_int(item, "depth", 0),
                              .stepless = epoch == 1,
                              .started_ms = loop_now_ms(worker->options.loop)};
    struct run_options options = {
        .execution_id = id,
        .trigger = trigger,
        .trigger_node = json_get_str(item, "triggerNode"),
        .created_ms = json_get_int(item, "createdMs", active->started_ms),
        .epoch = epoch,
        .body = json_get_str(item, "body"),
        .lost_epochs = (unsigned)json_get_int(item, "lostEpochs", json_get_bool(item, "lostEpoch", false)),
        .seed = worker->options.seed ^ hash_str(id)};
    active->run = flow_run_new(flow->flow, &options, json_get(item, "input"));
    restore(active, json_get(item, "restore"), true);
    restore(active, json_get(item, "checkpoints"), false);
    feed(active, json_get(item, "signals"));
    active->signals_seen = json_get_int(item, "seen", 0);
    (void)map_put(&worker->active, id, active);
    atomic_store(&worker->active_count, (unsigned)worker->active.count);
    atomic_fetch_add(&worker->started, 1);
    recall_put(&worker->started_epochs, id, epoch);
    if (recall_get(&worker->watched, id) >= 0)
        live_watch(active);
    if (recall_get(&worker->orders, id) == ORDER_PAUSE || json_get_bool(item, "paused", false))
        flow_run_advance(active->run, &(struct run_event){.kind = RUN_EVENT_PAUSE, .now_ms = active->started_ms});
    flow_run_advance(active->run, &(struct run_event){.kind = RUN_EVENT_START, .now_ms = active->started_ms});
    drive(active);
    if (!run_status_is_final(flow_run_status(active->run)))
        event_started(active);
    settle(active);
}
