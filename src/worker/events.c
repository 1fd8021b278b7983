/* What a worker tells about an execution, as JSON. */
#include "worker/worker_int.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>

enum { EVALUATED_MAX = 64 << 10, PARKED_DOCUMENT_MAX = 1 << 20 };

static struct json *event_new(const struct active *active, const char *kind)
{
    struct json *event = json_object_new();
    json_set_str(event, "kind", kind);
    json_set_str(event, "id", active->id);
    json_set_int(event, "epoch", active->epoch);
    json_set_str(event, "flowId", flow_run_flow(active->run)->id);
    json_set_int(event, "at", loop_now_ms(active->worker->options.loop));
    return event;
}

static void send(struct outbox *outbox, struct json *take_event, enum haste haste)
{
    struct buf text;
    buf_init(&text, 0);
    json_print(take_event, &text);
    outbox_event(outbox, text.data, text.len, haste);
    buf_done(&text);
    json_unref(take_event);
}

static void set_text(struct json *event, const char *key, const struct json *value)
{
    if (value == NULL)
        return;
    struct buf text;
    buf_init(&text, 0);
    json_print(value, &text);
    json_set(event, key, json_string_new_n(text.data, text.len));
    buf_done(&text);
}

/* For history only, which shows the configuration instead of what is too long to be stored twice. */
static void set_evaluated(struct json *event, const struct json *evaluated)
{
    set_text(event, "evaluated", evaluated);
    if (json_as_str_len(json_get(event, "evaluated")) > EVALUATED_MAX)
        json_set(event, "evaluated", NULL);
}

static void set_packed(struct json *event, const char *key, const struct json *value)
{
    struct buf text, packed, encoded;
    buf_init(&text, 0);
    buf_init(&packed, 0);
    buf_init(&encoded, 0);
    json_print(value, &text);
    store_pack(text.data, text.len, &packed);
    base64_add(&encoded, packed.data, packed.len);
    json_set(event, key, json_string_new_n(encoded.data, encoded.len));
    buf_done(&text);
    buf_done(&packed);
    buf_done(&encoded);
}

void event_started(struct active *active)
{
    send(active->outbox, event_new(active, "started"), RESTS);
}

void event_held(struct active *active)
{
    send(active->outbox, event_new(active, "held"), HURRIES);
}

static struct json *checkpoint_event(const struct active *active, const struct run_checkpoint *checkpoint)
{
    struct json *event = event_new(active, "checkpoint");
    json_set_str(event, "nodeId", checkpoint->node_id);
    json_set_int(event, "attempt", checkpoint->attempt);
    json_set_str(event, "state", node_state_name(checkpoint->state));
    json_set_int(event, "records", checkpoint->records);
    json_set_int(event, "startedMs", checkpoint->started_ms);
    json_set_int(event, "endedMs", checkpoint->ended_ms);
    json_set_int(event, "wakeMs", checkpoint->wake_ms);
    json_set_str(event, "errorId", checkpoint->error_id);
    json_set_str(event, "errorMessage", checkpoint->error_message);
    set_text(event, "outputs", checkpoint->outputs);
    set_evaluated(event, checkpoint->evaluated);
    if (checkpoint->iteration != NULL)
        json_set_str(event, "iteration", checkpoint->iteration);
    set_text(event, "waiting", checkpoint->waiting);
    if (checkpoint->signal_id > 0)
        json_set_int(event, "signalId", checkpoint->signal_id);
    if (checkpoint->lost_attempts != NULL)
        json_set(event, "lost", json_ref(checkpoint->lost_attempts));
    if (json_get_str(checkpoint->waiting, "token") != NULL && checkpoint->state == NODE_WAITING)
        json_set_str(event, "token", json_get_str(checkpoint->waiting, "token"));
    return event;
}

static void send_unsent(struct active *active)
{
    active->stepless &= json_count(active->unsent) == 0;
    for (size_t i = 0; i < json_count(active->unsent); i++)
        send(active->outbox, json_ref(json_at(active->unsent, i)), HURRIES);
    json_unref(active->unsent);
    active->unsent = NULL;
}

/* With durability `run` only what somebody else must know of goes out at once, and all that was before it. */
void event_checkpoint(struct active *active, const struct run_checkpoint *checkpoint)
{
    struct json *event = checkpoint_event(active, checkpoint);
    if (flow_run_flow(active->run)->settings.durability == FLOW_DURABLE_RUN) {
        if (active->unsent == NULL)
            active->unsent = json_array_new();
        json_push(active->unsent, event);
        if (checkpoint->waiting != NULL)
            send_unsent(active);
        return;
    }
    active->stepless = false;
    send(active->outbox, event, HURRIES);
}

/* Nobody waits for that execution any more. */
void event_cancel_child(struct active *active, const struct run_checkpoint *of)
{
    struct json *event = event_new(active, "cancelChild");
    json_set_str(event, "childId", json_get_str(of->waiting, "childId"));
    send(active->outbox, event, HURRIES);
}

void event_progress(struct active *active, unsigned node)
{
    struct json *event = event_new(active, "progress");
    unsigned done, total;
    flow_run_progress(active->run, &done, &total);
    json_set_str(event, "nodeId", flow_run_flow(active->run)->nodes[node].id);
    json_set_int(event, "progress", total == 0 ? 0 : done * 100 / total);
    json_set_int(event, "records", flow_run_records(active->run));
    send(active->outbox, event, RESTS);
}

/* Log lines of a run that leaves this worker unfinished; those of a finished one are in its document. */
static void send_logs(struct active *active)
{
    if (json_count(active->logs) == 0)
        return;
    struct json *event = event_new(active, "logs");
    set_text(event, "logs", active->logs);
    send(active->outbox, event, RESTS);
}

/* A node that went on from its checkpoint was not executed here: its inputs come from the configuration. */
static void hide_inputs(const struct flow *flow, const struct json *entries)
{
    for (size_t i = 0; i < json_count(entries); i++) {
        struct json *entry = json_at(entries, i);
        const char *id = json_get_str(entry, "nodeId");
        int index = id == NULL ? -1 : flow_find_node(flow, id);
        if (index < 0 || flow->nodes[index].spec == NULL)
            continue;
        json_set(entry, "input", mask_json_fields(flow->nodes[index].spec->fields, json_get(entry, "input")));
        hide_inputs(flow, json_get(entry, "iterations"));
    }
}

/* The history so far. Yours. */
static struct json *document_of(const struct active *active)
{
    struct json *document = flow_run_document(active->run);
    hide_inputs(flow_run_flow(active->run), json_get(document, "nodes"));
    return document;
}

/* Who looks at an execution that waits for days, or for a person, sees what led there. What is too long to be stored
 * again at each wait is told by checkpoints alone. */
static void set_document_so_far(struct json *event, struct active *active)
{
    struct json *document = document_of(active);
    json_set_int(document, "epoch", active->epoch);
    mask_replace(&active->mask, &document);
    if (json_size(document) <= PARKED_DOCUMENT_MAX)
        set_packed(event, "documentPacked", document);
    json_unref(document);
}

void event_parked(struct active *active, int64_t wake_ms)
{
    send_logs(active);
    send_unsent(active); /* from these it goes on elsewhere */
    struct json *event = event_new(active, "parked");
    json_set_int(event, "wakeMs", wake_ms);
    json_set_int(event, "seen", active->signals_seen);
    json_set_int(event, "records", flow_run_records(active->run));
    set_document_so_far(event, active);
    outbox_settle(active->outbox, active->group);
    active->group = NULL;
    send(active->outbox, event, HURRIES);
}

void event_finished(struct active *active)
{
    const struct flow_run *run = active->run;
    enum flow_history history = flow_run_flow(run)->settings.history;
    enum run_status status = flow_run_status(run);
    const struct error *error = flow_run_error(run);
    bool discard = status == RUN_SUCCESS && history != FLOW_HISTORY_ALL;
    struct json *event = event_new(active, "finished");
    json_set_str(event, "status", run_status_name(status));
    json_set_int(event, "startedMs", active->started_ms);
    json_set_int(event, "records", flow_run_records(run));
    json_set_bool(event, "discard", discard);
    if (error->code != ERR_OK) {
        json_set_str(event, "errorId", error_id(error->code));
        json_set_str(event, "errorMessage", error->message);
    }
    if (!discard) {
        struct json *document = document_of(active);
        json_set(document, "logs", json_ref(active->logs));
        mask_replace(&active->mask, &document); /* the execution's own input may hold one, too */
        set_packed(event, "documentPacked", document);
        json_unref(document);
    }
    AUTO_JSON struct json *result = mask_json(&active->mask, flow_run_result(run));
    set_text(event, "result", result);
    json_set_bool(event, "responded", flow_run_has_response(run));
    if (active->parent_id != NULL)
        json_set_str(event, "parentId", active->parent_id);
    if (active->signals_seen > 0)
        json_set_bool(event, "signalled", true);
    if (active->stepless)
        json_set_bool(event, "stepless", true);
    outbox_settle(active->outbox, active->group);
    active->group = NULL;
    send(active->outbox, event, active->awaited ? HURRIES : RESTS);
}

void event_refused(struct worker *worker, const struct json *item, enum run_status status, const struct error *error)
{
    struct json *event = json_object_new();
    json_set_str(event, "kind", "finished");
    json_set_str(event, "id", json_get_str(item, "id"));
    json_set_int(event, "epoch", json_get_int(item, "epoch", 1));
    json_set_str(event, "flowId", json_get_str(item, "flowId"));
    if (json_get_str(item, "parentId") != NULL)
        json_set_str(event, "parentId", json_get_str(item, "parentId"));
    json_set_int(event, "at", loop_now_ms(worker->options.loop));
    json_set_int(event, "startedMs", loop_now_ms(worker->options.loop));
    json_set_str(event, "status", run_status_name(status));
    json_set_str(event, "errorId", error_id(error->code));
    json_set_str(event, "errorMessage", error->message);
    json_set_str(event, "document", "{\"nodes\":[],\"logs\":[]}");
    send(outbox_of(worker, json_get_str(item, "id")), event, HURRIES);
}
