/* Workers' events as the store takes them. */
#include "orchestrator/orchestrator_int.h"

#include "base/base64.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static bool unpack(const struct json *json, struct decoded *decoded)
{
    const struct json *text = json_get(json, "documentPacked");
    if (text == NULL)
        return true;
    if (!json_is(text, JSON_STRING) || !base64_decode(json_as_str(text), json_as_str_len(text), &decoded->packed))
        return false;
    decoded->finish.document_packed = decoded->packed.data;
    decoded->finish.document_packed_bytes = decoded->packed.len;
    return true;
}

static bool decode_finish(const struct json *json, struct decoded *decoded)
{
    decoded->finish = (struct store_finish){.started_ms = json_get_int(json, "startedMs", 0),
                                            .ended_ms = json_get_int(json, "at", 0),
                                            .records = json_get_int(json, "records", 0),
                                            .error_id = json_get_str(json, "errorId"),
                                            .error_message = json_get_str(json, "errorMessage"),
                                            .document_json = json_get_str(json, "document"),
                                            .result_json = json_get_str(json, "result")};
    decoded->event.finish = &decoded->finish;
    return unpack(json, decoded) && (decoded->event.kind != STORE_EVENT_FINISHED ||
                                     run_status_parse(json_get_str(json, "status"), &decoded->finish.status) == ERR_OK);
}

static bool decode_checkpoint(const struct json *json, struct decoded *decoded)
{
    struct store_event *event = &decoded->event;
    event->checkpoint_outputs_json = json_get_str(json, "outputs");
    event->checkpoint_waiting_json = json_get_str(json, "waiting");
    event->checkpoint_evaluated_json = json_get_str(json, "evaluated");
    event->checkpoint_token = json_get_str(json, "token");
    event->checkpoint = (struct run_checkpoint){.node_id = json_get_str(json, "nodeId"),
                                                .iteration = json_get_str(json, "iteration"),
                                                .attempt = (int)json_get_int(json, "attempt", 1),
                                                .records = json_get_int(json, "records", 0),
                                                .started_ms = json_get_int(json, "startedMs", 0),
                                                .ended_ms = json_get_int(json, "endedMs", 0),
                                                .wake_ms = json_get_int(json, "wakeMs", 0),
                                                .signal_id = json_get_int(json, "signalId", 0),
                                                .lost_attempts = json_get(json, "lost"),
                                                .error_id = json_get_str(json, "errorId"),
                                                .error_message = json_get_str(json, "errorMessage")};
    return event->checkpoint.node_id != NULL &&
           node_state_parse(json_get_str(json, "state"), &event->checkpoint.state) == ERR_OK;
}

static const struct kind {
    const char *name;
    enum store_event_kind kind;
    bool (*decode)(const struct json *json, struct decoded *decoded); /* what only this kind has; or NULL */
} kinds[] = {{"started", STORE_EVENT_STARTED, NULL},
             {"checkpoint", STORE_EVENT_CHECKPOINT, decode_checkpoint},
             {"parked", STORE_EVENT_PARKED, decode_finish},
             {"finished", STORE_EVENT_FINISHED, decode_finish},
             {"logs", STORE_EVENT_LOGS, NULL}};

static const struct kind *find_kind(const struct json *json)
{
    const char *name = json_get_str(json, "kind");
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

struct decoded *event_decode(const struct json *json, const char *worker)
{
    const struct kind *kind = find_kind(json);
    if (kind == NULL)
        return NULL;
    struct decoded *decoded = mem_alloc(sizeof *decoded);
    buf_init(&decoded->packed, 0);
    decoded->event = (struct store_event){.kind = kind->kind,
                                          .execution_id = json_get_str(json, "id"),
                                          .epoch = (int)json_get_int(json, "epoch", 0),
                                          .worker_id = worker,
                                          .at_ms = json_get_int(json, "at", 0),
                                          .wake_ms = json_get_int(json, "wakeMs", 0),
                                          .discard = json_get_bool(json, "discard", false),
                                          .logs_json = json_get_str(json, "logs"),
                                          .signals_seen = json_get_int(json, "seen", 0),
                                          .has_parent = json_get_str(json, "parentId") != NULL,
                                          .signalled = json_get_bool(json, "signalled", false),
                                          .stepless = json_get_bool(json, "stepless", false)};
    if (kind->decode == NULL || kind->decode(json, decoded))
        return decoded;
    decoded_free(decoded);
    return NULL;
}

void decoded_free(struct decoded *decoded)
{
    if (decoded == NULL)
        return;
    buf_done(&decoded->packed);
    free(decoded);
}
